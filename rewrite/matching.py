"""What rules make of a term at its head, and how a pattern is filled in.

Terms of other types (`rewrite.interface`) are matched as ours are, by the names of ops. The
licence of a rule decides how an associative op is matched: with `REASSOC` in any grouping and
order, and what is left of a sum or product stays beside the result; without it as it is evaluated,
from the left: a + b + c is (a + b) + c.
"""

import functools
import warnings
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np

from rewrite import interface, ops
from rewrite.analysis import holds, pattern_rows
from rewrite.constants import Named, as_constant
from rewrite.errors import MatchingWarning, PatternError
from rewrite.fastmath import FastMath
from rewrite.foreign import Foreign
from rewrite.groups import joined, summary
from rewrite.leaves import RULES
from rewrite.matcher import Machine, TooManyWays, prepared
from rewrite.nodes import Nodes, Value, same_value
from rewrite.pattern import RULE_PARTS, WIDEST, Do, Plan
from rewrite.prepared import Prepared
from rewrite.rule import IDENTITY, Check, Compute, Rule
from rewrite.sorts import BOOL
from rewrite.store import Store, Symbol
from rewrite.term import Term, join

__all__ = ["Subst", "apply_rule", "head_ops", "instantiate", "match", "plausible", "same_value"]

type Subst = dict[str, Any]
"""What each pattern variable stands for, by name: a `Term` if the subject is one."""
type Bound = Mapping[str, Value]


def match(pattern: Term, term: Any, *, flat: bool = True) -> Iterator[Subst]:
    """Yield every way in which the head of a term matches a pattern, each once.

    Associative ops are matched in every grouping and, where they commute, in every order; without
    `flat` as they are evaluated. A variable that occurs twice matches equal terms, and every
    variable its sort: numbers, or truth values. A constant matches by value, see `same_value`. A
    sequence variable stands for a tuple of terms.

    >>> import rewrite as rw
    >>> a, b = rw.pattern_vars("a b")
    >>> x, y = rw.symbols("x y")
    >>> list(match(a + rw.sin(b), rw.sin(x) + rw.sin(y)))
    [{'a': sin(y), 'b': x}, {'a': sin(x), 'b': y}]
    """
    nodes, node = _enter(term)
    machine = Machine(
        prepared(join(RULES, pattern).id, flat=flat), nodes,
        describe=lambda: f"{pattern!r} with {_short(nodes, node)}",
    )  # fmt: skip
    for bound in _once(machine, node):
        yield {name: _leave(nodes, found) for name, found in bound.items()}
        machine.tries = machine.parts = 0


def instantiate(pattern: Term, subst: Mapping[str, Any], store: Store) -> Term:
    """Make the term that a pattern becomes when its variables are replaced.

    >>> import rewrite as rw
    >>> a, b = rw.pattern_vars("a b")
    >>> x = rw.symbol("x")
    >>> instantiate(a * b + a, {"a": x, "b": x}, x.store)
    x*x + x
    """
    bound: dict[str, Value] = {
        name: tuple([join(store, t).id for t in given])
        if isinstance(given, tuple)
        else join(store, given).id
        for name, given in subst.items()
    }
    return Term(store, build(pattern, store, bound))


def apply_rule(rule: Rule, term: Any) -> Iterator[Any]:
    """Yield what a rule makes of a term at its head, one result for each match.

    The conditions are known to hold for each. A result equal to the term is left out: a law that
    changes nothing does not apply. Variables of a rule may stand for parts of a sum, of which n
    terms have 2^n: after `RULE_PARTS` of them, single terms first, the rule is given up with a
    `MatchingWarning`, as a strategy must come to its end.

    >>> import rewrite as rw
    >>> from rewrite.rule import Rule
    >>> a, b = rw.pattern_vars("a b")
    >>> x, y = rw.symbols("x y")
    >>> next(apply_rule(Rule("sub-to-add", a - b, a + -b), x - y))
    x + -y
    """
    nodes, node = _enter(term)
    code = rule.lhs.op.code
    if nodes.code(node) != code:
        return
    todo = _plan(rule)
    machine = Machine(todo, nodes, _single(rule, todo.plan), lambda: f"rule {rule!r}")
    machine.most = RULE_PARTS
    views = [(node, ())] if _grouped(todo.plan) else _prefixes(rule, nodes, node)
    for part, beyond in views:
        try:
            for bound in _once(machine, part):
                made = _result(rule, nodes, bound)
                if made is None:
                    continue
                if todo.plan.extended:
                    made = _put(machine, code, made)
                if beyond:
                    made = nodes.make((code, made, *beyond))
                if not _equal(nodes, made, node):
                    yield _leave(nodes, made)
                    machine.tries = machine.parts = 0
        except TooManyWays as given_up:
            # without the term, so that it is shown once for each rule
            warnings.warn(f"a rule was given up: {given_up}", MatchingWarning, stacklevel=2)


def _once(machine: Machine, node: int) -> Iterator[Bound]:
    """Yield what the variables stand for, leaving out what came before."""
    seen: set[tuple[Any, ...]] = set()
    foreign = machine.nodes if isinstance(machine.nodes, Foreign) else None
    for _ in machine.run(node):
        key: tuple[Any, ...] = tuple(machine.values)
        if foreign is not None:
            key = tuple([
                tuple(map(foreign.same, v)) if isinstance(v, tuple) else foreign.same(v)
                for v in machine.values
            ])  # fmt: skip
        if key not in seen:
            seen.add(key)
            yield machine.binding()


# -- how a rule is matched -------------------------------------------------------------------


def _plan(rule: Rule) -> Prepared:
    return _planned(join(RULES, rule.lhs).id, FastMath.REASSOC in rule.licence)


@functools.cache
def _planned(pattern: int, flat: bool) -> Prepared:
    """Plan a rule's left side; what its root's group has more stays beside the result."""
    closed = prepared(pattern, flat=flat)
    if not _grouped(closed.plan):
        return closed
    many = any(step.do is Do.REST and step.group == 0 for step in closed.plan.steps)
    return closed if many else prepared(pattern, flat=flat, extended=True)


def _grouped(of: Plan) -> bool:
    """Tell whether the arguments at the root are a group with nested ones counted in."""
    return of.steps[0].do is Do.OPEN and (of.flat or ops.OPS[of.code].makes == "b")


def _single(rule: Rule, of: Plan) -> frozenset[int]:
    """Return the variables that a condition lets stand for leaves alone."""
    names = [c.term.symbol.name for c in rule.where if c.kind in _LEAVES and c.term.symbol]
    if not names:
        return _NONE
    return frozenset(k for k, v in enumerate(of.variables) if v.name in names)


_NONE: Final[frozenset[int]] = frozenset()
_LEAVES: Final = ("literal", "atom")


def _prefixes(rule: Rule, nodes: Nodes, node: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield the node, and what of it is evaluated first: t1 + t2 of t1 + t2 + t3."""
    yield node, ()
    code, children = nodes.code(node), nodes.children(node)
    row = ops.OPS[code]
    if row.arity >= 0 or not row.associative or not 2 < len(children) <= WIDEST:
        return
    wanted = _child_codes(join(RULES, rule.lhs).id)
    for size in range(len(children) - 1, 1, -1):
        left = code if size > 2 else nodes.code(children[0])
        if len(wanted) != 2 or _either(wanted, (left, nodes.code(children[size - 1]))):
            yield nodes.make((code, *children[:size])), children[size:]


def _put(machine: Machine, code: int, made: int) -> int:
    """Put a result where the first argument stood that was taken."""
    before, after = machine.beside()
    if not before and not after:
        return made
    nodes = machine.nodes
    own = nodes.children(made) if nodes.code(made) == code else (made,)
    return joined(nodes, code, [*before, *own, *after])


# -- the sieve -------------------------------------------------------------------------------


def head_ops(store: Store, node: int) -> tuple[int, ...]:
    """Return the op codes of a node and its children.

    Of an associative op also those of all its arguments, nested ones counted in, as bits; of a
    sum of many those as it is evaluated, and the bits of its own arguments.
    """
    code, children = store.code(node), store.children(node)
    if not ops.OPS[code].associative:
        return (code, *[store.code(child) for child in children])
    bits = summary(store, node)[1]
    if len(children) == 2:
        return (code, store.code(children[0]), store.code(children[1]), bits)
    own = 0
    for child in children:
        own |= 1 << store.code(child)
    return (code, code, store.code(children[-1]), bits, own)


def plausible(rule: Rule, seen: tuple[int, ...]) -> bool:
    """Tell from the `head_ops` of a term whether a rule may match it: a cheap sieve."""
    code, lhs = seen[0], rule.lhs
    if lhs.store.code(lhs.id) != code:
        return False
    todo = _plan(rule).plan
    if todo.steps[0].do is Do.OPEN:
        needed = [s.code for s in todo.steps if s.do is Do.PICK and s.group == 0]
        return not _grouped(todo) or all(seen[3] >> c & 1 for c in needed)
    wanted = _child_codes(join(RULES, rule.lhs).id)
    if not ops.OPS[code].associative:
        return _either(wanted, seen[1:]) if rule.lhs.op.commutative else _fit(wanted, seen[1:])
    if len(seen) == 4:
        return _either(wanted, seen[1:3])
    here = seen[4] | 1 << code  # of a sum of many any beginning may match
    return all(c == _ANY or here >> c & 1 for c in wanted)


_ANY: Final = -1


@functools.cache
def _child_codes(pattern: int) -> tuple[int, ...]:
    """Return the op codes of a pattern's children as it is evaluated, `_ANY` for variables."""
    children = RULES.children(pattern)
    codes = [_ANY if RULES.code(c) == ops.PVAR.code else RULES.code(c) for c in children]
    many = len(codes) > 2 and ops.OPS[RULES.code(pattern)].arity < 0
    return (RULES.code(pattern), codes[-1]) if many else tuple(codes)


def _fit(wanted: tuple[int, ...], found: tuple[int, ...]) -> bool:
    return all(w in (_ANY, f) for w, f in zip(wanted, found, strict=True))


def _either(wanted: tuple[int, ...], found: tuple[int, ...]) -> bool:
    return _fit(wanted, found) or _fit(wanted, found[::-1])


# -- results ---------------------------------------------------------------------------------


def _result(rule: Rule, nodes: Nodes, bound: Bound) -> int | None:
    """Return what the right side becomes; None if a condition fails or nothing is computed."""
    for condition in rule.where:
        asked = _asked(rule, condition, nodes, bound) if isinstance(condition, Check) else holds(
            condition, nodes, bound)  # fmt: skip
        if not asked:
            return None
    if isinstance(rule.rhs, Compute):
        return _computed(rule, nodes, bound)
    return build(rule.rhs, nodes, bound)


def _asked(rule: Rule, check: Check, nodes: Nodes, bound: Bound) -> bool:
    """Ask the Python function of a condition."""
    given = [_leave(nodes, value(part, nodes, bound)) for part in check.parts]
    answer = check.function(*given)
    if not isinstance(answer, (bool, np.bool_)):
        raise PatternError(
            f"rule {rule!r}: {check.kind} answered {answer!r} about "
            f"{', '.join(map(repr, given))}; a condition must return True or False"
        )
    return bool(answer)


def _computed(rule: Rule, nodes: Nodes, bound: Bound) -> int | None:
    given = [_leave(nodes, value(part, nodes, bound)) for part in rule.rhs.args]
    made = rule.rhs.function(*given)
    if made is None:
        return None
    if isinstance(made, Term) and not isinstance(nodes, Foreign):
        node = join(nodes, made).id
    elif isinstance(made, _NUMBERS):
        node = nodes.constant(as_constant(made))
    elif isinstance(nodes, Foreign) and _is_foreign(nodes, made, given):
        node = nodes.enter(made)
    else:
        raise PatternError(
            f"rule {rule!r}: {rule.rhs.function.__name__} made {made!r} of "
            f"{', '.join(map(repr, given))}; it must return a term, a number or None"
        )
    if (nodes.sort(node) == BOOL) != (rule.lhs.sort == BOOL) and not isinstance(nodes, Foreign):
        kinds = ("a truth value", "a number")
        raise PatternError(
            f"rule {rule!r}: {rule.rhs.function.__name__} made {made!r}, "
            f"{kinds[nodes.sort(node) != BOOL]}, where {kinds[rule.lhs.sort != BOOL]} is wanted"
        )
    return node


_NUMBERS: Final = (bool, int, float, Fraction, np.number, np.bool_, Named)


def _is_foreign(nodes: Foreign, made: Any, given: list[Any]) -> bool:
    """Tell whether something may be a term of another type: a call, or a leaf as others are."""
    leaves = [part for one in given for part in (one if isinstance(one, tuple) else (one,))]
    kinds = (type(nodes.like), *map(type, leaves))
    return interface.is_call(made) or isinstance(made, kinds)


def build(pattern: Term, nodes: Nodes, bound: Bound) -> int:
    """Intern a pattern with its variables bound to nodes."""
    made = value(pattern, nodes, bound)
    assert isinstance(made, int), f"{pattern!r} is a sequence"
    return made


def value(pattern: Term, nodes: Nodes, bound: Bound) -> Value:
    """Return what a pattern stands for: a node, or of a bare sequence variable its nodes."""
    made: list[Value] = []
    for code, args, leaf in pattern_rows(join(RULES, pattern).id):
        if args:
            made.append(_call(nodes, code, [made[a] for a in args]))
        elif isinstance(leaf, Symbol):
            made.append(_bound(leaf, bound) if code == ops.PVAR.code else nodes.symbol(leaf))
        elif leaf is not None:
            made.append(nodes.constant(leaf))
    return made[-1]


def _call(nodes: Nodes, code: int, parts: list[Value]) -> int:
    """Make a call; sequences among the arguments are spliced in."""
    flat: list[int] = []
    for part in parts:
        flat += part if isinstance(part, tuple) else (part,)
    if len(flat) == len(parts) and not any(isinstance(part, tuple) for part in parts):
        return nodes.make((code, *flat))
    return joined(nodes, code, flat) if flat else nodes.constant(IDENTITY[code])


def _bound(variable: Symbol, bound: Bound) -> Value:
    try:
        return bound[variable.name]
    except KeyError:
        given = ", ".join(sorted(bound)) or "none"
        raise PatternError(f"no term for the variable ?{variable.name}; given: {given}") from None


# -- in and out ------------------------------------------------------------------------------


def _enter(term: Any) -> tuple[Nodes, int]:
    if isinstance(term, Term):
        return term.store, term.id
    foreign = Foreign(term)
    return foreign, foreign.enter(term)


def _leave(nodes: Nodes, found: Value) -> Any:
    if isinstance(found, tuple):
        return tuple([_leave(nodes, node) for node in found])
    return nodes.leave(found) if isinstance(nodes, Foreign) else Term(nodes, found)


def _short(nodes: Nodes, node: int) -> str:
    return str(_leave(nodes, node))[:80]


def _equal(nodes: Nodes, one: int, other: int) -> bool:
    return one == other or (isinstance(nodes, Foreign) and nodes.equal(one, other))
