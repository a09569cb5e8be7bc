"""The guard: a C function of CPython that looks at a call's arguments before NumPy does.

It goes on at once to the callable where every argument is one that float64 holds exactly, by its
type: floats, arrays of all but 64-bit integers, small Python integers. Every other call, and one
that fails with a TypeError, goes to a Python function, which looks closer and finds words for it.

Where arguments are single numbers (`numbers`), or arrays that lie alike (`whole`), it runs the
kernel's code at once.
"""

from llvmlite import ir

from codegen.llvm.builtin import (
    DATA_AT,
    DTYPE_AT,
    FLAGS_AT,
    INT64_AT,
    NUMBER_AT,
    ORDER_AT,
    RANK_AT,
    SIMPLE,
    SIZES_AT,
    TYPE_AT,
    CPython,
)  # fmt: skip
from codegen.llvm.known import LARGEST
from codegen.llvm.numbers import Numbers
from codegen.llvm.scribe import I1, I8, I32, I64, POINTER, VOID, Scribe
from codegen.llvm.sizes import emit_large
from codegen.llvm.whole import Whole
from codegen.target import Target

__all__ = ["GUARD", "emit_guard"]

GUARD = "rewrite_guard"


_SOME = 1 << 18  # of more, NumPy's reductions are as fast, and let other threads run
_LANES = 8


def emit_guard(target: Target, python: CPython, *, sized: bool = False) -> str:
    """Return the text of `guard((call, closer, known, failed, large, words, ...), args, ...)`.

    `known` is a `bytes` object that holds a `Known`; `failed` is called after a call that was the
    first to have no code, `closer` instead of later ones. A `sized` guard calls `large` where
    arrays have enough elements, or may have where they are broadcast.
    """
    module = ir.Module(name=GUARD)
    module.triple = target.triple
    large = emit_large(module) if sized else None
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


class _Guard(Numbers, Whole):
    def __init__(
        self, module: ir.Module, python: CPython, scan: ir.Function, large: ir.Function | None
    ) -> None:
        super().__init__(module, GUARD, python)
        self.scan, self.large = scan, large

    def emit(self) -> None:
        """Look at each argument, then call."""
        code = self.code
        self.leave_unless(self.is_sound())
        self.run_numbers()
        self.run_whole()
        arguments, count, _ = self.call
        with code.counted(I64(0), count) as index:
            self.look(code.read(arguments, index, POINTER))
        result = self.passed_on(0) if self.large is None else self.by_size(self.large)
        failed = code.equal(code.ptrtoint(result, I64), I64(0))
        with code.if_then(failed, likely=False):
            matches = self.function("error_matches", I32, [POINTER])
            is_type = code.call(matches, [code.inttoptr(self.word("type_error"), POINTER)])
            with code.if_then(code.icmp_signed("!=", is_type, I32(0))):
                code.call(self.function("error_clear", VOID, []), [])
                code.branch(self.other)
            code.ret(result)
        self.returned(result)
        code.position_at_end(self.other)
        code.ret(self.passed_on(1))

    def by_size(self, large: ir.Function) -> ir.Value:
        """Call what is for so many elements."""
        code = self.code
        arguments, count, _ = self.call
        least = self.known("least")
        with code.if_else(
            code.call(large, [arguments, count, least, self.word("array_type")]), likely=False
        ) as (many, few):
            with many:
                sliced, after_many = self.passed_on(4), code.block
            with few:
                called, after_few = self.passed_on(0), code.block
        result = code.phi(POINTER)
        result.add_incoming(sliced, after_many)
        result.add_incoming(called, after_few)
        return result

    def look(self, argument: ir.Value) -> None:
        """Go on where an argument will do by its type, else leave for a closer look."""
        code = self.code
        kind = code.load(code.at(argument, I64(TYPE_AT)), typ=I64)
        after = code.append_basic_block("fine")
        with self.where(code.equal(kind, self.word("array_type")), after):
            self.look_at_array(argument, after)
        for quick in range(len(self.python.quick_types)):
            with self.where(code.equal(kind, self.word("quick_types", quick)), after):
                pass
        with self.where(code.equal(kind, self.word("int64_type")), after):
            value = code.load(code.at(argument, I64(INT64_AT)), typ=I64)
            self.leave_unless(self.is_small(value))
        self.leave_unless(code.equal(kind, self.word("int_type")))
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
