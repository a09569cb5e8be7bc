"""Budgets of a saturation, why it stopped, and what it reports."""

from dataclasses import dataclass, field
from enum import Enum

__all__ = ["IterationStats", "Limits", "Report", "StopReason"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one saturation.

    Results depend on `nodes` and `iterations` only; `seconds` is a last resort, and reaching it
    is reported. `nodes` counts e-nodes; None means 60 for each input node, between 1,500 and
    20,000. `matches` bounds the matches a growing rule may add in one iteration before it is
    banned for a while.
    """

    iterations: int = 12
    nodes: int | None = None
    seconds: float = 5.0
    matches: int | None = None

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
    INTERRUPTED = "Ctrl-C"
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
