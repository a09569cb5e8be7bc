# ruff: noqa: B002 (a double negation of terms is meant)
"""Strategies that name themselves."""

import sys
from typing import Any

import pytest

import rewrite as rw
from rewrite.errors import StrategyError
from rewrite.rule import Rule
from rewrite.term import Term
from strategies import (
    Firing,
    all_,
    bottomup,
    choice,
    fail,
    fix,
    identity,
    if_,
    named,
    on,
    one,
    repeat,
    seq,
    some,
    strategy,
    topdown,
    traced,
    try_,
)
from strategies.custom import leaves, rules_of
from strategies.recursion import Fix, Variable

a, b = rw.pattern_vars("a b")
x, y = rw.symbols("x y")
NEG = Rule("neg-neg", -(-a), a)
SIN = Rule("sin-to-cos", rw.sin(a), rw.cos(a))
GROW = Rule("grow", rw.sin(a), rw.sin(rw.cos(a)))


def test_it_is_its_equation() -> None:
    down = fix(lambda s: seq(try_(SIN), all_(s)))
    assert down(rw.sin(rw.sin(x) * y)) == rw.cos(rw.cos(x) * y)
    assert fix(lambda s: fail)(x) is None and fix(lambda s: NEG)(-(-x)) == x
    spine = fix(lambda s: on("add", s, try_(SIN)) | strategy(identity))  # the left operands alone
    assert spine((rw.sin(x) + rw.sin(y)) + rw.sin(x)) == (rw.sin(x) + rw.cos(y)) + rw.cos(x)


def test_it_is_written_as_the_textbook_does() -> None:
    down = fix(lambda s: choice(SIN, all_(s)))
    assert str(down) == repr(down) == "mu x. sin-to-cos <+ all(x)"
    assert str(down >> down) == "(mu x. sin-to-cos <+ all(x)) ; (mu x. sin-to-cos <+ all(x))"
    assert str(try_(down)) == "try(mu x. sin-to-cos <+ all(x))"
    assert str(fix("walk", lambda s: all_(s))) == "mu walk. all(walk)"
    nested = fix(lambda s: seq(NEG, fix(lambda t: s | (t >> s))))
    assert str(nested) == "mu y. neg-neg ; (mu x. y <+ x ; y)"
    seven: Any = fail
    for _ in range(7):
        seven = fix(lambda s, inner=seven: inner | s)  # type: ignore[misc]
    assert str(seven).startswith("mu x1. (mu w. (mu v. (mu u. (mu z. (mu y. (mu x. fail <+ x)")


def test_it_is_a_value() -> None:
    down = fix(lambda s: choice(SIN, all_(s)))
    assert down == fix(lambda other: choice(SIN, all_(other))) and len({down, down}) == 1
    assert down == Fix("x", choice(SIN, all_(Variable("x")))) != fix("s", lambda s: SIN | all_(s))
    assert down != fix(lambda s: choice(SIN, one(s)))


def test_names_of_variables() -> None:
    assert str(fix("x", lambda s: fix(lambda t: s >> t))) == "mu x. mu y. x ; y"
    assert str(fix("x", lambda s: s >> fix(lambda t: t))) == "mu x. x ; (mu x. x)"
    with pytest.raises(StrategyError, match=r"binds x inside of fix\('x', ...\); rename one"):
        fix("x", lambda s: fix("x", lambda t: s >> t))
    for wrong in ("", "a b", "?", "1"):
        with pytest.raises(StrategyError, match="is no name for a variable"):
            fix(wrong, lambda s: s)


@pytest.mark.parametrize("wrong", [NEG, try_(NEG), None, 3, "walk"])
def test_what_is_no_function_of_a_strategy(wrong: Any) -> None:
    with pytest.raises(StrategyError, match=r"fix takes a function of a strategy, not .*lambda"):
        fix(wrong)
    with pytest.raises(StrategyError, match="is no strategy"):
        fix(lambda s: wrong if wrong in (None, 3) else "text")


def test_a_variable_means_nothing_outside() -> None:
    kept: list[Any] = []
    fix(lambda s: kept.append(s) or identity)  # type: ignore[func-returns-value]
    for loose in (kept[0], Variable("x"), Fix("y", Variable("x")), try_(Variable("x"))):
        with pytest.raises(StrategyError, match=r"the variable [x?] is bound by no fix; write fix"):
            loose(x)


def test_inner_recursions_see_the_outer_variable() -> None:
    # where a sine is met below sums, everything below it is rewritten by the outer one
    plan = fix(lambda s: fix(lambda t: if_(SIN, all_(s), some(t) | strategy(identity))))
    assert plan(rw.sin(rw.sin(x)) + y * rw.sin(y)) == rw.cos(rw.cos(x)) + y * rw.cos(y)
    shadowed = Fix("x", seq(try_(SIN), try_(all_(Fix("x", try_(seq(NEG, Variable("x"))))))))
    assert shadowed(rw.sin(-(-(-(-x))))) == rw.cos(x)


def test_each_distinct_node_is_unfolded_once() -> None:
    with rw.scope():
        term = rw.symbol("x")
        for _ in range(60):  # a tree of 2**60 leaves
            term = term * term
        for make in (
            lambda s, visit: seq(visit, all_(s)), lambda s, visit: seq(all_(s), visit),
            lambda s, visit: seq(visit, on("mul", s, s) | all_(s)),
            lambda s, visit: seq(visit, all_(fix(lambda t: s >> try_(all_(t))))),
        ):  # fmt: skip
            seen: list[int] = []

            def visit(found: Term, seen: list[int] = seen) -> Term:
                seen.append(found.id)
                return found

            assert fix(lambda s, make=make, visit=visit: make(s, visit))(term) == term  # type: ignore[misc]
            assert len(seen) == len(set(seen)) == 61


def test_shared_objects_of_other_types_are_unfolded_once() -> None:
    term: Any = "u"
    for _ in range(60):
        term = ("mul", term, term)
    seen: list[Any] = []
    plan = fix(lambda s: seq(lambda t: seen.append(t) or t, all_(s)))  # type: ignore[func-returns-value]
    assert plan(term) is term and len(seen) == 61


@pytest.mark.parametrize(
    "plan",
    [
        fix(lambda s: choice(NEG, all_(s)) >> all_(s)),
        fix(lambda s: try_(seq(NEG, s))),
        fix(lambda s: all_(s) >> try_(seq(NEG, s))),
        fix(lambda s: named("below", topdown(try_(NEG)) >> one(s)) | strategy(identity)),
        fix(lambda s: bottomup(fix(lambda t: try_(NEG)))),
    ],
    ids=str,
)  # fmt: skip
def test_deep_terms(plan: Any) -> None:
    with rw.scope():
        start = term = rw.symbol("x")
        for _ in range(20 * sys.getrecursionlimit() if "mu y" not in str(plan) else 2_000):
            term = -term
        assert repeat(plan, limit=100)(term) in (start, -start, -(-start))


def test_recursion_through_a_traversal_does_not_overflow() -> None:
    with rw.scope():
        term = rw.symbol("x")
        for _ in range(2 * sys.getrecursionlimit()):
            term = rw.sin(term)
        plan = fix(lambda s: choice(SIN, all_(topdown(try_(s)))) >> all_(s))
        made = plan(term)
        assert made is not None and "sin" not in str(made)[:50]


def test_what_does_not_end_is_named() -> None:
    with pytest.raises(StrategyError, match=r"^mu x. grow ; x does not end: after 9 unfoldings, g"):
        fix(lambda s: seq(GROW, s), limit=9)(rw.sin(x))
    with pytest.raises(StrategyError, match=r"after 10020 unfoldings, grow still fires on sin"):
        fix(lambda s: try_(seq(GROW, s)))(rw.sin(x))
    swap = Rule("add-comm", a + b, b + a)
    with pytest.raises(StrategyError, match=r"it came back to x \+ y, add-comm still fires on x"):
        fix(lambda s: try_(seq(swap, s)))(x + y)
    with pytest.raises(StrategyError, match=r"^mu x. x does not end: it came back to x, at x$"):
        fix(lambda s: s)(x)
    inner = fix(lambda s: choice(NEG, fix(lambda t: seq(GROW, t | s))))
    with pytest.raises(StrategyError, match=r"grow still fires"):
        inner(rw.sin(x))


def test_larger_terms_may_take_more() -> None:
    with rw.scope():
        term = rw.symbol("x")
        for _ in range(30_000):
            term = rw.sin(term)
        assert fix(lambda s: seq(all_(s), try_(SIN)))(term).node_count() == 30_001
        with pytest.raises(StrategyError, match="after 20000 unfoldings"):
            fix(lambda s: seq(all_(s), try_(SIN)), limit=20_000)(term)


def test_traced_looks_inside_and_leaves_out_the_variable() -> None:
    seen: list[Firing] = []
    down = fix(lambda s: seq(try_(SIN), all_(s)))
    assert traced(down, seen)(rw.sin(rw.sin(x))) == rw.cos(rw.cos(x))
    assert [firing.rule for firing in seen] == ["sin-to-cos"] * 2
    assert [str(leaf) for leaf in leaves(down)] == ["sin-to-cos"] and rules_of(down) == (SIN,)


def test_terms_of_another_store_are_brought_in() -> None:
    with rw.scope():
        elsewhere = rw.sin(rw.symbol("w"))
    plan = fix(lambda s: if_(lambda t: elsewhere if t == x else None, s, try_(SIN) >> all_(s)))
    made = plan(x + y)
    assert made.store is x.store and str(made) == "cos(w) + y"
