"""The form of a target's cost table: one row an instruction, with cycles and their source."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["CostTable", "Row", "rows"]


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
    """The rows of one machine at one vector width."""

    name: str
    machine: str
    source: str
    vector_bits: int
    rows: tuple[Row, ...]
    cpus: tuple[str, ...] = ()
    """LLVM's names of the CPUs that the table is for."""
    arch: str = "x86_64"
    """The first part of the triples that the table is for."""
    threads: int = 0
    """Threads of a warp, whose instructions the rows are; 0 where they are of vectors."""

    def lanes(self, dtype: str) -> int:
        """Return the numbers of one vector."""
        if self.threads:
            return self.threads
        return self.vector_bits // (64 if dtype == "f64" else 32)

    def index(self) -> Mapping[tuple[str, str], Row]:
        """Return the rows by (op, dtype)."""
        return MappingProxyType({(row.op, row.dtype): row for row in self.rows})


def rows(table: Mapping[str, tuple[str, float, float, float, float]]) -> tuple[Row, ...]:
    """Return the rows of {op: (port, latency f64, throughput f64, latency f32, throughput f32)}."""
    made = []
    for op, (port, slow, wide, quick, narrow) in table.items():
        made += [Row(op, "f64", port, slow, wide), Row(op, "f32", port, quick, narrow)]
    return tuple(made)
