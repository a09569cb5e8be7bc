"""Tracing: calling a Python function with symbols, to find the terms that it computes.

The function runs once, as it is. What a trace cannot record (a choice that depends on a value, a
NumPy function that terms lack) is an error that names the user's line.
"""

import inspect
import linecache
import numbers
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rewrite.array import Element, TermArray, asarray
from rewrite.errors import SortError, TraceError, UnsupportedOp
from rewrite.store import Store, Symbol
from rewrite.term import Term, current_store, join

__all__ = ["Traced", "call", "inputs", "is_tracing", "leaves", "plain", "rebuilt", "trace"]

_OURS: Final = ("rewrite", "strategies", "codegen", "numpy")
_TRACING: Final = ContextVar("tracing", default=False)


@dataclass(frozen=True, slots=True)
class Traced:
    """What a traced function takes and returns.

    `args` are symbols and arrays of symbols, one a parameter; `result` has terms where the
    function returned numbers, in the tuples, lists and dictionaries that it returned.
    """

    args: tuple[Term | TermArray, ...]
    result: Any

    @property
    def terms(self) -> list[Term | TermArray]:
        """All terms and arrays of the result, in order."""
        return [value for _, value in leaves(self.result)]


def trace(fn: Callable[..., Any], args: Sequence[Any] | None = None) -> Traced:
    """Call a function with symbols named after its parameters, and return the terms it computes.

    `args` has for each argument a symbol, an array of symbols, the shape of an array, a dtype, or
    None for a float of no dimension; parameters beyond them keep their defaults. By default
    each parameter is a float.

    >>> def f(x, y):
    ...     return x * y + 1
    >>> trace(f).result
    x*y + 1
    """
    names = _parameters(fn, None if args is None else len(args))
    store = current_store()
    given = inputs(dict(zip(names, args or [None] * len(names), strict=True)), store)
    result = call(fn, given, {}, store)
    return Traced(tuple(plain(value) for value in given), result)


def is_tracing() -> bool:
    """Tell whether a function is being traced here and now."""
    return _TRACING.get()


def call(
    fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], store: Store
) -> Any:
    """Call a function on terms; return its result with every number a term of the store."""
    outside = _TRACING.set(True)
    try:
        result = fn(*args, **kwargs)
    except (TraceError, UnsupportedOp, SortError) as error:
        place = _place(error)
        if place and place not in str(error):
            error.args = (f"{error}\n{place}", *error.args[1:])
        raise
    finally:
        _TRACING.reset(outside)
    found = [_leaf(value, path, fn, store) for path, value in leaves(result)]
    if not found:
        raise TraceError(f"{_called(fn)} returned no values: {result!r}")
    return rebuilt(result, iter(found))


def inputs(specs: Mapping[str, Any], store: Store) -> list[TermArray]:
    """Make the arrays of symbols that stand for arguments; see `trace` for what a spec is."""
    taken = set(specs)
    made: list[TermArray] = []
    # beside whole arrays a scalar is one number; alone it stands for any element of an array
    whole = any(isinstance(spec, (tuple, TermArray)) for spec in specs.values())
    scalar = TermArray if whole else Element
    for name, spec in specs.items():
        if isinstance(spec, (Term, TermArray)):
            made.append(asarray(spec, store))
        elif isinstance(spec, tuple) and all(isinstance(n, numbers.Integral) for n in spec):
            made.append(_symbols(name, tuple(map(int, spec)), store, taken))
        else:
            symbol = Symbol(name, None if spec is None else _dtype(name, spec))
            made.append(scalar(store, np.array(store.symbol(symbol), np.int32)))
    return made


def _dtype(name: str, spec: Any) -> str:
    try:
        dtype = np.dtype(spec)
    except TypeError:
        raise TraceError(
            f"argument {name!r}: {spec!r} is no symbol, array of symbols, shape, dtype or None"
        ) from None
    if dtype.kind not in "fiub":
        hint = ": complex numbers are not supported, split it" if dtype.kind == "c" else ""
        raise SortError(f"argument {name!r} cannot have dtype {dtype.name}{hint}")
    return str(dtype.name)


def _symbols(name: str, shape: tuple[int, ...], store: Store, taken: set[str]) -> TermArray:
    """Make an array of symbols such as u_0_1, with more underscores where a name is taken."""
    places = ["_".join(map(str, place)) for place in np.ndindex(shape)]
    head = name + "_" if shape else name
    while shape and not taken.isdisjoint(head + place for place in places):
        head += "_"
    names = [head + place for place in places]
    taken.update(names)
    ids = [store.symbol(Symbol(each)) for each in names]
    return TermArray(store, np.array(ids, np.int32).reshape(shape))


def _parameters(fn: Callable[..., Any], count: int | None) -> list[str]:
    """Return names for the first `count` arguments of a function."""
    names: list[str] = []
    for parameter in inspect.signature(fn).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = 0 if count is None else count - len(names)
            names += [f"{parameter.name}_{k}" for k in range(rest)]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    if count is not None and count > len(names):
        raise TraceError(f"{_called(fn)} takes {len(names)} arguments, not {count}")
    return names[:count]


# -- results ---------------------------------------------------------------------------------


def leaves(result: Any, path: str = "result") -> Iterator[tuple[str, Any]]:
    """Walk the tuples, lists and dictionaries that a function returned."""
    if isinstance(result, Mapping):
        for key, value in result.items():
            yield from leaves(value, f"{path}[{key!r}]")
    elif isinstance(result, (tuple, list)):
        for place, value in enumerate(result):
            yield from leaves(value, f"{path}[{place}]")
    else:
        yield path, result


def rebuilt(result: Any, values: Iterator[Any]) -> Any:
    """Put values into the containers of a result, in the order of `leaves`."""
    if isinstance(result, Mapping):
        return {key: rebuilt(value, values) for key, value in result.items()}
    if isinstance(result, (tuple, list)):
        parts = [rebuilt(value, values) for value in result]
        if isinstance(result, tuple) and hasattr(result, "_make"):
            return result._make(parts)
        return parts if isinstance(result, list) else tuple(parts)
    return next(values)


def _leaf(value: Any, path: str, fn: Callable[..., Any], store: Store) -> Term | TermArray:
    numeric = isinstance(value, (numbers.Real, np.bool_)) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "fiubO"
    )
    if not numeric and not isinstance(value, (Term, TermArray)):
        raise TraceError(
            f"{_called(fn)} returned {value!r} of type {type(value).__name__} as {path}; return "
            "terms, arrays, numbers, or tuples, lists and dictionaries of them"
        )
    if isinstance(value, Term):
        return join(store, value)
    return plain(asarray(value, store))


def plain(value: TermArray) -> Term | TermArray:
    """Return an array of no dimension as its term."""
    return value if value.ids.ndim else value.item()


# -- places ----------------------------------------------------------------------------------


def _called(fn: Callable[..., Any]) -> str:
    return getattr(fn, "__qualname__", None) or repr(fn)


def _place(error: BaseException) -> str:
    """Return the line of the user's that an error comes from."""
    found = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in _OURS:
            code = frame.f_code
            text = linecache.getline(code.co_filename, line).strip()
            found = f"  in {code.co_name}, line {line}" + (f": {text}" if text else "")
    return found
