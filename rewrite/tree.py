"""Sides of rules as small trees, on which orders and unification work.

Sums and products of many are nested from the left, as they are matched. Recursion is over
patterns only, which are small.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rewrite import ops
from rewrite.constants import Constant, Named, constant_key
from rewrite.fastmath import FastMath
from rewrite.rule import Rule
from rewrite.sorts import BOOL, REAL
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = [
    "Head", "Node", "Place", "Sides", "Tree", "Var", "canonical", "commutes", "equations",
    "occurrences", "places", "read", "replaced", "sides", "unreadable", "write",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Head:
    """An op, or a leaf that is no variable: equal heads match each other."""

    code: int
    key: Any = None
    text: str = field(default="", compare=False)
    leaf: Symbol | Constant | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Var:
    """A variable of a rule."""

    name: str
    symbol: Symbol = field(compare=False)
    sort: int = field(default=REAL, compare=False)
    """What its values must fit."""


@dataclass(frozen=True, slots=True)
class Node:
    """A head with its arguments."""

    head: Head
    args: "tuple[Tree, ...]" = ()
    sort: int = field(default=REAL, compare=False)


type Tree = Var | Node
type Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Sides:
    """What is read of a rule."""

    rule: Rule
    left: Node
    right: Tree

    @property
    def name(self) -> str:
        """The name of the rule."""
        return self.rule.name


# -- between terms and trees -----------------------------------------------------------------


def read(term: Term, rename: str = "") -> Tree:
    """Read a pattern; `rename` is put behind the names of its variables."""
    store, node = term.store, term.id
    code = store.code(node)
    if code <= ops.PVAR.code:
        return _leaf(term, code, rename)
    args = [read(arg, rename) for arg in term.args]
    head, sort = Head(code, text=ops.OPS[code].name), int(store.sort(node))
    if ops.OPS[code].arity >= 0:
        return Node(head, tuple(args), sort)
    made = args[0]
    for arg in args[1:]:
        made = Node(head, (made, arg), sort)
    return made


def _leaf(term: Term, code: int, rename: str) -> Tree:
    symbol, sort = term.symbol, int(term.store.sort(term.id))
    if symbol is not None:
        if code == ops.PVAR.code:
            return Var(symbol.name + rename, replace(symbol, name=symbol.name + rename), sort)
        return Node(Head(code, symbol, symbol.name, symbol), (), sort)
    value = term.value
    assert value is not None
    return Node(Head(code, _by_value(value), repr(term), value), (), sort)


def _by_value(value: Constant) -> Any:
    """Make constants equal that match each other: 2 and 2.0, but not 0 and -0.0, 1 and True."""
    key = constant_key(value)
    odd = isinstance(value, float) and (value != value or abs(value) == float("inf"))
    if odd or isinstance(value, (bool, Named)) or key[1] == "-0":
        return key
    return ("number", value)


def write(tree: Tree, store: Store, bound: Mapping[str, int]) -> int:
    """Intern a tree whose variables stand for nodes of the store."""
    if isinstance(tree, Var):
        return bound[tree.name]
    code, leaf = tree.head.code, tree.head.leaf
    if isinstance(leaf, Symbol):
        return store.symbol(leaf)
    if leaf is not None:
        return store.constant(leaf)
    return store.make((code, *[write(arg, store, bound) for arg in tree.args]))


def sides(rule: Rule) -> Sides:
    """Read both sides of a rule."""
    left = read(rule.lhs)
    assert isinstance(left, Node), "a left side is no variable"
    return Sides(rule, left, read(rule.rhs))


def unreadable(rule: Rule) -> str | None:
    """Say why a rule cannot be analysed; None if it can."""
    odd = [condition for condition in rule.where if not condition.about_numbers]
    if odd:
        return f"its condition {odd[0]!r} is about how terms are written"
    for what, side in (("left", rule.lhs), ("right", rule.rhs)):
        if not isinstance(side, Term):
            return f"its {what} side is computed"
        stack, store = [side.id], side.store
        while stack:
            node = stack.pop()
            code = store.code(node)
            if code == ops.PVAR.code:
                symbol = store.symbols[store.payload(node)]
                if getattr(symbol, "many", False):
                    return f"?{symbol.name} stands for a sequence"
            stack += store.children(node)
    given, made = (occurrences(read(side)) for side in (rule.lhs, rule.rhs))
    free = sorted(name for name in made if name not in given)
    return f"its right side has values of its own: {', '.join(free)}" if free else None


# -- parts -----------------------------------------------------------------------------------


def occurrences(tree: Tree) -> Counter[str]:
    """Count how often each variable occurs."""
    if isinstance(tree, Var):
        return Counter({tree.name: 1})
    return sum((occurrences(arg) for arg in tree.args), Counter())


def places(tree: Tree, above: Place = ()) -> Iterator[tuple[Place, Node]]:
    """Yield the parts that are no variables, each with the way to it from the root."""
    if isinstance(tree, Node):
        yield above, tree
        for index, arg in enumerate(tree.args):
            yield from places(arg, (*above, index))


def replaced(store: Store, node: int, place: Place, new: int) -> int:
    """Put a node at a place below another."""
    if not place:
        return new
    children = list(store.children(node))
    children[place[0]] = replaced(store, children[place[0]], place[1:], new)
    return store.make((store.code(node), *children))


def canonical(tree: Tree) -> Tree:
    """Sort the arguments of commutative ops, so that equal means equal up to their order."""
    if isinstance(tree, Var):
        return tree
    args = tuple(canonical(arg) for arg in tree.args)
    if len(args) == 2 and ops.swaps(tree.head.code, args[0].sort, args[1].sort):
        args = tuple(sorted(args, key=_key))
    return Node(tree.head, args, tree.sort)


def _key(tree: Tree) -> str:
    if isinstance(tree, Var):
        return f"?{tree.name}"
    return f"{tree.head.code}:{tree.head.text}({','.join(map(_key, tree.args))})"


def commutes(code: int) -> bool:
    """Tell whether arguments of an op may be exchanged, for some sorts at least.

    >>> commutes(ops.ADD.code), commutes(ops.SUB.code)
    (True, False)
    """
    return bool(ops.swap_table()[code].any())


def equations(rules: Iterable[Sides]) -> frozenset[int]:
    """Return the ops whose arguments some of these rules match in any grouping.

    Those are associative ops on a left side, where the licence allows to reassociate or no
    rounding is at stake. Every commutative op is matched in both orders.
    """
    found: set[int] = set()
    for each in rules:
        for _, part in places(each.left):
            code = part.head.code
            loose = FastMath.REASSOC in each.rule.licence or part.sort == BOOL
            if loose and ops.associate_table()[code].any():
                found.add(code)
    return frozenset(found)
