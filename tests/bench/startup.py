"""Start-up of a process, and to its first result: `python tests/bench/startup.py`.

Every figure is the median of several fresh processes, with file caches and Numba's cache warm.
"""

import statistics
import subprocess
import sys
import time

from report import arguments, at_most, finish

RUNS = 7
FIRST = """
import numpy as np, rewrite as rw
x, s = rw.symbols("x s")
f = rw.compile([x, s], rw.exp(-(x / s) ** 2 / 2) / (rw.sqrt(2 * rw.pi) * s))
assert f(np.linspace(-3, 3, 1000), 1.5).shape == (1000,)
"""
WARM = """
import time, numpy as np, rewrite as rw
def once(text, names):
    begin = time.perf_counter()
    term = rw.parse(text)
    rw.compile([rw.symbol(n) for n in names], term)(*[1.5] * len(names))
    return time.perf_counter() - begin
once("exp(-x) + 1", ["x"])
print(once("q/(4*pi*epsilon*r*(1-v/c))", ["q", "epsilon", "r", "v", "c"]))
"""


def seconds(program: str) -> float:
    """Return the median wall time of a fresh process."""
    times = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", program], check=True)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def printed(program: str) -> float:
    """Return the median of what fresh processes print."""
    values = [
        float(
            subprocess.run([sys.executable, "-c", program], check=True, capture_output=True).stdout
        )
        for _ in range(RUNS)
    ]
    return statistics.median(values)


def main() -> None:
    """Print the figures."""
    options = arguments(__doc__.splitlines()[0]).parse_args()
    bare, numpy = seconds("pass"), seconds("import numpy")
    ours, first = seconds("import rewrite; rewrite.symbols"), seconds(FIRST)
    warm = printed(WARM)
    print(f"python {bare:.3f} s, with numpy {numpy:.3f} s, with rewrite {ours:.3f} s")
    figures = {
        "import rewrite [s]": at_most(ours, 0.2),
        "cold process to first result [s]": at_most(first, 1.3),
        "parse + optimise + compile, warm [s]": at_most(warm, 0.2),
    }
    finish(figures, options.json)


if __name__ == "__main__":
    main()
