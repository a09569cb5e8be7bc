"""The text form of programs: written, and read back."""

import json
import re
from collections.abc import Iterator, Sequence

from codegen.instruction import SIGNATURES, Argument, Constant, Instruction, Output, ValueType
from codegen.program import Program
from rewrite.errors import TargetError

__all__ = ["lines", "parse"]

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


def lines(program: Program) -> Iterator[str]:
    """Write a program; the step of a loop stands between braces."""
    marks = {"f": "", "b": ": b"}
    parts = [_bracketed(part.name, part.shape) + marks[part.type] for part in program.arguments]
    yield f"program {_bracketed(program.name, ())}({', '.join(parts)})"
    for index, this in enumerate(program.instructions):
        operands = " ".join(f"%{arg}" for arg in this.args)
        if isinstance(this.payload, tuple):
            argument = program.arguments[this.payload[0]]
            operands = _bracketed(argument.name, this.payload[1:] if argument.shape else ())
        elif isinstance(this.payload, Program):
            yield f"  %{index} = while {operands} {{"
            yield from (f"  {line}" for line in lines(this.payload))
            yield "  }"
            continue
        elif this.op == "result":
            operands += f" {this.payload}"
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


def parse(text: str) -> Program:
    """Read the text form of a program and verify it."""
    written = [line.strip() for line in text.splitlines() if line.strip()]
    program, end = _read(written, 0)
    if end < len(written):
        raise TargetError(f"cannot read {written[end][:80]!r} after a program")
    return program.verify()


def _read(written: Sequence[str], at: int) -> tuple[Program, int]:
    """Read a program from a line on; return the place after it too."""
    header = _HEADER.fullmatch(written[at]) if at < len(written) else None
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
    at += 1
    while at < len(written) and written[at] != "}":
        line = written[at]
        value = _VALUE.fullmatch(line)
        at += 1
        if value and int(value[1]) == len(values):
            if value[2] == "while":
                step, at = _read_step(written, at)
                values.append(Instruction("while", _numbers(value[3]), "w", step))
            else:
                values.append(_read_value(value[2], value[3], arguments, places, values))
        elif result := _RETURN.fullmatch(line):
            outputs.append(Output(_unquoted(result[1]), _numbers(result[3]), _shape(result[2])))
        else:
            raise TargetError(f"cannot read {line[:80]!r} in a program")
    return Program(arguments, tuple(values), tuple(outputs), _unquoted(header[1])), at


def _read_step(written: Sequence[str], at: int) -> tuple[Program, int]:
    """Read what stands between the braces of a loop."""
    step, end = _read(written, at)
    if end == len(written):
        raise TargetError("a loop of a program has no end")
    return step, end + 1


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"%(\d+)", text)))


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
    args = _numbers(rest)
    if op == "result":
        loop = values[args[0]] if len(args) == 1 and args[0] < len(values) else None
        which = int(rest.rpartition(" ")[2]) if re.fullmatch(r"%\d+ \d+", rest) else -1
        kinds = [values[arg].type for arg in loop.args] if loop else []
        return Instruction(op, args, kinds[which] if 0 <= which < len(kinds) else "f", which)
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
