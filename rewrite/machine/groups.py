"""Arguments of associative ops in the compiled matcher: what of them a step may take, and takes.

`elems` holds the arguments of the open groups, `owner` the step that has taken each, or -1.
"""

from typing import Any, Final

import numpy as np

from rewrite.bulk import find_or_make
from rewrite.machine import layout as at
from rewrite.native import inlined, native
from rewrite.pattern import WIDEST

__all__ = [
    "all_shares", "arguments", "counted", "gather", "held_back", "joined", "kinds", "may_hold",
    "needed", "next_shares", "release", "take_shares", "take_value", "trace",
]  # fmt: skip

_int: Final[Any] = np.int64
"""Of one width, so that each loop is compiled once."""


@inlined
def trace(node: int) -> Any:
    """Return the bit that stands for a node in the third column of what was seen."""
    return np.uint64(1) << ((np.uint64(node) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(58))


@inlined
def may_hold(
    k: int, node: int, steps: Any, wanted: Any, bind: Any, subject: Any, op: Any, seen: Any
) -> bool:  # fmt: skip
    """Tell from the bits of a group whether it may have what is taken out of it later.

    No bits mean that the node was not looked at.
    """
    bits = seen[node, 2]
    if bits == np.uint64(0):
        return True
    for row in range(steps[k, at.NEEDS], steps[k, at.NEEDS] + steps[k, at.MANY]):
        what = wanted[row, at.WANTED]
        if wanted[row, at.SHARED] != 0:
            others = seen[subject[what], 2]
            if others != np.uint64(0) and others & bits == np.uint64(0):
                return False
        elif op[bind[what]] != op[node] and trace(bind[what]) & bits == np.uint64(0):
            return False
    return True


@native
def arguments(node: int, flat: bool, op: Any, start: Any, pool: Any, out: Any, base: int) -> int:
    """Write the arguments of a group to `out` from `base` on; return where they end.

    With `flat`, those of nested nodes with the same op are counted in, up to `WIDEST`.
    """
    low, high = start[node], start[node + 1]
    code = op[node]
    end = base
    if flat:
        # the part after `end` is a stack: what is next on top
        limit = base + WIDEST
        top = limit + WIDEST
        for k in range(high - 1, low - 1, -1):
            if top <= limit:
                break
            top -= 1
            out[top] = pool[k]
        fits = high - low <= WIDEST
        while fits and top < limit + WIDEST:
            one = out[top]
            top += 1
            if op[one] == code:
                first, last = start[one], start[one + 1]
                if (end - base) + (limit + WIDEST - top) + (last - first) > WIDEST:
                    fits = False
                else:
                    for k in range(last - 1, first - 1, -1):
                        top -= 1
                        out[top] = pool[k]
            else:
                out[end] = one
                end += 1
        if fits:
            return end
    end = base
    for k in range(low, high):
        out[end] = pool[k]
        end += 1
    return end


@inlined
def held_back(elems: Any, owner: Any, base: int, i: int) -> bool:
    """Tell whether an equal argument before this one is left: then that one comes first."""
    for j in range(base, i):
        if elems[j] == elems[i] and owner[j] < 0:
            return True
    return False


@inlined
def release(owner: Any, base: int, end: int, k: int) -> None:
    """Give back what a step has taken."""
    for i in range(base, end):
        if owner[i] == k:
            owner[i] = -1


@inlined
def _take_all(k: int, base: int, end: int, top: int, last: int, elems: Any, owner: Any) -> bool:
    """Take what stands in `elems` from `top` on out of a group; all of it or nothing."""
    for wanted in range(top, last):
        found = False
        for i in range(base, end):
            if owner[i] < 0 and elems[i] == elems[wanted]:
                owner[i] = k
                found = True
                break
        if not found:
            release(owner, base, end, k)
            return False
    return True


@inlined
def _counted_in(base: int, end: int, code: int, elems: Any, op: Any) -> bool:
    """Tell whether nested arguments of a group are counted in: else one may stand as it is."""
    if end - base > WIDEST:
        return False
    for i in range(base, end):
        if op[elems[i]] == code:
            return False
    return True


@inlined
def take_value(
    value: int, code: int, k: int, base: int, end: int, top: int,
    op: Any, start: Any, pool: Any, elems: Any, owner: Any,
) -> bool:  # fmt: skip
    """Take the value of a variable out of a group; the part of `elems` above `top` is free.

    Where nested arguments were too many to be counted in, a nested value may stand as it is.
    """
    nested = _counted_in(base, end, code, elems, op)
    if not nested or op[value] != code:
        elems[top] = value
        if _take_all(k, base, end, top, top + 1, elems, owner):
            return True
        if op[value] != code:
            return False
    last = arguments(value, nested, op, start, pool, elems, top)
    return _take_all(k, base, end, top, last, elems, owner)


@inlined
def _plain(node: int, op: Any, start: Any, pool: Any) -> bool:
    """Tell whether no argument of a node has the same op."""
    for k in range(start[node], start[node + 1]):
        if op[pool[k]] == op[node]:
            return False
    return True


@inlined
def _among(value: int, node: int, start: Any, pool: Any) -> bool:
    for k in range(start[node], start[node + 1]):
        if pool[k] == value:
            return True
    return False


@inlined
def _below(row: int, node: int, wanted: Any, op: Any, start: Any, pool: Any) -> int:
    """Return what stands at the end of a path, -1 if there is none."""
    for d in range(wanted[row, at.DEPTH]):
        low = start[node] + wanted[row, at.PATH + 2 * d + 1]
        if op[node] != wanted[row, at.PATH + 2 * d] or low >= start[node + 1]:
            return -1
        node = _int(pool[low])
    return node


@inlined
def _holds(value: int, node: int, op: Any, start: Any, pool: Any) -> bool:
    """Tell whether a group has a value among its arguments, or the first part of one."""
    while op[value] == op[node]:
        value = _int(pool[start[value]])
    return _among(value, node, start, pool)


@inlined
def _meets(one: int, other: int, op: Any, start: Any, pool: Any) -> bool:
    """Tell whether two groups may have an argument in common."""
    if not _plain(one, op, start, pool):
        return True
    for k in range(start[one], start[one + 1]):
        if _among(pool[k], other, start, pool):
            return True
    return False


@inlined
def _beside(
    row: int, node: int, group: int, wanted: Any, op: Any, start: Any, pool: Any, seen: Any
) -> bool:  # fmt: skip
    """Tell whether what stands at a path may be an argument of the group too."""
    below = _below(row, node, wanted, op, start, pool)
    if below < 0:
        return False
    bits = seen[group, 2]
    return bits == np.uint64(0) or op[below] == op[group] or trace(below) & bits != np.uint64(0)  # type: ignore[no-any-return]


@inlined
def needed(
    k: int, node: int, steps: Any, wanted: Any, bind: Any, subject: Any,
    op: Any, start: Any, pool: Any, seen: Any,
) -> bool:  # fmt: skip
    """Tell whether an argument may have what the step needs of it."""
    for row in range(steps[k, at.NEEDS], steps[k, at.NEEDS] + steps[k, at.MANY]):
        if wanted[row, at.SHARED] == 2:
            if not _beside(row, node, subject[steps[k, at.GROUP]], wanted, op, start, pool, seen):
                return False
        elif wanted[row, at.DEPTH] > 0:
            if _below(row, node, wanted, op, start, pool) != bind[wanted[row, at.WANTED]]:
                return False
        elif not _plain(node, op, start, pool):
            continue  # what is nested is not looked at
        elif wanted[row, at.SHARED] == 0:
            if not _holds(_int(bind[wanted[row, at.WANTED]]), node, op, start, pool):
                return False
        elif not _meets(subject[wanted[row, at.WANTED]], node, op, start, pool):
            return False
    return True


@inlined
def _able(
    k: int, one: int, steps: Any, wanted: Any, groups: Any, elems: Any, owner: Any, code: int,
    op: Any,
) -> bool:  # fmt: skip
    """Tell whether the other groups that need the value of a step have an argument."""
    for row in range(steps[k, at.NEEDS], steps[k, at.NEEDS] + steps[k, at.MANY]):
        slot = wanted[row, at.WANTED]
        base, end = groups[slot, 0], groups[slot, 1]
        found = not _counted_in(base, end, code, elems, op)
        for i in range(base, end):
            found = found or (owner[i] < 0 and elems[i] == one)
        if not found:
            return False
    return True


@inlined
def kinds(
    k: int, base: int, end: int, steps: Any, wanted: Any, groups: Any, elems: Any, owner: Any,
    code: int, buffer: Any, here: int, op: Any,
) -> int:  # fmt: skip
    """Write which arguments a step may take, equal ones together, to the buffer from `here` on.

    A row is: the first one's place, how many there are, and how many the step has taken. Return
    the number of rows.
    """
    rows = 0
    for i in range(base, end):
        if owner[i] >= 0 and owner[i] != k:
            continue
        mine = owner[i] == k
        owner[i] = -1 if mine else owner[i]
        able = _able(k, elems[i], steps, wanted, groups, elems, owner, code, op)
        owner[i] = k if mine else owner[i]
        if not able:
            continue
        row = 0
        while row < rows and elems[buffer[here + 3 * row]] != elems[i]:
            row += 1
        if row == rows:
            buffer[here + 3 * row], rows = i, rows + 1
            buffer[here + 3 * row + 1], buffer[here + 3 * row + 2] = 0, 0
        buffer[here + 3 * row + 1] += 1
        buffer[here + 3 * row + 2] += mine
    return rows


@inlined
def counted(
    k: int, base: int, end: int, rows: int, here: int, owner: Any, buffer: Any
) -> tuple[int, bool]:
    """Return how many arguments a step may take, and whether that is all that is left."""
    count, left = 0, 0
    for row in range(rows):
        count += buffer[here + 3 * row + 1]
    for i in range(base, end):
        left += owner[i] < 0 or owner[i] == k
    return count, count == left


@inlined
def all_shares(rows: int, here: int, buffer: Any) -> None:
    """Write that all of the kinds is taken."""
    for row in range(rows):
        buffer[here + 3 * row + 2] = buffer[here + 3 * row + 1]


@inlined
def next_shares(rows: int, here: int, size: int, fresh: bool, buffer: Any) -> bool:
    """Write the first or next way to take so many of the kinds; False where there is none."""
    first, tail = 0, size
    if not fresh:
        row, tail, room = rows - 1, 0, 0
        while row >= 0:
            taken = buffer[here + 3 * row + 2]
            if taken > 0 and room > tail:
                break
            tail += taken
            room += buffer[here + 3 * row + 1]
            row -= 1
        if row < 0:
            return False
        buffer[here + 3 * row + 2] -= 1
        first, tail = row + 1, tail + 1
    for row in range(first, rows):
        taken = min(tail, _int(buffer[here + 3 * row + 1]))
        buffer[here + 3 * row + 2] = taken
        tail -= taken
    return tail == 0


@inlined
def take_shares(
    k: int, base: int, end: int, rows: int, here: int, elems: Any, owner: Any, buffer: Any
) -> None:
    """Take what the rows say, of equal arguments the first."""
    for row in range(rows):
        i = _int(buffer[here + 3 * row])
        one, left = elems[i], buffer[here + 3 * row + 2]
        while left > 0:
            if owner[i] < 0 and elems[i] == one:
                owner[i] = k
                left -= 1
            i += 1


@native
def joined(
    code: int, arity: int, count: int, buffer: Any,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
) -> int:  # fmt: skip
    """Make one node of the arguments of an associative op in a buffer; -1 if there is no room."""
    if count == 1:
        return _int(buffer[0])  # type: ignore[no-any-return]
    used, width = st[at.USED], 2 * count
    if (
        used + count >= len(op)
        or start[used] + width >= len(pool)
        or 2 * (used + count) > len(table)
    ):
        return -1
    if arity < 0:
        node = find_or_make(
            code, buffer, 0, count, op, start, pool, payload, sorts, used, table, traits
        )
        st[at.USED] += node == used
        return node
    node = _int(buffer[0])
    for i in range(1, count):
        buffer[count], buffer[count + 1] = node, buffer[i]
        node = find_or_make(
            code, buffer, count, count + 2,
            op, start, pool, payload, sorts, st[at.USED], table, traits,
        )  # fmt: skip
        st[at.USED] += node == st[at.USED]
    return node


@inlined
def gather(k: int, base: int, end: int, elems: Any, owner: Any, buffer: Any) -> int:
    """Write what a step took out of a group to the buffer; return how many."""
    count = 0
    for i in range(base, end):
        if owner[i] == k:
            buffer[count] = elems[i]
            count += 1
    return count
