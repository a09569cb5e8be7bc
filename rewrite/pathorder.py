"""The recursive path order: which precedence of ops makes every left side larger than its right.

Source: N. Dershowitz, "Orderings for term-rewriting systems", 1982; statuses after Kamin and Levy,
1980. Arguments of commutative ops are compared as multisets, which makes the order the same for
terms that differ in their order; it is no order up to regrouping.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rewrite.tree import Head, Node, Sides, Tree, Var, canonical, commutes, occurrences

__all__ = ["PathOrder", "path_order"]

type Precedence = frozenset[tuple[Head, Head]]
"""Pairs (larger, smaller), closed under transitivity."""

STATUSES: Final = ("from the left", "from the right", "as a multiset")


@dataclass(frozen=True)
class PathOrder:
    """A precedence, and how arguments of ops that do not commute are compared."""

    above: Precedence
    status: str

    def __str__(self) -> str:
        """Write the precedence from the largest op to the smallest."""
        heads = {head for pair in self.above for head in pair}
        below = {head: sum(pair[0] == head for pair in self.above) for head in heads}
        lines: dict[int, list[str]] = {}
        for head in heads:
            lines.setdefault(below[head], []).append(str(head))
        chain = " > ".join(", ".join(sorted(lines[depth])) for depth in sorted(lines, reverse=True))
        return f"path order, {chain or 'no precedence'}; arguments compared {self.status}"


def path_order(rules: Sequence[Sides], budget: int = 20_000) -> PathOrder | None:
    """Find a precedence and a status that orient all the rules; None if none is found.

    >>> from rewrite.rule import Rule
    >>> from rewrite.leaves import pattern_vars
    >>> from rewrite.tree import sides
    >>> a, b, c = pattern_vars("a b c")
    >>> str(path_order([sides(Rule("distribute", a * (b + c), a * b + a * c))]))
    'path order, mul > add; arguments compared from the left'
    """
    pairs = [(canonical(each.left), canonical(each.right)) for each in rules]
    for status in STATUSES:
        try:
            found = next(_Search(status, budget).all_greater(pairs, 0, frozenset()), None)
        except _SpentError:
            continue
        if found is not None:
            return PathOrder(found, status)
    return None


class _SpentError(Exception):
    """The budget is used up."""


class _Search:
    """Goes through the precedences under which one tree is larger than another."""

    def __init__(self, status: str, budget: int) -> None:
        self.status, self.budget = status, budget

    def all_greater(
        self, pairs: Sequence[tuple[Tree, Tree]], at: int, known: Precedence
    ) -> Iterator[Precedence]:
        if at == len(pairs):
            yield known
            return
        seen: set[Precedence] = set()
        for more in self.greater(*pairs[at], known):
            if more not in seen:
                seen.add(more)
                yield from self.all_greater(pairs, at + 1, more)

    def greater(self, one: Tree, other: Tree, known: Precedence) -> Iterator[Precedence]:
        self.budget -= 1
        if self.budget < 0:
            raise _SpentError
        if isinstance(one, Var) or one == other:
            return
        if isinstance(other, Var):
            if other.name in occurrences(one):
                yield known
            return
        for arg in one.args:
            if arg == other:
                yield known
                return
            yield from self.greater(arg, other, known)
        if one.head == other.head:
            yield from self._arguments(one, other, known)
        else:
            more = _with(known, one.head, other.head)
            if more is not None:
                yield from self.all_greater([(one, arg) for arg in other.args], 0, more)

    def _arguments(self, one: Node, other: Node, known: Precedence) -> Iterator[Precedence]:
        if commutes(one.head.code) or self.status == STATUSES[2]:
            yield from self._multiset(list(one.args), list(other.args), known)
            return
        backwards = self.status == STATUSES[1]
        mine, theirs = (t.args[::-1] if backwards else t.args for t in (one, other))
        differ = [
            at for at, pair in enumerate(zip(mine, theirs, strict=True)) if pair[0] != pair[1]
        ]
        first = differ[0]  # as the two are not equal
        rest = [(one, arg) for arg in theirs[first + 1 :]]
        yield from self.all_greater([(mine[first], theirs[first]), *rest], 0, known)

    def _multiset(
        self, mine: list[Tree], theirs: list[Tree], known: Precedence
    ) -> Iterator[Precedence]:
        for arg in list(mine):
            if arg in theirs:
                mine.remove(arg)
                theirs.remove(arg)
        if mine:
            yield from self._covered(mine, theirs, known)

    def _covered(
        self, mine: list[Tree], theirs: list[Tree], known: Precedence
    ) -> Iterator[Precedence]:
        if not theirs:
            yield known
            return
        for arg in mine:
            for more in self.greater(arg, theirs[0], known):
                yield from self._covered(mine, theirs[1:], more)


def _with(known: Precedence, large: Head, small: Head) -> Precedence | None:
    """Add a pair; None if the opposite is known."""
    if (small, large) in known:
        return None
    if (large, small) in known:
        return known
    over = [large, *(up for up, down in known if down == large)]
    under = [small, *(down for up, down in known if up == small)]
    return known | {(up, down) for up in over for down in under}
