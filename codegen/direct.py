"""Calls of one point that go past NumPy's ufunc machinery, in machine code (`llvm.direct`).

They compute what the ufunc computes, by the same loop: only exact arrays take this way.
"""

import ctypes
from collections.abc import Callable, Mapping
from functools import partial
from math import prod
from typing import Any, Final

import numpy as np

from codegen.coder import once
from codegen.crew.loop import SpreadLoop
from codegen.guarded import BuiltinMaker
from codegen.layout import layout
from codegen.llvm.builtin import SIMPLE, WRITEABLE
from codegen.llvm.direct import DIRECT, DirectData, DirectEntry, emit_direct
from codegen.llvm.known import MOST_NUMBERS, Known
from codegen.llvm.loop import Loop
from codegen.loops.loop import RolledLoop
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import host
from codegen.uniform.loop import UniformLoop

__all__ = ["direct", "known_of", "point_maker"]

_MOST: Final = 32
"""Operands of a kernel."""
_RELEASED: Final = 500
"""Cells from which on other threads may run meanwhile, as in NumPy."""
_KINDS: Final[dict[int, np.dtype[Any]]] = {
    kind.num: kind for kind in map(np.dtype, (np.bool_, np.float32, np.float64))
}


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


def known_of(
    program: Program | Rolled, loops: Mapping[str, Loop | SpreadLoop | UniformLoop]
) -> Known | None:
    """Say how the guard runs loops, by NumPy's letters, for numbers and for arrays that lie alike.

    Nothing where there are several results, axes of their own, truth values, or loops over tables.
    What it says holds as long as the loops are in memory.
    """
    if isinstance(program, Rolled) or not program.is_elementwise or len(program.outputs) != 1:
        return None
    kinds = {program.type_of(operand) for operand in program.operands}
    if len(program.arguments) > MOST_NUMBERS or kinds != {"f"}:
        return None
    doubles, singles = (
        ctypes.addressof(loops[letter].data) if letter in loops else 0 for letter in "df"
    )
    driver = next(iter(loops.values())).driver.address
    return Known(len(program.arguments), driver, doubles, singles)


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
    return BuiltinMaker(DIRECT, known, text=partial(emit_direct, host(), known, _MOST))
