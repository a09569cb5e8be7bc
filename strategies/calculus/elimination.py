"""Jacobians by elimination, and which way to one is the cheapest.

An order of elimination is tried on the graph alone first: products and sums are counted, nothing is
written. It is given up once it has looked at more pairs of edges than a pass up or down would, so
the choice takes no longer than these.
"""

from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from strategies.calculus.machine import elimination as machine
from strategies.calculus.machine.writing import USED
from strategies.calculus.passes import Entries, Room, tables_of
from strategies.calculus.program import Program

__all__ = ["MODES", "Mode", "cheapest", "eliminated"]

type Mode = Literal["auto", "forward", "reverse", "mixed"]
MODES: Final = ("auto", "forward", "reverse", "mixed")

WORTH: Final = 2
"""So often a pass visits each edge on average before other ways are tried: each needs them once."""
GREEDY: Final = (machine.FROM_ABOVE, machine.FROM_BELOW)
UNLIMITED: Final = 1 << 62


def cheapest(program: Program) -> Mode:
    """Choose between one pass up with all inputs, one pass down for each output, and a mixture."""
    if len(program.roots) == 1:
        return "reverse"
    down, up = program.ways()
    simple: Mode = "forward" if up < down else "reverse"
    least = min(up, down)
    if least <= WORTH * program.edges:
        return simple
    _, fewest = _greedy(program, least)
    best: Mode = "mixed"
    other: Mode = "reverse" if simple == "forward" else "forward"
    for mode in (other, simple):  # of equal ones the last
        order = machine.UPWARDS if mode == "forward" else machine.DOWNWARDS
        count = operations(program, order, 2 * least, fewest)
        if count <= fewest:
            best, fewest = mode, count
    return best


def operations(
    program: Program, order: int, limit: int = UNLIMITED, most: int = UNLIMITED
) -> int:  # fmt: skip
    """Count the products and sums of an order, from the derivatives of single nodes on.

    UNLIMITED where it looks at more pairs of edges than the limit, or takes more operations.
    """
    work = _Elimination(program, order, limit=limit, most=most, writes=False)
    return int(work.st[machine.OPERATIONS]) if work.run() else UNLIMITED


def _greedy(program: Program, limit: int) -> tuple[int, int]:
    """Return the greedy order that takes fewer operations, and their number."""
    best, fewest = GREEDY[0], operations(program, GREEDY[0], limit)
    for order in GREEDY[1:]:
        count = operations(program, order, limit, fewest)
        if count < fewest:
            best, fewest = order, count
    return best, fewest


def eliminated(program: Program) -> Entries:
    """Return the entries of a Jacobian by the greedy order that takes fewer operations."""
    order, _ = _greedy(program, UNLIMITED)
    with program.store.lock:
        work = _Elimination(program, order, limit=UNLIMITED, most=UNLIMITED, writes=True)
        work.run()
    return work.entries()


class _Elimination:
    """The graph, and the room that the compiled loops need for it."""

    def __init__(
        self, program: Program, order: int, *, limit: int, most: int, writes: bool
    ) -> None:  # fmt: skip
        self.program, self.order = program, order
        self.tables, self.st = tables_of(program)
        self.st[machine.LIMIT], self.st[machine.MOST] = limit, most
        self.st[machine.WRITES] = writes
        self.room = Room(program.store, 8 * len(program.dag) if writes else 0)
        self.roots, self.rows = np.unique(program.roots, return_inverse=True)
        edges = 2 * program.edges + len(self.roots) + 64
        self.edges = np.empty((edges, machine.EDGE_COLUMNS), np.int32)
        self.cells = np.empty((edges, 2), np.int32)
        count = len(program.dag) + len(self.roots)
        self.nodes = np.zeros((count, 4), np.int32)
        self.nodes[:, :2] = -1
        self.slots = _table(edges)
        self.terms = np.empty(64, np.int32)
        self.heap = np.empty(4 * count + 64, np.int64)
        self.found = np.empty((64, 3), np.int32)

    def run(self) -> bool:
        """Go through all three parts; tell whether that was within the limit."""
        program, inputs, roots = self.program, self.program.inputs, self.roots
        columns = program.columns()
        self.part(lambda *rest: machine.build(columns, inputs, roots, self.order, *rest))
        if not self.part(lambda *rest: machine.eliminate(inputs, self.order, *rest)):
            return False
        return self.part(lambda *rest: machine.collect(inputs, len(roots), self.found, *rest))

    def entries(self) -> Entries:
        """Return what was found, for each root that is one term."""
        found = self.found[: int(self.st[machine.FOUND])]
        counts = np.bincount(found[:, 0], minlength=len(self.roots))  # they come root by root
        own = counts[self.rows]
        ends = np.cumsum(counts)
        rows = np.repeat(np.arange(len(own), dtype=np.int32), own)
        places = np.repeat(ends[self.rows] - np.cumsum(own), own) + np.arange(len(rows))
        return Entries(rows, found[places, 1], found[places, 2])

    def part(self, loop: Any) -> bool:
        """Call a loop until there was room for all of it."""
        st = self.st
        while True:
            graph = (self.edges, self.cells, self.nodes, self.slots, self.terms, self.heap)
            before = st[USED] = len(self.program.store)
            outcome = loop(graph, self.tables, st, self.room.columns())
            if st[machine.WRITES]:
                self.room.note(int(before), int(st[USED]))
            if outcome != machine.ROOM:
                return bool(outcome == machine.DONE)
            self.grow()

    def grow(self) -> None:
        """Double what may not have sufficed."""
        st = self.st
        pairs = max(int(st[machine.NEED]), 64)
        if st[machine.WRITES]:
            self.room.more(pairs)
        self.edges = _longer(self.edges, int(st[machine.EDGES]) + pairs)
        self.cells = _longer(self.cells, int(st[machine.CELLS]) + pairs)
        self.heap = _longer(self.heap, int(st[machine.HEAP]) + pairs)
        self.terms = _longer(self.terms, pairs)
        if int(st[machine.FOUND]) == len(self.found):
            self.found = _longer(self.found, len(self.found) + 1)
        if 2 * len(self.edges) > len(self.slots):
            self.slots = _table(len(self.edges))
            machine.enter(self.edges, int(st[machine.EDGES]), self.slots)


def _longer(array: npt.NDArray[Any], need: int) -> npt.NDArray[Any]:
    """Return an array of twice the length where it has no room for so many rows, else itself."""
    if need < len(array):
        return array
    longer = np.empty((2 * need, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer


def _table(edges: int) -> npt.NDArray[np.int32]:
    """Return an empty table for so many edges, at most half full."""
    return np.full(1 << (2 * edges).bit_length(), -1, np.int32)
