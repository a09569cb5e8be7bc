"""What loops over tables of indices cost on each machine: loads, stores, vectors put together.

Unit: core cycles between independent ones (reciprocal throughput), of data in the first-level
cache. `insert` is an entry of a vector that is put together from loads by number, `extract` one
that is stored by number, each with the load of its number.

The gather instruction is left out. Measured on Zen 4 in loops c*u[i], it takes 1.3 cycles an entry
where inserts take 0.5 (float32: 1.2 and 0.55), since several numbers of entries are read as one
word; on others it was not measured.
"""

from dataclasses import dataclass
from typing import Final

from codegen.target import Target

__all__ = ["Memory", "memory_of"]


@dataclass(frozen=True, slots=True)
class Memory:
    """Cycles of reads and writes, and of a pass through a loop of one instance."""

    cpus: tuple[str, ...]
    load: float
    store: float
    operation: float
    """Of a scalar addition or product."""
    loop: float
    vector_load: float
    vector_store: float
    insert: float
    extract: float


# fmt: off
_MACHINES: Final = (
    # measured on an EPYC of family 25, model 17, in loops of 2,000 instances
    Memory(("znver4",), load=0.25, store=0.5, operation=0.35, loop=0.7,
           vector_load=1, vector_store=2, insert=0.5, extract=0.95),
)
# not measured: two loads and a store a cycle, all of full width, and Zen 4's for the rest
_OTHERS: Final = Memory((), load=0.35, store=0.5, operation=0.4, loop=0.7,
                        vector_load=0.5, vector_store=1, insert=1, extract=1.1)
# fmt: on


def memory_of(target: Target) -> Memory:
    """Return the costs of a target's CPU, or those of a common machine."""
    return next((row for row in _MACHINES if target.cpu in row.cpus), _OTHERS)
