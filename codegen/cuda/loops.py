"""A program of loops as the source of one CUDA kernel, in which a step is a loop over instances.

A block has lanes of states, and for each lane threads that share the instances of a step; after a
step they wait for each other. Equal steps call one function, which reads where its cells are from
tables. One launch does all steps, or one launch each where many blocks share a step's instances.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.branches import Branch, branches
from codegen.cuda.gather import gathered
from codegen.cuda.source import PART, Body, Form, element, entry, indices
from codegen.cuda.words import Words
from codegen.loops.columns import stride_of
from codegen.loops.program import WORK, Cells, Map, Numbers, Operand, Reduce, Rolled
from codegen.program import Program
from codegen.target import Float

__all__ = ["LoopForm", "Stage", "Staged", "loop_source", "staged"]

type Ints = npt.NDArray[np.int32]

_NUMBERS: Final = -2
"""Stands where the segment of cells does."""


@dataclass(frozen=True, slots=True)
class LoopForm(Form):
    """What one kernel of a program of loops is made for."""

    split: tuple[bool, ...] = ()
    """Which operands have cells along two axes that cannot be joined."""


@dataclass(frozen=True, slots=True)
class Column:
    """Where an operand's entry of each instance is: at a start, some strides on, or by a table."""

    segment: int
    form: str
    stride: int
    start: int
    """Which of a call's starts it has; of straight-line code the cell itself."""


@dataclass(frozen=True, slots=True)
class Shape:
    """All that the function of a step depends on; equal steps share it."""

    body: Program
    reads: tuple[Column, ...]
    writes: tuple[Column, ...]
    bounds: Column | None = None
    """Of rows: where each begins."""
    adds: bool = False
    straight: bool = False


@dataclass(frozen=True, slots=True)
class Stage:
    """A step: its function, how many instances (of sums: rows), and where its columns start."""

    shape: Shape
    units: int
    starts: tuple[int, ...]
    length: float
    """Summands of a row, on average."""


@dataclass
class Staged:
    """The steps of a program, and the tables that they all read from."""

    program: Rolled
    """The one that is written, without scattered sums."""
    stages: list[Stage] = field(default_factory=list)
    tables: list[Ints] = field(default_factory=list)
    numbers: list[Numbers] = field(default_factory=list)
    _places: dict[tuple[str, bytes], int] = field(default_factory=dict)
    _sizes: dict[str, int] = field(default_factory=dict)

    def table(self, index: Ints) -> int:
        """Return where a table begins; equal ones are kept once."""
        return self._place("cells", index.tobytes(), self.tables, index, len(index))

    def constants(self, numbers: Numbers) -> int:
        """Return where constants begin."""
        key = numbers.f64.tobytes() + numbers.f32.tobytes()
        return self._place("numbers", key, self.numbers, numbers, len(numbers.f64))

    def _place(self, kind: str, key: bytes, held: list[Any], entry: Any, size: int) -> int:
        place = self._places.get((kind, key))
        if place is None:
            place = self._places[kind, key] = self._sizes.get(kind, 0)
            self._sizes[kind] = place + size
            held.append(entry)
        return place

    def arrays(self, dtype: Float) -> tuple[Ints, npt.NDArray[Any]]:
        """Return all tables, and all constants, one after the other; at least one of each."""
        kind = np.float64 if dtype == "f64" else np.float32
        numbers = [n.f64 if dtype == "f64" else n.f32 for n in self.numbers]
        return (
            np.concatenate([*self.tables, np.zeros(1, np.int32)]).astype(np.int32),
            np.concatenate([*numbers, np.zeros(1, kind)]).astype(kind),
        )


def staged(program: Rolled) -> Staged:
    """Return the steps of a program as a kernel takes them."""
    found = Staged(gathered(program))
    for step in found.program.steps:
        assert isinstance(step, (Map, Reduce)), "sums are gathered"
        found.stages.append(_stage(found, step))
    return found


def _stage(found: Staged, step: Map | Reduce) -> Stage:
    starts: dict[int, None] = {}
    units = len(step.bounds) - 1 if isinstance(step, Reduce) else len(step.results[0].index)
    straight = isinstance(step, Map) and units == 1

    def column(operand: Operand) -> Column:
        segment, form, stride, start = _placed(found, operand)
        if straight:
            return Column(segment, form, stride, start)
        starts.setdefault(start)
        return Column(segment, form, stride, list(starts).index(start))

    reads = tuple(map(column, step.operands))
    if isinstance(step, Map):
        shape = Shape(step.body, reads, tuple(map(column, step.results)), straight=straight)
        return Stage(shape, units, tuple(starts), 1.0)
    bounds = column(Cells(_NUMBERS, step.bounds))
    shape = Shape(step.body, reads, (column(step.results),), bounds, step.adds)
    return Stage(shape, units, tuple(starts), float(step.bounds[-1]) / units)


def _placed(found: Staged, operand: Operand) -> tuple[int, str, int, int]:
    """Return segment, form, stride, and the cell or place that an operand starts at."""
    if isinstance(operand, Numbers):
        same = operand.is_uniform
        start = found.constants(operand.at(slice(0, 1)) if same else operand)
        return _NUMBERS, "uniform" if same else "affine", 1, start
    stride = stride_of(operand.index)
    if stride is not None:
        return operand.segment, "affine" if stride else "uniform", stride, int(operand.index[0])
    return operand.segment, "table", 0, found.table(operand.index)


def loop_source(found: Staged, form: LoopForm) -> str:
    """Write the kernel and the functions of its steps.

    `def kernel(n, d1, ..., lanes, slots, begin, end, t, c, w, wc, wt, a0, ..., r0, ...)`: steps
    from `begin` to `end`, with work cells of so many `slots` of states in `w`.
    """
    sizes = [f"d{axis}" for axis in range(1, form.rank)]
    given = ["n", *sizes, "lanes", "slots", "begin", "end", *_TABLES, "wt", *entry(found.program)]
    lines = [f"def kernel({', '.join(given)}):"]
    words = Words(form.dtype, lines, indent="    ")
    parts: dict[Shape, int] = {}
    written: list[str] = []
    for line in (
        "count = N(n)", "lane = N(cuda.threadIdx.x % lanes)", "width = cuda.blockDim.x // lanes",
        "k = int32(cuda.blockIdx.y * width + cuda.threadIdx.x // lanes)",
        "by = int32(cuda.gridDim.y * width)", "base = N(cuda.blockIdx.x * lanes)",
        "stride = N(cuda.gridDim.x * lanes)",
    ):  # fmt: skip
        words.line(line)
    with words.inside("while base < count:"):
        words.line("i = N(base + lane)")
        words.line("at = int64(rest(i, N(slots))) * wt")
        index = indices(words, form, sizes)
        for number, stage in enumerate(found.stages):
            part = parts.setdefault(stage.shape, len(parts))
            if part == len(parts) - 1 and len(written) <= part:
                written.append(_function(found.program, stage.shape, part, form))
            with words.inside(f"if begin <= {number} < end:"):
                with words.inside("if i < count:"):
                    words.line(f"{PART}{part}({_call(found.program, stage, index)})")
                words.line("cuda.syncthreads()")
        words.line("base = N(base + stride)")
    return "\n\n".join([*written, "\n".join([*lines, ""])])


_TABLES: Final = ("t", "c", "w", "wc")


def _call(program: Rolled, stage: Stage, index: Sequence[str]) -> str:
    starts = [f"int32({start})" for start in stage.starts]
    own = ["k", f"int32({stage.units})", "by"]
    return ", ".join((*index, *own, *_TABLES, "at", *starts, *_operands(program, stage.shape)))


def _operands(program: Rolled, shape: Shape) -> list[str]:
    """Name the operands that a step reads or writes."""
    names = entry(program)
    used = {column.segment for column in (*shape.reads, *shape.writes) if column.segment >= 0}
    return [names[segment] for segment in sorted(used)]


def _function(program: Rolled, shape: Shape, number: int, form: LoopForm) -> str:
    """Write what one thread does of a step: of the units from `k` to `m` each `by`-th."""
    index = tuple(f"j{axis}" for axis in range(form.rank))
    starts = [f"o{n}" for n in range(1 + max(_starts(shape), default=-1))]
    given = (*index, "k", "m", "by", *_TABLES, "at", *starts, *_operands(program, shape))
    lines = [f"def {PART}{number}({', '.join(given)}):"]
    words = Words(form.dtype, lines, indent="    ")
    with words.inside("while k < m:"):
        if shape.bounds is None:
            _Instance(program, shape, words, form, index, "k").write()
        else:
            _row(program, shape, words, form, index)
        words.line("k = int32(k + by)")
    return "\n".join([*lines, "    return None", ""])


def _starts(shape: Shape) -> Iterator[int]:
    if not shape.straight:
        columns = (*shape.reads, *shape.writes, *((shape.bounds,) if shape.bounds else ()))
        yield from (column.start for column in columns)


def _row(
    program: Rolled, shape: Shape, words: Words, form: LoopForm, index: tuple[str, ...]
) -> None:
    """Write a sum; -0.0 before the first summand changes no bits."""
    assert shape.bounds is not None
    row = _Instance(program, shape, words, form, index, "k")
    (result,) = shape.writes
    words.line(f"e = int32({row.entry(shape.bounds)})")
    words.line(f"stop = int32({row.entry(shape.bounds, 1)})")
    words.line(f"total = {row.cell(result) if shape.adds else 'F(-0.0)'}")
    with words.inside("while e < stop:"):
        term = _Instance(program, shape, words, form, index, "e")
        term.compute()
        words.line(f"total = total + {term.values[shape.body.outputs[0].values[0]]}")
        words.line("e = int32(e + 1)")
    row.put(result, "total")


class _Instance(Body):
    """The values of one instance of a step."""

    def __init__(
        self, program: Rolled, shape: Shape, words: Words, form: LoopForm, index: tuple[str, ...],
        unit: str,
    ) -> None:  # fmt: skip
        super().__init__(shape.body, words, form, index)
        self.rolled, self.shape, self.unit = program, shape, unit
        self.form: LoopForm = form
        self.read: dict[tuple[int, int], str] = {}
        """Entries of tables, by start and how far on."""

    def write(self) -> None:
        """Write the values, and each result as soon as it is there."""
        self.compute(self._results())

    def compute(self, places: dict[int, list[Any]] | None = None) -> None:
        """Write the values; arguments are read where they are needed."""
        for item in branches(self.program):
            if not isinstance(item, int) or self.program.instructions[item].args:
                self._item(item, places or {})
        leaves = [output.values[0] for output in self.program.outputs]
        self._leaves(leaves)
        for value in dict.fromkeys(leaves):
            if places and not self.program.instructions[value].args:
                self._store(value, places[value])

    def _results(self) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        for output, column in zip(self.program.outputs, self.shape.writes, strict=True):
            found.setdefault(output.values[0], []).append(column)
        return found

    def _store(self, value: int, targets: Sequence[Any]) -> None:
        for column in targets:
            self.put(column, self.values[value])

    def _load(self, number: int, component: int) -> str:
        text = self.cell(self.shape.reads[number])
        return str(self.words.write(text))

    def _branch(self, branch: Branch, places: dict[int, list[Any]]) -> None:
        outside = dict(self.read)
        super()._branch(branch, places)
        self.read = outside

    # where things are

    def entry(self, column: Column, ahead: int = 0) -> str:
        """Return the text of a cell's number, or of an entry of the table of bounds."""
        if self.shape.straight:
            return str(column.start)
        start, unit = f"o{column.start}", self.unit if not ahead else f"{self.unit} + {ahead}"
        if column.form == "uniform":
            return start
        if column.form == "affine":
            return f"{start} + {column.stride} * ({unit})"
        key = column.start, ahead
        if key not in self.read:
            self.read[key] = self.words.write(f"peek(t, {start} + {unit})")
        return self.read[key]

    def work(self, column: Column) -> str:
        """Return the place of a work cell of this state."""
        return f"({self.entry(column)}) * wc + at"

    def cell(self, column: Column) -> str:
        """Return the text that reads a cell."""
        if column.segment == _NUMBERS:
            return f"peek(c, {self.entry(column)})"
        if column.segment == WORK:
            return f"peek(w, {self.work(column)})"
        segment, kind = column.segment, self.rolled.type_of(self.rolled.operands[column.segment])
        scalars = self.form.scalars
        if segment < len(scalars) and scalars[segment]:
            return f"F(a{segment})" if kind == "f" else f"a{segment}"
        axes, place = self.place(column)
        return f"{'real' if kind == 'f' else 'truth'}{axes}({place})"

    def put(self, column: Column, value: str) -> None:
        """Write a cell."""
        if column.segment == WORK:
            self.words.line(f"poke(w, {self.work(column)}, {value})")
        else:
            axes, place = self.place(column)
            self.words.line(f"put{axes}({place}, {value})")

    def place(self, column: Column) -> tuple[int, str]:
        """Return the place of a cell in its operand."""
        operand, name = self.rolled.operands[column.segment], entry(self.rolled)[column.segment]
        if not operand.shape:
            return element(name, self.index)
        at = self.entry(column)
        if not self.form.split[column.segment]:
            return element(name, (*self.index, at))
        row = prod(operand.shape[1:])
        first, second = f"whole(N({at}), N({row}))", f"rest(N({at}), N({row}))"
        return element(name, (*self.index, first, second))
