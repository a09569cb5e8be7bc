"""The loop of a saturation: passes over the steps of a plan, with the limits looked at between."""

import time
from collections.abc import Iterator
from typing import Final, Protocol

from rewrite.egraph.limits import IterationStats, Report, StopReason
from rewrite.egraph.plan import Loop, Step

__all__ = ["Engine", "Run"]


FULL: Final = 0.97
"""Schedulers hold rules back somewhat before the limit: another pass would search for nothing."""


class Engine(Protocol):
    """What runs commands and knows its size."""

    def perform(self, text: str) -> Iterator[tuple[bool, bool, dict[str, int]]]:
        """Run a command; yield of each run whether it is done, whether idle, and its matches."""

    def measure(self) -> tuple[int, bool]:
        """Count the e-nodes, and tell whether two facts exclude each other."""


class Run:
    """One saturation: passes over the steps of a plan, with the limits checked in between."""

    def __init__(
        self, engine: Engine, steps: tuple[Step, ...], report: Report, *, nodes: int,
        iterations: int, seconds: float,
    ) -> None:  # fmt: skip
        self.engine, self.steps, self.report = engine, steps, report
        self.nodes, self.iterations, self.seconds = nodes, iterations, seconds
        self.begin = time.perf_counter()

    def iterate(self) -> StopReason | None:
        """Run all steps once; return why to stop."""
        try:
            done, held = self._steps(self.steps)
        except _Ended as ended:
            return ended.reason
        return self._look(done, held)

    def _steps(self, steps: tuple[Step, ...]) -> tuple[bool, bool]:
        """Return whether nothing is left to do, and whether nothing was done."""
        done, held = True, True
        for step in steps:
            for finished, idle in self._loop(step) if isinstance(step, Loop) else [self._run(step)]:
                done, held = done and finished, held and idle
        return done, held

    def _loop(self, loop: Loop) -> Iterator[tuple[bool, bool]]:
        passes = range(self.iterations if loop.count is None else loop.count)
        for _ in passes:
            done, held = self._steps(loop.body)
            yield done, held
            reason = self._look(done, held)
            if reason is StopReason.SATURATED:
                return
            if reason is not None:
                raise _Ended(reason)

    def _run(self, text: str) -> tuple[bool, bool]:
        done, held, matches = True, True, self.report.matches
        for finished, idle, found in self.engine.perform(text):
            done, held = done and finished, held and idle
            for name, count in found.items():
                matches[name] = matches.get(name, 0) + count
        return done, held

    def _look(self, done: bool, held: bool) -> StopReason | None:
        """Note the size after a pass; return why to stop."""
        report, grown = self.report, self.report.nodes
        report.nodes, contradicts = self.engine.measure()
        seconds = time.perf_counter() - self.begin
        report.iterations.append(IterationStats(report.nodes, seconds))
        if contradicts:
            return StopReason.CONTRADICTION
        if done:
            return StopReason.SATURATED
        if report.nodes >= FULL * self.nodes or (held and grown == report.nodes):
            return StopReason.NODES  # the scheduler holds back all that is left
        return StopReason.TIME if seconds > self.seconds else None


class _Ended(Exception):
    """A limit was reached inside of a loop."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason)
        self.reason = reason
