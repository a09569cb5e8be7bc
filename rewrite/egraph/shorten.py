"""Shorter derivations: loops cut out, and one law where several steps led to the same place."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rewrite.egraph.ematch import Pattern, pattern_of
from rewrite.egraph.folding import folded
from rewrite.egraph.plain import Place, fill, put, subterm
from rewrite.egraph.proofs import Law, Move, Reason
from rewrite.egraph.reorder import inner_first
from rewrite.rule import Rule
from rewrite.store import Store

__all__ = ["Laws", "shortened"]

LONGEST: Final = 120
"""Longer derivations are only freed of loops."""

type Reasons = Callable[[Rule, Mapping[str, int]], tuple[Reason, ...] | None]
"""Says why the conditions of a rule hold for what its variables stand for; None if unknown."""


@dataclass(frozen=True, slots=True)
class _Sides:
    rule: Rule
    left: Pattern
    right: Pattern


class Laws:
    """Rules by the ops at the heads of their sides, to find the one that makes t of s."""

    def __init__(
        self, store: Store, rules: Iterable[Rule], reasons: Reasons,
        may: Callable[[Law, bool], bool], *, fold: bool,
    ) -> None:  # fmt: skip
        self.store, self.reasons, self.may, self.fold = store, reasons, may, fold
        self._by_head: dict[tuple[int, int], list[_Sides]] = {}
        self._known: dict[tuple[int, int], tuple[Law, bool] | None] = {}
        for rule in rules:
            sides = _Sides(rule, pattern_of(rule.lhs), pattern_of(rule.rhs))
            self._by_head.setdefault((sides.left.code, sides.right.code), []).append(sides)

    def between(self, source: int, target: int) -> tuple[Law, bool] | None:
        """Return a law that makes one term of another at its head, and whether it is forward."""
        key = (source, target)
        if key not in self._known:
            self._known[key] = self._find(source, target)
        return self._known[key]

    def _find(self, source: int, target: int) -> tuple[Law, bool] | None:
        for one, other, forward in ((source, target, True), (target, source, False)):
            if self.fold and folded(self.store, one) is not None:
                value = folded(self.store, one)
                if value is not None and self.store.constant(value) == other:
                    return Law(None), forward
            heads = (self.store.code(one), self.store.code(other))
            for sides in (*self._by_head.get(heads, ()), *self._by_head.get((heads[0], -1), ())):
                law = self._apply(sides, one, other)
                if law is not None and self.may(law, forward):
                    return law, forward
        return None

    def _apply(self, sides: _Sides, left: int, right: int) -> Law | None:
        bound: dict[str, int] = {}
        if not _fits(self.store, sides.left, left, bound):
            return None
        if fill(self.store, sides.rule.rhs, bound) != right:
            return None
        reasons = self.reasons(sides.rule, bound)
        return None if reasons is None else Law(sides.rule, tuple(sorted(bound.items())), reasons)


def _fits(store: Store, pattern: Pattern, node: int, bound: dict[str, int]) -> bool:
    """Match a pattern with a term as it stands."""
    if pattern.name:
        return bound.setdefault(pattern.name, node) == node
    if pattern.constant is not None:
        value = pattern.constant.value
        assert value is not None
        return store.value(node) is not None and store.constant(value) == node
    if store.code(node) != pattern.code:
        return False
    pairs = zip(pattern.below, store.children(node), strict=True)
    return all(_fits(store, below, child, bound) for below, child in pairs)


def shortened(
    store: Store, start: int, moves: Sequence[Move], laws: Laws, deadline: float
) -> list[Move]:
    """Return a derivation of the same two terms that is no longer.

    Of several laws for a step one that is used from left to right is preferred.
    """
    kept = without_loops(store, start, moves)
    while len(kept) <= LONGEST:
        before = len(kept)
        ordered = _redone(store, start, inner_first(kept), wholes(store, start, kept)[-1], laws)
        kept = _skipping(store, start, kept if ordered is None else ordered, laws, deadline)
        kept = _without_pairs(store, start, kept, laws, deadline)
        if len(kept) == before or time.process_time() > deadline:
            break
    return [_forwards(move, laws) for move in kept]


def wholes(store: Store, start: int, moves: Sequence[Move]) -> list[int]:
    """Return the whole terms of a derivation, the first and the last one too."""
    found = [start]
    for move in moves:
        found.append(put(store, found[-1], move.place, move.target))
    return found


def without_loops(store: Store, start: int, moves: Sequence[Move]) -> list[Move]:
    """Leave out what leads back to a term that was there before."""
    terms = wholes(store, start, moves)
    last = {term: at for at, term in enumerate(terms)}
    kept: list[Move] = []
    at = last[terms[0]]
    while at < len(moves):
        kept.append(moves[at])
        at = last[terms[at + 1]]
    return kept


def _skipping(
    store: Store, start: int, moves: list[Move], laws: Laws, deadline: float
) -> list[Move]:
    """Take, from each term, the furthest later one that a single law leads to."""
    terms = wholes(store, start, moves)
    kept: list[Move] = []
    at = 0
    while at < len(moves):
        step, ahead = moves[at], at + 1
        if time.process_time() < deadline:
            for further in range(len(moves), at + 1, -1):
                found = _one_law(store, terms[at], terms[further], laws)
                if found is not None:
                    step, ahead = found, further
                    break
        kept.append(step)
        at = ahead
    return kept


def _one_law(store: Store, source: int, target: int, laws: Laws) -> Move | None:
    place: Place = ()
    while source != target:
        found = laws.between(source, target)
        if found is not None:
            return Move(*found, place, source, target)
        one, other = store.children(source), store.children(target)
        if store.code(source) != store.code(target) or len(one) != len(other):
            return None
        differs = [k for k, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
        if len(differs) != 1:
            return None
        place, source, target = (*place, differs[0]), one[differs[0]], other[differs[0]]
    return None


def _without_pairs(
    store: Store, start: int, moves: list[Move], laws: Laws, deadline: float
) -> list[Move]:
    """Leave out one or two steps without which the others still lead to the end."""
    goal = wholes(store, start, moves)[-1]
    at = 0
    while at < len(moves):
        for other in range(len(moves) - 1, at - 1, -1):
            if time.process_time() > deadline:
                return moves
            rest = [m for k, m in enumerate(moves) if k not in (at, other)]
            redone = _redone(store, start, rest, goal, laws)
            if redone is not None:
                moves = redone
                break
        else:
            at += 1
    return moves


def _redone(
    store: Store, start: int, moves: Sequence[Move], goal: int, laws: Laws
) -> list[Move] | None:
    """Apply the laws of some steps again where they were; None unless they lead to the goal."""
    term, made = start, []
    for move in moves:
        again = _again(store, term, move, laws)
        if again is None:
            return None
        made.append(again)
        term = put(store, term, again.place, again.target)
    return made if term == goal else None


def _again(store: Store, term: int, move: Move, laws: Laws) -> Move | None:
    try:
        source = subterm(store, term, move.place)
    except IndexError:
        return None
    if source == move.source:
        return move
    rule = move.law.rule
    if rule is None:
        return None
    sides = (rule.lhs, rule.rhs) if move.forward else (rule.rhs, rule.lhs)
    bound: dict[str, int] = {}
    if not _fits(store, pattern_of(sides[0]), source, bound):
        return None
    if len(bound) < len(move.law.instance):
        return None
    reasons = laws.reasons(rule, bound)
    if reasons is None:
        return None
    law = Law(rule, tuple(sorted(bound.items())), reasons)
    if not laws.may(law, move.forward):
        return None
    return replace(move, law=law, source=source, target=fill(store, sides[1], bound))


def _forwards(move: Move, laws: Laws) -> Move:
    found = None if move.forward else laws.between(move.source, move.target)
    return move if found is None else replace(move, law=found[0], forward=found[1])
