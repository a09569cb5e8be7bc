"""Saturation as a strategy: it composes, is judged, spends its licence, and explains itself."""

from collections.abc import Sequence

import pytest

import rewrite as rw
from codegen.cost import cycle_cost
from rewrite.cost import Gowda2021
from rewrite.dag import Dag
from rewrite.egraph.limits import Limits, StopReason
from rewrite.fastmath import FastMath, licence
from rewrite.rule import RuleSet
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.term import Term
from strategies.core import repeat, try_
from strategies.explain import proves, sufficient
from strategies.presets import default_plan
from strategies.saturation import Saturate, Verdict, saturate

x, y, z = rw.symbols("x y z")
MODEL = cycle_cost("intel-avx512")


def test_it_is_a_strategy_among_others() -> None:
    plan = try_(saturate(SIMPLIFY, MODEL, expand=EXPAND)) >> repeat(SIMPLIFY["neg-neg"])
    assert plan(x * y + x * z) == x * (y + z)
    assert saturate(SIMPLIFY, MODEL)(x) is None
    assert "saturate(simplify" in str(plan)
    assert saturate(SIMPLIFY, MODEL) == saturate(SIMPLIFY, MODEL)


def test_the_licence_decides_which_rules_run() -> None:
    term = (x + y) - x
    free = default_plan(MODEL, FastMath.GUARDED, Limits(), guarded=False)
    strict = default_plan(MODEL, licence("strict"), Limits(), guarded=False)
    assert free(term) == y
    assert strict(term) is None
    contract = default_plan(MODEL, FastMath.CONTRACT, Limits(), guarded=False)
    assert contract(x * y + z) == rw.fma(x, y, z)


def judged_by(verdict: Verdict) -> Saturate:
    """Return a plan whose judge is the given function, whatever the source."""
    return Saturate(SIMPLIFY, EXPAND, MODEL, judge=lambda source: verdict)


def test_what_the_judge_refuses_is_not_returned() -> None:
    asked: list[Term] = []

    def refuse_fma(candidate: Sequence[Term]) -> Sequence[int] | None:
        asked.extend(candidate)
        dag = Dag.of(candidate[0].store, [t.id for t in candidate])
        guilty = [at for at, code in enumerate(dag.code.tolist()) if code == rw.ops.op("fma").code]
        return guilty or None

    term = x * y + x * z + 1
    best = judged_by(refuse_fma)(term)
    assert best is not None
    assert "fma" not in best.sexpr()
    assert "fma" in asked[0].sexpr()
    assert judged_by(lambda candidate: [len(candidate)])(term) is None


def test_refusals_are_in_the_report() -> None:
    plan = judged_by(lambda candidate: [0])
    terms, report = plan.roots([x * y + x * z])
    assert terms == [x * y + x * z]
    assert any("less accurate" in note for note in report.notes)


def test_many_roots_share_their_subterms() -> None:
    plan = default_plan(MODEL, FastMath.GUARDED, Limits(), guarded=True)
    (first, second), _ = plan.roots([rw.sin(x) * y + rw.sin(x) * z, rw.sin(x) + 1])
    assert "(sin x)" in first.sexpr()
    assert "(sin x)" in second.sexpr()


def test_large_inputs_are_left_to_shrinking_rules() -> None:
    term = x
    for k in range(450):
        term = term * rw.symbol(f"q{k}") + 1
    _, report = default_plan(MODEL, FastMath.FAST, Limits(), guarded=False).roots([term])
    assert any("growing rules were left out" in note for note in report.notes)


def test_an_empty_rule_set_ends_at_once() -> None:
    plan = Saturate(RuleSet("none", ()), RuleSet("none", ()), Gowda2021())
    terms, report = plan.roots([x + y])
    assert terms == [x + y]
    assert report.stop is StopReason.SATURATED


def test_explanations_are_minimal_and_sufficient() -> None:
    source, target = x * y + x * z, x * (y + z)
    rules = sufficient([source], [target], FastMath.GUARDED)
    assert rules
    assert proves(rules, [source], [target], FastMath.GUARDED)
    for rule in rules:
        rest = [r for r in rules if r is not rule]
        assert not proves(rest, [source], [target], FastMath.GUARDED)
    assert sufficient([source], [source], FastMath.GUARDED) == ()
    assert sufficient([x], [y], FastMath.GUARDED) is None


@pytest.mark.parametrize("seconds", [0.0])
def test_a_time_limit_is_a_last_resort_and_reported(seconds: float) -> None:
    plan = default_plan(MODEL, FastMath.GUARDED, Limits(seconds=seconds), guarded=False)
    term = (x + y) * (y + z) * (z + x) + x * y * z
    _, report = plan.roots([term])
    assert report.stop is StopReason.TIME
    assert len(report.iterations) == 1
