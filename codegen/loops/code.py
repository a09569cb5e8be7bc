"""Machine code of a list of pieces: modules of bounded size, and the tables that pieces read."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from llvmlite import ir

from codegen.engine import Library, load_library, object_code
from codegen.loops.costs import Costs
from codegen.loops.driver import PieceRow
from codegen.loops.emit import emit_loop
from codegen.loops.plan import Piece, Shape, Straight, pieces
from codegen.loops.program import Numbers, Rolled
from codegen.loops.reshape import reshaped
from codegen.loops.straight import emit_straight
from codegen.target import Float, Target

__all__ = ["Compiled", "compile_pieces", "modules", "planned", "prepared"]

_MODULE: Final = 4000
"""Instructions of a module, roughly."""
_COLD: Final = 2000
"""Straight-line instructions from which on code is fetched more slowly than it runs: LLVM's
quickest way to emit it is a tenth slower then, and four times quicker to emit."""


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """What the driver runs, and all memory that it points into."""

    rows: "ctypes.Array[PieceRow]"
    pieces: tuple[Piece, ...]
    kept: tuple[Any, ...]
    library: Library


def planned(program: Rolled, dtype: Float, target: Target, *, batch: bool) -> list[Piece]:
    """Choose the pieces of a program on a target."""
    return prepared(program, dtype, target, batch=batch)[1]


def prepared(
    program: Rolled, dtype: Float, target: Target, *, batch: bool
) -> tuple[int, list[Piece]]:
    """Return how many work cells there are, and the pieces of a program on a target."""
    costs = Costs(target, dtype)
    whole = reshaped(program, costs, batch=batch)
    return whole.work, pieces(whole, costs, batch=batch)


def modules(
    found: Sequence[Piece], dtype: Float, target: Target, *, batch: bool
) -> Iterator[tuple[str, int, list[int]]]:
    """Yield LLVM modules: their text, the level to emit them at, and whose functions they hold.

    The function of piece k is `piece<k>`; equal ones have that of the first.
    """
    long = sum(_size(piece) for piece in found if isinstance(piece.code, Straight))
    level = 0 if long > _COLD else 1
    seen: set[Shape] = set()
    loops, straight = [], []
    for number, piece in enumerate(found):
        if isinstance(piece.code, Straight):
            straight.append(number)
        elif piece.code not in seen:
            seen.add(piece.code)
            loops.append(number)
    for chosen in _shares(found, loops):
        yield _module(found, chosen, dtype, target, batch), 1, chosen
    for chosen in _shares(found, straight):
        yield _module(found, chosen, dtype, target, batch), level, chosen


def _size(piece: Piece) -> int:
    if isinstance(piece.code, Straight):
        return sum(len(i.body.instructions) for i in piece.code.instances)
    return 20 + 5 * len(piece.code.body.instructions)


def _shares(found: Sequence[Piece], numbers: list[int]) -> Iterator[list[int]]:
    chosen: list[int] = []
    total = 0
    for number in numbers:
        chosen.append(number)
        total += _size(found[number])
        if total > _MODULE:
            yield chosen
            chosen, total = [], 0
    if chosen:
        yield chosen


def _module(
    found: Sequence[Piece], numbers: list[int], dtype: Float, target: Target, batch: bool
) -> str:
    module = ir.Module(name="pieces")
    module.triple = target.triple
    texts = []
    for number in numbers:
        code, name = found[number].code, f"piece{number}"
        if isinstance(code, Straight):
            texts.append(emit_straight(module, code, name, dtype, target, batch=batch))
        else:
            emit_loop(module, code, name, dtype, target, batch=batch)
    return "\n".join([str(module), *texts])


def compile_pieces(
    found: Sequence[Piece], dtype: Float, target: Target, *, batch: bool
) -> Compiled:
    """Compile pieces and write down the tables that they read."""
    objects = [
        object_code(text, target, opt=level)
        for text, level, _ in modules(found, dtype, target, batch=batch)
    ]
    library = load_library(objects, target)
    first: dict[Any, int] = {}
    kept: list[Any] = []
    rows = (PieceRow * max(len(found), 1))()
    for number, piece in enumerate(found):
        owner = first.setdefault(_key(piece, number), number)
        words = _words(piece, dtype, kept)
        rows[number] = PieceRow(library.address(f"piece{owner}"), words, piece.units)
    return Compiled(rows, tuple(found), tuple(kept), library)


def _key(piece: Piece, number: int) -> Any:
    return number if isinstance(piece.code, Straight) else piece.code


def _words(piece: Piece, dtype: Float, kept: list[Any]) -> int:
    """Write what a piece reads: addresses of tables, slots of segments, cells."""
    words = [_address(extra, kept) for extra in piece.extras]
    for bound in piece.columns:
        value = bound.value
        if isinstance(value, Numbers):
            value = value.f64 if dtype == "f64" else value.f32
        words.append(bound.slot)
        words.append(value if isinstance(value, int) else _address(value, kept))
    made = np.array([*words, 0], np.int64)
    return _address(made, kept)


def _address(array: "np.ndarray[Any, Any]", kept: list[Any]) -> int:
    kept.append(array)
    return int(array.ctypes.data)
