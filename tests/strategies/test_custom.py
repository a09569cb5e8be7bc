"""Plans that a caller brings: their licence, their results, the judge, and what explains them."""

from typing import Any

import pytest

import rewrite as rw
import strategies
from codegen.cost import cycle_cost
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath
from rewrite.rules import SIMPLIFY
from strategies.base import strategy
from strategies.custom import follow, leaves, rules_of
from strategies.explain import proves, sufficient
from strategies.judged import Refusal
from strategies.normal import Fold
from strategies.saturation import Saturate

x, y, z = rw.symbols("x y z")
a, b = rw.pattern_vars("a b")
MINE = rw.ruleset("mine", FastMath.REASSOC, ("squares", a**2 - b**2, (a - b) * (a + b)))
SQUARES = x**2 - y**2
MODEL = cycle_cost("intel-avx512")


@pytest.mark.parametrize(
    "plan",
    [
        MINE, MINE["squares"], strategies.bottomup(strategies.try_(MINE)),
        strategies.fix(lambda s: strategies.choice(MINE, strategies.some(s))),
        strategies.named("factor", strategies.if_(strategies.where(MINE), MINE)),
    ],
)  # fmt: skip
def test_whatever_is_a_strategy_will_do(plan: Any) -> None:
    best = rw.optimize([SQUARES, z], strategy=plan)
    assert best.terms.tolist() == [(x - y) * (x + y), z]
    assert [rule.name for rule in best.rules] == ["squares"] and "squares:" in str(best.explain())
    assert rw.compile([x, y], SQUARES, strategy=plan)(3.0, 2.0) == 5.0


@pytest.mark.parametrize("plan", ["cleanup", x, int, [MINE]])
def test_what_is_no_strategy_is_refused(plan: Any) -> None:
    with pytest.raises(StrategyError, match=r"no strategy|no plan is called"):
        rw.optimize(SQUARES, strategy=plan)


def lossy(term: rw.Term) -> rw.Term | None:
    return rw.exp(rw.log(term)) if term == rw.sqrt(x) else None


def test_a_result_that_is_less_accurate_is_replaced_by_the_source() -> None:
    best = rw.optimize([rw.sqrt(x), SQUARES], strategy=strategies.choice(lossy, MINE))
    assert best.terms.tolist() == [rw.sqrt(x), (x - y) * (x + y)]
    assert [note for note in best.report.notes if "less accurate" in note and "exp(log" in note]
    alone = rw.optimize(rw.sqrt(x), strategy=lossy)
    assert alone.terms == rw.sqrt(x) and "dropped" in str(alone.report)
    assert rw.optimize(rw.sqrt(x), strategy=lossy, math="fast").terms == rw.exp(rw.log(rw.sqrt(x)))


@pytest.mark.parametrize(
    "plan",
    [
        MINE, MINE["squares"], strategies.innermost(MINE), strategies.traced(MINE),
        strategies.seq(strategies.identity, strategies.try_(MINE)),
        Fold(), strategies.saturate(MINE, MODEL), strategies.named("mine", MINE),
        strategies.fix(lambda s: strategies.choice(MINE, strategies.all_(s))),
        strategies.on("sub", rest=strategies.try_(MINE)), strategies.count(MINE),
        strategies.timed(MINE), strategies.if_(strategies.identity, strategies.fail, MINE),
    ],
)  # fmt: skip
def test_laws_that_are_not_granted_are_refused(plan: Any) -> None:
    with pytest.raises(StrategyError, match="licence"):
        rw.optimize(SQUARES, strategy=plan, math="strict")
    with pytest.raises(StrategyError, match="grants CONTRACT"):
        rw.compile([x, y], SQUARES, strategy=plan, math=FastMath.CONTRACT)


def test_what_is_granted_runs_under_strict() -> None:
    granted = strategies.innermost(SIMPLIFY.allowed(FastMath.NONE))
    assert rw.optimize(x * 1 * y, strategy=granted, math="strict").terms == x * y
    tidy = rw.cleanup("strict")
    assert rw.optimize(x + (rw.const(2) + 3), strategy=tidy, math="strict").terms == x + 5
    with pytest.raises(StrategyError, match=r"\(NSZ\).* and \d+ more"):
        rw.optimize(x, strategy=SIMPLIFY, math="strict")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (3, "made 3 of x; it must return a Term"), ("x", "made 'x' of x"),
        (x > 0, "truth value"), (x * y, "lacks the symbol 'y'"), ("y" * 999, "…"),
    ],
)  # fmt: skip
def test_results_that_are_no_rewritten_terms_are_refused(made: Any, words: str) -> None:
    with pytest.raises(StrategyError, match=words):
        rw.optimize(x, strategy=lambda term: made)


def test_results_are_brought_into_the_store_of_the_source() -> None:
    with rw.scope():
        foreign = rw.symbol("x") * 2
    best = rw.optimize([x + x, y], strategy=lambda t: foreign if t == x + x else None)
    assert best.terms.tolist() == [x * 2, y] and best.terms.store is x.store
    assert best.explain().explained


def test_saturation_sees_all_terms_at_once_and_is_judged() -> None:
    refused: list[Any] = []

    def judge(source: Any) -> Any:
        def verdict(best: Any) -> Any:
            refused.append(best)
            return Refusal((0,), "it is not liked")

        return verdict

    plan = strategies.saturate(SIMPLIFY, MODEL)
    terms = [x * y + x * z, x * y]
    best, report = follow(plan, terms, licence=FastMath.GUARDED)
    assert best != terms and report.nodes and "strategy: saturate" in report.notes[0]
    assert follow(plan, terms, licence=FastMath.GUARDED, judge=judge)[0] == terms and refused
    own = Saturate(plan.simplify, plan.expand, MODEL, judge=lambda source: lambda best: None)
    assert follow(own, terms, licence=FastMath.GUARDED)[0] == best
    assert follow(own, terms, licence=FastMath.GUARDED, judge=judge)[0] == terms


def test_leaves_and_their_rules() -> None:
    plan = strategies.traced(strategies.seq(strategies.try_(MINE), strategies.fail | MINE))
    assert [str(leaf) for leaf in leaves(plan)] == ["mine", "fail", "mine"]
    assert rules_of(plan) == MINE.rules
    assert rules_of(strategies.saturate(MINE, MODEL)) == MINE.rules
    assert rules_of(strategies.saturate(MINE, MODEL, licence=FastMath.NONE)) == ()
    assert rules_of(strategy(lossy)) == ()


def test_what_is_not_proved_is_said() -> None:
    best = rw.optimize(rw.sqrt(x), strategy=lossy, math="fast", limits=rw.Limits(iterations=2))
    assert best.rules == () and best.limits.iterations == 2
    explanation = best.explain()
    assert "not proved within the limits of 2 iterations" in str(explanation)
    assert not explanation.explained and len(explanation) == 0
    assert sufficient([x], [y], FastMath.GUARDED) is None


def test_limits_bound_the_explanation() -> None:
    source, target = x * y + x * z + x * 3, x * (y + z + 3)
    assert sufficient([source], [target], FastMath.GUARDED)
    assert sufficient([source], [target], FastMath.GUARDED, rw.Limits(iterations=0)) is None


def test_terms_of_two_stores_are_explained() -> None:
    with rw.scope():
        u, v = rw.symbols("x y")
        for _ in range(20):
            v = v + 1  # so that ids differ
        target = rw.symbol("y") * u
    assert proves([SIMPLIFY["mul-one"]], [x * 1], [u], FastMath.GUARDED)
    assert sufficient([x * y * 1], [target], FastMath.GUARDED)


def test_exact_arithmetic_alone_is_said() -> None:
    best = rw.optimize(x + (rw.const(2) + 3), strategy=rw.bottomup(rw.try_(rw.fold)))
    assert best.terms == x + 5 and best.rules == ()
    (step,) = best.explain()
    assert step.rule is None and step.law() == "arithmetic: 2 + 3 is 5"
