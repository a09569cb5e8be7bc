"""A reaction-diffusion equation from NumPy code: native code, a sparse Jacobian, the solution."""

import sys
import time
from typing import Any

import numpy as np

import rewrite as rw

N, D = 32, 100.0
Mx = np.diag(np.full(N, -2.0)) + np.diag(np.ones(N - 1), 1) + np.diag(np.ones(N - 1), -1)
My = Mx.copy()
Mx[1, 0] = Mx[-2, -1] = My[0, 1] = My[-1, -2] = 2.0
a1 = np.repeat([0.0, 1.0], [N - N // 5, N // 5])[:, None]


def f(t: float, u: Any) -> Any:
    """Three species on a grid, of which the first diffuses."""
    A, B, C = u.reshape(3, N, N)
    dA = D * (My @ A + A @ Mx) + a1 - A - A * B + C
    return np.stack([dA, 1 - B - A * B + C, 1 - C + A * B - C]).ravel()


ode, start = rw.ode(f), np.zeros(3 * N * N)
begin = time.perf_counter()
kernels = ode.equations(start)
print(f"{kernels.jacobian(0.0, start).nnz} entries in the Jacobian")
for name, call in (("NumPy", f), ("ours", kernels.rhs), ("our Jacobian", kernels.jacobian)):
    marks = [(time.perf_counter(), call(0.0, start))[0] for _ in range(300)]
    print(f"{name:>13}: {1e6 * np.diff(marks).min():6.1f} us")
print(f"traced and compiled in {time.perf_counter() - begin:.2f} s")
begin = time.perf_counter()
found = ode.solve_ivp((0, 10), start, method="BDF")
print(f"solved to t = 10 in {time.perf_counter() - begin:.2f} s, with {found.njev} Jacobians:")
A = found.y[: N * N, -1].reshape(N, N)
for row in np.ptp(A) and 9 * (A - A.min())[:: N // 12] / np.ptp(A):
    print("  " + "".join(" .:-=+*#%@"[int(x)] * 2 for x in row[:: N // 16]))
if sys.argv[1:]:  # the name of a picture
    import matplotlib.pyplot as plt

    plt.imsave(sys.argv[1], A)
