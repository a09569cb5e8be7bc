"""How loops that share the store's columns are compiled."""

from collections.abc import Callable
from typing import Any

import numba as nb

__all__ = ["native"]


def native[F: Callable[..., Any]](function: F) -> F:
    """Compile a loop to machine code that only borrows its arrays.

    Arrays are not counted: each view and many a call would do so atomically, which took half of
    the time. So such a function must not make, slice or return an array. Without the global lock.
    """
    options: dict[str, Any] = {"cache": True, "nogil": True, "_nrt": False}
    return nb.njit(**options)(function)  # type: ignore[no-any-return]
