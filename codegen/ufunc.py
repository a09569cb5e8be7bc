"""True NumPy ufuncs from loops in memory, made through NumPy's C interface.

Relied on, and checked once: the positions of two functions in NumPy's table, and where a ufunc
keeps its counts, name and owner (`PyUFuncObject` in NumPy's header).
"""

import ctypes
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy._core import _multiarray_umath  # type: ignore[attr-defined]

from codegen.crew.loop import SpreadLoop
from codegen.engine import Code
from codegen.llvm.loop import Loop
from codegen.loops.loop import RolledLoop
from codegen.loops.program import Rolled
from codegen.program import Program
from rewrite.errors import TargetError

__all__ = ["array_function", "make_ufunc"]

_FROM_FUNC_AND_DATA: Final = 1
_WITH_SIGNATURE: Final = 31
_NO_IDENTITY: Final = -1


class _UFuncObject(ctypes.Structure):
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


@dataclass(frozen=True, eq=False)
class _Owner:
    """All memory that a ufunc points into; the ufunc holds the only reference."""

    loops: tuple[Loop | RolledLoop | SpreadLoop, ...]
    arrays: tuple[object, ...]
    driver: Code


def make_ufunc(
    program: Program | Rolled,
    loops: Sequence[Loop] | Sequence[RolledLoop] | Sequence[SpreadLoop],
    doc: str,
) -> np.ufunc:
    """Return a ufunc, or a gufunc where an operand has a core shape, that runs the loops.

    NumPy takes the first loop whose types its arguments cast to safely.
    """
    count = len(loops)
    run = loops[0].driver
    functions = (ctypes.c_void_p * count)(*[run.address] * count)
    data = (ctypes.c_void_p * count)(*(ctypes.addressof(loop.data) for loop in loops))
    types = ctypes.create_string_buffer(b"".join(loop.types() for loop in loops))
    name, text = program.name.encode(), doc.encode()
    sizes = (len(program.arguments), len(program.outputs))
    common = (functions, data, types, count, *sizes, _NO_IDENTITY, name, text, 0)
    made: np.ufunc
    if program.is_elementwise:
        made = _function(_FROM_FUNC_AND_DATA)(*common)
    else:
        made = _function(_WITH_SIGNATURE)(*common, _signature(program).encode())
    _adopt(made, _Owner(tuple(loops), (functions, data, types, name, text), run))
    return made


def _signature(program: Program | Rolled) -> str:
    """Return NumPy's text for core shapes with fixed sizes, such as '(3),(2,2)->()'."""
    sides = (program.arguments, program.outputs)
    shown = (",".join(f"({','.join(map(str, x.shape))})" for x in side) for side in sides)
    return "->".join(shown)


def _adopt(made: np.ufunc, owner: _Owner) -> None:
    """Give the ufunc its owner: NumPy drops `obj` with the ufunc, and the collector sees it."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))
    _UFuncObject.from_address(id(made)).obj = id(owner)
    if not gc.is_tracked(made):
        ctypes.pythonapi.PyObject_GC_Track(ctypes.py_object(made))


@cache
def _function(place: int) -> Any:
    """Return a constructor of NumPy's ufunc table, after checking what is relied on."""
    table = _check(ctypes.py_object(_multiarray_umath._UFUNC_API))
    arguments = [ctypes.c_void_p] * 3 + [ctypes.c_int] * 4 + [ctypes.c_char_p] * 2 + [ctypes.c_int]
    if place == _WITH_SIGNATURE:
        arguments.append(ctypes.c_char_p)
    return ctypes.PYFUNCTYPE(ctypes.py_object, *arguments)(table[place])


def array_function(place: int) -> int:
    """Return where a function of NumPy's table of arrays is."""
    _function(_FROM_FUNC_AND_DATA)
    return int(_table(ctypes.py_object(_multiarray_umath._ARRAY_API))[place])


def _check(capsule: "ctypes.py_object[Any]") -> Any:
    add = _UFuncObject.from_address(id(np.add))
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
