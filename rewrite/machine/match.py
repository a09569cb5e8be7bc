"""The compiled matcher: it runs the steps of a plan, and goes back where one fails.

`rewrite.pattern.Do` says what each step does; `rewrite.matching` does the same for any term.
"""

from typing import Any, Final

import numpy as np

from rewrite.machine import layout as at
from rewrite.machine.groups import (
    all_shares,
    arguments,
    counted,
    gather,
    held_back,
    joined,
    kinds,
    may_hold,
    needed,
    next_shares,
    release,
    take_shares,
    take_value,
)
from rewrite.native import inlined, native
from rewrite.pattern import RULE_PARTS, WIDEST, Do

__all__ = ["NO", "TIGHT", "WIDE", "YES", "match"]

NO: Final = 0
YES: Final = 1
WIDE: Final = 2
"""The subject is wider than the loop can handle: the driver matches it."""
TIGHT: Final = 3
"""A node had to be made, and there was no room."""

_FIXED, _EITHER, _LEAF, _HOLE = int(Do.FIXED), int(Do.EITHER), int(Do.LEAF), int(Do.HOLE)
_OPEN, _PICK, _BOUND = int(Do.OPEN), int(Do.PICK), int(Do.BOUND)
_SOME, _ALL, _CLOSE = int(Do.SOME), int(Do.ALL), int(Do.CLOSE)
_BOOL: Final = 2
_int: Final[Any] = np.int64
"""Of one width, so that each loop is compiled once."""


@inlined
def _fits(wanted: int, sort: int) -> bool:
    return sort == wanted or (wanted == 0 and sort == 1)


# -- one step: with `fresh` its first choice, else the next one; NO where none is left ---------


@inlined
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
    if choice[k] == 1 or pool[low] == pool[low + 1]:
        return NO
    choice[k] = 1
    subject[below[first]], subject[below[first + 1]] = pool[low + 1], pool[low]
    return YES


@inlined
def _hole(steps: Any, k: int, subject: Any, bind: Any, by: Any, sorts: Any) -> int:
    variable = steps[k, at.VARIABLE]
    node = subject[steps[k, at.SLOT]]
    if by[variable] >= 0:
        return YES if bind[variable] == node else NO
    if not _fits(steps[k, at.SORT], sorts[node]):
        return NO
    bind[variable], by[variable] = node, k
    return YES


@inlined
def _open(
    steps: Any, k: int, flat: bool, subject: Any, bind: Any, wanted: Any, groups: Any, elems: Any,
    owner: Any, top: int, op: Any, start: Any, pool: Any, seen: Any,
) -> int:  # fmt: skip
    slot = steps[k, at.SLOT]
    node = _int(subject[slot])
    if op[node] != steps[k, at.CODE]:
        return NO
    if not may_hold(k, node, steps, wanted, bind, subject, op, seen):
        return NO
    if top + (start[node + 1] - start[node]) + 4 * WIDEST > len(elems):
        return WIDE
    end = arguments(node, flat, op, start, pool, elems, top)
    groups[slot, 0], groups[slot, 1] = top, end
    for i in range(top, end):
        owner[i] = -1
    return YES


@inlined
def _pick(
    steps: Any, fresh: bool, k: int, subject: Any, bind: Any, choice: Any, wanted: Any,
    groups: Any, elems: Any, owner: Any, op: Any, start: Any, pool: Any, seen: Any,
) -> int:  # fmt: skip
    base = _int(groups[steps[k, at.GROUP], 0])
    end = _int(groups[steps[k, at.GROUP], 1])
    first = base
    if not fresh:
        owner[choice[k]] = -1
        first = choice[k] + 1
    for i in range(first, end):
        if owner[i] < 0 and op[elems[i]] == steps[k, at.CODE]:
            if not needed(k, elems[i], steps, wanted, bind, subject, op, start, pool, seen):
                continue
            if not held_back(elems, owner, base, i):
                owner[i] = k
                choice[k] = i
                subject[steps[k, at.SLOT]] = elems[i]
                return YES
    return NO


@inlined
def _bound(
    steps: Any, fresh: bool, k: int, bind: Any, groups: Any, elems: Any, owner: Any, top: int,
    op: Any, start: Any, pool: Any, code: int,
) -> int:  # fmt: skip
    base = _int(groups[steps[k, at.GROUP], 0])
    end = _int(groups[steps[k, at.GROUP], 1])
    if not fresh:
        release(owner, base, end, k)
        return NO
    value = _int(bind[steps[k, at.VARIABLE]])
    if top + (start[value + 1] - start[value]) + 4 * WIDEST > len(elems):
        return WIDE
    taken = take_value(value, code, k, base, end, top, op, start, pool, elems, owner)
    return YES if taken else NO


@native
def _named(
    k: int, base: int, end: int, steps: Any, bind: Any, by: Any, elems: Any, owner: Any,
    buffer: Any, arity: int, code: int,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
) -> int:  # fmt: skip
    """Let the variable of a step stand for what it has taken, if that fits its sort."""
    variable = steps[k, at.VARIABLE]
    count = gather(k, base, end, elems, owner, buffer)
    node = joined(
        code, arity, count, buffer, op, start, pool, payload, sorts, table, traits, st
    )  # fmt: skip
    if node < 0:
        return TIGHT
    if not _fits(steps[k, at.SORT], sorts[node]):
        return NO
    bind[variable], by[variable] = node, k
    return YES


@native
def _all(
    steps: Any, fresh: bool, k: int, bind: Any, by: Any, groups: Any, elems: Any, owner: Any,
    buffer: Any, arity: int, code: int,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
) -> int:  # fmt: skip
    base = _int(groups[steps[k, at.GROUP], 0])
    end = _int(groups[steps[k, at.GROUP], 1])
    if not fresh:
        release(owner, base, end, k)
        by[steps[k, at.VARIABLE]] = -1
        return NO
    left = 0
    for i in range(base, end):
        if owner[i] < 0:
            owner[i] = k
            left += 1
    if left == 0:
        return NO
    found = _named(
        k, base, end, steps, bind, by, elems, owner, buffer, arity, code,
        op, start, pool, payload, sorts, table, traits, st,
    )  # fmt: skip
    if found != YES:
        release(owner, base, end, k)
    return found


@native
def _some(
    steps: Any, fresh: bool, k: int, bind: Any, by: Any, choice: Any, wanted: Any, groups: Any,
    elems: Any, owner: Any, buffer: Any, arity: int, code: int,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
) -> int:  # fmt: skip
    """Take some: choice 0 is all that is left, choice n is any n of it."""
    base = _int(groups[steps[k, at.GROUP], 0])
    end = _int(groups[steps[k, at.GROUP], 1])
    here = len(buffer) >> 1
    if 3 * (end - base) + 8 > here:
        return WIDE
    rows = kinds(
        k, base, end, steps, wanted, groups, elems, owner, code, buffer, here, op
    )  # fmt: skip
    count, whole = counted(k, base, end, rows, here, owner, buffer)
    if not fresh:
        release(owner, base, end, k)
        by[steps[k, at.VARIABLE]] = -1
    size = 0 if fresh else _int(choice[k])
    go_on = size > 0
    if size == 0 and (not fresh or count == 0 or not whole):
        size = 1
    for _ in range(RULE_PARTS):
        if size > count or (size == count and whole and size > 0):
            return NO
        if size == 0:
            all_shares(rows, here, buffer)
        elif not next_shares(rows, here, size, not go_on, buffer):
            size, go_on = size + 1, False
            continue
        take_shares(k, base, end, rows, here, elems, owner, buffer)
        found = _named(
            k, base, end, steps, bind, by, elems, owner, buffer, arity, code,
            op, start, pool, payload, sorts, table, traits, st,
        )  # fmt: skip
        if found != NO:
            choice[k] = size
            if found == TIGHT:
                release(owner, base, end, k)
            return found
        release(owner, base, end, k)
        go_on = size > 0
        size = max(size, 1)
    return WIDE


@inlined
def _close(steps: Any, k: int, groups: Any, owner: Any) -> int:
    for i in range(groups[steps[k, at.GROUP], 0], groups[steps[k, at.GROUP], 1]):
        if owner[i] < 0:
            return NO
    return YES


@inlined
def _last_choice(k: int, begin: int, steps: Any, by: Any) -> int:
    """Go back over steps with one outcome; return the last one that may have another."""
    while k >= begin:
        do = steps[k, at.DO]
        if do == _HOLE:
            if by[steps[k, at.VARIABLE]] == k:
                by[steps[k, at.VARIABLE]] = -1
        elif do != _FIXED and do != _LEAF:
            break
        k -= 1
    return k


STEPS: Final = 1_000_000
"""After so many steps the driver takes over: the generic matcher decides what is too long."""


@inlined
def match(  # noqa: C901, PLR0915 - one loop over all kinds of steps
    rule: int, node: int, skip: int, rules: Any, steps: Any, below: Any, wanted: Any, arities: Any,
    subject: Any, bind: Any, by: Any, choice: Any, groups: Any, elems: Any, owner: Any,
    buffer: Any, classes: Any,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
    seen: Any,
) -> int:  # fmt: skip
    """Match a rule at a node, leaving out so many matches; the bindings are left in `bind`.

    What `STOOD` before is gone on from.
    """
    begin, stop = _int(rules[rule, at.STEPS]), _int(rules[rule + 1, at.STEPS])
    flat = rules[rule, at.FLAT] != 0
    k, fresh, top = begin, True, 0
    if st[at.STOOD] == 1:
        return YES
    if st[at.STOOD] == 2:
        k, fresh, top, skip = stop - 1, False, _int(st[at.ABOVE]), 0
        k = _last_choice(k, begin, steps, by)
    else:
        st[at.PARTS] = 0
        for i in range(len(by)):
            by[i] = -1
    st[at.STOOD] = 0
    subject[0] = node
    for _ in range(STEPS):
        if k == stop:
            if skip == 0:
                st[at.STOOD], st[at.ABOVE] = 1, top
                return YES
            skip -= 1
            k, fresh = _last_choice(k - 1, begin, steps, by), False
        if k < begin:
            return NO
        do = _int(steps[k, at.DO])
        if do <= _EITHER:
            found = _children(steps, fresh, k, below, subject, choice, op, start, pool)
        elif do == _HOLE:
            found = _hole(steps, k, subject, bind, by, sorts)
        elif do == _LEAF:
            one = subject[steps[k, at.SLOT]]
            found = NO
            if op[one] == steps[k, at.CODE]:
                found = YES if classes[payload[one], op[one]] == steps[k, at.LEAF] else NO
        elif do == _OPEN:
            if fresh:
                counted_in = flat or steps[k, at.SORT] == _BOOL
                found = _open(
                    steps, k, counted_in, subject, bind, wanted, groups, elems, owner, top,
                    op, start, pool, seen,
                )  # fmt: skip
                if found == YES:
                    top = _int(groups[steps[k, at.SLOT], 1])
            else:
                top = _int(groups[steps[k, at.SLOT], 0])
                found = NO
        elif do == _PICK:
            found = _pick(
                steps, fresh, k, subject, bind, choice, wanted, groups, elems, owner,
                op, start, pool, seen,
            )  # fmt: skip
        elif do == _BOUND:
            found = _bound(
                steps, fresh, k, bind, groups, elems, owner, top,
                op, start, pool, _int(steps[k, at.CODE]),
            )  # fmt: skip
        elif do == _CLOSE:
            found = _close(steps, k, groups, owner) if fresh else NO
        elif do == _ALL:
            found = _all(
                steps, fresh, k, bind, by, groups, elems, owner, buffer,
                _int(arities[steps[k, at.CODE]]), _int(steps[k, at.CODE]),
                op, start, pool, payload, sorts, table, traits, st,
            )  # fmt: skip
        else:
            st[at.PARTS] += 1
            if st[at.PARTS] > RULE_PARTS:
                return WIDE
            found = _some(
                steps, fresh, k, bind, by, choice, wanted, groups, elems, owner, buffer,
                _int(arities[steps[k, at.CODE]]), _int(steps[k, at.CODE]),
                op, start, pool, payload, sorts, table, traits, st,
            )  # fmt: skip
        if found == YES:
            k, fresh = k + 1, True
        elif found == NO:
            k, fresh = _last_choice(k - 1, begin, steps, by), False
        else:
            return found
    return WIDE
