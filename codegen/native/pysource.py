"""A program as a Python function of NumPy that a person can read: one line for each value."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from keyword import iskeyword
from typing import Final

from codegen.instruction import Constant, Instruction, Output
from codegen.native.names import unique
from codegen.native.writer import INFIX, Writer
from codegen.program import Program
from rewrite.ops import BY_NAME

__all__ = ["TAKEN", "PythonWriter", "imports", "literal", "python_source", "returned", "word"]

_SPECIAL: Final = ("erf", "erfc")
_OTHERS: Final[dict[str, Callable[..., str]]] = {
    "neg": lambda a: f"-{a}",
    "rsqrt": lambda a: f"1 / np.sqrt({a})",
    "fma": lambda a, b, c: f"{a} * {b} + {c}",
    "where": lambda c, a, b: f"np.where({c}, {a}, {b})",
}
TAKEN: Final = ("np", "special")


def python_source(program: Program, results: str) -> str:
    """Return the text of a module with one function; see `Kernel.python_source`."""
    return "\n".join(_Writer(program).lines(results)) + "\n"


def imports(ops: Iterable[str]) -> Iterator[str]:
    """Write what a module needs."""
    yield "import numpy as np"
    if any(op.removeprefix("fast_") in _SPECIAL for op in ops):
        yield "from scipy import special"


def returned(shown: Sequence[str], names: Sequence[str], results: str) -> str:
    """Write the last line: one result, several, or a dictionary."""
    if results == "dict":
        pairs = zip(names, shown, strict=True)
        return "return {" + ", ".join(f"{name!r}: {text}" for name, text in pairs) + "}"
    return f"return {shown[0]}" if results == "single" else f"return ({', '.join(shown)},)"


def literal(number: float) -> str:
    """Write a number so that the same bits are read."""
    if number != number:
        return "np.nan"
    if math.isinf(number):
        return "np.inf" if number > 0 else "(-np.inf)"
    text = repr(number)
    return f"({text})" if text.startswith("-") else text


class PythonWriter(Writer):
    """The words of NumPy."""

    def __init__(self, program: Program, taken: set[str]) -> None:
        super().__init__(program, taken, INFIX, _OTHERS)

    def line(self, this: Instruction, name: str, written: str) -> str:
        return f"{name} = {written}"

    def function(self, op: str) -> str:
        return f"special.{op}" if op in _SPECIAL else f"np.{BY_NAME[op].numpy}"

    def number(self, value: Constant | bool) -> str:
        return repr(value) if isinstance(value, bool) else literal(value.f64)


class _Writer(PythonWriter):
    """Names and expressions of one function."""

    def __init__(self, program: Program) -> None:
        taken = set(TAKEN)
        self.name = unique(word(program.name), taken)
        self.arguments = [unique(word(x.name), taken) for x in program.arguments]
        super().__init__(program, taken)

    def lines(self, results: str) -> Iterator[str]:
        """Write the module."""
        yield from imports(self.program.ops)
        yield from ("", "", f"def {self.name}({', '.join(self.arguments)}):")
        yield from (f"    {line}" for line in self.body(results))

    def body(self, results: str) -> Iterator[str]:
        """Write a line for each value, then the results."""
        program, names = self.program, self.names
        yield from self.values({o.values[0] for o in program.outputs if not o.shape})
        shown = []
        for number, output in enumerate(program.outputs):
            if output.shape:
                result = f"r{number}"
                yield from _stacked(result, output, names)
                shown.append(result)
            else:
                shown.append(names[output.values[0]])
        yield returned(shown, [output.name for output in program.outputs], results)

    def place(self, this: Instruction, argument: int, component: int) -> str:
        """Write an argument with the index of a component, whose axes are the last."""
        index: list[int] = []
        for size in reversed(self.program.arguments[argument].shape):
            component, rest = divmod(component, size)
            index.insert(0, rest)
        name = self.arguments[argument]
        return f"{name}[..., {', '.join(map(str, index))}]" if index else name


def _stacked(name: str, output: Output, names: dict[int, str]) -> Iterator[str]:
    """Write how the components of an array become one, its axes last."""
    yield f"{name} = np.stack(np.broadcast_arrays("
    yield from (f"    {names[value]}," for value in output.values)
    yield "), axis=-1)"
    if len(output.shape) > 1:
        yield f"{name} = {name}.reshape({name}.shape[:-1] + {output.shape!r})"


def word(name: str) -> str:
    """Return a name that Python takes."""
    made = "".join(c if c.isalnum() or c == "_" else "_" for c in name)
    made = made if made.isidentifier() else f"_{made}"
    return f"{made}_" if iskeyword(made) else made
