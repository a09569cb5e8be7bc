"""Measure the rows of a cost table on this machine, through our own code generator.

`python -m codegen.targets.measure avx512` prints the rows, with names of ops after the target those
alone. What is compared runs in turns, and the least time of each counts. The clock is found from a
chain of dependent fma, whose latency is 4 cycles on every x86 core since 2015. Throughput is what
an op adds to the time of a loop body in which `WIDE` of them work on different sums, and those sums
are added up; latency is that of a chain. Operations that fill gaps beside the additions come out
cheaper than by themselves, as they do in programs.
"""

import sys
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import numpy as np

from codegen.instruction import SIGNATURES
from codegen.instructions import INLINED
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, Target, get, host
from codegen.timing import paged

__all__ = ["clock", "measure", "seconds", "wide"]

POINTS: Final = 1024
CALLS: Final = 20
"""So many calls between two looks at the time."""
SECONDS: Final = 0.3
"""For all that is compared."""
TICKS: Final = 200
CHAINS: Final = (20, 220)
WIDE: Final = 4
"""So many ops work side by side; of those that are one instruction twelve times as many."""
_NO_CHAIN: Final = frozenset("acosh log log2 log10 acos asin atanh pow sinh cosh".split())
"""What leaves its domain, or the usual way, when it is applied to its own result."""
_INPUT: Final = {"acosh": (1.0, 5.0), "log": (0.1, 9.0), "pow": (0.1, 5.0)}


def _operand_types(op: str) -> str:
    return SIGNATURES[op][0][0]


def _chain(op: str | None, count: int) -> Program:
    """Apply an op again and again; what leaves its domain so is multiplied by 0 and added."""
    builder = ProgramBuilder("measured")
    types = "f" if op is None else _operand_types(op)
    loads = [builder.load(builder.argument(f"x{k}")) for k in range(max(1, len(types)))]
    value = loads[0]
    for _ in range(count):
        found = value if op is None else builder.emit(op, value, *loads[1 : len(types)])
        if op is None or op.removeprefix("fast_") in _NO_CHAIN:
            nothing = builder.emit("mul", found, builder.const(0.0))
            found = builder.emit("add", nothing, value)
        value = found
    builder.output("out", value)
    return builder.finish()


def wide(op: str | None, count: int) -> Program:
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


def _call(
    program: Program, target: Target, dtype: Float, points: int, low: float, high: float
) -> Callable[[], object]:
    kernel = Kernel(program, target, dtype=dtype)
    kind = np.float64 if dtype == "f64" else np.float32
    rng = np.random.default_rng(0)
    data = [paged(rng.uniform(low, high, points).astype(kind)) for _ in program.arguments]
    out = paged(np.empty(points, kind))
    return lambda: kernel(*data, out=out)


def seconds(
    calls: Sequence[Callable[[], object]], spent: float = SECONDS, count: int = CALLS
) -> list[float]:
    """Return the least time of each call, all of them in turns.

    So a change of the clock, or another program on the core, meets all of them alike.
    """
    best = [1e9] * len(calls)
    end = time.perf_counter() + spent
    while time.perf_counter() < end:
        for k, call in enumerate(calls):
            begin = time.perf_counter()
            for _ in range(count):
                call()
            best[k] = min(best[k], (time.perf_counter() - begin) / count)
    return best


@cache
def _ticks(target: Target) -> tuple[Callable[[], object], Callable[[], object]]:
    """Return a short and a long chain of fma; without fma, those of the widest target."""
    target = target if target.vector_bits > 128 else host()
    short, long = (
        _call(_chain("fma", n), target, "f64", target.lanes("f64"), 0.1, 0.2)
        for n in (TICKS, 11 * TICKS)
    )
    return short, long


@cache
def clock(target: Target) -> float:
    """Return the core clock in GHz under vector load; without fma, that of the widest target."""
    return _gigahertz(*seconds(_ticks(target)))


def _gigahertz(short: float, long: float) -> float:
    return 4 * 10 * TICKS / (long - short) / 1e9


def measure(target: Target, op: str, dtype: Float) -> tuple[float, float]:
    """Return (latency, reciprocal throughput) of one vector of an op in cycles."""
    low, high = _INPUT.get(op.removeprefix("fast_"), (0.1, 0.9))
    lanes = target.lanes(dtype)
    count = WIDE if op in INLINED or op.startswith("fast_") else 12 * WIDE
    calls = [_call(wide(o, count), target, dtype, POINTS, low, high) for o in (None, op)]
    chains = [_call(_chain(op, n), target, dtype, lanes, low, high) for n in CHAINS]
    if op.removeprefix("fast_") in _NO_CHAIN:
        chains += [_call(_chain(None, n), target, dtype, lanes, low, high) for n in CHAINS]
    bare, full, *times, short, long = seconds((*calls, *chains, *_ticks(target)))
    rate = 1e9 * _gigahertz(short, long)
    throughput = (full - bare) * rate * lanes / POINTS / count
    times = [late - early for early, late in zip(times[::2], times[1::2], strict=True)]
    return (times[0] - sum(times[1:])) * rate / (CHAINS[1] - CHAINS[0]), throughput


def main() -> None:
    """Print the rows of the target that the command line names."""
    target = get(sys.argv[1] if len(sys.argv) > 1 else "native")
    print(f"# {target.name} on {target.cpu}, {clock(target):.2f} GHz")
    wanted = sys.argv[2:] or [
        op
        for op, forms in SIGNATURES.items()
        if forms[0][1] == "f" and forms[0][0] in ("f", "ff", "fff")
    ]
    for op in wanted:
        cells: list[float] = []
        for dtype in ("f64", "f32"):
            cells += measure(target, op, dtype)
        print(f'    "{op}": ({", ".join(f"{cell:.1f}" for cell in cells)}),', flush=True)


if __name__ == "__main__":
    main()
