"""What the driver of an exported program of loops reads: tables, pieces and operands as constants.

All float types, targets, points and batches share one run of tables. Scratch memory waits for the
next call, as in Python; it is given back when the program ends or the library is closed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from codegen.llvm.entry import data_name
from codegen.loops.code import linkable_module, prepared
from codegen.loops.driver import OperandEntry, RolledData
from codegen.loops.linkable import TableBytes, rows_of
from codegen.loops.loop import add_work, describe, weigh_blocks
from codegen.loops.program import Rolled
from codegen.target import Float, Target

__all__ = ["TableTexts"]

_ROW: Final = "{ ptr, ptr, i64 }"
_ENTRY: Final = f"[{len(OperandEntry._fields_)} x i64]"
_POINTERS: Final = ("pieces", "batch_pieces", "prepare", "operands")
_SCRATCH: Final = ("scratch", "batch_scratch")
_FIELDS: Final = [field[0] for field in RolledData._fields_]
_DATA: Final = ", ".join("ptr" if name in _POINTERS else "i64" for name in _FIELDS)


@dataclass
class TableTexts:
    """LLVM modules of a program of loops: its pieces for each float type and target, and data."""

    program: Rolled
    tables: TableBytes = field(default_factory=TableBytes)
    scratch: int = 0
    """Bytes that calls keep, at most, for each float type."""

    def texts(self, dtypes: Sequence[Float], targets: Sequence[Target]) -> Iterator[str]:
        """Yield the modules; the last one holds the data."""
        lines = list[str]()
        for dtype in dtypes:
            for target in targets:
                yield from self._code(dtype, target, lines)
        data = [data_name(dtype, target) for dtype in dtypes for target in targets]
        text = "".join(f"\\{byte:02x}" for byte in self.tables.joined())
        size = self.tables.size
        lines.append(f'@tables = constant [{size} x i8] c"{text}", align 64')
        if "linux" in targets[-1].triple:
            lines += _release(data)
        yield "\n".join([f'target triple = "{targets[-1].triple}"', *lines, ""])

    def _code(self, dtype: Float, target: Target, lines: list[str]) -> Iterator[str]:
        """Yield the code for a point and for a batch, and write what the driver reads of it."""
        name = data_name(dtype, target)
        data, given = RolledData(), dict[str, str]()
        table = describe(self.program, dtype, target.lanes(dtype), data)
        for batch, prefix in ((False, ""), (True, "batch_")):
            work, found = prepared(self.program, dtype, target, batch=batch)
            add_work(data, work, dtype, batch=batch)
            stem = f"{prefix}piece.{dtype}.{target.name}."
            yield linkable_module(found, dtype, target, stem, batch=batch)
            blocks = rows_of(found, dtype, self.tables)
            given[f"{prefix}pieces"] = f"@{prefix}rows.{name}"
            lines += _rows(f"{prefix}rows.{name}", f"{prefix}words.{name}", stem, blocks)
            if batch:
                data.batch_count = len(found)
            else:
                data.count = len(found)
                weigh_blocks(self.program, found, data)
        entries = [[getattr(row, f[0]) for f in OperandEntry._fields_] for row in table]
        lines.append(_array(f"operands.{name}", _ENTRY, [_array_of(row) for row in entries]))
        given["operands"] = f"@operands.{name}"
        lines.append(f"@{name} = global {{ {_DATA} }} {{ {_fields(data, given)} }}, align 64")
        self.scratch = max(self.scratch, data.bytes + data.batch_bytes)


def _rows(name: str, words: str, stem: str, blocks: Mapping[str, Any]) -> Iterator[str]:
    """Write the words that pieces read, and the rows of the driver."""
    pairs = zip(blocks["words"].tolist(), blocks["addressed"].tolist(), strict=True)
    yield _array(words, "i64", [_address(word) if there else str(word) for word, there in pairs])
    rows, start = [], 0
    owners, counts, units = (blocks[part].tolist() for part in ("owners", "counts", "units"))
    for owner, count, number in zip(owners, counts, units, strict=True):
        place = f"ptr getelementptr (i64, ptr @{words}, i64 {start})"
        rows.append(f'{{ ptr @"{stem}{owner}", {place}, i64 {number} }}')
        start += count
    yield _array(name, _ROW, rows)
    yield from (
        f'declare void @"{stem}{owner}"(ptr, ptr, i64, i64)' for owner in sorted(set(owners))
    )


def _address(offset: int) -> str:
    return f"ptrtoint (ptr getelementptr (i8, ptr @tables, i64 {offset}) to i64)"


def _array(name: str, kind: str, values: Sequence[str]) -> str:
    return f"@{name} = constant [{len(values)} x {kind}] {_listed(kind, values)}, align 8"


def _array_of(numbers: Sequence[int]) -> str:
    return _listed("i64", [str(number) for number in numbers])


def _listed(kind: str, values: Sequence[str]) -> str:
    return f"[{', '.join(f'{kind} {value}' for value in values)}]" if values else "zeroinitializer"


def _fields(data: RolledData, given: Mapping[str, str]) -> str:
    parts = []
    for name in _FIELDS:
        if name in _POINTERS:
            parts.append(f"ptr {given.get(name, 'null')}")
        else:
            parts.append(f"i64 {getattr(data, name) or 0}")
    return ", ".join(parts)


def _release(data: Sequence[str]) -> Iterator[str]:
    """Write what gives memory back at the end: that which a call has at the moment stays there."""
    yield "declare void @free(ptr)"
    yield "define void @release() {"
    for number, (name, part) in enumerate((name, part) for name in data for part in _SCRATCH):
        at = f"getelementptr ({{ {_DATA} }}, ptr @{name}, i32 0, i32 {_FIELDS.index(part)})"
        yield f"  %held{number} = atomicrmw xchg ptr {at}, i64 0 acquire"
        yield f"  %kept{number} = inttoptr i64 %held{number} to ptr"
        yield f"  call void @free(ptr %kept{number})"
    yield from ("  ret void", "}")
    yield '@finally = global [1 x ptr] [ptr @release], section ".fini_array", align 8'
