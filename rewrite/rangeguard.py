"""The guard of the other dtype: what must not overflow or vanish there."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.accuracy import Points, as_dag, point_at, ready_points
from rewrite.dag import Dag
from rewrite.errors import ArgumentError
from rewrite.evaluate import evaluate_dag, float_dtype
from rewrite.guard import Verdict
from rewrite.measured import outweighs
from rewrite.measuring import far_from_one, finite_inputs
from rewrite.sampling import sample_points
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["RangeGuard"]

FAR: Final = 16
"""Inputs beyond 2**16 or its inverse are far from one in single precision."""


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
        dag = as_dag(source)
        self.dtype = float_dtype(dtype)
        symbols = [value for value in dag.value if isinstance(value, Symbol)]
        if points is None:
            points = sample_points(symbols, n, seed=seed, dtype=self.dtype)
        with np.errstate(over="ignore"):  # what does not fit is infinite, and not judged
            self.points = ready_points(points, self.dtype)
        values = evaluate_dag(dag, self.points, self.dtype)
        count = max((len(column) for column in self.points.values()), default=1)
        sane = finite_inputs(dag, self.points)
        self.finite = [np.broadcast_to(sane & np.isfinite(v), count) for v in values]
        far = [far_from_one(self.points[s.name], FAR) for s in symbols]
        self.far = np.logical_or.reduce(far) if far else np.zeros(count, np.bool_)
        least = np.finfo(self.dtype).tiny
        self.normal = [f & (np.abs(v) >= least) for f, v in zip(self.finite, values, strict=True)]

    def accepts(self, candidate: Dag | Term | Sequence[Term]) -> Verdict:
        """Judge a candidate; the verdict has no means."""
        dag = as_dag(candidate)
        for lost in self._lost(dag):
            if lost is not None:
                at = np.nonzero(lost)[0]
                name = self.dtype.name
                reason = f"over- or underflows in {name} at {len(at)} points, unlike the source"
                worst, blame = point_at(self.points, int(at[0])), self._blame(dag, at)
                return Verdict(False, math.nan, math.nan, worst, blame, reason)
        return Verdict(True, math.nan, math.nan)

    def worse(self, candidate: Dag | Term | Sequence[Term]) -> list[bool]:
        """Tell which roots of a candidate over- or underflow where the source's do not."""
        return [lost is not None for lost in self._lost(as_dag(candidate))]

    def _lost(self, dag: Dag) -> list[npt.NDArray[np.bool_] | None]:
        """Return for each root at which points it is lost, None where it will do."""
        if len(dag.roots) != len(self.finite):
            raise ArgumentError(
                f"the candidate has {len(dag.roots)} roots, the source {len(self.finite)}"
            )
        values = evaluate_dag(dag, self.points, self.dtype)
        known = evaluate_dag(dag, self.points)
        least = np.finfo(self.dtype).tiny
        found: list[npt.NDArray[np.bool_] | None] = []
        for value, wide, finite, normal in zip(
            values, known, self.finite, self.normal, strict=True
        ):
            found.append(None)
            if value.dtype == np.bool_:
                continue
            there = np.isfinite(wide) & (np.abs(wide) >= least)
            bad = there & (~np.isfinite(value) | (value == 0))
            lost = (finite & ~np.isfinite(value)) | (normal & bad)
            if (lost & ~self.far).any() or outweighs(lost, there & ~normal & ~bad):
                found[-1] = lost
        return found

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
