"""What is known of terms where a program's result is finite, apart from any e-graph.

It is the analysis of the classical engine (`rewrite.ranges`), with facts beside it that are taken
for granted of some terms, and with what follows for a program's parts if its result has a value
(licence `nnan ninf`): what it divides by is not zero, what it takes a root of is not negative.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rewrite import ops
from rewrite.analysis import fact_of
from rewrite.egraph.facts import assumed
from rewrite.egraph.language import exact
from rewrite.egraph.plain import fill, rows_of
from rewrite.intervals import INF, TOP, Fact, fact
from rewrite.leaves import RULES
from rewrite.ranges import transfer
from rewrite.rule import Condition, Rule, symbols_of
from rewrite.sorts import INT
from rewrite.store import Store
from rewrite.term import Term

__all__ = ["STATED", "Known", "condition_holds", "conditions_of", "has_value", "implied", "meet"]

STATED: Final[dict[str, Fact]] = {
    "nonzero": Fact(-INF, INF, True, False),
    "positive": Fact(0.0, INF, True, False),
    "negative": Fact(-INF, 0.0, True, False),
    "nonneg": Fact(0.0, INF, False, False),
    "nonpos": Fact(-INF, 0.0, False, False),
    "integer": Fact(-INF, INF, False, True),
}
"""What each kind of condition says of a value."""
_SHORT: Final = {"nz": "nonzero", "pos": "positive", "nn": "nonneg"}


def meet(one: Fact, other: Fact) -> Fact:
    """Join what two facts say of the same value."""
    return fact(
        max(one.lo, other.lo), min(one.hi, other.hi), one.nonzero or other.nonzero,
        one.integer or other.integer,
    )  # fmt: skip


class Known:
    """Facts about the terms of a store, where some are taken for granted."""

    def __init__(self, store: Store, granted: Mapping[int, Fact] | None = None) -> None:
        self.store = store
        self.granted = dict(granted or {})
        self._facts: dict[int, Fact] = {}
        self._defined: dict[int, bool] = {}

    def fact(self, node: int) -> Fact:
        """Return what is known of a term; it holds wherever the term has a value."""
        for at in _missing(self.store, node, self._facts):
            code, args = self.store.code(at), self.store.children(at)
            if code <= ops.PVAR.code:
                found = fact_of(self.store, at)
            else:
                found = transfer(code, args, [self._facts[a] for a in args])
            given = self.granted.get(at)
            self._facts[at] = found if given is None else meet(found, given)
        return self._facts[node]

    def defined(self, node: int) -> bool:
        """Tell whether a term is known to have a value at all points."""
        for at in _missing(self.store, node, self._defined):
            args = self.store.children(at)
            self._defined[at] = all(self._defined[a] for a in args) and self._has_value(at)
        return self._defined[node]

    def _has_value(self, node: int) -> bool:
        code, args = self.store.code(node), self.store.children(node)
        if code == ops.CONST.code:
            value = self.store.value(node)
            return not isinstance(value, float) or value - value == 0.0
        if code <= ops.PVAR.code:
            return True
        if code == ops.POW.code:
            return self._power_has_value(*args)
        return has_value(code, [self.fact(a) for a in args])

    def _power_has_value(self, base: int, power: int) -> bool:
        below = self.fact(base)
        if below.positive:
            return True
        value = self.store.value(power)
        n = None if value is None else exact(value)
        if n is None:
            return False
        whole = n.denominator == 1
        return (whole and (n >= 0 or below.nonzero)) or (below.nonneg and n > 0)


def _missing[T](store: Store, root: int, known: Mapping[int, T]) -> list[int]:
    """Return what is not known yet at and below a node, children first."""
    if root in known:
        return []
    missing, stack = {root}, [root]
    while stack:
        for child in store.children(stack.pop()):
            if child not in known and child not in missing:
                missing.add(child)
                stack.append(child)
    return sorted(missing)


def has_value(code: int, args: Sequence[Fact]) -> bool:
    """Tell whether an op of ours surely has a value on arguments of which this is known."""
    partial = _PARTIAL.get(code)
    return code in _TOTAL if partial is None else partial(*args)


_PARTIAL_NAMES: Final[dict[str, Callable[..., bool]]] = {
    "div": lambda a, b: b.nonzero,
    "fmod": lambda a, b: b.nonzero,
    "copysign": lambda a, b: b.nonzero,
    "atan2": lambda a, b: a.nonzero,
    "sqrt": lambda a: a.nonneg,
    "rsqrt": lambda a: a.positive,
    "log": lambda a: a.positive,
    "log2": lambda a: a.positive,
    "log10": lambda a: a.positive,
    "log1p": lambda a: a.lo > -1.0,
    "asin": lambda a: a.lo >= -1.0 and a.hi <= 1.0,
    "acos": lambda a: a.lo >= -1.0 and a.hi <= 1.0,
    "acosh": lambda a: a.lo >= 1.0,
    "atanh": lambda a: a.lo > -1.0 and a.hi < 1.0,
    "pow": lambda a, b: a.positive,
    "tan": lambda a: False,
}
"""Ops without a value at some points, and what makes an application have one; `tan` has poles."""
_PARTIAL: Final = {ops.op(name).code: test for name, test in _PARTIAL_NAMES.items()}
_TOTAL: Final = frozenset(row.code for row in ops.BUILTIN[3:]) - set(_PARTIAL)


def condition_holds(known: Known, condition: Condition, bound: Mapping[str, int]) -> bool:
    """Tell whether a condition is known to hold for what its variables stand for."""
    term = condition.term
    if term.symbol is not None:
        found = known.fact(bound[term.symbol.name])
    else:
        found = known.fact(fill(known.store, term, bound))
    return bool(getattr(found, condition.kind))


def conditions_of(rule: Rule) -> tuple[Condition, ...]:
    """Return the conditions of a rule; its integer variables come after what it states."""
    whole = [
        Condition("integer", Term(RULES, RULES.symbol(symbol, ops.PVAR.code)))
        for symbol in symbols_of(rule.lhs)
        if symbol.sort == INT
    ]
    return (*rule.where, *whole)


# -- what follows from a finite result -------------------------------------------------------


def implied(store: Store, root: int) -> dict[int, Fact]:
    """Return what holds of the parts of a plain program wherever its value is finite.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> term = 1 / (x * rw.sqrt(y))
    >>> found = implied(term.store, term.id)
    >>> found[x.id].nonzero, found[y.id].positive
    (True, True)
    """
    nodes, rows = rows_of(store, root)
    granted: dict[int, Fact] = {}
    for short, at in assumed([*enumerate(rows)], [len(rows) - 1]):
        _grant(granted, nodes[at], STATED[_SHORT[short]])
    grew = True
    while grew:
        known = Known(store, granted)
        grew = False
        for node in reversed(nodes):
            for child, more in _downwards(known, node):
                if meet(known.fact(child), more) != known.fact(child):
                    _grant(granted, child, more)
                    grew = True
    return granted


def _grant(granted: dict[int, Fact], node: int, more: Fact) -> None:
    granted[node] = meet(granted.get(node, TOP), more)


_NONZERO: Final = STATED["nonzero"]
_KEEPS_ZERO: Final = frozenset(
    ops.op(name).code for name in "neg abs cbrt tanh sinh asinh atan erf expm1 sign".split()
)


def _downwards(known: Known, node: int) -> list[tuple[int, Fact]]:
    """Return what a fact of a term says of its children, which have values where it has one."""
    if not known.fact(node).nonzero:
        return []
    code, args = known.store.code(node), known.store.children(node)
    if code == ops.MUL.code or code in _KEEPS_ZERO:
        return [(a, _NONZERO) for a in args]
    if code == ops.DIV.code:
        return [(args[0], _NONZERO)]
    if code == ops.SQRT.code:
        return [(args[0], STATED["positive"])]
    return []
