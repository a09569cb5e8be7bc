"""Rare arguments are left to a second loop, so that the first one calls nothing.

What elementary functions find rare goes through slow code, mostly calls of the C library. Vectors
would be spilled around each of these and constants read anew, also where nothing is rare. So the
loop ends before a pass that has any, nothing of which is stored; the guarded loop, which branches
in each function, computes this pass and some more, and the first one goes on behind them. Lanes
that are not rare have the same bits in both. The guarded loop is compiled when it is needed.
"""

from llvmlite import ir

from codegen.branches import Branch, branches, weight
from codegen.llvm import parts
from codegen.llvm.choices import called_functions
from codegen.llvm.scribe import I64, POINTER, VOID, Scribe
from codegen.program import Program
from codegen.target import Target
from codegen.vecmath import supported

__all__ = ["BODY", "LEAVING", "emit_entry", "leaves_rare"]

BODY = ir.FunctionType(VOID, [POINTER, I64])
"""A loop over so many elements."""
LEAVING = ir.FunctionType(I64, [POINTER, I64, I64])
"""A loop from one position to another that returns how far it came."""
_PASSES = 8
"""That the guarded loop takes: what is rare has neighbours that are rare, and where all are, an
eighth of the passes is computed in vain at most."""


def leaves_rare(program: Program, target: Target) -> bool:
    """Tell whether a program's loop leaves rare arguments to another.

    Straight-line code does, of elements and in one function, where it has two elementary functions:
    beside a single one there is little to spill.
    Between branches fewer values are there at a time, so that it takes 32 registers to pay.
    Measured on Zen 4: 3 to 7 % of the time in float32, a quarter where two calls were in the way.
    """
    if target.vector_bits < 512:
        return False
    called = called_functions(program)
    ops = [this.op for this in program.instructions]
    inlined = sum(op not in called and supported(op, "f64") for op in ops)
    if inlined < 2 or not program.is_elementwise or program.steps:
        return False
    straight = not any(isinstance(item, Branch) for item in branches(program))
    return straight and weight(program, called) <= parts.LARGE


def emit_entry(function: ir.Function, loop: ir.Function, variable: str, sizes: list[int],
               lanes: int) -> None:  # fmt: skip
    """Write the function that runs a loop and, where it ends early, the guarded one.

    The address of that one is in a variable; `sizes` are the bytes of an element of each stream.
    """
    streams, count = function.args
    code = Scribe(function.append_basic_block("entry"))
    table = code.alloca(ir.ArrayType(POINTER, len(sizes)))
    table.type = POINTER
    entry = code.block
    head, rare, done = (code.append_basic_block(name) for name in ("usual", "rare", "done"))
    code.branch(head)
    code.position_at_end(head)
    first = code.phi(I64)
    first.add_incoming(I64(0), entry)
    reached = code.call(loop, [streams, count, first])
    code.cbranch(code.less(reached, count), rare, done)
    code.position_at_end(done)
    code.ret_void()
    code.position_at_end(rare)
    for stream, size in enumerate(sizes):
        base = code.read(streams, I64(stream), POINTER)
        place = code.at(base, code.mul(reached, I64(size)))
        code.store(place, code.slot(table, I64(stream)))
    some = code.smaller(code.sub(count, reached), I64(_PASSES * lanes))
    cell = ir.GlobalVariable(function.module, POINTER, variable)
    cell.type = POINTER
    code.call(code.load(cell, typ=BODY.as_pointer()), [table, some])
    following = code.add(reached, some)
    first.add_incoming(following, code.block)
    code.cbranch(code.less(following, count), head, done)
