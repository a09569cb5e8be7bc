"""What users do to strategies besides applying them: mistakes, copies, threads."""

# ruff: noqa: B002 (a double negation of terms is meant)

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import rewrite as rw
from rewrite.cost import Gowda2021
from rewrite.errors import PatternError, SortError, StrategyError
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset
from rewrite.term import Term
from strategies import (
    Strategy,
    all_,
    alltd,
    bottomup,
    count,
    fail,
    fix,
    identity,
    if_,
    innermost,
    on,
    oncebu,
    oncetd,
    one,
    saturate,
    some,
    try_,
    where,
)

a, b = rw.pattern_vars("a b")
x = rw.symbol("x")


def compared(term: Term) -> Any:
    return term < 1 if term == x else None


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (lambda: Rule("", a + b, a), "is no name for a rule"),
        (lambda: Rule("text", "a+b", a), "the left side 'a\\+b' is no term"),  # type: ignore[arg-type]
        (lambda: Rule("number", a + b, 0), "the right side 0 is no term"),
        (lambda: Rule("bare", a / b, a, rw.nonzero(b)), "no tuple of conditions"),
        (lambda: Rule("lambda", a / b, a, (abs,)), "no tuple of conditions"),  # type: ignore[arg-type]
        (lambda: saturate(ruleset("r", FastMath.NONE), "gowda2021"), "no cost model"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_rule_says_so(made: Callable[[], Any], words: str) -> None:
    with pytest.raises((PatternError, StrategyError), match=words):
        made()


@pytest.mark.parametrize(
    "plan",
    [
        all_(compared), one(compared), some(compared), alltd(compared),
        bottomup(try_(compared)), oncetd(compared), oncebu(compared), on("sin", compared),
    ],
    ids=str,
)  # fmt: skip
def test_a_result_of_another_sort_names_strategy_and_term(plan: Strategy) -> None:
    with pytest.raises(SortError, match=r"compared.* made x < 1 of the arguments of sin\(x\)"):
        plan(rw.sin(x))


def test_saturation_prints_as_a_strategy() -> None:
    plan = try_(saturate(ruleset("shrink", FastMath.NONE), Gowda2021()))
    assert repr(plan) == "try(saturate(shrink, none, gowda2021))"
    assert repr(plan.body) == "saturate(shrink, none, gowda2021)"


def test_one_strategy_in_many_threads() -> None:
    plan = innermost(Rule("twice", -(-a), a))
    terms = [rw.sin(-(-(x + k))) for k in range(200)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(plan, terms * 4)) == [rw.sin(x + k) for k in range(200)] * 4


@pytest.mark.parametrize(
    "plan",
    [
        innermost(Rule("twice", -(-a), a)), fix(lambda s: try_(fail) >> all_(s)),
        count(on("add", identity, rest=fail)), if_(where(fail), identity),
    ],
    ids=str,
)  # fmt: skip
def test_copies_are_equal(plan: Strategy) -> None:
    plan(-(-x))
    for made in (copy.copy(plan), copy.deepcopy(plan), pickle.loads(pickle.dumps(plan))):
        assert made == plan and hash(made) == hash(plan) and repr(made) == repr(plan)
        assert made(-(-x)) == plan(-(-x))
