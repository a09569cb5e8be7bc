"""Construction of terms, beside SymPy: `python tests/bench/terms.py`.

Scalar: `x + y` and the like one at a time, as at a prompt. Bulk: arrays of a million. Both sides
build the same expressions in this process; SymPy's cache is cleared first, since ours starts empty.
"""

import gc
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from report import arguments, at_least, at_most, finish

import rewrite as rw

SCALAR = 100_000
BULK = 1_000_000


def scalar(x: Any, y: Any, count: int) -> Any:
    """Build a chain of distinct sums and products."""
    u = x
    for _ in range(count // 2):
        u = u * y
        u = u + x
    return u


def timed(call: Callable[[], object], rounds: int = 5) -> float:
    """Return the best time in seconds, garbage collection between the rounds and on during them."""
    times = []
    for _ in range(rounds):
        gc.collect()
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def scalar_ours() -> None:
    """Build the chain in a scratch store."""
    with rw.scope():
        scalar(*rw.symbols("x y"), SCALAR)


def scalar_sympy(count: int) -> float:
    """Return seconds a term for the same chain in SymPy, which is quadratic in its length."""
    import sympy
    from sympy.core.cache import clear_cache

    def run() -> None:
        clear_cache()
        scalar(*sympy.symbols("x y"), count)

    return timed(run, 3) / count


def bulk_ours() -> tuple[float, float]:
    """Return seconds a new and a known term of a million-element outer difference."""
    new, known = [], []
    side = int(BULK**0.5)
    for _ in range(5):
        with rw.scope():
            row = rw.asarray(rw.symbols([f"x{i}" for i in range(side)]))
            row[:, None] * row[None, :]
            begin = time.perf_counter()
            row[:, None] - row[None, :]
            new.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            row[:, None] - row[None, :]
            known.append(time.perf_counter() - begin)
    return min(new) / side**2, min(known) / side**2


def bulk_sympy(side: int = 100) -> float:
    """Return seconds a term for an outer difference of NumPy object arrays of SymPy symbols."""
    import sympy
    from sympy.core.cache import clear_cache

    row = np.array(sympy.symbols([f"x{i}" for i in range(side)]), object)

    def run() -> None:
        clear_cache()
        row[:, None] - row[None, :]

    return timed(run, 3) / side**2


def main() -> None:
    """Print both sides and the ratios."""
    options = arguments(__doc__.splitlines()[0]).parse_args()
    with rw.scope():
        x, y = rw.symbols("x y")
        x + y
        hit = timed(lambda: [x + y for _ in range(SCALAR)]) / SCALAR
    ours = timed(scalar_ours) / SCALAR
    theirs = scalar_sympy(200)
    new, known = bulk_ours()
    array = bulk_sympy()
    print(f"scalar, new term     {ours * 1e6:8.2f} us   SymPy {theirs * 1e6:8.1f} us")
    print(f"scalar, known term   {hit * 1e6:8.2f} us")
    print(f"bulk, new term       {new * 1e9:8.0f} ns   SymPy {array * 1e9:8.0f} ns")
    print(f"bulk, known term     {known * 1e9:8.0f} ns")
    figures = {
        "scalar x + y [us]": at_most(ours * 1e6, 1.5),
        "bulk new term [ns]": at_most(new * 1e9, 100),
        "times SymPy, scalar": at_least(theirs / ours, 10),
        "times SymPy, bulk": at_least(array / new, 100),
    }
    finish(figures, options.json)


if __name__ == "__main__":
    main()
