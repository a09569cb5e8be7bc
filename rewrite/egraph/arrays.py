"""A saturated e-graph as arrays: what extraction reads, free of the engine that made it."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import Constant
from rewrite.store import Symbol

__all__ = ["Frozen", "mirrored", "unmirrored"]

type Ints = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Frozen:
    """E-nodes in a deterministic order; `args[start[i]:start[i+1]]` are the child classes of i.

    `leaf[i]` is the symbol or constant of a leaf node, None for others. `roots` are classes, in
    the order asked for.
    """

    code: npt.NDArray[np.uint8]
    owner: Ints
    """The class of each node."""
    start: npt.NDArray[np.int64]
    args: Ints
    leaf: list[Symbol | Constant | Fraction | None]
    classes: int
    roots: list[int]

    def __len__(self) -> int:
        """Count the e-nodes."""
        return len(self.code)


_MIRRORED: Final = np.array([row.commutative or row is ops.FMA for row in ops.BUILTIN], np.bool_)
"""By op code, whether the first two operands can be exchanged; sums and products have two here."""


def mirrored(code: int, args: tuple[int, ...]) -> tuple[int, ...]:
    """Return the operands of an e-node so that those of `a + b` and `b + a` are the same."""
    if code < len(_MIRRORED) and _MIRRORED[code] and args[0] > args[1]:
        return (args[1], args[0], *args[2:])
    return args


def unmirrored(frozen: Frozen) -> Frozen:
    """Leave out, of e-nodes that are equal up to the order of operands, all but the first."""
    counts = np.diff(frozen.start)
    code = frozen.code
    known = code < len(_MIRRORED)
    at = np.flatnonzero(known & _MIRRORED[np.where(known, code, 0)] & (counts > 1))
    first = frozen.start[at]
    one, other = frozen.args[first], frozen.args[first + 1]
    last = np.where(counts[at] > 2, frozen.args[np.minimum(first + 2, len(frozen.args) - 1)], -1)
    low, high = np.minimum(one, other), np.maximum(one, other)
    order = np.lexsort((at, last, high, low, code[at]))
    same = np.ones(len(at), np.bool_)
    for column in (code[at], low, high, last):
        same[1:] &= column[order][1:] == column[order][:-1]
    same[:1] = False
    kept = np.ones(len(frozen), np.bool_)
    kept[at[order][same]] = False
    start = np.zeros(int(kept.sum()) + 1, np.int64)
    np.cumsum(counts[kept], out=start[1:])
    return replace(
        frozen, code=code[kept], owner=frozen.owner[kept], start=start,
        args=frozen.args[np.repeat(kept, counts)],
        leaf=[frozen.leaf[node] for node in np.flatnonzero(kept).tolist()],
    )  # fmt: skip
