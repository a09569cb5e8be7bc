"""A smallest set with which something still holds.

Halves, quarters, ... and at last single ones are left out while it does (Zeller & Hildebrandt 2002,
"Simplifying and isolating failure-inducing input").
"""

from collections.abc import Callable, Sequence

__all__ = ["minimal"]


def minimal[T](
    items: Sequence[T], holds: Callable[[list[T]], list[T] | None], over: Callable[[], bool]
) -> list[T]:
    """Leave out items while it holds, until the time is over.

    `holds` returns those of the given ones to go on with, None where it does not hold any more.
    """
    kept = list(items)
    size = max(1, len(kept) // 2)
    while True:
        at = 0
        while at < len(kept):
            if over():
                return kept
            rest = holds(kept[:at] + kept[at + size :])
            if rest is None:
                at += size
            else:
                kept = rest
        if size == 1:
            return kept
        size = max(1, size // 2)
