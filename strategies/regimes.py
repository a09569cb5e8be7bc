"""Regimes: of several forms of a term each where it is accurate, chosen by comparing one symbol.

After Herbie's "regimes" (Panchekha et al., "Automatically improving accuracy for floating point
expressions", 2015): all forms are measured at the same points, these are sorted by a symbol or its
distance from a point, and cut where the errors on both sides are least together. The threshold is
then found by bisection at fresh points. A branch costs a comparison and both forms, so it must save
more than a bit.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.leaves import symbol
from rewrite.sorts import REAL
from rewrite.store import Symbol
from rewrite.term import Term, const, join, scope
from strategies.base import Control, Script, Strategy
from strategies.measures import InOrder, against
from strategies.series import Near, near, offset

__all__ = ["Bench", "Forms", "MostAccurate", "Part", "split"]

type Floats = npt.NDArray[np.float64]

GAIN: Final = 1.0
"""Mean bits that a branch must save."""
STEPS: Final = 8
AROUND: Final = 16
"""Bisections of a threshold, and the points at which each compares the forms."""
DIGITS: Final = 3
TINY: Final = 5e-324
"""The least positive float."""


@dataclass(frozen=True, slots=True)
class Part:
    """A form, and the symbol or distance by which it holds: between two bounds of it."""

    term: Term
    by: Term | None = None
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True, repr=False)
class MostAccurate(Control):
    """most_accurate(s, t)(x) = that of x, s(x), t(x), series and branches with the least error.

    Where what the strategies find has more than a bit of error in the mean, differences that cancel
    are written as series near their points of cancellation, and the `sided` strategies are applied
    on either side of zero, where the laws of roots and logarithms have more of their conditions.
    """

    options: tuple[Strategy, ...]
    sided: tuple[Strategy, ...]
    by: InOrder
    licence: FastMath
    dtype: str = "f64"

    def script(self, term: Any) -> Script:
        forms = yield from self.search(term)
        return term if len(forms) == 1 else min(forms, key=against(self.by, term))

    def search(self, term: Term) -> Script:
        """Return all forms that were found, the term itself first."""
        forms: list[Term] = yield from _made(self.options, term)
        if not term.free_symbols or term.sort != REAL:
            return forms
        bench = Bench(term, self.dtype)
        if bench.best(forms) <= GAIN:
            return forms
        parts = [Part(form) for form in forms]
        for found in near(term, self.licence, self.dtype):
            more = yield from _made(self.sided, found.term)
            parts += [_near(replaced, found) for replaced in more]
        for x, side, part in _sides(term):
            back = {side: x}
            more = yield from _made(self.sided, term.substitute({x: side}))
            parts += [Part(m.substitute(back), x, part.low, part.high) for m in more]
        forms += bench.whole(parts)
        found_split = split(bench, parts)
        return forms if found_split is None else [*forms, found_split]

    def __str__(self) -> str:
        options = ", ".join(map(str, self.options))
        return f"most_accurate({options} by {self.by})"


@dataclass(frozen=True, repr=False)
class Forms(Control):
    """Returns all forms, not the best of them."""

    of: MostAccurate

    def script(self, term: Any) -> Script:
        return (yield from self.of.search(term))

    def __str__(self) -> str:
        return f"forms({self.of})"


def _made(options: Sequence[Strategy], term: Term) -> Script:
    """Apply strategies to a term; return it and what they made of it, each once."""
    found = {term: None}
    for option in options:
        made = yield option, term
        if made is not None:
            found[join(term.store, made)] = None
    return list(found)


def _near(term: Term, found: Near) -> Part:
    return Part(term, FUNCTIONS["abs"](found.offset), high=found.radius)


def _sides(term: Term) -> Iterator[tuple[Term, Term, Part]]:
    """Yield symbols whose domain has zero inside, with either half of it, with zero and without."""
    for x in term.free_symbols:
        known = x.symbol
        if known is None or known.sort != REAL:
            continue
        low, high = known.bounds
        if low < 0 < high:
            for end in (0.0, TINY):
                with scope(term.store):
                    below = symbol(known.name, low=known.low, high=-end, dtype=known.dtype)
                    above = symbol(known.name, low=end, high=known.high, dtype=known.dtype)
                yield x, below, Part(term, x, high=-end)
                yield x, above, Part(term, x, low=end)


class Bench:
    """One source, and how wrong forms are at the same points."""

    def __init__(self, source: Term, dtype: str) -> None:
        from rewrite.guard import Guard  # brings the oracle, which strategies do without

        self.source = source
        self.kind: Any = np.float32 if dtype == "f32" else np.float64
        self.guard = Guard(source, dtype=self.kind)
        self.points = self.guard.points
        self.known: dict[Term, Floats] = {}

    def bits(self, form: Term) -> Floats:
        """Return the bits of error at each point, zero where there is no exact value."""
        if form not in self.known:
            (bits,) = self.guard.errors(form)
            self.known[form] = np.nan_to_num(bits, nan=0.0)
        return self.known[form]

    def best(self, forms: Sequence[Term]) -> float:
        """Return the least mean error of forms that hold everywhere."""
        return min(float(self.bits(form).mean()) for form in forms)

    def at(self, key: Term) -> Floats:
        """Return the values of a term at the points."""
        from rewrite.evaluate import evaluate

        found: Floats = np.broadcast_to(
            evaluate(key, self.points, dtype=self.kind), self.guard.count
        ).astype(np.float64)
        return found

    def errors(self, part: Part) -> Floats:
        """Return the bits of error of a form where it holds, infinity elsewhere."""
        bits = self.bits(part.term)
        if part.by is None:
            return bits
        at = self.at(part.by)
        return np.where((part.low <= at) & (at <= part.high), bits, np.inf)

    def whole(self, parts: Sequence[Part]) -> list[Term]:
        """Return the forms that hold in the whole domain though they were made for a part."""
        return [
            part.term for part in parts
            if part.by is not None and part.low == -math.inf and part.high > self.farthest(part.by)
        ]  # fmt: skip

    def farthest(self, key: Term) -> float:
        """Return a bound of a distance over the domain of its symbol, infinity without one."""
        (x,) = key.free_symbols
        known, shift = x.symbol, _shift(key)
        if known is None or shift is None:
            return math.inf
        return max(abs(end - shift) for end in known.bounds)


def _shift(key: Term) -> float | None:
    """Return the point from which a key is the distance; None for a symbol."""
    if not key.args:
        return None
    inner = key.args[0]
    point = inner.args[1].value if inner.args else 0
    assert isinstance(point, (int, Fraction, float))
    return float(point)


def split(bench: Bench, parts: Sequence[Part]) -> Term | None:
    """Return the two forms that are best together; None where a branch saves too little."""
    errors = np.array([bench.errors(part) for part in parts])
    count = errors.shape[1]
    least = errors.sum(1).min() / count - GAIN
    best: tuple[float, Any] = (least, None)
    for key in _keys(bench.source, parts):
        at = bench.at(key)
        order = np.argsort(at, kind="stable")
        below = np.cumsum(errors[:, order], axis=1)
        above = np.cumsum(errors[:, order[::-1]], axis=1)[:, ::-1]
        both = below[:, :-1].min(0) + above[:, 1:].min(0)
        both[at[order[1:]] == at[order[:-1]]] = np.inf  # no threshold lies between equals
        place = int(np.argmin(both))
        if both[place] / count < best[0]:
            first, second = int(below[:, place].argmin()), int(above[:, place + 1].argmin())
            gap = float(at[order[place]]), float(at[order[place + 1]])
            best = float(both[place]) / count, (key, gap, parts[first], parts[second])
    if best[1] is None:
        return None
    key, gap, first, second = best[1]
    least = max(gap[0], second.low if second.by == key else -math.inf)
    most = min(gap[1], first.high if first.by == key else math.inf)
    if least < most:
        threshold = _threshold(bench, key, (least, most), first, second)
        below = key < const(threshold, key.store)
    else:  # one side begins where the other ends: at zero, which is of one of them
        zero = const(0, key.store)
        below = key <= zero if first.high == 0 or second.low > 0 else key < zero
    return join(bench.source.store, FUNCTIONS["where"](below, first.term, second.term))


def _keys(source: Term, parts: Sequence[Part]) -> list[Term]:
    """Return by what is branched: each symbol, its size, and the distances of series."""
    own = [x for x in source.free_symbols if x.sort == REAL]
    sizes = [FUNCTIONS["abs"](offset(x, Fraction(0))) for x in own]
    given = [part.by for part in parts if part.by is not None]
    return list(dict.fromkeys(chain(own, sizes, given)))


def _threshold(
    bench: Bench, key: Term, gap: tuple[float, float], first: Part, second: Part
) -> float:
    """Narrow a gap between points down to where the second form becomes the better one."""
    low, high = gap
    for _ in range(STEPS):
        middle = _between(low, high)
        better = _compared(bench, key, middle, first, second)
        if better is None or not low < middle < high:
            break
        low, high = (middle, high) if better else (low, middle)
    middle = _between(low, high)
    short = float(f"{middle:.{DIGITS}g}")
    return next(t for t in (short, middle, high) if gap[0] < t <= gap[1])


def _between(low: float, high: float) -> float:
    """Return the middle of an interval, of its logarithms where it is far from zero."""
    if low < 0 < high:
        return 0.0
    if low > 0 or high < 0:
        return math.copysign(math.sqrt(abs(low)) * math.sqrt(abs(high)), low + high)
    return (low + high) / 2


def _compared(bench: Bench, key: Term, at: float, first: Part, second: Part) -> bool | None:
    """Tell whether the first form is better around a value of the key; None where none is."""
    from rewrite.guard import Guard
    from rewrite.sampling import sample_points

    (x,) = key.free_symbols
    known = [s.symbol for s in bench.source.free_symbols]
    points = sample_points([s for s in known if s is not None], AROUND, seed=3, dtype=bench.kind)
    assert isinstance(x.symbol, Symbol)
    sides = np.resize((1.0, -1.0), AROUND) if key.args else np.ones(AROUND)
    values = (_shift(key) or 0.0) + sides * at * np.linspace(0.99, 1.01, AROUND)
    low, high = x.symbol.bounds
    points[x.symbol.name] = np.clip(values, low, high).astype(bench.kind)
    guard = Guard(bench.source, points, dtype=bench.kind)
    errors = [np.nan_to_num(guard.errors(part.term)[0]) for part in (first, second)]
    difference = float(errors[0].sum() - errors[1].sum())
    return None if difference == 0 else difference < 0
