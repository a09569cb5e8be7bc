"""What a guard knows of its sources, and the comparison with candidates: all roots at once."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.oracle import Exact, ulp_distance

__all__ = ["Judged", "Measured", "bits_of_error", "errors", "outweighs", "stacked"]

type Floats = npt.NDArray[np.float64]
type Bools = npt.NDArray[np.bool_]

MEAN_SLACK: Final = 0.05
"""Bits by which the mean error may rise: half of the promised 0.1."""
MAX_SLACK: Final = 2.0
"""Bits by which the largest error may rise above max(1, a quarter more than the source's).

The quarter is there because the largest of a sample scatters where the source itself cancels. The
same holds of the loss that `PAIRED` points reach, beside the largest gain and the error that the
source has at 1/32 of the points: one point where the source is all wrong excuses no others.
"""
PAIRED: Final = 3
"""Where sums cancel, rounding may spoil a point or two of some hundreds by chance."""
TAIL: Final = 32
TAIL_SLACK: Final = 0.75
"""Bits by which the mean error of the worst 1/32 of the points may rise above max(1, before).

`sin(x)**2` written as `(1 - cos(2*x))/2` keeps its mean: the loss is all in a few points.
"""
STRAINED: Final = 8.0
"""A source worse than this at a point where it over- or underflows is not measured there.

Else such points, where all bits are lost, would hide what happens at the others.
"""
FEW: Final = 4.0
"""The standard error of a mean over n points is taken as 1 + 4/n times what they say."""
UNDEFINED_ULPS: Final = 4.0
"""By how much a candidate may differ from the source where the exact value is undefined."""


def bits_of_error(approx: npt.ArrayLike, exact: Exact, dtype: Any = np.float64) -> Floats:
    """Return log2(max(1, u)) at each point, u the distance from the exact value in ulp.

    At most the width of the dtype, 64 or 32, also for NaN and for an infinity where the exact
    value is in range; NaN where the exact value is undefined.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> thirds = rw.exact(x / 3, {"x": [1.0, 1.0]})
    >>> bits_of_error([1 / 3, 0.3333], thirds).round(1)
    array([ 0. , 39.1])
    """
    distance = ulp_distance(approx, exact, dtype)
    bits: Floats = np.log2(np.maximum(distance, 1.0))
    bits = np.minimum(bits, 8.0 * np.dtype(dtype).itemsize)
    return bits


def bits_between(approx: npt.ArrayLike, exact: Exact, dtype: Any = np.float64) -> Floats:
    """Return log2 of how many floats there are from a number to the exact value rounded.

    Both are counted, as FPBench 2.0 does; at most the width of the dtype, also for NaN. NaN where
    the exact value is undefined.
    """
    kind = np.dtype(dtype)
    number = np.broadcast_to(np.asarray(approx), exact.ok.shape).astype(kind)
    nearest = exact.nearest(kind)
    ends = _place(number), _place(np.where(exact.ok, nearest, 0).astype(kind))
    steps = np.maximum(*ends).astype(np.uint64) - np.minimum(*ends).astype(np.uint64)
    bits: Floats = np.minimum(np.log2(steps + 1.0), 8.0 * kind.itemsize)
    bits[np.isnan(number)] = 8.0 * kind.itemsize
    bits[~exact.ok] = np.nan
    return bits


def _place(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the place of floats in their order, both zeros at 0."""
    kind = np.int64 if numbers.dtype == np.float64 else np.int32
    whole = numbers.view(kind).astype(np.int64)
    return np.where(whole < 0, np.int64(np.iinfo(kind).min) - whole, whole)


def errors(values: Floats, exact: Exact, truth: Bools, dtype: np.dtype[Any]) -> Floats:
    """Return the bits of error of roots; a truth value that is wrong has no bit right."""
    bits = bits_of_error(values, exact, dtype)
    return np.where(truth[:, None] & (bits > 0), 8.0 * dtype.itemsize, bits)


def stacked(values: Sequence[npt.NDArray[Any]], count: int) -> Floats:
    """Return columns as rows of one array of doubles, which hold all that is computed."""
    found = np.empty((len(values), count))
    for row, value in zip(found, values, strict=True):
        row[:] = value
    return found


def outweighs(worse: Bools, better: Bools) -> Any:
    """Tell for each row whether clearly more points get worse than get better."""
    return worse.sum(-1) > 1 + 1.5 * better.sum(-1)


@dataclass(frozen=True, slots=True)
class Judged:
    """What came out for each root, and by how many bits each point is worse."""

    ok: Bools
    before: Floats
    after: Floats
    """Mean bits of error."""
    loss: Floats
    reasons: list[str]


@dataclass(frozen=True, slots=True)
class Measured:
    """Some roots, one row each, at sample points, one column each."""

    dtype: np.dtype[Any]
    exact: Exact
    values: Floats
    """What the source computes."""
    truth: Bools
    """Which roots are truth values."""
    bits: Floats
    finite: Bools
    """Where the root and all inputs are finite."""
    far: Bools
    """Where an input is very large or very small."""
    strained: Bools
    """Where the source over- or underflows and is wrong."""
    undefined: Bools
    """Where the source has a value though the exact one is undefined."""
    present: Bools
    """False where a column stands for no point of the source."""

    def rows(self, some: Any, count: int | None = None) -> "Measured":
        """Return some roots, a slice or numbers, and their first points."""
        return self._each(
            self.exact.rows(some, count), lambda value: value[some, :count], lambda row: row[some]
        )

    def at(self, places: npt.NDArray[Any], values: Floats) -> "Measured":
        """Return columns of these points, some of them repeated, with other values of the source.

        Those begin with the ones that were measured.
        """
        found = self._each(self.exact.at(places), lambda value: value[:, places], lambda row: row)
        return replace(found, values=values, bits=found.errors(values))

    def _each(
        self, exact: Exact, table: Callable[[Any], Any], column: Callable[[Any], Any]
    ) -> "Measured":
        """Return what functions make of all tables, and of what each root has one of."""
        parts: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("dtype", "exact"):
                parts[field.name] = table(value) if value.ndim > 1 else column(value)
        return Measured(self.dtype, exact, **parts)

    def errors(self, values: Floats) -> Floats:
        """Return the bits of error of other values of the same roots."""
        return errors(values, self.exact, self.truth, self.dtype)

    def judged(self, values: Floats) -> Judged:
        """Compare what candidates compute."""
        after, before = self.errors(values), self.bits
        valid = self.exact.ok & self.present
        easy = valid & ~self.strained
        usual = easy & ~self.far
        for wider in (easy, valid):
            usual = np.where(usual.any(1, keepdims=True), usual, wider)
        here = self.present & ~self.far
        broken = self.finite & ~np.isfinite(values) & ~(after == 0) & here
        other = self._other(values, _level(before, usual)) & self.present
        loss = np.where(broken | other, math.inf, np.where(valid, after - before, 0.0))
        rest = ~usual & self.present
        over = outweighs((loss > STRAINED) & rest, (loss < -STRAINED) & rest)
        none = np.where(valid.any(1), 0.0, math.nan)
        ranked = _Errors(before, after, usual)
        tests: list[tuple[Bools, Any]] = [
            (~valid.any(1), lambda at: "undefined at all points"),
            (broken.any(1), lambda at: (
                f"not finite at {int(broken[at].sum())} points where the source is")),
            (other.any(1), lambda at: (
                f"another value at {int(other[at].sum())} points without an exact one")),
            (over, lambda at: "over- or underflows at more points than the source"),
            *ranked.tests(),
        ]  # fmt: skip
        bad = np.array([failed for failed, _ in tests])
        ok = ~bad.any(0)
        reasons = [
            "" if fine else tests[int(np.argmax(bad[:, at]))][1](at)
            for at, fine in enumerate(ok.tolist())
        ]
        means = [mean + none for mean in ranked.means]
        return Judged(ok, means[0], means[1], loss, reasons)

    def _other(self, values: Floats, level: Floats) -> Bools:
        """Tell where a value differs from the source's though there is no exact one to be near.

        The tolerance is as wide as the source's own error is at other points.
        """
        differs: Bools = self.undefined & (values != self.values)
        if differs.any():
            size = np.abs(np.where(differs, self.values, 1.0)).astype(self.dtype)
            near = np.spacing(size).astype(np.float64)
            with np.errstate(all="ignore"):
                off = np.abs(values - self.values)
                close = off <= UNDEFINED_ULPS * np.exp2(level)[:, None] * near
            differs &= ~(close & ~self.truth[:, None])
        return differs

    def worse(self, values: Floats, doubt: float) -> Bools:
        """Tell which roots are not finite any more, or worse by more than chance makes of it.

        The means may differ by `MEAN_SLACK` and `doubt` times the standard error of the difference.
        """
        after = self.errors(values)
        valid = self.exact.ok & ~self.far & self.present
        lost = self.finite & ~np.isfinite(values) & ~(after == 0)
        found = ~np.isfinite(self.values) & np.isfinite(values)
        broken: Bools = (lost & ~self.far).any(1) | outweighs(lost, found)
        count = np.maximum(valid.sum(1), 1)
        loss = np.where(valid, after - self.bits, 0.0)
        mean = loss.sum(1) / count
        spread = np.where(valid, (loss - mean[:, None]) ** 2, 0.0).sum(1)
        error = np.sqrt(spread / np.maximum(count - 1, 0.5) / count) * (1 + FEW / count)
        worse: Bools = broken | (mean - doubt * error > MEAN_SLACK)
        return worse


def _sorted(values: Floats, usual: Bools) -> Floats:
    """Sort each row, the largest first and what is not usual last."""
    return -np.sort(np.where(usual, -values, math.inf), axis=1)


def _at(ordered: Floats, place: npt.NDArray[np.intp]) -> Floats:
    found: Floats = np.take_along_axis(ordered, np.maximum(place, 0)[:, None], 1)[:, 0]
    return found


def _level(bits: Floats, usual: Bools) -> Floats:
    """Return the error that 1/32 of the points reach."""
    return _at(_sorted(bits, usual), np.maximum(1, usual.sum(1) // TAIL) - 1)


class _Errors:
    """The errors of sources and candidates at the usual points of each."""

    def __init__(self, before: Floats, after: Floats, usual: Bools) -> None:
        self.count = np.maximum(usual.sum(1), 1)
        self.usual = usual
        self.before, self.after = _sorted(before, usual), _sorted(after, usual)
        with np.errstate(invalid="ignore"):
            self.loss = _sorted(after - before, usual)
        self.means = tuple(
            [np.where(usual, bits, 0.0).sum(1) / self.count for bits in (before, after)]
        )
        self.gain = -np.where(usual, after - before, math.inf).min(1)
        self.tail = np.maximum(1, self.count // TAIL)

    def tests(self) -> list[tuple[Bools, Any]]:
        """Return what may be worse about the errors, each with what says so of a row."""
        before, after = self.means
        largest = self.before[:, 0], self.after[:, 0]
        limit = np.maximum(1.0, 1.25 * largest[0]) + MAX_SLACK
        level = _at(self.before, self.tail - 1)
        bound = np.maximum(1.0, 1.25 * np.maximum(self.gain, level)) + MAX_SLACK
        paired = _at(self.loss, np.minimum(PAIRED, self.count) - 1)
        tails = self._tail(self.before), self._tail(self.after)
        return [
            (~(after <= before + MEAN_SLACK), lambda at: (
                f"mean error {after[at]:.2f} bits instead of {before[at]:.2f}")),
            (largest[1] > limit, lambda at: (
                f"largest error {largest[1][at]:.2f} bits, above the limit of {limit[at]:.2f}")),
            (paired > bound, lambda at: (
                f"{paired[at]:.2f} bits worse at {PAIRED} points, above the limit of "
                f"{bound[at]:.2f}")),
            (tails[1] > np.maximum(1.0, tails[0]) + TAIL_SLACK, lambda at: (
                f"worst 1/32 of the points at {tails[1][at]:.2f} bits instead of "
                f"{tails[0][at]:.2f}")),
        ]  # fmt: skip

    def _tail(self, ordered: Floats) -> Floats:
        """Return the mean of the largest 1/32."""
        most = int(self.tail.max(initial=1))
        sums = np.cumsum(ordered[:, :most], axis=1)
        mean: Floats = _at(sums, self.tail - 1) / self.tail
        return mean
