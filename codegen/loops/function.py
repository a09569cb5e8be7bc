"""The function of a piece: its columns, and its body for an instance or for a vector of them."""

from collections.abc import Sequence
from typing import Final

from llvmlite import ir

from codegen.cost import slower
from codegen.instructions import INLINED
from codegen.llvm.choices import called_functions
from codegen.llvm.ops import Emitter, Value
from codegen.llvm.paired import Paired
from codegen.llvm.scribe import I32, I64, POINTER, VOID, Scribe, align_stack
from codegen.loops.access import Access, Place
from codegen.loops.plan import Shape
from codegen.loops.scalars import Scalars
from codegen.program import Program
from codegen.target import Float, Target

__all__ = ["SIGNATURE", "Function", "emit_body"]

SIGNATURE: Final = ir.FunctionType(VOID, [POINTER, POINTER, I64, I64])
_EXTRAS: Final = {"groups": 3, "runs": 1, "scatter_runs": 2}
"""Tables of runs or groups, whose words come before those of the columns."""


def emit_body(emitter: Emitter, body: Program, arguments: Sequence[Value]) -> list[Value]:
    """Write a straight-line program and return its outputs."""
    paired = Paired(emitter, body)
    values: list[Value] = []
    for this in body.instructions:
        if isinstance(this.payload, tuple):
            values.append(arguments[this.payload[0]])
        else:
            values.append(paired.write(this, [values[arg] for arg in this.args]))
    return [values[output.values[0]] for output in body.outputs]


class Function:
    """Columns and body; each form of a piece is a method that writes the loops around them."""

    def __init__(
        self, module: ir.Module, shape: Shape, name: str, dtype: Float, target: Target, batch: bool
    ) -> None:
        self.shape = shape
        self.function = ir.Function(module, SIGNATURE, name)
        align_stack(self.function, target.vector_bits // 8)
        self.segments, self.words, self.begin, self.end = self.function.args
        self.code = code = Scribe(self.function.append_basic_block("entry"))
        lanes = target.lanes(dtype)
        self.cells = lanes if batch else 1
        self.across = shape.form in ("lanes", "runs")
        # rows that are summed side by side are the lanes of a vector
        plain = all(INLINED.get(op, 1) == 1 for op in shape.body.ops)
        self.abreast = shape.form == "groups" and shape.count > 1 and plain and not batch
        common = (code, module, dtype)
        lookups, called = target.vector_bits == 512, called_functions(shape.body)
        unused = slower(target, dtype)
        width = shape.count if self.abreast else lanes
        self.wide = Emitter(*common, width, lookups, called, unused)
        if self.across:  # one by one is what few instances are computed
            called = shape.body.ops
        self.emitter = (
            self.wide if batch else Scalars(*common, 1, lookups, called, unused, wide=lanes)
        )
        extras = _EXTRAS.get(shape.form, 0)
        accesses = self.accesses(extras)
        split = len(shape.operands)
        self.operands, self.results = accesses[:split], accesses[split:]
        for access in self.operands:
            access.fix()
        self.tables = [code.read(self.words, I64(k), POINTER) for k in range(extras)]

    def accesses(self, begin: int) -> list[Access]:
        """Read the words of all columns, the first of which is given."""
        code, found = self.code, list[Access]()
        vector = self.wide if self.across or self.abreast else None
        for number, column in enumerate((*self.shape.operands, *self.shape.results)):
            word = begin + 2 * number
            if column.is_number:
                slot = code.read(self.words, I64(word))
            elif column.home in (None, number):
                slot = code.read(self.segments, code.read(self.words, I64(word)), POINTER)
            else:
                slot = found[column.home].segment
            words = slot, code.read(self.words, I64(word + 1))
            twin = None if column.twin in (None, number) else found[column.twin]
            found.append(
                Access(
                    number, column, code, self.emitter, words,
                    cells=self.cells, vector=vector, twin=twin,
                )
            )  # fmt: skip
        return found

    def emit(self) -> None:
        """Write the loops."""
        getattr(self, self.shape.form)()
        self.code.ret_void()

    def body(self, place: Place) -> list[Value]:
        """Write the body for one instance."""
        arguments = [access.load(place) for access in self.operands]
        return emit_body(self.emitter, self.shape.body, arguments)

    def extra(self, number: int, at: Value) -> Value:
        """Read a table of runs or groups."""
        place = self.code.gep(self.tables[number], [at], source_etype=I32)
        return self.code.zext(self.code.load(place, typ=I32), I64)

    def shared(self, row: Value) -> dict[int, Value]:
        """Read what all instances of a row have in common."""
        place = Place(row, row)
        return {
            access.place: access.load(place)
            for access in self.operands
            if access.column.form == "row"
        }
