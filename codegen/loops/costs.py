"""What forms of a loop cost, in cycles of the target: enough to choose between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from codegen.cost import table_for
from codegen.loops.columns import Bound, Column, interleaved
from codegen.program import Program
from codegen.target import Float, Target
from codegen.targets.memory import Memory, memory_of
from codegen.targets.table import Row

__all__ = ["Costs"]

_CHEAP = ("add", "mul", "logic")
_SHUFFLED = 4
"""Strides up to which neighbouring vectors are read and shuffled."""
_SHUFFLE: Final = 1.0
"""Cycles to pick lanes of two vectors."""


@dataclass(frozen=True)
class Costs:
    """Cycles of loop forms on a target."""

    target: Target
    dtype: Float

    @property
    def lanes(self) -> int:
        """Return the numbers of one vector."""
        return self.target.lanes(self.dtype)

    @cached_property
    def memory(self) -> Memory:
        """The target's loads, stores and gathers."""
        return memory_of(self.target)

    @cached_property
    def _rows(self) -> dict[str, Row]:
        return {r.op: r for r in table_for(self.target).rows if r.dtype == self.dtype}

    def vector_ops(self, body: Program) -> float:
        """Return the cycles of a body for a vector."""
        return sum(self._rows[i.op].throughput for i in body.instructions if i.op in self._rows)

    def scalar_ops(self, body: Program) -> float:
        """Return the cycles of a body for one number; a function takes as long as for a vector."""
        total = 0.0
        for instruction in body.instructions:
            row = self._rows.get(instruction.op)
            if row is None:
                continue
            if row.port in _CHEAP and row.throughput <= 1:
                total += self.memory.operation
            elif row.port == "div":
                total += max(row.throughput * 2 / self.lanes, 4.0)
            else:
                total += row.throughput
        return total

    def each(self, body: Program, operands: int, batch: bool) -> float:
        """Return the cycles of one instance in straight-line code."""
        ops = self.vector_ops(body) if batch else self.scalar_ops(body)
        moved = self.memory.load * operands + self.memory.store * len(body.outputs)
        return ops + moved * (4 if batch else 1)

    def loop(self, body: Program, columns: Sequence[Bound], split: int, batch: bool) -> float:
        """Return the cycles of one instance in a loop over them."""
        memory = self.memory
        reads = sum(
            memory.load * (1 + (b.column.form == "table" and not b.column.is_number))
            for b in columns[:split]
            if b.column.form != "uniform"
        )
        writes = (len(columns) - split) * memory.store
        if batch:
            return self.vector_ops(body) + 4 * reads + 4 * writes
        return self.scalar_ops(body) + reads + writes + memory.loop

    def vectors(self, body: Program, columns: Sequence[Column], split: int) -> float:
        """Return the cycles of a vector of instances."""
        total = self.vector_ops(body)
        for group, plain, moved in (
            (columns[:split], self._read, self.memory.vector_load),
            (columns[split:], self._written, self.memory.vector_store),
        ):
            blocks = interleaved(group)
            inside = {at for block in blocks for at in block}
            total += sum(len(block) * (moved + _SHUFFLE * (len(block) - 1)) for block in blocks)
            total += sum(plain(column) for at, column in enumerate(group) if at not in inside)
        return total

    def _read(self, column: Column) -> float:
        memory = self.memory
        if column.form == "uniform":
            return 0.0
        if column.is_number or (column.form != "table" and column.stride == 1):
            return memory.vector_load
        if column.form != "table" and 0 < column.stride <= _SHUFFLED:
            return memory.vector_load * 2 * column.stride
        return memory.insert * self.lanes

    def _written(self, column: Column) -> float:
        memory = self.memory
        if column.form != "table" and column.stride == 1:
            return memory.vector_store
        return memory.extract * self.lanes
