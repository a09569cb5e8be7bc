"""The arguments of a call to a jitted function: which are traced, as what, and which are known."""

import inspect
import operator
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final, Protocol

import numpy as np

from codegen.containers.registry import described as container
from codegen.cuda.arrays import described, is_on_device
from rewrite.array import TermArray
from rewrite.constants import constant_key
from rewrite.errors import ArgumentError
from rewrite.term import Term
from rewrite.tracing import is_container

__all__ = ["Call"]

_NO_WORD: Final = re.compile(r"\W")
_PLAIN: Final = "efdgilqILQ"
"""NumPy's letters of the numbers that go into kernels as they are."""
_SMALL: Final = "bhBH"
"""Those of integers that kernels, as ufuncs do, would compute in float32."""


class Callee(Protocol):
    """What a function says of its parameters: see `rw.jit`."""

    arrays: frozenset[str]
    static: frozenset[str]
    out: tuple[str, ...]
    whole: bool
    control_flow: bool


class Call:
    """The arguments of one call, sorted into traced and static ones."""

    __slots__ = ("bound", "filled", "key", "specs", "static", "symbolic", "values")

    def __init__(self, jitted: Callee, bound: inspect.BoundArguments) -> None:
        self.bound, self.static = bound, jitted.static
        self.values: list[Any] = []
        self.specs: dict[str, Any] = {}
        self.symbolic = False
        outputs: dict[str, Any] = {}
        key: list[Any] = []
        for name, value, parameter in _flat(bound, jitted.static):
            if isinstance(value, (Term, TermArray)):
                self.symbolic = True
            elif parameter in jitted.out:
                self.specs[name], outputs[name] = _filled(name, value), value
                key.append((name, self.specs[name]))
            elif parameter in jitted.static or _is_static(value):
                key.append((name, _key(value, name)))
            else:
                whole = jitted.whole or parameter in jitted.arrays
                whole = whole or (bool(jitted.out) and isinstance(value, np.ndarray))
                self.specs[name] = _spec(
                    name, value, whole, integers=jitted.control_flow, parameter=parameter
                )
                self.values.append(value)
                key.append((name, self.specs[name]))
        self.values = _widened(self.values, always=jitted.control_flow)
        self.key = tuple(key)
        self.filled = tuple(outputs[name] for name in jitted.out if name in outputs)

    def is_plain(self, args: tuple[Any, ...]) -> bool:
        """Tell whether the arguments are numbers that come first and in order."""
        first = self.values[: len(args)]
        in_order = len(first) == len(args) and all(map(operator.is_, first, args))
        return in_order and all(map(_is_plain, args))

    def arguments(
        self, made: Mapping[str, TermArray]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:  # fmt: skip
        """Return what to call the function with: symbols in the place of numbers."""
        values = _walked(self.bound, self.static, lambda name, value, _: made.get(name, value))
        filled = inspect.BoundArguments(self.bound.signature, values)
        return filled.args, filled.kwargs


def _flat(
    bound: inspect.BoundArguments, static: Collection[str]
) -> list[tuple[str, Any, str]]:  # fmt: skip
    """Return (name, value, parameter) of all arguments, and the types of containers among them."""
    found: list[tuple[str, Any, str]] = []
    _walked(bound, static, lambda *each: found.append(each))
    return found


def _walked(
    bound: inspect.BoundArguments, static: Collection[str], visit: Callable[[str, Any, str], Any]
) -> dict[str, Any]:
    """Return the arguments with what `visit(name, value, parameter)` makes of their parts.

    Parts are the arguments of *args and **kwargs, and those of containers but static ones.
    """
    taken: set[str] = set()

    def leaf(name: str, value: Any, parameter: str) -> Any:
        while name in taken:
            name += "_"
        taken.add(name)
        return visit(name, value, parameter)

    def walk(name: str, value: Any, parameter: str) -> Any:
        if parameter in static or not is_container(value):
            return leaf(name, value, parameter)
        leaf(name, type(value), parameter)
        return parts(name + "_", value, parameter)

    def parts(prefix: str, value: Any, parameter: str) -> Any:
        if isinstance(value, Mapping):
            pairs = value.items()
            return {k: walk(_NO_WORD.sub("_", f"{prefix}{k}"), v, parameter) for k, v in pairs}
        fields = getattr(value, "_fields", range(len(value)))
        made = [walk(f"{prefix}{k}", v, parameter) for k, v in zip(fields, value, strict=True)]
        return type(value)._make(made) if hasattr(value, "_make") else type(value)(made)

    values: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            values[name] = parts(f"{name}_", value, name)
        elif kind is inspect.Parameter.VAR_KEYWORD:
            values[name] = parts("", value, name)
        else:
            values[name] = walk(name, value, name)
    return values


def _is_plain(value: Any) -> bool:
    """Tell at once of the commonest arguments that they are traced as a float."""
    kind = type(value)
    return kind is float or kind is int or (kind is np.ndarray and value.dtype.char in _PLAIN)


def _widened(values: list[Any], *, always: bool) -> list[Any]:
    """Return arguments with small integers as float64: float32 rounds what they add up to.

    Beside arrays of float32 they stay what they are unless `always`, as in NumPy.
    """
    letters = [getattr(getattr(value, "dtype", None), "char", "") for value in values]
    if not any(letter and letter in _SMALL for letter in letters):
        return values
    if not always and any(letter and letter in "ef" for letter in letters):
        return values
    pairs = zip(values, letters, strict=True)
    return [x.astype(np.float64) if letter and letter in _SMALL else x for x, letter in pairs]


def _is_static(value: Any) -> bool:
    return value is None or isinstance(value, str) or callable(value)


def _key(value: Any, name: str) -> Any:
    """Return what is equal for values that compile alike: 0.0 is not -0.0, and a NaN is itself."""
    if isinstance(value, (tuple, list)):
        return type(value), tuple([_key(part, name) for part in value])
    if isinstance(value, dict):
        return dict, tuple([(key, _key(part, name)) for key, part in value.items()])
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return value.shape, value.dtype.str, value.tobytes()
    if hasattr(value, "tocsr"):
        rows = value.tocsr()
        parts = (rows.data, rows.indices, rows.indptr)
        return type(value), value.shape, *(_key(part, name) for part in parts)
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


def _filled(name: str, value: Any) -> tuple[int, ...]:
    """Return the shape of an argument that the function fills in."""
    if is_on_device(value):
        return described(value)[0]
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f":
        raise ArgumentError(
            f"argument {name!r} is filled in: pass an array of floats, not {value!r}"
        )
    return tuple(value.shape)


def _numbers(value: Any) -> Any:
    """Return an array, of objects where parts have different shapes."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.asarray(None)


def _spec(
    name: str, value: Any, whole: bool, *, integers: bool = False, parameter: str | None = None
) -> Any:
    """Return what to trace an argument as: a float, a truth value, or an array of a shape.

    With `integers` those are told from floats: their division with rest is simpler.
    """
    if type(value) is float or type(value) is int:
        return "int64" if integers and type(value) is int else None
    known = described(value) if is_on_device(value) else container(value)
    if known is not None:
        shape, is_truth = known
        return shape if whole else "bool" if is_truth else None
    array = value if isinstance(value, np.ndarray) else _numbers(value)
    if array.dtype.kind not in "fiub":
        hint = "; complex numbers are not supported, split them" if array.dtype.kind == "c" else ""
        raise ArgumentError(
            f"argument {name!r} is {value!r} of type {type(value).__name__}{hint}; pass real "
            f"numbers or arrays of them, or mark it: jit(static=[{(parameter or name)!r}])"
        )
    if whole:
        return array.shape
    if integers and array.dtype.kind in "iu":
        return "int64"
    return "bool" if array.dtype.kind == "b" else None
