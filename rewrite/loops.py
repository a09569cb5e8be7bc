"""Loops: a term from which rules come back to a term that contains an instance of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rewrite import ops
from rewrite.concrete import At, at, every_step, instances, results, subterms
from rewrite.critical import narrowings
from rewrite.rule import Rule
from rewrite.sorts import INT
from rewrite.store import Store, Symbol
from rewrite.term import Term
from rewrite.tree import Place, Sides, Tree

__all__ = ["Loop", "find_loops"]


@dataclass(frozen=True)
class Loop:
    """A chain of firings; the part of the last term at `place` is the first one, instantiated."""

    steps: tuple[At, ...]
    place: Place
    instance: tuple[tuple[Term, Term], ...]
    """What the symbols of the first term stand for in the last one."""

    @property
    def start(self) -> Term:
        """The term from which it starts."""
        return self.steps[0].before

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules, in order."""
        return tuple(step.rule for step in self.steps)

    def __str__(self) -> str:
        chain = "".join(f" -> {step.after} ({step.rule})" for step in self.steps)
        moved = [f"{old} = {new}" for old, new in self.instance if old != new]
        where = f", at {at(self.steps[-1].after, self.place)}" if self.place else ""
        again = f"again{where} with {', '.join(moved)}" if moved else f"again{where}"
        return f"{self.start}{chain}: {again}"


def find_loops(
    rules: Sequence[Sides], *, depth: int = 6, terms: int = 3_000, most: int = 8
) -> tuple[Loop, ...]:
    """Look for loops from the left sides, breadth first, at most `terms` terms in all.

    Of loops with the same rules the first is returned.

    >>> from rewrite.leaves import pattern_vars
    >>> from rewrite.tree import sides
    >>> a, b = pattern_vars("a b")
    >>> print(*find_loops([sides(Rule("add-comm", a + b, b + a))]))
    x + y -> y + x (add-comm): again with x = y, y = x
    """
    found: dict[frozenset[str], Loop] = {}
    given = [each.rule for each in rules]
    budget = _Budget(terms)
    share = max(30, terms // max(1, 2 * len(rules)))
    for rule, tree in _starts(rules):
        if not budget.left or len(found) == most:
            break
        start = _start(rule, tree)
        if start is not None:
            loop = _from(start, given, depth, budget.part(share))
            if loop is not None:
                found.setdefault(frozenset(loop.rules), loop)
    return tuple(found.values())


@dataclass
class _Budget:
    """How many more terms may be made."""

    left: int

    def part(self, most: int) -> "_Budget":
        part = _Budget(min(most, self.left))
        self.left -= part.left
        return part


def _starts(rules: Sequence[Sides]) -> Iterator[tuple[Rule, Tree]]:
    for each in rules:
        yield each.rule, each.left
    for each, tree in narrowings(rules):
        yield each.rule, tree


def _start(rule: Rule, tree: Tree) -> Term | None:
    """Make a concrete term of a tree to which the rule applies."""
    store = Store()

    def accept(node: int) -> Term | None:
        term = Term(store, node)
        return term if next(results(rule, term, ()), None) is not None else None

    return instances(tree, [rule], store, accept)


def _from(start: Term, rules: Sequence[Rule], depth: int, budget: _Budget) -> Loop | None:
    seen = {start.id}
    level: list[tuple[At, ...]] = [()]
    for _ in range(depth):
        longer: list[tuple[At, ...]] = []
        for path in level:
            for step in every_step(rules, path[-1].after if path else start):
                loop = _closed(start, (*path, step), rules)
                if loop is not None:
                    return loop
                budget.left -= 1
                if budget.left <= 0:
                    return None
                if step.after.id not in seen:
                    seen.add(step.after.id)
                    longer.append((*path, step))
        level = longer
    return None


def _closed(start: Term, path: tuple[At, ...], rules: Sequence[Rule]) -> Loop | None:
    """Return the loop if the last term has an instance of the first, on which all fire again."""
    for place, part in subterms(path[-1].after):
        found = _instance(start, part, {})
        if found is not None and _fires_again(path, found, rules):
            store = start.store
            pairs = tuple((Term(store, old), Term(store, new)) for old, new in found.items())
            return Loop(path, place, pairs)
    return None


def _instance(pattern: Term, term: Term, known: Mapping[int, int]) -> Mapping[int, int] | None:
    """Match a term against another whose symbols are the variables.

    A symbol with a domain stands for itself or one of the same domain: conditions hold because of
    it.
    """
    symbol = pattern.symbol
    if symbol is not None:
        if pattern.id in known:
            return known if known[pattern.id] == term.id else None
        return {**known, pattern.id: term.id} if _may_be(symbol, pattern, term) else None
    if pattern.id == term.id and not pattern.args:
        return known
    if pattern.op is not term.op or len(pattern.args) != len(term.args) or not pattern.args:
        return None
    for mine, theirs in zip(pattern.args, term.args, strict=True):
        more = _instance(mine, theirs, known)
        if more is None:
            return None
        known = more
    return known


def _may_be(symbol: Symbol, pattern: Term, term: Term) -> bool:
    if pattern.op is not ops.SYMBOL:
        return False
    other = term.symbol
    if symbol.low is not None or symbol.high is not None or symbol.sort == INT:
        domain = (symbol.dtype, symbol.low, symbol.high)
        return other is not None and domain == (other.dtype, other.low, other.high)
    return term.sort.fits(pattern.sort)


def _fires_again(
    path: Sequence[At], instance: Mapping[int, int], rules: Sequence[Rule]
) -> bool:  # fmt: skip
    """Check that the chain can be walked once more from the instance."""
    store = path[0].before.store
    swap = {Term(store, old): Term(store, new) for old, new in instance.items()}
    by_name = {rule.name: rule for rule in rules}
    for step in path:
        before, after = step.before.substitute(swap), step.after.substitute(swap)
        if after not in results(by_name[step.rule], before, step.place):
            return False
    return True
