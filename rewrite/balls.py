"""What each op means on real numbers, as functions on python-flint's `arb` balls.

Every function returns a ball that encloses the exact value, or a ball that is not finite where
the value is undefined or cannot be decided at the working precision. Comparisons return a bool,
or None where the balls overlap. Nothing here imports flint: the balls bring their methods.
Source of the enclosures: FLINT's arb module (F. Johansson, "Arb: efficient arbitrary-precision
midpoint-radius interval arithmetic", 2017).
"""

from typing import Any, Final

Ball = Any


_LIMIT: Final = 1 << 2100
"""Above the product of two doubles; an integer power of far more bits would exhaust the memory."""


def _nan(x: Ball) -> Ball:
    return type(x)("nan")


def add(*xs: Ball) -> Ball:
    """Sum, exact up to the working precision."""
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def sub(x: Ball, y: Ball) -> Ball:
    """Difference."""
    return x - y


def mul(*xs: Ball) -> Ball:
    """Product."""
    total = xs[0]
    for x in xs[1:]:
        total = total * x
    return total


def div(x: Ball, y: Ball) -> Ball:
    """Quotient; undefined at y = 0."""
    return x / y


def neg(x: Ball) -> Ball:
    """Negation."""
    return -x


def pow_(x: Ball, y: Ball) -> Ball:
    """Power: by repeated products for integer y, else exp(y log x); 0**y is 0 for y > 0."""
    if not x.is_finite():  # flint has nan**0 = 1, as floats have
        return _nan(x)
    if y.is_integer() and abs(y) < _LIMIT:
        if x.is_zero():
            return type(x)(1) if y.is_zero() else (x if y > 0 else _nan(x))
        return x ** y.unique_fmpz()
    if x.is_zero():
        return x if y > 0 else _nan(x)
    return x**y if x > 0 else _nan(x)


def fma(x: Ball, y: Ball, z: Ball) -> Ball:
    """x*y + z, which the floating-point op rounds once."""
    return x * y + z


def sqrt(x: Ball) -> Ball:
    """Square root; undefined for x < 0."""
    return x.sqrt()


def rsqrt(x: Ball) -> Ball:
    """1 / sqrt(x); undefined for x <= 0."""
    return x.rsqrt() if x > 0 else _nan(x)


def cbrt(x: Ball) -> Ball:
    """Real cube root of either sign."""
    if x.is_zero():
        return x
    if x > 0:
        return x.root(3)
    return -((-x).root(3)) if x < 0 else _nan(x)


def hypot(x: Ball, y: Ball) -> Ball:
    """sqrt(x^2 + y^2)."""
    return (x * x + y * y).sqrt()


def exp(x: Ball) -> Ball:
    """Exponential."""
    return x.exp()


def exp2(x: Ball) -> Ball:
    """2**x."""
    return type(x)(2) ** x


def expm1(x: Ball) -> Ball:
    """exp(x) - 1 without cancellation."""
    return x.expm1()


def log(x: Ball) -> Ball:
    """Natural logarithm; undefined for x <= 0."""
    return x.log() if x > 0 else _nan(x)


def log2(x: Ball) -> Ball:
    """Binary logarithm."""
    return x.log() / type(x)(2).log() if x > 0 else _nan(x)


def log10(x: Ball) -> Ball:
    """Decimal logarithm."""
    return x.log() / type(x)(10).log() if x > 0 else _nan(x)


def log1p(x: Ball) -> Ball:
    """log(1 + x) without cancellation."""
    return x.log1p() if x > -1 else _nan(x)


def sin(x: Ball) -> Ball:
    """Sine of an angle in radians."""
    return x.sin()


def cos(x: Ball) -> Ball:
    """Cosine."""
    return x.cos()


def tan(x: Ball) -> Ball:
    """Tangent."""
    return x.tan()


def asin(x: Ball) -> Ball:
    """Inverse sine on [-1, 1]."""
    return x.asin()


def acos(x: Ball) -> Ball:
    """Inverse cosine on [-1, 1]."""
    return x.acos()


def atan(x: Ball) -> Ball:
    """Inverse tangent."""
    return x.atan()


def atan2(y: Ball, x: Ball) -> Ball:
    """Angle of the point (x, y); undefined at the origin, and on the cut, where a float has
    either sign of pi by the sign of its zero.
    """
    if y.is_zero() and not x > 0:
        return _nan(x)
    return type(x).atan2(y, x)


def sinh(x: Ball) -> Ball:
    """Hyperbolic sine."""
    return x.sinh()


def cosh(x: Ball) -> Ball:
    """Hyperbolic cosine."""
    return x.cosh()


def tanh(x: Ball) -> Ball:
    """Hyperbolic tangent."""
    return x.tanh()


def asinh(x: Ball) -> Ball:
    """Inverse hyperbolic sine."""
    return x.asinh()


def acosh(x: Ball) -> Ball:
    """Inverse hyperbolic cosine on [1, inf)."""
    return x.acosh()


def atanh(x: Ball) -> Ball:
    """Inverse hyperbolic tangent on (-1, 1)."""
    return x.atanh()


def erf(x: Ball) -> Ball:
    """Error function."""
    return x.erf()


def erfc(x: Ball) -> Ball:
    """Complementary error function."""
    return x.erfc()


def abs_(x: Ball) -> Ball:
    """Absolute value."""
    return abs(x)


def sign(x: Ball) -> Ball:
    """-1, 0 or 1."""
    if x > 0:
        return type(x)(1)
    if x < 0:
        return type(x)(-1)
    return x if x.is_zero() else _nan(x)


def copysign(x: Ball, y: Ball) -> Ball:
    """|x| with the sign of y; undefined at y = 0, since reals have no signed zero."""
    if y > 0 or x.is_zero():
        return abs(x)
    return -abs(x) if y < 0 else _nan(x)


def _step(x: Ball, rounded: Ball) -> Ball:
    return rounded if rounded.is_exact() else _nan(x)


def floor(x: Ball) -> Ball:
    """Largest integer not above x."""
    return _step(x, x.floor())


def ceil(x: Ball) -> Ball:
    """Smallest integer not below x."""
    return _step(x, x.ceil())


def trunc(x: Ball) -> Ball:
    """x rounded towards zero."""
    if x >= 0:
        return floor(x)
    return ceil(x) if x < 0 else _nan(x)


def round_(x: Ball) -> Ball:
    """Nearest integer, halves to the even one."""
    if x.is_integer():
        return x
    low = (x + 0.5).floor()
    if not low.is_exact():
        return _nan(x)
    half = x + 0.5 == low and int(low.unique_fmpz()) % 2 == 1
    return low - 1 if half else low


def fmod(x: Ball, y: Ball) -> Ball:
    """x - y*trunc(x/y): the remainder with the sign of x, as C has it."""
    return x - y * trunc(x / y) if not y.contains(0) else _nan(x)


def minimum(x: Ball, y: Ball) -> Ball:
    """The smaller one."""
    return x.min(y)


def maximum(x: Ball, y: Ball) -> Ball:
    """The larger one."""
    return x.max(y)


def lt(x: Ball, y: Ball) -> bool | None:
    """x < y, or None where undecided."""
    return True if x < y else (False if x >= y else None)


def le(x: Ball, y: Ball) -> bool | None:
    """x <= y, or None."""
    return True if x <= y else (False if x > y else None)


def gt(x: Ball, y: Ball) -> bool | None:
    """x > y, or None."""
    return lt(y, x)


def ge(x: Ball, y: Ball) -> bool | None:
    """x >= y, or None."""
    return le(y, x)


def eq(x: Ball, y: Ball) -> bool | None:
    """x = y, or None."""
    if x.is_exact() and y.is_exact():
        return bool(x == y)
    return None if x.overlaps(y) else False


def ne(x: Ball, y: Ball) -> bool | None:
    """x != y, or None."""
    known = eq(x, y)
    return None if known is None else not known


def and_(*xs: bool | None) -> bool | None:
    """Conjunction: false as soon as one is."""
    if any(x is False for x in xs):
        return False
    return None if any(x is None for x in xs) else True


def or_(*xs: bool | None) -> bool | None:
    """Disjunction: true as soon as one is."""
    if any(x is True for x in xs):
        return True
    return None if any(x is None for x in xs) else False


def not_(x: bool | None) -> bool | None:
    """Negation of a truth value."""
    return None if x is None else not x


def where(c: bool | None, x: Ball, y: Ball) -> Ball:
    """x if c else y; undefined while c is undecided."""
    if c is None:
        return _nan(x)
    return x if c else y
