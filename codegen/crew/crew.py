"""`crew`: the native threads that kernels share, started when a call first has work for them.

They know nothing of Python and live as long as the process does, as do their code and memory. A
child of a fork has none of them, and starts its own.
"""

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from llvmlite import ir

from codegen.capi import address_of
from codegen.crew.code import BEGIN, END, SHARE, emit_crew
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
from codegen.store.objects import kept_object
from codegen.target import Target, host

__all__ = ["Crew", "crew", "library"]

_PATIENCE: Final = 100_000
"""Nanoseconds for which a helper looks for work before it sleeps: twice what waking it takes."""
_EACH: Final = 1e7
"""Picoseconds of work for each thread, at least."""
_FAULTS: Final = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}


_ALL: "Final[list[Crew]]" = []
"""All crews: their helpers read their memory for as long as the process lives."""


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
        self.reset()
        _ALL.append(self)

    def reset(self) -> None:
        """Make it one that has not started: so it is at first, and after a fork."""
        ctypes.memset(self.address, 0, MEMBERS_AT + max(self.helpers, 1) * MEMBER_BYTES)
        data = self.data
        data.threads, data.patience = self.helpers + 1, _PATIENCE
        data.clock = getattr(time, "CLOCK_MONOTONIC", 1)
        data.helpers = 0 if self.helpers else -1
        data.set_mask = int(signal.SIG_SETMASK)
        for kind in signal.valid_signals() - _FAULTS:
            data.signals[(kind - 1) // 64] |= _word(kind - 1)
        known = hasattr(ctypes.pythonapi, "PyThreadState_GetUnchecked")  # from Python 3.13 on
        name = "PyThreadState_GetUnchecked" if known else "_PyThreadState_UncheckedGet"
        data.thread_state = address_of(name)
        data.save_thread = address_of("PyEval_SaveThread")
        data.restore_thread = address_of("PyEval_RestoreThread")
        for number in self.processors:
            data.processors[number // 64] |= _word(number)
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
        given = self.address, function, context, self._wanted(work), int(work / 1000)
        _calls().share(*given)

    def share_in_python(self, function: int, work: float, own: Callable[[], None]) -> None:
        """Call `own()` here, and `function(0, number)` in helpers meanwhile; see `share`.

        A signal's exception comes out of `own`, and helpers that have begun are waited for.
        """
        opened = ctypes.c_int64(0)
        given = self.address, function, 0, self._wanted(work), int(work / 1000)
        try:
            _calls().begin(*given, ctypes.byref(opened))
            own()
        finally:
            if opened.value:
                _calls().end(self.address)

    def _wanted(self, work: float) -> int:
        return min(self.helpers, max(int(work / _EACH) - 1, 1))


@dataclass(frozen=True)
class _Calls:
    """The code of crews as Python calls it, without Python's lock."""

    share: Any
    begin: Any
    end: Any


@cache
def _calls() -> _Calls:
    made, pointer, number = library(), ctypes.c_void_p, ctypes.c_int64
    job: list[Any] = [pointer, pointer, pointer, number, number]
    kinds: dict[str, list[Any]] = {"share": job, "begin": [*job, pointer], "end": [pointer]}
    names = {"share": SHARE, "begin": BEGIN, "end": END}
    return _Calls(**{x: ctypes.CFUNCTYPE(None, *kinds[x])(made.address(names[x])) for x in kinds})


def _word(bit: int) -> int:
    """Return a signed word that has one bit, by its number among all words."""
    value = 1 << bit % 64
    return value - (1 << 64) if value >> 63 else value


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
    for made in _ALL:
        made.reset()


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_after_fork)
