"""Concrete terms for trees: symbols for variables, with domains on which conditions hold."""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rewrite import ops
from rewrite.matching import apply_rule
from rewrite.rule import Rule
from rewrite.sorts import INT, REAL
from rewrite.store import Store, Symbol
from rewrite.term import Term
from rewrite.tree import Node, Place, Tree, Var, replaced, write

__all__ = ["At", "at", "every_step", "instances", "results", "subterms"]

_NAMES: Final = "x y z u v w".split()
_DOMAINS: Final[tuple[dict[str, Any], ...]] = (
    {}, {"low": 0.0}, {"low": 1.0}, {"dtype": "int64"}, {"dtype": "int64", "low": 1.0},
    {"high": 0.0}, {"high": -1.0}, {"low": 1.0, "high": 2.0}, {"low": 3.0, "high": 4.0},
)  # fmt: skip
"""The weakest first; no domain says that a value is not 0 and nothing else."""
TRIES: Final = 100


def instances[T](
    tree: Tree, rules: Sequence[Rule], store: Store, accept: Callable[[int], T | None]
) -> T | None:
    """Make terms of a tree until one is accepted, and return what was found there.

    Without conditions only one is tried; with them, domains of the symbols for its variables.
    """
    names = {var.name: (at, var) for at, var in enumerate(_variables(tree))}
    taken = _symbols(tree, rules)
    unused = [name for name in _NAMES if name not in taken]
    unused += [name for k in range(len(names) + len(taken)) if (name := f"x{k}") not in taken]
    conditional = any(rule.where for rule in rules)
    for chosen in _choices(len(names) if conditional else 0, len(names)):
        bound = {}
        for name, (at, var) in names.items():
            bound[name] = store.symbol(_with(var.symbol, unused[at], chosen[at]))
        found = accept(write(tree, store, bound))
        if found is not None:
            return found
    return None


def _variables(tree: Tree) -> list[Var]:
    found: dict[str, Var] = {}
    stack: list[Tree] = [tree]
    while stack:
        top = stack.pop()
        if isinstance(top, Var):
            found.setdefault(top.name, top)
        else:
            stack += reversed(top.args)
    return list(found.values())


@functools.lru_cache(maxsize=4096)
def _own(rule: Rule) -> frozenset[str]:
    sides = (rule.lhs, *(part for _, part in rule.parts))
    leaves = {leaf for side in sides for leaf in side.free_symbols if leaf.op is ops.SYMBOL}
    return frozenset(leaf.symbol.name for leaf in leaves if leaf.symbol is not None)


def _symbols(tree: Tree, rules: Sequence[Rule]) -> set[str]:
    """Return the names of symbols of the rules' own, which no variable may take."""
    found = {name for rule in rules for name in _own(rule)}
    stack: list[Tree] = [tree]
    while stack:
        top = stack.pop()
        if isinstance(top, Node):
            stack += top.args
            if isinstance(top.head.leaf, Symbol):
                found.add(top.head.leaf.name)
    return found


def _choices(varied: int, count: int) -> Iterator[tuple[dict[str, Any], ...]]:
    """Yield the same domain for all first, then domains in any combination."""
    if not varied:
        yield ({},) * count
        return
    for domain in _DOMAINS:
        yield (domain,) * count
    mixed = (c for c in itertools.product(_DOMAINS, repeat=count) if any(d != c[0] for d in c))
    yield from itertools.islice(mixed, TRIES)


def _with(symbol: Symbol, name: str, domain: dict[str, Any]) -> Symbol:
    """Name a variable and give it a domain, if it is a number."""
    if symbol.sort not in (REAL, INT):
        return replace(symbol, name=name)
    bounds = domain if symbol.dtype is None else {k: v for k, v in domain.items() if k != "dtype"}
    return replace(symbol, name=name, **bounds)


# -- steps -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class At:
    """A rule fired at a place of a term; the place counts arguments from 0, from the root down."""

    rule: str
    place: Place
    before: Term
    after: Term

    def __str__(self) -> str:
        return f"{self.rule}: {self.before} => {self.after}"


def at(term: Term, place: Place) -> Term:
    """Return the part of a term at a place.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> at(x + rw.sin(y), (1, 0))
    y
    """
    for index in place:
        term = term.args[index]
    return term


def results(rule: Rule, term: Term, place: Place) -> Iterator[Term]:
    """Yield what a rule makes of a term at a place, each result once.

    Of a sum of n there may be 2^n: take what is needed.
    """
    store, seen = term.store, set[int]()
    for made in apply_rule(rule, at(term, place)):
        node = replaced(store, term.id, place, made.id)
        if node not in seen:
            seen.add(node)
            yield Term(store, node)


def subterms(term: Term, limit: int = 200) -> Iterator[tuple[Place, Term]]:
    """Yield the places of a term, parents first, at most so many."""
    stack: list[tuple[Place, Term]] = [((), term)]
    for _ in range(limit):
        if not stack:
            return
        place, part = stack.pop()
        yield place, part
        below = [((*place, index), arg) for index, arg in enumerate(part.args)]
        stack += reversed(below)


def every_step(rules: Sequence[Rule], term: Term) -> Iterator[At]:
    """Yield what each rule makes of a term at each place."""
    for place, part in subterms(term):
        for rule in rules:
            if rule.lhs.op is part.op:
                for made in results(rule, term, place):
                    yield At(rule.name, place, term, made)
