"""What a program costs: the `CostModel` protocol and the table of the seed system.

A model prices one op application; extraction adds up. Targets bring their own models
(`codegen.cost.CycleCost`).
"""

from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import Constant
from rewrite.dag import SMALL, Dag
from rewrite.errors import UnsupportedOp

__all__ = [
    "Cancellation", "CostModel", "Gowda2021", "LatencyModel", "critical_path", "dag_cost",
    "latency_weight", "priced",
]  # fmt: skip


@runtime_checkable
class CostModel(Protocol):
    """A price for each op application."""

    @property
    def name(self) -> str:
        """What reports call it."""

    @property
    def unit(self) -> str:
        """The unit of a cost, e.g. `cycles/element`."""

    @property
    def sharing(self) -> bool:
        """Whether a shared subterm counts once (the DAG) or at each use (the tree)."""

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Price one application; `constants` holds the exact value of each constant child.

        An op whose children are all constant is computed once ahead of the loop and costs 0; this
        is not asked about.
        """


@runtime_checkable
class LatencyModel(CostModel, Protocol):
    """A model that may also charge for the critical path: what waits for each other, op by op.

    A program then costs its prices and `latency_weight` times the sum of latencies along the
    longest path to a root. At weight 0 the latencies are not asked for.
    """

    @property
    def latency_weight(self) -> float:
        """How much one unit of latency costs, in the unit of prices."""

    def latency(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Return how long the result of an op waits for its arguments; asked as `price` is."""


def latency_weight(model: CostModel) -> float:
    """Return what a model charges for latency, 0 for one that knows none.

    Raise `UnsupportedOp` for a model that does so and counts trees: of them no path is the longest.
    """
    weight = model.latency_weight if isinstance(model, LatencyModel) else 0.0
    if weight and not model.sharing:
        raise UnsupportedOp(
            f"the model {model.name} charges for latency and counts what is shared at each use; "
            "set its sharing, or its latency_weight to 0"
        )
    return weight


# rsqrt, which the table does not have, is a division of a root
_GOWDA: Final[dict[str, float]] = {
    "add": 1, "sub": 1, "abs": 2, "mul": 3, "exp": 18, "div": 24, "pow": 100, "log1p": 124,
    "rsqrt": 25, "acos": 127, "sin": 134, "cos": 134, "atan": 135, "tan": 156,
}  # fmt: skip


class Gowda2021:
    """The cost table of Gowda et al. (2021), as released in SymbolicUtils.jl 0.18 to 0.19.11.

    "approximation in number of CPU cycles": + 1, - 1, abs 2, * 3, exp 18, / 24, ^ 100, log1p 124,
    acos 127, sin 134, cos 134, atan 135, tan 156, anything else 1; a tree cost, without sharing.
    Kept for comparison.
    """

    name: str = "gowda2021"
    unit: str = "cycles (2021 table)"
    sharing: bool = False

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Look the op up in the table."""
        return _GOWDA.get(op.name, 1.0)


@dataclass(frozen=True)
class Cancellation:
    """What may lose digits is dear: a difference above all, then a sum, then a function.

    It estimates nothing: it leads a search to forms that are worth measuring.
    """

    name: str = "cancellation"
    unit: str = "risk"
    sharing: bool = True

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Look the op up in the table."""
        return _RISK.get(op.name, 3.0)


_RISK: Final[dict[str, float]] = {
    "sub": 12, "add": 8, "fma": 8, "mul": 1, "div": 1, "sqrt": 1, "rsqrt": 2, "neg": 1, "abs": 1,
}  # fmt: skip


def constant_positions(dag: Dag) -> list[bool]:
    """Tell for every node whether it is made of constants only."""
    known: list[bool] = []
    if len(dag) > SMALL:
        known = _constant(dag).tolist()
        return known
    leaves, literal = (ops.SYMBOL.code, ops.PVAR.code, ops.CONST.code), ops.CONST.code
    for code, args in dag.rows():
        known.append(code == literal if code in leaves else all([known[a] for a in args]))
    return known


def _constant(dag: Dag) -> npt.NDArray[np.bool_]:
    """Tell for every node whether it is made of constants only; compiled for large programs."""
    if len(dag) <= SMALL:
        return np.array(constant_positions(dag), np.bool_)
    from rewrite.bulk import heights

    fixed: npt.NDArray[np.bool_] = dag.code == ops.CONST.code
    heights(dag.start, dag.args, fixed)
    return fixed


def dag_cost(dag: Dag, model: CostModel) -> float:
    """Add up the cost of a program under a model; n-ary nodes count as chains from the left.

    A negation that only feeds products summed by `fma` is part of that instruction. What the model
    charges for the critical path is included.
    """
    own = _prices(dag, model)
    if model.sharing:
        weight = latency_weight(model)
        return sum(own) + (weight * critical_path(dag, model) if weight else 0.0)
    rows = dag.rows()
    total = [0.0] * len(rows)
    for at, (_, args) in enumerate(rows):
        total[at] = own[at] + sum(total[a] for a in args)
    return sum(total[root] for root in dag.roots)


def _prices(dag: Dag, model: CostModel) -> list[float]:
    """Return what each node costs: equal ops on equal constants are asked about once."""
    own = np.zeros(len(dag))
    paid = np.flatnonzero(~(_constant(dag) | _free_negations(dag)) & (np.diff(dag.start) > 0))
    if len(paid):
        _, first, number = np.unique(_kinds(dag, paid), return_index=True, return_inverse=True)
        own[paid] = np.array([_price(dag, at, model) for at in paid[first].tolist()])[number]
    found: list[float] = own.tolist()
    return found


def _kinds(dag: Dag, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Number some nodes so that those of one number have one op and are given the same constants.

    Those of more than three operands of which one is a constant are all of a kind of their own.
    """
    literal = dag.code == ops.CONST.code
    names = np.cumsum(literal) * literal
    counts, code = np.diff(dag.start)[nodes], dag.code[nodes].astype(np.int64)
    mixed = np.zeros(len(dag), np.bool_)
    mixed[np.repeat(np.arange(len(dag)), np.diff(dag.start))[literal[dag.args]]] = True
    kinds = (code << 48) + counts
    some = np.flatnonzero(mixed[nodes])
    odd = (counts[some] > 3) | (names.max(initial=0) >= 1 << 15)
    kinds[some[odd]] = -1 - nodes[some[odd]]
    some = some[~odd]
    kinds[some] = (1 << 60) + (code[some] << 48)
    for place in range(3):
        here = some[counts[some] > place]
        kinds[here] += (names[dag.args[dag.start[nodes[here]] + place]] + 2) << (16 * place)
    return kinds


def _price(dag: Dag, at: int, model: CostModel) -> float:
    args = dag.args[dag.start[at] : dag.start[at + 1]].tolist()
    return priced(model, int(dag.code[at]), tuple([_value(dag, a) for a in args]))


def priced(model: CostModel, code: int, values: tuple[Constant | None, ...]) -> float:
    """Return what an op costs on operands, given those that are constants."""
    row = ops.OPS[code]
    if row.arity < 0:
        return sum(model.price(row, (None, v)) for v in values[1:])
    return model.price(row, values)


def critical_path(dag: Dag, model: Any) -> float:
    """Return the largest sum of latencies along a path to a root, under a `LatencyModel`.

    A negated operand of `fma` waits for what is negated alone.
    """
    constant = constant_positions(dag)
    rows = dag.rows()
    ready = [0.0] * len(rows)
    for at, (code, args) in enumerate(rows):
        if not args or constant[at]:
            continue
        row = ops.OPS[code]
        if row is ops.FMA:
            args = tuple(rows[a][1][0] if rows[a][0] == ops.NEG.code else a for a in args)
        values = tuple(_value(dag, a) for a in args)
        if row.arity >= 0:
            ready[at] = max(ready[a] for a in args) + model.latency(row, values)
            continue
        ready[at] = ready[args[0]]
        for a, value in zip(args[1:], values[1:], strict=True):
            ready[at] = max(ready[at], ready[a]) + model.latency(row, (None, value))
    return max((ready[root] for root in dag.roots), default=0.0)


def _value(dag: Dag, at: int) -> Constant | None:
    return dag.value[at] if dag.code[at] == ops.CONST.code else None  # type: ignore[return-value]


def _free_negations(dag: Dag) -> npt.NDArray[np.bool_]:
    """Tell the negations that are used by `fma` alone: x86 and Arm negate operands for free."""
    user = np.repeat(dag.code, np.diff(dag.start))
    used: npt.NDArray[np.bool_] = np.zeros(len(dag), np.bool_)
    used[dag.args] = True
    used[dag.args[user != ops.FMA.code]] = False
    used[dag.roots] = False
    used &= dag.code == ops.NEG.code
    return used
