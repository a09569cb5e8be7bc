"""The direct call: a C function of CPython that calls a kernel for one point without NumPy's ufunc.

What a gufunc looks up for each call (casts, broadcasting, iterators) takes two thirds of a
microsecond, as long as 2,000 operations. Where each argument is an array of the very type and shape
that the code takes, in one piece, and the result has its own memory, all of that is known.
"""

import ctypes
from functools import partial
from typing import Final

from llvmlite import ir

from codegen.instruction import MOST_AXES
from codegen.llvm.builtin import (
    DTYPE_AT,
    FLAGS_AT,
    RANK_AT,
    SIZES_AT,
    WARNS,
    Builtin,
    CPython,
)  # fmt: skip
from codegen.llvm.scribe import I32, I64, POINTER, places
from codegen.target import Target

__all__ = ["DIRECT", "DirectData", "DirectEntry", "emit_direct"]

DIRECT: Final = "rewrite_direct"


class DirectEntry(ctypes.Structure):
    """An operand: its dtype, the flags that it needs, and its sizes; bytes of all its cells."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("dtype", "flags", "rank", "bytes")),
        ("sizes", ctypes.c_int64 * MOST_AXES),
    )


class DirectData(ctypes.Structure):
    """What one kernel is called with; the table of operands and the steps are in the same bytes."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("driver", "data", "inputs", "number", "allocates", "releases", "steps")
    )


_ENTRY = ir.LiteralStructType([I64] * (4 + MOST_AXES))
_DATA = ir.LiteralStructType([I64] * len(DirectData._fields_))
_DATA_PLACES, _ENTRY_PLACES = places(DirectData), places(DirectEntry)


def emit_direct(target: Target, python: CPython, operands: int) -> str:
    """Return the text of `direct((call, description, owner, words, ...), args, ...)`.

    Where a call is not that of one point for at most so many `operands`, `call` gets it.
    """
    module = ir.Module(name=DIRECT)
    module.triple = target.triple
    _Direct(module, python, operands).emit()
    return str(module)


class _Direct(Builtin):
    def __init__(self, module: ir.Module, python: CPython, operands: int) -> None:
        super().__init__(module, DIRECT, python, 3)
        self.places, self.one = self.table(operands), self.table(1)

    def emit(self) -> None:
        """Look at all operands, then call the driver, or leave it to the other callable."""
        code = self.code
        self.description = self.contents(1)
        inputs = self.known("inputs")
        given = self.given(inputs)
        with code.counted(I64(0), given) as index:
            self.look(index, code.read(self.call[0], index, POINTER))
        made = self.result(
            inputs, code.less(inputs, given), partial(self.apart, inputs), partial(self.new, inputs)
        )
        code.store(I64(1), self.one)
        self.run()
        code.ret(made)
        code.position_at_end(self.other)
        code.ret(self.passed_on(0))

    def look(self, index: ir.Value, array: ir.Value) -> None:
        """Note where an operand's cells are, if it is what the code takes."""
        code = self.code
        self.leave_unless(code.equal(self.type_of(array), self.word("array_type")))
        dtype = code.load(code.at(array, I64(DTYPE_AT)), typ=I64)
        rank = code.zext(code.load(code.at(array, I64(RANK_AT)), typ=I32), I64)
        flags = code.zext(code.load(code.at(array, I64(FLAGS_AT)), typ=I32), I64)
        needed = self.entry(index, "flags")
        looked_at = code.or_(needed, I64(WARNS & 0xFFFFFFFF))
        fits = code.equal(dtype, self.entry(index, "dtype"))
        fits = code.and_(fits, code.equal(rank, self.entry(index, "rank")))
        self.leave_unless(code.and_(fits, code.equal(code.and_(flags, looked_at), needed)))
        sizes = code.load(code.at(array, I64(SIZES_AT)), typ=POINTER)
        own = self.entry_place(index, "sizes")
        with code.counted(I64(0), rank) as axis:
            self.leave_unless(code.equal(code.read(sizes, axis), code.read(own, axis)))
        code.store(self.data_of(array), code.slot(self.places, index))

    def apart(self, inputs: ir.Value) -> None:
        """Leave where the result lies over an argument."""
        code = self.code
        low, length = code.read(self.places, inputs), self.entry(inputs, "bytes")
        with code.counted(I64(0), inputs) as index:
            begin, other = code.read(self.places, index), self.entry(index, "bytes")
            self.leave_unless(code.not_(self.meets(low, length, begin, other)))

    def new(self, place: ir.Value) -> ir.Value:
        """Make the array of the result, if one can be made."""
        code = self.code
        self.leave_unless(code.equal(self.known("allocates"), I64(1)))
        rank, number = (
            code.trunc(x, I32) for x in (self.entry(place, "rank"), self.known("number"))
        )
        made = self.new_array(rank, self.entry_place(place, "sizes"), number)
        code.store(self.data_of(made), code.slot(self.places, place))
        return made

    def run(self) -> None:
        """Call the driver, for much work without Python's lock."""
        code = self.code
        with self.released(code.equal(self.known("releases"), I64(1))):
            steps = code.at(self.description, self.known("steps"))
            data = code.inttoptr(self.known("data"), POINTER)
            self.drive(self.known("driver"), self.places, self.one, steps, data)

    def known(self, name: str) -> ir.Value:
        """Read a field of the description."""
        return self.code.field(self.description, _DATA, _DATA_PLACES[name])

    def entry_place(self, operand: ir.Value, name: str) -> ir.Value:
        """Return where a field of an operand's entry is."""
        table = self.code.at(self.description, I64(ctypes.sizeof(DirectData)))
        base = self.code.gep(table, [operand], source_etype=_ENTRY)
        return self.code.at(base, I64(8 * _ENTRY_PLACES[name]))

    def entry(self, operand: ir.Value, name: str) -> ir.Value:
        """Read a field of an operand's entry."""
        return self.code.load(self.entry_place(operand, name), typ=I64)
