"""The classical matcher: patterns against the head of a term, and what rules make of it.

Terms of other types (`rewrite.interface`) are matched as ours are, by the names of ops.

Matching is a generator: a commutative op is tried in both orders, and a condition that fails asks
for the next match. A sum or product of many is seen as it is evaluated, from the left:
a + b + c matches ?p + ?q with p = a + b and q = c. Recursion is over the pattern only.
"""

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewrite import ops
from rewrite.analysis import holds, pattern_rows
from rewrite.constants import Constant, Named, constant_key
from rewrite.errors import PatternError
from rewrite.foreign import Foreign
from rewrite.rule import Rule
from rewrite.sorts import BOOL, SORTS
from rewrite.store import Store, Symbol
from rewrite.term import RULES, Term, join

__all__ = ["Subst", "apply_rule", "head_ops", "instantiate", "match", "plausible", "same_value"]

type Subst = dict[str, Any]
"""What each pattern variable stands for, by name: a `Term` if the subject is one."""
type Bound = dict[str, int]
type Nodes = Store | Foreign
"""Where nodes are: both are read alike."""


def match(pattern: Term, term: Any) -> Iterator[Subst]:
    """Yield every way in which the head of a term matches a pattern, the written order first.

    A variable that occurs twice matches equal terms. A variable matches its sort: numbers, or
    truth values. A constant matches by value, see `same_value`.

    >>> import rewrite as rw
    >>> a, b = rw.pattern_vars("a b")
    >>> x, y = rw.symbols("x y")
    >>> list(match(a + rw.sin(b), rw.sin(x) + rw.sin(y)))
    [{'a': sin(x), 'b': y}, {'a': sin(y), 'b': x}]
    """
    nodes, node = _enter(term)
    for bound in _match(_shape(join(RULES, pattern).id), nodes, node, {}):
        yield {name: _leave(nodes, found) for name, found in bound.items()}


def instantiate(pattern: Term, subst: Mapping[str, Term], store: Store) -> Term:
    """Make the term that a pattern becomes when its variables are replaced.

    >>> import rewrite as rw
    >>> a, b = rw.pattern_vars("a b")
    >>> x = rw.symbol("x")
    >>> instantiate(a * b + a, {"a": x, "b": x}, x.store)
    x*x + x
    """
    bound = {name: join(store, term).id for name, term in subst.items()}
    return Term(store, build(pattern, store, bound))


def apply_rule(rule: Rule, term: Any) -> Iterator[Any]:
    """Yield what a rule makes of a term at its head, one result for each match.

    The conditions are known to hold for each. A result equal to the term is left out: a law that
    changes nothing does not apply.

    >>> import rewrite as rw
    >>> from rewrite.rule import Rule
    >>> a, b = rw.pattern_vars("a b")
    >>> x, y = rw.symbols("x y")
    >>> next(apply_rule(Rule("sub-to-add", a - b, a + -b), x - y))
    x + -y
    """
    nodes, node = _enter(term)
    if nodes.code(node) != rule.lhs.op.code:
        return
    for bound in _match(_shape(join(RULES, rule.lhs).id), nodes, node, {}):
        if all(holds(condition, nodes, bound) for condition in rule.where):
            made = build(rule.rhs, nodes, bound)
            if not _equal(nodes, made, node):
                yield _leave(nodes, made)


def same_value(wanted: Constant, found: Constant) -> bool:
    """Tell whether a constant of a pattern matches one of a term: as real numbers, by exact value.

    So 2 matches 2 and 2.0, and 1/2 matches 0.5, as they are lowered to the same bits; -0.0 is
    matched by -0.0 alone, because laws about 0 do not hold for it. Truth values, pi and e, NaN and
    infinities match themselves.

    >>> same_value(2, 2.0), same_value(0, -0.0), same_value(1, True)
    (True, False, False)
    """
    key = constant_key(wanted)
    if key == constant_key(found):
        return True
    if _special(wanted) or _special(found) or key[1] == "-0" or constant_key(found)[1] == "-0":
        return False
    return wanted == found


def _special(value: Constant) -> bool:
    odd = isinstance(value, float) and not math.isfinite(value)
    return odd or isinstance(value, (bool, Named))


# -- patterns, read once ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Hole:
    """A pattern variable."""

    name: str
    truth: bool
    sort: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """A constant, or a symbol of the user's, which matches itself."""

    code: int
    value: Symbol | Constant


@dataclass(frozen=True, slots=True)
class Node:
    """An op with two children if it may have many."""

    code: int
    children: "tuple[Shape, ...]"
    commutative: bool
    many: bool


type Shape = Hole | Leaf | Node


@functools.cache
def _shape(pattern: int) -> Shape:
    """Read a pattern of the rules' store; sums and products of many are nested from the left."""
    code, value = RULES.code(pattern), _value(RULES, pattern)
    if isinstance(value, Symbol) and code == ops.PVAR.code:
        return Hole(value.name, value.sort == BOOL, value.sort)
    if value is not None:
        return Leaf(code, value)
    row = ops.OPS[code]
    first, *rest = (_shape(child) for child in RULES.children(pattern))
    if row.arity >= 0:
        return Node(code, (first, *rest), row.commutative and row.arity == 2, False)
    for child in rest:
        first = Node(code, (first, child), row.commutative, True)
    return first


def _value(store: Nodes, node: int) -> Symbol | Constant | None:
    if isinstance(store, Foreign):
        return store.value(node)
    code = store.code(node)
    if code == ops.CONST.code:
        return store.constants[store.payload(node)]
    return store.symbols[store.payload(node)] if code <= ops.PVAR.code else None


def _enter(term: Any) -> tuple[Nodes, int]:
    if isinstance(term, Term):
        return term.store, term.id
    foreign = Foreign(term)
    return foreign, foreign.enter(term)


def _leave(nodes: Nodes, node: int) -> Any:
    return nodes.leave(node) if isinstance(nodes, Foreign) else Term(nodes, node)


def _equal(nodes: Nodes, one: int, other: int) -> bool:
    return one == other or (isinstance(nodes, Foreign) and nodes.equal(one, other))


# -- matching --------------------------------------------------------------------------------


def _match(shape: Shape, nodes: Nodes, node: int, bound: Bound) -> Iterator[Bound]:
    if isinstance(shape, Hole):
        known = bound.get(shape.name)
        if known is not None:
            if _equal(nodes, known, node):
                yield bound
        elif _fits(shape, nodes.sort(node)):
            yield {**bound, shape.name: node}
    elif isinstance(shape, Leaf):
        if _same_leaf(shape, nodes, node):
            yield bound
    else:
        for children in _views(shape, nodes, node):
            yield from _match_all(shape.children, nodes, children, bound)


def _match_all(
    shapes: Sequence[Shape], nodes: Nodes, subjects: Sequence[int], bound: Bound
) -> Iterator[Bound]:
    first, rest = shapes[0], shapes[1:]
    if not rest:
        yield from _match(first, nodes, subjects[0], bound)
        return
    for one in _match(first, nodes, subjects[0], bound):
        yield from _match_all(rest, nodes, subjects[1:], one)


def _fits(hole: Hole, sort: int) -> bool:
    """A term goes into a hole of its sort, or of one whose place it takes: integers are reals."""
    return sort == hole.sort or SORTS[sort].fits(hole.sort)


def _same_leaf(shape: Leaf, nodes: Nodes, node: int) -> bool:
    if nodes.code(node) != shape.code:
        return False
    value = _value(nodes, node)
    if isinstance(value, Symbol) or isinstance(shape.value, Symbol) or value is None:
        return value == shape.value
    return same_value(shape.value, value)


def _views(shape: Node, nodes: Nodes, node: int) -> Iterator[tuple[int, ...]]:
    """Yield the children of a node with this op, in each order in which they may be matched."""
    if nodes.code(node) != shape.code:
        return
    children = nodes.children(node)
    if shape.many and len(children) > 2:
        children = (nodes.make((shape.code, *children[:-1])), children[-1])
    yield children
    if shape.commutative and children[0] != children[1]:
        if ops.swaps(shape.code, nodes.sort(children[0]), nodes.sort(children[1])):
            yield children[::-1]


def head_ops(store: Store, node: int) -> tuple[int, ...]:
    """Return the op codes of a node and its children, of a sum of many as it is evaluated."""
    code, children = store.code(node), store.children(node)
    if len(children) > 2 and ops.OPS[code].arity < 0:
        return (code, code, store.code(children[-1]))
    return (code, *map(store.code, children))


def plausible(rule: Rule, seen: tuple[int, ...]) -> bool:
    """Tell from the `head_ops` of a term whether a rule may match it: a cheap sieve."""
    shape = _shape(join(RULES, rule.lhs).id)
    if not isinstance(shape, Node) or shape.code != seen[0]:
        return False
    below = seen[1:]
    return any(
        all(isinstance(p, Hole) or p.code == c for p, c in zip(shape.children, order, strict=True))
        for order in ((below, below[::-1]) if shape.commutative else (below,))
    )


# -- building --------------------------------------------------------------------------------


def build(pattern: Term, nodes: Nodes, bound: Mapping[str, int]) -> int:
    """Intern a pattern with its variables bound to nodes."""
    made: list[int] = []
    for code, args, value in pattern_rows(join(RULES, pattern).id):
        if args:
            made.append(nodes.make((code, *[made[a] for a in args])))
        elif isinstance(value, Symbol):
            made.append(_bound(value, bound) if code == ops.PVAR.code else nodes.symbol(value))
        elif value is not None:
            made.append(nodes.constant(value))
    return made[-1]


def _bound(variable: Symbol, bound: Mapping[str, int]) -> int:
    try:
        return bound[variable.name]
    except KeyError:
        given = ", ".join(sorted(bound)) or "none"
        raise PatternError(f"no term for the variable ?{variable.name}; given: {given}") from None
