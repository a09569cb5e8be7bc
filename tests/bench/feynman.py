"""The 100 formulas against NumPy, a roofline and the oracle: `python tests/bench/feynman.py`.

The roofline of a formula is the larger of two times: its bytes at the bandwidth that a scale loop
(`2*x`, one array in, one out, the faster of NumPy's and ours) reaches in this run, and the cycles
that the busiest port of the cost table needs at the clock measured in this run.

A point is good where ours is within 4 ulp of NumPy's value, or nearer to the exact one; a formula,
where all its points are, or its mean error is below NumPy's (sums that cancel scatter both ways).
"""

import importlib.util
import math
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from report import arguments, at_least, at_most, finish

import rewrite as rw
from codegen.cost import port_cycles, table_for
from codegen.target import host
from codegen.targets.measure import clock

ROOT = Path(__file__).resolve().parents[2]


def example() -> ModuleType:
    """Load the example, which measures each formula."""
    spec = importlib.util.spec_from_file_location("feynman", ROOT / "examples" / "feynman.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["feynman"] = module
    spec.loader.exec_module(module)
    return module


def bandwidth(count: int, usual_time: Any) -> float:
    """Return the bytes a second of a scale loop."""
    x = rw.symbol("x")
    kernel = rw.compile([x], 2 * x)
    data, out = np.ones(count), np.empty(count)
    ours = usual_time(lambda: kernel(data, out=out), 0.5)
    numpys = usual_time(lambda: np.multiply(data, 2.0, out=out), 0.5)
    return 16 * count / min(ours, numpys)


def main() -> None:
    """Measure, print a row a formula, and check the figures."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    options = parser.parse_args()
    module = example()
    begin = time.perf_counter()
    gigahertz = clock(host())
    table = table_for(host())
    rows: list[dict[str, Any]] = []
    speed = 0.0
    for formula in module.formulas():
        row = module.measure(formula, options.points)
        if len(rows) % 10 == 0:  # other guests of the machine come and go
            speed = bandwidth(options.points, module.usual_time)
        kernel = row.pop("kernel")
        memory = 8 * row["operands"] / speed * 1e9
        ports = port_cycles(kernel.program, table) / gigahertz
        row["roofline"], row["share"] = max(memory, ports), max(memory, ports) / row["ns"]
        rows.append(row)
        print(f"{row['name']:12} ours {row['ns']:7.3f} NumPy {row['numpy_ns']:8.2f} ", end="")
        print(f"{row['numpy_ns'] / row['ns']:6.1f}x roofline {memory:6.3f} {ports:6.3f} ", end="")
        print(f"{row['share']:5.0%} ulp {row['ulp']:5.2f} {row['numpy_ulp']:5.2f} ", end="")
        print(f"bits {row['bits']:5.3f} {row['numpy_bits']:5.3f} ", end="")
        print(f"compile {row['compile'] * 1e3:4.0f} ms {row['formula'][:40]}", flush=True)
    took = time.perf_counter() - begin
    print(f"scale loop {speed / 1e9:.1f} GB/s, clock {gigahertz:.2f} GHz, {took:.0f} s")
    worse = [r["name"] for r in rows if r["bits"] > r["numpy_bits"] + 0.1]
    far = [r["name"] for r in rows if r["good_points"] < 1 and r["mean_ulp"] > r["numpy_mean_ulp"]]
    gain = math.exp(float(np.mean([math.log(r["numpy_ns"] / r["ns"]) for r in rows])))
    near = sum(r["share"] >= 0.6 for r in rows) / len(rows)
    print(f"lose over 0.1 bit: {worse or 'none'}")
    print(f"over 4 ulp from NumPy and not nearer: {far or 'none'}")
    figures = {
        "formulas": at_least(len(rows), 100),
        "lose over 0.1 bit": at_most(len(worse), 0),
        "over 4 ulp from NumPy and not nearer": at_most(len(far), 0),
        "times NumPy, geometric mean": at_least(gain, 5),
        "share at 60 % of the roofline": at_least(near, 0.75),
        "median compile [s]": at_most(float(np.median([r["compile"] for r in rows])), 0.2),
        "rows": rows,
    }
    finish(figures, options.json)


if __name__ == "__main__":
    main()
