"""How the cells of a column lie, and so how code reads them: without a table where it can."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from codegen.instruction import ValueType
from codegen.loops.program import WORK, Cells, Numbers, Operand, Rolled, constant_within

__all__ = ["Bound", "Column", "Tables", "interleaved", "neighbours", "slot", "stores", "stride_of"]

type Form = Literal["uniform", "affine", "run", "row", "table"]

_SHORT: Final = 1 << 16
_FIELDS: Final = 4
"""The largest stride of neighbours that are one block: shuffles grow with its square."""


@dataclass(frozen=True, slots=True)
class Column:
    """How code finds a column's entry of each instance; equal ones share code."""

    form: Form
    """One entry for all instances; start + stride * k; the same from a start for each run; one
    entry for each row; a table of one for each instance."""
    type: ValueType = "f"
    is_number: bool = False
    stride: int = 0
    bits: int = 0
    """Bits of an index in the table."""
    twin: int | None = None
    """The first column of the piece that has the same table, or starts `offset` cells before."""
    offset: int = 0
    home: int | None = None
    """The first column of the piece in the same segment."""


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """A column and what its code reads: where the segment's address stands, and start or table."""

    column: Column
    slot: int
    value: Any
    """An integer, an array of indices, or `Numbers`."""
    starts: npt.NDArray[Any] | None = None
    """Where each run's numbers begin, of numbers that repeat."""


def slot(program: Rolled, segment: int) -> int:
    """Return a segment's place in the table of addresses: work cells come last."""
    return len(program.operands) if segment == WORK else segment


def stride_of(index: npt.NDArray[Any]) -> int | None:
    """Return how far entries are apart if that is always the same."""
    if len(index) < 2:
        return 0
    stride = int(index[1]) - int(index[0])
    last = int(index[0]) + stride * (len(index) - 1)
    if last != int(index[-1]) or (np.diff(index) != stride).any():
        return None
    return stride


def interleaved(columns: Sequence[Column]) -> list[tuple[int, ...]]:
    """Return the positions of columns that fill the cells of their stride, in order of memory."""
    groups: dict[tuple[int, int], dict[int, int]] = {}
    for at, column in enumerate(columns):
        if (
            column.form in ("affine", "run") and not column.is_number and column.type == "f"
            and column.twin is not None and 1 < column.stride <= _FIELDS
        ):  # fmt: skip
            groups.setdefault((column.twin, column.stride), {}).setdefault(column.offset, at)
    return [
        block for (_, stride), places in groups.items() for block in _blocks(places, stride)
    ]  # fmt: skip


def neighbours(columns: Sequence[Column]) -> list[tuple[int, ...]]:
    """Return the positions of columns whose cells lie side by side in each instance, in order."""
    groups: dict[Any, dict[int, int]] = {}
    for at, column in enumerate(columns):
        if column.twin is not None and column.type == "f" and not column.is_number:
            key = column.home, column.twin, column.stride
            groups.setdefault(key, {}).setdefault(column.offset, at)
    found: list[tuple[int, ...]] = []
    for places in groups.values():
        offsets = sorted(places)
        cuts = [k for k in range(1, len(offsets)) if offsets[k] != offsets[k - 1] + 1]
        for low, high in itertools.pairwise([0, *cuts, len(offsets)]):
            found.append(tuple(places[offset] for offset in offsets[low:high]))
    return found


def stores(results: Sequence[Column], lanes: int) -> list[tuple[int, ...]]:
    """Return the positions of results that one store writes: of neighbours 2, 4, ... at a time."""
    parts: list[tuple[int, ...]] = []
    for group in neighbours(results) if lanes > 1 else ():
        while group:
            width = min(lanes, 1 << (len(group).bit_length() - 1))
            parts.append(group[:width])
            group = group[width:]
    there = {k for part in parts for k in part}
    return parts + [(k,) for k in range(len(results)) if k not in there]


def _blocks(places: dict[int, int], stride: int) -> Iterator[tuple[int, ...]]:
    """Take so many neighbours at a time, each of them once."""
    free = set(places)
    for offset in sorted(places):
        block = range(offset, offset + stride)
        if free.issuperset(block):
            free.difference_update(block)
            yield tuple(places[k] for k in block)


class Tables:
    """Binds operands to columns; tables that two steps use are made once."""

    def __init__(self, program: Rolled) -> None:
        self.program = program
        self._known: dict[tuple[str, bytes], npt.NDArray[Any]] = {}

    def bind(
        self, operand: Operand, order: npt.NDArray[Any] | None = None,
        rows: npt.NDArray[Any] | None = None,
    ) -> Bound:  # fmt: skip
        """Return how an operand's entries are read where instances come in an order.

        `rows` are the first instances of rows in that order; what is constant in each needs one
        entry for it.
        """
        if isinstance(operand, Numbers):
            return self._numbers(operand, order, rows)
        index = operand.index if order is None else operand.index[order]
        kind: ValueType = self._type(operand)
        place = slot(self.program, operand.segment)
        stride = stride_of(index)
        if stride == 0:
            return Bound(Column("uniform", kind), place, int(index[0]))
        if stride is not None:
            return Bound(Column("affine", kind, stride=stride), place, int(index[0]))
        form: Form = "table"
        if rows is not None and constant_within(index, rows):
            index, form = index[rows], "row"
        bits = 16 if self.program.size(operand.segment) <= _SHORT else 32
        table = np.ascontiguousarray(index, np.uint16 if bits == 16 else np.int32)
        return Bound(Column(form, kind, bits=bits), place, self.once(table))

    def once(self, table: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the first table that is equal."""
        key = (table.dtype.char, hashlib.blake2b(table.data, digest_size=16).digest())
        return self._known.setdefault(key, table)

    def _numbers(
        self, operand: Numbers, order: npt.NDArray[Any] | None, rows: npt.NDArray[Any] | None
    ) -> Bound:
        found = operand if order is None else operand.at(order)
        if found.is_uniform:
            return Bound(Column("uniform", is_number=True), 0, found.at(slice(0, 1)))
        if rows is not None and found.is_constant_within(rows):
            return Bound(Column("row", is_number=True), 0, found.at(rows))
        return Bound(Column("table", is_number=True), 0, found.at(slice(None)))

    def _type(self, operand: Cells) -> ValueType:
        if operand.segment == WORK:
            return "f"
        return self.program.operands[operand.segment].type
