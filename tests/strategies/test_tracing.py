# ruff: noqa: B002 (a double negation of terms is meant)
"""Watching strategies: who fired, how often, how long."""

from collections import Counter
from typing import Any

import pytest

import rewrite as rw
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset
from rewrite.term import Term
from strategies import (
    Firing,
    all_,
    bottomup,
    choice,
    count,
    fail,
    fix,
    identity,
    if_,
    innermost,
    named,
    on,
    repeat,
    seq,
    timed,
    traced,
    try_,
    where,
)
from strategies.custom import leaves, rules_of

a, b = rw.pattern_vars("a b")
x, y = rw.symbols("x y")
NEG = Rule("neg-neg", -(-a), a)
UNITS = ruleset("units", FastMath.NONE, ("neg-neg", -(-a), a), ("mul-one", a * 1, a))


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


def twice(term: Term) -> Any:
    return term * 2 if term == x else None


EVERYWHERE = [
    seq(identity, UNITS), choice(fail, UNITS), if_(where(UNITS), UNITS), if_(fail, fail, UNITS),
    repeat(UNITS), named("tidy", UNITS), innermost(UNITS), fix(lambda s: choice(UNITS, all_(s))),
    count(UNITS), timed(UNITS), traced(UNITS, lambda firing: None),
    fix(lambda s: traced(choice(UNITS, all_(s)), lambda firing: None)),
]  # fmt: skip


@pytest.mark.parametrize("plan", EVERYWHERE, ids=str)
def test_every_combinator_can_be_looked_into(plan: Any) -> None:
    seen: list[Firing] = []
    counted = count(plan)
    term = -(-x)
    assert traced(plan, seen)(term) == counted(term) == x
    assert {firing.rule for firing in seen} == set(counted.firings) == {"neg-neg"}
    assert set(rules_of(plan)) == set(UNITS.rules)
    assert {str(leaf) for leaf in leaves(plan)} <= {"units", "identity", "fail"}


def test_congruences_can_be_looked_into() -> None:
    counted = count(on("mul", UNITS, rest=try_(twice)))
    assert counted(-(-x) * y) == x * y and counted(-(-x) * x) == x * (x * 2)
    assert counted.firings == {"neg-neg": 2, "twice": 1}
    assert [str(leaf) for leaf in leaves(counted)] == ["units", "twice"]


def test_counting() -> None:
    counted = count(bottomup(try_(UNITS)))
    assert counted(-(-(x * 1)) + -(-y)) == x + y
    assert counted.firings == Counter({"neg-neg": 2, "mul-one": 1})
    assert counted(y * 1) == y and counted.firings["mul-one"] == 2
    assert str(counted) == "count(bottomup(try(units)))"
    assert counted == count(bottomup(try_(UNITS))) and hash(counted) == hash(count(counted.body))
    assert count(counted.body).firings == {}  # each count is its own


def test_a_shared_node_is_counted_once() -> None:
    with rw.scope():
        term = -(-rw.symbol("x"))
        for _ in range(60):
            term = term * term
        for plan in (bottomup(try_(NEG)), fix(lambda s: choice(NEG, all_(s)))):
            counted = count(plan)
            counted(term)
            assert counted.firings == {"neg-neg": 1}


def test_counts_and_traces_together() -> None:
    seen: list[Firing] = []
    inner = count(UNITS)
    outer = count(traced(choice(seq(inner, twice), inner), seen))
    assert outer(-(-x)) == x * 2 and outer(y * 1) == y
    assert inner.firings == {"neg-neg": 1, "mul-one": 2}
    assert outer.firings == {"neg-neg": 1, "mul-one": 2, "twice": 1}
    assert [firing.rule for firing in seen] == ["neg-neg", "twice", "mul-one", "mul-one"]


def test_times_by_rule() -> None:
    clocked = timed(bottomup(try_(choice(UNITS, twice))))
    assert clocked(-(-(x * 1))) == x * 2
    rows = {name: (row.calls, row.firings) for name, row in clocked.clock.items()}
    # each rule only where its ops fit; twice where no rule applied
    assert rows == {"mul-one": (1, 1), "twice": (3, 1), "neg-neg": (1, 1)}
    assert all(row.seconds > 0 for row in clocked.clock.values())
    assert str(clocked) == "timed(bottomup(try(units <+ twice)))"
    head, *lines = str(clocked.clock).splitlines()
    assert head.split() == ["rule", "calls", "firings", "seconds"] and len(lines) == 3
    assert sorted(line.split()[0] for line in lines) == ["mul-one", "neg-neg", "twice"]
    seconds = [float(line.split()[-1]) for line in lines]
    assert seconds == sorted(seconds, reverse=True)
    assert str(timed(fail).clock).split() == ["rule", "calls", "firings", "seconds"]


def test_times_of_what_is_watched() -> None:
    seen: list[Firing] = []
    within, around = timed(traced(UNITS, seen)), timed(UNITS)
    assert within(-(-x)) == x and within(x) is None and len(seen) == 1
    assert (within.clock["neg-neg"].calls, within.clock["neg-neg"].firings) == (1, 1)
    assert traced(around, seen)(-(-x)) == x and around(-(-x)) == x and len(seen) == 2
    assert {name: row.calls for name, row in around.clock.items()} == {"units": 1, "neg-neg": 1}
