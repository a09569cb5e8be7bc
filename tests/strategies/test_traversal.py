# ruff: noqa: B002 (a double negation of terms is meant)
import sys
from typing import Any

import pytest

import rewrite as rw
from rewrite import ops
from rewrite.errors import StrategyError
from rewrite.evaluate import evaluate
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset
from rewrite.term import Term, apply
from strategies import (
    all_,
    alltd,
    bottomup,
    choice,
    downup,
    fail,
    identity,
    innermost,
    on,
    oncebu,
    oncetd,
    one,
    outermost,
    some,
    strategy,
    topdown,
    try_,
)
from strategies.core import Strategy

a, b, c = rw.pattern_vars("a b c")
x, y, z = rw.symbols("x y z")
NEG = Rule("neg-neg", -(-a), a)
SIN = Rule("sin-to-cos", rw.sin(a), rw.cos(a))
EXPAND = Rule("mul-distribute", a * (b + c), a * b + a * c)
GROW = Rule("grow", rw.sin(a), rw.sin(rw.cos(a)))


class Log:
    """A strategy that changes nothing and keeps what it was shown."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, term: Any) -> Any:
        self.seen.append(term)
        return term


def test_one_level() -> None:
    term = apply("add", rw.sin(x), y, rw.sin(x))
    assert all_(try_(SIN))(term) == apply("add", rw.cos(x), y, rw.cos(x))
    assert all_(SIN)(term) is None and all_(fail)(x) == x
    assert one(SIN)(term) == apply("add", rw.cos(x), y, rw.sin(x))
    assert one(SIN)(x + y) is None and one(identity)(x) is None
    assert some(SIN)(term) == apply("add", rw.cos(x), y, rw.cos(x))
    assert some(SIN)(x + y) is None and some(identity)(x) is None


def test_orders() -> None:
    term = rw.sin(x + y) * x
    down, up, both = Log(), Log(), Log()
    assert topdown(down)(term) == bottomup(up)(term) == downup(both)(term) == term
    assert down.seen == [term, rw.sin(x + y), x + y, x, y]
    assert up.seen == [x, y, x + y, rw.sin(x + y), term]
    assert both.seen == [
        term, rw.sin(x + y), x + y, x, x, y, y, x + y, rw.sin(x + y), term,
    ]  # fmt: skip


def test_they_fail_where_their_equation_does() -> None:
    assert topdown(SIN)(rw.sin(x)) is None and bottomup(SIN)(rw.sin(x)) is None
    assert oncetd(SIN)(x + y) is None and oncebu(SIN)(x + y) is None
    assert alltd(fail)(x + y) == innermost(fail)(x + y) == outermost(fail)(x + y) == x + y


def test_places() -> None:
    nested = rw.sin(rw.sin(x) + rw.sin(y))
    assert oncetd(SIN)(nested) == rw.cos(rw.sin(x) + rw.sin(y))
    assert oncebu(SIN)(nested) == rw.sin(rw.cos(x) + rw.sin(y))
    assert alltd(SIN)(nested) == rw.cos(rw.sin(x) + rw.sin(y))
    assert bottomup(try_(SIN))(nested) == rw.cos(rw.cos(x) + rw.cos(y))
    shared = rw.sin(x)
    assert oncetd(SIN)(shared * shared) == rw.cos(x) * shared


def test_topdown_goes_on_in_what_it_made() -> None:
    term = x * ((y + z) + x)
    once = x * (y + z) + x * x
    assert oncetd(EXPAND)(term) == once
    assert topdown(try_(EXPAND))(term) == (x * y + x * z) + x * x
    assert alltd(EXPAND)(term) == once


@pytest.mark.parametrize("fixpoint", [innermost, outermost])
def test_normal_forms(fixpoint: Any) -> None:
    rules = ruleset(
        "expand", FastMath.REASSOC, ("left", a * (b + c), a * b + a * c),
        ("neg-neg", -(-a), a), ("square", a**2, a * a),
    )  # fmt: skip
    made = fixpoint(rules)((x + -(-y)) ** 2)
    assert evaluate(made, {"x": 3.0, "y": 4.0}) == 49.0 and "(x + y)" not in str(made)
    assert fixpoint(rules)(made) == made
    assert oncetd(rules)(made) is None


def test_runaways_are_named() -> None:
    with pytest.raises(StrategyError, match=r"innermost\(grow\) does not end: after 50 steps, g"):
        innermost(GROW, limit=50)(rw.sin(x))
    with pytest.raises(StrategyError, match=r"outermost\(grow\) .* after 1\d{4} steps, grow still"):
        outermost(GROW)(rw.sin(x))
    swap = Rule("add-comm", a + b, b + a)
    with pytest.raises(StrategyError, match=r"it came back to x \+ y, add-comm still fires"):
        innermost(choice(NEG, swap))(x + y)

    def wrap(term: Term) -> Any:
        return term + 0

    with pytest.raises(StrategyError, match=r"topdown\(wrap\) .* it came back to x, wrap still"):
        topdown(wrap)(x)


def test_a_strategy_must_make_terms() -> None:
    for traversal in (bottomup, topdown, oncetd, all_):
        with pytest.raises(StrategyError, match=r"made 'no' of x.*; it must return a Term"):
            traversal(lambda term: "no")(x + y)
    with rw.scope():
        elsewhere = rw.symbol("w")
    made = bottomup(lambda term: elsewhere if term == x else term)(x + y)
    assert made.store is x.store and str(made) == "w + y"


ALL = [topdown, bottomup, downup, alltd, innermost, outermost, oncetd, oncebu]


@pytest.mark.parametrize("traversal", ALL, ids=lambda t: t.__name__)
def test_each_distinct_node_is_visited_once(traversal: Any) -> None:
    with rw.scope():
        term = rw.symbol("x")
        for _ in range(60):  # a tree of 2**60 leaves
            term = term * term
        seen: list[int] = []

        def visit(found: Term) -> Term | None:
            seen.append(found.id)
            return found if traversal in (topdown, bottomup, downup) else None

        traversal(visit)(term)
        assert len(set(seen)) == 61 and len(seen) == 61 * (1 + (traversal is downup))


@pytest.mark.parametrize("traversal", ALL, ids=lambda t: t.__name__)
def test_deep_terms(traversal: Any) -> None:
    with rw.scope():
        start = term = rw.symbol("x")
        other = rw.symbol("y")
        depth = 20 * sys.getrecursionlimit()
        for _ in range(depth):
            term = -term

        def leaf(found: Term) -> Term | None:
            return other if found == start else None

        plan: Strategy = strategy(leaf)
        if traversal in (topdown, downup):
            plan = try_(lambda found: -start if found == term else None)
        elif traversal is bottomup:
            plan = try_(leaf)
        made = traversal(plan)(term) if traversal is not innermost else traversal(NEG)(term)
        assert made.node_count() == {innermost: 1, topdown: 2, downup: 2}.get(traversal, depth + 1)


def test_sharing_is_kept() -> None:
    with rw.scope():
        term = rw.sin(rw.symbol("x"))
        for _ in range(100):
            term = term + term
        assert bottomup(try_(SIN))(term).node_count() == term.node_count()
        assert innermost(SIN)(term).node_count() == term.node_count()


def test_other_types() -> None:
    term = ("add", ("neg", ("neg", "u")), ("sin", ("neg", ("neg", 2))))
    expected = ("add", "u", ("sin", 2))
    for plan in (innermost(NEG), outermost(NEG), bottomup(try_(NEG)), topdown(try_(NEG))):
        assert plan(term) == expected
    assert oncetd(NEG)(term) == ("add", "u", ("sin", ("neg", ("neg", 2))))
    deep: Any = "u"
    for _ in range(20_000):
        deep = ("neg", deep)
    assert innermost(NEG)(deep) == "u"


def test_sympy_expressions() -> None:
    import sympy as sp

    u = sp.Symbol("u")
    made = bottomup(try_(SIN))(sp.sin(u) + sp.exp(sp.sin(u)))
    assert made.doit() == sp.cos(u) + sp.exp(sp.cos(u))


def test_congruences() -> None:
    both = on(ops.MUL, SIN, NEG)
    assert both(rw.sin(x) * -(-y)) == rw.cos(x) * y and both == on("mul", SIN, NEG)
    assert both(rw.sin(x) + -(-y)) is None and both(x) is None
    assert both(x * -(-y)) is None and both(rw.sin(x) * y) is None
    three = apply("mul", rw.sin(x), y, rw.sin(z))
    assert both(three) is None and on("mul", SIN, rest=try_(SIN))(three) == apply(
        "mul", rw.cos(x), y, rw.cos(z)
    )
    assert on("mul", SIN, rest=SIN)(three) is None and on("mul", rest=try_(SIN))(x + y) is None
    assert on("mul", identity, identity, identity, rest=fail)(three) == three
    assert on("mul", *[identity] * 4, rest=identity)(three) is None
    assert on("sin", identity)(rw.sin(x)) == rw.sin(x) and on("x")(x) is None
    assert on("gamma", lambda t: t + 1)(("gamma", 1)) == ("gamma", 2)
    assert on("nil")(("nil",)) == ("nil",)


def test_congruences_are_written_as_calls() -> None:
    plan = on(ops.MUL, choice(SIN, NEG), rest=choice(SIN, NEG))
    assert str(plan) == "on(mul, sin-to-cos <+ neg-neg, *(sin-to-cos <+ neg-neg))"
    assert str(on("mul", SIN, NEG) >> fail) == "on(mul, sin-to-cos, neg-neg) ; fail"
    assert str(on("nil")) == "on(nil)"


def test_a_shared_child_of_a_congruence_is_visited_once() -> None:
    log = Log()
    assert on("add", rest=log)(apply("add", x, y, x)) == apply("add", x, y, x)
    assert log.seen == [x, y]
    other = Rule("other", rw.sin(a), a)
    assert on("add", SIN, other)(rw.sin(x) + rw.sin(x)) == rw.cos(x) + x


@pytest.mark.parametrize(
    ("op", "count", "more"),
    [(ops.SIN, 2, False), (ops.SIN, 0, False), (ops.SIN, 2, True), (ops.MUL, 1, False)],
)
def test_a_congruence_that_cannot_apply_is_refused(op: Any, count: int, more: bool) -> None:
    with pytest.raises(StrategyError, match=f"children of {op.name}: .*; strategies for them: "):
        on(op, *[identity] * count, rest=identity if more else None)


@pytest.mark.parametrize("wrong", [3, "", None, rw.sin])
def test_an_op_is_a_row_or_a_name(wrong: Any) -> None:
    with pytest.raises(StrategyError, match=r"is no op; give a row of rw\.ops, or the name"):
        on(wrong, identity)


def test_types_that_make_their_children_anew() -> None:
    import sympy as sp

    u = sp.Symbol("u")
    term = sp.Piecewise((sp.sin(u), u > 0), (sp.sin(u) + 1, u > -1), (sp.sin(2 * u), True))
    made = bottomup(try_(SIN))(term)
    branches = {1.0: sp.cos(1.0), -0.5: sp.cos(-0.5) + 1, -2.0: sp.cos(-4.0)}
    assert {value: made.subs(u, value) for value in branches} == branches
    assert all_(identity)(term) == term == innermost(NEG)(term)
