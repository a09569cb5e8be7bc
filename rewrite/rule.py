"""Rules and rule sets: laws as rows of a table, written in the host's operators.

A rule is a name, a left side, a right side and named conditions; a rule set adds the licence that
its laws need. The same rule drives the classical rewriter and the e-graph.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from rewrite import ops
from rewrite.errors import PatternError
from rewrite.fastmath import FastMath
from rewrite.sorts import BOOL, REAL, Sort
from rewrite.store import Symbol
from rewrite.term import RULES, Term, lift

__all__ = ["Condition", "Rule", "RuleSet", "ruleset"]


_KINDS: Final = {REAL: "a number", BOOL: "a truth value"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A named predicate that a term matched by a pattern must be known to satisfy.

    `kind` is a row of `rewrite.conditions.KINDS`; `term` is a pattern over the rule's variables.
    """

    kind: str
    term: Term

    def __repr__(self) -> str:
        """Write as in the tables: nonzero(?a)."""
        return f"{self.kind}({self.term!r})"


@dataclass(frozen=True, slots=True)
class Rule:
    """A law: wherever `lhs` matches and the conditions hold, `rhs` has the same value.

    Raise `PatternError` if `rhs` or a condition has a variable that `lhs` lacks, or if `lhs` is
    a bare variable or constant.
    """

    name: str
    lhs: Term
    rhs: Term
    where: tuple[Condition, ...] = ()
    licence: FastMath = field(default=FastMath.NONE)

    def __post_init__(self) -> None:
        """Check the variables."""
        bound = set(variables(self.lhs))
        for what, side in (("right side", self.rhs), *((repr(c), c.term) for c in self.where)):
            free = sorted(v for v in variables(side) if v not in bound)
            if free:
                raise PatternError(
                    f"rule {self.name!r}: the {what} has the variable {', '.join(free)}, which "
                    f"the left side {self.lhs!r} lacks"
                )
        self._check_sorts()
        if not isinstance(self.licence, FastMath):
            raise PatternError(f"rule {self.name!r}: the licence {self.licence!r} is no FastMath")
        if self.lhs.op in (ops.PVAR, ops.CONST):
            raise PatternError(f"rule {self.name!r}: the left side {self.lhs!r} matches anything")

    def _check_sorts(self) -> None:
        left, right = self.lhs.sort.family, self.rhs.sort.family
        if left is not right:
            kinds = [_KINDS.get(kind, f"a {kind}") for kind in (left, right)]
            raise PatternError(
                f"rule {self.name!r}: the left side is {kinds[0]}, the right side {kinds[1]}"
            )
        for condition in self.where:
            if not condition.term.sort.fits(REAL):
                raise PatternError(
                    f"rule {self.name!r}: the condition {condition!r} is about a "
                    f"{condition.term.sort}; conditions are about numbers"
                )
        found: dict[str, Sort] = {}
        for side in (self.lhs, self.rhs, *(c.term for c in self.where)):
            for variable in symbols_of(side):
                known = found.setdefault(variable.name, variable.sort)
                if known is not variable.sort:
                    raise PatternError(
                        f"rule {self.name!r}: ?{variable.name} is a {known} in one place and a "
                        f"{variable.sort} in another; rename one"
                    )

    def __repr__(self) -> str:
        """Write as the law: name: lhs -> rhs if conditions."""
        given = f" if {', '.join(map(repr, self.where))}" if self.where else ""
        return f"{self.name}: {self.lhs!r} -> {self.rhs!r}{given}"


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A named group of rules with one licence; `+` joins groups, iterating gives the rules."""

    name: str
    rules: tuple[Rule, ...]

    def __iter__(self) -> Iterator[Rule]:
        """Iterate over the rules in the order of the table."""
        return iter(self.rules)

    def __len__(self) -> int:
        """Count the rules."""
        return len(self.rules)

    def __add__(self, other: "RuleSet") -> "RuleSet":
        """Join two groups; each rule keeps its own licence."""
        fresh = [rule for rule in other.rules if rule not in set(self.rules)]
        return RuleSet(f"{self.name}+{other.name}", (*self.rules, *fresh))

    def __getitem__(self, name: str) -> Rule:
        """Find a rule by name."""
        for rule in self.rules:
            if rule.name == name:
                return rule
        raise PatternError(f"rule set {self.name!r} has no rule {name!r}")

    def allowed(self, licence: FastMath) -> "RuleSet":
        """Keep the rules whose licence is granted."""
        return RuleSet(self.name, tuple(r for r in self.rules if r.licence in licence))

    def __repr__(self) -> str:
        """Show the name and the size."""
        return f"<RuleSet {self.name}: {len(self.rules)} rules>"


def variables(pattern: Term) -> tuple[str, ...]:
    """Return the names of a pattern's variables."""
    return tuple(sorted({symbol.name for symbol in symbols_of(pattern)}))


def symbols_of(pattern: Term) -> list[Symbol]:
    """Return what the variables of a pattern are, by name."""
    store, stack = pattern.store, [pattern.id]
    found: set[Symbol] = set()
    while stack:
        node = stack.pop()
        if store.code(node) == ops.PVAR.code:
            found.add(store.symbols[store.payload(node)])
        stack += store.children(node)
    return sorted(found, key=lambda symbol: (symbol.name, symbol.sort.name))


def ruleset(name: str, licence: FastMath, *rows: tuple[Any, ...]) -> RuleSet:
    """Make a rule set of rows (name, lhs, rhs) or (name, lhs, rhs, condition or conditions).

    >>> from rewrite.term import pattern_vars
    >>> a, b = pattern_vars("a b")
    >>> ruleset("demo", FastMath.NONE, ("add-comm", a + b, b + a)).rules[0]
    add-comm: ?a + ?b -> ?b + ?a
    """
    rules = []
    for row in rows:
        if len(row) not in (3, 4):
            raise PatternError(
                f"rule set {name!r}: a row has 3 or 4 entries, not {len(row)}: {row}"
            )
        title, lhs, rhs, *rest = row
        given = rest[0] if rest else ()
        given = tuple(given) if isinstance(given, (tuple, list)) else (given,)
        odd = [c for c in given if not isinstance(c, Condition)]
        if odd:
            raise PatternError(f"rule {title!r}: {odd[0]!r} is no condition; try nonzero(a)")
        rules.append(Rule(title, lift(lhs, RULES), lift(rhs, RULES), given, licence))
    names = [rule.name for rule in rules]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise PatternError(f"rule set {name!r} has two rules called {twice[0]!r}")
    return RuleSet(name, tuple(rules))
