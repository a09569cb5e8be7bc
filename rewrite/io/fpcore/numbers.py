"""Numbers of FPCore: exact as they are written, and rounded once to a precision."""

import re
from fractions import Fraction
from typing import Any, Final

import numpy as np

from rewrite.constants import rounded

__all__ = ["Kind", "above", "below", "number", "written"]

type Kind = np.dtype[Any]
"""float64 or float32."""

MAX_DIGITS: Final = 1_000
MAX_EXPONENT: Final = 5_000

_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_RATIONAL: Final = re.compile(r"([-+]?[0-9]+)/([0-9]*[1-9][0-9]*)")
_DECIMAL: Final = re.compile(r"([-+]?)([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]([-+]?[0-9]+))?")
_HEX: Final = re.compile(
    r"([-+]?)0x([0-9a-f]+(?:\.[0-9a-f]*)?|\.[0-9a-f]+)(?:p([-+]?[0-9]+))?", re.IGNORECASE
)


def number(text: str) -> int | Fraction | None:
    """Read a number exactly: an `int` as written without point or exponent, else a `Fraction`.

    Return None for what is none; raise `ValueError` for one that is too long.

    >>> number("-0.125"), number("0x1.8p1"), number("x")
    (Fraction(-1, 8), Fraction(3, 1), None)
    """
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters; {MAX_DIGITS} are allowed")
    if _INTEGER.fullmatch(text):
        return int(text)
    if found := _RATIONAL.fullmatch(text):
        return Fraction(int(found[1]), int(found[2]))
    for pattern, base, radix in ((_DECIMAL, 10, 10), (_HEX, 16, 2)):
        if found := pattern.fullmatch(text):
            return _positional(*found.groups(), base=base, radix=radix)
    return None


def _positional(sign: str, digits: str, exponent: str | None, *, base: int, radix: int) -> Fraction:
    power = int(exponent or 0)
    if abs(power) > MAX_EXPONENT:
        raise ValueError(f"an exponent of {power}; {MAX_EXPONENT} is the largest allowed")
    whole, _, part = digits.partition(".")
    value = Fraction(int(whole + part or "0", base), base ** len(part)) * Fraction(radix) ** power
    return -value if sign == "-" else value


def below(value: Fraction | int, kind: Kind, *, strict: bool) -> float:
    """Return the largest number of a precision that is at most (or less than) a value."""
    return -above(-value, kind, strict=strict)


def above(value: Fraction | int, kind: Kind, *, strict: bool) -> float:
    """Return the smallest number of a precision that is at least (or more than) a value."""
    near = float(rounded(value, kind))
    if near == float("-inf"):
        return float(np.finfo(kind).min)
    if near == float("inf") or Fraction(near) > value or (Fraction(near) == value and not strict):
        return near
    return float(np.nextafter(kind.type(near), kind.type(np.inf)))


def written(value: float) -> str:
    """Write a finite double so that it is read as the same.

    >>> written(1e22), written(-0.1)
    ('1e+22', '-0.1')
    """
    text = repr(value)
    return text if "e" in text or "." in text else text + ".0"
