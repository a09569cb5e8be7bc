"""Accuracy: bits of error against the oracle, and the guard that compares candidates by them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.cost import constant_positions
from rewrite.dag import Dag
from rewrite.errors import AccuracyError, ArgumentError
from rewrite.evaluate import bind, evaluate_dag, float_dtype, function_of
from rewrite.ops import CONST
from rewrite.oracle import Exact, exact_dag, ulp_distance
from rewrite.sampling import sample_points
from rewrite.sorts import BOOL
from rewrite.store import Symbol
from rewrite.term import Term, join_all

__all__ = ["Accuracy", "Guard", "Verdict", "accuracy", "bits_of_error", "sample_points"]

type Floats = npt.NDArray[np.float64]
type Points = Mapping[str, Any]

MEAN_SLACK: Final = 0.05
"""Bits by which the mean error may rise: half of the promised 0.1."""
MAX_SLACK: Final = 2.0
"""Bits by which the largest error may rise above max(1, a quarter more than the source's).

The quarter is there because the largest of a sample scatters where the source itself cancels.
"""
TAIL: Final = 32
TAIL_SLACK: Final = 0.75
"""Bits by which the mean error of the worst 1/32 of the points may rise above max(1, before).

`sin(x)**2` written as `(1 - cos(2*x))/2` keeps its mean: the loss is all in a few points.
"""
BLAMED_POINTS: Final = 64


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
    error at most 2 bits above a quarter more than the source's (and 1 bit), a worst 1/32 of the
    points at most 0.75 bits above the source's in the mean, and is finite at all points with finite
    inputs where the source is, unless the exact value overflows. A source without a point where it
    is defined accepts nothing, since nothing can be measured.
    """

    def __init__(
        self,
        source: Dag | Term | Sequence[Term],
        points: Points | None = None,
        *,
        dtype: Any = np.float64,
        n: int = 512,
        seed: int = 0,
    ) -> None:
        dag = _as_dag(source)
        self.dtype = float_dtype(dtype)
        self.points, self.exact = _measurable(dag, points, self.dtype, n=n, seed=seed)
        inputs = bind(dag, self.points, self.dtype).values()
        self.bits, values = self._measured(dag, {})
        sane = np.logical_and.reduce([np.isfinite(a) for a in inputs]) if inputs else np.True_
        self.finite = [sane & np.isfinite(value) for value in values]

    def _measured(
        self, dag: Dag, given: Mapping[int, Any]
    ) -> tuple[list[Floats], list[npt.NDArray[Any]]]:
        values = evaluate_dag(dag, self.points, self.dtype, given=given)
        pairs = zip(values, self.exact, strict=True)
        return [bits_of_error(value, exact, self.dtype) for value, exact in pairs], values

    def accepts(self, candidate: Dag | Term | Sequence[Term]) -> Verdict:
        """Judge a candidate; raise `ArgumentError` if its roots are not as many as the source's."""
        dag = _as_dag(candidate)
        if len(dag.roots) != len(self.exact):
            raise ArgumentError(
                f"the candidate has {len(dag.roots)} roots, the source {len(self.exact)}"
            )
        given = self._constants(dag)
        bits, values = self._measured(dag, given)
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

    def _root(self, at: int, after: Floats, value: npt.NDArray[Any]) -> tuple[Verdict, Floats]:
        """Judge one root; also return by how many bits each point is worse."""
        before, exact = self.bits[at], self.exact[at]
        valid = exact.ok
        if not valid.any():
            return Verdict(
                False, math.nan, math.nan, reason="undefined at all points"
            ), 0.0 * before
        broken = self.finite[at] & ~np.isfinite(value) & ~(after == 0)
        loss = np.where(broken, math.inf, np.where(valid, after - before, 0.0))
        means = float(before[valid].mean()), float(after[valid].mean())
        limit = max(1.0, 1.25 * float(before[valid].max())) + MAX_SLACK
        tails = _tail(before[valid]), _tail(after[valid])
        reason = ""
        if broken.any():
            reason = f"not finite at {int(broken.sum())} points where the source is"
        elif not means[1] <= means[0] + MEAN_SLACK:
            reason = f"mean error {means[1]:.2f} bits instead of {means[0]:.2f}"
        elif (most := float(after[valid].max())) > limit:
            reason = f"largest error {most:.2f} bits, above the limit of {limit:.2f}"
        elif tails[1] > max(1.0, tails[0]) + TAIL_SLACK:
            reason = f"worst 1/32 of the points at {tails[1]:.2f} bits instead of {tails[0]:.2f}"
        return Verdict(not reason, *means, reason=reason), loss

    def _constants(self, dag: Dag) -> dict[int, Any]:
        """Return the values of a candidate's constant subterms: compiling rounds each only once.

        The source keeps the roundings of every step, as it would have in NumPy.
        """
        constant = constant_positions(dag)
        wanted = [
            at
            for at, code in enumerate(dag.code.tolist())
            if constant[at] and code != CONST.code and dag.sort[at] != BOOL
        ]
        if not wanted:
            return {}
        point = {name: array[:1] for name, array in self.points.items()}
        known = exact_dag(dag, point, wanted=wanted)
        pairs = zip(wanted, known, strict=True)
        return {at: value.nearest(self.dtype)[0] for at, value in pairs if value.ok[0]}

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


def _tail(bits: Floats) -> float:
    """Return the mean of the largest 1/32."""
    count = max(1, len(bits) // TAIL)
    return float(np.partition(bits, -count)[-count:].mean())


def _rise(verdict: Verdict) -> float:
    return verdict.mean_bits_after - verdict.mean_bits_before
