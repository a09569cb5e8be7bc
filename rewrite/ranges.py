"""What each op does to facts: arithmetic, ranges of elementary functions, rounding, choices."""

import functools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from rewrite import intervals, ops
from rewrite.intervals import INF, TOP, TRUTH, Fact, fact, magnitude, neg, widened

__all__ = ["TRANSFER", "transfer"]

_PI: Final = math.nextafter(math.pi, INF)
_HALF: Final = math.nextafter(math.pi / 2, INF)
_RIGHT: Final = math.nextafter(math.pi / 2, 0.0)


@dataclass(frozen=True, slots=True)
class Monotone:
    """A monotone function with its domain and range, and the points where its value is exact.

    `zero` says whether the value is zero: "origin" only where the argument is, "never", or else
    as the interval tells.
    """

    function: Callable[[float], float]
    domain: tuple[float, float] = (-INF, INF)
    image: tuple[float, float] = (-INF, INF)
    exact: float = 0.0
    zero: str = "origin"
    rising: bool = True

    def __call__(self, a: Fact) -> Fact:
        """Map an interval."""
        low, high = max(a.lo, self.domain[0]), min(a.hi, self.domain[1])
        if low > high:
            return TOP
        nonzero = self.zero == "never" or (self.zero == "origin" and a.nonzero)
        ends = (low, high) if self.rising else (high, low)
        return fact(self.at(ends[0], -INF), self.at(ends[1], INF), nonzero)

    def at(self, x: float, away: float) -> float:
        """Return the value at an end of the interval, rounded outwards."""
        try:
            value = self.function(x) if x not in self.domain else self.end(x)
        except OverflowError:
            value = math.copysign(INF, x)
        exact = x == self.exact or (x in self.domain and (value.is_integer() or math.isinf(value)))
        return value if exact else widened(value, away, *self.image)

    def end(self, x: float) -> float:
        """Return the value at an end of the domain: 0, 1, 2, infinite, or a multiple of pi."""
        return self.image[(x == self.domain[1]) == self.rising]


def _fold(pair: Callable[[Fact, Fact], Fact]) -> Callable[..., Fact]:
    return lambda *args: functools.reduce(pair, args)


def _fma(a: Fact, b: Fact, c: Fact) -> Fact:
    return intervals.add(intervals.mul(a, b), c)


def _cosh(a: Fact) -> Fact:
    return _COSH(magnitude(a))


_COSH: Final = Monotone(math.cosh, (0.0, INF), (1.0, INF), zero="never")
_TAN: Final = Monotone(math.tan)


def _tan(a: Fact) -> Fact:
    within = -_RIGHT < a.lo and a.hi < _RIGHT
    return _TAN(a) if within else TOP


def _wave(function: Callable[[float], float], peak: float) -> Callable[[Fact], Fact]:
    """Make the range of a sine whose maxima lie at peak + 2 k pi."""

    def meets(a: Fact, at: float) -> bool:
        first = math.ceil((a.lo - at) / (2 * math.pi) - 1e-6)
        return first <= (a.hi - at) / (2 * math.pi) + 1e-6

    def end(x: float, away: float) -> float:
        return widened(function(x), away, -1.0, 1.0) if x else function(x)

    def wave(a: Fact) -> Fact:
        if max(-a.lo, a.hi) > 1e6:
            return fact(-1.0, 1.0)
        lo = -1.0 if meets(a, peak + math.pi) else min(end(x, -INF) for x in a[:2])
        return fact(lo, 1.0 if meets(a, peak) else max(end(x, INF) for x in a[:2]))

    return wave


def _hypot(a: Fact, b: Fact) -> Fact:
    a, b = magnitude(a), magnitude(b)
    lo = widened(math.hypot(a.lo, b.lo), -INF, max(a.lo, b.lo), INF)
    return fact(lo, widened(math.hypot(a.hi, b.hi), INF, 0.0, INF), a.nonzero or b.nonzero)


def _atan2(y: Fact, x: Fact) -> Fact:
    """Zero counts as of either sign, as it is in floating point."""
    lo = 0.0 if y.lo > 0.0 else (-_HALF if x.lo > 0.0 else -_PI)
    hi = 0.0 if y.hi < 0.0 else (_HALF if x.lo > 0.0 else _PI)
    return fact(lo, hi, y.nonzero)


def _sign(a: Fact) -> Fact:
    def of(x: float) -> float:
        return float((x > 0.0) - (x < 0.0))

    return fact(of(a.lo), of(a.hi), a.nonzero, True)


def _copysign(a: Fact, b: Fact) -> Fact:
    size = magnitude(a)
    if b.lo > 0.0:
        return size
    if b.hi < 0.0:
        return neg(size)
    return fact(-size.hi, size.hi, a.nonzero, a.integer)


def _rounding(function: Callable[[float], int]) -> Callable[[Fact], Fact]:
    def rounded(a: Fact) -> Fact:
        lo, hi = (float(function(x)) if math.isfinite(x) else x for x in a[:2])
        return fact(lo, hi, a.nonzero and a.integer, True)

    return rounded


def _fmod(a: Fact, b: Fact) -> Fact:
    size = min(magnitude(a).hi, magnitude(b).hi)
    lo, hi = (0.0 if a.lo >= 0.0 else -size), (0.0 if a.hi <= 0.0 else size)
    return fact(lo, hi, False, a.integer and b.integer)


def _minimum(a: Fact, b: Fact) -> Fact:
    nonzero = (a.nonzero and b.nonzero) or a.hi < 0.0 or b.hi < 0.0
    return fact(min(a.lo, b.lo), min(a.hi, b.hi), nonzero, a.integer and b.integer)


def _maximum(a: Fact, b: Fact) -> Fact:
    return neg(_minimum(neg(a), neg(b)))


def _where(condition: Fact, a: Fact, b: Fact) -> Fact:
    if condition.lo == condition.hi:
        return a if condition.lo else b
    both = (a.nonzero and b.nonzero, a.integer and b.integer)
    return fact(min(a.lo, b.lo), max(a.hi, b.hi), *both)


def _truth(*_: Fact) -> Fact:
    """Truth values are not decided: a comparison of what is undefined would be."""
    return TRUTH


def _rsqrt(x: float) -> float:
    return 1 / math.sqrt(x)


_UNIT: Final = (-1.0, 1.0)
_POSITIVE: Final = (0.0, INF)
# fmt: off
TRANSFER: Final[dict[int, Callable[..., Fact]]] = {
    ops.ADD.code:   _fold(intervals.add),
    ops.SUB.code:   intervals.sub,
    ops.MUL.code:   _fold(intervals.mul),
    ops.DIV.code:   intervals.div,
    ops.NEG.code:   neg,
    ops.POW.code:   intervals.power,
    ops.FMA.code:   _fma,
    ops.ABS.code:   magnitude,
    ops.SQRT.code:  Monotone(math.sqrt, _POSITIVE, _POSITIVE, exact=1.0),
    ops.RSQRT.code: Monotone(_rsqrt, _POSITIVE, _POSITIVE, exact=1.0, zero="never", rising=False),
    ops.CBRT.code:  Monotone(math.cbrt),
    ops.HYPOT.code: _hypot,
    ops.EXP.code:   Monotone(math.exp, image=_POSITIVE, zero="never"),
    ops.EXP2.code:  Monotone(math.exp2, image=_POSITIVE, zero="never"),
    ops.EXPM1.code: Monotone(math.expm1, image=(-1.0, INF)),
    ops.LOG.code:   Monotone(math.log, _POSITIVE, exact=1.0, zero=""),
    ops.LOG2.code:  Monotone(math.log2, _POSITIVE, exact=1.0, zero=""),
    ops.LOG10.code: Monotone(math.log10, _POSITIVE, exact=1.0, zero=""),
    ops.LOG1P.code: Monotone(math.log1p, (-1.0, INF)),
    ops.SIN.code:   _wave(math.sin, math.pi / 2),
    ops.COS.code:   _wave(math.cos, 0.0),
    ops.TAN.code:   _tan,
    ops.ASIN.code:  Monotone(math.asin, _UNIT, (-_HALF, _HALF)),
    ops.ACOS.code:  Monotone(math.acos, _UNIT, (0.0, _PI), exact=2.0, zero="", rising=False),
    ops.ATAN.code:  Monotone(math.atan, image=(-_HALF, _HALF)),
    ops.ATAN2.code: _atan2,
    ops.SINH.code:  Monotone(math.sinh),
    ops.COSH.code:  _cosh,
    ops.TANH.code:  Monotone(math.tanh, image=_UNIT),
    ops.ASINH.code: Monotone(math.asinh),
    ops.ACOSH.code: Monotone(math.acosh, (1.0, INF), _POSITIVE, zero=""),
    ops.ATANH.code: Monotone(math.atanh, _UNIT),
    ops.ERF.code:   Monotone(math.erf, image=_UNIT),
    ops.ERFC.code:  Monotone(math.erfc, image=(0.0, 2.0), zero="never", rising=False),
    ops.SIGN.code:  _sign,
    ops.COPYSIGN.code: _copysign,
    ops.FLOOR.code: _rounding(math.floor),
    ops.CEIL.code:  _rounding(math.ceil),
    ops.TRUNC.code: _rounding(math.trunc),
    ops.ROUND.code: _rounding(round),
    ops.FMOD.code:  _fmod,
    ops.MINIMUM.code: _minimum,
    ops.MAXIMUM.code: _maximum,
    ops.WHERE.code: _where,
    **{row.code: _truth for row in ops.BUILTIN if row.makes == "b"},
}
# fmt: on


def transfer(code: int, keys: Sequence[int], args: Sequence[Fact]) -> Fact:
    """Return the fact of a node from those of its operands; equal keys say equal operands."""
    if len(keys) > 1 and len(set(keys)) < len(keys):
        if code == ops.MUL.code:
            facts = dict(zip(keys, args, strict=True))
            powers = [intervals.integer_power(facts[k], float(n)) for k, n in Counter(keys).items()]
            return functools.reduce(intervals.mul, powers)
        if code == ops.FMA.code and keys[0] == keys[1]:
            return intervals.add(intervals.integer_power(args[0], 2.0), args[2])
        if code in (ops.SUB.code, ops.DIV.code):
            return intervals.ZERO if code == ops.SUB.code else intervals.ONE
    meaning = TRANSFER.get(code)
    return intervals.TOP if meaning is None else meaning(*args)  # of a user's op nothing is known
