"""Mass-action networks as arrays, and their right-hand sides in other engines.

Every maker returns a function of a state and of memory for its result. An engine that is not
installed is left out; what takes minutes to compile is made where it is asked for only.
"""

import ctypes
import importlib
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["BINARY_ONLY", "PEERS", "SLOW", "Arrays", "Unavailable", "random_network"]


class Unavailable(Exception):
    """An engine is not installed."""


def module(name: str) -> Any:
    """Import an engine."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(name) from error


@dataclass(frozen=True)
class Arrays:
    """Reactions of order 1 or 2: rate r is constants[r] * u[first[r]] * u[second[r]].

    For order 1 `second` is `species`, which stands for a 1 behind the state.
    """

    species: int
    constants: np.ndarray
    first: np.ndarray
    second: np.ndarray
    changes: Any
    """What a reaction changes: a sparse matrix (species, reactions)."""

    @property
    def binary(self) -> bool:
        """Whether all are A + B -> C, each once."""
        columns = self.changes.tocsc()
        plain = len(columns.data) == 3 * len(self.constants)
        return plain and int(self.second.max()) < self.species

    @cached_property
    def produced(self) -> np.ndarray:
        """The C of each A + B -> C."""
        columns = self.changes.tocsc()
        return columns.indices[columns.data > 0]


def random_network(species: int, reactions: int, seed: int = 0) -> Arrays:
    """Draw reactions A + B -> C of three different species each, without any structure."""
    from scipy.sparse import csr_array

    rng = np.random.default_rng(seed)
    triples = np.array([rng.choice(species, 3, replace=False) for _ in range(reactions)])
    triples = triples[np.argsort(triples[:, 0], kind="stable")]
    rows, columns = triples.T.ravel(), np.tile(np.arange(reactions), 3)
    signs = np.repeat([-1.0, -1.0, 1.0], reactions)
    changes = csr_array((signs, (rows, columns)), shape=(species, reactions))
    constants = rng.uniform(0.1, 2.0, reactions)
    return Arrays(species, constants, triples[:, 0], triples[:, 1], changes)


type Evaluate = Callable[[np.ndarray, np.ndarray], Any]


def numpy_(net: Arrays) -> Evaluate:
    """Gather, multiply, and a sparse matrix times the rates."""
    padded = np.ones(net.species + 1)
    constants, first, second, changes = net.constants, net.first, net.second, net.changes.tocsr()

    def call(u: np.ndarray, out: np.ndarray) -> Any:
        padded[:-1] = u
        return changes @ (constants * padded[first] * padded[second])

    return call


def numba_(net: Arrays) -> Evaluate:
    """Loop over index tables, of three places where all are A + B -> C."""
    nb = module("numba")
    constants, first, second = net.constants, net.first, net.second
    if net.binary:
        produced = net.produced

        @nb.njit(fastmath=True)
        def three(u: Any, du: Any) -> None:
            du[:] = 0.0
            for r in range(len(constants)):
                a, b = first[r], second[r]
                rate = constants[r] * u[a] * u[b]
                du[a] -= rate
                du[b] -= rate
                du[produced[r]] += rate

        return three
    columns = net.changes.tocsc()
    starts, places, amounts = columns.indptr, columns.indices, columns.data
    padded = np.ones(net.species + 1)

    @nb.njit(fastmath=True)
    def run(u: Any, du: Any, padded: Any) -> None:
        padded[:-1] = u
        du[:] = 0.0
        for r in range(len(constants)):
            rate = constants[r] * padded[first[r]] * padded[second[r]]
            for at in range(starts[r], starts[r + 1]):
                du[places[at]] += amounts[at] * rate

    return lambda u, out: run(u, out, padded)


def _library() -> Any:
    folder = Path(tempfile.mkdtemp())
    source = Path(__file__).parent / "mass_action.c"
    made = folder / "mass_action.so"
    command = ["gcc", "-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    try:
        subprocess.run([*command, "-o", str(made), str(source)], check=True, capture_output=True)
    except OSError as error:
        raise Unavailable("gcc") from error
    return ctypes.CDLL(str(made))


def _c(net: Arrays, name: str) -> Evaluate:
    function = getattr(_library(), name)
    tables = [np.ascontiguousarray(x, np.uint16) for x in (net.first, net.second, net.produced)]
    held = [*tables, np.ascontiguousarray(net.constants)]
    sizes = [ctypes.c_size_t(net.species), ctypes.c_size_t(len(net.constants))]
    pointers = [ctypes.c_void_p(x.ctypes.data) for x in held]

    def call(u: np.ndarray, out: np.ndarray) -> Any:
        _ = held
        function(
            *sizes, *pointers, ctypes.c_void_p(u.ctypes.data), ctypes.c_void_p(out.ctypes.data)
        )

    return call


def c_loop(net: Arrays) -> Evaluate:
    """Loop in C over 16-bit tables."""
    return _c(net, "one_state")


def c_states(net: Arrays) -> Evaluate:
    """Do the same for eight states side by side: u and out have the shape (species, 8)."""
    return _c(net, "eight_states")


def jax_(net: Arrays) -> Evaluate:
    """Scatter-add rates."""
    jax = module("jax")
    jax.config.update("jax_enable_x64", True)
    jnp = jax.numpy
    columns = net.changes.tocsc()
    reaction = np.repeat(np.arange(len(net.constants)), np.diff(columns.indptr))
    places, amounts = jnp.asarray(columns.indices), jnp.asarray(columns.data)
    constants = jnp.asarray(net.constants)

    @jax.jit
    def run(u: Any) -> Any:
        padded = jnp.append(u, 1.0)
        rates = constants * padded[net.first] * padded[net.second]
        return jnp.zeros(net.species).at[places].add(amounts * rates[reaction])

    return lambda u, out: run(u).block_until_ready()


def _sums(net: Arrays, symbols: Any, add: Callable[[list[Any]], Any]) -> list[Any]:
    """Write the sums of an engine with symbols, term by term."""
    second = [*symbols, 1.0]
    rates = [
        float(k) * symbols[i] * second[j]
        for k, i, j in zip(net.constants, net.first.tolist(), net.second.tolist(), strict=True)
    ]
    rows = net.changes.tocsr()
    return [
        add([
            float(rows.data[at]) * rates[rows.indices[at]]
            for at in range(rows.indptr[row], rows.indptr[row + 1])
        ])
        for row in range(net.species)
    ]  # fmt: skip


def heyoka_(net: Arrays) -> Evaluate:
    """Compile in compact mode."""
    hy = module("heyoka")
    symbols = hy.make_vars(*[f"x{k}" for k in range(net.species)])
    run = hy.cfunc(_sums(net, symbols, lambda x: hy.sum(x) if x else hy.expression(0.0)), symbols,
                   compact_mode=True, fast_math=True)  # fmt: skip
    return lambda u, out: run(u, outputs=out)


def casadi_vm(net: Arrays) -> Evaluate:
    """Run on CasADi's virtual machine, into memory of its own."""
    ca = module("casadi")
    u = ca.SX.sym("u", net.species)
    symbols = [u[k] for k in range(net.species)]
    out = ca.vertcat(*_sums(net, symbols, lambda x: sum(x) if x else ca.SX(0)))
    function = ca.Function("f", [u], [out])
    buffer, run = function.buffer()
    state, result = np.empty(net.species), np.empty(net.species)
    buffer.set_arg(0, memoryview(state))
    buffer.set_res(0, memoryview(result))

    def call(u: np.ndarray, out: np.ndarray) -> Any:
        _ = buffer  # has to stay
        state[:] = u
        run()
        return result

    call.function = function  # type: ignore[attr-defined]
    return call


def casadi_c(net: Arrays) -> Evaluate:
    """Write C code and compile it with -O1, which runs no slower than -O3."""
    made = casadi_vm(net)
    function = made.function  # type: ignore[attr-defined]
    folder = Path(tempfile.mkdtemp())
    source = function.generate("code.c", {"main": False})
    Path(source).rename(folder / "code.c")
    command = ["gcc", "-O1", "-march=native", "-shared", "-fPIC", "-o", str(folder / "code.so")]
    subprocess.run([*command, str(folder / "code.c"), "-lm"], check=True)
    library = ctypes.CDLL(str(folder / "code.so"))
    work = np.empty(max(function.sz_w(), 1))
    arg, res = (ctypes.c_void_p * 8)(), (ctypes.c_void_p * 8)()

    def call(u: np.ndarray, out: np.ndarray) -> Any:
        arg[0], res[0] = u.ctypes.data, out.ctypes.data
        library.f(arg, res, None, ctypes.c_void_p(work.ctypes.data), 0)

    return call


def symengine_(net: Arrays) -> Evaluate:
    """Compile with LLVM, common subexpressions first."""
    se = module("symengine")
    symbols = [se.Symbol(f"x{k}") for k in range(net.species)]
    sums = _sums(net, symbols, lambda x: se.Add(*x))
    run = se.Lambdify(symbols, sums, backend="llvm", cse=True)
    return lambda u, out: run(u)


PEERS: dict[str, Callable[[Arrays], Evaluate]] = {
    "NumPy and SciPy": numpy_,
    "Numba, index loop": numba_,
    "JAX, scatter": jax_,
    "CasADi, virtual machine": casadi_vm,
}
BINARY_ONLY: dict[str, Callable[[Arrays], Evaluate]] = {"C, index loop": c_loop}
"""For reactions A + B -> C."""
SLOW: dict[str, Callable[[Arrays], Evaluate]] = {
    "CasADi, C": casadi_c,
    "heyoka, compact": heyoka_,
    "symengine, LLVM": symengine_,
}
"""Those that take long to compile."""


def timed(make: Callable[[Arrays], Evaluate], net: Arrays) -> tuple[float, Evaluate]:
    """Return the seconds to the end of the first call, and the function."""
    begin = time.perf_counter()
    call = make(net)
    call(np.ones(net.species), np.empty(net.species))
    return time.perf_counter() - begin, call
