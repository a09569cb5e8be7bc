"""`normalize`: canonical sums and products, in one pass over the distinct nodes.

Sums are collected into linear combinations of monomials, products into monomials; products are not
multiplied out. A sum or product with one user is taken apart by it, whatever its width: a chain of
a million additions becomes one sum. One with several users is taken apart up to `WIDEST` parts,
since each user has to copy it; a wider one stays one summand or factor, and so does one that was
written as a single node, which makes the result stable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.dag import Dag
from rewrite.fastmath import FastMath, licence
from rewrite.store import Store
from rewrite.term import Term
from strategies.algebra.floats import join_product, join_sum
from strategies.algebra.forms import STEEPEST, Form, Product, Rational, Sum, fits, width
from strategies.algebra.joining import join_powers
from strategies.algebra.writing import NUMBERS, Scribe
from strategies.base import Leaf
from strategies.normal import Fold

__all__ = ["COLLECT", "QUOTIENTS", "WIDEST", "Normalize", "normalize"]

COLLECT: Final = FastMath.REASSOC | FastMath.NSZ | FastMath.NNAN
"""What collecting needs: x + y - x is NaN where x is infinite, and y is not."""
QUOTIENTS: Final = COLLECT | FastMath.ARCP | FastMath.NINF
"""What collecting of negative exponents needs: x**2 * x**-1 overflows where x does not."""

WIDEST: Final = 32
"""A sum or product with more parts that is shared, or written as one node, is kept whole."""

_CHOOSING: Final = frozenset({ops.WHERE.code, ops.AND.code, ops.OR.code})


class Pass:
    """One pass over a program, children first; each node becomes a form."""

    def __init__(self, store: Store, allowed: FastMath) -> None:
        self.scribe = Scribe(store, quotients=QUOTIENTS in allowed)
        self.store, self.allowed = store, allowed
        self.fold = Fold(allowed)
        self.dag: Dag
        self.forms: list[Form | None] = []
        self.ids: list[int] = []
        self.left: list[int] = []
        """How many users of each node are still to come."""
        self.shared: list[bool] = []

    def run(self, root: int) -> int:
        """Return the canonical form of a node."""
        self.dag = dag = Dag.of(self.store, [root])
        count = len(dag)
        self.left = np.bincount(dag.args, minlength=count).tolist()
        self.left[dag.roots[0]] += 1
        self.forms, self.ids = [None] * count, [-1] * count
        sorts, leaves = dag.sort.tolist(), dag.ids.tolist()
        rows = dag.rows()
        self.shared = [
            users > 1 or len(args) > WIDEST
            for users, (_, args) in zip(self.left, rows, strict=True)
        ]
        for at, (code, args) in enumerate(rows):
            if not args:
                self.forms[at] = self.scribe.leaf(leaves[at])
                self.ids[at] = leaves[at]
                continue
            step = _STEPS.get(code) if sorts[at] in NUMBERS else None
            if step is not None and all(sorts[a] in NUMBERS for a in args):
                self.forms[at] = step(self, args)
            if self.forms[at] is None:
                self.forms[at] = self.opaque(code, args)
        return self.node(dag.roots[0])

    # -- what a user takes of its operands ---------------------------------------------------

    def take(self, at: int, *, summand: bool) -> tuple[Form, bool]:
        """Return the form of an operand, and whether the user may change it."""
        form = self.forms[at]
        assert form is not None, f"operand {at} was consumed"
        self.left[at] -= 1
        own = self.left[at] == 0
        if own:
            self.forms[at] = None
        if form.special and (isinstance(form, Product) or not summand):
            form = form if own else form.copy()
            form = self.settled(form)
        if summand and isinstance(form, Product):
            form, own = self.opened(form, own)
        kept = self.shared[at] or (isinstance(form, Sum) and not own)
        if kept and width(form) > WIDEST:
            form, own = self.whole(form), True
        return form, own

    def settle(self, form: Form) -> None:
        """Join the generators of a form that join with others."""
        if isinstance(form, Product):
            if form.special:
                join_powers(self.scribe, form)
                join_product(self.store, form)
        elif form.special:
            join_sum(self.store, form)

    def settled(self, form: Form) -> Form:
        """Join the generators of a form that is to be a factor: its scale is left outside."""
        if isinstance(form, Product):
            self.settle(form)
            return form
        scale, form.scale = form.scale, 1
        self.settle(form)
        form.scale = scale
        return self.simplest(form)

    def opened(self, form: Product, own: bool) -> tuple[Form, bool]:
        """Return a product of a number and one canonical node as what the node stands for."""
        if len(form.factors) == 1:
            (g, e), known = next(iter(form.factors.items())), self.scribe
            if e * form.sign == 1 and (g in known.sums or g in known.products):
                inner = known.read(g)
                if isinstance(inner, Sum) and fits(inner.scale * form.coef):
                    inner.scale *= form.coef
                    return inner, False
                if isinstance(inner, Product) and fits(inner.coef * form.coef):
                    inner.coef *= form.coef
                    return inner, own
        return form, own

    def whole(self, form: Form) -> Product:
        """Return a form as one generator, with a coefficient."""
        if isinstance(form, Sum):
            coef, node = self.scribe.base(form)
            return Product(coef, {node: 1})
        return Product(form.coef, {self.scribe.product(1, form.monomial()): 1})

    def node(self, at: int) -> int:
        """Write the form of a node, once."""
        if self.ids[at] < 0:
            form = self.forms[at]
            assert form is not None, f"operand {at} was consumed"
            self.ids[at] = self.written(form)
        return self.ids[at]

    def written(self, form: Form) -> int:
        """Write a form."""
        self.settle(form)
        if isinstance(form, Product):
            form, _ = self.opened(form, True)
        if isinstance(form, Sum):
            return self.scribe.sum(form.scaled())
        if form.coef == 0:
            return self.store.constant(0)
        return self.scribe.product(form.coef, form.monomial())

    # -- sums --------------------------------------------------------------------------------

    def total(self, parts: list[tuple[Rational, Form, bool]]) -> Form:
        """Add forms, each times a number; its last entry tells whether it may be changed."""
        target = Sum({})
        for factor, form, own in sorted(parts, key=lambda part: -width(part[1])):
            if isinstance(form, Product):
                self.scribe.put(target, form.monomial(), form.coef * factor)
                target.special |= bool(form.special)
            elif not target.terms and fits(form.scale * factor):
                target = form if own else form.copy()
                target.scale *= factor
            else:
                self.scribe.plus(target, form, factor)
        return self.simplest(target)

    def simplest(self, whole: Sum) -> Form:
        """Return a sum of one term as a product, of none as 0."""
        if whole.special and len(whole.terms) < 2:
            self.settle(whole)
        if len(whole.terms) > 1:
            return whole
        if not whole.terms:
            return Product(0)
        ((monomial, coef),) = whole.scaled().items()
        special = frozenset(g for g, _ in monomial if self.scribe.is_special(g))
        return Product(coef, dict(monomial), special=special)

    def add(self, args: tuple[int, ...]) -> Form | None:
        return self.total([(1, *self.take(a, summand=True)) for a in args])

    def sub(self, args: tuple[int, ...]) -> Form | None:
        one, other = (self.take(a, summand=True) for a in args)
        return self.total([(1, *one), (-1, *other)])

    def neg(self, args: tuple[int, ...]) -> Form | None:
        return self.scaled(args[0], -1)

    def scaled(self, at: int, factor: Rational) -> Form:
        """Multiply an operand by a number."""
        form, own = self.take(at, summand=False)
        return self.scaled_form(form, own, factor)

    def scaled_form(self, form: Form, own: bool, factor: Rational) -> Form:
        if factor == 0:
            return Product(0)
        if isinstance(form, Sum):
            if len(form.terms) > WIDEST and not own:
                form = self.whole(form)
            elif fits(form.scale * factor):
                made = form if own else form.copy()
                made.scale *= factor
                return made
        made_ = Product(factor)
        self.scribe.times(made_, form)
        return made_

    # -- products ----------------------------------------------------------------------------

    def mul(self, args: tuple[int, ...]) -> Form | None:
        return self.multiplied([self.take(a, summand=False) for a in args])

    def multiplied(self, parts: list[tuple[Form, bool]]) -> Form:
        """Multiply forms."""
        numbers = [f for f, _ in parts if isinstance(f, Product) and not f.factors]
        rest = [(f, own) for f, own in parts if isinstance(f, Sum) or f.factors]
        scale = Product(1)
        for number in numbers:
            self.scribe.times(scale, number)
        if scale.coef == 0:
            return Product(0)
        if not rest:
            return scale
        if len(rest) == 1 and isinstance(rest[0][0], Sum) and not scale.factors:
            return self.scaled_form(*rest[0], scale.coef)
        rest.sort(key=lambda part: -len(part[0].factors) if isinstance(part[0], Product) else 0)
        target = scale
        form, own = rest[0]
        if isinstance(form, Product):
            target = form if own else form.copy()
            self.scribe.times(target, scale)
            rest = rest[1:]
        for form, _ in rest:
            self.scribe.times(target, form)
        return target

    def div(self, args: tuple[int, ...]) -> Form | None:
        below = self.forms[args[1]]
        number = isinstance(below, Product) and not below.factors
        if isinstance(below, Product) and below.coef == 0:
            return None
        needed = COLLECT | FastMath.ARCP if number else QUOTIENTS
        if needed not in self.allowed:
            return None
        above, (form, own) = (self.take(a, summand=False) for a in args)
        return self.multiplied([above, self.turned(form, own)])

    def turned(self, form: Form, own: bool) -> tuple[Form, bool]:
        """Return 1 / form, which may share its factors with it."""
        made = form.power(-1) if isinstance(form, Product) else None
        if made is None:
            own, made = True, Product(1)
            self.scribe.times(made, form, -1)
        return made, own

    def pow(self, args: tuple[int, ...]) -> Form | None:
        n = self.integer(args[1])
        base = self.forms[args[0]]
        if n is None or abs(n) >= STEEPEST or (n < 0 and QUOTIENTS not in self.allowed):
            return None
        if n < 0 and isinstance(base, Product) and base.coef == 0:
            return None
        form, own = self.take(args[0], summand=False)
        self.take(args[1], summand=False)
        if n == 0:
            return Product(1)
        if n == 1:
            return form if own else form.copy()
        made = Product(1)
        self.scribe.times(made, form, n)
        return made

    def integer(self, at: int) -> int | None:
        """Return the value of an operand that is an integer."""
        form = self.forms[at]
        if isinstance(form, Product) and not form.factors and isinstance(form.coef, int):
            return form.coef
        node = self.ids[at]
        if isinstance(form, Product) and form.coef == 1 and len(form.factors) == 1 and node < 0:
            ((node, e),) = form.factors.items()  # what was folded to a float
            node = node if e * form.sign == 1 else -1
        value = self.store.value(node) if node >= 0 else None
        if isinstance(value, float) and value.is_integer() and abs(value) < 2.0**31:
            return int(value)
        return None

    def fma(self, args: tuple[int, ...]) -> Form | None:
        if FastMath.CONTRACT not in self.allowed:
            return None
        product = self.multiplied([self.take(a, summand=False) for a in args[:2]])
        form, own = self.opened(product, True) if isinstance(product, Product) else (product, True)
        return self.total([(1, form, own), (1, *self.take(args[2], summand=True))])

    # -- everything else ---------------------------------------------------------------------

    def opaque(self, code: int, args: tuple[int, ...]) -> Form:
        """Rebuild a node over its canonical operands, and take it as a generator."""
        children = [self.node(a) for a in args]
        for a in args:
            self.left[a] -= 1
            if not self.left[a]:
                self.forms[a] = None
        store = self.store
        node = store.make((code, *children))
        if code in _CHOOSING or all(store.code(c) == ops.CONST.code for c in children):
            made = self.fold(Term(store, node))
            node = node if made is None else made.id
        return self.scribe.read(node)


type _Step = Callable[[Pass, tuple[int, ...]], Form | None]
_STEPS: Final[dict[int, _Step]] = {
    ops.ADD.code: Pass.add,
    ops.SUB.code: Pass.sub,
    ops.NEG.code: Pass.neg,
    ops.MUL.code: Pass.mul,
    ops.DIV.code: Pass.div,
    ops.POW.code: Pass.pow,
    ops.FMA.code: Pass.fma,
}
"""How the arithmetic ops combine forms; None where an op must stay as it is."""


@dataclass(frozen=True, repr=False)
class Normalize(Leaf):
    """normalize(t) = the canonical sum or product that is equal to t."""

    licence: FastMath = FastMath.GUARDED

    def rewrite(self, term: Any) -> Any:
        if not isinstance(term, Term) or COLLECT not in self.licence:
            return None
        return Term(term.store, Pass(term.store, self.licence).run(term.id))

    def __str__(self) -> str:
        return "normalize"


def normalize(math: str | FastMath = "guarded") -> Normalize:
    """Write sums and products canonically: flat, in order, coefficients and exponents collected.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> normalize()(2 * (x + y) - y * x / y + 3 * x * x**2)
    3*x**3 + x + 2*y

    Products are not multiplied out; arguments of functions are normalised too. Equal terms up to
    the order and grouping of sums and products, the distribution of numbers over sums, and the
    collecting of equal bases, have the same form.

    It needs `reassoc nnan nsz`, and does not apply without. Quotients are collected with `arcp
    ninf`: then x / x is 1, so the source is taken to be defined, and finite; else they are kept. An
    `fma` is taken apart with `contract`. Floats are joined only where no bit is lost.
    """
    return Normalize(licence(math))
