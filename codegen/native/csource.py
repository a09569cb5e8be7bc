"""A program as a C function that a person can read: one line for each value."""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from codegen.instruction import Constant, Instruction
from codegen.native.names import function_name, identifier, unique
from codegen.program import Program
from codegen.target import Float

__all__ = ["c_source", "is_atom", "uses"]

_KINDS: Final = {"f64": "double", "f32": "float"}
_INFIX: Final = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "eq": "==", "ne": "!=", "and": "&&", "or": "||",
}  # fmt: skip
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


def uses(program: Program) -> Counter[int]:
    """Count how often each value is read, results included."""
    found = Counter(arg for this in program.instructions for arg in this.args)
    found.update(value for output in program.outputs for value in output.values)
    return found


def is_atom(this: Instruction) -> bool:
    """Tell whether a value is written where it is used, as it is no work."""
    return this.op in ("load", "const")


class _Writer:
    """Names and expressions of one function."""

    def __init__(self, program: Program, dtype: Float) -> None:
        self.program, self.dtype, self.kind = program, dtype, _KINDS[dtype]
        self.end = "f" if dtype == "f32" else ""
        self.name = function_name(program.name, ["", *(f"_{each}" for each in _HELPERS)])
        taken: set[str] = set()
        self.operands = [unique(identifier(x.name), taken) for x in program.operands]
        self.stem = "v"
        while any(re.fullmatch(rf"{self.stem}\d+", name) for name in taken):
            self.stem += "_"
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
        count = len(self.program.arguments)
        parts = []
        for place, (operand, name) in enumerate(
            zip(self.program.operands, self.operands, strict=True)
        ):
            kind = "unsigned char" if self.program.type_of(operand) == "b" else self.kind
            if place < count:
                parts.append(f"const {kind} *{name}" if operand.shape else f"{kind} {name}")
            elif not self.single:
                parts.append(f"{kind} *{name}")
        result = "void"
        if self.single:
            is_bool = self.program.type_of(self.program.outputs[0]) == "b"
            result = "unsigned char" if is_bool else self.kind
        line = f"{result} {self.name}({', '.join(parts) or 'void'})"
        if len(line) <= 96:
            return line
        return f"{result} {self.name}(\n    " + ",\n    ".join(parts) + ")"

    def body(self) -> Iterator[str]:
        """Write a line for each value, then for each result."""
        program, names = self.program, dict[int, str]()
        used, count = uses(program), 0
        ends = {value for output in program.outputs for value in output.values}
        for index, this in enumerate(program.instructions):
            written = self.expression(this, names)
            if is_atom(this) or (index in ends and used[index] == 1):
                names[index] = written
                continue
            kind = "int" if this.type == "b" else self.kind
            count += 1
            names[index] = f"{self.stem}{count}"
            yield f"const {kind} {names[index]} = {written};"
        results = self.operands[len(program.arguments) :]
        if self.single:
            yield f"return {names[program.outputs[0].values[0]]};"
            return
        for name, output in zip(results, program.outputs, strict=True):
            for component, value in enumerate(output.values):
                yield f"{name}[{component}] = {names[value]};"

    def expression(self, this: Instruction, names: dict[int, str]) -> str:
        """Write one value, of whose operands the names are known."""
        payload = this.payload
        if isinstance(payload, tuple):
            argument, component = payload
            shape = self.program.arguments[argument].shape
            place = self.operands[argument] + (f"[{component}]" if shape else "")
            return f"({place} != 0)" if this.type == "b" else place
        if isinstance(payload, (Constant, bool)):
            return self.number(payload)
        args = [names[arg] for arg in this.args]
        if this.op in _INFIX:
            return f"{args[0]} {_INFIX[this.op]} {args[1]}"
        if this.op in _OTHERS:
            return _OTHERS[this.op](*args)
        op = this.op.removeprefix("fast_")
        if op in _HELPERS:
            return f"{self.name}_{op}({', '.join(args)})"
        return f"{_RENAMED.get(op, op)}{self.end}({', '.join(args)})"

    def number(self, value: Constant | bool) -> str:
        """Write a constant so that C reads the same bits."""
        if isinstance(value, bool):
            return str(int(value))
        number = value.f64 if self.dtype == "f64" else value.f32
        if number != number:
            return "NAN"
        if math.isinf(number):
            return "INFINITY" if number > 0 else "(-INFINITY)"
        text = f"{number!r}{self.end}"
        return f"({text})" if text.startswith("-") else text


_OTHERS: Final[dict[str, Callable[..., str]]] = {
    "neg": lambda a: f"-{a}",
    "not": lambda a: f"!{a}",
    "where": lambda c, a, b: f"{c} ? {a} : {b}",
}
