"""Reductions of a program's results in the launch that computes them: sum, product, max, min.

Values never reach memory: each thread folds those that it computes, a block folds its threads'
in shared memory, and the last block that is done folds the blocks'. The order depends on the number
of elements alone, not on the device or on which block comes first, so the bits are always the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from codegen.cuda.source import Body, Form, entry, indices
from codegen.cuda.words import Words
from codegen.program import Program

__all__ = ["IDENTITY", "Fold", "begin", "combine", "fold_source", "tree"]

type Op = Literal["sum", "prod", "max", "min"]

IDENTITY: Final = {"sum": "F(0.0)", "prod": "F(1.0)", "max": "F(-INF)", "min": "F(INF)"}
"""What nothing is folded to."""


@dataclass(frozen=True, slots=True)
class Fold:
    """What is folded into one number: everything, each row, or what lies between bounds."""

    op: Op
    over: Literal["all", "rows", "bounds"]
    threads: int
    """Threads of a block: a power of two."""
    lanes: int = 0
    """Threads that fold one row: a power of two. All of a grid where everything is folded."""


def fold_source(program: Program, form: Form, fold: Fold) -> str:
    """Write `def kernel(n, d1, ..., a0, ..., r0, ..., [done, p0, ... | m, width | m, bounds])`.

    `p0` and on hold a number for each block, `done` counts blocks and is zero before and after.
    """
    sizes = [f"d{axis}" for axis in range(1, form.rank)]
    outputs = range(len(program.outputs))
    extra = {
        "all": ["done", *[f"p{k}" for k in outputs]], "rows": ["m", "width"],
        "bounds": ["m", "bounds"],
    }[fold.over]  # fmt: skip
    lines = [f"def kernel({', '.join(['n', *sizes, *entry(program), *extra])}):"]
    words = Words(form.dtype, lines, indent="    ")
    for number in outputs:
        words.line(f"s{number} = cuda.shared.array({fold.threads}, F)")
    words.line("t = cuda.threadIdx.x")
    if fold.over == "all":
        _everything(program, form, fold, words, sizes)
    else:
        _rows(program, form, fold, words, sizes)
    return "\n".join([*lines, ""])


def _everything(
    program: Program, form: Form, fold: Fold, words: Words, sizes: Sequence[str]
) -> None:
    outputs = range(len(program.outputs))
    words.line("last = cuda.shared.array(1, int32)")
    begin(words, fold, outputs)
    words.line("count = N(n)")
    words.line("i = N(cuda.grid(1))")
    words.line("stride = N(cuda.gridsize(1))")
    with words.inside("while i < count:"):
        _accumulate(program, form, fold, words, sizes)
        words.line("i = N(i + stride)")
    tree(words, fold, outputs, fold.threads, "t")
    with words.inside("if t == 0:"):
        for number in outputs:
            words.line(f"p{number}[cuda.blockIdx.x] = s{number}[0]")
        words.line("cuda.threadfence()")
        words.line("last[0] = int32(cuda.atomic.add(done, 0, int32(1)) == cuda.gridDim.x - 1)")
    words.line("cuda.syncthreads()")
    with words.inside("if last[0]:"):
        words.line("cuda.threadfence()")
        begin(words, fold, outputs)
        words.line("j = t")
        with words.inside("while j < cuda.gridDim.x:"):
            for number in outputs:
                combine(words, fold.op, f"x{number}", f"p{number}[j]")
            words.line(f"j += {fold.threads}")
        tree(words, fold, outputs, fold.threads, "t")
        with words.inside("if t == 0:"):
            words.line("done[0] = int32(0)")
            for number in outputs:
                words.line(f"r{number}[0] = s{number}[0]")


def _rows(program: Program, form: Form, fold: Fold, words: Words, sizes: Sequence[str]) -> None:
    """Write groups of threads that take row after row, each block in step."""
    outputs = range(len(program.outputs))
    groups = fold.threads // fold.lanes
    words.line(f"lane = t % {fold.lanes}")
    words.line(f"first = cuda.blockIdx.x * {groups}")
    with words.inside("while first < m:"):
        words.line(f"row = first + t // {fold.lanes}")
        begin(words, fold, outputs)
        with words.inside("if row < m:"):
            if fold.over == "rows":
                words.line("i = N(row * width + lane)")
                words.line("end = N((row + 1) * width)")
            else:
                words.line("i = N(bounds[row] + lane)")
                words.line("end = N(bounds[row + 1])")
            with words.inside("while i < end:"):
                _accumulate(program, form, fold, words, sizes)
                words.line(f"i = N(i + N({fold.lanes}))")
        tree(words, fold, outputs, fold.lanes, "lane")
        with words.inside("if row < m and lane == 0:"):
            for number in outputs:
                words.line(f"r{number}[row] = s{number}[t]")
        words.line("cuda.syncthreads()")
        words.line(f"first += cuda.gridDim.x * {groups}")


def begin(words: Words, fold: Fold, outputs: Sequence[int]) -> None:
    """Write what totals x0, x1, ... begin with."""
    for number in outputs:
        words.line(f"x{number} = {IDENTITY[fold.op]}")


def _accumulate(
    program: Program, form: Form, fold: Fold, words: Words, sizes: Sequence[str]
) -> None:
    body = Body(program, words, form, indices(words, form, sizes))
    body.compute()
    for number, output in enumerate(program.outputs):
        combine(words, fold.op, f"x{number}", body.values[output.values[0]])


def combine(words: Words, op: str, total: str, value: str) -> None:
    """Write total = op(total, value); a NaN stays."""
    if op == "sum":
        words.line(f"{total} = {total} + {value}")
    elif op == "prod":
        words.line(f"{total} = mul({total}, {value})")
    else:
        sign = ">" if op == "max" else "<"
        other: Any = words.write(value)
        taken = words.write(f"either({other} {sign} {total}, {other} != {other})")
        kept = words.write(f"both({total} == {total}, {taken})")
        words.line(f"{total} = select({kept}, {other}, {total})")


def tree(words: Words, fold: Fold, outputs: Sequence[int], size: int, place: str) -> None:
    """Write the fold of `size` neighbouring threads into the first of them."""
    for number in outputs:
        words.line(f"s{number}[t] = x{number}")
    words.line("cuda.syncthreads()")
    words.line(f"half = {size // 2}")
    with words.inside("while half > 0:"):
        with words.inside(f"if {place} < half:"):
            for number in outputs:
                combine(words, fold.op, f"x{number}", f"s{number}[t + half]")
                words.line(f"s{number}[t] = x{number}")
        words.line("cuda.syncthreads()")
        words.line("half //= 2")
