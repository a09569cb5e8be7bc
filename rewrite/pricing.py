"""Columns of an e-graph that extraction reads, computed array by array.

Added to the nodes are products summed with free negations; priced is each node, as a model says of
its op and of those operands that are constants.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import Constant, constant_key
from rewrite.egraph.arrays import Frozen
from rewrite.store import Symbol

__all__ = ["Nodes", "constant_classes", "grouped", "priced", "values_of", "widened"]

type Ints = npt.NDArray[np.int64]
type Flips = tuple[bool, bool, bool]

WIDEST: Final = 3
"""No op of an e-graph takes more operands."""


class Nodes:
    """The nodes of a frozen graph and those that were added, with their operands side by side."""

    def __init__(self, code: Ints, owner: Ints, start: Ints, args: Ints) -> None:
        self.code, self.owner, self.start, self.args = code, owner, start, args
        counts = np.diff(start)
        self.operands = np.full((len(code), WIDEST), -1, np.int64)
        """Classes; -1 where there is no operand."""
        for place in range(WIDEST):
            has = counts > place
            self.operands[has, place] = args[start[:-1][has] + place]
        self.leaf = counts == 0


def widened(frozen: Frozen, flips: Sequence[Flips]) -> tuple[Nodes, dict[int, Flips]]:
    """Add, for each fma with a negated operand, a node that negates it for free."""
    code, owner = frozen.code.astype(np.int64), frozen.owner.astype(np.int64)
    start, args = frozen.start.astype(np.int64), frozen.args.astype(np.int64)
    negation = np.full(frozen.classes, -1, np.int64)
    negating = np.flatnonzero(code == ops.NEG.code)[::-1]  # so that the first of a class stays
    negation[owner[negating]] = args[start[negating]]
    fused = np.flatnonzero(code == ops.FMA.code)
    operands = args[start[fused, None] + np.arange(3)] if len(fused) else np.empty((0, 3), np.int64)
    rows = []
    for rank, flip in enumerate(flips):
        wanted = np.array(flip)
        negated = negation[operands]
        ok = np.all((negated >= 0) | ~wanted, axis=1)
        below = np.where(wanted, negated, operands)[ok]
        rows.append((fused[ok], np.full(int(ok.sum()), rank), below))
    nodes, ranks = np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])
    below = np.concatenate([r[2] for r in rows])
    order = np.lexsort((ranks, nodes))
    nodes, ranks, below = nodes[order], ranks[order], below[order]
    count = len(nodes)
    made = Nodes(
        np.concatenate([code, np.full(count, ops.FMA.code, np.int64)]),
        np.concatenate([owner, owner[nodes]]),
        np.concatenate([start, start[-1] + 3 * np.arange(1, count + 1)]),
        np.concatenate([args, below.ravel()]),
    )
    flipped = {len(code) + k: tuple(flips[rank]) for k, rank in enumerate(ranks.tolist())}
    return made, flipped


def values_of(frozen: Frozen) -> dict[int, Constant | Fraction]:
    """Return the constant of each class that has one."""
    found: dict[int, Constant | Fraction] = {}
    for node in np.flatnonzero(frozen.code == ops.CONST.code).tolist():
        leaf = frozen.leaf[node]
        if leaf is not None and not isinstance(leaf, Symbol):
            found[int(frozen.owner[node])] = leaf
    return found


def constant_classes(nodes: Nodes, known: Sequence[int], classes: int) -> npt.NDArray[np.bool_]:
    """Tell which classes are made of constants, from those that hold one.

    One more entry, of what is no operand, is true.
    """
    found: npt.NDArray[np.bool_] = np.zeros(classes + 1, np.bool_)
    found[list(known)] = True
    found[-1] = True
    while True:
        ready = ~nodes.leaf & found[nodes.operands].all(axis=1)
        fresh = nodes.owner[ready & ~found[nodes.owner]]
        if not len(fresh):
            return found
        found[fresh] = True


def priced(
    nodes: Nodes,
    values: dict[int, Constant | Fraction],
    which: npt.NDArray[np.bool_],
    ask: Callable[[int, tuple[Any, ...]], tuple[float, float]],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Ask for the price and the latency of some nodes, once for each op and constants."""
    constants: list[Any] = [None]
    number: dict[Any, int] = {}
    of_class = np.zeros(int(nodes.operands.max(initial=0)) + 2, np.int64)
    for group, value in values.items():
        if group < len(of_class) - 1:
            rank = number.setdefault(constant_key(value), len(constants))
            if rank == len(constants):
                constants.append(value)
            of_class[group] = rank
    at = np.flatnonzero(which)
    key = nodes.code[at]
    arity = np.diff(nodes.start)[at]
    key = key * (WIDEST + 1) + arity
    for place in range(WIDEST):
        key = key * len(constants) + of_class[nodes.operands[at, place]]
    kinds, inverse = np.unique(key, return_inverse=True)
    first = np.zeros(len(kinds), np.int64)
    first[inverse[::-1]] = at[::-1]
    asked = np.zeros((len(kinds), 2))
    for k, node in enumerate(first.tolist()):
        below = nodes.operands[node, : int(nodes.start[node + 1] - nodes.start[node])]
        row = tuple(constants[rank] for rank in of_class[below].tolist())
        asked[k] = ask(int(nodes.code[node]), row)
    found = np.zeros((len(nodes.code), 2))
    found[at] = asked[inverse]
    return found[:, 0], found[:, 1]


def grouped(keys: Ints, items: Ints, count: int) -> tuple[Ints, Ints]:
    """Return where the items of each key begin, and the items, each once and in order."""
    size = int(items.max(initial=0)) + 1
    pairs = np.sort(keys * size + items)  # np.unique hashes, which takes ten times as long
    if len(pairs):
        pairs = pairs[np.concatenate([[True], pairs[1:] != pairs[:-1]])]
    first = np.searchsorted(pairs, np.arange(count + 1) * size)
    return first.astype(np.int64), pairs % size
