"""A program of loops over tables as a Python function of NumPy: array operations for each step."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from codegen.instruction import Instruction
from codegen.loops.columns import Tables
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
from codegen.native.names import unique
from codegen.native.pysource import TAKEN, PythonWriter, imports, literal, returned, word
from codegen.native.writer import TableNames, stem
from codegen.program import Program

__all__ = ["python_loops"]

_WIDTH: Final = 96


def python_loops(program: Rolled, results: str) -> str:
    """Return the text of a module with one function; see `Kernel.python_source`."""
    return "\n".join(_Writer(program).lines(results)) + "\n"


class _Writer:
    """Tables and statements of one function."""

    def __init__(self, program: Rolled) -> None:
        self.program = program
        self.taken = set(TAKEN)
        self.name = unique(word(program.name), self.taken)
        self.operands = [unique(word(x.name), self.taken) for x in program.operands]
        self.points, self.type, self.work = (
            unique(name, self.taken) for name in ("points", "dtype", "work")
        )
        self.tables = TableNames(stem("T", self.taken), _definition)
        self.binder = Tables(program)

    def lines(self, results: str) -> Iterator[str]:
        """Write the module."""
        program, names = self.program, self.operands
        steps = [line for step in program.steps for line in self.step(step)]
        yield from (*imports(program.ops), "")
        yield from self.tables.lines
        yield from ("", f"def {self.name}({', '.join(names[: len(program.arguments)])}):")
        yield from (f"    {line}" for line in (*self.begun(), *steps))
        shown = []
        for name, output in zip(names[len(program.arguments) :], program.outputs, strict=True):
            shape = f"{self.points} + {output.shape!r}" if output.shape else self.points
            shown.append(f"{name}.reshape({shape})")
        yield f"    {returned(shown, [output.name for output in program.outputs], results)}"

    def begun(self) -> Iterator[str]:
        """Write arguments as rows of numbers, the points of all, and room for what is made."""
        program, names = self.program, self.operands
        kinds, shapes = ["np.float32"], []
        for name, argument in zip(names, program.arguments, strict=False):
            axes = len(argument.shape)
            yield f"{name} = np.asarray({name})"
            shape = f"{name}.shape[:-{axes}]" if axes else f"{name}.shape"
            if axes != 1:
                yield f"{name} = {name}.reshape({shape} + ({program.size(names.index(name))},))"
            shapes.append(f"{name}.shape[:-1]")
            kinds += [name] if argument.type == "f" else []
        kind = f"np.result_type({', '.join(kinds)})" if len(kinds) > 1 else "np.float64"
        yield f"{self.type} = {kind}"
        yield f"{self.points} = np.broadcast_shapes({', '.join(shapes)})"
        for number, output in enumerate(program.outputs, len(program.arguments)):
            kind = "bool" if output.type == "b" else self.type
            size = program.size(number)
            yield f"{names[number]} = np.empty({self.points} + ({size},), {kind})"
        if program.work:
            yield f"{self.work} = np.empty({self.points} + ({program.work},), {self.type})"

    def step(self, step: Map | Reduce | Scatter | Zero) -> Iterator[str]:
        """Write the statements of a step."""
        if isinstance(step, Zero):
            yield f"{self.cells(step.results)} = 0"
            return
        # a single instance of a map has no axis, which sums go along
        axis = not isinstance(step, Map)
        places = [self.operand(operand, axis) for operand in step.operands]
        writer = _Body(step.body, self.taken, places)
        ends = [output.values[0] for output in step.body.outputs]
        yield from writer.values(set(ends))
        values = [writer.names[end] for end in ends]
        if isinstance(step, Map):
            for cells, value in zip(step.results, values, strict=True):
                yield f"{self.cells(cells)} = {value}"
            return
        shape = f"{self.points} + ({count(step)},)"
        if isinstance(step, Reduce):
            starts = self.tables.name(step.bounds[:-1])
            rows = f"np.add.reduceat(np.broadcast_to({values[0]}, {shape}), {starts}, axis=-1)"
            yield f"{self.cells(step.results, axis)} {'+=' if step.adds else '='} {rows}"
            return
        for cells, value in zip(step.results, values, strict=True):
            index = self.tables.name(cells.index)
            added = f"np.broadcast_to({value}, {shape})"
            yield f"np.add.at({self.segment(cells)}, (..., {index}), {added})"

    def operand(self, operand: Operand, axis: bool) -> str:
        """Write what instances read."""
        if isinstance(operand, Cells):
            return self.cells(operand, axis)
        if operand.is_uniform:
            return literal(float(operand.f64[0]))
        return self.tables.name(operand.f64)

    def segment(self, cells: Cells) -> str:
        return self.work if cells.segment == WORK else self.operands[cells.segment]

    def cells(self, cells: Cells, axis: bool = False) -> str:
        """Write the cells of instances: one, a slice, or those of a table."""
        bound = self.binder.bind(cells)
        start, stride = bound.value, bound.column.stride
        if bound.column.form == "uniform":
            single = len(cells.index) == 1 and not axis
            place = str(start) if single else f"{start}:{start + 1}"
        elif bound.column.form == "affine":
            end = start + stride * len(cells.index)
            step = f":{stride}" if stride != 1 else ""
            place = f"{start}:{end if end >= 0 else ''}{step}"
        else:
            name, offset = self.tables.shifted(bound.value)
            place = f"{name} {'-' if offset < 0 else '+'} {abs(offset)}" if offset else name
        return f"{self.segment(cells)}[..., {place}]"


def _definition(name: str, table: Any) -> list[str]:
    """Write a table."""
    real = table.dtype.kind == "f"
    numbers = [literal(x) if real else str(x) for x in table.tolist()]
    rows = textwrap.wrap(", ".join(numbers), _WIDTH - 4, break_on_hyphens=False)
    return [f"{name} = np.array([", *(f"    {row}" for row in rows), "])"]


class _Body(PythonWriter):
    """The values of instances."""

    def __init__(self, body: Program, taken: set[str], places: Sequence[str]) -> None:
        super().__init__(body, taken)
        self.places = places

    def place(self, this: Instruction, argument: int, component: int) -> str:
        return self.places[argument]
