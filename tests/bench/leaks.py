"""Memory that kernels leave behind once they are dropped, and many threads at once; as JSON.

    python tests/bench/leaks.py [--kernels 10000] [--threads 32] [--each 1000]

Kernels have different formulas, so that nothing of one serves another: straight and rolled ones,
elementwise and of arrays, each compiled, called and dropped. Memory is what the process holds of
the machine (VmRSS), after so many kernels that all caches are warm. Then threads compile and call
kernels at the same time, and every result is compared with that of one thread.
"""

import argparse
import gc
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

os.environ["REWRITE_CACHE"] = "0"
sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
from report import resident

import rewrite as rw

WARM = 500
MOST_GROWN = 20.0
"""Megabytes."""
DATA = np.linspace(0.5, 2, 64)


def held() -> float:
    """Return megabytes of memory of this process without what waits to be collected."""
    gc.collect()
    return resident()


def one(number: int) -> Any:
    """Compile a kernel of its own formula, call it, and drop it."""
    with rw.scope():
        x, y = rw.symbol(f"x{number % 97}"), rw.symbol("y")
        constant = number / 7 + 1
        match number % 5:
            case 0:
                kernel = rw.compile([x, y], x * y + constant)
            case 1:
                kernel = rw.compile([x, y], x * constant + x * y, optimize_terms=False)
            case 2:
                kernel = rw.compile([x, y], {"a": x + constant, "b": x < y}, optimize_terms=False)
            case 3:
                kernel = rw.compile([[x, y]], [x * constant, y], optimize_terms=False)
                return kernel(np.stack([DATA, DATA], 1)).tobytes()
            case _:
                kernel = rw.compile([x, y], rw.exp(x - constant) * y, optimize_terms=False)
        results = kernel(DATA, 1.5)
        parts = results.values() if isinstance(results, dict) else [results]
        return b"".join(part.tobytes() for part in parts)


def grown(count: int) -> dict[str, Any]:
    """Return the growth of the process over so many kernels."""
    for number in range(WARM):
        one(number)
    before, start = held(), time.perf_counter()
    for number in range(count):
        one(WARM + number)
    seconds, after = time.perf_counter() - start, held()
    return {
        "kernels": count, "before_mb": before, "after_mb": after,
        "grown_mb": after - before, "ms_each": 1e3 * seconds / max(count, 1),
        "ok": after - before < MOST_GROWN,
    }  # fmt: skip


def together(threads: int, each: int) -> dict[str, Any]:
    """Compile and call in many threads, and compare with one."""
    numbers = range(min(each, 50))
    expected = {number: one(number) for number in numbers}
    wrong: list[Any] = []

    def work(first: int) -> None:
        try:
            for step in range(each):
                number = numbers[(first * 7 + step) % len(numbers)]
                if one(number) != expected[number]:
                    wrong.append(number)
        except BaseException as error:  # what a thread raises is otherwise only printed
            wrong.append(repr(error))

    workers = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    start = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - start
    return {"threads": threads, "each": each, "seconds": seconds, "wrong": wrong[:5],
            "ok": not wrong}  # fmt: skip


def main() -> int:
    """Print what was found; the status tells whether all is well."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kernels", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--each", type=int, default=1000)
    given = parser.parse_args()
    growth = grown(given.kernels)
    print(json.dumps({"growth": growth}, indent=2), flush=True)
    threads = together(given.threads, given.each)
    print(json.dumps({"threads": threads}, indent=2))
    return 0 if growth["ok"] and threads["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
