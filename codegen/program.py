"""`Program`: typed, verified, printable straight-line code between terms and LLVM.

A program knows no machine and no term store. Type 'f' is the kernel's float type, chosen when
code is emitted, so that one program serves float64 and float32; 'b' is a boolean.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Final

from codegen.instruction import (
    MOST_AXES,
    SIGNATURES,
    Argument,
    Constant,
    Instruction,
    Output,
    ValueType,
)
from rewrite.display import Displayed, preformatted
from rewrite.errors import TargetError

__all__ = [
    "SIGNATURES",
    "Argument",
    "Constant",
    "Instruction",
    "Output",
    "Program",
    "ProgramBuilder",
    "ValueType",
]


@dataclass(frozen=True, repr=False)
class Program(Displayed):
    """Straight-line SSA code: value k is what instruction k computes."""

    arguments: tuple[Argument, ...]
    instructions: tuple[Instruction, ...]
    outputs: tuple[Output, ...]
    name: str = "kernel"

    def verify(self) -> "Program":
        """Return the program, or raise `TargetError` that names the first ill-formed part."""
        if not getattr(self.instructions, "verified", False):  # as those that come from disk are
            for problem in _problems(self):
                raise TargetError(f"program {self.name!r}: {problem}")
        return self

    @cached_property
    def operands(self) -> tuple[Argument | Output, ...]:
        """The arguments, then the outputs."""
        return (*self.arguments, *self.outputs)

    @cached_property
    def is_elementwise(self) -> bool:
        """Whether all operands are one number per point."""
        return not any(operand.shape for operand in self.operands)

    @property
    def ops(self) -> frozenset[str]:
        """The ops that it has, in its loops too."""
        own = {instruction.op for instruction in self.instructions}
        return frozenset(own).union(*(step.ops for step in self.steps))

    @cached_property
    def steps(self) -> "tuple[Program, ...]":
        """The programs that its loops repeat."""
        if isinstance(self.instructions, tuple):
            return tuple(i.payload for i in self.instructions if isinstance(i.payload, Program))
        return ()  # those that come from disk by their columns have none

    def type_of(self, operand: Argument | Output) -> ValueType:
        """Return the type of the components of an argument or output."""
        if isinstance(operand, Argument):
            return operand.type
        return self.instructions[operand.values[0]].type

    def __str__(self) -> str:
        """Return the text form, which `Program.parse` reads back."""
        from codegen.programtext import lines  # which knows what a program is

        return "\n".join(lines(self))

    def __repr__(self) -> str:
        """Show the operands and the size."""
        names = ", ".join(argument.name for argument in self.arguments)
        made = ", ".join(output.name for output in self.outputs)
        return f"<Program {self.name}({names}) -> {made}: {len(self.instructions)} instructions>"

    def _repr_html_(self) -> str:
        return preformatted(str(self))

    @staticmethod
    def parse(text: str) -> "Program":
        """Read the text form of a program and verify it."""
        from codegen.programtext import parse

        return parse(text)


@dataclass
class ProgramBuilder:
    """Write a program value by value; equal constants and loads are one value."""

    name: str = "kernel"
    _arguments: list[Argument] = field(default_factory=list)
    _instructions: list[Instruction] = field(default_factory=list)
    _outputs: list[Output] = field(default_factory=list)
    _leaves: dict[object, int] = field(default_factory=dict)

    def argument(self, name: str, shape: tuple[int, ...] = (), type: ValueType = "f") -> int:  # noqa: A002
        """Declare the next argument and return its number."""
        self._arguments.append(Argument(name, shape, type))
        return len(self._arguments) - 1

    def type_of(self, value: int) -> ValueType:
        """Return the type of a value."""
        return self._instructions[value].type

    def known(self, value: int) -> "Constant | bool | None":
        """Return what a value is that is a constant, else None."""
        made = self._instructions[value]
        return made.payload if isinstance(made.payload, (Constant, bool)) else None

    def load(self, argument: int, component: int = 0) -> int:
        """Read a component of an argument."""
        kind = self._arguments[argument].type
        return self._leaf(Instruction("load", (), kind, (argument, component)))

    def const(self, value: "int | Fraction | float | str | bool | Constant") -> int:
        """Make a constant; a `bool` is a boolean, everything else is rounded once."""
        if isinstance(value, bool):
            return self._leaf(Instruction("const", (), "b", value))
        exact = value if isinstance(value, Constant) else Constant.of(value)
        return self._leaf(Instruction("const", (), "f", exact))

    def emit(self, op: str, *args: int) -> int:
        """Append an op of earlier values and return its value."""
        types = "".join([self._instructions[arg].type for arg in args])
        result = _RESULTS.get((op, types))
        if result is None:
            raise TargetError(_signature_problem(op, types))
        self._instructions.append(Instruction(op, args, result))
        return len(self._instructions) - 1

    def repeat(self, step: Program, state: Sequence[int], fixed: Sequence[int]) -> list[int]:
        """Append a loop over a state, `fixed` beside it, and return the state at its end."""
        self._instructions.append(Instruction("while", (*state, *fixed), "w", step))
        loop = len(self._instructions) - 1
        found = []
        for place, value in enumerate(state):
            kind = self._instructions[value].type
            self._instructions.append(Instruction("result", (loop,), kind, place))
            found.append(len(self._instructions) - 1)
        return found

    def output(self, name: str, *values: int, shape: tuple[int, ...] = ()) -> None:
        """Declare the next result with its components in row-major order."""
        self._outputs.append(Output(name, values, shape))

    def finish(self) -> Program:
        """Return the verified program."""
        parts = (tuple(self._arguments), tuple(self._instructions), tuple(self._outputs))
        return Program(*parts, name=self.name).verify()

    def _leaf(self, instruction: Instruction) -> int:
        if instruction not in self._leaves:
            self._leaves[instruction] = len(self._instructions)
            self._instructions.append(instruction)
        return self._leaves[instruction]


_RESULTS: Final[dict[tuple[str, str], ValueType]] = {
    (op, operands): result
    for op, rows in SIGNATURES.items()
    for operands, result in rows
    if op not in ("const", "load")
}


def _signature_problem(op: str, types: str) -> str:
    if op not in SIGNATURES:
        return f"there is no op {op!r}"
    choices = " or ".join(repr(operands) for operands, _ in SIGNATURES[op])
    return f"{op!r} takes operands of types {choices}, not {types!r}"


def _problems(program: Program) -> Iterator[str]:
    counts = Counter((type(x).__name__.lower(), x.name) for x in program.operands)
    yield from (f"{n} {what}s are named {name!r}" for (what, name), n in counts.items() if n > 1)
    for operand in program.operands:
        if len(operand.shape) > MOST_AXES or min(operand.shape, default=1) < 1:
            yield (
                f"{operand.name!r} has shape {operand.shape}; at most {MOST_AXES} axes, none empty"
            )
    if not program.outputs:
        yield "it has no outputs"
    instructions = program.instructions
    for index, instruction in enumerate(instructions):
        args = instruction.args
        if args and instruction.payload is None and 0 <= min(args) and max(args) < index:
            types = "".join([instructions[arg].type for arg in args])
            if _RESULTS.get((instruction.op, types)) == instruction.type:
                continue  # most of them, in no time
        for problem in _instruction_problems(program, index, instruction):
            yield f"value %{index}: {problem}"
    for output in program.outputs:
        yield from _output_problems(program, output)


def _instruction_problems(program: Program, index: int, this: Instruction) -> Iterator[str]:
    late = [arg for arg in this.args if not 0 <= arg < index]
    if late:
        yield f"{this.op!r} uses %{late[0]}, which is not an earlier value"
        return
    if this.op in _LOOPS:
        yield from _loop_problems(program, this)
        return
    types = "".join([program.instructions[arg].type for arg in this.args])
    if (types, this.type) not in SIGNATURES.get(this.op, ()):
        yield f"{_signature_problem(this.op, types)} (result type {this.type!r})"
    elif this.op == "load":
        yield from _load_problems(program, this)
    elif this.op == "const":
        if not isinstance(this.payload, Constant if this.type == "f" else bool):
            yield f"a constant of type {this.type!r} holds {this.payload!r}"
    elif this.payload is not None:
        yield f"{this.op!r} has no payload, but {this.payload!r} was given"


_LOOPS: Final = ("while", "result")


def _loop_problems(program: Program, this: Instruction) -> Iterator[str]:
    """Check a loop against its step, or a part of the state against its loop."""
    if this.op == "while":
        if not isinstance(this.payload, Program) or this.type != "w":
            yield "a while needs the program of its step, and has type 'w'"
        else:
            yield from _step_problems(
                [program.instructions[arg].type for arg in this.args], this.payload
            )
        return
    loop = program.instructions[this.args[0]] if len(this.args) == 1 else this
    if not isinstance(loop.payload, Program):
        yield "a result takes one while"
        return
    size, place = len(loop.payload.outputs) - 1, this.payload
    if type(place) is not int or not 0 <= place < size:
        yield f"there is no part {place!r} of a state of {size}"
    elif this.type != program.instructions[loop.args[place]].type:
        yield f"part {place} of the state is not of type {this.type!r}"


def _step_problems(given: list[ValueType], step: Program) -> Iterator[str]:
    """Check what a step takes and makes; it is verified itself."""
    step.verify()
    made = [step.type_of(output) for output in step.outputs]
    if not step.is_elementwise:
        yield "a step has arguments and results of single values"
    elif [argument.type for argument in step.arguments] != given:
        yield f"its step takes other types than {''.join(given)!r}"
    elif made[:1] != ["b"] or made[1:] != given[: len(made) - 1]:
        yield "a step makes a truth value, then a state of the types that it takes"


def _load_problems(program: Program, this: Instruction) -> Iterator[str]:
    if not isinstance(this.payload, tuple) or len(this.payload) != 2:
        yield "a load needs (argument, component)"
        return
    argument, component = this.payload
    if not 0 <= argument < len(program.arguments):
        yield f"there is no argument {argument}"
        return
    loaded = program.arguments[argument]
    if not 0 <= component < math.prod(loaded.shape):
        yield f"argument {loaded.name!r} has no component {component}"
    if this.type != loaded.type:
        yield f"argument {loaded.name!r} has type {loaded.type!r}, not {this.type!r}"


def _output_problems(program: Program, output: Output) -> Iterator[str]:
    if len(output.values) != math.prod(output.shape):
        yield f"output {output.name!r} of shape {output.shape} has {len(output.values)} components"
    missing = [value for value in output.values if not 0 <= value < len(program.instructions)]
    if missing:
        yield f"output {output.name!r} uses %{missing[0]}, which does not exist"
    elif len({program.instructions[value].type for value in output.values}) > 1:
        yield f"output {output.name!r} mixes booleans and numbers"
