"""Values of terms that are not rational at probe points, enclosed by balls and written as words.

A word must be the same for all ways to compute a value. So a value is rounded only between limits
that no value hits: a fixed irrational-looking offset is added first, and the precision rises until
the ball lies between two limits. A value that is a rational number of few bits is found by its
continued fraction and written modulo the prime, as values of rational terms are. A ball around
zero that is small enough is zero, which no precision would prove.
"""

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from hashlib import shake_128
from typing import Any, Final

from rewrite import balls, ops
from rewrite.constants import PI, Named
from rewrite.dag import Dag
from rewrite.fingerprint import PRIME, UNDEFINED, Points, exactly, residue, whole
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
MOST: Final = 1 << 24
"""Bits in all nodes of a term together that a precision may take, beyond the first one."""
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
        if found[at] is None:
            found[at] = _word(value, bits, size)


def _within(rows: Sequence[Row], root: int, most: int) -> bool:
    """Tell whether a root has so few nodes: this must not depend on what is evaluated beside it."""
    found, stack = {root}, [root]
    while stack and len(found) <= most:
        for a in rows[stack.pop()][1]:
            if a not in found:
                found.add(a)
                stack.append(a)
    return len(found) <= most


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
    if code in _POWERS:  # of a logarithm, it may be, and of either sign
        return *(max(parts) * factor for parts in (sizes, twos)), _turned(below) * factor, 1.0
    return max(sizes), max(twos), max(odds), max(factors)


def _turned(below: Sequence[Size]) -> float:
    return max(size + twos + odd for size, twos, odd, _ in below)


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
    dag: Dag, rows: Sequence[Row], points: Points, roots: Sequence[int], places: Sequence[int]
) -> Iterator[tuple[int, list[Value]]]:
    """Yield each root and its values at some points, at the working precision."""
    nodes, wanted = _below(rows, roots), set(roots)
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


# -- words -----------------------------------------------------------------------------------


def _word(value: Value, bits: float, size: float) -> int | None:
    """Write a value as a word; None where more precision is needed.

    `size` estimates the bits of the value as a fraction, twice those of its divisor.
    """
    if value is OPEN:
        return None
    if value is NOWHERE:
        return UNDEFINED
    if isinstance(value, bool):
        return TRUE if value else FALSE
    exact = _rational(value, size + SLACK)
    if exact is not None:
        return exact
    return None if size + SURE > bits - GRID else _rounded(value)


def _rational(value: Value, limit: float) -> int | None:
    """Return the word of the rational number of few bits in a ball, None if there is none.

    Among numbers with divisors of n bits, one is expected in a ball of a radius of 2**-2n.
    """
    from flint import fmpq

    mantissa, power = (int(part) for part in value.mid().man_exp())
    if value.is_exact():
        return mantissa * pow(2, power, PRIME) % PRIME
    if abs(power) > 1 << 20:
        return None
    above, below = (mantissa << power, 1) if power >= 0 else (mantissa, 1 << -power)
    spread, reach = (int(part) for part in value.rad().man_exp())
    accuracy = -(spread.bit_length() + reach)
    most = min((accuracy - SURE) // 2, limit)

    def near(above: int, below: int) -> bool:
        return bool(value.overlaps(value.__class__(fmpq(above, below))))

    last, now = (0, 1), (1, 0)
    while below:
        part, rest = divmod(above, below)
        if now[1] and part.bit_length() > SURE - 8 and near(*now):
            break
        last, now = now, (part * now[0] + last[0], part * now[1] + last[1])
        if now[1].bit_length() > most:
            return None
        above, below = below, rest
    return residue(Fraction(*now)) if near(*now) else None


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
