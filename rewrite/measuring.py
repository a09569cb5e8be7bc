"""Measuring sources at sample points: one, or many at once, each at points of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.cost import constant_positions
from rewrite.dag import Dag, below
from rewrite.measured import STRAINED, Measured, errors, stacked
from rewrite.oracle import Exact, exact_dag, surely_undefined
from rewrite.rowwise import evaluate_rows
from rewrite.sorts import BOOL
from rewrite.store import Symbol

__all__ = ["BLAMED_POINTS", "Folded", "far_from_one", "finite_inputs", "measure"]

type Bools = npt.NDArray[np.bool_]
type Points = Mapping[str, npt.NDArray[Any]]

BLAMED_POINTS: Final = 64
FAR: Final = 64
"""Inputs beyond 2**64 or its inverse are far from one."""
BLOCK: Final = 2048
"""So many rows are looked at together."""
_PRODUCTS: Final = frozenset(row.code for row in (ops.MUL, ops.DIV, ops.POW, ops.EXP, ops.EXP2))


def measure(
    dag: Dag, sources: Sequence[Sequence[int]], points: Points, counts: Sequence[int],
    exact: Sequence[Exact], dtype: np.dtype[Any], undefined: int = BLAMED_POINTS,
) -> Measured:  # fmt: skip
    """Measure a program whose roots belong to several sources, each with its count of points.

    A source is the numbers of its roots, which are in order. All columns of `points` have one
    length; `exact` are the values of the roots there. Of the points where the source alone has a
    value the first ones are looked at, so many as `undefined`.
    """
    columns = evaluate_rows(dag, points, dtype, keep=True)
    width = max((len(column) for column in points.values()), default=1)
    rows = dag.rows()
    own = [sorted(below(rows, [dag.roots[at] for at in source])) for source in sources]
    owner = np.repeat(np.arange(len(sources)), [len(source) for source in sources])
    values = stacked([columns[root] for root in dag.roots], width)
    strained = _any_below(_strained(dag, columns, dtype, width), own)[owner]
    far = _any_below(_of_symbols(dag, points, width, far_from_one), own)[owner]
    wild = _any_below(_of_symbols(dag, points, width, _infinite), own)[owner]
    finite = ~wild & np.isfinite(values)
    table = Exact.stacked([one if len(one) == width else one.broadcast(width) for one in exact])
    truth = np.array([columns[root].dtype == np.bool_ for root in dag.roots], np.bool_)
    present = np.arange(width) < np.array(counts)[owner][:, None]
    bits = errors(values, table, truth, dtype)
    bare = finite & ~table.ok & present & (undefined > 0)
    _sure(bare, dag, sources, points, undefined)
    return Measured(
        dtype, table, values, truth, bits, finite, far, strained & (bits > STRAINED), bare, present
    )


def _any_below(flags: Bools, own: Sequence[Sequence[int]]) -> Bools:
    """Tell for each source at which points a row of its own has a flag."""
    if not flags.any():
        return np.zeros((len(own), flags.shape[1]), np.bool_)
    return np.array([flags[rows].any(0) for rows in own])


def far_from_one(values: npt.NDArray[Any], power: int = FAR) -> Bools:
    """Tell which values are beyond 2**power or its inverse.

    There a product in another order over- or underflows at other points, so what counts is at how
    many: `hypot(x, y)` never does, `sqrt(x*x + y*y)` often.
    """
    size = np.abs(np.asarray(values, np.float64))
    far: Bools = (size > 2.0**power) | ((size > 0) & (size < 2.0**-power))
    return far


def _infinite(values: npt.NDArray[Any]) -> Bools:
    return ~np.isfinite(values)


def _of_symbols(dag: Dag, points: Points, width: int, test: Any) -> Bools:
    """Return what a test says of the values of each symbol; the rows of others are false."""
    found = np.zeros((len(dag), width), np.bool_)
    names = {at: value.name for at, value in enumerate(dag.value) if isinstance(value, Symbol)}
    if names:
        found[list(names)] = test(np.stack([points[name] for name in names.values()]))
    return found


def finite_inputs(dag: Dag, points: Points) -> Any:
    """Tell at which points all inputs are finite."""
    inputs = [points[v.name] for v in dag.value if isinstance(v, Symbol)]
    return np.logical_and.reduce([np.isfinite(a) for a in inputs]) if inputs else np.True_


def _strained(
    dag: Dag, columns: Sequence[npt.NDArray[Any]], dtype: np.dtype[Any], width: int
) -> Bools:
    """Tell for each row where its op overflows, or underflows; sums never do the latter."""
    least = np.finfo(dtype).tiny
    found = np.zeros((len(dag), width), np.bool_)
    rows = dag.rows()
    inner = [at for at, (_, args) in enumerate(rows) if args and columns[at].dtype != np.bool_]
    for first in range(0, len(inner), BLOCK):
        block = inner[first : first + BLOCK]
        value = stacked([columns[at] for at in block], width)
        codes = [rows[at][0] for at in block]
        bad, small = ~np.isfinite(value), np.abs(value) < least
        small &= np.array([code in _PRODUCTS for code in codes])[:, None]
        counted = np.array([code != ops.EXP.code for code in codes])[:, None]
        for place in range(max(len(rows[at][1]) for at in block)):
            some = [k for k, at in enumerate(block) if len(rows[at][1]) > place]
            operand = stacked([columns[rows[block[k]][1][place]] for k in some], width)
            bad[some] &= np.isfinite(operand)
            small[some] &= (operand != 0) | ~counted[some]
        found[block] = bad | small
    return found


def _sure(
    found: Bools, dag: Dag, sources: Sequence[Sequence[int]], points: Points, most: int
) -> None:
    """Keep, of the points where roots have a value that may be undefined, those where it is.

    The first ones are looked at.
    """
    for source in sources if found.any() else ():
        rows = list(source)
        at = np.nonzero(found[rows].any(0))[0][:most]
        if len(at):
            part = dag.reached([dag.roots[row] for row in rows])
            names = [v.name for v in part.value if isinstance(v, Symbol)]
            sure = surely_undefined(part, {name: points[name][at] for name in names})
            for row, known in zip(rows, sure, strict=True):
                known = found[row, at] & known
                found[row] = False
                found[row, at] = known


class Folded:
    """The exact values of candidates' constant subterms: compiling rounds each only once.

    The source keeps the roundings of every step, as it would have in NumPy. Only the largest such
    subterms are wanted, and none twice for all candidates.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.numbers: dict[tuple[Any, ...], int] = {}
        self.known: dict[int, Any] = {}

    def values(self, dag: Dag) -> dict[int, Any]:
        """Return them by position."""
        constant, rows = constant_positions(dag), dag.rows()
        users = [args for at, (_, args) in enumerate(rows) if not constant[at]]
        wanted = sorted(
            at
            for at in {*dag.roots, *(a for args in users for a in args)}
            if constant[at] and rows[at][1] and dag.sort[at] != BOOL
        )
        keys = self._keys(dag, rows, constant)
        fresh = list({keys[at]: at for at in wanted if keys[at] not in self.known}.values())
        if fresh:
            part = dag.reached(fresh)
            for at, value in zip(fresh, exact_dag(part, {}), strict=True):
                self.known[keys[at]] = value.nearest(self.dtype)[0] if value.ok[0] else None
        found = {at: self.known[keys[at]] for at in wanted}
        return {at: value for at, value in found.items() if value is not None}

    def _keys(
        self, dag: Dag, rows: Sequence[tuple[int, tuple[int, ...]]], constant: Sequence[bool]
    ) -> dict[int, int]:
        """Number constant subterms so that equal ones have one number, in all programs."""
        keys: dict[int, int] = {}
        for at, (code, args) in enumerate(rows):
            if constant[at]:
                value = dag.value[at]
                leaf = () if value is None else (type(value).__name__, repr(value))
                row = (code, leaf, *[keys[a] for a in args])
                keys[at] = self.numbers.setdefault(row, len(self.numbers))
        return keys
