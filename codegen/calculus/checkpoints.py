"""Which states of a loop to store so that it can be run backwards: plans of few actions.

A plan is a list of actions on step numbers, carried out in order; state k is what step k takes.

* `("store", k)`: keep the running state, which is state k;
* `("load", k)`: go on from the kept state k;
* `("forward", k)`: do step k on the running state;
* `("reverse", k)`: take the adjoint back through step k; the running state is state k;
* `("drop", k)`: forget the kept state k.

Sources: A. Griewank, A. Walther, "Algorithm 799: revolve", 2000 (binomial plans, the fewest steps
for a number of states); T. Chen et al., "Training deep nets with sublinear memory cost", 2016.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from math import ceil, comb, isqrt, log2
from operator import itemgetter
from typing import Final

import numpy as np

from rewrite.errors import ArgumentError

__all__ = ["Action", "Plan", "plan"]

type Action = tuple[str, int]

_REMEMBERED: Final = 10_000
"""Steps of plans that are kept for the next call, as they are long."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions for n steps, how many states are kept at most, and the steps done forward."""

    actions: tuple[Action, ...]
    kept: int
    forward: int

    def runs(self) -> Iterator[tuple[Action, int]]:
        """Walk the actions with how many stand there, those of steps forward in a row as one."""
        for what, group in groupby(self.actions, itemgetter(0)):
            row = tuple(group)
            if what == "forward":
                yield row[0], len(row)
            else:
                for action in row:
                    yield action, 1

    def __repr__(self) -> str:
        """Show the figures."""
        return f"<Plan of {self.forward} steps forward, at most {self.kept} states kept>"


def plan(n: int, checkpoint: str | int) -> Plan:
    """Return the plan for n steps: "all", "sqrt", "log", or at most so many states kept.

    "all" keeps each state and does each step once; "sqrt" keeps about 2 sqrt(n) and does each step
    at most twice; "log" keeps log2(n) + 1. A number of states gives the plan with the fewest steps
    for it. Raise `ArgumentError` for what is none of these.

    >>> plan(1000, "sqrt")
    <Plan of 1959 steps forward, at most 61 states kept>
    """
    known = checkpoint in ("all", "sqrt", "log") if isinstance(checkpoint, str) else (
        isinstance(checkpoint, (int, np.integer))
        and not isinstance(checkpoint, bool)
        and checkpoint >= 1
    )  # fmt: skip
    if not known:
        raise ArgumentError(
            f'checkpoint={checkpoint!r} is none of "all", "sqrt", "log" or a number of states'
        )
    way = checkpoint if isinstance(checkpoint, str) else int(checkpoint)
    return _remembered(n, way) if n <= _REMEMBERED else _made(n, way)


def _made(n: int, checkpoint: str | int) -> Plan:
    if not n:
        return Plan((), 0, 0)
    if checkpoint == "all":
        found = _segment(0, n)
    elif checkpoint == "sqrt":
        found = _segments(n, max(1, isqrt(n)))
    else:
        spare = ceil(log2(max(n, 2))) if isinstance(checkpoint, str) else checkpoint - 1
        found = _binomial(0, n, spare)
    return _counted(tuple(found))


_remembered = lru_cache(16)(_made)


def _counted(actions: tuple[Action, ...]) -> Plan:
    kept = most = 0
    for what, _ in actions:
        kept += (what == "store") - (what == "drop")
        most = max(most, kept)
    return Plan(actions, most, sum(what == "forward" for what, _ in actions))


def _segment(begin: int, end: int) -> Iterator[Action]:
    """Keep each state from `begin` on; the running state is that."""
    for k in range(begin, end - 1):
        yield "store", k
        yield "forward", k
    yield "reverse", end - 1
    for k in range(end - 2, begin - 1, -1):
        yield "load", k
        yield "drop", k
        yield "reverse", k


def _segments(n: int, size: int) -> Iterator[Action]:
    """Keep the first state of each segment, and go through one segment after the other."""
    begins = range(0, n, size)
    for begin in begins[:-1]:
        yield "store", begin
        for k in range(begin, begin + size):
            yield "forward", k
    yield from _segment(begins[-1], n)
    for begin in reversed(begins[:-1]):
        yield "load", begin
        yield "drop", begin
        yield from _segment(begin, begin + size)


def _binomial(begin: int, end: int, spare: int) -> Iterator[Action]:
    """Keep state `begin`, the running one, and at most so many more."""
    yield "store", begin
    open_ = [(begin, end, spare)]  # as deep as states are kept, so no recursion
    while open_:
        begin, end, spare = open_.pop()
        if end - begin > 1 and spare:
            middle = begin + _advance(end - begin, spare)
            for k in range(begin, middle):
                yield "forward", k
            yield "store", middle
            open_ += [(begin, middle, spare), (middle, end, spare - 1)]
            continue
        for k in range(end - 1, begin - 1, -1):
            for j in range(begin, k):
                yield "forward", j
            yield "reverse", k
            if k > begin:
                yield "load", begin
        yield "drop", begin
        if open_:
            yield "load", open_[-1][0]


def _advance(length: int, spare: int) -> int:
    """Return how far ahead the next kept state is in a plan with the fewest steps."""
    kept, repeats = spare + 1, 1
    while _reach(kept, repeats) < length:
        repeats += 1
    return max(1, length - _reach(kept - 1, repeats), _reach(kept, repeats - 2))


def _reach(kept: int, repeats: int) -> int:
    """Return for how many steps so many states will do, if each is done so often at most."""
    return comb(kept + repeats, kept) if repeats >= 0 else 0
