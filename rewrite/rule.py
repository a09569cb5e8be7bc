"""Rules and rule sets: laws as rows of a table, written in the host's operators.

A rule is a name, a left side, a right side and named conditions; a rule set adds the licence that
its laws need. The same rule drives the classical rewriter and the e-graph.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rewrite import ops
from rewrite.display import Displayed
from rewrite.errors import PatternError
from rewrite.fastmath import FastMath
from rewrite.leaves import RULES
from rewrite.sorts import BOOL, REAL
from rewrite.store import Symbol
from rewrite.tables import Table
from rewrite.term import Term, lift

if TYPE_CHECKING:
    from rewrite.certificates import Certificate

__all__ = [
    "IDENTITY", "Check", "Compute", "Condition", "Rule", "RuleSet", "compute", "predicate",
    "ruleset",
]  # fmt: skip

IDENTITY: Final = {ops.ADD.code: 0, ops.MUL.code: 1, ops.AND.code: True, ops.OR.code: False}
"""What an op of no arguments is; the others need one."""


MOST_LISTED: Final = 100
"""Rules in a table."""
_KINDS: Final = {REAL: "a number", BOOL: "a truth value"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A named predicate that a term matched by a pattern must be known to satisfy.

    `kind` is a row of `rewrite.conditions.KINDS` or `SHAPES`; `term` is a pattern over the rule's
    variables. Of a sequence variable, each term of the sequence must satisfy it.
    """

    kind: str
    term: Term

    @property
    def parts(self) -> tuple[Term, ...]:
        """The patterns it speaks of."""
        return (self.term,)

    @property
    def about_numbers(self) -> bool:
        """Tell whether it is a fact about a value, and not about how a term is written."""
        return self.kind not in SHAPES

    def __repr__(self) -> str:
        """Write as in the tables: nonzero(?a)."""
        return f"{self.kind}({', '.join(map(repr, self.parts))})"


@dataclass(frozen=True, slots=True, repr=False)
class Check(Condition):
    """A condition that a Python function of matched terms decides; `kind` is its name."""

    function: Callable[..., Any]
    args: tuple[Term, ...]

    @property
    def parts(self) -> tuple[Term, ...]:
        """The patterns it speaks of."""
        return self.args

    @property
    def about_numbers(self) -> bool:
        """Tell that its function decides what it is about."""
        return False


@dataclass(frozen=True, slots=True)
class Compute:
    """A right side that a Python function of matched terms computes."""

    function: Callable[..., Any]
    args: tuple[Term, ...]

    def __repr__(self) -> str:
        """Write as a call: total(?a, ?b)."""
        return f"{self.function.__name__}({', '.join(map(repr, self.args))})"


def compute(function: Callable[..., Any], *args: Any) -> Compute:
    """Let a function of the matched terms compute the right side of a rule.

    It returns a term, a number, or None where the rule does not apply. A sequence variable is
    handed over as a tuple.

    >>> from rewrite.leaves import pattern_vars
    >>> def total(x, y):
    ...     return x.value + y.value
    >>> compute(total, *pattern_vars("a b"))
    total(?a, ?b)
    """
    _named(function, "a right side that computes")
    return Compute(function, tuple([lift(arg, RULES) for arg in args]))


def predicate(function: Callable[..., Any]) -> Callable[..., Check]:
    """Make a condition of rules out of a function of matched terms.

    Raise `PatternError` for a function without a name, and where it is given no variable.

    >>> from rewrite.leaves import pattern_vars
    >>> @predicate
    ... def small(term):
    ...     return term.node_count() < 9
    >>> (a,) = pattern_vars("a")
    >>> Rule("neg-neg", -(-a), a, (small(a),))
    neg-neg: --?a -> ?a if small(?a)
    """
    _named(function, "a condition")

    @functools.wraps(function)
    def condition(*args: Any) -> Check:
        parts = tuple([lift(arg, RULES) for arg in args])
        if not parts:
            raise PatternError(f"the condition {function.__name__} speaks of no variable")
        return Check(function.__name__, parts[0], function, parts)

    return condition


def _named(function: Any, what: str) -> None:
    name = getattr(function, "__name__", None)
    if not callable(function) or name is None or name == "<lambda>":
        raise PatternError(f"{what} is a function with a name, not {function!r}; write a def")


@dataclass(frozen=True, slots=True)
class Rule(Displayed):
    """A law: wherever `lhs` matches and the conditions hold, `rhs` has the same value.

    `rhs` is a `Term`, or a `Compute`. Raise `PatternError` if `rhs` or a condition has a variable
    that `lhs` lacks, if `lhs` is a bare variable or constant, or if a sequence variable stands
    elsewhere than among the arguments of an associative op.
    """

    name: str
    lhs: Term
    rhs: Any
    where: tuple[Condition, ...] = ()
    licence: FastMath = field(default=FastMath.NONE)
    symbolic: bool = field(init=False, repr=False, compare=False, default=False)
    """Whether it is a law between two terms, which every engine can use.

    Else it computes, asks a Python function or how a term is written, or has a sequence variable;
    then the classical engine alone runs it.
    """

    def __post_init__(self) -> None:
        """Check the variables."""
        if not isinstance(self.licence, FastMath):
            raise PatternError(f"rule {self.name!r}: the licence {self.licence!r} is no FastMath")
        if not isinstance(self.name, str) or not self.name:
            raise PatternError(f"{self.name!r} is no name for a rule; give a text")
        if not self.name.isprintable() or not {'"', "\\"}.isdisjoint(self.name):
            raise PatternError(
                f"rule {self.name!r}: the name is written in e-graphs and reports; do without "
                "double quotes, backslashes and control characters"
            )
        if not isinstance(self.lhs, Term):
            raise PatternError(
                f"rule {self.name!r}: the left side {self.lhs!r} is no term; write it with "
                "rw.pattern_vars"
            )
        if self.lhs.op in (ops.PVAR, ops.CONST):
            raise PatternError(f"rule {self.name!r}: the left side {self.lhs!r} matches anything")
        if not isinstance(self.rhs, (Term, Compute)):
            raise PatternError(
                f"rule {self.name!r}: the right side {self.rhs!r} is no term; rw.ruleset takes "
                "numbers too, and rw.compute a function"
            )
        given = self.where if isinstance(self.where, tuple) else (self.where,)
        odd = [c for c in given if not isinstance(c, Condition)]
        if odd or given is not self.where:
            raise PatternError(
                f"rule {self.name!r}: {(odd or given)[0]!r} is no tuple of conditions; write "
                "(rw.nonzero(a),), and rw.predicate for a function"
            )
        _check_variables(self)
        _check_sequences(self)
        _check_sorts(self)
        law = (
            isinstance(self.rhs, Term)
            and all(condition.about_numbers for condition in self.where)
            and not any(symbol.many for symbol in symbols_of(self.lhs))
            and not any(_speaks_of_symbols(side) for side in (self.lhs, self.rhs))
        )
        object.__setattr__(self, "symbolic", law)

    @property
    def parts(self) -> tuple[tuple[str, Term], ...]:
        """The patterns besides the left side, each with what it is."""
        computed = isinstance(self.rhs, Compute)
        sides = [("right side", side) for side in (self.rhs.args if computed else (self.rhs,))]
        return (*sides, *((repr(c), part) for c in self.where for part in c.parts))

    @property
    def certificate(self) -> "Certificate":
        """How the law is known: the kind of a proof, or that it was tried at points.

        >>> from rewrite.leaves import pattern_vars
        >>> a, b = pattern_vars("a b")
        >>> Rule("factor", a * b + a, a * (b + 1), licence=FastMath.REASSOC).certificate
        Certificate(kind='identity', note='')
        """
        from rewrite.certificates import certificate

        return certificate(self)

    def __repr__(self) -> str:
        """Write as the law: name: lhs -> rhs if conditions."""
        return f"{self.name}: {self.law()}"

    def law(self) -> str:
        """Write the law without its name: lhs -> rhs if conditions."""
        given = f" if {', '.join(map(repr, self.where))}" if self.where else ""
        return f"{self.lhs!r} -> {self.rhs!r}{given}"

    def latex(self) -> str:
        r"""Write the law as LaTeX, with its name.

        >>> from rewrite.leaves import pattern_vars
        >>> a, b = pattern_vars("a b")
        >>> print(Rule("add-comm", a + b, b + a).latex())
        \texttt{add-comm}:\quad a + b \rightarrow b + a
        """
        from rewrite.ruletext import latex_of

        return latex_of(self)

    def _repr_latex_(self) -> str | None:
        from rewrite.printing import displayed

        return displayed(self.latex())


SHAPES: Final[dict[str, str]] = {
    "literal": "it is a number, written out",
    "symbolic": "it is no literal",
    "atom": "it is a symbol or a literal",
}
"""Conditions on how a term is written: kind -> meaning. They ask nothing of its value."""


def _check_variables(rule: Rule) -> None:
    bound = set(variables(rule.lhs))
    found: dict[str, Symbol] = {}
    for what, side in (("left side", rule.lhs), *rule.parts):
        free = sorted(v for v in variables(side) if v not in bound)
        if free:
            raise PatternError(
                f"rule {rule.name!r}: the {what} has the variable {', '.join(free)}, which "
                f"the left side {rule.lhs!r} lacks"
            )
        for one in symbols_of(side):
            known = found.setdefault(one.name, one)
            if known.sort is not one.sort:
                raise PatternError(
                    f"rule {rule.name!r}: ?{one.name} is a {known.sort} in one place and a "
                    f"{one.sort} in another; rename one"
                )
            if known.many != one.many:
                raise PatternError(
                    f"rule {rule.name!r}: ?{one.name} is a term in one place and a sequence in "
                    "another; rename one"
                )


def _check_sorts(rule: Rule) -> None:
    left = rule.lhs.sort.family
    right = rule.rhs.sort.family if isinstance(rule.rhs, Term) else left
    if left is not right:
        kinds = [_KINDS.get(kind, f"a {kind}") for kind in (left, right)]
        raise PatternError(
            f"rule {rule.name!r}: the left side is {kinds[0]}, the right side {kinds[1]}"
        )
    for condition in rule.where:
        if condition.about_numbers and not condition.term.sort.fits(REAL):
            raise PatternError(
                f"rule {rule.name!r}: the condition {condition!r} is about a "
                f"{condition.term.sort}; conditions are about numbers"
            )


def _check_sequences(rule: Rule) -> None:
    """Look where the sequence variables stand; functions take them bare."""
    _check_places(rule, "left side", rule.lhs)
    if isinstance(rule.rhs, Term):
        _check_places(rule, "right side", rule.rhs)
    else:
        for _, part in rule.parts[: len(rule.rhs.args)]:
            _check_places(rule, "right side", part, bare=True)
    for condition in rule.where:
        for part in condition.parts:
            if part.op is not ops.PVAR and any(symbol.many for symbol in symbols_of(part)):
                raise PatternError(
                    f"rule {rule.name!r}: {condition!r} has a sequence variable inside a term; a "
                    "condition takes it alone, and speaks of each of its terms"
                )


def _check_places(rule: Rule, what: str, side: Term, *, bare: bool = False) -> None:
    if not any(symbol.many for symbol in symbols_of(side)):
        return  # nearly all: the text below takes as long as all that tables of rules are made of
    law = f"rule {rule.name!r}: the {what} {side!r} of {rule!r} has a sequence variable"
    if side.op is ops.PVAR and side.symbol is not None and side.symbol.many and not bare:
        raise PatternError(f"{law} that stands alone; write it among the arguments of an op")
    stack = [side]
    while stack:
        node = stack.pop()
        many = [child for child in node.args if child.symbol is not None and child.symbol.many]
        if many and not node.op.associative:
            raise PatternError(f"{law} under {node.op.name}, which is not associative")
        lone = what != "left side" and len(many) == len(node.args)
        if many and lone and node.op.code not in IDENTITY:
            raise PatternError(
                f"{law} and nothing else under {node.op.name}: of no arguments it has no value"
            )
        stack += node.args


@dataclass(frozen=True, slots=True)
class RuleSet(Displayed):
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

    def table(self, most: int = MOST_LISTED) -> Table:
        """List the laws, their conditions and the licence that each needs, `most` of them.

        >>> from rewrite.rules.arithmetic import FACTORING
        >>> FACTORING.table(most=1).sections[0].columns
        ('rule', 'law', 'licence')
        """
        from rewrite.ruletext import table_of

        return table_of(self, most)

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


def variables(pattern: Term) -> tuple[str, ...]:
    """Return the names of a pattern's variables."""
    return tuple(sorted({symbol.name for symbol in symbols_of(pattern)}))


def symbols_of(pattern: Term) -> list[Symbol]:
    """Return what the variables of a pattern are, by name."""
    store = pattern.store
    found = {
        store.symbols[store.payload(node)]
        for node in _nodes(pattern)
        if store.code(node) == ops.PVAR.code
    }
    return sorted(found, key=lambda symbol: (symbol.name, symbol.sort.name))


def _speaks_of_symbols(pattern: Term) -> bool:
    """Tell whether a pattern holds a symbol, which stands for itself alone."""
    return any(pattern.store.code(node) == ops.SYMBOL.code for node in _nodes(pattern))


def _nodes(pattern: Term) -> Iterator[int]:
    """Yield the nodes of a pattern, which is small: shared ones each time they are met."""
    stack = [pattern.id]
    while stack:
        node = stack.pop()
        yield node
        stack += pattern.store.children(node)


def ruleset(name: str, licence: FastMath, *rows: tuple[Any, ...]) -> RuleSet:
    """Make a rule set of rows (name, lhs, rhs) or (name, lhs, rhs, condition or conditions).

    Raise `PatternError` for a row that is none of these, and for two rules of one name.

    >>> from rewrite.leaves import pattern_vars
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
        side = rhs if isinstance(rhs, Compute) else lift(rhs, RULES)
        rules.append(Rule(title, lift(lhs, RULES), side, given, licence))
    names = [rule.name for rule in rules]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise PatternError(f"rule set {name!r} has two rules called {twice[0]!r}")
    return RuleSet(name, tuple(rules))
