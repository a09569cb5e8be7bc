"""Which values of a program depend on some arguments alone, and the program in two parts.

A scalar argument is one number for all elements, and so is what is computed from scalars: it is
computed by itself, once, and is an argument of what is left. No value changes, as the same
instructions compute it, but for the sign of a NaN: where two meet, either may be the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from codegen.branches import size
from codegen.instruction import Argument, Instruction, Output
from codegen.lower import pruned
from codegen.program import Program

__all__ = ["MOST_VALUES", "Split", "dependencies", "split", "worthwhile"]

WORTH: Final = 8
"""Instructions saved for each vector from which on it pays."""
MOST_VALUES: Final = 16
"""That are computed once."""
_SLOW: Final = {"div": 10, "sqrt": 12, "rsqrt": 14, "fast_rsqrt": 8}
"""Instructions that take as long as so many others."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is the same for all elements, and the rest of a program, which takes its results."""

    mask: int
    """A bit for each argument that has to be the same for all elements."""
    first: Program
    first_takes: tuple[int, ...]
    """Which arguments the first part has."""
    rest: Program
    rest_takes: tuple[int, ...]
    """And the rest: ~k is the k-th result of the first part."""


def dependencies(program: Program) -> list[int]:
    """Return for each value a bit for each argument that it depends on."""
    found: list[int] = []
    for this in program.instructions:
        if this.op == "load":
            assert isinstance(this.payload, tuple)
            found.append(1 << this.payload[0])
        else:
            bits = 0
            for arg in this.args:
                bits |= found[arg]
            found.append(bits)
    return found


def worthwhile(program: Program) -> bool:
    """Tell whether there is something that does not depend on all arguments and takes long."""
    if not program.is_elementwise or program.steps or len(program.arguments) < 2:
        return False
    if "copysign" in program.ops:  # which sees the sign of a NaN
        return False
    every = (1 << len(program.arguments)) - 1
    depends = dependencies(program)
    own: dict[int, int] = {}
    for this, bits in zip(program.instructions, depends, strict=True):
        if bits not in (0, every) and this.args:
            own[bits] = own.get(bits, 0) + _cost(this)
    return sum(own.values()) >= WORTH


def split(program: Program, scalars: int) -> Split | None:
    """Take apart what depends on the `scalars` alone (a bit for each argument), if it pays."""
    depends = dependencies(program)
    instructions = program.instructions
    alike = [
        bool(bits) and not bits & ~scalars and bool(this.args) and this.type == "f"
        for this, bits in zip(instructions, depends, strict=True)
    ]
    roots = [value for output in program.outputs for value in output.values]
    users = [arg for at, this in enumerate(instructions) if not alike[at] for arg in this.args]
    kept = sorted({at for at in (*roots, *users) if alike[at]})
    if not kept or len(kept) > MOST_VALUES:
        return None
    mask = 0
    for at in kept:
        mask |= depends[at]
    rest, rest_takes = _rest(program, kept)
    if _total(program) - _total(rest) < WORTH:
        return None
    outputs = tuple(Output(f"once{number}", (at,)) for number, at in enumerate(kept))
    first, first_takes = _part(replace(program, outputs=outputs, name=f"{program.name}_once"))
    return Split(mask, first, first_takes, rest, rest_takes)


def _cost(this: Instruction) -> int:
    return _SLOW.get(this.op, size(this)) if this.args else 0


def _total(program: Program) -> int:
    return sum(map(_cost, program.instructions))


def _rest(program: Program, kept: Sequence[int]) -> tuple[Program, tuple[int, ...]]:
    """Read the values that are kept from arguments of their own."""
    instructions, arguments = list(program.instructions), list(program.arguments)
    names, inputs = {argument.name for argument in arguments}, len(arguments)
    for number, at in enumerate(kept):
        name = f"once{number}"
        while name in names:
            name += "_"
        instructions[at] = Instruction("load", (), "f", (len(arguments), 0))
        arguments.append(Argument(name))
    whole = replace(program, arguments=tuple(arguments), instructions=tuple(instructions))
    rest, takes = _part(whole)
    return rest, tuple(k if k < inputs else ~(k - inputs) for k in takes)


def _part(program: Program) -> tuple[Program, tuple[int, ...]]:
    """Drop values that no output uses, and arguments; return which of these are left."""
    program = pruned(program)
    loads = [this.payload for this in program.instructions if this.op == "load"]
    takes = sorted({load[0] for load in loads if isinstance(load, tuple)})
    instructions = tuple(
        replace(this, payload=(takes.index(this.payload[0]), this.payload[1]))
        if this.op == "load" and isinstance(this.payload, tuple) else this
        for this in program.instructions
    )  # fmt: skip
    arguments = tuple(program.arguments[k] for k in takes)
    return replace(program, arguments=arguments, instructions=instructions).verify(), tuple(takes)
