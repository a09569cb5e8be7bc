"""`Flow`: what a function computes, in terms and loops."""

from dataclasses import dataclass
from typing import Any

from rewrite.term import Term

__all__ = ["Body", "Flow", "Loop"]


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop: its state begins as `start`, and is called `state` in a step and `end` after all.

    The first result of a step is whether to go on, of the state that it is given; the next state
    follows. Where it does not go on, the state stays.
    """

    start: tuple[Term, ...]
    state: tuple[Term, ...]
    step: "Body"
    end: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """Loops in their order, and results, which may use what the loops leave."""

    loops: tuple[Loop, ...]
    results: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A whole function; `result` has terms where it returned numbers, in its containers."""

    body: Body
    result: Any
