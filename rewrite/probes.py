"""Probe points of fingerprints: exact values of symbols, the same in every process and store.

A value is drawn from the symbol's name and dtype alone, and lies in its domain. It is a fraction
of few bits, so that what a term makes of it can be told to be rational, and be written modulo a
prime.
"""

import math
from fractions import Fraction
from hashlib import shake_128
from typing import Any, Final

import numpy as np

from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol

__all__ = ["POINTS", "TRUTHS", "Probe", "probes"]

type Probe = Fraction | bool

POINTS: Final = 8
"""Points of a term that is a number."""
TRUTHS: Final = 64
"""Points of a truth value, each of which tells one bit."""
FINE: Final = 16
"""Bits of a fraction: eight points of so many bits tell apart what few points would not."""
_SHIFTS: Final = (0, 0, 0, 0, 0, 4, 10, 10)
"""By point, how far the size of a value goes from one, as a power of two of either sign."""
_SIGNS: Final = (1, 1, -1, 0, 0, 0, 0, 1)
"""By point, the sign of all symbols without a bound; 0: drawn for each."""


def probes(symbol: Symbol, count: int = POINTS, *, hole: bool = False) -> list[Probe]:
    """Return the values of a symbol at the first points; a `hole` is a pattern variable.

    In the first two points all symbols without a bound are positive, below and above one; in the
    third all are negative. In the others signs and sizes are drawn, up to 2**10.

    >>> probes(Symbol("x", low=0, high=1)) == probes(Symbol("x", low=0, high=1))
    True
    """
    key = f"{'?' * hole}{symbol.name}:{symbol.dtype}".encode()
    return [_probe(symbol, shake_128(key + at.to_bytes(2)).digest(8), at) for at in range(count)]


def _probe(symbol: Symbol, drawn: bytes, at: int) -> Probe:
    odd = 2 * int.from_bytes(drawn[:2]) + 1
    part = Fraction(odd, 2 << FINE)  # in (0, 1), never an end
    if symbol.sort == BOOL:
        return bool(drawn[2] & 1)
    low, high = symbol.low, symbol.high
    if symbol.sort == INT:
        return _whole(symbol, part, drawn, at)
    if low is not None and high is not None:
        return Fraction(low) + (Fraction(high) - Fraction(low)) * part
    free = _free(part, drawn, at)
    if low is not None:
        return Fraction(low) + abs(free)
    return free if high is None else Fraction(high) - abs(free)


def _free(part: Fraction, drawn: bytes, at: int) -> Fraction:
    """Return a value of a symbol without bounds."""
    place = at if at < POINTS else 3 + at % (POINTS - 3)
    sign = _SIGNS[place] or (1 if drawn[3] & 1 else -1)
    reach = _SHIFTS[place]
    if reach:
        shift = int.from_bytes(drawn[4:6]) % (2 * reach + 1) - reach
        return sign * (1 + part) * Fraction(2) ** shift
    return sign * ((1 + 3 * part) if place == 1 else part if place in (0, 2) else 4 * part)


def _whole(symbol: Symbol, part: Fraction, drawn: bytes, at: int) -> Fraction:
    """Return an integer; without bounds a large one, and in every other point a small one."""
    info: Any = np.iinfo(np.dtype(symbol.dtype))
    reach = 1 << FINE if at % 2 == 0 else 8
    low = math.ceil(max(info.min, -math.inf if symbol.low is None else symbol.low))
    high = math.floor(min(info.max, math.inf if symbol.high is None else symbol.high))
    if symbol.low is None and symbol.high is None:
        low, high = max(low, -reach), min(high, reach)
    elif symbol.low is None:
        low = max(low, high - reach)
    elif symbol.high is None:
        high = min(high, low + reach)
    if low > high:  # no integer lies in the domain
        return Fraction(symbol.low if symbol.low is not None else high)
    place = int.from_bytes(drawn[6:8]) * (1 << FINE) + int(part * (1 << FINE))
    return Fraction(low + place % (high - low + 1))
