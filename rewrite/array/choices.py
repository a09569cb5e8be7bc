"""Functions that choose, clip, round or look up, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rewrite import ops
from rewrite.array.assignment import data_dependent
from rewrite.array.core import (
    TermArray,
    as_given,
    as_numbers,
    asarray,
    coerced,
    elementwise,
    made,
    store_of,
)
from rewrite.array.known import known_value
from rewrite.array.registry import function, numpys
from rewrite.errors import ShapeError, UnsupportedOp
from rewrite.term import Term

__all__: list[str] = []


@function("where", elementwise=True)
def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None or y is None:
        raise data_dependent("where a condition of terms holds")
    condition = known_value(condition)
    if not isinstance(condition, (Term, TermArray)):  # known now: no choice is left
        return as_given(_chosen(np.asarray(condition, np.bool_), x, y), condition, x, y)
    test = asarray(condition)
    if test.dtype != np.bool_:
        test = elementwise(ops.NE, test, 0)
    return as_given(coerced(ops.WHERE, test, x, y), condition, x, y)


def _chosen(condition: Any, x: Any, y: Any) -> TermArray:
    store = store_of([x, y])
    branches = [asarray(x, store), asarray(y, store)]
    if len({branch.dtype for branch in branches}) > 1:
        branches = [as_numbers(branch) for branch in branches]
    shapes = [condition.shape, *(branch.ids.shape for branch in branches)]
    try:
        return made([x, y], store, np.where(condition, *(branch.ids for branch in branches)))
    except ValueError:
        raise ShapeError(f"np.where: arrays of shapes {shapes} do not broadcast") from None


@function("clip", elementwise=True)
def _clip(
    a: Any, a_min: Any = None, a_max: Any = None, out: Any = None, *,
    min: Any = None, max: Any = None,  # noqa: A002
) -> Any:  # fmt: skip
    low, high = a_min if min is None else min, a_max if max is None else max
    result = asarray(a) if low is None else coerced(ops.MAXIMUM, a, low)
    result = result if high is None else coerced(ops.MINIMUM, result, high)
    return as_given(result, a, low, high)


@function("round", "around", elementwise=True)
def _round(a: Any, decimals: int = 0) -> Any:
    if decimals:
        raise UnsupportedOp("np.round with decimals is not supported on terms; scale first")
    return as_given(elementwise(ops.ROUND, a), a)


@function("fix", elementwise=True)
def _fix(x: Any) -> Any:
    return as_given(elementwise(ops.TRUNC, x), x)


@function("select", elementwise=True)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """Take the first choice whose condition holds."""
    if len(condlist) != len(choicelist):
        raise ShapeError(f"np.select of {len(condlist)} conditions, {len(choicelist)} choices")
    result = default
    for condition, choice in zip(reversed(condlist), reversed(choicelist), strict=True):
        result = coerced(ops.WHERE, condition, choice, result)
    return result


@function("piecewise", elementwise=True)
def _piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """Choose by the last condition that holds, as NumPy does where several do."""
    if isinstance(condlist, (Term, TermArray, np.ndarray)) and numpys.ndim(condlist) <= np.ndim(x):
        condlist = [condlist]
    count = len(condlist)
    if len(funclist) not in (count, count + 1):
        raise ShapeError(f"np.piecewise of {count} conditions and {len(funclist)} functions")

    def value(choice: Any) -> Any:
        return choice(x, *args, **kw) if isinstance(choice, Callable) else choice  # type: ignore[arg-type]

    result: Any = value(funclist[count]) if len(funclist) > count else 0.0
    for condition, choice in zip(condlist, funclist, strict=False):
        result = coerced(ops.WHERE, condition, value(choice), result)
    return as_given(result, x, *condlist)


@function("nan_to_num", elementwise=True)
def _nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:  # fmt: skip
    most = float(np.finfo(np.float64).max)
    above = elementwise(
        ops.WHERE, elementwise(ops.EQ, x, np.inf), most if posinf is None else posinf, x
    )
    below = -most if neginf is None else neginf
    finite = elementwise(ops.WHERE, elementwise(ops.EQ, x, -np.inf), below, above)
    return as_given(elementwise(ops.WHERE, elementwise(ops.NE, x, x), nan, finite), x)


@function("interp", elementwise=True)
def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """Interpolate between points at known, increasing places; values there may be terms."""
    if period is not None:
        raise UnsupportedOp(
            "np.interp with period= is not supported on terms; take x % period first"
        )
    xp = known_value(xp)
    if isinstance(xp, (Term, TermArray)):
        raise data_dependent("the interval that a value lies in, of places that are terms,")
    places, values = np.asarray(xp, float), asarray(fp)
    if places.ndim != 1 or values.ids.shape != places.shape or not places.size:
        raise ShapeError(f"np.interp: {places.shape} places and {values.ids.shape} values")
    result: Any = values[0] if left is None else left
    for k in range(len(places) - 1):
        slope = (values[k + 1] - values[k]) / float(places[k + 1] - places[k])
        line = slope * (x - float(places[k])) + values[k]
        result = elementwise(ops.WHERE, elementwise(ops.GE, x, float(places[k])), line, result)
    last = elementwise(ops.WHERE, elementwise(ops.GE, x, float(places[-1])), values[-1], result)
    beyond = values[-1] if right is None else right
    last = elementwise(ops.WHERE, elementwise(ops.GT, x, float(places[-1])), beyond, last)
    return as_given(elementwise(ops.WHERE, elementwise(ops.NE, x, x), x, last), x)


@function("isclose", elementwise=True)
def _isclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8) -> Any:
    """Tell whether two numbers are close; infinities are to themselves."""
    near = elementwise(ops.LE, np.abs(asarray(a) - b), atol + rtol * np.abs(asarray(b)))
    finite = elementwise(ops.LT, np.abs(asarray(b)), np.inf)
    both = elementwise(ops.AND, near, finite)
    return as_given(elementwise(ops.OR, both, elementwise(ops.EQ, a, b)), a, b)


@function("real", elementwise=True, values=False)
def _real(val: Any) -> Any:
    return val


@function("imag", elementwise=True)
def _imag(val: Any) -> Any:
    return numpys.zeros_like(val)


@function("iscomplexobj", elementwise=True)
def _iscomplexobj(x: Any) -> bool:
    return False


@function("isrealobj", elementwise=True)
def _isrealobj(x: Any) -> bool:
    return True


@function("sinc", elementwise=True)
def _sinc(x: Any) -> Any:
    scaled = elementwise(ops.MUL, x, np.pi)
    ratio = elementwise(ops.DIV, elementwise(ops.SIN, scaled), scaled)
    return as_given(elementwise(ops.WHERE, elementwise(ops.EQ, x, 0), 1.0, ratio), x)
