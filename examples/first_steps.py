"""First steps: a formula becomes a kernel, an ordinary NumPy function too, and each stage shows."""

import numpy as np

import rewrite as rw

x, s = rw.symbols("x s")
pdf = rw.exp(-((x / s) ** 2) / 2) / (rw.sqrt(2 * rw.pi) * s)

best = rw.optimize(pdf)
print(f"{pdf!r}\n  becomes {best.terms!r}")
print(f"  {best.cost_before:.2f} -> {best.cost_after:.2f} {best.model.unit} ({best.model.name})")
print("  step by step:\n    " + str(best.explain()).replace("\n", "\n    "))

f = rw.compile([x, s], pdf)
points = np.linspace(-3, 3, 5)
print("f(points, 1.5) =", f(points, 1.5))
error = rw.accuracy(pdf, {"x": points, "s": np.full(5, 1.5)})
print("mean error of the formula as written:", error.mean_bits, "bits")


@rw.jit
def step(u, v, d):  # type: ignore[no-untyped-def]
    """One step of a reaction, as one would write it with NumPy."""
    return u + d * (v - u * u), np.where(u > v, 0.0, np.sqrt(np.abs(v)))


print("step =", step(np.ones(3), np.array([0.0, 1.0, 4.0]), 0.1))

with rw.show("extract", "program"):
    rw.compile([x], x**4 + 3 * x**2 + 1)
