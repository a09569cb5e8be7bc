"""Sums and products with collected coefficients and exponents, while they are being computed.

A monomial is a tuple of (generator, exponent) pairs, sorted by the generator, which is a node of a
store; exponents are integers other than 0. A sum maps monomials to exact coefficients. Scales and
signs are kept apart, so that a long chain of differences or quotients costs no more than its
length.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Final

__all__ = [
    "LONGEST", "STEEPEST", "Form", "Monomial", "Product", "Rational", "Sum", "Terms", "content",
    "exact", "fits", "inverse", "ratio", "width",
]  # fmt: skip

type Rational = int | Fraction
type Monomial = tuple[tuple[int, int], ...]
type Terms = dict[Monomial, Rational]

LONGEST: Final = 1024
"""Longer numbers are generators: a chain of squares would grow without bound."""
STEEPEST: Final = 1 << 31
"""Exponents stay below this."""


class Product:
    """coef * (g ** e * ...) ** sign; `special` are the generators that may join with others."""

    __slots__ = ("coef", "factors", "sign", "special")

    def __init__(
        self, coef: Rational = 1, factors: dict[int, int] | None = None, sign: int = 1,
        special: frozenset[int] = frozenset(),
    ) -> None:  # fmt: skip
        self.coef = coef
        self.factors = {} if factors is None else factors
        self.sign = sign
        self.special = special

    def copy(self) -> "Product":
        """Return one that can be changed."""
        return Product(self.coef, dict(self.factors), self.sign, self.special)

    def monomial(self) -> Monomial:
        """Return the generators with their exponents."""
        if self.sign < 0:
            return tuple(sorted([(g, -e) for g, e in self.factors.items()]))
        return tuple(sorted(self.factors.items()))

    def raise_(self, g: int, exponent: int) -> bool:
        """Multiply by a power of a generator; False where its exponent would get too large."""
        made = self.factors.get(g, 0) + exponent * self.sign
        if abs(made) >= STEEPEST:
            return False
        if made:
            self.factors[g] = made
        else:
            self.factors.pop(g, None)
        return True

    def times(self, other: "Product") -> bool:
        """Multiply by another product; False, and nothing is done, where that grows too large."""
        turn = other.sign * self.sign
        coef = self.coef * other.coef
        if not fits(coef):
            return False
        if any(
            abs(self.factors.get(g, 0) + e * turn) >= STEEPEST for g, e in other.factors.items()
        ):
            return False
        for g, e in other.factors.items():
            self.raise_(g, e * other.sign)
        self.coef = coef
        if other.special:
            self.special |= other.special
        return True

    def power(self, n: int) -> "Product | None":
        """Return this to the n-th power, n not 0; None where that is none, or too large."""
        if self.coef == 0 and n < 0:
            return None
        if self.coef in (1, -1):
            coef: Rational = self.coef if n % 2 else 1
        else:
            size = max(abs(self.coef.numerator).bit_length(), self.coef.denominator.bit_length())
            if size * abs(n) > LONGEST:
                return None
            coef = exact(Fraction(self.coef) ** n)
        if n in (1, -1):
            return Product(coef, self.factors, self.sign * n, self.special)
        if any(abs(e * n) >= STEEPEST for e in self.factors.values()):
            return None
        powers = {g: e * n for g, e in self.factors.items()}
        return Product(coef, powers, self.sign, self.special)


class Sum:
    """scale * (coefficient * monomial + ...); `special` if a monomial has a generator that is."""

    __slots__ = ("scale", "special", "terms")

    def __init__(self, terms: Terms, scale: Rational = 1, special: bool = False) -> None:
        self.terms, self.scale, self.special = terms, scale, special

    def copy(self) -> "Sum":
        """Return one that can be changed."""
        return Sum(dict(self.terms), self.scale, self.special)

    def put(self, monomial: Monomial, coef: Rational) -> None:
        """Add coef * monomial."""
        if self.scale != 1:
            coef = ratio(coef, self.scale)
        made = self.terms.get(monomial, 0) + coef
        if made:
            self.terms[monomial] = exact(made)
        else:
            self.terms.pop(monomial, None)

    def scaled(self) -> Terms:
        """Return the terms with the scale multiplied in."""
        if self.scale == 1:
            return self.terms
        return {m: exact(c * self.scale) for m, c in self.terms.items()}


type Form = Product | Sum


def width(form: Form) -> int:
    """Count the parts."""
    return len(form.terms) if isinstance(form, Sum) else len(form.factors)


def fits(value: Rational) -> bool:
    """Tell whether a number is short enough to compute with."""
    if isinstance(value, int):
        return value.bit_length() <= LONGEST
    return value.numerator.bit_length() <= LONGEST and value.denominator.bit_length() <= LONGEST


def exact(value: Rational) -> Rational:
    """Return an integer where a fraction is one.

    >>> exact(Fraction(4, 2))
    2
    """
    if isinstance(value, Fraction) and value.denominator == 1:
        return value.numerator
    return value


def ratio(above: Rational, below: Rational) -> Rational:
    """Return above / below.

    >>> ratio(6, -3), ratio(1, 2)
    (-2, Fraction(1, 2))
    """
    if isinstance(above, int) and isinstance(below, int) and above % below == 0:
        return above // below
    return exact(Fraction(above) / below)


def inverse(value: Rational) -> Rational:
    """Return 1 / value.

    >>> inverse(Fraction(1, 3)), inverse(-1)
    (3, -1)
    """
    return exact(1 / Fraction(value))


def content(values: Iterable[Rational]) -> Rational:
    """Return the positive number by which some numbers become integers without a common factor.

    >>> content([6, Fraction(9, 2)])
    Fraction(3, 2)
    """
    numbers = list(values)
    if 1 in numbers and all(isinstance(v, int) for v in numbers):
        return 1
    above = math.gcd(*[v.numerator for v in numbers])
    below = math.lcm(*[v.denominator for v in numbers])
    return exact(Fraction(above, below))
