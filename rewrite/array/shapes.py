"""Functions that only move elements: NumPy's own, applied to the array of ids."""

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rewrite.array.assignment import data_dependent, require_writable
from rewrite.array.core import TermArray, asarray, store_of
from rewrite.array.known import known_value
from rewrite.array.reductions import scalar
from rewrite.array.registry import FUNCTIONS, function, numpys
from rewrite.errors import NumbersError, PlaceError, ShapeError, TraceError, UnsupportedOp

__all__ = ["moving"]


def moving(moved: Callable[..., Any]) -> Callable[..., Any]:
    """Say of a wrong shape or place what NumPy says of it, as an error of a trace."""

    @functools.wraps(moved)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return moved(*args, **kwargs)
        except TraceError:
            raise
        except IndexError as error:  # an AxisError among them
            raise PlaceError(str(error)) from None
        except ValueError as error:
            raise ShapeError(str(error)) from None

    return called


def _of_one(name: str) -> Callable[..., Any]:
    """Make a function of one array, which returns one array or several of the same elements."""
    on_ids: Any = getattr(np, name)

    @moving
    def moved(array: Any, *args: Any, **kwargs: Any) -> Any:
        source = asarray(array)
        return _wrapped(source.store, on_ids(source.ids, *args, **kwargs))

    return moved


def _of_several(name: str) -> Callable[..., Any]:
    """Make a function of a sequence of arrays."""
    on_ids: Any = getattr(np, name)

    @moving
    def moved(arrays: Any, *args: Any, **kwargs: Any) -> Any:
        store = store_of(arrays)
        return _wrapped(store, on_ids([asarray(a, store).ids for a in arrays], *args, **kwargs))

    return moved


def _of_each(name: str) -> Callable[..., Any]:
    """Make a function of arrays given one by one."""
    on_ids: Any = getattr(np, name)

    @moving
    def moved(*arrays: Any, **kwargs: Any) -> Any:
        store = store_of(arrays)
        return _wrapped(store, on_ids(*[asarray(a, store).ids for a in arrays], **kwargs))

    return moved


def _wrapped(store: Any, found: Any) -> Any:
    if isinstance(found, (list, tuple)):
        return type(found)([TermArray(store, each) for each in found])
    return TermArray(store, found)


_ONE: Final = (
    "reshape", "ravel", "transpose", "permute_dims", "matrix_transpose", "moveaxis", "rollaxis",
    "swapaxes", "expand_dims", "squeeze", "roll", "flip", "fliplr", "flipud", "rot90", "tile",
    "repeat", "resize", "delete", "diagonal", "broadcast_to", "split", "array_split",
    "hsplit", "vsplit", "dsplit", "unstack", "take_along_axis",
)  # fmt: skip
_SEVERAL: Final = (
    "stack", "concatenate", "concat", "hstack", "vstack", "dstack", "column_stack",
)  # fmt: skip
_EACH: Final = ("atleast_1d", "atleast_2d", "atleast_3d", "broadcast_arrays", "meshgrid")

FUNCTIONS.update({name: _of_one(name) for name in _ONE if hasattr(np, name)})
FUNCTIONS.update({name: _of_several(name) for name in _SEVERAL})
FUNCTIONS.update({name: _of_each(name) for name in _EACH})


@function("extract")
def _extract(condition: Any, arr: Any) -> Any:
    return _compress(condition, arr)


@function("compress")
@moving
def _compress(condition: Any, a: Any, axis: Any = None) -> Any:
    condition = known_value(condition)
    if isinstance(condition, TermArray):
        raise data_dependent("what a condition of terms leaves")
    source = asarray(a)
    return TermArray(source.store, np.compress(np.ravel(condition), source.ids, axis))


@function("take")
@moving
def _take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: Any = "raise") -> Any:
    source = asarray(a)
    found = np.take(source.ids, indices, axis, mode=mode)
    return scalar(TermArray(source.store, np.asarray(found)))


@function("append")
@moving
def _append(arr: Any, values: Any, axis: Any = None) -> Any:
    store = store_of([arr, values])
    return TermArray(store, np.append(asarray(arr, store).ids, asarray(values, store).ids, axis))


@function("insert")
@moving
def _insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    store = store_of([arr, values])
    ids = np.insert(asarray(arr, store).ids, obj, asarray(values, store).ids, axis)
    return TermArray(store, ids)


@function("block")
@moving
def _block(arrays: Any) -> Any:
    store = store_of([arrays])

    def ids(part: Any) -> Any:
        return [ids(each) for each in part] if isinstance(part, list) else asarray(part, store).ids

    return TermArray(store, np.block(ids(arrays)))


_PADS: Final = ("constant", "edge", "wrap", "reflect", "symmetric", "empty")


@function("pad")
@moving
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    source = asarray(array)
    if mode not in _PADS:
        raise UnsupportedOp(f"np.pad with mode {mode!r} on terms; modes: {', '.join(_PADS)}")
    if options.get("reflect_type", "even") != "even":
        raise UnsupportedOp("np.pad with reflect_type 'odd' on terms; write it with slices")
    if mode == "constant":
        fill = options.pop("constant_values", 0.0)
        options["constant_values"] = _fill(fill, source)
    return TermArray(source.store, np.pad(source.ids, pad_width, mode, **options))


def _fill(value: Any, source: TermArray) -> Any:
    if isinstance(value, dict):
        return {axis: _fill(each, source) for axis, each in value.items()}
    ids = asarray(value, source.store).ids
    return ids.tolist()


@function("diag")
@moving
def _diag(v: Any, k: int = 0) -> Any:
    source = asarray(v)
    if source.ndim != 1:
        return TermArray(source.store, np.diag(source.ids, k))
    size = len(source) + abs(k)
    ids = np.full((size, size), source.store.constant(0.0), np.int32)
    rows = np.arange(len(source))
    ids[rows + max(-k, 0), rows + max(k, 0)] = source.ids
    return TermArray(source.store, ids)


@function("diagflat")
def _diagflat(v: Any, k: int = 0) -> Any:
    return _diag(asarray(v).reshape(-1), k)


def _triangle(keep: Callable[..., Any]) -> Callable[..., Any]:
    @moving
    def moved(m: Any, k: int = 0) -> TermArray:
        source = asarray(m)
        kept = keep(np.ones(source.shape[-2:], np.bool_), k)
        zero = np.int32(source.store.constant(0.0))
        return TermArray(source.store, np.where(kept, source.ids, zero))

    return moved


FUNCTIONS.update(tril=_triangle(np.tril), triu=_triangle(np.triu))

FUNCTIONS.update(
    shape=lambda a: asarray(a).shape,
    ndim=lambda a: asarray(a).ndim,
    size=lambda a, axis=None: asarray(a).size if axis is None else asarray(a).shape[axis],
)  # fmt: skip


@function("copy", elementwise=True, values=False)
def _copy(a: Any, order: Any = "K", subok: Any = False) -> TermArray:
    return asarray(a).copy()


# -- in place --------------------------------------------------------------------------------


@function("copyto", elementwise=True, values=False)
def _copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    if not isinstance(dst, TermArray):
        raise _into_numbers()
    if where is True:
        dst[...] = src
    elif isinstance(where, TermArray):
        dst[...] = np.where(where, src, dst)
    else:
        mask = np.broadcast_to(where, dst.shape)
        dst[mask] = numpys.broadcast_to(asarray(src, dst.store), dst.shape)[mask]


@function("put", values=False)
def _put(a: Any, ind: Any, v: Any, mode: Any = "raise") -> None:
    _assigned(a, np.put, ind, v, mode)


@function("putmask", values=False)
def _putmask(a: Any, mask: Any, values: Any) -> None:
    if isinstance(mask, TermArray):
        raise data_dependent("what a mask of terms picks")
    _assigned(a, np.putmask, mask, values)


@function("place", values=False)
def _place(arr: Any, mask: Any, vals: Any) -> None:
    if isinstance(mask, TermArray):
        raise data_dependent("what a mask of terms picks")
    _assigned(arr, np.place, mask, vals)


@function("fill_diagonal", values=False)
def _fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    if not isinstance(a, TermArray):
        raise _into_numbers()
    require_writable(a.ids)
    np.fill_diagonal(a.ids, asarray(val, a.store).ids, wrap)


@moving
def _assigned(array: Any, on_ids: Callable[..., Any], places: Any, values: Any, *rest: Any) -> None:
    if not isinstance(array, TermArray):
        raise _into_numbers()
    require_writable(array.ids)
    on_ids(array.ids, places, asarray(values, array.store).ids, *rest)


def _into_numbers() -> NumbersError:
    return NumbersError("terms cannot be written to an array of numbers; copy it to terms first")
