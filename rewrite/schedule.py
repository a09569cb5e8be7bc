"""Schedules: in which order the phases of a saturation run, and when it has reached its goal.

==================  ============================================================================
fold                exact arithmetic on constants, to its end
prune               a class with an exact value drops its other nodes, to its end
facts(n)            n rounds of the analyses (signs, bounds, definedness) that conditions ask for
run(rules)          each rule once, wherever it matches
backoff(s)          s, but a rule with more matches than allowed is banned for a while
s >> t              s, then t
times(n, s)         s, n times or until it adds nothing
saturated(s)        s until it adds nothing
==================  ============================================================================

One iteration of a saturation is its schedule from one end to the other; the limits hold between the
passes of every loop. Goals end a saturation early: `equal(a, b)`, `matches(pattern)`,
`contains(pattern)`.

>>> import rewrite as rw
>>> from rewrite import schedule
>>> a, b, c = rw.pattern_vars("a b c")
>>> laws = rw.ruleset("laws", rw.FastMath.REASSOC, ("distribute", a * (b + c), a * b + a * c))
>>> schedule.fold >> schedule.backoff(schedule.run(laws), matches=100)
fold ; backoff(run(laws), 100)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from rewrite import ops
from rewrite.errors import StrategyError
from rewrite.rule import Rule, RuleSet
from rewrite.term import Term, lift

__all__ = [
    "BackOff", "Contains", "Equal", "Facts", "Fold", "Goal", "Matches", "Prune", "Run", "Schedule",
    "Then", "Times", "backoff", "contains", "default_schedule", "equal", "facts", "fold",
    "matches", "prune", "run", "saturated", "times",
]  # fmt: skip

BAN: Final = 5
"""For so many passes a rule is banned at first; each time twice as many."""


@dataclass(frozen=True)
class Schedule:
    """What one iteration of a saturation does."""

    def __rshift__(self, other: "Schedule") -> "Schedule":
        """Run this one, then the other."""
        parts = [*_parts(self), *_parts(_schedule(other))]
        return Then(tuple(parts))

    def __repr__(self) -> str:
        """Write as in the table above."""
        return str(self)


@dataclass(frozen=True, repr=False)
class Fold(Schedule):
    """Exact arithmetic on constants, to its end; nothing without the licence `reassoc`."""

    def __str__(self) -> str:
        return "fold"


@dataclass(frozen=True, repr=False)
class Prune(Schedule):
    """A class with an exact value needs no other node."""

    def __str__(self) -> str:
        return "prune"


@dataclass(frozen=True, repr=False)
class Facts(Schedule):
    """Rounds of the analyses: a fact of a node's arguments reaches the node in one."""

    rounds: int = 3

    def __str__(self) -> str:
        return f"facts({self.rounds})"


@dataclass(frozen=True, repr=False)
class Run(Schedule):
    """Each rule once. `growing` rules are left out of large programs."""

    rules: RuleSet
    growing: bool = False

    def __str__(self) -> str:
        return f"run({self.rules.name})"


@dataclass(frozen=True, repr=False)
class BackOff(Schedule):
    """Ban rules that match too often: `matches` of None is what the limits say."""

    body: Schedule
    matches: int | None = None
    ban: int = BAN

    def __str__(self) -> str:
        return f"backoff({self.body}{'' if self.matches is None else f', {self.matches}'})"


@dataclass(frozen=True, repr=False)
class Times(Schedule):
    """A schedule so many times; None is until it adds nothing."""

    body: Schedule
    count: int | None

    def __str__(self) -> str:
        if self.count is None:
            return f"saturated({self.body})"
        return f"times({self.count}, {self.body})"


@dataclass(frozen=True, repr=False)
class Then(Schedule):
    """Schedules one after the other."""

    parts: tuple[Schedule, ...]

    def __str__(self) -> str:
        return " ; ".join(map(str, self.parts))


def _parts(schedule: Schedule) -> tuple[Schedule, ...]:
    return schedule.parts if isinstance(schedule, Then) else (schedule,)


def _schedule(value: Any) -> Schedule:
    if isinstance(value, Schedule):
        return value
    if isinstance(value, (Rule, RuleSet)):
        return run(value)
    raise StrategyError(
        f"{value!r} is no schedule; write rewrite.schedule.run(rules) and combine such by >>"
    )


fold: Final = Fold()
prune: Final = Prune()


def facts(rounds: int = 3) -> Schedule:
    """Run the analyses of values so many rounds."""
    return Facts(_count(rounds))


def run(rules: "RuleSet | Rule", *, growing: bool = False) -> Schedule:
    """Run each rule once, wherever it matches; `growing` ones are left out of large programs."""
    if isinstance(rules, Rule):
        rules = RuleSet(rules.name, (rules,))
    if not isinstance(rules, RuleSet):
        raise StrategyError(f"{rules!r} is no rule set; make one by rw.ruleset")
    return Run(rules, growing)


def backoff(body: Any, matches: int | None = None, *, ban: int = BAN) -> Schedule:
    """Ban rules with more than so many matches in a pass, for `ban` passes, doubling both."""
    return BackOff(_schedule(body), None if matches is None else _count(matches), _count(ban))


def times(count: int, body: Any) -> Schedule:
    """Run a schedule so many times, or until it adds nothing."""
    return Times(_schedule(body), _count(count))


def saturated(body: Any) -> Schedule:
    """Run a schedule until it adds nothing, or a limit is reached."""
    return Times(_schedule(body), None)


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise StrategyError(f"a schedule counts from 1 on; {value!r} will not do")
    return value


def default_schedule(simplify: RuleSet, expand: RuleSet) -> Schedule:
    """Return what `saturate` runs: constants, facts, then both kinds of laws under back-off."""
    return fold >> prune >> facts() >> backoff(run(simplify)) >> backoff(run(expand, growing=True))


def leaves(schedule: Schedule) -> Iterator[Schedule]:
    """Go through what a schedule is made of."""
    if isinstance(schedule, Then):
        for part in schedule.parts:
            yield from leaves(part)
    elif isinstance(schedule, (BackOff, Times)):
        yield from leaves(schedule.body)
    else:
        yield schedule


# -- goals -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Goal:
    """When a saturation has found what it was for."""


@dataclass(frozen=True)
class Equal(Goal):
    """Two terms are in one class. Both are put into the graph, which is searched from both."""

    left: Term
    right: Term


@dataclass(frozen=True)
class Matches(Goal):
    """A root can be written as a pattern has it."""

    pattern: Term


@dataclass(frozen=True)
class Contains(Goal):
    """Some class can be written as a pattern has it."""

    pattern: Term


def equal(left: Any, right: Any) -> Goal:
    """Stop as soon as two terms are known to be equal."""
    if not isinstance(left, Term) and not isinstance(right, Term):
        raise StrategyError(f"a goal needs a term: {left!r} and {right!r} are none")
    store = left.store if isinstance(left, Term) else right.store
    return Equal(lift(left, store), lift(right, store))


def matches(pattern: Term) -> Goal:
    """Stop as soon as a root can be written as the pattern has it."""
    return Matches(_pattern(pattern))


def contains(pattern: Term) -> Goal:
    """Stop as soon as any part can be written as the pattern has it."""
    return Contains(_pattern(pattern))


def _pattern(pattern: Any) -> Term:
    if not isinstance(pattern, Term):
        raise StrategyError(f"{pattern!r} is no pattern; write it with rw.pattern_vars")
    own = [part for part in pattern.free_symbols if part.op is ops.SYMBOL]
    if own:
        raise StrategyError(
            f"the pattern {pattern} has the symbol {own[0]}, and rules and goals speak of any "
            "term: put a variable of rw.pattern_vars in its place, or ask for equal(...)"
        )
    return pattern
