"""A reaction-diffusion equation from NumPy code: `python tests/bench/reaction_diffusion.py`.

Three species on an N x N grid, of which one diffuses; the function is traced as it stands. Printed:
one right-hand side and the values of its Jacobian beside NumPy and Numba loops written by hand; the
whole solve with SciPy, part by part, beside the same solver with a Jacobian and Numba loops written
by hand, and beside the plain function with no Jacobian; how long large grids take to compile.
`--quick` leaves out the solves without a Jacobian, which take minutes.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import numba as nb
import numpy as np
from report import arguments, at_least, at_most, finish, microseconds
from scipy.integrate import solve_ivp
from scipy.sparse import csc_array

import rewrite as rw

D = 100.0


def problem(n: int) -> tuple[Callable[[Any], Any], Any]:
    """Return the right-hand side as one writes it with NumPy, of u with shape (n, n, 3), and a1."""
    mx = np.diag(np.full(n, -2.0)) + np.diag(np.ones(n - 1), 1) + np.diag(np.ones(n - 1), -1)
    my = mx.copy()
    mx[1, 0] = mx[-2, -1] = 2.0
    my[0, 1] = my[-1, -2] = 2.0
    a1 = np.zeros((n, n))
    a1[-(n // 5) :] = 1.0

    def f(u: Any) -> Any:
        a, b, c = u[:, :, 0], u[:, :, 1], u[:, :, 2]
        diffusion = D * (my @ a + a @ mx)
        da = diffusion + a1 - a - a * b + c
        db = 1 - b - a * b + c
        dc = 1 - c + a * b - c
        return np.stack([da, db, dc], axis=-1)

    return f, a1


def by_hand(n: int, a1: Any) -> Callable[[Any, Any], Any]:
    """Return loops in Numba, of u and memory for the result, both (n, n, 3)."""

    @nb.njit(fastmath=True)
    def f(u: Any, du: Any) -> None:
        for i in range(n):
            up, down = (i - 1 if i else 1), (i + 1 if i < n - 1 else n - 2)
            for j in range(n):
                left, right = (j - 1 if j else 1), (j + 1 if j < n - 1 else n - 2)
                a, b, c = u[i, j, 0], u[i, j, 1], u[i, j, 2]
                around = u[up, j, 0] + u[down, j, 0] + u[i, left, 0] + u[i, right, 0]
                ab = a * b
                du[i, j, 0] = D * (around - 4 * a) + a1[i, j] - a - ab + c
                du[i, j, 1] = 1 - b - ab + c
                du[i, j, 2] = 1 - 2 * c + ab

    return f


@nb.njit(fastmath=True)
def _fill(u: Any, values: Any, kinds: Any, own: Any) -> None:
    """Write entries by their kinds: two of neighbours, then the nine of a point in itself."""
    table = np.empty(11)
    table[:2] = D, 2 * D
    for k in range(len(kinds)):
        a, b = u[own[k]], u[own[k] + 1]
        table[2:5] = -4 * D - 1 - b, -a, 1.0
        table[5:8] = -b, -1 - a, 1.0
        table[8:] = b, a, -2.0
        values[k] = table[kinds[k]]


def _entries(n: int) -> Any:
    """Yield row, column and kind of each entry of the Jacobian."""
    for i in range(n):
        for j in range(n):
            at = 3 * (i * n + j)
            up, down = (i - 1 if i else 1), (i + 1 if i < n - 1 else n - 2)
            left, right = (j - 1 if j else 1), (j + 1 if j < n - 1 else n - 2)
            around = Counter(((up, j), (down, j), (i, left), (i, right)))
            for (p, q), times in around.items():
                yield at, 3 * (p * n + q), times - 1
            yield from ((at + k // 3, at + k % 3, 2 + k) for k in range(9))


def jacobian_by_hand(n: int) -> Callable[[float, Any], Any]:
    """Return a function of the flat state that fills a sparse Jacobian in Numba."""
    rows, columns, kinds = np.array(list(_entries(n))).T
    size = 3 * n * n
    numbers = np.arange(len(rows), dtype=float)
    pattern = csc_array((numbers + 1, (rows, columns)), shape=(size, size))
    order = pattern.data.astype(np.int64) - 1
    kinds, own, values = kinds[order], (rows // 3 * 3)[order], np.empty(len(order))

    def jac(t: float, u: Any) -> Any:
        _fill(u, values, kinds, own)
        return csc_array((values, pattern.indices, pattern.indptr), shape=(size, size))

    return jac


class Timed:
    """A function that adds up how long it takes and how often it is called."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.seconds, self.calls = function, 0.0, 0

    def __call__(self, *args: Any) -> Any:
        begin = time.perf_counter()
        result = self.function(*args)
        self.seconds += time.perf_counter() - begin
        self.calls += 1
        return result


def traced(f: Callable[[Any], Any], n: int) -> tuple[Any, Any]:
    """Return the flat state and its flat derivative as terms."""
    found = rw.trace(f, [(n, n, 3)])
    return found.args[0].ravel(), found.result.ravel()


def kernels(n: int) -> tuple[Any, Any, Any, float]:
    """Trace and compile; return function, Jacobian, its terms, and the seconds it took."""
    f, _ = problem(n)
    begin = time.perf_counter()
    with rw.scope():
        u, terms = traced(f, n)
        jac = rw.sparse_jacobian(terms, u, format="csc")
        made = rw.compile([u], terms), rw.compile([u], jac)
        for kernel in made:
            kernel(np.zeros(3 * n * n))
    return *made, jac, time.perf_counter() - begin


def evaluations(n: int) -> dict[str, Any]:
    """Time single calls on a small grid."""
    f, a1 = problem(n)
    ours, jac, terms, seconds = kernels(n)
    u = np.random.default_rng(0).uniform(0.0, 2.0, (n, n, 3))
    flat, out, hand = u.ravel(), np.empty(3 * n * n), by_hand(n, a1)
    into = np.empty_like(u)
    hand(u, into)
    assert np.allclose(ours(flat), f(u).ravel(), rtol=1e-9, atol=1e-9)
    assert np.allclose(into, f(u), rtol=1e-9, atol=1e-9)
    matrix = jac(flat)
    assert abs(matrix - jacobian_by_hand(n)(0.0, flat)).max() < 1e-9
    numpy_, loops = microseconds(lambda: f(u)), microseconds(lambda: hand(u, into))
    right, values = (
        microseconds(lambda: ours(flat, out=out)), microseconds(lambda: jac(flat, out=matrix)),
    )  # fmt: skip
    print(f"N = {n}: NumPy {numpy_:.1f} us, Numba loops {loops:.1f}, ours {right:.1f}; Jacobian "
          f"{values:.1f}; {terms.nnz} entries; until called {seconds:.2f} s")  # fmt: skip
    return {
        f"N = {n}: NumPy / right-hand side": at_least(numpy_ / right, 10.0),
        f"N = {n}: NumPy / Jacobian values": at_least(numpy_ / values, 10.0),
        f"N = {n}: Numba loops / right-hand side": at_least(loops / right, 1.0),
    }


def solves(n: int, *, quick: bool) -> dict[str, Any]:
    """Solve from zero to t = 10 by each method, with ours, by hand, and with the plain function."""
    f, a1 = problem(n)
    loops, size = by_hand(n, a1), 3 * n * n
    jac_hand = jacobian_by_hand(n)
    out, (ours, jac, _, _) = np.empty(size), kernels(n)
    matrix = jac(np.zeros(size))

    def hand(t: float, u: Any) -> Any:
        result = np.empty_like(u)
        loops(u.reshape(n, n, 3), result.reshape(n, n, 3))
        return result

    hand(0.0, out), jac_hand(0.0, out)
    sides = {
        "ours": (lambda t, u: ours(u), lambda t, u: jac(u, out=matrix)),
        "by hand": (hand, jac_hand),
        "NumPy as it stands": (lambda t, u: f(u.reshape(n, n, 3)).ravel(), None),
    }
    found: dict[str, Any] = {}
    for method, bound in (("BDF", None), ("Radau", 157.0)):
        seconds: dict[str, float] = {}
        for name, (right, derivative) in sides.items():
            if quick and derivative is None:
                continue
            for _ in range(1 if derivative is None else 3):
                fun, given = Timed(right), derivative and Timed(derivative)
                begin = time.perf_counter()
                done = solve_ivp(fun, (0, 10), np.zeros(size), method, jac=given)
                took = time.perf_counter() - begin
                if took < seconds.get(name, np.inf):
                    seconds[name], inner = took, fun.seconds + (given.seconds if given else 0.0)
            counts = f"{done.nfev} calls, {done.njev} Jacobians, {done.nlu} factorisations"
            print(f"  {method}, {name}: {seconds[name]:.3f} s, {inner:.3f} in functions; {counts}")
        ratio = seconds["ours"] / seconds["by hand"]
        found[f"{method}: ours / by hand, seconds"] = at_most(ratio, 1.1)
        if not quick:
            gain = seconds["NumPy as it stands"] / seconds["ours"]
            found[f"{method}: NumPy as it stands / ours"] = at_least(gain, bound) if bound else gain
    return found


def large() -> dict[str, Any]:
    """Compile a large grid, and time the right-hand side of a still larger one."""
    *_, seconds = kernels(256)
    n = 512
    f, a1 = problem(n)
    begin = time.perf_counter()
    with rw.scope():
        u, terms = traced(f, n)
        ours = rw.compile([u], terms)
    compiling = time.perf_counter() - begin
    state = np.random.default_rng(0).uniform(0.0, 2.0, (n, n, 3))
    flat, out, hand, into = state.ravel(), np.empty(3 * n * n), by_hand(n, a1), np.empty_like(state)
    hand(state, into)
    assert np.allclose(ours(flat), into.ravel(), rtol=1e-9, atol=1e-9)
    numpy_ = microseconds(lambda: f(state))
    loops = microseconds(lambda: hand(state, into))
    right = microseconds(lambda: ours(flat, out=out))
    print(f"N = {n}: NumPy {numpy_:.0f} us, Numba loops {loops:.0f}, ours {right:.0f}; compiled in "
          f"{compiling:.1f} s")  # fmt: skip
    return {
        "N = 256: until called, with Jacobian, s": at_most(seconds, 10.0),
        f"N = {n}: NumPy / ours": at_least(numpy_ / right, 5.0),
        f"N = {n}: Numba loops / ours": at_least(loops / right, 1.0),
    }


def main() -> None:
    """Run all parts."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--quick", action="store_true", help="no solves without a Jacobian")
    options = parser.parse_args()
    figures = {**evaluations(32), **solves(32, quick=options.quick), **large()}
    finish(figures, options.json)


if __name__ == "__main__":
    main()
