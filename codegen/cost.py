"""`CycleCost`: what a program costs in CPU cycles an element on a target, read from its table.

The model adds the reciprocal throughputs of the distinct operations of a loop body. Left out:
overlap between ports, latency (the out-of-order core overlaps iterations of an elementwise loop),
loads and stores. `port_cycles` is the bound that overlapping ports cannot beat.
"""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from codegen.program import Program
from codegen.target import Float
from codegen.targets import TABLES
from codegen.targets.table import CostTable, Row
from rewrite import ops
from rewrite.constants import Constant, to_float
from rewrite.errors import TargetError

__all__ = ["CycleCost", "cycle_cost", "power_chain", "port_cycles"]

MOST_PRODUCTS: Final = 64
"""Integer powers up to this exponent are written as products."""


def power_chain(exponent: int) -> int:
    """Return the number of multiplications of x**exponent by squaring."""
    n = abs(exponent)
    return max(0, n.bit_length() - 1 + n.bit_count() - 1)


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
            raise TargetError(f"target {self.table.name} has no {self.dtype} {op!r}; it has: {known}")

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
        if value != int(value) if abs(value) < 1e15 else True:
            return self.cycles("sqrt") if value == 0.5 else self.cycles("pow")
        n = int(value)
        if abs(n) > MOST_PRODUCTS:
            return self.cycles("pow")
        return power_chain(n) * self.cycles("mul") + (self.cycles("div") if n < 0 else 0)


@cache
def cycle_cost(target: str, dtype: Float = "f64") -> CycleCost:
    """Return the model of a target by name, as `codegen.target` names it."""
    if target not in TABLES:
        raise TargetError(f"no cost table for target {target!r}; choices: {', '.join(TABLES)}")
    return CycleCost(TABLES[target], dtype)


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
