"""New arrays: those made like others, and what NumPy's makers make inside of a traced function.

`np.zeros(n)` has no argument from which NumPy could tell that terms will be written to it. A traced
function finds these makers in the place of NumPy's: arrays of floats are made of terms, all other
arrays by NumPy.
"""

import types
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from rewrite.array import interning
from rewrite.array.core import TermArray, asarray
from rewrite.array.element import Element
from rewrite.array.registry import function
from rewrite.errors import UnsupportedOp
from rewrite.store import Store
from rewrite.term import Term, current_store

__all__ = ["MAKERS", "NumPy", "unset"]


def unset(store: Store, shape: Any) -> TermArray:
    """Return an array that nothing was written to."""
    return TermArray(store, np.full(shape, interning.UNSET, np.int32))


def _filled(store: Store, shape: Any, value: Any) -> TermArray:
    array = TermArray(store, np.empty(shape, np.int32))
    array[...] = value
    return array


def _is_float(dtype: Any) -> bool:
    return dtype is None or np.dtype(dtype) == np.float64


# -- like another ----------------------------------------------------------------------------


def _like(value: Any) -> Callable[..., Any]:
    def made(
        a: Any, dtype: Any = None, order: Any = "K", subok: Any = True, shape: Any = None,
        *, device: Any = None,
    ) -> Any:  # fmt: skip
        return _shaped_as(a, value, dtype, shape)

    return made


def _shaped_as(a: Any, value: Any, dtype: Any, shape: Any) -> Any:
    if not isinstance(a, (Term, TermArray)):  # only the value has terms
        return _filled(value.store, np.shape(a) if shape is None else shape, value)
    array = asarray(a)
    wanted = array.ids.shape if shape is None else shape
    kind = array.dtype if dtype is None else np.dtype(dtype)
    if kind != np.float64:
        if isinstance(value, (Term, TermArray)):
            raise UnsupportedOp(f"terms stand for float64; they cannot fill an array of {kind}")
        return np.full(wanted, 0 if value is None else value, kind)
    if isinstance(a, Element):
        ids = np.full((), interning.UNSET) if value is None else asarray(value, array.store).ids
        return Element(array.store, ids.astype(np.int32))
    made = unset(array.store, wanted) if value is None else _filled(array.store, wanted, value)
    return made if isinstance(a, TermArray) else made.item()


function("zeros_like", elementwise=True, values=False)(_like(0.0))
function("ones_like", elementwise=True, values=False)(_like(1.0))
function("empty_like", elementwise=True, values=False)(_like(None))


@function("full_like", elementwise=True, values=False)
def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: Any = True,
    shape: Any = None,
) -> Any:  # fmt: skip
    value = fill_value if isinstance(fill_value, (Term, TermArray)) else np.float64(fill_value)
    return _shaped_as(a, value, dtype, shape)


# -- makers in a traced function -------------------------------------------------------------


def _zeros(shape: Any, dtype: Any = None, order: Any = "C", **options: Any) -> Any:
    if options or not _is_float(dtype):
        return np.zeros(shape, dtype or float, order, **options)
    return _filled(current_store(), shape, 0.0)


def _ones(shape: Any, dtype: Any = None, order: Any = "C", **options: Any) -> Any:
    if options or not _is_float(dtype):
        return np.ones(shape, dtype, order, **options)
    return _filled(current_store(), shape, 1.0)


def _empty(shape: Any, dtype: Any = None, order: Any = "C", **options: Any) -> Any:
    if options or not _is_float(dtype):
        return np.empty(shape, dtype or float, order, **options)
    return unset(current_store(), shape)


def _full(shape: Any, fill_value: Any, dtype: Any = None, **options: Any) -> Any:
    terms = _has_terms(fill_value)
    real = _is_float(dtype) if dtype is not None else np.asarray(0 if terms else fill_value).dtype
    if not terms and (options or not (real is True or real == np.float64)):
        return np.full(shape, fill_value, dtype, **options)
    return _filled(current_store(), shape, fill_value)


def _has_terms(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return any(map(_has_terms, value))
    if isinstance(value, np.ndarray) and value.dtype == object:
        return any(map(_has_terms, value.ravel().tolist()))
    return isinstance(value, (Term, TermArray))


def _copying(name: str) -> Callable[..., Any]:
    """Make `np.array` or one of its kin, which copies, or not."""
    original: Any = getattr(np, name)

    def made(a: Any, dtype: Any = None, *rest: Any, **options: Any) -> Any:
        if not _has_terms(a):
            array = original(a, dtype, *rest, **options)
            # what np.array copied is the function's own, and may be written to
            return _own(array) if name == "array" else array
        if dtype is not None and np.dtype(dtype) not in (np.float64, np.bool_, np.dtype(object)):
            raise UnsupportedOp(
                f"np.{name} of terms with dtype {np.dtype(dtype)}: they are float64"
            )
        array = asarray(a)
        made = array.copy() if name == "array" and options.get("copy", True) else array
        ndmin = options.get("ndmin", 0)
        return (
            made
            if made.ids.ndim >= ndmin
            else np.reshape(made, (1,) * (ndmin - made.ndim) + made.shape)
        )

    return made


def _own(array: Any) -> Any:
    return asarray(array, current_store()) if array.dtype == np.float64 and array.ndim else array


class _Rows:
    """`np.r_`: slices and arrays one after another."""

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not _has_terms(parts):
            return np.r_[key]
        if any(isinstance(part, str) for part in parts):
            raise UnsupportedOp("np.r_ of terms takes no directives; use np.concatenate")
        flat = [np.r_[part] if isinstance(part, slice) else part for part in parts]
        return np.concatenate([np.atleast_1d(part) for part in flat])


class _Columns:
    """`np.c_`: vectors as columns beside each other."""

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        return np.column_stack(parts) if _has_terms(parts) else np.c_[key]


MAKERS: Final[dict[str, Any]] = {
    "zeros": _zeros, "ones": _ones, "empty": _empty, "full": _full,
    **{name: _copying(name) for name in ("array", "asarray", "asanyarray", "ascontiguousarray")},
    "r_": _Rows(), "c_": _Columns(),
}  # fmt: skip
"""What stands in for NumPy's makers while a function is traced."""


class NumPy(types.ModuleType):
    """NumPy with other makers of arrays, and with what stands in for its random numbers."""

    def __init__(self, random: Any = None) -> None:
        super().__init__("numpy", np.__doc__)
        self.__dict__.update(MAKERS if random is None else {**MAKERS, "random": random})

    def __getattr__(self, name: str) -> Any:
        """Look up everything else in NumPy."""
        return getattr(np, name)
