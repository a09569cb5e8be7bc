"""What loads, stores and gathers cost on each machine, for loops over tables of indices.

Unit: core cycles between independent ones (reciprocal throughput). `insert` is an entry of a vector
that is put together from loads by number, with the load of the number; `gather` the same by the
gather instruction. `extract` is an entry of a vector that is stored by number.
"""

from dataclasses import dataclass
from typing import Final

from codegen.target import Target

__all__ = ["Memory", "memory_of"]


@dataclass(frozen=True, slots=True)
class Memory:
    """Cycles of reads and writes in the first-level cache."""

    cpus: tuple[str, ...]
    load: float
    store: float
    vector_load: float
    vector_store: float
    insert: float
    gather: float
    extract: float

    @property
    def gathers(self) -> bool:
        """Whether the gather instruction is the cheaper one."""
        return self.gather < self.insert


# fmt: off
_MACHINES: Final = (
    # measured on an EPYC of family 25, model 17
    Memory(("znver4",), load=0.5, store=1.0, vector_load=1, vector_store=2, insert=1.2, gather=1.5,
           extract=1.3),
)
_OTHERS: Final = Memory((), load=0.5, store=1.0, vector_load=0.5, vector_store=1, insert=1.2,
                        gather=1.5, extract=1.5)
# fmt: on


def memory_of(target: Target) -> Memory:
    """Return the costs of a target's CPU, or those of a common machine."""
    return next((row for row in _MACHINES if target.cpu in row.cpus), _OTHERS)
