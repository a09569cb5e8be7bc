"""The compiled Runge-Kutta method takes the steps of SciPy's RK45."""

from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.errors import ArgumentError

scipy_integrate = pytest.importorskip("scipy.integrate")
solve_ivp = scipy_integrate.solve_ivp

x, y, z, s, r, t = rw.symbols("x y z s r t")
b = rw.symbols("b0 b1")
LORENZ = rw.ode(
    {x: s * (y - x), y: x * (r - z) - y, z: x * y - b[0] * z / b[1]},
    parameters=[s, r, list(b)],
)
VALUES: Any = (10.0, 28.0, [8.0, 3.0])
START = [1.0, 1.0, 1.0]


def lorenz(t: float, state: Any, s: float, r: float, b: Any) -> list[float]:
    x, y, z = state
    return [s * (y - x), x * (r - z) - y, x * y - b[0] * z / b[1]]


@pytest.mark.parametrize(
    "options",
    [
        {}, {"rtol": 1e-9, "atol": 1e-11}, {"first_step": 1e-3, "max_step": 0.01},
        {"t_eval": np.linspace(0, 2, 9), "rtol": 1e-8}, {"t_eval": [0.5]}, {"t_eval": []},
        {"atol": [1e-3, 1e-6, 1e-9]}, {"first_step": 1.0, "max_step": 5.0},
    ],
)  # fmt: skip
def test_the_steps_are_scipys(options: dict[str, Any]) -> None:
    ours = LORENZ.solve_ivp((0, 2), START, "dopri5", args=VALUES, **options)
    theirs = solve_ivp(lorenz, (0, 2), START, "RK45", args=VALUES, **options)
    assert ours.success and ours.nfev == theirs.nfev and ours.y.shape == (3, len(ours.t))
    assert len(ours.t) == len(theirs.t)
    if len(ours.t):
        assert np.allclose(ours.t, theirs.t, rtol=1e-6) and np.allclose(ours.y, theirs.y, rtol=1e-6)


@pytest.mark.parametrize(
    "span",
    [
        (0.0, 3.0),
        (3.0, 0.0),
    ],
)
def test_time_runs_both_ways(span: tuple[float, float]) -> None:
    problem = rw.ode({x: -x * s + rw.cos(t)}, time=t, parameters=[s])
    ours = problem.solve_ivp(span, [1.0], "dopri5", args=2.0)
    theirs = solve_ivp(lambda t, x: -2 * x + np.cos(t), span, [1.0], "RK45")
    assert ours.nfev == theirs.nfev and np.allclose(ours.y[:, -1], theirs.y[:, -1], rtol=1e-9)


def test_a_pole_is_reported() -> None:
    found = rw.ode({x: x * x}).solve_ivp((0, 5), [1.0], "dopri5")
    assert not found.success and found.status == -1 and "spacing" in found.message
    assert found.t[-1] == pytest.approx(1, abs=1e-3)


def test_a_system_of_loops() -> None:
    count = 300
    states = rw.symbols(" ".join(f"u{k}" for k in range(count)))
    rates = [
        a - 2 * b + c
        for a, b, c in zip((states[-1], *states), states, (*states[1:], states[0]), strict=False)
    ]
    problem = rw.ode(list(states), rates, optimize_terms=False)
    start = np.sin(np.arange(count) * 2 * np.pi / count)
    ours = problem.solve_ivp((0, 3), start, "dopri5")
    theirs = solve_ivp(lambda t, u: np.roll(u, 1) - 2 * u + np.roll(u, -1), (0, 3), start)
    assert ours.nfev == theirs.nfev and np.allclose(ours.y, theirs.y, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [{"events": len}, {"dense_output": True}, {"t_eval": [1, 0]}, {"t_eval": [9]}, {"rtol": -1.0}],
)
def test_what_it_does_not_take_is_named(options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError):
        LORENZ.solve_ivp((0, 2), START, "dopri5", args=VALUES, **options)
