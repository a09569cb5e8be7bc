"""Saturations in a process of their own, which can be stopped and whose memory is bounded.

What an e-graph will grow to cannot be told beforehand, and the engine can neither be interrupted
nor bounded from inside: it once took 17 GB for 100 nodes. So larger jobs go to a warm process. If
that one takes too long or too much, it is killed, and what it had found before is the result.

It is a plain subprocess: `multiprocessing` would import the user's script again, and forking a
process with threads may hang.
"""

import atexit
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rewrite.egraph.job import Order, Outcome, perform
from rewrite.egraph.limits import Report, StopReason
from rewrite.egraph.worker import OFTEN, PREPARED, receive, send

__all__ = ["Pending", "prepare", "saturate", "submit"]

SMALL_INPUT: Final = 32
"""Programs of up to so many nodes are saturated here,"""
SMALL_GRAPH: Final = 2500
"""if their e-graph is bounded by so many e-nodes."""
GRACE: Final = 0.4
"""So many seconds beyond its limit a job may take to come to its next look at the clock."""
MOST_AGAIN: Final = 5000
"""Programs of more nodes are not loaded here if that alone ended the process."""
IDLE: Final = 2
"""So many processes are kept for the next jobs."""
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from rewrite.egraph.worker import main; main()"
)


def _absolute(path: str) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the working folder was deleted
        return path


class _Process:
    """A running worker and the thread that reads what it sends."""

    def __init__(self) -> None:
        paths = json.dumps([_absolute(path) for path in sys.path if isinstance(path, str)])
        threads = {"OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.popen = subprocess.Popen(
            [sys.executable, "-c", _START, paths],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **threads},
            start_new_session=True,  # Ctrl-C at a terminal is for this process alone
        )  # fmt: skip
        self.messages: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.prepared = threading.Event()
        """Whether what it was to do at once is done, or it has ended."""
        self.owner = os.getpid()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        try:
            while True:
                message = receive(self.popen.stdout)
                if message == PREPARED:
                    self.prepared.set()
                else:
                    self.messages.put(message)
        except Exception:  # the end, also in the middle of a message
            self.messages.put(("ended", None))
            self.prepared.set()

    def start(self, job: Order | Callable[[], object]) -> None:
        assert self.popen.stdin is not None
        send(self.popen.stdin, job)

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait()
        if sys.is_finalizing():  # threads stand still then, also the one that reads
            return
        self.reader.join(1.0)
        if self.reader.is_alive():
            return
        for pipe in (self.popen.stdin, self.popen.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def drop(self) -> None:
        """Forget it: it has ended, or is that of the process which this one was forked from."""
        if self.owner == os.getpid():
            self.kill()

    @property
    def usable(self) -> bool:
        return self.owner == os.getpid() and self.popen.poll() is None


_idle: Final[list[_Process]] = []
_lock: Final = threading.Lock()


def _take() -> _Process:
    with _lock:
        while _idle:
            process = _idle.pop()
            if process.usable:
                return process
            process.drop()
    return _Process()


def _give_back(process: _Process) -> None:
    with _lock:
        if len(_idle) < IDLE and process.usable:
            _idle.append(process)
            return
    process.kill()


@atexit.register
def _end() -> None:
    with _lock:
        for process in _idle:
            process.drop()
        _idle.clear()


@dataclass(eq=False)
class Pending:
    """A job that is under way."""

    job: Order
    begin: float
    _process: _Process
    _so_far: Outcome | None = None
    _iterations: int = 0
    _matches: dict[str, int] = field(default_factory=dict)
    _dropped: bool = False

    def result(self) -> Outcome:
        """Wait for the outcome; on Ctrl-C or at a limit it is what was found before."""
        limit = self.job.limits.time_limit(self.job.size)
        try:
            while True:
                left = self.begin + limit + GRACE - time.perf_counter()
                try:
                    kind, *rest = self._process.messages.get(timeout=max(0.0, left))
                except queue.Empty:
                    return self._stopped(StopReason.TIME)
                if kind == "iterations":
                    self._iterations, self._matches = rest
                elif kind == "so far":
                    (self._so_far,) = rest
                elif kind == "done":
                    _give_back(self._process)
                    return rest[0]  # type: ignore[no-any-return]
                elif kind == "error":
                    _give_back(self._process)
                    raise rest[0]
                else:
                    return self._stopped(self._cause(kind))
        except KeyboardInterrupt:
            return self._stopped(StopReason.INTERRUPTED)

    def _cause(self, kind: str) -> StopReason:
        """Tell why a process ended: what cannot allocate aborts, or is killed."""
        if kind == "memory":
            return StopReason.MEMORY
        ended = self._process.popen.wait()
        return StopReason.MEMORY if ended in (-signal.SIGABRT, -9) else StopReason.FAILED

    def cancel(self) -> None:
        """Drop the job; who waits for it gets an outcome without a result."""
        self._dropped = True
        self._process.kill()

    def _stopped(self, reason: StopReason) -> Outcome:
        """Kill the process and return what it had found, or do again here what it had done."""
        self._process.kill()
        found = self._so_far
        if self._dropped or (reason is StopReason.INTERRUPTED and self.job.after is not None):
            return Outcome(None, [], Report(stop=StopReason.INTERRUPTED))
        if found is None and not self._iterations and self.job.size > MOST_AGAIN:
            found = Outcome(None, [], Report())
        elif found is None:
            # it was over so quickly that nothing was sent: so it is again
            short = replace(self.job.limits, iterations=self._iterations, seconds=OFTEN)
            found = perform(replace(self.job, limits=short, after=None))
        report = found.report
        report.cut = True
        if report.stop is not StopReason.CONTRADICTION:
            report.stop = reason
        report.seconds = time.perf_counter() - self.begin
        report.notes.append(self._note(reason, len(report.iterations)))
        return found

    def _note(self, reason: StopReason, kept: int) -> str:
        """Say what happened, and which rules matched most."""
        most = sorted(self._matches.items(), key=lambda row: (-row[1], row[0]))[:3]
        names = ", ".join(f"{name} ({count})" for name, count in most)
        grew = f"; most matches had {names}" if names else ""
        limit = {
            StopReason.TIME: f"{self.job.limits.time_limit(self.job.size):g} s",
            StopReason.MEMORY: f"{self.job.limits.memory / 1e9:.1f} GB",
        }.get(reason)
        cause = reason.value if limit is None else f"{reason.value} ({limit})"
        return (
            f"stopped in iteration {self._iterations + 1} by {cause}; the result is from the "
            f"first {kept}{grew}"
        )


def prepare(first: Callable[[], object]) -> None:
    """Start the processes that are kept, if there are none; each does something at once.

    One comes after the other: as they load they would take the processors from who calls.
    """
    with _lock:
        ready = bool(_idle)
    if not ready and sys.executable:
        process = _prepared(first)
        threading.Thread(target=_others, args=(process, first), daemon=True).start()


def _prepared(first: Callable[[], object]) -> _Process:
    process = _Process()
    process.start(first)
    _give_back(process)
    return process


def _others(process: _Process, first: Callable[[], object]) -> None:
    """Start the others, unless a job came that needed a process before."""
    for _ in range(IDLE - 1):
        process.prepared.wait()
        with _lock:
            wanted = process in _idle
        if not wanted:
            return
        with suppress(OSError, RuntimeError):  # it died, or this process ends
            process = _prepared(first)


def submit(job: Order) -> Pending:
    """Start a job in a warm process."""
    process = _take()
    begin = time.perf_counter()
    try:
        process.start(job)
    except OSError:  # it died while idle
        process.kill()
        process = _Process()
        process.start(job)
    return Pending(job, begin, process)


def _small(job: Order) -> bool:
    """Tell whether nothing can get out of hand before the next look at the limits."""
    inputs = job.size
    return inputs <= SMALL_INPUT and job.limits.node_limit(inputs) <= SMALL_GRAPH


def saturate(job: Order) -> Outcome:
    """Do a job: here if it is small, else in a warm process."""
    if _small(job) or not sys.executable:
        return perform(job)
    return submit(job).result()
