"""Right-hand sides as people write them in NumPy, traced as they are, have NumPy's values."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from scipy.special import expit

import rewrite as rw
from rewrite.tracing import leaves

type Fn = Callable[..., Any]


def lorenz(t: Any, state: Any, sigma: Any = 10.0, rho: Any = 28.0, beta: Any = 8 / 3) -> Any:
    x, y, z = state
    return [sigma * (y - x), x * (rho - z) - y, x * y - beta * z]


def lorenz96(t: Any, x: Any) -> Any:
    N = len(x)
    d = np.zeros(N)
    for i in range(N):
        d[i] = (x[(i + 1) % N] - x[i - 2]) * x[i - 1] - x[i] + 8.0
    return d


def lorenz96_rolled(t: Any, x: Any) -> Any:
    return (np.roll(x, -1) - np.roll(x, 2)) * np.roll(x, 1) - x + 8


def n_body(t: Any, y: Any) -> Any:
    n = 4
    masses = np.array([1.0, 2.0, 0.5, 3.0])
    r, v = y.reshape(2, n, 3)
    d = r[None, :, :] - r[:, None, :]
    dist = np.linalg.norm(d, axis=-1) + np.eye(n)
    a = np.sum(masses[None, :, None] * d / dist[..., None] ** 3, axis=1)
    return np.concatenate([v.ravel(), a.ravel()])


def n_body_loops(t: Any, y: Any) -> Any:
    n = 4
    pos, vel = y[: 3 * n].reshape((n, 3)), y[3 * n :].reshape((n, 3))
    acc = np.zeros_like(pos)
    for i in range(n):
        for j in range(n):
            if i != j:
                diff = pos[j] - pos[i]
                acc[i] += diff / np.sqrt(np.sum(diff**2)) ** 3
    return np.hstack((vel.flatten(), acc.flatten()))


def kuramoto(t: Any, theta: Any) -> Any:
    n = theta.size
    omega = np.linspace(-1, 1, n)
    K = 1.5
    return omega + K / n * np.sin(theta[None, :] - theta[:, None]).sum(axis=1)


def gray_scott(t: Any, y: Any) -> Any:
    u, v = y.reshape(2, 4, 5)

    def laplacian(z: Any) -> Any:
        return (
            np.roll(z, 1, axis=0) + np.roll(z, -1, axis=0)
            + np.roll(z, 1, axis=1) + np.roll(z, -1, axis=1) - 4 * z
        )  # fmt: skip

    uvv = u * v**2
    du = 0.16 * laplacian(u) - uvv + 0.06 * (1 - u)
    dv = 0.08 * laplacian(v) + uvv - (0.06 + 0.062) * v
    return np.stack([du, dv]).ravel()


def heat_padded(t: Any, y: Any) -> Any:
    u = y.reshape(5, 4)
    p = np.pad(u, 1, mode="edge")
    lap = p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * u
    lap[0, :] = 0
    lap[:, -1] += 0.5 * (1 - u[:, -1])
    return lap.reshape(-1)


def wave_in_place(t: Any, y: Any) -> Any:
    half = y.shape[0] // 2
    u, v = y[:half], y[half:]
    dy = np.empty_like(y)
    dy[:half] = v
    acc = dy[half:]
    acc[1:-1] = (u[:-2] - 2.0 * u[1:-1] + u[2:]) / 0.01
    acc[0] = acc[-1] = 0.0
    return dy


def burgers_with_ghosts(t: Any, u: Any) -> Any:
    e = np.concatenate(([u[-1]], u, [u[0]]))
    flux = 0.5 * e**2
    lam = np.maximum(np.abs(e[1:]), np.abs(e[:-1]))
    f = 0.5 * (flux[1:] + flux[:-1]) - 0.5 * lam * np.diff(e)
    return -np.diff(f) / 0.1


def minmod_advection(t: Any, u: Any) -> Any:
    g = np.pad(u, 2, mode="wrap")
    left, right = g[1:-1] - g[:-2], g[2:] - g[1:-1]
    slope = np.where(left * right > 0, np.sign(left) * np.minimum(np.abs(left), np.abs(right)), 0.0)
    state = g[1:-1] + 0.5 * slope
    return -(state[1:-1] - state[:-2])


def euler_equations(t: Any, q: Any) -> Any:
    rho, mom, E = q.reshape(3, -1)
    u = mom / rho
    p = 0.4 * (E - 0.5 * rho * u**2)
    F = np.array([mom, mom * u + p, u * (E + p)])
    out = np.zeros_like(F)
    out[:, 1:-1] = -(F[:, 2:] - F[:, :-2]) / 2
    return out.flatten()


def hodgkin_huxley(t: Any, X: Any) -> Any:
    V, m, h, n = X

    def alpha_m(V: Any) -> Any:
        return 0.1 * (V + 40.0) / (1.0 - np.exp(-(V + 40.0) / 10.0))

    I_Na = 120.0 * m**3 * h * (V - 50.0)
    I_K = 36.0 * n**4 * (V + 77.0)
    dVdt = 10.0 - I_Na - I_K - 0.3 * (V + 54.387)
    dmdt = alpha_m(V) * (1.0 - m) - 4.0 * np.exp(-(V + 65.0) / 18.0) * m
    dhdt = 0.07 * np.exp(-(V + 65.0) / 20.0) * (1.0 - h) - h / (1.0 + np.exp(-(V + 35.0) / 10.0))
    return dVdt, dmdt, dhdt, expit(V) * (1 - n)


def sir_between_cities(t: Any, y: Any) -> Any:
    S, I, R = np.split(y, 3)  # noqa: E741 - epidemiology writes I
    travel = np.array([[0.0, 0.1, 0.0], [0.1, 0.0, 0.2], [0.0, 0.2, 0.0]])
    N = S + I + R
    new = 0.3 * S * I / N
    move = travel @ I - travel.sum(axis=0) * I
    return np.concatenate((-new, new - 0.1 * I + move, 0.1 * I))


STOICHIOMETRY = scipy.sparse.csr_matrix(np.array([[-1, 1, 0], [1, -1, -1], [0, 0, 1], [0, 1, -1]]))


def mass_action(t: Any, c: Any) -> Any:
    orders = np.array([[1, 0, 0, 0], [0, 1, 1, 0], [0, 2, 0, 1]])
    rates = np.array([1.0, 2.0, 0.5]) * np.prod(c[None, :] ** orders, axis=1)
    return STOICHIOMETRY @ rates


def robertson(t: Any, y: Any) -> Any:
    dy = np.zeros(3)
    r = np.array([0.04 * y[0], 1e4 * y[1] * y[2], 3e7 * y[1] ** 2])
    dy[0] = -r[0] + r[1]
    dy[2] = r[2]
    dy[1] = -dy[0] - dy[2]
    return dy


def double_pendulum(t: Any, y: Any) -> Any:
    th, w = y[:2], y[2:]
    c, s = np.cos(th[0] - th[1]), np.sin(th[0] - th[1])
    M = np.array([[2.0, c], [c, 1.0]])
    f = np.array([-s * w[1] ** 2 - 2 * 9.81 * np.sin(th[0]), s * w[0] ** 2 - 9.81 * np.sin(th[1])])
    return np.r_[w, np.linalg.solve(M, f)]


def neural_field(t: Any, u: Any) -> Any:
    x = np.arange(u.size)
    w = np.exp(-((x[:, None] - x[None, :]) ** 2) / 4.0)
    np.fill_diagonal(w, 0.0)
    return -u + w @ np.tanh(u) + np.convolve(u, [0.25, 0.5, 0.25], mode="same")


def matrix_riccati(t: Any, y: Any) -> Any:
    A = np.array([[0.0, 1.0], [-2.0, -3.0]])
    P = y.reshape(2, 2)
    dP = A.T @ P + P @ A - P @ np.array([[0.0], [1.0]]) @ np.array([[0.0, 1.0]]) @ P + np.eye(2)
    return dP.ravel()


def gradient_flow(t: Any, y: Any) -> Any:
    z = y.reshape(4, 5)
    gx, gy = np.gradient(z, 0.5)
    norm = np.sqrt(gx**2 + gy**2 + 1.0)
    return np.ravel(np.gradient(gx / norm, 0.5, axis=0) + np.gradient(gy / norm, 0.5, axis=1))


def age_structured(t: Any, y: Any) -> Any:
    births = np.dot(np.linspace(0, 1, y.size), y)
    inflow = np.append(births, y[:-1])
    return np.clip(inflow - y, -1, 1) - 0.1 * np.cumsum(y) / (1 + y.sum())


def by_masks(t: Any, y: Any) -> Any:
    rate = np.ones_like(y)
    rate[y > 0.9] = 0.5
    rate[::3] *= 2
    inside = np.zeros(y.shape, dtype=bool)
    inside[2:5] = True
    out = rate * y
    out[inside] -= y[inside] ** 2
    return np.where(inside, out, (y > 0.2) * out)


def einsums(t: Any, y: Any) -> Any:
    G = np.zeros((3, 3, 3))
    G[0, 1, 2] = G[1, 2, 0] = 1.0
    return np.einsum("ijk,j,k->i", G, y, y) + np.einsum("ij,j->i", np.diag([1.0, 2.0, 3.0]), y)


# fmt: off
SOLVERS: list[tuple[Fn, int]] = [
    (lorenz, 3), (lorenz96, 6), (lorenz96_rolled, 6), (n_body, 24), (n_body_loops, 24),
    (kuramoto, 5), (gray_scott, 40), (heat_padded, 20), (wave_in_place, 12),
    (burgers_with_ghosts, 7), (minmod_advection, 8), (euler_equations, 18),
    (hodgkin_huxley, 4), (sir_between_cities, 9),
    (mass_action, 4), (robertson, 3), (double_pendulum, 4), (neural_field, 6), (matrix_riccati, 4),
    (gradient_flow, 20), (age_structured, 7), (by_masks, 8), (einsums, 3),
]
# fmt: on


@pytest.mark.filterwarnings("ignore::rewrite.errors.DerivativeWarning")
@pytest.mark.parametrize(("f", "size"), SOLVERS, ids=[f.__name__ for f, _ in SOLVERS])
def test_solvers_are_traced_as_they_are(f: Fn, size: int) -> None:
    y = np.random.default_rng(size).uniform(0.5, 1.5, size)
    expected = [np.asarray(value) for _, value in leaves(f(0.25, y))]
    with rw.scope():
        traced = rw.trace(f, [None, (size,)])
        names = [str(term) for term in rw.asarray(traced.args[1]).terms()]
        env = dict(zip(names, y, strict=True)) | {"t": 0.25}
        found = [rw.evaluate(value, env) for _, value in leaves(traced.result)]
        assert rw.jacobian_sparsity(rw.asarray(traced.result).ravel(), traced.args[1]).nnz
    assert [value.shape for value in found] == [value.shape for value in expected]
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("place", range(0, len(SOLVERS), 4))
def test_compiled_they_have_numpys_values(place: int) -> None:
    f, size = SOLVERS[place]
    y = np.random.default_rng(1).uniform(0.5, 1.5, size)
    name = list(inspect.signature(f).parameters)[1]
    found = rw.jit(arrays=[name], optimize_terms=False)(f)(0.0, y)
    np.testing.assert_allclose(np.asarray(found), np.asarray(f(0.0, y)), rtol=1e-12, atol=1e-14)
