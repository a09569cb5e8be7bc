"""The streams of a call: where they begin, how far apart their elements are, what they repeat.

Each is an operand, or a component of one with axes. `Streams` writes the code that asks.
"""

import ctypes
from collections.abc import Sequence

from llvmlite import ir

from codegen.instruction import MOST_AXES
from codegen.llvm.scribe import I1, I64, POINTER, VOID, Scribe, places

__all__ = ["CHUNK_BYTES", "Entry", "LoopData", "Streams", "described", "feeds_back"]

CHUNK_BYTES = 16 << 10
"""Buffers of all streams together stay in the first-level cache."""
_RUN = 4  # numbers side by side that are copied together, more or less
_AXIS = ("at", "index")


class Entry(ctypes.Structure):
    """Where a stream starts: at args[operand] + index0 * steps[at0] + index1 * steps[at1].

    And, of one that the body neither reads nor writes, the stream of which it is a copy, else -1.
    """

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in (
            "operand", "size", *(f"{x}{k}" for k in range(MOST_AXES) for x in _AXIS), "source",
        )
    )  # fmt: skip


class LoopData(ctypes.Structure):
    """What NumPy hands to the driver as `data`: the body and the shape of its streams."""

    _fields_ = (
        ("body", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        # the body whose stores go past the caches, or none, and from how many elements on
        ("behind", ctypes.c_void_p),
        ("large", ctypes.c_int64),
        ("register_bytes", ctypes.c_int64),
        *((name, ctypes.c_int64) for name in ("streams", "inputs", "lanes", "chunk", "scratch")),
        # 1 for two inputs and one output: NumPy's reduce and accumulate feed results back
        ("feedback", ctypes.c_int64),
        # how many results are copies of arguments
        ("copies", ctypes.c_int64),
        # of programs whose operands have axes: how many arguments, and how many operands
        ("arguments", ctypes.c_int64),
        ("operands", ctypes.c_int64),
        # the body that others leave rare arguments to
        ("guarded", ctypes.c_void_p),
    )


_ENTRY = ir.LiteralStructType([I64] * len(Entry._fields_))
_BODY = ir.FunctionType(VOID, [POINTER, I64]).as_pointer()
_DATA = ir.LiteralStructType([_BODY, POINTER, _BODY, *[I64] * (len(LoopData._fields_) - 3)])
_DATA_PLACES, _ENTRY_PLACES = places(LoopData), places(Entry)


def feeds_back(code: Scribe, args: ir.Value, steps: ir.Value, count: ir.Value) -> ir.Value:
    """Tell whether the result of a program of two arguments lies over the first, but not on it."""
    ranges = []
    for operand in (I64(0), I64(2)):
        start, step = code.read(args, operand), code.read(steps, operand)
        end = code.add(start, code.mul(step, code.sub(count, I64(1))))
        ranges.append((start, step, code.smaller(start, end), code.larger(start, end)))
    (start, step, low, high), (out, out_step, out_low, out_high) = ranges
    # element sizes differ by at most 8 bytes
    apart = code.or_(
        code.less(code.add(high, I64(7)), out_low), code.less(code.add(out_high, I64(7)), low)
    )
    same = code.and_(code.equal(start, out), code.equal(step, out_step))
    in_place = code.and_(same, code.icmp_signed("!=", step, I64(0)))
    return code.not_(code.or_(apart, in_place))


def described(code: Scribe, data: ir.Value, name: str) -> ir.Value:
    """Read a field of a loop's description."""
    return code.field(data, _DATA, _DATA_PLACES[name])


class Streams:
    """Where the numbers of a call lie, and what is to be done with them."""

    feeds_back: ir.Value
    """Whether a result is an input of a later element."""
    shares: ir.Value
    """Whether a result is written where an argument with axes is read."""
    direct: ir.Value
    """Whether results that repeat arguments are copied as they lie."""

    def __init__(self, code: Scribe, given: Sequence[ir.Value]) -> None:
        self.code = code
        self.args, self.count, self.steps, self.data, scratch = given
        self.read_data()
        # the tables follow the buffers: pointers for the body; bases, steps, runs and copies
        rest = code.at(scratch, code.mul(self.total, self.room))
        bytes_each = code.mul(self.total, I64(8))
        self.buffers, self.pointers = scratch, rest
        self.bases = code.at(rest, bytes_each)
        self.strides = code.at(self.bases, bytes_each)
        self.runs = code.at(self.strides, bytes_each)
        self.copied = code.at(self.runs, bytes_each)

    def known(self, name: str) -> ir.Value:
        """Read a field of the loop's description."""
        return described(self.code, self.data, name)

    def read_data(self) -> None:
        """Read the loop's description."""
        code = self.code
        names = ("body", "behind", "table", "streams", "inputs", "lanes", "chunk", "copies")
        values = [self.known(name) for name in names]
        self.body, self.behind, self.table, self.total, *values = values
        self.inputs, self.lanes, self.chunk, self.copies = values
        self.room = code.mul(self.chunk, I64(8))
        self.mask = code.neg(self.lanes)

    def entry(self, stream: ir.Value, name: str) -> ir.Value:
        """Read a field of a stream's entry."""
        base = self.code.gep(self.table, [stream], source_etype=_ENTRY)
        return self.code.field(base, _ENTRY, _ENTRY_PLACES[name])

    def base(self, stream: ir.Value) -> ir.Value:
        """Return where a stream starts."""
        code = self.code
        base = code.read(self.args, self.entry(stream, "operand"), POINTER)
        for axis in range(MOST_AXES):
            step = code.read(self.steps, self.entry(stream, f"at{axis}"))
            base = code.at(base, code.mul(step, self.entry(stream, f"index{axis}")))
        return base

    def buffer(self, stream: ir.Value) -> ir.Value:
        """Return the buffer of a stream."""
        return self.code.at(self.buffers, self.code.mul(stream, self.room))

    def source(self, stream: ir.Value) -> ir.Value:
        """Return the stream of which one is a copy that is made directly, or -1."""
        return self.code.select(self.direct, self.entry(stream, "source"), I64(-1))

    def is_idle(self, stream: ir.Value) -> ir.Value:
        """Tell whether a stream goes past the body and its buffers."""
        return self.code.less(I64(-1), self.source(stream))

    def is_splat(self, stream: ir.Value, stride: ir.Value) -> ir.Value:
        """Tell whether one number serves the whole call."""
        code = self.code
        constant = code.and_(code.equal(stride, I64(0)), code.less(stream, self.inputs))
        return code.and_(constant, code.not_(self.feeds_back))

    def is_beside(self, stream: ir.Value) -> ir.Value:
        """Tell whether a stream lies before the next one, in the same array."""
        code, after = self.code, self.code.add(stream, I64(1))
        gap = code.sub(code.read(self.bases, after), code.read(self.bases, stream))
        operands = [self.entry(each, "operand") for each in (stream, after)]
        return code.and_(code.equal(*operands), code.equal(gap, self.entry(stream, "size")))

    def is_first(self, stream: ir.Value) -> ir.Value:
        """Tell whether a stream is packed with none before it."""
        code = self.code
        before = code.select(code.equal(stream, I64(0)), stream, code.sub(stream, I64(1)))
        alone = code.equal(code.read(self.runs, before), I64(1))
        return code.or_(code.equal(stream, I64(0)), alone)

    def feedback(self) -> ir.Value:
        """Tell whether a result is an input of a later element, as in `ufunc.reduce`."""
        code = self.code
        with code.if_else(code.equal(self.known("feedback"), I64(1))) as (binary, other):
            with binary:
                found = feeds_back(code, self.args, self.steps, self.count)
                binary_end = code.block
            with other:
                other_end = code.block
        result = code.phi(I1)
        result.add_incoming(found, binary_end)
        result.add_incoming(I1(0), other_end)
        return result

    def shared(self) -> ir.Value:
        """Tell whether a result is written where an argument with axes is read.

        NumPy lets that pass where both lie alike, as it may for an op of single numbers, and of a
        single point it does not ask. Then all numbers of some points are read before the first of
        them is written.
        """
        code = self.code
        arguments, operands = (self.known(name) for name in ("arguments", "operands"))
        flag = code.alloca(I1)
        code.store(code.and_(code.equal(self.count, I64(1)), code.less(I64(0), operands)), flag)
        with code.counted(arguments, operands) as result, code.counted(I64(0), arguments) as each:
            same = code.equal(code.read(self.args, result), code.read(self.args, each))
            code.store(code.or_(code.load(flag, typ=I1), same), flag)
        return code.load(flag, typ=I1)

    def in_rows(self) -> ir.Value:
        """Tell whether results that repeat arguments lie like them, most of them side by side.

        Else they pass through buffers, as what the body writes does: rows are turned by squares.
        """
        code, runs = self.code, self.code.alloca(I64)
        code.store(I64(0), runs)
        with (
            code.if_then(code.less(I64(0), self.copies), likely=False),
            code.counted(self.inputs, self.total) as stream,
        ):
            source, size = self.entry(stream, "source"), self.entry(stream, "size")
            with code.if_then(code.less(I64(-1), source)):
                before, below = code.sub(stream, I64(1)), code.sub(source, I64(1))
                follows = code.equal(self.entry(before, "source"), below)
                follows = code.and_(follows, code.less(self.inputs, stream))
                with code.if_then(follows):
                    joined = code.and_(self.is_beside(before), self.is_beside(below))
                    code.store(code.sub(code.load(runs, typ=I64), code.zext(joined, I64)), runs)
                steps = [code.read(self.strides, each) for each in (stream, source)]
                dense = code.and_(*(code.equal(step, size) for step in steps))
                more = code.zext(code.not_(dense), I64)
                code.store(code.add(code.load(runs, typ=I64), more), runs)
        few = code.less(code.mul(code.load(runs, typ=I64), I64(_RUN - 1)), self.copies)
        return code.and_(few, code.not_(self.shares))
