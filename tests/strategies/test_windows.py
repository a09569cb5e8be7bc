"""Large programs: cut into windows, equal shapes once, with and without help from elsewhere."""

import importlib
import itertools
import math
import multiprocessing
import os
import pickle
import signal
import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.cost import cycle_cost
from rewrite import ops
from rewrite.contentcache import ContentCache
from rewrite.cost import Gowda2021, dag_cost
from rewrite.dag import Dag
from rewrite.deadline import OutOfTime, look, until
from rewrite.egraph.limits import Limits, StopReason
from rewrite.extract import Proof
from rewrite.fastmath import FastMath
from rewrite.store import Store, Symbol
from rewrite.term import Term, join_all
from rewrite.testing import terms
from strategies import saturation
from strategies.judged import Refusal
from strategies.presets import GuardJudge, default_plan
from strategies.saturation import Saturate
from strategies.windows import drive, kinds
from strategies.windows.batch import Batch, same_values
from strategies.windows.binary import Program, made, program_of
from strategies.windows.costing import FormCosts
from strategies.windows.cut import Window, cut
from strategies.windows.judging import without_value
from strategies.windows.memory import read, write
from strategies.windows.shape import Form, instantiate, rows_of, shape_of
from strategies.windows.whole import Builder, Known, _differing, refused, settled

MODEL = cycle_cost("zen4-avx2")
FAST = default_plan(MODEL, FastMath.FAST, Limits(), guarded=False)
GUARDED = default_plan(MODEL, FastMath.GUARDED, Limits(), guarded=True)


def dag_of(roots: list[Term]) -> Dag:
    return Dag.of(roots[0].store, [term.id for term in roots])


def cost(roots: list[Term]) -> float:
    return dag_cost(dag_of(roots), MODEL)


def copies(count: int) -> list[Term]:
    """Return one formula with other symbols each time, and a sum over what they share."""
    made = []
    total: Any = rw.symbol("t0")
    for k in range(count):
        u, v, w = (rw.symbol(f"{name}{k}") for name in "uvw")
        made.append(rw.sin(u * v + u * w) ** 2 + rw.cos(u * (v + w)) ** 2 + total / 4)
        total = total * u + v
    return made


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut programs that are not large at all."""
    monkeypatch.setattr(saturation, "WHOLE", 12)


symbols = st.lists(
    terms([*rw.symbols("x y z"), rw.symbol("p", low=1, high=3)], max_ops=14), min_size=1, max_size=6
)


def numbers(roots: list[Term]) -> bool:
    return all(term.sort != rw.BOOL for term in roots) and len(dag_of(roots)) > 12


@given(symbols)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_each_inner_node_is_in_one_window(roots: list[Term]) -> None:
    program = program_of(dag_of(roots), assume=False)
    windows = cut(program, most=6)
    inner = [at for at in range(len(program)) if program.args[at] and not program.constant[at]]
    assert sorted(at for window in windows for at in window.nodes) == inner
    ends = {root for window in windows for root in window.roots}
    for window in windows:
        assert len(window.nodes) <= 6
        assert set(window.given) <= ends
        # what a window uses of others is a root of theirs: nothing else is computed as such
        for at in (*window.nodes, *window.context):
            for child in program.args[at]:
                known = child in window.nodes or child in window.context or child in ends
                assert known or not program.args[child] or program.constant[child]


@given(symbols)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_the_shape_does_not_depend_on_names(roots: list[Term]) -> None:
    dag = dag_of(roots)
    store = Store()
    ids: list[int] = []
    for (code, args), value in zip(dag.rows(), dag.value, strict=True):
        if isinstance(value, Symbol):
            value = replace(value, name=f"other_{value.name}")
        ids.append(made(store, code, [ids[a] for a in args], value))
    others = [Term(store, ids[root]) for root in dag.roots]
    both = [program_of(dag_of(some), assume=False) for some in (roots, others)]
    keys = [[shape_of(p, window)[0].key for window in cut(p)] for p in both]
    assert keys[0] == keys[1]


def test_shapes_tell_apart_what_rules_may_use() -> None:
    def key(term: Term) -> str:
        program = program_of(dag_of([term]), assume=False)
        return shape_of(program, cut(program)[-1])[0].key

    x, p = rw.symbol("x"), rw.symbol("p", low=0.5)
    different = [
        rw.sqrt(x * x), rw.sqrt(p * p), rw.sqrt(x * p), rw.sqrt(x * 2), rw.sqrt(x * 3),
        rw.sqrt(x * 2.0), rw.sqrt(x + x),
    ]  # fmt: skip
    assert len({key(term) for term in different}) == len(different)


@given(symbols)
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
def test_parts_keep_the_value_and_never_cost_more(roots: list[Term]) -> None:
    if not numbers(roots):
        return
    best, report = drive.optimise(FAST, roots)
    assert report.stop is not None
    assert cost(best) <= cost(roots) + 1e-9
    assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))
    again, _ = drive.optimise(FAST, roots)
    assert [t.sexpr() for t in again] == [t.sexpr() for t in best]


def _sum(roots: list[Term]) -> Term:
    """Weigh roots, so that one fingerprint tells them all."""
    total: Any = rw.const(0, roots[0].store)
    for k, term in enumerate(roots):
        total = total + term * rw.symbol(f"weight{k}")
    return total  # type: ignore[no-any-return]


def test_equal_shapes_are_saturated_once() -> None:
    roots = copies(60)
    best, report = drive.optimise(FAST, roots)
    assert cost(best) < 0.5 * cost(roots)
    note = report.notes[0]
    assert "1 e-graphs" in note or "2 e-graphs" in note
    windows = int(note.split(" windows")[0].split()[-1])
    shapes = int(note.split(" shapes")[0].split()[-1])
    assert windows > 4 * shapes


def test_large_sums_of_products_are_contracted_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no sum or product still gets an e-graph."""
    monkeypatch.setattr(drive, "PLAIN", 100)
    x, k = ([rw.symbol(f"{name}{n}") for n in range(30)] for name in "xk")
    rng = np.random.default_rng(0)
    pick = rng.integers(0, 30, (40, 6))
    plain = [k[a] * x[b] * x[c] - k[d] * x[e] + x[f] for a, b, c, d, e, f in pick.tolist()]
    best, report = drive.optimise(GUARDED, plain)
    assert "e-graphs" not in report.notes[0] and cost(best) < 0.8 * cost(plain)
    assert "fma" in best[0].sexpr()
    mixed = [*plain, rw.sin(x[0]) ** 2 + rw.cos(x[0]) ** 2]
    best, report = drive.optimise(FAST, mixed)
    assert "1 e-graphs" in report.notes[0] and best[-1].sexpr() == "1"
    assert "fma" in best[0].sexpr()
    strict = default_plan(MODEL, FastMath.NONE, Limits(), guarded=False)
    assert [t.sexpr() for t in drive.optimise(strict, plain)[0]] == [t.sexpr() for t in plain]


def test_laws_look_through_a_cut() -> None:
    """sin(x) and cos(x) are shared by others, and their squares still add up to one."""
    x, y = rw.symbols("x y")
    s, c = rw.sin(x), rw.cos(x)
    roots = [s * s + c * c + y, s * y, c * y, s + c]
    best, _ = drive.optimise(FAST, roots)
    assert best[0].sexpr() == (y + 1).sexpr() or best[0].sexpr() == (1 + y).sexpr()


def test_what_is_less_accurate_is_refused(small: None) -> None:
    """Windows are judged at the values that their leaves take."""
    x, y = rw.symbol("x", low=1e8, high=1e9), rw.symbol("y", low=0, high=1)
    parts = [rw.exp(rw.sin(y * k) * 20) for k in range(1, 8)]
    roots = [(a - b) * (a + b) for a, b in itertools.pairwise(parts)]
    roots += [(x + k) ** 2 - x**2 for k in range(5)]
    best, _report = GUARDED.roots(roots)
    assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))
    for old, new in zip(roots, best, strict=True):
        assert rw.accuracy(new).mean_bits <= rw.accuracy(old).mean_bits + 0.1


def test_every_window_of_a_shape_is_safe(small: None) -> None:
    """u/v + w/v*u was rewritten where w*u overflows, as the first windows had small values."""
    n = 25
    xs = rw.symbols([f"x{k}" for k in range(n)], low=1.0, high=2.0)
    ys = rw.symbols([f"y{k}" for k in range(n)], low=1.0, high=1e200)
    roots = []
    for some in (xs, ys):
        for k in range(n):
            u, v, w = some[k], some[(k + 1) % n], some[(k + 2) % n]
            roots.append(u / v + w / v * u + rw.sin(u))
    best, _ = GUARDED.roots(roots)
    values = {f"x{k}": 1.5 for k in range(n)} | {f"y{k}": 0.9e200 for k in range(n)}
    assert all(np.isfinite(rw.evaluate(term, values)) for term in best)


@pytest.mark.parametrize("constant", [-0.0, float("inf"), Fraction(1, 3), 10**30, math.pi])
def test_all_constants_come_through(constant: Any, small: None) -> None:
    """-0.0 is no number to the engine, and was taken for a leaf."""
    xs = [rw.symbol(f"x{k}") for k in range(6)]
    roots = [rw.sin(x * x + constant) * (x / (x * 3.5)) + (x - x * 0) for x in xs]
    for plan in (FAST, GUARDED):
        best, _ = plan.roots(roots)
        if math.isfinite(constant):
            assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))


def test_a_judge_of_ones_own_is_asked_about_every_part(small: None) -> None:
    asked: list[int] = []

    def judge(source: Any) -> Any:
        asked.append(len(source))
        return lambda best: Refusal((), "no")

    roots = copies(4)
    best, _ = replace(FAST, judge=judge).roots(roots)
    assert asked and best == roots


def test_a_window_that_contradicts_itself_costs_no_other(small: None) -> None:
    x, y = rw.symbols("x y")
    roots = [*copies(6), x / (y * 0) + rw.sin(y)]
    best, report = FAST.roots(roots)
    assert rw.fingerprint(best[-1]) == rw.fingerprint(roots[-1])
    assert cost(best) < 0.6 * cost(roots)
    assert "a division by zero" in str(report)


def test_what_others_compute_as_a_constant_is_a_constant(small: None) -> None:
    """Its class has the symbols of several windows, which once were exchanged."""
    a, b, c, d = rw.symbols("a b c d")
    zero = (a - a) * rw.sin(b)
    roots = [
        zero + c * d, rw.cos(zero) * c + c * d * a, zero * b + (c + d) * (c - d), rw.sin(zero + a),
        rw.exp(zero * c) + b * a - a * b, (a * b + a * c) * zero,
    ]  # fmt: skip
    for plan in (FAST, GUARDED):
        best, _ = plan.roots(roots)
        assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))
        assert best[-1] == rw.const(0)


# -- elsewhere -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_an_executor_finds_the_same(kind: str) -> None:
    roots = [*copies(4), rw.parse("a*b + a*c*sin(b) - d/3"), rw.parse("exp(a)*exp(b)*log(c*c)")]
    pool: Executor
    if kind == "threads":
        pool = ThreadPoolExecutor(2)
    else:
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
    plan = replace(FAST, limits=Limits(seconds=300))
    with pool:
        best, _ = drive.optimise(replace(plan, executor=pool), roots)
    alone, _ = drive.optimise(plan, roots)
    assert [t.sexpr() for t in best] == [t.sexpr() for t in alone]


def test_optimize_takes_an_executor(small: None) -> None:
    roots = copies(3)
    with ThreadPoolExecutor(2) as pool:
        best = rw.optimize(roots, math="fast", executor=pool, progress=False)
    assert best.cost_after < best.cost_before
    with pytest.raises(rw.errors.ArgumentError, match="executor"):
        rw.optimize(roots, executor=3)


def test_progress_is_shown_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class AtOnce(threading.Timer):  # in its own thread it might come when the work is done
        def start(self) -> None:
            self.function()

    monkeypatch.setattr(threading, "Timer", AtOnce)
    with rw.options(progress=True):
        drive.optimise(FAST, copies(2))
    assert "saturating" in capsys.readouterr().err
    with rw.options(progress=False):
        drive.optimise(FAST, copies(2))
    assert "saturating" not in capsys.readouterr().err


def test_interrupts_leave_a_sound_program(
    monkeypatch: pytest.MonkeyPatch, interruptible: None
) -> None:
    monkeypatch.setattr(kinds, "BATCH_ROWS", 30)
    roots = [
        rw.sin(a * b + a * c * k) * (a + k) for k in range(40) for a, b, c in [rw.symbols("a b c")]
    ]
    seen: list[int] = []

    class Spy(drive._Large):
        def _forms(self, *args: Any) -> Any:
            seen.append(1)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGINT)
                threading.Event().wait(0.01)
            return super()._forms(*args)

    monkeypatch.setattr(drive, "_Large", Spy)
    best, report = drive.optimise(FAST, roots)
    assert report.stop is StopReason.INTERRUPTED
    assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))


@pytest.mark.parametrize("where", ["factored_system", "program_of", "kinds_of", "values_at"])
def test_interrupts_at_any_step_leave_a_sound_program(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any, **options: Any) -> Any:
        raise KeyboardInterrupt

    roots = copies(10)
    monkeypatch.setattr(drive, where, interrupted)
    best, report = GUARDED.roots(roots)
    assert report.stop is StopReason.INTERRUPTED and not report.settled
    assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))


@pytest.mark.parametrize("where", ["factored_system", "program_of", "kinds_of", "values_at"])
def test_a_time_limit_is_kept_at_any_step(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step looks at the clock itself: in a large program it may take minutes."""
    original = getattr(drive, where)
    late: list[str] = []

    def slow(*args: Any, **options: Any) -> Any:
        with until(0.0):
            try:
                return original(*args, **options)
            except OutOfTime:
                late.append(where)
                raise

    roots = copies(10)
    monkeypatch.setattr(drive, where, slow)
    best, report = drive.optimise(replace(GUARDED, limits=Limits(seconds=300)), roots)
    assert late and not report.settled
    assert report.stop is StopReason.TIME or where == "factored_system"
    assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))


def test_a_deadline_inside_of_another_is_the_earlier_one() -> None:
    with until(math.inf):
        look()
        with until(0.0), until(math.inf), pytest.raises(OutOfTime):
            look()
        look()


def test_a_time_limit_is_kept_between_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "BATCH_ROWS", 30)
    roots = copies(10)
    best, report = drive.optimise(replace(FAST, limits=Limits(seconds=0.0)), roots)
    assert report.stop is StopReason.TIME
    assert rw.fingerprint(_sum(best)) == rw.fingerprint(_sum(roots))


# -- the cache -------------------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("REWRITE_CACHE", str(tmp_path))
    yield tmp_path / "forms" / "results.sqlite"


@pytest.mark.parametrize("plan", [FAST, GUARDED], ids=["fast", "guarded"])
def test_results_are_recalled_from_disk(cached: Path, plan: Saturate) -> None:
    roots = copies(8)
    first, report = drive.optimise(plan, roots)
    assert "from the cache" not in report.notes[0] and cached.exists()
    second, report = drive.optimise(plan, roots)
    assert "from the cache" in report.notes[0] and "e-graphs" not in report.notes[0]
    assert [t.sexpr() for t in first] == [t.sexpr() for t in second]
    _, report = drive.optimise(replace(plan, extract="greedy"), roots)
    assert "from the cache" not in report.notes[0]


def test_what_the_clock_cut_short_is_not_kept(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = copies(8)
    with monkeypatch.context() as unproved:
        unproved.setattr(Proof, "proved", False)
        _, report = drive.optimise(replace(FAST, extract="exact"), roots)
    assert not report.settled
    _, report = drive.optimise(replace(FAST, extract="exact"), roots)
    assert "from the cache" not in report.notes[0] and report.settled
    _, report = drive.optimise(replace(FAST, extract="exact"), roots)
    assert "from the cache" in report.notes[0]


def test_a_damaged_cache_is_as_if_it_were_not_there(cached: Path) -> None:
    roots = copies(3)
    first, _ = drive.optimise(FAST, roots)
    with sqlite3.connect(cached) as connection:
        connection.execute("UPDATE results SET text = '[[[\"mul\",7,9]],[0]]'")
    connection.close()
    second, report = drive.optimise(FAST, roots)
    assert "from the cache" not in report.notes[0]
    assert [t.sexpr() for t in first] == [t.sexpr() for t in second]
    cached.write_bytes(b"no database" * 1000)
    third, _ = drive.optimise(FAST, roots)
    assert [t.sexpr() for t in first] == [t.sexpr() for t in third]


def test_a_wrong_form_in_the_cache_is_not_believed(cached: Path) -> None:
    roots = copies(3)
    first, _ = drive.optimise(FAST, roots)
    with sqlite3.connect(cached) as connection:
        connection.execute("UPDATE results SET text = ?", (write((((0, (), 0),), (0,))),))
    connection.close()
    second, _ = drive.optimise(FAST, roots)
    assert [t.sexpr() for t in first] == [t.sexpr() for t in second]


def test_the_cache_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rewrite.contentcache.MOST_ROWS", 20)
    cache = ContentCache(tmp_path)
    cache.put({"kept": "text"})
    for k in range(30):
        cache.put({f"key{k}": "x"})
        assert cache.get(["kept"]) == {"kept": "text"}  # it is in use
    known = cache.get([f"key{k}" for k in range(30)])
    assert len(known) <= 20 and "key29" in known and "key0" not in known


def test_the_cache_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    from rewrite.contentcache import folder

    monkeypatch.setenv("REWRITE_CACHE", "off")
    assert folder() is None
    monkeypatch.delenv("REWRITE_CACHE")
    assert folder() is not None


@given(symbols)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_forms_are_read_as_they_were_written(roots: list[Term]) -> None:
    program = program_of(dag_of(roots), assume=False)
    for window in cut(program):
        shape, leaves = shape_of(program, window)
        form = shape.rows, shape.roots
        again = read(write(form), len(leaves))
        assert again is not None and repr(again) == repr(form)
        store = Store()
        ids = [store.symbol(rw.symbol(f"l{k}").symbol) for k in range(len(leaves))]  # type: ignore[arg-type]
        assert instantiate(again, store, ids) == instantiate(form, store, ids)
        assert same_values(shape, form)
    assert np.isfinite(len(program))


type Forms = dict[int, tuple[Form, tuple[int, ...]]]


def forms_of(program: Program, windows: list[Window], spoilt: set[int]) -> Forms:
    """Return the form that each window has; of some a large number is added and taken off."""
    found: Forms = {}
    for number, window in enumerate(windows):
        shape, leaves = shape_of(program, window)
        rows, count = list(shape.rows), len(shape.rows)
        roots = shape.roots
        if number in spoilt:
            rows += [
                (ops.CONST.code, (), 1e6), (ops.ADD.code, (roots[0], count), None),
                (ops.SUB.code, (count + 1, count), None),
            ]  # fmt: skip
            roots = (count + 2,)
        found[number] = (tuple(rows), roots), leaves
    return found


def chained() -> list[Term]:
    x = rw.symbol("x", low=0.1, high=1)
    parts = [rw.sin(x * k + 1) for k in range(1, 9)]
    total = parts[0]
    for part in parts[1:]:
        total = rw.cos(total * part)
    return [total, *parts]


def test_the_windows_to_blame_keep_their_form() -> None:
    """One window is spoilt, and all that is made of it is worse: it alone stays."""
    terms = chained()
    program = program_of(dag_of(terms), assume=False)
    windows = cut(program)
    places = {window.roots[0] for window in windows}
    spoilt = next(k for k, w in enumerate(windows) if program.code[w.roots[0]] == ops.SIN.code)
    assert len(places) == len(windows) > 8
    build = Builder(program, windows, forms_of(program, windows, {spoilt}))
    found, kept = settled(GuardJudge("f64"), terms, build, Known())
    assert kept == 1
    assert dag_of(found.terms(program.roots)).rows() == dag_of(terms).rows()
    build = Builder(program, windows, forms_of(program, windows, set()))
    good, none = settled(GuardJudge("f64"), terms, build, Known())
    assert none == 0 and dag_of(good.terms(program.roots)).rows() == dag_of(terms).rows()


@given(st.lists(st.sets(st.integers(0, 15)), min_size=2, max_size=4))
@settings(deadline=None)
def test_what_is_made_anew_in_part_is_what_is_made_as_a_whole(kept: list[set[int]]) -> None:
    terms = chained()
    program = program_of(dag_of(terms), assume=False)
    windows = cut(program)
    forms = forms_of(program, windows, set(range(0, len(windows), 2)))
    build = Builder(program, windows, forms)
    for some in kept:
        again = build(some).terms(program.roots)
        whole = Builder(program, windows, forms)(some).terms(program.roots)
        assert dag_of(again).rows() == dag_of(whole).rows()
        assert dag_of(again).roots == dag_of(whole).roots


def test_exact_values_of_roots_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    x = rw.symbol("x", low=0.1, high=1)
    good = [rw.sin(x) + 1, rw.exp(x) * x]
    bad = [good[0], (good[1] + 1e9) - 1e9]
    known = Known()
    module = importlib.import_module("rewrite.guard")
    for source in (good, [good[0], x * rw.exp(x)]):
        assert refused(GuardJudge("f64"), source, bad, known) == [1]
        monkeypatch.setattr(module, "exact_dag", None)  # what is known is not asked for again
    ((found,),) = [known.exact.values()]
    assert list(found) == [1]


def test_forms_are_the_same_wherever_they_are_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    roots, plan = copies(12), replace(GUARDED, limits=Limits(seconds=300))
    here, _ = plan.roots(roots)
    monkeypatch.setattr(drive, "AWAY", 1)
    monkeypatch.setattr(kinds, "BATCH_ROWS", 20)
    away, report = plan.roots(roots)
    monkeypatch.setattr(drive, "AWAY", 10**6)
    near, _ = plan.roots(roots)
    assert away == near and cost(away) <= cost(here) * 1.2
    assert report.stop is not StopReason.FAILED


def test_what_has_no_value_is_set_apart() -> None:
    """A division by zero contradicts itself, and would spoil the e-graph of all others."""
    y = rw.symbol("y", low=1, high=2)
    roots = [*copies(6), y / (y - y) + rw.sin(y), rw.log(y - y) * y]
    program = program_of(dag_of(roots), assume=False)
    found = without_value(program)
    codes = {program.code[at] for at in found}
    assert codes == {ops.DIV.code, ops.LOG.code}
    best, _ = drive.optimise(GUARDED, roots)
    assert cost(best[:-2]) < cost(roots[:-2])


# -- speed that changes no result ------------------------------------------------------------


def test_a_root_that_factoring_makes_worse_keeps_its_form(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b, c, d = rw.symbols("a b c d")
    roots = [a * b + a * c, d * b + d * c + rw.sin(a)]
    monkeypatch.setattr(drive, "refused", lambda *_: [0])
    kept, better = drive._Large(GUARDED)._factored(roots, math.inf)
    assert kept == roots[0] and better != roots[1]
    monkeypatch.setattr(drive, "refused", lambda *_: [0, 1])
    assert drive._Large(GUARDED)._factored(roots, math.inf) == roots


@given(symbols)
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_a_form_costs_what_its_program_does(roots: list[Term]) -> None:
    x, y = rw.symbols("x y")
    more = [*roots, rw.fma(-roots[0], x, -y), rw.fma(x, y, roots[-1]) * -x, x**2 / 3 + rw.const(2)]
    more = [term for term in more if term.sort != rw.BOOL]
    dag = dag_of(more)
    number = {v.name: k for k, v in enumerate(dag.value) if isinstance(v, Symbol)}
    form = rows_of(more[0].store, [term.id for term in more], number)
    latency = replace(MODEL, latency_weight=0.5)
    for model in (MODEL, Gowda2021(), replace(MODEL, sharing=False), latency):
        assert FormCosts(model)(form) == pytest.approx(dag_cost(dag, model), rel=1e-12)


@pytest.mark.parametrize(
    ("text", "known"),
    [("x + y", True), ("x*y", True), ("x - y", True), ("x - x", False), ("x + 0", False),
     ("x*1", False), ("x/y", False), ("x**2", False), ("sin(x)", False), ("x + y + z", False)],
)  # fmt: skip
def test_one_sum_or_product_is_as_cheap_as_it_can_be(text: str, known: bool) -> None:
    program = program_of(dag_of([rw.parse(text)]), assume=False)
    assert (not kinds.kinds_of(program, cut(program), set(), set())) is known


def test_what_divides_by_zero_is_not_looked_at() -> None:
    x, y, z = rw.symbols("x y z")
    odd = (x + y) / (rw.const(1) - 1)
    roots = [odd, odd * y + odd * z, rw.sin(x * y + x * z)]
    program = program_of(dag_of(roots), assume=False)
    zero = kinds.divisions_by_zero(program)
    assert [program.args[at] and program.code[at] for at in zero] == [ops.DIV.code]
    windows = cut(program)
    found = kinds.kinds_of(program, windows, set(), zero)
    looked_at = {row[0] for kind in found.values() for row in kind.shape.rows}
    assert ops.DIV.code not in looked_at and ops.SIN.code in looked_at
    seen = kinds.kinds_of(program, windows, set(), set())
    assert ops.DIV.code in {row[0] for kind in seen.values() for row in kind.shape.rows}


def test_a_batch_is_the_same_where_it_is_sent() -> None:
    program = program_of(dag_of(copies(3)), assume=False)
    shapes = [kind.shape for kind in kinds.kinds_of(program, cut(program), set(), set()).values()]
    plan = drive._Large(FAST)._plan_for(program.dag())
    batch = Batch(tuple(shapes), plan, Limits(iterations=1, nodes=4000))
    assert len(batch.sources) == len(shapes)
    sent = pickle.loads(pickle.dumps(batch))
    assert len(pickle.dumps(sent)) == len(pickle.dumps(replace(batch)))  # nothing that was made
    one, other = batch.job(), sent.job()
    assert one.dag.rows() == other.dag.rows() and one.facts == other.facts
    assert (one.opaque, one.given, one.plan) == (other.opaque, other.given, other.plan)


def test_a_round_writes_to_disk_once(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "BATCH_ROWS", 30)
    written: list[int] = []
    put = ContentCache.put

    def counted(self: ContentCache, rows: Any) -> None:
        written.append(len(rows))
        put(self, rows)

    monkeypatch.setattr(ContentCache, "put", counted)
    _, report = drive.optimise(FAST, copies(10))
    graphs = int(report.notes[0].partition(" e-graphs")[0].rsplit(" ", 1)[1])
    assert 1 <= len(written) <= drive.ROUNDS < graphs and sum(written) >= graphs


@pytest.mark.parametrize("many", [1, 60], ids=["few", "many"])
def test_roots_that_differ_are_found_beside_constants_and_truth_values(many: int) -> None:
    x, y = rw.symbols("x y")
    fill = [rw.sin(x * k) + y for k in range(2, 2 + many)]
    terms = [x * y, rw.const(3), rw.const(3), x < y, x / x, x < y, rw.const(2) < 3, x - x + y]
    other = [y * x, rw.const(3), rw.const(4), y > x, rw.const(1), y < x, rw.const(4) < 3, y + 1e-9]
    differing = [2, 5, 6, 7]
    source = [Term(x.store, node) for node in join_all(x.store, [*terms, *fill])]
    nodes = join_all(x.store, [*other, *fill])
    for turn in (1, -1):
        dag = Dag.of(x.store, [term.id for term in source][::turn])
        found = _differing(dag, source[::turn], x.store, nodes[::turn], Known(), 0)
        count = len(nodes)
        assert found == sorted(at if turn == 1 else count - 1 - at for at in differing)
