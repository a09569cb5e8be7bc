"""Results that are arguments: the driver copies them as they lie, past the body of the loop.

The gradient of a product is the other factor: numbers that nothing is computed from need not be
turned from rows into columns and back.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from math import prod
from typing import Final

from llvmlite import ir

from codegen.llvm.scribe import I32, I64, POINTER, VOID, Scribe
from codegen.program import Program
from codegen.target import Target

__all__ = ["MOVE", "emit_moves", "idle", "passed"]

_WORTH: Final = 4
"""Numbers side by side that are copied apart from others of their array: fewer leave the squares
that the others are turned by (`turning`) smaller than they gain."""
_NARROWEST: Final = 4
"""Bytes: of a float32."""
_ROWS: Final = 8
"""That are copied of one run before the next."""
_NONE: Final = -1

MOVE: Final = ir.LiteralStructType([POINTER, I64, POINTER, I64, I64])
"""Where a run goes and where it is, each with the bytes from row to row; and its bytes in one."""


def passed(program: Program) -> dict[int, int]:
    """Return which streams of results repeat which streams of arguments, and are only copied.

    Those of an elementwise program are not: they may share memory with an argument.
    """
    if program.is_elementwise:
        return {}
    firsts = _firsts(program)
    found: dict[int, int] = {}
    for number, output in enumerate(program.outputs, len(program.arguments)):
        sources = [_source(program, value, firsts) for value in output.values]
        for k in _apart(sources):
            found[firsts[number] + k] = sources[k]
    return found


def idle(program: Program, copied: Mapping[int, int]) -> frozenset[int]:
    """Return the streams of arguments that the body need not be given, as it does not read them.

    Where nothing is copied, what a program does not use is not looked for.
    """
    if not copied:
        return frozenset()
    firsts = _firsts(program)
    used = {arg for instruction in program.instructions for arg in instruction.args}
    for number, output in enumerate(program.outputs, len(program.arguments)):
        used |= {v for k, v in enumerate(output.values) if firsts[number] + k not in copied}
    read = {_source(program, value, firsts, "fb") for value in used}
    found: set[int] = set()
    for number in range(len(program.arguments)):
        streams = range(firsts[number], firsts[number + 1])
        found |= {streams[k] for k in _apart([_NONE if s in read else s for s in streams])}
    return frozenset(found)


def _firsts(program: Program) -> list[int]:
    """Return the first stream of each operand, and the number of all."""
    return list(accumulate((prod(operand.shape) for operand in program.operands), initial=0))


def _source(program: Program, value: int, firsts: Sequence[int], types: str = "f") -> int:
    """Return the stream of an argument that a value is, of floats: the body makes truths 0 or 1."""
    instruction = program.instructions[value]
    if instruction.op != "load" or instruction.type not in types:
        return _NONE
    assert isinstance(instruction.payload, tuple)
    argument, component = instruction.payload
    return firsts[argument] + component


def _apart(sources: Sequence[int]) -> Iterator[int]:
    """Return the places in runs of consecutive streams that are worth it, or a whole array."""
    begin = 0
    for k in range(1, len(sources) + 1):
        before = sources[k - 1]
        if k == len(sources) or before == _NONE or sources[k] != before + 1:
            if before != _NONE and (k - begin >= _WORTH or k - begin == len(sources)):
                yield from range(begin, k)
            begin = k


def emit_moves(module: ir.Module, target: Target) -> ir.Function:
    """Write `moves(table, many, rows)`, which copies runs of bytes out of so many rows.

    The `table` holds a `MOVE` for each run, and is used up. Few rows at a time are copied of each
    run, so that the results are written in the order of memory.
    """
    function = ir.Function(module, ir.FunctionType(VOID, [POINTER, I64, I64]), "moves")
    function.linkage = "internal"
    table, many, rows = function.args
    code = Scribe(function.append_basic_block("entry"))
    wide = target.vector_bits // 8
    blocks = code.udiv(rows, I64(_ROWS))
    for count, times in ((_ROWS, blocks), (1, code.sub(rows, code.mul(blocks, I64(_ROWS))))):
        with code.counted(I64(0), times), code.counted(I64(0), many) as number:
            move = _Move(code, code.gep(table, [number], source_etype=MOVE), count)
            move.emit(wide)
    code.ret_void()
    return function


class _Move:
    """The code for some rows of one run."""

    def __init__(self, code: Scribe, place: ir.Value, rows: int) -> None:
        self.code, self.place, self.rows = code, place, rows
        known = [code.field(place, MOVE, number) for number in range(len(MOVE.elements))]
        self.to, self.to_step, self.source, self.source_step, self.size = known

    def emit(self, wide: int) -> None:
        """Copy by the widest vectors that fit; the last overlaps the one before."""
        code, after = self.code, self.code.append_basic_block("moved")
        while wide >= _NARROWEST:
            fits, narrower = (code.append_basic_block(name) for name in ("fits", "narrower"))
            code.cbranch(code.less(self.size, I64(wide)), narrower, fits)
            code.position_at_end(fits)
            self.copy(wide)
            code.branch(after)
            code.position_at_end(narrower)
            wide //= 2
        code.branch(after)
        code.position_at_end(after)
        for place, (base, step) in {
            0: (self.to, self.to_step),
            2: (self.source, self.source_step),
        }.items():
            where = code.gep(self.place, [I32(0), I32(place)], source_etype=MOVE)
            code.store(code.at(base, code.mul(step, I64(self.rows))), where)

    def copy(self, wide: int) -> None:
        """Copy all rows by vectors of so many bytes."""
        code = self.code
        kind = ir.IntType(8 * wide) if wide <= 8 else ir.VectorType(I32, wide // 4)
        pieces = code.udiv(code.add(self.size, I64(wide - 1)), I64(wide))
        last = code.sub(self.size, I64(wide))
        with code.counted(I64(0), pieces) as piece:
            at = code.smaller(code.mul(piece, I64(wide)), last)
            to, source = code.at(self.to, at), code.at(self.source, at)
            for row in range(self.rows):
                if row:
                    to, source = code.at(to, self.to_step), code.at(source, self.source_step)
                code.store(code.load(source, typ=kind, align=1), to, align=1)
