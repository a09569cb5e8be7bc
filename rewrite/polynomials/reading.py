"""From terms to a system: sums are flattened into rows, products into monomials.

What only one sum uses is taken into it; a sum with more users, or that is a factor, becomes a
kernel: nothing is multiplied out, so the system is as large as the terms are. Anything that is no
sum and no product of commuting numbers is a literal, whose inside is read as well.
"""

import math
from typing import Final

import numpy as np

from rewrite import ops
from rewrite.constants import Named
from rewrite.dag import Dag
from rewrite.deadline import look
from rewrite.polynomials.system import Mono, Opaque, Rational, Row, System, exact
from rewrite.sorts import INT, REAL
from rewrite.store import Store

__all__ = ["read_system"]

_ADD, _SUB, _NEG = ops.ADD.code, ops.SUB.code, ops.NEG.code
_MUL, _POW, _CONST = ops.MUL.code, ops.POW.code, ops.CONST.code
_ARITHMETIC: Final = frozenset({_ADD, _SUB, _NEG, _MUL, _POW})
_NUMBERS: Final = (int(REAL), int(INT))

LONGEST: Final = 64
"""A product of more factors is kept as it is; powers up to this one are products."""
COPIED: Final = 8
"""A product with more factors that has several users is not copied into them."""
DIGITS: Final = 4096
"""Coefficients with more bits are not multiplied."""


def read_system(store: Store, roots: list[int], *, vanish: bool) -> System:
    """Read terms; without `vanish`, coefficients that have become zero are kept."""
    return _Reader(store, roots, vanish).run()


class _Reader:
    """One pass over a program, children first; each node becomes a row or a literal."""

    def __init__(self, store: Store, roots: list[int], vanish: bool) -> None:
        self.vanish = vanish
        self.dag = Dag.of(store, roots)
        self.rows = self.dag.rows()
        self.sorts = self.dag.sort.tolist()
        self.system = System(vanish=vanish)
        count = len(self.dag)
        self.users = np.bincount(self.dag.args, minlength=count).tolist()
        for root in self.dag.roots:
            self.users[root] += 1
        self.forms: list[Row | None] = [None] * count
        self.plain = [False] * count
        """Whether there is nothing to do in a node."""
        self.places: dict[int, int] = {}
        """The row of each node that is a root or an operand of an opaque op."""

    def run(self) -> System:
        ids = self.dag.ids.tolist()
        for at, (code, args) in enumerate(self.rows):
            look()
            if self.arithmetic(code, args):
                self.forms[at] = self.sum(at) if code != _MUL and code != _POW else self.product(at)
            if self.forms[at] is None:
                self.forms[at] = self.other(at, code, args, ids[at])
        self.system.roots = [self.place(root) for root in self.dag.roots]
        return self.system

    def arithmetic(self, code: int, args: tuple[int, ...]) -> bool:
        """Tell whether a node is a sum or a product of numbers, none of them odd."""
        return code in _ARITHMETIC and all(
            self.sorts[a] in _NUMBERS and not self.odd(a) for a in args
        )

    def odd(self, at: int) -> bool:
        """Tell whether a node is a constant without the laws of real numbers: inf, NaN, 0.0."""
        value = self.dag.value[at] if self.rows[at][0] == _CONST else None
        return isinstance(value, float) and not (math.isfinite(value) and value)

    # -- what is no arithmetic -----------------------------------------------------------------

    def other(self, at: int, code: int, args: tuple[int, ...], node: int) -> Row:
        value = self.dag.value[at] if code == _CONST else None
        if value is not None and not isinstance(value, (bool, float, Named, str)):
            assert hasattr(value, "numerator"), f"{value!r} is no exact number"
            return self.kept({(): value})  # type: ignore[dict-item]
        self.plain[at] = all(self.plain[a] or self.rows[a][0] == _CONST for a in args)
        if self.plain[at]:
            return {(self.system.literal(node),): 1}
        operands = tuple([self.place(a) for a in args])
        return {(self.system.literal(Opaque(code, operands)),): 1}

    def place(self, at: int) -> int:
        """Return the row that holds the value of a node."""
        found = self.places.get(at)
        if found is None:
            coef, mono = self.factor(at) if self.users[at] > 1 else (0, ())
            form = {mono: coef} if self.users[at] > 1 else self.taken(at)
            found = self.places[at] = self.system.add_row(self.kept(form))
        return found

    def kept(self, row: Row) -> Row:
        return {m: c for m, c in row.items() if c} if self.vanish else row

    def taken(self, at: int) -> Row:
        form = self.forms[at]
        assert form is not None, f"node {at} was read before its user"
        return form

    # -- sums ----------------------------------------------------------------------------------

    def sum(self, at: int) -> Row:
        code, args = self.rows[at]
        signs = [-1 if code == _NEG or (code == _SUB and k) else 1 for k in range(len(args))]
        parts = [self.summand(a) for a in args]
        own = [self.users[a] == 1 for a in args]
        widest = max(range(len(args)), key=lambda k: (own[k], len(parts[k]), -k))
        if own[widest] and signs[widest] == 1:  # a chain of additions fills one dictionary
            whole, order = parts[widest], [k for k in range(len(args)) if k != widest]
        else:
            whole, order = {}, list(range(len(args)))
        for k in order:
            self.plus(whole, parts[k], signs[k])
        return whole

    def summand(self, at: int) -> Row:
        """Return what a sum adds for an operand: its summands, or one kernel."""
        form = self.taken(at)
        if len(form) < 2 or self.users[at] == 1:
            return form
        coef, mono = self.factor(at)
        return {mono: coef}

    def plus(self, whole: Row, part: Row, sign: int) -> None:
        for mono, coef in part.items():
            made = whole.get(mono, 0) + sign * coef
            if made or not self.vanish:
                whole[mono] = exact(made)
            else:
                del whole[mono]

    # -- products ------------------------------------------------------------------------------

    def factor(self, at: int) -> tuple[Rational, Mono]:
        """Return a node as a number and a monomial; a sum is a kernel."""
        form = self.taken(at)
        if not form:
            return 0, ()
        if len(form) == 1:
            ((mono, coef),) = form.items()
            if len(mono) <= COPIED or self.users[at] == 1:
                return coef, mono
        coef, kernel = self.system.kernel(form)
        self.forms[at] = {(kernel,): coef}
        return coef, (kernel,)

    def product(self, at: int) -> Row | None:
        """Return a product as one monomial; None if it is too long, or no product."""
        code, args = self.rows[at]
        times = 1
        if code == _POW:
            exponent = self.dag.value[args[1]] if self.rows[args[1]][0] == _CONST else None
            if isinstance(exponent, bool) or not isinstance(exponent, int):
                return None
            if not 0 <= exponent <= LONGEST:
                return None
            times, args = exponent, args[:1]
        if len(args) > LONGEST:
            return None
        coef: Rational = 1
        mono: list[int] = []
        for a in args:
            number, part = self.factor(a)
            if len(mono) + len(part) * times > LONGEST or _bits(number) * times > DIGITS:
                return None
            coef *= number**times
            mono += part * times
        if _bits(coef) > DIGITS:
            return None
        return self.kept({tuple(sorted(mono)): exact(coef)})


def _bits(value: Rational) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()
