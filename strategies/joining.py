"""Critical pairs as terms: what two rules make of one term, and whether the results meet again."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final, NamedTuple

from rewrite import ops
from rewrite.concrete import every_step, instances, results
from rewrite.critical import Overlap
from rewrite.errors import StrategyError
from rewrite.rule import RuleSet
from rewrite.store import Store
from rewrite.term import Term
from strategies.base import strategy
from strategies.traversal import innermost

__all__ = ["Joiner", "Meeting", "Peak", "peak"]

WAYS: Final = 30
"""So many results of a rule are looked at: a sum has many parts."""


@dataclass(frozen=True)
class Peak:
    """A term, and what two rules make of it."""

    term: Term
    outer: tuple[Term, ...]
    inner: tuple[Term, ...]


def peak(overlap: Overlap, store: Store) -> Peak | None:
    """Make a term on which both rules of an overlap fire; None if none is found."""

    def accept(node: int) -> Peak | None:
        term = Term(store, node)
        outer = tuple(islice(results(overlap.outer.rule, term, ()), WAYS))
        inner = results(overlap.inner.rule, term, overlap.place) if outer else ()
        made = tuple(islice(inner, WAYS))
        return Peak(term, outer, made) if made else None

    return instances(overlap.tree, [overlap.outer.rule, overlap.inner.rule], store, accept)


class Meeting(NamedTuple):
    """Whether two terms join; what they end in, and whether both ends are normal forms."""

    joins: bool
    ends: tuple[Term, Term]
    final: bool


class Joiner:
    """Rewrites terms of one store by a group, and compares them as its rules see them.

    Terms are the same if they differ only in the order of arguments that commute, or in the
    grouping of ops in `grouped`.
    """

    def __init__(self, group: RuleSet, grouped: frozenset[int], firings: int, width: int) -> None:
        self.rules = group.rules
        self.normalise = innermost(strategy(group), limit=firings)
        self.grouped, self.width = grouped, width
        self.forms: dict[int, int] = {}
        self.ends: dict[int, Term | None] = {}
        self.reached: dict[int, frozenset[int]] = {}

    def join(self, one: Term, other: Term) -> Meeting:
        """Normalise both, and where that gives two terms look for others that both reach."""
        ends = (self._end(one), self._end(other))
        reached = (one if ends[0] is None else ends[0], other if ends[1] is None else ends[1])
        if self.same(*reached):
            return Meeting(True, reached, True)
        final = ends[0] is not None and ends[1] is not None
        meet = not self._reachable(one).isdisjoint(self._reachable(other))
        return Meeting(meet, reached, final)

    def _end(self, term: Term) -> Term | None:
        if term.id not in self.ends:
            try:
                self.ends[term.id] = self.normalise(term)
            except StrategyError:  # it does not end
                self.ends[term.id] = None
        return self.ends[term.id]

    def _reachable(self, term: Term) -> frozenset[int]:
        """Return the forms of terms that the rules make of one, worked out once."""
        if term.id not in self.reached:
            self.reached[term.id] = frozenset(map(self.form, self._onwards(term)))
        return self.reached[term.id]

    def _onwards(self, term: Term) -> list[Term]:
        """Return terms that the rules make of one, breadth first, at most so many."""
        seen, queue = {term.id}, [term]
        for top in queue:
            for step in every_step(self.rules, top):
                if len(queue) >= self.width:
                    return queue
                if step.after.id not in seen:
                    seen.add(step.after.id)
                    queue.append(step.after)
        return queue

    def same(self, one: Term, other: Term) -> bool:
        """Tell whether two terms are the same to the rules."""
        return one.id == other.id or self.form(one) == self.form(other)

    def form(self, term: Term) -> int:
        """Return the id of a representative of the terms that are the same."""
        store, forms = term.store, self.forms
        missing, stack = set(), [term.id]
        while stack:
            node = stack.pop()
            if node not in forms and node not in missing:
                missing.add(node)
                stack += store.children(node)
        for node in sorted(missing):  # children come before their parents
            forms[node] = self._form(store, node)
        return forms[term.id]

    def _form(self, store: Store, node: int) -> int:
        code = store.code(node)
        children = [self.forms[child] for child in store.children(node)]
        if not children:
            return node
        if ops.OPS[code].arity >= 0 and len(children) != 2:
            return store.make((code, *children))
        if code in self.grouped:
            parts = list(self._flat(store, code, children))
            if ops.associates(code, [store.sort(part) for part in parts]):
                return self._nested(store, code, self._ordered(store, code, parts))
        made = children[0]
        for child in children[1:]:  # a + b + c is (a + b) + c
            made = store.make((code, *self._ordered(store, code, [made, child])))
        return made

    def _ordered(self, store: Store, code: int, parts: list[int]) -> list[int]:
        """Sort arguments if each may be exchanged with each."""
        kinds = {store.sort(part) for part in parts}
        free = all(ops.swaps(code, one, other) for one in kinds for other in kinds)
        return sorted(parts) if free else parts

    def _flat(self, store: Store, code: int, children: list[int]) -> Iterator[int]:
        """Yield the arguments of nested nodes with an op."""
        stack = children[::-1]
        while stack:
            node = stack.pop()
            if store.code(node) == code:
                stack += reversed(store.children(node))
            else:
                yield node

    def _nested(self, store: Store, code: int, parts: list[int]) -> int:
        made = parts[0]
        for part in parts[1:]:
            made = store.make((code, made, part))
        return made
