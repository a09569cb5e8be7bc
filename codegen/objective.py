"""What `optimize` is asked for: speed, accuracy, or what lies between the two."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

import numpy as np

from rewrite.cost import CostModel, dag_cost
from rewrite.dag import Dag
from rewrite.errors import ArgumentError
from rewrite.progress import each
from rewrite.term import Term
from strategies.base import perform
from strategies.presets import GuardJudge, Setting, accurate
from strategies.regimes import Forms

__all__ = ["Objective", "asked_for", "front", "mean_bits", "price"]

type Objective = Literal["speed", "accuracy"] | tuple[Literal["pareto"], int]
type Terms = tuple[Term, ...]

GRAIN: Final = 0.05
"""Bits that a form of a front must save over the one before; less is chance."""


def asked_for(objective: Any, strategy: Any, autotune: int) -> int | None:
    """Return how many results an objective asks for, None for one; raise `ArgumentError`."""
    if objective == "speed":
        return None
    pair = isinstance(objective, tuple) and len(objective) == 2 and objective[0] == "pareto"
    if not pair and objective != "accuracy":
        raise ArgumentError(
            f'objective={objective!r} is none of "speed", "accuracy", ("pareto", k)'
        )
    if strategy is not None or autotune:
        raise ArgumentError(f"objective={objective!r} has a plan of its own: no strategy, autotune")
    if not pair:
        return None
    count = objective[1]
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"objective={objective!r} asks for no number of results")
    return count


def mean_bits(source: Sequence[Term], dtype: str) -> Callable[[Sequence[Term]], float]:
    """Return what measures forms of terms, at points that no plan has measured them at."""
    from rewrite.guard import Guard

    guard = Guard(list(source), dtype=np.float32 if dtype == "f32" else np.float64, seed=1)

    def measure(form: Sequence[Term]) -> float:
        errors = [each[~np.isnan(each)] for each in guard.errors(list(form))]
        kept = [float(each.mean()) for each in errors if len(each)]
        return float(np.mean(kept)) if kept else float("nan")

    return measure


def front(count: int, source: Terms, fastest: Terms, setting: Setting) -> list[Terms]:
    """Return at most so many forms, each dearer and more accurate than the one before."""
    measure = mean_bits(source, setting.dtype)
    judge = GuardJudge(setting.dtype)(source) if setting.guarded and setting.licence else None
    found: dict[Terms, tuple[float, float]] = {}
    forms = dict.fromkeys([fastest, source, *_candidates(source, setting)])
    for terms in each(forms, "measuring accuracy", "form"):
        if judge is None or terms in (source, fastest) or judge(terms) is None:
            found[terms] = price(terms, setting.cost), measure(terms)
    kept = _undominated(found)
    places = np.linspace(0, len(kept) - 1, min(count, len(kept))).round().astype(int)
    return [kept[place] for place in dict.fromkeys(places.tolist())]


def _undominated(found: dict[Terms, tuple[float, float]]) -> list[Terms]:
    """Sort forms by cost and keep those that are more accurate than all cheaper ones."""
    kept: list[Terms] = []
    least = float("inf")
    for terms, (_, bits) in sorted(found.items(), key=lambda item: item[1]):
        if bits < least - GRAIN or not kept:
            kept.append(terms)
            least = bits
    return kept


def _candidates(source: Terms, setting: Setting) -> Iterator[Terms]:
    """Yield forms of all terms together: what the accurate plan finds of each, by rank."""
    plan = accurate(setting)
    fronts: list[list[Term]] = []
    for term in source:
        measure = mean_bits([term], setting.dtype)
        forms: list[Term] = perform(Forms(plan), term)
        kept = _undominated({(f,): (price((f,), setting.cost), measure([f])) for f in forms})
        fronts.append([form for (form,) in kept])
    most = max(map(len, fronts), default=0)
    for rank in range(most):
        share = rank / max(most - 1, 1)
        yield tuple([forms[round(share * (len(forms) - 1))] for forms in fronts])


def price(terms: Sequence[Term], model: CostModel) -> float:
    """Return the cost of terms, with what they share counted once."""
    return dag_cost(Dag.of(terms[0].store, [term.id for term in terms]), model)
