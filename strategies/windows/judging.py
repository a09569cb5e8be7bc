"""Whether a rewritten window is as accurate as it was, at the values that its leaves take."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.dag import Dag
from rewrite.evaluate import evaluate_dag
from rewrite.sampling import sample_points
from rewrite.store import Store, Symbol
from rewrite.term import Term, join
from strategies.judged import Judge, PointJudge, Refusal, Verdict
from strategies.windows.batch import Source
from strategies.windows.binary import Program

__all__ = ["differing", "judged", "refused", "values_at"]

ENOUGH: Final = 48
"""With fewer points at which all leaves are finite, values are made up."""
POINTS: Final = ((1500, 256), (6000, 128))
"""Programs of up to so many nodes are evaluated at so many points, larger ones at 64."""

WHOLE_POINTS: Final = ((2_000, 256), (10_000, 128), (40_000, 64))
"""Of programs that are judged as a whole; larger ones at 32."""

NEAR: Final = 2.0**-44
"""Values that differ by less, relatively, are taken as the same: no root is as bad by rounding."""

type Values = Mapping[int, npt.NDArray[Any]]


def values_at(program: Program, wanted: Sequence[int]) -> Values:
    """Evaluate a program where its symbols are sampled; return the values of some positions."""
    part = program.dag(wanted).reached()
    count = _count(part, POINTS, 64)
    found = evaluate_dag(part, _sampled(part, count))
    return {at: np.broadcast_to(value, count) for at, value in zip(wanted, found, strict=True)}


def _count(dag: Dag, table: Sequence[tuple[int, int]], least: int) -> int:
    """Return at how many points a program of its size is evaluated."""
    return next((points for size, points in table if len(dag) <= size), least)


def _sampled(dag: Dag, count: int) -> dict[str, npt.NDArray[Any]]:
    return sample_points([value for value in dag.value if isinstance(value, Symbol)], count)


def refused(judge: Judge, source: list[Term], candidate: list[Term]) -> set[int]:
    """Return the roots of a candidate that a judge refuses, at few points: it may be large."""
    dag = Dag.of(source[0].store, [term.id for term in source])
    if isinstance(judge, PointJudge):
        points = _sampled(dag, _count(dag, WHOLE_POINTS, 32))
        return judge.refused(source, candidate, points)
    return set() if judge(source)(candidate) is None else set(range(len(source)))


def differing(source: Sequence[Term], candidate: Sequence[Term]) -> list[int]:
    """Return the roots whose values in floating point are not nearly those of the source."""
    dags = [Dag.of(ts[0].store, [term.id for term in ts]) for ts in (source, candidate)]
    points = _sampled(dags[0], _count(dags[0], WHOLE_POINTS, 64))
    found = []
    old, new = (evaluate_dag(dag, points) for dag in dags)
    for at, (before, after) in enumerate(zip(old, new, strict=True)):
        if before.dtype == np.bool_:
            same = np.equal(before, after)
        else:
            with np.errstate(all="ignore"):
                same = np.abs(after - before) <= NEAR * np.abs(before)
            same = same | (before == after) | ~np.isfinite(before)
        if not same.all():
            found.append(at)
    return found


def points_of(source: Source, values: Sequence[npt.NDArray[Any]]) -> dict[str, Any] | None:
    """Name the values of the leaves; None where too few points have all of them finite."""
    if not values:
        return {}
    finite = np.logical_and.reduce([np.isfinite(value) for value in values])
    if np.count_nonzero(finite) < ENOUGH:
        return None
    return {name: values[k][finite] for name, k in source.number.items()}


def judged(source: Source, judge: Judge, values: Sequence[npt.NDArray[Any]]) -> Verdict:
    """Return what says whether a form of a window will do; it measures the window when asked."""
    made: list[Verdict] = []

    def verdict(best: Sequence[Term]) -> Refusal | None:
        if not made:
            made.append(_asked(source, judge, values))
        expanded, origin = _expanded(source, best)
        refusal = made[0](expanded)
        if refusal is None or not refusal.blame:
            return refusal
        store = best[0].store
        ids = Dag.of(store, [term.id for term in expanded]).ids.tolist()
        place = {
            node: at for at, node in enumerate(Dag.of(store, [t.id for t in best]).ids.tolist())
        }
        blame = [place[origin[ids[at]]] for at in refusal.blame if ids[at] in origin]
        return Refusal(tuple(dict.fromkeys(blame)), refusal.reason)

    return verdict


def _asked(source: Source, judge: Judge, values: Sequence[npt.NDArray[Any]]) -> Verdict:
    if isinstance(judge, PointJudge):
        return judge.at(source.expanded, points_of(source, values))
    return judge(source.expanded)


def _expanded(source: Source, best: Sequence[Term]) -> tuple[list[Term], dict[int, int]]:
    """Put what others compute in the place of its symbol; also map nodes to those they were."""
    store = best[0].store
    dag = Dag.of(store, [term.id for term in best])
    made: list[int] = []
    origin: dict[int, int] = {}
    ids = dag.ids.tolist()
    for at, ((code, args), value) in enumerate(zip(dag.rows(), dag.value, strict=True)):
        node = ids[at]
        if isinstance(value, Symbol) and value.name in source.given:
            node = _joined(store, source, value.name)
        elif args:
            node = store.make((code, *[made[a] for a in args]))
            origin.setdefault(node, ids[at])
        made.append(node)
    return [Term(store, made[root]) for root in dag.roots], origin


def _joined(store: Store, source: Source, name: str) -> int:
    return join(store, Term(source.store, source.given[name])).id
