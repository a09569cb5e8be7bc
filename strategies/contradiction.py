"""What to do when an e-graph contradicts itself: find the rules that do it, and go on without them.

One unsound rule makes everything equal. The alarm (two exact values, or disjoint bounds, of one
class) says that it has happened, not where; so rules are left out by halves as long as the
contradiction stays (Zeller & Hildebrandt 2002). Those that are left need each other for it.
"""

import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from rewrite.egraph.job import Job, Outcome
from rewrite.egraph.limits import StopReason
from rewrite.egraph.workers import saturate
from rewrite.rule import Rule
from strategies.minimal import minimal

__all__ = ["saturate_soundly"]

ROUNDS: Final = 4
"""So many groups of guilty rules are left out before nothing is believed."""
SECONDS: Final = 10.0
"""The search for guilty rules takes at most so long; then all that matched are named."""

type Build = Callable[[Sequence[Rule], bool], Job]
"""Makes the job of some rules, with or without what may be assumed of the roots."""


def saturate_soundly(build: Build, rules: Sequence[Rule]) -> Outcome:
    """Saturate; leave out rules of the caller's that make the program contradict itself.

    The report then says so, in `stop` and in a note that names them. The library's own rules are
    trusted: where they alone lead to a contradiction, the program has no value (it divides by
    zero, or leaves a domain), and nothing comes out.
    """
    kept, assume, notes, alarm = list(rules), True, [], False
    trial = _Trial(build)
    for _ in range(ROUNDS):
        found = trial.run(kept, assume)
        if found.report.stop is not StopReason.CONTRADICTION:
            break
        what = "a division by zero" if found.report.divided else "two different values made equal"
        trusted = [rule for rule in kept if id(rule) in _trusted()]
        suspects = [rule for rule in kept if id(rule) not in _trusted()]
        if suspects and not trial.contradicts(trusted, assume):
            guilty = trial.guilty(suspects, trusted, assume)
            notes.append(f"contradiction: {what}, by {_names(guilty)}; left out")
            kept, alarm = [rule for rule in kept if rule not in guilty], True
        elif assume:
            assume = False
        else:
            matched = [rule for rule in kept if rule.name in found.report.matches]
            guilty = trial.guilty(matched, [], assume)
            by = f"by {_names(guilty)}" if guilty else "by arithmetic on constants alone"
            notes.append(f"nothing that was found is used: {what}, {by}")
            break
    if not assume and found.frozen is not None:
        notes.append("the program has no finite value where its symbols have theirs")
    found.report.notes += notes
    found.report.cut |= trial.cut
    if alarm:
        found.report.stop = StopReason.CONTRADICTION
    return found


@cache
def _trusted() -> frozenset[int]:
    """Return the identities of the library's rules, which have their own tests."""
    from rewrite.rules import ALL

    return frozenset(id(rule) for group in ALL for rule in group)


def _names(rules: Sequence[Rule]) -> str:
    return ", ".join(rule.name for rule in rules)


class _Trial:
    """Saturations with some of the rules."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.cut = False
        """Whether an accident, or the clock, ended one of them or the search for guilty rules."""

    def run(self, rules: Sequence[Rule], assume: bool) -> Outcome:
        """Saturate with some rules."""
        found = saturate(self.build(rules, assume))
        self.cut |= not found.report.settled
        return found

    def contradicts(self, rules: Sequence[Rule], assume: bool) -> bool:
        """Tell whether some rules lead to a contradiction."""
        return self.run(rules, assume).report.stop is StopReason.CONTRADICTION

    def guilty(self, rules: list[Rule], base: Sequence[Rule], assume: bool) -> list[Rule]:
        """Leave out rules while the contradiction stays."""
        end = time.perf_counter() + SECONDS

        def still(rest: list[Rule]) -> list[Rule] | None:
            return rest if self.contradicts([*base, *rest], assume) else None

        found = minimal(rules, still, lambda: time.perf_counter() > end)
        self.cut |= time.perf_counter() > end
        return found
