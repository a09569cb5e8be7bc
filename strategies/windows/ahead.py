"""Batches in order, the next ones under way while one is looked at."""

import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, Final

from rewrite.egraph import workers
from rewrite.egraph.job import Outcome, perform
from strategies.windows.batch import Batch

__all__ = ["in_order"]

AHEAD: Final = 8
"""So many batches wait in an executor, one where there is none."""
LEAST_SECONDS: Final = 0.05
DELAY: Final = 1.0
"""Seconds after which progress is shown."""


def in_order(
    batches: Iterator[Batch], executor: Executor | None, deadline: float, progress: bool | None,
    count: int,
) -> Iterator[tuple[Batch, Outcome]]:  # fmt: skip
    """Saturate batches in an executor or a process of our own; yield each with its outcome.

    What is not asked for any more is cancelled. `progress` of None shows it at a terminal.
    """
    waiting: deque[tuple[Batch, Any]] = deque()
    ahead = 1 if executor is None else AHEAD
    bar = _bar(count, progress)
    try:
        while True:
            while len(waiting) <= ahead and (batch := next(batches, None)) is not None:
                waiting.append((batch, _submit(batch, executor, deadline)))
            if not waiting:
                return
            batch, pending = waiting.popleft()
            yield batch, pending.result()
            bar.update()
    finally:
        bar.close()
        for _, pending in waiting:
            pending.cancel()


def _submit(batch: Batch, executor: Executor | None, deadline: float) -> Any:
    left = max(LEAST_SECONDS, deadline - time.perf_counter())
    job = replace(batch.job, limits=replace(batch.job.limits, seconds=left))
    return workers.submit(job) if executor is None else executor.submit(perform, job)


def _bar(count: int, progress: bool | None) -> Any:
    from tqdm.auto import tqdm

    disable = None if progress is None else not progress
    disable = True if sys.stderr is None else disable  # as in programs without a console
    return tqdm(
        total=count, desc="saturating", unit="e-graph", delay=DELAY, leave=False, disable=disable
    )
