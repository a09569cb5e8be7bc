"""Arguments of a call: what float64 cannot hold is refused with the argument's name.

NumPy casts 64-bit integers to float64 as if that were safe. The common call pays for the look with
some nanoseconds in machine code (`codegen.llvm.guard`); where CPython or NumPy lay out their
objects in a way that is not known here, every call takes the closer look of `Closer`.
"""

import ctypes
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from codegen.coder import once
from codegen.containers.registry import library_of
from codegen.engine import Code, load, object_code
from codegen.failure import Failure
from codegen.llvm import builtin
from codegen.llvm.builtin import CPython
from codegen.llvm.guard import GUARD, LARGEST, Direct, emit_guard
from codegen.loops.program import Rolled
from codegen.namespace import brought, given_back, namespace_of
from codegen.program import Argument, Program
from codegen.target import host
from rewrite.errors import ArgumentError, ArgumentTypeError

__all__ = ["CASTS", "BuiltinMaker", "Closer", "address_of", "guard_maker", "guarded", "layout"]

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


def guarded(
    call: Callable[..., Any], program: Program | Rolled, failure: Failure, *, narrow: bool,
    quick: Callable[..., Any] | None = None, direct: Direct | None = None,
    others: Others | None = None, large: tuple[Callable[..., Any], int] | None = None,
) -> Callable[..., Any]:  # fmt: skip
    """Return the callable behind a look at its arguments.

    What is called `narrow` rounds to float32 whatever it is given, as its caller has asked for;
    `quick` is called instead where nothing has to be rounded; `direct` says how single numbers of
    float64 are computed without NumPy, and what it points to has to live as long as `call`.
    `others` is called where arguments are arrays of a library with names, an index or blocks.
    `large` is called instead of `call` where there may be so many elements.
    """
    spread, least = large or (call, 0)
    closer = Closer(spread, program.name, program.arguments, narrow, failure, others)
    made = guard_maker(narrow=quick is not None, sized=large is not None)
    if made is None:
        return closer
    told = direct or Direct(takes=-1)
    told.least, told.failures = least, failure.address
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
    """Makes builtin functions of machine code."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._definition = _MethodDef(b"kernel", code.address, _FASTCALL_WITH_KEYWORDS, None)
        prototype = ctypes.PYFUNCTYPE(
            ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p
        )
        self._make = prototype(("PyCFunction_NewEx", ctypes.pythonapi))

    def __call__(self, *held: object) -> Callable[..., Any]:
        """Return a function whose first argument is a tuple of what it holds."""
        place = ctypes.addressof(self._definition)
        # the last keeps the code: threads that begin together may have made two
        made: Callable[..., Any] = self._make(place, (*held, self), None)
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
            known, numbers=_bits("biu", 1, 2) | _bits("f", 2, 4), signed=0, unsigned=0,
            int64_type=0, quick_types=tuple(map(id, (float, bool, np.float32))),
        )  # fmt: skip
    text = emit_guard(host(), known, sized=sized)
    return BuiltinMaker(load(object_code(text, host()), GUARD, host()))


def layout() -> CPython | None:
    """Return where this process has what the guard reads, or nothing if that is not known."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    arrays = [np.arange(2).astype(kind) for kind in "?bBhHiIlLqQefdgFDGOSUV"]
    number = np.int64(-(5**23))
    samples = [1.5, 3, True, (1, 2), np.float64(1), np.float32(1), number, *arrays]
    if not all(_word(sample, builtin.TYPE_AT) == id(type(sample)) for sample in samples):
        return None
    if not all(_holds_double(sample) for sample in (1.5, np.float64(1.5))):
        return None
    items_at, bytes_at, text = tuple.__basicsize__, bytes.__basicsize__ - 1, b"some bytes"
    if ctypes.string_at(id(text) + bytes_at, len(text)) != text:
        return None
    pair = (arrays[0], arrays[1])
    pairs_known = [_word(pair, items_at + 8 * k) for k in range(2)] == list(map(id, pair))
    integer = ctypes.c_int64.from_address(id(number) + builtin.INT64_AT).value
    if not pairs_known or integer != number or not all(map(_is_known, arrays)):
        return None

    return CPython(
        vectorcall=address_of("PyObject_Vectorcall"),
        long_as_long=address_of("PyLong_AsLongLongAndOverflow"),
        error_matches=address_of("PyErr_ExceptionMatches"),
        error_clear=address_of("PyErr_Clear"),
        type_error=id(TypeError),
        quick_types=tuple(map(id, (float, np.float64, bool, np.float32))),
        int_type=id(int),
        int64_type=id(np.int64),
        array_type=id(np.ndarray),
        items_at=items_at,
        numbers=_bits("biuf", 1, 2, 4) | _bits("f", 8),
        signed=_bits("i", 8),
        unsigned=_bits("u", 8),
        float_types=tuple(map(id, (float, np.float64))),
        new_object=address_of("PyType_GenericAlloc"),
        result_type=id(np.float64),
        decrement=address_of("Py_DecRef"),
        bytes_at=bytes_at,
    )


def _bits(kinds: str, *sizes: int) -> int:
    """Return the set of NumPy's type numbers of some kinds and sizes, as bits."""
    dtypes = [np.dtype(letter) for letter in "?bBhHiIlLqQefd"]
    return sum({1 << d.num for d in dtypes if d.kind in kinds and d.itemsize in sizes})


def _is_known(array: "NDArray[Any]") -> bool:
    """Tell whether an array and its dtype are laid out as the guard reads them."""
    dtype = array.dtype
    number = ctypes.c_int.from_address(id(dtype) + builtin.NUMBER_AT).value
    order = ctypes.c_char.from_address(id(dtype) + builtin.ORDER_AT).value
    strange = dtype.newbyteorder()
    other = ctypes.c_char.from_address(id(strange) + builtin.ORDER_AT).value
    sizes, strides = (_word(array, builtin.SIZES_AT + k) or 0 for k in (0, 8))
    if sizes + 8 * array.ndim != strides:  # before reading there: they are in one block
        return False
    size = ctypes.c_int64.from_address(sizes).value
    seen = (
        _word(array, builtin.DTYPE_AT),
        _word(array, builtin.DATA_AT),
        ctypes.c_int.from_address(id(array) + builtin.RANK_AT).value,
        ctypes.c_int.from_address(id(array) + builtin.FLAGS_AT).value & builtin.SIMPLE,
        (number, order, other, size),
    )
    expected = (dtype.num, dtype.byteorder.encode(), strange.byteorder.encode(), len(array))
    return seen == (id(dtype), array.ctypes.data, array.ndim, builtin.SIMPLE, expected)


def _holds_double(sample: float) -> bool:
    """Tell whether a number is what the guard reads and makes: a head and a double."""
    value = ctypes.c_double.from_address(id(sample) + builtin.FLOAT_AT).value
    return value == sample and type(sample).__basicsize__ == builtin.FLOAT_AT + 8


def _word(sample: object, offset: int) -> int | None:
    return ctypes.c_void_p.from_address(id(sample) + offset).value


def address_of(name: str) -> int:
    """Return where a function of CPython is."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0
