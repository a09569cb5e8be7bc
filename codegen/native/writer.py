"""What source text of any language shares: a line for each value, and names of those."""

import re
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.instruction import Constant, Instruction
from codegen.program import Program

__all__ = ["INFIX", "TableNames", "Writer", "stem"]

type Table = npt.NDArray[Any]

INFIX: Final = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "eq": "==", "ne": "!=",
}  # fmt: skip


def stem(text: str, taken: Iterable[str]) -> str:
    """Return a text that makes new names with any number after it."""
    while any(re.fullmatch(rf"{text}\d+", name) for name in taken):
        text += "_"
    return text


class TableNames:
    """Constant tables of source text, each defined once, by what writes a definition."""

    def __init__(self, stem: str, define: Callable[[str, Table], list[str]]) -> None:
        self.stem, self.define = stem, define
        self.lines: list[str] = []
        self._names: dict[bytes, str] = {}
        self._first: dict[bytes, tuple[str, int]] = {}

    def name(self, table: Table) -> str:
        """Return the name of a table."""
        plain = table.astype(np.int64) if table.dtype.kind in "iu" else table
        key = plain.dtype.char.encode() + plain.tobytes()
        if key not in self._names:
            self._names[key] = f"{self.stem}{len(self._names)}"
            self.lines += self.define(self._names[key], table)
        return self._names[key]

    def shifted(self, table: Table) -> tuple[str, int]:
        """Return the name of an index table that is as far from it everywhere, and how far."""
        start = int(table[0])
        key = (table.astype(np.int64) - start).tobytes()
        if key not in self._first:
            self._first[key] = self.name(table), start
        name, first = self._first[key]
        return name, start - first


class Writer:
    """Names and expressions of one function."""

    def __init__(
        self, program: Program, taken: set[str], infix: Mapping[str, str],
        others: Mapping[str, Callable[..., str]],
    ) -> None:  # fmt: skip
        """Take the operators between two operands, and what writes other ops that are no calls."""
        self.program, self.infix, self.others = program, infix, others
        self.stem = stem("v", taken)
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
        op = this.op.removeprefix("fast_")
        if op in self.infix:
            return f"{args[0]} {self.infix[op]} {args[1]}"
        if op in self.others:
            return self.others[op](*args)
        return f"{self.function(op)}({', '.join(args)})"

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
