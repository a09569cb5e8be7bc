"""Derive the rows of a cost table for a machine that is not at hand, from what its core is.

`python -m codegen.targets.derive skylake-avx512 avx512` prints them. Each op is emitted for the
CPU, and its instructions run through the core's description (`codegen.machine.cores`, from
published tables) as `codegen.targets.measure` runs them on a machine: throughput is what copies
side by side add to a loop of additions, latency the longest chain of operands. Of what such a loop
hides, and of single instructions, throughput is the work over the number of units.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from codegen.engine import assembly
from codegen.instruction import SIGNATURES
from codegen.instructions import INLINED
from codegen.llvm.body import emit_module, loop_symbol
from codegen.llvm.choices import interleaved
from codegen.machine.code import Instruction, Loop
from codegen.machine.core import Core
from codegen.machine.cores import core_of
from codegen.machine.schedule import path, scheduled, share
from codegen.predict import loop_of
from codegen.program import Program, ProgramBuilder
from codegen.target import Float, Target, get
from codegen.targets.measure import WIDE, wide
from rewrite.errors import TargetError

__all__ = ["added", "derive", "target_of"]

FEW: Final = 20
"""Of no more instructions the work is added up; longer code is scheduled."""
_GENERAL: Final = frozenset(
    "alu compare branch load store broadcast immediate move transfer".split()
)


def target_of(cpu: str, isa: str) -> Target:
    """Return the target of a CPU by LLVM's name, with vectors as wide as the instruction set's."""
    target = get(isa)
    # else LLVM splits vectors where the CPU's tuning says so, or joins those of two turns
    width = {"avx512": ",-prefer-256-bit", "avx2": ",-avx512f"}.get(isa, "")
    return replace(target, cpu=cpu, features=target.features + width)


def derive(op: str, target: Target, dtype: Float) -> tuple[float, float]:
    """Return (latency, reciprocal throughput) of one vector of an op on a target's core."""
    core = core_of(target.cpu)
    if core is None:
        raise TargetError(f"the core of {target.cpu!r} is not described")
    if "b" in "".join(SIGNATURES[op][0]):
        return _of_booleans(op, target, core)
    one = _loop(_single(op), target, dtype)
    body = [this for this in one.body if this.kind not in _GENERAL]
    latency = path(one.body, core) - path(_loop(_bare(op), target, dtype).body, core)
    if INLINED.get(op, 0) > FEW:
        return latency, added(op, target, dtype, core)
    return max(latency, 1.0), share(body or one.body, core)


def added(op: str, target: Target, dtype: Float, core: Core) -> float:
    """Return what an op adds to a loop of additions, a vector."""
    times = []
    for program in (wide(None, WIDE), wide(op, WIDE)):
        body: Sequence[Instruction] = _loop(program, target, dtype).body
        times.append(scheduled(body, core) / interleaved(program))
    return (times[1] - times[0]) / WIDE


def _loop(program: Program, target: Target, dtype: Float) -> Loop:
    text = assembly(emit_module(program, dtype, target), target)
    return loop_of(text, loop_symbol(program, dtype, target), target, dtype)


def _bare(op: str) -> Program:
    """Load and store."""
    return _single(op, apply=False)


def _single(op: str, *, apply: bool = True) -> Program:
    """Apply an op of numbers once."""
    builder = ProgramBuilder("derived")
    numbers = [builder.load(builder.argument(f"x{k}")) for k in range(3)]
    operands = numbers[: len(SIGNATURES[op][0][0])]
    builder.output("out", builder.emit(op, *operands) if apply else operands[0])
    return builder.finish()


def _of_booleans(op: str, target: Target, core: Core) -> tuple[float, float]:
    """Return the row of an op that makes, combines or takes booleans: one instruction."""
    masks = target.vector_bits == 512
    kinds = ("fcmpmask", "maskop", "blend") if masks else ("fcmp", "logic", "blendv")
    if target.triple.startswith("aarch64"):
        kinds = ("fcmp", "logic", "logic")
    operands, result = SIGNATURES[op][0]
    kind = kinds[2] if result == "f" else kinds[0] if operands == "ff" else kinds[1]
    effect = core.effect(kind, target.vector_bits)
    return effect.latency, effect.cycles * effect.parts / len(effect.ports)


def main() -> None:
    """Print the rows of the CPU and instruction set that the command line names."""
    target = target_of(*sys.argv[1:3])
    for op in SIGNATURES:
        if op in ("const", "load"):
            continue
        cells: list[float] = []
        for dtype in ("f64", "f32"):
            cells += derive(op, target, dtype)
        print(f'    "{op}": ({", ".join(f"{round(cell, 2):g}" for cell in cells)}),', flush=True)


if __name__ == "__main__":
    main()
