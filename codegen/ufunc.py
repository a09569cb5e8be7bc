"""True NumPy ufuncs from loops in memory, made through NumPy's C interface."""

import ctypes
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from codegen.capi import FROM_FUNC_AND_DATA, WITH_SIGNATURE, UFuncObject, ufunc_function
from codegen.crew.loop import SpreadLoop
from codegen.engine import Code
from codegen.llvm.loop import Loop
from codegen.loops.loop import RolledLoop
from codegen.loops.program import Rolled
from codegen.program import Program

__all__ = ["make_ufunc"]

_NO_IDENTITY: Final = -1


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
        made = ufunc_function(FROM_FUNC_AND_DATA)(*common)
    else:
        made = ufunc_function(WITH_SIGNATURE)(*common, _signature(program).encode())
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
    UFuncObject.from_address(id(made)).obj = id(owner)
    if not gc.is_tracked(made):
        ctypes.pythonapi.PyObject_GC_Track(ctypes.py_object(made))
