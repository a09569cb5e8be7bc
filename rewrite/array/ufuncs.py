"""Ufuncs that are no row of the op table, and the methods of all: reduce, accumulate, outer, at."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rewrite import ops
from rewrite.array.assignment import require_writable
from rewrite.array.core import TermArray, asarray, coerced, elementwise
from rewrite.array.protocol import applied_ufunc
from rewrite.array.reductions import accumulated, reduced
from rewrite.array.registry import METHODS, UFUNCS, numpys
from rewrite.division import floor_divmod
from rewrite.errors import PlaceError, UnsupportedOp

__all__: list[str] = []


def _other_if_nan(row: ops.Op) -> Callable[[Any, Any], TermArray]:
    """Make fmin or fmax, which return the other argument where one is a NaN."""

    def chosen(x: Any, y: Any) -> TermArray:
        kept = elementwise(ops.WHERE, elementwise(row, x, y), x, y)
        return elementwise(ops.WHERE, elementwise(ops.NE, y, y), x, kept)

    return chosen


def _heaviside(x: Any, half: Any) -> TermArray:
    above = elementwise(ops.WHERE, elementwise(ops.GT, x, 0), 1.0, half)
    known = elementwise(ops.WHERE, elementwise(ops.LT, x, 0), 0.0, above)
    return elementwise(ops.WHERE, elementwise(ops.NE, x, x), x, known)


def _logical(row: ops.Op) -> Callable[..., TermArray]:
    """Make a logical function, to which numbers are true where they are not 0."""
    return lambda *operands: elementwise(row, *map(as_truths, operands))


def as_truths(value: Any) -> TermArray:
    """Return an array in which numbers are compared with 0."""
    array = asarray(value)
    return array if array.dtype == np.bool_ or not array.ids.size else coerced(ops.NE, array, 0)


def _differ(x: Any, y: Any) -> TermArray:
    """Return where one of two truth values holds, and not both."""
    other = elementwise(ops.AND, elementwise(ops.NOT, x), y)
    return elementwise(ops.OR, elementwise(ops.AND, x, elementwise(ops.NOT, y)), other)


def _logaddexp(x: Any, y: Any) -> TermArray:
    high = elementwise(ops.MAXIMUM, x, y)
    gap = elementwise(ops.ABS, elementwise(ops.SUB, x, y))
    small = elementwise(ops.LOG1P, elementwise(ops.EXP, elementwise(ops.NEG, gap)))
    total = elementwise(ops.ADD, high, small)
    # infinities of one sign differ by a NaN
    return elementwise(
        ops.WHERE, elementwise(ops.EQ, x, y), elementwise(ops.ADD, x, np.log(2)), total
    )


def _expit(x: Any) -> TermArray:
    return elementwise(ops.DIV, 1.0, elementwise(ops.ADD, 1.0, np.exp(np.negative(asarray(x)))))


def _divmod(x: Any, y: Any) -> tuple[TermArray, TermArray]:
    return floor_divmod(lambda name, *args: elementwise(ops.BY_NAME[name], *args), x, y)


def _copied(x: Any) -> TermArray:
    array = asarray(x)
    return array.copy()


UFUNCS.update({
    "square": lambda x: elementwise(ops.MUL, x, x),
    "reciprocal": lambda x: elementwise(ops.DIV, 1.0, x),
    "positive": _copied,
    "conjugate": _copied,
    "fabs": lambda x: elementwise(ops.ABS, x),
    "float_power": lambda x, y: elementwise(ops.POW, x, y),
    "fmin": _other_if_nan(ops.LE),
    "fmax": _other_if_nan(ops.GE),
    "floor_divide": lambda x, y: _divmod(x, y)[0],
    "remainder": lambda x, y: _divmod(x, y)[1],
    "divmod": _divmod,
    "deg2rad": lambda x: elementwise(ops.MUL, x, np.pi / 180),
    "rad2deg": lambda x: elementwise(ops.MUL, x, 180 / np.pi),
    "radians": lambda x: elementwise(ops.MUL, x, np.pi / 180),
    "degrees": lambda x: elementwise(ops.MUL, x, 180 / np.pi),
    "bitwise_and": lambda x, y: elementwise(ops.AND, x, y),
    "bitwise_or": lambda x, y: elementwise(ops.OR, x, y),
    "bitwise_xor": _differ,
    "logical_xor": lambda x, y: _differ(as_truths(x), as_truths(y)),
    "invert": lambda x: elementwise(ops.NOT, x),
    "logical_and": _logical(ops.AND),
    "logical_or": _logical(ops.OR),
    "logical_not": _logical(ops.NOT),
    "isnan": lambda x: elementwise(ops.NE, x, x),
    "isinf": lambda x: elementwise(ops.EQ, elementwise(ops.ABS, x), np.inf),
    "isfinite": lambda x: elementwise(ops.LT, elementwise(ops.ABS, x), np.inf),
    "signbit": lambda x: elementwise(ops.LT, elementwise(ops.COPYSIGN, 1.0, x), 0),
    "heaviside": _heaviside,
    "logaddexp": _logaddexp,
    "erf": lambda x: elementwise(ops.ERF, x),
    "erfc": lambda x: elementwise(ops.ERFC, x),
    "expit": _expit,
})  # fmt: skip


# -- methods ---------------------------------------------------------------------------------


def _reduce(ufunc: np.ufunc, array: Any, axis: Any = 0, **options: Any) -> Any:
    if isinstance(array, TermArray) and array.single:
        array.refuse()
    return reduced(ufunc, array, axis, **options)


def _accumulate(ufunc: np.ufunc, array: Any, axis: int = 0) -> Any:
    return accumulated(ufunc, asarray(array), axis)


def _outer(ufunc: np.ufunc, left: Any, right: Any) -> Any:
    a, b = asarray(left), asarray(right)
    return applied_ufunc(ufunc, a.reshape(a.shape + (1,) * b.ndim), b)


def _reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0) -> Any:
    """Reduce each run that starts at an index; one that does not end after it is one element."""
    source = numpys.moveaxis(asarray(array), axis, 0)
    starts = np.asarray(indices).tolist()
    parts = []
    for start, end in zip(starts, [*starts[1:], len(source)], strict=True):
        if not 0 <= start < len(source):
            raise PlaceError(
                f"index {start} of {ufunc.__name__}.reduceat is not in [0, {len(source)})"
            )
        run = source[start:end] if end > start else source[start : start + 1]
        parts.append(reduced(ufunc, run, 0))
    return numpys.moveaxis(numpys.stack([asarray(part) for part in parts]), 0, axis)


def _at(ufunc: np.ufunc, array: Any, indices: Any, *operands: Any) -> None:
    """Apply in place, once for each time that an index names an element, in their order."""
    if not isinstance(array, TermArray):
        raise UnsupportedOp(
            f"np.{ufunc.__name__}.at on numbers with terms; copy them to terms first"
        )
    require_writable(array.ids)
    places = np.arange(array.ids.size).reshape(array.shape)[indices]
    flat = np.ravel(places)
    values = [numpys.broadcast_to(asarray(v, array.store), places.shape).ravel() for v in operands]
    ids = array.ids.ravel()
    order = np.argsort(flat, kind="stable")
    turn = np.empty(len(flat), np.int64)  # how often an element has been named before
    firsts = np.searchsorted(flat[order], flat[order])
    turn[order] = np.arange(len(flat)) - firsts
    for now in range(int(turn.max(initial=-1)) + 1):
        some = turn == now
        old = TermArray(array.store, ids[flat[some]])
        ids[flat[some]] = applied_ufunc(ufunc, old, *[value[some] for value in values]).ids
    array.ids[...] = ids.reshape(array.shape)


METHODS.update(reduce=_reduce, accumulate=_accumulate, outer=_outer, reduceat=_reduceat, at=_at)
