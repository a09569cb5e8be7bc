"""Functions moved by one float: more to judge by, where the values of a source are few.

A small integer, or the sign of a number, gives a function few operands, at each of which one
implementation has one error. What NumPy's functions make of them says little of a kernel's, whose
last bits differ: by chance a difference that keeps no digit is zero, or three roundings cancel. So
such sources and their candidates are looked at again with the results of functions moved to the
next float up or down or left, at random but the same wherever a function has that result. What
every implementation has exactly, as exp(0), stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.cost import constant_positions
from rewrite.dag import Dag
from rewrite.evaluate import FUNCTIONS, function_of, is_plain
from rewrite.measured import Measured

__all__ = ["Moved", "has_few_values"]

type Array = npt.NDArray[Any]

FEW: Final = 32
"""Values."""
PATTERNS: Final = 8
"""Ways in which functions are moved, at one of so many points each."""
NODES: Final = 2_000
"""Larger programs are judged as they are: they were judged in parts."""
ROUNDED: Final = frozenset(row.code for row in (ops.DIV, ops.SQRT, ops.RSQRT))
FUNCTION: Final = np.array(
    [row.makes == "r" and row.arity > 0 and row.code not in ROUNDED for row in ops.BUILTIN]
)
"""By code: ops whose last bit is that of an implementation."""
SHORT: Final[dict[Any, tuple[Any, int]]] = {
    np.dtype(np.float64): (np.uint64, 20), np.dtype(np.float32): (np.uint32, 8),
}  # fmt: skip
"""A result with so many zeros at its end is exact, as log2(8) is."""
MIX: Final = 0x9E3779B97F4A7C15
"""Spreads bits (the golden ratio, as in SplitMix64)."""


def has_few_values(dag: Dag, measured: Measured) -> bool:
    """Tell whether some root of a source with functions has but few values at its points."""
    if len(dag) > NODES or not is_plain(dag) or not FUNCTION[dag.code].any():
        return False
    constant = constant_positions(dag)
    varied = ~measured.truth & ~np.array([constant[root] for root in dag.roots])
    valid = measured.exact.ok & measured.present & np.isfinite(measured.values)
    numbers = np.where(valid, measured.exact.nearest(), np.inf)
    ordered = np.sort(numbers[varied], axis=1)
    different = (ordered[:, 1:] != ordered[:, :-1]).sum(1) + 1
    return bool(((different <= FEW) & (valid[varied].sum(1) > FEW)).any())


@dataclass(frozen=True, slots=True)
class Moved:
    """More columns than there are points: `places` says whose, `patterns` how functions move."""

    places: Array
    patterns: Array
    """0 where they do not."""

    @property
    def points(self) -> int:
        """How many columns come first, in which nothing is moved."""
        return int(np.count_nonzero(self.patterns == 0))

    @staticmethod
    def of(count: int) -> "Moved":
        """Look at all of so many points, and at some again."""
        again = np.arange(0, count, PATTERNS)
        patterns = np.repeat(np.arange(1, PATTERNS + 1), len(again))
        return Moved(
            np.r_[np.arange(count), np.tile(again, PATTERNS)],
            np.r_[np.zeros(count, np.int64), patterns].astype(np.uint64),
        )

    def meaning(self, dag: Dag, at: int, code: int) -> Callable[..., Any]:
        """Return the function of a node, whose results move."""
        function = function_of(dag, at, code)
        if not FUNCTION[code] or function is not FUNCTIONS[code]:
            return function  # small powers are products
        return lambda *args: self._next(function(*args), code)

    def _next(self, values: Any, code: int) -> Array:
        array = np.array(np.broadcast_to(values, self.patterns.shape))
        word, zeros = SHORT[array.dtype]
        bits = array.view(word)
        seed = np.uint64(MIX) * (self.patterns * np.uint64(len(FUNCTION)) + np.uint64(code))
        mixed = (bits.astype(np.uint64) + seed) * np.uint64(MIX)
        mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(MIX)
        way = (mixed >> np.uint64(40)) % np.uint64(3)
        stays = (self.patterns == 0) | (bits & word((1 << zeros) - 1) == 0) | (way == 0)
        end = np.where(way == 1, array.dtype.type(np.inf), array.dtype.type(-np.inf))
        moved: Array = np.where(stays, array, np.nextafter(array, end))
        return moved
