"""Optimise, compile and check 100 physics formulas; print one row a formula and a summary.

    python3 examples [--points N] [--only NAME ...]

Cycles are an element's, before and after, by the cost model of this machine. Times are medians
of several runs on the same points, one thread, result arrays reused. Errors are in units in the
last place against ball arithmetic: the largest of 1,000 points.
"""

import argparse
import csv
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import rewrite as rw
from rewrite.oracle import exact, ulp_distance

DATA = Path(__file__).parent / "data" / "feynman" / "FeynmanEquations.csv"
CHECKED = 1000


@dataclass
class Formula:
    """A row of the table: its name, its text, and its variables with their ranges."""

    name: str
    text: str
    ranges: dict[str, tuple[float, float]]

    def symbols(self) -> dict[str, rw.Term]:
        """Make the symbols, each with its range as its domain."""
        return {n: rw.symbol(n, low=low, high=high) for n, (low, high) in self.ranges.items()}

    def points(self, count: int) -> list[Any]:
        """Draw points uniformly from the ranges."""
        rng = np.random.default_rng(1)
        return [rng.uniform(low, high, count) for low, high in self.ranges.values()]


def formulas(path: Path = DATA) -> Iterator[Formula]:
    """Read the table; the columns tell the variables, their number is wrong in five rows."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            ranges = {
                row[f"v{k}_name"]: (float(row[f"v{k}_low"]), float(row[f"v{k}_high"]))
                for k in range(1, 11)
                if row[f"v{k}_name"]
            }
            yield Formula(row["Filename"], row["Formula"], ranges)


def numpy_function(term: rw.Term, names: list[str]) -> Callable[..., Any]:
    """Write the formula as a NumPy user would: the last operation into `out`, the rest as it is."""
    last = [f"({part!r})" for part in term.args]
    source = f"lambda {', '.join(names)}, out: np.{term.op.numpy}({', '.join(last)}, out=out)"
    functions = {
        op.name: getattr(np, op.numpy) for op in rw.ops.BUILTIN if hasattr(np, op.numpy or "_")
    }
    return eval(source, {**functions, "np": np, "pi": math.pi})  # type: ignore[no-any-return]


def usual_time(call: Callable[[], object], budget: float = 0.1) -> float:
    """Return the median time of a call, of at least five runs and as many as the budget allows."""
    call()
    times: list[float] = []
    while len(times) < 5 or sum(times) < budget:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def measure(formula: Formula, count: int) -> dict[str, Any]:
    """Optimise, compile, run and check one formula."""
    symbols = formula.symbols()
    begin = time.perf_counter()
    term = rw.parse(formula.text, symbols=symbols)
    kernel = rw.compile(list(symbols.values()), term)
    compiled = time.perf_counter() - begin
    points = formula.points(count)
    ours, numpys = np.empty(count), np.empty(count)
    function = numpy_function(term, list(symbols))
    some = {name: array[:CHECKED] for name, array in zip(symbols, points, strict=True)}
    known = exact(term, some)
    fast = usual_time(lambda: kernel(*points, out=ours))
    slow = usual_time(lambda: function(*points, out=numpys))
    errors = [ulp_distance(a[:CHECKED], known, np.float64) for a in (ours, numpys)]
    apart = np.abs(ours - numpys)[:CHECKED] / np.spacing(np.abs(numpys[:CHECKED]))
    return {
        "name": formula.name, "formula": formula.text, "kernel": kernel, "compile": compiled,
        "before": kernel.cost.before, "after": kernel.cost.after, "operands": len(points) + 1,
        "ns": fast / count * 1e9, "numpy_ns": slow / count * 1e9,
        "good_points": float(np.mean((apart <= 4) | (errors[0] <= errors[1]) | ~known.ok)),
        "ulp": float(np.nanmax(errors[0])), "numpy_ulp": float(np.nanmax(errors[1])),
        "mean_ulp": float(np.nanmean(errors[0])), "numpy_mean_ulp": float(np.nanmean(errors[1])),
        "bits": float(np.nanmean(np.log2(np.maximum(errors[0], 1)))),
        "numpy_bits": float(np.nanmean(np.log2(np.maximum(errors[1], 1)))),
    }  # fmt: skip


def main() -> None:
    """Measure all formulas and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", help="names of formulas, e.g. I.6.2a")
    options = parser.parse_args()
    begin = time.perf_counter()
    print(f"{'':12}{'cycles/element':>15} {'ns/element':>17} {'':7} {'largest ulp':>13}")
    print(f"{'formula':12}{'before':>8}{'after':>7} {'ours':>8} {'NumPy':>8} ", end="")
    print(f"{'faster':>7} {'ours':>6} {'NumPy':>6}")
    rows = []
    for formula in formulas():
        if options.only and formula.name not in options.only:
            continue
        r = measure(formula, options.points)
        rows.append(r)
        print(f"{r['name']:12}{r['before']:8.2f}{r['after']:7.2f} ", end="")
        print(f"{r['ns']:8.3f} {r['numpy_ns']:8.2f} {r['numpy_ns'] / r['ns']:6.1f}x ", end="")
        print(f"{r['ulp']:6.2f} {r['numpy_ulp']:6.2f}  {r['formula'][:60]}", flush=True)
    gain = math.exp(np.mean([math.log(r["numpy_ns"] / r["ns"]) for r in rows]))
    cycles = math.exp(np.mean([math.log(r["before"] / r["after"]) for r in rows]))
    worse = sum(r["bits"] > r["numpy_bits"] + 0.1 for r in rows)
    print(
        f"\n{len(rows)} formulas in {time.perf_counter() - begin:.0f} s. Geometric means: ", end=""
    )
    print(f"{gain:.1f} times faster than NumPy, {cycles:.2f} times fewer cycles by the model.")
    print(f"{worse} lose more than 0.1 bit of mean accuracy against NumPy.")


if __name__ == "__main__":
    main()
