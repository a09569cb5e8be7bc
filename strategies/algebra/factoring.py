"""Strategies that write sums as products: common factors, and factors over the rational numbers."""

from dataclasses import dataclass
from typing import Any, Final

from rewrite import ops
from rewrite.dag import Dag
from rewrite.fastmath import FastMath, licence
from rewrite.store import Store
from rewrite.term import Term
from strategies.algebra.forms import Monomial, Product, Sum, Terms, content, exact, inverse
from strategies.algebra.normal import QUOTIENTS, Normalize
from strategies.algebra.quotient import Field, Fractions, Quotient
from strategies.algebra.rational import Rational
from strategies.algebra.region import Finish
from strategies.algebra.ring import Poly
from strategies.algebra.writing import Scribe
from strategies.base import Leaf

__all__ = ["Factor", "FactorTerms", "factor", "factor_terms"]

_ADD, _MUL, _DIV, _POW = ops.ADD.code, ops.MUL.code, ops.DIV.code, ops.POW.code
_CONST: Final = ops.CONST.code
_PRODUCTS: Final = frozenset({_MUL, _DIV, _POW})


# -- common factors --------------------------------------------------------------------------


class _Common:
    """One pass over a canonical term, children first."""

    def __init__(self, store: Store, allowed: FastMath) -> None:
        self.store, self.scribe = store, Scribe(store, quotients=QUOTIENTS in allowed)
        self.made: dict[int, int] = {}
        self.opens = False
        """Does a sum that was a factor stand alone in a sum now?"""

    def run(self, root: int) -> int:
        store = self.store
        for node in Dag.of(store, [root]).ids.tolist():
            code, children = store.code(node), store.children(node)
            numbers = bool(children) and self.scribe.of_numbers(node)
            if not children:
                self.made[node] = node
            elif numbers and code == _ADD:
                self.made[node] = self.sum(node)
            elif numbers and code in _PRODUCTS:
                self.made[node] = self.product(node)
            else:
                self.made[node] = store.make((code, *[self.made[c] for c in children]))
        return self.made[root]

    def mapped(self, coef: Any, monomial: Monomial) -> Product:
        """Return a monomial over the factored generators."""
        product = Product(coef)
        for g, e in monomial:
            made = self.made.get(g, g)
            form = self.scribe.read(made) if made != g else Product(1, {g: 1})
            self.scribe.times(product, form, e)
        return product

    def product(self, node: int) -> int:
        parsed = self.scribe.factors(node)
        if parsed.factors == {node: 1}:  # a power that is a generator
            code, children = self.store.code(node), self.store.children(node)
            return self.store.make((code, *[self.made[c] for c in children]))
        made = self.mapped(parsed.coef, parsed.monomial())
        self.opens |= self.is_sum(made)
        return self.scribe.product(made.coef, made.monomial())

    def sum(self, node: int) -> int:
        terms: Terms = {}
        for monomial, coef in self.scribe.parsed(node).items():
            made = self.mapped(coef, monomial)
            self.opens |= self.is_sum(made)
            key = made.monomial()
            terms[key] = exact(terms.get(key, 0) + made.coef)
        common = _common(terms)
        out = content(terms.values())
        if not common and out == 1:
            return self.scribe.sum(terms)
        down = Product(1, dict(common)).power(-1)
        assert down is not None, "a product without a coefficient has an inverse"
        left: Terms = {}
        for monomial, coef in terms.items():
            rest = Product(coef, dict(monomial))
            self.scribe.times(rest, down)
            left[rest.monomial()] = rest.coef
            self.opens |= self.is_sum(rest)
        whole = Product(1, dict(common))
        self.scribe.times(whole, Sum(left, special=True))
        return self.scribe.product(whole.coef, whole.monomial())

    def is_sum(self, product: Product) -> bool:
        """Tell whether all that is left of a product is a sum."""
        if len(product.factors) != 1:
            return False
        ((g, e),) = product.factors.items()
        return e * product.sign == 1 and self.store.code(g) == _ADD


def _common(terms: Terms) -> Monomial:
    """Return the powers of generators that are in every term."""
    rows = [dict(monomial) for monomial in terms]
    shared = {g: min(row.get(g, 0) for row in rows) for g in rows[0]}
    return tuple(sorted((g, e) for g, e in shared.items() if e > 0))


@dataclass(frozen=True, repr=False)
class FactorTerms(Leaf):
    """factor_terms(a * b + a * c) = a * (b + c), in every sum."""

    licence: FastMath = FastMath.GUARDED

    def rewrite(self, term: Any) -> Any:
        before = None
        while (made := Normalize(self.licence)(term)) != before:
            common = _Common(made.store, self.licence)
            term, before = Term(made.store, common.run(made.id)), made
            if not common.opens:  # else a sum may have more to collect
                break
        return None if before is None else term

    def __str__(self) -> str:
        return "factor_terms"


# -- factors of polynomials ------------------------------------------------------------------


def _factored(scribe: Scribe, field: Field, value: Quotient) -> int:
    """Write one fraction in lowest terms, both parts as products of irreducible polynomials."""
    assert isinstance(field, Fractions), "cancelling needs fractions"
    low = field.lowest(value)
    if low.above.is_zero():
        return scribe.constant(0)
    product = Product(inverse(low.below))
    parts: list[tuple[Poly, int]] = [(low.above, 1)]
    parts += [(field.factors[f], -k) for f, k in low.factors.items()]
    for poly, sign in parts:
        number, found = poly.factor()
        scribe.times(product, Product(int(number)), sign)
        for one, k in found:
            scribe.times(product, field.product(one), sign * int(k))
    if len(product.factors) == 1 and product.coef == 1:
        ((g, e),) = product.factors.items()
        if e * product.sign == 1:
            return g
    return scribe.product(product.coef, product.monomial())


@dataclass(frozen=True, repr=False)
class Factor(Rational):
    """factor(t) = a product of polynomials that are irreducible over the rational numbers."""

    splits = False
    kind = Fractions

    def finisher(self, term: Term) -> Finish:
        return _factored


# -- their names in expressions --------------------------------------------------------------


def factor_terms(math: str | FastMath = "guarded") -> FactorTerms:
    """Take common factors and numbers out of every sum, without multiplying anything out.

    >>> import rewrite as rw
    >>> x, y, z = rw.symbols("x y z")
    >>> factor_terms()(2 * x * y + 4 * x * z * (y + 1))
    2*x*(2*z*(y + 1) + y)
    """
    return FactorTerms(licence(math))


def factor(math: str | FastMath = "guarded") -> Factor:
    """Factor polynomials, and numerators and denominators, over the rational numbers.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> factor()(x**4 - y**4)
    (x + y)*(x + -1*y)*(x**2 + y**2)

    It needs `reassoc nnan nsz`, and `arcp ninf` to look into quotients.
    """
    return Factor(licence(math))
