"""A program of loops over tables as a C function: a loop for each step, tables as constants."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from codegen.instruction import Instruction
from codegen.loops.columns import Bound, Tables
from codegen.loops.program import (
    WORK,
    Cells,
    Map,
    Operand,
    Reduce,
    Rolled,
    Scatter,
    Zero,
    count,
)
from codegen.native.csource import CWriter, frame, literal, prototype, stem_of
from codegen.native.names import identifier, unique
from codegen.native.writer import TableNames, stem
from codegen.program import Program
from codegen.target import Float

__all__ = ["c_loops"]

_KINDS: Final = {"f64": "double", "f32": "float"}
_WORDS: Final = {2: "unsigned short", 4: "int"}
_WIDTH: Final = 96
_ON_STACK: Final = 4096
"""Work cells that are no allocation."""


def c_loops(program: Rolled, dtype: Float, about: str) -> str:
    """Return the text of a C file with one function; see `Kernel.c_source`."""
    return "\n".join(_Writer(program, dtype).lines(about)) + "\n"


class _Writer:
    """Tables and loops of one function."""

    def __init__(self, program: Rolled, dtype: Float) -> None:
        self.program, self.dtype, self.kind = program, dtype, _KINDS[dtype]
        self.name = stem_of(program)
        self.taken: set[str] = set()
        self.operands = [unique(identifier(x.name), self.taken) for x in program.operands]
        names = ("work", "k", "row", "total", "end")
        self.work, self.k, self.row, self.total, self.end = (unique(n, self.taken) for n in names)
        self.tables = TableNames(stem("t", self.taken), self.definition)
        self.single = program.is_elementwise and len(program.outputs) == 1
        self.binder = Tables(program)

    def lines(self, about: str) -> Iterator[str]:
        """Write the file."""
        program = self.program
        steps = [line for step in program.steps for line in self.step(step)]
        large = program.work > _ON_STACK
        headers = ["math.h", "stdlib.h"] if large else ["math.h"]
        yield from frame(program, self.dtype, about, self.name, headers)
        yield from self.tables.lines
        yield prototype(program, self.dtype, self.name, self.operands)
        body = list(self.begun(large))
        body += steps
        body += [f"free({self.work});"] if large else []
        body += [f"return {self.operands[-1]}[0];"] if self.single else []
        yield from ("{", *(f"    {line}" for line in body), "}")

    def begun(self, large: bool) -> Iterator[str]:
        """Write what the function has for itself."""
        if self.single:
            kind = "unsigned char" if self.program.outputs[0].type == "b" else self.kind
            yield f"{kind} {self.operands[-1]}[1];"
        if large:
            yield f"{self.kind} *{self.work} = malloc({self.program.work} * sizeof *{self.work});"
            yield f"if (!{self.work})"
            yield "    abort();"
        elif self.program.work:
            yield f"{self.kind} {self.work}[{self.program.work}];"

    def step(self, step: Map | Reduce | Scatter | Zero) -> Iterator[str]:
        """Write the loop of a step."""
        number = count(step)
        if isinstance(step, Reduce):
            yield from self.sums(step)
        elif isinstance(step, Zero):
            yield from self.loop(number, [f"{self.cell(step.results)} = 0;"])
        else:
            lines, values = self.body(step)
            sign = "+=" if isinstance(step, Scatter) else "="
            cells = map(self.cell, step.results)
            lines += [f"{c} {sign} {v};" for c, v in zip(cells, values, strict=True)]
            yield from self.loop(number, lines)

    def loop(self, number: int, lines: Sequence[str]) -> Iterator[str]:
        """Write lines for each instance."""
        k = self.k
        yield "{" if number == 1 else f"for (int {k} = 0; {k} < {number}; {k}++) {{"
        yield from (*(f"    {line}" for line in lines), "}")

    def sums(self, step: Reduce) -> Iterator[str]:
        """Write rows, whose sums begin with -0, to which anything adds up to itself."""
        k, row, total, end = self.k, self.row, self.total, self.end
        bounds = self.tables.name(step.bounds)
        cell = self.cell(step.results, row)
        lines, (value,) = self.body(step)
        yield f"for (int {row} = 0, {k} = 0; {row} < {len(step.bounds) - 1}; {row}++) {{"
        yield f"    const int {end} = {bounds}[{row} + 1];"
        yield f"    {self.kind} {total} = {cell if step.adds else literal(-0.0, self.dtype)};"
        yield f"    for (; {k} < {end}; {k}++) {{"
        yield from (f"        {line}" for line in (*lines, f"{total} += {value};"))
        yield from ("    }", f"    {cell} = {total};", "}")

    def body(self, step: Map | Reduce | Scatter) -> tuple[list[str], list[str]]:
        """Write the values of an instance; return the lines, and its results as expressions."""
        places = [self.operand(operand) for operand in step.operands]
        writer = _Body(step.body, self.dtype, self.name, self.taken, places)
        ends = [output.values[0] for output in step.body.outputs]
        return list(writer.values(set(ends))), [writer.names[end] for end in ends]

    def operand(self, operand: Operand) -> str:
        """Write what an instance reads."""
        if isinstance(operand, Cells):
            return self.cell(operand)
        numbers = operand.f64 if self.dtype == "f64" else operand.f32
        if operand.is_uniform:
            return literal(float(numbers[0]), self.dtype)
        return f"{self.tables.name(numbers)}[{self.k}]"

    def cell(self, cells: Cells, at: str | None = None) -> str:
        """Write a cell of an instance, or of a row."""
        at = at or self.k
        bound = self.binder.bind(cells)
        if cells.segment != WORK and cells.segment < len(self.program.arguments):
            if not self.program.arguments[cells.segment].shape:
                return self.operands[cells.segment]
        name = self.work if cells.segment == WORK else self.operands[cells.segment]
        return f"{name}[{self.place(bound, at)}]"

    def place(self, bound: Bound, at: str) -> str:
        """Write the number of a cell."""
        if bound.column.form == "uniform":
            return str(bound.value)
        if bound.column.form == "affine":
            start = f"{bound.value} + " if bound.value else ""
            stride = f"{bound.column.stride} * " if bound.column.stride != 1 else ""
            return f"{start}{stride}{at}"
        name, offset = self.tables.shifted(bound.value)
        return f"{name}[{at}]" + (f" {'-' if offset < 0 else '+'} {abs(offset)}" if offset else "")

    def definition(self, name: str, table: Any) -> list[str]:
        """Write a table."""
        real = table.dtype.kind == "f"
        kind = self.kind if real else _WORDS[table.dtype.itemsize]
        numbers = [literal(x, self.dtype) if real else str(x) for x in table.tolist()]
        rows = textwrap.wrap(", ".join(numbers), _WIDTH - 4, break_on_hyphens=False)
        head = f"static const {kind} {name}[{len(table)}] = {{"
        return [head, *(f"    {row}" for row in rows), "};", ""]


class _Body(CWriter):
    """The values of an instance."""

    def __init__(
        self, body: Program, dtype: Float, name: str, taken: set[str], places: Sequence[str]
    ) -> None:
        super().__init__(body, dtype, name, taken)
        self.places = places

    def place(self, this: Instruction, argument: int, component: int) -> str:
        place = self.places[argument]
        return f"({place} != 0)" if this.type == "b" else place
