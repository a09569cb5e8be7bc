"""Many shapes in one e-graph: declaring rules takes longer than running them on one."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from rewrite import ops
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.job import Job
from rewrite.egraph.limits import Limits
from rewrite.egraph.plan import Plan
from rewrite.sorts import BOOL
from rewrite.store import Store, Symbol
from rewrite.term import Term
from strategies.windows.binary import made
from strategies.windows.shape import Shape, symbols_of

__all__ = ["Batch", "Found", "Parts", "Source", "batch_of"]


@dataclass(frozen=True, slots=True)
class Source:
    """A shape as terms over symbols of its own."""

    dag: Dag
    """Everything that is visible, with the roots of the window."""
    plain: tuple[Term, ...]
    """The roots, with what others compute as symbols: what the window costs."""
    expanded: tuple[Term, ...]
    """The roots down to the leaves of the window: what it computes."""
    number: dict[str, int]
    """The number of each symbol."""
    given: dict[str, int]
    """The node of the store that a symbol stands for, where others compute it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Shapes that share an e-graph, and the job that saturates it."""

    sources: tuple[Source, ...]
    spans: tuple[tuple[int, ...], ...]
    """The positions in the job's program of each source's nodes."""
    job: Job


@dataclass(frozen=True, slots=True)
class Found:
    """The part of an e-graph that belongs to one shape, and the class of each of its nodes."""

    frozen: Frozen
    classes: list[int]


def batch_of(shapes: Sequence[Shape], plan: Plan, limits: Limits) -> Batch:
    """Put shapes into one program."""
    store = Store()
    sources = [_source(shape, store, f"w{k}_") for k, shape in enumerate(shapes)]
    roots = [term.id for source in sources for term in source.expanded]
    dag = Dag.of(store, roots)
    place = {node: at for at, node in enumerate(dag.ids.tolist())}
    given: dict[int, Symbol] = {}
    opaque: set[int] = set()
    facts: list[tuple[str, int]] = []
    for k, shape in enumerate(shapes):
        symbols = symbols_of(shape, f"w{k}_")
        ids = source_ids(shape, store, symbols)
        for row, leaf in shape.given:
            given[place[ids[row]]] = symbols[leaf]
        for (sort, known), symbol in zip(shape.leaves, symbols, strict=True):
            at = place.get(store.symbol(symbol), -1)
            if at < 0 or sort == BOOL:
                continue
            if not known.defined:
                opaque.add(at)
            elif known.nonzero:
                facts.append(("nz", at))
        facts += [(name, place[ids[row]]) for name, row in shape.facts]
    spans = tuple([tuple([place[node] for node in source.dag.ids.tolist()]) for source in sources])
    job = Job(
        plan, limits, dag, tuple(dag.roots), opaque=frozenset(opaque), given=given,
        facts=tuple(dict.fromkeys(facts)),
    )  # fmt: skip
    return Batch(tuple(sources), spans, job)


def source_ids(shape: Shape, store: Store, symbols: Sequence[Symbol]) -> list[int]:
    """Make all rows of a shape; return their nodes."""
    ids: list[int] = []
    for code, args, value in shape.rows:
        value = (
            symbols[value]
            if isinstance(value, int) and not args and code == ops.SYMBOL.code
            else value
        )
        ids.append(made(store, code, [ids[a] for a in args], value))
    return ids


def _source(shape: Shape, store: Store, prefix: str) -> Source:
    symbols = symbols_of(shape, prefix)
    ids = source_ids(shape, store, symbols)
    given = {row: store.symbol(symbols[leaf]) for row, leaf in shape.given}
    plain: list[int] = []
    for row, (code, args, value) in enumerate(shape.rows):
        if row in given:
            plain.append(given[row])
        elif not args:
            plain.append(ids[row])
        else:
            plain.append(made(store, code, [plain[a] for a in args], value))
    return Source(
        Dag.of(store, [ids[root] for root in shape.roots]),
        tuple([Term(store, plain[root]) for root in shape.roots]),
        tuple([Term(store, ids[root]) for root in shape.roots]),
        {symbol.name: k for k, symbol in enumerate(symbols)},
        {symbols[leaf].name: ids[row] for row, leaf in shape.given},
    )


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

    def part(self, classes: Sequence[int], roots: Sequence[int]) -> Found:
        """Return what is reachable from some classes."""
        number = {}
        stack = list(dict.fromkeys(classes))
        nodes: list[int] = []
        while stack:
            group = stack.pop()
            if group in number:
                continue
            number[group] = len(number)
            for node in self.members[self.first[group] : self.first[group + 1]]:
                nodes.append(node)
                stack += self.args[self.start[node] : self.start[node + 1]]
        nodes.sort()
        frozen = self.frozen
        start, args, leaf = [0], [], []
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
