"""`Program`: typed, verified, printable straight-line code between terms and LLVM.

A program knows no machine and no term store. Type 'f' is the kernel's float type, chosen when
code is emitted, so that one program serves float64 and float32; 'b' is a boolean.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
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


@dataclass(frozen=True)
class Program:
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
        """The ops that it has."""
        return frozenset(instruction.op for instruction in self.instructions)

    def type_of(self, operand: Argument | Output) -> ValueType:
        """Return the type of the components of an argument or output."""
        if isinstance(operand, Argument):
            return operand.type
        return self.instructions[operand.values[0]].type

    def __str__(self) -> str:
        """Return the text form, which `Program.parse` reads back."""
        return "\n".join(_lines(self))

    @staticmethod
    def parse(text: str) -> "Program":
        """Read the text form of a program and verify it."""
        return _parse(text)


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


_NAME = r'[^\W\d]\w*|"(?:[^"\\]|\\.)*"'
_SHAPE = r"(?:\[(\d+(?:, \d+)*)\])?"
_HEADER = re.compile(rf"program ({_NAME})\((.*)\)")
_PART = re.compile(rf"({_NAME}){_SHAPE}(: b)?(?:, |$)")
_VALUE = re.compile(r"%(\d+) = (\w+) (.+)")
_LOAD = re.compile(rf"({_NAME})(?:\[(\d+)\])?")
_RETURN = re.compile(rf"return ({_NAME}){_SHAPE} =((?: %\d+)*)")
_CONSTANTS = {"True": True, "False": False}


def _bracketed(name: str, shape: tuple[int, ...]) -> str:
    quoted = name if re.fullmatch(r"[^\W\d]\w*", name) else json.dumps(name)
    return quoted + (f"[{', '.join(map(str, shape))}]" if shape else "")


def _lines(program: Program) -> Iterator[str]:
    marks = {"f": "", "b": ": b"}
    parts = [_bracketed(part.name, part.shape) + marks[part.type] for part in program.arguments]
    yield f"program {_bracketed(program.name, ())}({', '.join(parts)})"
    for index, this in enumerate(program.instructions):
        operands = " ".join(f"%{arg}" for arg in this.args)
        if isinstance(this.payload, tuple):
            argument = program.arguments[this.payload[0]]
            operands = _bracketed(argument.name, this.payload[1:] if argument.shape else ())
        elif this.payload is not None:
            operands = str(this.payload)
        yield f"  %{index} = {this.op} {operands}"
    for output in program.outputs:
        values = "".join(f" %{value}" for value in output.values)
        yield f"  return {_bracketed(output.name, output.shape)} ={values}"


def _unquoted(name: str) -> str:
    return str(json.loads(name)) if name.startswith('"') else name


def _shape(text: str | None) -> tuple[int, ...]:
    return tuple(map(int, text.split(", "))) if text else ()


def _parse(text: str) -> Program:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    header = _HEADER.fullmatch(lines[0]) if lines else None
    if header is None:
        raise TargetError("a program starts with a line such as: program kernel(x, v[3])")
    parts = list(_PART.finditer(header[2]))
    if "".join(part[0] for part in parts) != header[2]:
        raise TargetError(f"cannot read the arguments {header[2][:80]!r} of a program")
    arguments = tuple(
        Argument(_unquoted(p[1]), _shape(p[2]), "b" if p[3] else "f") for p in parts if p[0]
    )
    places = {argument.name: index for index, argument in enumerate(arguments)}
    values: list[Instruction] = []
    outputs: list[Output] = []
    for line in lines[1:]:
        value = _VALUE.fullmatch(line)
        if value and int(value[1]) == len(values):
            values.append(_read_value(value[2], value[3], arguments, places, values))
        elif result := _RETURN.fullmatch(line):
            used = tuple(map(int, re.findall(r"\d+", result[3])))
            outputs.append(Output(_unquoted(result[1]), used, _shape(result[2])))
        else:
            raise TargetError(f"cannot read {line[:80]!r} in a program")
    return Program(arguments, tuple(values), tuple(outputs), _unquoted(header[1])).verify()


def _read_value(
    op: str,
    rest: str,
    arguments: tuple[Argument, ...],
    places: dict[str, int],
    values: list[Instruction],
) -> Instruction:
    if op == "const":
        return _read_constant(rest)
    if op == "load":
        place = _LOAD.fullmatch(rest)
        index = places.get(_unquoted(place[1]), -1) if place else -1
        if place is None or index < 0:
            raise TargetError(f"cannot read 'load {rest[:80]}' in a program")
        return Instruction("load", (), arguments[index].type, (index, int(place[2] or 0)))
    args = tuple(map(int, re.findall(r"%(\d+)", rest)))
    types = "".join(values[arg].type for arg in args if arg < len(values))
    result: ValueType = dict(SIGNATURES.get(op, ())).get(types, "f")
    return Instruction(op, args, result)


def _read_constant(text: str) -> Instruction:
    if text in _CONSTANTS:
        return Instruction("const", (), "b", _CONSTANTS[text])
    first, _, second = text.partition(" | ")
    try:
        exact = Constant.of(float(first))
        constant = Constant(exact.f64, Constant.of(float(second)).f32) if second else exact
    except ValueError:
        raise TargetError(f"cannot read the constant {text[:80]!r} in a program") from None
    return Instruction("const", (), "f", constant)
