"""Functions of CPython and of NumPy's C interface, by their addresses.

Relied on, and checked once: the positions of some functions in NumPy's tables, and where a ufunc
keeps its counts, name and owner (`PyUFuncObject` in NumPy's header).
"""

import ctypes
from functools import cache
from typing import Any, Final

import numpy as np
from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

from rewrite.errors import TargetError

__all__ = ["FROM_FUNC_AND_DATA", "WITH_SIGNATURE", "UFuncObject", "address_of", "array_function",
           "ufunc_function"]  # fmt: skip

FROM_FUNC_AND_DATA: Final = 1
WITH_SIGNATURE: Final = 31


class UFuncObject(ctypes.Structure):
    """The head of NumPy's `PyUFuncObject`."""

    _fields_ = (
        ("ob_refcnt", ctypes.c_ssize_t),
        ("ob_type", ctypes.c_void_p),
        ("nin", ctypes.c_int),
        ("nout", ctypes.c_int),
        ("nargs", ctypes.c_int),
        ("identity", ctypes.c_int),
        ("functions", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("ntypes", ctypes.c_int),
        ("reserved1", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("types", ctypes.c_void_p),
        ("doc", ctypes.c_char_p),
        ("ptr", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("userloops", ctypes.c_void_p),
        ("core_enabled", ctypes.c_int),
    )


def address_of(name: str) -> int:
    """Return where a function of CPython is."""
    return ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0


@cache
def ufunc_function(place: int) -> Any:
    """Return a constructor of NumPy's ufunc table, after checking what is relied on."""
    table = _check(ctypes.py_object(_multiarray_umath._UFUNC_API))
    arguments = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 4 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
    if place == WITH_SIGNATURE:
        arguments.append(ctypes.c_char_p)
    return ctypes.PYFUNCTYPE(ctypes.py_object, *arguments)(table[place])


def array_function(place: int) -> int:
    """Return where a function of NumPy's table of arrays is."""
    ufunc_function(FROM_FUNC_AND_DATA)
    return int(_table(ctypes.py_object(_multiarray_umath._ARRAY_API))[place])


def _check(capsule: "ctypes.py_object[Any]") -> Any:
    add = UFuncObject.from_address(id(np.add))
    seen = (add.nin, add.nout, add.nargs, add.ntypes, add.name, add.core_enabled)
    expected = (2, 1, 3, np.add.ntypes, b"add", 0)
    if seen != expected or int(np.__version__.partition(".")[0]) != 2:
        raise TargetError(
            f"NumPy {np.__version__} lays out its ufuncs in a way that is not known here "
            f"({seen} instead of {expected}); install numpy>=2.0,<3"
        )
    return _table(capsule)


def _table(capsule: "ctypes.py_object[Any]") -> Any:
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype = ctypes.POINTER(ctypes.c_void_p)
    pointer_of.argtypes = [ctypes.py_object, ctypes.c_char_p]
    return pointer_of(capsule, name_of(capsule))
