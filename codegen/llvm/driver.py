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

from collections.abc import Sequence

from llvmlite import ir

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
)
from codegen.llvm.streams import Streams, described
from codegen.llvm.turning import emit_turn
from codegen.target import Target

__all__ = ["DRIVER", "emit_driver"]

DRIVER = "rewrite_driver"
_FRAME = 32 << 10
_PAGE = 4096
_APART = 1600
"""Bytes between a page and where the stack of bodies begins.

Their constants begin a page as well, and a load waits for a store whose address ends in the same
twelve bits: bodies that keep many values on the stack took 22 % longer at the worst distance than
at the best, where they were not called from the same depth (Zen 4, measured in steps of 64 bytes).
"""
_WORTH_ALIGNING = 1500  # elements


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
        need = described(code, data, "scratch")
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


class _Feed(Streams):
    """`feed(args, count, steps, data, scratch)`: prepare the streams, then chunk by chunk."""

    def __init__(self, module: ir.Module, called: Sequence[ir.Function], words: int) -> None:
        signature = ir.FunctionType(VOID, [POINTER, I64, POINTER, POINTER, POINTER])
        self.function = ir.Function(module, signature, "feed")
        self.function.linkage = "internal"
        self.copy, self.move, self.turn, self.turn_back = called
        super().__init__(Scribe(self.function.append_basic_block("entry")), self.function.args)
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

    def point(self, register: ir.VectorType) -> None:
        """Do a single point, and return: it fills all lanes of its vector.

        Calls for numbers come here, so that what they need not know of is left out.
        """
        code = self.code
        width = 8 * register.count
        wide = self.known("register_bytes")
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

    def place(self) -> None:
        """Note where each stream begins, and how far apart its elements are."""
        code = self.code
        with code.counted(I64(0), self.total) as stream:
            stride = code.read(self.steps, self.entry(stream, "operand"))
            code.store(self.base(stream), code.slot(self.bases, stream))
            code.store(stride, code.slot(self.strides, stream))

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

    def past_the_caches(self, apart: ir.Value) -> ir.Value:
        """Tell whether stores may go past the caches: enough of them, each to whole lines."""
        code = self.code
        flag = code.alloca(I1)
        code.store(I1(0), flag)
        large = self.known("large")
        last = self.known("register_bytes")
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
