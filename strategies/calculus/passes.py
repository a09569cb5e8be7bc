"""The drivers of the compiled passes: they give them room, and collect what they found."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rewrite.signatures import automaton
from rewrite.store import Ints, Store
from strategies.calculus.activity import TOO_MANY, spread, supports
from strategies.calculus.machine import forward as up
from strategies.calculus.machine import reverse as down
from strategies.calculus.machine.writing import EACH, MASKS, USED
from strategies.calculus.program import Program, filled
from strategies.calculus.templates import templates

__all__ = [
    "Entries", "Room", "forward", "reverse", "support_lists", "tables_of",
]  # fmt: skip

CELLS: Final = 16
"""Of a state."""
LEAST: Final = 1 << 10
"""Nodes for which there is room at least."""


class Entries(NamedTuple):
    """Derivatives that are not zero: row (output), column (input) and node, in no order."""

    rows: Ints
    columns: Ints
    nodes: Ints


class Room:
    """A store that a pass interns in, with room that is doubled where it does not suffice."""

    def __init__(self, store: Store, expected: int) -> None:
        self.store, self.table = store, store.indexed()
        self.types = automaton().packed
        self.expected = max(expected, LEAST)
        self.more(0)

    def more(self, need: int) -> None:
        """Make room for the expected nodes, twice as many as the last time, or for more."""
        store = self.store
        nodes = max(self.expected, 2 * need)
        store.reserve(nodes, 4 * nodes)
        self.table.catch_up(store, nodes)
        self.expected = min(2 * nodes, 1 << 22)

    def columns(self) -> tuple[Any, ...]:
        """Return the columns as they are now."""
        s = self.store
        return s._op, s._start, s._pool, s._payload, s._sort, self.table.slots, self.types

    def note(self, before: int, used: int) -> None:
        """Tell the store what the pass has made."""
        self.store.grown(used - before)
        self.table.entered = used


def tables_of(program: Program) -> tuple[tuple[Any, ...], npt.NDArray[np.int64]]:
    """Return the tables of derivatives with the scratch memory that goes with them, and a state."""
    table = templates()
    st = np.zeros(CELLS, np.int64)
    # 24 hold those of sums, products and powers
    st[EACH] = max(24, table.longest + 16) + 2 * MASKS
    widest = program.widest
    ends = np.empty((2, widest), np.int32)
    results = np.empty(max(table.longest, 1), np.int32)
    tables = (
        table.heads, table.steps, table.nodes(program.store), ends, results,
        np.empty(max(widest, 64), np.int32), np.empty((MASKS, 2), np.int32),
    )  # fmt: skip
    return tables, st


def reverse(program: Program, groups: Ints, seeds: Ints) -> Entries:
    """Take adjoints from the roots down; roots of one group together, `seeds` are their nodes."""
    store, dag = program.store, program.dag
    with store.lock:
        columns, (tables, st) = program.columns(), tables_of(program)
        edges = len(dag.args) + len(program.roots) + 8
        work = (
            np.empty(len(dag) + 1, np.int32), filled(len(dag), -1),
            np.empty((edges, 2), np.int32), np.empty(edges, np.int32),
        )  # fmt: skip
        roots = np.stack([program.roots, groups], axis=1).astype(np.int32)
        found = np.empty((max(4 * len(roots), 64), 3), np.int32)
        room = Room(store, 8 * len(dag))
        while True:
            before = st[USED] = len(store)
            outcome = down.reverse(
                columns, program.inputs, roots, seeds, found, work, tables, st, room.columns()
            )
            room.note(before, int(st[USED]))
            if outcome == down.DONE:
                break
            if st[down.FOUND] == len(found):
                found = np.concatenate([found, np.empty_like(found)])
            else:
                room.more(program.width(int(work[0][0]), int(st[EACH])))
        rows, inputs, nodes = np.ascontiguousarray(found[: int(st[down.FOUND])].T)
    return Entries(rows, inputs, nodes)


def forward(program: Program, seeds: Ints) -> Entries:
    """Carry derivatives from the inputs up; `seeds` are theirs, by position.

    Inputs of one number (`program.inputs`) are one direction.
    """
    store, dag = program.store, program.dag
    with store.lock:
        columns, (tables, st) = program.columns(), tables_of(program)
        spans = np.empty((len(dag), 2), np.int64)
        tangents = np.empty((max(2 * len(dag), 64), 2), np.int32)
        slots, touched = filled(program.count, -1), np.empty(program.count, np.int32)
        most = 256
        room = Room(store, 8 * len(dag))
        while True:
            work = slots, touched, np.empty((most, 3), np.int32), np.empty(most, np.int32)
            before = st[USED] = len(store)
            outcome = up.forward(
                columns, program.inputs, seeds, spans, tangents, work, tables, st, room.columns()
            )
            room.note(before, int(st[USED]))
            if outcome == up.DONE:
                break
            need = int(st[up.NEED])
            most = max(most, 2 * need)
            if st[up.POOL] + need >= len(tangents):
                more = np.empty((len(tangents) + need, 2), np.int32)
                tangents = np.concatenate([tangents, more])
            room.more(8 * need + program.width(int(st[up.AT]), int(st[EACH])))
    return Entries(*spread(program.roots, spans, tangents))


def support_lists(program: Program, most: int) -> tuple[int, npt.NDArray[np.int64], Ints] | None:
    """Return the work of a forward pass, and the inputs of each position; None where too much."""
    dag = program.dag
    work, spans, pool = supports(
        dag.start, dag.args, program.active, program.inputs, program.count, most
    )  # fmt: skip
    return None if work == TOO_MANY else (int(work), spans, pool)
