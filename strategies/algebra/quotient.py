"""Fractions of polynomials, whose denominators are kept as products of known factors.

Adding looks for the least common multiple by counting factors, and cancelling tries exact
divisions by the factors that are there. Both are far cheaper than greatest common divisors, which
are left to the end. The method is that of factored denominators in computer algebra systems (A.
C. Hearn, "REDUCE User's Manual", switch `lcm`).
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar, Final

from flint.utils.flint_exceptions import DomainError

from strategies.algebra.forms import Product, Rational
from strategies.algebra.ring import Poly, Ring

__all__ = ["Field", "Fractions", "Inverses", "Quotient"]

type Factors = dict[int, int]

_NONE: Final[Factors] = {}


class Quotient:
    """above / (below * f ** k * ...), where factors are numbered by their field."""

    __slots__ = ("above", "below", "factors")

    def __init__(self, above: Poly, below: int = 1, factors: Factors = _NONE) -> None:
        self.above, self.below, self.factors = above, below, factors


class Field:
    """Arithmetic of quotients over one ring."""

    apart: ClassVar[bool]
    """Do different denominators stay apart?"""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.factors: list[Poly] = []
        self._seen: defaultdict[tuple[int, int], list[int]] = defaultdict(list)

    def number(self, value: Rational) -> Quotient:
        """Return a number."""
        return Quotient(self.ring.constant(value.numerator), value.denominator)

    def generator(self, g: int) -> Quotient:
        """Return a generator."""
        return Quotient(self.ring.of(g))

    # -- sums --------------------------------------------------------------------------------

    def add(self, parts: Sequence[tuple[int, Quotient]]) -> Quotient:
        """Add quotients, each times 1 or -1."""
        whole = {f for _, q in parts for f in q.factors}
        most = {f: max(q.factors.get(f, 0) for _, q in parts) for f in sorted(whole)}
        below = math.lcm(*[q.below for _, q in parts])
        row = []
        for sign, q in parts:
            poly = self.raised(q.above, {f: k - q.factors.get(f, 0) for f, k in most.items()})
            scale = sign * (below // q.below)
            row.append(poly if scale == 1 else -poly if scale == -1 else poly * scale)
        while len(row) > 1:  # in pairs, so that long sums are not copied again and again
            row = [
                row[at] + row[at + 1] if at + 1 < len(row) else row[at]
                for at in range(0, len(row), 2)
            ]
        return self.reduced(row[0], below, most)

    def raised(self, poly: Poly, factors: Factors) -> Poly:
        """Multiply a polynomial by powers of factors."""
        for f, k in factors.items():
            if k:
                poly = poly * (self.factors[f] ** k if k > 1 else self.factors[f])
        return poly

    def reduced(self, above: Poly, below: int, factors: Factors) -> Quotient:
        """Divide by the factors of the denominator as often as that is exact."""
        if above.is_zero():
            return Quotient(above)
        if factors:
            above, factors = self.divided(above, factors)
        if below != 1:
            common = math.gcd(int(above.primitive()[0]), below)
            if common != 1:
                above, below = above / common, below // common
        return Quotient(above, below, factors)

    def divided(self, above: Poly, factors: Factors) -> tuple[Poly, Factors]:
        """Cancel factors that divide a polynomial; return both, less what was cancelled."""
        left: Factors = {}
        for f, k in factors.items():
            while k and (made := self.over(above, f)) is not None:
                above, k = made, k - 1
            if k:
                left[f] = k
        return above, left

    def over(self, above: Poly, f: int) -> Poly | None:
        """Return an exact quotient by a factor, None if there is none."""
        try:
            return above / self.factors[f]
        except DomainError:
            return None

    # -- products ----------------------------------------------------------------------------

    def mul(self, one: Quotient, other: Quotient) -> Quotient:
        """Multiply; what cancels across does so before the product is formed."""
        if not one.factors and not other.factors:
            return self.reduced(one.above * other.above, one.below * other.below, _NONE)
        first, below_other = self.divided(one.above, other.factors)
        second, below_one = self.divided(other.above, one.factors)
        return self.reduced_number(
            first * second, one.below * other.below, joined(below_one, below_other)
        )

    def reduced_number(self, above: Poly, below: int, factors: Factors) -> Quotient:
        """Cancel a number only."""
        made = self.reduced(above, below, _NONE)
        return made if made.above.is_zero() else Quotient(made.above, made.below, factors)

    def power(self, base: Quotient, n: int) -> Quotient:
        """Raise to a power that is not negative."""
        factors = {f: k * n for f, k in base.factors.items()} if n else _NONE
        return Quotient(base.above**n, base.below**n, factors)

    def div(self, one: Quotient, other: Quotient, k: int) -> Quotient:
        """Divide by the k-th power of what is not zero; k is at least 1."""
        raise NotImplementedError

    def settled(self, q: Quotient) -> Quotient:
        """Return a quotient that is zero only if its polynomial is."""
        return q

    def compound(self, q: Quotient) -> bool:
        """Tell whether a term of it, or of a denominator, has two denominators."""
        return False

    # -- factors -----------------------------------------------------------------------------

    def primitive(self, poly: Poly) -> tuple[int, Poly]:
        """Return a number and a polynomial with coprime coefficients, the first one positive."""
        content, rest = poly.primitive()
        if rest.leading_coefficient() < 0:
            return -int(content), -rest
        return int(content), rest

    def numbered(self, poly: Poly) -> int:
        """Return the number of a factor, which is primitive."""
        key = len(poly), poly.total_degree()
        for f in self._seen[key]:
            if self.factors[f] == poly:
                return f
        self.factors.append(poly)
        self._seen[key].append(len(self.factors) - 1)
        return len(self.factors) - 1


def joined(one: Factors, other: Factors) -> Factors:
    """Return the product of two products of factors."""
    if not other:
        return one
    made = dict(one)
    for f, k in other.items():
        made[f] = made.get(f, 0) + k
    return made


class Fractions(Field):
    """Quotients that are brought to one denominator."""

    apart = False

    def div(self, one: Quotient, other: Quotient, k: int) -> Quotient:
        """Divide: the numerator below becomes factors of the denominator."""
        below = {f: e * k for f, e in other.factors.items()}
        above_left = {f: max(e - one.factors.get(f, 0), 0) for f, e in below.items()}
        below_left = {f: e - min(e, below.get(f, 0)) for f, e in one.factors.items()}
        content, poly = self.primitive(other.above)
        new = {f: e * k for f, e in self.split(poly).items()}
        above, new = self.divided(one.above, new)
        scale = other.below**k if content > 0 or k % 2 == 0 else -(other.below**k)
        above = self.raised(above, above_left)
        factors = joined({f: e for f, e in below_left.items() if e}, new)
        return self.reduced_number(
            above if scale == 1 else above * scale, one.below * abs(content) ** k, factors
        )

    def split(self, poly: Poly) -> Factors:
        """Return a primitive polynomial as a product of factors: powers of generators, the rest."""
        factors: Factors = {}
        if len(poly) == 1 or not poly.term_content().is_constant():
            common = poly.term_content()
            for at, e in enumerate(common.monoms()[0]):
                if e:
                    factors[self.numbered(self.ring.variables[at])] = int(e)
            poly = poly / common
        if not poly.is_constant():
            factors[self.numbered(poly)] = 1
        return factors

    def product(self, poly: Poly) -> Product:
        """Return a polynomial as a product of a number and generators, a sum being one."""
        if len(poly) > 1:
            content, rest = self.primitive(poly)
            return Product(content, {self.ring.node(rest): 1})
        ((monomial, coef),) = self.ring.terms(poly).items()
        return Product(coef, dict(monomial))

    def lowest(self, q: Quotient) -> Quotient:
        """Cancel everything that the numerator and the denominator have in common."""
        above, open_, done = q.above, dict(q.factors), _NONE
        while open_:
            f, k = open_.popitem()
            common = above.gcd(self.factors[f])
            if common.is_constant():
                done = joined(done, {f: k})
                continue
            above = above / common
            rest = self.factors[f] / common
            if not rest.is_constant():
                open_ = joined(open_, {self.numbered(self.primitive(rest)[1]): k})
            if k > 1:
                open_ = joined(open_, {self.numbered(self.primitive(common)[1]): k - 1})
        return self.reduced_number(above, q.below, {f: done[f] for f in sorted(done)})


class Inverses(Field):
    """Quotients whose denominators are generators: sums over them stay apart."""

    apart = True

    def __init__(self, ring: Ring) -> None:
        super().__init__(ring)
        self.deep = False
        """Has a denominator a term with two denominators?"""

    def div(self, one: Quotient, other: Quotient, k: int) -> Quotient:
        """Multiply by the inverse of each generator, or by that of the sum as a whole."""
        if k > 1:
            other = self.power(other, k)
        content, poly = self.primitive(other.above)
        scale = other.below if content > 0 else -other.below
        return self.reduced(one.above * self.inverse(poly) * scale, one.below * abs(content), _NONE)

    def inverse(self, poly: Poly) -> Poly:
        """Return 1 / poly."""
        ring, own = self.ring, len(self.ring.generators)
        if len(poly) == 1:
            made = ring.constant(1)
            for at, e in enumerate(poly.monoms()[0]):
                if e:
                    swapped = at + own if at < own else at - own
                    made = made * (
                        ring.variables[swapped] ** int(e) if at < 2 * own else self._sum(at, int(e))
                    )
            return made
        f = self.numbered(poly)
        if f == len(ring.sums):
            self.deep = self.compound(Quotient(poly))
            ring.sums.append(ring.node(poly))
        return ring.variables[2 * own + f]

    def settled(self, q: Quotient) -> Quotient:
        """Cancel generators with their inverses, which are variables of their own."""
        if not self._turned(q.above):
            return q
        own = len(self.ring.generators)
        terms: defaultdict[tuple[int, ...], int] = defaultdict(int)
        for row, coef in zip(q.above.monoms(), q.above.coeffs(), strict=True):
            new = list(map(int, row))
            for at in range(own):
                both = min(new[at], new[at + own])
                new[at], new[at + own] = new[at] - both, new[at + own] - both
            terms[tuple(new)] += int(coef)
        return self.reduced(self.ring.context.from_dict(terms), q.below, _NONE)

    def _turned(self, poly: Poly) -> bool:
        """Tell whether a polynomial has the inverse of a generator."""
        own = len(self.ring.generators)
        return any(poly.degrees()[own : 2 * own])

    def primitive(self, poly: Poly) -> tuple[int, Poly]:
        """Return as others do; first is here what is written first."""
        content, rest = super().primitive(poly)
        if self._turned(rest):
            _, first = self.ring.scribe.sorted(self.ring.terms(rest))[0]
            if first < 0:
                return -content, -rest
        return content, rest

    def compound(self, q: Quotient) -> bool:
        own = len(self.ring.generators)
        return self.deep or (
            bool(self.ring.sums)
            and any(sum(row[2 * own :]) and sum(row[own:]) > 1 for row in q.above.monoms())
        )

    def _sum(self, at: int, e: int) -> Poly:
        """Return a power of the sum whose inverse a variable is."""
        return self.factors[at - 2 * len(self.ring.generators)] ** e
