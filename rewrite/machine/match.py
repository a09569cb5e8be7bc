"""The compiled matcher: it runs the steps of a plan, and goes back where one fails.

`rewrite.pattern.Do` says what each step does; `rewrite.matching` does the same for any term.
"""

from typing import Any, Final

import numpy as np

from rewrite.bulk import find_or_make
from rewrite.machine import layout as at
from rewrite.matching import RULE_TRIES
from rewrite.native import native
from rewrite.pattern import WIDEST, Do

__all__ = ["NO", "TIGHT", "WIDE", "YES", "arguments", "joined", "match"]

NO: Final = 0
YES: Final = 1
WIDE: Final = 2
"""The subject is wider than the loop can handle: the driver matches it."""
TIGHT: Final = 3
"""A node had to be made, and there was no room."""

MASKED: Final = 62
"""The choice of some arguments is kept as the bits of one integer."""

_FIXED, _EITHER, _LEAF, _HOLE = int(Do.FIXED), int(Do.EITHER), int(Do.LEAF), int(Do.HOLE)
_OPEN, _PICK, _BOUND = int(Do.OPEN), int(Do.PICK), int(Do.BOUND)
_SOME, _ALL, _CLOSE = int(Do.SOME), int(Do.ALL), int(Do.CLOSE)
_BOOL: Final = 2
_int: Final[Any] = np.int64
"""Of one width, so that each loop is compiled once."""


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


@native
def _fits(wanted: int, sort: int) -> bool:
    return sort == wanted or (wanted == 0 and sort == 1)


@native
def _held_back(elems: Any, owner: Any, base: int, i: int) -> bool:
    """Tell whether an equal argument before this one is left: then that one comes first."""
    for j in range(base, i):
        if elems[j] == elems[i] and owner[j] < 0:
            return True
    return False


@native
def _release(owner: Any, base: int, end: int, k: int) -> None:
    for i in range(base, end):
        if owner[i] == k:
            owner[i] = -1


@native
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
            _release(owner, base, end, k)
            return False
    return True


@native
def _take_value(
    value: int, code: int, k: int, base: int, end: int, top: int,
    op: Any, start: Any, pool: Any, elems: Any, owner: Any,
) -> bool:  # fmt: skip
    """Take the value of a variable out of a group; the part of `elems` above `top` is free.

    Where nested arguments were too many to be counted in, a nested value may stand as it is.
    """
    nested = end - base <= WIDEST
    for i in range(base, end):
        nested = nested and op[elems[i]] != code
    if not nested or op[value] != code:
        elems[top] = value
        if _take_all(k, base, end, top, top + 1, elems, owner):
            return True
        if op[value] != code:
            return False
    last = arguments(value, nested, op, start, pool, elems, top)
    return _take_all(k, base, end, top, last, elems, owner)


@native
def _take_mask(mask: int, k: int, base: int, end: int, elems: Any, owner: Any) -> bool:
    """Take the arguments left whose bits are set, all of them for -1; tell whether it will do.

    It will not if one is taken and an equal one before it is not.
    """
    bit = 0
    for i in range(base, end):
        if owner[i] >= 0:
            continue
        if mask < 0:
            owner[i] = k
        elif (mask >> bit) & 1:
            if _held_back(elems, owner, base, i):
                return False
            owner[i] = k
        bit += 1
    return True


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


@native
def _gather(k: int, base: int, end: int, elems: Any, owner: Any, buffer: Any) -> int:
    """Write what a step took out of a group to the buffer; return how many."""
    count = 0
    for i in range(base, end):
        if owner[i] == k:
            buffer[count] = elems[i]
            count += 1
    return count


# -- one step: with `fresh` its first choice, else the next one; NO where none is left ---------


@native
def _children(
    steps: Any, fresh: bool, k: int, below: Any, subject: Any, choice: Any,
    op: Any, start: Any, pool: Any,
) -> int:  # fmt: skip
    """FIXED and EITHER: look at the op, and hand out the children."""
    node = subject[steps[k, at.SLOT]]
    low, count = start[node], steps[k, at.ARITY]
    first = steps[k, at.BELOW]
    if fresh:
        if op[node] != steps[k, at.CODE]:
            return NO
        if start[node + 1] - low != count:
            return WIDE
        choice[k] = 0
        for i in range(count):
            subject[below[first + i]] = pool[low + i]
        return YES
    if steps[k, at.DO] == _FIXED or choice[k] == 1 or pool[low] == pool[low + 1]:
        return NO
    choice[k] = 1
    subject[below[first]], subject[below[first + 1]] = pool[low + 1], pool[low]
    return YES


@native
def _hole(steps: Any, fresh: bool, k: int, subject: Any, bind: Any, by: Any, sorts: Any) -> int:
    variable = steps[k, at.VARIABLE]
    if not fresh:
        if by[variable] == k:
            by[variable] = -1
        return NO
    node = subject[steps[k, at.SLOT]]
    if by[variable] >= 0:
        return YES if bind[variable] == node else NO
    if not _fits(steps[k, at.SORT], sorts[node]):
        return NO
    bind[variable], by[variable] = node, k
    return YES


@native
def _open(
    steps: Any, k: int, flat: bool, subject: Any, groups: Any, elems: Any, owner: Any, top: int,
    op: Any, start: Any, pool: Any,
) -> int:  # fmt: skip
    slot = steps[k, at.SLOT]
    node = _int(subject[slot])
    if op[node] != steps[k, at.CODE]:
        return NO
    if top + (start[node + 1] - start[node]) + 4 * WIDEST > len(elems):
        return WIDE
    end = arguments(node, flat, op, start, pool, elems, top)
    groups[slot, 0], groups[slot, 1] = top, end
    for i in range(top, end):
        owner[i] = -1
    return YES


@native
def _pick(
    steps: Any, fresh: bool, k: int, subject: Any, choice: Any, groups: Any, elems: Any, owner: Any,
    op: Any,
) -> int:  # fmt: skip
    base = _int(groups[steps[k, at.GROUP], 0])
    end = _int(groups[steps[k, at.GROUP], 1])
    first = base
    if not fresh:
        owner[choice[k]] = -1
        first = choice[k] + 1
    for i in range(first, end):
        if owner[i] < 0 and op[elems[i]] == steps[k, at.CODE]:
            if not _held_back(elems, owner, base, i):
                owner[i] = k
                choice[k] = i
                subject[steps[k, at.SLOT]] = elems[i]
                return YES
    return NO


@native
def _bound(
    steps: Any, fresh: bool, k: int, bind: Any, groups: Any, elems: Any, owner: Any, top: int,
    op: Any, start: Any, pool: Any, code: int,
) -> int:  # fmt: skip
    base = _int(groups[steps[k, at.GROUP], 0])
    end = _int(groups[steps[k, at.GROUP], 1])
    if not fresh:
        _release(owner, base, end, k)
        return NO
    value = _int(bind[steps[k, at.VARIABLE]])
    if top + (start[value + 1] - start[value]) + 4 * WIDEST > len(elems):
        return WIDE
    taken = _take_value(value, code, k, base, end, top, op, start, pool, elems, owner)
    return YES if taken else NO


@native
def _some(
    steps: Any, fresh: bool, k: int, bind: Any, by: Any, choice: Any, groups: Any, elems: Any,
    owner: Any, buffer: Any, arity: int, code: int,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
) -> int:  # fmt: skip
    """SOME and ALL: choice 0 takes all that is left, choice m what the bits of m say."""
    base = _int(groups[steps[k, at.GROUP], 0])
    end = _int(groups[steps[k, at.GROUP], 1])
    variable = steps[k, at.VARIABLE]
    if not fresh:
        _release(owner, base, end, k)
        by[variable] = -1
        if steps[k, at.DO] == _ALL:
            return NO
    left = 0
    for i in range(base, end):
        left += owner[i] < 0
    if left == 0:
        return NO
    if left > MASKED and steps[k, at.DO] == _SOME:
        return WIDE
    mask = 0 if fresh else choice[k] + 1
    last = (1 << left) - 2 if steps[k, at.DO] == _SOME else 0
    while mask <= last:
        wanted = mask if mask > 0 else -1
        if _take_mask(wanted, k, base, end, elems, owner):
            count = _gather(k, base, end, elems, owner, buffer)
            node = joined(
                code, arity, count, buffer,
                op, start, pool, payload, sorts, table, traits, st,
            )  # fmt: skip
            if node < 0:
                return TIGHT
            if _fits(steps[k, at.SORT], sorts[node]):
                bind[variable], by[variable] = node, k
                choice[k] = mask
                return YES
        _release(owner, base, end, k)
        mask += 1
    return NO


@native
def _close(steps: Any, k: int, groups: Any, owner: Any) -> int:
    for i in range(groups[steps[k, at.GROUP], 0], groups[steps[k, at.GROUP], 1]):
        if owner[i] < 0:
            return NO
    return YES


TRIES: Final = RULE_TRIES
"""After so many steps the driver takes over: the generic matcher decides what is too long."""


@native
def match(  # noqa: C901 - one loop over all kinds of steps
    rule: int, node: int, skip: int, rules: Any, steps: Any, below: Any, arities: Any,
    subject: Any, bind: Any, by: Any, choice: Any, groups: Any, elems: Any, owner: Any,
    buffer: Any, classes: Any,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
) -> int:  # fmt: skip
    """Match a rule at a node, leaving out so many matches; the bindings are left in `bind`."""
    begin, stop = _int(rules[rule, at.STEPS]), _int(rules[rule + 1, at.STEPS])
    flat = rules[rule, at.FLAT] != 0
    for i in range(len(by)):
        by[i] = -1
    subject[0] = node
    k, fresh, top = begin, True, 0
    for _ in range(TRIES):
        if k == stop:
            if skip == 0:
                return YES
            skip -= 1
            k, fresh = k - 1, False
        if k < begin:
            return NO
        do = _int(steps[k, at.DO])
        if do <= _EITHER:
            found = _children(steps, fresh, k, below, subject, choice, op, start, pool)
        elif do == _HOLE:
            found = _hole(steps, fresh, k, subject, bind, by, sorts)
        elif do == _LEAF:
            one = subject[steps[k, at.SLOT]]
            found = NO
            if fresh and op[one] == steps[k, at.CODE]:
                found = YES if classes[payload[one], op[one]] == steps[k, at.LEAF] else NO
        elif do == _OPEN:
            if fresh:
                counted_in = flat or steps[k, at.SORT] == _BOOL
                found = _open(
                    steps, k, counted_in, subject, groups, elems, owner, top, op, start, pool
                )
                if found == YES:
                    top = _int(groups[steps[k, at.SLOT], 1])
            else:
                top = _int(groups[steps[k, at.SLOT], 0])
                found = NO
        elif do == _PICK:
            found = _pick(steps, fresh, k, subject, choice, groups, elems, owner, op)
        elif do == _BOUND:
            found = _bound(
                steps,
                fresh,
                k,
                bind,
                groups,
                elems,
                owner,
                top,
                op,
                start,
                pool,
                _int(steps[k, at.CODE]),
            )
        elif do == _CLOSE:
            found = _close(steps, k, groups, owner) if fresh else NO
        else:
            found = _some(
                steps, fresh, k, bind, by, choice, groups, elems, owner, buffer,
                _int(arities[steps[k, at.CODE]]), _int(steps[k, at.CODE]),
                op, start, pool, payload, sorts, table, traits, st,
            )  # fmt: skip
        if found == YES:
            k, fresh = k + 1, True
        elif found == NO:
            k, fresh = k - 1, False
        else:
            return found
    return WIDE
