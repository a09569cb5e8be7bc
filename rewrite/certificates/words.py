"""Laws of matrices: both sides as sums of words whose letters do not commute.

A sum of words is a dict from words, tuples of names, to fractions in the scalars. Equal sums are
equal in every algebra over the reals, so for matrices of every size. Sizes are not looked at: a
program that matched has sizes that fit. Both sides must divide by the same factors.
"""

from typing import Any

from rewrite import ops
from rewrite.certificates.fractions import Frac, Ring, Stuck
from rewrite.certificates.functions import Functions, Undefined
from rewrite.certificates.meanings import MEANINGS
from rewrite.certificates.signs import Case, Split
from rewrite.dag import Dag
from rewrite.rule import Rule
from rewrite.sorts import INT, MATRIX, REAL
from rewrite.store import Symbol

__all__ = ["equal"]

type Words = dict[tuple[str, ...], Frac]


def equal(rule: Rule) -> bool:
    """Tell whether both sides are one sum of words, without a look at the conditions."""
    dag = Dag.of(rule.lhs.store, [rule.lhs.id, rule.rhs.id])
    ring = Ring()
    values: list[Any] = []
    divisors: list[frozenset[str]] = []
    try:
        for at, (code, args) in enumerate(dag.rows()):
            operands = [values[arg] for arg in args]
            values.append(_value(ring, code, operands) if args else _leaf(ring, dag.value[at]))
            own = _factors(ring, operands[1]) if code == ops.DIV.code else frozenset()
            divisors.append(own.union(*[divisors[arg] for arg in args]))
        left, right = (_words(values[root]) for root in dag.roots)
        return (
            all(
                ring.vanishes(ring.sub(left.get(word, ring.zero), right.get(word, ring.zero)))
                for word in {*left, *right}
            )
            and divisors[dag.roots[0]] == divisors[dag.roots[1]]
        )
    except (Stuck, Split, Undefined):
        return False


def _leaf(ring: Ring, value: Any) -> Frac | Words:
    if isinstance(value, Symbol):
        if value.sort is MATRIX:
            return {(value.name,): ring.one}
        if value.sort not in (REAL, INT):
            raise Stuck(f"a {value.sort}")
        return ring.gen(ring.atom("variable", value.name)[0])
    if not isinstance(value, int):
        raise Stuck("a constant")
    return ring.number(value)


def _words(value: Frac | Words) -> Words:
    if not isinstance(value, dict):
        raise Stuck("a scalar")
    return value


def _factors(ring: Ring, x: Frac) -> frozenset[str]:
    return frozenset(str(factor) for factor, _ in ring.factored(x.num)[1])


def _value(ring: Ring, code: int, operands: list[Any]) -> Frac | Words:
    if not any(isinstance(x, dict) for x in operands):
        return _scalar(ring, code, operands)
    if code == ops.NEG.code:
        return _scaled(ring, operands[0], ring.number(-1))
    if code == ops.SUB.code:
        return _sum(ring, operands[0], _scaled(ring, _words(operands[1]), ring.number(-1)))
    if code == ops.DIV.code:
        if isinstance(operands[1], dict):
            raise Stuck("a quotient of matrices")
        return _scaled(ring, operands[0], ring.over(ring.one, operands[1]))
    if code == ops.POW.code:
        times = operands[1].constant()
        if times is None or times.denominator != 1 or times < 1:
            raise Stuck("a power")
        operands, code = [operands[0]] * int(times), ops.MUL.code
    if code not in (ops.ADD.code, ops.MUL.code):
        raise Stuck("an op of no algebra")
    total = operands[0]
    for x in operands[1:]:
        total = _sum(ring, total, x) if code == ops.ADD.code else _product(ring, total, x)
    return total  # type: ignore[no-any-return]


def _scalar(ring: Ring, code: int, operands: list[Any]) -> Frac:
    if code == ops.DIV.code:
        return ring.over(*operands)
    if code not in (ops.ADD.code, ops.SUB.code, ops.MUL.code, ops.NEG.code):
        raise Stuck("a function of scalars")
    found: Frac = MEANINGS[code](Functions(ring, Case()), *operands)
    return found


def _sum(ring: Ring, x: Frac | Words, y: Frac | Words) -> Words:
    total = dict(_words(x))
    for word, count in _words(y).items():
        total[word] = ring.add(total.get(word, ring.zero), count)
    return total


def _scaled(ring: Ring, x: Frac | Words, by: Frac) -> Words:
    return {word: ring.mul(count, by) for word, count in _words(x).items()}


def _product(ring: Ring, x: Frac | Words, y: Frac | Words) -> Words:
    if isinstance(x, dict) and isinstance(y, dict):
        total: Words = {}
        for left, one in x.items():
            for right, two in y.items():
                total = _sum(ring, total, {left + right: ring.mul(one, two)})
        return total
    return _scaled(ring, x, y) if isinstance(y, Frac) else _scaled(ring, y, x)  # type: ignore[arg-type]
