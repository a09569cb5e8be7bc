"""Compiled passes that only look: what depends on the inputs, on which ones, and how far it is."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.native import cached

__all__ = [
    "colors", "compressed", "gathered", "mark", "spread", "supports", "ways",
]  # fmt: skip

KNOWN, STEPS, UNKNOWN, CHOICE = 0, 1, 2, 3
"""Kinds of ops."""
TOO_MANY: Final = -1


@cached
def _numbered(ids: Any, first: Any, wanted: Any, found: Any) -> None:
    """Find which of the wanted nodes each leaf of a program is, -1 for none."""
    order = np.argsort(wanted)
    ranked = wanted[order]
    for at in range(len(ids)):
        found[at] = -1
        if first[at] == first[at + 1]:
            low, high = 0, len(ranked)
            while low < high:  # what np.searchsorted is compiled with imports SciPy
                middle = (low + high) // 2
                if ranked[middle] < ids[at]:
                    low = middle + 1
                else:
                    high = middle
            if low < len(ranked) and ranked[low] == ids[at]:
                found[at] = order[low]


@cached
def mark(
    ids: Any, code: Any, first: Any, args: Any, sort: Any, wanted: Any, kinds: Any, numbers: int,
    inputs: Any, active: Any, blocked: Any,
) -> tuple[int, int, bool]:  # fmt: skip
    """Mark what depends on the wanted nodes, by ops that have a derivative; note those with none.

    Return how many edges there are between what depends on one, the most arguments of a node, and
    whether there is any op without a derivative in the way, or a sort that is not below `numbers`.
    Results are filled in: an array that is made here costs ten times as much.
    """
    _numbered(ids, first, wanted, inputs)
    edges, widest, odd = 0, 1, False
    for at in range(len(code)):
        odd = odd or sort[at] >= numbers
        if inputs[at] >= 0:
            active[at] = True
            continue
        kind = kinds[code[at]]
        low, high = first[at], first[at + 1]
        if kind == CHOICE:
            low += 1  # the condition is held fixed
        some = 0
        for k in range(low, high):
            some += active[args[k]]
        if some and (kind == STEPS or kind == UNKNOWN):
            blocked[code[at]] = odd = True
            some = 0
        active[at] = some > 0
        edges += some
        widest = max(widest, first[at + 1] - first[at])
    return edges, widest, odd


@cached
def _reached(first: Any, args: Any, active: Any, roots: Any) -> int:
    """Count the active edges below each root, and return the sum."""
    seen = np.full(len(active), -1, np.int32)
    stack = np.empty(len(active) + 1, np.int32)
    edges = 0
    for r in range(len(roots)):
        top = 0
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
    return edges


@cached
def _supports(  # noqa: C901 - one loop over what each position is
    first: Any, args: Any, active: Any, inputs: Any, spans: Any, pool: Any, seen: Any
) -> int:
    """List the inputs that each position depends on; return their number, -1 if over the pool.

    `seen` has one cell an input, all -1.
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


@cached
def supports(first: Any, args: Any, active: Any, inputs: Any, count: int, most: int) -> Any:
    """List the inputs that each position depends on, in a pool that grows up to a size.

    Return their number (-1: there was no room), `spans` and `pool`: the inputs of `at` are
    `pool[spans[at, 0]:spans[at, 1]]`; a position that has those of one argument shares its list.
    """
    spans, size = np.empty((len(active), 2), np.int64), max(2 * len(active), 1024)
    while True:
        pool, seen = np.empty(size, np.int32), np.full(count, -1, np.int32)
        work = _supports(first, args, active, inputs, spans, pool, seen)
        if work != TOO_MANY or size >= most:
            return work, spans, pool
        size = min(8 * size, most)


@cached
def ways(
    first: Any, args: Any, active: Any, inputs: Any, count: int, roots: Any
) -> tuple[int, int]:
    """Count what a pass down from each root looks at, and what one up from all inputs does.

    Where the way up takes more than twice as much, it counts one more than the way down.
    """
    down = _reached(first, args, active, roots)
    up, _, _ = supports(first, args, active, inputs, count, max(2 * down, 1024))
    return down, up if up != TOO_MANY else down + 1


@cached
def spread(roots: Any, spans: Any, pool: Any) -> Any:
    """Return the number of the root, and below it the row of the pool, of all in their spans."""
    count = 0
    for root in roots:
        count += spans[root, 1] - spans[root, 0]
    found = np.empty((1 + pool.shape[1], count), np.int32)
    count = 0
    for k in range(len(roots)):
        for place in range(spans[roots[k], 0], spans[roots[k], 1]):
            found[0, count] = k
            for column in range(pool.shape[1]):
                found[1 + column, count] = pool[place, column]
            count += 1
    return found


@cached
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


@cached
def compressed(outer: Any, inner: Any, wide: int, indices: Any, indptr: Any, order: Any) -> None:
    """Fill `indices` and `indptr` of places in SciPy's formats, and the order they are in.

    Two passes of sorting by counting: by the inner number, then by the outer one.
    """
    count, high = len(outer), len(indptr) - 1
    begin, indptr[:] = np.zeros(wide + 1, np.int64), 0
    for k in range(count):
        begin[inner[k] + 1] += 1
        indptr[outer[k] + 1] += 1
    for k in range(wide):
        begin[k + 1] += begin[k]
    for k in range(high):
        indptr[k + 1] += indptr[k]
    first = np.empty(count, np.int64)
    for k in range(count):
        first[begin[inner[k]]] = k
        begin[inner[k]] += 1
    free = indptr.copy()
    for entry in first:
        place = free[outer[entry]]
        order[place], indices[place] = entry, inner[entry]
        free[outer[entry]] = place + 1


@cached
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
