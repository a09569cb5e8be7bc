"""Is a law true? A proof by cases: in each, both sides are fractions that are one, or undefined.

What is proved is the law of `rewrite/rules/README.md`: wherever the conditions hold and the
variables have real values, both sides are defined at the same points and equal there.
"""

from typing import Any, Final

from rewrite import ops
from rewrite.certificates.fractions import Frac, Ring, Stuck
from rewrite.certificates.functions import CONSTANT, Functions, Undefined, Unit
from rewrite.certificates.meanings import MEANINGS
from rewrite.certificates.signs import Case, Split
from rewrite.constants import Named
from rewrite.dag import Dag
from rewrite.rule import Rule
from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol

__all__ = ["Proof", "cases"]

MOST: Final = 4000
"""Cases of one proof."""
KNOWN: Final = {
    "nonzero": (-1, 1),
    "positive": (1,),
    "negative": (-1,),
    "nonneg": (0, 1),
    "nonpos": (-1, 0),
}
"""Condition -> the signs it allows."""


def cases(rule: Rule) -> int | None:
    """Return of how many cases a proof of a rule consists, None if none is found."""
    parts = 1
    while parts <= 12:
        try:
            return Proof(rule, parts).cases()
        except Unit as wanted:
            parts = wanted.parts
        except Stuck:
            return None
    return None


class Proof:
    """Both sides and the conditions of a rule over one ring; `values` are those of its nodes."""

    def __init__(self, rule: Rule, parts: int) -> None:
        self.rule, self.parts, self.ring = rule, parts, Ring()
        roots = [*(c.term.id for c in rule.where), rule.lhs.id, rule.rhs.id]
        self.dag = Dag.of(rule.lhs.store, roots)
        self.rows = self.dag.rows()
        self.variables: dict[int, int] = {}
        whole: dict[str, bool] = {}
        for at, value in enumerate(self.dag.value):
            if isinstance(value, Symbol) and value.sort is not BOOL:
                index, _ = self.ring.atom("variable", value.name)
                self.variables[at] = index
                if value.sort is INT:
                    whole[str(self.ring.gen(index))] = True
        pi = self.ring.gen(self.ring.atom("pi", CONSTANT)[0]).num
        bounds = ((pi - 3, 1), (7 * pi - 22, -1)) if _ANGLES & set(self.dag.code.tolist()) else ()
        signs = {str(p): (p, frozenset((sign,))) for p, sign in bounds}
        self.start = Case(signs=signs, integers=whole)

    def cases(self) -> int | None:
        """Count the cases, all of which are proved."""
        waiting, count = [self.start], 0
        while waiting:
            count += 1
            if count > MOST:
                return None
            case = waiting.pop()
            try:
                if not self.holds(case):
                    return None
            except Split as split:
                waiting += split.cases
        return count

    def holds(self, case: Case) -> bool:
        """Tell whether both sides agree in a case, or the conditions do not hold; may split."""
        self.functions = Functions(self.ring, case, self.parts)
        self.values: dict[int, Any] = {}
        roots = self.dag.roots
        for condition, at in zip(self.rule.where, roots[:-2], strict=True):
            if not self._meets(condition.kind, at):
                return True
        left, right = self._value(roots[-2]), self._value(roots[-1])
        if left is None or right is None or isinstance(left, bool):
            same = left is right
        else:
            same = self.ring.vanishes(self.ring.sub(left, right))
        return same or self.functions.contradictory()

    def _meets(self, kind: str, at: int) -> bool:
        value = self._value(at)
        if value is None:
            return False
        if kind == "integer":
            return self.functions.integer(value)
        if kind == "nonzero":
            return not self.functions.is_zero(value)
        return self.functions.sign(value) in KNOWN[kind]

    def _value(self, at: int) -> Any:
        """Return a fraction, a truth value, or None where there is no value."""
        if at not in self.values:
            self.values[at] = self._computed(at)
        return self.values[at]

    def _computed(self, at: int) -> Any:
        code, args = self.rows[at]
        if not args:
            return self._leaf(at)
        if code == ops.WHERE.code:
            choice = self._value(args[0])
            return None if choice is None else self._value(args[1 if choice else 2])
        operands = [self._value(arg) for arg in args]
        if code in _LOGIC:
            meaning = ops.OPS[code].ball
            assert meaning is not None
            return meaning(*operands)
        if None in operands:
            return None
        try:
            return _meaning(code)(self.functions, *operands)
        except Undefined:
            return None

    def _leaf(self, at: int) -> Any:
        value, ring = self.dag.value[at], self.ring
        if isinstance(value, Symbol):
            return self._variable(at, value)
        if isinstance(value, bool):
            return value
        if isinstance(value, Named):
            if value.name == "pi":
                return self.functions.pi
            return self.functions.exp(ring.one)
        return ring.number(value)

    def _variable(self, at: int, symbol: Symbol) -> bool | Frac:
        case = self.functions.case
        if symbol.sort is BOOL:
            if symbol.name not in case.truths:
                raise Split([self.functions.told("truths", symbol.name, t) for t in (True, False)])
            return case.truths[symbol.name]
        index = self.variables[at]
        return case.values.get(index, self.ring.gen(index))


def _meaning(code: int) -> Any:
    if code not in MEANINGS:
        raise Stuck("an op without axioms")
    return MEANINGS[code]


_LOGIC: Final = (ops.AND.code, ops.OR.code, ops.NOT.code)
_ANGLES: Final = {ops.ASIN.code, ops.ACOS.code, ops.ATAN.code}
