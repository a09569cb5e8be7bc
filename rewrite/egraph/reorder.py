"""The order of steps: inner parts come first, so that steps about one place meet."""

from collections.abc import Sequence
from dataclasses import replace

from rewrite.egraph.ematch import Pattern, pattern_of
from rewrite.egraph.plain import Place
from rewrite.egraph.proofs import Move

__all__ = ["earlier", "inner_first"]


def earlier(first: Move, second: Move) -> Place | None:
    """Return where the second of two steps would stand if it came first; None if it may not.

    It may where it is beside the first one, or inside what a variable of that one's law stands for
    which the law does not multiply.
    """
    depth = len(first.place)
    if second.place[:depth] != first.place:
        inside = first.place[: len(second.place)] == second.place
        return None if inside else second.place
    rule, below = first.law.rule, second.place[depth:]
    if rule is None:
        return None
    sides = (rule.lhs, rule.rhs) if first.forward else (rule.rhs, rule.lhs)
    before, after = (_variables(pattern_of(side)) for side in sides)
    for place, name in after:
        if below[: len(place)] == place:
            olds = [p for p, n in before if n == name]
            if len(olds) == 1 and sum(n == name for _, n in after) == 1:
                return (*first.place, *olds[0], *below[len(place) :])
    return None


def _variables(pattern: Pattern, place: Place = ()) -> list[tuple[Place, str]]:
    if pattern.name:
        return [(place, pattern.name)]
    return [
        found for k, below in enumerate(pattern.below) for found in _variables(below, (*place, k))
    ]


def inner_first(moves: Sequence[Move]) -> list[Move]:
    """Return the steps with those inside others, and those further left, before them.

    Only the places are right then: what stands there must be made anew.
    """
    kept = list(moves)
    for _ in range(len(kept)):
        moved = False
        for k in range(len(kept) - 1):
            first, second = kept[k], kept[k + 1]
            place = earlier(first, second)
            if place is None:
                continue
            inside = second.place[: len(first.place)] == first.place
            if inside or place < first.place:
                kept[k : k + 2] = [replace(second, place=place), first]
                moved = True
        if not moved:
            break
    return kept
