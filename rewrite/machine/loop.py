"""The compiled loop: it normalises terms of a store by the rules of a table.

No array is sliced here: each view would be counted atomically, which took half of the time.
It stops where it needs its driver (`rewrite.machine.run`): for room, or for a rule that only
Python can run. Its whole state is in arrays, so that it goes on where it stopped.
"""

from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.bulk import find_or_make
from rewrite.machine import layout as at
from rewrite.machine.groups import joined, trace
from rewrite.machine.match import NO, TIGHT, WIDE, match
from rewrite.native import inlined, native

__all__ = ["run"]

_int: Final[Any] = np.int64
_CONST: Final = ops.CONST.code
_LAST_LEAF: Final = ops.PVAR.code
_ROOM: Final = 64
"""Nodes, and twice as many children, that must be free before a node is taken in hand."""


@inlined
def _key(node: int, op: Any, payload: Any, classes: Any, codes: int) -> int:
    """Return the edge of the tree for a node: its op, or the class of its value if it has one."""
    code = op[node]
    if code > _LAST_LEAF:
        return int(code)
    known = classes[payload[node], code]
    return codes + known if known >= 0 else int(code)


@inlined
def _join(found: Any, bits: Any, row: int) -> None:
    for word in range(len(found)):
        found[word] |= bits[row, word]


@inlined
def _candidates(
    node: int, into: Any, over: Any, star: Any, here: Any, under: Any, many: Any,
    states: Any, cells: Any, found: Any,
    op: Any, start: Any, pool: Any, payload: Any, classes: Any, codes: int,
) -> None:  # fmt: skip
    """Walk the discrimination tree; set the bits of the rules that may match."""
    for word in range(len(found)):
        found[word] = np.uint64(0)
    # states: a node of the tree and a list of pending subjects; cells of lists: subject, next
    cells[0, 0], cells[0, 1] = node, -1
    states[0, 0], states[0, 1] = 0, 0
    top, used = 1, 1
    while top > 0:
        top -= 1
        tree, cell = states[top, 0], states[top, 1]
        if cell < 0:
            _join(found, here, tree)
            continue
        if top + 3 >= len(states) or used + 64 >= len(cells):
            _join(found, under, tree)  # too large a pattern to tell: all that are left may match
            continue
        subject, rest = cells[cell, 0], cells[cell, 1]
        if star[tree] >= 0:
            states[top, 0], states[top, 1] = star[tree], rest
            top += 1
        key = _key(subject, op, payload, classes, codes)
        if over[tree, key] >= 0:
            states[top, 0], states[top, 1] = over[tree, key], rest
            top += 1
        below = into[tree, key]
        if below >= 0:
            low, high = start[subject], start[subject + 1]
            if high - low > 60 or (many[op[subject]] and high - low > 2):
                _join(found, under, below)
                continue
            for k in range(high - 1, low - 1, -1):
                cells[used, 0], cells[used, 1] = pool[k], rest
                rest = used
                used += 1
            states[top, 0], states[top, 1] = below, rest
            top += 1


@inlined
def _look(node: int, op: Any, start: Any, pool: Any, payload: Any, classes: Any, seen: Any) -> None:
    """Note which ops, values and nodes are among the arguments of a node, nested ones counted in.

    Of nodes that is a bit of their hashes, so that most that are not there are known not to be.
    """
    ops_seen, values, nodes = np.uint64(0), np.uint64(0), np.uint64(0)
    code = op[node]
    for k in range(start[node], start[node + 1]):
        child = pool[k]
        below = op[child]
        nodes |= trace(child)
        if below == code:
            ops_seen |= seen[child, 0]
            values |= seen[child, 1]
            nodes |= seen[child, 2] if seen[child, 2] != np.uint64(0) else ~np.uint64(0)
        ops_seen |= np.uint64(1) << np.uint64(below & 63)
        if below <= _LAST_LEAF:
            known = classes[payload[child], below]
            if known >= 0:
                values |= np.uint64(1) << np.uint64(known & 63)
    seen[node, 0], seen[node, 1], seen[node, 2] = ops_seen, values, nodes


@inlined
def _foldable(node: int, op: Any, start: Any, pool: Any, partly: Any) -> bool:
    """Tell whether a node has only constants below it, or one that may decide it."""
    low, high = start[node], start[node + 1]
    if partly[op[node]] == 1:  # a condition that is known
        return bool(op[pool[low]] == _CONST)
    every, some = True, False
    for k in range(low, high):
        constant = op[pool[k]] == _CONST
        every = every and constant
        some = some or constant
    return some if partly[op[node]] == 2 else (every and high > low)


@inlined
def _build(
    rule: int, rules: Any, builds: Any, leaves: Any, bind: Any, values: Any,
    op: Any, start: Any, pool: Any, payload: Any, sorts: Any, table: Any, traits: Any, st: Any,
) -> int:  # fmt: skip
    """Make the right side of a rule; -1 where its arguments have the wrong sorts."""
    top = 0
    for k in range(rules[rule, at.BUILDS], rules[rule + 1, at.BUILDS]):
        kind, what, count = builds[k, 0], _int(builds[k, 1]), _int(builds[k, 2])
        if kind == at.PUT_VARIABLE:
            values[top] = bind[what]
            top += 1
        elif kind == at.PUT_LEAF:
            values[top] = leaves[what]
            top += 1
        else:
            top -= count
            node = find_or_make(
                what, values, top, top + count,
                op, start, pool, payload, sorts, st[at.USED], table, traits,
            )  # fmt: skip
            if node < 0:
                st[at.KEY], st[at.COUNT] = what, count
                for i in range(count):
                    values[i] = values[top + i]
                return -1
            if node == st[at.USED]:
                st[at.USED] += 1
            values[top] = node
            top += 1
    return int(values[0])


@inlined
def _beside(
    made: int, code: int, groups: Any, elems: Any, owner: Any, buffer: Any,
    op: Any, start: Any, pool: Any,
) -> int:  # fmt: skip
    """Write what a rule left of the arguments at the root, and its result, to the buffer.

    The result stands where the first argument stood that was taken. Return how many there are.
    """
    count, done = 0, False
    for i in range(groups[0, 0], groups[0, 1]):
        if owner[i] < 0:
            buffer[count] = elems[i]
            count += 1
        elif not done:
            done = True
            low, high = start[made], start[made + 1]
            if op[made] != code:
                buffer[count] = made
                count += 1
                continue
            for k in range(low, high):
                buffer[count] = pool[k]
                count += 1
    return count


@inlined
def _left(groups: Any, owner: Any) -> bool:
    for i in range(groups[0, 0], groups[0, 1]):
        if owner[i] < 0:
            return True
    return False


@native
def run(  # noqa: C901, PLR0915 - the cases of one machine, which share its registers
    st: Any, tasks: Any, forms: Any, seen: Any, store: Any, data: Any, work: Any
) -> int:
    """Work off the tasks; return what is asked of the driver."""
    op, start, pool, payload, sorts, table, traits, classes = store
    (rules, steps, below, wanted, arities, builds, leaves, needs, into, over, star, here, under,
     many, partly, direct) = data  # fmt: skip
    states, cells, found, subject, bind, by, choice, groups, elems, owner, buffer = work
    codes = len(arities)
    while True:
        top = st[at.TOP]
        if top < 0:
            return at.DONE
        kind, node, now = _int(tasks[top, 0]), _int(tasks[top, 1]), _int(tasks[top, 2])

        if kind == at.VISIT:
            if forms[node] >= 0:
                st[at.TOP] = top - 1
                continue
            if forms[node] == at.OPEN:
                st[at.NODE] = node
                return at.LOOP
            low, high = start[node], start[node + 1]
            if low == high and direct[op[node]] == 0:  # a leaf, and no rule is about leaves
                forms[node] = node
                st[at.TOP] = top - 1
                continue
            if top + (high - low) + 4 >= len(tasks):
                return at.GROW
            forms[node] = at.OPEN
            tasks[top, 0] = at.REBUILD
            for k in range(high - 1, low - 1, -1):
                if forms[pool[k]] < 0:
                    top += 1
                    tasks[top, 0], tasks[top, 1] = at.VISIT, pool[k]
            st[at.TOP] = top
            continue

        if kind == at.ALIAS:
            result = forms[tasks[top, 3]]
            forms[node], forms[now] = result, result
            st[at.TOP] = top - 1
            continue

        used = st[at.USED]
        if used + _ROOM >= len(op) or start[used] + 2 * _ROOM >= len(pool):
            return at.GROW
        if 2 * (used + _ROOM) > len(table) or top + 4 >= len(tasks):
            return at.GROW

        if kind == at.REBUILD:
            low, high = start[node], start[node + 1]
            if start[used] + (high - low) + _ROOM >= len(pool) or 2 * (high - low) + 8 > len(
                buffer
            ):
                return at.GROW
            same = True
            for k in range(low, high):
                form = forms[pool[k]]
                buffer[k - low] = form
                same = same and form == pool[k]
            now = node
            if not same:
                now = find_or_make(
                    _int(op[node]), buffer, 0, high - low,
                    op, start, pool, payload, sorts, used, table, traits,
                )  # fmt: skip
                if now < 0:
                    st[at.KEY], st[at.COUNT] = op[node], high - low
                    return at.ILL_SORTED
                st[at.USED] += now == used
                if st[at.AGAIN] and now != node:
                    if forms[now] >= 0:
                        forms[node] = forms[now]
                        st[at.TOP] = top - 1
                        continue
                    if forms[now] == at.OPEN:
                        st[at.NODE] = now
                        return at.LOOP
                    forms[now] = at.OPEN
            tasks[top, 0], tasks[top, 2] = at.REDUCE, now
            st[at.RULE], st[at.SKIP], st[at.GRANTED], st[at.STOOD] = 0, 0, 0, 0
            _look(now, op, start, pool, payload, classes, seen)
            kind = at.REDUCE

        # REDUCE: the children of `now` are in normal form
        code = _int(op[now])
        made = -1
        if direct[code] != 0:
            _candidates(
                now, into, over, star, here, under, many, states, cells, found,
                op, start, pool, payload, classes, codes,
            )  # fmt: skip
            rule = st[at.RULE]
            while rule < len(needs):
                if (found[rule >> 6] >> np.uint64(rule & 63)) & np.uint64(1) == np.uint64(0):
                    if found[rule >> 6] >> np.uint64(rule & 63) == np.uint64(0):
                        rule = ((rule >> 6) + 1) << 6
                    else:
                        rule += 1
                    continue
                fits = needs[rule, 0] & ~seen[now, 0] == np.uint64(0) and needs[rule, 1] & ~seen[
                    now, 1
                ] == np.uint64(0)
                if fits and needs[rule, 2] != np.uint64(0):
                    fits = _foldable(now, op, start, pool, partly)
                if not fits:
                    rule += 1
                    continue
                st[at.NODE], st[at.RULE] = now, rule
                if rules[rule, at.NATIVE] == 0:
                    st[at.GRANTED] = 0
                    return at.ASK
                outcome = match(
                    rule, now, st[at.SKIP], rules, steps, below, wanted, arities,
                    subject, bind, by, choice, groups, elems, owner, buffer, classes,
                    op, start, pool, payload, sorts, table, traits, st, seen,
                )  # fmt: skip
                if outcome == TIGHT:
                    return at.GROW
                if outcome == WIDE:
                    st[at.GRANTED] = -1
                    return at.ASK
                if outcome == NO:
                    rule += 1
                    st[at.SKIP] = 0
                    continue
                if rules[rule, at.NATIVE] == 2 and st[at.GRANTED] == 0:
                    return at.ASK
                st[at.GRANTED] = 0
                used = st[at.USED]
                if used + _ROOM >= len(op) or start[used] + 2 * _ROOM >= len(pool):
                    return at.GROW
                if 2 * (used + _ROOM) > len(table):
                    return at.GROW
                made = _build(
                    rule, rules, builds, leaves, bind, buffer,
                    op, start, pool, payload, sorts, table, traits, st,
                )  # fmt: skip
                if made == -1:
                    return at.ILL_SORTED
                if rules[rule, at.EXTENDED] and _left(groups, owner):
                    count = _beside(made, code, groups, elems, owner, buffer, op, start, pool)
                    made = joined(
                        code, _int(arities[code]), count, buffer,
                        op, start, pool, payload, sorts, table, traits, st,
                    )  # fmt: skip
                    if made < 0:
                        return at.GROW
                if made != now:
                    break
                made = -1
                st[at.SKIP] += 1
                st[at.STOOD] = 2
        if made < 0:
            forms[now] = now
            forms[node] = now
            st[at.TOP] = top - 1
            continue
        st[at.RULE], st[at.SKIP], st[at.STOOD] = 0, 0, 0
        st[at.FIRED] += 1
        st[at.LAST] = now
        if st[at.FIRED] > st[at.BOUND]:
            st[at.NODE] = now
            return at.LIMIT
        if st[at.AGAIN]:
            tasks[top, 0], tasks[top, 2], tasks[top, 3] = at.ALIAS, now, made
            tasks[top + 1, 0], tasks[top + 1, 1] = at.VISIT, made
            st[at.TOP] = top + 1
        else:
            forms[node] = made
            seen[made] = ~np.uint64(0)  # what is in it was not looked at
            st[at.TOP] = top - 1
