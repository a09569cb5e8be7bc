"""Operations of Jacobians by each way: `python tests/bench/jacobians.py --networks DIR`.

Forward and reverse mode, and mixed elimination, on programs where either is good and where none is;
operations are the distinct ones that the Jacobian has beyond those of its function. And what is
chosen, and how long the choice takes beside the Jacobian.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from calculus import pendulum
from report import arguments, at_least, at_most, best_of, finish

import rewrite as rw
from rewrite import ops
from rewrite.array import TermArray, asarray
from rewrite.dag import Dag
from strategies.calculus.elimination import cheapest
from strategies.calculus.program import Program

MODES: Final = ("forward", "reverse", "mixed")
NETWORKS: Final = ("egfr_net", "bcr", "fceri_gamma2")

type System = tuple[Sequence[Any], Sequence[Any]]


def layer(values: list[Any], count: int) -> list[Any]:
    """Return weighted sums of all values; no two weights of one layer are equal."""
    weights = iter(range(1, count * len(values) + 1))
    return [sum(next(weights) / 64 * v for v in values) for _ in range(count)]


def waist(n: int, width: int, depth: int) -> System:
    """Return n results of n inputs that meet in few numbers, with long ways before and after."""
    inputs: list[Any] = [rw.symbol(f"x{k}") for k in range(n)]

    def deep(values: list[Any]) -> list[Any]:
        for _ in range(depth):
            values = [rw.sin(v * v + 1) for v in values]
        return values

    return deep(layer(deep(layer(deep(inputs), width)), n)), inputs


def perceptron(*sizes: int) -> System:
    """Return the results of layers of these sizes."""
    inputs: list[Any] = [rw.symbol(f"x{k}") for k in range(sizes[0])]
    values = inputs
    for size in sizes[1:]:
        values = [rw.tanh(v) for v in layer(values, size)]
    return values, inputs


def lorenz(steps: int) -> System:
    """Return the state after so many steps of Runge and Kutta, by state and parameters."""
    state: list[Any] = list(rw.symbols("x y z"))
    inputs = [*state, *rw.symbols("p q r")]
    p, q, r = inputs[3:]

    def flow(x: Any, y: Any, z: Any) -> list[Any]:
        return [p * (y - x), x * (q - z) - y, x * y - r * z]

    def moved(slope: list[Any], h: float) -> list[Any]:
        return [u + h * k for u, k in zip(state, slope, strict=True)]

    for _ in range(steps):
        one = flow(*state)
        two = flow(*moved(one, 0.05))
        three = flow(*moved(two, 0.05))
        four = flow(*moved(three, 0.1))
        mean = [a + 2 * b + 2 * c + d for a, b, c, d in zip(one, two, three, four, strict=True)]
        state = moved(mean, 0.1 / 6)
    return state, inputs


def links(count: int) -> System:
    """Return the forces and masses of a chain of pendulums, by its states."""
    entries, names = pendulum(count)
    return [rw.from_sympy(e) for e in entries], [rw.from_sympy(n) for n in names]


def network(folder: Path, name: str) -> System:
    """Return the equations of a reaction network."""
    read = rw.io.bionetgen.read(next(folder.rglob(f"{name}.net")))
    return read.rhs(read.symbols, read.parameter_symbols).terms(), read.symbols.terms()


SYSTEMS: dict[str, Callable[[], System]] = {
    **{f"pendulum of {n}": lambda n=n: links(n) for n in (2, 4, 6)},  # type: ignore[misc]
    "waist 10-2-10": lambda: waist(10, 2, 3),
    "waist 30-3-30": lambda: waist(30, 3, 5),
    "waist 100-3-100": lambda: waist(100, 3, 10),
    "layers 20-20-3-20-20": lambda: perceptron(20, 20, 3, 20, 20),
    "layers 10-10-10-10": lambda: perceptron(10, 10, 10, 10),
    "Lorenz, 10 steps": lambda: lorenz(10),
    "Lorenz, 100 steps": lambda: lorenz(100),
}


def operations(made: TermArray, known: TermArray) -> int:
    """Count what is computed beyond some terms; sums and products of n take n - 1."""
    old = set(Dag.of(known.store, known.ids.ravel().tolist()).ids.tolist())
    dag = Dag.of(made.store, made.ids.ravel().tolist())
    return sum(
        max(1, len(args) - 1) if ops.OPS[code].arity < 0 else 1
        for at, (code, args) in zip(dag.ids.tolist(), dag.rows(), strict=True)
        if args and at not in old
    )


def compared(name: str, make: Callable[[], System]) -> dict[str, Any]:
    """Count and time the Jacobian of a system by each way."""
    with rw.scope():
        outputs, inputs = make()
        f, xs = asarray(list(outputs)), asarray(list(inputs))
        made: Any = {mode: rw.sparse_jacobian(f, xs, mode=mode) for mode in (*MODES, "auto")}
        counts = {mode: operations(jac.terms, f) for mode, jac in made.items()}
        program = Program.of(f.ravel(), xs.ravel())
        begin = time.perf_counter()
        chosen = cheapest(program)
        took = time.perf_counter() - begin
        whole = best_of(lambda: rw.sparse_jacobian(f, xs, mode=chosen), 3)
    shown = ", ".join(f"{mode} {counts[mode]}" for mode in MODES)
    print(f"{name}: {shown}; {chosen}, chosen in {took * 1e3:.2f} ms of {whole * 1e3:.2f}")
    simple = min(counts["forward"], counts["reverse"])
    found = {f"{name}: operations / those of the best": at_most(
        counts["auto"] / min(counts[mode] for mode in MODES), 1.15)}  # fmt: skip
    if name.startswith("waist"):
        found[f"{name}: one direction / mixed"] = at_least(simple / counts["mixed"], 2.0)
    return found


def main() -> None:
    """Compare all systems."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--networks", type=Path, help="folder with BioNetGen networks")
    options = parser.parse_args()
    systems = dict(SYSTEMS)
    if options.networks:
        systems |= {name: lambda name=name: network(options.networks, name) for name in NETWORKS}  # type: ignore[misc]
    figures: dict[str, Any] = {}
    for name, make in systems.items():
        figures |= compared(name, make)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
