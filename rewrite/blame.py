"""Which ops of a program lose accuracy: each is computed once on operands that are right."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rewrite.dag import Dag, below
from rewrite.evaluate import function_of
from rewrite.measured import stacked
from rewrite.oracle import Exact, exact_dag, ulp_distance
from rewrite.rowwise import evaluate_rows
from rewrite.sorts import BOOL

__all__ = ["blamed"]


def blamed(
    dag: Dag, parts: Sequence[Sequence[int]], points: Mapping[str, npt.NDArray[Any]],
    counts: Sequence[int], dtype: np.dtype[Any], given: Mapping[int, Any],
    doubles: bool | None = None,
) -> list[list[int]]:  # fmt: skip
    """Order the ops of each part of a program by the error that each makes on right operands.

    A part is the positions of its roots; it is looked at its first points, so many as its count.
    All columns of `points` have one length. `given` are values of positions, as for `evaluate_dag`,
    and `doubles` is as for `exact_dag`.
    """
    width = max((len(column) for column in points.values()), default=1)
    rows = dag.rows()
    inner = [node for node, (_, args) in enumerate(rows) if args]
    if not inner:
        return [[] for _ in parts]
    bits, close = _scores(dag, inner, points, width, dtype, given, doubles)
    place = {node: k for k, node in enumerate(inner)}
    found = []
    for roots, count in zip(parts, counts, strict=True):
        own = sorted(node for node in below(rows, roots) if node in place)
        at = [place[node] for node in own]
        scores = zip(
            (-bits[at, :count].sum(1)).tolist(), (-close[at, :count].sum(1)).tolist(), own,
            strict=True,
        )  # fmt: skip
        found.append([node for *_, node in sorted(scores)])
    return found


def _scores(
    dag: Dag, inner: Sequence[int], points: Mapping[str, npt.NDArray[Any]], width: int,
    dtype: np.dtype[Any], given: Mapping[int, Any], doubles: bool | None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:  # fmt: skip
    """Return the bits that each op loses at each point, and the ulps below one."""
    rows = dag.rows()
    computed = evaluate_rows(dag, points, dtype, keep=True, given=given)
    values = exact_dag(dag, points, wanted=inner, apart=len(dag.roots) > 1, doubles=doubles)
    exact = Exact.stacked([one if len(one) == width else one.broadcast(width) for one in values])
    boolean = dag.sort[inner] == BOOL
    right: list[Any] = list(computed)
    for node, truth, near in zip(inner, boolean, exact.nearest(dtype), strict=True):
        if not truth:
            right[node] = near
    with np.errstate(all="ignore"):
        made = [
            function_of(dag, node, rows[node][0])(*[right[a] for a in rows[node][1]])
            for node in inner
        ]
    distance = ulp_distance(stacked(made, width), exact, dtype, relative=True)
    distance[boolean[:, None] & (distance > 0)] = math.inf
    finite = np.isfinite(stacked(computed, width))
    burst = ~finite[inner]
    for k in np.flatnonzero(burst.any(1)).tolist():
        burst[k] &= finite[list(rows[inner[k]][1])].all(0)
    distance = np.where(burst, math.inf, np.nan_to_num(distance, posinf=math.inf))
    bits = np.minimum(np.log2(np.maximum(distance, 1)), 8.0 * dtype.itemsize)
    return bits, np.minimum(distance, 1)
