"""Many shapes in one e-graph: declaring rules takes longer than running them on one."""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from rewrite import ops
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.job import Job, Outcome
from rewrite.egraph.limits import Limits
from rewrite.egraph.plan import Plan
from rewrite.fingerprint import fingerprints
from rewrite.sorts import BOOL
from rewrite.store import Store, Symbol
from rewrite.term import Term
from strategies.windows.binary import made
from strategies.windows.shape import Form, Shape, interned, symbols_of

__all__ = ["Batch", "Found", "Parts", "Source", "same_values", "sources_of"]


class Source:
    """A shape as nodes of a store, over symbols of its own."""

    def __init__(self, shape: Shape, store: Store, prefix: str) -> None:
        self.shape, self.store = shape, store
        self.symbols = symbols_of(shape, prefix)
        self.ids: list[int] = []
        """The node of each row, all down to the leaves."""
        for code, args, value in shape.rows:
            value = self.symbols[value] if code == ops.SYMBOL.code else value
            self.ids.append(made(store, code, [self.ids[a] for a in args], value))

    @cached_property
    def dag(self) -> Dag:
        """Everything that is visible, with the roots of the window."""
        return Dag.of(self.store, [self.ids[root] for root in self.shape.roots])

    @property
    def expanded(self) -> tuple[Term, ...]:
        """The roots down to the leaves of the window: what it computes."""
        return tuple([Term(self.store, self.ids[root]) for root in self.shape.roots])

    def interned(self, form: Form) -> list[int]:
        """Make a form in the same store, with what others compute in the place of leaves.

        Return the node of each row.
        """
        leaves = [self.store.symbol(symbol) for symbol in self.symbols]
        for row, leaf in self.shape.given:
            leaves[leaf] = self.ids[row]
        return interned(form, self.store, leaves)

    def made(self, form: Form) -> list[Term]:
        """Return the roots of a form that is made so."""
        ids = self.interned(form)
        return [Term(self.store, ids[root]) for root in form[1]]

    @cached_property
    def number(self) -> dict[str, int]:
        """The number of each symbol."""
        return {symbol.name: k for k, symbol in enumerate(self.symbols)}


def sources_of(shapes: Sequence[Shape]) -> tuple[Source, ...]:
    """Put shapes into one store."""
    store = Store()
    return tuple([Source(shape, store, f"w{k}_") for k, shape in enumerate(shapes)])


@dataclass(frozen=True)
class Batch:
    """Shapes that share an e-graph: what is loaded is made where it is saturated."""

    shapes: tuple[Shape, ...]
    plan: Plan
    limits: Limits
    after: Callable[["Batch", Outcome], Any] | None = None
    """What is made of the e-graph there."""

    @property
    def size(self) -> int:
        """About so many nodes are loaded."""
        return sum(len(shape.rows) for shape in self.shapes)

    @cached_property
    def sources(self) -> tuple[Source, ...]:
        """The shapes as nodes of one store."""
        return sources_of(self.shapes)

    @cached_property
    def spans(self) -> list[list[int]]:
        """The positions in the job's program of each source's rows."""
        place = {node: at for at, node in enumerate(self._dag.ids.tolist())}
        return [[place[node] for node in source.ids] for source in self.sources]

    @cached_property
    def _dag(self) -> Dag:
        sources = self.sources
        roots = [source.ids[root] for source in sources for root in source.shape.roots]
        return Dag.of(sources[0].store, roots)

    def job(self) -> Job:
        """Put the shapes into one program."""
        given: dict[int, Symbol] = {}
        opaque: set[int] = set()
        facts: list[tuple[str, int]] = []
        for source, at_rows in zip(self.sources, self.spans, strict=True):
            shape, symbols = source.shape, source.symbols
            for row, leaf in shape.given:
                given[at_rows[row]] = symbols[leaf]
            facts += [(name, at_rows[row]) for name, row in shape.facts]
            for row, (code, _, leaf) in enumerate(shape.rows):
                if code == ops.SYMBOL.code and shape.leaves[leaf][0] != BOOL:
                    known = shape.leaves[leaf][1]
                    if not known.defined:
                        opaque.add(at_rows[row])
                    elif known.nonzero:
                        facts.append(("nz", at_rows[row]))
        return Job(
            self.plan, self.limits, self._dag, tuple(self._dag.roots), opaque=frozenset(opaque),
            given=given, facts=tuple(dict.fromkeys(facts)),
            after=None if self.after is None else partial(self.after, self),
        )  # fmt: skip

    def __getstate__(self) -> tuple[Any, ...]:
        """Pickle what it is made of alone."""
        return self.shapes, self.plan, self.limits, self.after

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Restore that."""
        for name, value in zip(("shapes", "plan", "limits", "after"), state, strict=True):
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True)
class Found:
    """The part of an e-graph that belongs to one shape, and the class of each of its nodes."""

    frozen: Frozen
    classes: list[int]


def same_values(shape: Shape, form: Form) -> bool:
    """Tell whether a form computes what its shape does, by their fingerprints."""
    source = Source(shape, Store(), "v")
    return fingerprints(source.expanded) == fingerprints(source.made(form))


class Parts:
    """An e-graph that can be taken apart."""

    def __init__(self, frozen: Frozen) -> None:
        self.frozen = frozen
        order = np.argsort(frozen.owner, kind="stable")
        self.members: list[int] = order.tolist()
        counts = np.bincount(frozen.owner, minlength=frozen.classes)
        self.first: list[int] = np.concatenate([[0], np.cumsum(counts)]).tolist()
        self.start: list[int] = frozen.start.tolist()
        self.args: list[int] = frozen.args.tolist()

    def part(self, classes: Sequence[int], roots: Sequence[int], own: Container[str]) -> Found:
        """Return what is reachable from some classes, of the leaves those of the own names.

        What is known to be a constant is of one class with the like of other shapes.
        """
        number: dict[int, int] = {}
        stack = list(dict.fromkeys(classes))
        nodes: list[int] = []
        while stack:
            group = stack.pop()
            if group in number:
                continue
            number[group] = len(number)
            for node in self.members[self.first[group] : self.first[group + 1]]:
                leaf_of = self.frozen.leaf[node]
                if isinstance(leaf_of, Symbol) and leaf_of.name not in own:
                    continue
                nodes.append(node)
                stack += self.args[self.start[node] : self.start[node + 1]]
        nodes.sort()
        frozen = self.frozen
        start, args, leaf = [0], list[int](), []
        for node in nodes:
            args += [number[a] for a in self.args[self.start[node] : self.start[node + 1]]]
            start.append(len(args))
            leaf.append(frozen.leaf[node])
        at = np.array(nodes, np.int64)
        owner = [number[group] for group in frozen.owner[at].tolist()]
        made_part = replace(
            frozen, code=frozen.code[at], owner=np.array(owner, np.int32),
            start=np.array(start, np.int64), args=np.array(args, np.int32), leaf=leaf,
            classes=len(number), roots=[number[root] for root in roots],
        )  # fmt: skip
        return Found(made_part, [number[group] for group in classes])
