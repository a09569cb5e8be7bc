"""Compiled passes that only look: what depends on the inputs, on which ones, and how far it is."""

from typing import Any, Final

import numba as nb
import numpy as np
import numpy.typing as npt

__all__ = ["mark", "reached", "supports"]

KNOWN, STEPS, UNKNOWN, CHOICE = 0, 1, 2, 3
"""Kinds of ops."""
TOO_MANY: Final = -1


@nb.njit(cache=True, nogil=True)
def mark(
    code: Any, first: Any, args: Any, active: Any, inputs: Any, kinds: Any, blocked: Any
) -> None:
    """Mark what depends on an input by ops that have a derivative; note the ops that have none."""
    for at in range(len(code)):
        if inputs[at] >= 0:
            continue
        kind = kinds[code[at]]
        low, high = first[at], first[at + 1]
        if kind == CHOICE:
            low += 1  # the condition is held fixed
        some = False
        for k in range(low, high):
            some |= active[args[k]]
        if some and (kind == STEPS or kind == UNKNOWN):
            blocked[code[at]] = True
            some = False
        active[at] = some


@nb.njit(cache=True, nogil=True)
def _reached(first: Any, args: Any, active: Any, roots: Any, found: Any) -> None:
    seen = np.full(len(active), -1, np.int32)
    stack = np.empty(len(active) + 1, np.int32)
    for r in range(len(roots)):
        top, edges = 0, 0
        if active[roots[r]]:
            stack[0], top = roots[r], 1
            seen[roots[r]] = r
        while top > 0:
            top -= 1
            at = stack[top]
            for k in range(first[at], first[at + 1]):
                below = args[k]
                if active[below]:
                    edges += 1
                    if seen[below] != r:
                        seen[below] = r
                        stack[top] = below
                        top += 1
        found[r] = edges


def reached(first: Any, args: Any, active: Any, roots: Any) -> npt.NDArray[np.int64]:
    """Count the active edges below each root."""
    found = np.zeros(len(roots), np.int64)
    _reached(first, args, active, roots, found)
    return found


@nb.njit(cache=True, nogil=True)
def supports(  # noqa: C901 - one loop over what each position is
    first: Any, args: Any, active: Any, inputs: Any, spans: Any, pool: Any, seen: Any
) -> int:
    """List the inputs that each position depends on; return their number, -1 if over the pool.

    `pool[spans[at, 0]:spans[at, 1]]` are the inputs of `at`; a position that has those of one
    argument shares its list. `seen` has one cell an input, all -1.
    """
    used, work = 0, 0
    for at in range(len(active)):
        spans[at, 0] = spans[at, 1] = used
        if not active[at]:
            continue
        if inputs[at] >= 0:
            if used == len(pool):
                return TOO_MANY
            pool[used] = inputs[at]
            used += 1
            spans[at, 1] = used
            work += 1
            continue
        count, only = 0, -1
        for k in range(first[at], first[at + 1]):
            below = args[k]
            if active[below] and (only < 0 or spans[below, 0] != spans[only, 0]):
                count += 1
                only = below
        if count == 1:
            spans[at, 0], spans[at, 1] = spans[only, 0], spans[only, 1]
            work += spans[only, 1] - spans[only, 0]
            continue
        base = used
        for k in range(first[at], first[at + 1]):
            below = args[k]
            if not active[below]:
                continue
            work += spans[below, 1] - spans[below, 0]
            for row in range(spans[below, 0], spans[below, 1]):
                j = pool[row]
                if seen[j] != at:
                    seen[j] = at
                    if used == len(pool):
                        return TOO_MANY
                    pool[used] = j
                    used += 1
        spans[at, 0], spans[at, 1] = base, used
    return work


@nb.njit(cache=True, nogil=True)
def _gathered(first: Any, args: Any, active: Any, inputs: Any, base: int, words: Any) -> None:
    for at in range(len(active)):
        word = np.uint64(0)
        if base <= inputs[at] < base + 64:
            word = np.uint64(1) << np.uint64(inputs[at] - base)
        elif active[at]:
            for k in range(first[at], first[at + 1]):
                if active[args[k]]:
                    word |= words[args[k]]
        words[at] = word


def gathered(
    first: Any, args: Any, active: Any, inputs: Any, base: int
) -> npt.NDArray[np.uint64]:  # fmt: skip
    """Return for each position which of 64 inputs from `base` on it depends on, as bits."""
    words = np.zeros(len(active), np.uint64)
    _gathered(first, args, active, inputs, base, words)
    return words


@nb.njit(cache=True, nogil=True)
def colors(
    row_first: Any, row_columns: Any, column_first: Any, column_rows: Any, order: Any, found: Any
) -> None:
    """Give each column, in an order, the first colour that no column of its rows has."""
    taken = np.full(len(found) + 1, -1, np.int32)
    for column in order:
        for k in range(column_first[column], column_first[column + 1]):
            row = column_rows[k]
            for j in range(row_first[row], row_first[row + 1]):
                other = found[row_columns[j]]
                if other >= 0:
                    taken[other] = column
        color = 0
        while taken[color] == column:
            color += 1
        found[column] = color
