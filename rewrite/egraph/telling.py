"""From the steps of a prover to an `Explanation`: terms as they were written, and assumptions."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from rewrite.constants import Constant
from rewrite.dag import Dag
from rewrite.egraph.assumptions import STATED, Known, conditions_of
from rewrite.egraph.explanation import ARITHMETIC, Assumption, Because, Meeting, Step
from rewrite.egraph.language import exact
from rewrite.egraph.plain import Plain, plain, put
from rewrite.egraph.proofs import Move, Reason
from rewrite.egraph.replay import brought, granted_by, has_values, holds_for
from rewrite.intervals import Fact
from rewrite.rule import Rule
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["Telling", "numbers_as_written"]

STRONGEST: Final = ("positive", "negative", "nonzero", "nonneg", "nonpos", "integer")


def numbers_as_written(terms: Iterable[Term]) -> dict[Fraction, Constant]:
    """Return each exact number of some terms as it was written there first."""
    found: dict[Fraction, Constant] = {}
    for term in terms:
        for value in Dag.of(term.store, [term.id]).value:
            rational = None if value is None or isinstance(value, Symbol) else exact(value)
            if rational is not None and not isinstance(value, (Symbol, type(None))):
                found.setdefault(rational, value)
    return found


@dataclass
class Telling:
    """Writes steps down in a store, with numbers as they were written."""

    store: Store
    numbers: Mapping[Fraction, Constant]
    granted: Mapping[int, Fact]
    """What may be assumed of plain terms of the store."""
    _written: Plain | None = None

    def term(self, node: int) -> Term:
        """Return a plain term as it is written."""
        if self._written is None:
            self._written = Plain(self.store, self.numbers)
        return Term(self.store, self._written.of(Term(self.store, node)))

    def steps(self, start: int, moves: Sequence[Move], result: int = 0) -> tuple[Step, ...]:
        """Return the steps from a plain term on."""
        made: list[Step] = []
        whole = start
        for move in moves:
            after = put(self.store, whole, move.place, move.target)
            rule, law = move.law.rule, move.law
            made.append(
                Step(
                    ARITHMETIC if rule is None else rule.name, rule, move.forward, move.place,
                    self.term(whole), self.term(after),
                    tuple([(name, self.term(node)) for name, node in law.instance]),
                    tuple([self._because(rule, reason, result) for reason in law.because if rule]),
                    result,
                )
            )  # fmt: skip
            whole = after
        return tuple(made)

    def _because(self, rule: Rule, reason: Reason, result: int) -> Because:
        meetings = [
            Meeting(w.name, self.term(w.form), self.steps(w.node, w.moves, result))
            for w in reason.witnesses
        ]
        return Because(conditions_of(rule)[reason.place], tuple(meetings))

    def assumptions(self, steps: Iterable[Step]) -> tuple[Assumption, ...]:
        """Return what of the granted facts the steps need."""
        needed: dict[Assumption, None] = {}
        for holds, terms in _demands(steps):
            kept = list(needed)
            if self._enough(holds, kept):
                continue
            more = [*kept, *(a for a in self._about(terms) if a not in needed)]
            for one in reversed(more[len(kept) :]):
                rest = [a for a in more if a != one]
                if self._enough(holds, rest):
                    more = rest
            needed |= dict.fromkeys(more)
        return tuple(needed)

    def _enough(self, holds: Callable[[Known], bool], given: Sequence[Assumption]) -> bool:
        return holds(Known(self.store, granted_by(self.store, given)))

    def _about(self, terms: Sequence[Term]) -> list[Assumption]:
        """Return the granted facts about parts of some terms."""
        roots = [plain(self.store, term) for term in terms]
        found = []
        for node in Dag.of(self.store, roots).ids.tolist():
            fact = self.granted.get(node)
            if fact is not None:
                kinds = [kind for kind in STRONGEST if getattr(fact, kind)]
                found += [Assumption(kind, self.term(node)) for kind in kinds[:1] if kind in STATED]
        return found


def _demands(
    steps: Iterable[Step],
) -> Iterator[tuple[Callable[[Known], bool], list[Term]]]:
    """Yield what must be known for the steps to hold, and the terms that it is about."""
    for step in steps:
        if brought(step):
            yield functools.partial(has_values, step=step), brought(step)
        for because in step.because:
            about = [meeting.known for meeting in because.meetings]
            yield functools.partial(holds_for, because=because), about
            for meeting in because.meetings:
                yield from _demands(meeting.steps)
