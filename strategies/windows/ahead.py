"""Batches in order, the next ones under way while one is looked at."""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final

from rewrite.egraph import workers
from rewrite.egraph.job import Outcome, perform
from rewrite.progress import advance, stage
from strategies.windows.batch import Batch

__all__ = ["in_order"]

AHEAD: Final = 8
"""So many batches wait in an executor."""
PROCESSES: Final = 2
"""So many processes of our own saturate at once, and as many batches wait for them."""
LEAST_SECONDS: Final = 0.05


def in_order(
    batches: Iterator[Batch], executor: Executor | None, deadline: float, count: int
) -> Iterator[tuple[Batch, Outcome]]:
    """Saturate batches in an executor or a process of our own; yield each with its outcome.

    What is not asked for any more is cancelled.
    """
    waiting: deque[tuple[Batch, Any]] = deque()
    place = _Own(deadline) if executor is None else _Given(executor, deadline)
    stage("saturating", count, "e-graph")
    try:
        while True:
            while len(waiting) < place.ahead and (batch := next(batches, None)) is not None:
                waiting.append((batch, place.submit(batch)))
            if not waiting:
                return
            batch, pending = waiting.popleft()
            yield batch, pending.result()
            advance()
    finally:
        for _, pending in waiting:
            pending.cancel()
        place.close()


def _bounded(batch: Batch, deadline: float) -> Batch:
    left = max(LEAST_SECONDS, deadline - time.perf_counter())
    return replace(batch, limits=replace(batch.limits, seconds=left))


@dataclass(frozen=True)
class _Given:
    """An executor of the caller's."""

    executor: Executor
    deadline: float
    ahead: int = AHEAD

    def submit(self, batch: Batch) -> Any:
        return self.executor.submit(perform, _bounded(batch, self.deadline))

    def close(self) -> None:
        """Leave it to its owner."""


class _Own:
    """Processes of our own, each with a thread here that has its next job ready."""

    ahead = 2 * PROCESSES

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.threads = ThreadPoolExecutor(PROCESSES)
        self.running: list[workers.Pending] = []
        self.closed = False

    def submit(self, batch: Batch) -> Any:
        """Start a job as soon as a process is free."""
        return self.threads.submit(self._run, batch)

    def _run(self, batch: Batch) -> Outcome:
        pending = workers.submit(_bounded(batch, self.deadline))
        self.running.append(pending)
        if self.closed:  # in the meantime
            pending.cancel()
        found = pending.result()
        self.running.remove(pending)
        return found

    def close(self) -> None:
        """Drop what is under way."""
        self.closed = True
        self.threads.shutdown(wait=False, cancel_futures=True)
        for pending in list(self.running):
            pending.cancel()
