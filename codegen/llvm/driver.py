"""The driver: one NumPy inner loop for all kernels, which feeds their bodies contiguous streams.

Written once in LLVM and compiled once per process. Contiguous operands go to the body as they
are; broadcast ones are splat into a buffer, strided ones are packed into and out of buffers chunk
by chunk (several at once where they lie side by side), and a remainder of less than a vector goes
through buffers whose dead lanes repeat a live one. Results that only repeat arguments are copied
from there. So strides, lengths and alignment choose what is
copied, never how a value is computed. Results larger than the caches go past them, by the loop's
second body, where they are aligned.

It also runs the body in the default floating-point environment (round to nearest, subnormals
kept, no traps) and restores the caller's afterwards, with the flags that NumPy reads: a kernel
never raises RuntimeWarnings, and a thread that flushes subnormals gets the same bits as any other.
"""

import ctypes
from collections.abc import Sequence

from llvmlite import ir

from codegen.instruction import MOST_AXES
from codegen.llvm.passed import MOVE, emit_moves
from codegen.llvm.scribe import (
    I1,
    I8,
    I32,
    I64,
    POINTER,
    VOID,
    Scribe,
    default_environment,
    emit_copy,
    places,
)
from codegen.llvm.turning import emit_turn
from codegen.target import Target

__all__ = ["CHUNK_BYTES", "DRIVER", "Entry", "LoopData", "emit_driver", "feeds_back"]

DRIVER = "rewrite_driver"
CHUNK_BYTES = 16 << 10
"""Buffers of all streams together stay in the first-level cache."""
_FRAME = 32 << 10
_PAGE = 4096
_APART = 1600
"""Bytes between a page and where the stack of bodies begins.

Their constants begin a page as well, and a load waits for a store whose address ends in the same
twelve bits: bodies that keep many values on the stack took 22 % longer at the worst distance than
at the best, where they were not called from the same depth (Zen 4, measured in steps of 64 bytes).
"""
_WORTH_ALIGNING = 1500  # elements
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


def emit_driver(target: Target) -> str:
    """Return the text of the driver's LLVM module."""
    module = ir.Module(name=DRIVER)
    module.triple = target.triple
    copy = emit_copy(module)
    turns = [emit_turn(module, target, copy, back=back) for back in (False, True)]
    move = emit_moves(module, target)
    feed = _Feed(module, (copy, move, *turns), target.vector_bits // 64).function
    _emit_entry(module, feed)
    return str(module)


def _emit_entry(module: ir.Module, feed: ir.Function) -> None:
    """Write the function that NumPy calls: environment and scratch memory around the feed."""
    function = ir.Function(module, ir.FunctionType(VOID, [POINTER] * 4), DRIVER)
    args, dims, steps, data = function.args
    code = Scribe(function.append_basic_block("entry"))
    frame = code.alloca(ir.ArrayType(I8, _FRAME))
    frame.align = _PAGE
    count = code.load(dims, typ=I64)
    with code.if_then(code.less(count, I64(1))):
        code.ret_void()
    code.store(I8(0), code.alloca(I8, I64(_APART)))
    with default_environment(code):
        need = code.field(data, _DATA, _DATA_PLACES["scratch"])
        with code.if_else(code.less(I64(_FRAME), need)) as (large, small):
            with large:
                take = ir.Function(module, ir.FunctionType(POINTER, [I64]), "malloc")
                give = ir.Function(module, ir.FunctionType(VOID, [POINTER]), "free")
                heap = code.call(take, [need])
                code.call(feed, [args, count, steps, data, heap])
                code.call(give, [heap])
            with small:
                code.call(feed, [args, count, steps, data, frame])
    code.ret_void()


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


class _Feed:
    """`feed(args, count, steps, data, scratch)`: prepare the streams, then chunk by chunk."""

    def __init__(self, module: ir.Module, called: Sequence[ir.Function], words: int) -> None:
        signature = ir.FunctionType(VOID, [POINTER, I64, POINTER, POINTER, POINTER])
        self.function = ir.Function(module, signature, "feed")
        self.function.linkage = "internal"
        self.args, self.count, self.steps, self.data, scratch = self.function.args
        self.code = Scribe(self.function.append_basic_block("entry"))
        self.copy, self.move, self.turn, self.turn_back = called
        self.read_data()
        # the tables follow the buffers: pointers for the body; bases, steps, runs and copies
        rest = self.code.at(scratch, self.code.mul(self.total, self.room))
        bytes_each = self.code.mul(self.total, I64(8))
        self.buffers, self.pointers = scratch, rest
        self.bases = self.code.at(rest, bytes_each)
        self.strides = self.code.at(self.bases, bytes_each)
        self.runs = self.code.at(self.strides, bytes_each)
        self.copied = self.code.at(self.runs, bytes_each)
        self.point(ir.VectorType(I64, words))
        self.feeds_back = self.feedback()
        self.shares = self.shared()
        self.place()
        self.direct = self.in_rows()
        self.prepare()
        self.join()
        self.moves = self.code.alloca(I64)
        apart = self.misaligned()
        behind = self.past_the_caches(apart)
        self.chunks(apart, behind)
        if not str(module.triple).startswith("aarch64"):
            with self.code.if_then(behind, likely=False):
                fence = ir.Function(module, ir.FunctionType(VOID, []), "llvm.x86.sse.sfence")
                self.code.call(fence, [])
        self.code.ret_void()

    def read_data(self) -> None:
        """Read the loop's description."""
        code = self.code
        names = ("body", "behind", "table", "streams", "inputs", "lanes", "chunk", "copies")
        values = [code.field(self.data, _DATA, _DATA_PLACES[name]) for name in names]
        self.body, self.behind, self.table, self.total, *values = values
        self.inputs, self.lanes, self.chunk, self.copies = values
        self.room = code.mul(self.chunk, I64(8))
        self.mask = code.neg(self.lanes)

    def point(self, register: ir.VectorType) -> None:
        """Do a single point, and return: it fills all lanes of its vector.

        Calls for numbers come here, so that what they need not know of is left out.
        """
        code = self.code
        width = 8 * register.count
        wide = code.field(self.data, _DATA, _DATA_PLACES["register_bytes"])
        single = code.and_(code.equal(self.count, I64(1)), code.equal(wide, I64(width)))
        with code.if_then(single):
            with code.counted(I64(0), self.inputs) as stream:
                size = self.entry(stream, "size")
                word = self.repeated(self.base(stream), size)
                full = code.splat(word, register)
                buffer, end = self.buffer(stream), code.mul(self.lanes, size)
                code.store(buffer, code.slot(self.pointers, stream))
                # truth values fill less than a register, whose rest belongs to the buffer too
                registers = code.udiv(code.add(end, I64(width - 1)), I64(width))
                with code.counted(I64(0), registers) as index:
                    code.store(full, code.at(buffer, code.mul(index, I64(width))), align=8)
            with code.counted(self.inputs, self.total) as stream:
                code.store(self.buffer(stream), code.slot(self.pointers, stream))
            code.call(self.body, [self.pointers, self.lanes])
            with code.counted(self.inputs, self.total) as stream:
                size = self.entry(stream, "size")
                source = self.entry(stream, "source")
                source = code.select(code.less(I64(-1), source), source, stream)
                given = [self.base(stream), size, self.buffer(source), size, I64(1), size]
                code.call(self.copy, given)
            code.ret_void()

    def repeated(self, place: ir.Value, size: ir.Value) -> ir.Value:
        """Read an element, and repeat its bytes until they are 8."""
        code = self.code
        after = code.append_basic_block("repeated")
        blocks = {width: code.append_basic_block(f"bytes{width}") for width in (8, 4, 1)}
        choice = code.switch(size, blocks[8])
        found = []
        for width, block in blocks.items():
            if width != 8:
                choice.add_case(I64(width), block)
            code.position_at_end(block)
            bits = code.load(place, typ=ir.IntType(8 * width), align=1)
            word = bits if width == 8 else code.zext(bits, I64)
            often = ((1 << 64) - 1) // ((1 << 8 * width) - 1)
            found.append((code.mul(word, I64(often)) if width != 8 else word, block))
            code.branch(after)
        code.position_at_end(after)
        word = code.phi(I64)
        for value, block in found:
            word.add_incoming(value, block)
        return word

    def base(self, stream: ir.Value) -> ir.Value:
        """Return where a stream starts."""
        code = self.code
        base = code.read(self.args, self.entry(stream, "operand"), POINTER)
        for axis in range(MOST_AXES):
            step = code.read(self.steps, self.entry(stream, f"at{axis}"))
            base = code.at(base, code.mul(step, self.entry(stream, f"index{axis}")))
        return base

    def entry(self, stream: ir.Value, name: str) -> ir.Value:
        """Read a field of a stream's entry."""
        base = self.code.gep(self.table, [stream], source_etype=_ENTRY)
        return self.code.field(base, _ENTRY, _ENTRY_PLACES[name])

    def buffer(self, stream: ir.Value) -> ir.Value:
        """Return the buffer of a stream."""
        return self.code.at(self.buffers, self.code.mul(stream, self.room))

    def feedback(self) -> ir.Value:
        """Tell whether a result is an input of a later element, as in `ufunc.reduce`."""
        code = self.code
        with code.if_else(
            code.equal(code.field(self.data, _DATA, _DATA_PLACES["feedback"]), I64(1))
        ) as (binary, other):
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
        arguments, operands = (
            code.field(self.data, _DATA, _DATA_PLACES[name]) for name in ("arguments", "operands")
        )
        flag = code.alloca(I1)
        code.store(code.and_(code.equal(self.count, I64(1)), code.less(I64(0), operands)), flag)
        with code.counted(arguments, operands) as result, code.counted(I64(0), arguments) as each:
            same = code.equal(code.read(self.args, result), code.read(self.args, each))
            code.store(code.or_(code.load(flag, typ=I1), same), flag)
        return code.load(flag, typ=I1)

    def place(self) -> None:
        """Note where each stream begins, and how far apart its elements are."""
        code = self.code
        with code.counted(I64(0), self.total) as stream:
            stride = code.read(self.steps, self.entry(stream, "operand"))
            code.store(self.base(stream), code.slot(self.bases, stream))
            code.store(stride, code.slot(self.strides, stream))

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

    def prepare(self) -> None:
        """Splat broadcast inputs, and choose how much goes in one chunk."""
        code = self.code
        flag = code.alloca(I1)
        code.store(code.not_(self.shares), flag)
        self.anchor, self.anchor_size = code.alloca(I64), code.alloca(I64)
        code.store(I64(0), self.anchor)
        code.store(I64(1), self.anchor_size)
        padded = code.and_(code.add(self.count, code.sub(self.lanes, I64(1))), self.mask)
        filled = code.smaller(padded, self.chunk)
        with code.counted(I64(0), self.total) as stream:
            size, stride = self.entry(stream, "size"), code.read(self.strides, stream)
            base = code.read(self.bases, stream, POINTER)
            with code.if_else(code.equal(stride, size)) as (straight, other):
                with straight, code.if_then(code.less(I64(1), size)):
                    code.store(code.ptrtoint(base, I64), self.anchor)
                    code.store(size, self.anchor_size)
                with other:
                    code.store(code.and_(code.load(flag, typ=I1), self.is_idle(stream)), flag)
            with code.if_then(self.is_splat(stream, stride)):
                to = self.buffer(stream)
                code.call(self.copy, [to, size, base, I64(0), filled, size])
        most = code.select(code.load(flag, typ=I1), self.count, self.chunk)
        self.most = code.select(self.feeds_back, I64(1), most)

    def join(self) -> None:
        """Tell how many streams from each on are packed together: side by side, equally far apart.

        So a stream belongs to a run that began before it where the one before has more than one.
        Those that are copied belong together where what they are copies of lies like them.
        """
        code, total = self.code, self.total
        with code.counted(I64(0), total) as k:
            stream = code.sub(code.sub(total, I64(1)), k)
            code.store(I64(1), code.slot(self.runs, stream))
            with code.if_then(code.less(I64(0), k)):
                after = code.add(stream, I64(1))
                size, stride = self.entry(stream, "size"), code.read(self.strides, stream)
                packed = code.not_(
                    code.or_(code.equal(stride, size), self.is_splat(stream, stride))
                )
                packed = code.and_(packed, code.less(I64(1), size))
                source, copied = self.source(stream), self.is_idle(stream)
                following = code.select(copied, code.add(source, I64(1)), source)
                alike = code.equal(self.source(after), following)
                first = code.select(copied, source, stream)
                beside = code.and_(self.is_beside(stream), self.is_beside(first))
                with code.if_then(code.and_(code.and_(beside, alike), packed)):
                    more = code.add(code.read(self.runs, after), I64(1))
                    code.store(more, code.slot(self.runs, stream))

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

    def past_the_caches(self, apart: ir.Value) -> ir.Value:
        """Tell whether stores may go past the caches: enough of them, each to whole lines."""
        code = self.code
        flag = code.alloca(I1)
        code.store(I1(0), flag)
        large = code.field(self.data, _DATA, _DATA_PLACES["large"])
        last = code.field(self.data, _DATA, _DATA_PLACES["register_bytes"])
        enough = code.less(large, self.count)
        with code.if_then(code.and_(enough, code.not_(self.feeds_back)), likely=False):
            code.store(I1(1), flag)
            with code.counted(self.inputs, self.total) as stream:
                size, stride = self.entry(stream, "size"), code.read(self.strides, stream)
                start = code.add(code.read(self.bases, stream), code.mul(apart, size))
                off = code.and_(start, code.sub(last, I64(1)))
                straight = code.and_(code.equal(off, I64(0)), code.equal(stride, size))
                code.store(code.and_(code.load(flag, typ=I1), straight), flag)
        return code.load(flag, typ=I1)

    def chunks(self, apart: ir.Value, behind: ir.Value) -> None:
        """Run the body over whole vectors, and at last over the remainder."""
        code = self.code
        first = code.select(code.equal(apart, I64(0)), self.most, apart)
        before, head = code.block, code.append_basic_block("chunk")
        code.branch(head)
        code.position_at_end(head)
        done, most = code.phi(I64), code.phi(I64)
        done.add_incoming(I64(0), before)
        most.add_incoming(first, before)
        left = code.smaller(code.sub(self.count, done), most)
        whole = code.and_(left, self.mask)
        short = code.equal(whole, I64(0))
        length = code.select(short, left, whole)
        with code.counted(I64(0), self.total) as stream:
            self.bring(stream, done, length, short)
        rounded = code.select(short, self.lanes, whole)
        past = code.and_(behind, code.not_(short))
        code.call(code.select(past, self.behind, self.body), [self.pointers, rounded])
        with code.if_then(code.less(I64(0), self.copies), likely=False):
            with code.if_else(self.direct) as (direct, other):
                with direct:
                    self.copy_over(done, length)
                with other:
                    self.repeat(length)
        with code.counted(self.inputs, self.total) as stream:
            self.take_back(stream, done, length, short)
        following = code.add(done, length)
        done.add_incoming(following, code.block)
        most.add_incoming(self.most, code.block)
        after = code.append_basic_block("finished")
        code.cbranch(code.less(following, self.count), head, after)
        code.position_at_end(after)

    def misaligned(self) -> ir.Value:
        """Count the elements before the first whole vector in memory of the last contiguous stream.

        In a long call they go first and alone: NumPy's arrays often are misaligned all alike, and
        a vector that crosses cache lines costs twice, most of all where it is stored.
        """
        code = self.code
        start, size = code.load(self.anchor, typ=I64), code.load(self.anchor_size, typ=I64)
        gap = code.and_(code.neg(start), code.sub(code.mul(self.lanes, size), I64(1)))
        long = code.less(I64(_WORTH_ALIGNING), self.count)
        use = code.and_(long, code.not_(self.feeds_back))
        return code.select(use, code.udiv(gap, size), I64(0))

    def bring(self, stream: ir.Value, done: ir.Value, length: ir.Value, short: ir.Value) -> None:
        """Point the body to a stream's next elements, packing them where they do not lie right."""
        code = self.code
        size, stride = self.entry(stream, "size"), code.read(self.strides, stream)
        source = code.at(code.read(self.bases, stream, POINTER), code.mul(done, stride))
        kept = code.and_(self.shares, code.less(stream, self.inputs))
        straight = code.and_(code.equal(stride, size), code.not_(code.or_(short, kept)))
        buffer = self.buffer(stream)
        code.store(code.select(straight, source, buffer), code.slot(self.pointers, stream))
        packed = code.not_(code.or_(straight, self.is_splat(stream, stride)))
        packed = code.and_(packed, code.not_(self.is_idle(stream)))
        with code.if_then(code.and_(packed, code.less(stream, self.inputs))):
            with code.if_then(self.is_first(stream)):
                many = code.read(self.runs, stream)
                with code.if_else(code.equal(many, I64(1))) as (one, several):
                    with one:
                        code.call(self.copy, [buffer, size, source, stride, length, size])
                    with several:
                        given = [buffer, self.room, source, stride, length, many, size]
                        code.call(self.turn, given)
            with code.if_then(short):
                dead = code.at(buffer, code.mul(length, size))
                count = code.sub(self.lanes, length)
                code.call(self.copy, [dead, size, buffer, I64(0), count, size])

    def take_back(
        self, stream: ir.Value, done: ir.Value, length: ir.Value, short: ir.Value
    ) -> None:
        """Unpack what the body wrote into a buffer."""
        code = self.code
        size, stride = self.entry(stream, "size"), code.read(self.strides, stream)
        packed = code.or_(short, code.not_(code.equal(stride, size)))
        with code.if_then(code.and_(packed, code.not_(self.is_idle(stream)))):
            to = code.at(code.read(self.bases, stream, POINTER), code.mul(done, stride))
            buffer, many = self.buffer(stream), code.read(self.runs, stream)
            with code.if_then(self.is_first(stream)):
                with code.if_else(code.equal(many, I64(1))) as (one, several):
                    with one:
                        code.call(self.copy, [to, stride, buffer, size, length, size])
                    with several:
                        given = [buffer, self.room, to, stride, length, many, size]
                        code.call(self.turn_back, given)

    def repeat(self, length: ir.Value) -> None:
        """Write what repeats arguments to where the body would have written it."""
        code = self.code
        with code.counted(self.inputs, self.total) as stream:
            source, size = self.entry(stream, "source"), self.entry(stream, "size")
            with code.if_then(code.less(I64(-1), source)):
                to, start = (code.read(self.pointers, x, POINTER) for x in (stream, source))
                whole = code.mul(length, size)
                self.note(self.copied, [to, I64(0), start, I64(0), whole])
                code.call(self.move, [self.copied, I64(1), I64(1)])

    def note(self, row: ir.Value, values: Sequence[ir.Value]) -> None:
        """Write an entry of the table of copies."""
        for place, value in enumerate(values):
            where = self.code.gep(row, [I32(0), I32(place)], source_etype=MOVE)
            self.code.store(value, where)

    def copy_over(self, done: ir.Value, length: ir.Value) -> None:
        """Copy what lies in rows as it does in those of arguments."""
        code = self.code
        code.store(I64(0), self.moves)
        with code.counted(self.inputs, self.total) as stream:
            with code.if_then(code.and_(self.is_idle(stream), self.is_first(stream))):
                number = code.load(self.moves, typ=I64)
                row = code.gep(self.copied, [number], source_etype=MOVE)
                given: list[ir.Value] = []
                for each in (stream, self.source(stream)):
                    step = code.read(self.strides, each)
                    given += [code.at(code.read(self.bases, each, POINTER), code.mul(done, step))]
                    given += [step]
                size = code.mul(code.read(self.runs, stream), self.entry(stream, "size"))
                dense = code.and_(code.equal(given[1], size), code.equal(given[3], size))
                self.note(row, [*given, code.select(dense, code.mul(length, size), size)])
                following = code.select(dense, number, code.add(number, I64(1)))
                code.store(following, self.moves)
                with code.if_then(dense):
                    code.call(self.move, [row, I64(1), I64(1)])
        code.call(self.move, [self.copied, code.load(self.moves, typ=I64), length])
