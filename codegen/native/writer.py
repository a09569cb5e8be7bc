"""What source text of any language shares: a line for each value, and names of those."""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from typing import Final

from codegen.instruction import Constant, Instruction
from codegen.program import Program

__all__ = ["INFIX", "Writer"]

INFIX: Final = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "eq": "==", "ne": "!=",
}  # fmt: skip


class Writer:
    """Names and expressions of one function."""

    def __init__(
        self, program: Program, taken: set[str], infix: Mapping[str, str],
        others: Mapping[str, Callable[..., str]],
    ) -> None:  # fmt: skip
        """Take the operators between two operands, and what writes other ops that are no calls."""
        self.program, self.infix, self.others = program, infix, others
        self.stem = "v"
        while any(re.fullmatch(rf"{self.stem}\d+", name) for name in taken):
            self.stem += "_"
        self.used = Counter(arg for this in program.instructions for arg in this.args)
        """How often each value is read, results included."""
        self.used.update(value for output in program.outputs for value in output.values)
        self.names: dict[int, str] = {}

    def values(self, ends: Container[int]) -> Iterator[str]:
        """Write a line for each value; of the `ends`, what is read once is for the caller."""
        count = 0
        for index, this in enumerate(self.program.instructions):
            written = self.expression(this)
            # what is no work is written where it is used
            if this.op in ("load", "const") or (index in ends and self.used[index] == 1):
                self.names[index] = written
                continue
            count += 1
            self.names[index] = f"{self.stem}{count}"
            yield self.line(this, self.names[index], written)

    def expression(self, this: Instruction) -> str:
        """Write one value, of whose operands the names are known."""
        payload = this.payload
        if isinstance(payload, tuple):
            return self.place(this, *payload)
        if isinstance(payload, (Constant, bool)):
            return self.number(payload)
        args = [self.names[arg] for arg in this.args]
        if this.op in self.infix:
            return f"{args[0]} {self.infix[this.op]} {args[1]}"
        if this.op in self.others:
            return self.others[this.op](*args)
        return f"{self.function(this.op.removeprefix('fast_'))}({', '.join(args)})"

    def line(self, this: Instruction, name: str, written: str) -> str:
        """Write a value's line."""
        raise NotImplementedError

    def place(self, this: Instruction, argument: int, component: int) -> str:
        """Write a component of an argument."""
        raise NotImplementedError

    def number(self, value: Constant | bool) -> str:
        """Write a constant so that the same bits are read."""
        raise NotImplementedError

    def function(self, op: str) -> str:
        """Return the name of the function that an op is."""
        raise NotImplementedError
