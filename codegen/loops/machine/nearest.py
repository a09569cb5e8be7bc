"""The order of straight-line code: next is what finds most of what it reads in the cache.

Lines are numbers: first those of values that units make, in the order of the units, then those of
cells that are only read. `G` is the graph: where each unit's reads begin, the lines that it reads;
where each line's users begin, the units that read it; where each unit's own lines begin; how many
reads of values each unit waits for. `C` is the cache: the line used before each, and after it;
whether it is there; how many of its users are still to come. `R` are the units that are ready.
"""

from typing import Any, Final

from rewrite.native import inlined, native

__all__ = ["nearest"]

MISSED: Final = 1.0
"""What a line costs that is not there."""
FOUND: Final = 2.0
"""What the last user of a line gains that is there; others gain their share of it."""
MADE: Final = 1.0
"""What a line costs that is made for others: it takes another's place."""
SHARE: Final = 0.2
"""How much less each line of a unit weighs per line that it reads."""


@inlined
def _unlink(line: int, C: Any) -> None:
    before, after = C[0], C[1]
    before[after[line]], after[before[line]] = before[line], after[line]


@inlined
def _touch(line: int, C: Any, ends: int) -> None:
    """Make a line the one that was used last; the place behind all lines holds both ends."""
    before, after, there = C[0], C[1], C[2]
    if there[line]:
        _unlink(line, C)
    there[line] = True
    last = before[ends]
    before[line], after[line] = last, ends
    after[last], before[ends] = line, line


@inlined
def _cost(unit: int, G: Any, C: Any) -> float:
    starts, reads, owned = G[0], G[1], G[4]
    there, left = C[2], C[3]
    cost = 0.0
    for line in range(owned[unit], owned[unit + 1]):
        if left[line] > 0:
            cost += MADE
    for k in range(starts[unit], starts[unit + 1]):
        line = reads[k]
        cost += -FOUND / left[line] if there[line] else MISSED
    return float(cost / (1.0 + SHARE * (starts[unit + 1] - starts[unit])))


@inlined
def _cheapest(R: Any, ready: int, G: Any, C: Any) -> int:
    """Return the place of the unit that costs least."""
    best, least = 0, _cost(R[0], G, C)
    for k in range(1, ready):
        cost = _cost(R[k], G, C)
        if cost < least:
            best, least = k, cost
    return best


@inlined
def _read(unit: int, G: Any, C: Any) -> int:
    """Read what a unit reads; return how many lines more are held."""
    starts, reads, owned, waits = G[0], G[1], G[4], G[5]
    there, left = C[2], C[3]
    ends, values, more = len(there), owned[len(waits)], 0
    for k in range(starts[unit], starts[unit + 1]):
        line = reads[k]
        left[line] -= 1
        more += not there[line]
        _touch(line, C, ends)
        if left[line] == 0 and line < values:  # nobody needs it any more
            _unlink(line, C)
            there[line] = False
            more -= 1
    return more


@inlined
def _make(unit: int, ready: int, G: Any, C: Any, R: Any) -> int:
    """Write what a unit makes; return how many units are ready then."""
    first, users, owned, waits = G[2], G[3], G[4], G[5]
    for line in range(owned[unit], owned[unit + 1]):
        _touch(line, C, len(C[2]))
        for k in range(first[line], first[line + 1]):
            user = users[k]
            waits[user] -= 1
            if waits[user] == 0:
                R[ready] = user
                ready += 1
    return ready


@inlined
def _evict(count: int, C: Any) -> None:
    """Take away the lines that were used first."""
    after, there = C[1], C[2]
    for _ in range(count):
        oldest = after[len(there)]
        _unlink(oldest, C)
        there[oldest] = False


@native
def nearest(G: Any, C: Any, R: Any, size: int, order: Any) -> int:
    """Order all units; return how many could be. The cache has room for `size` lines."""
    owned, waits = G[4], G[5]
    before, after = C[0], C[1]
    ends = len(C[2])
    before[ends], after[ends] = ends, ends
    ready = 0
    for unit in range(len(waits)):
        if waits[unit] == 0:
            R[ready] = unit
            ready += 1
    done = held = 0
    while ready > 0:
        best = _cheapest(R, ready, G, C)
        unit = R[best]
        ready -= 1
        R[best] = R[ready]
        order[done] = unit
        done += 1
        held += _read(unit, G, C) + owned[unit + 1] - owned[unit]
        ready = _make(unit, ready, G, C, R)
        if held > size:
            _evict(held - size, C)
            held = size
    return done
