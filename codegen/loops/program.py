"""`Rolled`: a program of loops over tables, for systems in which few shapes make many terms.

What it computes at one point: numbers lie in segments (each argument, each output, and one of
work cells, in row-major order), and steps run one after the other. A step does the same small
straight-line `Program`, its body, once for each instance; tables say which cells an instance reads
and writes. Instances of a step do not depend on each other, but for sums, whose order is that of
the tables. A step may read the cells of outputs that earlier ones have written.

A segment of booleans is read by a body's boolean argument; work cells hold numbers only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.instruction import Argument, ValueType
from codegen.instructions import INLINED
from codegen.program import Program
from rewrite.display import Displayed, preformatted
from rewrite.errors import TargetError

__all__ = [
    "WORK",
    "Cells",
    "Map",
    "Numbers",
    "Reduce",
    "Result",
    "Rolled",
    "Scatter",
    "Step",
    "Zero",
]

WORK: Final = -1
"""The segment of work cells; all others are the numbers of arguments, and of outputs after them."""

type Index = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A cell of one segment for each instance."""

    segment: int
    index: Index
    """Shape (instances,)."""

    def at(self, chosen: Any) -> "Cells":
        """Return the cells of some instances, side by side in memory."""
        return Cells(self.segment, np.ascontiguousarray(self.index[chosen]))


@dataclass(frozen=True, slots=True, eq=False)
class Numbers:
    """A constant for each instance, rounded once to each float type."""

    f64: npt.NDArray[np.float64]
    f32: npt.NDArray[np.float32]

    def at(self, chosen: Any) -> "Numbers":
        """Return the constants of some instances, side by side in memory."""
        parts = (np.ascontiguousarray(part[chosen]) for part in (self.f64, self.f32))
        return Numbers(*parts)

    @property
    def is_uniform(self) -> bool:
        """Tell whether all constants have the same bits."""
        return all((word == word[0]).all() for word in self._words)

    def is_constant_within(self, starts: npt.NDArray[Any]) -> bool:
        """Tell whether bits do not change between one start and the next."""
        return all(constant_within(word, starts) for word in self._words)

    @property
    def _words(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        return self.f64.view(np.int64), self.f32.view(np.int32)


def constant_within(values: npt.NDArray[Any], starts: npt.NDArray[Any]) -> bool:
    """Tell whether a column does not change between one start and the next."""
    changes = np.flatnonzero(values[1:] != values[:-1]) + 1
    return bool(np.isin(changes, starts, assume_unique=True).all())


type Operand = Cells | Numbers


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """For each instance k: results[k] = body(operands[k]).

    One of a single instance is straight-line code, whatever its length.
    """

    body: Program
    operands: tuple[Operand, ...]
    """One for each argument of the body."""
    results: tuple[Cells, ...]
    """One for each output of the body; no cell comes twice in a step, or is read by it."""

    def at(self, chosen: Any) -> "Map":
        """Return some of the instances."""
        operands = tuple(operand.at(chosen) for operand in self.operands)
        return Map(self.body, operands, tuple(cells.at(chosen) for cells in self.results))


@dataclass(frozen=True, slots=True, eq=False)
class Reduce:
    """For each row r: results[r] = the sum of body(operands[k]) for bounds[r] <= k < bounds[r+1].

    The sum is taken from the first summand to the last, without a zero before them; no row is
    empty. Where it `adds`, it begins with what the cell holds.
    """

    body: Program
    operands: tuple[Operand, ...]
    bounds: Index
    """Shape (rows + 1,)."""
    results: Cells
    adds: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scatter:
    """For each instance k in turn, and for each output of the body: results[k] += output."""

    body: Program
    operands: tuple[Operand, ...]
    results: tuple[Cells, ...]
    """One for each output of the body."""


@dataclass(frozen=True, slots=True, eq=False)
class Zero:
    """Fill cells with 0.0, to be added to."""

    results: Cells


type Step = Map | Reduce | Scatter | Zero


@dataclass(frozen=True, slots=True)
class Result:
    """A named output and its shape, () for a single number."""

    name: str
    shape: tuple[int, ...] = ()
    type: ValueType = "f"


@dataclass(frozen=True, eq=False, repr=False)
class Rolled(Displayed):
    """Steps over the segments of arguments, outputs and work cells."""

    arguments: tuple[Argument, ...]
    outputs: tuple[Result, ...]
    work: int
    """How many work cells there are."""
    steps: tuple[Step, ...]
    name: str = "kernel"
    is_elementwise: bool = False

    @cached_property
    def operands(self) -> tuple[Argument | Result, ...]:
        """The arguments, then the outputs."""
        return (*self.arguments, *self.outputs)

    def type_of(self, operand: Argument | Result) -> ValueType:
        """Return the type of the components of an argument or output."""
        return operand.type

    @property
    def ops(self) -> frozenset[str]:
        """The ops that its bodies have."""
        return frozenset(op for body in self.bodies for op in body.ops)

    @property
    def bodies(self) -> "tuple[Program, ...]":
        """What its steps do, one for each."""
        return tuple(step.body for step in self.steps if not isinstance(step, Zero))

    @cached_property
    def operations(self) -> int:
        """How many operations a point takes."""
        bodies = [(step.body, count(step)) for step in self.steps if not isinstance(step, Zero)]
        return sum(
            times * sum(INLINED.get(i.op, 1) for i in body.instructions) for body, times in bodies
        )

    def size(self, segment: int) -> int:
        """Return how many cells a segment has."""
        return self.work if segment == WORK else prod(self.operands[segment].shape)

    def verify(self) -> "Rolled":
        """Return the program, or raise `TargetError` that names the first ill-formed step."""
        if getattr(self.steps, "verified", False):
            return self
        for number, step in enumerate(self.steps):
            for problem in _problems(self, step):
                raise TargetError(f"program {self.name!r}, step {number}: {problem}")
        return self

    def __str__(self) -> str:
        """Show segments and steps; bodies are shown once, tables by their sizes."""
        return "\n".join(_lines(self))

    def __repr__(self) -> str:
        """Show the operands and the size."""
        names = ", ".join(argument.name for argument in self.arguments)
        made = ", ".join(output.name for output in self.outputs)
        size = f"{len(self.steps)} steps, {self.operations} operations"
        return f"<Rolled {self.name}({names}) -> {made}: {size}>"

    def _repr_html_(self) -> str:
        return preformatted(str(self))


def count(step: Step) -> int:
    """Return how many instances (of a sum: summands) a step has."""
    if isinstance(step, Reduce):
        return int(step.bounds[-1])
    cells = step.results if isinstance(step, Zero) else step.results[0]
    return len(cells.index)


def results_of(step: Step) -> tuple[Cells, ...]:
    """Return the cells that a step writes."""
    return step.results if isinstance(step.results, tuple) else (step.results,)


def operands_of(step: Step) -> tuple[Operand, ...]:
    """Return what a step reads by its tables."""
    return () if isinstance(step, Zero) else step.operands


def _problems(program: Rolled, step: Step) -> Iterator[str]:
    instances = count(step)
    rows = len(step.bounds) - 1 if isinstance(step, Reduce) else instances
    if rows < 1 or instances < 1:
        yield "it has no instances"
    for cells in results_of(step):
        yield from _cell_problems(program, cells, rows, written=True)
    for operand in operands_of(step):
        if isinstance(operand, Cells):
            yield from _cell_problems(program, operand, instances, written=False)
        elif not len(operand.f64) == len(operand.f32) == instances:
            yield f"{len(operand.f64)} constants for {instances} instances"
    if isinstance(step, Reduce) and (step.bounds[0] != 0 or (np.diff(step.bounds) < 1).any()):
        yield "bounds do not rise from 0"
    if not isinstance(step, Zero):
        yield from _body_problems(program, step)


def _cell_problems(program: Rolled, cells: Cells, length: int, *, written: bool) -> Iterator[str]:
    if not WORK <= cells.segment < len(program.operands):
        yield f"there is no segment {cells.segment}"
        return
    if written and 0 <= cells.segment < len(program.arguments):
        yield f"it writes to the argument {program.operands[cells.segment].name!r}"
    index = cells.index
    if len(index) != length:
        yield f"{len(index)} cells for {length} instances"
        return
    if not length:
        return
    low, high = (index[0], index[0]) if length == 1 else (index.min(), index.max())
    if not 0 <= low <= high < program.size(cells.segment):
        yield f"cells beyond the end of segment {cells.segment}"


def _body_problems(program: Rolled, step: Map | Reduce | Scatter) -> Iterator[str]:
    body = step.body
    if not body.is_elementwise:
        yield "its body has array operands"
    if len(body.arguments) != len(step.operands):
        yield f"{len(step.operands)} operands for a body of {len(body.arguments)} arguments"
    if len(body.outputs) != len(results_of(step)):
        yield f"{len(results_of(step))} results for a body of {len(body.outputs)} outputs"
    for argument, operand in zip(body.arguments, step.operands, strict=False):
        found = _type(program, operand)
        if argument.type != found:
            yield f"{argument.name!r} of its body has type {argument.type!r}, not {found!r}"
    for output, cells in zip(body.outputs, results_of(step), strict=False):
        if body.type_of(output) != _type(program, cells):
            yield f"{output.name!r} of its body does not have the type of its cells"


def _type(program: Rolled, operand: Operand) -> ValueType:
    if isinstance(operand, Numbers) or operand.segment == WORK:
        return "f"
    return program.operands[operand.segment].type


def _lines(program: Rolled) -> Iterator[str]:
    def shown(part: Argument | Result) -> str:
        shape = f"[{', '.join(map(str, part.shape))}]" if part.shape else ""
        return part.name + shape + (": b" if part.type == "b" else "")

    parts = ", ".join(map(shown, program.arguments))
    ends = ", ".join(map(shown, program.outputs))
    yield f"rolled {program.name}({parts}) -> {ends}; {program.work} work cells"

    def segment(operand: Operand) -> str:
        if isinstance(operand, Numbers):
            return "constants"
        return "work" if operand.segment == WORK else program.operands[operand.segment].name

    for step in program.steps:
        reads = ", ".join(map(segment, operands_of(step)))
        writes = ", ".join(map(segment, results_of(step)))
        kind = type(step).__name__.lower()
        rows = f" in {len(step.bounds) - 1} rows" if isinstance(step, Reduce) else ""
        yield f"  {kind} {count(step)}{rows}: ({reads}) -> {writes}"
        if not isinstance(step, Zero):
            yield from (f"    {line.strip()}" for line in str(step.body).splitlines()[1:])
