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
    function.__doc__ = _documented(name, row)
    return function


_COUNTS: Final = {-1: "two or more arguments", 1: "one argument", 2: "two arguments"}
_MEANINGS: Final = {
    "fma": "a product and a sum, rounded once,", "erf": "the error function",
    "erfc": "1 minus the error function",
}  # fmt: skip
"""What NumPy has no name for."""
_ANGLES: Final = {
    **dict.fromkeys(("sin", "cos", "tan"), "The angle is in radians. "),
    **dict.fromkeys(("asin", "acos", "atan", "atan2"), "The result is an angle in radians. "),
}
_SORTS: Final = {
    "r": "real terms, numbers,", "b": "terms and numbers that are truth values,",
    "x": "a truth value and two terms or numbers of one sort,",
}  # fmt: skip
_ARGUMENTS: Final = {"b": ("x < y", "y < z"), "r": ("x", "y", "z"), "x": ("x", "y", "z")}


def _documented(name: str, row: ops.Op) -> str:
    """Write what a function makes, of what, and an example."""
    takes = row.takes if row.arity > 0 else row.takes * 2
    named = [_ARGUMENTS[kind][at] for at, kind in enumerate(takes)]
    count = _COUNTS.get(row.arity, f"{row.arity} arguments")
    near = '\nKernels are within 1 ulp of the exact value, 4 under `math="fast"`.'
    return f"""Return the term of {_MEANINGS.get(row.name) or f"`np.{row.numpy}`"} of {count}.

{_ANGLES.get(row.name, "")}Arguments are {_SORTS[takes[-1]]}
or arrays and lists of them, which broadcast and give a `TermArray`. Raise `SortError` for others.\
{near if row.makes == "r" else ""}

>>> import rewrite as rw
>>> x, y, z = rw.symbols("x y z")
>>> rw.{name}({", ".join(named)})
{_written(row, named)}
"""


def _written(row: ops.Op, named: list[str]) -> str:
    if not row.infix:
        return f"{row.name}({', '.join(named)})"
    parts = [f"({part})" if " " in part else part for part in named]
    between = row.infix if row is ops.POW else f" {row.infix} "
    return f"{row.infix}{parts[0]}" if len(parts) == 1 else between.join(parts)


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
