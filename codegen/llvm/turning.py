"""Blocks of rows turned into columns and back, by vectors: arrays of structures to streams.

The components of a point often lie side by side, and a body wants each in a stream of its own. So
squares of as many points as components are loaded as rows, turned by shuffles, and stored as
columns; where components are left over, the last square overlaps the one before.
"""

from llvmlite import ir

from codegen.llvm.scribe import I32, I64, POINTER, VOID, Scribe
from codegen.llvm.squares import emit_square
from codegen.target import Target

__all__ = ["emit_turn"]

_WIDEST = 8
"""Rows of a square at most: 8 rows and 8 columns fit 16 registers."""


def emit_turn(module: ir.Module, target: Target, copy: ir.Function, *, back: bool) -> ir.Function:
    """Write `turn(buffers, room, rows, stride, count, many, size)` for sizes of 8 and 4 bytes.

    `count` rows of `many` numbers, `stride` bytes apart, go to as many buffers, `room` bytes apart;
    or with `back` from there to the rows.
    """
    kinds = [POINTER, I64, POINTER, *[I64] * 4]
    function = ir.Function(module, ir.FunctionType(VOID, kinds), "turn_back" if back else "turn")
    function.linkage = "internal"
    code = Scribe(function.append_basic_block("entry"))
    size = function.args[-1]
    for kind in (I64, I32):
        wide = min(_WIDEST, target.vector_bits // kind.width)
        while wide >= 2:
            turn = _Turn(function, code, kind, wide, copy, back=back)
            enough = code.less(I64(wide - 1), turn.many)
            with code.if_then(code.and_(enough, code.equal(size, I64(kind.width // 8)))):
                turn.emit()
                code.ret_void()
                code.position_at_end(code.append_basic_block("dead"))
            wide //= 2
    code.ret_void()
    return function


class _Turn:
    """The code for one width of squares."""

    def __init__(
        self, function: ir.Function, code: Scribe, kind: ir.IntType, wide: int, copy: ir.Function,
        *, back: bool,
    ) -> None:  # fmt: skip
        self.code, self.kind, self.wide, self.copy, self.back = code, kind, wide, copy, back
        self.buffers, self.room, self.rows, self.stride, self.count, self.many, _ = function.args
        self.size = kind.width // 8

    def emit(self) -> None:
        """Write the loops: squares, and the rows that are left over."""
        code, wide = self.code, I64(self.wide)
        squares = code.udiv(code.add(self.many, I64(self.wide - 1)), wide)
        groups = code.udiv(self.count, wide)
        last = code.sub(self.many, wide)
        with code.counted(I64(0), groups) as group:
            first = code.mul(group, wide)
            with code.counted(I64(0), squares) as square:
                self.square(first, code.smaller(code.mul(square, wide), last))
        done = code.mul(groups, wide)
        left = code.sub(self.count, done)
        with code.if_then(code.less(I64(0), left), likely=False):
            with code.counted(I64(0), self.many) as column:
                row, buffer = self.row(done, column), self.buffer(done, column)
                size = I64(self.size)
                ways = [(buffer, size), (row, self.stride)]
                (to, step), (source, source_step) = ways[::-1] if self.back else ways
                code.call(self.copy, [to, step, source, source_step, left, size])

    def row(self, point: ir.Value, column: ir.Value) -> ir.Value:
        """Return where a number lies in its row."""
        code = self.code
        base = code.at(self.rows, code.mul(point, self.stride))
        return code.at(base, code.mul(column, I64(self.size)))

    def buffer(self, point: ir.Value, column: ir.Value) -> ir.Value:
        """Return where it lies in its buffer."""
        code = self.code
        base = code.at(self.buffers, code.mul(column, self.room))
        return code.at(base, code.mul(point, I64(self.size)))

    def square(self, first: ir.Value, column: ir.Value) -> None:
        """Turn one square."""
        code = self.code
        steps = [I64(k) for k in range(self.wide)]
        rows = [self.row(code.add(first, k), column) for k in steps]
        columns = [self.buffer(first, code.add(column, k)) for k in steps]
        source, to = (columns, rows) if self.back else (rows, columns)
        emit_square(code, self.kind, source, to)
