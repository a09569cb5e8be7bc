"""Values of terms that are not rational at probe points, enclosed by balls and written as words.

A word must be the same for all ways to compute a value. So a value is rounded only between limits
that no value hits: a fixed irrational-looking offset is added first, and the precision rises until
the ball lies between two limits. A value that is a rational number of few bits is found by its
continued fraction and written modulo the prime, as values of rational terms are. A ball around
zero that is small enough is zero, which no precision would prove.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from hashlib import shake_128
from typing import Any, Final

from rewrite import balls, ops
from rewrite.constants import PI, Named
from rewrite.dag import Dag
from rewrite.fingerprint import UNDEFINED, Points, exactly, residue, whole
from rewrite.oracle import working_precision
from rewrite.probes import Probe

__all__ = ["probed"]

type Row = tuple[int, tuple[int, ...]]
type Value = Any
"""A ball, a truth value, or one of these two."""
NOWHERE: Final = object()
"""There is no value."""
OPEN: Final = object()
"""More precision may tell."""

PRECISIONS: Final = (768, 3072, 12288)
MOST: Final = 1 << 27
"""Bits in all nodes together that a precision may take at one point, beyond the first one."""
GRID: Final = 320
"""Values are rounded to so many binary places."""
ZERO_BITS: Final = 448
"""A ball around zero or an integer of a radius below 2**-448 is that number."""
SURE: Final = 64
"""Bits by which a rational number must be closer than chance would have it."""
SLACK: Final = 256
TRUE, FALSE, OTHER = UNDEFINED + 1, UNDEFINED + 2, 1 << 62
"""Words of truth values; and what is set in those of numbers that are not rational."""


def probed(
    dag: Dag, points: Points, roots: Sequence[int], count: int
) -> dict[int, list[int | None]]:
    """Return the words of roots at all points, None where they could not be found."""
    rows = dag.rows()
    size = _sizes(dag, rows, points)
    words: dict[int, list[int | None]] = {root: [None] * count for root in roots}
    for at in range(count):
        todo = list(roots)
        for bits in PRECISIONS:
            nodes = _below(rows, todo)
            if not todo or (bits > PRECISIONS[0] and len(nodes) * bits > MOST):
                break
            with working_precision(bits):
                values = _evaluated(dag, rows, points, nodes, at)
                last = bits == PRECISIONS[-1]
                for root in todo:
                    words[root][at] = _word(values[root], 1e9 if last else bits, size[root])
            todo = [root for root in todo if words[root][at] is None]
    return words


def _below(rows: Sequence[Row], roots: Sequence[int]) -> list[int]:
    """Return what the roots need, children first."""
    found = set(roots)
    stack = list(roots)
    while stack:
        for a in rows[stack.pop()][1]:
            if a not in found:
                found.add(a)
                stack.append(a)
    return sorted(found)


def _sizes(dag: Dag, rows: Sequence[Row], points: Points) -> list[float]:
    """Return how many bits each node's value would have as a fraction, were it rational.

    An estimate: of the size, of the power of two below it, of what else is below, and of the
    integer factors, which an exponential makes powers.
    """
    known: list[Size] = []
    for at, (code, args) in enumerate(rows):
        if args:
            exponent = whole(dag.value[args[1]]) if code == ops.POW.code else None
            made = _made_size(code, [known[a] for a in args], exponent)
            known.append(tuple(min(part, 1e12) for part in made))
        else:
            known.append(_leaf_size(dag.value[at], points.get(at)))
    return [size + 2 * (twos + odd) for size, twos, odd, _ in known]


type Size = tuple[float, ...]

_SUMS: Final = (ops.ADD.code, ops.SUB.code, ops.NEG.code)
_PRODUCTS: Final = (ops.MUL.code, ops.FMA.code)
_POWERS: Final = tuple(
    row.code for row in (ops.POW, ops.EXP, ops.EXP2, ops.EXPM1, ops.SINH, ops.COSH, ops.TANH)
)
MOST_FACTOR: Final = 64.0


def _made_size(code: int, below: Sequence[Size], exponent: int | None) -> Size:
    sizes, twos, odds, factors = zip(*below, strict=True)
    factor = min(math.prod(factors), MOST_FACTOR)
    if code in _SUMS:
        return max(sizes) + 1, max(twos), sum(odds), max(factors)
    if code in _PRODUCTS:
        return sum(sizes), sum(twos), sum(odds), factor
    if code == ops.DIV.code:
        turned = sizes[1] + twos[1] + odds[1]
        return sizes[0] + turned, twos[0], odds[0] + turned, factors[0]
    if exponent is not None:
        times = min(abs(exponent), 1 << 40)
        turned = sizes[0] + twos[0] if exponent < 0 else 0
        return sizes[0] * times, twos[0] * times, (odds[0] + turned) * times, 1.0
    if code in _POWERS:
        return max(sizes) * factor, max(twos) * factor, max(odds) * factor, 1.0
    return max(sizes), max(twos), max(odds), max(factors)


def _leaf_size(value: Any, values: Sequence[Probe] | None) -> Size:
    exact = [exactly(value)] if values is None else [Fraction(each) for each in values]
    size = twos = odd = 0
    factor = 1.0
    for each in exact:
        if each is not None:
            below = each.denominator
            power = (below & -below).bit_length() - 1
            size = max(size, abs(int(each)).bit_length())
            twos, odd = max(twos, power), max(odd, (below >> power).bit_length())
            factor = float(min(max(1, abs(int(each))), 64)) if values is None else 1.0
    return size, twos, odd - 1 if odd else 0, factor


# -- evaluation ------------------------------------------------------------------------------


def _evaluated(
    dag: Dag,
    rows: Sequence[Row],
    points: Points,
    nodes: Sequence[int],
    at: int,
) -> dict[int, Value]:
    """Return the values of nodes at one point, at the working precision."""
    from flint import arb

    small, zero = arb(2) ** -ZERO_BITS, arb(0)
    values: dict[int, Value] = {}
    for node in nodes:
        code, args = rows[node]
        if not args:
            value = points[node][at] if node in points else dag.value[node]
            values[node] = _enclosed(value)
            continue
        made = _applied(code, [values[a] for a in args])
        if made.__class__ is arb and not made != 0 and abs(made) < small:
            made = zero
        values[node] = made
    return values


def _enclosed(value: Any) -> Value:
    from flint import arb, fmpq

    if isinstance(value, bool):
        return value
    if isinstance(value, Named):
        return arb.pi() if value == PI else arb.const_e()
    exact = exactly(value)
    return NOWHERE if exact is None else arb(fmpq(exact.numerator, exact.denominator))


def _applied(code: int, operands: list[Value]) -> Value:
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
    if code in _STEPS:
        operands = [_settled(x) for x in operands]
    made = _MEANING[code](*operands)
    if made.is_finite():
        return made
    return NOWHERE if made.is_nan() and all(map(_sharp, operands)) else OPEN


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


_STEPS: Final = frozenset(
    row.code
    for row in (
        ops.FLOOR, ops.CEIL, ops.TRUNC, ops.POW, ops.ASIN, ops.ACOS, ops.ATANH, ops.ACOSH,
        ops.LOG1P,
    )
)  # fmt: skip
"""Ops with a step or an end of their domain at integers."""


def _settled(x: Value) -> Value:
    """Return the integer in a ball that is too small to be told from it."""
    if x.is_exact() or not x.contains_integer() or not x.rad() < x.__class__(2) ** -ZERO_BITS:
        return x
    return (x.mid() + 0.5).floor().mid()


def _fmod(x: Value, y: Value) -> Value:
    return balls.fmod(x, y) if y == 0 else x - y * balls.trunc(_settled(x / y))


def _round(x: Value) -> Value:
    return balls.round_(_settled(x * 2) / 2)


_MEANING: Final[dict[int, Callable[..., Value]]] = {
    **{row.code: row.ball for row in ops.BUILTIN if row.ball is not None},
    ops.FMOD.code: _fmod,
    ops.ROUND.code: _round,
}


def _sharp(x: Value) -> bool:
    """Tell whether an operand is known so well that no more precision would change its domain."""
    return isinstance(x, bool) or x.is_exact() or x.rel_accuracy_bits() >= SURE


# -- words -----------------------------------------------------------------------------------


def _word(value: Value, bits: float, size: float) -> int | None:
    """Write a value as a word; None where more precision is needed.

    `size` estimates the bits of the value as a fraction, which are found in twice as many.
    """
    if value is OPEN:
        return None
    if value is NOWHERE:
        return UNDEFINED
    if isinstance(value, bool):
        return TRUE if value else FALSE
    exact = _rational(value, 4 * size + SLACK)
    if exact is not None:
        return residue(exact)
    return None if size + SURE > bits - GRID else _rounded(value)


def _rational(value: Value, limit: float) -> Fraction | None:
    """Return the rational number of few bits in a ball; None where chance might have put it there.

    Among numbers with divisors of n bits, one is expected in a ball of a radius of 2**-2n.
    """
    from flint import fmpq

    mantissa, power = (int(part) for part in value.mid().man_exp())
    if abs(power) > 1 << 20:
        return None
    above, below = (mantissa << power, 1) if power >= 0 else (mantissa, 1 << -power)
    if value.is_exact():
        return Fraction(above, below)
    spread, reach = (int(part) for part in value.rad().man_exp())
    accuracy = -(spread.bit_length() + reach)
    most = min((accuracy - SURE) // 2, limit)
    last, now = (0, 1), (1, 0)
    while below:
        part, rest = divmod(above, below)
        if now[1] and part.bit_length() > SURE - 8 and value.contains(fmpq(*now)):
            break
        last, now = now, (part * now[0] + last[0], part * now[1] + last[1])
        if now[1].bit_length() > most:
            return None
        above, below = below, rest
    return Fraction(*now) if value.contains(fmpq(*now)) else None


def _rounded(value: Value) -> int | None:
    """Write a number that is not rational: to 320 places, a large one to 320 bits."""
    ball = value.__class__
    offset = ball(_OFFSET) * ball(2) ** -1024
    size, large = abs(value), ball(_LARGE) / 2**64
    if size < large:
        binade, shift = 0, GRID
    elif size > large:
        floor = (size.log() / ball(2).log() + offset).floor()
        if not floor.is_exact():
            return None
        binade = int(floor.unique_fmpz())
        shift = GRID - binade
    else:
        return None
    place = (value * ball(2) ** shift + offset).floor()
    if not place.is_exact():
        return None
    text = f"{binade:x} {int(place.unique_fmpz()):x}".encode()
    return OTHER | int.from_bytes(shake_128(text).digest(8)) >> 2


_OFFSET: Final = int.from_bytes(shake_128(b"between two limits").digest(128))
"""Of 1024 bits: no value of a term lies at a limit that it moved."""
_LARGE: Final = (1 << 128) + math.isqrt(2 << 256) // 3
"""About 2**64, in units of 2**-64."""
