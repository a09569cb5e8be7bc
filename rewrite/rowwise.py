"""Large programs evaluated many nodes at a time: those of one op and height are rows of an array.

A call for each node takes longer than its arithmetic at some dozens of points. The results are
those of `rewrite.evaluate`, op by op.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.dag import SMALL, Dag
from rewrite.deadline import look
from rewrite.evaluate import bind, evaluate_dag, float_dtype, function_of, is_plain
from rewrite.sorts import BOOL

__all__ = ["evaluate_rows"]

type Array = npt.NDArray[Any]

LEAST: Final = 64
"""Programs of fewer nodes are evaluated one by one."""
_HELD: Final = [row.code for row in (ops.POW, ops.ATAN2, ops.HYPOT)]
"""Functions of two operands, which NumPy computes in another way where one is the same for all."""
MOST: Final = 1 << 23
"""So many values are held at a time, where only those of the roots are wanted."""


def evaluate_rows(
    dag: Dag, points: Mapping[str, Array], dtype: Any = np.float64, *, keep: bool = False,
    given: Mapping[int, Any] | None = None,
) -> list[Array]:  # fmt: skip
    """Evaluate a program at points as `evaluate_dag` does; columns of `points` have one length."""
    kind = float_dtype(dtype)
    columns = bind(dag, points, kind) if len(dag) >= LEAST and is_plain(dag) else {}
    shapes = {column.shape for column in columns.values()}
    if [len(shape) for shape in shapes] != [1] or shapes == {(0,)}:
        return evaluate_dag(dag, points, kind, keep=keep, given=given)
    ((width,),) = shapes
    constant = dag.code == ops.CONST.code
    constant[list(given or ())] = True
    height = _heights(dag, constant)
    fixed = _constants(dag, constant, kind, given or {})
    steps = list(_steps(dag, constant, height))
    wanted = list(range(len(dag))) if keep else dag.roots
    most = width if keep else max(1, MOST // len(dag))
    blocks = []
    for first in range(0, width, most):
        part = {at: column[first : first + most] for at, column in columns.items()}
        table = _Table(dag, min(most, width - first), kind)
        table.fill(fixed, part)
        with np.errstate(all="ignore"):
            for step in steps:
                look()
                table.run(step)
        blocks.append([table.row(at) for at in wanted])
    whole = (
        blocks[0]
        if len(blocks) == 1
        else [np.concatenate(rows) for rows in zip(*blocks, strict=True)]
    )
    return [
        np.asarray(fixed[at]) if at in fixed else row for at, row in zip(wanted, whole, strict=True)
    ]


def _constants(
    dag: Dag, constant: npt.NDArray[np.bool_], kind: np.dtype[Any], given: Mapping[int, Any]
) -> dict[int, Any]:
    """Evaluate what is made of constants alone, once and for all points."""
    some = np.flatnonzero(constant).tolist()
    if not some:
        return {}
    part = dag.reached(some)
    place = {node: at for at, node in enumerate(part.ids.tolist())}
    ids = dag.ids.tolist()
    known = {place[ids[at]]: value for at, value in given.items()}
    return dict(zip(some, evaluate_dag(part, {}, kind, given=known), strict=True))


@dataclass(frozen=True, slots=True)
class _Step:
    """Nodes that one call computes."""

    function: Callable[..., Any]
    nodes: npt.NDArray[np.intp]
    args: list[npt.NDArray[np.intp]]
    """The first operand of each node, the second, and so on."""
    held: bool
    """Whether an operand that is the same constant for all is handed over as one number."""


def _steps(
    dag: Dag, constant: npt.NDArray[np.bool_], height: npt.NDArray[np.int64]
) -> Iterator[_Step]:
    """Group nodes by height and op, children first."""
    inner = np.flatnonzero((dag.start[1:] > dag.start[:-1]) & ~constant)
    arity = np.diff(dag.start)[inner]
    held = _held(dag, inner, constant)
    key = (height[inner] << 8) + dag.code[inner]
    for place in range(3):  # nodes of one op may take numbers or truth values, as `where` does
        has = arity > place
        truth = np.zeros(len(inner), np.bool_)
        truth[has] = dag.sort[dag.args[dag.start[inner[has]] + place]] == BOOL
        key = (key << 1) + truth
    order = np.lexsort((held, arity, key))
    inner, sorted_keys = inner[order], np.stack([held, arity, key])[:, order]
    changes = np.flatnonzero((np.diff(sorted_keys) != 0).any(0)) + 1
    for nodes in np.split(inner, changes) if len(inner) else ():
        first = int(nodes[0])
        count = int(dag.start[first + 1] - dag.start[first])
        args = dag.args[dag.start[nodes][:, None] + np.arange(count)]
        yield _Step(
            function_of(dag, first, int(dag.code[first])), nodes, list(args.T.astype(np.intp)),
            held=int(dag.code[first]) in _HELD,
        )  # fmt: skip


def _held(
    dag: Dag, inner: npt.NDArray[np.intp], constant: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Number the constant operands of each node whose function they are held for."""
    found = np.zeros(len(inner), np.int64)
    numbers: dict[tuple[int, ...], int] = {}
    for k in np.flatnonzero(np.isin(dag.code[inner], _HELD)).tolist():
        args = dag.args[dag.start[inner[k]] : dag.start[inner[k] + 1]].tolist()
        operands = tuple([a if constant[a] else -1 for a in args])
        found[k] = numbers.setdefault(operands, len(numbers))
    return found


def _heights(dag: Dag, constant: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the length of the longest path from each node down to a leaf.

    What is made of constants is entered as constant.
    """
    if len(dag) > SMALL or "numba" in sys.modules:
        from rewrite.bulk import heights

        return heights(dag.start, dag.args, constant)
    found: list[int] = []
    for at, (_, args) in enumerate(dag.rows()):
        found.append(1 + max([found[a] for a in args]) if args else 0)
        constant[at] |= bool(args) and all([constant[a] for a in args])
    return np.array(found, np.int64)


class _Table:
    """The values of all nodes, one row each; truth values in a table of their own."""

    def __init__(self, dag: Dag, width: int, kind: np.dtype[Any]) -> None:
        self.truth = dag.sort == BOOL
        self.numbers = np.empty((len(dag), width), kind)
        size = len(dag) if self.truth.any() else 0
        self.truths = np.empty((size, width), np.bool_)

    def fill(self, fixed: Mapping[int, Any], columns: Mapping[int, Array]) -> None:
        """Enter what is known."""
        self.fixed = fixed
        for values in (fixed, columns):
            for at, value in values.items():
                (self.truths if self.truth[at] else self.numbers)[at] = value

    def run(self, step: _Step) -> None:
        """Compute the nodes of a step."""
        columns: list[Any] = []
        for column in step.args:
            first = int(column[0])
            if step.held and first in self.fixed:
                columns.append(self.fixed[first])
            else:
                table = self.truths if self.truth[first] else self.numbers
                columns.append(table.take(column, 0))
        made = step.function(*columns)
        (self.truths if self.truth[step.nodes[0]] else self.numbers)[step.nodes] = made

    def row(self, at: int) -> Array:
        """Return the values of a node."""
        found: Array = (self.truths if self.truth[at] else self.numbers)[at]
        return found
