"""Saturations in a process of their own: what goes wrong there never reaches the caller."""

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

import rewrite as rw
from codegen.cost import cycle_cost
from rewrite import schedule
from rewrite.dag import Dag
from rewrite.egraph import bridge, workers
from rewrite.egraph.job import Job, Outcome, perform
from rewrite.egraph.limits import Limits, StopReason
from rewrite.rule import RuleSet
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.term import Term
from strategies.saturation import Saturate

MODEL = cycle_cost("intel-avx512")
a, b, c = rw.pattern_vars("a b c")
COMMUTE = rw.ruleset(
    "commute",
    rw.FastMath.REASSOC,
    ("add-comm", a + b, b + a),
    ("mul-comm", a * b, b * a),
    ("add-assoc", (a + b) + c, a + (b + c)),
    ("mul-assoc", (a * b) * c, a * (b * c)),
)
EXPLODING = Saturate(COMMUTE, RuleSet("none", ()), MODEL)


@dataclass(frozen=True)
class Slowly:
    """Takes its time."""

    def __call__(self) -> None:
        time.sleep(1.0)


def wide(count: int) -> Term:
    """Return a sum of products; commuting and associating it has no end."""
    total: Any = 0
    for k in range(count):
        total = total + rw.symbol(f"x{k}") * rw.symbol(f"y{k}")
    return total  # type: ignore[no-any-return]


def job(term: Term, plan: Saturate) -> Job:
    dag = Dag.of(term.store, [term.id])
    return plan.job(dag, plan.rules_for(dag))


def alike(one: Outcome, other: Outcome) -> bool:
    assert one.frozen is not None and other.frozen is not None
    same = all(
        (getattr(one.frozen, name) == getattr(other.frozen, name)).all()
        for name in ("code", "owner", "start", "args")
    )
    return same and one.classes == other.classes and one.frozen.leaf == other.frozen.leaf


def test_a_worker_finds_what_is_found_here() -> None:
    work = job(wide(9), Saturate(SIMPLIFY, EXPAND, MODEL, Limits(iterations=3)))
    here, there = perform(work), workers.submit(work).result()
    assert alike(here, there)
    assert here.report.matches == there.report.matches
    assert here.report.stop is there.report.stop


@pytest.fixture
def fresh() -> Iterator[None]:
    """Begin and end without warm processes."""
    workers._end()
    yield
    workers._end()


def test_a_worker_stays_warm(fresh: None) -> None:
    work = job(wide(9), Saturate(SIMPLIFY, RuleSet("none", ()), MODEL))
    workers.submit(work).result()
    (process,) = workers._idle
    workers.submit(work).result()
    assert workers._idle == [process]


def test_too_much_memory_only_makes_the_report_shorter(fresh: None) -> None:
    limits = Limits(iterations=50, nodes=10**9, matches=10**9, seconds=60, memory=700 << 20)
    term = wide(30)
    best = rw.optimize(term, math="fast", strategy=replace_limits(EXPLODING, limits))
    assert rw.fingerprint(best.terms) == rw.fingerprint(term)
    found = workers.saturate(job(term, replace_limits(EXPLODING, limits)))
    assert found.report.stop is StopReason.MEMORY
    assert found.frozen is not None
    assert "add-assoc" in found.report.notes[-1] and "0.7 GB" in found.report.notes[-1]


def replace_limits(plan: Saturate, limits: Limits) -> Saturate:
    return Saturate(plan.simplify, plan.expand, plan.cost, limits)


def test_a_time_limit_holds_inside_of_an_iteration(fresh: None) -> None:
    limits = Limits(iterations=50, nodes=10**9, matches=10**9, seconds=1.0, memory=8 << 30)
    begin = time.perf_counter()
    found = workers.saturate(job(wide(60), replace_limits(EXPLODING, limits)))
    assert time.perf_counter() - begin < 15  # 1 s and a kill, on a machine however slow
    assert found.report.stop is StopReason.TIME
    assert found.frozen is not None and len(found.frozen) > 0


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="needs signals to threads")
def test_interrupts_end_with_what_was_found(fresh: None, interruptible: None) -> None:
    limits = Limits(iterations=50, nodes=10**9, matches=10**9, seconds=60, memory=8 << 30)
    term = wide(60)
    goal = schedule.equal(*rw.symbols("never equal"))  # so that it is done as a whole
    plan = replace(replace_limits(EXPLODING, limits), until=goal)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    (best,), report = plan.roots([term])
    timer.cancel()
    assert report.stop is StopReason.INTERRUPTED
    assert rw.fingerprint(best) == rw.fingerprint(term)


def test_a_dead_worker_is_replaced(fresh: None) -> None:
    work = job(wide(9), Saturate(SIMPLIFY, RuleSet("none", ()), MODEL))
    workers.submit(work).result()
    (process,) = workers._idle
    process.popen.kill()
    process.popen.wait()
    process.reader.join()
    assert workers.submit(work).result().frozen is not None


def test_a_worker_that_fails_gives_what_it_had(fresh: None) -> None:
    pending = workers.submit(job(wide(9), Saturate(SIMPLIFY, RuleSet("none", ()), MODEL)))
    pending._process.popen.terminate()
    found = pending.result()
    assert found.report.stop in (StopReason.FAILED, StopReason.SATURATED, StopReason.MEMORY)
    assert found.frozen is not None


def test_limits_are_checked() -> None:
    for wrong in ({"nodes": -1}, {"seconds": "1"}, {"iterations": None}, {"memory": True}):
        with pytest.raises(rw.errors.ArgumentError, match=next(iter(wrong))):
            Limits(**wrong)


@dataclass(frozen=True)
class Sizes:
    """What is made of an e-graph where it is."""

    def __call__(self, outcome: Outcome) -> tuple[int, list[int]]:
        assert outcome.frozen is not None
        return len(outcome.frozen), outcome.classes


def test_declarations_are_kept_for_the_next_of_many(fresh: None) -> None:
    """An e-graph that was emptied finds what a fresh one does, whatever was in it."""
    limits = Limits(iterations=4, nodes=3000)
    works = [
        replace(job(wide(9), Saturate(SIMPLIFY, EXPAND, MODEL, limits)), after=Sizes()),
        replace(job(wide(5) * wide(3), Saturate(SIMPLIFY, EXPAND, MODEL, limits)), after=Sizes()),
    ]
    alone = []
    for work in works:
        bridge._READY.clear()
        alone.append(perform(work).made)
    assert alone[0] != alone[1]
    assert [perform(work).made for work in works * 2] == alone * 2
    plan = works[0].plan
    same = [replace(work, plan=plan) for work in works]
    assert [perform(work).made for work in same * 2] == [perform(work).made for work in same] * 2
    assert len(bridge._READY) == 1


def test_processes_are_ready_before_there_is_work(fresh: None) -> None:
    """They load one after the other, so that who calls keeps a processor."""
    workers.prepare(Slowly())
    assert len(workers._idle) == 1 and not workers._idle[0].prepared.is_set()
    end = time.perf_counter() + 60
    while len(workers._idle) < workers.IDLE and time.perf_counter() < end:
        time.sleep(0.01)
    assert len(workers._idle) == workers.IDLE and workers._idle[0].prepared.is_set()
    before = list(workers._idle)
    workers.prepare(gc.collect)
    assert workers._idle == before
    work = job(wide(9), Saturate(SIMPLIFY, RuleSet("none", ()), MODEL))
    assert alike(perform(work), workers.submit(work).result())
    assert set(workers._idle) == set(before)


def test_no_process_is_prepared_beside_one_that_is_at_work(fresh: None) -> None:
    workers.prepare(Slowly())
    (process,) = workers._idle
    work = job(wide(9), Saturate(SIMPLIFY, RuleSet("none", ()), MODEL))
    pending = workers.submit(work)
    assert process.prepared.wait(60) and not workers._idle
    assert alike(perform(work), pending.result())


def test_a_dropped_job_ends_at_once(fresh: None) -> None:
    limits = Limits(iterations=50, nodes=10**9, matches=10**9, seconds=60, memory=8 << 30)
    pending = workers.submit(job(wide(60), replace_limits(EXPLODING, limits)))
    threading.Timer(0.5, pending.cancel).start()
    begin = time.perf_counter()
    assert pending.result().report.stop is StopReason.INTERRUPTED
    assert time.perf_counter() - begin < 20
