"""Progress of what takes longer than a second: one bar for the outermost work of a thread.

Work says which stage it is at, and of how many steps; until a second has passed that costs next to
nothing, and tqdm is not loaded.
"""

import functools
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, Final, cast

from rewrite.options import in_force

__all__ = ["advance", "each", "followed", "shown", "stage"]

DELAY: Final = 1.0
"""Seconds after which a bar is shown."""


class _Bar:
    """What is being done, and the bar once there is one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.what, self.unit, self.done = "working", "step", 0
        self.total: int | None = None
        self.ended = False
        self.shown: Any = None
        self.timer = threading.Timer(DELAY, self.show)
        self.timer.daemon = True
        self.timer.start()

    def show(self) -> None:
        """Begin to draw."""
        from tqdm.auto import tqdm

        with self.lock:
            if self.ended:
                return
            self.shown = tqdm(
                desc=self.what, unit=self.unit, total=self.total, initial=self.done, leave=False,
                disable=False,
            )  # fmt: skip

    def stage(self, what: str, total: int | None, unit: str) -> None:
        """Begin another stage."""
        with self.lock:
            self.what, self.total, self.unit, self.done = what, total, unit, 0
            if self.shown is not None:
                self.shown.unit = unit
                self.shown.reset(total)
                self.shown.total = total
                self.shown.set_description_str(what)

    def advance(self, count: int) -> None:
        """Note that steps are done."""
        with self.lock:
            self.done += count
            if self.shown is not None:
                self.shown.update(count)

    def end(self) -> None:
        """Take the bar away."""
        self.timer.cancel()
        with self.lock:
            self.ended = True
            if self.shown is not None:
                self.shown.close()


class _Local(threading.local):
    bar: _Bar | None = None
    inside = False


_LOCAL: Final = _Local()


@contextmanager
def shown(progress: bool | None) -> Iterator[None]:
    """Show the progress of what is done inside, as a bar of the outermost of such blocks.

    None is as the option `progress` says and, if that says nothing, at a terminal and in notebooks.
    """
    if _LOCAL.inside:
        yield
        return
    asked = in_force()["progress"] if progress is None else progress
    _LOCAL.inside = True
    _LOCAL.bar = bar = _Bar() if (_is_seen() if asked is None else asked) else None
    try:
        yield
    finally:
        _LOCAL.inside, _LOCAL.bar = False, None
        if bar is not None:
            bar.end()


def followed[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Show the progress of a function as its keyword `progress` says."""

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        with shown(cast("bool | None", kwargs.get("progress"))):
            return function(*args, **kwargs)

    return called


def _is_seen() -> bool:
    """Tell whether somebody looks: a terminal, or a notebook, whose streams are none."""
    notebook = sys.modules.get("ipykernel.zmqshell")
    if notebook is not None and notebook.ZMQInteractiveShell.initialized():
        return True
    return sys.stderr is not None and sys.stderr.isatty()


def stage(what: str, total: int | None = None, unit: str = "step") -> None:
    """Say what is done from here on, and in how many steps."""
    if _LOCAL.bar is not None:
        _LOCAL.bar.stage(what, total, unit)


def advance(count: int = 1) -> None:
    """Say that steps of the stage are done."""
    if _LOCAL.bar is not None:
        _LOCAL.bar.advance(count)


def each[T](items: Iterable[T], what: str, unit: str, total: int | None = None) -> Iterator[T]:
    """Go through items, each of which is a step of a stage."""
    if total is None and isinstance(items, Sized):
        total = len(items)
    stage(what, total, unit)
    for item in items:
        yield item
        advance()
