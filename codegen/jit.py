"""`jit`: compile an ordinary NumPy function by tracing it, once for each kind of call."""

import functools
import inspect
import pickle
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, overload

import numpy as np

from codegen.compile import compile_kernel
from codegen.content import Known, by_value, is_global
from codegen.cuda.auto import AutoKernel
from codegen.cuda.kernel import CudaKernel
from codegen.flow import compile_flow
from codegen.instruction import MOST_AXES
from codegen.jitcall import Call
from codegen.kernel import Kernel
from rewrite.array import TermArray
from rewrite.array.literal import in_trace
from rewrite.contentcache import digest
from rewrite.errors import ArgumentError, ElementError, TraceError
from rewrite.flow.body import Flow
from rewrite.flow.statements import interpret
from rewrite.options import configured, settled
from rewrite.surroundings import stand_in
from rewrite.term import Term, current_store, scope
from rewrite.tracing import Traced, call, inputs, leaves, plain, rebuilt

__all__ = ["Jitted", "jit"]

_ARRAY: Final = np.ndarray
_MOST_KINDS: Final = 1024
"""So many are told without a look at the signature: shapes may be without number."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A kernel, and how its results go back into what the function returns."""

    kernel: Kernel | CudaKernel | AutoKernel
    result: Any
    single: bool
    flat: tuple[int, ...]
    """Places of the arguments of more axes than kernels have: those are passed flat."""
    shapes: tuple[tuple[int, ...] | None, ...]
    """Of each result the axes that were made one, None where none were."""
    is_tuple: bool
    """Whether the kernel's results are the function's, in a tuple."""

    def __call__(self, values: list[Any], filled: tuple[Any, ...] = ()) -> Any:
        """Run; a function that fills arrays in returns nothing."""
        for place in self.flat:
            values[place] = np.reshape(values[place], -1)
        if filled:
            self._fill(values, filled)
            return None
        out = self.kernel(*values)
        if any(self.shapes):
            out = (out,) if self.single else out
            pairs = zip(out, self.shapes, strict=True)
            out = [x if to is None else x.reshape(*x.shape[:-1], *to) for x, to in pairs]
            out = out[0] if self.single else out
        if self.single:
            return out
        return tuple(out) if self.is_tuple else rebuilt(self.result, iter(out))

    def _fill(self, values: list[Any], filled: tuple[Any, ...]) -> None:
        """Write to arrays; those that have no flat view are written to afterwards."""
        pairs = zip(filled, self.shapes, strict=True)
        out = tuple([x if to is None else np.reshape(x, -1) for x, to in pairs])
        self.kernel(*values, out=out)
        for array, flat in zip(filled, out, strict=True):
            if array is not flat and not np.may_share_memory(array, flat):
                array[...] = flat.reshape(array.shape)


def _is_deep(value: Any) -> bool:
    """Tell whether an array of terms has more axes than an argument or result of a kernel."""
    return isinstance(value, TermArray) and value.ndim > MOST_AXES


def _is_flat(result: Any) -> bool:
    """Tell whether a result is a tuple of terms and arrays alone."""
    return type(result) is tuple and all(isinstance(x, (Term, TermArray)) for x in result)


def _folded(value: Any) -> Any:
    return value.reshape(-1) if _is_deep(value) else value


class Jitted:
    """A function that is traced and compiled on the first call of each kind.

    Calls are of one kind if they have the same arguments given, the same of them boolean, the
    same shapes where `arrays` or `out` names them, and the same values where `static` does. A call
    with terms runs the function itself, so that jitted functions can be used in others; so does one
    with numbers inside of a trace where the function uses terms of the one around it.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        options: Mapping[str, Any],
        arrays: Collection[str] = (),
        static: Collection[str] = (),
        out: Collection[str] = (),
        control_flow: bool = False,
    ) -> None:
        if not callable(fn):
            raise ArgumentError(f"{fn!r} is no function that could be traced")
        functools.update_wrapper(self, fn)
        self.fn, self.name = fn, _name(fn)
        self.options = dict(options)
        self.signature = _signature(fn)
        self.arrays, self.static = frozenset(arrays), frozenset(static)
        self.out = tuple(out)
        self.whole = False
        """Whether arrays are passed whole: the function was found to look at several elements."""
        self.control_flow = control_flow
        unknown = sorted({*arrays, *static, *out} - set(self.signature.parameters))
        if unknown:
            raise ArgumentError(f"{self.name} has no parameter {unknown[0]!r}")
        self._entries: dict[Any, _Entry] = {}
        self._quick: dict[Any, tuple[_Entry, list[Any]]] = {}
        """Kernel and defaults of calls with plain numbers in order, by `_kind`."""
        self._lock = threading.Lock()

    @property
    def kernels(self) -> list[Kernel | CudaKernel | AutoKernel]:
        """The kernels compiled so far, oldest first."""
        return [entry.kernel for entry in self._entries.values()]

    def __repr__(self) -> str:
        """Show the function and how many kernels it has."""
        return f"<jit {self.name}{self.signature}: {len(self._entries)} kernels>"

    def __copy__(self) -> "Jitted":
        """Return it, as functions are their own copies."""
        return self

    def __deepcopy__(self, memo: Any) -> "Jitted":
        """Return it."""
        return self

    def __reduce__(self) -> Any:
        """Pickle as functions are: by name where a module has it, else by what it is made of."""
        if is_global(self):
            return vars(self)["__qualname__"]
        parts = (self.fn, self.options, self.arrays, self.static, self.out, self.control_flow)
        return _rebuild, (by_value(parts),)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compile if this kind of call is new, then run."""
        quick = None if kwargs or not self._quick else self._quick.get(self._kind(args))
        if quick is not None:
            return quick[0]([*args, *quick[1]])
        call_ = self._bind(args, kwargs)
        if call_.symbolic:
            return stand_in(self.fn)(*args, **kwargs)
        try:
            entry = self._entry(call_)
        except (TraceError, ArgumentError) as error:
            if isinstance(error, ElementError) and self._widen(call_):
                return self(*args, **kwargs)
            if not in_trace():
                raise
            # it may use what a function around it is traced with
            return stand_in(self.fn)(*args, **kwargs)
        if not kwargs and not self.out and call_.is_plain(args) and len(self._quick) < _MOST_KINDS:
            self._quick[self._kind(args)] = entry, call_.values[len(args) :]
        return entry(call_.values, call_.filled)

    def _widen(self, call_: Call) -> bool:
        """Pass arrays whole from now on; return False if no argument is one, or all are already."""
        if self.arrays or self.whole or not any(map(np.ndim, call_.values)):
            return False
        self.whole = True
        self._quick.clear()
        return True

    def _entry(self, call_: Call) -> _Entry:
        """Return what such a call runs, compiled if it is new."""
        entry = self._entries.get(call_.key)
        if entry is None:
            with self._lock:
                entry = self._entries.get(call_.key)
                if entry is None:
                    entry = self._entries[call_.key] = self._compile(call_)
        return entry

    def kernel_of(self, *args: Any) -> Kernel | CudaKernel | AutoKernel | None:
        """Return the kernel that such a call runs, if it takes the arguments as they are."""
        entry = self._entry(self._bind(args, {}))
        return None if entry.flat or any(entry.shapes) else entry.kernel

    def _kind(self, args: tuple[Any, ...]) -> Any:
        """Return what tells calls apart: the types of numbers, and shapes of what goes in whole."""
        if self.whole or self.arrays:
            return tuple([(a.shape, a.dtype.char) if type(a) is _ARRAY else type(a) for a in args])
        return tuple([a.dtype.char if type(a) is _ARRAY else type(a) for a in args])

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Return the symbols and terms that a call with such arguments compiles."""
        call_ = self._bind(args, kwargs)
        try:
            return self._trace(call_)
        except ElementError:
            if not self._widen(call_):
                raise
            return self._trace(self._bind(args, kwargs))

    def _read(self, call_: Call) -> tuple[list[Any], Flow]:
        """Return the symbols, and the terms and loops that the source of the function says."""
        store = current_store()
        made = map(plain, inputs(call_.specs, store))
        given: Any = dict(zip(call_.specs, made, strict=True))
        args, kwargs = call_.arguments(given)
        return list(given.values()), interpret(self.fn, args, kwargs, store)

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return Call(self, bound)

    def _trace(self, call_: Call) -> Traced:
        store = current_store()
        given = dict(zip(call_.specs, inputs(call_.specs, store, self.out), strict=True))
        args, kwargs = call_.arguments(given)
        filled = [given.pop(name) for name in self.out]
        math = self.options.get("math", "guarded")
        result = call(self.fn, args, kwargs, store, out=filled, math=math)
        return Traced(tuple(plain(value) for value in given.values()), result)

    def _compile(self, call_: Call) -> _Entry:
        name = self.name.rpartition(".")[2]
        with scope():
            if self.control_flow:
                symbols, flow = self._read(call_)
                if flow.body.loops:
                    kernel = compile_flow(symbols, flow, **{"name": name, **self.options})
                    count = len(flow.body.results)
                    return _Entry(
                        kernel, flow.result, isinstance(flow.result, Term), (), (None,) * count,
                        _is_flat(flow.result),
                    )  # fmt: skip
                traced = Traced(tuple(symbols), flow.result)
            else:
                traced = self._trace(call_)
            exprs: Any = traced.result
            single = isinstance(exprs, (Term, TermArray))
            each = [exprs] if single else [value for _, value in leaves(exprs)]
            made = tuple(map(_folded, each))
            exprs = made[0] if single and not self.out else made
            options = {"name": name, **self.options}
            kernel = compile_kernel(list(map(_folded, traced.args)), exprs, **options)
        flat = tuple(place for place, arg in enumerate(traced.args) if _is_deep(arg))
        shapes = tuple(value.shape if _is_deep(value) else None for value in each)
        return _Entry(kernel, traced.result, single, flat, shapes, _is_flat(traced.result))


_READ: Final[Known[Jitted]] = Known()
"""Those that came by value: what is sent again with each of many tasks is traced once."""


def _rebuild(data: bytes) -> Jitted:
    return _READ.get(digest(data), lambda: Jitted(*pickle.loads(data)))


def _name(fn: Callable[..., Any]) -> str:
    """Return a name: of a partial function that of its function, of an object its type's."""
    if isinstance(fn, functools.partial):
        return _name(fn.func)
    return str(getattr(fn, "__qualname__", type(fn).__qualname__))


def _signature(fn: Callable[..., Any]) -> inspect.Signature:
    """Return the signature; of a ufunc its arguments, without `out` and the like."""
    found = inspect.signature(fn)
    if not isinstance(fn, np.ufunc):
        return found
    return found.replace(parameters=list(found.parameters.values())[: fn.nin])


@overload
def jit(fn: Callable[..., Any], /, **options: Any) -> Jitted: ...
@overload
def jit(
    *,
    target: Any = "native",
    math: Any = None,
    arrays: Collection[str] = (),
    static: Collection[str] = (),
    out: Collection[str] = (),
    control_flow: bool = False,
    **options: Any,
) -> Callable[[Callable[..., Any]], Jitted]: ...


@configured
def jit(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    target: Any = "native",
    math: Any = None,
    arrays: Collection[str] = (),
    static: Collection[str] = (),
    out: Collection[str] = (),
    control_flow: bool = False,
    **options: Any,
) -> Any:
    """Compile a NumPy function by tracing it on its first call; use it as a decorator.

    Arguments are numbers or arrays, over which the function is applied elementwise. If it looks at
    several elements (`u[1:]`, `np.roll`, `u.sum()`), arrays are passed whole, with one kernel for
    each shape. `arrays` names the parameters that are, from the first call on; others then stay
    elementwise. Dictionaries, named tuples, and tuples and lists whose parts have different shapes
    are taken apart. One
    named in `static`, and any string, None or function, keeps its value: there is a kernel for each
    (arrays, also in tuples, lists and dictionaries, are told by what is in them). One named in
    `out` is an array that the function fills in place, as in `f(du, u, p, t)`: a call writes to it
    and returns None. The function must write to all of it, and read none of what the caller left
    there; its other arrays are passed whole. The other options are those of `rw.compile`.

    NumPy code is traced as it is: arrays made by `np.zeros` and the like, copies, and arrays of
    floats around the function may be written to; see `rw.numpy_functions`. Arguments may not,
    but those of `out`. What the function does beside its results is done when it is traced, not
    in later calls; clocks and generators of random numbers that are around it are refused. Zeros of
    dense matrices of numbers are left out of products unless `math` is "strict", as `0*inf` then is
    no NaN. With `target="cuda"` or "auto", arrays on a device stay there. Options that no keyword
    gives are those in force where it is decorated (`rw.options`).

    With `control_flow` the source of the function is read instead, so that `if`, `while`, `for`,
    `break`, `continue` and `return` may depend on the arguments. Choices become `where`, loops are
    loops over whole vectors, whose lanes wait for each other; functions that it calls are read too.
    Numbers are floats, integers exact up to 2**53, and zero has a sign where it is a float; where
    Python raises, as in 1/0, there are infinities and NaN. `math` is "strict" then, unless it is
    given: a comparison may hang on the last bit. Raise `TraceError`, with the line, for what cannot
    be compiled.

    Raise `ArgumentError` for what is no parameter, and at a call for what is no real number.

    >>> import numpy as np, rewrite as rw
    >>> @rw.jit
    ... def f(x, y):
    ...     return np.where(x > y, x * x, np.sqrt(y))
    >>> f(np.array([1.0, 3.0]), 2.0).round(3)
    array([1.414, 9.   ])
    >>> @rw.jit(control_flow=True)
    ... def steps(n):
    ...     count = 0
    ...     while n != 1:
    ...         n = n // 2 if n % 2 == 0 else 3 * n + 1
    ...         count += 1
    ...     return count
    >>> steps([6, 7, 27])
    array([  8.,  16., 111.])
    """
    if control_flow and out:
        raise ArgumentError("out= is for functions that are traced, not with control_flow=True")
    for name, given in (("arrays", arrays), ("static", static), ("out", out)):
        if isinstance(given, str):
            raise ArgumentError(f"{name}={given!r}: pass a list of parameter names")
    math = ("strict" if control_flow else "guarded") if math is None else math
    options = settled({"target": target, "math": math, **options})
    if fn is None:
        return lambda function: Jitted(function, options, arrays, static, out, control_flow)
    return Jitted(fn, options, arrays, static, out, control_flow)
