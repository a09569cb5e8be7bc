"""The same program in steps that code is written for one by one, with more work cells.

Long straight lines are cut: compilers are superlinear in the length of a function. Of sums whose
terms take long, such as elementary functions, the terms are computed first, by vectors.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from codegen.instruction import Argument, Constant, Instruction, Output, ValueType
from codegen.loops.again import in_order
from codegen.loops.costs import Costs
from codegen.loops.program import WORK, Cells, Map, Operand, Reduce, Rolled, Scatter, Step, count
from codegen.program import Program, ProgramBuilder

__all__ = ["reshaped"]

LONGEST: Final = 1000
"""Instructions of a straight-line function. Measured on Zen 4: twice as many take a third longer to
compile."""
_SLOW: Final = 8.0
"""Cycles of a term from which on it is worth vectors of its own."""


def reshaped(program: Rolled, costs: Costs, *, batch: bool) -> Rolled:
    """Cut what is long and, for one point, take apart what is slow."""
    program = in_order(program, 1 if batch else costs.lanes)
    maker = _Reshaper(program, costs, batch)
    steps = tuple(made for step in program.steps for made in maker.step(step))
    return replace(program, steps=steps, work=maker.work)


class _Reshaper:
    def __init__(self, program: Rolled, costs: Costs, batch: bool) -> None:
        self.costs, self.batch, self.work = costs, batch, program.work
        self.spare = program.work
        """Where cells begin that each step may use anew."""

    def step(self, step: Step) -> Iterator[Step]:
        if isinstance(step, Map) and count(step) == 1 and len(step.body.instructions) > LONGEST:
            yield from self.cut(step)
        elif isinstance(step, (Reduce, Scatter)) and not self.batch and self.is_slow(step):
            yield from self.apart(step)
        else:
            yield step

    def is_slow(self, step: Reduce | Scatter) -> bool:
        """Tell whether terms are worth the way through memory."""
        gain = (
            self.costs.scalar_ops(step.body) - self.costs.vector_ops(step.body) / self.costs.lanes
        )
        return count(step) >= self.costs.lanes and gain > _SLOW

    def cells(self, first: int, number: int) -> Cells:
        """Return work cells side by side."""
        self.work = max(self.work, first + number)
        return Cells(WORK, np.arange(first, first + number, dtype=np.int32))

    def apart(self, step: Reduce | Scatter) -> Iterator[Step]:
        """Compute the terms, then add what was computed."""
        number, width = count(step), len(step.body.outputs)
        cells = tuple(self.cells(self.spare + k * number, number) for k in range(width))
        yield Map(step.body, step.operands, cells)
        yield replace(step, body=_passed(width), operands=cells)

    def cut(self, step: Map) -> Iterator[Step]:
        """Cut a straight line; what goes from one part to another lies in work cells."""
        cutter = _Cutter(step, self.spare)
        yield from cutter.parts()
        self.work = max(self.work, cutter.top)


class _Cutter:
    """Cuts the straight line of one instance."""

    def __init__(self, step: Map, top: int) -> None:
        self.step, self.top = step, top
        self.leaves = _leaves(step.body)
        self.results: dict[int, list[Cells]] = {}
        for output, cells in zip(step.body.outputs, step.results, strict=True):
            self.results.setdefault(output.values[0], []).append(cells)

    def parts(self) -> Iterator[Step]:
        """Yield steps of bounded length; cells are free again after the last part that reads."""
        instructions = self.step.body.instructions
        last = {arg: at // LONGEST for at, this in enumerate(instructions) for arg in this.args}
        place: dict[int, int] = {}
        free: list[int] = []
        ends: dict[int, list[int]] = {}
        for part in range(-(-len(instructions) // LONGEST)):
            members = range(part * LONGEST, min((part + 1) * LONGEST, len(instructions)))
            writer = _PartWriter(self.step, place)
            for at in members:
                if at not in self.leaves or at in self.results:
                    writer.value(at)
            for at in members:
                for cells in self.results.get(at, ()):
                    writer.write(at, cells)
                if last.get(at, part) > part and at not in self.leaves:
                    place[at] = free.pop() if free else self.top
                    self.top = max(self.top, place[at] + 1)
                    ends.setdefault(last[at], []).append(place[at])
                    writer.keep(at, place[at])
            free += ends.get(part, [])
            if writer.outputs:
                yield writer.step()


def _passed(width: int) -> Program:
    """Return a body that hands over its arguments."""
    builder = ProgramBuilder("passed")
    values = [builder.load(builder.argument(f"x{k}")) for k in range(width)]
    for k, value in enumerate(values):
        builder.output(f"y{k}", value)
    return builder.finish()


def _cell(cell: int) -> Cells:
    return Cells(WORK, np.array([cell], np.int32))


def _leaves(body: Program) -> frozenset[int]:
    """Return values that are read or constant: each part has its own."""
    return frozenset(at for at, i in enumerate(body.instructions) if i.op in ("load", "const"))


class _PartWriter:
    """Writes the values of one part as a program of its own."""

    def __init__(self, whole: Map, place: dict[int, int]) -> None:
        self.whole, self.place = whole, place
        self.arguments: list[Argument] = []
        self.operands: list[Operand] = []
        self.instructions: list[Instruction] = []
        self.new: dict[int, int] = {}
        self.loads: dict[int, int] = {}
        self.outputs: list[Output] = []
        self.results: list[Cells] = []

    def step(self) -> Map:
        """Return the part."""
        body = Program(tuple(self.arguments), tuple(self.instructions), tuple(self.outputs), "part")
        return Map(body, tuple(self.operands), tuple(self.results))

    def write(self, at: int, cells: Cells) -> None:
        """Write a value to cells."""
        self.outputs.append(Output(f"y{len(self.outputs)}", (self.value(at),)))
        self.results.append(cells)

    def keep(self, at: int, cell: int) -> None:
        """Keep a value for later parts; a boolean as the number 0 or 1."""
        if self.whole.body.instructions[at].type == "b":
            ends = (self.number(1.0), self.number(0.0))
            self.instructions.append(Instruction("where", (self.value(at), *ends), "f"))
            self.new[~at] = len(self.instructions) - 1
            at = ~at
        self.write(at, _cell(cell))

    def number(self, value: float) -> int:
        """Write a constant."""
        self.instructions.append(Instruction("const", (), "f", Constant.of(value)))
        return len(self.instructions) - 1

    def recalled(self, at: int) -> int:
        """Take an earlier part's value from its work cell."""
        found = self._load(_cell(self.place[at]), "f")
        if self.whole.body.instructions[at].type == "b":
            self.instructions.append(Instruction("ne", (found, self.number(0.0)), "b"))
            found = len(self.instructions) - 1
        return found

    def _load(self, operand: Operand, kind: ValueType) -> int:
        number = len(self.arguments)
        self.arguments.append(Argument(f"x{number}", (), kind))
        self.operands.append(operand)
        self.instructions.append(Instruction("load", (), kind, (number, 0)))
        return len(self.instructions) - 1

    def value(self, at: int) -> int:
        """Return the number of a value here, which is written if it was not."""
        if at in self.new:
            return self.new[at]
        this = self.whole.body.instructions[at]
        if at in self.place:
            self.new[at] = self.recalled(at)
        elif isinstance(this.payload, tuple):
            number = this.payload[0]
            if number not in self.loads:
                self.loads[number] = self._load(self.whole.operands[number], this.type)
            self.new[at] = self.loads[number]
        else:
            args = tuple(map(self.value, this.args))
            self.instructions.append(replace(this, args=args))
            self.new[at] = len(self.instructions) - 1
        return self.new[at]
