"""The guard: it compares candidates with their source by what each loses against exact values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.accuracy import Points, as_dag, measurable, point_at, ready_points
from rewrite.blame import blamed
from rewrite.dag import Dag
from rewrite.doubles import PAYS
from rewrite.errors import ArgumentError
from rewrite.evaluate import evaluate_dag, float_dtype, is_plain
from rewrite.measured import Judged, Measured, stacked
from rewrite.measuring import BLAMED_POINTS, Folded, measure
from rewrite.moved import Moved, has_few_values
from rewrite.oracle import Exact, exact_dag
from rewrite.rowwise import evaluate_rows
from rewrite.store import Symbol
from rewrite.term import Term, join_all

__all__ = ["Guard", "Guards", "Verdict"]

type Floats = npt.NDArray[np.float64]

POINTS: Final = 512
FEWER_POINTS: Final = 16
"""At so many points it is found out which ops are to blame, of sources measured together."""
PLENTY: Final = 60
"""Programs of more nodes are measured at fewer points, down to a quarter."""


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
    overflows. A source of few values is looked at with functions moved as well (`rewrite.moved`).
    Where the exact value is undefined but the source has one, as at an infinity on the way, the
    candidate must have it too. Where the source over- or underflows by itself it must only not do
    so more often. A source without a point where it is defined accepts nothing, since nothing can
    be measured.
    """

    def __init__(
        self,
        source: Dag | Term | Sequence[Term],
        points: Points | None = None,
        *,
        dtype: Any = np.float64,
        n: int | None = None,
        seed: int = 0,
        exact: list[Exact | None] | None = None,
        moved: bool = False,
    ) -> None:
        """Measure the source. With `exact` only `worse` will be asked.

        That are the roots' values at the points; what is None there is filled in. With `moved`,
        sources of few values are looked at with functions moved as well (see `rewrite.moved`), in
        more columns than there are points.
        """
        dag = as_dag(source)
        if n is None:
            n = max(POINTS // 4, POINTS * PLENTY // max(PLENTY, len(dag)))
        kind = float_dtype(dtype)
        if exact is None or points is None:
            self.points, values = measurable(dag, points, kind, n=n, seed=seed)
        else:
            self.points = ready_points(points, kind)
            values = _completed(exact, dag, self.points)
        self.count = max((len(column) for column in self.points.values()), default=1)
        roots = [range(len(dag.roots))]
        most = BLAMED_POINTS if exact is None else 0
        self.measured = measure(dag, roots, self.points, [self.count], values, kind, most)
        self.moved: Moved | None = None
        if moved and has_few_values(dag, self.measured):
            self.moved, self.points, self.measured = _moved(dag, self.points, self.measured)
            self.count = len(self.moved.places)
        self.folded = Folded(kind)
        self.blamed = BLAMED_POINTS

    @classmethod
    def of(cls, measured: Measured, points: Points, folded: Folded) -> "Guard":
        """Make a guard of what was measured."""
        guard = cls.__new__(cls)
        guard.points, guard.measured, guard.folded = dict(points), measured, folded
        guard.count, guard.blamed = measured.values.shape[1], FEWER_POINTS
        guard.moved = None
        return guard

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype in which is computed."""
        return self.measured.dtype

    def errors(self, candidate: Dag | Term | Sequence[Term]) -> list[Floats]:
        """Return the bits of error of each root of a candidate, at each of the source's points.

        They are NaN where the exact value of the source is undefined.
        """
        return list(self.measured.errors(self._values(*self._given(candidate))))

    def accepts(self, candidate: Dag | Term | Sequence[Term]) -> Verdict:
        """Judge a candidate; raise `ArgumentError` if its roots are not as many as the source's."""
        dag, given = self._given(candidate)
        judged = _judged(self.measured, self._values(dag, given), self.moved)
        at = _worst(judged)
        means = float(judged.before[at]), float(judged.after[at])
        if judged.ok[at]:
            return Verdict(True, *means)
        loss = judged.loss[at]
        lost, worst = _lost(loss, self.blamed), int(np.argmax(loss))
        points = {name: array[lost] for name, array in self.points.items()}
        (blame,) = blamed(dag, [dag.roots], points, [len(lost)], self.dtype, given)
        return Verdict(
            False, *means, point_at(self.points, worst), tuple(blame), judged.reasons[at]
        )

    def worse(self, candidate: Dag | Term | Sequence[Term], doubt: float) -> npt.NDArray[np.bool_]:
        """Tell which roots of a large candidate are worse by more than chance makes of it.

        Its parts were judged before, so that rounding alone makes no difference that `accepts` does
        not see: here a root must stay finite, and its mean error must not rise by more than 0.05
        bits and `doubt` times the standard error of that.
        """
        return self.measured.worse(self._values(*self._given(candidate)), doubt)

    def _given(self, candidate: Dag | Term | Sequence[Term]) -> tuple[Dag, dict[int, Any]]:
        dag, wanted = as_dag(candidate), len(self.measured.values)
        if len(dag.roots) != wanted:
            raise ArgumentError(f"the candidate has {len(dag.roots)} roots, the source {wanted}")
        return dag, self.folded.values(dag)

    def _values(self, dag: Dag, given: Mapping[int, Any]) -> Floats:
        return _computed(dag, self.points, self.dtype, given, self.count, self.moved)


def _computed(
    dag: Dag, points: Points, dtype: np.dtype[Any], given: Mapping[int, Any], count: int,
    moved: Moved | None,
) -> Floats:  # fmt: skip
    """Return the values of roots in so many columns, in some of them with functions moved."""
    if moved is None:
        return stacked(evaluate_rows(dag, points, dtype, given=given), count)
    meaning = moved.meaning if is_plain(dag) else None
    return stacked(evaluate_dag(dag, points, dtype, given=given, meaning=meaning), count)


def _judged(measured: Measured, values: Floats, moved: Moved | None) -> Judged:
    """Compare candidates at the points as they are, and in all columns.

    Where a function is moved the source may be so far off that a loss elsewhere would not count.
    """
    judged = measured.judged(values)
    if moved is None:
        return judged
    count = moved.points
    plain = measured.rows(slice(None), count).judged(values[:, :count])
    return replace(
        judged, ok=judged.ok & plain.ok,
        before=np.where(plain.ok, judged.before, plain.before),
        after=np.where(plain.ok, judged.after, plain.after),
        reasons=[one or other for one, other in zip(plain.reasons, judged.reasons, strict=True)],
    )  # fmt: skip


def _moved(dag: Dag, points: Points, measured: Measured) -> tuple[Moved, dict[str, Any], Measured]:
    """Look at a source again with its functions moved, at its points and more columns of them."""
    moved = Moved.of(measured.values.shape[1])
    columns = {name: column[moved.places] for name, column in points.items()}
    values = _computed(dag, columns, measured.dtype, {}, len(moved.places), moved)
    return moved, columns, measured.at(moved.places, values)


def _completed(known: list[Exact | None], dag: Dag, points: Points) -> list[Exact]:
    """Compute those values of the roots that are not known."""
    missing = [at for at, value in enumerate(known) if value is None]
    if missing:
        part = dag.reached([dag.roots[at] for at in missing])
        names = [value.name for value in part.value if isinstance(value, Symbol)]
        some = exact_dag(part, {name: points[name] for name in names})
        for at, value in zip(missing, some, strict=True):
            known[at] = value
    return [value for value in known if value is not None]


def _worst(judged: Judged, roots: Sequence[int] | None = None) -> int:
    """Return the root, of all or some, where a candidate does worst."""
    rise = judged.after - judged.before
    some = range(len(judged.ok)) if roots is None else roots
    return max(some, key=lambda at: (not judged.ok[at], rise[at]))


def _lost(loss: Floats, most: int) -> npt.NDArray[np.intp]:
    """Return the points where most is lost, at most so many, the worst first."""
    lost: npt.NDArray[np.intp] = np.argsort(-loss, kind="stable")[:most]
    kept: npt.NDArray[np.intp] = lost[loss[lost] > min(0.5, loss[lost[0]] / 2)]
    return kept


class Guards:
    """Guards of many sources that share no symbols, measured together.

    `points` are the values of each source's symbols, at least one point.
    """

    def __init__(
        self, sources: Sequence[Sequence[Term]], points: Sequence[Points], *,
        dtype: Any = np.float64,
    ) -> None:  # fmt: skip
        kind = float_dtype(dtype)
        self.own = [ready_points(some, kind) for some in points]
        counts = [max((len(a) for a in some.values()), default=1) for some in self.own]
        self.counts, width = counts, max(counts)
        self.points = {
            name: column if len(column) == width else np.resize(column, width)
            for some in self.own
            for name, column in some.items()
        }
        if len(self.points) < sum(map(len, self.own)):
            raise ArgumentError("sources that are measured together cannot share symbols")
        ends = np.cumsum([0, *map(len, sources)]).tolist()
        self.spans = [range(first, end) for first, end in pairwise(ends)]
        store = sources[0][0].store
        dag = Dag.of(store, join_all(store, [term for terms in sources for term in terms]))
        self.doubles = len(dag) * width >= PAYS
        exact = exact_dag(dag, self._of(dag), apart=True, doubles=self.doubles)
        self.measured = measure(dag, self.spans, self.points, counts, exact, kind, FEWER_POINTS)
        self.moved: Moved | None = None
        if has_few_values(dag, self.measured):
            self.moved, self.points, self.measured = _moved(dag, self.points, self.measured)
        self.folded = Folded(kind)

    def _of(self, dag: Dag) -> dict[str, Any]:
        return {v.name: self.points[v.name] for v in dag.value if isinstance(v, Symbol)}

    def accepted(self, candidates: Mapping[int, Sequence[Term]]) -> set[int]:
        """Judge candidates, all of one store, by the number of their source; return good ones."""
        return set(candidates).difference(self.refused(candidates, blame=False))

    def refused(
        self, candidates: Mapping[int, Sequence[Term]], *, blame: bool = True
    ) -> dict[int, tuple[int, ...]]:
        """Judge candidates, all of one store; return the numbers of those that will not do.

        Each comes with the ids of the ops to blame, as in `Verdict`; they are left out without
        `blame`.
        """
        if not candidates:
            return {}
        terms = [term for own in candidates.values() for term in own]
        dag = Dag.of(terms[0].store, [term.id for term in terms])
        kind, count = self.measured.dtype, self.measured.values.shape[1]
        given = self.folded.values(dag)
        values = _computed(dag, self._of(dag), kind, given, count, self.moved)
        rows = [row for k in candidates for row in self.spans[k]]
        judged = _judged(self.measured.rows(rows), values, self.moved)
        ends = np.cumsum([0, *map(len, candidates.values())]).tolist()
        bad = {
            k: range(first, end)
            for k, (first, end) in zip(candidates, pairwise(ends), strict=True)
            if not judged.ok[first:end].all()
        }
        return self._blamed(dag, judged, bad) if blame else dict.fromkeys(bad, ())

    def _blamed(
        self, dag: Dag, judged: Judged, bad: Mapping[int, range]
    ) -> dict[int, tuple[int, ...]]:
        """Say what is to blame, at points of each candidate's own, some twice to make them as many.

        `bad` are the numbers of the roots of each.
        """
        lost = {k: _lost(judged.loss[_worst(judged, own)], FEWER_POINTS) for k, own in bad.items()}
        if self.moved is not None:
            lost = {k: self.moved.places[at] for k, at in lost.items()}
        width = max(1, *map(len, lost.values())) if lost else 1
        points = {
            name: self.points[name][np.resize(at, width) if len(at) else np.zeros(width, np.intp)]
            for k, at in lost.items()
            for name in self.own[k]
        }
        part = dag.reached([dag.roots[at] for own in bad.values() for at in own])
        ends = np.cumsum([0, *map(len, bad.values())]).tolist()
        roots = [part.roots[first:end] for first, end in pairwise(ends)]
        counts = [len(at) for at in lost.values()]
        blame = blamed(
            part, roots, points, counts, self.measured.dtype, self.folded.values(part),
            self.doubles,
        )  # fmt: skip
        return {k: tuple(part.ids[own].tolist()) for k, own in zip(bad, blame, strict=True)}

    def guard(self, k: int) -> Guard:
        """Return the guard of one source alone."""
        return Guard.of(self.measured.rows(self.spans[k], self.counts[k]), self.own[k], self.folded)
