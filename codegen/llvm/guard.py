"""The guard: a C function of CPython that looks at a call's arguments before NumPy does.

It goes on at once to the callable where every argument is one that float64 holds exactly, by its
type: floats, arrays of all but 64-bit integers, small Python integers. Every other call, and one
that fails with a TypeError, goes to a Python function, which looks closer and finds words for it.

Where all arguments are single numbers of float64 and so is the result, the kernel's code is run at
once: NumPy would make an array of each float, which takes some ten times as long.
"""

import ctypes
import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from llvmlite import ir

from codegen.llvm.builtin import (
    DATA_AT,
    DTYPE_AT,
    FLAGS_AT,
    FLOAT_AT,
    INT64_AT,
    NUMBER_AT,
    ORDER_AT,
    RANK_AT,
    SIMPLE,
    SIZES_AT,
    TYPE_AT,
    Builtin,
    CPython,
)  # fmt: skip
from codegen.llvm.scribe import I1, I8, I32, I64, POINTER, VOID, Scribe
from codegen.target import Target

__all__ = ["GUARD", "LARGEST", "MOST_NUMBERS", "Direct", "emit_guard"]

GUARD = "rewrite_guard"


class Direct(ctypes.Structure):
    """How to run a kernel of numbers without NumPy: how many it takes, the driver, and its loop.

    `takes` is -1 for a kernel that is not run so. How many elements at `least` are for another
    callable, and `failures` is where calls that had no code are counted.
    """

    _fields_ = (
        ("takes", ctypes.c_int64),
        ("driver", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("least", ctypes.c_int64),
        ("failures", ctypes.c_void_p),
    )


LARGEST = 1 << 53
"""Up to here float64 holds every integer."""


_SOME = 1 << 18  # of more, NumPy's reductions are as fast, and let other threads run
_LANES = 8
MOST_NUMBERS = 15
"""Kernels of more arguments than these are always called by NumPy."""


def emit_guard(target: Target, python: CPython, *, sized: bool = False) -> str:
    """Return the text of `guard((call, closer, direct, failed, large, ...), args, count, kwnames)`.

    `direct` is a `bytes` object that holds a `Direct`; `failed` is called after a call that was the
    first to have no code, `closer` instead of later ones. A `sized` guard calls `large` where
    arrays have enough elements, or may have where they are broadcast.
    """
    module = ir.Module(name=GUARD)
    module.triple = target.triple
    large = _emit_large(module, python) if sized else None
    _Guard(module, python, _emit_scan(module), large).emit()
    return str(module)


def _emit_scan(module: ir.Module) -> ir.Function:
    """Write `scan(array, bias)`: whether it is simple and not long, and its integers are small.

    The bias, LARGEST for signed integers and else 0, moves those to the least unsigned numbers.
    """
    function = ir.Function(module, ir.FunctionType(I1, [POINTER, I64]), "scan")
    function.linkage = "internal"
    array, bias = function.args
    code = Scribe(function.append_basic_block("entry"))
    flags = code.load(code.at(array, I64(FLAGS_AT)), typ=I32)
    rank = code.load(code.at(array, I64(RANK_AT)), typ=I32)
    dtype = code.load(code.at(array, I64(DTYPE_AT)), typ=POINTER)
    order = code.load(code.at(dtype, I64(ORDER_AT)), typ=I8)
    simple = code.equal(code.and_(flags, I32(SIMPLE)), I32(SIMPLE))
    simple = code.and_(simple, code.equal(order, I8(ord("="))))
    with code.if_then(code.not_(code.and_(simple, code.icmp_unsigned("<=", rank, I32(1))))):
        code.ret(I1(0))
    flat = code.equal(rank, I32(1))
    sizes = code.load(code.at(array, I64(SIZES_AT)), typ=POINTER)
    # an array of no dimension has one element, and may have no sizes
    one = code.alloca(I64)
    code.store(I64(1), one)
    one.type = POINTER
    count = code.load(code.select(flat, sizes, one), typ=I64)
    with code.if_then(code.less(I64(_SOME), count)):
        code.ret(I1(0))
    data = code.load(code.at(array, I64(DATA_AT)), typ=POINTER)
    width = ir.VectorType(I64, _LANES)
    whole = code.and_(count, I64(-_LANES))
    spread = code.splat(bias, width)
    first = ir.Constant(width, [0] * _LANES)
    wide = _combined(code, data, (I64(0), whole, _LANES), spread, first)
    rest = _combined(code, data, (whole, count, 1), bias, I64(0))
    for lane in range(_LANES):
        rest = code.or_(rest, code.extract_element(wide, I32(lane)))
    # all are less than LARGEST in size where no bit beyond that of twice the bias is set
    limit = code.select(code.equal(bias, I64(0)), I64(LARGEST), I64(2 * LARGEST))
    code.ret(code.icmp_unsigned("<", rest, limit))
    return function


def _combined(
    code: Scribe, data: ir.Value, span: tuple[ir.Value, ir.Value, int], bias: ir.Value,
    first: ir.Value,
) -> ir.Value:  # fmt: skip
    """Return the bits that any number of a part of an array has set, once the bias is added."""
    start, stop, step = span
    before = code.block
    head, work, after = (code.append_basic_block(name) for name in ("head", "work", "after"))
    code.branch(head)
    code.position_at_end(head)
    index, bits = code.phi(I64), code.phi(first.type)
    index.add_incoming(start, before)
    bits.add_incoming(first, before)
    code.cbranch(code.less(index, stop), work, after)
    code.position_at_end(work)
    read = code.load(code.slot(data, index), typ=first.type, align=8)
    index.add_incoming(code.add(index, I64(step)), work)
    bits.add_incoming(code.or_(bits, code.add(read, bias)), work)
    code.branch(head)
    code.position_at_end(after)
    return bits


def _emit_large(module: ir.Module, python: CPython) -> ir.Function:
    """Write `large(arguments, count, least)`: whether a call may be for that many elements.

    Arrays of one shape are for as many as one of them has; others are broadcast, and may be for the
    product of what they have.
    """
    function = ir.Function(module, ir.FunctionType(I1, [POINTER, I64, I64]), "large")
    function.linkage = "internal"
    arguments, count, least = function.args
    code = Scribe(function.append_basic_block("entry"))
    first, product, mixed = code.alloca(I64), code.alloca(I64), code.alloca(I1)
    for place, value in ((first, I64(0)), (product, I64(1)), (mixed, I1(0))):
        code.store(value, place)
    _few_in_rows(code, python, function.args)
    with code.counted(I64(0), count) as index:
        array = code.read(arguments, index, POINTER)
        kind = code.load(code.at(array, I64(TYPE_AT)), typ=I64)
        with code.if_then(code.equal(kind, I64(python.array_type))):
            size = _size(code, array)
            with code.if_then(code.icmp_signed(">=", size, least)):
                code.ret(I1(1))
            before = code.load(first, typ=I64)
            is_first = code.equal(before, I64(0))
            code.store(code.select(is_first, code.ptrtoint(array, I64), before), first)
            other = code.inttoptr(code.load(first, typ=I64), POINTER)
            alike = _alike(code, array, other)
            code.store(code.or_(code.load(mixed, typ=I1), code.not_(alike)), mixed)
            counts = code.or_(is_first, code.not_(alike))
            factor = code.select(counts, size, I64(1))
            # neither is larger than `least`, which is less than 2^31
            grown = code.smaller(code.mul(code.load(product, typ=I64), factor), least)
            code.store(grown, product)
    enough = code.icmp_signed(">=", code.load(product, typ=I64), least)
    code.ret(code.and_(enough, code.load(mixed, typ=I1)))
    return function


def _few_in_rows(code: Scribe, python: CPython, given: Sequence[ir.Value]) -> None:
    """Return at once where no array has more axes than one, nor many elements: the commonest."""
    arguments, count, least = given
    other = code.append_basic_block("other")
    with code.counted(I64(0), count) as index:
        array = code.read(arguments, index, POINTER)
        kind = code.load(code.at(array, I64(TYPE_AT)), typ=I64)
        with code.if_then(code.equal(kind, I64(python.array_type))):
            rank = _rank(code, array)
            with code.if_then(code.less(I64(0), rank)):
                sizes = code.load(code.at(array, I64(SIZES_AT)), typ=POINTER)
                few = code.less(code.load(sizes, typ=I64), least)
                few = code.and_(few, code.equal(rank, I64(1)))
                fine = code.append_basic_block("few")
                code.cbranch(few, fine, other)
                code.position_at_end(fine)
    code.ret(I1(0))
    code.position_at_end(other)


def _rank(code: Scribe, array: ir.Value) -> ir.Value:
    return code.zext(code.load(code.at(array, I64(RANK_AT)), typ=I32), I64)


def _size(code: Scribe, array: ir.Value) -> ir.Value:
    """Count the elements of an array."""
    sizes = code.load(code.at(array, I64(SIZES_AT)), typ=POINTER)
    with code.goto_entry_block():
        found = code.alloca(I64)
    code.store(I64(1), found)
    with code.counted(I64(0), _rank(code, array)) as axis:
        code.store(code.mul(code.load(found, typ=I64), code.read(sizes, axis)), found)
    return code.load(found, typ=I64)


def _alike(code: Scribe, array: ir.Value, other: ir.Value) -> ir.Value:
    """Tell whether two arrays have the same shape."""
    ranks = [_rank(code, each) for each in (array, other)]
    own, theirs = (code.load(code.at(each, I64(SIZES_AT)), typ=POINTER) for each in (array, other))
    with code.goto_entry_block():
        same = code.alloca(I1)
    code.store(code.equal(*ranks), same)
    with code.counted(I64(0), code.smaller(*ranks)) as axis:
        equal = code.equal(code.read(own, axis), code.read(theirs, axis))
        code.store(code.and_(code.load(same, typ=I1), equal), same)
    return code.load(same, typ=I1)


class _Guard(Builtin[CPython]):
    def __init__(
        self, module: ir.Module, python: CPython, scan: ir.Function, large: ir.Function | None
    ) -> None:
        super().__init__(module, GUARD, python)
        self.scan, self.large = scan, large
        self.overflow = self.code.alloca(I32)

    def emit(self) -> None:
        """Look at each argument, then call."""
        code, python = self.code, self.python
        self.leave_unless(self.is_sound())
        self.run_directly()
        arguments, count, _ = self.call
        with code.counted(I64(0), count) as index:
            self.look(code.read(arguments, index, POINTER))
        result = self.passed_on(0) if self.large is None else self.by_size(self.large)
        failed = code.equal(code.ptrtoint(result, I64), I64(0))
        with code.if_then(failed, likely=False):
            matches = self.address(python.error_matches, I32, [POINTER])
            is_type = code.call(matches, [code.inttoptr(I64(python.type_error), POINTER)])
            with code.if_then(code.icmp_signed("!=", is_type, I32(0))):
                code.call(self.address(python.error_clear, VOID, []), [])
                code.branch(self.other)
            code.ret(result)
        self.returned(result)
        code.position_at_end(self.other)
        code.ret(self.passed_on(1))

    def by_size(self, large: ir.Function) -> ir.Value:
        """Call what is for so many elements."""
        code = self.code
        arguments, count, _ = self.call
        least = code.read(self.contents(2), I64(3))
        with code.if_else(code.call(large, [arguments, count, least]), likely=False) as (many, few):
            with many:
                sliced, after_many = self.passed_on(4), code.block
            with few:
                called, after_few = self.passed_on(0), code.block
        result = code.phi(POINTER)
        result.add_incoming(sliced, after_many)
        result.add_incoming(called, after_few)
        return result

    def is_sound(self) -> ir.Value:
        """Tell whether no call has met code that could not be made."""
        failures = self.code.read(self.contents(2), I64(4), POINTER)
        return self.code.equal(self.code.load(failures, typ=I64), I64(0))

    def returned(self, result: ir.Value) -> None:
        """Return a result, unless there was no code to compute it."""
        code = self.code
        with code.if_then(code.not_(self.is_sound()), likely=False):
            code.call(self.address(self.python.decrement, VOID, [POINTER]), [result])
            code.ret(self.passed_on(3))
        code.ret(result)

    def run_directly(self) -> None:
        """Run the kernel on numbers of float64, and return; go on where there is anything else."""
        code = self.code
        arguments, count, words = self.call
        direct = self.contents(2)
        places, integers = (code.alloca(I64, MOST_NUMBERS + 1) for _ in range(2))
        numbers, others = code.append_basic_block("numbers"), code.append_basic_block("others")
        all_given = code.equal(count, code.read(direct, I64(0)))
        plain = code.and_(all_given, code.equal(code.ptrtoint(words, I64), I64(0)))
        code.cbranch(plain, numbers, others)
        code.position_at_end(numbers)
        with code.counted(I64(0), count) as index:
            argument = code.read(arguments, index, POINTER)
            kind = code.load(code.at(argument, I64(TYPE_AT)), typ=I64)
            known = [code.equal(kind, I64(each)) for each in self.python.float_types]
            after = code.append_basic_block("stored")
            with self.where(functools.reduce(code.or_, known), after):
                self.store_place(argument, places, index)
            self.store_integer(argument, kind, code.slot(integers, index), others)
            code.store(code.ptrtoint(code.slot(integers, index), I64), code.slot(places, index))
            code.branch(after)
            code.position_at_end(after)
        result = self.new_result()
        self.store_place(result, places, count)
        self.drive(direct, places)
        self.returned(result)
        code.position_at_end(others)

    def store_place(self, number: ir.Value, places: ir.Value, index: ir.Value) -> None:
        """Write down where an object has its double."""
        code = self.code
        value = code.ptrtoint(code.at(number, I64(FLOAT_AT)), I64)
        code.store(value, code.slot(places, index))

    def store_integer(
        self, number: ir.Value, kind: ir.Value, place: ir.Value, others: ir.Block
    ) -> None:
        """Write a small Python integer as a double; go elsewhere with anything else."""
        code = self.code
        fine, small = code.append_basic_block("integer"), code.append_basic_block("small")
        code.cbranch(code.equal(kind, I64(self.python.int_type)), fine, others)
        code.position_at_end(fine)
        value, fits = self.read_integer(number)
        code.cbranch(fits, small, others)
        code.position_at_end(small)
        code.store(code.bitcast(code.sitofp(value, ir.DoubleType()), I64), place)

    def new_result(self) -> ir.Value:
        """Make a `np.float64`, or return where there is no memory."""
        code, python = self.code, self.python
        make = self.address(python.new_object, POINTER, [POINTER, I64])
        result = code.call(make, [code.inttoptr(I64(python.result_type), POINTER), I64(0)])
        with code.if_then(code.equal(code.ptrtoint(result, I64), I64(0)), likely=False):
            code.ret(result)
        return result

    def drive(self, direct: ir.Value, places: ir.Value) -> None:
        """Call the driver for one point."""
        code = self.code
        kind = ir.ArrayType(I64, MOST_NUMBERS + 1)
        one, steps = code.alloca(I64), code.alloca(kind)
        code.store(I64(1), one)
        code.store(ir.Constant(kind, [0] * (MOST_NUMBERS + 1)), steps)
        signature = ir.FunctionType(VOID, [POINTER] * 4).as_pointer()
        driver = code.load(code.slot(direct, I64(1)), typ=signature)
        for table in (places, one, steps):  # untyped: these are llvmlite's typed pointers
            table.type = POINTER
        code.call(driver, [places, one, steps, code.read(direct, I64(2), POINTER)])

    def look(self, argument: ir.Value) -> None:
        """Go on where an argument will do by its type, else leave for a closer look."""
        code, python = self.code, self.python
        kind = code.load(code.at(argument, I64(TYPE_AT)), typ=I64)
        after = code.append_basic_block("fine")
        with self.where(code.equal(kind, I64(python.array_type)), after):
            self.look_at_array(argument, after)
        for quick in python.quick_types:
            with self.where(code.equal(kind, I64(quick)), after):
                pass
        with self.where(code.equal(kind, I64(python.int64_type)), after):
            value = code.load(code.at(argument, I64(INT64_AT)), typ=I64)
            self.leave_unless(self.is_small(value))
        self.leave_unless(code.equal(kind, I64(python.int_type)))
        _, fits = self.read_integer(argument)
        self.leave_unless(fits)
        code.branch(after)
        code.position_at_end(after)

    def look_at_array(self, array: ir.Value, after: ir.Block) -> None:
        """Go by the type, and look at the values of integers of 64 bits."""
        code, python = self.code, self.python
        dtype = code.load(code.at(array, I64(DTYPE_AT)), typ=POINTER)
        number = code.zext(code.load(code.at(dtype, I64(NUMBER_AT)), typ=I32), I64)
        known = code.icmp_unsigned("<", number, I64(64))

        def among(numbers: int) -> ir.Value:
            bit = code.lshr(I64(numbers), code.and_(number, I64(63)))
            return code.and_(code.trunc(bit, I1), known)

        with self.where(among(python.numbers), after):
            pass
        self.leave_unless(among(python.signed | python.unsigned))
        bias = code.select(among(python.signed), I64(LARGEST), I64(0))
        self.leave_unless(code.call(self.scan, [array, bias]))

    def read_integer(self, number: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Return the value of a Python integer, and whether it is a small one."""
        code = self.code
        read = self.address(self.python.long_as_long, I64, [POINTER, POINTER])
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
