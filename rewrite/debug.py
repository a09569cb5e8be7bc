"""One switch for seeing the stages: `REWRITE_DEBUG=term,egraph,...` or `with rw.show("llvm"):`.

What is shown goes to stderr under a fixed header; a stage that is hidden costs nothing, since it
hands over a function that renders.
"""

import contextlib
import contextvars
import os
import sys
from collections.abc import Callable, Iterator
from typing import Final

from rewrite.errors import UnsupportedOp

__all__ = ["STAGES", "emit", "show"]

STAGES: Final = ("term", "egraph", "extract", "program", "llvm", "asm", "ptx")

_SHOWN: contextvars.ContextVar[frozenset[str]] = contextvars.ContextVar("rewrite_show")


def _selected(names: list[str], source: str) -> frozenset[str]:
    if "all" in names:
        return frozenset(STAGES)
    for name in names:
        if name not in STAGES:
            raise UnsupportedOp(f"{source}: no stage {name!r}; stages: {', '.join(STAGES)}, all")
    return frozenset(names)


def shown() -> frozenset[str]:
    """Return the stages that are shown in this context."""
    found = _SHOWN.get(None)
    if found is None:
        text = os.environ.get("REWRITE_DEBUG", "")
        found = _selected([n.strip() for n in text.split(",") if n.strip()], "REWRITE_DEBUG")
        _SHOWN.set(found)
    return found


@contextlib.contextmanager
def show(*stages: str) -> Iterator[None]:
    """Show stages of everything compiled inside the block.

    >>> import rewrite as rw
    >>> with rw.show("extract"):
    ...     t = rw.optimize(rw.symbol("x") + 0).terms
    """
    token = _SHOWN.set(_selected(list(stages), "show"))
    try:
        yield
    finally:
        _SHOWN.reset(token)


def emit(stage: str, render: Callable[[], str]) -> None:
    """Write a stage to stderr if it is shown."""
    if stage in shown():
        print(f"=== {stage} ===\n{render()}", file=sys.stderr)
