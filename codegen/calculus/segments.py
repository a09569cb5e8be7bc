"""The compiled simulator of `memory_schedule`: one way through the nodes, cut into segments.

A program is `first` and `args`, children before parents; `last[at]` is the last node that uses a
value, -1 for none. What is done is written down as `at` for computing a value, `~at` for freeing.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rewrite.dag import Dag
from rewrite.native import cached

__all__ = ["Order", "ordered"]


class Order(NamedTuple):
    """The steps, how many values live at a time at most, and how many are computed."""

    steps: npt.NDArray[np.int32]
    peak: int
    computed: int


def ordered(dag: Dag, segments: int, kept: int) -> Order:
    """Go through a program in so many segments; of what is for later, the last `kept` stay."""
    is_root = np.zeros(len(dag), np.bool_)
    is_root[dag.roots] = True
    last = np.full(len(dag), -1, np.int32)
    users = np.repeat(np.arange(len(dag), dtype=np.int32), np.diff(dag.start))
    np.maximum.at(last, dag.args, users)
    ends = np.unique(len(dag) * np.arange(1, segments + 1) // segments).astype(np.int64)
    return Order(*_ordered(dag.start, dag.args, last, is_root, ends, kept))


@cached
def _forgotten(first: Any, args: Any, is_root: Any, segment: Any, kept: int) -> Any:
    """Mark what is for later than the next segment, but for the last ones that are kept."""
    count = len(first) - 1
    then = np.full(count, -1, np.int32)
    """The first segment after its own that uses a value."""
    for at in range(count):
        for k in range(first[at], first[at + 1]):
            below = args[k]
            if segment[at] > segment[below] and then[below] < 0:
                then[below] = segment[at]
    found = np.zeros(count, np.bool_)
    for at in range(count - 1, -1, -1):
        inner = first[at] < first[at + 1] and not is_root[at]
        if inner and then[at] > segment[at] + 1:
            found[at] = kept <= 0
            kept -= 1
    return found


@cached
def _inputs(first: Any, args: Any, segment: Any, ends: Any, forgotten: Any, holds: Any) -> Any:
    """List what goes into each segment that will be run again, and count for how many it is."""
    begins = np.zeros(len(ends) + 1, np.int64)
    found = np.empty(len(args), np.int32)
    seen = np.full(len(holds), -1, np.int32)
    used, low = 0, 0
    for s in range(len(ends)):
        again = False
        for at in range(low, ends[s]):
            again |= forgotten[at]
        for k in range(first[low], first[ends[s]] if again else first[low]):
            below = args[k]
            if segment[below] != s and seen[below] != s:
                seen[below] = s
                found[used] = below
                used += 1
                holds[below] += 1
        low = ends[s]
        begins[s + 1] = used
    return begins, found


@cached
def _needed(
    first: Any, args: Any, live: Any, wanted: Any, mark: Any, number: int, stack: Any
) -> Any:
    """Return what has to be computed to have some values, in order, and mark it."""
    found, count, top = np.empty(len(live), np.int32), 0, 0
    for at in wanted:
        mark[at] = number
        stack[top], found[count] = at, at
        top, count = top + 1, count + 1
    while top:
        top -= 1
        at = stack[top]
        for k in range(first[at], first[at + 1]):
            below = args[k]
            if first[below] < first[below + 1] and not live[below] and mark[below] != number:
                mark[below] = number
                stack[top], found[count] = below, below
                top, count = top + 1, count + 1
    return np.sort(found[:count])


@cached
def _free(at: int, now: int, last: Any, holds: Any, is_root: Any, live: Any) -> bool:
    """Tell whether a value lives that is neither used after a node nor kept."""
    return bool(live[at] and last[at] <= now and holds[at] == 0 and not is_root[at])


@cached
def _ordered(  # noqa: C901 - one loop over the nodes, and one over those that are had again
    first: Any, args: Any, last: Any, is_root: Any, ends: Any, kept: int
) -> Any:
    count = len(first) - 1
    segment = np.searchsorted(ends, np.arange(count), side="right").astype(np.int32)
    forgotten = _forgotten(first, args, is_root, segment, kept)
    holds = np.zeros(count, np.int32)
    begins, inputs = _inputs(first, args, segment, ends, forgotten, holds)
    live, held = np.zeros(count, np.bool_), np.ones(len(ends), np.bool_)
    mark, user = np.zeros(count, np.int32), np.full(count, -1, np.int32)
    stack = np.empty(count, np.int32)
    steps = np.empty(4 * count + 16, np.int32)
    used, alive, peak, computed, rounds = 0, 0, 0, 0, 0
    for now in range(count):
        for k in range(first[now], first[now + 1]):
            asked = args[k]
            if live[asked] or first[asked] == first[asked + 1]:
                continue
            s, rounds = segment[asked], rounds + 1
            low, high = ends[s - 1] if s else 0, ends[s]
            wanted = low + np.flatnonzero(
                forgotten[low:high] & ~live[low:high] & (last[low:high] >= now)
            )
            order = _needed(first, args, live, wanted, mark, rounds, stack)
            for at in order:
                for j in range(first[at], first[at + 1]):
                    user[args[j]] = at
            if used + 2 * len(order) + len(inputs) + 16 > len(steps):
                steps = np.concatenate((steps, np.empty(len(steps) + 2 * len(order), np.int32)))
            for at in order:
                live[at], steps[used] = True, at
                used, alive, computed = used + 1, alive + 1, computed + 1
                peak = max(peak, alive)
                for j in range(first[at], first[at + 1]):
                    below = args[j]
                    stays = forgotten[below] and segment[below] == s and last[below] >= now
                    if mark[below] == rounds and user[below] == at and live[below] and not stays:
                        live[below], steps[used] = False, ~below
                        used, alive = used + 1, alive - 1
            for j in range(begins[s], begins[s + 1] if held[s] else begins[s]):
                below = inputs[j]
                holds[below] -= 1
                if _free(below, now - 1, last, holds, is_root, live):
                    live[below], steps[used] = False, ~below
                    used, alive = used + 1, alive - 1
            held[s] = False
        if used + 2 * (first[now + 1] - first[now]) + count + 16 > len(steps):
            steps = np.concatenate((steps, np.empty(len(steps), np.int32)))
        if first[now] < first[now + 1]:
            live[now], steps[used] = True, now
            used, alive, computed = used + 1, alive + 1, computed + 1
            peak = max(peak, alive)
            for k in range(first[now], first[now + 1] + 1):
                at = args[k] if k < first[now + 1] else now
                if _free(at, now, last, holds, is_root, live):
                    live[at], steps[used] = False, ~at
                    used, alive = used + 1, alive - 1
        s = segment[now]
        if now + 1 == ends[s]:
            for at in range(ends[s - 1] if s else 0, ends[s]):
                if forgotten[at] and live[at]:
                    live[at], steps[used] = False, ~at
                    used, alive = used + 1, alive - 1
    return steps[:used].copy(), peak, computed
