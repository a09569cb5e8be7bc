"""Reciprocal roots or quotients by roots, whichever the units of a machine have time for.

The search adds up what operations take, each by itself. A divider works beside other units, so
where those have more to do than it has, a root and a quotient take no time, and products do.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from codegen.cost import port_cycles
from codegen.instruction import Instruction, Output
from codegen.lower import pruned
from codegen.program import Program
from codegen.target import Float
from codegen.targets.table import CostTable

__all__ = ["balanced"]

_ROOTS: Final = frozenset(("rsqrt", "fast_rsqrt"))


def balanced(program: Program, table: CostTable, dtype: Float = "f64") -> Program:
    """Return the program, or the one with quotients by roots if its busiest unit has less to do.

    A product with a reciprocal root becomes the quotient, which is no less accurate. What is no
    factor of a product alone stays, as its quotient would be half an ulp worse.
    """
    if _ROOTS.isdisjoint(program.ops):
        return program
    other = _divided(program)
    return min(program, other, key=lambda made: port_cycles(made, table, dtype))


def _divided(program: Program) -> Program:
    """Write products with reciprocal roots as quotients by roots."""
    code = program.instructions
    chosen = _factors(program)
    made: list[Instruction] = []
    place = list(range(len(code)))  # of values, in the new code

    for at, this in enumerate(code):
        args = tuple(place[a] for a in this.args)
        if at in chosen:
            this = replace(this, op="sqrt", args=args)
        elif this.op == "mul" and (root := next((a for a in this.args if a in chosen), -1)) >= 0:
            other = this.args[0] if this.args[1] == root else this.args[1]
            below, inner = code[root].args[0], code[other]
            if other == below:
                place[at] = place[root]
            elif inner.op == "mul" and below in inner.args:
                left = inner.args[0] if inner.args[1] == below else inner.args[1]
                args = (place[left], place[root])
            else:
                this, args = replace(this, op="div"), (place[other], place[root])
            this = replace(this, args=args)
        else:
            this = replace(this, args=args)
        made.append(this)
    outputs = tuple(
        Output(o.name, tuple(place[v] for v in o.values), o.shape) for o in program.outputs
    )
    return pruned(Program(program.arguments, tuple(made), outputs, program.name))


def _factors(program: Program) -> set[int]:
    """Find the reciprocal roots that are factors of products with other values, and no more."""
    code: Sequence[Instruction] = program.instructions
    found = {at for at, this in enumerate(code) if this.op in _ROOTS}
    found -= {value for output in program.outputs for value in output.values}
    for this in code:
        used = [a for a in this.args if a in found]
        if this.op != "mul" or len(used) > 1:
            found.difference_update(used)
    return found
