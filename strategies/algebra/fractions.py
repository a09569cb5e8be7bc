"""`apart`: partial fractions over the rational numbers."""

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

import flint

from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath, licence
from rewrite.term import Term, join
from strategies.algebra.forms import Monomial, Product, Sum, Terms, exact
from strategies.algebra.normal import QUOTIENTS
from strategies.algebra.quotient import Field, Fractions, Quotient
from strategies.algebra.rational import Rational, over_factors
from strategies.algebra.region import Finish
from strategies.algebra.ring import Poly, Ring
from strategies.algebra.writing import Scribe

__all__ = ["Apart", "apart"]

type Line = flint.fmpq_poly


def _line(ring: Ring, poly: Poly, at: int) -> Line:
    """Return a polynomial in one generator as one in one variable."""
    exponents, coefs = ring.table(poly)
    dense = [0] * (int(exponents[:, at].max(initial=0)) + 1)
    for e, coef in zip(exponents[:, at].tolist(), coefs, strict=True):
        dense[e] = coef
    return flint.fmpq_poly(dense)


def _by_parameters(ring: Ring, poly: Poly, at: int) -> dict[tuple[int, ...], Line]:
    """Return a polynomial as monomials of the other generators, times polynomials in one."""
    exponents, coefs = ring.table(poly)
    groups: defaultdict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
    for row, coef in zip(exponents.tolist(), coefs, strict=True):
        groups[(*row[:at], 0, *row[at + 1 :])][row[at]] = coef
    return {
        rest: flint.fmpq_poly([line.get(e, 0) for e in range(max(line) + 1)])
        for rest, line in groups.items()
    }


class _Parts:
    """The partial fractions of one quotient in the generator at a place of its ring."""

    def __init__(self, scribe: Scribe, field: Fractions, low: Quotient, at: int) -> None:
        self.scribe, self.field, self.low, self.at = scribe, field, low, at
        self.total = Sum({})

    def run(self) -> int | None:
        """Return the sum of the parts; None where a factor has the generator and others too."""
        ring, below = self.field.ring, Product(1)
        factors: list[tuple[Line, int]] = []
        for f, k in self.low.factors.items():
            degrees = self.field.factors[f].degrees()
            if not degrees[self.at]:
                self.scribe.times(below, self.field.product(self.field.factors[f]), -k)
            elif any(d for place, d in enumerate(degrees) if place != self.at):
                return None
            else:
                _, found = _line(ring, self.field.factors[f], self.at).factor()
                factors += [(one * one.denom(), k * int(e)) for one, e in found]
        for rest, line in _by_parameters(ring, self.low.above, self.at).items():
            outer = below.copy()
            for place, e in enumerate(rest):
                if e:
                    outer.raise_(ring.generators[place], e)
            self.split(outer, line, factors)
        return self.scribe.sum(self.total.scaled())

    def split(self, outer: Product, above: Line, factors: list[tuple[Line, int]]) -> None:
        """Add outer * above / (factors)."""
        whole = flint.fmpq_poly([1])
        for one, k in factors:
            whole *= one**k
        scale = self.scale(whole)
        quotient, above = divmod(above, whole)
        self.put(outer, quotient / scale)
        for one, k in factors:
            power = one**k
            common, inverse, _ = (whole // power).xgcd(power)
            part = above * inverse / common % power
            for step in range(k, 0, -1):
                part, digit = divmod(part, one)
                self.put(outer, digit / scale, one, step)

    def scale(self, whole: Line) -> flint.fmpq:
        """Return what the denominator is of the product of its factors: they are all primitive."""
        real = flint.fmpq_poly([1])
        for f, k in self.low.factors.items():
            if self.field.factors[f].degrees()[self.at]:
                real *= _line(self.field.ring, self.field.factors[f], self.at) ** k
        return real.leading_coefficient() / whole.leading_coefficient() * self.low.below

    def put(self, outer: Product, above: Line, below: Line | None = None, k: int = 0) -> None:
        """Add outer * above / below**k, written as canonical products are."""
        g = self.field.ring.generators[self.at]
        terms = _terms(above, g)
        if not terms:
            return
        base = Product(1) if below is None else self.product(_terms(below, g))
        if below is None:
            for monomial, coef in terms.items():
                made = Product(coef, dict(monomial))
                self.scribe.times(made, outer)
                self.total.put(made.monomial(), made.coef)
            return
        made = self.product(terms)
        self.scribe.times(made, base, -k)
        self.scribe.times(made, outer)
        self.total.put(made.monomial(), made.coef)

    def product(self, terms: Terms) -> Product:
        """Return a polynomial as a product: of its powers, or as one generator."""
        if len(terms) > 1:
            coef, node = self.scribe.base(Sum(terms))
            return Product(coef, {node: 1})
        ((monomial, coef),) = terms.items()
        return Product(coef, dict(monomial))


def _terms(line: Line, g: int) -> Terms:
    terms: Terms = {}
    for e, coef in enumerate(line.coeffs()):
        if coef:
            monomial: Monomial = ((g, e),) if e else ()
            terms[monomial] = exact(Fraction(int(coef.p), int(coef.q)))
    return terms


@dataclass(frozen=True, repr=False)
class Apart(Rational):
    """apart(x)(t) = p + a1 / f1 + a2 / f1**2 + ..., the f irreducible polynomials in x."""

    by: Term | None = None
    needs = QUOTIENTS
    splits = False
    kind = Fractions

    def finisher(self, term: Term) -> Finish:
        assert self.by is not None, "apart is made with a term"
        g = join(term.store, self.by).id

        def finish(scribe: Scribe, field: Field, value: Quotient) -> int:
            assert isinstance(field, Fractions), "partial fractions need fractions"
            at = field.ring.place.get(g)
            if at is None:
                return over_factors(scribe, field, value)
            low = field.lowest(value)
            polys = (low.above, *[field.factors[f] for f in low.factors])
            depends = any(poly.degrees()[at] for poly in polys)
            made = _Parts(scribe, field, low, at).run() if depends else None
            return over_factors(scribe, field, low) if made is None else made

        return finish

    def __str__(self) -> str:
        return f"apart({self.by})"


def apart(by: Term, math: str | FastMath = "guarded") -> Apart:
    """Write as partial fractions in a symbol, over the rational numbers.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> apart(x)((x**2 + 1) / (x**3 - x))
    -1/x + 1/(x + -1) + 1/(x + 1)

    Other symbols may occur as parameters, as long as no factor of the denominator has both; else
    the result is what `together` returns. It assumes and needs what `cancel` does. Raise
    `StrategyError` for anything but a symbol.
    """
    if not isinstance(by, Term) or by.symbol is None:
        raise StrategyError(f"apart takes a symbol, not {by!r}")
    return Apart(licence(math), by)
