"""The driver of rolled programs: one NumPy inner loop for all of them, and what threads run.

Written once in LLVM and compiled once per process. A point whose operands are contiguous is
computed where it lies, any other in buffers. Enough points go through the batch's code, in blocks
packed as a vector of points for each cell; the lanes of a last block that have no point repeat one.
As in the other driver, the code runs in the default floating-point environment.
"""

import ctypes
from typing import Any, Final

from llvmlite import ir

from codegen.llvm.ops import Text
from codegen.llvm.scribe import (
    I1,
    I32,
    I64,
    POINTER,
    VOID,
    Scribe,
    default_environment,
    emit_copy,
    places,
)
from codegen.loops.blocks import Blocks
from codegen.loops.function import SIGNATURE
from codegen.target import Target

__all__ = ["DRIVER", "TEAM", "OperandEntry", "PieceRow", "Prepare", "RolledData", "TeamData",
           "emit_rolled_driver"]  # fmt: skip

DRIVER: Final = "rewrite_rolled"
TEAM: Final = "rewrite_team"

Prepare = ctypes.CFUNCTYPE(None, ctypes.c_int64)
"""Called with 0 or 1 where the code for a point or a batch is not there yet."""


class PieceRow(ctypes.Structure):
    """A piece as the driver calls it."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        ("words", ctypes.c_void_p),
        ("units", ctypes.c_int64),
    )


class OperandEntry(ctypes.Structure):
    """An operand: bytes of a number, its two axes, and its buffers' offsets in the scratch."""

    _fields_ = tuple(
        (name, ctypes.c_int64)
        for name in ("size", "count0", "at0", "count1", "at1", "offset", "batch_offset")
    )


class RolledData(ctypes.Structure):
    """What NumPy hands to the driver as `data`."""

    _fields_ = (
        # pieces for one point and for a batch, and how many; without a table they are to be made
        ("pieces", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("batch_pieces", ctypes.c_void_p),
        ("batch_count", ctypes.c_int64),
        ("prepare", ctypes.c_void_p),
        ("operands", ctypes.c_void_p),
        ("total", ctypes.c_int64),
        ("inputs", ctypes.c_int64),
        # scratch memory that waits for the next call, bytes, and where work cells lie in it
        ("scratch", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
        ("work", ctypes.c_int64),
        ("batch_scratch", ctypes.c_int64),
        ("batch_bytes", ctypes.c_int64),
        ("batch_work", ctypes.c_int64),
        # points of a block, and how many are worth one, and where points lie side by side
        ("lanes", ctypes.c_int64),
        ("least", ctypes.c_int64),
        ("least_beside", ctypes.c_int64),
        # 1 where NumPy may hand over an output that is an input as well
        ("in_place", ctypes.c_int64),
    )


class TeamData(ctypes.Structure):
    """One point for several threads: pieces in chunks, which are taken and counted when done."""

    _fields_ = tuple(
        (name, ctypes.c_void_p)
        for name in ("pieces", "count", "segments", "chunks", "taken", "done")
    )


_ROW = ir.LiteralStructType([SIGNATURE.as_pointer(), POINTER, I64])
_ENTRY = ir.LiteralStructType([I64] * len(OperandEntry._fields_))
_KINDS: Final[dict[Any, ir.Type]] = {ctypes.c_void_p: POINTER, ctypes.c_int64: I64}
_DATA = ir.LiteralStructType(
    [
        ir.FunctionType(VOID, [I64]).as_pointer() if name == "prepare" else _KINDS[kind]
        for name, kind in ((field[0], field[1]) for field in RolledData._fields_)
    ]
)
_DATA_PLACES, _ENTRY_PLACES = places(RolledData), places(OperandEntry)


def emit_rolled_driver(target: Target, *, team: bool = True) -> str:
    """Return the text of the driver's LLVM module, with or without what threads run."""
    module = ir.Module(name=DRIVER)
    module.triple = target.triple
    tools = _Tools(module, target)
    _Entry(tools).emit()
    if team:
        _emit_team(tools)
    return str(module)


class _Tools:
    """Functions that others of the module call."""

    def __init__(self, module: ir.Module, target: Target) -> None:
        self.module, self.target = module, target
        self.copy = emit_copy(module)
        self.blocks = Blocks(module, target)
        self.take = self.declare("aligned_alloc", POINTER, [I64, I64])
        self.give = self.declare("free", VOID, [POINTER])
        self.run = self._emit_run()

    def declare(self, name: str, result: ir.Type, arguments: list[ir.Type]) -> ir.Function:
        """Declare a function of the C library."""
        return ir.Function(self.module, ir.FunctionType(result, arguments), name)

    def function(self, name: str, arguments: int) -> tuple[ir.Function, Scribe]:
        """Begin a function of 8-byte words."""
        function = ir.Function(self.module, ir.FunctionType(VOID, [POINTER] * arguments), name)
        return function, Scribe(function.append_basic_block("entry"))

    def _emit_run(self) -> ir.Function:
        """Write `run(pieces, count, segments)`: all pieces, one after the other."""
        kind = ir.FunctionType(VOID, [POINTER, I64, POINTER])
        function = ir.Function(self.module, kind, "run")
        function.linkage = "internal"
        pieces, count, segments = function.args
        code = Scribe(function.append_basic_block("entry"))
        with code.counted(I64(0), count) as number:
            row = code.gep(pieces, [number], source_etype=_ROW)
            call_piece(code, row, segments, I64(0), code.field(row, _ROW, 2))
        code.ret_void()
        return function


def call_piece(
    code: Scribe, row: ir.Value, segments: ir.Value, begin: ir.Value, end: ir.Value
) -> None:
    """Call a piece for some of its units."""
    code.call(code.field(row, _ROW, 0), [segments, code.field(row, _ROW, 1), begin, end])


class _Entry:
    """The function that NumPy calls."""

    def __init__(self, tools: _Tools) -> None:
        self.tools = tools
        self.function, self.code = tools.function(DRIVER, 4)
        self.args, dims, self.steps, self.data = self.function.args
        self.count = self.code.load(dims, typ=I64)

    def emit(self) -> None:
        """Write it."""
        code = self.code
        with code.if_then(code.less(self.count, I64(1))):
            code.ret_void()
        with default_environment(code):
            self.total, self.inputs = self.known("total"), self.known("inputs")
            done = code.alloca(I64)
            code.store(I64(0), done)
            lanes = self.known("lanes")
            self.least = self.worth()
            with code.if_then(code.less(self.least, code.add(self.count, I64(1)))):
                self.made("batch_pieces", 1)
                with self.scratch("batch_scratch", "batch_bytes") as memory:
                    code.store(self.batches(memory, lanes), done)
            begin = code.load(done, typ=I64)
            with code.if_then(code.less(begin, self.count)):
                self.made("pieces", 0)
                with self.scratch("scratch", "bytes") as memory:
                    self.points(memory, begin)
        code.ret_void()

    def known(self, name: str) -> ir.Value:
        """Read a field of the description."""
        return self.code.field(self.data, _DATA, _DATA_PLACES[name])

    def entry(self, operand: ir.Value, name: str) -> ir.Value:
        """Read a field of an operand's entry."""
        base = self.code.gep(self.known("operands"), [operand], source_etype=_ENTRY)
        return self.code.field(base, _ENTRY, _ENTRY_PLACES[name])

    def made(self, name: str, which: int) -> None:
        """Have code made that is not there."""
        code = self.code
        missing = code.icmp_unsigned("==", self.known(name), Text(POINTER, "null"))
        with code.if_then(missing, likely=False):
            code.call(self.known("prepare"), [I64(which)])

    def scratch(self, name: str, size: str) -> Any:
        """Return the context of scratch memory: that of the last call, if no other has it."""
        return _Scratch(self, name, size)

    def step(self, operand: ir.Value) -> ir.Value:
        """Return the bytes from point to point."""
        return self.code.read(self.steps, operand)

    def axes(self, operand: ir.Value) -> tuple[ir.Value, ...]:
        """Return sizes and strides of the two axes."""
        count0, count1 = self.entry(operand, "count0"), self.entry(operand, "count1")
        step0, step1 = (
            self.code.read(self.steps, self.entry(operand, name)) for name in ("at0", "at1")
        )
        return count0, step0, count1, step1

    def straight(self, operand: ir.Value) -> ir.Value:
        """Tell whether the cells of one point are contiguous."""
        code = self.code
        count0, step0, count1, step1 = self.axes(operand)
        size = self.entry(operand, "size")
        inner = code.or_(code.equal(step1, size), code.equal(count1, I64(1)))
        row = code.mul(count1, size)
        return code.and_(inner, code.or_(code.equal(step0, row), code.equal(count0, I64(1))))

    def worth(self) -> ir.Value:
        """Return how many points are worth a block: fewer where most lie side by side.

        Cells of one are far apart then, and those of a block are vectors.
        """
        code, surplus = self.code, self.code.alloca(I64)
        code.store(I64(0), surplus)
        few, many = self.known("least_beside"), self.known("least")
        with (
            code.if_then(code.less(few, code.add(self.count, I64(1)))),
            code.counted(I64(0), self.total) as operand,
        ):
            cells = code.mul(self.entry(operand, "count0"), self.entry(operand, "count1"))
            beside = code.equal(self.step(operand), self.entry(operand, "size"))
            beside = code.and_(beside, code.not_(self.straight(operand)))
            more = code.select(beside, cells, code.neg(cells))
            code.store(code.add(code.load(surplus, typ=I64), more), surplus)
        return code.select(code.less(I64(0), code.load(surplus, typ=I64)), few, many)

    # one point after the other

    def points(self, memory: ir.Value, begin: ir.Value) -> None:
        """Compute points from one on."""
        code = self.code
        code.store(code.at(memory, self.known("work")), code.slot(memory, self.total))
        shared = code.or_(code.equal(self.known("in_place"), I64(1)), self.overlap())
        with code.counted(begin, self.count) as point:
            with code.counted(I64(0), self.total) as operand:
                place = self.place(operand, point)
                buffer = code.at(memory, self.entry(operand, "offset"))
                packed = code.or_(shared, code.not_(self.straight(operand)))
                code.store(code.select(packed, buffer, place), code.slot(memory, operand))
                with code.if_then(code.and_(packed, code.less(operand, self.inputs))):
                    self.moved(operand, buffer, place, into=True)
            code.call(self.tools.run, [self.known("pieces"), self.known("count"), memory])
            with code.counted(self.inputs, self.total) as operand:
                place, buffer = self.place(operand, point), code.read(memory, operand, POINTER)
                with code.if_then(code.icmp_unsigned("!=", place, buffer)):
                    self.moved(operand, buffer, place, into=False)

    def overlap(self) -> ir.Value:
        """Tell whether an output lies over an input.

        NumPy does not ask of a single point, nor where both lie alike.
        """
        code = self.code
        flag = code.alloca(I1)
        code.store(I1(0), flag)
        with code.counted(self.inputs, self.total) as output:
            low, high = self.extent(output)
            with code.counted(I64(0), self.inputs) as operand:
                first, last = self.extent(operand)
                meets = code.and_(code.less(first, high), code.less(low, last))
                code.store(code.or_(code.load(flag, typ=I1), meets), flag)
        return code.load(flag, typ=I1)

    def extent(self, operand: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Return the addresses between which the cells of the first point lie."""
        code = self.code
        low = code.ptrtoint(self.place(operand, I64(0)), I64)
        high = code.add(low, self.entry(operand, "size"))
        count0, step0, count1, step1 = self.axes(operand)
        for count, step in ((count0, step0), (count1, step1)):
            way = code.mul(code.sub(count, I64(1)), step)
            low = code.add(low, code.smaller(way, I64(0)))
            high = code.add(high, code.larger(way, I64(0)))
        return low, high

    def place(self, operand: ir.Value, point: ir.Value) -> ir.Value:
        """Return where a point's operand begins."""
        base = self.code.read(self.args, operand, POINTER)
        return self.code.at(base, self.code.mul(point, self.step(operand)))

    def moved(self, operand: ir.Value, buffer: ir.Value, place: ir.Value, *, into: bool) -> None:
        """Copy one point's cells into a buffer, or out of it."""
        code = self.code
        count0, step0, count1, step1 = self.axes(operand)
        size = self.entry(operand, "size")
        row = code.mul(count1, size)
        with code.counted(I64(0), count0) as k:
            there, here = code.at(place, code.mul(k, step0)), code.at(buffer, code.mul(k, row))
            ends = [here, size, there, step1] if into else [there, step1, here, size]
            code.call(self.tools.copy, [*ends, count1, size])

    # blocks of points

    def batches(self, memory: ir.Value, lanes: ir.Value) -> ir.Value:
        """Compute as many points as fill blocks, or nearly; return how many."""
        code = self.code
        code.store(code.at(memory, self.known("batch_work")), code.slot(memory, self.total))
        with code.counted(I64(0), self.total) as operand:
            buffer = code.at(memory, self.entry(operand, "batch_offset"))
            code.store(buffer, code.slot(memory, operand))
        before, head = code.block, code.append_basic_block("block")
        after = code.append_basic_block("rest")
        code.branch(head)
        code.position_at_end(head)
        done = code.phi(I64)
        done.add_incoming(I64(0), before)
        live = code.smaller(lanes, code.sub(self.count, done))
        with code.counted(I64(0), self.inputs) as operand:
            same = code.equal(self.step(operand), I64(0))
            with code.if_then(code.or_(code.not_(same), code.equal(done, I64(0)))):
                self.block(self.tools.blocks.pack, operand, memory, done, live)
        pieces = [self.known("batch_pieces"), self.known("batch_count")]
        code.call(self.tools.run, [*pieces, memory])
        with code.counted(self.inputs, self.total) as operand:
            self.block(self.tools.blocks.unpack, operand, memory, done, live)
        following = code.add(done, live)
        done.add_incoming(following, code.block)
        left = code.sub(self.count, following)
        again = code.less(self.least, code.add(left, I64(1)))
        code.cbranch(again, head, after)
        code.position_at_end(after)
        return following

    def block(
        self, function: ir.Function, operand: ir.Value, memory: ir.Value, done: ir.Value,
        live: ir.Value,
    ) -> None:  # fmt: skip
        """Call what packs a block of an operand, or unpacks it."""
        code = self.code
        buffer = code.read(memory, operand, POINTER)
        plain = self.straight(operand)
        size = code.select(
            plain, self.entry(operand, "size"), code.neg(self.entry(operand, "size"))
        )
        given = [buffer, self.place(operand, done), self.step(operand), *self.axes(operand)]
        code.call(function, [*given, size, live, self.known("lanes")])


class _Scratch:
    """Takes memory before a block of code, and leaves it for the next call after it."""

    def __init__(self, entry: _Entry, name: str, size: str) -> None:
        self.entry, self.name, self.size = entry, name, size

    def __enter__(self) -> ir.Value:
        code, entry = self.entry.code, self.entry
        place = I32(_DATA_PLACES[self.name])
        self.slot = code.gep(entry.data, [I32(0), place], source_etype=_DATA)
        held = code.atomic_rmw("xchg", self.slot, I64(0), "acquire")
        kept, block = code.inttoptr(held, POINTER), code.block
        with code.if_then(code.equal(held, I64(0)), likely=False):
            fresh = code.call(entry.tools.take, [I64(64), entry.known(self.size)])
            last = code.block
        self.memory = code.phi(POINTER)
        self.memory.add_incoming(kept, block)
        self.memory.add_incoming(fresh, last)
        return self.memory

    def __exit__(self, *error: Any) -> None:
        code = self.entry.code
        mine = code.ptrtoint(self.memory, I64)
        other = code.atomic_rmw("xchg", self.slot, mine, "release")
        with code.if_then(code.icmp_unsigned("!=", other, I64(0)), likely=False):
            code.call(self.entry.tools.give, [code.inttoptr(other, POINTER)])


def _emit_team(tools: _Tools) -> None:
    """Write `team(data, number)`, which any number of threads run at a time on the same data.

    The number is that of the thread in its crew; it does not matter here.
    """
    function = ir.Function(tools.module, ir.FunctionType(VOID, [POINTER, I64]), TEAM)
    code = Scribe(function.append_basic_block("entry"))
    kind = ir.LiteralStructType([POINTER] * len(TeamData._fields_))
    pieces, count, segments, chunks, taken, done = (
        code.field(function.args[0], kind, place) for place in range(len(TeamData._fields_))
    )
    with default_environment(code), code.counted(I64(0), code.ptrtoint(count, I64)) as piece:
        row = code.gep(pieces, [piece], source_etype=_ROW)
        total, units = code.read(chunks, piece), code.field(row, _ROW, 2)
        ours, finished = code.slot(taken, piece), code.slot(done, piece)

        def share(chunk: ir.Value) -> ir.Value:
            return code.sdiv(code.mul(units, chunk), total)

        def take() -> ir.Value:
            chunk = code.atomic_rmw("add", ours, I64(1), "monotonic")
            with code.if_then(code.less(chunk, total)):
                ends = share(chunk), share(code.add(chunk, I64(1)))
                call_piece(code, row, segments, *ends)
                code.atomic_rmw("add", finished, I64(1), "release")
            return code.less(chunk, total)

        def is_short() -> ir.Value:
            return code.less(code.load_atomic(finished, "acquire", 8, typ=I64), total)

        code.again(take)
        code.wait_while(is_short)
    code.ret_void()
