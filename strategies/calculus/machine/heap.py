"""A heap of numbers in an array, the least one first; its user keeps count of the entries."""

from typing import Any

from rewrite.native import inlined

__all__ = ["drop_least", "push"]


@inlined
def push(heap: Any, count: int, key: int) -> None:
    """Enter a key behind so many entries."""
    place = count
    while place > 0 and heap[(place - 1) >> 1] > key:
        heap[place] = heap[(place - 1) >> 1]
        place = (place - 1) >> 1
    heap[place] = key


@inlined
def drop_least(heap: Any, count: int) -> None:
    """Take the least key off, so that `count` entries are left."""
    last, place = heap[count], 0
    while True:
        down = 2 * place + 1
        if down + 1 < count and heap[down + 1] < heap[down]:
            down += 1
        if down >= count or heap[down] >= last:
            break
        heap[place] = heap[down]
        place = down
    heap[place] = last
