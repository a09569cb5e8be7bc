"""Matching in classes: a pattern as nested tuples, and every way in which an e-node matches it."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rewrite import ops
from rewrite.dag import Dag
from rewrite.egraph.plain import plain
from rewrite.egraph.proofs import Proofs
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["Pattern", "matches", "pattern_of"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A variable by its name, a constant as a term, or an op with patterns below."""

    name: str = ""
    constant: Term | None = None
    code: int = -1
    below: tuple["Pattern", ...] = ()


@functools.lru_cache(maxsize=4096)
def _pattern(store: Store, node: int) -> Pattern:
    scratch = Store()
    dag = Dag.of(scratch, [plain(scratch, Term(store, node))])
    made: list[Pattern] = []
    for at, (code, args) in enumerate(dag.rows()):
        value = dag.value[at]
        if isinstance(value, Symbol):
            made.append(Pattern(name=value.name))
        elif value is not None:
            made.append(Pattern(constant=Term(scratch, int(dag.ids[at]))))
        else:
            made.append(Pattern(code=code, below=tuple(made[a] for a in args)))
    return made[dag.roots[0]]


def pattern_of(term: Term) -> Pattern:
    """Return a rule's side, with sums and products of many as chains."""
    return _pattern(term.store, term.id)


type Binding = dict[str, int]


def matches(proofs: Proofs, pattern: Pattern, node: int) -> Iterator[Binding]:
    """Yield what the variables stand for wherever an e-node matches; each value is a term of it."""
    return _below(proofs, pattern.below, proofs.store.children(node), 0, {})


def _below(
    proofs: Proofs, patterns: tuple[Pattern, ...], args: tuple[int, ...], at: int, bound: Binding
) -> Iterator[Binding]:
    if at == len(patterns):
        yield bound
        return
    for more in _term(proofs, patterns[at], args[at], bound):
        yield from _below(proofs, patterns, args, at + 1, more)


def _term(proofs: Proofs, pattern: Pattern, node: int, bound: Binding) -> Iterator[Binding]:
    if pattern.name:
        known = bound.get(pattern.name)
        if known is None:
            yield {**bound, pattern.name: node}
        elif proofs.equal(known, node):
            yield bound
        return
    root = proofs.find(node)
    if pattern.constant is not None:
        if _holds_constant(proofs, root, pattern.constant):
            yield bound
        return
    if root in proofs.constant:
        return  # a class with an exact value needs no other form of it
    for member in proofs.members[root]:
        if proofs.store.code(member) == pattern.code:
            args = proofs.store.children(member)
            yield from _below(proofs, pattern.below, args, 0, bound)


def _holds_constant(proofs: Proofs, root: int, constant: Term) -> bool:
    value: Any = constant.value
    node = proofs.store.constant(value)
    return node in proofs.root and proofs.find(node) == root


def roots_of(proofs: Proofs) -> dict[int, list[int]]:
    """Return the e-nodes of each op that a rule may match at, oldest first."""
    found: dict[int, list[int]] = {}
    for root, members in proofs.members.items():
        if root not in proofs.constant:
            for node in members:
                code = proofs.store.code(node)
                if code > ops.PVAR.code:
                    found.setdefault(code, []).append(node)
    for nodes in found.values():
        nodes.sort()
    return found
