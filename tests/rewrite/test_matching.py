# ruff: noqa: B002 (a double negation of terms is meant)
import math
from fractions import Fraction
from typing import Any

import pytest

import rewrite as rw
from rewrite.conditions import nonneg, nonzero
from rewrite.constants import PI
from rewrite.errors import PatternError
from rewrite.matching import apply_rule, instantiate, match, same_value
from rewrite.rule import Rule
from rewrite.sorts import BOOL, INT
from rewrite.term import Term, apply

a, b, c = rw.pattern_vars("a b c")
(t,) = rw.pattern_vars("t", sort=BOOL)
x, y, z = rw.symbols("x y z")


def bindings(pattern: Term, term: Any) -> list[dict[str, Any]]:
    return list(match(pattern, term))


def evaluated(pattern: Term, term: Any) -> list[dict[str, Any]]:
    return list(match(pattern, term, flat=False))


@pytest.mark.parametrize(
    ("pattern", "term", "expected"),
    [
        (a - b, x - y, [{"a": x, "b": y}]),
        (a - b, x + y, []),
        (a - a, x - x, [{"a": x}]),
        (a - a, x - y, []),
        (a + b, x + y, [{"a": x, "b": y}, {"a": y, "b": x}]),
        (a + b, x + x, [{"a": x, "b": x}]),
        (a + 1, 1 + x, [{"a": x}]),
        (rw.minimum(a, 0), rw.minimum(0, x), [{"a": x}]),
        (rw.sin(a) ** 2 + rw.cos(a) ** 2, rw.cos(x) ** 2 + rw.sin(x) ** 2, [{"a": x}]),
        (a * b - a * c, y * x - z * y, [{"a": y, "b": x, "c": z}]),
        (rw.where(t, a, b), rw.where(x < y, x, y), [{"t": x < y, "a": x, "b": y}]),
        (~t, ~(x < y), [{"t": x < y}]),
        (a * x, y * x, [{"a": y}]),
        (a**2, x**2.0, [{"a": x}]),
        (a + 0, x + -0.0, []),
        (a * rw.pi, x * rw.pi, [{"a": x}]),
        (a * rw.pi, x * math.pi, []),
    ],
    ids=str,
)
def test_match(pattern: Term, term: Term, expected: list[dict[str, Term]]) -> None:
    assert bindings(pattern, term) == expected


def test_sums_of_many_are_seen_as_they_are_evaluated() -> None:
    many = apply("add", x, y, z)
    assert evaluated(a + b, many) == [{"a": x + y, "b": z}, {"a": z, "b": x + y}]
    assert {"a": x, "b": y, "c": z} in evaluated((a + b) + c, many)
    assert evaluated(apply("add", a, b, c), many) == evaluated(apply("add", a, b, c), x + y + z)
    assert bindings(apply("and", t, t), apply("and", x < 1, x < 1, y < 1)) == []


def test_a_variable_takes_its_sort_only() -> None:
    (i,) = rw.pattern_vars("i", sort=INT)
    n = rw.symbol("n", dtype="int64")
    assert bindings(-a, -n) and not bindings(rw.logical_not(t), -n)
    where = rw.where(t, a, b)
    assert not bindings(where, rw.where(x < 1, x < 2, x < 3))
    assert bindings(-i, -n) == [{"i": n}] and (i.sort is INT) == (not bindings(-i, -x))


@pytest.mark.parametrize(
    ("wanted", "found", "matches"),
    [
        (2, 2, True), (2, 2.0, True), (2.0, 2, True), (Fraction(1, 2), 0.5, True), (2, 3, False),
        (0, 0.0, True), (0, -0.0, False), (-0.0, 0, False), (-0.0, -0.0, True), (0.0, -0.0, False),
        (1, True, False), (True, True, True), (Fraction(1, 3), 1 / 3, False), (PI, PI, True),
        (PI, math.pi, False), (math.nan, math.nan, True), (math.inf, math.inf, True),
        (2**53 + 1, float(2**53), False),
    ],
)  # fmt: skip
def test_constants_match_by_exact_value(wanted: Any, found: Any, matches: bool) -> None:
    assert same_value(wanted, found) is matches


def test_a_failing_condition_asks_for_the_next_match() -> None:
    p = rw.symbol("p", low=1)
    rule = Rule("pick", rw.sin(a * b), rw.cos(b), (nonzero(b),))
    assert list(apply_rule(rule, rw.sin(x * p))) == [rw.cos(p)]
    assert list(apply_rule(rule, rw.sin(p * x))) == [rw.cos(p)]
    assert list(apply_rule(rule, rw.sin(x * y))) == []


def test_conditions_are_about_the_matched_term() -> None:
    rule = Rule("sqrt-square", rw.sqrt(a * b), a, (nonneg(a * b - a * a), nonneg(a)))
    p = rw.symbol("p", low=0)
    assert list(apply_rule(rule, rw.sqrt(p * p))) == [p]
    assert list(apply_rule(rule, rw.sqrt(x * x))) == []


def test_a_rule_that_changes_nothing_does_not_apply() -> None:
    swap = Rule("add-comm", a + b, b + a)
    assert list(apply_rule(swap, x + y)) == [y + x]
    assert list(apply_rule(swap, x + x)) == []
    assert list(apply_rule(swap, x * y)) == list(apply_rule(swap, x)) == []


def test_instantiate_is_literal_and_stays_in_its_store() -> None:
    with rw.scope() as store:
        u = rw.symbol("u")
        made = instantiate((a + 0) * rw.pi, {"a": u}, store)
    assert made.store is store and str(made) == "(u + 0)*pi"
    with pytest.raises(PatternError, match=r"no term for the variable \?b; given: a"):
        instantiate(a + b, {"a": x}, x.store)


def test_other_types_are_matched_by_the_names_of_ops() -> None:
    term = ("add", ("mul", "u", 2), ("mul", ("sin", "v"), 2))
    assert bindings(a * 2 + b * 2, term) == [
        {"a": "u", "b": ("sin", "v")}, {"a": ("sin", "v"), "b": "u"},
    ]  # fmt: skip
    factor = Rule("factor", a * c + b * c, (a + b) * c)
    assert next(apply_rule(factor, term)) == ("mul", ("add", "u", ("sin", "v")), 2)
    one = Rule("div-self", a / a, rw.const(1), (nonzero(a),))
    assert list(apply_rule(one, ("div", 3, 3))) == [1]
    assert list(apply_rule(one, ("div", "u", "u"))) == []
    assert bindings(-a, "u") == bindings(-a, 7) == bindings(-a, ("mystery", "u")) == []


def test_sympy_expressions_are_matched() -> None:
    import sympy as sp

    u = sp.Symbol("u")
    pythagoras = Rule("pythagoras", rw.sin(a) ** 2 + rw.cos(a) ** 2, 1 + 0 * a)
    with sp.evaluate(False):
        made = next(apply_rule(pythagoras, sp.sin(u) ** 2 + sp.cos(u) ** 2))
    assert sp.simplify(made) == 1


def test_the_subject_may_be_deep() -> None:
    with rw.scope():
        term = rw.symbol("x")
        for _ in range(20_000):
            term = -term
        assert len(bindings(-(-a), term)) == 1
