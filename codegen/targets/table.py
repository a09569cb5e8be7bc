"""The form of a target's cost table: one row an instruction, with cycles and their source."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["CostTable", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One vector instruction or inlined elementary function.

    `latency` and `throughput` are core cycles for one whole vector; `throughput` is reciprocal: the
    cycles until the next independent one can start. `port` names the unit it keeps busy.
    """

    op: str
    dtype: str
    port: str
    latency: float
    throughput: float


@dataclass(frozen=True)
class CostTable:
    """The rows of one machine; `gigahertz` is the clock that cycles are converted with."""

    name: str
    machine: str
    source: str
    vector_bits: int
    gigahertz: float
    rows: tuple[Row, ...]

    def lanes(self, dtype: str) -> int:
        """Return the numbers of one vector."""
        return self.vector_bits // (64 if dtype == "f64" else 32)

    def index(self) -> Mapping[tuple[str, str], Row]:
        """Return the rows by (op, dtype)."""
        return MappingProxyType({(row.op, row.dtype): row for row in self.rows})
