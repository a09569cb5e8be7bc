"""What each op does to facts about real values: enclosing intervals, not zero, integer.

A `Fact` holds for every value that a term can take as a real number, wherever that is defined.
Bounds are doubles, rounded outwards. "Unknown" is the widest fact, `TOP`; so is "nowhere defined".
"""

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Final, NamedTuple

from rewrite import ops
from rewrite.constants import Constant, Named, to_float

__all__ = ["TOP", "Fact", "fact", "fact_of_constant", "transfer"]

INF: Final = math.inf
_MAX: Final = math.nextafter(INF, 0.0)
_EXACT: Final = 2.0**53
_SLACK: Final = 2.0**-48
"""Relative widening of values from the standard library's elementary functions (16 ulp)."""


class Fact(NamedTuple):
    """lo <= value <= hi; never equal to zero; always an integer."""

    lo: float
    hi: float
    nonzero: bool
    integer: bool


TOP: Final = Fact(-INF, INF, False, False)
TRUTH: Final = Fact(0.0, 1.0, False, True)


def fact(lo: float, hi: float, nonzero: bool = False, integer: bool = False) -> Fact:
    """Make a fact, sharpened by what its parts say about each other."""
    if integer:
        lo = float(math.ceil(lo)) if math.isfinite(lo) else lo
        hi = float(math.floor(hi)) if math.isfinite(hi) else hi
        lo = 1.0 if nonzero and lo == 0.0 else lo
        hi = -1.0 if nonzero and hi == 0.0 else hi
    if not lo <= hi or (nonzero and lo == hi == 0.0):
        return TOP
    lo, hi = min(lo, _MAX) + 0.0, max(hi, -_MAX) + 0.0  # bounds are real, and no zero is negative
    return Fact(lo, hi, nonzero or lo > 0.0 or hi < 0.0, integer)


def fact_of_constant(value: Constant) -> Fact:
    """Enclose a constant; a NaN or an infinity is no real number, so nothing is known."""
    near = to_float(value)
    if isinstance(value, float):
        return fact(near, near, integer=near.is_integer()) if math.isfinite(near) else TOP
    if isinstance(value, Named):
        return fact(math.nextafter(near, -INF), math.nextafter(near, INF))
    lo = hi = near
    if not math.isfinite(near) or Fraction(near) != value:
        lo, hi = math.nextafter(near, -INF), math.nextafter(near, INF)
        if abs(near) > _EXACT:  # integers beyond 2**53: the bounds are integers already
            return fact(lo, hi)._replace(integer=isinstance(value, int))
    return fact(lo, hi, value != 0, isinstance(value, int))


# -- sums, products and quotients of bounds, rounded away ------------------------------------


def _plus(x: float, y: float, away: float) -> float:
    total = x + y
    shadow = total - x
    lost = (x - (total - shadow)) + (y - shadow)  # the exact rounding error, or NaN
    return total if lost == 0.0 else math.nextafter(total, away)


def _settle(value: float, x: float, y: float, away: float) -> float:
    """Round a product or quotient of x and y, neither of them zero, outwards."""
    whole = value.is_integer() and x.is_integer() and y.is_integer()
    if value == 0.0 and ((x > 0.0) == (y > 0.0)) == (away < 0.0):
        return 0.0  # underflow: the sign of the exact value is known
    return value if whole and abs(value) <= _EXACT else math.nextafter(value, away)


def _times(x: float, y: float, away: float) -> float:
    return _settle(x * y, x, y, away) if x and y else 0.0


def _over(x: float, y: float, away: float) -> float:
    """Divide by y > 0; a zero y stands for values just above it."""
    if x == 0.0 or y == INF:
        return 0.0
    if y == 0.0:
        return math.copysign(INF, x)
    value = x / y
    exact = value * y == x  # else a whole quotient may have been rounded to
    return _settle(value, x, y, away) if exact else math.nextafter(value, away)


# -- arithmetic ------------------------------------------------------------------------------


def _add(a: Fact, b: Fact) -> Fact:
    aside = (a.lo >= 0.0 and b.lo >= 0.0) or (a.hi <= 0.0 and b.hi <= 0.0)
    return fact(
        _plus(a.lo, b.lo, -INF), _plus(a.hi, b.hi, INF),
        aside and (a.nonzero or b.nonzero), a.integer and b.integer,
    )  # fmt: skip


def _mul(a: Fact, b: Fact) -> Fact:
    corners = [(x, y) for x in a[:2] for y in b[:2]]
    lo = min(_times(x, y, -INF) for x, y in corners)
    hi = max(_times(x, y, INF) for x, y in corners)
    return fact(lo, hi, a.nonzero and b.nonzero, a.integer and b.integer)


def neg(a: Fact) -> Fact:
    """-x."""
    return Fact(-a.hi + 0.0, -a.lo + 0.0, a.nonzero, a.integer)


def _div(a: Fact, b: Fact) -> Fact:
    if b.lo < 0.0 < b.hi:
        return fact(-INF, INF, a.nonzero)
    if b.hi <= 0.0:
        if b.lo == 0.0:
            return TOP
        a, b = neg(a), neg(b)
    if b.hi == 0.0:
        return TOP
    lo = _over(a.lo, b.hi if a.lo >= 0.0 else b.lo, -INF)
    hi = _over(a.hi, b.lo if a.hi >= 0.0 else b.hi, INF)
    return fact(lo, hi, a.nonzero)


def _sub(a: Fact, b: Fact) -> Fact:
    return _add(a, neg(b))


def _fma(a: Fact, b: Fact, c: Fact) -> Fact:
    return _add(_mul(a, b), c)


def magnitude(a: Fact) -> Fact:
    """|x|."""
    if a.lo >= 0.0:
        return a
    if a.hi <= 0.0:
        return neg(a)
    return fact(0.0, max(-a.lo, a.hi), a.nonzero, a.integer)


# -- powers ----------------------------------------------------------------------------------


def _raised(x: float, power: float, away: float) -> float:
    """Return x**power for x >= 0 and power > 0, rounded outwards."""
    try:
        value = x**power
    except OverflowError:
        value = INF
    if x in (0.0, 1.0, INF):
        return value
    whole = x.is_integer() and power.is_integer() and value <= _EXACT
    return value if whole else widened(value, away, 0.0, INF)


def _integer_power(a: Fact, n: float) -> Fact:
    """x**n for an integer n > 0."""
    if n % 2.0 == 0.0 or a.lo >= 0.0:
        m = magnitude(a)
        return fact(_raised(m.lo, n, -INF), _raised(m.hi, n, INF), a.nonzero, a.integer)
    if a.hi <= 0.0:
        return neg(_integer_power(neg(a), n))
    return fact(-_raised(-a.lo, n, INF), _raised(a.hi, n, INF), a.nonzero, a.integer)


def _pow(a: Fact, b: Fact) -> Fact:
    power = b.lo
    if power == b.hi and b.integer:
        if power == 0.0:
            return _ONE
        base = _integer_power(a, abs(power)) if abs(power) <= _EXACT else fact(-INF, INF, a.nonzero)
        return base if power > 0.0 else _div(_ONE, base)
    nonneg = a.lo >= 0.0 or (b.lo == b.hi and not b.integer)  # else no real number
    if nonneg and b.lo == b.hi and a.hi > 0.0:
        base = fact(max(a.lo, 0.0), a.hi, a.nonzero)
        size = abs(power)
        base = fact(_raised(base.lo, size, -INF), _raised(base.hi, size, INF), a.nonzero)
        return base if power > 0.0 else _div(_ONE, base)
    integer = a.integer and b.integer and b.lo >= 0.0
    return fact(0.0 if nonneg else -INF, INF, a.nonzero, integer)


# -- the table, and nodes whose operands are one node ----------------------------------------


def widened(value: float, away: float, low: float, high: float) -> float:
    """Move a computed value outwards by more than its error, but not out of [low, high]."""
    if math.isinf(value):
        value = math.nextafter(value, away)
    else:
        value += math.copysign(abs(value) * _SLACK + 5e-324, away)
    return min(max(value, low), high)


_ONE: Final = Fact(1.0, 1.0, True, True)
_ZERO: Final = Fact(0.0, 0.0, False, True)


def _all(pair: Callable[[Fact, Fact], Fact]) -> Callable[..., Fact]:
    return lambda *args: functools.reduce(pair, args)


ARITHMETIC: Final[dict[int, Callable[..., Fact]]] = {
    ops.ADD.code: _all(_add), ops.SUB.code: _sub, ops.MUL.code: _all(_mul),
    ops.DIV.code: _div, ops.NEG.code: neg, ops.POW.code: _pow,
    ops.FMA.code: _fma, ops.ABS.code: magnitude,
}  # fmt: skip


def transfer(code: int, keys: Sequence[int], args: Sequence[Fact]) -> Fact:
    """Return the fact of a node from those of its operands; equal keys say equal operands."""
    if len(keys) > 1 and len(set(keys)) < len(keys):
        if code == ops.MUL.code:
            count = Counter(keys)
            first = dict(zip(reversed(keys), reversed(args), strict=True))
            return _all(_mul)(*[_integer_power(first[k], float(n)) for k, n in count.items()])
        if code == ops.FMA.code and keys[0] == keys[1]:
            return _add(_integer_power(args[0], 2.0), args[2])
        if code in (ops.SUB.code, ops.DIV.code):
            return _ZERO if code == ops.SUB.code else _ONE
    return _table()[code](*args)


@functools.cache
def _table() -> dict[int, Callable[..., Fact]]:
    from rewrite.ranges import RANGES

    return ARITHMETIC | RANGES
