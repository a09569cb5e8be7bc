"""Time kernels beside those of other engines: `python tests/bench/elementwise.py`.

ns per element, the least of calls that the engines take in turns, each in a process of its own that
is pinned to the cores it may use; both sides of every ratio are of one run.
"""

import argparse
import json
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from engines import ENGINES, MEASURES, THREADED, compiled, numpy_
from formulas import KERNELS, Formula, inputs
from report import arguments, at_least, at_most, best_of, finish

from codegen.kernel import Kernel

DTYPES = {"f64": "float64", "f32": "float32"}
BOUNDS = {"f64": 1e-9, "f32": 1e-2}
"""What deviates by more, relatively or absolutely, from NumPy in double precision is left out."""
PATIENCE = 60.0
"""An engine that takes more seconds is left out."""
PEERS = [name for name in ENGINES if not name.startswith("rewrite") and name not in MEASURES]
FAST = "rewrite fast"
BY_HAND, SCALE = MEASURES
WAITING = ("A1", "A4")
"""Kernels that wait for memory where arrays are large."""
COMPILE_MS = {"A2": 16, "A5": 35}


class Served:
    """An engine in a process of its own."""

    def __init__(self, name: str, cores: list[int]) -> None:
        self.name, self.cores = name, cores
        self.process: subprocess.Popen[str] | None = None

    def ask(self, *words: Any) -> Any:
        """Send a line and wait for the answer; None where the process has died or takes too long.

        It is started, once more after that, when it is needed.
        """
        if self.process is None:
            command = [sys.executable, str(Path(__file__).parent / "engines.py")]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True,
            )  # fmt: skip
            self.ask("pin", self.cores)
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None and stdout is not None
        try:
            print(json.dumps(words), file=stdin, flush=True)
            if select.select([stdout], [], [], PATIENCE)[0]:
                return json.loads(stdout.readline())
        except (OSError, ValueError):
            pass
        self.end()
        return None

    def end(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.process = None


def measured(
    formula: Formula, n: int, kind: str, engines: list[Served], threads: int, seconds: float
) -> dict[str, Any]:
    """Return ns per element of each engine, and the milliseconds until the first result."""
    dtype = DTYPES[kind]
    call, read = numpy_(formula, [np.asarray(a, np.float64) for a in inputs(formula, n, dtype)], 1)
    call()
    exact = read()
    best: dict[str, float] = {}
    first: dict[str, float] = {}
    ready: list[Served] = []
    for engine in engines:
        answer = engine.ask("make", engine.name, formula.name, n, DTYPES[kind], threads)
        if isinstance(answer, float):
            with tempfile.TemporaryDirectory() as folder:
                engine.ask("save", f"{folder}/result.npy")
                off = np.load(f"{folder}/result.npy") - exact
            off = float(np.max(np.abs(off) / (1 + np.abs(exact))))
            if off < BOUNDS[kind] or engine.name == SCALE:  # which computes something else
                ready.append(engine)
                best[engine.name], first[engine.name] = math.inf, answer
                continue
            answer = f"off by {off:.2g}"
        print(f"   {formula.name}: without {engine.name}: {answer or 'it ended or took too long'}")
    end = time.perf_counter() + seconds * len(ready)
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        rounds += 1
        for engine in ready:
            count = max(1, int(2e-3 / max(best[engine.name], 1e-7))) if rounds > 1 else 1
            best[engine.name] = min(best[engine.name], engine.ask("time", count) / count)
    return {"ns": {k: 1e9 * v / n for k, v in best.items()}, "first_ms": first}


def shown(formula: Formula, label: str, row: dict[str, Any]) -> None:
    """Print one row."""
    ranked = sorted(row["ns"].items(), key=lambda item: item[1])
    cells = ", ".join(f"{name} {ns:.4g}" for name, ns in ranked)
    print(f"{formula.name} {label:16} {cells}", flush=True)


def ratio(rows: dict[str, Any], names: list[str], kernels: list[str], label: str) -> float | None:
    """Return the geometric mean of how much faster ours is than the fastest of some engines."""
    logs = []
    for kernel in kernels:
        ns = rows.get(f"{kernel} {label}", {}).get("ns", {})
        others = [ns[name] for name in names if name in ns]
        if others and FAST in ns:
            logs.append(math.log(min(others) / ns[FAST]))
    return math.exp(sum(logs) / len(logs)) if logs else None


def targets(rows: dict[str, Any]) -> dict[str, Any]:
    """State what was to be reached at 1e5 elements and one thread."""
    kernels = ["A1", "A2", "A3", "A4", "A5"]
    figures: dict[str, Any] = {}
    wanted = {"f64": {"heyoka fast_math": 1.5, "jax": 5.5, "numexpr": 10, "numpy": 10},
              "f32": {"heyoka fast_math": 1.5, "jax": 4.0, "numexpr": 10, "numpy": 10}}  # fmt: skip
    for kind, bounds in wanted.items():
        label = f"{kind} n=100000 x1"
        for name, bound in bounds.items():
            found = ratio(rows, [name], kernels, label)
            if found is not None:
                figures[f"{kind}: times faster than {name}"] = at_least(found, bound)
        for kernel in [*kernels, "A6"]:
            found = ratio(rows, PEERS, [kernel], label)
            if found is not None:
                figures[f"{kind}: {kernel}, times the fastest peer"] = at_least(found, 1)
        ns = [rows.get(f"{k} {label}", {}).get("ns", {}) for k in kernels]
        modes = [
            r["rewrite guarded"] / r[FAST] for r in ns if {"rewrite guarded", FAST} <= r.keys()
        ]
        if modes:
            mean = math.exp(sum(map(math.log, modes)) / len(modes))
            figures[f"{kind}: guarded against fast, times the time"] = at_most(mean, 1.6)
    return figures


def limits(rows: dict[str, Any]) -> dict[str, Any]:
    """State what was to be reached against what the machine can do."""
    figures: dict[str, Any] = {}
    for place, row in rows.items():
        kernel, kind, n, threads = place.split()
        ns = row["ns"]
        if FAST not in ns:
            continue
        name = f"{kind}: {kernel} {n}" + (f" {threads}" if threads != "x1" else "")
        if BY_HAND in ns and n == "n=100000":
            bound = 1.05 if threads == "x1" else 1.1
            figures[f"{name}, times C by hand"] = at_most(ns[FAST] / ns[BY_HAND], bound)
        if SCALE in ns and n == "n=10000000" and kernel in WAITING:
            figures[f"{name}, times the scale loop"] = at_most(ns[FAST] / ns[SCALE], 1.1)
        one = rows.get(f"{kernel} {kind} {n} x1", {}).get("ns", {}).get(FAST)
        if threads == "x2" and one:
            worth = 1.8 if one * int(n[2:]) >= 5e5 else 1.0
            most = one / ns.get(SCALE, 0.5 * one)  # memory allows no more
            figures[f"{kind}: {kernel} {n}, two threads against one"] = at_least(
                one / ns[FAST], min(worth, 0.95 * most)
            )
    return figures


def compiling() -> dict[str, Any]:
    """State how long the code of a program takes to make, when others of its kind were made."""
    figures = {}
    for formula in KERNELS:
        if formula.name in COMPILE_MS:
            kernel = compiled(formula, "fast", np.float64, 1)
            seconds = best_of(lambda made=kernel: Kernel(made.program, dtype="f64"))  # type: ignore[misc]
            name = f"{formula.name}, compiled [ms]"
            figures[name] = at_most(1e3 * seconds, COMPILE_MS[formula.name])
    return figures


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--kernels", nargs="*", default=[f.name for f in KERNELS])
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=list(ENGINES))
    parser.add_argument("--n", nargs="*", type=int, default=[1, 1000, 10**5, 10**7])
    parser.add_argument("--dtypes", nargs="*", default=["f64", "f32"])
    parser.add_argument("--threads", nargs="*", type=int, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each engine and row")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    given = options()
    every = sorted(os.sched_getaffinity(0))
    rows: dict[str, Any] = {}
    for threads in given.threads:
        names = [n for n in given.engines if threads == 1 or n in THREADED]
        engines = [Served(name, every[:threads]) for name in names]
        for n in given.n if threads == 1 else [n for n in given.n if n >= 10**5]:
            for kind in given.dtypes:
                for formula in KERNELS:
                    if formula.name in given.kernels:
                        label = f"{kind} n={n} x{threads}"
                        row = measured(formula, n, kind, engines, threads, given.seconds)
                        rows[f"{formula.name} {label}"] = row
                        shown(formula, label, row)
        for engine in engines:
            engine.end()
    finish({**targets(rows), **limits(rows), **compiling(), "rows": rows}, given.json)


if __name__ == "__main__":
    main()
