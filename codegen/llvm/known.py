"""What a guard knows of its kernel, and words to look at arguments with."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from llvmlite import ir

from codegen.llvm.builtin import Builtin, CPython
from codegen.llvm.scribe import I32, I64, POINTER, VOID, places

__all__ = ["LARGEST", "MOST_NUMBERS", "Knowing", "Known"]

LARGEST: Final = 1 << 53
"""Up to here float64 holds every integer."""
MOST_NUMBERS: Final = 15
"""Kernels of more arguments than these are always called by NumPy."""


class Known(ctypes.Structure):
    """How to run a kernel without NumPy's ufunc, and what else its guard reads.

    It `takes` so many arguments, or is not run so with -1; its loops of float64 and of float32 have
    their `doubles` and `singles`, or 0. As many elements as `least` are for another callable, and
    `failures` is where calls that had no code are counted.
    """

    _fields_ = (
        ("takes", ctypes.c_int64),
        ("driver", ctypes.c_int64),
        ("doubles", ctypes.c_int64),
        ("singles", ctypes.c_int64),
        ("least", ctypes.c_int64),
        ("failures", ctypes.c_int64),
    )


_PLACES: Final = places(Known)


class Knowing(Builtin):
    """A C function that holds `Known` third, what raises a failure fourth, and words sixth."""

    def __init__(self, module: ir.Module, name: str, python: CPython) -> None:
        super().__init__(module, name, python, 5)
        self.overflow = self.code.alloca(I32)

    def known(self, name: str) -> ir.Value:
        """Read what is known of the kernel."""
        return self.code.read(self.contents(2), I64(_PLACES[name]))

    def is_sound(self) -> ir.Value:
        """Tell whether no call has met code that could not be made."""
        failures = self.code.inttoptr(self.known("failures"), POINTER)
        return self.code.equal(self.code.load(failures, typ=I64), I64(0))

    def returned(self, result: ir.Value) -> None:
        """Return a result, unless there was no code to compute it."""
        code = self.code
        with code.if_then(code.not_(self.is_sound()), likely=False):
            code.call(self.function("decrement", VOID, [POINTER]), [result])
            code.ret(self.passed_on(3))
        code.ret(result)

    def read_integer(self, number: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Return the value of a Python integer, and whether it is a small one."""
        code = self.code
        read = self.function("long_as_long", I64, [POINTER, POINTER])
        value = code.call(read, [number, self.overflow])
        fits = code.equal(code.load(self.overflow, typ=I32), I32(0))
        return value, code.and_(fits, self.is_small(value))

    def is_small(self, value: ir.Value) -> ir.Value:
        """Tell whether float64 holds an integer, and all between it and 0."""
        moved = self.code.add(value, I64(LARGEST))
        return self.code.icmp_unsigned("<=", moved, I64(2 * LARGEST))

    @contextmanager
    def where(self, condition: ir.Value, after: ir.Block) -> Iterator[None]:
        """Run the block where a condition holds, and go on after all tests."""
        code = self.code
        yes, no = code.append_basic_block("yes"), code.append_basic_block("no")
        code.cbranch(condition, yes, no)
        code.position_at_end(yes)
        yield
        code.branch(after)
        code.position_at_end(no)
