"""What is stored in cells, and what is computed in which body: cones, sums, clusters."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.loops.facts import WEIGHTS, Facts
from codegen.loops.machine.clusters import join, joined
from codegen.loops.machine.cones import cuts, flatten, owners, widths
from codegen.loops.machine.kinds import (
    FEW,
    INLINE,
    INNER,
    NONE,
    PIECE,
    ROW,
    SHARED,
    SPLIT,
    STORED,
)  # fmt: skip
from codegen.loops.machine.shapes import shapes, tally
from rewrite import ops

__all__ = ["Partition", "Sums", "partitioned"]

MOST: Final = 256
"""No cone weighs more."""
WIDE: Final = 128
"""A sum of more summands is one of its own,"""
LONG: Final = 48
"""and one of more than these where its shape has too few instances (see `REGULAR`)."""
LEAST: Final = 4
"""A shape is frequent with so many instances,"""
WORTH: Final = 64
"""which weigh so much together."""
ALIKE: Final = 8
"""So many summands of one shape are added in a loop."""
MIXED: Final = 8
"""A sum of so many summands is one of its own even where some of them are rare."""
SMALL: Final = 4
"""Subterms that weigh less are not cut out of rare ones."""
REGULAR: Final = 4
"""Sums that are long, or share summands, stay in bodies if there are so many for each summand."""
CHEAP: Final = np.isin(
    np.arange(len(ops.BUILTIN)), [row.code for row in (ops.ADD, ops.SUB, ops.MUL, ops.NEG, ops.ABS)]
)  # fmt: skip
"""Ops that are cheaper than to keep what they make."""
CLUSTER: Final = 64
"""A cluster of cones weighs no more,"""
TOGETHER: Final = 8
"""and has no more of them."""
RUNS: Final = 4
"""Strict sums of their own take their summands from so many places in turn at most."""
TARGETS: Final = 8
"""A summand is added to no more sums at once."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of their own: their nodes, and summands with signs, those of r from bounds[r] on."""

    nodes: npt.NDArray[np.int64]
    bounds: npt.NDArray[np.int64]
    summands: npt.NDArray[np.int64]
    signs: npt.NDArray[np.uint8]
    """1 where it is subtracted."""
    scattered: npt.NDArray[np.bool_]
    """Whether summands are added to it one at a time."""

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """The number of the sum of each summand."""
        return np.repeat(np.arange(len(self.nodes)), np.diff(self.bounds))


@dataclass(frozen=True, eq=False)
class Partition:
    """States by position, and sums of their own; `first` is the cluster of a node."""

    state: npt.NDArray[np.int8]
    first: npt.NDArray[np.int64]
    load: npt.NDArray[np.int32]
    """What the cone of a root weighs."""
    sums: Sums
    outside: npt.NDArray[np.bool_]
    """Whether a node is a result, or read by sums or by many cones,"""
    known: npt.NDArray[np.int8]
    """or else by so many,"""
    users: npt.NDArray[np.int32]
    """and by which."""

    @cached_property
    def shown(self) -> npt.NDArray[np.bool_]:
        """Whether a stored node is read outside its cluster."""
        shown = self.outside.copy()
        for k in range(FEW):
            there = np.flatnonzero((self.known > k) & ~shown)
            shown[there[self.first[self.users[there, k]] != self.first[there]]] = True
        return shown


class _Columns:
    """What the compiled passes find out of nodes."""

    def __init__(self, facts: Facts) -> None:
        n = len(facts.dag)
        self.facts, self.n = facts, n
        dag = facts.dag
        self.program = (dag.code, dag.start, dag.args, facts.kind, facts.is_root, facts.boolean)
        self.width = np.ones(n, np.int32)
        self.forced = np.zeros(n, np.int8)
        self.hash = np.zeros(n, np.uint64)
        self.size = np.zeros(n, np.int32)
        self.often = np.zeros(n, np.int32)
        self.reset()

    def reset(self) -> None:
        n = self.n
        self.state, self.own = np.full(n, NONE, np.int8), np.full(n, NONE, np.int32)
        self.rows, self.others = np.zeros(n, np.int32), np.zeros(n, np.int32)
        self.users, self.known = np.empty((n, FEW), np.int32), np.zeros(n, np.int8)
        self.load = np.zeros(n, np.int32)

    def found(self) -> tuple[Any, ...]:
        return (
            self.facts.uses, self.width, self.forced, self.state, self.own, self.rows, self.others,
            self.users, self.known, self.load, self.hash, self.size, self.often,
        )  # fmt: skip

    def buffers(self) -> tuple[Any, ...]:
        room = len(self.facts.dag.args) + 2
        return np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int8)


def partitioned(facts: Facts, strict: bool, *, plain: bool = False) -> Partition:
    """Decide for each node where it is computed, and whether it is stored.

    A `plain` one is for straight-line code: only very long sums are sums of their own.
    """
    columns = _Columns(facts)
    program = columns.program
    widths(program, facts.uses, columns.width, columns.forced, strict)
    _force_wide(columns, strict)
    _owners(columns, strict)
    if not plain:
        _hash(columns, strict)
        shown = np.zeros(columns.n, np.int8)
        limits = np.array([LEAST, WORTH, MIXED, SMALL, ALIKE, LONG, REGULAR], np.int64)
        cuts(strict, program, columns.found(), shown, limits, columns.buffers())
        if not strict:
            _spread(columns)
        columns.reset()
        _owners(columns, strict)
    if strict:
        _keep_order(columns)
        columns.reset()
        _owners(columns, strict)
    if not plain:
        _hash(columns, strict)
    sums = _sums(columns, strict)
    known = columns.known
    outside = facts.is_root | (columns.rows > 0) | (known > FEW) | (columns.state == ROW)
    first = np.arange(columns.n) if plain else _clusters(columns)
    if not plain:
        _repeat_cheap(columns, first)
    return Partition(
        columns.state, first, columns.load, sums, outside, known,
        columns.users,
    )  # fmt: skip


def _force_wide(columns: _Columns, strict: bool) -> None:
    """Make the tops of very long sums sums of their own."""
    columns.forced[_tops(columns) & (columns.width > WIDE)] = SPLIT


def _tops(columns: _Columns) -> npt.NDArray[np.bool_]:
    """Mark sums that are no parts of others."""
    facts = columns.facts
    top = (columns.width > 1) & ~facts.boolean
    wide = np.flatnonzero(top)
    counts = np.diff(facts.dag.start)[wide]
    flat = np.repeat(facts.dag.start[wide] - np.cumsum(counts) + counts, counts)
    below = facts.dag.args[flat + np.arange(counts.sum())]
    inner = below[(facts.uses[below] == 1) & ~facts.is_root[below]]
    top[inner] = False
    found: npt.NDArray[np.bool_] = top & (facts.kind == INNER)
    return found


def _owners(columns: _Columns, strict: bool) -> None:
    owners(strict, MOST, columns.program, columns.found(), WEIGHTS)


def _hash(columns: _Columns, strict: bool) -> None:
    """Hash shapes, with operands that commute in one order, and count how often they occur."""
    facts = columns.facts
    constants = facts.constants
    shapes(
        strict, columns.program, columns.found(), facts.segment, constants.bakes,
        constants.number, WEIGHTS,
    )  # fmt: skip
    cells = 1 << max(4, int(2 * columns.n).bit_length())
    keys, counts = np.zeros(cells, np.uint64), np.zeros(cells, np.int32)
    tally(columns.program, columns.hash, keys, counts, columns.often)


def _spread(columns: _Columns) -> None:
    """Make sums of frequent shapes sums of their own too, where most that share summands are rare.

    So that what they share goes to all of them at once, and need not be stored for some.
    """
    facts, forced = columns.facts, columns.forced
    sums = _summands(columns, np.flatnonzero(_tops(columns)), strict=False)
    rows, own = sums.rows, forced[sums.nodes] == SPLIT
    below = sums.summands
    kept = (facts.uses[below] > 1) | facts.is_root[below]
    shared = np.flatnonzero((facts.kind[below] == INNER) & kept)
    count = np.bincount(rows[shared], minlength=len(sums.nodes))
    width = np.diff(sums.bounds)
    rare = own | ((columns.often[sums.nodes] < REGULAR * width) & (2 * count > width))
    order = shared[np.argsort(sums.summands[shared], kind="stable")]
    same = sums.summands[order[1:]] == sums.summands[order[:-1]]
    parent = np.arange(len(sums.nodes))
    join(rows[order[1:][same]], rows[order[:-1][same]], parent)
    weight = np.bincount(parent[rows[shared]], minlength=len(parent))
    odd = np.bincount(parent[rows[shared]], rare[rows[shared]], minlength=len(parent))
    taken = ((2 * odd >= weight) & (weight > 0))[parent] & ~own
    forced[sums.nodes[taken]] = SPLIT
    below = below[taken[rows]]
    few = (facts.kind[below] == INNER) & (facts.uses[below] == 1) & (columns.often[below] < ALIKE)
    forced[below[few & (forced[below] != SPLIT)]] = STORED


def _keep_order(columns: _Columns) -> None:
    """Store summands of several shapes, so that they can be added in their order in one step.

    A sum whose summands lie in several places in turn is no sum of its own.
    """
    facts, state, forced = columns.facts, columns.state, columns.forced
    sums = _summands(columns, np.flatnonzero(state == ROW), strict=True)
    if not len(sums.nodes):
        return
    _hash(columns, strict=True)
    below, rows = sums.summands, sums.rows
    inner = facts.kind[below] == INNER
    place = (facts.segment[below].astype(np.int64) + 2) * 4 + facts.kind[below]
    piece = inner & (state[below] == PIECE)
    shape = np.unique(columns.hash[below[piece]], return_inverse=True)[1]
    computed = place.copy()
    computed[piece] = -1 - shape
    runs = _runs(computed, rows, len(sums.nodes))
    mixed = runs > 2
    forced[below[piece & mixed[rows]]] = STORED
    split = mixed & (_runs(place, rows, len(sums.nodes)) > RUNS)
    forced[sums.nodes[split]] = 0


def _runs(keys: Any, rows: Any, count: int) -> Any:
    """Count runs of equal keys in each row."""
    new = np.r_[True, (keys[1:] != keys[:-1]) | (rows[1:] != rows[:-1])]
    return np.bincount(rows[new], minlength=count)


def _sums(columns: _Columns, strict: bool) -> Sums:
    """List the summands of sums of their own; decide which are scattered."""
    found = _summands(columns, np.flatnonzero(columns.state == ROW), strict)
    if not strict:
        _scatter(columns, found)
    return found


def _summands(columns: _Columns, nodes: npt.NDArray[np.int64], strict: bool) -> Sums:
    """List the summands of some sums."""
    room = int(columns.width[nodes].sum()) + 1
    bounds = np.zeros(len(nodes) + 1, np.int64)
    summands, signs = np.empty(room, np.int64), np.zeros(room, np.uint8)
    flatten(
        strict, columns.program, columns.found(), nodes, bounds, summands, signs, columns.buffers()
    )
    total = int(bounds[-1])
    return Sums(nodes, bounds, summands[:total], signs[:total], np.zeros(len(nodes), np.bool_))


def _scatter(columns: _Columns, sums: Sums) -> None:
    """Scatter where many summands go into more than one sum, and nowhere else."""
    rows, state = columns.rows, columns.state
    shared = (
        (state == STORED) & (columns.others == 0) & (rows > 1) & ~columns.facts.is_root
        & (rows <= TARGETS)
    )  # fmt: skip
    of = sums.rows
    edges = np.flatnonzero(shared[sums.summands])
    if not edges.size:
        return
    order = edges[np.argsort(sums.summands[edges], kind="stable")]
    same = sums.summands[order[1:]] == sums.summands[order[:-1]]
    parent = np.arange(len(sums.nodes))
    join(of[order[1:][same]], of[order[:-1][same]], parent)
    count = np.bincount(parent[of], minlength=len(parent))
    common = np.bincount(parent[of[edges]], minlength=len(parent))
    sums.scattered[:] = (2 * common >= count)[parent]
    taken = edges[sums.scattered[of[edges]]]
    state[sums.summands[taken]] = SHARED


def _repeat_cheap(columns: _Columns, first: npt.NDArray[np.int64]) -> None:
    """Compute one operation on arguments again in each cone, where a cell would cost as much."""
    facts, state, known, users = columns.facts, columns.state, columns.known, columns.users
    dag = facts.dag
    few = (state == STORED) & ~facts.is_root & (columns.rows == 0) & (known <= FEW)
    few &= (facts.uses <= FEW) & CHEAP[dag.code]
    nodes = np.flatnonzero(few)
    counts = np.diff(dag.start)[nodes]
    nodes, counts = nodes[counts <= 2], counts[counts <= 2]
    for place in range(2):
        leaf = facts.kind[dag.args[dag.start[nodes] + np.minimum(place, counts - 1)]] != INNER
        nodes, counts = nodes[leaf], counts[leaf]
    apart = np.zeros(len(nodes), np.bool_)
    for k in range(FEW):
        there = known[nodes] > k
        apart[there] |= first[users[nodes[there], k]] != first[nodes[there]]
    state[nodes[apart]] = INLINE


def _clusters(columns: _Columns) -> npt.NDArray[np.int64]:
    """Return the first node of the cluster of each."""
    state, known, users = columns.state, columns.known, columns.users
    parent = np.arange(columns.n)
    frequent = (columns.often >= LEAST) & (columns.rows == 0)
    enough = known >= 2 - columns.facts.is_root
    shared = np.flatnonzero((state == STORED) & enough & (known <= FEW) & frequent)
    if shared.size:
        key = columns.hash[shared]
        _, firsts, group = np.unique(key, return_index=True, return_inverse=True)
        order = np.argsort(shared[firsts][group], kind="stable")
        shared, group = shared[order], group[order]
        begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1], True])
        weight, number = columns.load.copy(), np.ones(columns.n, np.int32)
        scratch = parent.copy(), weight.copy(), number.copy()
        joined(
            shared, begins, (known, users, state), (parent, weight, number, *scratch), CLUSTER,
            TOGETHER,
        )  # fmt: skip
        join(shared[:0], shared[:0], parent)
    return parent
