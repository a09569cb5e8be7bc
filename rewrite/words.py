"""How values at probe points are written: as words that are the same for all ways to compute them.

A value is rounded only between limits that no value hits: a fixed offset without a pattern is added
first, and the precision rises until the ball lies between two limits. A value that is a rational
number of few bits is found by its continued fraction and written modulo the prime, as values of
rational terms are; for that the bits it would have are estimated from the term.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from hashlib import shake_128
from typing import Any, Final

from rewrite import ops
from rewrite.dag import Dag
from rewrite.probes import Probe
from rewrite.residues import PRIME, UNDEFINED, Points, exactly, residue, whole

__all__ = ["SURE", "Row", "Value", "sizes", "word"]

type Row = tuple[int, tuple[int, ...]]
type Value = Any
"""A ball or a truth value."""

GRID: Final = 320
"""Values are rounded to so many binary places."""
SURE: Final = 64
"""Bits by which a rational number must be closer than chance would have it."""
SLACK: Final = 256
TRUE, FALSE, OTHER = UNDEFINED + 1, UNDEFINED + 2, 1 << 62
"""Words of truth values; and what is set in those of numbers that are not rational."""


def word(value: Value, bits: float, size: float) -> int | None:
    """Write a truth value or a ball as a word; None where more precision is needed.

    `size` estimates the bits of the value as a fraction, twice those of its divisor.
    """
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


# -- how many bits a rational value would have --------------------------------------------


def sizes(dag: Dag, rows: Sequence[Row], points: Points) -> list[float]:
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
