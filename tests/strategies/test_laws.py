"""The laws of the combinators, on random strategies and terms."""

# ruff: noqa: B002 (a double negation of terms is meant)

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset
from rewrite.term import Term
from strategies import (
    all_,
    bottomup,
    choice,
    fail,
    identity,
    innermost,
    not_,
    oncetd,
    one,
    outermost,
    repeat,
    seq,
    some,
    strategy,
    topdown,
    try_,
    where,
)
from strategies.core import Strategy

a, b, c = rw.pattern_vars("a b c")
SHRINK = ruleset(
    "shrink", FastMath.NSZ, ("neg-neg", -(-a), a), ("mul-one", a * 1, a), ("add-zero", a + 0, a),
    ("sub-self", a - a, a * 0), ("mul-zero", a * 0, rw.const(0)),
)  # fmt: skip
LEAVES: list[Any] = [
    identity, fail, SHRINK, Rule("add-comm", a + b, b + a), Rule("sin-cos", rw.sin(a), rw.cos(a)),
    Rule("mul-distribute", a * (b + c), a * b + a * c), Rule("neg", a - b, a + -b),
]  # fmt: skip


def plans() -> st.SearchStrategy[Strategy]:
    def extend(inner: st.SearchStrategy[Strategy]) -> st.SearchStrategy[Strategy]:
        unary = st.sampled_from([try_, not_, where, all_, one, some, oncetd])
        return (
            st.builds(lambda make, s: make(s), unary, inner)
            | st.builds(seq, inner, inner)
            | st.builds(choice, inner, inner)
            | st.builds(lambda s: bottomup(try_(s)), inner)
        )

    return st.recursive(st.sampled_from(LEAVES).map(strategy), extend, max_leaves=4)


def terms() -> st.SearchStrategy[Term]:
    leaves = st.sampled_from([*rw.symbols("x y"), rw.const(0), rw.const(1)])

    def extend(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        return (
            st.builds(lambda s, t: s + t, inner, inner)
            | st.builds(lambda s, t: s - t, inner, inner)
            | st.builds(lambda s, t: s * t, inner, inner)
            | st.builds(lambda s: -s, inner)
            | st.builds(rw.sin, inner)
        )

    return st.recursive(leaves, extend, max_leaves=8)


@given(plans(), terms())
def test_identity_and_fail_are_units(s: Strategy, t: Term) -> None:
    expected = s(t)
    assert seq(identity, s)(t) == seq(s, identity)(t) == expected
    assert choice(fail, s)(t) == choice(s, fail)(t) == expected
    assert seq(fail, s)(t) is None and seq(s, fail)(t) is None
    assert choice(identity, s)(t) == t


@given(plans(), plans(), plans(), terms())
def test_then_and_or_else_are_associative(p: Any, q: Any, r: Any, t: Term) -> None:
    assert p >> (q >> r) == (p >> q) >> r and (p | (q | r)) == ((p | q) | r)
    after = seq(p, q)(t)
    assert seq(p, q, r)(t) == (None if after is None else r(after))
    first = p(t)
    assert choice(p, q, r)(t) == (choice(q, r)(t) if first is None else first)


@given(plans(), terms())
def test_try_never_fails(s: Strategy, t: Term) -> None:
    assert try_(s)(t) is not None
    assert try_(try_(s))(t) == try_(s)(t) == choice(s, identity)(t)


@given(plans(), terms())
def test_tests_return_the_term(s: Strategy, t: Term) -> None:
    assert where(s)(t) == not_(not_(s))(t) == (None if s(t) is None else t)
    assert (not_(s)(t) is None) == (s(t) is not None)


@given(plans(), terms())
def test_one_level(s: Strategy, t: Term) -> None:
    results = [s(child) for child in t.args]
    assert (all_(s)(t) is None) == (None in results)
    assert (one(s)(t) is None) == (some(s)(t) is None) == all(r is None for r in results)
    assert some(s)(t) in (None, all_(try_(s))(t))
    assert all_(identity)(t) == t


def textbook_topdown(s: Strategy, t: Term) -> Any:
    made = s(t)
    return None if made is None else all_(lambda child: textbook_topdown(s, child))(made)


def textbook_bottomup(s: Strategy, t: Term) -> Any:
    made = all_(lambda child: textbook_bottomup(s, child))(t)
    return None if made is None else s(made)


def textbook_oncetd(s: Strategy, t: Term) -> Any:
    made = s(t)
    return one(lambda child: textbook_oncetd(s, child))(t) if made is None else made


def textbook_innermost(s: Strategy, t: Term) -> Any:
    below = all_(lambda child: textbook_innermost(s, child))(t)
    made = s(below)
    return below if made is None else textbook_innermost(s, made)


@settings(max_examples=60)
@given(plans(), terms())
def test_traversals_are_their_equations(s: Strategy, t: Term) -> None:
    assert bottomup(s)(t) == textbook_bottomup(s, t)
    assert oncetd(s)(t) == textbook_oncetd(s, t)
    assert topdown(identity)(t) == t
    assert topdown(try_(SHRINK))(t) == textbook_topdown(try_(SHRINK), t)


@given(terms())
def test_fixpoints(t: Term) -> None:
    rules = strategy(SHRINK)
    inner, outer = innermost(rules)(t), outermost(rules)(t)
    assert inner == textbook_innermost(rules, t)
    assert oncetd(rules)(inner) is None and oncetd(rules)(outer) is None
    assert innermost(rules)(inner) == inner
    assert repeat(oncetd(rules))(t) == outer


@given(plans(), terms())
def test_strategies_are_functions(s: Strategy, t: Term) -> None:
    assert s(t) == s(t) and s == s and eval_free(str(s))


def eval_free(text: str) -> bool:
    return "<function" not in text and " at 0x" not in text
