"""Derivatives: of a formula, of a stiff system as SciPy's sparse Jacobian, and through time."""

import numpy as np
from scipy.integrate import solve_ivp

import rewrite as rw

# terms
x, y = rw.symbols("x y")
f = rw.sin(x * y) * rw.exp(-(x**2))
print("df/dx =", rw.diff(f, x))
print("the Hessian has", rw.hessian(f, [x, y]).shape, "entries")

# Robertson's three reactions: right-hand side and sparse Jacobian are one kernel
u = rw.asarray(rw.symbols("a b c"))
slow, fast, pair = 0.04 * u[0], 3e7 * u[1] * u[1], 1e4 * u[1] * u[2]
rates = [pair - slow, slow - pair - fast, fast]
kernel = rw.compile([u], {"f": rates, "jac": rw.sparse_jacobian(rates, u)})
found = solve_ivp(
    lambda t, s: kernel(s)["f"], (0, 1e5), [1.0, 0.0, 0.0], method="BDF",
    jac=lambda t, s: kernel(s)["jac"], rtol=1e-8, atol=1e-12,
)  # fmt: skip
print(f"Robertson at t = 1e5: {found.y[:, -1]}, {found.njev} Jacobians")


# a NumPy function, repeated 1,000 times, with the gradient through all steps
@rw.scan(n=1000, checkpoint="sqrt")
def pendulum(state, g):  # type: ignore[no-untyped-def]
    """One step of a pendulum, as one would write it with NumPy."""
    angle, speed = state
    speed = speed - 0.01 * g * np.sin(angle)
    return angle + 0.01 * speed, speed


angles = np.linspace(0.1, 1.0, 5)
value, (slopes, by_g) = pendulum.value_and_grad(lambda s: s[0], (angles, np.zeros(5)), 9.81)
print(f"angles after 10 s: {value.round(4)}; by the first angle: {slopes[0].round(4)}")
print("states kept on the way back:", pendulum.plan(angles).kept, "of 1000")
