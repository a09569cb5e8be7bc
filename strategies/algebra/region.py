"""Arithmetic regions of a term, from the inside out, each evaluated in a ring of its own.

A region is what sums, products, quotients and integer powers connect. What it ends at (symbols,
functions, floats) are the generators of its ring; their arguments are regions that were done
before. No recursion; a chain of sums is added up as one.
"""

import heapq
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.constants import Named
from rewrite.dag import Dag
from rewrite.fastmath import FastMath
from rewrite.store import Store
from rewrite.term import Term
from strategies.algebra.forms import Product, Rational, Sum
from strategies.algebra.normal import COLLECT, QUOTIENTS, Normalize
from strategies.algebra.quotient import Field, Quotient
from strategies.algebra.ring import Ring
from strategies.algebra.writing import NUMBERS, Scribe
from strategies.normal import Fold

__all__ = ["Finish", "Regions"]

type Finish = Callable[[Scribe, Field, Quotient], int]

_ADD, _SUB, _NEG = ops.ADD.code, ops.SUB.code, ops.NEG.code
_MUL, _DIV, _POW, _FMA = ops.MUL.code, ops.DIV.code, ops.POW.code, ops.FMA.code
_SUMS: Final = frozenset({_ADD, _SUB, _NEG})
_GROWING: Final = frozenset({*_SUMS, _FMA})
_RING: Final = frozenset({*_SUMS, _MUL})
_CHOOSING: Final = frozenset({ops.WHERE.code, ops.AND.code, ops.OR.code})
STEEP: Final = 4096
"""Higher powers are not multiplied out."""
MOST_ROUNDS: Final = 4
MANY: Final = 200
"""A sum of more generators is not computed in one ring."""


class Regions:
    """Rewrites every region of a term: `kind` makes the field, `finish` writes the result.

    `splits` tells that a polynomial is written as the sum of its terms, however it is computed.
    """

    def __init__(
        self, store: Store, allowed: FastMath, kind: type[Field], finish: Finish, *, splits: bool
    ) -> None:
        self.store, self.allowed, self.splits = store, allowed, splits
        self.scribe = Scribe(store)
        self.kind, self.finish = kind, finish
        self.fold = Fold(allowed)
        self.rows: list[tuple[int, tuple[int, ...]]] = []
        self.old: list[int] = []
        self.ids: list[int] = []
        """Per position: the finished node; -1 for arithmetic that nothing has asked for yet."""
        self.inner: list[bool] = []
        """Per position: is it arithmetic, and so inside a region?"""
        self.same: dict[int, int] = {}
        """Positions that turned out to be one of their operands."""
        self.uses: list[int] = []
        self.special = False
        self.compound = False
        """Did denominators meet that are to be multiplied out?"""

    def run(self, root: int) -> int:
        """Rewrite the term below a node."""
        for _ in range(MOST_ROUNDS):  # generators that join may leave more to do
            self.special = self.compound = False
            made = joined = self._defined(root)
            if self.special:
                joined = int(Normalize(self.allowed)(Term(self.store, made)).id)
            if joined == root or (joined == made and not self.compound):
                return joined
            root = joined
        return root

    def _defined(self, root: int) -> int:
        kept: set[int] = set()
        while True:
            try:
                return self._once(root, kept)
            except _DivisionByZero as found:  # it is kept as it is
                kept.add(found.node)

    def _once(self, root: int, kept: set[int]) -> int:
        dag = Dag.of(self.store, [root])
        self.rows, self.old = dag.rows(), dag.ids.tolist()
        self.ids, self.same, self.inner = [-1] * len(dag), {}, [False] * len(dag)
        self.uses = np.bincount(dag.args, minlength=len(dag)).tolist()
        sorts = dag.sort.tolist()
        for at, (code, args) in enumerate(self.rows):
            if not args:
                self.ids[at] = self.old[at]
                continue
            real = all(sorts[a] in NUMBERS for a in (at, *args))
            if real and self.old[at] not in kept and self._arithmetic(code, args):
                self.inner[at] = True
            else:
                self._opaque(at, code, args)
        return self.node(dag.roots[0])

    def _arithmetic(self, code: int, args: tuple[int, ...]) -> bool:
        if code in _RING:
            return True
        if code == _DIV:
            if QUOTIENTS not in self.allowed:
                self.node(args[1])  # it may come to a number
            number = self.number(args[1])
            if number is None:
                return QUOTIENTS in self.allowed
            return number != 0 and COLLECT | FastMath.ARCP in self.allowed
        if code == _POW:
            self.node(args[1])
            n = self.exponent(args[1])
            return n is not None and (n >= 0 or QUOTIENTS in self.allowed)
        return code == _FMA and FastMath.CONTRACT in self.allowed

    def number(self, at: int) -> Rational | None:
        """Return the value of an operand that is an exact number, or a zero."""
        value = self.store.value(self.ids[at]) if self.ids[at] >= 0 else None
        if value == 0.0:
            return 0
        return None if isinstance(value, (bool, float, Named)) else value

    def exponent(self, at: int) -> int | None:
        """Return the value of an operand that is an integer, and not too large."""
        value: Any = self.store.value(self.ids[at]) if self.ids[at] >= 0 else None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        small = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= STEEP
        return value if small else None

    def _opaque(self, at: int, code: int, args: tuple[int, ...]) -> None:
        """Rebuild a node over its finished operands."""
        store = self.store
        children = [self.node(a) for a in args]
        node = store.make((code, *children))
        if code in _CHOOSING or all(store.code(c) == ops.CONST.code for c in children):
            made = self.fold(Term(store, node))
            if made is not None:
                node = made.id
                if node in children:
                    chosen = args[children.index(node)]
                    self.same[at] = self.same.get(chosen, chosen)
        self.ids[at] = node

    # -- one region --------------------------------------------------------------------------

    def node(self, at: int) -> int:
        """Return the finished node at a position, evaluating its region if it is in one."""
        if self.ids[at] < 0:
            inside, leaves = self.region(at)
            if len(leaves) > MANY and self.splits and not self._mixed(inside):
                self.ids[at] = self.summed(at)
            else:
                field, value = self.evaluate(at, inside, leaves)
                self.compound |= field.compound(value)
                self.ids[at] = self.finish(self.scribe, field, value)
        return self.ids[at]

    def _mixed(self, inside: Sequence[int]) -> bool:
        """Tell whether summands must be brought to one denominator."""
        return not self.kind.apart and any(self._divides(at) for at in inside)

    def operands(self, at: int) -> list[int]:
        """Return the positions that an arithmetic position is computed from."""
        code, args = self.rows[at]
        return [self.same.get(a, a) for a in (args[:1] if code == _POW else args)]

    def region(self, top: int) -> tuple[list[int], list[int]]:
        """Return the arithmetic positions below one, operands first, and those that they end at."""
        seen, stack = {top}, [top]
        inside: list[int] = []
        leaves: list[int] = []
        while stack:
            at = stack.pop()
            if not self.inner[at]:
                leaves.append(at)
                continue
            inside.append(at)
            for a in self.operands(at):
                if a not in seen:
                    seen.add(a)
                    stack.append(a)
        return sorted(inside), sorted(leaves)

    def evaluate(
        self, top: int, inside: Sequence[int], leaves: Sequence[int]
    ) -> tuple[Field, Quotient]:
        """Evaluate a region in its own ring."""
        numbers = {at: self.number(at) for at in leaves}
        generators = {self.ids[at] for at in leaves if numbers[at] is None}
        self.special |= any(self.scribe.is_special(g) for g in generators)
        divisions = sum([self._divides(at) for at in inside]) if self.kind.apart else 0
        ring = Ring(self.scribe, self.scribe.order.ranked(generators), divisions)
        field = self.kind(ring)
        values: dict[int, Quotient] = {}
        for at, number in numbers.items():
            values[at] = field.generator(self.ids[at]) if number is None else field.number(number)
        inlined = self._inlined(inside)
        for at in inside:
            if at not in inlined:
                values[at] = self._value(field, values, at)
        return field, values[top]

    def _divides(self, at: int) -> bool:
        code, args = self.rows[at]
        if code == _DIV:
            return self.number(args[1]) is None
        return code == _POW and (self.exponent(args[1]) or 0) < 0

    def _inlined(self, inside: Sequence[int]) -> set[int]:
        """Return the sums that are added up with the one sum that uses them."""
        found: set[int] = set()
        for at in inside:
            code, args = self.rows[at]
            if code in _SUMS:
                found.update(a for a in args if self._joins(a))
        return found

    def _joins(self, at: int) -> bool:
        return self.uses[at] == 1 and self.inner[at] and self.rows[at][0] in _SUMS

    def _value(self, field: Field, values: dict[int, Quotient], at: int) -> Quotient:
        """Evaluate one position."""
        code, args = self.rows[at]
        if code in _SUMS:
            return field.add(self._summands(values, at))
        parts = [values[a] for a in self.operands(at)]
        if code == _DIV:
            return self._divided(field, values, parts[0], self.operands(at)[1], at)
        if code == _POW:
            n = self.exponent(args[1])
            assert n is not None, "an exponent that was an integer"
            if n >= 0:
                return field.power(parts[0], n)
            return self._divided(field, values, field.number(1), at, at)
        if code == _FMA:
            return field.add([(1, field.mul(parts[0], parts[1])), (1, parts[2])])
        made = parts[0]
        for part in parts[1:]:
            made = field.mul(made, part)
        return made

    def _divided(
        self, field: Field, values: dict[int, Quotient], made: Quotient, below: int, at: int
    ) -> Quotient:
        """Divide by an operand; by the factors of a product one by one, where they stay factors."""
        stack = [(below, 1)]
        while stack:
            part, k = stack.pop()
            code, args = self.rows[part]
            inside = self.inner[part]
            if inside and code == _POW and (part == at or not field.apart):
                n = self.exponent(args[1])
                assert n is not None, "an exponent that was an integer"
                stack.append((self.operands(part)[0], k * (-n if part == at else n)))
            elif inside and code == _MUL and not field.apart:
                stack += [(a, k) for a in self.operands(part)]
            elif k == 0:
                continue
            elif k < 0:
                made = field.mul(made, field.power(values[part], -k))
            elif (divisor := field.settled(values[part])).above.is_zero():
                raise _DivisionByZero(self.old[at])
            else:
                made = field.div(made, divisor, k)
        return made

    def _summands(self, values: dict[int, Quotient], top: int) -> list[tuple[int, Quotient]]:
        found: list[tuple[int, Quotient]] = []
        stack = [(1, top)]
        while stack:
            sign, at = stack.pop()
            if at != top and at in values:
                found.append((sign, values[at]))
                continue
            code, args = self.rows[at]
            turned = -sign if code in (_SUB, _NEG) else sign
            for place, a in enumerate(args):
                first = place == 0 and code == _SUB
                stack.append((sign if first else turned, self.same.get(a, a)))
        return found

    # -- sums of many generators: a ring for each summand, as rings are dense in generators ------

    def summed(self, top: int) -> int:
        """Write a sum whose summands are evaluated one by one."""
        total = Sum({})
        for at, times in self._multiples(top).items():
            inside, leaves = self.region(at)
            sums = any(self.rows[a][0] in _GROWING for a in inside)
            if sums or any(self.number(a) == 0 for a in leaves):
                field, value = self.evaluate(at, inside, leaves)
                self.compound |= field.compound(value)
                terms = field.ring.terms(value.above, value.below)
            else:
                product = self._product(at, inside, leaves)
                terms = {product.monomial(): product.coef}
            self.scribe.plus(total, Sum(terms), times)
        return self.scribe.sum(total.scaled())

    def _multiples(self, top: int) -> dict[int, int]:
        """Return how often each summand occurs, each sum being visited once, users first."""
        times, found = {top: 1}, dict[int, int]()
        heap = [-top]
        while heap:
            at = -heapq.heappop(heap)
            count = times.pop(at)
            code, args = self.rows[at]
            if not (self.inner[at] and code in _SUMS):
                found[at] = count
                continue
            for place, arg in enumerate(args):
                a = self.same.get(arg, arg)
                turned = code == _NEG or (code == _SUB and place == 1)
                if a not in times:
                    heapq.heappush(heap, -a)
                times[a] = times.get(a, 0) + (-count if turned else count)
        return {at: count for at, count in found.items() if count}

    def _product(self, top: int, inside: Sequence[int], leaves: Sequence[int]) -> Product:
        """Evaluate a region without sums and without zeros, users first."""
        powers: dict[int, int] = dict.fromkeys((*inside, *leaves), 0)
        powers[top] = 1
        for at in reversed(inside):
            code, args = self.rows[at]
            times = powers[at] * ((self.exponent(args[1]) or 0) if code == _POW else 1)
            for place, a in enumerate(self.operands(at)):
                powers[a] += -times if code == _DIV and place else times
        made = Product()
        for at in leaves:
            leaf = self.scribe.leaf(self.ids[at])
            self.special |= bool(leaf.special)
            if powers[at]:
                self.scribe.times(made, leaf, powers[at])
        return made


class _DivisionByZero(Exception):
    """A denominator that is zero after all; the node stays as it is."""

    def __init__(self, node: int) -> None:
        super().__init__(node)
        self.node = node
