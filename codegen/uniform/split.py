"""Which values of a program depend on some arguments alone, and the program in two parts.

A scalar argument is one number for all elements, and so is what is computed from scalars: it is
computed by itself, once, and is an argument of what is left. No value changes, as the same
instructions compute it, but for the sign of a NaN: where two meet, either may be the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from codegen.branches import size
from codegen.instruction import Instruction
from codegen.program import Program, ProgramBuilder

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
    below, left = _below(instructions, kept), _below(instructions, roots, set(kept))
    if sum(_cost(instructions[at]) for at in below if at not in left) < WORTH:
        return None
    mask = 0
    for at in kept:
        mask |= depends[at]
    first, first_takes = _first(program, sorted(below), kept)
    rest, rest_takes = _rest(program, sorted(left), kept)
    return Split(mask, first, first_takes, rest, rest_takes)


def _cost(this: Instruction) -> int:
    return _SLOW.get(this.op, size(this)) if this.args else 0


def _below(
    instructions: Sequence[Instruction], roots: Sequence[int], known: set[int] | None = None
) -> set[int]:
    """Return roots and what they are computed from, but for what is known."""
    known = known or set()
    found, waiting = set[int](), [at for at in roots if at not in known]
    while waiting:
        at = waiting.pop()
        if at not in found:
            found.add(at)
            waiting += [arg for arg in instructions[at].args if arg not in known]
    return found


def _first(
    program: Program, order: Sequence[int], kept: Sequence[int]
) -> tuple[Program, tuple[int, ...]]:
    writer = _Writer(program, f"{program.name}_once")
    writer.write(order)
    for number, at in enumerate(kept):
        writer.builder.output(f"once{number}", writer.new[at])
    return writer.builder.finish(), tuple(writer.takes)


def _rest(
    program: Program, order: Sequence[int], kept: Sequence[int]
) -> tuple[Program, tuple[int, ...]]:
    writer = _Writer(program, program.name)
    names = {argument.name for argument in program.arguments}
    for number, at in enumerate(kept):
        name = f"once{number}"
        while name in names:
            name += "_"
        writer.takes[~number] = writer.builder.argument(name)
        writer.new[at] = writer.builder.load(writer.takes[~number])
    writer.write(order)
    for output in program.outputs:
        values = [writer.new[value] for value in output.values]
        writer.builder.output(output.name, *values, shape=output.shape)
    return writer.builder.finish(), tuple(writer.takes)


class _Writer:
    """Writes some values of a program, with the arguments that they need."""

    def __init__(self, program: Program, name: str) -> None:
        self.program, self.builder = program, ProgramBuilder(name)
        self.takes: dict[int, int] = {}
        """New numbers of arguments by those they have in the program."""
        self.new: dict[int, int] = {}

    def write(self, order: Sequence[int]) -> None:
        """Write values in their order."""
        for at in order:
            this = self.program.instructions[at]
            if this.op == "load":
                assert isinstance(this.payload, tuple)
                self.new[at] = self.builder.load(self.argument(this.payload[0]))
            elif this.op == "const":
                assert this.payload is not None
                self.new[at] = self.builder.const(this.payload)  # type: ignore[arg-type]
            else:
                self.new[at] = self.builder.emit(this.op, *[self.new[arg] for arg in this.args])

    def argument(self, number: int) -> int:
        """Return the new number of an argument, which is declared where it is not yet."""
        if number not in self.takes:
            old = self.program.arguments[number]
            self.takes[number] = self.builder.argument(old.name, old.shape, old.type)
        return self.takes[number]
