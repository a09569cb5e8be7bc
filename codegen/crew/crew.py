"""`crew`: the native threads that kernels share, started when a call first has work for them.

They know nothing of Python and live as long as the process does, as do their code and memory. A
child of a fork has none of them, and starts its own.
"""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from llvmlite import ir

from codegen.crew.code import HELP, SHARE, emit_crew
from codegen.crew.layout import (
    CREW_LINE,
    MEMBER_BYTES,
    MEMBERS_AT,
    PROCESSORS,
    CrewData,
    Member,
)
from codegen.crew.spread import MOST_THREADS, SPREAD, emit_spread
from codegen.engine import Library, load_library, object_code
from codegen.guarded import address_of
from codegen.store.objects import kept_object
from codegen.target import Target, host

__all__ = ["Crew", "crew", "library"]

_PATIENCE: Final = 100_000
"""Nanoseconds for which a helper looks for work before it sleeps: twice what waking it takes."""
_EACH: Final = 1e7
"""Picoseconds of work for each thread, at least."""
_SHARED = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64
)
_START = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_FAULTS: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}


class Crew:
    """Helpers for calls that want so many threads, of which their own is one.

    There are no more of them than processors that this process may use.
    """

    def __init__(self, threads: int, processors: Sequence[int] | None = None) -> None:
        self.processors = _processors() if processors is None else processors
        self.helpers = min(threads, MOST_THREADS, len(self.processors)) - 1
        room = MEMBERS_AT + max(self.helpers, 1) * MEMBER_BYTES
        self._memory = ctypes.create_string_buffer(room + CREW_LINE)
        self.address = -(-ctypes.addressof(self._memory) // CREW_LINE) * CREW_LINE
        self.data = CrewData.from_address(self.address)
        self._start = _START(self._begin)
        self.reset()

    def reset(self) -> None:
        """Make it one that has not started: so it is at first, and after a fork."""
        ctypes.memset(self.address, 0, MEMBERS_AT + max(self.helpers, 1) * MEMBER_BYTES)
        data = self.data
        data.threads, data.patience = self.helpers + 1, _PATIENCE
        data.clock = getattr(time, "CLOCK_MONOTONIC", 1)
        data.helpers = 0 if self.helpers else -1
        data.start = ctypes.cast(self._start, ctypes.c_void_p).value or 0
        known = hasattr(ctypes.pythonapi, "PyThreadState_GetUnchecked")  # from Python 3.13 on
        name = "PyThreadState_GetUnchecked" if known else "_PyThreadState_UncheckedGet"
        data.thread_state = address_of(name)
        data.save_thread = address_of("PyEval_SaveThread")
        data.restore_thread = address_of("PyEval_RestoreThread")
        for number in self.processors:
            data.processors[number // 64] |= 1 << number % 64
        for number in range(self.helpers):
            place = self.address + MEMBERS_AT + number * MEMBER_BYTES
            member = Member.from_address(place)
            member.crew, member.number = self.address, number
            _c().pthread_mutex_init(ctypes.c_void_p(place + Member.mutex.offset), None)
            _c().pthread_cond_init(ctypes.c_void_p(place + Member.condition.offset), None)

    def share(self, function: int, context: int, work: float) -> None:
        """Call `function(context, number)` here and in helpers, for so many picoseconds of work.

        Each call has to take parts of the work until there are none.
        """
        run = _SHARED(library().address(SHARE))
        wanted = min(self.helpers, max(int(work / _EACH) - 1, 1))
        run(self.address, function, context, wanted, int(work / 1000))

    def _begin(self, _: int) -> None:
        """Start the helpers, which leave signals to Python's threads."""
        help_ = library().address(HELP)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _FAULTS)
        try:
            started = 0
            while started < self.helpers and self._started(help_, started):
                started += 1
            self.data.helpers = started or -1
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _started(self, function: int, number: int) -> bool:
        """Start a helper, if the system lets us."""
        place = self.address + MEMBERS_AT + number * MEMBER_BYTES
        known = ctypes.c_void_p(place + Member.thread.offset)
        given = ctypes.c_void_p(function), ctypes.c_void_p(place)
        return not _c().pthread_create(known, None, *given)


def _processors() -> Sequence[int]:
    """Return the processors that this thread may use."""
    if hasattr(os, "sched_getaffinity"):
        return [number for number in os.sched_getaffinity(0) if number < PROCESSORS]
    return range(min(os.cpu_count() or 1, PROCESSORS))


@cache
def _c() -> Any:
    return ctypes.CDLL(None)


_CREWS: Final[dict[int, Crew]] = {}
_LOCK: Final = threading.Lock()


def crew(threads: int) -> Crew:
    """Return the crew of all kernels that use so many threads."""
    with _LOCK:
        if threads not in _CREWS:
            _CREWS[threads] = Crew(threads)
        return _CREWS[threads]


@cache
def library() -> Library:
    """Compile the code of crews, once per process; it stays, as helpers may be anywhere in it."""
    made = load_library([kept_object(host(), lambda: (SHARE,), lambda: _code(host()))], host())
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(made))
    return made


def _code(target: Target) -> bytes:
    module = ir.Module(name=SPREAD)
    emit_spread(module, target, emit_crew(module, target))
    return object_code(str(module), target)


def _after_fork() -> None:
    """Forget helpers and locks of the parent."""
    global _LOCK
    _LOCK = threading.Lock()  # type: ignore[misc]
    for made in _CREWS.values():
        made.reset()


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_after_fork)
