"""Arguments of a call: what float64 cannot hold is refused with the argument's name.

NumPy casts 64-bit integers to float64 as if that were safe. The common call pays for the look with
some nanoseconds in machine code (`codegen.llvm.guard`); where CPython or NumPy lay out their
objects in a way that is not known here, every call takes the closer look of `Closer`.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codegen.coder import once
from codegen.containers.registry import library_of
from codegen.engine import load, object_code
from codegen.failure import Failure
from codegen.layout import layout, type_bits
from codegen.llvm.builtin import CPython
from codegen.llvm.guard import GUARD, emit_guard
from codegen.llvm.known import LARGEST, Known
from codegen.loops.program import Rolled
from codegen.namespace import brought, given_back, namespace_of
from codegen.program import Argument, Program
from codegen.store.objects import kept_object
from codegen.target import host
from rewrite.errors import ArgumentError, ArgumentTypeError

__all__ = ["CASTS", "BuiltinMaker", "Closer", "guard_maker", "guarded"]

type Others = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]

_FASTCALL_WITH_KEYWORDS: Final = 0x80 | 0x02
_HINTS: Final = {
    "c": "pass {0}.real and {0}.imag apart",
    "f": "cast it to what kernels compute in: {}.astype(float)",
    "m": "divide {} by a unit, such as np.timedelta64(1, 's')",
    "M": "subtract a time from {} and divide by a unit, such as np.timedelta64(1, 's')",
}
_HINT: Final = "pass numbers: {}.astype(float) where all of it are such"
_EXACT: Final = "?bBhHiIefd"  # by NumPy's letters
CASTS: Final = ("dtype", "signature", "casting")
"""Keywords that say what is computed in, the same for every piece of the arguments."""
_FEW: Final = 16
_NEVER: Final = 1 << 62


def guarded(
    call: Callable[..., Any], program: Program | Rolled, failure: Failure, *, narrow: bool,
    quick: Callable[..., Any] | None = None, known: Known | None = None,
    others: Others | None = None, large: tuple[Callable[..., Any], int] | None = None,
) -> Callable[..., Any]:  # fmt: skip
    """Return the callable behind a look at its arguments.

    What is called `narrow` rounds to float32 whatever it is given, as its caller has asked for;
    `quick` is called instead where nothing has to be rounded; `known` says how numbers and arrays
    that lie alike are computed without NumPy's ufunc, and what it points to has to live as long as
    `call`. `others` is called where arguments are arrays of a library with names, an index or
    blocks, and `large` instead of `call` where there may be so many elements.
    """
    spread, least = large or (call, 0)
    closer = Closer(spread, program.name, program.arguments, narrow, failure, others)
    made = guard_maker(narrow=quick is not None, sized=large is not None)
    if made is None:
        return closer
    told = known or Known(takes=-1)
    told.least, told.failures = (least if large else _NEVER), failure.address
    return made(quick or call, closer, bytes(told), failure.raised, spread)


@dataclass(frozen=True)
class Closer:
    """Look at each argument's value where its type does not say enough, and name what is wrong."""

    call: Callable[..., Any]
    name: str
    arguments: tuple[Argument, ...]
    narrow: bool
    failure: Failure
    others: Others | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call unless an argument would be rounded; `casting="unsafe"` asks for that."""
        if self.others is not None and (library := library_of(args)) is not None:
            return self.others(library, args, kwargs)
        space = namespace_of(args)
        if space is not None:
            return given_back(self(*brought(args, self.name), **kwargs), space)
        if not kwargs or kwargs.get("casting") != "unsafe":
            wide = self.narrow or (bool(kwargs) and not kwargs.keys().isdisjoint(CASTS))
            seen = [
                arg if part.type == "f" and _is_exact(arg) else self.seen(arg, part, wide)
                for arg, part in zip(args, self.arguments, strict=False)  # NumPy counts them
            ]
            args = (*seen, *args[len(seen) :])
        return self.failure.watched(self.call, *args, **kwargs)

    def seen(self, value: Any, argument: Argument, wide: bool) -> Any:
        """Return what to call with, or raise what names the argument.

        Types of others that take part in NumPy's calls decide for themselves.
        """
        if isinstance(value, int) and argument.type == "f":
            return value if abs(value) <= LARGEST else self.large(value, argument)
        ours = isinstance(value, (np.ndarray, np.generic))
        if not ours and hasattr(type(value), "__array_ufunc__"):
            return value
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ArgumentError(f"{self.of(argument)} is no array: {error}") from None
        kind, size = array.dtype.kind, array.dtype.itemsize
        if argument.type == "b":
            if kind != "b":
                raise self.mistake(
                    value, array, argument, "a truth value", "compare first: {} != 0"
                )
        elif kind not in "biuf" or (kind == "f" and size > 8 and not wide):
            raise self.mistake(value, array, argument, "a float64", _HINTS.get(kind, _HINT))
        elif kind in "iu" and size == 8 and not self.narrow:
            odd = _first_rounded(array)
            if odd is not None:
                cast = "{}.astype(float)" if ours else "np.asarray({}, float)"
                raise self.rounded(odd, array.dtype.name, argument, cast)
        return value if ours else array

    def large(self, value: int, argument: Argument) -> int | float:
        """Return a Python integer, as a float where NumPy has no integer for it."""
        try:
            rounded = float(value)
        except OverflowError:
            rounded = np.inf
        if rounded != value and not self.narrow:
            raise self.rounded(value, "int", argument, "float({})")
        return value if -(1 << 63) <= value < 1 << 63 else rounded

    def rounded(self, value: int, kind: str, argument: Argument, cast: str) -> ArgumentError:
        """Say which integer is too large."""
        return ArgumentError(
            f"{self.of(argument)} holds the integer {_short(value)} ({kind}), which float64 would "
            f"round; if that is fine, cast it yourself: {cast.format(argument.name)}"
        )

    def mistake(
        self, value: Any, array: "NDArray[Any]", argument: Argument, wanted: str, hint: str
    ) -> ArgumentTypeError:
        """Say which type does not fit."""
        what = "is an array" if isinstance(value, np.ndarray) else f"is {_short(value)},"
        return ArgumentTypeError(
            f"{self.of(argument)} {what} of dtype {array.dtype}, which does not safely become "
            f"{wanted}; {hint.format(argument.name)}"
        )

    def of(self, argument: Argument) -> str:
        """Name the place."""
        return f"argument {argument.name!r} of kernel {self.name!r}"


def _is_exact(value: Any) -> bool:
    """Tell of the commonest types at once that float64 holds all their numbers."""
    kind = type(value)
    return kind is float or (kind is np.ndarray and value.dtype.char in _EXACT)


def _first_rounded(array: "NDArray[Any]") -> int | None:
    """Return the first of 64-bit integers that float64 does not hold."""
    if array.size <= _FEW:  # two reductions would take longer
        return next((x for x in array.ravel().tolist() if abs(x) > LARGEST and float(x) != x), None)
    if -LARGEST <= int(array.min()) and int(array.max()) <= LARGEST:
        return None
    large = array[(array > LARGEST) | (array < -LARGEST)]
    rounded = large.astype(np.float64)
    fits = rounded < 2.0 ** (63 if array.dtype.kind == "i" else 64)
    back = np.where(fits, rounded, 0.0).astype(large.dtype)
    odd = large[back != large]
    return int(odd[0]) if odd.size else None


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python writes no integers of more than some thousand digits
        return f"{'-' if value < 0 else ''}2**{value.bit_length() - 1} and more"
    return text if len(text) <= 60 else f"{text[:57]}..."


class _MethodDef(ctypes.Structure):
    """CPython's `PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


class BuiltinMaker:
    """Makes builtin functions of machine code, which is on disk from the second process on."""

    def __init__(self, name: str, python: CPython, *options: str, text: Callable[[], str]) -> None:
        def made() -> bytes:
            return object_code(text(), host())

        parts = (name, *python.parts(), *options)
        code = self._code = load(kept_object(host(), lambda: parts, made), name, host())
        self._words = python.words()
        self._definition = _MethodDef(b"kernel", code.address, _FASTCALL_WITH_KEYWORDS, None)
        prototype = ctypes.PYFUNCTYPE(
            ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
        )
        self._make = prototype(("PyCFunction_NewEx", ctypes.pythonapi))

    def __call__(self, *held: object) -> Callable[..., Any]:
        """Return a function whose first argument is a tuple of what it holds."""
        place = ctypes.addressof(self._definition)
        # the last keeps the code: threads that begin together may have made two
        made: Callable[..., Any] = self._make(place, (*held, self._words, self), None)
        return made


@once
def guard_maker(*, narrow: bool, sized: bool) -> BuiltinMaker | None:
    """Compile the guard, once per process, or find that it cannot be.

    A `narrow` one lets through what is cast to float32 safely, a `sized` one counts elements.
    """
    known = layout()
    if known is None:
        return None
    if narrow:
        known = replace(
            known, numbers=type_bits("biu", 1, 2) | type_bits("f", 2, 4), signed=0, unsigned=0,
            int64_type=0, quick_types=(id(float), id(bool), id(np.float32), id(np.float32)),
        )  # fmt: skip
    text = partial(emit_guard, host(), known, sized=sized)
    return BuiltinMaker(GUARD, known, f"sized {sized}", text=text)
