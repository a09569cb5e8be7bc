"""The cheapest form of each shape in a saturated e-graph that its judge accepts.

All shapes are extracted at once, as compiled loops need arrays of some size. Where the judge
refuses, the part of the graph that belongs to the shape is searched alone.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from rewrite import ops
from rewrite.cost import CostModel
from rewrite.dag import below
from rewrite.dagsearch import compiled
from rewrite.egraph.arrays import Frozen, unmirrored
from rewrite.egraph.job import Outcome
from rewrite.extract import Extractor, Mode
from rewrite.term import Term
from strategies.judged import Judge
from strategies.windows.batch import Batch, Parts, Source
from strategies.windows.costing import FormCosts
from strategies.windows.judging import Judged
from strategies.windows.searching import Hunt, accepted, written
from strategies.windows.shape import Form, Shape, plain_of, rows_of

__all__ = ["Choice", "Chooser", "Chosen", "form_of", "load"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The cheapest form of each shape, None where that is its own, and how they were found."""

    forms: list[Form | None]
    refused: int
    """So many cheaper forms were less accurate."""
    cut: bool = False
    """Whether a proof took more time than there was."""


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
    ) -> "Chosen":  # fmt: skip
        """Choose the cheapest form of each shape.

        `spans` are the positions of the rows of each in the program that was saturated, `values`
        those of its leaves at sample points.
        """
        assert outcome.frozen is not None
        frozen = unmirrored(outcome.frozen)
        outcome = replace(outcome, frozen=frozen)
        together = self._together(frozen) if self.extract != "exact" else None
        finder = _Finder(self, sources, spans, outcome, values)
        for k, roots in enumerate(finder.roots):
            finder.offer(k, None if together is None else together(roots, sources[k]))
        return Chosen(finder.forms(), finder.refused, finder.cut)

    def _together(self, frozen: Frozen) -> Callable[[Sequence[int], Source], Form | None] | None:
        """Extract all shapes at once; return what writes down the form of some roots."""
        extractor = Extractor(frozen, self.cost, dtype=self.dtype, together=True)
        found = extractor.extract(mode=self.extract)
        if found is None:
            return None
        choice = found.choice

        def form(roots: Sequence[int], source: Source) -> Form | None:
            made = written(extractor, choice, roots, source.number)
            return None if made is None else made[0]

        return form


@dataclass(frozen=True)
class Choice:
    """The choice of the forms of some shapes, to be made where their e-graph is."""

    chooser: Chooser
    values: list[list[Any]]

    def __call__(self, batch: Batch, outcome: Outcome) -> Chosen:
        """Make it."""
        load()
        return self.chooser.forms(batch.sources, batch.spans, outcome, self.values)


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
        self.cost = FormCosts(plan.cost)
        self.before = [self.cost(plain_of(source.shape)) for source in sources]
        self.offered: dict[int, Form] = {}
        self.unknown: list[int] = []
        self.refused, self.cut = 0, False

    def offer(self, k: int, best: Form | None) -> None:
        """Take note of the cheapest form of a shape, None where it is not known."""
        if best is not None and self.cost(best) >= self.before[k] - 1e-9:
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
        hunts = self._hunts([k for k in wanted if k not in good])
        for k, form in accepted(hunts, judged).items():
            found[k] = form if within(sources[k].shape, form) else None
        self.refused = sum(hunt.bans.refused for hunt in hunts.values())
        self.cut = any(hunt.cut for hunt in hunts.values())
        return found

    def _hunts(self, wanted: Sequence[int]) -> dict[int, Hunt]:
        """Give each shape the part of the e-graph that belongs to it."""
        if not wanted:
            return {}
        plan, sources, parts = self.plan, self.sources, Parts(self.frozen)
        hunts = {}
        for k in wanted:
            classes = [self.classes[position] for position in self.spans[k]]
            part = parts.part(classes, self.roots[k], sources[k].number)
            hunts[k] = Hunt(
                sources[k], part, self.before[k], cost=self.cost, dtype=plan.dtype,
                mode=plan.extract,
            )  # fmt: skip
        return hunts


def load() -> None:
    """Load what saturations and choices need: there are many to come."""
    importlib.import_module("rewrite.egraph.bridge")
    importlib.import_module("flint")
    compiled()


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
