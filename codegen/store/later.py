"""A value that is made when it is first asked for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Later"]


@dataclass(frozen=True, slots=True, eq=False)
class Later:
    """Stands where the value will be."""

    make: Callable[[], Any]
