"""Reductions along axes: sums, products, extremes, means, and running sums.

Sums, products and logic are one n-ary node an element; NumPy adds eight or more numbers pairwise,
with other roundings: the last bits of its sums of long arrays are not these.
"""

from math import prod
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.array import interning
from rewrite.array.core import TermArray, as_numbers, asarray, coerced, elementwise
from rewrite.array.registry import function
from rewrite.errors import PlaceError, UnsupportedOp
from rewrite.term import Term

__all__ = ["accumulated", "reduced", "scalar"]

_EMPTY: Final[dict[ops.Op, Any]] = {ops.ADD: 0, ops.MUL: 1, ops.AND: True, ops.OR: False}
"""What n-ary ops make of nothing."""
_PAIRWISE: Final = (ops.MINIMUM, ops.MAXIMUM)
"""Ops that give the same however they are grouped."""
_FOLDED: Final = (ops.SUB, ops.DIV, ops.HYPOT, ops.POW)


def scalar(array: TermArray) -> "TermArray | Term":
    """Return an array of no dimension as a term, as NumPy returns a number."""
    return array if array.ids.ndim else array.item()


def _row(ufunc: np.ufunc) -> ops.Op:
    row = ops.BY_NUMPY.get(ufunc.__name__)
    if row not in (*_EMPTY, *_PAIRWISE, *_FOLDED):
        raise UnsupportedOp(f"np.{ufunc.__name__} with methods is not supported on terms")
    assert row is not None
    return row


def reduced(
    ufunc: np.ufunc, value: Any, axis: Any = None, *, keepdims: bool = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """Reduce along an axis, several, or all (None)."""
    row = _row(ufunc)
    array = _prepared(row, asarray(value))
    if where is not True:
        array = _restricted(row, array, where, initial)
    axes = _axes(array, axis)
    kept = [a for a in range(array.ndim) if a not in axes]
    shape = tuple(array.shape[a] for a in kept)
    length = prod(array.shape[a] for a in axes)
    ids = array.ids.transpose([*kept, *axes]).reshape(*shape, length)
    if initial is not None:
        first = asarray(initial, array.store).ids
        ids = np.concatenate([np.broadcast_to(first, (*shape, 1)), ids], axis=-1)
    result = TermArray(array.store, _along_last(row, array, ids, ufunc.__name__))
    if keepdims:
        result = result.reshape(tuple(1 if a in axes else n for a, n in enumerate(array.shape)))
    return scalar(result)


def _prepared(row: ops.Op, array: TermArray) -> TermArray:
    """Give an op what it takes: truth values, or numbers."""
    boolean = array.dtype == np.bool_ and array.size
    if row in (ops.AND, ops.OR):
        return array if boolean or not array.size else coerced(ops.NE, array, 0)
    return as_numbers(array) if boolean else array


def _restricted(row: ops.Op, array: TermArray, where: Any, initial: Any) -> TermArray:
    """Put what changes nothing in the place of elements that do not count."""
    neutral = _EMPTY.get(row, initial)
    if neutral is None:
        raise UnsupportedOp(f"reducing with {row.name} and where= needs initial=")
    return coerced(ops.WHERE, where, array, neutral)


def _axes(array: TermArray, axis: Any) -> tuple[int, ...]:
    """Return the axes as positions; raise `PlaceError` for one that there is not."""
    if axis is None:
        return tuple(range(array.ndim))
    wanted = axis if isinstance(axis, (tuple, list)) else (axis,)
    for each in wanted:
        if not -array.ndim <= each < array.ndim:
            raise PlaceError(f"axis {each} is out of bounds for an array of shape {array.shape}")
    return tuple(each % array.ndim for each in wanted)


def _along_last(row: ops.Op, array: TermArray, ids: Any, name: str) -> Any:
    store, length = array.store, ids.shape[-1]
    if not length:
        if row not in _EMPTY:
            raise UnsupportedOp(f"np.{name} of no elements has no value; give initial=")
        return np.full(ids.shape[:-1], store.constant(_EMPTY[row]), np.int32)
    if length == 1:
        return ids[..., 0].copy()
    interning.require_set(ids)
    if row in _EMPTY:
        return interning.gathered(store, row, ids)
    if row in _FOLDED:
        return interning.chained(store, row, np.ascontiguousarray(ids))[..., -1]
    while length > 1:  # in pairs: half as deep as from left to right, and less
        pairs = ids[..., : length // 2 * 2].reshape(*ids.shape[:-1], length // 2, 2)
        made = interning.gathered(store, row, pairs)
        ids = np.concatenate([made, ids[..., length // 2 * 2 :]], axis=-1)
        length = ids.shape[-1]
    return ids[..., 0]


def accumulated(ufunc: np.ufunc, array: TermArray, axis: int = 0) -> TermArray:
    """Return the results of all first elements along an axis."""
    row = _row(ufunc)
    array = _prepared(row, array)
    (place,) = _axes(array, axis)
    ids = np.ascontiguousarray(np.moveaxis(array.ids, place, -1))
    found = interning.chained(array.store, row, ids)
    return TermArray(array.store, np.moveaxis(found, -1, place))


# -- functions -------------------------------------------------------------------------------


@function("sum")
def _sum(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    return reduced(np.add, a, axis, **options)


@function("prod")
def _prod(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    return reduced(np.multiply, a, axis, **options)


@function("min", "amin")
def _min(a: Any, axis: Any = None, **options: Any) -> Any:
    return reduced(np.minimum, a, axis, **options)


@function("max", "amax")
def _max(a: Any, axis: Any = None, **options: Any) -> Any:
    return reduced(np.maximum, a, axis, **options)


@function("any")
def _any(a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    return reduced(np.logical_or, a, axis, keepdims=keepdims, where=where)


@function("all")
def _all(a: Any, axis: Any = None, *, keepdims: bool = False, where: Any = True) -> Any:
    return reduced(np.logical_and, a, axis, keepdims=keepdims, where=where)


@function("count_nonzero")
def _count_nonzero(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    flags = elementwise(ops.WHERE, _prepared(ops.OR, asarray(a)), 1, 0)
    return reduced(np.add, flags, axis, keepdims=keepdims)


@function("ptp")
def _ptp(a: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _max(a, axis, keepdims=keepdims) - _min(a, axis, keepdims=keepdims)


def _count(array: TermArray, axis: Any) -> int:
    return prod(array.shape[a] for a in _axes(array, axis))


@function("mean")
def _mean(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
    array = asarray(a)
    return reduced(np.add, array, axis, keepdims=keepdims) / _count(array, axis)


@function("var")
def _var(
    a: Any, axis: Any = None, dtype: Any = None, *, ddof: Any = 0, keepdims: bool = False,
    mean: Any = None, correction: Any = None,
) -> Any:  # fmt: skip
    array = as_numbers(asarray(a))
    off = array - (_mean(array, axis, keepdims=True) if mean is None else mean)
    count = _count(array, axis) - (ddof if correction is None else correction)
    return reduced(np.add, np.square(off), axis, keepdims=keepdims) / max(count, 0)


@function("std")
def _std(a: Any, axis: Any = None, dtype: Any = None, **options: Any) -> Any:
    return np.sqrt(_var(a, axis, **options))


@function("average")
def _average(a: Any, axis: Any = None, weights: Any = None, *, keepdims: bool = False) -> Any:
    if weights is None:
        return _mean(a, axis, keepdims=keepdims)
    array, scales = asarray(a), weights
    if np.ndim(weights) == 1 and array.ndim > 1:
        (place,) = _axes(array, axis)
        scales = asarray(weights, array.store).reshape((-1, *[1] * (array.ndim - 1 - place)))
    total = reduced(np.add, array * scales, axis, keepdims=keepdims)
    return total / reduced(np.add, asarray(scales * np.ones(array.shape)), axis, keepdims=keepdims)


def _running(ufunc: np.ufunc, a: Any, axis: Any) -> TermArray:
    array = asarray(a)
    return accumulated(ufunc, array.reshape(-1) if axis is None else array, axis or 0)


@function("cumsum")
def _cumsum(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    return _running(np.add, a, axis)


@function("cumprod")
def _cumprod(a: Any, axis: Any = None, dtype: Any = None) -> Any:
    return _running(np.multiply, a, axis)
