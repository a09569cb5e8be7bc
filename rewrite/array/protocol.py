"""NumPy's two protocols: which table answers a call, where its result goes, what is refused.

`out=` and `where=` are handled here, once for all ufuncs and functions.
"""

import functools
import inspect
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.array.assignment import data_dependent, require_writable, written
from rewrite.array.core import (
    PROTOCOL,
    TermArray,
    as_given,
    asarray,
    coerced,
    elementwise,
    one_into_many,
)
from rewrite.array.creation import MAKERS
from rewrite.array.known import on_numbers
from rewrite.array.registry import ELEMENTWISE, FUNCTIONS, METHODS, REFUSED, UFUNCS, VALUES
from rewrite.errors import NumbersError, ShapeError, UnsupportedOp
from rewrite.term import Term

__all__ = ["applied_ufunc", "numpy_functions", "trace_function", "trace_ufunc"]

_TO_OUT: Final = (
    "terms cannot be written to an array of numbers (out=); make it with np.zeros or np.empty "
    "inside of the traced function, or with np.empty_like of its arguments"
)


# -- ufuncs ----------------------------------------------------------------------------------


def trace_ufunc(ufunc: np.ufunc, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """Build the term of a ufunc call; raise `UnsupportedOp` that lists what exists."""
    out = kwargs.pop("out", None)
    where = kwargs.pop("where", True) if method == "__call__" else True
    outs = out if isinstance(out, tuple) else (out,) * ufunc.nout
    if not all(each is None or isinstance(each, TermArray) for each in outs):
        raise NumbersError(_TO_OUT)
    result = _of_ufunc(ufunc, method, inputs, kwargs)
    if where is not True and any(each is None for each in outs):
        raise UnsupportedOp(f"{_named(ufunc)} with keyword 'where' needs out=, or use np.where")
    results = result if isinstance(result, tuple) else (result,)
    written = [
        each if to is None else _into(to, each, where, _named(ufunc))
        for each, to in zip(results, outs, strict=True)
    ]
    return tuple(written) if isinstance(result, tuple) else written[0]


def _named(ufunc: np.ufunc) -> str:
    return f"np.{ufunc.__name__}"


def _of_ufunc(ufunc: np.ufunc, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    name = ufunc.__name__
    if method != "at":
        found = on_numbers(getattr(ufunc, method), inputs, kwargs)
        if found is not NotImplemented:
            return found
    if method != "__call__":
        if method not in METHODS:
            raise UnsupportedOp(f"np.{name} with method {method!r} is not supported on terms")
        return METHODS[method](ufunc, *inputs, **_plain_dtype(name, kwargs))
    extra = sorted(_plain_dtype(name, kwargs, "casting", "order", "subok"))
    if extra:
        raise UnsupportedOp(f"np.{name} with keyword {extra[0]!r} is not supported on terms")
    result = applied_ufunc(ufunc, *inputs)
    if isinstance(result, tuple):
        return tuple([as_given(each, *inputs) for each in result])
    return as_given(result, *inputs) if isinstance(result, TermArray) else result


def applied_ufunc(ufunc: np.ufunc, *operands: Any) -> Any:
    """Build what a ufunc computes, elementwise but for `matmul`."""
    name = ufunc.__name__
    if name in UFUNCS:
        return UFUNCS[name](*operands)
    row = ops.BY_NUMPY.get(name)
    if row is None:
        raise UnsupportedOp(f"np.{name} is not supported on terms; {_listing()}")
    return coerced(row, *operands)


def _plain_dtype(name: str, kwargs: dict[str, Any], *harmless: str) -> dict[str, Any]:
    """Leave out keywords that change nothing: float64 is what terms stand for."""
    kept = {k: v for k, v in kwargs.items() if k not in harmless}
    dtype = kept.pop("dtype", None)
    if dtype is not None and np.dtype(dtype) != np.float64:
        raise UnsupportedOp(f"np.{name} with keyword 'dtype' of {np.dtype(dtype)}: terms stand for "
                            "float64; leave it out")  # fmt: skip
    return kept


def _into(out: TermArray, result: Any, where: Any, what: str) -> TermArray:
    """Write a result to `out=`, and return that."""
    one_into_many(result, out)
    new = asarray(result, out.store).ids
    require_writable(out.ids)
    if new.ndim > out.ids.ndim:
        raise ShapeError(f"{what}: the result of shape {new.shape} does not fit into out of shape "
                         f"{out.ids.shape}")  # fmt: skip
    if where is True:
        written(out.ids, Ellipsis, new)
    elif isinstance(where, (Term, TermArray)):
        store = out.store
        chosen = elementwise(ops.WHERE, where, TermArray(store, new), TermArray(store, out.ids))
        written(out.ids, Ellipsis, chosen.ids)
    else:
        mask = np.broadcast_to(where, out.ids.shape)
        written(out.ids, mask, np.broadcast_to(new, out.ids.shape)[mask])
    return out


# -- functions -------------------------------------------------------------------------------


def trace_function(func: Any, args: Any, kwargs: Any) -> Any:
    """Build the terms of an array function; raise `UnsupportedOp` that lists what exists.

    In a trace, functions of numbers alone are NumPy's, those that terms lack among them.
    """
    module = getattr(func, "__module__", "numpy")
    name = f"{module}.{getattr(func, '__name__', func)}".removeprefix("numpy.")
    known = FUNCTIONS.get(name)
    if known is None:
        found = on_numbers(func, args, kwargs)
        if found is not NotImplemented:
            return found
        if name in REFUSED:
            raise data_dependent(f"np.{name}: {REFUSED[name]}")
        raise UnsupportedOp(f"np.{name} is not supported on terms; {_listing()}")
    if name in VALUES and kwargs.get("out") is None:
        found = on_numbers(func, args, kwargs)
        if found is not NotImplemented:
            return found
    if name not in ELEMENTWISE:
        _refuse_elements([args, kwargs])
    arguments, out = _bound(name, known, args, kwargs)
    if out is not None and not isinstance(out, TermArray):
        raise NumbersError(_TO_OUT)
    result = known(*arguments.args, **arguments.kwargs)
    return result if out is None else _into(out, result, True, f"np.{name}")


_signature = functools.cache(inspect.signature)


def _bound(name: str, known: Any, args: Any, kwargs: Any) -> tuple[inspect.BoundArguments, Any]:
    """Return the arguments that a function of ours takes, and where its result is to go.

    One that names `out` says at which place it is given, and one that names `dtype` is asked for
    no other than that of terms, but where it makes an array like another.
    """
    kept = {k: v for k, v in kwargs.items() if k not in ("subok", "casting", "out")}
    try:
        bound = _signature(known).bind(*args, **kept)
    except TypeError as error:
        raise UnsupportedOp(f"np.{name} on terms: {error}") from None
    if not name.endswith("_like"):
        _plain_dtype(name, bound.arguments)
    return bound, kwargs.get("out", bound.arguments.pop("out", None))


def _refuse_elements(value: Any) -> None:
    """Refuse what stands for one element of an array, wherever it is among the arguments."""
    if isinstance(value, TermArray) and value.single:
        value.refuse()
    if isinstance(value, (list, tuple)):
        for part in value:
            _refuse_elements(part)
    if isinstance(value, dict):
        _refuse_elements(list(value.values()))


def numpy_functions() -> list[str]:
    """List the NumPy functions that work on terms, with `expit`, `erf` and `erfc` of SciPy.

    Names such as `ufunc.reduce` are methods of elementwise functions. What makes arrays, such as
    `zeros` and `array`, makes arrays of terms in a traced function alone.

    >>> import rewrite as rw
    >>> "sin" in rw.numpy_functions()
    True
    """
    named = {row for row in ops.BY_NUMPY if row.isidentifier()}
    methods = {f"ufunc.{name}" for name in METHODS}
    return sorted({*named, *UFUNCS, *FUNCTIONS, *MAKERS, *methods})


def _listing() -> str:
    return "supported: " + ", ".join(numpy_functions())


PROTOCOL.update(ufunc=trace_ufunc, function=trace_function)
