"""`SpreadLoop`: a loop whose long calls are shared by a crew."""

import ctypes
from math import prod
from typing import Final

from codegen.branches import weight
from codegen.crew.crew import Crew, library
from codegen.crew.layout import SpreadData
from codegen.crew.spread import SPREAD
from codegen.engine import Code
from codegen.llvm.loop import Loop
from codegen.llvm.streams import LoopData
from codegen.loops.driver import RolledData
from codegen.loops.loop import RolledLoop
from codegen.loops.program import Rolled
from codegen.program import Program
from codegen.target import ITEMSIZE, Float, Target

__all__ = ["SpreadLoop", "picoseconds"]

_INSTRUCTION: Final = 144.0
"""Picoseconds of an instruction on one vector, roughly: two in a cycle of 3.5 GHz."""
_BYTE: Final = 4.0
"""Picoseconds to move a byte of an operand between the second-level cache and the core."""
_LOOPED: Final = 150.0
"""Picoseconds of an operation in a loop over tables."""
_LEAST: Final = 6e6
"""Picoseconds of work below which one thread is done before another has begun."""
_GRAIN, _MOST = 2e6, 64e6
"""Picoseconds of the smallest block, which hide what a call of a driver takes, and the largest."""
_LINE: Final = 64
"""Elements that fill whole vectors and cache lines, whatever their type."""


class SpreadLoop:
    """A loop as NumPy is to call it: by a crew where that pays."""

    def __init__(
        self, loop: Loop | RolledLoop, program: Program | Rolled, target: Target, crew: Crew
    ) -> None:
        self.loop = loop
        self._crew = crew
        work = picoseconds(program, loop.dtype, target)
        plain = isinstance(loop, Loop)
        last = loop.types()[-1]
        straight = plain and program.is_elementwise and bool(last)
        self.data = SpreadData(
            driver=loop.driver.address, data=ctypes.addressof(loop.data),
            bytes=ctypes.sizeof(LoopData) if plain else 0,
            large_at=LoopData.large.offset if plain else -1,
            crew=crew.address, operands=len(program.operands), work=int(work) + 1,
            least=max(int(_LEAST / work), 2), grain=max(int(_GRAIN / work), 1),
            most=max(int(_MOST / work), 1), size=ITEMSIZE[loop.dtype] if straight else 0,
            lanes=_LINE if plain else loop.data.lanes,
            least_at=-1 if plain else RolledData.least.offset,
        )  # fmt: skip

    @property
    def dtype(self) -> Float:
        """Its float type."""
        return self.loop.dtype

    @property
    def driver(self) -> Code:
        """The function that NumPy calls."""
        made = library()
        return Code(made.address(SPREAD), made.engine)

    def types(self) -> bytes:
        """Return NumPy's type numbers of the operands."""
        return self.loop.types()


def picoseconds(program: Program | Rolled, dtype: Float, target: Target) -> float:
    """Estimate what one thread takes for an element, or a point, that is in its caches."""
    if isinstance(program, Rolled):
        return max(program.operations, 1) * _LOOPED
    size = sum(_bytes(program, dtype))
    return max(weight(program) * _INSTRUCTION / target.lanes(dtype), size * _BYTE, 1.0)


def _bytes(program: Program, dtype: Float) -> list[int]:
    kinds = [(prod(x.shape), program.type_of(x)) for x in program.operands]
    return [count * (1 if kind == "b" else ITEMSIZE[dtype]) for count, kind in kinds]
