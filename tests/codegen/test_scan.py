"""Repeated steps: values, gradients, and the plans of what is stored."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.calculus.checkpoints import Plan, plan
from rewrite.errors import ArgumentError


def carried_out(made: Plan, n: int) -> int:
    """Carry a plan out on step numbers; return how many states were kept at most."""
    kept: set[int] = set()
    running, undone, most = 0, n, 0
    for what, k in made.actions:
        if what == "load":
            assert k in kept
            running = k
        elif what == "store":
            assert running == k
            kept.add(k)
            most = max(most, len(kept))
        elif what == "forward":
            assert running == k
            running += 1
        elif what == "reverse":
            assert (running, undone) == (k, k + 1)
            undone = k
        else:
            kept.remove(k)
    assert undone == 0
    assert not kept
    return most


@settings(max_examples=80)
@given(st.integers(1, 120), st.sampled_from(["all", "sqrt", "log", 1, 2, 3, 7, 30]))
def test_a_plan_can_be_carried_out_within_what_it_says(n: int, checkpoint: Any) -> None:
    made = plan(n, checkpoint)
    assert carried_out(made, n) == made.kept
    if isinstance(checkpoint, int):
        assert made.kept <= checkpoint


def test_plans_of_a_thousand_steps() -> None:
    everything, root, log = (plan(1000, c) for c in ("all", "sqrt", "log"))
    assert everything.kept >= 6.8 * root.kept
    assert everything.kept >= 80 * log.kept
    assert root.forward < 2000
    assert log.forward < 3700


def test_binomial_plans_have_the_fewest_steps() -> None:
    most = 70
    fewest = [n * (n - 1) // 2 for n in range(most)]  # with the first state alone
    for kept in range(1, 6):
        for n in range(1, most):
            assert plan(n, kept).forward == fewest[n]
        more = [0, 0]
        for n in range(2, most):
            more.append(min(m + more[m] + fewest[n - m] for m in range(1, n)))
        fewest = more


def pendulum(state: Any, dt: Any, g: Any) -> Any:
    angle, speed = state
    speed = speed - dt * g * np.sin(angle)
    return angle + dt * speed, speed


STEPS: dict[int, Any] = {}


def loss(state: Any) -> Any:
    return state[0] * state[0] + state[1]


def test_it_repeats_the_step() -> None:
    run = rw.scan(pendulum, 50)
    angle, speed = np.linspace(0.1, 1, 9), np.zeros(9)
    found = run((angle, speed), 0.01, 9.81)
    state: Any = (angle, speed)
    for _ in range(50):
        state = pendulum(state, 0.01, 9.81)
    np.testing.assert_allclose(found, state, rtol=1e-12)


def test_gradients_are_those_of_differences() -> None:
    run = rw.scan(pendulum, 50)
    angle, speed = np.linspace(0.1, 1, 9), np.zeros(9)
    value, (slopes, by_dt, by_g) = run.value_and_grad(loss, (angle, speed), 0.01, 9.81)

    def total(a: Any, s: Any, dt: float, g: float) -> Any:
        return loss(run((a, s), dt, g))

    np.testing.assert_allclose(value, total(angle, speed, 0.01, 9.81), rtol=1e-15)
    h = 1e-6
    up, down = total(angle + h, speed, 0.01, 9.81), total(angle - h, speed, 0.01, 9.81)
    np.testing.assert_allclose(slopes[0], (up - down) / (2 * h), rtol=1e-7)
    up, down = total(angle, speed + h, 0.01, 9.81), total(angle, speed - h, 0.01, 9.81)
    np.testing.assert_allclose(slopes[1], (up - down) / (2 * h), rtol=1e-7)
    up, down = total(angle, speed, 0.01 + 1e-8, 9.81), total(angle, speed, 0.01 - 1e-8, 9.81)
    assert by_dt == pytest.approx((up - down).sum() / 2e-8, rel=1e-6)
    assert by_g == pytest.approx(
        (total(angle, speed, 0.01, 9.81 + h) - total(angle, speed, 0.01, 9.81 - h)).sum() / (2 * h),
        rel=1e-6,
    )


def test_bits_do_not_depend_on_what_is_stored() -> None:
    angle, speed = np.linspace(0.1, 1, 300), np.linspace(-1, 1, 300)
    known: Any = None
    for options in ({"checkpoint": "all"}, {"checkpoint": "sqrt"}, {"checkpoint": "log"},
                    {"checkpoint": 3}, {"memory_budget": 40 * 2 * 300 * 8}):  # fmt: skip
        run = rw.scan(pendulum, 100, **options)
        value, slopes = run.value_and_grad(loss, (angle, speed), 0.01, 9.81)
        flat = [value, *slopes[0], *slopes[1:]]
        if known is not None:
            for one, other in zip(flat, known, strict=True):
                np.testing.assert_array_equal(one, other)
        known = flat
    assert run.plan((angle, speed)).kept <= 40


@pytest.mark.parametrize("n", [1, 2, 3, 33, 71])
@pytest.mark.parametrize(
    ("u", "k"),
    [
        (0.3, 2.0), (1, 2), (np.linspace(0, 1, 5), 2.0), (0.3, np.ones((3, 1))),
        (np.ones(2, np.float32), 2.0), (np.ones(2, np.float32), np.ones(2)), (np.zeros(0), 2.0),
        (np.array([True, False]), 0.5),
    ],
)  # fmt: skip
def test_several_steps_at_once_have_the_bits_of_single_ones(n: int, u: Any, k: Any) -> None:
    step = STEPS.setdefault(n, rw.scan(lambda u, k: u + 0.1 * k * np.sin(u), n))
    single = STEPS.setdefault(1, rw.scan(lambda u, k: u + 0.1 * k * np.sin(u), 1))
    made, expected = step(u, k), u
    for _ in range(n):
        expected = single(expected, k)
    assert (made.dtype, made.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(made, expected)
    (kernel,) = step.kernels((u,), False, (k,)).longer.values() if n > 32 else (None,)
    assert (kernel is not None) == (n > 32)


def test_long_steps_are_not_written_out() -> None:
    def long(u: Any) -> Any:
        for _ in range(60):
            u = np.sin(u) * 1.1
        return u

    run = rw.scan(long, 40)
    run(0.5)
    assert list(run.kernels((0.5,), False, ()).longer.values()) == [None]


def test_a_budget_counts_the_shape_that_parameters_give() -> None:
    run = rw.scan(lambda u, k: u * k, 100, memory_budget=80)
    assert run.plan(0.3, 2.0).kept == 10
    assert run.plan(0.3, np.ones(2)).kept == 5
    with pytest.raises(ArgumentError, match="do not hold one state of 88 bytes"):
        run.value_and_grad(lambda u: u, 0.3, np.ones(11))
    whole = rw.scan(lambda u, a: (a @ u) / a.sum(), 40, memory_budget=240)
    assert whole.plan(np.ones(3), np.ones((3, 2))).kept == 10


def test_whole_arrays_and_decorators() -> None:
    @rw.scan(n=20, arrays=["u"])  # type: ignore[untyped-decorator]
    def heat(u: Any, k: Any) -> Any:
        inner = u[1:-1] + k * (u[2:] - 2 * u[1:-1] + u[:-2])
        return np.concatenate([u[:1], inner, u[-1:]])

    u = np.sin(np.linspace(0, 3, 12))
    state = u
    for _ in range(20):
        state = np.concatenate(
            [state[:1], state[1:-1] + 0.2 * (state[2:] - 2 * state[1:-1] + state[:-2]), state[-1:]]
        )
    np.testing.assert_allclose(heat(u, 0.2), state, rtol=1e-13)
    value, (slope, by_k) = heat.value_and_grad(lambda v: (v * v).sum(), u, 0.2)
    assert value == pytest.approx((state**2).sum(), rel=1e-13)
    h = 1e-6
    differences = [
        ((heat(u + h * e, 0.2) ** 2).sum() - (heat(u - h * e, 0.2) ** 2).sum()) / (2 * h)
        for e in np.eye(12)
    ]
    np.testing.assert_allclose(slope, differences, atol=1e-8)
    up, down = (heat(u, 0.2 + h) ** 2).sum(), (heat(u, 0.2 - h) ** 2).sum()
    assert by_k == pytest.approx((up - down) / (2 * h), rel=1e-6)


def test_of_terms_it_is_all_steps_written_out() -> None:
    x, k = rw.symbols("x k")
    run = rw.scan(lambda u, k: u * k, 3)
    assert rw.fingerprint(run(x, k)) == rw.fingerprint(x * k**3)


@pytest.mark.parametrize(
    ("options", "call", "message"),
    [
        ({"n": -1}, None, "n=-1 is not a number of steps"),
        ({"n": 2, "checkpoint": "often"}, None, "checkpoint='often' is none of"),
        ({"n": 2, "arrays": ["q"]}, (1.0, 2.0), "the step has no 'q'"),
        ({"n": 2}, (1.0,), "1 parameters after the state, not 0"),
        ({"n": 2, "memory_budget": 4}, (1.0, 2.0), "do not hold one state of 8 bytes"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], call: Any, message: str) -> None:
    def run() -> None:
        made = rw.scan(lambda u, k: u * k, **options)
        made.value_and_grad(lambda u: u, *call)

    with pytest.raises(ArgumentError, match=message):
        run()
    with pytest.raises(ArgumentError, match="the step is 3, which is no function"):
        rw.scan(3, 3)  # type: ignore[arg-type]


def test_a_step_must_return_a_state_as_it_takes_one() -> None:
    with pytest.raises(ArgumentError, match="it must return a state as it takes one"):
        rw.scan(lambda u: (u, u), 2)(1.0)


def test_states_may_be_kept_by_the_thousand() -> None:
    made = plan(5000, 5000)
    assert carried_out(made, 5000) == made.kept
    assert plan(20_000, 3000).kept <= 3000
    value, (slope,) = rw.scan(lambda u: u + 1, 1500, memory_budget=10**6).value_and_grad(
        lambda u: u * u, 1.0
    )
    assert (value, slope) == (1501.0**2, 3002.0)


def test_a_step_keeps_the_shape_of_the_state() -> None:
    shrinking = rw.scan(lambda u: u[:2], 3, arrays=["u"])
    with pytest.raises(ArgumentError, match=r"of shape \(4,\) and returns one of shape \(2,\)"):
        shrinking(np.arange(4.0))
    with pytest.raises(ArgumentError, match=r"of shape \(4,\) and returns one of shape \(\)"):
        rw.scan(lambda u: u.sum(), 3, arrays=["u"])(np.arange(4.0))


def test_numpys_integers_are_numbers() -> None:
    expected = rw.scan(lambda u: u * u, 3).value_and_grad(lambda u: u, 1.5)
    for options in ({"memory_budget": np.int64(100)}, {"checkpoint": np.int32(2)}):
        assert rw.scan(lambda u: u * u, 3, **options).value_and_grad(lambda u: u, 1.5) == expected


@pytest.mark.parametrize("options", [{}, {"checkpoint": "all"}, {"checkpoint": "log"}])
def test_no_step_changes_nothing(options: dict[str, Any]) -> None:
    still = rw.scan(lambda v, k: (v[0] + k, v[1] * k), 0, **options)
    first = np.arange(3.0)
    state = still((first, 2), np.ones(3))
    assert state[0] is not first and np.array_equal(state[0], first) and state[1] == 2.0
    value, ((by_first, by_second), by_k) = still.value_and_grad(
        lambda v: v[0] * v[1], (first, 2.0), np.ones(3)
    )
    np.testing.assert_array_equal(value, 2 * first)
    np.testing.assert_array_equal(by_first, [2.0, 2.0, 2.0])
    np.testing.assert_array_equal(by_second, first.sum())
    np.testing.assert_array_equal(by_k, np.zeros(3))
    assert rw.scan(lambda u: u + 1, 0)(np.float32(1)).dtype == np.float32
