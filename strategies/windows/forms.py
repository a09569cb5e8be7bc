"""The cheapest form of each shape in a saturated e-graph that its judge accepts.

All shapes are extracted at once, as compiled loops need arrays of some size. Where the judge
refuses, the part of the graph that belongs to the shape is searched alone.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.job import Outcome
from rewrite.extract import Extractor
from rewrite.store import Store, Symbol
from rewrite.term import Term
from strategies.judged import Search, Verdict
from strategies.windows.batch import Batch, Found, Parts, Source
from strategies.windows.judging import judged
from strategies.windows.shape import Form, rows_of

if TYPE_CHECKING:
    from strategies.saturation import Saturate

__all__ = ["form_of", "forms"]

SECONDS_EACH: Final = 1.0


def forms(
    plan: "Saturate", batch: Batch, outcome: Outcome, values: Sequence[list[Any]]
) -> tuple[list[Form | None], int]:
    """Return the cheapest form of each shape, None where that is its own; and the refusals.

    `values` are those of each shape's leaves at sample points.
    """
    assert outcome.frozen is not None
    best = _together(outcome.frozen, batch, plan) if plan.extract != "exact" else None
    finder = _Finder(plan, batch, outcome)
    found: list[Form | None] = []
    at = 0
    for k, source in enumerate(batch.sources):
        roots = slice(at, at + len(source.plain))
        at = roots.stop
        found.append(finder.form(k, roots, None if best is None else best[roots], values[k]))
    return found, finder.refused


def _together(frozen: Frozen, batch: Batch, plan: "Saturate") -> list[Term] | None:
    extractor = Extractor(frozen, plan.cost, dtype=plan.dtype, together=True)
    found = extractor.extract(mode=plan.extract)
    return None if found is None else extractor.terms(found, Store())[0]


class _Finder:
    """Takes what was extracted together where it will do, else searches the shape's own part."""

    def __init__(self, plan: "Saturate", batch: Batch, outcome: Outcome) -> None:
        assert outcome.frozen is not None
        self.plan, self.batch, self.outcome = plan, batch, outcome
        self.frozen = outcome.frozen
        self.parts: Parts | None = None
        self.refused = 0

    def form(self, k: int, roots: slice, best: list[Term] | None, values: list[Any]) -> Form | None:
        source, plan = self.batch.sources[k], self.plan
        before = dag_cost(_dag(source.plain), plan.cost)
        verdict = None if plan.judge is None else judged(source, plan.judge, values)
        if best is not None:
            if dag_cost(_dag(best), plan.cost) >= before - 1e-9:
                return None
            if within(source, best) and (verdict is None or verdict(best) is None):
                return form_of(source, best)
        if self.parts is None:
            self.parts = Parts(self.frozen)
        classes = [self.outcome.classes[position] for position in self.batch.spans[k]]
        part = self.parts.part(classes, self.frozen.roots[roots])
        return form_of(source, self._searched(source, part, before, verdict))

    def _searched(
        self, source: Source, part: Found, before: float, verdict: Verdict | None
    ) -> list[Term] | None:
        plan = self.plan
        extractor = Extractor(part.frozen, plan.cost, dtype=plan.dtype)
        search = Search(
            extractor, source.dag, part.classes, before, verdict, plan.extract, SECONDS_EACH
        )
        best = search.best()
        self.refused += search.refused
        return best if best is None or within(source, best) else None


def form_of(source: Source, best: Sequence[Term] | None) -> Form | None:
    """Write a result down by the numbers of the leaves."""
    if best is None:
        return None
    return rows_of(best[0].store, [term.id for term in best], source.number)


def within(source: Source, best: Sequence[Term]) -> bool:
    """Tell whether each root uses only what its source form used: so no cycle can arise."""
    for old, new in zip(source.expanded, best, strict=True):
        dag = _dag([old])
        own = {value for value in dag.value if isinstance(value, Symbol)}
        below = set(dag.ids.tolist())
        for value in _dag([new]).value:
            if isinstance(value, Symbol) and value not in own:
                if source.given.get(value.name, -1) not in below:
                    return False
    return True


def _dag(terms: Sequence[Term]) -> Dag:
    return Dag.of(terms[0].store, [term.id for term in terms])
