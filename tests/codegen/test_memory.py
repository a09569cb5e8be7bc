"""Schedules within a memory budget: what they say is what a simulator and a run find."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.calculus.memory import MemorySchedule, memory_schedule
from rewrite import ops
from rewrite.errors import ArgumentError
from rewrite.evaluate import evaluate
from rewrite.term import Term, apply


def chain(n: int, step: Any) -> tuple[Any, list[Term]]:
    x, k = rw.symbols("x k")
    u = x
    for _ in range(n):
        u = step(u, k)
    return rw.gradient(u, [x, k]), [x, k]


@pytest.mark.parametrize(
    "step",
    [lambda u, k: u + 0.01 * k * rw.sin(u), lambda u, k: u + 0.01 * k * u * (1 - u)],
    ids=["sine", "logistic"],
)
def test_a_thousand_steps_need_a_seventh_of_the_memory(step: Any) -> None:
    with rw.scope():
        slope, _ = chain(1000, step)
        plain = memory_schedule(slope)
        small = memory_schedule(slope, memory_budget=int(plain.peak / 6.8))
        assert plain.repeated == 0
        assert plain.verify() == plain.peak
        assert small.verify() == small.peak <= plain.peak / 6.8
        assert small.repeated <= 0.3
        point = {"x": np.linspace(0, 1, 5), "k": 2.0}
        first, second = plain.run(point), small.run(point)
        assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
        direct = [evaluate(t, point) for t in slope.terms()]
        assert all(np.array_equal(a, b) for a, b in zip(first, direct, strict=True))


def terms() -> st.SearchStrategy[Term]:
    leaves = st.sampled_from([*rw.symbols("x y"), rw.const(2)])

    def extend(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        return (
            st.builds(lambda s, t, u: apply(ops.ADD, s, t, u), inner, inner, inner)
            | st.builds(lambda s, t, u, v: apply(ops.MUL, s, t, u, v), inner, inner, inner, inner)
            | st.builds(lambda s, t: s - t, inner, inner)
            | st.builds(lambda s: rw.sin(s), inner)
        )

    return st.recursive(leaves, extend, max_leaves=25)


@settings(max_examples=60, deadline=None)
@given(st.lists(terms(), min_size=1, max_size=4), st.integers(1, 12))
def test_any_schedule_is_sound_or_refused(roots: list[Term], budget: int) -> None:
    point = {"x": np.array([0.3, 1.5]), "y": np.array([2.0, -1.0])}
    direct = [evaluate(t, point) for t in roots]
    made: list[MemorySchedule] = [memory_schedule(roots)]
    try:
        made.append(memory_schedule(roots, memory_budget=budget))
    except ArgumentError as error:
        assert "too few" in str(error)
    for found in made:
        assert found.verify() == found.peak
        for one, other in zip(found.run(point), direct, strict=True):
            np.testing.assert_array_equal(np.broadcast_to(one, 2), np.broadcast_to(other, 2))


def test_a_long_sum_is_added_up_as_its_parts_come() -> None:
    symbols = [rw.symbol(f"s{k}") for k in range(50)]
    total = apply(ops.ADD, *[rw.sin(s) for s in symbols])
    assert memory_schedule(total).peak <= 3


def test_a_simulator_can_fail() -> None:
    x = rw.symbol("x")
    found = memory_schedule(rw.sin(rw.exp(x)))
    broken = MemorySchedule(found.dag, found.steps[1:], found.peak, found.computed)
    with pytest.raises(AssertionError, match="does not live"):
        broken.verify()


@pytest.mark.parametrize(
    ("what", "budget", "message"),
    [
        (lambda x: x * x, 0, "memory_budget=0 is not a number of values"),
        (lambda x: x * x, 2.5, "is not a number of values"),
        (lambda x: [], None, "is no term, nor a list"),
        (lambda x: 3, None, "is no term, nor a list"),
        (lambda x: rw.sin(x) * rw.cos(x), 1, "memory_budget=1 values are too few: 3 are needed"),
    ],
)
def test_mistakes_are_named(what: Any, budget: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        memory_schedule(what(rw.symbol("x")), memory_budget=budget)


def test_numpys_integers_are_budgets() -> None:
    x = rw.symbol("x")
    assert memory_schedule(rw.sin(x) * x, memory_budget=np.int64(2)).peak == 2  # type: ignore[arg-type]
