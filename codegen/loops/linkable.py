"""Machine code of pieces as it can be kept: object files, and tables without addresses.

A piece reads words: numbers as they are, and addresses of tables. Kept are the place of each table
in one run of bytes, to which the address of that run is added where the code is loaded.
"""

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from codegen.engine import Library, load_library
from codegen.loops.driver import PieceRow
from codegen.loops.plan import Piece, Straight
from codegen.loops.program import Numbers
from codegen.target import Float, Target
from rewrite.parcel import Block, Parcel

__all__ = ["Compiled", "Part", "TableBytes", "owners_of", "packed", "placed", "rows_of"]

_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of a piece once it is code: its units, and what they take."""

    units: int
    serial: bool
    cycles: float
    batch_cycles: float


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """What the driver runs, and all memory that it points into."""

    rows: "ctypes.Array[PieceRow]"
    parts: tuple[Part, ...]
    work: int
    """Work cells."""
    kept: tuple[Any, ...]
    library: Library


def packed(work: int, found: Sequence[Piece], objects: Sequence[bytes], dtype: Float) -> Parcel:
    """Put together what is loaded of pieces: `piece<k>` is the code of the first that is equal."""
    tables = TableBytes()
    blocks = rows_of(found, dtype, tables)
    blocks["tables"] = np.frombuffer(tables.joined(), np.uint8)
    for number, code in enumerate(objects):
        blocks[f"object{number}"] = np.frombuffer(code, np.uint8)
    return Parcel({"work": work, "objects": len(objects)}, blocks)


def rows_of(found: Sequence[Piece], dtype: Float, tables: "TableBytes") -> dict[str, Block]:
    """Return what is kept of pieces by name, and put what they read among the tables."""
    counts, words, addressed = list[int](), list[int](), list[bool]()
    for piece in found:
        read = _words(piece, dtype, tables)
        counts.append(len(read))
        words += [word for word, _ in read]
        addressed += [address for _, address in read]
    return {
        "owners": np.array(owners_of(found), np.int32), "counts": np.array(counts, np.int32),
        "words": np.array(words, np.int64), "addressed": np.array(addressed, np.bool_),
        "units": np.array([piece.units for piece in found], np.int64),
        "serial": np.array([piece.serial for piece in found], np.bool_),
        "cycles": np.array([(p.cycles, p.batch_cycles) for p in found], float).reshape(-1, 2),
    }  # fmt: skip


def placed(parcel: Parcel, target: Target) -> Compiled:
    """Load the code into memory, and tell it where its tables are."""
    header, blocks = parcel.header, parcel.blocks
    objects = [blocks[f"object{number}"].tobytes() for number in range(header["objects"])]
    library = load_library(objects, target)
    room = np.empty(len(blocks["tables"]) + _LINE, np.uint8)
    tables = room[-room.ctypes.data % _LINE :][: len(blocks["tables"])]
    tables[:] = blocks["tables"]
    words = blocks["words"] + blocks["addressed"] * np.int64(tables.ctypes.data)
    starts = np.cumsum(blocks["counts"], dtype=np.int64) - blocks["counts"]
    owners, units = blocks["owners"].tolist(), blocks["units"].tolist()
    addresses = {owner: library.address(f"piece{owner}") for owner in set(owners)}
    rows = (PieceRow * max(len(owners), 1))()
    for number, (owner, start) in enumerate(zip(owners, starts.tolist(), strict=True)):
        rows[number] = PieceRow(
            addresses[owner], words.ctypes.data + start * words.itemsize, units[number]
        )
    parts = [
        Part(count, serial, *cycles)
        for count, serial, cycles in zip(
            units, blocks["serial"].tolist(), blocks["cycles"].tolist(), strict=True
        )
    ]
    return Compiled(rows, tuple(parts), header["work"], (tables, words), library)


def owners_of(found: Sequence[Piece]) -> list[int]:
    """Return whose code each piece has: that of the first that is equal."""
    first: dict[Any, int] = {}
    return [
        first.setdefault(number if isinstance(piece.code, Straight) else piece.code, number)
        for number, piece in enumerate(found)
    ]


@dataclass
class TableBytes:
    """Tables one after the other, each once and at the beginning of a cache line."""

    pieces: list[bytes] = field(default_factory=list)
    size: int = 0
    known: dict[int, tuple[int, Block]] = field(default_factory=dict)
    """By identity; the arrays are held, so that no other takes it."""
    places: dict[bytes, int] = field(default_factory=dict)
    """By digests of the contents."""

    def place(self, table: Block) -> int:
        """Return where a table begins."""
        if id(table) not in self.known:
            data = np.ascontiguousarray(table).tobytes()
            key = hashlib.blake2b(data, digest_size=16).digest()
            if key not in self.places:
                padding = -len(data) % _LINE
                self.places[key] = self.size
                self.pieces += [data, bytes(padding)]
                self.size += len(data) + padding
            self.known[id(table)] = self.places[key], table
        return self.known[id(table)][0]

    def joined(self) -> bytes:
        """Return the bytes of all."""
        return b"".join(self.pieces)


def _words(piece: Piece, dtype: Float, tables: TableBytes) -> list[tuple[int, bool]]:
    """List what a piece reads, and which words are places of tables; a zero ends them."""
    words = [(tables.place(extra), True) for extra in piece.extras]
    for bound in piece.columns:
        value = bound.value
        if isinstance(value, Numbers):
            value = value.f64 if dtype == "f64" else value.f32
        starts = bound.starts
        words.append((bound.slot, False) if starts is None else (tables.place(starts), True))
        words.append((value, False) if isinstance(value, int) else (tables.place(value), True))
    return [*words, (0, False)]
