"""Strategies that multiply out, and that bring to one fraction."""

from dataclasses import dataclass
from typing import Any, ClassVar

from rewrite.fastmath import FastMath, licence
from rewrite.term import Term
from strategies.algebra.forms import Product, inverse
from strategies.algebra.normal import COLLECT, QUOTIENTS
from strategies.algebra.quotient import Field, Fractions, Inverses, Quotient
from strategies.algebra.region import Finish, Regions
from strategies.algebra.ring import Poly
from strategies.algebra.writing import Scribe
from strategies.base import Leaf

__all__ = [
    "Cancel",
    "Expand",
    "Rational",
    "Together",
    "cancel",
    "expand",
    "over_factors",
    "together",
]  # fmt: skip


def _expanded(scribe: Scribe, field: Field, value: Quotient) -> int:
    """Write a polynomial in generators and their inverses."""
    return field.ring.node(value.above, value.below)


def _over_one(scribe: Scribe, field: Field, value: Quotient) -> int:
    """Write one fraction in lowest terms, numerator and denominator multiplied out."""
    assert isinstance(field, Fractions), "cancelling needs fractions"
    low = field.lowest(value)
    return _fraction(scribe, field, low, [(field.raised(field.ring.constant(1), low.factors), 1)])


def over_factors(scribe: Scribe, field: Field, value: Quotient) -> int:
    """Write one fraction in lowest terms, the denominator as the factors that it is made of."""
    assert isinstance(field, Fractions), "cancelling needs fractions"
    low = field.lowest(value)
    return _fraction(scribe, field, low, [(field.factors[f], k) for f, k in low.factors.items()])


def _fraction(
    scribe: Scribe, field: Fractions, low: Quotient, below: list[tuple[Poly, int]]
) -> int:
    """Write a fraction as canonical products are: numbers in front, monomials taken apart."""
    if not low.factors:
        return field.ring.node(low.above, low.below)
    product = Product(inverse(low.below))
    for poly, k in [(low.above, 1), *((poly, -k) for poly, k in below)]:
        scribe.times(product, field.product(poly), k)
    return scribe.product(product.coef, product.monomial())


# -- strategies ------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Rational(Leaf):
    """A strategy that rewrites every arithmetic region of a term in a ring of polynomials."""

    licence: FastMath = FastMath.GUARDED
    needs: ClassVar[FastMath] = COLLECT
    splits: ClassVar[bool] = True
    kind: ClassVar[type[Field]]

    def rewrite(self, term: Any) -> Any:
        if not isinstance(term, Term) or self.needs not in self.licence:
            return None
        finish = self.finisher(term)
        regions = Regions(term.store, self.licence, self.kind, finish, splits=self.splits)
        return Term(term.store, regions.run(term.id))

    def finisher(self, term: Term) -> Finish:
        """Return the function that writes a result."""
        raise NotImplementedError

    def __str__(self) -> str:
        return type(self).__name__.lower()


@dataclass(frozen=True, repr=False)
class Expand(Rational):
    """expand(t) = the sum of monomials that is equal to t."""

    kind = Inverses

    def finisher(self, term: Term) -> Finish:
        return _expanded


@dataclass(frozen=True, repr=False)
class Cancel(Rational):
    """cancel(t) = p / q, polynomials without a common factor."""

    needs = QUOTIENTS
    kind = Fractions

    def finisher(self, term: Term) -> Finish:
        return _over_one


@dataclass(frozen=True, repr=False)
class Together(Rational):
    """together(t) = p / (q1 * q2 * ...), polynomials without a common factor."""

    needs = QUOTIENTS
    kind = Fractions

    def finisher(self, term: Term) -> Finish:
        return over_factors


def expand(math: str | FastMath = "guarded") -> Expand:
    """Multiply out products and powers of sums, inside functions too, and collect.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> expand()((x + y) ** 2 - (x - y) ** 2 + (x + 1) / y)
    4*x*y + x/y + 1/y

    Equal polynomials have equal expansions. A denominator is multiplied out and kept as one. It
    needs `reassoc nnan nsz`, and `arcp ninf` to look into quotients.
    """
    return Expand(licence(math))


def cancel(math: str | FastMath = "guarded") -> Cancel:
    """Bring to one fraction in lowest terms, multiplied out: equal rational functions are one term.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> cancel()(1 / (x - y) - 2 * y / (x**2 - y**2))
    1/(x + y)

    A common factor is not 0 where the source is defined, so the result may be defined at more
    points. It needs `reassoc arcp nnan ninf nsz`, and does not apply without.
    """
    return Cancel(licence(math))


def together(math: str | FastMath = "guarded") -> Together:
    """Bring to one fraction in lowest terms; the denominator stays a product.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> together()(1 / (x + 1) + 1 / (x + y))
    (2*x + y + 1)/((x + 1)*(x + y))

    It assumes and needs what `cancel` does.
    """
    return Together(licence(math))
