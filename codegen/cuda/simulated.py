"""The words of written code on NumPy's scalars, for Numba's CUDA simulator, which runs Python."""

import ctypes
import ctypes.util
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

__all__ = ["c_library", "elements", "libm", "memory", "words"]


def words() -> dict[str, Any]:
    """Return the words; `fma` rounds once, as the C library's."""
    return {
        "mul": lambda a, b: a * b,
        "div": lambda a, b: a / b,
        "fma": _fma,
        "select": lambda mask, a, b: a if mask else b,
        "bits": lambda a: a.view(np.int64 if a.dtype == np.float64 else np.int32),
        "number": lambda a: a.view(np.float64 if a.dtype == np.int64 else np.float32),
        "both": lambda a, b: bool(a) and bool(b),
        "either": lambda a, b: bool(a) or bool(b),
        "differ": lambda a, b: bool(a) != bool(b),
        "negated": lambda a: not a,
        "whole": lambda a, b: a // b,
        "rest": lambda a, b: a % b,
        "sqrt": np.sqrt, "fabs": np.abs, "floor": np.floor, "ceil": np.ceil, "trunc": np.trunc,
        "rint": np.rint, "copysign": np.copysign,
    }  # fmt: skip


def memory() -> dict[str, Any]:
    """Return loads and stores of packs."""

    def load(pack: int) -> Callable[..., Any]:
        return lambda array, i: [array[pack * int(i) + lane] for lane in range(pack)]

    def store(array: Any, i: Any, *values: Any) -> None:
        for lane, value in enumerate(values):
            array[len(values) * int(i) + lane] = value

    def poke(array: Any, i: int, value: Any) -> None:
        array[i] = value

    return {
        "at": _at,
        "peek": lambda array, i: array[i],
        "poke": poke,
        "load2": load(2),
        "load4": load(4),
        "store2": store,
        "store4": store,
    }


def _at(array: Any, address: Any) -> Any:
    """Return an array like another one at an address, as memory is the host's."""
    first, last = np.lib.array_utils.byte_bounds(array._item._ary)
    start = int(address) + first - array.ctypes.data
    whole = (ctypes.c_char * (last - first)).from_address(start)
    return np.ndarray(array.shape, array.dtype, whole, int(address) - start, array.strides)


def elements(real: Any, most: int) -> dict[str, Any]:
    """Return the words of elements of arrays with up to so many axes."""

    def put(array: Any, *rest: Any) -> None:
        *index, value = rest
        array[tuple(index)] = value

    def number(array: Any, *index: Any) -> Any:
        return real(array[index])

    def truth(array: Any, *index: Any) -> Any:
        return array[index]

    found: dict[str, Callable[..., Any]] = {"real": number, "truth": truth, "put": put}
    return {f"{name}{n}": word for name, word in found.items() for n in range(1, most + 1)}


def libm(name: str) -> Callable[..., Any]:
    """Return a function of doubles of the C library, which raises nothing."""
    found = _c_function(name, 2 if name in ("pow", "atan2", "hypot", "fmod") else 1)
    return lambda *args: np.float64(found(*map(float, args)))


@cache
def c_library() -> ctypes.CDLL:
    """Return the C library's functions of numbers."""
    linux = sys.platform == "linux"
    return ctypes.CDLL("libm.so.6" if linux else ctypes.util.find_library("m"))


@cache
def _c_function(name: str, arity: int, kind: Any = ctypes.c_double) -> Any:
    found = c_library()[name]  # an object of its own, unlike an attribute
    found.restype, found.argtypes = kind, [kind] * arity
    return found


def _fma(a: Any, b: Any, c: Any) -> Any:
    if isinstance(a, np.float32):
        return np.float32(_c_function("fmaf", 3, ctypes.c_float)(a, b, c))
    return np.float64(_c_function("fma", 3)(a, b, c))
