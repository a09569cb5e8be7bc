"""Measure the rows of a cost table on this machine, through our own code generator.

`python -m codegen.targets.measure avx512` prints the rows. The clock is found from a chain of
dependent fma, whose latency is 4 cycles on every x86 core since 2015. Throughput is the time of a
loop over data in the first-level cache, less that of a copy, an op at a time; latency is that of a
chain. Cheap operations overlap with loads and stores: those rows come from instruction tables.
"""

import sys
import time
from collections.abc import Callable
from typing import Final

import numpy as np

from codegen.instruction import SIGNATURES
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, Target, get, host

__all__ = ["clock", "measure"]

POINTS: Final = 1024
REPEATS: Final = 60
_INPUT: Final = {"acosh": (1.0, 5.0), "log": (0.1, 9.0), "pow": (0.1, 5.0)}


def _program(op: str, count: int, chain: bool) -> Program:
    builder = ProgramBuilder("measured")
    operands = SIGNATURES[op][0][0] if op != "copy" else "f"
    loads = [builder.load(builder.argument(f"x{k}")) for k in range(max(1, len(operands)))]
    value = loads[0]
    for _ in range(count):
        value = builder.emit(op, value, *loads[1 : len(operands)])
        if not chain:
            break
    builder.output("out", value)
    return builder.finish()


def _seconds(call: Callable[[], object]) -> float:
    best = 1e9
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for _ in range(20):
            call()
        best = min(best, (time.perf_counter() - begin) / 20)
    return best


def _time(
    program: Program, target: Target, dtype: Float, points: int, low: float, high: float
) -> float:
    kernel = Kernel(program, target, dtype=dtype)
    kind = np.float64 if dtype == "f64" else np.float32
    rng = np.random.default_rng(0)
    data = [rng.uniform(low, high, points).astype(kind) for _ in program.arguments]
    out = np.empty(points, kind)
    return _seconds(lambda: kernel(*data, out=out))


def clock(target: Target) -> float:
    """Return the core clock in GHz under vector load; without fma, that of the widest target."""
    target = target if target.vector_bits > 128 else host()
    short, long = (
        _time(_program("fma", n, True), target, "f64", POINTS, 0.1, 0.2) for n in (100, 400)
    )
    vectors = POINTS / target.lanes("f64")
    return 4 * 300 * vectors / (long - short) / 1e9


def measure(target: Target, op: str, dtype: Float, gigahertz: float) -> tuple[float, float]:
    """Return (latency, reciprocal throughput) of one vector of an op in cycles."""
    low, high = _INPUT.get(op.rstrip("0123456789p"), (0.1, 0.9))
    lanes = target.lanes(dtype)
    copy = _time(_program("copy", 0, False), target, dtype, POINTS, low, high)
    once = _time(_program(op, 1, False), target, dtype, POINTS, low, high)
    throughput = (once - copy) * 1e9 * gigahertz * lanes / POINTS
    if op in ("acosh", "log", "log2", "log10", "acos", "asin", "atanh", "pow"):
        return 3 * throughput, throughput  # a chain leaves the domain
    short, long = (_time(_program(op, n, True), target, dtype, lanes, low, high) for n in (4, 24))
    return (long - short) / 20 * 1e9 * gigahertz, throughput


def main() -> None:
    """Print the rows of the target that the command line names."""
    target = get(sys.argv[1] if len(sys.argv) > 1 else "native")
    gigahertz = clock(target)
    print(f"# {target.name} on {target.cpu}, {gigahertz:.2f} GHz")
    wanted = sys.argv[2:] or [
        op
        for op, forms in SIGNATURES.items()
        if forms[0][1] == "f" and op not in ("const", "load", "where")
    ]
    for op in wanted:
        cells: list[float] = []
        for dtype in ("f64", "f32"):
            cells += measure(target, op, dtype, gigahertz)
        print(f'    "{op}": ({", ".join(f"{cell:.1f}" for cell in cells)}),', flush=True)


if __name__ == "__main__":
    main()
