"""How a loop over elements is written: vectors in turns, what is called, how it stores."""

from collections import Counter

from codegen import vecmath
from codegen.branches import Branch, branches, weight
from codegen.instructions import INLINED
from codegen.llvm.ops import LIBM
from codegen.llvm.parts import LARGE
from codegen.program import Program

__all__ = ["called_functions", "in_stages", "interleaved", "waits_for_memory"]

_WINDOW = (80, LARGE)
"""Bodies of fewer instructions overlap by themselves: an out-of-order core looks at some 300 at a
time. Of more, compile time counts."""
_STEP = 150
"""Instructions of a loop's step: shorter ones wait for their own chain. Measured on Zen 4: four
vectors in turns make Newton's iteration and the Mandelbrot set twice as fast as one, two make them
1.7 times as fast."""
_SHORT = 60
"""Instructions of a body that may wait for memory."""
_CALLING = 400
"""Of more instructions between calls, compile time counts."""
_INLINED_AT_MOST = 500
"""Where elementary functions are more instructions than these, they are called: compile time grows
with each copy. Measured on Zen 4: 200 random operations, in stages, are compiled in a third of the
time, and take an eighth less in float64 and a third less in float32. Of less than these it is the
other way: Black-Scholes takes a tenth longer in stages."""


def interleaved(program: Program) -> int:
    """Return how many vectors a pass of the loop computes, op by op in turns.

    Where a body is longer than what the core sees of it at a time, its dependency chain is what it
    waits for; two independent ones fill the gaps. A called function has them to itself, and four
    share what a call costs. Measured on Zen 4: two make Black-Scholes 10 % faster in float64 and 20
    % in float32; the shortest bodies gain nothing, nor do functions called for blocks.
    """
    if not program.is_elementwise:
        return 1  # results of one point may be large: calls with few points are common
    if program.steps:
        return 4 if sum(map(weight, program.steps)) <= _STEP else 2
    if in_stages(program):
        return 1
    called = called_functions(program)
    count = weight(program, called)
    if count > LARGE:
        return 1
    if called and count <= _CALLING:
        return 4
    return 2 if _WINDOW[0] < count <= _WINDOW[1] or called else 1


def in_stages(program: Program) -> bool:
    """Tell whether a loop is written in stages, with functions that are called for many vectors.

    Straight-line code is, of elements and in one function: see `codegen.llvm.stages`.
    """
    if not program.is_elementwise or program.steps:
        return False
    called = called_functions(program)
    if not called or weight(program, called) > LARGE:
        return False
    return not any(isinstance(item, Branch) for item in branches(program))


def waits_for_memory(program: Program) -> bool:
    """Tell whether large arrays are what a program waits for, so that stores past caches pay.

    Measured on Zen 4 at 10^7 elements of float64: they make a polynomial of degree 10 a fifth
    faster and a rational function of two arguments a fifth; with an elementary function, nothing.
    """
    slow = LIBM | vecmath.FAST
    floats = all(program.type_of(output) == "f" for output in program.outputs)
    short = len(program.instructions) <= _SHORT
    return (
        program.is_elementwise
        and not program.steps
        and floats
        and short
        and not slow & {i.op for i in program.instructions}
    )


def called_functions(program: Program) -> frozenset[str]:
    """Return the functions that are called, not inlined: all of them or none."""
    uses = _uses(program)
    own = [op for op in uses if vecmath.supported(op, "f64")]
    sizes = {op: uses[op] * INLINED[op] for op in own}
    return frozenset(sizes) if sum(sizes.values()) > _INLINED_AT_MOST else frozenset()


def _uses(program: Program) -> Counter[str]:
    """Count the ops of a program and of the steps of its loops."""
    found = Counter(instruction.op for instruction in program.instructions)
    for step in program.steps:
        found += _uses(step)
    return found
