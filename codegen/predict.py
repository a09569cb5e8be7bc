"""`predict`: the cycles of a compiled loop, from its machine code and a description of the core.

The largest of three: what the units and the front end need, what chains need that the core does not
look across, and what memory moves; and the call of the kernel, by its elements. The first two come
from the loop as it was emitted, with its loads, constants and spilled values; `Prediction` tells
them apart. `CycleCost`, which extraction minimises, adds ops up before there is any code.
"""

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from codegen.cost import table_for
from codegen.engine import assembly
from codegen.llvm.body import emit_module, loop_symbol, streams
from codegen.llvm.choices import in_stages, interleaved
from codegen.llvm.shared import emit_shared, needed
from codegen.llvm.staged import block_of
from codegen.machine import arm, x86
from codegen.machine.code import Decoder, Loop, loop
from codegen.machine.core import Core
from codegen.machine.cores import CORES, core_of
from codegen.machine.schedule import pressure, scheduled
from codegen.program import Program
from codegen.target import Float, Target, get, host
from rewrite.errors import TargetError

__all__ = [
    "SHARE", "Prediction", "called", "core_for", "decoder", "described", "loop_of", "predict",
    "predict_text",
]  # fmt: skip


SHARE: Final = 0.9
"""Of a cache that operands can have: constants and the stack frame are there too."""

_BLOCK: Final = re.compile(r"(\bL?BB)(\d+_\d+)")


@dataclass(frozen=True, slots=True)
class Prediction:
    """Cycles an element of a loop, by what bounds it."""

    units: float
    """What the busiest units, or the front end, need."""
    overlap: float
    """With chains of operations as far as they do not overlap: never less."""
    memory: float
    """What moving the operands between memory and the first-level cache takes."""
    calls: float
    """What the C library takes, one lane after the other."""
    core: str
    entry: float = 0.0
    """What the call of the kernel takes beside its loop."""

    @property
    def cycles(self) -> float:
        """The prediction: the largest of the bounds, and the calls."""
        return max(self.units, self.overlap, self.memory) + self.calls + self.entry

    def __repr__(self) -> str:
        """Show the sum and its bounds."""
        calls = f" + calls {self.calls:.4g}" if self.calls else ""
        entry = f" + entry {self.entry:.4g}" if self.entry else ""
        return (
            f"{self.cycles:.4g} cycles an element on {self.core}: units {self.units:.4g}, overlap "
            f"{self.overlap:.4g}, memory {self.memory:.4g}{calls}{entry}"
        )


def core_for(target: Target) -> Core | None:
    """Return the core that runs a target's code: its CPU's, or the host's where it names no CPU."""
    return core_of(target.cpu) or (None if target.missing() else core_of(host().cpu))


def predict(
    program: Program, target: Target, *, dtype: Float = "f64", n: int = 4096,
    core: Core | None = None,
) -> Prediction:  # fmt: skip
    """Predict a program's loop over n elements, on the core of the target's CPU or another one.

    Raise `TargetError` for a CPU whose core is not described.
    """
    text = assembly(emit_module(program, dtype, target), target)
    return predict_text(text, program, target, dtype=dtype, n=n, core=core)


def predict_text(
    text: str, program: Program, target: Target, *, dtype: Float, n: int, core: Core | None = None
) -> Prediction:
    """Predict a loop whose assembly is at hand; see `predict`."""
    if program.steps:
        raise TargetError(
            f"the loops of {program.name!r} run as often as the arguments say: measure() times it"
        )
    machine = core or described(target)
    block = block_of(program, target) if in_stages(program) else 0
    found = loop_of(text, loop_symbol(program, dtype, target), target, dtype, block)
    elements = target.lanes(dtype) * (block or interleaved(program))
    units = pressure(found.body, machine)
    overlap = max(units, scheduled(found.body, machine))
    calls = called(found, target, machine)
    return Prediction(
        units / elements, overlap / elements, _memory(program, dtype, n, machine),
        calls / elements, machine.name, machine.entry / n,
    )  # fmt: skip


def described(target: Target) -> Core:
    """Return the core that runs a target's code, or raise `TargetError`."""
    found = core_for(target)
    if found is None:
        known = ", ".join(sorted(cpu for core in CORES for cpu in core.cpus))
        raise TargetError(f"the core of {target.cpu!r} is not described; those of: {known}")
    return found


def decoder(target: Target) -> Decoder:
    """Return what reads an instruction of a target's assembly."""
    return arm.decode if target.triple.startswith("aarch64") else x86.decode


def loop_of(text: str, name: str, target: Target, dtype: Float, block: int = 0) -> Loop:
    """Return the loop of a function in an assembly text, with the code of what it calls.

    What is written in stages has loops inside, over the vectors of a block.
    """
    shared = [name for name in needed(text.encode()) if ".libm." not in name]  # those are rare
    texts = [assembly(emit_shared(name, target), target) for name in shared]
    # each has its own labels of the same names
    own = (_BLOCK.sub(rf"\g<1>{number}_\g<2>", more) for number, more in enumerate(texts))
    text = "\n".join((text, *own))
    return loop(text, name, decoder(target), block or target.lanes(dtype))


def called(found: Loop, target: Target, core: Core) -> float:
    """Return the cycles of the calls of the C library in a loop."""
    return sum(_call(name, target, core) for name in found.calls)


def _call(name: str, target: Target, core: Core) -> float:
    """Return the cycles of one call of the C library, from the core's table of 128-bit code.

    A row of it has what is around the calls too, which here is part of the loop that calls.
    """
    narrow = get("neon" if target.triple.startswith("aarch64") else "sse2")
    table = table_for(replace(narrow, cpu=core.cpus[0]))
    known = table.index()
    row = known.get((name, "f64")) or known.get((name.removesuffix("f"), "f32"))
    if row is None:
        return 0.0
    kind: Float = "f64" if row.dtype == "f64" else "f32"
    around = _around(row.op, kind, core.cpus[0]) if narrow.name == "sse2" else 0.0
    return max(0.0, row.throughput - around) / table.lanes(row.dtype)


@cache
def _around(op: str, dtype: Float, cpu: str) -> float:
    """Return the cycles of what is around the calls that make a vector of an op."""
    from codegen.targets.derive import added

    core = core_of(cpu)
    return 0.0 if core is None else added(op, get("sse2"), dtype, core)


def _memory(program: Program, dtype: Float, n: int, core: Core) -> float:
    """Return the cycles an element that cache lines take from and to where n elements are."""
    loads = [this.payload for this in program.instructions if this.op == "load"]
    read = {payload[0] for payload in loads if isinstance(payload, tuple)}
    inputs = len(program.arguments)
    parts = [s for s in streams(program, dtype) if s.operand >= inputs or s.operand in read]
    size = n * sum(part.itemsize for part in parts)
    level = next(level for level in core.levels if size <= SHARE * level.size)
    moved = sum(
        part.itemsize * (level.read if part.operand < inputs else level.write) for part in parts
    )
    return moved / 64
