"""How loops read and write the cells of a column: addresses, table entries, whole vectors."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from llvmlite import ir

from codegen.llvm.ops import SCALARS, Emitter, Text, Value
from codegen.llvm.scribe import I1, I8, I32, I64, POINTER, Scribe
from codegen.loops.columns import Column
from codegen.target import ITEMSIZE

__all__ = ["SHUFFLED", "Access", "Place", "joined", "lane_mask", "spread"]

SHUFFLED: Final = 4
"""Strides up to which neighbouring vectors are read and shuffled."""
_INDEX = {16: ir.IntType(16), 32: I32}


@dataclass
class Place:
    """Where a loop stands: the number of its instance, of its row or run, and within the run."""

    instance: Value
    row: Value | None = None
    within: Value | None = None
    fixed: dict[int, Value] = field(default_factory=dict)
    """What was read before, by column: what is the same for a whole row."""
    starts: dict[Any, Value] = field(default_factory=dict)
    """Where the run begins, by the column that has it first."""
    seen: dict[tuple[int, int], Value] = field(default_factory=dict)
    """Indices that were read here, by the column that has their table first, and lane."""


class Access:
    """A column in one function: what is the same for all instances is read at its start."""

    def __init__(
        self, number: int, column: Column, code: Scribe, emitter: Emitter,
        words: tuple[Value, Value], *, cells: int, vector: Emitter | None = None,
        twin: "Access | None" = None,
    ) -> None:  # fmt: skip
        """Read the base; cells hold so many numbers (points), 1 in code for one point.

        `words` are the address of the segment (of numbers: of the table of their runs), and where
        the column starts or its table is.
        """
        self.place, self.column, self.code, self.emitter = number, column, code, emitter
        self.cells = cells
        self.vectors = vector
        self.single = SCALARS[emitter.dtype]
        element = I8 if column.type == "b" else self.single
        self.kind = element if cells == 1 else ir.VectorType(element, cells)
        self.align = ITEMSIZE[emitter.dtype] * cells if column.type == "f" else cells
        self.fixed: Value | None = None
        self.wide: Value | None = None
        self.twin = twin
        slot, value = words
        self.segment = slot
        if column.is_number:
            self.base = code.inttoptr(value, POINTER)
            if column.form == "run":
                self.table = code.inttoptr(slot, POINTER)
            if column.form == "uniform":
                self.fixed = self.number(self.base)
        elif twin is not None and column.form in ("affine", "run"):
            self.base = twin.base
        elif column.form in ("uniform", "affine"):
            self.base = code.gep(slot, [value], source_etype=self.kind)
        else:
            self.base, self.table = slot, code.inttoptr(value, POINTER)

    def fix(self) -> None:
        """Read what all instances share."""
        if self.column.form == "uniform" and self.fixed is None:
            self.fixed = self.read(self.base)
        if self.column.form == "uniform" and self.vectors is not None:
            assert self.fixed is not None
            self.wide = _spread(self.code, self.fixed, self.vectors.lanes)

    # one instance

    def load(self, place: Place) -> Value:
        """Read the entry of an instance."""
        if self.fixed is not None:
            return self.fixed
        if self.place in place.fixed:
            return place.fixed[self.place]
        if self.column.is_number:
            return self.number(self.number_address(place))
        return self.read(self.address(place))

    def number(self, address: Value) -> Value:
        """Read a constant."""
        value = self.code.load(address, typ=self.single, align=ITEMSIZE[self.emitter.dtype])
        return value if self.cells == 1 else _spread(self.code, value, self.cells)

    def number_address(self, place: Place) -> Value:
        """Return the address of an instance's constant."""
        base, at = self.base, place.row if self.column.form == "row" else place.instance
        if self.column.form == "run":
            base, at = place.starts[self.place], place.within
        return self.code.gep(base, [at], source_etype=self.single)

    def address(self, place: Place) -> Value:
        """Return the address of an instance's cell."""
        column = self.column
        if column.form == "uniform":
            return self.base
        if column.form == "affine":
            return self.strided(self.base, place.instance)
        if column.form == "run":
            return self.strided(place.starts[column.twin], place.within)
        return self.found(place, place.row if column.form == "row" else place.instance)

    def found(self, place: Place, at: Value) -> Value:
        """Return the address by a table, whose entry is read once for all columns that share it."""
        owner = self if self.twin is None else self.twin
        key = owner.place, 0
        if key not in place.seen:
            place.seen[key] = owner.index(at)
        return self.addressed(place.seen[key])

    def addressed(self, index: Value) -> Value:
        """Return the address of a cell that a table tells of."""
        address = self.code.gep(self.base, [index], source_etype=self.kind)
        if self.column.offset:
            address = self.code.gep(address, [I64(self.column.offset)], source_etype=self.kind)
        return address

    def start(self, place: Place) -> Value:
        """Return the address of the first cell, or constant, of a run."""
        kind = self.single if self.column.is_number else self.kind
        return self.code.gep(self.base, [self.index(place.row)], source_etype=kind)

    def strided(self, base: Value, count: Value) -> Value:
        """Return the address some strides further."""
        if self.column.stride != 1:
            count = self.code.mul(count, I64(self.column.stride))
        found = self.code.gep(base, [count], source_etype=self.kind)
        if self.column.offset:
            found = self.code.gep(found, [I64(self.column.offset)], source_etype=self.kind)
        return found

    def index(self, at: Value) -> Value:
        """Read the table."""
        kind = _INDEX[self.column.bits]
        place = self.code.gep(self.table, [at], source_etype=kind)
        return self.code.zext(self.code.load(place, typ=kind), I64)

    def read(self, address: Value) -> Value:
        """Read a cell; a boolean is a byte."""
        value = self.code.load(address, typ=self.kind, align=self.align)
        if self.column.type == "b":
            return self.code.icmp_unsigned("!=", value, Text(self.kind, _zero(self.cells)))
        return value

    def write(self, address: Value, value: Value) -> None:
        """Write a cell; a boolean becomes the byte 0 or 1."""
        if self.column.type == "b":
            value = self.code.zext(value, self.kind)
        self.code.store(value, address, align=self.align)

    def store(self, place: Place, value: Value) -> None:
        """Write the entry of an instance."""
        self.write(self.address(place), value)

    def store_several(self, place: Place, values: list[Value]) -> None:
        """Write the entry of an instance, and those of columns in the cells after it, as one."""
        vector = joined(self.code, ir.VectorType(self.kind, len(values)), values)
        self.code.store(vector, self.address(place), align=self.align)

    # vectors across instances

    def load_vector(self, place: Place) -> Value:
        """Read the entries of the instances from one on."""
        if self.wide is not None:
            return self.wide
        if self.place in place.fixed:
            return place.fixed[self.place]
        column, lanes = self.column, self.lanes
        if column.is_number:
            at = self.number_address(place)
            return self.code.load(at, typ=self.vector, align=ITEMSIZE[self.emitter.dtype])
        if column.form == "table":
            return self.gathered([self.lane(place, k) for k in range(lanes)])
        first = self.address(place)
        if column.stride == 1:
            return self.truth(self.code.load(first, typ=self.vector, align=self.align))
        if 1 < column.stride <= SHUFFLED:
            return self.truth(self.shuffled(first))
        steps = [I64(k * column.stride) for k in range(lanes)]
        return self.gathered([self.code.gep(first, [s], source_etype=self.kind) for s in steps])

    def store_vector(self, place: Place, value: Value) -> None:
        """Write the entries of the instances from one on."""
        code, column = self.code, self.column
        if column.form != "table" and column.stride == 1:
            if column.type == "b":
                value = code.zext(value, self.vector)
            code.store(value, self.address(place), align=self.align)
            return
        first = self.address(place) if column.form != "table" else None
        for k in range(self.lanes):
            if first is None:
                to = self.lane(place, k)
            else:
                to = code.gep(first, [I64(k * column.stride)], source_etype=self.kind)
            self.write(to, code.extract_element(value, I32(k)))

    def load_cells(self, place: Place, ahead: int) -> Value:
        """Read a vector of neighbouring cells, so many after the entry of an instance."""
        at = self.code.gep(self.address(place), [I64(ahead)], source_etype=self.kind)
        return self.code.load(at, typ=self.vector, align=self.align)

    def store_cells(self, place: Place, ahead: int, value: Value) -> None:
        """Write a vector of neighbouring cells, so many after the entry of an instance."""
        at = self.code.gep(self.address(place), [I64(ahead)], source_etype=self.kind)
        self.code.store(value, at, align=self.align)

    @property
    def lanes(self) -> int:
        """Return the instances of a vector."""
        assert self.vectors is not None
        return self.vectors.lanes

    @property
    def vector(self) -> Any:
        """Return the type of a vector of cells."""
        return ir.VectorType(self.kind, self.lanes)

    def truth(self, value: Value) -> Value:
        """Turn bytes into booleans."""
        if self.column.type != "b":
            return value
        return self.code.icmp_unsigned("!=", value, Text(value.type, "zeroinitializer"))

    def lane(self, place: Place, k: int) -> Value:
        """Return the address of an entry some instances further."""
        owner = self if self.twin is None else self.twin
        key = owner.place, k
        if key not in place.seen:
            place.seen.update(owner.indices(place.instance, k))
        return self.addressed(place.seen[key])

    def indices(self, at: Value, k: int) -> dict[tuple[int, int], Value]:
        """Read the word that the index so many entries further is in, and return all its indices.

        Taking a word apart leaves the load units to what the indices tell of.
        """
        code, bits = self.code, self.column.bits
        several = min(64 // bits, self.lanes)
        first = k - k % several
        place = code.gep(self.table, [code.add(at, I64(first))], source_etype=_INDEX[bits])
        kind = ir.IntType(bits * several)
        word = code.load(place, typ=kind, align=bits // 8)
        found = {}
        for number in range(several):
            part = code.lshr(word, kind(bits * number)) if number else word
            part = code.trunc(part, _INDEX[bits]) if several > 1 else part
            found[self.place, first + number] = code.zext(part, I64)
        return found

    def gathered(self, addresses: list[Value]) -> Value:
        """Put a vector together from cells."""
        entries = (self.code.load(at, typ=self.kind, align=self.align) for at in addresses)
        return self.truth(joined(self.code, self.vector, entries))

    def shuffled(self, first: Value) -> Value:
        """Read neighbouring vectors, none of them beyond the last entry, and pick from them."""
        code, lanes, stride = self.code, self.lanes, self.column.stride
        last = (lanes - 1) * stride + 1 - lanes
        parts = [
            code.load(
                code.gep(first, [I64(min(part * lanes, last))], source_etype=self.kind),
                typ=self.vector, align=self.align,
            )
            for part in range(stride)
        ]  # fmt: skip
        found = parts[0]
        for number in range(1, stride):
            begin = min(number * lanes, last)
            mask = []
            for k in range(lanes):
                at = k * stride
                owner = min(at // lanes, stride - 1)
                here = at if number == 1 else k  # the first vector's are not in their places yet
                mask.append(
                    here if owner < number else lanes + at - begin if owner == number else 0
                )
            found = code.shuffle_vector(found, parts[number], lane_mask(mask))
        return found


def spread(access: Access, value: Value) -> Value:
    """Return a vector with one number, or boolean, in each lane."""
    return _spread(access.code, value, access.lanes)


def joined(code: Scribe, kind: Any, entries: Iterable[Value]) -> Value:
    """Return a vector of a type with one entry in each lane."""
    vector: Value = Text(kind, "undef")
    for k, entry in enumerate(entries):
        vector = code.insert_element(vector, entry, I32(k))
    return vector


def _zero(cells: int) -> str:
    return "0" if cells == 1 else "zeroinitializer"


def lane_mask(lanes: list[int]) -> ir.Constant:
    """Return which lanes a shuffle picks."""
    return ir.Constant(ir.VectorType(I32, len(lanes)), [I32(k) for k in lanes])


def _spread(code: Scribe, value: Value, lanes: int) -> Value:
    """Return a vector with one number, or boolean, in each lane."""
    kind = ir.VectorType(I1 if value.type == I1 else value.type, lanes)
    single = code.insert_element(Text(kind, "undef"), value, I32(0))
    mask = lane_mask([0] * lanes)
    return code.shuffle_vector(single, Text(kind, "undef"), mask)
