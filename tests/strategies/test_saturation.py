"""Saturation as a strategy: it composes, is judged, spends its licence, and explains itself."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.cost import cycle_cost
from rewrite import ops, schedule
from rewrite.cost import Gowda2021, dag_cost
from rewrite.dag import Dag
from rewrite.egraph import workers
from rewrite.egraph.job import Job, Outcome
from rewrite.egraph.limits import Limits, StopReason
from rewrite.egraph.rows import binary
from rewrite.errors import PatternError, StrategyError, UnsupportedOp
from rewrite.extract import MODES, Extractor
from rewrite.fastmath import FastMath, licence
from rewrite.rule import RuleSet
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.store import Store
from rewrite.term import Term
from strategies import judged, saturation
from strategies.core import repeat, try_
from strategies.explain import proves, sufficient
from strategies.judged import CANDIDATES, Refusal, Verdict
from strategies.presets import default_plan
from strategies.saturation import Saturate, saturate

x, y, z = rw.symbols("x y z")
a, b, c = rw.pattern_vars("a b c")
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


def test_forms_are_judged_as_long_as_there_is_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of time that is given holds for what comes after the e-graph too."""
    monkeypatch.setattr(saturation, "GRACE", 0.2)

    def refuse(candidate: Sequence[Term]) -> Refusal:
        time.sleep(0.15)
        at = Dag.of(candidate[0].store, [t.id for t in candidate]).code.tolist()
        return Refusal(tuple(range(len(at))), "slow")

    plan = replace(judged_by(refuse), limits=Limits(seconds=0.1))
    term = rw.sin(x) * y + rw.sin(x) * z + rw.cos(x) * y + rw.cos(x) * z
    begin = time.perf_counter()
    (best,), report = plan.roots([term])
    assert time.perf_counter() - begin < 0.1 + 0.2 + 1
    assert best == term and report.stop is StopReason.TIME and not report.settled


def test_what_the_judge_refuses_is_not_returned() -> None:
    asked: list[Term] = []

    def refuse_fma(candidate: Sequence[Term]) -> Refusal | None:
        asked.extend(candidate)
        dag = Dag.of(candidate[0].store, [t.id for t in candidate])
        guilty = [at for at, code in enumerate(dag.code.tolist()) if code == rw.ops.op("fma").code]
        return Refusal(tuple(guilty), "fused") if guilty else None

    term = x * y + x * z + 1
    best = judged_by(refuse_fma)(term)
    assert best is not None
    assert "fma" not in best.sexpr()
    assert "fma" in asked[0].sexpr()
    assert judged_by(lambda candidate: Refusal((len(candidate),)))(term) is None
    assert judged_by(lambda candidate: Refusal())(term) is None


def test_refusals_are_one_note_in_the_report() -> None:
    asked: list[Sequence[Term]] = []

    def never(candidate: Sequence[Term]) -> Refusal:
        asked.append(candidate)
        dag = Dag.of(candidate[0].store, [t.id for t in candidate])
        return Refusal(tuple(reversed(range(len(dag)))), f"reason {len(asked)}")

    source = (x * y + x * z) / (y + z) + rw.sin(x) ** 2 + rw.cos(x) ** 2 + x / z + y / z
    terms, report = judged_by(never).roots([source])
    assert terms == [source]
    assert 2 < len(asked) <= CANDIDATES
    assert report.notes == [
        f"{len(asked)} cheaper forms were less accurate and dropped: reason {len(asked)}"
    ]
    _, report = judged_by(lambda candidate: Refusal((), "no")).roots([x * y + x * z])
    assert report.notes[0].startswith("1 cheaper form was")


@pytest.mark.parametrize("single", [1, 11])
def test_a_bad_corner_does_not_cost_the_gain_elsewhere(
    single: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged, "SINGLE", single)
    kept = x / y / z

    def picky(candidate: Sequence[Term]) -> Refusal | None:
        store = candidate[0].store
        dag = Dag.of(store, [t.id for t in candidate])
        names = [repr(Term(store, node)) for node in dag.ids.tolist()]
        if repr(kept) in names:
            return None
        division = rw.ops.op("div").code
        guilty = [at for at, code in enumerate(dag.code.tolist()) if code == division]
        return Refusal(tuple(guilty), "the quotient is gone")

    best = judged_by(picky)(kept + (rw.sin(x) * y + rw.sin(x) * z))
    assert best is not None and repr(kept) in repr(best)
    assert "y + z" in repr(best)


def test_the_guard_leaves_the_good_half() -> None:
    bad = rw.exp(x) * rw.exp(y) / (1 + rw.exp(z))
    good = (rw.sin(x) * y + rw.cos(x) * z) / (x * y + x * z)
    plan = default_plan(MODEL, FastMath.GUARDED, Limits(), guarded=True)
    (best,), report = plan.roots([good + bad])
    assert "x*(y + z)" in repr(best) and len(report.notes) == 1
    (first, second), _ = plan.roots([x / y / y, x * y + x * z])
    assert (first, second) == (x / y / y, x * (y + z))


def test_single_precision_is_asked_where_both_will_run() -> None:
    a, b = rw.symbols("a b", low=1e20, high=1e25)
    source = rw.sqrt(a) * rw.sqrt(b)
    found = {
        dtype: default_plan(MODEL, FastMath.GUARDED, Limits(), guarded=True, dtype=dtype)(source)
        for dtype in ("f64", "f32", "both")
    }
    large = {"a": np.float32(1e25), "b": np.float32(1e25)}  # their product overflows in float32
    finite = {
        dtype: bool(
            np.isfinite(rw.evaluate(source if term is None else term, large, dtype=np.float32))
        )
        for dtype, term in found.items()
    }
    assert found["f64"] is not None and finite == {"f64": False, "f32": True, "both": True}


def test_roots_may_come_from_different_stores() -> None:
    with rw.scope(Store()):
        other = rw.symbol("x") * rw.symbol("y") + rw.symbol("x") * rw.symbol("z")
    plan = saturate(SIMPLIFY, MODEL, expand=EXPAND)
    terms, _ = plan.roots([x + y, other])
    assert terms == [x + y, x * (y + z)]
    assert all(term.store is x.store for term in terms)
    assert plan.roots([])[0] == []
    wrong: Any = [x, "y"]
    with pytest.raises(StrategyError, match="takes terms, not 'y'"):
        plan.roots(wrong)


def test_the_way_to_extract_is_an_option_and_exact_says_what_it_proved() -> None:
    source = [rw.sin(x) * y + rw.sin(x) * z, (y + z) / x + rw.cos(x) ** 2]
    costs = []
    for mode in MODES:
        plan = saturate(SIMPLIFY, MODEL, expand=EXPAND, extract=mode)
        terms, report = plan.roots(source)
        costs.append(dag_cost(Dag.of(terms[0].store, [t.id for t in terms]), MODEL))
        assert any(note.startswith("exact: ") for note in report.notes) == (mode == "exact")
    assert costs[2] <= costs[1] <= costs[0]
    found = rw.optimize(x * y + x * z, extract="exact")
    assert found.terms == x * (y + z) and "exact: optimum proved" in str(found.report)
    assert saturate(SIMPLIFY, MODEL) != saturate(SIMPLIFY, MODEL, extract="exact")
    wrong: Any = "best"
    with pytest.raises(UnsupportedOp, match=r"'best'.*greedy, search, exact"):
        saturate(SIMPLIFY, MODEL, extract=wrong)


def test_all_exact_extractions_of_a_run_share_the_time() -> None:
    given: list[float] = []

    class Spy(Extractor):
        def extract(self, *args: Any, **options: Any) -> Any:
            given.append(options["seconds"])
            return super().extract(*args, **options)

    asked: list[Sequence[Term]] = []

    def never(candidate: Sequence[Term]) -> Refusal:
        asked.append(candidate)
        dag = Dag.of(candidate[0].store, [t.id for t in candidate])
        return Refusal(tuple(reversed(range(len(dag)))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saturation, "Extractor", Spy)
        replace(judged_by(never), extract="exact").roots([x * y + x * z])
    assert len(given) > 1 and given == sorted(given, reverse=True) and given[0] > given[-1] >= 0


def test_many_roots_share_their_subterms() -> None:
    plan = default_plan(MODEL, FastMath.GUARDED, Limits(), guarded=True)
    (first, second), _ = plan.roots([rw.sin(x) * y + rw.sin(x) * z, rw.sin(x) + 1])
    assert "(sin x)" in first.sexpr()
    assert "(sin x)" in second.sexpr()


def test_large_inputs_are_left_to_shrinking_rules() -> None:
    term = x
    for k in range(450):
        term = term * rw.symbol(f"q{k}") + 1
    plan = default_plan(MODEL, FastMath.FAST, Limits(), guarded=False)
    _, report = replace(plan, until=schedule.equal(x, y)).roots([term])  # a whole, for its goal
    assert any("growing rules were left out" in note for note in report.notes)
    _, report = plan.roots([term])
    assert "in parts" in report.notes[0]


def test_a_long_sum_of_few_nodes_is_large() -> None:
    """It is a chain of as many nodes in the e-graph, which once was made here, without bounds."""
    long = Term(x.store, x.store.make((ops.ADD.code, *[x.id, y.id] * 5_000)))
    plan = default_plan(MODEL, FastMath.FAST, Limits(), guarded=False)
    dag = Dag.of(long.store, [long.id])
    job = plan.job(dag, plan.rules_for(dag))
    assert job.size == dag.binary_size() == 2 + 9_999 and not workers._small(job)
    (best,), report = plan.roots([long])
    assert "in parts" in report.notes[0]
    assert best.node_count() < 10 and rw.fingerprint(best) == rw.fingerprint(long)


def test_long_sums_become_chains_in_linear_time() -> None:
    long = Term(x.store, x.store.make((ops.ADD.code, *[x.id, y.id, z.id] * 100_000)))
    begin = time.perf_counter()
    rows, (*_, root) = binary(Dag.of(x.store, [long.id]), 7)
    assert time.perf_counter() - begin < 20  # it took hours when each step copied what was left
    assert root == 7 + len(rows) - 1 and len(rows) == 3 + 299_999
    assert all(row[1] == (7 + at - 1, 7 + (at - 2) % 3) for at, row in enumerate(rows) if at > 3)


def test_interrupts_while_extracting_leave_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    plan = default_plan(MODEL, FastMath.FAST, Limits(), guarded=False)
    monkeypatch.setattr(Extractor, "extract", interrupted)
    assert plan.roots([x * y + x * z])[0] == [x * y + x * z]
    assert plan.roots([x * y + x * z])[1].stop is StopReason.INTERRUPTED


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


def test_after_a_contradiction_nothing_is_used() -> None:
    """Dividing by an exact zero once folded ever more numbers, without end."""
    best = rw.optimize(rw.parse("x*y + 1/0"), math="fast")
    assert best.terms == rw.parse("x*y + 1/0")
    assert "nothing that was found is used" in str(best.report)
    for text in ("x + 1/(y*0)", "log(y)*y + (y*0)**-1"):
        best = rw.optimize(rw.parse(text), math="fast")
        assert best.terms == rw.parse(text)
        assert best.report.stop is StopReason.CONTRADICTION
        assert "a division by zero, by " in str(best.report)


UNSOUND = rw.ruleset("unsound", FastMath.NONE, ("div-self-unguarded", a / a, 1))


def test_an_unsound_rule_trips_the_alarm_and_is_named() -> None:
    """`x/x -> 1` without its guard makes what has a logarithm negative."""
    term = (x * y + x * z) + rw.log(rw.minimum(x / x, 5) - 2)
    plan = Saturate(SIMPLIFY + UNSOUND, EXPAND, MODEL)
    (best,), report = plan.roots([term])
    assert report.stop is StopReason.CONTRADICTION
    (note,) = [note for note in report.notes if note.startswith("contradiction")]
    assert "div-self-unguarded" in note
    sound, clean = replace(plan, simplify=SIMPLIFY).roots([term])
    assert clean.stop is not StopReason.CONTRADICTION
    assert best.sexpr() == sound[0].sexpr()


def test_a_contradiction_does_not_hide_that_the_time_was_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs = []

    def saturated(job: Job) -> Outcome:
        runs.append(job)
        found = workers.saturate(job)
        found.report.cut = len(runs) == 2
        return found

    term = (x * y + x * z) + rw.log(rw.minimum(x / x, 5) - 2)
    plan = Saturate(SIMPLIFY + UNSOUND, EXPAND, MODEL)
    assert plan.roots([term])[1].settled
    monkeypatch.setattr("strategies.contradiction.saturate", saturated)
    _, report = plan.roots([term])
    assert report.stop is StopReason.CONTRADICTION and not report.settled


def test_exact_folding_in_two_orders_is_no_contradiction() -> None:
    tenths = (rw.const(0.1) + 0.2) + 0.3, rw.const(0.1) + (rw.const(0.2) + 0.3)
    _, report = Saturate(SIMPLIFY, EXPAND, MODEL).roots([t + x for t in tenths])
    assert report.stop is not StopReason.CONTRADICTION


def test_a_program_without_finite_values_is_left_sound() -> None:
    best = rw.optimize(rw.sqrt(-1 - x * x) + y * z + y * x, math="guarded")
    assert best.report.stop is not StopReason.CONTRADICTION
    assert "no finite value" in str(best.report)


# -- schedules and goals ---------------------------------------------------------------------


def test_schedules_print_and_combine() -> None:
    laws = schedule.run(SIMPLIFY)
    both = schedule.fold >> schedule.times(2, schedule.backoff(laws, 50)) >> schedule.prune
    name = SIMPLIFY.name
    assert str(both) == f"fold ; times(2, backoff(run({name}), 50)) ; prune"
    assert both == schedule.fold >> (
        schedule.times(2, schedule.backoff(laws, 50)) >> schedule.prune
    )
    with pytest.raises(rw.errors.StrategyError, match="no schedule"):
        schedule.fold >> 3  # type: ignore[operator]
    with pytest.raises(rw.errors.StrategyError, match="from 1 on"):
        schedule.times(0, laws)
    with pytest.raises(rw.errors.StrategyError, match="no goal"):
        saturate(SIMPLIFY, MODEL, until=3)  # type: ignore[arg-type]


@given(
    st.lists(st.sampled_from(["fold", "prune", "facts", "run", "backoff", "saturated"]), max_size=5)
)
@settings(deadline=None, max_examples=20)
def test_every_schedule_keeps_the_value(names: list[str]) -> None:
    parts = {
        "fold": schedule.fold, "prune": schedule.prune, "facts": schedule.facts(2),
        "run": schedule.run(SIMPLIFY), "backoff": schedule.backoff(schedule.run(EXPAND), 40),
        "saturated": schedule.saturated(schedule.backoff(schedule.run(SIMPLIFY))),
    }  # fmt: skip
    whole: Any = schedule.fold
    for name in names:
        whole = whole >> parts[name]
    term = (x * y + x * 2.5) / (y + rw.const(1) + 1.5) + 0 * z
    (best,), report = replace(saturate(whole, MODEL), judge=None).roots([term])
    assert report.stop is not None
    assert rw.fingerprint(best) == rw.fingerprint(term)


def test_goals_end_the_search() -> None:
    term = x * y + x * z
    reached = [
        schedule.equal(term, (z + y) * x),
        schedule.matches(a * (b + c)),
        schedule.contains(b + c),
    ]
    for goal in reached:
        _, report = Saturate(SIMPLIFY, EXPAND, MODEL, until=goal).roots([term])
        assert report.stop is StopReason.GOAL
    for goal in (schedule.equal(x, y), schedule.matches(rw.sin(a)), schedule.contains(a / b)):
        (best,), report = Saturate(SIMPLIFY, EXPAND, MODEL, until=goal).roots([term])
        assert report.stop in (StopReason.SATURATED, StopReason.NODES, StopReason.ITERATIONS)
        assert best == x * (y + z)


def test_a_rule_of_a_callers_own_may_have_the_name_of_a_law() -> None:
    """It once was left out in silence, as if it were the law."""
    term = (x * y + x * z) + rw.log(rw.minimum(x / x, 5) - 2)
    unsound = rw.ruleset("unsound", FastMath.NONE, ("div-self", a / a, 1))
    _, report = Saturate(SIMPLIFY + unsound, EXPAND, MODEL).roots([term])
    assert report.stop is StopReason.CONTRADICTION
    assert any(note.endswith("by div-self; left out") for note in report.notes)


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb"])
def test_names_that_an_e_graph_cannot_have_are_refused(name: str) -> None:
    with pytest.raises(PatternError, match="do without"):
        rw.ruleset("odd", FastMath.NONE, (name, a + b, b + a))
    fine = rw.ruleset("fine", FastMath.NONE, ("a'b (c) é", a + b, b + a))
    assert saturate(fine, Gowda2021()).roots([x + y])[1].matches == {"a'b (c) é": 2}


def test_rules_and_goals_that_speak_of_a_symbol() -> None:
    """The e-graph has no patterns for them; it once ended in an error of the engine's own."""
    doubled = rw.ruleset("doubled", FastMath.NONE, ("twice", a + x, a * 2), ("zero", a * 0, 0))
    (best,), report = saturate(doubled, Gowda2021()).roots([y + x + z * 0])
    assert best == y + x + 0 or best == y + x + z * 0
    assert any("speak of one symbol: twice" in note for note in report.notes)
    assert repeat(try_(doubled), limit=1)  # it is a strategy as any other
    for goal in (schedule.matches, schedule.contains):
        with pytest.raises(StrategyError, match=r"has the symbol x, .*rw\.pattern_vars"):
            goal(a + x)
