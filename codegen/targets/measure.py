"""Measure the rows of a cost table on this machine, through our own code generator.

`python -m codegen.targets.measure avx2` prints the rows of code for that target, which may be
narrower than what the machine has, and beside each what the CPU's table says where that is off;
with names of ops after the target those alone. What is compared runs in turns, and the least time
of each counts; a row is the median of some rounds, each of them over all rows. The clock is found
from a chain of dependent fma, whose latency is 4 cycles on every x86 core since 2015. Throughput is
what an op adds to the time of a loop body in which `WIDE` of them work on different sums, and those
sums are added up; latency is that of a chain. Operations that fill gaps beside the additions come
out cheaper than by themselves, as they do in programs.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Final

import numpy as np

from codegen.cost import table_for
from codegen.instruction import SIGNATURES
from codegen.instructions import INLINED
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, Target, get, host
from codegen.targets.table import Row
from codegen.timing import paged

__all__ = ["clock", "prepared", "rows", "seconds", "wide"]

FLOATS: Final[tuple[Float, ...]] = ("f64", "f32")

POINTS: Final = 1024
CALLS: Final = 20
"""So many calls between two looks at the time."""
SECONDS: Final = 0.3
"""For all that is compared."""
TICKS: Final = 200
CHAINS: Final = (20, 220)
WIDE: Final = 4
"""So many ops work side by side; of those that are one instruction twelve times as many."""
NEAR: Final = 0.05
"""Rows that are nearer than this to those of the table agree with it."""
_NO_CHAIN: Final = frozenset(
    "acosh log log2 log10 acos asin atanh pow sinh cosh exp exp2 expm1 tan".split()
)
"""What leaves its domain, or the usual way, when it is applied to its own result."""
_INPUT: Final = {"acosh": (1.0, 5.0), "log": (0.1, 9.0), "pow": (0.1, 5.0)}


def _operand_types(op: str) -> str:
    return SIGNATURES[op][0][0]


def _chain(op: str | None, count: int) -> Program:
    """Apply an op again and again; what leaves its domain so is multiplied by 0 and added.

    The result is an array of one number, for which no two vectors are computed in turns.
    """
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
    builder.output("out", value, shape=(1,))
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
    out = paged(np.empty((points, *program.outputs[0].shape), kind))
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


def prepared(target: Target, op: str, dtype: Float) -> Callable[[], tuple[float, float]]:
    """Compile what shows an op; the call returns (latency, reciprocal throughput) in cycles.

    They are those of one vector.
    """
    low, high = _INPUT.get(op.removeprefix("fast_"), (0.1, 0.9))
    lanes = target.lanes(dtype)
    count = WIDE if op in INLINED or op.startswith("fast_") else 12 * WIDE
    calls = [_call(wide(o, count), target, dtype, POINTS, low, high) for o in (None, op)]
    chained = (op, None) if op.removeprefix("fast_") in _NO_CHAIN else (op,)
    chains = [_call(_chain(o, n), target, dtype, lanes, low, high) for o in chained for n in CHAINS]
    return partial(_timed, [*calls, *chains, *_ticks(target)], POINTS // lanes * count)


def _timed(calls: Sequence[Callable[[], object]], vectors: int) -> tuple[float, float]:
    bare, full, *times, short, long = seconds(calls)
    rate = 1e9 * _gigahertz(short, long)
    times = [late - early for early, late in zip(times[::2], times[1::2], strict=True)]
    latency = (times[0] - sum(times[1:])) * rate / (CHAINS[1] - CHAINS[0])
    return latency, (full - bare) * rate / vectors


def rows(target: Target, ops: Sequence[str], rounds: int) -> dict[str, list[float]]:
    """Return the row of each op: latency and throughput in float64, and in float32."""
    made = {op: [prepared(target, op, dtype) for dtype in FLOATS] for op in ops}
    found = [
        {op: [cell for call in calls for cell in call()] for op, calls in made.items()}
        for _ in range(rounds)
    ]
    return {
        op: [statistics.median(cells) for cells in zip(*(one[op] for one in found), strict=True)]
        for op in ops
    }


def known(target: Target) -> Mapping[tuple[str, str], Row]:
    """Return what the table of this machine's CPU says of a target's vectors."""
    cpu = host().cpu if target.same_architecture(host()) else target.cpu
    return table_for(replace(target, cpu=cpu)).index()


def written(op: str, cells: Sequence[float], table: Mapping[tuple[str, str], Row]) -> str:
    """Write a row as it stands in a table, with the cells of that table if any is off."""
    text = f'    "{op}": ("{table[op, "f64"].port}", {_cells(cells)}),'
    old = [
        cell for dtype in FLOATS for cell in (table[op, dtype].latency, table[op, dtype].throughput)
    ]
    off = any(abs(new - cell) > NEAR * cell for new, cell in zip(cells, old, strict=True))
    return f"{text}  # not {_cells(old)}" if off else text


def _cells(cells: Sequence[float]) -> str:
    return ", ".join(f"{round(cell, 1):g}" for cell in cells)


def main() -> None:
    """Print the rows of the target that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", nargs="?", default="native")
    parser.add_argument("ops", nargs="*", help="all that take and make numbers, unless given")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    target = get(options.target)
    target.require_host()
    wanted = options.ops or [
        op
        for op, forms in SIGNATURES.items()
        if forms[0][1] == "f" and forms[0][0] in ("f", "ff", "fff")
    ]
    table = known(target)
    print(f"# {target.name} on {host().cpu}, {clock(target):.2f} GHz")
    for op, cells in rows(target, wanted, options.rounds).items():
        print(written(op, cells, table))


if __name__ == "__main__":
    main()
