"""`CycleCost`: what a program costs in CPU cycles an element on a target, read from its table.

The model adds the reciprocal throughputs of the distinct operations of a loop body. Left out:
overlap between ports, latency (the out-of-order core overlaps iterations of an elementwise loop),
loads and stores. `port_cycles` is the bound that overlapping ports cannot beat.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from codegen.program import Program
from codegen.target import Float, Target
from codegen.targets import TABLES
from codegen.targets.table import CostTable, Row
from rewrite import ops
from rewrite.constants import Constant, to_float
from rewrite.errors import TargetError

__all__ = ["CycleCost", "cycle_cost", "port_cycles", "power_operations",
           "table_for"]  # fmt: skip

MOST_PRODUCTS: Final = 64
"""Integer powers up to this exponent are written as products."""
PLAIN_POWERS: Final = 3
"""Up to this exponent rounding errors do not add up to more than an elementary function's."""


def power_operations(exponent: int) -> int:
    """Return how many products, sums and selections `codegen.lower` writes x**exponent as."""
    n = abs(exponent)
    if n <= (PLAIN_POWERS if exponent > 0 else PLAIN_POWERS - 1):
        return max(0, n - 1)
    squarings, products = n.bit_length() - 1, n.bit_count() - 1
    return 4 * squarings + 3 * products - 2 + 3


@dataclass(frozen=True)
class CycleCost:
    """Cycles an element on a target, as a `CostModel`."""

    table: CostTable
    dtype: Float = "f64"
    unit: str = "cycles/element"
    sharing: bool = True

    @property
    def name(self) -> str:
        """The table and the float type."""
        return f"{self.table.name}/{self.dtype}"

    @cached_property
    def _cycles(self) -> dict[str, float]:
        lanes = self.table.lanes(self.dtype)
        return {r.op: r.throughput / lanes for r in self.table.rows if r.dtype == self.dtype}

    def cycles(self, op: str) -> float:
        """Return the cycles an element of one op."""
        try:
            return self._cycles[op]
        except KeyError:
            known = ", ".join(sorted(self._cycles))
            raise TargetError(
                f"target {self.table.name} has no {self.dtype} {op!r}; it has: {known}"
            ) from None

    def price(self, op: ops.Op, constants: tuple[Constant | None, ...]) -> float:
        """Price an op; integer powers are products, division by a power of two is one too."""
        if op is ops.POW and constants[1] is not None:
            return self._power(constants[1])
        if op is ops.DIV and constants[1] is not None:
            mantissa = to_float(constants[1]).hex().partition("p")[0].lstrip("-")
            if mantissa == "0x1.0000000000000":
                return self.cycles("mul")
        return self.cycles(op.name)

    def _power(self, exponent: Constant) -> float:
        value = to_float(exponent)
        if abs(value) > MOST_PRODUCTS or value != int(value):
            return self.cycles("pow")
        n = int(value)
        return power_operations(n) * self.cycles("mul") + (self.cycles("div") if n < 0 else 0)


def table_for(target: Target) -> CostTable:
    """Return the cost table of a target's CPU, or else of its vector width."""
    known = [t for t in TABLES.values() if t.vector_bits == target.vector_bits]
    for table in known:
        if target.cpu in table.cpus:
            return table
    return known[0]


def cycle_cost(table: str, dtype: Float = "f64") -> CycleCost:
    """Return the model of a cost table by name."""
    if table not in TABLES:
        raise TargetError(f"there is no cost table {table!r}; choices: {', '.join(TABLES)}")
    return CycleCost(TABLES[table], dtype)


def port_cycles(program: Program, table: CostTable, dtype: Float = "f64") -> float:
    """Return the cycles an element that the busiest port needs for a program's loop body."""
    index = table.index()
    busy: dict[str, float] = {}
    for instruction in program.instructions:
        row = index.get((instruction.op, dtype))
        if row is not None:
            _occupy(busy, row)
    return max(busy.values(), default=0.0) / table.lanes(dtype)


def _occupy(busy: dict[str, float], row: Row) -> None:
    busy[row.port] = busy.get(row.port, 0.0) + row.throughput
