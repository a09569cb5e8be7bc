"""A program as a C function that a person can read: one line for each value."""

import math
import re
from collections.abc import Callable, Iterator
from typing import Final

from codegen.instruction import Constant, Instruction
from codegen.native.call import operands_of
from codegen.native.names import function_name, identifier, unique
from codegen.native.writer import INFIX, Writer
from codegen.program import Program
from codegen.target import Float

__all__ = ["c_source"]

_KINDS: Final = {"f64": "double", "f32": "float"}
_INFIX: Final = {**INFIX, "and": "&&", "or": "||"}
_OTHERS: Final[dict[str, Callable[..., str]]] = {
    "neg": lambda a: f"-{a}",
    "not": lambda a: f"!{a}",
    "where": lambda c, a, b: f"{c} ? {a} : {b}",
}
_RENAMED: Final = {"abs": "fabs", "round": "rint"}
"""NumPy's round goes to even, as C's rint does."""
_HELPERS: Final = {
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


class _Writer(Writer):
    """Names and expressions of one function."""

    def __init__(self, program: Program, dtype: Float) -> None:
        self.dtype, self.kind = dtype, _KINDS[dtype]
        self.end = "f" if dtype == "f32" else ""
        self.name = function_name(program.name, ["", *(f"_{each}" for each in _HELPERS)])
        taken: set[str] = set()
        self.operands = [unique(identifier(x.name), taken) for x in program.operands]
        super().__init__(program, taken, _INFIX, _OTHERS)
        self.single = program.is_elementwise and len(program.outputs) == 1
        self.helpers = sorted({i.op for i in program.instructions} & _HELPERS.keys())

    def lines(self, about: str) -> Iterator[str]:
        """Write the file."""
        text = re.sub(r"\*/|/\*", "", about).replace("\\", "/").splitlines()
        yield f"/* {self.name}:"
        yield from (f"       {line}" for line in text[:20])
        yield "   One point; NaN and infinity go through. Compile with -ffp-contract=off. */"
        yield "#include <math.h>"
        yield ""
        for helper in self.helpers:
            count = "a" if helper in _UNARY else f"a, {self.kind} b"
            yield f"static {self.kind} {self.name}_{helper}({self.kind} {count})"
            yield from ("{", f"    return {_HELPERS[helper]};", "}", "")
        yield self.prototype()
        yield "{"
        yield from (f"    {line}" for line in self.body())
        yield "}"

    def prototype(self) -> str:
        """Write the head of the function."""
        arguments, results = operands_of(self.program, self.dtype)
        parts = [
            f"const {operand.kind} *{name}" if operand.shape else f"{operand.kind} {name}"
            for operand, name in zip(arguments, self.operands, strict=False)
        ]
        result = results[0].kind if self.single else "void"
        if not self.single:
            names = self.operands[len(arguments) :]
            parts += [f"{o.kind} *{name}" for o, name in zip(results, names, strict=True)]
        line = f"{result} {self.name}({', '.join(parts) or 'void'})"
        if len(line) <= 96:
            return line
        return f"{result} {self.name}(\n    " + ",\n    ".join(parts) + ")"

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

    def line(self, this: Instruction, name: str, written: str) -> str:
        return f"const {'int' if this.type == 'b' else self.kind} {name} = {written};"

    def place(self, this: Instruction, argument: int, component: int) -> str:
        shape = self.program.arguments[argument].shape
        place = self.operands[argument] + (f"[{component}]" if shape else "")
        return f"({place} != 0)" if this.type == "b" else place

    def function(self, op: str) -> str:
        return f"{self.name}_{op}" if op in _HELPERS else f"{_RENAMED.get(op, op)}{self.end}"

    def number(self, value: Constant | bool) -> str:
        if isinstance(value, bool):
            return str(int(value))
        number = value.f64 if self.dtype == "f64" else value.f32
        if number != number:
            return "NAN"
        if math.isinf(number):
            return "INFINITY" if number > 0 else "(-INFINITY)"
        text = f"{number!r}{self.end}"
        return f"({text})" if text.startswith("-") else text
