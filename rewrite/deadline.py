"""A point in time that long loops look at, whoever called them.

Python's own loops over a large program take seconds. Each looks at the clock once a turn, so that
what is bounded in time can be ended inside of any of them.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from typing import Final

__all__ = ["OutOfTime", "left", "look", "until"]


class OutOfTime(Exception):
    """The deadline has passed; whoever set it catches this."""


_end: Final = ContextVar("deadline", default=inf)


@contextmanager
def until(end: float) -> Iterator[None]:
    """Let loops inside raise `OutOfTime` from a point of `time.perf_counter` on.

    An earlier deadline from outside stays.
    """
    token = _end.set(min(end, _end.get()))
    try:
        yield
    finally:
        _end.reset(token)


def left() -> float:
    """Return the seconds until the deadline, negative ones after it."""
    end = _end.get()
    return end - time.perf_counter() if end < inf else inf


def look() -> None:
    """Raise `OutOfTime` if the deadline has passed."""
    end = _end.get()
    if end < inf and time.perf_counter() > end:
        raise OutOfTime
