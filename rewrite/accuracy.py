"""Accuracy: bits of error against the oracle, and the guard that compares candidates by them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.cost import constant_positions
from rewrite.dag import Dag
from rewrite.errors import AccuracyError, ArgumentError
from rewrite.evaluate import evaluate_dag, float_dtype, function_of
from rewrite.oracle import Exact, exact_dag, surely_undefined, ulp_distance
from rewrite.sampling import sample_points
from rewrite.sorts import BOOL
from rewrite.store import Symbol
from rewrite.term import Term, join_all

__all__ = [
    "Accuracy", "Guard", "RangeGuard", "Verdict", "accuracy", "bits_of_error", "sample_points",
]  # fmt: skip

type Floats = npt.NDArray[np.float64]
type Points = Mapping[str, Any]

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
UNDEFINED_ULPS: Final = 4.0
"""By how much a candidate may differ from the source where the exact value is undefined."""
BLAMED_POINTS: Final = 64
POINTS: Final = 512
PLENTY: Final = 60
"""Programs of more nodes are measured at fewer points, down to a quarter."""


def bits_of_error(approx: npt.ArrayLike, exact: Exact, dtype: Any = np.float64) -> Floats:
    """Return log2(max(1, u)) at each point, u the distance from the exact value in ulp.

    At most the width of the dtype, 64 or 32, also for NaN and for an infinity where the exact
    value is in range; NaN where the exact value is undefined.
    """
    distance = ulp_distance(approx, exact, dtype)
    bits: Floats = np.log2(np.maximum(distance, 1.0))
    bits = np.minimum(bits, 8.0 * np.dtype(dtype).itemsize)
    return bits


# -- one term --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far a term's floating-point value is from the exact one, over sample points.

    `bits` has one number a point, NaN where the exact value is undefined; `valid` counts the
    others, over which `mean_bits` and `max_bits` go. `worst` is the point of `max_bits`.
    """

    mean_bits: float
    max_bits: float
    worst: dict[str, float]
    valid: int
    bits: Floats = field(repr=False)


def accuracy(term: Term, points: Points | None = None, dtype: Any = np.float64) -> Accuracy:
    """Measure the bits of error of a term, at given points or at sampled ones.

    Raise `AccuracyError` where the term is undefined at every point.

    >>> import rewrite as rw
    >>> x = rw.symbol("x", low=1e9, high=1e12)
    >>> accuracy(rw.sqrt(x + 1) - rw.sqrt(x)).mean_bits > 10
    True
    """
    dag = _as_dag(term)
    kind = float_dtype(dtype)
    points, (values,) = _measurable(dag, points, kind, n=256, seed=0)
    bits = bits_of_error(evaluate_dag(dag, points, kind)[0], values, kind)
    valid = int(np.count_nonzero(~np.isnan(bits)))
    if not valid:
        raise AccuracyError(
            f"the term {term!r} is undefined at every point; give its symbols low=, high="
        )
    at = int(np.nanargmax(bits))
    return Accuracy(float(np.nanmean(bits)), float(bits[at]), _point(points, at), valid, bits)


def _as_dag(program: Dag | Term | Sequence[Term]) -> Dag:
    if isinstance(program, Dag):
        return program
    terms = [program] if isinstance(program, Term) else list(program)
    if not terms:
        raise ArgumentError("no terms to measure")
    return Dag.of(terms[0].store, join_all(terms[0].store, terms))


def _ready(points: Points, kind: np.dtype[Any]) -> dict[str, npt.NDArray[Any]]:
    """Broadcast points against each other and round them to the dtype in which terms see them."""
    arrays = {name: np.asarray(value) for name, value in points.items()}
    arrays = {n: a if a.dtype == np.bool_ else a.astype(kind) for n, a in arrays.items()}
    try:
        shape = np.broadcast_shapes((1,), *[a.shape for a in arrays.values()])
    except ValueError:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ArgumentError(f"the points of the symbols do not broadcast: {shapes}") from None
    if 0 in shape:
        raise AccuracyError("no points to measure at")
    return {name: np.broadcast_to(array, shape).ravel() for name, array in arrays.items()}


def _point(points: Points, at: int) -> dict[str, float]:
    return {name: array[min(at, len(array) - 1)].item() for name, array in points.items()}


def _measurable(
    dag: Dag, points: Points | None, kind: np.dtype[Any], *, n: int, seed: int
) -> tuple[dict[str, npt.NDArray[Any]], list[Exact]]:
    """Return points and the exact values there; more are sampled where most are undefined."""
    symbols = [value for value in dag.value if isinstance(value, Symbol)]
    if points is not None:
        ready = _ready(points, kind)
        return ready, exact_dag(dag, ready)
    sampled = sample_points(symbols, n, seed=seed, dtype=kind)
    exact = exact_dag(dag, sampled)
    ok = np.logical_and.reduce([values.ok for values in exact])
    if not symbols or np.count_nonzero(ok) >= n // 4:
        return sampled, exact
    more = sample_points(symbols, 4 * n, seed=seed + 1, dtype=kind)
    values = np.broadcast_arrays(*evaluate_dag(dag, more, kind))
    finite = np.logical_and.reduce([np.isfinite(v) for v in values])
    kept = np.nonzero(np.broadcast_to(finite, 4 * n))[0][: n // 2]
    both = {name: np.concatenate([sampled[name], more[name][kept]]) for name in sampled}
    return both, exact_dag(dag, both)


# -- the guard -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may replace the source, and if not why.

    The means are those of the root where the candidate does worst, `worst` the point where it
    loses most there. `blame` holds the candidate's positions, the one that loses most by itself
    first; it is empty for a candidate that is accepted.
    """

    ok: bool
    mean_bits_before: float
    mean_bits_after: float
    worst: dict[str, float] = field(default_factory=dict)
    blame: tuple[int, ...] = ()
    reason: str = ""


class Guard:
    """Compares candidates with one source, whose exact values are computed once.

    Accepted is what at each root has a mean error at most 0.05 bits above the source's, a largest
    error at most 2 bits above a quarter more than the source's (and 1 bit), no greater loss at
    three points than that, a worst 1/32 of the points at most 0.75 bits above the source's in the
    mean, and is finite at all points with finite inputs where the source is, unless the exact value
    overflows. Where the exact value is undefined but the source has one, as at an infinity on the
    way, the candidate must have it too. Where the source over- or underflows by itself it must
    only not do so more often. A source without a point where it is defined accepts nothing, since
    nothing can be measured.
    """

    def __init__(
        self,
        source: Dag | Term | Sequence[Term],
        points: Points | None = None,
        *,
        dtype: Any = np.float64,
        n: int | None = None,
        seed: int = 0,
    ) -> None:
        dag = _as_dag(source)
        if n is None:
            n = max(POINTS // 4, POINTS * PLENTY // max(PLENTY, len(dag)))
        self.dtype = float_dtype(dtype)
        self.points, self.exact = _measurable(dag, points, self.dtype, n=n, seed=seed)
        columns = evaluate_dag(dag, self.points, self.dtype, keep=True)
        self.values = [columns[root] for root in dag.roots]
        self.bits = self._bits(self.values)
        self.finite = _finite(dag, self.points, self.values)
        self.far = _far(dag, self.points, 64)
        strained = _strained(dag, columns, self.dtype)
        self.strained = [strained & (bits > STRAINED) for bits in self.bits]
        self.undefined = self._undefined(dag)
        self._folded: dict[str, Any] = {}

    def errors(self, candidate: Dag | Term | Sequence[Term]) -> list[Floats]:
        """Return the bits of error of each root of a candidate, at each of the source's points.

        They are NaN where the exact value of the source is undefined.
        """
        dag = _as_dag(candidate)
        _same_roots(dag, len(self.exact))
        given = self._constants(dag)
        return self._bits(evaluate_dag(dag, self.points, self.dtype, given=given))

    def _bits(self, values: list[npt.NDArray[Any]]) -> list[Floats]:
        pairs = zip(values, self.exact, strict=True)
        return [bits_of_error(value, exact, self.dtype) for value, exact in pairs]

    def _undefined(self, dag: Dag) -> list[npt.NDArray[np.bool_]]:
        """Tell where each root has a value in floating point though the exact one is undefined."""
        found = [f & ~exact.ok for f, exact in zip(self.finite, self.exact, strict=True)]
        at = np.nonzero(np.logical_or.reduce(np.array(found)))[0][:BLAMED_POINTS]
        if len(at):
            sure = surely_undefined(dag, {name: array[at] for name, array in self.points.items()})
            for mask, known in zip(found, sure, strict=True):
                known = mask[at] & known
                mask[:] = False
                mask[at] = known
        return found

    def accepts(self, candidate: Dag | Term | Sequence[Term]) -> Verdict:
        """Judge a candidate; raise `ArgumentError` if its roots are not as many as the source's."""
        dag = _as_dag(candidate)
        _same_roots(dag, len(self.exact))
        given = self._constants(dag)
        values = evaluate_dag(dag, self.points, self.dtype, given=given)
        bits = self._bits(values)
        verdicts = [self._root(at, bits[at], values[at]) for at in range(len(bits))]
        verdict, loss = max(verdicts, key=lambda v: (not v[0].ok, _rise(v[0])))
        if verdict.ok:
            return verdict
        worst = int(np.argmax(loss))
        lost = np.argsort(-loss, kind="stable")[:BLAMED_POINTS]
        lost = lost[loss[lost] > min(0.5, loss[worst] / 2)]
        return replace(
            verdict, worst=_point(self.points, worst), blame=tuple(self._blame(dag, lost, given))
        )

    def refused(self, candidate: Dag | Term | Sequence[Term]) -> set[int]:
        """Judge the roots of a large candidate; return those that are worse beyond doubt.

        Its parts were judged before, so that rounding alone makes no difference that `accepts` does
        not see: here a root must stay finite, and not lose in the mean by twice what chance makes.
        """
        dag = _as_dag(candidate)
        _same_roots(dag, len(self.exact))
        values = evaluate_dag(dag, self.points, self.dtype, given=self._constants(dag))
        bits = self._bits(values)
        found = set()
        for at, (after, value) in enumerate(zip(bits, values, strict=True)):
            valid = self.exact[at].ok & ~self.far
            lost = self.finite[at] & ~np.isfinite(value) & ~(after == 0)
            broken = (lost & ~self.far).any() or _outweighs(
                lost, ~np.isfinite(self.values[at]) & np.isfinite(value)
            )
            loss = (after - self.bits[at])[valid]
            chance = 2 * float(loss.std()) / math.sqrt(len(loss)) if len(loss) else 0.0
            if broken or (len(loss) and float(loss.mean()) - chance > MEAN_SLACK):
                found.add(at)
        return found

    def _root(self, at: int, after: Floats, value: npt.NDArray[Any]) -> tuple[Verdict, Floats]:
        """Judge one root; also return by how many bits each point is worse."""
        before, valid = self.bits[at], self.exact[at].ok
        if not valid.any():
            return Verdict(
                False, math.nan, math.nan, reason="undefined at all points"
            ), 0.0 * before
        easy = valid & ~self.strained[at]
        usual = next(mask for mask in (easy & ~self.far, easy, valid) if mask.any())
        broken = self.finite[at] & ~np.isfinite(value) & ~(after == 0) & ~self.far
        other = self._other(at, value, _level(before[usual]))
        loss = np.where(broken | other, math.inf, np.where(valid, after - before, 0.0))
        means = float(before[usual].mean()), float(after[usual].mean())
        reason = ""
        if broken.any():
            reason = f"not finite at {int(broken.sum())} points where the source is"
        elif other.any():
            reason = f"another value at {int(other.sum())} points without an exact one"
        elif _outweighs(loss[~usual] > STRAINED, loss[~usual] < -STRAINED):
            reason = "over- or underflows at more points than the source"
        else:
            reason = _worse(before[usual], after[usual])
        return Verdict(not reason, *means, reason=reason), loss

    def _other(self, at: int, value: npt.NDArray[Any], level: float) -> npt.NDArray[np.bool_]:
        """Tell where a value differs from the source's though there is no exact one to be near.

        The tolerance is as wide as the source's own error is at other points.
        """
        differs = self.undefined[at] & (value != self.values[at])
        if differs.any() and value.dtype != np.bool_:
            near = np.spacing(np.abs(np.where(differs, self.values[at], 1.0)))
            with np.errstate(all="ignore"):
                off = np.abs(value - self.values[at])
            differs &= ~(off <= UNDEFINED_ULPS * 2.0**level * near)
        other: npt.NDArray[np.bool_] = differs
        return other

    def _constants(self, dag: Dag) -> dict[int, Any]:
        """Return the values of a candidate's constant subterms: compiling rounds each only once.

        The source keeps the roundings of every step, as it would have in NumPy. Only the largest
        such subterms are wanted, and none twice for all candidates.
        """
        constant, rows = constant_positions(dag), dag.rows()
        users = [args for at, (_, args) in enumerate(rows) if not constant[at]]
        wanted = sorted(
            at
            for at in {*dag.roots, *(a for args in users for a in args)}
            if constant[at] and rows[at][1] and dag.sort[at] != BOOL
        )
        text = {at: _text(dag, rows, at) for at in wanted}
        fresh = [at for at in wanted if text[at] not in self._folded]
        if fresh:
            point = {name: array[:1] for name, array in self.points.items()}
            for at, known in zip(fresh, exact_dag(dag, point, wanted=fresh), strict=True):
                self._folded[text[at]] = known.nearest(self.dtype)[0] if known.ok[0] else None
        values = {at: self._folded[text[at]] for at in wanted}
        return {at: value for at, value in values.items() if value is not None}

    def _blame(self, dag: Dag, at: npt.NDArray[np.intp], given: Mapping[int, Any]) -> list[int]:
        """Order the ops by the error that each makes on operands that are right."""
        points = {name: array[at] for name, array in self.points.items()}
        computed = evaluate_dag(dag, points, self.dtype, keep=True, given=given)
        exact = exact_dag(dag, points, wanted=range(len(dag)))
        right = [
            values.nearest(self.dtype) if args and not boolean else value
            for (_, args), boolean, value, values in zip(
                dag.rows(), (dag.sort == BOOL).tolist(), computed, exact, strict=True
            )
        ]
        scores = []
        for node, (code, args) in enumerate(dag.rows()):
            if args:
                with np.errstate(all="ignore"):
                    result = function_of(dag, node, code)(*[right[a] for a in args])
                distance = ulp_distance(result, exact[node], self.dtype, relative=True)
                made = ~np.isfinite(computed[node])
                for a in args:
                    made = made & np.isfinite(computed[a])
                distance = np.where(made, math.inf, np.nan_to_num(distance, posinf=math.inf))
                bits = np.minimum(np.log2(np.maximum(distance, 1)), 8.0 * self.dtype.itemsize)
                close = np.minimum(distance, 1)
                scores.append((-float(bits.sum()), -float(close.sum()), node))
        return [node for *_, node in sorted(scores)]


class RangeGuard:
    """Refuses candidates that overflow or vanish in another dtype where the source does not.

    For kernels that run in both dtypes: the error is measured in one, by a `Guard`.
    """

    def __init__(
        self,
        source: Dag | Term | Sequence[Term],
        points: Points | None = None,
        *,
        dtype: Any = np.float32,
        n: int = 256,
        seed: int = 0,
    ) -> None:
        dag = _as_dag(source)
        self.dtype = float_dtype(dtype)
        symbols = [value for value in dag.value if isinstance(value, Symbol)]
        if points is None:
            points = sample_points(symbols, n, seed=seed, dtype=self.dtype)
        with np.errstate(over="ignore"):  # what does not fit is infinite, and not judged
            self.points = _ready(points, self.dtype)
        values = evaluate_dag(dag, self.points, self.dtype)
        self.finite = _finite(dag, self.points, values)
        self.far = _far(dag, self.points, 16)
        least = np.finfo(self.dtype).tiny
        self.normal = [f & (np.abs(v) >= least) for f, v in zip(self.finite, values, strict=True)]

    def accepts(self, candidate: Dag | Term | Sequence[Term]) -> Verdict:
        """Judge a candidate; the verdict has no means."""
        dag = _as_dag(candidate)
        _same_roots(dag, len(self.finite))
        values = evaluate_dag(dag, self.points, self.dtype)
        known = evaluate_dag(dag, self.points)
        name = self.dtype.name
        least = np.finfo(self.dtype).tiny
        for value, wide, finite, normal in zip(
            values, known, self.finite, self.normal, strict=True
        ):
            if value.dtype == np.bool_:
                continue
            there = np.isfinite(wide) & (np.abs(wide) >= least)
            bad = there & (~np.isfinite(value) | (value == 0))
            lost = (finite & ~np.isfinite(value)) | (normal & bad)
            if (lost & ~self.far).any() or _outweighs(lost, there & ~normal & ~bad):
                at = np.nonzero(lost)[0]
                reason = f"over- or underflows in {name} at {len(at)} points, unlike the source"
                worst, blame = _point(self.points, int(at[0])), self._blame(dag, at)
                return Verdict(False, math.nan, math.nan, worst, blame, reason)
        return Verdict(True, math.nan, math.nan)

    def _blame(self, dag: Dag, at: npt.NDArray[np.intp]) -> tuple[int, ...]:
        """Order the ops by the number of points at which an operand is good and the result not."""
        points = {name: array[at] for name, array in self.points.items()}
        narrow = evaluate_dag(dag, points, self.dtype, keep=True)
        wide = evaluate_dag(dag, points, keep=True)
        bad = [
            np.broadcast_to(~np.isfinite(v) | ((v == 0) & (w != 0)), at.shape)
            for v, w in zip(narrow, wide, strict=True)
        ]
        scores = []
        for node, (_, args) in enumerate(dag.rows()):
            made = bad[node]
            for a in args:
                made = made & ~bad[a]
            if args and made.any():
                scores.append((-int(made.sum()), node))
        return tuple(node for _, node in sorted(scores))


# -- what both ask -----------------------------------------------------------------------------


def _same_roots(dag: Dag, wanted: int) -> None:
    if len(dag.roots) != wanted:
        raise ArgumentError(f"the candidate has {len(dag.roots)} roots, the source {wanted}")


def _far(dag: Dag, points: Points, power: int) -> npt.NDArray[np.bool_]:
    """Tell at which points an input is beyond 2**power or its inverse.

    There a product in another order over- or underflows at other points, so what counts is at how
    many: `hypot(x, y)` never does, `sqrt(x*x + y*y)` often.
    """
    far = np.zeros(max((len(a) for a in points.values()), default=1), np.bool_)
    for name in {v.name for v in dag.value if isinstance(v, Symbol)}:
        size = np.abs(np.asarray(points[name], np.float64))
        far = far | ((size > 2.0**power) | ((size > 0) & (size < 2.0**-power)))
    return far


def _outweighs(worse: npt.NDArray[np.bool_], better: npt.NDArray[np.bool_]) -> bool:
    """Tell whether clearly more points get worse than get better."""
    return bool(np.count_nonzero(worse) > 1 + 1.5 * np.count_nonzero(better))


def _finite(
    dag: Dag, points: Points, values: Sequence[npt.NDArray[Any]]
) -> list[npt.NDArray[np.bool_]]:
    """Tell for each root at which points it and all inputs are finite."""
    inputs: list[Any] = [points[v.name] for v in dag.value if isinstance(v, Symbol)]
    sane: Any = np.logical_and.reduce([np.isfinite(a) for a in inputs]) if inputs else True
    count = next((len(a) for a in points.values()), 1)
    return [np.broadcast_to(sane & np.isfinite(v), count).copy() for v in values]


_PRODUCTS: Final = frozenset(row.code for row in (ops.MUL, ops.DIV, ops.POW, ops.EXP, ops.EXP2))


def _strained(
    dag: Dag, columns: Sequence[npt.NDArray[Any]], dtype: np.dtype[Any]
) -> npt.NDArray[np.bool_]:
    """Tell where an op overflows, or underflows; sums never do the latter."""
    found: npt.NDArray[np.bool_] = np.zeros(1, np.bool_)
    least = np.finfo(dtype).tiny
    for at, (code, args) in enumerate(dag.rows()):
        value = columns[at]
        if not args or value.dtype == np.bool_:
            continue
        operands = [columns[a] for a in args]
        bad = ~np.isfinite(value)
        for operand in operands:
            bad = bad & np.isfinite(operand)
        if code in _PRODUCTS:
            small = np.abs(value) < least
            for operand in operands if code != ops.EXP.code else ():
                small = small & (operand != 0)
            bad = bad | small
        found = found | bad
    return found


def _text(dag: Dag, rows: list[tuple[int, tuple[int, ...]]], at: int) -> str:
    """Write a constant subterm so that equal texts have equal values."""
    code, args = rows[at]
    if not args:
        return f"{type(dag.value[at]).__name__} {dag.value[at]!r}"
    return f"({code} {' '.join(_text(dag, rows, a) for a in args)})"


def _worse(before: Floats, after: Floats) -> str:
    """Say what is worse about the errors of a candidate; nothing where they will do."""
    means = float(before.mean()), float(after.mean())
    if not means[1] <= means[0] + MEAN_SLACK:
        return f"mean error {means[1]:.2f} bits instead of {means[0]:.2f}"
    limit = max(1.0, 1.25 * float(before.max())) + MAX_SLACK
    if (most := float(after.max())) > limit:
        return f"largest error {most:.2f} bits, above the limit of {limit:.2f}"
    loss = after - before
    limit = max(1.0, 1.25 * max(-float(loss.min()), _level(before))) + MAX_SLACK
    if (most := _largest(loss, PAIRED)) > limit:
        return f"{most:.2f} bits worse at {PAIRED} points, above the limit of {limit:.2f}"
    tails = _tail(before), _tail(after)
    if tails[1] > max(1.0, tails[0]) + TAIL_SLACK:
        return f"worst 1/32 of the points at {tails[1]:.2f} bits instead of {tails[0]:.2f}"
    return ""


def _level(bits: Floats) -> float:
    """Return the error that 1/32 of the points reach."""
    return _largest(bits, max(1, len(bits) // TAIL))


def _largest(bits: Floats, count: int) -> float:
    """Return the largest number that so many reach, or the least one of fewer."""
    count = min(count, len(bits))
    return float(np.partition(bits, -count)[-count])


def _tail(bits: Floats) -> float:
    """Return the mean of the largest 1/32."""
    count = max(1, len(bits) // TAIL)
    return float(np.partition(bits, -count)[-count:].mean())


def _rise(verdict: Verdict) -> float:
    return verdict.mean_bits_after - verdict.mean_bits_before
