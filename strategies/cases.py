"""Deriving what the accurate plan makes: branches side by side, and series with their bounds.

A branch equals its source if each side does where it is taken, so that each is derived by itself,
with the domain that the condition leaves to its symbol. A series is one step, which names the point
and a bound of what is left out (`rewrite.egraph.taylor`); laws lead on from there.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from rewrite.dag import Dag
from rewrite.egraph.explanation import SERIES, Explanation, Part, Series, Step
from rewrite.egraph.limits import Limits
from rewrite.egraph.plain import plain, put
from rewrite.egraph.replay import replay
from rewrite.egraph.sides import inside, sides
from rewrite.egraph.taylor import relative_rest
from rewrite.egraph.telling import Telling, numbers_as_written
from rewrite.errors import ExplanationError
from rewrite.rule import Rule
from rewrite.store import Store
from rewrite.term import Term
from strategies.derive import derived
from strategies.regimes import MostAccurate
from strategies.series import Near, near

__all__ = ["by_cases"]

type Place = tuple[int, ...]


def by_cases(
    sources: Sequence[Term], targets: Sequence[Term], plan: MostAccurate, limits: Limits,
    own: tuple[Rule, ...] = (),
) -> Explanation:  # fmt: skip
    """Explain each term by what the plan made of it, within about twice the time limit.

    `own` are laws beside those of the library.
    """
    whole = Explanation(tuple(sources), tuple(targets), licence=plan.licence, own=own)
    if whole.sources == whole.targets:
        return whole
    share = replace(limits, seconds=limits.time_limit(0) / (2 * len(targets)))
    cases = _Cases(plan, share, own)
    parts = [
        part
        for result, pair in enumerate(zip(sources, targets, strict=True))
        for part in cases.of(result, *pair)
    ]
    if len(parts) == 1 and parts[0].condition is None:
        return parts[0].explanation
    bad = next((part for part in parts if not part.explanation.explained), None)
    if bad is not None:
        found = bad.explanation
        return replace(whole, explained=False, why=f"{bad.title}: {found.why}", laws=found.laws)
    return replace(whole, parts=tuple(parts))


@dataclass(frozen=True)
class _Cases:
    plan: MostAccurate
    limits: Limits
    own: tuple[Rule, ...]

    def of(self, result: int, source: Term, target: Term) -> Iterator[Part]:
        """Yield the derivations of one result."""
        new = _numbers(target) - _numbers(source)  # without any there is nothing of a series
        series = list(near(source, self.plan.licence, self.plan.dtype)) if new else []
        branch = sides(target)
        if branch is None or branch[0][0] in _nodes(source):
            yield Part(result, None, self.derived(source, target, series))
            return
        for condition, taken in branch:
            where = inside(condition)
            ends = source.substitute(where), taken.substitute(where)
            there = [_moved(one, where) for one in series]
            yield Part(result, condition, self.derived(*ends, there))

    def derived(self, source: Term, target: Term, series: Sequence[Near]) -> Explanation:
        """Derive a side, through the series of which it has numbers, or by laws alone."""
        known, found = _numbers(source), None
        for one in series:
            if (_numbers(one.term) - known) & _numbers(target):
                found = self.through(source, target, one)
                if found.explained:
                    return found
                whole = self.through(source, target, replace(one, parts=((source, target),)))
                if whole.explained:
                    return whole
        laws = self.by_laws(source, target)
        if found is None or laws.explained or laws.laws:
            return laws
        return replace(laws, why=found.why)

    def by_laws(self, source: Term, target: Term) -> Explanation:
        """Derive a term from another, if need be over what rewriting alone makes of it."""
        found = derived([source], [target], self.plan.licence, self.limits, self.own)
        halfway = None if found.explained else self.plan.sided[0](source)
        if halfway is None or halfway == source:
            return found
        first, last = (
            derived([one], [other], self.plan.licence, self.limits, self.own)
            for one, other in ((source, halfway), (halfway, target))
        )
        return self.joined(first, last) if first.explained and last.explained else found

    def through(self, source: Term, target: Term, one: Near) -> Explanation:
        """Derive a term by the steps that write differences as series, and by laws from there."""
        empty = Explanation((source,), (target,), licence=self.plan.licence, own=self.own)
        steps = _written(source, target, one)
        if steps is None:
            why = (
                f"the series near {one.symbol!r} = {one.point} was compared with its source at "
                "some points, and that it is so close everywhere was not proved"
            )
            return replace(empty, explained=False, why=why)
        laws = self.by_laws(steps[-1].after, target)
        return self.joined(replace(empty, steps=tuple(steps)), laws) if laws.explained else laws

    def joined(self, first: Explanation, last: Explanation) -> Explanation:
        """Return one derivation after the other, if it can be replayed."""
        steps, known = (*first.steps, *last.steps), (*first.assumptions, *last.assumptions)
        made = replace(
            first, targets=last.targets, steps=steps, assumptions=tuple(dict.fromkeys(known))
        )
        try:
            replay(made)
        except ExplanationError as error:
            why = f"a derivation was found that cannot be replayed: {error}"
            return replace(made, explained=False, steps=(), assumptions=(), why=why)
        return made


def _written(source: Term, target: Term, one: Near) -> list[Step] | None:
    """Return the steps that put series in the place of differences; None without a proof."""
    store = Store()
    telling = Telling(store, numbers_as_written([source, one.term, target]), {})
    whole, steps = plain(store, source), list[Step]()
    for part, polynomial in one.parts:
        bound = _bound(part, polynomial, one)
        if bound is None:
            return None
        old, new = plain(store, part), plain(store, polynomial)
        for place in _places(store, whole, old):
            after = put(store, whole, place, new)
            ends = telling.term(whole), telling.term(after)
            steps.append(Step(SERIES, None, True, place, *ends, series=bound))
            whole = after
    return steps or None


def _bound(part: Term, polynomial: Term, one: Near) -> Series | None:
    """Return how good a series is in the domain of its symbol."""
    symbol = one.symbol.symbol
    assert symbol is not None
    if part.free_symbols != (one.symbol,) or polynomial.free_symbols != (one.symbol,):
        return None
    if not all(map(math.isfinite, symbol.bounds)):
        return None
    far = max(abs(Fraction(end) - one.point) for end in symbol.bounds)
    reach = math.nextafter(float(far), math.inf)
    rest = relative_rest(part, polynomial, one.point, reach)
    if rest is None or rest >= 0.5:
        return None
    bits = max(0, math.floor(-math.log2(max(rest, 2.0**-1000))))
    return Series(one.symbol, one.point, reach, bits)


def _places(store: Store, root: int, wanted: int) -> list[Place]:
    """Return where a node is in a term, which need not be looked for inside of itself."""
    found: list[Place] = []
    holds = {wanted: True}

    def within(node: int) -> bool:
        if node not in holds:
            holds[node] = any([within(child) for child in store.children(node)])
        return holds[node]

    stack: list[tuple[int, Place]] = [(root, ())] if within(root) else []
    while stack:
        node, place = stack.pop()
        if node == wanted:
            found.append(place)
            continue
        stack += [
            (child, (*place, k)) for k, child in enumerate(store.children(node)) if within(child)
        ]
    return found


def _moved(one: Near, where: dict[Term, Term]) -> Near:
    """Return a series for a symbol with another domain."""
    parts = tuple([(old.substitute(where), new.substitute(where)) for old, new in one.parts])
    symbol = where.get(one.symbol, one.symbol)
    return Near(one.term.substitute(where), symbol, one.point, one.radius, parts)


def _nodes(term: Term) -> set[Term]:
    return {Term(term.store, node) for node in Dag.of(term.store, [term.id]).ids.tolist()}


def _numbers(term: Term) -> set[object]:
    dag = Dag.of(term.store, [term.id])
    return {value for value in dag.value if isinstance(value, (int, float, Fraction))}
