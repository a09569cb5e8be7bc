"""A `Program` as arrays, and back: instructions become objects when they are looked at."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, cast, overload

import numpy as np
import numpy.typing as npt

from codegen.instruction import SIGNATURES, Argument, Constant, Instruction, Output, ValueType
from codegen.program import Program
from rewrite.contentcache import digest
from rewrite.parcel import Parcel

__all__ = ["Stored", "pack_program", "program_digest", "unpack_program"]

type Block = npt.NDArray[Any]

_OPS: Final = tuple(SIGNATURES)
_NUMBER: Final = {op: number for number, op in enumerate(_OPS)}
_LOAD, _CONST = _NUMBER["load"], _NUMBER["const"]
_TYPES: Final[tuple[ValueType, ...]] = ("f", "b")
_COLUMNS: Final = ("op", "type", "count", "args", "payload", "loads", "f64", "f32")


class Stored(Sequence[Instruction]):
    """Instructions of a verified program, which stand in for its tuple."""

    verified: Final = True

    def __init__(self, columns: Mapping[str, Block]) -> None:
        self.columns = columns
        self._made: tuple[Instruction, ...] | None = None

    def __len__(self) -> int:
        """Count the instructions."""
        return len(self.columns["op"])

    @overload
    def __getitem__(self, index: int) -> Instruction: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Instruction, ...]: ...
    def __getitem__(self, index: int | slice) -> Instruction | tuple[Instruction, ...]:
        """Make one instruction, or those of a slice."""
        if self._made is None and isinstance(index, int):
            at = range(len(self))[index]
            return next(self._some(slice(at, at + 1)))
        return self._all()[index]

    def __iter__(self) -> Iterator[Instruction]:
        """Make all instructions, once."""
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        """Compare with instructions in any sequence."""
        if not isinstance(other, (tuple, Stored)):
            return NotImplemented
        return self._all() == (other if isinstance(other, tuple) else other._all())

    def __hash__(self) -> int:
        """Hash as the tuple does."""
        return hash(self._all())

    def __repr__(self) -> str:
        """Show the tuple."""
        return repr(self._all())

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the tuple."""
        return tuple, (self._all(),)

    def _all(self) -> tuple[Instruction, ...]:
        if self._made is None:
            self._made = tuple(self._some(slice(0, len(self))))
        return self._made

    def _some(self, which: slice) -> Iterator[Instruction]:
        c = self.columns
        counts = c["count"][which]
        end = int(c["count"][: which.start].sum(dtype=np.int64))
        args = c["args"][end : end + int(counts.sum(dtype=np.int64))].tolist()
        end = 0
        loads, constants = self._payloads(which)
        for op, kind, count, payload in zip(
            c["op"][which].tolist(), c["type"][which].tolist(), counts.tolist(),
            c["payload"][which].tolist(), strict=True,
        ):  # fmt: skip
            start, end = end, end + count
            held: Any = None
            if op == _LOAD:
                held = next(loads)
            elif op == _CONST:
                held = bool(payload) if kind else next(constants)
            yield Instruction(_OPS[op], tuple(args[start:end]), _TYPES[kind], held)

    def _payloads(self, which: slice) -> tuple[Iterator[Any], Iterator[Constant]]:
        """Return what loads and constants of the float type hold, in their order."""
        c = self.columns
        op, payload = c["op"][which], c["payload"][which]
        floats = payload[(op == _CONST) & (c["type"][which] == 0)]
        loads = map(tuple, c["loads"][payload[op == _LOAD]].tolist())
        return loads, map(Constant, c["f64"][floats].tolist(), c["f32"][floats].tolist())


def pack_program(program: Program) -> Parcel:
    """Write a verified program as a header and columns; one that has loops as its text."""
    if program.steps:
        return Parcel({"text": str(program)}, {})
    instructions: Any = program.instructions
    header = {
        "name": program.name,
        "arguments": [[a.name, list(a.shape), a.type] for a in program.arguments],
        "outputs": [[o.name, list(o.shape)] for o in program.outputs],
    }
    held = instructions.columns if isinstance(instructions, Stored) else _columns(instructions)
    values = list(chain.from_iterable(output.values for output in program.outputs))
    return Parcel(header, {**held, "values": np.array(values, np.int32)})


def _columns(instructions: Sequence[Instruction]) -> dict[str, Block]:
    loads: list[tuple[int, int]] = []
    f64: list[float] = []
    f32: list[float] = []
    payload = []
    for this in instructions:
        held = this.payload
        at = -1
        if isinstance(held, tuple):
            at = len(loads)
            loads.append(held)
        elif isinstance(held, bool):
            at = int(held)
        elif isinstance(held, Constant):
            at = len(f64)
            f64.append(held.f64)
            f32.append(held.f32)
        payload.append(at)
    args = list(chain.from_iterable([i.args for i in instructions]))
    return {
        "op": np.array([_NUMBER[i.op] for i in instructions], np.uint8),
        "type": np.array([i.type == "b" for i in instructions], np.uint8),
        "count": np.array([len(i.args) for i in instructions], np.uint8),
        "args": np.array(args, np.int32),
        "payload": np.array(payload, np.int32),
        "loads": np.array(loads, np.int32).reshape(-1, 2),
        "f64": np.array(f64, np.float64),
        "f32": np.array(f32, np.float32),
    }


def unpack_program(header: Mapping[str, Any], blocks: Mapping[str, Block]) -> Program:
    """Read a program that was verified before it was packed."""
    if "text" in header:
        return Program.parse(header["text"])
    arguments = tuple(
        Argument(name, tuple(shape), kind) for name, shape, kind in header["arguments"]
    )
    values = blocks["values"].tolist()
    outputs, at = [], 0
    for name, shape in header["outputs"]:
        size = int(np.prod(shape, dtype=np.int64))
        outputs.append(Output(name, tuple(values[at : at + size]), tuple(shape)))
        at += size
    stored = Stored({name: blocks[name] for name in _COLUMNS})
    instructions = cast("tuple[Instruction, ...]", stored)
    return Program(arguments, instructions, tuple(outputs), header["name"])


def program_digest(program: Program) -> str:
    """Return a digest of all that the code of a program depends on."""
    parcel = pack_program(program)
    if not parcel.blocks:
        return digest(repr(parcel.header))
    blocks = [
        part
        for name in (*_COLUMNS, "values")
        for part in (name, np.ascontiguousarray(parcel.blocks[name]).tobytes())
    ]
    return digest(repr(parcel.header), *blocks)
