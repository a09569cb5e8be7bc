"""Facts about real values and their arithmetic: an enclosing interval, not zero, integer.

A `Fact` holds for every value that a term can take as a real number, wherever that is defined.
Bounds are doubles, rounded outwards. "Unknown" is the widest fact, `TOP`; so is "nowhere defined".
"""

import math
from fractions import Fraction
from typing import Final, NamedTuple

from rewrite.constants import Constant, Named, to_float

__all__ = ["TOP", "Fact", "add", "div", "fact", "fact_of_constant", "integer_power", "magnitude",
           "mul", "neg", "power", "sub", "widened"]  # fmt: skip

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

    @property
    def positive(self) -> bool:
        """Tell whether every value is > 0."""
        return self.lo > 0.0 or (self.lo == 0.0 and self.nonzero)

    @property
    def negative(self) -> bool:
        """Tell whether every value is < 0."""
        return self.hi < 0.0 or (self.hi == 0.0 and self.nonzero)

    @property
    def nonneg(self) -> bool:
        """Tell whether every value is >= 0."""
        return self.lo >= 0.0

    @property
    def nonpos(self) -> bool:
        """Tell whether every value is <= 0."""
        return self.hi <= 0.0


TOP: Final = Fact(-INF, INF, False, False)
TRUTH: Final = Fact(0.0, 1.0, False, True)
ONE: Final = Fact(1.0, 1.0, True, True)
ZERO: Final = Fact(0.0, 0.0, False, True)


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


# -- bounds, rounded away ------------------------------------------------------------------


def widened(value: float, away: float, low: float, high: float) -> float:
    """Move a computed value outwards by more than its error, but not out of [low, high]."""
    if math.isinf(value):
        value = math.nextafter(value, away)
    else:
        value += math.copysign(abs(value) * _SLACK + 5e-324, away)
    return min(max(value, low), high)


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
    return value if whole and abs(value) < _EXACT else math.nextafter(value, away)


def _times(x: float, y: float, away: float) -> float:
    return _settle(x * y, x, y, away) if x and y else 0.0


def _over(x: float, y: float, away: float) -> float:
    """Divide by y > 0; a zero y stands for values just above it."""
    if x == 0.0 or y == INF:
        return 0.0
    if y == 0.0:
        return math.copysign(INF, x)
    value = x / y
    exact = value * y == x and abs(x) < _EXACT  # else a whole quotient may be a rounded one
    return _settle(value, x, y, away) if exact else math.nextafter(value, away)


# -- arithmetic ------------------------------------------------------------------------------


def add(a: Fact, b: Fact) -> Fact:
    """x + y."""
    aside = (a.lo >= 0.0 and b.lo >= 0.0) or (a.hi <= 0.0 and b.hi <= 0.0)
    return fact(
        _plus(a.lo, b.lo, -INF), _plus(a.hi, b.hi, INF),
        aside and (a.nonzero or b.nonzero), a.integer and b.integer,
    )  # fmt: skip


def mul(a: Fact, b: Fact) -> Fact:
    """x*y."""
    corners = [(x, y) for x in a[:2] for y in b[:2]]
    lo = min(_times(x, y, -INF) for x, y in corners)
    hi = max(_times(x, y, INF) for x, y in corners)
    return fact(lo, hi, a.nonzero and b.nonzero, a.integer and b.integer)


def neg(a: Fact) -> Fact:
    """-x."""
    return Fact(-a.hi + 0.0, -a.lo + 0.0, a.nonzero, a.integer)


def div(a: Fact, b: Fact) -> Fact:
    """x/y; a zero y counts as a limit, since nothing is defined there."""
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


def sub(a: Fact, b: Fact) -> Fact:
    """x - y."""
    return add(a, neg(b))


def magnitude(a: Fact) -> Fact:
    """|x|."""
    if a.lo >= 0.0:
        return a
    if a.hi <= 0.0:
        return neg(a)
    return fact(0.0, max(-a.lo, a.hi), a.nonzero, a.integer)


# -- powers ----------------------------------------------------------------------------------


def _raised(x: float, n: float, away: float) -> float:
    """Return x**n for x >= 0 and n > 0, rounded outwards."""
    try:
        value: float = x**n
    except OverflowError:
        value = INF
    if x in (0.0, 1.0, INF):
        return value
    whole = x.is_integer() and n.is_integer() and value < _EXACT
    return value if whole else widened(value, away, 0.0, INF)


def integer_power(a: Fact, n: float) -> Fact:
    """x**n for an integer n > 0."""
    if n % 2.0 == 0.0 or a.lo >= 0.0:
        m = magnitude(a)
        return fact(_raised(m.lo, n, -INF), _raised(m.hi, n, INF), a.nonzero, a.integer)
    if a.hi <= 0.0:
        return neg(integer_power(neg(a), n))
    return fact(-_raised(-a.lo, n, INF), _raised(a.hi, n, INF), a.nonzero, a.integer)


def power(a: Fact, b: Fact) -> Fact:
    """x**y; a negative x has no power but to an integer."""
    n = b.lo
    if n == b.hi and b.integer and abs(n) <= _EXACT:
        if n == 0.0:
            return ONE
        base = integer_power(a, abs(n))
        return base if n > 0.0 else div(ONE, base)
    between = not b.integer and n > -INF and math.floor(n) < n and b.hi < math.floor(n) + 1
    if not (a.lo >= 0.0 or between):
        return fact(-INF, INF, a.nonzero, a.integer and b.integer and n >= 0.0)
    base = fact(max(a.lo, 0.0), a.hi, a.nonzero)
    if n > 0.0:
        return _real_power(base, b)
    return div(ONE, _real_power(base, neg(b))) if b.hi < 0.0 else fact(0.0, INF, a.nonzero)


def _real_power(a: Fact, b: Fact) -> Fact:
    """x**y for x >= 0 and y > 0, which is monotone in each of them."""
    corners = [(x, y) for x in a[:2] for y in b[:2]]
    lo = min(_raised(x, y, -INF) for x, y in corners)
    hi = max(_raised(x, y, INF) for x, y in corners)
    return fact(lo, hi, a.nonzero, a.integer and b.integer)
