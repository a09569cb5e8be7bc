"""Budgets of a saturation, why it stopped, and what it reports."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from rewrite.display import Displayed
from rewrite.errors import ArgumentError
from rewrite.tables import Table, bars

__all__ = ["IterationStats", "Limits", "Report", "StopReason"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one saturation.

    Results depend on `nodes` and `iterations` only; `seconds` and `memory` are a last resort, and
    reaching them is reported. `nodes` counts e-nodes; None means 60 for each input node, between
    1,500 and 20,000. `seconds` of None means 5, and 30 ms for each input node where that is more.
    `matches` bounds the matches a growing rule may add in one iteration before it is banned for a
    while. `memory` is the most bytes that the process of a larger saturation may take.

    >>> Limits(nodes=100).node_limit(20), Limits().node_limit(200)
    (100, 12000)
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


_ACCIDENTS: Final = (
    StopReason.TIME, StopReason.MEMORY, StopReason.INTERRUPTED, StopReason.FAILED,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class IterationStats:
    """The size and time of the e-graph after one iteration."""

    nodes: int
    seconds: float


@dataclass(slots=True, repr=False)
class Report(Displayed):
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
    cut: bool = False
    """Whether an accident ended a part of the work, whatever the whole ended by."""

    @property
    def settled(self) -> bool:
        """Whether another try would find the same: no clock, no Ctrl-C, no killed process."""
        return not self.cut and self.stop not in _ACCIDENTS

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

    def __repr__(self) -> str:
        """Show the size and why it stopped."""
        size = f"{len(self.iterations)} iterations, {self.nodes} e-nodes in {self.classes} classes"
        return f"<Report: {size}; stopped by: {self.stop.value if self.stop else 'not run'}>"

    def table(self, source: int | None = None) -> Table:
        """Tell how the e-graph grew in each iteration, and how often each rule matched.

        `source` is the number of nodes that it began with, where that is known.

        >>> print(Report(StopReason.SATURATED, matches={"mul-comm": 2, "add-comm": 1}).table())
        stopped by: no rule adds anything
        rules
          rule      matches
          mul-comm        2  ████████████████████
          add-comm        1  ██████████
        """
        rows: list[tuple[object, ...]] = [] if source is None else [(0, source, 0, 0.0)]
        last, spent = source or 0, 0.0
        for at, step in enumerate(self.iterations, 1):
            rows.append((at, step.nodes, step.nodes - last, 1e3 * (step.seconds - spent)))
            last, spent = step.nodes, step.seconds
        ranked = sorted(self.matches.items(), key=lambda pair: (-pair[1], pair[0]))
        stop = f"stopped by: {self.stop.value if self.stop else 'not run'}"
        growth = bars("growth", rows, what=("iteration", "e-nodes", "more", "ms"), at=1)
        matched = bars("rules", ranked, what=("rule", "matches"))
        both = (growth, matched)
        return Table((stop, *self.notes), tuple(some for some in both if some.rows))

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()
