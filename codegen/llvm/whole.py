"""Calls of a guarded kernel with arrays that lie alike, and numbers beside, into one like them.

What NumPy looks up for each call of a ufunc (casts, broadcasting, iterators, warnings) takes a
third of a microsecond, as long as 1,000 operations. Where arrays have one shape and the very type
of a loop, each in one piece, and the result has memory of its own or that of an argument, all of
that is known.
"""

from functools import partial
from typing import Final

import numpy as np
from llvmlite import ir

from codegen.llvm.builtin import (
    DTYPE_AT,
    FLAGS_AT,
    FLOAT_AT,
    SIMPLE,
    SIZES_AT,
    WARNS,
    WRITEABLE,
)  # fmt: skip
from codegen.llvm.known import MOST_NUMBERS, Knowing
from codegen.llvm.scribe import I32, I64, POINTER
from codegen.llvm.sizes import alike, rank_of, size_of

__all__ = ["Whole"]

_RELEASED: Final = 500
"""Elements from which on other threads may run meanwhile, as in NumPy."""
_DOUBLE, _SINGLE = ir.DoubleType(), ir.FloatType()
_INFINITE: Final = float("inf")
_LARGEST_SINGLE: Final = float(np.finfo(np.float32).max)


class Whole(Knowing):
    """A guard that runs such calls itself."""

    def run_whole(self) -> None:
        """Run the kernel on such arrays, and return; go on where there is anything else."""
        code = self.code
        tables = [self.table(MOST_NUMBERS + 1) for _ in range(3)]
        self.places, self.steps, self.numbers = tables
        ufunc = code.append_basic_block("ufunc")
        with self.leaving_to(ufunc):
            takes = self.known("takes")
            self.leave_unless(code.less(I64(0), takes))
            given = self.given(takes)
            first = self.first(given)
            # of arrays without axes NumPy makes a number
            self.leave_unless(code.less(I64(0), rank_of(code, first)))
            self.loop_of(first)
            with code.counted(I64(0), given) as index:
                self.operand(index, code.equal(index, takes), first)
            size = size_of(code, first)
            self.leave_unless(code.less(I64(0), size))
            self.leave_unless(code.less(size, self.known("least")))
            length = code.mul(size, self.bytes)
            result = self.result(
                takes, code.less(takes, given), partial(self.apart, takes, length),
                partial(self.new, takes, first),
            )  # fmt: skip
            self.run(size)
            self.returned(result)
        code.position_at_end(ufunc)

    def first(self, given: ir.Value) -> ir.Value:
        """Return the first array, which all others are to be like."""
        code, found = self.code, self.table(1)
        code.store(I64(0), found)
        with code.counted(I64(0), given) as index:
            thing = code.read(self.call[0], index, POINTER)
            is_array = code.equal(self.type_of(thing), self.word("array_type"))
            before = code.load(found, typ=I64)
            is_first = code.and_(is_array, code.equal(before, I64(0)))
            code.store(code.select(is_first, code.ptrtoint(thing, I64), before), found)
        first = code.load(found, typ=I64)
        self.leave_unless(code.icmp_signed("!=", first, I64(0)))
        return code.inttoptr(first, POINTER)

    def loop_of(self, first: ir.Value) -> None:
        """Choose the loop by the first array's type."""
        code = self.code
        self.dtype = code.load(code.at(first, I64(DTYPE_AT)), typ=I64)
        is_double, is_single = (
            code.equal(self.dtype, self.word("float_dtypes", k)) for k in range(2)
        )
        self.leave_unless(code.or_(is_double, is_single))
        self.is_double = is_double
        self.data = code.select(is_double, self.known("doubles"), self.known("singles"))
        self.leave_unless(code.icmp_signed("!=", self.data, I64(0)))
        self.bytes = code.select(is_double, I64(8), I64(4))

    def operand(self, index: ir.Value, is_out: ir.Value, first: ir.Value) -> None:
        """Note where an operand's numbers are, if they are what the loop takes."""
        code = self.code
        thing = code.read(self.call[0], index, POINTER)
        kind = self.type_of(thing)
        is_array = code.equal(kind, self.word("array_type"))
        with code.if_else(is_array) as (array, other):
            with array:
                flags = code.load(code.at(thing, I64(FLAGS_AT)), typ=I32)
                needed = code.select(is_out, I32(SIMPLE | WRITEABLE), I32(SIMPLE))
                looked_at = code.or_(needed, I32(WARNS))
                fits = code.equal(code.and_(flags, looked_at), needed)
                same = code.equal(code.load(code.at(thing, I64(DTYPE_AT)), typ=I64), self.dtype)
                self.leave_unless(code.and_(fits, same))
                self.leave_unless(alike(code, thing, first))
                self.enter(index, self.data_of(thing), self.bytes)
            with other:
                self.leave_unless(code.not_(is_out))
                self.number(index, thing, kind)

    def number(self, index: ir.Value, thing: ir.Value, kind: ir.Value) -> None:
        """Write down a number in the loop's type: Python's, or one of that type."""
        code = self.code
        after, value = code.append_basic_block("number"), self.table(1)
        plain, double = (code.equal(kind, self.word("float_types", k)) for k in range(2))
        with self.where(code.or_(plain, code.and_(self.is_double, double)), after):
            code.store(code.load(code.at(thing, I64(FLOAT_AT)), typ=_DOUBLE), value)
        is_single = code.equal(kind, self.word("single_type"))
        with self.where(code.and_(code.not_(self.is_double), is_single), after):
            single = code.load(code.at(thing, I64(FLOAT_AT)), typ=_SINGLE)
            code.store(code.fpext(single, _DOUBLE), value)
        self.leave_unless(code.equal(kind, self.word("int_type")))
        integer, fits = self.read_integer(thing)
        self.leave_unless(fits)
        code.store(code.sitofp(integer, _DOUBLE), value)
        code.branch(after)
        code.position_at_end(after)
        self.stored(code.load(value, typ=_DOUBLE), code.slot(self.numbers, index))
        self.enter(index, code.ptrtoint(code.slot(self.numbers, index), I64), I64(0))

    def stored(self, value: ir.Value, place: ir.Value) -> None:
        """Write a number in the loop's type; of one that has no float32, NumPy warns."""
        code = self.code
        with code.if_else(self.is_double) as (wide, narrow):
            with wide:
                code.store(value, place)
            with narrow:
                size = code.outside("llvm.fabs.f64", _DOUBLE, [value])
                above = code.fcmp_ordered(">", size, _DOUBLE(_LARGEST_SINGLE))
                finite = code.fcmp_ordered("<", size, _DOUBLE(_INFINITE))
                self.leave_unless(code.not_(code.and_(above, finite)))
                code.store(code.fptrunc(value, _SINGLE), place)

    def new(self, takes: ir.Value, first: ir.Value) -> ir.Value:
        """Make an array like the first."""
        code = self.code
        rank = code.trunc(rank_of(code, first), I32)
        sizes = code.load(code.at(first, I64(SIZES_AT)), typ=POINTER)
        numbers = [I32(each) for each in self.python.float_numbers]
        made = self.new_array(rank, sizes, code.select(self.is_double, *numbers))
        self.enter(takes, self.data_of(made), self.bytes)
        return made

    def enter(self, index: ir.Value, place: ir.Value, step: ir.Value) -> None:
        """Note where an operand begins, and how far apart its elements are."""
        self.code.store(place, self.code.slot(self.places, index))
        self.code.store(step, self.code.slot(self.steps, index))

    def apart(self, takes: ir.Value, length: ir.Value) -> None:
        """Leave where the result lies over a part of an argument; over the whole it may."""
        code = self.code
        low = code.read(self.places, takes)
        with code.counted(I64(0), takes) as index:
            begin = code.read(self.places, index)
            meets = self.meets(low, length, begin, length)
            self.leave_unless(code.or_(code.not_(meets), code.equal(begin, low)))

    def run(self, size: ir.Value) -> None:
        """Call the driver for all elements."""
        code, elements = self.code, self.table(1)
        code.store(size, elements)
        with self.released(code.less(I64(_RELEASED), size)):
            data = code.inttoptr(self.data, POINTER)
            self.drive(self.known("driver"), self.places, elements, self.steps, data)
