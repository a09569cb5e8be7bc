"""The vector loop of a `Program`: `void body(ptr streams, i64 count)`.

`streams` holds one pointer for each component of each argument, then of each output; every
stream is contiguous, and `count` is a positive multiple of the lanes of a pass (`interleaved`).
Strides, broadcasting and remainders are the driver's: so each element passes the same instructions
wherever it stands. Rare arguments may be left to a second loop: see `codegen.llvm.leave`.
"""

import re
from dataclasses import dataclass

from llvmlite import ir

from codegen.cost import slower
from codegen.llvm.choices import called_functions, in_stages, interleaved
from codegen.llvm.leave import BODY, LEAVING, emit_entry, leaves_rare
from codegen.llvm.ops import Emitter
from codegen.llvm.passed import passed
from codegen.llvm.scribe import align_stack
from codegen.llvm.shared import define_shared, state_target
from codegen.llvm.staged import Staged
from codegen.llvm.writer import Writer
from codegen.program import Program
from codegen.target import ITEMSIZE, Float, Target
from codegen.vecmath.vector import Rare

__all__ = [
    "Stream",
    "emit_module",
    "loop_symbol",
    "rare_place",
    "streams",
    "symbol",
]


@dataclass(frozen=True, slots=True)
class Stream:
    """One component of an operand: its number, the index along its axes, bytes per element."""

    operand: int
    index: tuple[int, ...]
    itemsize: int


def streams(program: Program, dtype: Float) -> tuple[Stream, ...]:
    """List the components of all arguments and outputs in the order of the pointer table."""
    sizes = {"f": ITEMSIZE[dtype], "b": 1}
    return tuple(
        Stream(number, index, size)
        for number, operand in enumerate(program.operands)
        for size in [sizes[program.type_of(operand)]]
        for index in _indices(operand.shape)
    )


def symbol(program: Program, dtype: Float, *, behind: bool = False, guarded: bool = False) -> str:
    """Return the name of the function that is called."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", program.name)
    return f"{name}_{dtype}{'_behind' if behind else ''}{'_guarded' if guarded else ''}"


def loop_symbol(program: Program, dtype: Float, target: Target) -> str:
    """Return the name of the function that has the loop."""
    return f"{symbol(program, dtype)}{'_loop' if leaves_rare(program, target) else ''}"


def rare_place(program: Program, dtype: Float) -> str:
    """Return the name of the variable that holds the address of the guarded loop."""
    return f"{symbol(program, dtype)}_rare"


def emit_module(
    program: Program, dtype: Float, target: Target, *, behind: bool = False,
    part: str | None = None, single: bool = False, guarded: bool = False,
) -> str:  # fmt: skip
    """Return the text of an LLVM module that holds the loop of a verified program.

    Results that are arguments are left to the driver, unless the loop is `single`.
    With `behind`, outputs are aligned to whole vectors and stored past the caches. As a `part`,
    which is then the loop's name, it can be linked with modules of other targets: it has all that
    it calls, and its functions say which machine they are for. With `single`, a pass is of one
    vector, and is called without the driver. These two and the `guarded` loop leave nothing to it.
    """
    module = ir.Module(name=part or symbol(program, dtype, behind=behind, guarded=guarded))
    module.triple = target.triple
    entry = function = ir.Function(module, BODY, module.name)
    leaving = not (part or single or guarded) and leaves_rare(program, target)
    if leaving:
        function = ir.Function(module, LEAVING, f"{module.name}_loop")
        function.linkage = "internal"
    align_stack(function, target.vector_bits // 8)
    table, count, *first = function.args
    table.name, count.name = "streams", "count"
    table.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    staged = in_stages(program) and not single
    lanes = target.lanes(dtype) * (1 if single else interleaved(program))
    lookups = target.vector_bits == 512
    called = called_functions(program)
    emitter = Emitter(builder, module, dtype, lanes, lookups, called, slower(target, dtype))
    loop = (Staged if staged else Writer)(program, emitter, table, count)
    if leaving:
        loop.first, emitter.rare = first[0], Rare()
    if not single:
        loop.passed = passed(program)
    if behind:
        loop.behind = module.add_metadata([ir.IntType(32)(1)])
        loop.store_align = target.vector_bits // 8
    loop.emit()
    if leaving:
        sizes = [stream.itemsize for stream in streams(program, dtype)]
        emit_entry(entry, function, rare_place(program, dtype), sizes, lanes)
    if part:
        define_shared(module, target)
        state_target(module, target)
    return str(module)


def _indices(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for size in shape:
        found = [(*index, k) for index in found for k in range(size)]
    return found
