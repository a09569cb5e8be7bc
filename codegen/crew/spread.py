"""The driver of a shared loop: NumPy's inner loop for a crew, which calls the loop's own by blocks.

Each thread has a range of its own, the same in each call, so that what it read or wrote before is
in its cache; it takes blocks of it until there are none, and then of those of others. Where blocks
end changes no bit of a result: every element goes through the same code.
"""

from functools import partial
from typing import Final

from llvmlite import ir

from codegen.crew.layout import CREW_LINE, CrewData, SpreadData
from codegen.llvm.scribe import I64, POINTER, VOID
from codegen.llvm.words import Words
from codegen.target import Target

__all__ = ["MOST_THREADS", "SPREAD", "emit_spread"]

SPREAD: Final = "rewrite_spread"
MOST_THREADS: Final = 64
_OPERANDS: Final = 64
_BYTES: Final = 512
"""Room for what the loop's own driver reads."""
_BLOCKS: Final = 16
"""Blocks of a range, more or less: the last one is what others may have to wait for."""
_SHARE: Final = 10_000
"""Nanoseconds of work for each thread, at least."""
_CONTEXT: Final = tuple(
    "args steps driver data operands count first block blocks ranges counters".split()
)
_NUMBERS: Final = 1 << 62
"""More elements than there are."""


def emit_spread(module: ir.Module, target: Target, share: ir.Function) -> None:
    """Write `spread(args, dims, steps, data)`, which NumPy calls; `data` is a `SpreadData`."""
    part = _Part(module)
    part.emit()
    _Driver(module, share, part.function).emit()


def _place(code: Words, context: ir.Value, name: str) -> ir.Value:
    return code.slot(context, I64(_CONTEXT.index(name)))


class _Part:
    """`part(context, number)`: blocks of the range of that number, then those of other ranges."""

    def __init__(self, module: ir.Module) -> None:
        self.function = ir.Function(module, ir.FunctionType(VOID, [POINTER, I64]), "part")
        self.function.linkage = "internal"
        self.code = Words(self.function.append_basic_block("entry"))
        self.context, self.number = self.function.args

    def known(self, name: str, kind: ir.Type = I64) -> ir.Value:
        """Read a word of the context."""
        return self.code.load(_place(self.code, self.context, name), typ=kind)

    def emit(self) -> None:
        """Write it."""
        code = self.code
        self.places, self.size = code.room(8 * _OPERANDS), code.room(8)
        ranges = self.known("ranges")
        with code.counted(I64(0), ranges) as turn:
            mine = code.urem(code.add(self.number, turn), ranges)
            end = range_end(code, self.known("blocks"), ranges, code.add(mine, I64(1)))
            counter = code.at(self.known("counters", POINTER), code.mul(mine, I64(CREW_LINE)))
            code.again(partial(self.take, counter, end))
        code.ret_void()

    def take(self, counter: ir.Value, end: ir.Value) -> ir.Value:
        """Do a block if there is one, and tell whether there was."""
        code = self.code
        block = code.atomic_rmw("add", counter, I64(1), "monotonic")
        is_there = code.less(block, end)
        with code.if_then(is_there):
            self.run(block)
        return is_there

    def run(self, block: ir.Value) -> None:
        """Call the loop's own driver for one block."""
        code = self.code
        step, first, count = (self.known(name) for name in ("block", "first", "count"))
        start = code.add(first, code.mul(block, step))
        begin = code.select(code.equal(block, I64(0)), I64(0), start)
        end = code.smaller(count, code.add(start, step))
        steps = self.known("steps", POINTER)
        with code.counted(I64(0), self.known("operands")) as operand:
            base = code.read(self.known("args", POINTER), operand, POINTER)
            place = code.at(base, code.mul(begin, code.read(steps, operand)))
            code.store(place, code.slot(self.places, operand))
        code.store(code.sub(end, begin), self.size)
        data = self.known("data", POINTER)
        code.called(self.known("driver"), VOID, [self.places, self.size, steps, data])


def range_end(code: Words, blocks: ir.Value, ranges: ir.Value, number: ir.Value) -> ir.Value:
    """Return the block before which the first so many ranges end."""
    return code.udiv(code.mul(blocks, number), ranges)


class _Driver:
    """The function that NumPy calls."""

    def __init__(self, module: ir.Module, share: ir.Function, part: ir.Function) -> None:
        self.function = ir.Function(module, ir.FunctionType(VOID, [POINTER] * 4), SPREAD)
        self.args, self.dims, self.steps, self.data = self.function.args
        self.code = Words(self.function.append_basic_block("entry"))
        self.share, self.part = share, part

    def known(self, name: str, kind: ir.Type = I64) -> ir.Value:
        """Read a field of the description."""
        return self.code.get(self.data, SpreadData, name, kind)

    def emit(self) -> None:
        """Write it."""
        code = self.code
        self.context, self.own = code.room(8 * len(_CONTEXT)), code.room(_BYTES)
        self.counters = code.room(CREW_LINE * MOST_THREADS, CREW_LINE)
        self.count = code.load(self.dims, typ=I64)
        with code.if_then(code.less(self.count, self.known("least"))):
            given = [self.args, self.dims, self.steps, self.known("data", POINTER)]
            code.called(self.known("driver"), VOID, given)
            code.ret_void()
        crew = self.known("crew", POINTER)
        # more than 2^63 picoseconds are more than a hundred days
        work = code.udiv(code.mul(self.count, self.known("work")), I64(1000))
        threads = code.get(crew, CrewData, "threads")
        worth = code.larger(code.udiv(work, I64(_SHARE)), I64(2))
        ranges = code.smaller(threads, worth)
        self.describe(ranges)
        wanted = code.sub(ranges, I64(1))
        part = code.bitcast(self.part, POINTER)
        code.call(self.share, [crew, part, self.context, wanted, work])
        code.ret_void()

    def describe(self, ranges: ir.Value) -> None:
        """Write down what the parts read."""
        code, count = self.code, self.count
        first = code.smaller(self.misaligned(), count)
        parts = code.mul(ranges, I64(_BLOCKS))
        block = code.udiv(code.add(count, code.sub(parts, I64(1))), parts)
        block = code.smaller(code.larger(block, self.known("grain")), self.known("most"))
        lanes = self.lanes()
        block = code.mul(code.udiv(code.add(block, code.sub(lanes, I64(1))), lanes), lanes)
        rest = code.sub(count, first)
        blocks = code.udiv(code.add(rest, code.sub(block, I64(1))), block)
        blocks = code.larger(blocks, I64(1))
        values = {
            "args": self.args, "steps": self.steps, "driver": self.known("driver"),
            "data": self.copied(), "operands": self.known("operands"), "count": count,
            "first": first, "block": block, "blocks": blocks, "ranges": ranges,
            "counters": self.counters,
        }  # fmt: skip
        for name, value in values.items():
            code.store(value, _place(code, self.context, name))
        with code.counted(I64(0), ranges) as number:
            counter = code.at(self.counters, code.mul(number, I64(CREW_LINE)))
            code.store(range_end(code, blocks, ranges, number), counter)

    def lanes(self) -> ir.Value:
        """Return of how many elements all blocks but the first and last are multiples."""
        code, place = self.code, self.known("least_at")
        base = code.at(self.known("data", POINTER), code.larger(place, I64(0)))
        never = code.less(I64(_NUMBERS - 1), code.load(base, typ=I64))
        alone = code.and_(code.less(I64(-1), place), never)
        return code.select(alone, I64(1), self.known("lanes"))

    def misaligned(self) -> ir.Value:
        """Count the elements before the first whole line of the last result."""
        code, size = self.code, self.known("size")
        last = code.sub(self.known("operands"), I64(1))
        straight = code.equal(code.read(self.steps, last), size)
        straight = code.and_(straight, code.less(I64(0), size))
        gap = code.and_(code.neg(code.read(self.args, last)), I64(63))
        return code.select(straight, code.udiv(gap, code.larger(size, I64(1))), I64(0))

    def copied(self) -> ir.Value:
        """Return what the loop's own driver reads, with the verdict on the caches for all blocks.

        It goes by the number of elements that it sees.
        """
        code, place = self.code, self.known("large_at")
        data = self.known("data", POINTER)
        before = code.block
        with code.if_then(code.less(I64(-1), place)):
            with code.counted(I64(0), code.udiv(self.known("bytes"), I64(8))) as word:
                code.store(code.read(data, word), code.slot(self.own, word))
            at = code.at(self.own, place)
            large = code.less(code.load(at, typ=I64), self.count)
            code.store(code.select(large, I64(0), I64(_NUMBERS)), at)
            last = code.block
        found = code.phi(POINTER)
        found.add_incoming(data, before)
        found.add_incoming(self.own, last)
        return found
