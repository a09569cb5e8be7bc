"""Plans, prepared for the matcher: what can be told of their steps before any term is seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rewrite.pattern import Do, Plan, Step

__all__ = ["Preparation", "Prepared", "Row", "Runs"]

type Runs = Mapping[Do, Callable[[Any, "Row"], Any]]
"""How the steps of each kind run, on the machine that runs them."""


@dataclass(frozen=True, slots=True)
class Row:
    """A step with what can be told before any term is seen."""

    step: Step
    run: Callable[[Any, "Row"], Any]
    choice: bool
    known: bool
    """The variable has a value by now."""
    many: bool
    code: int
    """The op of the group."""
    source: int
    """Where it is written what is left, and where what is left then goes."""
    target: int
    other: int
    shared: tuple[tuple[int, int], ...]
    """Other groups of this op which need the same value, and where what is left of them is."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A plan, its rows, how many places for what is left, and the last two of the root."""

    plan: Plan
    rows: tuple[Row, ...]
    size: int
    root: tuple[int, int]


class Preparation:
    """Prepares a plan; the tables say how a step runs that has one outcome, or several."""

    def __init__(self, plan: Plan, steps: Runs, choices: Runs) -> None:
        self.plan, self.steps, self.choices = plan, steps, choices
        self.codes = {step.slot: step.code for step in plan.steps if step.do is Do.OPEN}
        self.pools: dict[tuple[int, bool], int] = {}  # group, ordered -> the place by now
        self.count = 0
        self.bound: set[int] = set()

    def _fresh(self) -> int:
        self.count += 1
        return self.count - 1

    def result(self) -> Prepared:
        rows = tuple([self._row(at, step) for at, step in enumerate(self.plan.steps)])
        root = (self.pools.get((0, False), -1), self.pools.get((0, True), -1))
        return Prepared(self.plan, rows, self.count, root)

    def _row(self, at: int, step: Step) -> Row:
        source = target = other = -1
        shared: tuple[tuple[int, int], ...] = ()
        known = step.variable in self.bound
        if step.do is Do.OPEN:
            source = self.pools[step.slot, False] = self._fresh()
            other = self.pools[step.slot, True] = self._fresh()
        elif step.do is Do.CLOSE:
            source, other = self.pools[step.group, False], self.pools[step.group, True]
        elif step.group >= 0:
            key = (step.group, step.ordered)
            source = self.pools[key]
            shared = self._shared(at, step)
            target = self.pools[key] = self._fresh()
        if step.variable >= 0:
            self.bound.add(step.variable)
        many = step.variable >= 0 and self.plan.variables[step.variable].many
        code = self.codes.get(step.group, step.code)
        choice = self._chooses(step, known)
        run = (self.choices if choice else self.steps)[step.do]
        return Row(step, run, choice, known, many, code, source, target, other, shared)

    def _shared(self, at: int, step: Step) -> tuple[tuple[int, int], ...]:
        """Find the open groups out of which the same value is taken later."""
        if step.do is not Do.SOME or step.ordered:
            return ()
        code = self.codes[step.group]
        later = [s for s in self.plan.steps[at + 1 :] if s.do is Do.BOUND and not s.ordered]
        return tuple([
            (s.group, self.pools[s.group, False])
            for s in later
            if s.variable == step.variable and (s.group, False) in self.pools
            and s.group != step.group and self.codes[s.group] == code
        ])  # fmt: skip

    def _chooses(self, step: Step, known: bool) -> bool:
        if step.do is Do.OPEN:
            ordered = any(s.ordered for s in self.plan.steps if s.group == step.slot)
            return self.plan.extended and step.slot == 0 and ordered
        if step.do is Do.PICK:
            return not step.ordered
        return step.do in (Do.EITHER, Do.SOME) or (
            step.do is Do.REST and not known and not step.last
        )
