"""Budgets of a saturation, why it stopped, and what it reports."""

from dataclasses import dataclass, field
from enum import Enum

from rewrite.errors import ArgumentError

__all__ = ["IterationStats", "Limits", "Report", "StopReason"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one saturation.

    Results depend on `nodes` and `iterations` only; `seconds` and `memory` are a last resort, and
    reaching them is reported. `nodes` counts e-nodes; None means 60 for each input node, between
    1,500 and 20,000. `seconds` of None means 5, and 30 ms for each input node where that is more.
    `matches` bounds the matches a growing rule may add in one iteration before it is banned for a
    while. `memory` is the most bytes that the process of a larger saturation may take.
    """

    iterations: int = 12
    nodes: int | None = None
    seconds: float | None = None
    matches: int | None = None
    memory: int = 2 << 30

    def __post_init__(self) -> None:
        """Refuse what bounds nothing."""
        for name in ("iterations", "nodes", "seconds", "matches", "memory"):
            value = getattr(self, name)
            if value is None and name not in ("iterations", "memory"):
                continue
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
                raise ArgumentError(f"Limits({name}={value!r}): give a number that is not negative")

    def time_limit(self, inputs: int) -> float:
        """Return the seconds for an input of so many nodes."""
        return self.seconds if self.seconds is not None else max(5.0, 3e-2 * inputs)

    def node_limit(self, inputs: int) -> int:
        """Return the bound on e-nodes for an input of so many nodes."""
        if self.nodes is not None:
            return self.nodes
        return max(1500, min(20_000, 60 * inputs))

    def match_limit(self, inputs: int) -> int:
        """Return the bound on matches of one rule in one iteration."""
        return self.matches if self.matches is not None else max(250, self.node_limit(inputs) // 10)


class StopReason(Enum):
    """Why a saturation ended."""

    SATURATED = "no rule adds anything"
    ITERATIONS = "the limit of iterations"
    NODES = "the limit of e-nodes"
    TIME = "the limit of time"
    MEMORY = "the limit of memory"
    INTERRUPTED = "Ctrl-C"
    FAILED = "a failure of the engine"
    GOAL = "the goal was reached"
    CONTRADICTION = "two facts that exclude each other"


@dataclass(frozen=True, slots=True)
class IterationStats:
    """The size and time of the e-graph after one iteration."""

    nodes: int
    seconds: float


@dataclass(slots=True)
class Report:
    """What a saturation did: counts by our rule names, sizes, time in seconds, why it stopped."""

    stop: StopReason | None = None
    nodes: int = 0
    classes: int = 0
    seconds: float = 0.0
    matches: dict[str, int] = field(default_factory=dict)
    iterations: list[IterationStats] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    divided: bool = False
    """Whether a division by exactly zero is what contradicts itself."""

    def __str__(self) -> str:
        """Write the sizes and the rules that matched, most first."""
        reason = self.stop.value if self.stop else "not run"
        lines = [
            f"stopped: {reason} after {len(self.iterations)} iterations, {self.nodes} e-nodes in "
            f"{self.classes} classes",
            *self.notes,
        ]
        ranked = sorted(self.matches.items(), key=lambda pair: (-pair[1], pair[0]))
        lines += [f"  {name:32} {count}" for name, count in ranked]
        return "\n".join(lines)
