# ruff: noqa: E501 - a table reads better on long lines
"""Which points of a rule need no balls: both sides in doubles, with a bound on their errors.

A value is a double and a radius; NumPy's functions are taken to be within 8 ulp. What is decided so
is that the conditions hold, that both sides are defined, and that they agree to 40 bits. Every
other point is left to `rewrite.rulecheck`, and so is all that is not here.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import rounded
from rewrite.dag import Dag
from rewrite.rule import Rule
from rewrite.store import Symbol

__all__ = ["Agreement"]

type Array = npt.NDArray[Any]
type Enclosed = tuple[Any, Any]
"""A value and its radius: of a truth value 0, or infinite where it is not known."""

UNIT: Final = 2.0**-49
"""8 ulp: what a function may be off by, and all the roundings of a radius with it."""
TIGHT: Final = 2.0**-40
LEAST: Final = 2.0**-900


class Agreement:
    """Both sides of a rule and its conditions as one program on doubles."""

    def __init__(self, rule: Rule) -> None:
        self.kinds = [given.kind for given in rule.where]
        roots = [*(given.term.id for given in rule.where), rule.lhs.id, rule.rhs.id]
        self.dag = Dag.of(rule.lhs.store, roots)
        self.rows = self.dag.rows()

    def at(self, columns: Mapping[str, Array]) -> npt.NDArray[np.bool_]:
        """Tell at which points the conditions hold and both sides agree, for certain."""
        with np.errstate(all="ignore"):
            *given, left, right = self._run(columns)
            sure = _agree(left, right)
            for kind, value in zip(self.kinds, given, strict=True):
                sure = sure & _HOLDS[kind](*value)
        count = max(len(column) for column in columns.values())
        return np.broadcast_to(sure, (count,))

    def _run(self, columns: Mapping[str, Array]) -> list[Enclosed]:
        values: list[Enclosed] = []
        for at, (code, args) in enumerate(self.rows):
            leaf = self.dag.value[at]
            if isinstance(leaf, Symbol):
                values.append((columns[leaf.name], 0.0))
            elif leaf is not None:
                near = rounded(leaf, np.dtype(np.float64))
                exact = isinstance(leaf, (bool, int, float)) and near == leaf
                values.append((near, 0.0 if exact else abs(near) * UNIT))
            elif code not in _MEANINGS:
                values.append((np.nan, np.inf))
            else:
                value, radius = _MEANINGS[code](*(values[a] for a in args))
                size = np.abs(np.where(value == 0, 1.0, value))  # nothing may have vanished
                lost = ~np.isfinite(value) | ~(size > LEAST) | np.isnan(radius)
                values.append((value, np.where(lost, np.inf, radius)))
        return [values[root] for root in self.dag.roots]


def _agree(left: Enclosed, right: Enclosed) -> Any:
    (x, ex), (y, ey) = left, right
    if np.asarray(x).dtype == np.bool_:
        return (x == y) & (ex == 0) & (ey == 0)
    tight = (ex <= TIGHT * np.abs(x)) & (ey <= TIGHT * np.abs(y))
    return tight & (np.abs(x - y) <= ex + ey + UNIT * np.abs(x))


_HOLDS: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "nonzero": lambda x, e: np.abs(x) > e,
    "positive": lambda x, e: x > e,
    "negative": lambda x, e: x < -e,
    "nonneg": lambda x, e: x >= e,
    "nonpos": lambda x, e: x <= -e,
    "integer": lambda x, e: (e == 0) & (np.rint(x) == x),
}


# -- what ops do to radii --------------------------------------------------------------------


def _add(*operands: Enclosed) -> Enclosed:
    total, radius = operands[0]
    for x, e in operands[1:]:
        total = total + x
        radius = radius + e + UNIT * np.abs(total)
    return total, radius


def _mul(*operands: Enclosed) -> Enclosed:
    total, radius = operands[0]
    for x, e in operands[1:]:
        radius = np.abs(total) * e + np.abs(x) * radius + radius * e
        total = total * x
        radius = radius + UNIT * np.abs(total)
    return total, radius


def _sub(left: Enclosed, right: Enclosed) -> Enclosed:
    return _add(left, _neg(right))


def _neg(x: Enclosed) -> Enclosed:
    return -x[0], x[1]


def _div(left: Enclosed, right: Enclosed) -> Enclosed:
    (x, ex), (y, ey) = left, right
    value = x / y
    gap = np.abs(y) - ey
    radius = (ex + np.abs(value) * ey) / gap + UNIT * np.abs(value)
    return value, np.where(gap > ey, radius, np.inf)


def _monotone(function: Callable[[Any], Any]) -> Callable[[Enclosed], Enclosed]:
    """Take the values at both ends; beyond the domain they are NaN."""

    def applied(operand: Enclosed) -> Enclosed:
        x, e = operand
        value = function(x)
        ends = [np.abs(function(end) - value) for end in (x - e, x + e)]
        return value, np.maximum(*ends) + 4 * UNIT * np.abs(value)

    return applied


def _by_corners(function: Callable[[Any, Any], Any]) -> Callable[[Enclosed, Enclosed], Enclosed]:
    """Do so with two operands, in each of which the function is monotone."""

    def applied(left: Enclosed, right: Enclosed) -> Enclosed:
        (x, ex), (y, ey) = left, right
        value = function(x, y)
        corners = [
            np.abs(function(a, b) - value) for a in (x - ex, x + ex) for b in (y - ey, y + ey)
        ]
        return value, np.maximum.reduce(np.broadcast_arrays(*corners)) + 4 * UNIT * np.abs(value)

    return applied


def _pow(left: Enclosed, right: Enclosed) -> Enclosed:
    value, radius = _by_corners(np.power)(left, right)
    (x, ex), (y, ey) = left, right
    whole = (ey == 0) & (np.rint(y) == y) & ((np.abs(x) > ex) | (y > 0) & (ex == 0))
    return value, np.where((x > ex) | whole, radius, np.inf)


def _hypot(left: Enclosed, right: Enclosed) -> Enclosed:
    value = np.hypot(left[0], right[0])
    return value, left[1] + right[1] + UNIT * value


def _wave(function: Callable[[Any], Any]) -> Callable[[Enclosed], Enclosed]:
    def applied(operand: Enclosed) -> Enclosed:
        value = function(operand[0])
        return value, operand[1] + UNIT * np.abs(value)

    return applied


def _tan(operand: Enclosed) -> Enclosed:
    x, e = operand
    value, step = np.tan(x), 1.01 * e
    radius = step * (1 + value * value) / (1 - np.abs(value) * step) + UNIT * np.abs(value)
    return value, np.where((e < 0.1) & (np.abs(value) * step < 0.5), radius, np.inf)


def _cosh(operand: Enclosed) -> Enclosed:
    x, e = operand
    value = np.cosh(x)
    return value, e * np.sinh(np.abs(x) + e) * (1 + UNIT) + UNIT * value


def _abs(operand: Enclosed) -> Enclosed:
    return np.abs(operand[0]), operand[1]


def _sign(operand: Enclosed) -> Enclosed:
    x, e = operand
    return np.sign(x), np.where((np.abs(x) > e) | (e == 0), 0.0, np.inf)


def _step(function: Callable[[Any], Any]) -> Callable[[Enclosed], Enclosed]:
    def applied(operand: Enclosed) -> Enclosed:
        x, e = operand
        return function(x), np.where(function(x - e) == function(x + e), 0.0, np.inf)

    return applied


def _extreme(function: Callable[[Any, Any], Any]) -> Callable[..., Enclosed]:
    def applied(left: Enclosed, right: Enclosed) -> Enclosed:
        return function(left[0], right[0]), np.maximum(left[1], right[1])

    return applied


def _compared(function: Callable[[Any, Any], Any]) -> Callable[..., Enclosed]:
    def applied(left: Enclosed, right: Enclosed) -> Enclosed:
        (x, ex), (y, ey) = left, right
        known = (np.abs(x - y) * (1 - UNIT) > ex + ey) | (ex + ey == 0)
        return function(x, y), np.where(known, 0.0, np.inf)

    return applied


def _joined(function: Callable[[Any, Any], Any]) -> Callable[..., Enclosed]:
    def applied(*operands: Enclosed) -> Enclosed:
        total, radius = operands[0]
        for x, e in operands[1:]:
            total, radius = function(total, x), radius + e
        return total, radius

    return applied


def _where(condition: Enclosed, left: Enclosed, right: Enclosed) -> Enclosed:
    known, unknown = condition
    value = np.where(known, left[0], right[0])
    return value, np.where(unknown == 0, np.where(known, left[1], right[1]), np.inf)


_MONOTONE: Final = (
    "sqrt cbrt exp exp2 expm1 log log2 log10 log1p asin acos atan sinh tanh asinh acosh atanh"
)
# fmt: off
_MEANINGS: Final[dict[int, Callable[..., Enclosed]]] = {
    **{ops.op(name).code: _monotone(getattr(np, ops.op(name).numpy)) for name in _MONOTONE.split()},
    **{ops.op(name).code: _compared(getattr(np, ops.op(name).numpy)) for name in "lt le gt ge eq ne".split()},
    **{ops.op(name).code: _step(getattr(np, ops.op(name).numpy)) for name in "floor ceil trunc round".split()},
    ops.ADD.code: _add, ops.SUB.code: _sub, ops.MUL.code: _mul, ops.DIV.code: _div, ops.NEG.code: _neg,
    ops.FMA.code: lambda x, y, z: _add(_mul(x, y), z), ops.POW.code: _pow, ops.HYPOT.code: _hypot,
    ops.RSQRT.code: _monotone(lambda x: 1 / np.sqrt(x)), ops.COSH.code: _cosh, ops.TAN.code: _tan,
    ops.SIN.code: _wave(np.sin), ops.COS.code: _wave(np.cos), ops.ABS.code: _abs, ops.SIGN.code: _sign,
    ops.MINIMUM.code: _extreme(np.minimum), ops.MAXIMUM.code: _extreme(np.maximum),
    ops.AND.code: _joined(np.logical_and), ops.OR.code: _joined(np.logical_or),
    ops.NOT.code: lambda x: (np.logical_not(x[0]), x[1]), ops.WHERE.code: _where,
}
# fmt: on
"""Others, as atan2 with its cut, are left to balls."""
