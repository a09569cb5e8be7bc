"""C functions of CPython that look at a call before another callable gets it.

They are called as METH_FASTCALL says, with a tuple of what they hold. Where CPython and NumPy have
what they read is found out once, and checked, in each process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from llvmlite import ir

from codegen.llvm.scribe import I32, I64, POINTER, VOID, Scribe

__all__ = [
    "DATA_AT", "DTYPE_AT", "FLAGS_AT", "FLOAT_AT", "INT64_AT", "NUMBER_AT", "ORDER_AT", "RANK_AT",
    "SIMPLE", "SIZES_AT", "SIZE_AT", "TYPE_AT", "WARNS", "WRITEABLE", "Builtin", "CPython",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CPython:
    """Where things are in this process, which `words` hold, and what code for it depends on."""

    vectorcall: int
    long_as_long: int
    error_matches: int
    error_clear: int
    type_error: int
    """An object; the ones above are functions."""
    quick_types: tuple[int, int, int, int]
    """Types all of whose numbers will do."""
    int_type: int
    int64_type: int
    array_type: int
    float_types: tuple[int, int]
    """Those that hold a double, at `FLOAT_AT`."""
    single_type: int
    """`np.float32`."""
    float_dtypes: tuple[int, int]
    """NumPy's descriptions of float64 and float32."""
    new_object: int
    """`PyType_GenericAlloc`, which makes a result of the type `result_type`."""
    result_type: int
    increment: int
    decrement: int
    """`Py_IncRef` and `Py_DecRef`."""
    save_thread: int
    restore_thread: int
    array_new: int
    """Functions; what follows is an object."""
    out: int
    """The name of the keyword, as each call of a Python program has it."""
    items_at: int
    """The offset of a tuple's items; from here on it is all the same in each such process."""
    bytes_at: int
    """Of the contents of a `bytes` object."""
    numbers: int
    """A bit for each type number of NumPy whose arrays will do."""
    signed: int
    unsigned: int
    """Those of integers of 64 bits, whose values are looked at."""
    float_numbers: tuple[int, int]
    """NumPy's type numbers of float64 and float32."""

    def words(self) -> bytes:
        """Return the addresses, as machine code reads them."""
        return np.array([value for _, value in self._addresses()], np.int64).tobytes()

    def place(self, name: str, item: int = 0) -> int:
        """Return which of the words one is."""
        return [n for n, _ in self._addresses()].index(name) + item

    def parts(self) -> tuple[str, ...]:
        """Return what code depends on besides the words."""
        return tuple(f"{name} {value}" for name, value in list(vars(self).items())[_ADDRESSES:])

    def _addresses(self) -> Iterator[tuple[str, int]]:
        for name, value in list(vars(self).items())[:_ADDRESSES]:
            for each in value if isinstance(value, tuple) else (value,):
                yield name, each


_ADDRESSES: Final = [field.name for field in fields(CPython)].index("items_at")


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
WARNS = -(1 << 31)
"""The flag of one that is not to be written to in the future, of which NumPy warns."""

_CALL = [POINTER, POINTER, I64, POINTER]
"""What such a function takes, as `PyObject_Vectorcall` does: the first is what it holds."""


_NEW: Final = ir.FunctionType(
    POINTER, [POINTER, I32, POINTER, I32, POINTER, POINTER, I32, I32, POINTER]
)
"""Of NumPy's `PyArray_New`."""


class Builtin:
    """One function as it is written; what it holds last are the words of `CPython`."""

    def __init__(self, module: ir.Module, name: str, python: CPython, words_at: int) -> None:
        function = ir.Function(module, ir.FunctionType(POINTER, _CALL), name)
        self.python = python
        self.held, *self.call = function.args
        self.code = Scribe(function.append_basic_block("entry"))
        self.words = self.contents(words_at)
        self.other = self.code.append_basic_block("other")

    def word(self, name: str, item: int = 0) -> ir.Value:
        """Return an address in this process, as a number."""
        return self.code.read(self.words, I64(self.python.place(name, item)))

    def function(self, name: str, result: ir.Type, kinds: list[ir.Type]) -> ir.Value:
        """Return a function of CPython."""
        return self.code.inttoptr(self.word(name), ir.FunctionType(result, kinds).as_pointer())

    def holds(self, place: int) -> ir.Value:
        """Return one of what the function holds."""
        at = self.code.at(self.held, I64(self.python.items_at + 8 * place))
        return self.code.load(at, typ=POINTER)

    def contents(self, place: int) -> ir.Value:
        """Return where a `bytes` object that the function holds has its contents."""
        return self.code.at(self.holds(place), I64(self.python.bytes_at))

    def passed_on(self, place: int) -> ir.Value:
        """Call what the function holds with what it was called with itself."""
        vectorcall = self.function("vectorcall", POINTER, _CALL)
        return self.code.call(vectorcall, [self.holds(place), *self.call])

    def leave_unless(self, condition: ir.Value) -> None:
        """Leave the call to the other callable unless a condition holds."""
        fine = self.code.append_basic_block("fine")
        self.code.cbranch(condition, fine, self.other)
        self.code.position_at_end(fine)

    @contextmanager
    def leaving_to(self, other: ir.Block) -> Iterator[None]:
        """Leave for another block meanwhile."""
        before, self.other = self.other, other
        yield
        self.other = before

    def table(self, entries: int) -> ir.Value:
        """Make room for a table of 8-byte entries."""
        with self.code.goto_entry_block():
            made = self.code.alloca(I64, entries)
        made.type = POINTER  # untyped: these are llvmlite's typed pointers
        return made

    def type_of(self, thing: ir.Value) -> ir.Value:
        """Return the type of an object, as a number."""
        return self.code.load(self.code.at(thing, I64(TYPE_AT)), typ=I64)

    def named(self) -> ir.Value:
        """Return how many arguments are given by name: none, or `out` alone; leave for others."""
        code, names = self.code, self.call[2]
        before, some = code.block, code.append_basic_block("names")
        after = code.append_basic_block("named")
        code.cbranch(code.equal(code.ptrtoint(names, I64), I64(0)), after, some)
        code.position_at_end(some)
        size = code.load(code.at(names, I64(SIZE_AT)), typ=I64)
        name = code.load(code.at(names, I64(self.python.items_at)), typ=I64)
        is_out = code.and_(code.equal(size, I64(1)), code.equal(name, self.word("out")))
        code.cbranch(is_out, after, self.other)
        code.position_at_end(after)
        found = code.phi(I64)
        found.add_incoming(I64(0), before)
        found.add_incoming(I64(1), some)
        return found

    def new_array(self, rank: ir.Value, sizes: ir.Value, number: ir.Value) -> ir.Value:
        """Make an array as NumPy does, or return what tells Python of an exception."""
        code = self.code
        nothing, zero = code.inttoptr(I64(0), POINTER), I32(0)
        kind = code.inttoptr(self.word("array_type"), POINTER)
        function = code.inttoptr(self.word("array_new"), _NEW.as_pointer())
        given = [kind, rank, sizes, number, nothing, nothing, zero, zero, nothing]
        made = code.call(function, given)
        with code.if_then(code.equal(code.ptrtoint(made, I64), I64(0)), likely=False):
            code.ret(made)
        return made

    def data_of(self, array: ir.Value) -> ir.Value:
        """Return where an array has its first element, as a number."""
        return self.code.load(self.code.at(array, I64(DATA_AT)), typ=I64)

    def given(self, takes: ir.Value) -> ir.Value:
        """Return how many operands there are: so many arguments, and a result or none; or leave."""
        code, count = self.code, self.call[1]
        found = code.add(count, self.named())
        self.leave_unless(code.icmp_signed("<=", takes, count))
        self.leave_unless(code.icmp_signed("<=", found, code.add(takes, I64(1))))
        return found

    def result(
        self, place: ir.Value, is_given: ir.Value, check: Callable[[], None],
        make: Callable[[], ir.Value],
    ) -> ir.Value:  # fmt: skip
        """Return the result: the operand in that place, once it is checked, or a new array."""
        code = self.code
        take, new, after = (code.append_basic_block(n) for n in ("given", "new", "result"))
        code.cbranch(is_given, take, new)
        code.position_at_end(take)
        given = code.read(self.call[0], place, POINTER)
        check()
        self.again(given)
        taken = code.block
        code.branch(after)
        code.position_at_end(new)
        made, made_in = make(), code.block
        code.branch(after)
        code.position_at_end(after)
        found = code.phi(POINTER)
        found.add_incoming(given, taken)
        found.add_incoming(made, made_in)
        return found

    def meets(
        self, low: ir.Value, length: ir.Value, begin: ir.Value, other: ir.Value
    ) -> ir.Value:  # fmt: skip
        """Tell whether so many bytes from an address on meet others."""
        code = self.code
        return code.and_(
            code.icmp_unsigned("<", begin, code.add(low, length)),
            code.icmp_unsigned("<", low, code.add(begin, other)),
        )

    def again(self, thing: ir.Value) -> None:
        """Count one more reference."""
        self.code.call(self.function("increment", VOID, [POINTER]), [thing])

    @contextmanager
    def released(self, releases: ir.Value) -> Iterator[None]:
        """Run the block without Python's lock where there is much work."""
        code = self.code
        state = self.table(1)
        with code.if_then(releases, likely=False):
            code.store(code.call(self.function("save_thread", I64, []), []), state)
        yield
        with code.if_then(releases, likely=False):
            code.call(self.function("restore_thread", VOID, [I64]), [code.load(state, typ=I64)])

    def drive(self, driver: ir.Value, *given: ir.Value) -> None:
        """Call a driver, whose address is a number, as NumPy does."""
        kind = ir.FunctionType(VOID, [POINTER] * 4).as_pointer()
        self.code.call(self.code.inttoptr(driver, kind), given)
