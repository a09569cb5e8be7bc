"""A `Rolled` program as arrays, and back: bodies once each, all tables of a type in one block."""

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast, overload

import numpy as np
import numpy.typing as npt

from codegen.instruction import Argument
from codegen.loops.program import (
    Cells,
    Map,
    Numbers,
    Operand,
    Reduce,
    Result,
    Rolled,
    Scatter,
    Step,
    Zero,
)
from codegen.program import Program
from codegen.store.columns import pack_program, program_digest, unpack_program
from rewrite.contentcache import digest
from rewrite.parcel import Parcel

__all__ = ["bodies_of", "pack_rolled", "rolled_digest", "unpack_rolled"]

type Block = npt.NDArray[Any]

_KINDS: Final = (Map, Reduce, Scatter, Zero)
_CONSTANTS: Final = -2
"""Stands where the segment of cells does."""


class _Writer:
    """Words that say what each step is, and the tables that they take from in turn."""

    def __init__(self) -> None:
        self.words: list[int] = []
        self.cells: list[Block] = []
        self.f64: list[Block] = []
        self.f32: list[Block] = []
        self.bodies: list[Program] = []
        self.known: dict[str, int] = {}
        self.seen: dict[int, int] = {}

    def step(self, step: Step) -> None:
        self.words.append(_KINDS.index(type(step)))
        if isinstance(step, Zero):
            self.operand(step.results)
            return
        self.words += [self.body(step.body), len(step.operands)]
        for operand in step.operands:
            self.operand(operand)
        if isinstance(step, Reduce):
            self.words += [len(step.bounds), int(step.adds)]
            self.cells.append(step.bounds)
            self.operand(step.results)
            return
        self.words.append(len(step.results))
        for cells in step.results:
            self.operand(cells)

    def operand(self, operand: Operand) -> None:
        if isinstance(operand, Cells):
            self.words += [operand.segment, len(operand.index)]
            self.cells.append(operand.index)
        else:
            self.words += [_CONSTANTS, len(operand.f64)]
            self.f64.append(operand.f64)
            self.f32.append(operand.f32)

    def body(self, body: Program) -> int:
        number = self.seen.get(id(body))
        if number is None:
            number = self.known.setdefault(program_digest(body), len(self.bodies))
            if number == len(self.bodies):
                self.bodies.append(body)
            self.seen[id(body)] = number
        return number


class _Reader:
    """Takes from the words and tables what was written, in the same order."""

    def __init__(self, blocks: Mapping[str, Block], bodies: list[Program]) -> None:
        self.blocks, self.bodies = blocks, bodies
        self.words = iter(blocks["words"].tolist())
        self.at = dict.fromkeys(("cells", "f64", "f32"), 0)

    def take(self, name: str, length: int) -> Block:
        start = self.at[name]
        self.at[name] = start + length
        return self.blocks[name][start : start + length]

    def step(self) -> Step:
        kind = _KINDS[next(self.words)]
        if kind is Zero:
            return Zero(self.cells())
        body = self.bodies[next(self.words)]
        operands = tuple([self.operand() for _ in range(next(self.words))])
        if kind is Reduce:
            length, adds = next(self.words), bool(next(self.words))
            bounds = self.take("cells", length)
            return Reduce(body, operands, bounds, self.cells(), adds)
        results = tuple([self.cells() for _ in range(next(self.words))])
        return Map(body, operands, results) if kind is Map else Scatter(body, operands, results)

    def operand(self) -> Operand:
        segment, length = next(self.words), next(self.words)
        if segment == _CONSTANTS:
            return Numbers(self.take("f64", length), self.take("f32", length))
        return Cells(segment, self.take("cells", length))

    def cells(self) -> Cells:
        found = self.operand()
        assert isinstance(found, Cells)
        return found


class _Steps(Sequence[Step]):
    """Steps of a verified program, which stand in for its tuple and are read when looked at."""

    verified: Final = True

    def __init__(self, length: int, digest: str, read: Callable[[], tuple[Step, ...]]) -> None:
        self.length, self.digest, self.read = length, digest, read
        self._made: tuple[Step, ...] | None = None

    def __len__(self) -> int:
        """Count the steps."""
        return self.length

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Step, ...]: ...
    def __getitem__(self, index: int | slice) -> Step | tuple[Step, ...]:
        """Read all, and return one or those of a slice."""
        if self._made is None:
            self._made = self.read()
        return self._made[index]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle as the tuple."""
        return tuple, (self[:],)


def pack_rolled(program: Rolled) -> Parcel:
    """Write a verified program of loops, with its digest."""
    made, _PACKED[:] = _PACKED[:], []
    if made and made[0]() is program:
        known: Parcel = made[1]
        return known
    parcel = _packed(program)
    return Parcel({**parcel.header, "digest": _digest(parcel)}, parcel.blocks)


_PACKED: Final[list[Any]] = []
"""The program whose digest was asked for last, weakly, and what it is as arrays: it is written next
where it is kept, which takes that."""


def _forget(program: Any) -> None:
    if _PACKED and _PACKED[0] is program:
        _PACKED.clear()


def _packed(program: Rolled) -> Parcel:
    writer = _Writer()
    for step in program.steps:
        writer.step(step)
    bodies = [pack_program(body) for body in writer.bodies]
    header = {
        "name": program.name,
        "arguments": [[a.name, list(a.shape), a.type] for a in program.arguments],
        "outputs": [[o.name, list(o.shape), o.type] for o in program.outputs],
        "work": program.work,
        "elementwise": program.is_elementwise,
        "steps": len(program.steps),
        "bodies": [body.header for body in bodies],
    }
    blocks = {
        "words": np.array(writer.words, np.int64),
        "cells": _joined(writer.cells, np.int32),
        "f64": _joined(writer.f64, np.float64),
        "f32": _joined(writer.f32, np.float32),
    }
    for number, body in enumerate(bodies):
        blocks |= {f"{number}.{name}": block for name, block in body.blocks.items()}
    return Parcel(header, blocks)


def rolled_digest(program: Rolled) -> str:
    """Return a digest of all that the code of a program depends on."""
    steps: Any = program.steps
    if isinstance(steps, _Steps):
        return steps.digest
    parcel = pack_rolled(program)
    _PACKED[:] = [weakref.ref(program, _forget), parcel]
    return str(parcel.header["digest"])


def _digest(parcel: Parcel) -> str:
    blocks = [
        part
        for name, block in parcel.blocks.items()
        for part in (name, np.ascontiguousarray(block).tobytes())
    ]
    return digest(repr(parcel.header), *blocks)


def _joined(parts: list[Block], dtype: type[np.generic]) -> Block:
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype)


def unpack_rolled(header: Mapping[str, Any], blocks: Mapping[str, Block]) -> Rolled:
    """Read a program of loops that was verified before it was packed; its tables are views."""

    def read() -> tuple[Step, ...]:
        reader = _Reader(blocks, bodies_of(header["bodies"], blocks))
        return tuple([reader.step() for _ in range(header["steps"])])

    return Rolled(
        tuple(Argument(name, tuple(shape), kind) for name, shape, kind in header["arguments"]),
        tuple(Result(name, tuple(shape), kind) for name, shape, kind in header["outputs"]),
        header["work"],
        cast("tuple[Step, ...]", _Steps(header["steps"], header["digest"], read)),
        header["name"],
        header["elementwise"],
    )


def bodies_of(headers: Sequence[Mapping[str, Any]], blocks: Mapping[str, Block]) -> list[Program]:
    """Read the bodies that steps count among."""
    parts: list[dict[str, Block]] = [{} for _ in headers]
    for name, block in blocks.items():
        number, dot, column = name.partition(".")
        if dot:
            parts[int(number)][column] = block
    return [unpack_program(header, part) for header, part in zip(headers, parts, strict=True)]
