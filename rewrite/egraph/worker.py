"""The process that saturates for another one: it takes jobs and sends what comes out of them.

Messages are pickles behind their length. It is started by `rewrite.egraph.workers`, whose death it
notices: the end of its input ends it, whatever it is doing.
"""

import gc
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Any, BinaryIO

from rewrite.egraph.job import Order, Outcome, perform
from rewrite.egraph.limits import Report

__all__ = ["OFTEN", "PREPARED", "main", "receive", "send"]

OFTEN = 0.2
"""Seconds after which what was found so far is sent again,"""
RARELY = 0.1
"""or this part of its time where something is made of the e-graph: sending it takes long."""
PREPARED = ("prepared", None)
"""The answer where something was only to be called."""
_LENGTH = struct.Struct("<Q")


def send(stream: IO[bytes], message: Any) -> None:
    """Write one message."""
    data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: IO[bytes]) -> Any:
    """Read one message; raise `EOFError` at the end."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    data = stream.read(_LENGTH.unpack(head)[0])
    return pickle.loads(data)


def _bound_memory(size: int) -> None:
    """Let allocations beyond so many bytes fail, where the system knows such a limit."""
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _listen(source: BinaryIO, jobs: "queue.SimpleQueue[Order | Callable[[], object]]") -> None:
    try:
        while True:
            jobs.put(receive(source))
    except (EOFError, OSError):
        os._exit(0)


def _answer(job: Order, reply: Callable[[Any], None]) -> Any:
    """Do a job; what it has found is sent now and then."""
    sent, often = time.perf_counter(), OFTEN
    if job.after is not None:
        often = max(OFTEN, RARELY * job.limits.time_limit(job.size))

    def watch(outcome: Callable[[], Outcome], report: Report) -> None:
        nonlocal sent
        reply(("iterations", len(report.iterations), dict(report.matches)))
        if time.perf_counter() - sent > often and report.stop is None:
            reply(("so far", outcome()))
            sent = time.perf_counter()

    try:
        return "done", perform(job, watch)
    except MemoryError:
        return "memory", None
    except Exception as error:
        try:
            pickle.dumps(error)
        except Exception:
            error = RuntimeError(repr(error))
        return "error", error


def main() -> None:
    """Take jobs, and what is to be called before there are any, from the standard input."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not come between the messages
    jobs: queue.SimpleQueue[Order | Callable[[], object]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, jobs), daemon=True).start()
    gc.disable()  # millions of objects come and go in a job, and hardly a circle among them
    while True:
        job = jobs.get()
        if not isinstance(job, Order):
            job()
            send(sink, PREPARED)
            continue
        _bound_memory(job.limits.memory)
        kind, value = _answer(job, lambda message: send(sink, message))
        try:
            send(sink, (kind, value))
        except MemoryError:
            send(sink, ("memory", None))
        del job, value
        gc.collect()
        gc.freeze()  # what is left stays: it need not be looked at again
