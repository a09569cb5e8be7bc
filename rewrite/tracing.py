"""Tracing: calling a Python function with symbols, to find the terms that it computes.

The function runs once, as it is. What a trace cannot record (a choice that depends on a value, a
NumPy function that terms lack) is an error that names the user's line.
"""

import inspect
import linecache
import numbers
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from rewrite.array import Element, TermArray, asarray
from rewrite.array.creation import unset
from rewrite.array.interning import UNSET
from rewrite.array.literal import built_under
from rewrite.errors import NumbersError, SortError, TraceError, UnsupportedOp
from rewrite.fastmath import FastMath, licence
from rewrite.store import Store, Symbol
from rewrite.surroundings import Surroundings
from rewrite.term import Term, current_store, join, scope

__all__ = [
    "OURS",
    "Traced",
    "call",
    "inputs",
    "is_container",
    "leaves",
    "plain",
    "rebuilt",
    "trace",
]

OURS: Final = ("rewrite", "strategies", "codegen", "numpy", "scipy")
"""Packages that are no code of the user's."""


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


def trace(
    fn: Callable[..., Any],
    args: Sequence[Any] | None = None,
    *,
    out: Collection[str] = (),
    math: str | FastMath = "guarded",
) -> Traced:
    """Call a function with symbols named after its parameters, and return the terms it computes.

    `args` has for each argument a symbol, an array of symbols, the shape of an array, a dtype, or
    None for a float of no dimension; parameters beyond them keep their defaults. By default
    each parameter is a float.

    Parameters named in `out` are arrays that the function fills in place, and are no arguments of
    what is traced: their terms are its result (a tuple of several). The function must write to each
    of their elements before it reads it, and return nothing, or them.

    `math` is the licence under which products with dense matrices of numbers are built: all but
    "strict" leave out their zeros, which a person writes to fill the places beside a band.

    >>> def f(x, y):
    ...     return x * y + 1
    >>> trace(f).result
    x*y + 1
    """
    names = _parameters(fn, None if args is None else len(args))
    store = current_store()
    specs = dict(zip(names, args or [None] * len(names), strict=True))
    given = inputs(specs, store, out)
    result = call(fn, given, {}, store, out=_filled_in(fn, names, given, out), math=math)
    kept = [value for name, value in zip(names, given, strict=True) if name not in out]
    return Traced(tuple(plain(value) for value in kept), result)


def _filled_in(
    fn: Callable[..., Any], names: Sequence[str], given: Sequence[Any], out: Collection[str]
) -> list[TermArray]:
    unknown = sorted(set(out) - set(names))
    if unknown:
        raise TraceError(f"{_called(fn)} has no argument {unknown[0]!r} to fill in")
    found = dict(zip(names, given, strict=True))
    return [found[name] for name in out]


def call(
    fn: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    store: Store,
    *,
    out: Sequence[TermArray] = (),
    math: str | FastMath = "guarded",
) -> Any:
    """Call a function on terms; return its result with every number a term of the store.

    It runs among stand-ins (see `rewrite.surroundings`). Where it writes terms to arrays of numbers
    around it, such as caches, it runs again with stand-ins for those.
    """
    around = Surroundings(fn, store)
    args = [value if _among(value, out) else _sealed(value) for value in args]
    kwargs = {k: v if _among(v, out) else _sealed(v) for k, v in kwargs.items()}
    try:
        try:
            result = _run(fn, args, kwargs, around, math)
        except NumbersError:
            if not around.found_arrays:
                raise
            for array in out:
                array.ids[...] = UNSET
            result = _run(fn, args, kwargs, Surroundings(fn, store, arrays=True), math)
        if out:
            result = _of_outputs(fn, result, out)
        found = [_leaf(value, path, fn, store) for path, value in leaves(result)]
    except (TraceError, UnsupportedOp, SortError) as error:
        place = _place(error)
        if place and place not in str(error):
            error.args = (f"{error}\n{place}", *error.args[1:])
        raise
    if not found:
        raise TraceError(f"{_called(fn)} returned no values: {result!r}")
    return rebuilt(result, iter(found))


def _run(
    fn: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], around: Surroundings,
    math: str | FastMath,
) -> Any:  # fmt: skip
    with around.entered(), built_under(licence(math)), scope(around.store):
        given = [around.of(value) for value in args]
        return around.of(fn)(*given, **{name: around.of(value) for name, value in kwargs.items()})


def _of_outputs(fn: Callable[..., Any], result: Any, out: Sequence[TermArray]) -> Any:
    """Return the arrays that a function filled in."""
    returned = [value for _, value in leaves(result)]
    if result is not None and not all(_among(value, out) for value in returned):
        raise TraceError(
            f"{_called(fn)} fills its arguments in place, and returned {result!r} beside them; "
            "return nothing, or leave out= away"
        )
    return out[0] if len(out) == 1 else tuple(out)


def inputs(specs: Mapping[str, Any], store: Store, out: Collection[str] = ()) -> list[TermArray]:
    """Make the arrays of symbols that stand for arguments; see `trace` for what a spec is.

    Those of `out` have no elements yet.
    """
    taken = set(specs)
    made: list[TermArray] = []
    # beside whole arrays a scalar is one number; alone it stands for any element of an array
    whole = any(isinstance(spec, (tuple, TermArray)) for spec in specs.values())
    scalar = TermArray if whole else Element
    for name, spec in specs.items():
        if name in out:
            made.append(unset(store, _shape_of(name, spec)))
        elif isinstance(spec, (Term, TermArray)):
            made.append(asarray(spec, store))
        elif isinstance(spec, tuple) and all(isinstance(n, numbers.Integral) for n in spec):
            made.append(_symbols(name, tuple(map(int, spec)), store, taken))
        else:
            symbol = Symbol(name, None if spec is None else _dtype(name, spec))
            made.append(scalar(store, np.array(store.symbol(symbol), np.int32)))
    return made


def _sealed(value: Any) -> Any:
    """Return an array of terms as one that cannot be written to, nor can its views.

    The caller would see it: NumPy would write to the caller's numbers.
    """
    if not isinstance(value, TermArray):
        return value
    ids = value.ids.view()
    ids.flags.writeable = False
    return type(value)(value.store, ids)


def _among(value: Any, arrays: Sequence[TermArray]) -> bool:
    return any(value is array for array in arrays)


def _shape_of(name: str, spec: Any) -> tuple[int, ...]:
    shape = spec.shape if isinstance(spec, TermArray) else spec
    if not isinstance(shape, tuple):
        raise TraceError(
            f"argument {name!r} is filled in: give the shape of an array, not {spec!r}"
        )
    return shape


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
    names = [name]
    if shape:
        places = [""]
        for length in shape:
            steps = [f"_{k}" for k in range(length)]
            places = [before + step for before in places for step in steps]
        gap = ""
        names = [name + place for place in places]
        while not taken.isdisjoint(names):
            gap += "_"
            names = [name + gap + place for place in places]
        taken.update(names)
    return TermArray(store, np.array(store.named(names), np.int32).reshape(shape))


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


def is_container(value: Any) -> bool:
    """Tell whether an argument is taken apart, being no array: as a dictionary or a named tuple.

    Tuples and lists are where their parts are of different shapes, are traced, or are taken apart
    themselves.
    """
    if isinstance(value, Mapping) or hasattr(value, "_make"):
        return True
    if not isinstance(value, (tuple, list)) or set(map(type, value)) <= {float, int}:
        return False
    if any(isinstance(part, (Term, TermArray)) or is_container(part) for part in value):
        return True
    return len({np.shape(part) for part in value}) > 1


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
    array = asarray(value, store)
    missing = np.argwhere(array.ids == UNSET)
    if len(missing):
        place = tuple(missing[0].tolist())
        raise TraceError(
            f"{_called(fn)} leaves {len(missing)} of {array.ids.size} elements of its {path} "
            f"without a value, the first at {place}; write to all, or start from np.zeros"
        )
    if not array.ids.flags.writeable:
        array = array.copy()
    return plain(array)


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
        if str(frame.f_globals.get("__name__")).partition(".")[0] not in OURS:
            code = frame.f_code
            text = linecache.getline(code.co_filename, line).strip()
            found = f"  in {code.co_name}, line {line}" + (f": {text}" if text else "")
    return found
