import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.critical import overlaps, substituted, unify
from rewrite.fastmath import FastMath
from rewrite.leaves import RULES
from rewrite.matching import match
from rewrite.rule import ruleset
from rewrite.store import Store
from rewrite.term import Term, const
from rewrite.tree import Node, Sides, Tree, Var, canonical, occurrences, read, sides, write

a, b, c, d = rw.pattern_vars("a b c d")
zero = const(0, RULES)
f, g = rw.sin, rw.cos
pair = rw.atan2

_PATTERNS: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([a, b, c, zero]),
    lambda t: st.builds(f, t) | st.builds(lambda x, y: x + y, t, t) | st.builds(pair, t, t),
    max_leaves=4,
)


def _ground(depth: int) -> list[Node]:
    """Return the small closed trees over the ops above."""
    leaf = read(zero)
    assert isinstance(leaf, Node)
    found: list[Any] = [leaf]
    like = [read(f(zero)), read(zero + zero), read(pair(zero, zero))]
    for _ in range(depth):
        more = list(found)
        for shape in like:
            assert isinstance(shape, Node)
            for args in itertools.product(found, repeat=len(shape.args)):
                more.append(Node(shape.head, args, shape.sort))
        found = list(dict.fromkeys(more))
    return found


GROUND = _ground(1)


def _instances(trees: list[Tree]) -> Iterator[Mapping[str, Tree]]:
    names = sorted(set().union(*(occurrences(tree) for tree in trees)))
    for values in itertools.product(GROUND, repeat=len(names)):
        yield dict(zip(names, values, strict=True))


@given(_PATTERNS, _PATTERNS)
@settings(max_examples=200, deadline=None)
def test_unifiers_unify(left: Term, right: Term) -> None:
    one, two = read(left), read(right)
    for known in unify(one, two, {}):
        assert canonical(substituted(one, known)) == canonical(substituted(two, known))


@given(_PATTERNS, _PATTERNS)
@settings(max_examples=60, deadline=None)
def test_every_common_instance_is_one_of_a_unifier(left: Term, right: Term) -> None:
    """Complete up to the order of arguments: compared with all instances by small closed trees."""
    one, two = read(left), read(right, "'")
    found = [canonical(substituted(one, known)) for known in unify(one, two, {})]
    store = Store()
    for instance in itertools.islice(_instances([one, two]), 1_000):
        mine, theirs = substituted(one, instance), substituted(two, instance)
        if canonical(mine) == canonical(theirs):
            assert any(_covers(general, mine, store) for general in found), (one, two, instance)


def _covers(general: Tree, special: Tree, store: Store) -> bool:
    """Tell whether a closed tree is an instance, up to the order of arguments."""
    names = {name: RULES.symbol(var.symbol, _PVAR) for name, var in _variables(general).items()}
    pattern = Term(RULES, write(general, RULES, names))
    forms = _orders(special)
    if isinstance(general, Var):
        return True
    closed = (Term(store, write(form, store, {})) for form in forms)
    return any(True for term in closed for _ in match(pattern, term))


_PVAR = a.op.code


def _variables(tree: Tree) -> dict[str, Var]:
    if isinstance(tree, Var):
        return {tree.name: tree}
    return {k: v for arg in tree.args for k, v in _variables(arg).items()}


def _orders(tree: Tree) -> list[Tree]:
    """Return the tree with the arguments of its sums in each order."""
    if isinstance(tree, Var) or not tree.args:
        return [tree]
    made: list[Tree] = []
    for args in itertools.product(*map(_orders, tree.args)):
        made.append(Node(tree.head, args, tree.sort))
        if tree.head.text == "add":
            made.append(Node(tree.head, args[::-1], tree.sort))
    return made


def test_variables_are_bound_to_what_fits() -> None:
    p, q = rw.pattern_vars("p q", sort=rw.BOOL)
    n = rw.pattern_vars("n", sort=rw.INT)[0]
    assert not list(unify(read(p), read(a + b), {}))
    assert not list(unify(read(p), read(a), {}))
    assert list(unify(read(p & q), read(q & p), {}))
    assert not list(unify(read(n), read(f(a)), {}))  # a sine is no integer
    (known,) = unify(read(a), read(n), {})
    assert set(known) == {"a"} and isinstance(known["a"], Var) and known["a"].name == "n"
    assert not list(unify(read(f(a)), read(f(f(a))), {}))  # a term is no part of itself


def _rules(*rows: tuple[Any, ...], licence: FastMath) -> list[Sides]:
    return [sides(rule) for rule in ruleset("system", licence, *rows)]


def _peaks(system: list[Sides]) -> set[str]:
    """Return the trees of the overlaps with x, y, ... for variables, sums as sets of arguments."""
    found = set()
    for overlap in overlaps(system):
        names = {name: f"{'xyzuvw'[at]}" for at, name in enumerate(_variables(overlap.tree))}
        store = Store()
        bound = {
            name: store.symbol(rw.symbol(text).symbol)  # type: ignore[arg-type]
            for name, text in names.items()
        }
        found.add(repr(Term(store, write(overlap.tree, store, bound))))
    return found


@pytest.mark.parametrize("licence", [FastMath.NONE, FastMath.REASSOC])
def test_sums_that_share_an_argument(licence: FastMath) -> None:
    """Up to regrouping, a + -a overlaps with itself in a third argument beside."""
    peaks = _peaks(_rules(("inverse", a + -a, zero), licence=licence))
    wide = {"x + -x + --x", "--x + -x + x", "-x + x + --x"}
    assert bool(peaks & wide) == (licence is FastMath.REASSOC), peaks


def test_each_pair_of_rules_meets_once_at_the_root() -> None:
    system = _rules(("one", f(a), a), ("two", f(b), g(b)), licence=FastMath.NONE)
    labels = [(o.outer.name, o.inner.name, o.place) for o in overlaps(system)]
    assert sorted(labels) == [("one", "one", ()), ("one", "two", ()), ("two", "two", ())]
    nested = _rules(("one", f(g(a)), a), ("two", g(f(b)), b), licence=FastMath.NONE)
    places = {(o.outer.name, o.inner.name, o.place) for o in overlaps(nested)}
    assert places == {
        ("one", "one", ()), ("two", "two", ()), ("one", "two", (0,)), ("two", "one", (0,)),
    }  # fmt: skip
