"""What programs are made of: value types, ops with their signatures, constants, arguments."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from rewrite.constants import rounded, to_float

if TYPE_CHECKING:
    from codegen.program import Program

__all__ = ["MOST_AXES", "SIGNATURES", "Argument", "Constant", "Instruction", "Output", "ValueType"]

MOST_AXES: Final = 2
"""Axes of an argument or result: the drivers of loops walk as many."""

type ValueType = Literal["f", "b", "w"]
"""A number, a truth value, or all that a loop leaves."""

_UNARY = (
    "neg sqrt rsqrt cbrt exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh "
    "tanh asinh acosh atanh erf erfc abs sign floor ceil trunc round"
)
# within 4 ulp instead of 1
_FAST = (
    "exp exp2 expm1 log log2 log10 log1p sin cos tan asin acos atan sinh cosh tanh asinh "
    "acosh atanh cbrt rsqrt erf erfc"
)
_FAST_BINARY = "pow atan2 hypot"
_BINARY = "add sub mul div hypot atan2 pow copysign fmod minimum maximum"
type _Signatures = tuple[tuple[str, ValueType], ...]
_TABLE: dict[str, _Signatures] = {
    **dict.fromkeys(_UNARY.split(), (("f", "f"),)),
    **dict.fromkeys((f"fast_{name}" for name in _FAST.split()), (("f", "f"),)),
    **dict.fromkeys((f"fast_{name}" for name in _FAST_BINARY.split()), (("ff", "f"),)),
    **dict.fromkeys(_BINARY.split(), (("ff", "f"),)),
    **dict.fromkeys(("lt", "le", "gt", "ge"), (("ff", "b"),)),
    **dict.fromkeys(("eq", "ne"), (("ff", "b"), ("bb", "b"))),
    **dict.fromkeys(("and", "or"), (("bb", "b"),)),
    "not": (("b", "b"),),
    "fma": (("fff", "f"),),
    "where": (("bff", "f"), ("bbb", "b")),
    "const": (("", "f"), ("", "b")),
    "load": (("", "f"), ("", "b")),
}
SIGNATURES: Final[Mapping[str, _Signatures]] = MappingProxyType(_TABLE)
"""Operand and result types that each op takes; its meaning is that of the NumPy function."""


@dataclass(frozen=True, slots=True, eq=False)
class Constant:
    """A real constant, rounded once to each float type; equal when the bits are."""

    f64: float
    f32: float
    """A Python float that float32 represents exactly."""

    @classmethod
    def of(cls, value: int | Fraction | float | str) -> "Constant":
        """Round an exact number, a float, or the names 'pi' and 'e'."""
        if isinstance(value, str):
            value = {"pi": math.pi, "e": math.e}[value]
        return cls(to_float(value), float(rounded(value, np.dtype(np.float32))))

    @property
    def single(self) -> float | None:
        """The number, if it is the same in both types."""
        return self.f64 if self.f64 == self.f32 else None

    def bits(self) -> bytes:
        """Return what equality compares; every NaN is the same one."""
        return struct.pack("<dd", *(math.nan if x != x else x for x in (self.f64, self.f32)))

    def __eq__(self, other: object) -> bool:
        """Compare bits, so that -0.0 is not 0.0 and NaN is itself."""
        return isinstance(other, Constant) and self.bits() == other.bits()

    def __hash__(self) -> int:
        """Hash the bits."""
        return hash(self.bits())

    def __str__(self) -> str:
        """Show one number where the second is its rounding, else both."""
        if self == Constant.of(self.f64):
            return repr(self.f64)
        return f"{self.f64!r} | {np.format_float_positional(np.float32(self.f32), trim='0')}"


@dataclass(frozen=True, slots=True)
class Argument:
    """A named input with a core shape, () for one number per point."""

    name: str
    shape: tuple[int, ...] = ()
    type: ValueType = "f"


@dataclass(frozen=True, slots=True)
class Output:
    """A named result: the values of its components in row-major order, and its core shape."""

    name: str
    values: tuple[int, ...]
    shape: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Instruction:
    """One value: an op, the numbers of its operands, its type, and what `const` or `load` needs.

    The payload of a `load` is (argument, component), both counted from zero.

    A `while` takes a state and, after it, what does not change. Its payload is the program of a
    step, which takes the same, and makes whether to go on (of the state it is given), then the next
    state. `result` is part of the state at the end; its payload says which.
    """

    op: str
    args: tuple[int, ...] = ()
    type: ValueType = "f"
    payload: "Constant | bool | tuple[int, int] | int | Program | None" = None
