# ruff: noqa: B002 (a double negation of terms is meant)
import copy
from typing import Any

import pytest

import rewrite as rw
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset
from rewrite.term import Term
from strategies import (
    Firing,
    bottomup,
    choice,
    fail,
    identity,
    innermost,
    not_,
    repeat,
    seq,
    strategy,
    traced,
    try_,
    where,
)
from strategies.core import Choice, Rules, Seq, Try

a, b = rw.pattern_vars("a b")
x, y = rw.symbols("x y")
NEG = Rule("neg-neg", -(-a), a)
ONE = Rule("mul-one", a * 1, a)
COMM = Rule("add-comm", a + b, b + a)
UNITS = ruleset("units", FastMath.NONE, ("neg-neg", -(-a), a), ("mul-one", a * 1, a))


def test_the_equations() -> None:
    assert identity(x) == x and fail(x) is None
    assert seq(NEG, ONE)(-(-(x * 1))) == x and seq(NEG, ONE)(-(-x)) is None
    assert choice(NEG, ONE)(x * 1) == x and choice(NEG, ONE)(x) is None
    assert try_(NEG)(x) == x and try_(NEG)(-(-x)) == x
    assert where(NEG)(-(-x)) == -(-x) and where(NEG)(x) is None
    assert not_(NEG)(x) == x and not_(NEG)(-(-x)) is None
    assert repeat(NEG)(-(-(-(-x)))) == x and repeat(NEG)(x) == x


def test_rules_rule_sets_and_functions_are_strategies() -> None:
    assert strategy(UNITS)(x * 1) == x and strategy(UNITS)(x + 1) is None
    assert (try_(UNITS) >> COMM)(-(-(x + y))) == y + x
    assert (NEG >> strategy(COMM))(-(-(x + y))) == y + x
    assert (UNITS | strategy(COMM))(x + y) == y + x

    def halve(term: Term) -> Term | None:
        return term / 2 if term == x else None

    assert strategy(halve)(x) == x / 2 and str(strategy(halve)) == "halve"
    for wrong in (3, "neg-neg", None, Rule):
        with pytest.raises(StrategyError, match="is no strategy; give one, a rule"):
            strategy(wrong)


def test_the_first_rule_of_the_table_wins() -> None:
    table = ruleset(
        "t", FastMath.NONE, ("first", a + 1, rw.sin(a)), ("second", a + b, a - b),
        ("third", a + 1, rw.cos(a)),
    )  # fmt: skip
    assert strategy(table)(x + 1) == rw.sin(x) and strategy(table)(x + y) == x - y


def test_they_print_as_the_textbook_writes_them() -> None:
    plan = innermost(UNITS) >> choice(NEG, fail) >> bottomup(try_(COMM))
    assert str(plan) == repr(plan) == (
        "innermost(units) ; (neg-neg <+ fail) ; bottomup(try(add-comm))"
    )  # fmt: skip
    assert str(not_(where(repeat(identity)))) == "not(where(repeat(identity)))"
    assert str(choice(seq(NEG, ONE), ONE)) == "neg-neg ; mul-one <+ mul-one"


def test_they_are_values() -> None:
    plan = seq(NEG, ONE) | UNITS
    assert plan == (seq(NEG, ONE) | UNITS) and hash(plan) == hash(copy.copy(plan))
    assert seq(NEG, seq(ONE, COMM)) == seq(seq(NEG, ONE), COMM)
    assert seq() == identity and choice() == fail and seq(NEG) == strategy(NEG)
    assert isinstance(seq(NEG, ONE), Seq) and isinstance(plan, Choice)
    assert try_(NEG) == Try(Rules("neg-neg", (NEG,))) != try_(ONE)
    with pytest.raises(AttributeError):
        try_(NEG).body = identity  # type: ignore[misc]


def test_repeat_ends_where_nothing_changes() -> None:
    assert repeat(identity)(x) == x and repeat(try_(NEG))(-(-x)) == x


def test_repeat_names_the_rule_at_its_limit() -> None:
    grow = Rule("grow", rw.sin(a), rw.sin(a + 1))
    with pytest.raises(StrategyError, match=r"repeat\(grow\) does not end: after 20 steps, grow"):
        repeat(grow, limit=20)(rw.sin(x))
    with pytest.raises(StrategyError, match=r"after 10000 steps, add-comm still fires on"):
        repeat(choice(NEG, UNITS, COMM))(x + y)


def test_traced_reports_every_firing_by_rule() -> None:
    seen: list[Firing] = []
    plan = traced(bottomup(try_(UNITS)), seen)
    assert plan(-(-(x * 1)) * y) == x * y
    assert [(f.rule, f.after) for f in seen] == [("mul-one", x), ("neg-neg", x)]
    assert str(seen[0]) == "mul-one: x*1 => x" and str(plan) == "traced(bottomup(try(units)))"


def test_traced_prints_and_nests(capsys: pytest.CaptureFixture[str]) -> None:
    outer: list[Firing] = []

    def twice(term: Term) -> Any:
        return term * 2

    assert traced(traced(seq(NEG, twice)), outer)(-(-x)) == x * 2
    assert capsys.readouterr().out == "neg-neg: --x => x\ntwice: x => x*2\n"
    assert [f.rule for f in outer] == ["neg-neg", "twice"]


def test_traced_tells_of_branches_given_up_and_not_of_what_changed_nothing() -> None:
    seen: list[Any] = []
    assert traced(choice(seq(NEG, fail), identity), seen.append)(-(-x)) == -(-x)
    assert [f.rule for f in seen] == ["neg-neg"]
