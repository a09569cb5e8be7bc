"""`jit`: compile an ordinary NumPy function by tracing it, once for each kind of call."""

import functools
import inspect
import operator
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from codegen.kernel import Kernel
from codegen.pipeline import compile_kernel
from rewrite.array import TermArray
from rewrite.constants import constant_key
from rewrite.errors import ArgumentError, TraceError
from rewrite.term import Term, current_store, scope
from rewrite.tracing import Traced, call, inputs, is_tracing, leaves, plain, rebuilt

__all__ = ["Jitted", "jit"]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A kernel, and how its results go back into what the function returns."""

    kernel: Kernel
    result: Any
    single: bool

    def __call__(self, values: list[Any]) -> Any:
        """Run."""
        out = self.kernel(*values)
        return out if self.single else rebuilt(self.result, iter(out))


class Jitted:
    """A function that is traced and compiled on the first call of each kind.

    Calls are of one kind if they have the same arguments given, the same of them boolean, the
    same shapes where `arrays` names them, and the same values where `static` does. A call with
    terms runs the function itself, so that jitted functions can be used in others; so does one with
    numbers inside of a trace where the function uses terms of the one around it.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        options: Mapping[str, Any],
        arrays: Collection[str] = (),
        static: Collection[str] = (),
    ) -> None:
        functools.update_wrapper(self, fn)
        self.fn = fn
        self.options = dict(options)
        self.signature = inspect.signature(fn)
        self.arrays, self.static = frozenset(arrays), frozenset(static)
        unknown = sorted((self.arrays | self.static) - set(self.signature.parameters))
        if unknown:
            raise ArgumentError(f"{fn.__qualname__} has no parameter {unknown[0]!r}")
        self._entries: dict[Any, _Entry] = {}
        self._quick: dict[int, tuple[_Entry, list[Any]]] = {}
        """Number of arguments -> kernel and defaults, for calls with plain numbers in order."""
        self._lock = threading.Lock()

    @property
    def kernels(self) -> list[Kernel]:
        """The kernels compiled so far, oldest first."""
        return [entry.kernel for entry in self._entries.values()]

    def __repr__(self) -> str:
        """Show the function and how many kernels it has."""
        return f"<jit {self.fn.__qualname__}{self.signature}: {len(self._entries)} kernels>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compile if this kind of call is new, then run."""
        quick = None if kwargs else self._quick.get(len(args))
        if quick is not None and all(map(_is_plain, args)):
            return quick[0]([*args, *quick[1]])
        call_ = self._bind(args, kwargs)
        if call_.symbolic:
            return self.fn(*args, **kwargs)
        entry = self._entries.get(call_.key)
        if entry is None:
            try:
                with self._lock:
                    entry = self._entries.get(call_.key)
                    if entry is None:
                        entry = self._entries[call_.key] = self._compile(call_)
            except (TraceError, ArgumentError):
                if not is_tracing():
                    raise
                # it may use what a function around it is traced with
                return self.fn(*args, **kwargs)
        if not kwargs and not self.arrays | self.static and call_.is_plain(args):
            self._quick[len(args)] = entry, call_.values[len(args) :]
        return entry(call_.values)

    def trace(self, *args: Any, **kwargs: Any) -> Traced:
        """Return the symbols and terms that a call with such arguments compiles."""
        return self._trace(self._bind(args, kwargs))

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> "_Call":
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return _Call(self, bound)

    def _trace(self, call_: "_Call") -> Traced:
        store = current_store()
        given = inputs(call_.specs, store)
        args, kwargs = call_.arguments(given)
        result = call(self.fn, args, kwargs, store)
        return Traced(tuple(plain(value) for value in given), result)

    def _compile(self, call_: "_Call") -> _Entry:
        with scope():
            traced = self._trace(call_)
            exprs: Any = traced.result
            single = isinstance(exprs, (Term, TermArray))
            if not single:
                exprs = tuple(value for _, value in leaves(exprs))
            options = {"name": self.fn.__name__, **self.options}
            kernel = compile_kernel(list(traced.args), exprs, **options)
        return _Entry(kernel, traced.result, single)


class _Call:
    """The arguments of one call, sorted into traced and static ones."""

    __slots__ = ("bound", "key", "specs", "symbolic", "values")

    def __init__(self, jitted: Jitted, bound: inspect.BoundArguments) -> None:
        self.bound = bound
        self.values: list[Any] = []
        self.specs: dict[str, Any] = {}
        self.symbolic = False
        key: list[Any] = []
        for name, value, parameter in _flat(bound):
            if isinstance(value, (Term, TermArray)):
                self.symbolic = True
            elif parameter in jitted.static or _is_static(value):
                key.append((name, _key(value, name)))
            else:
                spec = _spec(name, value, parameter in jitted.arrays)
                self.specs[name] = spec
                self.values.append(value)
                key.append((name, spec))
        self.key = tuple(key)

    def is_plain(self, args: tuple[Any, ...]) -> bool:
        """Tell whether the arguments are numbers that come first and in order."""
        first = self.values[: len(args)]
        in_order = len(first) == len(args) and all(map(operator.is_, first, args))
        return in_order and all(map(_is_plain, args))

    def arguments(self, given: list[TermArray]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return what to call the function with: symbols in the place of numbers."""
        made = dict(zip(self.specs, given, strict=True))
        bound = self.bound
        values: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_POSITIONAL:
                values[name] = tuple(made.get(f"{name}_{k}", v) for k, v in enumerate(value))
            elif kind is inspect.Parameter.VAR_KEYWORD:
                values[name] = {key: made.get(key, v) for key, v in value.items()}
            else:
                values[name] = made.get(name, value)
        filled = inspect.BoundArguments(bound.signature, values)
        return filled.args, filled.kwargs


def _flat(bound: inspect.BoundArguments) -> list[tuple[str, Any, str]]:
    """Return (name, value, parameter) of all arguments, those of *args and **kwargs one by one."""
    found = []
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            found += [(f"{name}_{k}", each, name) for k, each in enumerate(value)]
        elif kind is inspect.Parameter.VAR_KEYWORD:
            found += [(key, each, name) for key, each in value.items()]
        else:
            found.append((name, value, name))
    return found


def _is_plain(value: Any) -> bool:
    """Tell at once of the commonest arguments that they are traced as a float."""
    kind = type(value)
    return kind is float or kind is int or (kind is np.ndarray and value.dtype.kind in "fiu")


def _is_static(value: Any) -> bool:
    return value is None or isinstance(value, str) or callable(value)


def _key(value: Any, name: str) -> Any:
    """Return what is equal for values that compile alike: 0.0 is not -0.0, and a NaN is itself."""
    if isinstance(value, tuple):
        return type(value), tuple([_key(part, name) for part in value])
    if isinstance(value, (float, np.float32, np.float16)):
        return type(value), constant_key(float(value))
    return type(value), _hashable(value, name)


def _hashable(value: Any, name: str) -> Any:
    try:
        hash(value)
    except TypeError:
        raise ArgumentError(
            f"the static argument {name!r} is {value!r}, which has no hash; pass a tuple"
        ) from None
    return value


def _spec(name: str, value: Any, whole: bool) -> Any:
    """Return what to trace an argument as: a float, a truth value, or an array of a shape."""
    if type(value) is float or type(value) is int:
        return None
    array = value if isinstance(value, np.ndarray) else np.asarray(value)
    if array.dtype.kind not in "fiub":
        hint = "; complex numbers are not supported, split them" if array.dtype.kind == "c" else ""
        raise ArgumentError(
            f"argument {name!r} is {value!r} of type {type(value).__name__}{hint}; pass real "
            f"numbers or arrays of them, or mark it: jit(static=[{name!r}])"
        )
    if whole:
        return array.shape
    return "bool" if array.dtype.kind == "b" else None


@overload
def jit(fn: Callable[..., Any], /) -> Jitted: ...
@overload
def jit(
    *,
    target: Any = "native",
    math: Any = "guarded",
    arrays: Collection[str] = (),
    static: Collection[str] = (),
    **options: Any,
) -> Callable[[Callable[..., Any]], Jitted]: ...


def jit(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    target: Any = "native",
    math: Any = "guarded",
    arrays: Collection[str] = (),
    static: Collection[str] = (),
    **options: Any,
) -> Any:
    """Compile a NumPy function by tracing it on its first call; use it as a decorator.

    Arguments are numbers or arrays, over which the function is applied elementwise. A parameter
    named in `arrays` is passed whole (one kernel for each shape), so that it can be
    indexed; one named in `static`, and any string, None or function, keeps its Python value. The
    other options are those of `rw.compile`.
    """
    for name, given in (("arrays", arrays), ("static", static)):
        if isinstance(given, str):
            raise ArgumentError(f"{name}={given!r}: pass a list of parameter names")
    options = {"target": target, "math": math, **options}
    if fn is None:
        return lambda function: Jitted(function, options, arrays, static)
    return Jitted(fn, options, arrays, static)
