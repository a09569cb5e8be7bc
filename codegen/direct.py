"""Calls of one point that go past NumPy's ufunc machinery, in machine code (`llvm.direct`).

They compute what the ufunc computes, by the same loop: only exact arrays take this way.
"""

import ctypes
import sys
from collections.abc import Callable
from math import prod
from typing import Any, Final

import numpy as np

from codegen.coder import once
from codegen.engine import load, object_code
from codegen.guarded import BuiltinMaker, address_of, layout
from codegen.llvm.builtin import SIMPLE, WRITEABLE
from codegen.llvm.direct import DIRECT, DirectData, DirectEntry, Python, emit_direct
from codegen.llvm.guard import MOST_NUMBERS, Direct
from codegen.llvm.loop import Loop
from codegen.loops.loop import RolledLoop
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import host
from codegen.ufunc import array_function

__all__ = ["direct", "direct_numbers", "point_maker"]

_MOST: Final = 32
"""Operands of a kernel."""
_RELEASED: Final = 500
"""Cells from which on other threads may run meanwhile, as in NumPy."""
_KINDS: Final[dict[int, np.dtype[Any]]] = {
    kind.num: kind for kind in map(np.dtype, (np.bool_, np.float32, np.float64))
}
_ARRAY_NEW: Final = 93
"""The place of `PyArray_New` in NumPy's table."""


def direct(
    call: Callable[..., Any], program: Program | Rolled, loop: Loop | RolledLoop, owner: object
) -> Callable[..., Any]:
    """Return what calls the loop for one point of exact arrays, and `call` in all other cases.

    The `owner` keeps the loop in memory. It is `call` alone where points have no axes, where there
    are several results, or where CPython lays out its objects in a way that is not known here.
    """
    function = None
    if not program.is_elementwise and len(program.outputs) == 1:
        if len(program.operands) <= _MOST:
            function = point_maker()
    if function is None:
        return call
    return function(call, _description(program, loop), owner)


def direct_numbers(program: Program | Rolled, loop: Loop | RolledLoop) -> Direct | None:
    """Say how the guard runs the loop for single numbers, where all operands are such of float64.

    What it says holds as long as the loop is in memory.
    """
    if not program.is_elementwise or len(program.outputs) != 1:
        return None
    if len(program.arguments) > MOST_NUMBERS:
        return None
    # of loops over tables none, and of others those without truth values
    if not isinstance(loop, Loop) or loop.dtype != "f64" or len(set(loop.types())) != 1:
        return None
    takes, data = len(program.arguments), ctypes.addressof(loop.data)
    return Direct(takes=takes, driver=loop.driver.address, data=data)


def _description(program: Program | Rolled, loop: Loop | RolledLoop) -> bytes:
    """Put together what the machine code reads: operands, their entries, and NumPy's steps."""
    operands, inputs = program.operands, len(program.arguments)
    kinds = [_KINDS[number] for number in loop.types()]
    entries = (DirectEntry * len(operands))()
    outer, inner = list[int](), list[int]()
    for number, (operand, kind) in enumerate(zip(operands, kinds, strict=True)):
        shape, size = operand.shape, kind.itemsize * prod(operand.shape)
        needed = SIMPLE | (WRITEABLE if number >= inputs else 0)
        entries[number] = DirectEntry(id(kind), needed, len(shape), size, shape)
        outer.append(size)
        inner += [kind.itemsize * prod(shape[axis + 1 :]) for axis in range(len(shape))]
    cells = sum(prod(operand.shape) for operand in operands)
    head = DirectData(
        loop.driver.address, ctypes.addressof(loop.data), inputs, loop.types()[-1],
        bool(operands[-1].shape), cells > _RELEASED,
        ctypes.sizeof(DirectData) + ctypes.sizeof(entries),
    )  # fmt: skip
    return bytes(head) + bytes(entries) + np.array([*outer, *inner], np.int64).tobytes()


@once
def point_maker() -> BuiltinMaker | None:
    """Compile the code, once per process, or find that it cannot be."""
    known = layout()
    if known is None:
        return None
    python = Python(
        **vars(known),
        save_thread=address_of("PyEval_SaveThread"),
        restore_thread=address_of("PyEval_RestoreThread"),
        increment=address_of("Py_IncRef"),
        array_new=array_function(_ARRAY_NEW),
        out=id(sys.intern("out")),
    )
    code = load(object_code(emit_direct(host(), python, _MOST), host()), DIRECT, host())
    return BuiltinMaker(code)
