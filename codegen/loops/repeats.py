"""Tables of constants that repeat, as those of a grid do row by row: each part is kept once.

A table that is read from beginning to end comes from the second-level cache or from memory. What
repeats stays in the first, and the vectors that are written have it to themselves.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.loops.program import Numbers

__all__ = ["Repeats", "repeats_of"]

type Index = npt.NDArray[Any]

_LARGE: Final = 2048
"""Numbers of a table that is worth a look."""
_WINDOW: Final = 64
"""Numbers in a row by which parts are recognised; periods are no shorter than two of them."""
_FACTOR: Final = 0x9E3779B97F4A7C15
_SMALLER: Final = 0.5
"""What is kept of the table, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Repeats:
    """Instances from `starts[r]` on read `kept` from `sources[r]` on."""

    starts: Index
    sources: Index
    kept: Numbers

    def at(self, starts: Index) -> Index:
        """Return where others read that start at these instances."""
        run = np.searchsorted(self.starts, starts, side="right") - 1
        found: Index = self.sources[run] + starts - self.starts[run]
        return found


def repeats_of(numbers: Numbers) -> Repeats | None:
    """Find a period that most of a table has."""
    count = len(numbers.f64)
    if count < _LARGE:
        return None
    words = numbers.f64.view(np.uint64), numbers.f32.view(np.uint32)
    period = _period(words[0])
    if period is None:
        return None
    again = np.ones(count - period, bool)
    for word in words:
        again &= word[period:] == word[:-period]
    return _cut(numbers, again, period)


def _period(words: npt.NDArray[np.uint64]) -> int | None:
    """Return the commonest distance of equal windows, but for short ones."""
    sums, width, factor = words, 1, _FACTOR
    while width < _WINDOW:  # of twice the width each time
        sums = sums[:-width] * np.uint64(factor) + sums[width:]
        width, factor = 2 * width, factor * factor % (1 << 64)
    order = np.argsort(sums, kind="stable")
    apart = np.diff(order)[sums[order[1:]] == sums[order[:-1]]]
    apart = apart[apart >= 2 * _WINDOW]
    if not apart.size:
        return None
    found, times = np.unique(apart, return_counts=True)
    return int(found[times.argmax()])


def _cut(numbers: Numbers, again: Index, period: int) -> Repeats | None:
    """Cut the table where parts of one period begin that are as the part before."""
    edges = np.flatnonzero(np.diff(np.r_[False, again, False]))
    starts, sources, chosen, size, done = [0], [0], list[Index](), 0, 0
    for low, high in edges.reshape(-1, 2).tolist():
        if high - low < period or low < done:
            continue
        # up to the first repetition all is kept; what follows reads its last period again
        first = low + period
        chosen.append(np.arange(done, first))
        size += first - done
        for begin in range(first, high + 1, period):
            starts.append(begin)
            sources.append(size - period)
        done = first + (high - low) // period * period
        starts.append(done)
        sources.append(size)
    chosen.append(np.arange(done, len(numbers.f64)))
    kept = np.concatenate(chosen)
    if len(kept) > _SMALLER * len(numbers.f64):
        return None
    if starts[-1] == len(numbers.f64):
        starts, sources = starts[:-1], sources[:-1]
    return Repeats(np.array(starts), np.array(sources), numbers.at(kept))
