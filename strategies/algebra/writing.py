"""From sums and products to canonical terms, and back: what was written is remembered.

A sum is `add(term, ...)`, its terms in the order of `strategies.algebra.order`, the constant last.
A term is `mul(coefficient, power, ...)` without what is 1; a power is `pow(base, n)`, or the base
where n is 1. Negative powers stand together below: `div(mul(...), mul(...))`. A sum that is a
factor has coprime integer coefficients, the first of which is positive; what was taken out of it
is in the coefficient of the product. So 2*x - 2*y stays as it is, and (2*x - 2*y)*z becomes
2*(x - y)*z.
"""

import operator
from typing import Final

from rewrite import ops
from rewrite.constants import Named
from rewrite.sorts import INT, REAL
from rewrite.store import Store
from strategies.algebra.floats import is_negative, join_sum
from strategies.algebra.forms import (
    STEEPEST,
    Form,
    Monomial,
    Product,
    Rational,
    Sum,
    Terms,
    content,
    exact,
    fits,
    ratio,
)
from strategies.algebra.order import Order

__all__ = ["NUMBERS", "Scribe"]

_ADD, _MUL, _DIV, _POW = ops.ADD.code, ops.MUL.code, ops.DIV.code, ops.POW.code
_CONST: Final = ops.CONST.code
_first = operator.itemgetter(0)
NUMBERS: Final = (int(REAL), int(INT))
"""The sorts whose sums and products are collected; those of matrices, say, are generators."""
ROOTS: Final = frozenset({_POW, ops.SQRT.code})
"""A generator with one of these heads is a power, and may join with others of its base."""


class Scribe:
    """Writes forms into one store and reads back what was written.

    Without `quotients`, divisions and negative powers are generators when read.
    """

    def __init__(self, store: Store, *, quotients: bool = True) -> None:
        self.store, self.quotients = store, quotients
        self.order = Order(store)
        self.sums: dict[int, Terms] = {}
        """What canonical sums stand for, by node."""
        self.products: dict[int, tuple[Rational, Monomial]] = {}
        """What canonical products other than a generator stand for."""

    # -- numbers and generators --------------------------------------------------------------

    def constant(self, value: Rational) -> int:
        """Intern an exact number."""
        return self.store.constant(exact(value))

    def read(self, node: int) -> Form:
        """Return what a canonical node stands for; of any other, the node as a generator."""
        if node in self.sums:
            return Sum(dict(self.sums[node]), special=True)
        if node in self.products:
            coef, monomial = self.products[node]
            special = frozenset(g for g, _ in monomial if self.is_special(g))
            return Product(coef, dict(monomial), special=special)
        return self.leaf(node)

    def leaf(self, node: int) -> Product:
        """Return a number as a coefficient, anything else as a generator."""
        value = self.store.value(node)
        if value is not None and not isinstance(value, (bool, Named)):
            if isinstance(value, float):
                if value == 0.0:
                    return Product(0)
            elif fits(value):
                return Product(value)
        special = frozenset({node}) if self.is_special(node) else frozenset()
        return Product(1, {node: 1}, special=special)

    def is_special(self, g: int) -> bool:
        """Tell whether a generator may join with others: a float, or a power."""
        code = self.store.code(g)
        return code in ROOTS or (code == _CONST and isinstance(self.store.value(g), float))

    # -- writing -----------------------------------------------------------------------------

    def monomial(self, coef: Rational, monomial: Monomial, *, keep: bool = True) -> int:
        """Write coef * monomial, whose generators come in the order in which they are given."""
        store = self.store
        above: list[int] = [] if coef == 1 else [self.constant(coef)]
        below: list[int] = []
        for g, e in monomial:
            size = abs(e)
            part = g if size == 1 else store.make((_POW, g, store.constant(size)))
            (above if e > 0 else below).append(part)
        node = self._mul(above) if above else store.constant(1)
        if below:
            node = store.make((_DIV, node, self._mul(below)))
        if keep and (coef, monomial) != (1, ((node, 1),)):
            self.products[node] = coef, tuple(sorted(monomial))
        return node

    def _mul(self, parts: list[int]) -> int:
        return parts[0] if len(parts) == 1 else self.store.make((_MUL, *parts))

    def product(self, coef: Rational, monomial: Monomial) -> int:
        """Write coef * monomial."""
        monomial, coef = self._shortened(monomial, coef)
        if len(monomial) > 1:
            rank = {g: r for r, g in enumerate(self.order.ranked(g for g, _ in monomial))}
            monomial = tuple(sorted(monomial, key=lambda pair: rank[pair[0]]))
        return self.monomial(coef, monomial)

    def sum(self, terms: Terms) -> int:
        """Write a sum."""
        if len(terms) < 2:
            return self.product(*next(((c, m) for m, c in terms.items()), (0, ())))
        if not all(map(fits, terms.values())):
            terms = dict(self._shortened(m, c) for m, c in terms.items())
        return self._sum(self.sorted(terms), terms)

    def _sum(self, rows: list[tuple[Monomial, Rational]], terms: Terms) -> int:
        node = self.store.make((_ADD, *[self.monomial(c, m) for m, c in rows]))
        self.sums[node] = terms
        return node

    def sorted(self, terms: Terms) -> list[tuple[Monomial, Rational]]:
        """Return the terms in order, and the generators of each in order."""
        found = {g for monomial in terms for g, _ in monomial}
        rank = {g: r for r, g in enumerate(self.order.ranked(found))}
        code, store = self.store.code, self.store
        weightless = {g for g in found if code(g) == _CONST and store.value(g) is not None}
        rows: list[tuple[tuple[int, Monomial], Monomial, Rational]] = []
        for monomial, coef in terms.items():
            if len(monomial) == 1:
                ((g, e),) = monomial
                rows.append(((0 if g in weightless else -e, ((rank[g], -e),)), monomial, coef))
                continue
            places = sorted([(rank[g], -e, g) for g, e in monomial])
            degree = sum([e for _, e, g in places if g not in weightless])
            key = (degree, tuple([(r, e) for r, e, _ in places]))
            rows.append((key, tuple([(g, -e) for _, e, g in places]), coef))
        rows.sort(key=_first)
        return [(monomial, coef) for _, monomial, coef in rows]

    def base(self, whole: Sum) -> tuple[Rational, int]:
        """Write a sum of two or more terms as a factor; return what was taken out, and the rest."""
        terms = self._joined(whole.terms) if whole.special else whole.terms
        rows = self.sorted(terms)
        out = content(terms.values())
        if is_negative(self.store, *rows[0]):
            out = -out
        if out != 1:
            terms = {m: ratio(c, out) for m, c in terms.items()}
            rows = [(m, ratio(c, out)) for m, c in rows]
            if whole.special:  # multiples of floats may be floats now
                terms = self._joined(terms)
                rows = self.sorted(terms)
        short = len(terms) > 1 and all(map(fits, terms.values()))
        node = self._sum(rows, terms) if short else self.sum(terms)
        return exact(out * whole.scale), node

    def _joined(self, terms: Terms) -> Terms:
        whole = Sum(dict(terms))
        join_sum(self.store, whole)
        return whole.terms or {(): 0}

    # -- reading what another scribe wrote ------------------------------------------------------

    def parsed(self, node: int) -> Terms:
        """Return a canonical node as monomials with coefficients."""
        store = self.store
        opens = store.code(node) == _ADD and self.of_numbers(node)
        terms: Terms = {}
        for part in store.children(node) if opens else (node,):
            made = self.factors(part)
            terms[made.monomial()] = made.coef
        return terms

    def of_numbers(self, node: int) -> bool:
        """Tell whether a node and its operands are numbers, whose products commute."""
        sort = self.store.sort
        return sort(node) in NUMBERS and all(sort(c) in NUMBERS for c in self.store.children(node))

    def factors(self, node: int) -> Product:
        """Return a canonical product as generators and a coefficient."""
        store, made = self.store, Product(1)
        stack = [(node, 1)]
        while stack:
            at, sign = stack.pop()
            code, children = store.code(at), store.children(at)
            n = store.value(children[1]) if code == _POW else None
            if children and not self.of_numbers(at):
                self.times(made, self.leaf(at), sign)
            elif code == _MUL:
                stack += [(child, sign) for child in children]
            elif code == _DIV and self.turns(children[1]):
                stack += [(children[0], sign), (children[1], -sign)]
            elif type(n) is int and (n > 0 or self.turns(children[0])) and abs(n) < STEEPEST:
                self.times(made, self.leaf(children[0]), sign * n)
            else:
                self.times(made, self.leaf(at), sign)
        return made

    def turns(self, below: int) -> bool:
        """Tell whether a quotient by a node is a product with its inverse."""
        return self.quotients and self.store.value(below) != 0

    # -- arithmetic that may need new generators ----------------------------------------------

    def times(self, product: Product, form: Form, n: int = 1) -> None:
        """Multiply a product by the n-th power of a form; what grows too large is a generator."""
        if isinstance(form, Sum):
            coef, node = self.base(form)
            form = Product(coef, {node: 1})
        raised = form.power(n)
        if raised is not None and product.times(raised):
            return
        if form.coef != 1:
            power = Product(form.coef).power(n)
            if power is None or not product.times(power):
                product.raise_(self.constant(form.coef), n)
        for g, e in form.factors.items():
            self._raise(product, g, e * form.sign, n)
        product.special |= form.special

    def _raise(self, product: Product, g: int, e: int, n: int) -> None:
        if abs(e * n) < STEEPEST and product.raise_(g, e * n):
            return
        power = g if abs(e) == 1 else self.store.make((_POW, g, self.store.constant(abs(e))))
        steps = n if e > 0 else -n
        if not product.raise_(power, steps):  # rarely: as a power of a power
            power = self.store.make((_POW, power, self.store.constant(abs(steps))))
            product.raise_(power, 1 if steps > 0 else -1)

    def put(self, whole: Sum, monomial: Monomial, coef: Rational) -> None:
        """Add coef * monomial to a sum; a number that is too long becomes a generator."""
        whole.put(*self._shortened(monomial, coef))

    def plus(self, whole: Sum, other: Sum, factor: Rational) -> None:
        """Add factor * other to a sum."""
        scale = factor * other.scale
        for monomial, coef in other.terms.items():
            made = coef * scale
            if fits(made):
                whole.put(monomial, made)
            else:
                self.put(whole, monomial, made)
        whole.special |= other.special

    def _shortened(self, monomial: Monomial, coef: Rational) -> tuple[Monomial, Rational]:
        if fits(coef):
            return monomial, coef
        made = Product(1, dict(monomial))
        made.raise_(self.constant(coef), 1)
        return made.monomial(), 1
