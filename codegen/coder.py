"""A thread in which LLVM works while Python goes on: it holds no lock of the interpreter meanwhile.

LLVM is entered by one thread at a time in any case (llvmlite has a lock), so there is one thread.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, update_wrapper
from typing import Any, Final

__all__ = ["begin", "once"]

MOST: Final = 8
"""So many jobs wait at most: their texts are large."""
_LOCK: Final = threading.Lock()
_waiting: Final[deque[Future[Any]]] = deque()
"""In the order in which they are done."""


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="rewrite-llvm")


def begin[T](job: Callable[[], T]) -> Future[T]:
    """Have a job done after those begun before; jobs must not begin others.

    Waits where many are left to do. It is done at once where no thread can be had: at the end of
    the process there is none.
    """
    with _LOCK:
        while _waiting and _waiting[0].done():
            _waiting.popleft()
        if len(_waiting) >= MOST:
            _waiting.popleft().exception()
        try:
            pending = _thread().submit(job)
        except RuntimeError:
            return _done(job)
        _waiting.append(pending)
    return pending


class once[**P, T]:
    """Make what a function returns once in a process; who asks meanwhile waits for it."""

    def __init__(self, make: Callable[P, T]) -> None:
        update_wrapper(self, make)
        self._make, self._lock = make, threading.Lock()
        self._made: dict[tuple[Any, ...], T] = {}

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what these arguments stand for."""
        key = (*args, *sorted(kwargs.items()))
        if key not in self._made:
            with self._lock:
                if key not in self._made:
                    self._made[key] = self._make(*args, **kwargs)
        return self._made[key]

    def clear(self) -> None:
        """Forget what was made."""
        self._made.clear()


def _done[T](job: Callable[[], T]) -> Future[T]:
    made: Future[T] = Future()
    try:
        made.set_result(job())
    except BaseException as error:
        made.set_exception(error)
    return made


def _settle() -> None:
    """Let no fork copy what is half done: a child has neither the thread nor what it would free."""
    _LOCK.acquire()
    while _waiting:
        _waiting.popleft().exception()


def _alone() -> None:
    _thread.cache_clear()
    _LOCK.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_settle, after_in_parent=_LOCK.release, after_in_child=_alone)
