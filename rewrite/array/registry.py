"""What NumPy's protocols look up: the tables are filled by the modules of each concept."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

__all__ = [
    "ELEMENTWISE", "FUNCTIONS", "METHODS", "REFUSED", "UFUNCS", "VALUES", "function",
    "numpys", "ufunc",
]  # fmt: skip

type Maker = Callable[..., Any]

numpys: Final[Any] = np
"""NumPy on terms: its own stubs know no arrays with its protocols."""

UFUNCS: Final[dict[str, Maker]] = {}
"""Ufuncs that are no row of the op table, by name: from operands to an array of terms."""
METHODS: Final[dict[str, Maker]] = {}
"""Methods of ufuncs, such as `reduce`: they take the ufunc first."""
FUNCTIONS: Final[dict[str, Maker]] = {}
"""Functions of arrays, by name, those of submodules with it: `linalg.norm`."""
REFUSED: Final = {
    **dict.fromkeys(("nonzero", "flatnonzero", "argwhere"), "where terms are not zero"),
    **dict.fromkeys(
        ("sort", "argsort", "partition", "argpartition", "lexsort", "median", "unique",
         "percentile", "quantile", "searchsorted", "digitize", "histogram"),
        "the order of terms",
    ),
    **dict.fromkeys(("argmin", "argmax"), "the place of an extreme"),
    **dict.fromkeys(("array_equal", "allclose"), "whether terms are equal"),
}  # fmt: skip
"""Functions of values that are not known when terms are built, and what depends on those."""
VALUES: Final[set[str]] = set()
"""Functions that return new values, no views, and write to nothing."""
ELEMENTWISE: Final[set[str]] = set()
"""Functions that see one element at a time, so that they take what stands for any one."""


def function(
    *names: str, elementwise: bool = False, values: bool = True
) -> Callable[[Maker], Maker]:
    """Enter a function of arrays of terms under the names that NumPy has for it."""

    def entered(maker: Maker) -> Maker:
        for name in names:
            FUNCTIONS[name] = maker
        if values:
            VALUES.update(names)
        if elementwise:
            ELEMENTWISE.update(names)
        return maker

    return entered


def ufunc(*names: str) -> Callable[[Maker], Maker]:
    """Enter what a ufunc builds."""

    def entered(maker: Maker) -> Maker:
        for name in names:
            UFUNCS[name] = maker
        return maker

    return entered
