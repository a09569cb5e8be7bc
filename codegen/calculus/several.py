"""Several steps of a loop as one kernel: the program of one step, written out so often.

Between these steps there is no call, and no state in memory. Nothing is simplified across them, so
that the bits are those of single steps.
"""

from collections.abc import Mapping
from typing import Any, Final

from codegen.branches import weight
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder

__all__ = ["several"]

_TIMES: Final = 8
_MOST: Final = 400
"""Instructions of a written out program: of longer steps, what a call costs does not count."""


def several(kernel: Any, parts: int) -> tuple[Kernel, int] | None:
    """Return a kernel of several steps and their number, or None where single ones do as well.

    The first `parts` arguments of the kernel are a state, and its results are the next one.
    """
    if type(kernel) is not Kernel or not isinstance(kernel.program, Program):
        return None
    program = kernel.program
    times = min(_TIMES, _MOST // max(weight(program), 1))
    like = [(each.shape, program.type_of(each)) for each in program.operands]
    if times < 2 or program.steps or like[:parts] != like[len(program.arguments) :]:
        return None
    options = {name: getattr(kernel, name) for name in ("dtype", "results", "parallel", "math")}
    return Kernel(_written_out(program, parts, times), kernel.target, **options), times


def _written_out(program: Program, parts: int, times: int) -> Program:
    """Repeat a program, each time on the results of the time before."""
    builder = ProgramBuilder(program.name)
    for argument in program.arguments:
        builder.argument(argument.name, argument.shape, argument.type)
    state: dict[Any, int] = {}
    for _ in range(times):
        values = _once(program, builder, state)
        made = [[values[value] for value in output.values] for output in program.outputs]
        state = {(k, c): value for k, row in enumerate(made[:parts]) for c, value in enumerate(row)}
    for output, row in zip(program.outputs, made, strict=True):
        builder.output(output.name, *row, shape=output.shape)
    return builder.finish()


def _once(program: Program, builder: ProgramBuilder, state: Mapping[Any, int]) -> list[int]:
    """Write a program's instructions, with values in the place of what it reads of the state."""
    values: list[int] = []
    for this in program.instructions:
        payload: Any = this.payload
        if this.op == "load":
            known = state.get(payload)
            values.append(builder.load(*payload) if known is None else known)
        elif this.op == "const":
            values.append(builder.const(payload))
        else:
            values.append(builder.emit(this.op, *(values[arg] for arg in this.args)))
    return values
