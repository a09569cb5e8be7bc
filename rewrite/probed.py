"""Values of terms that are not rational at probe points, enclosed by balls.

The precision rises until every value can be written as a word. A ball around zero that is small
enough is zero, which no precision would prove.
"""

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from rewrite import balls, ops
from rewrite.constants import PI, Named
from rewrite.dag import Dag, below
from rewrite.oracle import working_precision
from rewrite.residues import UNDEFINED, Points, exactly
from rewrite.words import SURE, Row, Value, sizes, word

__all__ = ["probed"]

NOWHERE: Final[Value] = object()
"""In place of a value: there is none."""
OPEN: Final[Value] = object()
"""In place of a value: more precision may tell."""

PRECISIONS: Final = (768, 3072, 12288)
MOST: Final = 1 << 24
"""Bits in all nodes of a term together that a precision may take, beyond the first one."""
ZERO_BITS: Final = 448
"""A ball around zero or an integer of a radius below 2**-448 is that number."""


def probed(
    dag: Dag, points: Points, roots: Sequence[int], count: int
) -> dict[int, list[int | None]]:
    """Return the words of roots at all points, None where they could not be found."""
    rows = dag.rows()
    size = sizes(dag, rows, points)
    words: dict[int, list[int | None]] = {root: [None] * count for root in roots}
    wanted, places = list(roots), list(range(count))
    for bits, more in zip(PRECISIONS, (*PRECISIONS[1:], None), strict=True):
        left = []
        with working_precision(bits):
            for root, column in _evaluated(dag, rows, points, wanted, places):
                found = words[root]
                known = dict(zip(places, column, strict=True))
                _write(found, known, bits, size[root])
                if None not in found:
                    continue
                if more is not None and _within(rows, root, MOST // more):
                    left.append(root)
                else:
                    _write(found, known, math.inf, size[root])
        wanted = left
        places = [at for at in range(count) if any(words[root][at] is None for root in wanted)]
        if not wanted:
            break
    return words


def _write(found: list[int | None], known: Mapping[int, Value], bits: float, size: float) -> None:
    """Write the words that are still missing, as far as they can be told."""
    for at, value in known.items():
        if found[at] is None and value is not OPEN:
            found[at] = UNDEFINED if value is NOWHERE else word(value, bits, size)


def _within(rows: Sequence[Row], root: int, most: int) -> bool:
    """Tell whether a root has so few nodes: this must not depend on what is evaluated beside it."""
    found, stack = {root}, [root]
    while stack and len(found) <= most:
        for a in rows[stack.pop()][1]:
            if a not in found:
                found.add(a)
                stack.append(a)
    return len(found) <= most


def _evaluated(
    dag: Dag, rows: Sequence[Row], points: Points, roots: Sequence[int], places: Sequence[int]
) -> Iterator[tuple[int, list[Value]]]:
    """Yield each root and its values at some points, at the working precision."""
    nodes, wanted = sorted(below(rows, roots)), set(roots)
    uses = Counter(a for node in nodes for a in rows[node][1])
    columns: dict[int, list[Value]] = {}
    clean: set[int] = set()  # nodes whose values are balls at all points
    for node in nodes:
        code, args = rows[node]
        if args:
            operands = [columns[a] for a in args]
            plain = code in _PLAIN and clean.issuperset(args)
            column = _tidied(_column(code, operands, plain=plain), operands)
        elif node in points:
            column = [_enclosed(points[node][at]) for at in places]
        else:
            column = [_enclosed(dag.value[node])] * len(places)
        for a in args:
            uses[a] -= 1
            if not uses[a]:
                del columns[a]
        columns[node] = column
        if not any(x is NOWHERE or x is OPEN or isinstance(x, bool) for x in column):
            clean.add(node)
        if node in wanted:
            yield node, column


def _column(code: int, operands: Sequence[list[Value]], *, plain: bool) -> list[Value]:
    """Apply an op at all points; a plain one of balls alone needs no look at them."""
    if plain:
        return list(map(_PLAIN[code], *operands))
    return [_applied(code, each) for each in zip(*operands, strict=True)]


def _tidied(column: list[Value], operands: Sequence[list[Value]]) -> list[Value]:
    """Tell what has no value from what is not known, and zero from what is small."""
    from flint import arb

    zero: Value = arb(0)
    for at, made in enumerate(column):
        if made.__class__ is not arb:
            continue
        if not made.is_finite():
            sharp = made.is_nan() and all(_sharp(each[at]) for each in operands)
            column[at] = NOWHERE if sharp else OPEN
        elif not made != zero and abs(made) < arb(2) ** -ZERO_BITS:
            column[at] = zero
    return column


def _enclosed(value: Any) -> Value:
    from flint import arb, fmpq

    if isinstance(value, bool):
        return value
    if isinstance(value, Named):
        return arb.pi() if value == PI else arb.const_e()
    exact = exactly(value)
    return NOWHERE if exact is None else arb(fmpq(exact.numerator, exact.denominator))


def _applied(code: int, operands: Sequence[Value]) -> Value:
    """Apply an op to what is known of its operands."""
    if code == ops.WHERE.code:
        chosen = operands[0]
        return operands[1 if chosen else 2] if isinstance(chosen, bool) else chosen
    if code in _LOGIC:
        return _logic(code, operands)
    if any(x is NOWHERE for x in operands):
        return NOWHERE
    if any(x is OPEN for x in operands):
        return OPEN
    if code in _COMPARISONS:
        return _compared(_COMPARISONS[code], *operands)
    return _PLAIN[code](*operands)


_LOGIC: Final = (ops.AND.code, ops.OR.code, ops.NOT.code)


def _logic(code: int, operands: Sequence[Value]) -> Value:
    meaning = ops.OPS[code].ball
    assert meaning is not None, "logic has a meaning"
    made = meaning(*[x if isinstance(x, bool) else None for x in operands])
    if made is None:
        return NOWHERE if NOWHERE in operands else OPEN
    return made


_COMPARISONS: Final[dict[int, Callable[[Value], bool]]] = {
    ops.LT.code: lambda x: x < 0,
    ops.LE.code: lambda x: x <= 0,
    ops.GT.code: lambda x: x > 0,
    ops.GE.code: lambda x: x >= 0,
    ops.EQ.code: lambda x: x == 0,
    ops.NE.code: lambda x: x != 0,
}


def _compared(test: Callable[[Value], bool], x: Value, y: Value) -> Value:
    """Compare by the difference, which is zero where it is too small to be told from that."""
    difference = x - y
    if difference != 0:
        return test(difference.mid())
    if abs(difference) < difference.__class__(2) ** -ZERO_BITS:
        return test(difference.__class__(0))
    return OPEN


def _settled(x: Value) -> Value:
    """Return the integer in a ball that is too small to be told from it."""
    if x.is_exact() or not x.contains_integer() or not x.rad() < x.__class__(2) ** -ZERO_BITS:
        return x
    return (x.mid() + 0.5).floor().mid()


def _fmod(x: Value, y: Value) -> Value:
    return balls.fmod(x, y) if y == 0 else x - y * balls.trunc(_settled(x / y))


def _round(x: Value) -> Value:
    return balls.round_(_settled(x * 2) / 2)


def _stepped(meaning: Callable[..., Value]) -> Callable[..., Value]:
    """Return the meaning of an op that has a step, or an end of its domain, at integers."""
    return lambda *operands: meaning(*map(_settled, operands))


_PLAIN: Final[dict[int, Callable[..., Value]]] = {
    **{
        row.code: row.ball
        for row in ops.BUILTIN
        if row.ball is not None and row.makes != "b" and row is not ops.WHERE
    },
    ops.SUB.code: operator.sub,
    ops.NEG.code: operator.neg,
    ops.FMOD.code: _fmod,
    ops.ROUND.code: _round,
    ops.FLOOR.code: _stepped(balls.floor),
    ops.CEIL.code: _stepped(balls.ceil),
    ops.TRUNC.code: _stepped(balls.trunc),
    ops.POW.code: _stepped(balls.pow_),
    ops.ASIN.code: _stepped(balls.asin),
    ops.ACOS.code: _stepped(balls.acos),
    ops.ATANH.code: _stepped(balls.atanh),
    ops.ACOSH.code: _stepped(balls.acosh),
    ops.LOG1P.code: _stepped(balls.log1p),
}
"""By op, what it makes of balls."""


def _sharp(x: Value) -> bool:
    """Tell whether an operand is known so well that no more precision would change its domain."""
    return isinstance(x, bool) or x.is_exact() or x.rel_accuracy_bits() >= SURE
