"""Work cells in ranges, given out again when the last step that reads them is done."""

from typing import Final

import numpy as np

__all__ = ["Workspace"]

_PAGE: Final = 8
"""Ranges begin at multiples of this, so that vectors of work cells are aligned."""


class Workspace:
    """Give out ranges of cells step by step."""

    def __init__(self, steps: int) -> None:
        self.size = 0
        self._step = -1
        self._ends: list[list[tuple[int, int]]] = [[] for _ in range(steps + 1)]
        self._free: list[tuple[int, int]] = []
        """Ranges (begin, end) in order."""

    def at(self, step: int) -> None:
        """Begin a step: what was last read before it is free."""
        while self._step < step - 1:
            self._step += 1
            for begin, end in self._ends[self._step]:
                self._release(begin, end)

    def take(self, count: int, last: int) -> int:
        """Return the first cell of a new range, to be read until the end of step `last`."""
        need = -(-count // _PAGE) * _PAGE
        for k, (begin, end) in enumerate(self._free):
            if end - begin >= need:
                self._free[k : k + 1] = [(begin + need, end)] if end - begin > need else []
                break
        else:
            begin = self.size
            self.size += need
        if last > self._step:
            self._ends[last].append((begin, begin + need))
        return begin

    def _release(self, begin: int, end: int) -> None:
        free = self._free
        at = int(np.searchsorted([low for low, _ in free], begin))
        if at < len(free) and free[at][0] == end:
            end = free.pop(at)[1]
        if at > 0 and free[at - 1][1] == begin:
            begin = free.pop(at - 1)[0]
            at -= 1
        free.insert(at, (begin, end))
