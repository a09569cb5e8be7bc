"""The form of a core's description: what instructions of a kind keep busy, and what overlaps."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from rewrite.errors import TargetError

__all__ = ["Core", "Effect", "Level", "effects"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one instruction of a kind needs of a core."""

    latency: float
    """Cycles from its operands to its result."""
    ports: str
    """The units that can do it, a letter each; none for what the front end does alone."""
    cycles: int = 1
    """How long each part keeps its unit busy."""
    parts: int = 1
    """Micro-operations for these units; each takes a slot of the front end."""
    beside: str = ""
    """Units that it keeps busy too, such as the pipe of a divider."""
    beside_cycles: int = 0


@dataclass(frozen=True, slots=True)
class Level:
    """A level of the memory: its size, and cycles a line of 64 bytes."""

    size: int
    read: float
    write: float
    """Of a line that is written: it is read first, and goes back later."""


@dataclass(frozen=True)
class Core:
    """One core: what it starts a cycle, how far it looks ahead, and its units by vector width."""

    name: str
    source: str
    cpus: tuple[str, ...]
    """LLVM's names of the CPUs that have it."""
    width: int
    """Slots of the front end a cycle."""
    window: int
    """Instructions between the oldest one not done and the youngest one begun."""
    registers: int
    """Vector results among those."""
    waiting: int
    """Vector instructions that wait for operands where units can see them."""
    queue: int
    """Those that wait in order for a place there, without keeping others out."""
    kinds: Mapping[int, Mapping[str, Effect]]
    """By vector bits and kind; general-purpose kinds are those of 64 bits."""
    levels: tuple[Level, ...]
    """From the first-level cache to memory, whose size is without bound."""
    slack: float = 1.08
    """How much longer than their units need blocks of mixed instructions take.

    Measured on Zen 4: 8 to 12 chains of two kinds side by side, whose units overlap (1.2 to 1.3) or
    not (1.0 to 1.1).
    """
    entry: float = 650.0
    """A call of a kernel beside its loop: NumPy's part, and caches that the arrays emptied.

    Measured on Zen 4, with 4,096 elements.
    """

    @cached_property
    def ports(self) -> tuple[str, ...]:
        """The units' letters."""
        return tuple(sorted({p for kinds in self.kinds.values() for e in kinds.values()
                             for p in e.ports}))  # fmt: skip

    def effect(self, kind: str, bits: int) -> Effect:
        """Return what an instruction of a kind and vector width needs.

        Masks have no width of their own: they are those of the widest vectors.
        """
        for width in (bits, 64, max(self.kinds)):
            if kind in self.kinds.get(width, {}):
                return self.kinds[width][kind]
        raise TargetError(f"the core {self.name} has no {bits}-bit instruction {kind!r}")


def effects(table: Mapping[str, tuple[object, ...]]) -> dict[str, Effect]:
    """Return {kind: Effect} of {kind: (latency, ports, and what else `Effect` has)}."""
    return {kind: Effect(*row) for kind, row in table.items()}  # type: ignore[arg-type]
