"""The cheapest form of each shape in a saturated e-graph that its judge accepts.

All shapes are extracted at once, as compiled loops need arrays of some size. Where the judge
refuses, the part of the graph that belongs to the shape is searched alone.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from rewrite import ops
from rewrite.cost import dag_cost
from rewrite.dag import below
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.job import Outcome
from rewrite.extract import Extractor
from rewrite.store import Store, Symbol
from rewrite.term import Term
from strategies.judged import Search, Verdict
from strategies.windows.batch import Batch, Found, Parts, Source
from strategies.windows.judging import judged
from strategies.windows.shape import Form, Row, Shape, dag_of, instantiate, plain_of, rows_of

if TYPE_CHECKING:
    from strategies.saturation import Saturate

__all__ = ["form_of", "forms"]

SECONDS_EACH: Final = 1.0
TRIES: Final = (3, 6)
"""So many programs are judged while single e-nodes are banned, and in all: shapes are many."""


def forms(
    plan: "Saturate", batch: Batch, outcome: Outcome, values: Sequence[list[Any]]
) -> tuple[list[Form | None], int]:
    """Return the cheapest form of each shape, None where that is its own; and the refusals.

    `values` are those of each shape's leaves at sample points.
    """
    assert outcome.frozen is not None
    together = _together(outcome.frozen, plan) if plan.extract != "exact" else None
    finder = _Finder(plan, batch, outcome)
    found: list[Form | None] = []
    at = 0
    for k, source in enumerate(batch.sources):
        roots = outcome.frozen.roots[at : at + len(source.shape.roots)]
        at += len(roots)
        best = None if together is None else together(roots, source)
        found.append(finder.form(k, roots, best, values[k]))
    return found, finder.refused


def _together(
    frozen: Frozen, plan: "Saturate"
) -> Callable[[Sequence[int], Source], Form | None] | None:
    """Extract all shapes at once; return what writes down the form of some roots."""
    extractor = Extractor(frozen, plan.cost, dtype=plan.dtype, together=True)
    found = extractor.extract(mode=plan.extract)
    if found is None:
        return None
    choice = found.choice

    def written(roots: Sequence[int], source: Source) -> Form | None:
        return _written(extractor, choice, roots, source.number)

    return written


def _written(
    extractor: Extractor, choice: Sequence[int], roots: Sequence[int], number: dict[str, int]
) -> Form | None:
    """Write down the chosen nodes below some classes; None where another shape's leaf is used."""
    rows: list[Row] = []
    places: dict[int, int] = {}
    for group in extractor.order(choice, roots):
        node = choice[group]
        args = [places[a] for a in extractor.below(node)]
        for k, flip in enumerate(extractor.negated.get(node, ())):
            if flip:
                rows.append((ops.NEG.code, (args[k],), None))
                args[k] = len(rows) - 1
        leaf = extractor.frozen.leaf[node] if node < len(extractor.frozen) else None
        if isinstance(leaf, Symbol):
            if leaf.name not in number:
                return None
            rows.append((ops.SYMBOL.code, (), number[leaf.name]))
        elif leaf is not None:  # among them those that the engine has no number for, as -0.0
            rows.append((ops.CONST.code, (), leaf))
        else:
            rows.append((extractor.code[node], tuple(args), None))
        places[group] = len(rows) - 1
    return tuple(rows), tuple([places[root] for root in roots])


class _Finder:
    """Takes what was extracted together where it will do, else searches the shape's own part."""

    def __init__(self, plan: "Saturate", batch: Batch, outcome: Outcome) -> None:
        assert outcome.frozen is not None
        self.plan, self.batch, self.outcome = plan, batch, outcome
        self.frozen = outcome.frozen
        self.parts: Parts | None = None
        self.refused = 0

    def form(
        self, k: int, roots: Sequence[int], best: Form | None, values: list[Any]
    ) -> Form | None:
        source, plan = self.batch.sources[k], self.plan
        before = dag_cost(dag_of(plain_of(source.shape)), plan.cost)
        verdict = None if plan.judge is None else judged(source, plan.judge, values)
        if best is not None:
            if dag_cost(dag_of(best), plan.cost) >= before - 1e-9:
                return None
            if within(source.shape, best) and (
                verdict is None or verdict(_terms(source, best)) is None
            ):
                return best
        if self.parts is None:
            self.parts = Parts(self.frozen)
        classes = [self.outcome.classes[position] for position in self.batch.spans[k]]
        part = self.parts.part(classes, roots, source.number)
        return self._searched(source, part, before, verdict)

    def _searched(
        self, source: Source, part: Found, before: float, verdict: Verdict | None
    ) -> Form | None:
        plan = self.plan
        extractor = Extractor(part.frozen, plan.cost, dtype=plan.dtype, together=True)
        row_of = {node: row for row, node in enumerate(source.ids)}
        classes = [part.classes[row_of[node]] for node in source.dag.ids.tolist()]
        search = Search(
            extractor, source.dag, classes, before, verdict, plan.extract, SECONDS_EACH,
            tries=TRIES,
        )  # fmt: skip
        best = search.best()
        self.refused += search.refused
        form = form_of(source, best)
        return form if form is not None and within(source.shape, form) else None


def _terms(source: Source, form: Form) -> list[Term]:
    """Make a form over the symbols of a shape."""
    store = Store()
    leaves = [store.symbol(symbol) for symbol in source.symbols]
    return [Term(store, node) for node in instantiate(form, store, leaves)]


def form_of(source: Source, best: Sequence[Term] | None) -> Form | None:
    """Write a result down by the numbers of the leaves."""
    if best is None:
        return None
    return rows_of(best[0].store, [term.id for term in best], source.number)


def within(shape: Shape, form: Form) -> bool:
    """Tell whether each root uses only what its source form used: so no cycle can arise."""
    given = dict(shape.given)
    for old, new in zip(shape.roots, form[1], strict=True):
        rows = below(shape.rows, [old])
        own = {shape.rows[row][2] for row in rows if shape.rows[row][0] == ops.SYMBOL.code}
        own |= {leaf for row, leaf in given.items() if row in rows and row != old}
        for row in below(form[0], [new]):
            code, _, value = form[0][row]
            if code == ops.SYMBOL.code and value not in own:
                return False
    return True
