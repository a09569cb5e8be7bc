"""Which rules can be of use to a program: declaring a rule takes longer than running it.

A rule is left out where something that its left side looks for is neither in the program nor made
by the rules that are kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from operator import add, mul, sub, truediv
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.constants import Named
from rewrite.dag import Dag
from rewrite.egraph.language import exact
from rewrite.rule import Rule
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["Scope", "edges", "heads", "relevant", "scope_of", "within"]

REMEMBERED: Final = 1 << 14


def heads(pattern: Term) -> frozenset[int]:
    """Return the op codes in a pattern."""
    return _heads(pattern.store, pattern.id)


@lru_cache(maxsize=REMEMBERED)
def _heads(store: Store, node: int) -> frozenset[int]:
    return frozenset(c for c in Dag.of(store, [node]).code.tolist() if c > ops.PVAR.code)


type Edge = tuple[int, int, Fraction | str]
"""An op, the place of a child, and the constant there, by value or name."""


def edges(pattern: Term) -> frozenset[Edge]:
    """Return where a pattern has constants."""
    return _edges_of(pattern.store, pattern.id)


@lru_cache(maxsize=REMEMBERED)
def _edges_of(store: Store, node: int) -> frozenset[Edge]:
    return frozenset(_edges(Dag.of(store, [node])))


def _edges(dag: Dag) -> list[Edge]:
    found: list[Edge] = []
    for code, args in dag.rows():
        for place, a in enumerate(args):
            value = dag.value[a]
            if isinstance(value, Named):
                known: Fraction | str | None = value.name
            else:
                known = None if value is None or isinstance(value, Symbol) else exact(value)
            if known is not None:
                found.append((code, 0 if ops.OPS[code].commutative else place, known))
    return found


_ARITHMETIC: Final = frozenset(
    row.code for row in (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG, ops.POW, ops.FMA)
)


@dataclass(frozen=True, slots=True)
class Scope:
    """What of a program decides which rules can be of use to it."""

    heads: frozenset[int]
    edges: frozenset[Edge]
    constants: frozenset[Fraction | str]


def scope_of(dag: Dag, rules: Iterable[Rule]) -> Scope:
    """Return what there is of ops, and of the constants that rules look for."""
    wanted = {value for rule in rules for _, _, value in edges(rule.lhs)}
    places = set(_edges(dag))
    own = {value for _, _, value in places} | _folded(dag)
    return Scope(
        frozenset(code for code in np.unique(dag.code).tolist() if code > ops.PVAR.code),
        frozenset(edge for edge in places if edge[2] in wanted),
        frozenset(own & wanted),
    )


def relevant(
    simplify: Iterable[Rule], expand: Iterable[Rule], dag: Dag
) -> tuple[list[Rule], list[Rule]]:
    """Keep the rules that can be of use to a program, as `within` says."""
    always, growing = list(simplify), list(expand)
    return within(always, growing, scope_of(dag, [*always, *growing]))


def within(
    simplify: Iterable[Rule], expand: Iterable[Rule], scope: Scope
) -> tuple[list[Rule], list[Rule]]:
    """Keep the rules that can be of use: what they look for is there, or made by such rules.

    Declaring rules takes longer than running them on a small program. An op counts as there once
    a simplifying rule makes it; growing rules make arithmetic, but bring no other op of their own:
    `a**b` is not taken apart into `exp` and `log` where the program has neither. A constant counts
    where it stands: that `a*a` becomes `a**2` is no reason to look for `2**a`.
    """
    known, places, own = set(scope.heads), set(scope.edges), set(scope.constants)
    groups = [(rule, True) for rule in simplify] + [(rule, False) for rule in expand]
    waiting = [
        (
            *(id(rule), simple, heads(rule.lhs), heads(rule.rhs)),
            *(edges(rule.lhs), edges(rule.rhs), _made(rule.rhs)),
        )
        for rule, simple in groups
    ]
    kept: set[int] = set()  # by identity: a rule of a caller's may have the name of another
    grew = True
    while grew:
        grew, later = False, []
        for row in waiting:
            which, simple, needs, makes, stands, puts, value = row
            ready = needs <= known and all(e in places or e[2] in own for e in stands)
            if ready and (simple or makes <= known | _ARITHMETIC):
                kept.add(which)
                known |= makes
                places |= puts
                own |= value
                grew = True
            else:
                later.append(row)
        waiting = later
    first: dict[int, tuple[Rule, bool]] = {}
    for rule, simple in groups:
        if id(rule) in kept:
            first.setdefault(id(rule), (rule, simple))
    wanted = list(first.values())
    return [r for r, simple in wanted if simple], [r for r, simple in wanted if not simple]


def _made(side: Term) -> set[Fraction | str]:
    """Return the constant that a rule's right side is, which may then stand anywhere."""
    rational = None if side.op is not ops.CONST or side.value is None else exact(side.value)
    return set() if rational is None else {rational}


def _folded(dag: Dag) -> set[Fraction | str]:
    """Return the values of the program's subterms made of rational constants."""
    values: list[Fraction | None] = []
    step: dict[int, Any] = {
        ops.ADD.code: add,
        ops.SUB.code: sub,
        ops.MUL.code: mul,
        ops.DIV.code: truediv,
    }
    for at, (code, args) in enumerate(dag.rows()):
        value = dag.value[at]
        known = [values[a] for a in args]
        made = None
        if value is not None and not isinstance(value, Symbol):
            made = exact(value)
        elif len(known) == 2 and code in step and None not in known:
            made = step[code](*known) if known[1] or code != ops.DIV.code else None
            made = exact(made) if made is not None else None
        elif code == ops.NEG.code and known[0] is not None:
            made = -known[0]
        values.append(made)
    return {v for v in values if v is not None}
