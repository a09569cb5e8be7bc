"""Every rule is tested from its table: add a row, and its tests appear."""

import collections
import pathlib
from dataclasses import replace

import numpy as np
import pytest

from rewrite import rulecheck, rulesample
from rewrite.conditions import KINDS, nonneg
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.rule import Condition, Rule, ruleset
from rewrite.rules import ALL, EXPAND, FAMILIES, SIMPLIFY
from rewrite.term import pattern_vars

RULES = [rule for group in ALL for rule in group]
EXACT = [rule for rule in RULES if rule.licence == FastMath.NONE]
LICENSED = [rule for rule in RULES if rule.licence != FastMath.NONE]
CONDITIONS = [(rule, condition) for rule in RULES for condition in rule.where]
POINTS, NIGHTLY_POINTS = 10_000, 1_000_000
USEFUL_ONLY = {"exp-of-product": "sound for all n; for others than integers it breeds powers"}
"""Rules whose condition is not for soundness -> why they have it."""


def name(rule: Rule) -> str:
    return rule.name


# -- each rule -------------------------------------------------------------------------------


@pytest.fixture
def points(request: pytest.FixtureRequest) -> int:
    """How many points a rule must hold at."""
    return NIGHTLY_POINTS if request.config.getoption("--nightly") else POINTS


@pytest.mark.parametrize("rule", RULES, ids=name)
def test_equal_over_the_reals(rule: Rule, points: int) -> None:
    verdict = rulecheck.real(rule, points)
    assert verdict.holds, str(verdict)
    assert verdict.undecided <= verdict.points // 10, str(verdict)


@pytest.mark.parametrize("rule", EXACT, ids=name)
def test_same_bits(rule: Rule) -> None:
    verdict = rulecheck.bits(rule)
    assert verdict.holds, str(verdict)


@pytest.mark.parametrize("rule", LICENSED, ids=name)
def test_licence_covers_what_happens_to_bits(rule: Rule) -> None:
    assert not (missing := rulecheck.unlicensed(rule)), f"{rule!r} needs {missing}"


@pytest.mark.parametrize(
    ("rule", "condition"), CONDITIONS, ids=[f"{rule.name}-{c!r}" for rule, c in CONDITIONS]
)
def test_condition_is_needed(rule: Rule, condition: Condition) -> None:
    """Without it the check finds a counterexample, so the check can see what guards guard."""
    if rule.name not in USEFUL_ONLY:
        assert not rulecheck.superfluous(rule, condition, POINTS)


# -- the check can fail ----------------------------------------------------------------------

a, b, c = pattern_vars("a b c")
sqrt, log, exp, where, minimum = (FUNCTIONS[f] for f in ("sqrt", "log", "exp", "where", "minimum"))
# fmt: off
FALSE = ruleset("false", FastMath.REASSOC,
    ("root-of-square",          sqrt(a**2),                 a),
    ("div-self-unguarded",      a / a,                      1),
    ("log-of-product",          log(a * b),                 log(a) + log(b)),
    ("missing-parenthesis",     a * (b + c),                a * b + c),
    ("off-by-a-little",         exp(a) * 1.0000000000000002, exp(a)),
    ("root-apart",              sqrt(a * b),                sqrt(a) * sqrt(b)),
    ("power-of-power",          (a**b)**c,                  a**(b * c)),
    ("tells-the-rest",          exp(log(a)),                a),
    ("square-root-below",       sqrt(a) < b,                a < b * b),
    ("where-swapped",           where(a < b, a, b),         where(b < a, a, b)),
)
INEXACT = ruleset("inexact", FastMath.NONE,
    ("add-then-sub",            (a + b) - a,                b),
    ("mul-by-zero",             a * 0,                      0),
    ("add-positive-zero",       a + 0,                      a),
    ("associate",               (a + b) + c,                a + (b + c)),
    ("third-as-product",        a / 3,                      a * (1 / 3)),
    ("min-of-nan",              where(a < b, a, b),         minimum(a, b)),
    ("not-less",                ~(a < b),                   b <= a),
)
# fmt: on


@pytest.mark.parametrize("rule", FALSE.rules, ids=name)
def test_false_rule_is_caught(rule: Rule) -> None:
    verdict = rulecheck.real(rule, POINTS)
    assert not verdict.holds
    assert rule.name in str(verdict) and " at a = " in str(verdict)


@pytest.mark.parametrize("rule", INEXACT.rules, ids=name)
def test_inexact_rule_is_caught(rule: Rule) -> None:
    verdict = rulecheck.bits(rule)
    assert not verdict.holds
    assert rule.name in str(verdict) and " at a = " in str(verdict)


def test_conditions_that_no_point_meets_are_reported() -> None:
    (rule,) = ruleset("impossible", FastMath.REASSOC, ("none", a + 1, 1 + a, nonneg(-1 - a * a)))
    verdict = rulecheck.real(rule, 100)
    assert not verdict.holds and "0 of" in str(verdict)


def test_missing_licence_is_reported() -> None:
    (rule,) = ruleset("unlicensed", FastMath.REASSOC, ("cancel", a - a, 0))
    assert set(rulecheck.unlicensed(rule)) == {FastMath.NNAN}
    assert not rulecheck.unlicensed(replace(rule, licence=FastMath.NNAN))
    for law, flag in (
        (("fold-in", a + 0, a), FastMath.NSZ),
        (("regroup", (a + b) + c, a + (b + c)), FastMath.REASSOC),
        (("absorb", minimum(a, a + b * b), a), FastMath.NNAN),
        (("scale", (a * b) / (c * b), a / c), FastMath.NNAN),
    ):
        (rule,) = ruleset("unlicensed", FastMath.FAST & ~flag, law)
        bare = replace(rule, licence=FastMath.NINF)
        assert flag in rulecheck.unlicensed(bare if flag is FastMath.REASSOC else rule), rule


def test_undecided_is_not_undefined() -> None:
    """exp(a) and exp(b) are never told apart where a = b, nor log1p(expm1(-9999)) computed."""
    equal, tiny = ruleset(
        "undecided", FastMath.REASSOC,
        ("same-choice", where(a <= b, a, a + 1), where(exp(a) <= exp(b), a, a + 1)),
        ("inverse", FUNCTIONS["log1p"](FUNCTIONS["expm1"](a)), a),
    )  # fmt: skip
    for rule in (equal, tiny):
        verdict = rulecheck.real(rule, POINTS)
        assert verdict.holds and verdict.undecided, str(verdict)


# -- the tables ------------------------------------------------------------------------------


def test_names_are_unique() -> None:
    for names in ([rule.name for rule in RULES], [group.name for group in ALL]):
        assert [n for n, count in collections.Counter(names).items() if count > 1] == []


def test_laws_are_unique() -> None:
    laws = collections.Counter((rule.lhs, rule.rhs, rule.where) for rule in RULES)
    assert [law for law, count in laws.items() if count > 1] == []


def test_rules_are_well_formed() -> None:
    """That the right side and the conditions are bound, making a rule checks itself."""
    assert [rule for rule in RULES if rule.lhs == rule.rhs] == []
    assert {condition.kind for rule in RULES for condition in rule.where} <= set(KINDS)
    assert [rule for rule in RULES if FastMath.AFN in rule.licence] == []


def test_simplifying_rules_do_not_grow() -> None:
    weight = rulecheck.weight
    assert [rule for rule in SIMPLIFY if weight(rule.rhs) > weight(rule.lhs)] == []


def test_unions_hold_every_rule_once() -> None:
    assert sorted(name(r) for r in (*SIMPLIFY, *EXPAND)) == sorted(map(name, RULES))
    assert len(RULES) >= 150


def test_readme_names_every_group() -> None:
    folder = pathlib.Path(rulecheck.__file__).parent / "rules"
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert [group.name for group in ALL if f"`{group.name}`" not in text] == []
    assert all((folder / f"{family}.py").is_file() for family in FAMILIES)


def test_patterns_leave_the_users_store_alone() -> None:
    assert all(rule.lhs.store is rule.rhs.store is a.store for rule in RULES)


def test_specials_are_what_they_say() -> None:
    for dtype in (np.float64, np.float32):
        values = rulesample.specials(dtype)
        assert values.dtype == dtype
        assert np.isnan(values).sum() == 1 and np.isinf(values).sum() == 2
        assert np.signbit(values[values == 0]).tolist() == [False, True]
        tiny = np.abs(values[(values != 0) & (np.abs(values) < np.finfo(dtype).tiny)])
        assert tiny.size == 4
