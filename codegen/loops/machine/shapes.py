"""Shapes of nodes: a hash of what each computes, and how often it occurs.

`D` and `W` are the tuples of `cones`.
"""

from typing import Any, Final

import numpy as np

from codegen.loops.machine.kinds import ARG, CONST, INNER, ROW, STORED
from rewrite import ops
from rewrite.native import inlined, native

__all__ = ["is_baked", "mixed", "shapes", "tally"]

ARRANGED: Final = 64
"""Operands of longer sums are taken one by one, and need no order."""

_ADD: Final = ops.ADD.code
_MUL: Final = ops.MUL.code
_POW: Final = ops.POW.code
_DIV: Final = ops.DIV.code


@inlined
def mixed(h: Any, token: int) -> Any:
    """Stir a number into a hash."""
    h = (h ^ np.uint64(token)) * np.uint64(0xFF51AFD7ED558CCD)
    return h ^ (h >> np.uint64(32))


@inlined
def _key(child: int, D: Any, W: Any, segment: Any) -> Any:
    """Return a number that is the same for operands of one kind and shape."""
    kind, state, h = D[3], W[3], W[10]
    if kind[child] == ARG:
        return np.uint64(256 + segment[child])
    if kind[child] == CONST:
        return np.uint64(2)
    if state[child] == STORED or state[child] == ROW:
        return np.uint64(4)
    return h[child]


@inlined
def _arrange(at: int, strict: bool, D: Any, W: Any, segment: Any) -> None:
    """Put operands that commute into an order of kinds and shapes, where no number changes.

    So x*k and k*x are one shape. Only the first two of strict sums and products commute.
    """
    code, start, args, kind = D[0], D[1], D[2], D[3]
    low, high = start[at], start[at + 1]
    if code[at] != _ADD and code[at] != _MUL:
        return
    if strict:
        high = min(high, low + 2)
        for k in range(low, high):
            if kind[args[k]] == INNER and code[at] == _ADD and code[args[k]] == _ADD:
                return  # a sum that begins with another one is one in order
    if high - low > ARRANGED:
        return
    for k in range(low + 1, high):
        child, j = args[k], k
        key = _key(child, D, W, segment)
        while j > low and _key(args[j - 1], D, W, segment) > key:
            args[j] = args[j - 1]
            j -= 1
        args[j] = child


@native
def shapes(
    strict: bool, D: Any, W: Any, segment: Any, bakes: Any, known: Any, weights: Any
) -> None:  # fmt: skip
    """Hash what each node computes from arguments, stored nodes and constants.

    Operands that commute are put in order. `bakes` says of constants where they are part of the
    code, `known` gives their numbers.
    """
    code, start, args, kind = D[0], D[1], D[2], D[3]
    state, h, size = W[3], W[10], W[11]
    for at in range(len(code)):
        if kind[at] != INNER:
            continue
        _arrange(at, strict, D, W, segment)
        total = mixed(np.uint64(0x9E3779B97F4A7C15), code[at])
        weight = weights[code[at]] * max(1, start[at + 1] - start[at] - 1)
        for k in range(start[at], start[at + 1]):
            child = args[k]
            key = _key(child, D, W, segment)
            if kind[child] == CONST and is_baked(code[at], k - start[at], bakes[child]):
                key = np.uint64(known[child] * 2 + 1)
            total = (total ^ key) * np.uint64(0xC4CEB9FE1A85EC53)
            total ^= total >> np.uint64(29)
            if kind[child] == INNER and state[child] != STORED and state[child] != ROW:
                weight += size[child]
        h[at], size[at] = total, min(weight, 1 << 20)


@inlined
def is_baked(code: int, place: int, bakes: int) -> bool:
    """Tell whether a constant is part of the code: a boolean, an integer power, a division."""
    if bakes & 1:
        return True
    if place != 1:
        return False
    return bool((code == _POW and bakes & 2) or (code == _DIV and bakes & 4))


@native
def tally(D: Any, h: Any, keys: Any, counts: Any, often: Any) -> None:
    """Count how often each hash occurs; the table has a power of two of cells."""
    kind, mask = D[3], np.uint64(len(keys) - 1)
    for turn in range(2):
        for at in range(len(h)):
            if kind[at] != INNER:
                continue
            slot = h[at] & mask
            while counts[slot] > 0 and keys[slot] != h[at]:
                slot = (slot + np.uint64(1)) & mask
            if turn == 0:
                keys[slot] = h[at]
                counts[slot] += 1
            else:
                often[at] = counts[slot]
