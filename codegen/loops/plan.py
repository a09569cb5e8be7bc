"""How each step is run: as pieces, one machine-code function over a range of units each.

A unit is an instance, a row, a group of rows or a run of instances. Units of a piece do not
depend on each other, so that threads can share them, but for pieces that are `serial`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from codegen.loops.columns import Bound, Column, Tables, slot
from codegen.loops.costs import Costs
from codegen.loops.program import (
    Cells,
    Map,
    Numbers,
    Operand,
    Reduce,
    Rolled,
    Scatter,
    Step,
    Zero,
    count,
)
from codegen.loops.runs import runs_of
from codegen.program import Program, ProgramBuilder

__all__ = ["GROUP", "ZERO", "Instance", "Piece", "Shape", "Straight", "pieces"]

type Form = Literal["each", "lanes", "runs", "rows", "groups", "scatter", "scatter_runs"]
type Index = npt.NDArray[Any]

GROUP: Final = 4
"""Rows that are summed at a time, as many as hide the latency of additions."""
_UNROLLED: Final = 8
"""Terms of rows that are summed without a loop."""
_CLASS: Final = 16
"""Rows of equal length that are worth code of their own."""
_RUN: Final = 2.0
"""Instances that add to one cell, on average, from which on the sum is kept in a register."""
_PART: Final = 1000
"""Instructions of a straight-line function: compilers are superlinear in its length."""
_FEW: Final = (4, 100)
"""Instances, and instructions of all together, that are written one after the other."""


@dataclass(frozen=True, slots=True)
class Shape:
    """All that the code of a piece depends on; equal pieces share it."""

    form: Form
    body: Program
    operands: tuple[Column, ...]
    results: tuple[Column, ...]
    count: int = 0
    """Terms of each row (rows), or rows of each group (groups)."""
    adds: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One instance of a body, whose cells are known."""

    body: Program
    operands: tuple[tuple[int, int] | tuple[float, float], ...]
    """(slot, cell), or a constant in float64 and float32."""
    results: tuple[tuple[int, int], ...]
    types: str
    """Value types of the results' cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Straight:
    """Straight-line code of several instances."""

    instances: tuple[Instance, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A function, what it reads of tables, and how many units it has."""

    code: Shape | Straight
    units: int
    extras: tuple[Index, ...] = ()
    """Tables of runs and groups, which come before those of columns."""
    columns: tuple[Bound, ...] = ()
    serial: bool = False
    cycles: float = 0.0
    """Roughly what all units take at one point, to weigh choices."""
    batch_cycles: float = 0.0
    """The same for a vector of points."""


def pieces(program: Rolled, costs: Costs, *, batch: bool) -> list[Piece]:
    """Return the pieces of a program for one point, or a `batch` with a point in each lane."""
    return list(_Planner(program, costs, batch).all())


@dataclass
class _Planner:
    program: Rolled
    costs: Costs
    batch: bool
    waiting: list[Instance] = field(default_factory=list)
    length: int = 0

    def __post_init__(self) -> None:
        self.tables = Tables(self.program)

    def all(self) -> Iterator[Piece]:
        for step in self.program.steps:
            if self.is_straight(step):
                yield from self.straight(step)
            else:
                yield from self.flush()
                yield from self.step(step)
        yield from self.flush()

    def step(self, step: Step) -> Iterator[Piece]:
        if isinstance(step, Zero):
            step = Map(ZERO, (), (step.results,))
        if isinstance(step, Map):
            yield self.map(step)
        elif isinstance(step, Reduce):
            yield from self.reduce(step)
        else:
            yield self.scatter(step)

    # straight-line code

    def is_straight(self, step: Step) -> bool:
        if not isinstance(step, Map):
            return False
        instances, size = count(step), len(step.body.instructions)
        return instances == 1 or (instances <= _FEW[0] and instances * size <= _FEW[1])

    def straight(self, step: Step) -> Iterator[Piece]:
        assert isinstance(step, Map)
        types = "".join(step.body.type_of(output) for output in step.body.outputs)
        for k in range(count(step)):
            operands = tuple(self.entry(operand, k) for operand in step.operands)
            results = tuple((slot(self.program, c.segment), int(c.index[k])) for c in step.results)
            size = len(step.body.instructions)
            if self.length + size > _PART:
                yield from self.flush()
            self.waiting.append(Instance(step.body, operands, results, types))
            self.length += size

    def entry(self, operand: Operand, k: int) -> tuple[int, int] | tuple[float, float]:
        if isinstance(operand, Numbers):
            return float(operand.f64[k]), float(operand.f32[k])
        return slot(self.program, operand.segment), int(operand.index[k])

    def flush(self) -> Iterator[Piece]:
        if self.waiting:
            cycles, batch = (
                sum(self.costs.each(i.body, len(i.operands), batch) for i in self.waiting)
                for batch in (False, True)
            )
            code = Straight(tuple(self.waiting))
            yield Piece(code, 1, serial=True, cycles=cycles, batch_cycles=batch)
            self.waiting, self.length = [], 0

    # loops

    def bound(self, step: Any, order: Index | None = None, rows: Index | None = None) -> Any:
        return [self.tables.bind(operand, order, rows) for operand in step.operands]

    def map(self, step: Map) -> Piece:
        operands = self.bound(step)
        columns = (*operands, *map(self.tables.bind, step.results))
        split, number = len(operands), count(step)
        loops, batch = self.weighed(step.body, columns, split, number)
        costs: dict[str, Any] = {"cycles": loops, "batch_cycles": batch}
        if self.batch:
            return self.piece("each", step.body, columns, split, number, **costs)
        runs = runs_of(columns, number, self.costs.lanes)
        seen = columns if runs is None else runs.columns
        vectors = (
            number / self.costs.lanes * self.costs.vectors(step.body, _with_twins(seen), split)
        )
        if vectors >= loops or number < self.costs.lanes:
            return self.piece("each", step.body, columns, split, number, **costs)
        costs["cycles"] = vectors
        if runs is None:
            return self.piece("lanes", step.body, columns, split, number, **costs)
        extras = (runs.starts,)
        return self.piece("runs", step.body, seen, split, len(runs.starts) - 1, extras, **costs)

    def weighed(
        self, body: Program, columns: Sequence[Bound], split: int, number: int
    ) -> tuple[float, float]:
        """Return the cycles of so many instances for a point, and for a vector of points."""
        point, batch = (self.costs.loop(body, columns, split, batch) for batch in (False, True))
        return number * point, number * batch

    def piece(
        self, form: Form, body: Program, columns: Sequence[Bound], split: int, units: int,
        extras: tuple[Index, ...] = (), *, count: int = 0, adds: bool = False,
        serial: bool = False, cycles: float, batch_cycles: float,
    ) -> Piece:  # fmt: skip
        kinds = _with_twins(columns)
        shape = Shape(form, body, kinds[:split], kinds[split:], count, adds)
        return Piece(shape, units, extras, tuple(columns), serial, cycles, batch_cycles)

    # sums

    def reduce(self, step: Reduce) -> Iterator[Piece]:
        """Sum rows of equal length with code for that length, long ones several at a time."""
        lengths = np.diff(step.bounds)
        ranking = np.argsort(lengths, kind="stable")
        sizes, firsts, rows = np.unique(lengths[ranking], return_index=True, return_counts=True)
        rest = 0
        for size, first, number in zip(sizes, firsts, rows, strict=True):
            if size > _UNROLLED:
                break
            if number >= _CLASS:
                if rest < first:
                    yield self.groups(step, ranking[rest:first], 1)
                rest = first + number
                yield self.rows(step, ranking[first:rest], int(size))
        left = ranking[rest:]
        whole = len(left) // GROUP * GROUP
        if whole:
            yield self.groups(step, left[:whole], GROUP)
        if whole < len(left):
            yield self.groups(step, left[whole:], 1)

    def rows(self, step: Reduce, chosen: Index, terms: int) -> Piece:
        chosen = np.sort(chosen)
        begins = step.bounds[:-1][chosen].astype(np.int64)
        order = (begins[:, None] + np.arange(terms)).ravel()
        starts = np.arange(len(chosen)) * terms
        results = step.results.at(chosen)
        return self.summed("rows", step, order, starts, results, terms, len(chosen))

    def groups(self, step: Reduce, chosen: Index, width: int) -> Piece:
        """Rows of similar length side by side: their first terms in turns, then what is left."""
        lengths = np.diff(step.bounds)[chosen].reshape(-1, width).astype(np.int64)
        begins = step.bounds[:-1][chosen].reshape(-1, width).astype(np.int64)
        shared = lengths.min(axis=1)
        tails = lengths - shared[:, None]
        order = np.concatenate(
            [_side_by_side(*group) for group in zip(begins, lengths, shared, strict=True)]
        )
        starts = np.concatenate([[0], np.cumsum(lengths.sum(axis=1))[:-1]])
        results = step.results.at(chosen)
        extras = tuple(np.ascontiguousarray(x, np.int32) for x in (starts, shared, tails.ravel()))
        rows = starts if width == 1 else None
        return self.summed("groups", step, order, rows, results, width, len(starts), extras)

    def summed(
        self, form: Form, step: Reduce, order: Index, starts: Index | None, results: Cells,
        number: int, units: int, extras: tuple[Index, ...] = (),
    ) -> Piece:  # fmt: skip
        columns = [*self.bound(step, order, starts), self.tables.bind(results)]
        split = len(step.operands)
        cycles, batch = self.weighed(step.body, columns, split, len(order))
        return self.piece(
            form, step.body, columns, split, units, extras, count=number, adds=step.adds,
            cycles=cycles, batch_cycles=batch,
        )  # fmt: skip

    def scatter(self, step: Scatter) -> Piece:
        number = count(step)
        first, *others = step.results
        starts = np.concatenate([[0], np.flatnonzero(np.diff(first.index)) + 1])
        split = len(step.operands)
        if number < _RUN * len(starts):
            columns = [*self.bound(step), *map(self.tables.bind, step.results)]
            cycles, batch = self.weighed(step.body, columns, split, number)
            return self.piece(
                "scatter", step.body, columns, split, number, serial=True, cycles=cycles,
                batch_cycles=batch,
            )  # fmt: skip
        clash = np.zeros(number, bool)
        for cells in others:
            if cells.segment == first.segment:
                clash |= cells.index == first.index
        begins, sums, plain = _runs_of_sums(starts, clash)
        columns = [self.tables.bind(x, None, begins) for x in (*step.operands, first)]
        columns += map(self.tables.bind, others)
        cycles, batch = self.weighed(step.body, columns, split, number)
        return self.piece(
            "scatter_runs", step.body, columns, split, len(begins), (sums, plain), serial=True,
            cycles=cycles, batch_cycles=batch,
        )  # fmt: skip


def _with_twins(columns: Sequence[Bound]) -> tuple[Column, ...]:
    """Say of each table which column has it first, so that an index is read once.

    Columns that are always as far apart, as those of a stencil, have one address or table in
    common.
    """
    first: dict[Any, int] = {}
    homes: dict[int, int] = {}
    found = []
    for number, bound in enumerate(columns):
        column = bound.column
        if not column.is_number:
            column = replace(column, home=homes.setdefault(bound.slot, number))
        if column.form in ("table", "row") and not column.is_number:
            apart = bound.value.astype(np.int64) - int(bound.value[0])
            twin = first.setdefault((column.form, column.bits, apart.tobytes()), number)
            offset = int(bound.value[0]) - int(columns[twin].value[0])
            column = replace(column, twin=twin, offset=offset)
        elif column.form in ("run", "affine") and not column.is_number:
            start = np.atleast_1d(bound.value)
            steps = (start - start[0]).tobytes()
            key = (column.form, bound.slot, column.stride, column.type, steps)
            twin = first.setdefault(key, number)
            apart = int(start[0]) - int(np.atleast_1d(columns[twin].value)[0])
            column = replace(column, twin=twin, offset=apart)
        found.append(column)
    return tuple(found)


def _zero() -> Program:
    builder = ProgramBuilder("zero")
    builder.output("zero", builder.const(0.0))
    return builder.finish()


ZERO: Final = _zero()


def _side_by_side(begins: Index, lengths: Index, shared: int) -> Index:
    """Return the order of a group's terms."""
    together = (begins + np.arange(shared)[:, None]).ravel()
    tails = [np.arange(b + shared, b + n) for b, n in zip(begins, lengths, strict=True)]
    return np.concatenate([together, *tails])


def _runs_of_sums(starts: Index, clash: Index) -> tuple[Index, Index, Index]:
    """Return where runs begin, how many instances keep their sum in a register, and the rest.

    An instance that adds to the run's cell by another column too ends the run's first part.
    """
    # a run begins where the cell changes, and after a clash that no other follows
    after = np.flatnonzero(clash[:-1] & ~clash[1:]) + 1
    begins = np.union1d(starts, after)
    ends = np.append(begins[1:], len(clash))
    clashes = np.add.reduceat(clash.astype(np.int64), begins)
    sums = (ends - begins - clashes).astype(np.int32)
    return begins, sums, clashes.astype(np.int32)
