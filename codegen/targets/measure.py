"""Measure the rows of a cost table on this machine, through our own code generator.

`python -m codegen.targets.measure avx512` prints the rows. The clock is found from a chain of
dependent fma, whose latency is 4 cycles on every x86 core since 2015. Throughput is what an op adds
to the time of a loop body in which `WIDE` of them work on different sums, and those sums are added
up; latency is that of a chain. Operations that fill gaps beside the additions come out cheaper than
by themselves, as they do in programs.
"""

import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np

from codegen.instruction import SIGNATURES
from codegen.instructions import INLINED
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, Target, get, host

__all__ = ["clock", "measure"]

POINTS: Final = 1024
REPEATS: Final = 60
WIDE: Final = 4
"""So many ops work side by side; of those that are one instruction twelve times as many."""
_NO_CHAIN: Final = frozenset("acosh log log2 log10 acos asin atanh pow fast_sinh fast_cosh".split())
"""What leaves its domain, or the usual way, when it is applied to its own result."""
_INPUT: Final = {"acosh": (1.0, 5.0), "log": (0.1, 9.0), "pow": (0.1, 5.0)}


def _operand_types(op: str) -> str:
    return SIGNATURES[op][0][0]


def _chain(op: str, count: int) -> Program:
    """Apply an op again and again."""
    builder = ProgramBuilder("measured")
    types = _operand_types(op)
    loads = [builder.load(builder.argument(f"x{k}")) for k in range(max(1, len(types)))]
    value = loads[0]
    for _ in range(count):
        value = builder.emit(op, value, *loads[1 : len(types)])
    builder.output("out", value)
    return builder.finish()


def _wide(op: str | None, count: int) -> Program:
    """Apply an op to so many sums, each by itself, and add up what comes out."""
    builder = ProgramBuilder("measured")
    x, y = (builder.load(builder.argument(name)) for name in ("x", "y"))
    total = y
    for k in range(count):
        value = builder.emit("add", x, builder.const(k / 1024))
        if op is not None:
            others = [y, builder.const(0.75)][: len(_operand_types(op)) - 1]
            value = builder.emit(op, value, *others)
        total = builder.emit("add", total, value)
    builder.output("out", total)
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


@cache
def clock(target: Target) -> float:
    """Return the core clock in GHz under vector load; without fma, that of the widest target."""
    target = target if target.vector_bits > 128 else host()
    short, long = (
        _time(_chain("fma", n), target, "f64", target.lanes("f64"), 0.1, 0.2) for n in (200, 2200)
    )
    return 4 * 2000 / (long - short) / 1e9


def measure(target: Target, op: str, dtype: Float, gigahertz: float) -> tuple[float, float]:
    """Return (latency, reciprocal throughput) of one vector of an op in cycles."""
    low, high = _INPUT.get(op.removeprefix("fast_"), (0.1, 0.9))
    lanes = target.lanes(dtype)
    count = WIDE if op in INLINED or op.startswith("fast_") else 12 * WIDE
    bare, full = (_time(_wide(o, count), target, dtype, POINTS, low, high) for o in (None, op))
    throughput = (full - bare) * 1e9 * gigahertz * lanes / POINTS / count
    if _NO_CHAIN & {op, op.removeprefix("fast_")}:
        return 3 * throughput, throughput
    short, long = (_time(_chain(op, n), target, dtype, lanes, low, high) for n in (20, 220))
    return (long - short) / 200 * 1e9 * gigahertz, throughput


def main() -> None:
    """Print the rows of the target that the command line names."""
    target = get(sys.argv[1] if len(sys.argv) > 1 else "native")
    gigahertz = clock(target)
    print(f"# {target.name} on {target.cpu}, {gigahertz:.2f} GHz")
    wanted = sys.argv[2:] or [
        op
        for op, forms in SIGNATURES.items()
        if forms[0][1] == "f" and forms[0][0] in ("f", "ff", "fff")
    ]
    for op in wanted:
        cells: list[float] = []
        for dtype in ("f64", "f32"):
            cells += measure(target, op, dtype, gigahertz)
        print(f'    "{op}": ({", ".join(f"{cell:.1f}" for cell in cells)}),', flush=True)


if __name__ == "__main__":
    main()
