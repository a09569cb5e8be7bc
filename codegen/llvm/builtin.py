"""C functions of CPython that look at a call before another callable gets it.

They are called as METH_FASTCALL says, with a tuple of what they hold. Where CPython and NumPy have
what they read is found out once, and checked, in each process.
"""

from dataclasses import dataclass

from llvmlite import ir

from codegen.llvm.scribe import I64, POINTER, Scribe

__all__ = [
    "DATA_AT", "DTYPE_AT", "FLAGS_AT", "FLOAT_AT", "INT64_AT", "NUMBER_AT", "ORDER_AT", "RANK_AT",
    "SIMPLE", "SIZES_AT", "SIZE_AT", "TYPE_AT", "WRITEABLE", "Builtin", "CPython",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CPython:
    """Where things are in this process, and at which offsets in its objects."""

    vectorcall: int
    long_as_long: int
    error_matches: int
    error_clear: int
    type_error: int
    """An object; the ones above are functions."""
    quick_types: tuple[int, ...]
    """Types all of whose numbers will do."""
    int_type: int
    int64_type: int
    array_type: int
    items_at: int
    """Of a tuple."""
    numbers: int
    """A bit for each type number of NumPy whose arrays will do."""
    signed: int
    unsigned: int
    """Those of integers of 64 bits, whose values are looked at."""
    float_types: tuple[int, ...]
    """Those that hold a double, at `FLOAT_AT`."""
    new_object: int
    """`PyType_GenericAlloc`, which makes a result of the type `result_type`."""
    result_type: int
    decrement: int
    """`Py_DecRef`."""
    bytes_at: int
    """Of the contents of a `bytes` object."""


TYPE_AT, INT64_AT, FLOAT_AT = 8, 16, 16
"""In `PyObject`, and where `np.int64` and `float` have their values."""
SIZE_AT = 16
"""In `PyVarObject`: how many items it has."""
DATA_AT, RANK_AT, SIZES_AT, DTYPE_AT, FLAGS_AT = 16, 24, 32, 56, 64
"""In `PyArrayObject_fields`."""
ORDER_AT, NUMBER_AT = 26, 28
"""In `PyArray_Descr`: a letter for the order of bytes, and the type number."""
SIMPLE = 0x101
"""Flags of an array that is contiguous and aligned."""
WRITEABLE = 0x400
"""The flag of an array that may be written to."""

_CALL = [POINTER, POINTER, I64, POINTER]
"""What such a function takes, as `PyObject_Vectorcall` does: the first is what it holds."""


class Builtin[P: CPython]:
    """One function as it is written."""

    def __init__(self, module: ir.Module, name: str, python: P) -> None:
        function = ir.Function(module, ir.FunctionType(POINTER, _CALL), name)
        self.python = python
        self.held, *self.call = function.args
        self.code = Scribe(function.append_basic_block("entry"))
        self.other = self.code.append_basic_block("other")

    def address(self, value: int, result: ir.Type, kinds: list[ir.Type]) -> ir.Value:
        """Return a function by its address."""
        return self.code.inttoptr(I64(value), ir.FunctionType(result, kinds).as_pointer())

    def holds(self, place: int) -> ir.Value:
        """Return one of what the function holds."""
        at = self.code.at(self.held, I64(self.python.items_at + 8 * place))
        return self.code.load(at, typ=POINTER)

    def contents(self, place: int) -> ir.Value:
        """Return where a `bytes` object that the function holds has its contents."""
        return self.code.at(self.holds(place), I64(self.python.bytes_at))

    def passed_on(self, place: int) -> ir.Value:
        """Call what the function holds with what it was called with itself."""
        vectorcall = self.address(self.python.vectorcall, POINTER, _CALL)
        return self.code.call(vectorcall, [self.holds(place), *self.call])

    def leave_unless(self, condition: ir.Value) -> None:
        """Leave the call to the other callable unless a condition holds."""
        fine = self.code.append_basic_block("fine")
        self.code.cbranch(condition, fine, self.other)
        self.code.position_at_end(fine)
