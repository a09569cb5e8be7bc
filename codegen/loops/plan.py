"""How each step is run: as pieces, one machine-code function over a range of units each.

A unit is an instance, a row, a group of rows or a run of instances. Units of a piece do not
depend on each other, so that threads can share them, but for pieces that are `serial`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from codegen.instructions import INLINED
from codegen.loops.columns import Bound, Column, Tables
from codegen.loops.costs import Costs
from codegen.loops.instances import ZERO, Instance, instances
from codegen.loops.program import Cells, Map, Reduce, Rolled, Scatter, Step, Zero, count
from codegen.loops.runs import runs_of
from codegen.program import Program

__all__ = ["GROUP", "Piece", "Shape", "Straight", "pieces"]

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
_FEW: Final = 500
"""Instructions of all instances of a step that may be written one after the other."""
_BEGUN: Final = 40.0
"""Cycles of a loop besides its instances: the call, the way into it and out. Measured on Zen 4."""


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
            if isinstance(step, Map) and count(step) == 1:
                yield from self.straight(instances(self.program, step))
                continue
            loops = list(self.step(step))
            written = self.shorter(step, loops)
            if written:
                yield from self.straight(written)
            else:
                yield from self.flush()
                yield from loops
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

    def shorter(self, step: Step, loops: list[Piece]) -> list[Instance]:
        """Return a step's instances where it takes less time to do one after the other."""
        if _length(step) > _FEW:
            return []
        written = list(instances(self.program, step))
        looped = sum((p.batch_cycles if self.batch else p.cycles) + _BEGUN for p in loops)
        return written if self.each(written, self.batch) <= looped else []

    def each(self, written: Iterable[Instance], batch: bool) -> float:
        """Return the cycles of instances one after the other."""
        return sum(self.costs.each(i.body, len(i.operands), batch) for i in written)

    def straight(self, written: Iterable[Instance]) -> Iterator[Piece]:
        """Append to the straight-line code, and return what is long enough."""
        for instance in written:
            size = len(instance.body.instructions)
            if self.length + size > _PART:
                yield from self.flush()
            self.waiting.append(instance)
            self.length += size

    def flush(self) -> Iterator[Piece]:
        if self.waiting:
            cycles, batch = (self.each(self.waiting, batch) for batch in (False, True))
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


def _length(step: Step) -> int:
    """Return the instructions of all instances of a step, those of functions among them."""
    if isinstance(step, Zero):
        return count(step)
    body = sum(INLINED.get(i.op, 1) for i in step.body.instructions)
    added = 0 if isinstance(step, Map) else len(step.body.outputs)
    return count(step) * (body + added)


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
