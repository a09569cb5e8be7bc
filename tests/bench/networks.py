"""Reaction networks beside other engines: `python tests/bench/networks.py --networks DIR`.

Random networks without structure, compiled as they are since there is nothing to factor, and
BioNetGen's (`NAME.net` somewhere below DIR): from the file or the arrays to the first call,
evaluations of right-hand side and Jacobian at one state, and at 64 states in rows and side by
side. Beside: the
same terms compiled as they are (no e-graph, no factoring), NumPy, Numba, C and JAX loops over index
tables, and with `--slow` heyoka, CasADi and symengine, which take minutes to compile the large
ones. Times of calls are the best of many, Python's call included; each start is a process of its
own, with an empty cache and then a full one.
"""

import os

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import itertools
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from mass_action import (
    BINARY_ONLY,
    PEERS,
    SLOW,
    Arrays,
    Unavailable,
    c_states,
    module,
    random_network,
    timed,
)  # fmt: skip
from report import arguments, at_least, at_most, finish, microseconds

import rewrite as rw

RANDOM = {
    "356 species, 3749 reactions": (356, 3749, 4.3, 1.3, 1.0, 8.0),
    "1122 species, 24388 reactions": (1122, 24388, 25.0, None, 3.0, 85.0),
}
"""Species, reactions; bounds: a call, a state of 64 (us), until compiled (s), Jacobian (us)."""
FILES = {"egfr_net": 3.0, "bcr": 15.0, "fceri_gamma2": 40.0}
"""Bounds from the file to the first call, in seconds."""
STATES = 64


def beside(label: str, net: Arrays, u: np.ndarray, *, slow: bool) -> dict[str, float]:
    """Time the right-hand sides of other engines; each must compute what NumPy does."""
    makers = {**PEERS, **(BINARY_ONLY if net.binary else {}), **(SLOW if slow else {})}
    out, expected = np.empty(net.species), None
    found: dict[str, float] = {}
    for name, make in makers.items():
        try:
            seconds, call = timed(make, net)
        except Unavailable as missing:
            print(f"  {name}: {missing} is not installed")
            continue
        result = call(u, out)
        values = np.array(out if result is None or isinstance(result, int) else result).ravel()
        expected = values if expected is None else expected
        wrong = np.abs(values - expected).max() / np.abs(expected).max()
        assert wrong < 1e-11, (name, wrong)
        found[name] = microseconds(lambda call=call: call(u, out))  # type: ignore[misc]
        print(f"  {name}: {found[name]:.1f} us, compiled in {seconds:.2f} s")
    if net.binary:
        both = np.repeat(u[:, None], 8, 1).copy(), np.empty((net.species, 8))
        call = c_states(net)
        found["C, a state of 8"] = microseconds(lambda: call(*both)) / 8
        print(f"  C, a state of 8: {found['C, a state of 8']:.2f} us")
    return found


def calls(f: Any, batch: Any, jac: Any, u: np.ndarray) -> dict[str, float]:
    """Time calls of our kernels, in microseconds."""
    n = len(u)
    many, out, outs = np.repeat(u[:, None], STATES, 1).copy(), np.empty(n), np.empty((n, STATES))
    rows, row_outs, matrix = many.T.copy(), outs.T.copy(), jac(u)
    return {
        "call": microseconds(lambda: f(u, out=out)),
        "state": microseconds(lambda: batch(many, out=outs)) / STATES,
        "row": microseconds(lambda: f(rows, out=row_outs)) / STATES,
        "jacobian": microseconds(lambda: jac(u, out=matrix)),
    }


# -- random networks -----------------------------------------------------------------------------


def random_systems(*, slow: bool) -> dict[str, Any]:
    """Build, compile and time networks in which there is nothing to factor."""
    with rw.scope():  # what all kernels share is loaded
        x = rw.asarray([rw.symbol("x"), rw.symbol("y")])
        rw.compile([x], rw.sparse_jacobian(x * x, x))(np.ones(2))
    found: dict[str, Any] = {}
    for label, (species, reactions, *bounds) in RANDOM.items():
        net = random_network(species, reactions)
        u = np.random.default_rng(1).uniform(0.5, 1.5, species)
        print(f"{label}:")
        with rw.scope():
            begin = time.perf_counter()
            x = rw.asarray([rw.symbol(f"x{k}") for k in range(species)])
            terms = net.changes @ (net.constants * x[net.first] * x[net.second])
            f = rw.compile([x], terms, optimize_terms=False)
            jac = rw.compile([x], rw.sparse_jacobian(terms, x), optimize_terms=False)
            f(u), jac(u)
            seconds = time.perf_counter() - begin
            batch = rw.compile([x], terms, optimize_terms=False, batch_axis=-1)
        peers = beside(label, net, u, slow=slow)
        ours = calls(f, batch, jac, u)
        print(f"  ours: {ours}; until compiled {seconds:.2f} s")
        _check(net, f, jac, u)
        call, state, start, jacobian = bounds
        found[f"{label}: a call, us"] = at_most(ours["call"], call)
        if state is not None:
            found[f"{label}: a state of {STATES}, us"] = at_most(ours["state"], state)
        found[f"{label}: terms, Jacobian and compiling, s"] = at_most(seconds, start)
        found[f"{label}: Jacobian, us"] = at_most(ours["jacobian"], jacobian)
        fastest = min(value for name, value in peers.items() if name != "C, a state of 8")
        found[f"{label}: fastest peer / ours"] = at_least(fastest / ours["call"], 1.0)
        found[f"{label}: peers, us"] = peers
    return found


def _check(net: Arrays, f: Any, jac: Any, u: np.ndarray) -> None:
    """Compare with NumPy, and the Jacobian with a difference along one direction."""
    padded = np.append(u, 1.0)
    rates = net.constants * padded[net.first] * padded[net.second]
    expected = net.changes @ rates
    assert np.allclose(f(u), expected, rtol=1e-11, atol=1e-11 * np.abs(rates).max())
    along = np.random.default_rng(2).uniform(-1, 1, net.species)
    slope = (f(u + 1e-5 * along) - f(u - 1e-5 * along)) / 2e-5
    assert np.allclose(jac(u) @ along, slope, rtol=1e-5, atol=1e-6 * np.abs(slope).max())


# -- networks in files ---------------------------------------------------------------------------


def started(path: Path) -> dict[str, Any]:
    """Read, derive, optimise, compile and call, in this process; return what each took."""
    marks = [("", time.perf_counter())]

    def mark(name: str) -> None:
        marks.append((name, time.perf_counter()))

    net = rw.io.bionetgen.read(path)
    mark("read")
    u = net.symbols
    terms = net.rhs(u)
    jac = rw.sparse_jacobian(terms, u)
    mark("terms and Jacobian")
    f = rw.compile([u], terms)
    mark("right-hand side")
    j = rw.compile([u], jac)
    mark("Jacobian")
    f(net.initial), j(net.initial)
    mark("first calls")
    took = {name: end - start for (_, start), (name, end) in itertools.pairwise(marks)}
    return {**took, "all": marks[-1][1] - marks[0][1], "entries": jac.nnz}


def _process(path: Path, cache: str) -> dict[str, Any]:
    environment = {**os.environ, "REWRITE_CACHE": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has its bytecode
    command = [sys.executable, __file__, "--start", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return loaded


def files(folder: Path, *, slow: bool) -> dict[str, Any]:
    """Time networks that have structure."""
    found: dict[str, Any] = {}
    for name, bound in FILES.items():
        path = next(folder.rglob(f"{name}.net"))
        with tempfile.TemporaryDirectory() as cache:
            cold, warm = _process(path, cache), _process(path, cache)
        print(f"{name}: cold {_shown(cold)}\n  from the cache: {_shown(warm)}")
        found[f"{name}: file to first call, s"] = at_most(cold["all"], bound)
        found[f"{name}: the same from the disk cache, s"] = at_most(warm["all"], 1.0)
        if name == "bcr":
            found.update(evaluations(path, slow=slow, start=cold["all"]))
    return found


def _shown(parts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in parts.items())


def evaluations(path: Path, *, slow: bool, start: float) -> dict[str, Any]:
    """Time calls of one network's kernels beside other engines, and beside the terms as read."""
    net = rw.io.bionetgen.read(path)
    u = net.initial + np.random.default_rng(0).uniform(0.5, 1.5, len(net.initial))
    with rw.scope():
        x = net.symbols
        terms = net.rhs(x)
        f = rw.compile([x], terms)
        batch = rw.compile([x], terms, batch_axis=-1)
        jac = rw.compile([x], rw.sparse_jacobian(terms, x))
        plain = rw.compile([x], terms, optimize_terms=False)
    ours, name = calls(f, batch, jac, u), path.stem
    out = np.empty(len(u))
    unoptimised = microseconds(lambda: plain(u, out=out))
    assert np.allclose(f(u), plain(u), rtol=1e-9, atol=1e-9 * np.abs(plain(u)).max())
    print(f"  ours: {ours}, as read {unoptimised:.1f} us")
    peers = beside(name, arrays_of(net), u, slow=slow)
    found: dict[str, Any] = {
        f"{name}: NumPy / ours": at_least(peers["NumPy and SciPy"] / ours["call"], 6.0),
        f"{name}: as read / ours": at_least(unoptimised / ours["call"], 2.0),
        f"{name}: Jacobian, us": at_most(ours["jacobian"], 40.0),
        f"{name}: one state / a state of {STATES}, in rows": at_least(
            ours["call"] / ours["row"], 3.0
        ),
        f"{name}: one state / a state of {STATES}, side by side": at_least(
            ours["call"] / ours["state"], 3.0
        ),
        f"{name}: fastest peer / ours": at_least(min(peers.values()) / ours["call"], 1.0),
        f"{name}: peers, us": peers,
        f"{name}: ours, us": ours,
        f"{name}: file to first call, once more, s": start,
    }
    return found


def arrays_of(net: Any) -> Arrays:
    """Return a mass-action network as arrays for the other engines."""
    from scipy.sparse import coo_array

    species, reaction, amount = net.reactions.changes()
    moves = ~net.fixed[species]
    shape = (len(net.species), len(net.reactions))
    changes = coo_array((amount[moves].astype(float), (species[moves], reaction[moves])), shape)
    with rw.scope():
        constants = rw.evaluate(net.rate_constants())
    side = net.reactions.reactants
    orders = np.diff(side.start)
    assert 1 <= orders.min() <= orders.max() <= 2, "not all reactions are of order 1 or 2"
    first = side.pool[side.start[:-1]]
    second = np.where(orders == 2, side.pool[side.start[1:] - 1], shape[0])
    return Arrays(shape[0], constants, first, second, changes.tocsr())


def main() -> None:
    """Run what was asked for."""
    parser = arguments(__doc__ or "")
    parser.add_argument("--networks", type=Path, help="the folder of .net files")
    parser.add_argument("--slow", action="store_true", help="engines that take long to compile too")
    parser.add_argument("--start", type=Path, help="time one start in this process")
    options = parser.parse_args()
    if options.start:
        print(json.dumps(started(options.start)))
        return
    module("scipy")
    figures = random_systems(slow=options.slow)
    if options.networks:
        figures.update(files(options.networks, slow=options.slow))
    finish(figures, options.json)


if __name__ == "__main__":
    main()
