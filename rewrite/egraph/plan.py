"""A schedule as plain data: what an e-graph is told, here or in another process.

Phases between which nothing has to be looked at become one command of the engine.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from rewrite.egraph.language import pattern_text, rule_text
from rewrite.egraph.relevance import heads
from rewrite.rule import Rule, RuleSet
from rewrite.schedule import (
    BAN,
    BackOff,
    Contains,
    Equal,
    Facts,
    Fold,
    Goal,
    Matches,
    Prune,
    Run,
    Schedule,
    Then,
    Times,
    leaves,
)
from rewrite.term import Term

__all__ = [
    "MOST_TEXTS", "SETTLE", "Aim", "Loop", "Plan", "Step", "aim_of", "groups_of", "plan_of",
]  # fmt: skip

SETTLE: Final = ("(saturate (run fold :until (conflict 1)))", "(saturate (run prune))")
"""Folding and pruning. What contradicts itself must stop at once, as it folds without end."""
UNBOUNDED: Final = 1 << 40
MOST_TEXTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Loop:
    """Steps that are repeated; a count of None is until they add nothing."""

    count: int | None
    body: "tuple[Step, ...]"


type Step = str | Loop
"""A command of the engine, or a loop that looks at the limits between its passes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to declare and what to run, in the engine's own language."""

    rules: tuple[tuple[str, str], ...]
    """The name and the text of each rule."""
    rulesets: int
    schedulers: tuple[tuple[str, int | None, int], ...]
    """The name, the bound on matches (None: that of the limits) and the ban of each."""
    steps: tuple[Step, ...]
    codes: frozenset[int]
    """The ops that the rules speak of."""
    fold: bool


class _Writer:
    """Collects rule sets and schedulers while it writes a schedule."""

    def __init__(self, kept: Iterable[Rule] | None, fold: bool) -> None:
        self.kept = None if kept is None else {id(rule) for rule in kept}
        self.fold = fold
        self.rules: dict[tuple[int, int], tuple[Rule, str]] = {}
        self.sets: list[RuleSet] = []
        self.schedulers: dict[tuple[int | None, int], str] = {}

    def steps(self, schedule: Schedule, scheduler: str | None = None) -> list[Step]:
        """Write a schedule; neighbouring commands become one."""
        match schedule:
            case Then(parts):
                made = [step for part in parts for step in self.steps(part, scheduler)]
                return _joined(made)
            case Times(body, count):
                return [Loop(count, tuple(self.steps(body, scheduler)))]
            case BackOff(body, bound, ban):
                return self.steps(body, self._scheduler(bound, ban))
            case Fold() | Prune():
                return [SETTLE[isinstance(schedule, Prune)]] if self.fold else []
            case Facts(rounds):
                return [f"(repeat {rounds} (run facts))"]
            case Run(rules):
                name = scheduler or self._scheduler(UNBOUNDED, BAN)
                return [f"(run-with {name} {self._ruleset(rules)})"]
        raise AssertionError(schedule)

    def _scheduler(self, bound: int | None, ban: int) -> str:
        return self.schedulers.setdefault((bound, ban), f"bo{len(self.schedulers)}")

    def _ruleset(self, rules: RuleSet) -> str:
        for at, known in enumerate(self.sets):
            if known is rules:
                return f"r{at}"
        at, name = len(self.sets), f"r{len(self.sets)}"
        self.sets.append(rules)
        for rule in rules:
            if (self.kept is None or id(rule) in self.kept) and rule.symbolic:
                self.rules[id(rule), at] = rule, _rule_text(rule, name)
        return name


def _joined(steps: list[Step]) -> list[Step]:
    """Join neighbouring commands."""
    found: list[Step] = []
    for step in steps:
        if isinstance(step, str) and found and isinstance(found[-1], str):
            found[-1] = f"{found[-1]} {step}"
        else:
            found.append(step)
    return found


_TEXTS: Final[dict[tuple[int, str], tuple[Rule, str]]] = {}


def _rule_text(rule: Rule, ruleset: str) -> str:
    """Write one rule, once a process: by identity, as hashing its terms would take as long.

    The entry keeps the rule alive, so that no other can come to have its identity.
    """
    key = (id(rule), ruleset)
    if key not in _TEXTS:
        if len(_TEXTS) > MOST_TEXTS:
            _TEXTS.clear()
        _TEXTS[key] = (rule, rule_text(rule, ruleset))
    return _TEXTS[key][1]


def plan_of(schedule: Schedule, *, fold: bool, kept: Iterable[Rule] | None = None) -> Plan:
    """Write a schedule down; of its rules only those that are kept, where they are given."""
    writer = _Writer(kept, fold)
    steps = writer.steps(schedule)
    rules = [rule for rule, _ in writer.rules.values()]
    return Plan(
        _named_apart((at, rule.name, text) for (_, at), (rule, text) in writer.rules.items()),
        len(writer.sets),
        tuple([(name, bound, ban) for (bound, ban), name in writer.schedulers.items()]),
        tuple(steps),
        frozenset().union(*(heads(rule.lhs) | heads(rule.rhs) for rule in rules)),
        fold,
    )


def _named_apart(rows: Iterable[tuple[int, str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the name and the text of each rule; of one set no two have the same name."""
    seen: Counter[tuple[int, str]] = Counter()
    found = []
    for at, name, text in rows:
        seen[at, name] += 1
        if (count := seen[at, name]) > 1:
            own, name = name, f"{name} ({count})"
            text = text.replace(f':name "{own}"', f':name "{name}"')
        found.append((name, text))
    return tuple(found)


def groups_of(schedule: Schedule) -> tuple[list[Rule], list[Rule]]:
    """Return the rules of a schedule: those that always run, and growing ones."""
    found: tuple[list[Rule], list[Rule]] = ([], [])
    for part in leaves(schedule):
        if isinstance(part, Run):
            found[part.growing].extend(part.rules)
    return found


# -- goals -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Aim:
    """A goal as plain data: pairs of roots that must be equal, or a rule that must match."""

    text: str = ""
    """`{root}` stands for each root in turn."""
    pair: bool = False
    """Whether the last two roots of what is loaded are to be equal."""
    codes: frozenset[int] = frozenset()


def aim_of(goal: Goal | None) -> tuple[Aim | None, tuple[Term, ...]]:
    """Write a goal down; also return the terms that must be loaded for it."""
    match goal:
        case None:
            return None, ()
        case Equal(left, right):
            return Aim(pair=True), (left, right)
        case Matches(pattern) | Contains(pattern):
            given: Any = f"(= e {pattern_text(pattern)})"
            if isinstance(goal, Matches):
                given += " (= e {root})"
            return Aim(f"(rule ({given}) ((reached 1)) :ruleset goal)", codes=heads(pattern)), ()
    raise AssertionError(goal)
