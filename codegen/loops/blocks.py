"""Packing of points: from an array of points to a vector of points for each cell, and back."""

from llvmlite import ir

from codegen.llvm.scribe import I8, I32, I64, POINTER, VOID, Scribe
from codegen.llvm.squares import emit_square
from codegen.target import Target

__all__ = ["Blocks"]

_KINDS = {8: I64, 4: I32, 1: I8}


class Blocks:
    """`pack` and `unpack`: (buffer, place, step, count0, step0, count1, step1, size, live, lanes).

    `step` is from point to point, the size is negative where cells of a point are not contiguous,
    and of `lanes` points `live` are there. Where a whole block lies right, squares of cells and
    points are transposed in registers, or vectors are copied.
    """

    def __init__(self, module: ir.Module, target: Target) -> None:
        self.module = module
        self.vector = target.vector_bits // 8
        self.pack, self.unpack = (self._emit(into) for into in (True, False))

    def _emit(self, into: bool) -> ir.Function:
        kind = ir.FunctionType(VOID, [POINTER, POINTER, *[I64] * 8])
        function = ir.Function(self.module, kind, "pack" if into else "unpack")
        function.linkage = "internal"
        code = Scribe(function.append_basic_block("entry"))
        signed = function.args[7]
        plain = code.less(I64(0), signed)
        size = code.select(plain, signed, code.neg(signed))
        blocks = {width: code.append_basic_block(f"bytes{width}") for width in _KINDS}
        choice = code.switch(size, blocks[8])
        for width in _KINDS:
            if width != 8:
                choice.add_case(I64(width), blocks[width])
            code.position_at_end(blocks[width])
            _Block(function, code, width, self.vector, plain, into).emit()
            code.ret_void()
        return function


class _Block:
    """The code for numbers of one size."""

    def __init__(
        self, function: ir.Function, code: Scribe, width: int, vector: int, plain: ir.Value,
        into: bool,
    ) -> None:  # fmt: skip
        self.code, self.width, self.into, self.plain = code, width, into, plain
        (self.buffer, self.place, self.step, self.count0, self.step0, self.count1, self.step1, _,
         self.live, self.lanes) = function.args  # fmt: skip
        self.kind = _KINDS[width]
        self.fixed = vector // width
        self.kinds = ir.VectorType(self.kind, self.fixed)

    def emit(self) -> None:
        """Choose by how the points lie."""
        code = self.code
        if self.width == 1:  # booleans are few
            self.cells(I64(0), whole=False)
            return
        full = code.equal(self.live, I64(self.fixed))
        aside = code.equal(self.step, I64(self.width))
        with code.if_else(code.and_(full, aside)) as (last, other):
            with last:
                self.cells(I64(0), whole=True)
            with other, code.if_else(code.and_(full, self.plain)) as (first, rest):
                with first:
                    self.cells(self.squares(), whole=False)
                with rest:
                    self.cells(I64(0), whole=False)

    def cells(self, begin: ir.Value, *, whole: bool) -> None:
        """Copy cell by cell from one on, a vector of points at a time or point by point."""
        code = self.code
        with code.counted(I64(0), self.count0) as row:
            first = code.mul(row, self.count1)
            skipped = code.larger(code.smaller(code.sub(begin, first), self.count1), I64(0))
            with code.counted(skipped, self.count1) as column:
                offset = code.add(code.mul(row, self.step0), code.mul(column, self.step1))
                there = code.at(self.place, offset)
                cell = code.mul(code.add(first, column), self.lanes)
                here = code.gep(self.buffer, [cell], source_etype=self.kind)
                if whole:
                    self.copied(here, there, self.kinds)
                else:
                    self.points(here, there)

    def copied(self, here: ir.Value, there: ir.Value, kind: ir.Type) -> None:
        """Copy between buffer and array."""
        source, to = (there, here) if self.into else (here, there)
        self.code.store(self.code.load(source, typ=kind, align=1), to, align=1)

    def points(self, here: ir.Value, there: ir.Value) -> None:
        """Copy a cell of each point; the first stands for those that are not there."""
        code = self.code
        with code.counted(I64(0), self.live) as point:
            lane = code.gep(here, [point], source_etype=self.kind)
            self.copied(lane, code.at(there, code.mul(point, self.step)), self.kind)
        if self.into:
            with code.counted(self.live, self.lanes) as point:
                self.copied(code.gep(here, [point], source_etype=self.kind), there, self.kind)

    def squares(self) -> ir.Value:
        """Transpose squares of contiguous cells; return how many cells that were."""
        code, side = self.code, self.fixed
        total = code.mul(self.count0, self.count1)
        whole = code.and_(total, I64(-side))
        before = code.block
        head, work, after = (code.append_basic_block(n) for n in ("square", "turn", "turned"))
        code.branch(head)
        code.position_at_end(head)
        cell = code.phi(I64)
        cell.add_incoming(I64(0), before)
        code.cbranch(code.less(cell, whole), work, after)
        code.position_at_end(work)
        offset = code.mul(cell, I64(self.width))
        points = [
            code.at(self.place, code.add(offset, code.mul(self.step, I64(k)))) for k in range(side)
        ]
        rows = [
            code.gep(self.buffer, [code.mul(code.add(cell, I64(k)), I64(side))],
                     source_etype=self.kind)
            for k in range(side)
        ]  # fmt: skip
        sources, targets = (points, rows) if self.into else (rows, points)
        emit_square(code, self.kind, sources, targets)
        cell.add_incoming(code.add(cell, I64(side)), code.block)
        code.branch(head)
        code.position_at_end(after)
        return whole
