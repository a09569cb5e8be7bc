"""The cheapest form of each shape in a saturated e-graph that its judge accepts.

All shapes are extracted at once, as compiled loops need arrays of some size. Where the judge
refuses, the part of the graph that belongs to the shape is searched alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.cost import CostModel, dag_cost
from rewrite.dag import below
from rewrite.dagsearch import compiled
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.job import Outcome
from rewrite.extract import Extractor, Mode
from rewrite.store import Symbol
from rewrite.term import Term
from strategies.judged import Judge, Search, Verdict
from strategies.windows.batch import Found, Parts, Source, sources_of
from strategies.windows.judging import Judged
from strategies.windows.shape import Form, Row, Shape, dag_of, plain_of, rows_of

__all__ = ["Choice", "Chooser", "form_of"]

SECONDS_EACH: Final = 1.0
TRIES: Final = (3, 6)
"""So many programs are judged while single e-nodes are banned, and in all: shapes are many."""


@dataclass(frozen=True)
class Chooser:
    """How forms are chosen: plain data, so that any process can do it."""

    cost: CostModel
    judge: Judge | None
    dtype: str
    extract: Mode

    def forms(
        self, sources: Sequence[Source], spans: Sequence[Sequence[int]], outcome: Outcome,
        values: Sequence[Sequence[Any]],
    ) -> tuple[list[Form | None], int]:  # fmt: skip
        """Return the cheapest form of each shape, None where that is its own; and the refusals.

        `spans` are the positions of the rows of each in the program that was saturated, `values`
        those of its leaves at sample points.
        """
        assert outcome.frozen is not None
        together = self._together(outcome.frozen) if self.extract != "exact" else None
        finder = _Finder(self, sources, spans, outcome, values)
        for k, roots in enumerate(finder.roots):
            finder.offer(k, None if together is None else together(roots, sources[k]))
        return finder.forms(), finder.refused

    def _together(self, frozen: Frozen) -> Callable[[Sequence[int], Source], Form | None] | None:
        """Extract all shapes at once; return what writes down the form of some roots."""
        extractor = Extractor(frozen, self.cost, dtype=self.dtype, together=True)
        found = extractor.extract(mode=self.extract)
        if found is None:
            return None
        choice = found.choice

        def written(roots: Sequence[int], source: Source) -> Form | None:
            return _written(extractor, choice, roots, source.number)

        return written


@dataclass(frozen=True)
class Choice:
    """The choice of the forms of some shapes, to be made where their e-graph is."""

    chooser: Chooser
    shapes: tuple[Shape, ...]
    spans: tuple[tuple[int, ...], ...]
    values: list[list[Any]]

    def __call__(self, outcome: Outcome) -> tuple[list[Form | None], int]:
        """Make it."""
        compiled()  # loads the loops: there are many choices to come
        return self.chooser.forms(sources_of(self.shapes), self.spans, outcome, self.values)


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

    def __init__(
        self, plan: Chooser, sources: Sequence[Source], spans: Sequence[Sequence[int]],
        outcome: Outcome, values: Sequence[Sequence[Any]],
    ) -> None:  # fmt: skip
        assert outcome.frozen is not None
        self.plan, self.sources, self.spans = plan, sources, spans
        self.classes, self.frozen, self.values = outcome.classes, outcome.frozen, values
        ends = np.cumsum([0, *[len(source.shape.roots) for source in sources]]).tolist()
        self.roots = [self.frozen.roots[a:b] for a, b in pairwise(ends)]
        self.before = [dag_cost(dag_of(plain_of(s.shape)), plan.cost) for s in sources]
        self.offered: dict[int, Form] = {}
        self.unknown: list[int] = []
        self.refused = 0

    def offer(self, k: int, best: Form | None) -> None:
        """Take note of the cheapest form of a shape, None where it is not known."""
        if best is not None and dag_cost(dag_of(best), self.plan.cost) >= self.before[k] - 1e-9:
            return
        if best is not None and within(self.sources[k].shape, best):
            self.offered[k] = best
        else:
            self.unknown.append(k)

    def forms(self) -> list[Form | None]:
        """Return the form of each shape, None where its own stays."""
        found: list[Form | None] = [None] * len(self.roots)
        judge, sources = self.plan.judge, self.sources
        wanted = sorted([*self.offered, *self.unknown])
        judged = None if judge is None else Judged(judge, sources, self.values, wanted)
        good = set(self.offered) if judged is None else judged.accepted(self.offered)
        for k in good:
            found[k] = self.offered[k]
        parts: Parts | None = None
        for k in wanted:
            if k not in good:
                parts = parts or Parts(self.frozen)
                classes = [self.classes[position] for position in self.spans[k]]
                part = parts.part(classes, self.roots[k], sources[k].number)
                verdict = None if judged is None else judged.verdict(k)
                found[k] = self._searched(sources[k], part, self.before[k], verdict)
        return found

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
