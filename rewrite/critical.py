"""Critical overlaps: the smallest terms on which two rules fire at places that share an op.

Unification is up to the order of the arguments of commutative ops. For ops that are matched in any
grouping, sums of both left sides that share some arguments are added; a variable stands for one of
those arguments, never for several.
Source: D. Knuth and P. Bendix, "Simple word problems in universal algebras", 1970; G. Peterson and
M. Stickel, "Complete sets of reductions for some equational theories", 1981.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rewrite import ops
from rewrite.sorts import SORTS
from rewrite.tree import Node, Place, Sides, Tree, Var, equations, places, read

__all__ = ["Overlap", "narrowings", "overlaps", "substituted", "unify"]

type Binding = Mapping[str, Tree]

WIDEST: Final = 4
"""Shared arguments are looked for in sums of at most so many."""


@dataclass(frozen=True)
class Overlap:
    """A tree that the outer rule matches at its root and the inner one at a place."""

    outer: Sides
    inner: Sides
    place: Place
    tree: Tree


def unify(one: Tree, other: Tree, known: Binding) -> Iterator[Binding]:
    """Yield the substitutions that make two trees equal up to the order of arguments.

    >>> from rewrite.leaves import pattern_vars
    >>> a, b = pattern_vars("a b")
    >>> one, other = read(a + -b), read(-a + b, "'")
    >>> len(list(unify(one, other, {})))
    2
    """
    one, other = _resolve(one, known), _resolve(other, known)
    if one == other:
        yield known
    elif isinstance(one, Var):
        yield from _bind(one, other, known)
    elif isinstance(other, Var):
        yield from _bind(other, one, known)
    elif one.head == other.head:
        yield from _unify_all(one.args, other.args, known)
        args = other.args
        swapped = len(args) == 2 and ops.swaps(one.head.code, args[0].sort, args[1].sort)
        if swapped and args[0] != args[1]:
            yield from _unify_all(one.args, args[::-1], known)


def _unify_all(mine: Sequence[Tree], theirs: Sequence[Tree], known: Binding) -> Iterator[Binding]:
    if not mine:
        yield known
        return
    for more in unify(mine[0], theirs[0], known):
        yield from _unify_all(mine[1:], theirs[1:], more)


def _bind(variable: Var, value: Tree, known: Binding) -> Iterator[Binding]:
    if not SORTS[value.sort].fits(variable.sort):
        if not (isinstance(value, Var) and SORTS[variable.sort].fits(value.sort)):
            return
        variable, value = value, variable
    if not _occurs(variable.name, value, known):
        yield {**known, variable.name: value}


def _resolve(tree: Tree, known: Binding) -> Tree:
    while isinstance(tree, Var) and tree.name in known:
        tree = known[tree.name]
    return tree


def _occurs(name: str, tree: Tree, known: Binding) -> bool:
    tree = _resolve(tree, known)
    if isinstance(tree, Var):
        return tree.name == name
    return any(_occurs(name, arg, known) for arg in tree.args)


def substituted(tree: Tree, known: Binding) -> Tree:
    """Replace the variables that have a value."""
    tree = _resolve(tree, known)
    if isinstance(tree, Var):
        return tree
    return Node(tree.head, tuple(substituted(arg, known) for arg in tree.args), tree.sort)


# -- overlaps --------------------------------------------------------------------------------


def overlaps(rules: Sequence[Sides]) -> Iterator[Overlap]:
    """Yield every overlap of two left sides, also of a rule with itself.

    The same tree may come more than once where several unifiers give it.
    """
    for first, outer in enumerate(rules):
        for second, inner in enumerate(rules):
            left = _renamed(inner)
            for place, part in places(outer.left):
                if not place and second < first:
                    continue  # seen with the two exchanged
                for known in unify(part, left, {}):
                    yield Overlap(outer, inner, place, substituted(outer.left, known))
            if second >= first:
                for tree in _sharing(outer, inner, left):
                    yield Overlap(outer, inner, (), tree)


def _renamed(rule: Sides) -> Node:
    left = read(rule.rule.lhs, "'")
    assert isinstance(left, Node), "a left side is no variable"
    return left


def _sharing(outer: Sides, inner: Sides, left: Node) -> Iterator[Tree]:
    """Yield sums of the arguments of both left sides, some of which are shared."""
    code = outer.left.head.code
    if left.head.code != code or code not in equations([outer]) & equations([inner]):
        return
    mine, theirs = _arguments(outer.left), _arguments(left)
    if max(len(mine), len(theirs)) > WIDEST:
        return
    for size in range(1, min(len(mine), len(theirs)) + 1):
        for some in itertools.combinations(range(len(mine)), size):
            for others in itertools.permutations(range(len(theirs)), size):
                pairs = [(mine[a], theirs[b]) for a, b in zip(some, others, strict=True)]
                if all(isinstance(a, Var) and isinstance(b, Var) for a, b in pairs):
                    continue
                rest = [theirs[b] for b in range(len(theirs)) if b not in others]
                for known in _unify_all([a for a, _ in pairs], [b for _, b in pairs], {}):
                    parts = [substituted(part, known) for part in (*mine, *rest)]
                    yield _sum(outer.left, parts)


def _arguments(tree: Node) -> list[Tree]:
    found: list[Tree] = []
    for arg in tree.args:
        inner = isinstance(arg, Node) and arg.head == tree.head
        found += _arguments(arg) if inner and isinstance(arg, Node) else [arg]
    return found


def _sum(like: Node, parts: Sequence[Tree]) -> Tree:
    made = parts[0]
    for part in parts[1:]:
        made = Node(like.head, (made, part), like.sort)
    return made


def narrowings(rules: Sequence[Sides]) -> Iterator[tuple[Sides, Tree]]:
    """Yield instances of left sides whose right side another rule then matches somewhere."""
    for first in rules:
        for second in rules:
            left = _renamed(second)
            for _, part in places(first.right):
                for known in unify(part, left, {}):
                    yield first, substituted(first.left, known)
