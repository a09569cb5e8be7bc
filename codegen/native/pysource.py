"""A program as a Python function of NumPy that a person can read: one line for each value."""

import math
import re
from collections.abc import Callable, Iterator
from keyword import iskeyword
from typing import Final

from codegen.instruction import Constant, Instruction, Output
from codegen.native.csource import is_atom, uses
from codegen.native.names import unique
from codegen.program import Program
from rewrite.ops import BY_NAME

__all__ = ["python_source"]

_INFIX: Final = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "eq": "==", "ne": "!=",
}  # fmt: skip
_SPECIAL: Final = ("erf", "erfc")
_OTHERS: Final[dict[str, Callable[..., str]]] = {
    "neg": lambda a: f"-{a}",
    "rsqrt": lambda a: f"1 / np.sqrt({a})",
    "fma": lambda a, b, c: f"{a} * {b} + {c}",
    "where": lambda c, a, b: f"np.where({c}, {a}, {b})",
}
_TAKEN: Final = ("np", "special")


def python_source(program: Program, results: str) -> str:
    """Return the text of a module with one function; see `Kernel.python_source`."""
    return "\n".join(_Writer(program).lines(results)) + "\n"


class _Writer:
    """Names and expressions of one function."""

    def __init__(self, program: Program) -> None:
        self.program = program
        taken = set(_TAKEN)
        self.name = unique(_identifier(program.name), taken)
        self.arguments = [unique(_identifier(x.name), taken) for x in program.arguments]
        self.stem = "v"
        while any(re.fullmatch(rf"{self.stem}\d+", name) for name in taken):
            self.stem += "_"
        self.special = any(i.op.removeprefix("fast_") in _SPECIAL for i in program.instructions)

    def lines(self, results: str) -> Iterator[str]:
        """Write the module."""
        yield "import numpy as np"
        if self.special:
            yield "from scipy import special"
        yield from ("", "", f"def {self.name}({', '.join(self.arguments)}):")
        yield from (f"    {line}" for line in self.body(results))

    def body(self, results: str) -> Iterator[str]:
        """Write a line for each value, then the results."""
        program, names = self.program, dict[int, str]()
        used, count = uses(program), 0
        alone = {o.values[0] for o in program.outputs if not o.shape and used[o.values[0]] == 1}
        for index, this in enumerate(program.instructions):
            written = self.expression(this, names)
            if is_atom(this) or index in alone:
                names[index] = written
                continue
            count += 1
            names[index] = f"{self.stem}{count}"
            yield f"{names[index]} = {written}"
        shown = []
        for number, output in enumerate(program.outputs):
            if output.shape:
                result = f"r{number}"
                yield from _stacked(result, output, names)
                shown.append(result)
            else:
                shown.append(names[output.values[0]])
        if results == "dict":
            pairs = zip(program.outputs, shown, strict=True)
            yield "return {" + ", ".join(f"{o.name!r}: {text}" for o, text in pairs) + "}"
        else:
            yield f"return {shown[0]}" if results == "single" else f"return ({', '.join(shown)},)"

    def expression(self, this: Instruction, names: dict[int, str]) -> str:
        """Write one value, of whose operands the names are known."""
        payload = this.payload
        if isinstance(payload, tuple):
            argument, component = payload
            return self.arguments[argument] + self.place(argument, component)
        if isinstance(payload, (Constant, bool)):
            return _number(payload)
        args = [names[arg] for arg in this.args]
        if this.op in _INFIX:
            return f"{args[0]} {_INFIX[this.op]} {args[1]}"
        if this.op in _OTHERS:
            return _OTHERS[this.op](*args)
        op = this.op.removeprefix("fast_")
        if op in _SPECIAL:
            return f"special.{op}({', '.join(args)})"
        return f"np.{BY_NAME[op].numpy}({', '.join(args)})"

    def place(self, argument: int, component: int) -> str:
        """Write the index of a component, whose axes are the last."""
        index: list[int] = []
        for size in reversed(self.program.arguments[argument].shape):
            component, rest = divmod(component, size)
            index.insert(0, rest)
        return f"[..., {', '.join(map(str, index))}]" if index else ""


def _stacked(name: str, output: Output, names: dict[int, str]) -> Iterator[str]:
    """Write how the components of an array become one, its axes last."""
    yield f"{name} = np.stack(np.broadcast_arrays("
    yield from (f"    {names[value]}," for value in output.values)
    yield "), axis=-1)"
    if len(output.shape) > 1:
        yield f"{name} = {name}.reshape({name}.shape[:-1] + {output.shape!r})"


def _number(value: Constant | bool) -> str:
    if isinstance(value, bool):
        return repr(value)
    if value.f64 != value.f64:
        return "np.nan"
    if math.isinf(value.f64):
        return "np.inf" if value.f64 > 0 else "(-np.inf)"
    text = repr(value.f64)
    return f"({text})" if text.startswith("-") else text


def _identifier(name: str) -> str:
    """Return a name that Python takes."""
    made = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    made = made if made.isidentifier() else f"_{made}"
    return f"{made}_" if iskeyword(made) else made
