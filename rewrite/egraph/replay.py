"""Replaying an explanation: each step is checked by itself, with no e-graph.

A law's instance is put into both of its sides, which must be what stands at the step's place
before and after. Its conditions are checked by the analysis of the classical engine, given the
assumptions that are listed; those must follow from the source alone.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from rewrite.egraph.assumptions import STATED, Known, condition_holds, conditions_of, implied, meet
from rewrite.egraph.explanation import Assumption, Because, Explanation, Series, Step
from rewrite.egraph.folding import folded
from rewrite.egraph.language import exact
from rewrite.egraph.plain import Plain, fill, plain, put, subterm
from rewrite.egraph.sides import inside, sides
from rewrite.egraph.taylor import relative_rest
from rewrite.errors import ExplanationError, RewriteError
from rewrite.fastmath import FastMath
from rewrite.intervals import TOP, Fact
from rewrite.rule import Rule, symbols_of
from rewrite.rules import EXPAND, PRECISE, SIMPLIFY
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["brought", "granted_by", "has_values", "holds_for", "replay"]

MOST_NESTED: Final = 40


def replay(explanation: Explanation) -> None:
    """Check an explanation step by step, and that it leads from its sources to its targets.

    Raise `ExplanationError` that names the first step which does not hold.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> rw.replay(rw.explain(x + x, 2 * x))
    """
    if not explanation.explained:
        raise ExplanationError(f"there are no steps to replay: {explanation.why}")
    if explanation.parts:
        _replay_parts(explanation)
        return
    replayer = _Replayer(explanation)
    replayer.assumptions()
    for result, pair in enumerate(zip(explanation.sources, explanation.targets, strict=True)):
        steps = [step for step in explanation.steps if step.result == result]
        replayer.chain(f"result {result}", pair[0], steps, pair[1])
    for step in explanation.steps:
        if not 0 <= step.result < len(explanation.sources):
            raise ExplanationError(f"the step {step.name!r} is about no result: {step.result}")


def _replay_parts(explanation: Explanation) -> None:
    """Check that the parts are those of the results, and each of them."""
    expected: list[tuple[int, Term | None, Term]] = []
    for result, target in enumerate(explanation.targets):
        own = [part for part in explanation.parts if part.result == result]
        branch = sides(target) if own and own[0].condition is not None else None
        if branch is None:
            expected.append((result, None, target))
        else:
            expected += [(result, condition, taken) for condition, taken in branch]
    found = [(part.result, part.condition) for part in explanation.parts]
    if found != [(result, condition) for result, condition, _ in expected] or explanation.steps:
        raise ExplanationError(f"the parts are not those of {explanation.targets!r}")
    for part, (result, condition, taken) in zip(explanation.parts, expected, strict=True):
        where = {} if condition is None else inside(condition)
        ends = explanation.sources[result].substitute(where), taken.substitute(where)
        inner = part.explanation
        if (inner.sources, inner.targets) != ((ends[0],), (ends[1],)):
            raise ExplanationError(f"{part.title}: it is not about {ends[0]!r} and {ends[1]!r}")
        if (inner.licence, inner.own) != (explanation.licence, explanation.own):
            raise ExplanationError(f"{part.title}: it has another licence, or other laws")
        replay(inner)


class _Replayer:
    """Checks steps in a store of its own."""

    def __init__(self, explanation: Explanation) -> None:
        self.explanation = explanation
        self.store = Store()
        self._plain = Plain(self.store)
        self.known = Known(self.store, granted_by(self.store, explanation.assumptions))
        self.rules = {(rule.name, rule) for rule in explanation.own} | _library()

    def assumptions(self) -> None:
        """Check that what is assumed follows from the value of the only source being finite."""
        given = self.explanation
        if not given.assumptions:
            return
        if FastMath.NNAN | FastMath.NINF not in given.licence or len(set(given.sources)) != 1:
            raise ExplanationError(
                "nothing may be assumed: the licence lacks NNAN or NINF, or there are several "
                "sources, of which one may be finite where another is not"
            )
        root = self._plain.of(given.sources[0])
        follows = Known(self.store, implied(self.store, root))
        for one in given.assumptions:
            node = self._plain.of(one.term)
            if one.kind not in STATED or not getattr(follows.fact(node), one.kind):
                raise ExplanationError(f"{one} does not follow from a finite {given.sources[0]!r}")

    def chain(
        self, what: str, source: Term, steps: Sequence[Step], target: Term, depth: int = 0
    ) -> None:
        """Check that steps lead from one term to another."""
        if depth > MOST_NESTED:
            raise ExplanationError(f"{what}: conditions rest on conditions without end")
        at = self._plain.of(source)
        for number, step in enumerate(steps, 1):
            place = f"{what}, step {number} ({step.name})"
            try:
                at = self._step(place, at, step, depth)
            except ExplanationError:
                raise
            except (RewriteError, IndexError, KeyError) as error:
                raise ExplanationError(f"{place} cannot be replayed: {error}") from error
        if at != self._plain.of(target):
            raise ExplanationError(
                f"{what}: the last step leads to {Term(self.store, at)!r}, not to {target!r}"
            )

    def _step(self, what: str, at: int, step: Step, depth: int) -> int:
        before, after = self._plain.of(step.before), self._plain.of(step.after)
        if before != at:
            raise ExplanationError(
                f"{what} begins at {step.before!r}, which is not what the step before it made"
            )
        old, new = (subterm(self.store, whole, step.place) for whole in (before, after))
        if put(self.store, before, step.place, new) != after:
            raise ExplanationError(f"{what} changes more than what stands at {step.place}")
        left, right = (old, new) if step.forward else (new, old)
        if step.series is not None:
            self._series(what, step.series, left, right)
        elif step.rule is None:
            self._arithmetic(what, left, right)
        else:
            self._law(what, step, step.rule, left, right)
            if not has_values(self.known, step):
                raise ExplanationError(
                    f"{what}: used backwards, it brings {', '.join(map(repr, brought(step)))}, "
                    "which may have no value where the terms before it do"
                )
            self._conditions(what, step, step.rule, depth)
        return after

    def _arithmetic(self, what: str, left: int, right: int) -> None:
        value = folded(self.store, left)
        made = self.store.value(right)
        number: Fraction | None = None if made is None else exact(made)
        if FastMath.REASSOC not in self.explanation.licence:
            raise ExplanationError(f"{what}: the licence lacks REASSOC, which arithmetic needs")
        if value is None or number is None or exact(value) != number:
            shown = (Term(self.store, node) for node in (left, right))
            raise ExplanationError(f"{what}: {' is not '.join(map(repr, shown))}")

    def _series(self, what: str, series: Series, left: int, right: int) -> None:
        if FastMath.REASSOC not in self.explanation.licence:
            raise ExplanationError(f"{what}: the licence lacks REASSOC, which series need")
        source, made = Term(self.store, left), Term(self.store, right)
        (x,) = source.free_symbols
        known = x.symbol
        assert known is not None
        if x != series.symbol or not _reaches(series, known):
            raise ExplanationError(f"{what}: the domain of {x!r} is not within {series}")
        rest = relative_rest(source, made, series.point, series.radius)
        if rest is None or rest > 2.0**-series.bits:
            raise ExplanationError(f"{what}: {made!r} is not proved to be so close to {source!r}")

    def _law(self, what: str, step: Step, rule: Rule, left: int, right: int) -> None:
        if (rule.name, rule) not in self.rules:
            raise ExplanationError(f"{what}: {rule!r} is no rule of the library, nor one given")
        if not rule.symbolic or rule.licence not in self.explanation.licence:
            raise ExplanationError(f"{what}: the licence does not allow {rule!r}")
        values = {name: self._plain.of(term) for name, term in step.instance}
        for symbol in symbols_of(rule.lhs):
            if symbol.name not in values:
                raise ExplanationError(f"{what}: it is not said what ?{symbol.name} stands for")
        for side, found in ((rule.lhs, left), (rule.rhs, right)):
            made = fill(self.store, side, values)
            if made != found:
                raise ExplanationError(
                    f"{what}: {side!r} is {Term(self.store, made)!r} there, but what stands at "
                    f"{step.place} is {Term(self.store, found)!r}"
                )

    def _conditions(self, what: str, step: Step, rule: Rule, depth: int) -> None:
        asked = conditions_of(rule)
        if tuple(one.condition for one in step.because) != asked:
            raise ExplanationError(f"{what}: it is not said why {rule.name!r} may be used")
        values = dict(step.instance)
        for one in step.because:
            names = {symbol.name for symbol in symbols_of(one.condition.term)}
            if names != {meeting.name for meeting in one.meetings}:
                raise ExplanationError(f"{what}: not all of {one.condition!r} is spoken of")
            for meeting in one.meetings:
                why = f"{what}, why {one.condition!r}"
                self.chain(why, values[meeting.name], meeting.steps, meeting.known, depth + 1)
            if not holds_for(self.known, one):
                raise ExplanationError(
                    f"{what}: {one.condition!r} is not known to hold for "
                    f"{', '.join(f'?{m.name} = {m.known!r}' for m in one.meetings)}"
                )


def _reaches(series: Series, symbol: Symbol) -> bool:
    """Tell whether the domain of a symbol is within the radius of a series."""
    ends = symbol.bounds
    return all(map(math.isfinite, ends)) and all(
        abs(Fraction(end) - series.point) <= series.radius for end in ends
    )


def granted_by(store: Store, assumptions: Sequence[Assumption]) -> dict[int, Fact]:
    """Return assumptions as facts about the plain terms of a store."""
    granted: dict[int, Fact] = {}
    for one in assumptions:
        node = plain(store, one.term)
        granted[node] = meet(granted.get(node, TOP), STATED[one.kind])
    return granted


def holds_for(known: Known, because: Because) -> bool:
    """Tell whether a condition is known to hold for the terms that are said to meet it.

    A term that stands in for an equal one must have a value everywhere: else the other may have
    values that it does not.
    """
    bound: dict[str, int] = {}
    for meeting in because.meetings:
        bound[meeting.name] = plain(known.store, meeting.known)
        if meeting.steps and not known.defined(bound[meeting.name]):
            return False
    return condition_holds(known, because.condition, bound)


def brought(step: Step) -> list[Term]:
    """Return what a law that is used backwards brings out of nothing: y, where 0 becomes y*0."""
    if step.forward or step.rule is None:
        return []
    kept = {symbol.name for symbol in symbols_of(step.rule.rhs)}
    return [term for name, term in step.instance if name not in kept]


def has_values(known: Known, step: Step) -> bool:
    """Tell whether all that a step brings out of nothing is known to have a value."""
    return all(known.defined(plain(known.store, term)) for term in brought(step))


def _library() -> set[tuple[str, Rule]]:
    return {(rule.name, rule) for rule in (*SIMPLIFY, *EXPAND, *PRECISE)}
