"""How far a polynomial is from what it stands for: Taylor's remainder, enclosed by balls.

Both are expanded around a point, and once more around the ball of all points that are asked for:
the last coefficient there encloses the derivative of Taylor's theorem. Source: python-flint's
`arb_series` (F. Johansson, "Arb", 2017).
"""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import Any, Final

from rewrite import ops
from rewrite.dag import Dag
from rewrite.oracle import enclosed, working_precision
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["relative_rest"]

BITS: Final = 200
ORDERS: Final = (16, 24, 40)
"""Coefficients; more of them where fewer prove too little."""
PIECES: Final = 64
"""So many parts of the interval are looked at one by one."""
FEW: Final = 8
"""And so many for the derivative."""

type Ball = Any
type Series = Any


def relative_rest(source: Term, series: Term, point: Fraction, radius: float) -> float | None:
    """Return a bound of |series/source - 1| within a radius of a point, None where none is found.

    Both are terms of one symbol. Points where the source is zero are left out if the series is
    zero there in the same order.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> rest = relative_rest(rw.sin(x) - x, -(x**3) / 6 + x**5 / 120, Fraction(0), 0.25)
    >>> rest  # doctest: +ELLIPSIS
    4.66...e-06
    """
    while source.op == ops.DIV:  # there may be no value at the point, but above and below there are
        source, divisor = source.args
        series = series * divisor
    found: list[float] = []
    for order in ORDERS:
        with working_precision(BITS):
            bound = _rest(source, series, point, radius, order)
        if bound is None:
            continue
        if found and bound > 0.5 * found[-1]:
            break
        found.append(bound)
    return min(found, default=None)


def _rest(source: Term, series: Term, point: Fraction, radius: float, order: int) -> float | None:
    from flint import arb, fmpq

    middle = arb(fmpq(point.numerator, point.denominator))
    exact = [_expanded(term, middle, order) for term in (source, series)]
    wide = [_last(term, middle, radius, order) for term in (source, series)]
    given, made = (
        [] if one is None or last is None else [*one[:order], last]
        for one, last in zip(exact, wide, strict=True)
    )
    if not given or not made:
        return None
    least = next((k for k, c in enumerate(given) if not c.is_zero()), order)
    if least >= order or any(not c.is_zero() for c in made[:least]):
        return None
    given, apart = given[least:], [a - b for a, b in zip(made, given, strict=True)][least:]
    worst = arb(0)
    for step in _pieces(radius, PIECES):
        ratio = _value([abs(c) for c in apart], abs(step)) / abs(_value(given, step))
        if not ratio.is_finite():
            return None
        worst = worst.max(ratio.abs_upper())
    return math.nextafter(float(worst), math.inf)


def _pieces(radius: float, count: int) -> Iterator[Ball]:
    """Divide the offsets up to a radius into balls."""
    from flint import arb

    ends = [arb(radius) * (2 * k - count) / count for k in range(count + 1)]
    yield from (low.union(high) for low, high in pairwise(ends))


def _last(term: Term, middle: Ball, radius: float, order: int) -> Ball | None:
    """Return the coefficient of an order around all points within a radius."""
    found: list[Ball] = []
    for step in _pieces(radius, FEW):
        coefficients = _expanded(term, middle + step, order)
        if coefficients is None:
            return None
        found.append(coefficients[order])
    return reduce(lambda one, other: one.union(other), found)


def _value(coefficients: list[Ball], at: Ball) -> Ball:
    """Evaluate a polynomial by Horner's scheme."""
    total = coefficients[-1]
    for each in reversed(coefficients[:-1]):
        total = total * at + each
    return total


def _expanded(term: Term, at: Ball, order: int) -> list[Ball] | None:
    """Return the coefficients up to that of an order, around all points of a ball."""
    from flint import arb_series, ctx

    before, ctx.cap = ctx.cap, order + 1
    try:
        made = _series(Dag.of(term.store, [term.id]), arb_series([at, 1]))
        found = [made[k] for k in range(order + 1)]
    except (KeyError, ValueError, ZeroDivisionError):  # no series of this op, or not there
        return None
    finally:
        ctx.cap = before
    return found if all(c.is_finite() for c in found) else None


def _series(dag: Dag, variable: Series) -> Series:
    known: list[Series] = []
    for (code, args), value in zip(dag.rows(), dag.value, strict=True):
        if isinstance(value, Symbol):
            known.append(variable)
        elif value is not None:
            known.append(type(variable)([enclosed(value)]))
        else:
            known.append(_OPS[ops.OPS[code].name](*[known[a] for a in args]))
    return known[dag.roots[0]]


def _power(x: Series, y: Series) -> Series:
    constant = y[0]
    if y.length() <= 1 and constant.is_integer() and 0 <= constant <= 64:
        made = x * 0 + 1
        for _ in range(int(constant.unique_fmpz())):
            made = made * x
        return made
    return (x.log() * y).exp()


def _sum(*xs: Series) -> Series:
    total = xs[0]
    for x in xs[1:]:
        total = total + x
    return total


def _product(*xs: Series) -> Series:
    total = xs[0]
    for x in xs[1:]:
        total = total * x
    return total


def _cbrt(x: Series) -> Series:
    return (x.log() / 3).exp()


def _exp2(x: Series) -> Series:
    return (x * type(x[0])(2).log()).exp()


_OPS: Final[dict[str, Callable[..., Series]]] = {
    "add": _sum, "mul": _product, "sub": lambda x, y: x - y, "div": lambda x, y: x / y,
    "neg": lambda x: -x, "pow": _power, "fma": lambda x, y, z: x * y + z,
    "sqrt": lambda x: x.sqrt(), "rsqrt": lambda x: x.rsqrt(), "cbrt": _cbrt,
    "hypot": lambda x, y: (x * x + y * y).sqrt(),
    "exp": lambda x: x.exp(), "exp2": _exp2, "expm1": lambda x: x.exp() - 1,
    "log": lambda x: x.log(), "log1p": lambda x: (x + 1).log(),
    "log2": lambda x: x.log() / type(x[0])(2).log(),
    "log10": lambda x: x.log() / type(x[0])(10).log(),
    "sin": lambda x: x.sin(), "cos": lambda x: x.cos(), "tan": lambda x: x.tan(),
    "asin": lambda x: x.asin(), "acos": lambda x: x.acos(), "atan": lambda x: x.atan(),
    "sinh": lambda x: (x.exp() - (-x).exp()) / 2, "cosh": lambda x: (x.exp() + (-x).exp()) / 2,
    "tanh": lambda x: 1 - 2 / ((2 * x).exp() + 1),
    "asinh": lambda x: (x + (x * x + 1).sqrt()).log(),
    "acosh": lambda x: (x + (x * x - 1).sqrt()).log(),
    "atanh": lambda x: ((1 + x).log() - (1 - x).log()) / 2,
    "erf": lambda x: x.erf(), "erfc": lambda x: 1 - x.erf(),
}  # fmt: skip
"""Ops that have a power series wherever they have a value."""
