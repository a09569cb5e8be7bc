"""The ops as functions: `rw.sin`, `rw.where`, ... on terms, arrays of terms and numbers."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.array import TermArray, elementwise
from rewrite.term import apply

__all__ = ["FUNCTIONS", "ROWS", "eq", "logical_and", "logical_not", "logical_or", "ne"]

_ALIASES: Final = {
    "absolute": "abs",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arctan2": "atan2",
    "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
    "negative": "neg", "rint": "round",
    "eq": "eq", "ne": "ne",
    "logical_and": "and", "logical_or": "or", "logical_not": "not",
    "power": "pow",
}  # fmt: skip
_OPERATORS: Final = {"add", "sub", "mul", "div", "neg", "pow", "symbol", "const", "pvar"} | {
    "lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not",
}  # fmt: skip


def _function(name: str, row: ops.Op) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        if any(isinstance(a, (TermArray, np.ndarray, list)) for a in args):
            return elementwise(row, *args)
        return apply(row, *args)

    function.__name__ = function.__qualname__ = name
    meaning = f"`np.{row.numpy}`" if row.numpy and row.numpy[0] != "." else f"`{row.name}`"
    function.__doc__ = (
        f"Build the term of {meaning} elementwise from {max(row.arity, 2) if row.arity else 0} "
        "or so terms, arrays of terms or numbers."
        if row.arity < 0
        else f"Build the term of {meaning} of {row.arity} argument(s), elementwise on arrays."
    )
    return function


ROWS: Final[dict[str, ops.Op]] = {
    **{row.name: row for row in ops.BUILTIN if row.name not in _OPERATORS},
    **{name: ops.BY_NAME[row] for name, row in _ALIASES.items()},
}
"""Public name to row of the op table."""

FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    name: _function(name, row) for name, row in ROWS.items()
}
"""Public name to function, e.g. `sin`, `arcsin` (as NumPy spells it) and `asin`."""

eq: Final = FUNCTIONS["eq"]
ne: Final = FUNCTIONS["ne"]
logical_and: Final = FUNCTIONS["logical_and"]
logical_or: Final = FUNCTIONS["logical_or"]
logical_not: Final = FUNCTIONS["logical_not"]
