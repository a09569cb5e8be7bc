"""Taylor series of differences that cancel near a point, used where their rest is below rounding.

A difference like `sin(x) - x` has no form in elementary functions that keeps its digits near 0. Its
derivatives there are known exactly. So many terms of the series are taken, and it is used so far
from the point, that what is left out is less than 2^-58 of the value (2^-29 in single precision),
by ball arithmetic at points out to that distance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import factorial
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.dag import Dag
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.sorts import REAL
from rewrite.store import Symbol
from rewrite.term import Term, const, join
from strategies.algebra import normalize
from strategies.calculus.derivatives import diff

__all__ = ["Near", "near"]

ORDER: Final = 14
"""Terms of a series at most."""
LARGE: Final = 4000
"""Derivatives of more nodes are not taken further."""
POINTS: Final = (0, 1)
"""Where cancellation is looked for, beside the ends of the domain."""
FARTHEST: Final = 2
REST: Final = {"f64": -58, "f32": -29}
FRACTION: Final = 10**6
"""Coefficients with a denominator up to so many factorials are recognised as fractions."""
PROBES: Final = (1.0, 0.93, 0.71, 0.5)


@dataclass(frozen=True, slots=True)
class Near:
    """A form that equals its source where |symbol - point| < radius."""

    term: Term
    symbol: Term
    point: Fraction
    radius: float
    parts: tuple[tuple[Term, Term], ...] = ()
    """Which differences were replaced, and by what."""

    @property
    def offset(self) -> Term:
        """How far the symbol is from the point."""
        return offset(self.symbol, self.point)


def offset(symbol: Term, point: Fraction) -> Term:
    """Return symbol - point."""
    return symbol - const(point, symbol.store) if point else symbol


class _Derivatives:
    """The derivatives of terms by one symbol, each taken once."""

    def __init__(self, symbol: Term) -> None:
        self.symbol = symbol
        self.known: dict[Term, list[Term]] = {}
        self.ended: set[Term] = set()
        """Terms whose next derivative is too large."""

    def of(self, term: Term, count: int) -> list[Term] | None:
        """Return a term and its derivatives, so many together; None where one is too large."""
        found, shorter = self.known.setdefault(term, [term]), normalize(FastMath.GUARDED)
        while len(found) < count:
            if term in self.ended:
                return None
            slope = diff(found[-1], self.symbol)
            short = shorter(slope)
            slope = slope if short is None else short
            if slope.node_count() > LARGE:
                self.ended.add(term)
            else:
                found.append(slope)
        return found[:count]


def near(term: Term, licence: FastMath, dtype: str = "f64") -> Iterator[Near]:
    """Yield forms of a term in which its largest differences that cancel are series."""
    if FastMath.REASSOC not in licence:
        return
    for symbol in term.free_symbols:
        slopes = _Derivatives(symbol)
        for point in _points(symbol.symbol):
            found = _form(term, slopes, point, licence, dtype)
            if found is not None:
                yield found


def _points(symbol: Symbol | None) -> list[Fraction]:
    """Return points of a symbol's domain near which a series may be needed."""
    if symbol is None or symbol.sort != REAL:
        return []
    ends = [end for end in (symbol.low, symbol.high) if end is not None]
    low, high = symbol.bounds
    return [Fraction(p) for p in dict.fromkeys((*POINTS, *ends)) if low <= p <= high]


def _form(
    term: Term, slopes: _Derivatives, point: Fraction, licence: FastMath, dtype: str
) -> Near | None:
    """Return a term with its largest differences written as series, the closest radius of them."""
    symbol = slopes.symbol
    radius = _reach(symbol.symbol, point)
    changed: dict[Term, Any] = {}
    for part in _cancelling(term, slopes, point):
        made = _replaced(part, slopes, point, radius, licence, dtype)
        if made is not None:
            changed[part], radius = made.term, min(radius, made.radius)
    if not changed or radius <= 0:
        return None
    return Near(term.substitute(changed), symbol, point, radius, tuple(changed.items()))


def _reach(symbol: Symbol | None, point: Fraction) -> float:
    """Return how far a domain reaches from a point, and a little more."""
    if symbol is None:
        return FARTHEST
    return min(FARTHEST, 1.001 * max(abs(float(end - point)) for end in symbol.bounds))


def _cancelling(term: Term, slopes: _Derivatives, point: Fraction) -> list[Term]:
    """Return the outermost sums and differences of one symbol that are smaller than their parts."""
    found: list[Term] = []
    seen: set[Term] = set()
    stack = [term]
    while stack:
        part = stack.pop()
        if part in seen or slopes.symbol not in part.free_symbols:
            continue
        seen.add(part)
        if part.op in (ops.ADD, ops.SUB) and _cancels(part, slopes, point):
            found.append(part)
        else:
            stack += part.args
    return found


def _cancels(part: Term, slopes: _Derivatives, point: Fraction) -> bool:
    """Tell whether the lowest power in a sum is higher than the lowest of what is added."""
    if part.free_symbols != (slopes.symbol,):
        return False
    powers = [_lowest(_coefficients(each, slopes, point, 6)) for each in (part, *part.args)]
    return None not in powers and powers[0] > min(powers[1:])  # type: ignore[type-var,operator]


def _lowest(coefficients: Sequence[Fraction] | None) -> int | None:
    if coefficients is None:
        return None
    return next((k for k, c in enumerate(coefficients) if c), len(coefficients))


def _coefficients(
    term: Term, slopes: _Derivatives, point: Fraction, count: int
) -> list[Fraction] | None:
    """Return the coefficients of a Taylor series to 80 bits, None where there is none."""
    from rewrite.oracle import exact_dag  # brings the oracle, which strategies do without

    found = slopes.of(term, count)
    if found is None:
        return None
    name = slopes.symbol.symbol.name  # type: ignore[union-attr]
    dag = Dag.of(term.store, [each.id for each in found])
    exact = exact_dag(dag, {name: np.array([float(point)])})
    if not all(each.ok.all() for each in exact):
        return None
    return [_fraction(each, factorial(k)) for k, each in enumerate(exact)]


def _fraction(exact: Any, scale: int) -> Fraction:
    """Return an exact value divided by a number, as a simple fraction where it is one."""
    value = (Fraction(exact.high[0]) + Fraction(exact.low[0])) * Fraction(2) ** int(
        exact.exponent[0]
    )
    simple = value.limit_denominator(FRACTION)
    if abs(simple - value) < abs(value) / 2**75:
        return simple / scale
    return Fraction(float(value / scale))


def _replaced(
    part: Term, slopes: _Derivatives, point: Fraction, reach: float, licence: FastMath, dtype: str
) -> Near | None:
    """Return the shortest series that is exact enough as far as the longest one is."""
    symbol, coefficients = slopes.symbol, _coefficients(part, slopes, point, ORDER)
    if coefficients is None or not any(coefficients[2:]):  # x - 1 is as good as it can be
        return None
    write = partial(_polynomial, symbol=symbol, point=point, fused=FastMath.CONTRACT in licence)
    test = partial(_is_close, part=part, symbol=symbol, point=point, dtype=dtype)
    longest = write(coefficients)
    radii = [reach, *(2.0**-k for k in range(12) if 2.0**-k < reach)]
    radius = next((r for r in radii if test(longest, radius=r)), None)
    if radius is None:
        return None
    least = (_lowest(coefficients) or 0) + 1
    for count in range(least, ORDER):
        short = write(coefficients[:count])
        if test(short, radius=radius):
            return Near(short, symbol, point, radius)
    return Near(longest, symbol, point, radius)


def _is_close(
    made: Term, part: Term, symbol: Term, point: Fraction, radius: float, dtype: str
) -> bool:
    """Tell whether a series is as good as exact out to a radius, in the domain."""
    from rewrite.oracle import exact_dag

    known = symbol.symbol
    assert known is not None
    low, high = known.bounds
    where = float(point) + np.array([side * radius * p for p in PROBES for side in (1, -1)])
    where = where[(low <= where) & (where <= high)]
    rest = made / part - 1
    if not len(where):
        return False
    (exact,) = exact_dag(Dag.of(rest.store, [rest.id]), {known.name: where})
    size = np.where(exact.high == 0, -np.inf, exact.exponent.astype(np.float64))
    return bool(exact.ok.all() and (size <= REST[dtype]).all())


def _polynomial(
    coefficients: Sequence[Fraction], *, symbol: Term, point: Fraction, fused: bool
) -> Term:
    """Write a polynomial in symbol - point by Horner's scheme, in its square where it can."""
    store = symbol.store
    step = offset(symbol, point)
    least = _lowest(coefficients) or 0
    kept = list(coefficients[least:])
    while kept and not kept[-1]:
        kept.pop()
    even = not any(kept[1::2])
    kept, of = (kept[::2], step * step) if even else (kept, step)
    total = const(kept[-1], store)
    for each in reversed(kept[:-1]):
        below = const(each, store)
        total = join(store, FUNCTIONS["fma"](total, of, below)) if fused else total * of + below
    for _ in range(least % 2):
        total = total * step
    for _ in range(least // 2):
        total = total * (step * step)
    return total
