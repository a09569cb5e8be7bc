"""A program as a C function that a person can read: one line for each value."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from codegen.instruction import Constant, Instruction
from codegen.loops.program import Rolled
from codegen.native.call import operands_of
from codegen.native.names import function_name, identifier, unique
from codegen.native.writer import INFIX, Writer
from codegen.program import Program
from codegen.target import Float

__all__ = ["HELPERS", "CWriter", "c_source", "frame", "literal", "prototype", "stem_of"]

_KINDS: Final = {"f64": "double", "f32": "float"}
_INFIX: Final = {**INFIX, "and": "&&", "or": "||"}
_OTHERS: Final[dict[str, Callable[..., str]]] = {
    "neg": lambda a: f"-{a}",
    "not": lambda a: f"!{a}",
    "where": lambda c, a, b: f"{c} ? {a} : {b}",
}
_RENAMED: Final = {"abs": "fabs", "round": "rint"}
"""NumPy's round goes to even, as C's rint does."""
HELPERS: Final = {
    "minimum": "a < b || a != a ? a : b",
    "maximum": "a > b || a != a ? a : b",
    "rsqrt": "1 / sqrt(a)",
    "sign": "a != a ? a : (a > 0) - (a < 0)",
}
"""What C's library has not, or not with NumPy's NaN."""
_UNARY: Final = ("rsqrt", "sign")


def c_source(program: Program, dtype: Float, about: str) -> str:
    """Return the text of a C file with one function; see `Kernel.c_source`."""
    return "\n".join(_Writer(program, dtype).lines(about)) + "\n"


def stem_of(program: Program | Rolled) -> str:
    """Return the function's name, which those of its helpers begin with."""
    return function_name(program.name, ["", *(f"_{each}" for each in HELPERS)])


def frame(
    program: Program | Rolled, dtype: Float, about: str, name: str, headers: Sequence[str]
) -> Iterator[str]:
    """Write what comes before the function: what it is, and the helpers that it needs."""
    kind = _KINDS[dtype]
    text = re.sub(r"\*/|/\*", "", about).replace("\\", "/").splitlines()
    yield f"/* {name}:"
    yield from (f"       {line}" for line in text[:20])
    yield "   One point; NaN and infinity go through. Compile with -ffp-contract=off. */"
    yield from (f"#include <{header}>" for header in headers)
    yield ""
    for helper in sorted({op.removeprefix("fast_") for op in program.ops} & HELPERS.keys()):
        count = "a" if helper in _UNARY else f"a, {kind} b"
        yield f"static {kind} {name}_{helper}({kind} {count})"
        yield from ("{", f"    return {HELPERS[helper]};", "}", "")


def prototype(program: Program | Rolled, dtype: Float, name: str, operands: Sequence[str]) -> str:
    """Write the head of the function."""
    arguments, results = operands_of(program, dtype)
    parts = [
        f"const {operand.kind} *{name}" if operand.shape else f"{operand.kind} {name}"
        for operand, name in zip(arguments, operands, strict=False)
    ]
    single = program.is_elementwise and len(results) == 1
    result = results[0].kind if single else "void"
    if not single:
        names = operands[len(arguments) :]
        parts += [f"{o.kind} *{name}" for o, name in zip(results, names, strict=True)]
    line = f"{result} {name}({', '.join(parts) or 'void'})"
    if len(line) <= 96:
        return line
    return f"{result} {name}(\n    " + ",\n    ".join(parts) + ")"


def literal(number: float, dtype: Float) -> str:
    """Write a number of a type so that the same bits are read."""
    if number != number:
        return "NAN"
    if math.isinf(number):
        return "INFINITY" if number > 0 else "(-INFINITY)"
    text = f"{number!r}{'f' if dtype == 'f32' else ''}"
    return f"({text})" if text.startswith("-") else text


class CWriter(Writer):
    """The words of C."""

    def __init__(self, program: Program, dtype: Float, name: str, taken: set[str]) -> None:
        self.dtype, self.kind, self.name = dtype, _KINDS[dtype], name
        super().__init__(program, taken, _INFIX, _OTHERS)

    def line(self, this: Instruction, name: str, written: str) -> str:
        return f"const {'int' if this.type == 'b' else self.kind} {name} = {written};"

    def function(self, op: str) -> str:
        end = "f" if self.dtype == "f32" else ""
        return f"{self.name}_{op}" if op in HELPERS else f"{_RENAMED.get(op, op)}{end}"

    def number(self, value: Constant | bool) -> str:
        if isinstance(value, bool):
            return str(int(value))
        return literal(value.f64 if self.dtype == "f64" else value.f32, self.dtype)


class _Writer(CWriter):
    """Names and expressions of one function."""

    def __init__(self, program: Program, dtype: Float) -> None:
        taken: set[str] = set()
        self.operands = [unique(identifier(x.name), taken) for x in program.operands]
        super().__init__(program, dtype, stem_of(program), taken)
        self.single = program.is_elementwise and len(program.outputs) == 1

    def lines(self, about: str) -> Iterator[str]:
        """Write the file."""
        yield from frame(self.program, self.dtype, about, self.name, ["math.h"])
        yield prototype(self.program, self.dtype, self.name, self.operands)
        yield "{"
        yield from (f"    {line}" for line in self.body())
        yield "}"

    def body(self) -> Iterator[str]:
        """Write a line for each value, then for each result."""
        program, names = self.program, self.names
        yield from self.values({value for output in program.outputs for value in output.values})
        results = self.operands[len(program.arguments) :]
        if self.single:
            yield f"return {names[program.outputs[0].values[0]]};"
            return
        for name, output in zip(results, program.outputs, strict=True):
            for component, value in enumerate(output.values):
                yield f"{name}[{component}] = {names[value]};"

    def place(self, this: Instruction, argument: int, component: int) -> str:
        shape = self.program.arguments[argument].shape
        place = self.operands[argument] + (f"[{component}]" if shape else "")
        return f"({place} != 0)" if this.type == "b" else place
