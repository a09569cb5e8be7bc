"""What a call costs, and what SciPy gains without Python: `python tests/bench/calls.py`.

Both sides take turns in one run, and medians of many rounds are compared. The kernels of the first
part do what the ufunc beside them does. The integrals evaluate the same integrand at as many
points: by the function that `sympy.lambdify` writes, by machine code, and by what a C compiler
makes of it, which says how much of the time is SciPy's own.
"""

import ctypes
import subprocess
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.integrate
import sympy as sp
from report import arguments, at_least, at_most, finish, in_turns
from scipy import LowLevelCallable

import rewrite as rw

ROUNDS = 41
DOUBLES = ctypes.POINTER(ctypes.c_double)


def overhead() -> dict[str, Any]:
    """Time kernels beside NumPy's functions of the same meaning."""
    x, y = rw.symbols("x y")
    pairs = {
        "negative": (np.negative, rw.compile([x], -x), 1),
        "sin": (np.sin, rw.compile([x], rw.sin(x)), 1),
        "add": (np.add, rw.compile([x, y], x + y), 2),
    }
    values = {
        "float": 1.5, "float64": np.float64(1.5), "0-d": np.array(1.5), "1 element": np.ones(1),
        "10 elements": np.ones(10),
    }  # fmt: skip
    found: dict[str, Any] = {}
    for name, (theirs, ours, count) in pairs.items():
        for kind, value in values.items():
            args = (value,) * count
            calls = {"NumPy": lambda f=theirs, a=args: f(*a), "ours": lambda f=ours, a=args: f(*a)}
            times = in_turns(calls, ROUNDS, 2000)
            found[f"{name} of {kind}"] = {k: round(1e9 * v, 1) for k, v in times.items()} | {
                "ratio": round(times["ours"] / times["NumPy"], 3)
            }
    return found


def beyond() -> dict[str, Any]:
    """Return what a call for 1,024 points takes beyond their arithmetic, with `out=` given.

    That of 512 points is the difference to a call for so many; all of them are in the first cache.
    """
    x, y = rw.symbols("x y")
    forms = {"polynomial": x**3 * y + x * y - 1, "exp and sin": rw.exp(-x * x) * rw.sin(y)}
    found: dict[str, Any] = {}
    for name, form in forms.items():
        for kind in (np.float64, np.float32):
            for threads in (1, 2):
                kernel = rw.compile([x, y], form, dtype=kind, parallel=threads)
                calls = {}
                for count in (512, 1024):
                    a, b, out = np.random.default_rng(0).uniform(0.5, 2, (3, count)).astype(kind)
                    calls[count] = lambda f=kernel, a=a, b=b, o=out: f(a, b, out=o)
                times = in_turns(calls, ROUNDS, 2000)
                place = f"{name}, {kind.__name__}, threads {threads}"
                found[place] = round(1e6 * (2 * times[512] - times[1024]), 3)
    return found


def integrals() -> dict[str, Any]:
    """Time SciPy's quadrature with the lambdified function and with machine code."""
    x, a, b = sp.symbols("x a b")
    integrands = {
        "damped wave": ([x, a, b], sp.exp(-a * x) * sp.sin(b * x) / (1 + x**2), (0.3, 2.0)),
        "Planck": ([x, a], x**3 / (sp.exp(x / a) - 1), (1.5,)),
        "Voigt profile": (
            [x, a, b],
            sp.exp(-((x - 5) ** 2) / (2 * a**2))
            / (1 + ((x - 4) / b) ** 2)
            * sp.sqrt(1 + sp.sin(x) ** 2)
            * sp.log(1 + x**2)
            / (1 + sp.tanh(x - 5) ** 2),
            (0.3, 0.01),
        ),
        "polynomial": ([x, a], sum((k + 1) * x**k for k in range(8)) * a, (1.5,)),
    }
    quad, found = scipy.integrate.quad, dict[str, Any]()
    for name, (args, expr, values) in integrands.items():
        python = sp.lambdify(args, expr, "math")
        arrays, machine = sp.lambdify(args, expr), rw.lambdify(args, expr).kernel.as_scipy()  # type: ignore[attr-defined]
        compiled = in_c(args, expr)
        calls = {
            "lambdify, NumPy": lambda f=arrays, v=values: quad(f, 0.1, 20, args=v),
            "lambdify, math": lambda f=python, v=values: quad(f, 0.1, 20, args=v),
            "C": lambda f=compiled, v=values: quad(f, 0.1, 20, args=v),
            "ours": lambda f=machine, v=values: quad(f, 0.1, 20, args=v),
        }
        found[f"quad: {name}"] = compared(calls)
    return found


def in_c(args: list[Any], expr: Any) -> Any:
    """Compile an integrand by the C compiler, with all that it may do to floats."""
    names = "".join(f"double {name} = v[{k}]; " for k, name in enumerate(args))
    text = f"#include <math.h>\ndouble f(int n, double *v) {{ {names}return {sp.ccode(expr)}; }}\n"
    with tempfile.NamedTemporaryFile(suffix=".so") as file:
        flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC", "-x", "c", "-"]
        command = ["cc", *flags, "-lm", "-o", file.name]
        subprocess.run(command, input=text, text=True, check=True)
        function = ctypes.CDLL(file.name).f
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_int, DOUBLES]
    return LowLevelCallable(function)


def trajectories() -> dict[str, Any]:
    """Time `solve_ivp` of the Lorenz system with the lambdified function and with machine code."""
    x, y, z, s, r, b, t = names = sp.symbols("x y z s r b t")
    rates = [s * (y - x), x * (r - z) - y, x * y - b * z]
    python = sp.lambdify([t, [x, y, z], s, r, b], rates)
    states = [rw.from_sympy(each) for each in names]
    problem = rw.ode(states[:3], rw.from_sympy(rates), parameters=states[3:6])
    span, start, values = (0, 5), [1.0, 1.0, 1.0], (10.0, 28.0, 8 / 3)
    options: dict[str, Any] = {"args": values, "rtol": 1e-8, "atol": 1e-10}
    solve = scipy.integrate.solve_ivp
    calls: dict[str, Callable[[], Any]] = {
        "lambdify, NumPy": lambda: solve(python, span, start, "RK45", **options).y,
        "RK45 of a kernel": lambda: problem.solve_ivp(span, start, "RK45", **options).y,
        "ours": lambda: problem.solve_ivp(span, start, "dopri5", **options).y,
    }
    return {"solve_ivp: Lorenz": compared(calls, 1, ("lambdify, NumPy",), 7)}


def compared(
    calls: dict[str, Callable[[], Any]], number: int = 3,
    against: tuple[str, ...] = ("lambdify, NumPy", "lambdify, math", "C"), turns: int = ROUNDS,
) -> dict[str, Any]:  # fmt: skip
    """Check that all find one value, and time them beside what `sympy.lambdify` writes."""
    values = [np.ravel(call()[0])[-1] for call in calls.values()]
    assert np.allclose(values, values[0], rtol=1e-6), values
    times = in_turns(calls, turns, number)
    row = {k: round(1e6 * v, 2) for k, v in times.items()}
    ratios = {name: round(times[name] / times["ours"], 2) for name in against if name in times}
    return row | {f"ratio to {name}": ratio for name, ratio in ratios.items()}


def main() -> None:
    """Print and write the figures."""
    options = arguments(__doc__ or "").parse_args()
    cost, more, gain, paths = overhead(), beyond(), integrals(), trajectories()
    for name, row in (cost | gain | paths).items():
        print(f"{name:26}", *(f"{key} {value}" for key, value in row.items()), sep="  ")
    for name, value in more.items():
        print(f"{name}: 1,024 points, us beyond the arithmetic  {value}")
    numbers = [row["ratio"] for name, row in cost.items() if "float" in name]
    ratio = "ratio to lambdify, NumPy"
    finish(
        {
            "call of a scalar kernel, of NumPy's": at_most(max(numbers), 1.2),
            "1,024 points, us beyond the arithmetic": at_most(max(more.values()), 0.7),
            "quad, of sympy.lambdify": at_least(min(row[ratio] for row in gain.values()), 10),
            "quad, of C": at_least(min(row["ratio to C"] for row in gain.values()), 0.7),
            "solve_ivp, of sympy.lambdify": at_least(min(r[ratio] for r in paths.values()), 10),
            "calls in ns": cost, "us beyond the arithmetic": more,
            "integrals in us": gain, "trajectories in us": paths,
        },
        options.json,
    )  # fmt: skip


if __name__ == "__main__":
    main()
