"""Constant values: exact numbers stay exact, floats keep their bits, and each has one key.

A constant is a bool, an int, a Fraction, a float, or a `Named` real such as pi.
"""

import math
import numbers
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np

from rewrite.errors import UnsupportedOp
from rewrite.sorts import BOOL, INT, REAL, Sort

__all__ = [
    "PI",
    "Constant",
    "E",
    "Named",
    "as_constant",
    "constant_key",
    "rounded",
    "sort_of",
    "to_float",
]


@dataclass(frozen=True, slots=True)
class Named:
    """A real number that has a name because no float equals it."""

    name: str
    value: float
    """The nearest double."""

    def __repr__(self) -> str:
        """Show the name."""
        return self.name


PI: Final = Named("pi", math.pi)
E: Final = Named("e", math.e)

type Constant = bool | int | Fraction | float | Named
_PLAIN: Final = (bool, int, float, Named)


def as_constant(value: Any) -> Constant:
    """Turn a Python or NumPy number into a constant without changing its value.

    Raise `UnsupportedOp` for complex numbers and anything else that is not a real number.
    """
    if type(value) in _PLAIN:
        return value  # type: ignore[no-any-return]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, np.longdouble) and np.longdouble(float(value)) != value == value:
        raise UnsupportedOp(f"{value!r} does not fit a double; use a Fraction")
    if isinstance(value, (float, np.floating)):
        return float(value)
    if isinstance(value, numbers.Rational):
        return as_constant(Fraction(value))
    if isinstance(value, numbers.Complex):
        raise UnsupportedOp(f"complex constants are not supported: {value!r}; split it into parts")
    kind = type(value)
    hint = "; rw.parse reads text" if kind is str else ""
    if kind.__module__.startswith("sympy."):
        hint = "; rw.from_sympy reads expressions of SymPy"
    raise UnsupportedOp(f"cannot use {value!r} of type {kind.__name__} in a term{hint}")


def constant_key(value: Constant) -> tuple[str, Any]:
    """Return a key under which equal constants are one: 0.0 and -0.0 differ, every NaN is one."""
    if isinstance(value, float):
        if value != value:
            return ("f", "nan")
        return ("f", value if value or math.copysign(1.0, value) > 0 else "-0")
    return (type(value).__name__, value)


def sort_of(value: Constant) -> Sort:
    """Return the sort of a constant; a float that happens to be whole is still real."""
    if isinstance(value, bool):
        return BOOL
    return INT if isinstance(value, int) else REAL


def to_float(value: Constant) -> float:
    """Round a constant once to the nearest double; integers beyond the range become infinite."""
    if isinstance(value, Named):
        return value.value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def rounded(value: Constant, dtype: np.dtype[Any]) -> Any:
    """Round a constant once to a dtype; truth values stay truth values."""
    if isinstance(value, bool):
        return np.bool_(value)
    near = to_float(value)
    if dtype == np.float64:
        return np.float64(near)
    if (
        isinstance(value, (int, Fraction))
        and math.isfinite(near)
        and (off := value - Fraction(near))
    ):
        # Round to odd in double first, so that rounding to single is as if done once.
        bits = np.float64(near).view(np.int64)
        if not bits & 1:
            near = math.nextafter(near, math.inf if off > 0 else -math.inf)
    with np.errstate(over="ignore"):  # what does not fit is infinite
        return np.float32(near)
