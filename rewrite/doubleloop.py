"""The compiled loop of `rewrite.doubles`: programs on double-doubles, with bounds on the errors.

A value is high + low, off by at most an error that is carried along. The operations are those of
M. Joldes, J.-M. Muller and V. Popescu, "Tight and rigorous error bounds for basic building blocks
of double-word arithmetic", 2017, and their bounds, rounded up to powers of two, hold while nothing
underflows: what is near that, or overflows, gets an infinite error.
"""

import math
from fractions import Fraction
from typing import Any, Final

import numba as nb
import numpy as np

from rewrite import ops
from rewrite.native import cached

__all__ = ["run"]

_ADD, _SUB, _MUL, _DIV, _NEG = (row.code for row in (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG))
_FMA, _SQRT, _ABS, _POW = ops.FMA.code, ops.SQRT.code, ops.ABS.code, ops.POW.code
_RSQRT, _SIN, _COS = ops.RSQRT.code, ops.SIN.code, ops.COS.code
_DONE: Final = np.zeros(256, np.bool_)
_DONE[[_ADD, _SUB, _MUL, _DIV, _NEG, _FMA, _SQRT, _ABS, _POW, _RSQRT, _SIN, _COS]] = True
_UNIT: Final = 2.0**-101
"""No operation is off by more, relatively: a quotient by 17 u**2, others by less, u = 2**-53."""
_SLACK: Final = 1 + 2.0**-40
"""Bounds are rounded themselves."""
_LEAST: Final = 2.0**-900
_MOST_POWER: Final = 64
_FARTHEST: Final = 2.0**20
_SERIES: Final = 2.0**-100
"""By how much sine and cosine are off on [-0.8, 0.8] at most, relatively to the argument and 1."""
_QUARTER: Final = tuple(
    map(
        float.fromhex,
        (
            "0x1.921fb54400000p+0", "0x1.0b4611a600000p-34",
            "0x1.3198a2e000000p-69", "0x1.b839a252049c1p-104",
        ),
    )
)  # fmt: skip
"""Half of pi in parts; up to 2**20 times the first three are exact."""


def _pair(value: Fraction) -> tuple[float, float]:
    high = float(value)
    return high, float(value - Fraction(high))


_SINE: Final = np.array([_pair(Fraction((-1) ** k, math.factorial(2 * k + 1))) for k in range(14)])
_COSINE: Final = np.array([_pair(Fraction((-1) ** k, math.factorial(2 * k))) for k in range(15)])


@nb.njit(cache=True, nogil=True, inline="always")
def _two_sum(a: Any, b: Any) -> Any:
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)


@nb.njit(cache=True, nogil=True, inline="always")
def _fast_sum(a: Any, b: Any) -> Any:
    total = a + b
    return total, b - (total - a)


@nb.njit(cache=True, nogil=True, inline="always")
def _two_product(a: Any, b: Any) -> Any:
    wide_a, wide_b = a * 134217729.0, b * 134217729.0
    high_a, high_b = wide_a - (wide_a - a), wide_b - (wide_b - b)
    low_a, low_b = a - high_a, b - high_b
    product = a * b
    error = ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
    return product, error


@cached
def _sum(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Add a + b and c + d."""
    high, rest = _two_sum(a, c)
    low, least = _two_sum(b, d)
    high, rest = _fast_sum(high, rest + low)
    return _fast_sum(high, rest + least)


@cached
def _product(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Multiply a + b and c + d."""
    high, rest = _two_product(a, c)
    return _fast_sum(high, rest + (a * d + b * c + b * d))


@cached
def _quotient(a: Any, b: Any, c: Any, d: Any) -> Any:
    """Divide a + b by c + d."""
    first = a / c
    high, low = _product(c, d, first, 0.0)
    rest = (a - high) + (b - low)
    return _fast_sum(first, rest / c)


@cached
def _added(x: Any, y: Any) -> Any:
    high, low = _sum(x[0], x[1], y[0], y[1])
    return high, low, (x[2] + y[2] + _UNIT * abs(high)) * _SLACK


@cached
def _multiplied(x: Any, y: Any) -> Any:
    high, low = _product(x[0], x[1], y[0], y[1])
    error = abs(x[0]) * y[2] + abs(y[0]) * x[2] + x[2] * y[2] + _UNIT * abs(high)
    if abs(high) < _LEAST and x[0] != 0.0 and y[0] != 0.0:
        error = np.inf
    return high, low, error * _SLACK


@cached
def _divided(x: Any, y: Any) -> Any:
    size = abs(y[0])
    if not size > 2.0 * y[2] or size < _LEAST or (x[0] != 0.0 and abs(x[0]) < _LEAST):
        return 0.0, 0.0, np.inf
    high, low = _quotient(x[0], x[1], y[0], y[1])
    error = (x[2] + abs(high) * y[2]) / (size - y[2]) + _UNIT * abs(high)
    if x[0] != 0.0 and abs(high) < _LEAST:
        error = np.inf
    return high, low, error * _SLACK


@cached
def _root(x: Any) -> Any:
    if x[0] == 0.0 and x[2] == 0.0:
        return 0.0, 0.0, 0.0
    if not x[0] > 2.0 * x[2] or x[0] < _LEAST:
        return 0.0, 0.0, np.inf
    first = math.sqrt(x[0])
    high, low = _two_product(first, first)
    high, low = _fast_sum(first, ((x[0] - high) + (x[1] - low)) / (2.0 * first))
    return high, low, (x[2] / high + _UNIT * high) * _SLACK


@cached
def _powered(x: Any, y: Any) -> Any:
    """Raise to a small integer."""
    count = abs(y[0])
    if y[1] != 0.0 or y[2] != 0.0 or count > _MOST_POWER or count != math.floor(count):
        return 0.0, 0.0, np.inf
    if not x[2] < np.inf:
        return 0.0, 0.0, np.inf
    made = (1.0, 0.0, 0.0)
    for _ in range(int(count)):
        made = _multiplied(made, x)
    return _divided((1.0, 0.0, 0.0), made) if y[0] < 0 else made


@cached
def _series(table: Any, a: Any, b: Any) -> Any:
    high, low = table[-1, 0], table[-1, 1]
    for k in range(len(table) - 2, -1, -1):
        high, low = _product(high, low, a, b)
        high, low = _sum(high, low, table[k, 0], table[k, 1])
    return high, low


@cached
def _wave(x: Any, turn: int) -> Any:
    """Return the sine, or with a turn of 1 the cosine."""
    if not (abs(x[0]) < _FARTHEST and x[2] < 1.0):
        return 0.0, 0.0, np.inf
    count = np.rint(x[0] / _QUARTER[0])
    high, low, size = x[0], x[1], 0.0
    for k in range(4):
        high, low = _sum(high, low, -count * _QUARTER[k], 0.0)
        size += abs(high)
    error = x[2] + _UNIT * size + abs(count) * 2.0**-150
    a, b = _product(high, low, high, low)
    turn = (turn + int(count)) & 3
    if turn & 1:
        made, rest = _series(_COSINE, a, b)
        error += _SERIES
    else:
        made, rest = _series(_SINE, a, b)
        made, rest = _product(made, rest, high, low)
        error += _SERIES * abs(high)
    if abs(high) < _LEAST and not (turn & 1):
        if high != 0.0 or x[2] != 0.0:
            error = np.inf
    if turn & 2:
        made, rest = -made, -rest
    return made, rest, error * _SLACK


@cached
def _applied(op: int, x: Any, y: Any) -> Any:  # noqa: C901 - one branch for each op
    if op == _ADD:
        return _added(x, y)
    if op == _SUB:
        return _added(x, (-y[0], -y[1], y[2]))
    if op == _MUL:
        return _multiplied(x, y)
    if op == _DIV:
        return _divided(x, y)
    if op == _NEG:
        return -x[0], -x[1], x[2]
    if op == _ABS:
        return (-x[0], -x[1], x[2]) if x[0] < 0 else x
    if op == _SQRT:
        return _root(x)
    if op == _RSQRT:
        return _divided((1.0, 0.0, 0.0), _root(x))
    if op == _POW:
        return _powered(x, y)
    if op == _SIN:
        return _wave(x, 0)
    if op == _COS:
        return _wave(x, 1)
    return 0.0, 0.0, np.inf


@cached
def run(code: Any, start: Any, args: Any, high: Any, low: Any, error: Any) -> None:
    """Fill in the rows of inner nodes, children first; those of leaves are known.

    An error is infinite where a value is lost to it, NaN where an op below is not done here.
    """
    for at in range(len(code)):
        first, end = start[at], start[at + 1]
        if first == end:
            continue
        for p in range(high.shape[1]):
            known = 0.0 if _DONE[code[at]] else np.nan
            for k in range(first, end):
                known += error[args[k], p]
            if not known < np.inf:
                error[at, p] = known
                continue
            a = args[first]
            x = (high[a, p], low[a, p], error[a, p])
            if code[at] == _FMA:
                b, c = args[first + 1], args[first + 2]
                x = _multiplied(x, (high[b, p], low[b, p], error[b, p]))
                x = _added(x, (high[c, p], low[c, p], error[c, p]))
            elif end - first == 1:
                x = _applied(code[at], x, x)
            else:
                for k in range(first + 1, end):
                    b = args[k]
                    x = _applied(code[at], x, (high[b, p], low[b, p], error[b, p]))
            high[at, p], low[at, p] = x[0], x[1]
            error[at, p] = x[2] if x[2] < np.inf else np.inf
