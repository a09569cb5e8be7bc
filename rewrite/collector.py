"""The collector of circular garbage, of which there is little: it walks over all rows often."""

import gc
from collections.abc import Callable
from functools import wraps
from typing import Any

__all__ = ["uncollected"]


class uncollected:
    """Keep the collector from running while many objects are made that all stay."""

    __slots__ = ("enabled",)

    def __enter__(self) -> None:
        """Stop it."""
        self.enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        """Let it run again, if it did."""
        if self.enabled:
            gc.enable()

    def __call__[**P, R](self, function: Callable[P, R]) -> Callable[P, R]:
        """Keep it from running while a function does; a generator's machinery would cost 2 us."""

        @wraps(function)
        def inner(*args: P.args, **kwargs: P.kwargs) -> Any:
            with uncollected():
                return function(*args, **kwargs)

        return inner
