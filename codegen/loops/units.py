"""Traces of bodies, their shapes, and the order in which units are computed.

Units are clusters, sums, summands that are scattered, and sums that wait for those; a sum has a
trace for each of its summands.
"""

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.loops.facts import Facts
from codegen.loops.machine.kinds import INNER, ROW, STORED
from codegen.loops.machine.order import ORDERED, STEPS, STRAIGHT, WAITS, schedule
from codegen.loops.machine.trace import compared, hashed
from codegen.loops.partition import LEAST, TARGETS, WORTH, Partition, Sums

__all__ = ["Order", "Traces", "Units", "ordered", "traces_of", "units_of"]

type Longs = npt.NDArray[np.int64]

STEP: Final = 32
"""A step of a loop has instances of at least this weight together, or they are straight code."""
MOST_SEGMENTS: Final = 1 << 24
"""Added to the segment of a truth value, which may be kept as a number."""
FIRST_MARK: Final = 3
"""Marks of summands are 1, and 2 where they are subtracted; marks of scattered ones come after."""


@dataclass(frozen=True, eq=False)
class Traces:
    """Instances of bodies: clusters, then summands of sums, then scattered summands."""

    bounds: Longs
    roots: Longs
    """Of trace t: roots[bounds[t]:bounds[t + 1]]."""
    marks: Longs
    clusters: int
    """How many of the traces are clusters,"""
    summands: int
    """and how many summands of sums that are not scattered."""
    sums: Longs
    """The sums that are not scattered, by number; of each of their summands the trace is next."""
    targets: Longs
    """Shape (scattered, most): the sums that each scattered summand goes to; -1 for no more."""
    signs: dict[int, tuple[int, ...]]
    """Of the marks of scattered summands: the sign in each of their sums."""
    home: Longs
    """By position: the trace that stores a node, below 0 for others."""


def traces_of(facts: Facts, partition: Partition) -> Traces:
    """List the instances of bodies."""
    state, sums = partition.state, partition.sums
    stored = np.flatnonzero(state == STORED)
    order = np.argsort(partition.first[stored], kind="stable")
    stored = stored[order]
    firsts = partition.first[stored]
    begins = np.flatnonzero(np.r_[True, firsts[1:] != firsts[:-1]]) if stored.size else stored
    home = np.full(len(state), -5, np.int64)
    home[stored] = np.repeat(np.arange(len(begins)), np.diff(np.r_[begins, len(stored)]))
    rows = sums.rows
    kept = ~sums.scattered[rows] if len(rows) else np.zeros(0, np.bool_)
    plain = sums.summands[kept]
    spread, targets, marks, signs = _scattered(facts, sums, ~kept)
    bounds = np.r_[
        begins, len(stored) + np.arange(len(plain) + len(spread) + 1)
    ].astype(np.int64)  # fmt: skip
    return Traces(
        bounds, np.r_[stored, plain, spread],
        np.r_[np.zeros(len(begins), np.int64), 1 + sums.signs[kept].astype(np.int64), marks],
        len(begins), len(plain), np.flatnonzero(~sums.scattered), targets, signs, home,
    )  # fmt: skip


def _scattered(
    facts: Facts, sums: Sums, taken: Any
) -> tuple[Longs, Longs, Longs, dict[int, tuple[int, ...]]]:
    """Put the sums of each scattered summand together; return summands, sums, marks and signs."""
    none = np.empty(0, np.int64)
    if not taken.any():
        return none, np.empty((0, 1), np.int64), none, {}
    node, row = sums.summands[taken], sums.rows[taken]
    minus = sums.signs[taken].astype(np.int64)
    segment = facts.segment[sums.nodes[row]].astype(np.int64)
    order = np.lexsort((row, 1 - minus, segment, node))
    node, row, minus, segment = node[order], row[order], minus[order], segment[order]
    new = np.r_[True, node[1:] != node[:-1]]
    place = np.arange(len(node)) - np.flatnonzero(new)[np.cumsum(new) - 1]
    new |= place % TARGETS == 0
    begins = np.flatnonzero(new)
    of, place = np.cumsum(new) - 1, place % TARGETS
    targets = np.full((len(begins), TARGETS), -1, np.int64)
    targets[of, place] = row
    _, kind = np.unique(segment, return_inverse=True)
    codes = np.zeros((len(begins), TARGETS), np.int64)
    codes[of, place] = 1 + 2 * kind + minus
    firsts, marks = _alike(codes)
    signs = {
        FIRST_MARK + k: tuple(-1 if code % 2 == 0 else 1 for code in line if code)
        for k, line in enumerate(codes[firsts].tolist())
    }
    return node[begins], targets, FIRST_MARK + marks, signs


def _alike(rows: Longs) -> tuple[Longs, Longs]:
    """Number rows of small numbers that differ; return the first of each, and all numbers."""
    base, most = int(rows.max()) + 1, 1
    key = np.zeros(len(rows), np.int64)
    for column in rows.T:
        if most * base >= 1 << 62:
            key = np.unique(key, return_inverse=True)[1]
            most = len(rows)
        key, most = key * base + column, most * base
    _, firsts, numbers = np.unique(key, return_index=True, return_inverse=True)
    return firsts, numbers


@dataclass(frozen=True, eq=False)
class Units:
    """Traces with their shapes and leaves, and the units that they belong to."""

    traces: Traces
    shape: Longs
    where: Longs
    """Leaves of trace t: leaves[where[t]:where[t + 1]]."""
    leaves: Longs
    unit: Longs
    """By trace."""
    maker: Longs
    """By position: the unit that stores a node, below 0 for others."""
    count: int

    @property
    def first_sum(self) -> int:
        """The unit of the first sum that is not scattered."""
        return self.traces.clusters

    @property
    def first_scattered(self) -> int:
        """The unit of the first scattered summand."""
        return self.traces.clusters + len(self.traces.sums)


def units_of(facts: Facts, partition: Partition, traces: Traces) -> Units:
    """Find the shapes of traces, and their leaves."""
    constants, dag = facts.constants, facts.dag
    count = len(traces.marks)
    program = dag.code, dag.start, dag.args
    lists = traces.bounds, traces.roots, traces.marks
    places = facts.segment + MOST_SEGMENTS * facts.boolean
    cones = (
        facts.kind, partition.state, places, partition.shown, traces.home, constants.bakes,
        constants.number, facts.paired,
    )  # fmt: skip
    n = len(dag)
    room = len(dag.args) + 2 * n + 16
    scratch = (
        np.empty(room, np.int64), np.empty(room, np.int64), np.full(n, -1, np.int64),
        np.empty(n, np.int64), np.zeros(1, np.int64),
    )  # fmt: skip
    value, tokens = np.empty(count, np.uint64), np.empty(count, np.int64)
    number = np.empty(count, np.int64)
    hashed(program, lists, cones, scratch, value, tokens, number)
    shape = _numbered(value)
    where = np.r_[0, np.cumsum(number)]
    leaves = np.empty(int(where[-1]) + 1, np.int64)
    scratch[2][:] = -1
    while True:
        _, firsts = np.unique(shape, return_index=True)
        first = np.r_[0, np.cumsum(tokens[firsts])]
        known, odd = np.full(int(first[-1]) + 1, -1, np.int64), np.zeros(count, np.bool_)
        if not compared(
            program, lists, cones, scratch, shape, first, known, where, leaves, odd
        ):  # fmt: skip
            break
        shape = _numbered(shape + odd * (int(shape.max()) + 1))  # equal hashes of two shapes
        scratch[2][:] = -1
    unit, maker, total = _units(partition, traces)
    return Units(traces, shape, where, leaves[:-1], unit, maker, total)


def _numbered(value: Any) -> Longs:
    """Number values by where they occur first."""
    _, firsts, number = np.unique(value, return_index=True, return_inverse=True)
    rank = np.empty(len(firsts), np.int64)
    rank[np.argsort(firsts)] = np.arange(len(firsts))
    return rank[number]


def _units(partition: Partition, traces: Traces) -> tuple[Longs, Longs, int]:
    sums, clusters = partition.sums, traces.clusters
    scattered = np.flatnonzero(sums.scattered)
    begin = clusters + len(traces.sums)
    spread = len(traces.targets)
    of_sum = np.empty(len(sums.nodes), np.int64)
    of_sum[traces.sums] = clusters + np.arange(len(traces.sums))
    of_sum[scattered] = begin + spread + np.arange(len(scattered))
    kept = ~sums.scattered[sums.rows] if len(sums.summands) else np.zeros(0, np.bool_)
    unit = np.r_[np.arange(clusters), of_sum[sums.rows[kept]], begin + np.arange(spread)]
    maker = np.full(len(partition.state), -1, np.int64)
    stored = partition.state == STORED
    maker[stored] = traces.home[stored]
    maker[sums.nodes] = of_sum
    assert (partition.state[sums.nodes] == ROW).all()
    return unit, maker, begin + spread + len(scattered)


@dataclass(frozen=True, eq=False)
class Order:
    """Units by step: those of step s are units[begins[s]:begins[s + 1]]; kinds are classes."""

    units: Longs
    begins: Longs
    kinds: Longs
    """0 is straight-line code, 1 sums; shape s is 2 + s."""
    late: Longs
    """Units that wait for each other."""


SUMS: Final = 1
SHAPES: Final = 2


def edges_of(facts: Facts, units: Units, partition: Partition) -> tuple[Longs, Longs]:
    """Return pairs of units of which the second reads what the first one makes."""
    per = np.repeat(units.unit, np.diff(units.where))
    inner = facts.kind[units.leaves] == INNER
    sources, users = units.maker[units.leaves[inner]], per[inner]
    targets = units.traces.targets
    which, place = np.nonzero(targets >= 0)
    done = units.maker[partition.sums.nodes[targets[which, place]]]
    return np.r_[sources, units.first_scattered + which], np.r_[users, done]


def classes_of(units: Units, weight: Longs, straight: Set[int]) -> tuple[Longs, Longs]:
    """Return the class of each unit, and the least size of a step of each class.

    Shapes of few instances are straight-line code, and those that are told so.
    """
    traces, shape = units.traces, units.shape
    clusters = traces.clusters
    own = shape[:clusters]
    shapes = int(shape.max()) + 1 if len(shape) else 0
    count = np.bincount(own, minlength=shapes)
    total = np.bincount(own, weight, minlength=shapes)
    frequent = (count >= LEAST) & (total >= WORTH)
    frequent[sorted(straight)] = False
    cls = np.full(units.count, WAITS, np.int64)
    cls[:clusters] = np.where(frequent[own], SHAPES + own, STRAIGHT)
    cls[units.first_sum : units.first_scattered] = SUMS
    spread = len(traces.targets)
    begin = units.first_scattered
    cls[begin : begin + spread] = SHAPES + shape[clusters + traces.summands :]
    least = np.ones(SHAPES + shapes, np.int64)
    heavy = np.maximum(1, total / np.maximum(1, count))
    least[SHAPES:][frequent] = np.maximum(LEAST, np.ceil(STEP / heavy[frequent]))
    return cls, least


def ordered(
    units: Units, weight: Longs, edges: tuple[Longs, Longs], straight: Set[int]
) -> Order:  # fmt: skip
    """Order units so that what is read was made, those of one class together where possible.

    Clusters of shapes that are `straight` are straight-line code.
    """
    count = units.count
    cls, least = classes_of(units, weight, straight)
    sources, users = edges
    waits = np.bincount(users, minlength=count)
    by = np.argsort(sources, kind="stable")
    first = np.r_[0, np.cumsum(np.bincount(sources, minlength=count))]
    classes = len(least)
    left = np.bincount(np.maximum(cls, 0), minlength=classes)
    queues = (
        np.empty(count, np.int64), np.full(classes, -1, np.int64), np.empty(count, np.int64),
        np.full(34, -1, np.int64), np.empty(2 * count + 1, np.int64),
        np.empty(2 * count + 1, np.int64), np.zeros(classes, np.int64), left,
        np.empty(count + 1, np.int64), least,
    )  # fmt: skip
    state = np.zeros(8, np.int64)
    order, begins = np.empty(count, np.int64), np.empty(count + 2, np.int64)
    kinds = np.empty(count + 1, np.int64)
    schedule((first, users[by], waits, cls), queues, state, order, begins, kinds)
    steps, done = int(state[STEPS]), int(state[ORDERED])
    seen = np.zeros(count, np.bool_)
    seen[order[:done]] = True
    late = np.flatnonzero(~seen & (cls != WAITS))
    kinds, begins = kinds[:steps], begins[:steps]
    new = np.r_[True, (kinds[1:] != STRAIGHT) | (kinds[:-1] != STRAIGHT)][:steps]
    return Order(order[:done], np.r_[begins[new], done], kinds[new], late)
