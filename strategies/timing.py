"""How long each rule takes: calls, firings and seconds, as a table."""

import time
from dataclasses import dataclass, field
from typing import Any

from rewrite.matching import apply_rule
from strategies.base import Rules, Strategy, strategy
from strategies.tracing import Watching, Wrapped, fire

__all__ = ["Clock", "Row", "Timed", "timed"]


@dataclass(slots=True)
class Row:
    """What is known of one rule, or of another leaf."""

    calls: int = 0
    firings: int = 0
    seconds: float = 0.0


class Clock(dict[str, Row]):
    """Rows by rule name; prints as a table, the slowest first.

    A call is one attempt to match: rules whose ops cannot fit are not tried.
    """

    def note(self, name: str, begin: float, made: Any) -> None:
        """Add one call that began then and has just ended."""
        seconds = time.perf_counter() - begin
        row = self.setdefault(name, Row())
        row.calls += 1
        row.firings += made is not None
        row.seconds += seconds

    def __repr__(self) -> str:
        """Write the table."""
        width = max(map(len, [*self, "rule"]))
        lines = [f"{'rule':{width}} {'calls':>9} {'firings':>9} {'seconds':>11}"]
        for name, row in sorted(self.items(), key=lambda item: (-item[1].seconds, item[0])):
            lines.append(f"{name:{width}} {row.calls:9} {row.firings:9} {row.seconds:11.6f}")
        return "\n".join(lines)


@dataclass(frozen=True, repr=False)
class Clocked(Wrapped):
    """A leaf whose calls are timed, a rule set rule by rule."""

    clock: Clock

    def fire(self, term: Any) -> tuple[str, Any] | None:
        if isinstance(self.leaf, Rules):
            for rule in self.leaf.candidates(term):
                begin = time.perf_counter()
                made = next(apply_rule(rule, term), None)
                self.clock.note(rule.name, begin, made)
                if made is not None:
                    return rule.name, made
            return None
        begin = time.perf_counter()
        fired = fire(self.leaf, term)
        self.clock.note(str(self.leaf), begin, fired)
        return fired


@dataclass(frozen=True, repr=False)
class Timed(Watching):
    """A strategy that keeps the time of each leaf inside."""

    clock: Clock = field(default_factory=Clock, compare=False)

    def wrap(self, leaf: Strategy) -> Strategy:
        return Clocked(leaf, self.clock)


def timed(body: Any) -> Timed:
    """Keep calls, firings and seconds by rule name, over all terms that the result is applied to.

    >>> def last(term):
    ...     return term[:-1] or None
    >>> clocked = timed(last)
    >>> clocked("abc"), clocked("x")
    ('ab', None)
    >>> row = clocked.clock["last"]
    >>> row.calls, row.firings, row.seconds > 0
    (2, 1, True)
    >>> print(str(clocked.clock).partition("\\n")[0])
    rule     calls   firings     seconds
    """
    return Timed(strategy(body))
