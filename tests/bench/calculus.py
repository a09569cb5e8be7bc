"""Derivatives beside other engines: `python tests/bench/calculus.py --networks DIR`.

Sparse Jacobians of mass-action networks (`NAME.net` somewhere below DIR), checked against
differences; what a gradient costs beside its function; a long straight-line program; mechanics of
growing size beside SymPy, symengine and CasADi; gradient kernels beside jax.jit(jax.grad), medians
of calls in turns. Other seconds are the best of several runs in one process, on one core.
"""

import os

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from report import arguments, at_least, at_most, best_of, finish, in_turns, microseconds

import rewrite as rw
from codegen.cost import cycles
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.term import Term

NETWORKS = {"egfr_net": 1.0, "bcr": 1.0, "fceri_gamma2": 4.0}
SIZES = (10, 100, 1000, 10_000)
POINTS = (1, 1000, 100_000)


# -- networks ----------------------------------------------------------------------------------


def networks(folder: Path) -> dict[str, Any]:
    """Time the sparse Jacobian of each network, and check its values at a random state."""
    found: dict[str, Any] = {}
    for name, seconds in NETWORKS.items():
        with rw.scope():
            network = rw.io.bionetgen.read(next(folder.rglob(f"{name}.net")))
            symbols = network.symbols
            terms = network.rhs(symbols, network.parameter_symbols).terms()
            states = symbols.terms()
            rw.sparse_jacobian(terms[:3], states)  # the compiled passes are loaded
            begin = time.perf_counter()
            jac = rw.sparse_jacobian(terms, states)
            took = time.perf_counter() - begin
            wrong = _largest_difference(terms, states, jac)
        print(f"{name}: {jac.nnz} entries in {took:.3f} s, off by {wrong:.1e} of differences")
        found[f"jacobian of {name}, s"] = at_most(took, seconds)
        found[f"jacobian of {name}, relative error"] = at_most(wrong, 1e-6)
    return found


def _largest_difference(terms: Sequence[Term], states: Sequence[Term], jac: Any) -> float:
    """Compare with central differences along random directions, which are exact for products."""
    rng = np.random.default_rng(0)
    dag = Dag.of(terms[0].store, [t.id for t in terms])
    names = {v.name for v in dag.value if v is not None and hasattr(v, "name")}
    point = {name: rng.uniform(0.5, 1.5) for name in sorted(names)}
    values = np.array([float(v) for v in _values(jac.terms.terms(), point)])
    matrix = jac.pattern.filled(values)
    worst = 0.0
    for _ in range(3):
        along = rng.uniform(-1, 1, len(states))
        h = 1e-4
        up, down = (
            {**point, **{s.symbol.name: point.get(s.symbol.name, 0.0) + sign * h * a  # type: ignore[union-attr]
                         for s, a in zip(states, along, strict=True)}}
            for sign in (1, -1)
        )  # fmt: skip
        slope = (np.array(_values(terms, up)) - np.array(_values(terms, down))) / (2 * h)
        made = matrix @ along
        scale = abs(matrix) @ abs(along) + 1e-30
        worst = max(worst, float((abs(slope - made) / scale).max()))
    return worst


def _values(terms: Sequence[Term], point: dict[str, float]) -> list[float]:
    from rewrite.evaluate import evaluate_dag

    dag = Dag.of(terms[0].store, [t.id for t in terms])
    known = {v.name for v in dag.value if v is not None and hasattr(v, "name")}
    return [float(v) for v in evaluate_dag(dag, {k: v for k, v in point.items() if k in known})]


# -- what a gradient costs ---------------------------------------------------------------------


def dot(x: Any) -> Any:
    n = len(x) // 2
    return (x[:n] * x[n:]).sum()


def logsumexp(x: Any) -> Any:
    return rw.log(rw.exp(x).sum())


WIDTH = 8


def perceptron(x: Any) -> Any:
    """Return three layers; the arguments are the weights of each, most of the first one."""
    rest = WIDTH * WIDTH + WIDTH
    inputs = max(1, (len(x) - rest) // WIDTH)
    hidden: Any = [0.1 * (k % 7 + 1) for k in range(inputs)]
    at, size = 0, inputs
    for out in (WIDTH, WIDTH, 1):
        rows = [x[at + k * size : at + (k + 1) * size] for k in range(out)]
        at, size = at + size * out, out
        hidden = [rw.tanh((row * rw.asarray(hidden)).sum()) for row in rows]
    return hidden[0]


def bodies(x: Any) -> Any:
    """Return the energy of points in a line of neighbours and of one that all see."""
    n = len(x) // 3
    p = x[: 3 * n].reshape(n, 3)
    total = 0
    for k in range(1, n):
        for other in {0, k - 1}:
            d = p[k] - p[other]
            total = total - 1 / rw.sqrt((d * d).sum() + 0.01)
    return total


def black_scholes(x: Any) -> Any:
    n = max(1, len(x) // 3)
    total = 0
    for k in range(n):
        s, strike, t = x[3 * k], x[3 * k + 1], x[3 * k + 2]
        spread = 0.2 * rw.sqrt(t)
        d1 = (rw.log(s / strike) + 0.03 * t) / spread
        total = total + s * _normal(d1) - strike * rw.exp(-0.01 * t) * _normal(d1 - spread)
    return total


def _normal(x: Any) -> Any:
    return (1 + rw.erf(x * 0.7071067811865476)) / 2


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "dot": dot, "logsumexp": logsumexp, "perceptron": perceptron, "bodies": bodies,
    "black_scholes": black_scholes,
}  # fmt: skip


def ratios() -> dict[str, Any]:
    """Price each function and its gradient together in cycles, at growing sizes."""
    model = cycles("native")
    found: dict[str, Any] = {}
    for name, function in FUNCTIONS.items():
        row = []
        for n in SIZES:
            with rw.scope():
                size = n + WIDTH * WIDTH + WIDTH if function is perceptron else n
                x = rw.asarray([rw.symbol(f"x{k}", low=0.5, high=2) for k in range(size)])
                value = function(x)
                term = value if isinstance(value, Term) else value.terms()[0]
                slope = rw.gradient(term, x)
                own = dag_cost(Dag.of(term.store, [term.id]), model)
                both = dag_cost(Dag.of(term.store, [term.id, *slope.ids.tolist()]), model)
                row.append(both / own)
        print(f"{name}: value and gradient cost {', '.join(f'{r:.2f}' for r in row)} times")
        found[f"gradient of {name} / function"] = at_most(max(row), 3.0)
        found[f"gradient of {name}, growth from 10 to 10,000"] = at_most(row[-1] / row[0], 1.1)
    return found


def straight_line(n: int) -> tuple[Term, list[Term]]:
    """Return a program of n operations, each on the one before."""
    rng = random.Random(0)
    leaves = list(rw.symbols("a b c d e f g h"))
    values: list[Any] = list(leaves)
    for _ in range(n):
        last, other, kind = values[-1], rng.choice(values[-50:]), rng.random()
        values.append(
            last + other if kind < 0.4 else last * other if kind < 0.8
            else last - other if kind < 0.95 else rw.sin(last)
        )  # fmt: skip
    return values[-1], leaves


def long_programs() -> dict[str, Any]:
    """Time gradients of 10^4 and 10^5 operations."""
    seconds = {}
    for n in (10_000, 100_000):
        best = 1e9
        for _ in range(3):
            with rw.scope():
                term, leaves = straight_line(n)
                begin = time.perf_counter()
                rw.gradient(term, leaves)
                best = min(best, time.perf_counter() - begin)
        seconds[n] = best
    print(
        f"gradients of 10^4 and 10^5 operations: {seconds[10_000]:.4f} and {seconds[100_000]:.4f} s"
    )
    exponent = np.log10(seconds[100_000] / seconds[10_000])
    return {
        "gradient of 10^5 operations, s": at_most(seconds[100_000], 0.5),
        "exponent in the operations": at_most(float(exponent), 1.15),
    }


# -- mechanics beside others -------------------------------------------------------------------


def pendulum(links: int) -> tuple[list[Any], list[Any]]:
    """Return the forces of a chain of pendulums and its states, by SymPy's mechanics module."""
    import sympy
    from sympy.physics import mechanics

    q = mechanics.dynamicsymbols(f"q:{links}")
    u = mechanics.dynamicsymbols(f"u:{links}")
    g, length = sympy.symbols("g l")
    frame, origin = mechanics.ReferenceFrame("N"), mechanics.Point("O")
    origin.set_vel(frame, 0)
    particles, forces, kinematic, point = [], [], [], origin
    for k in range(links):
        arm = frame.orientnew(f"A{k}", "Axis", [q[k], frame.z])
        arm.set_ang_vel(frame, u[k] * frame.z)
        tip = point.locatenew(f"P{k}", length * arm.x)
        tip.v2pt_theory(point, frame, arm)
        mass = sympy.Symbol(f"m{k}")
        particles.append(mechanics.Particle(f"p{k}", tip, mass))
        forces.append((tip, mass * g * frame.x))
        kinematic.append(q[k].diff() - u[k])
        point = tip
    method = mechanics.KanesMethod(frame, q_ind=q, u_ind=u, kd_eqs=kinematic)
    method.kanes_equations(particles, forces)
    names = sympy.symbols(f"Q:{links} U:{links}")
    known = dict(zip([*q, *u], names, strict=True))
    rest = {t.diff(): sympy.Symbol(f"D{k}") for k, t in enumerate((*q, *u))}
    entries = [*method.forcing, *method.mass_matrix]
    return [e.subs(rest).subs(known) for e in entries], list(names)


def mechanics_(sizes: Sequence[int] = (2, 4, 6)) -> dict[str, Any]:
    """Time the Jacobian of forces and masses, from what each engine holds of them."""
    found: dict[str, Any] = {}
    for links in sizes:
        entries, names = pendulum(links)
        own, peers = _jacobians(entries, names)
        shown = ", ".join(f"{n} {s * 1e3:.2f} ms" for n, s in peers.items())
        print(f"pendulum of {links}: {own * 1e3:.2f} ms; {shown}")
        for name, seconds in peers.items():
            found[f"pendulum of {links}: {name} / ours"] = at_least(seconds / own, 1.0)
    return found


def _jacobians(entries: list[Any], names: list[Any]) -> tuple[float, dict[str, float]]:
    import sympy

    with rw.scope():
        terms = rw.asarray([rw.from_sympy(e) for e in entries])
        symbols = rw.asarray([rw.from_sympy(n) for n in names])
        own = microseconds(lambda: rw.sparse_jacobian(terms, symbols)) / 1e6
    peers: dict[str, float] = {}

    def by_sympy() -> None:
        shared, reduced = sympy.cse(entries)
        made = sympy.Matrix(reduced).jacobian(sympy.Matrix([*names, *(s for s, _ in shared)]))
        inner = sympy.Matrix([e for _, e in shared]) if shared else sympy.Matrix([0])
        inner.jacobian(sympy.Matrix([*names, *(s for s, _ in shared)]))
        del made

    peers["SymPy (after cse)"] = best_of(by_sympy, 1)
    try:
        import symengine

        column = symengine.Matrix(len(entries), 1, [symengine.sympify(e) for e in entries])
        row = symengine.Matrix(len(names), 1, [symengine.sympify(n) for n in names])
        peers["symengine"] = microseconds(lambda: column.jacobian(row)) / 1e6
    except ImportError:
        pass
    try:
        import casadi

        known = {str(s): casadi.SX.sym(str(s)) for e in entries for s in e.free_symbols}
        known |= {str(n): known.get(str(n), casadi.SX.sym(str(n))) for n in names}
        held = casadi.vertcat(*[_casadi(e, known, casadi) for e in entries])
        by = casadi.vertcat(*[known[str(n)] for n in names])
        peers["CasADi"] = microseconds(lambda: casadi.jacobian(held, by)) / 1e6
    except ImportError:
        pass
    return own, peers


def _casadi(expression: Any, known: dict[str, Any], casadi: Any) -> Any:
    import sympy

    function = sympy.lambdify(
        [sympy.Symbol(name) for name in known], expression,
        modules=[{"sin": casadi.sin, "cos": casadi.cos, "sqrt": casadi.sqrt}],
    )  # fmt: skip
    return function(*known.values())


# -- gradient kernels beside JAX ---------------------------------------------------------------

DIMENSIONS = {"dot": 8, "logsumexp": 8, "perceptron": 104, "bodies": 12, "black_scholes": 3}


def kernels() -> dict[str, Any]:
    """Time gradients at many points in float64, beside jax.jit of a mapped gradient."""
    try:
        import jax
    except ImportError:
        print("JAX is not installed: gradient kernels are not compared")
        return {}
    jax.config.update("jax_enable_x64", True)
    found: dict[str, Any] = {}
    rng = np.random.default_rng(0)
    for name, function in FUNCTIONS.items():
        size = DIMENSIONS[name]
        with rw.scope():
            x = rw.asarray([rw.symbol(f"x{k}", low=0.5, high=2) for k in range(size)])
            value = function(x)
            term = value if isinstance(value, Term) else value.terms()[0]
            kernel = rw.compile([x], rw.gradient(term, x), math="fast", dtype=np.float64)
        mapped = jax.jit(jax.vmap(jax.grad(_in_jax(name))))
        row = []
        for n in POINTS:
            data = rng.uniform(0.5, 2, (n, size))
            on_device = jax.numpy.asarray(data)
            out = kernel(data)
            np.testing.assert_allclose(out, np.asarray(mapped(on_device)), rtol=1e-9, atol=1e-12)
            calls = {
                "ours": lambda: kernel(data, out=out),  # noqa: B023
                "JAX": lambda: mapped(on_device).block_until_ready(),  # noqa: B023
            }
            # medians: the best of JAX are those that find memory without asking
            times = in_turns(calls, 75)
            row.append(times["JAX"] / times["ours"])
        shown = ", ".join(f"{r:.2f}" for r in row)
        print(f"gradient of {name}: JAX takes {shown} times as long at 1, 10^3, 10^5 points")
        for n, ratio in zip(POINTS, row, strict=True):
            found[f"gradient of {name} at {n}: JAX / ours"] = at_least(ratio, 1.0)
    return found


def _in_jax(name: str) -> Callable[[Any], Any]:
    import jax.numpy as jnp
    from jax.scipy.special import erf

    def normal(x: Any) -> Any:
        return (1 + erf(x * 0.7071067811865476)) / 2

    def layers(x: Any) -> Any:
        inputs = max(1, (len(x) - WIDTH * WIDTH - WIDTH) // WIDTH)
        hidden = jnp.asarray([0.1 * (k % 7 + 1) for k in range(inputs)])
        at, size = 0, inputs
        for out in (WIDTH, WIDTH, 1):
            weights = x[at : at + size * out].reshape(out, size)
            hidden, at, size = jnp.tanh(weights @ hidden), at + size * out, out
        return hidden[0]

    def energy(x: Any) -> Any:
        p, total = x.reshape(-1, 3), 0.0
        for k in range(1, len(p)):
            for other in {0, k - 1}:
                d = p[k] - p[other]
                total = total - 1 / jnp.sqrt((d * d).sum() + 0.01)
        return total

    def option(x: Any) -> Any:
        s, strike, t = x
        spread = 0.2 * jnp.sqrt(t)
        d1 = (jnp.log(s / strike) + 0.03 * t) / spread
        return s * normal(d1) - strike * jnp.exp(-0.01 * t) * normal(d1 - spread)

    return {
        "dot": lambda x: (x[: len(x) // 2] * x[len(x) // 2 :]).sum(),
        "logsumexp": lambda x: jnp.log(jnp.exp(x).sum()),
        "perceptron": layers, "bodies": energy, "black_scholes": option,
    }[name]  # fmt: skip


def main() -> None:
    """Run all parts that were not left out."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--networks", type=Path, help="folder with BioNetGen networks")
    parser.add_argument("--parts", default="networks,ratios,long,mechanics,kernels")
    options = parser.parse_args()
    wanted = options.parts.split(",")
    figures: dict[str, Any] = {}
    if "networks" in wanted and options.networks:
        figures |= networks(options.networks)
    for name, part in (("ratios", ratios), ("long", long_programs), ("mechanics", mechanics_),
                       ("kernels", kernels)):  # fmt: skip
        if name in wanted:
            figures |= part()
    finish(figures, options.json)


if __name__ == "__main__":
    main()
