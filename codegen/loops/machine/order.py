"""The order of steps: list scheduling of units, as many of one class as are ready in each step.

A unit is an instance of a loop, a sum, or a piece of straight-line code. Classes are numbers from 1
on; units of class 0 are straight-line code, those of class -1 only wait for others. `G` is the
graph: what each unit waits for, how many it waits for; users of each unit. `Q` are queues.
"""

from typing import Any, Final

from rewrite.native import inlined, native

__all__ = ["schedule"]

STRAIGHT: Final = 0
WAITS: Final = -1
COMPLETE: Final = 33
"""The bucket of classes all whose units are ready; others are in that of the log of how many."""

# cells of the state
LINE, READ, TASKS, ENTRIES, ORDERED, STEPS = range(6)


@inlined
def _enter(c: int, bucket: int, Q: Any, st: Any) -> None:
    heads, classes, following = Q[3], Q[4], Q[5]
    entry = st[ENTRIES]
    st[ENTRIES] = entry + 1
    classes[entry], following[entry] = c, heads[bucket]
    heads[bucket] = entry


@inlined
def _ready(unit: int, G: Any, Q: Any, st: Any) -> None:
    """Put a unit where it waits to be taken."""
    cls = G[3]
    line, ready, chain, count, left, tasks = Q[0], Q[1], Q[2], Q[6], Q[7], Q[8]
    c = cls[unit]
    if c == WAITS:
        tasks[st[TASKS]] = unit
        st[TASKS] += 1
        return
    if c == STRAIGHT:
        line[st[LINE]] = unit
        st[LINE] += 1
        return
    chain[unit] = ready[c]
    ready[c] = unit
    count[c] += 1
    here = count[c]
    if here == left[c]:
        _enter(c, COMPLETE, Q, st)
    elif here & (here - 1) == 0:
        bucket = 0
        while here > 1:
            here >>= 1
            bucket += 1
        _enter(c, bucket, Q, st)


@native
def _release(unit: int, G: Any, Q: Any, st: Any) -> None:
    """Note that a unit is done, and with it those that only waited for it."""
    first, users, waits = G[0], G[1], G[2]
    tasks = Q[8]
    tasks[st[TASKS]] = unit
    st[TASKS] += 1
    while st[TASKS] > 0:
        st[TASKS] -= 1
        done = tasks[st[TASKS]]
        for k in range(first[done], first[done + 1]):
            user = users[k]
            waits[user] -= 1
            if waits[user] == 0:
                waits[user] = -1
                _ready(user, G, Q, st)


@inlined
def _choose(Q: Any, st: Any) -> int:
    """Return the class that is complete, or has most units ready; 0 where none has any."""
    heads, classes, following, count, left = Q[3], Q[4], Q[5], Q[6], Q[7]
    for bucket in range(COMPLETE, -1, -1):
        while heads[bucket] >= 0:
            entry = heads[bucket]
            heads[bucket] = following[entry]
            c = classes[entry]
            if count[c] == 0:
                continue
            if bucket == COMPLETE and count[c] == left[c]:
                return int(c)
            if bucket < COMPLETE and count[c] >= (1 << bucket):
                return int(c)
    return 0


@inlined
def _take(c: int, G: Any, Q: Any, st: Any, order: Any) -> None:
    """Move the ready units of a class to the order, or to straight-line code if they are few."""
    line, ready, chain, count, left, least = Q[0], Q[1], Q[2], Q[6], Q[7], Q[9]
    unit = ready[c]
    few = count[c] < least[c]
    left[c] -= count[c]
    ready[c], count[c] = -1, 0
    while unit >= 0:
        if few:
            line[st[LINE]] = unit
            st[LINE] += 1
        else:
            order[st[ORDERED]] = unit
            st[ORDERED] += 1
        unit = chain[unit]


@native
def schedule(G: Any, Q: Any, st: Any, order: Any, begins: Any, kinds: Any) -> None:
    """Order all units that can be; `begins` and `kinds` are where steps begin and their classes."""
    waits, cls = G[2], G[3]
    line = Q[0]
    for unit in range(len(cls)):
        if waits[unit] == 0:
            waits[unit] = -1
            if cls[unit] == WAITS:
                _release(unit, G, Q, st)
            else:
                _ready(unit, G, Q, st)
    while True:
        low = st[ORDERED]
        begins[st[STEPS]] = low
        while st[READ] < st[LINE]:
            unit = line[st[READ]]
            st[READ] += 1
            order[st[ORDERED]] = unit
            st[ORDERED] += 1
            _release(unit, G, Q, st)
        if st[ORDERED] > low:
            kinds[st[STEPS]] = STRAIGHT
            st[STEPS] += 1
            continue
        c = _choose(Q, st)
        if c == 0:
            break
        _take(c, G, Q, st, order)
        if st[ORDERED] > low:
            kinds[st[STEPS]] = c
            st[STEPS] += 1
            for k in range(low, st[ORDERED]):
                _release(order[k], G, Q, st)
