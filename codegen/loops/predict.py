"""The cycles of a program of loops: its pieces' loops times their trips, and what memory moves.

As for other programs, the code is read as it was emitted, and run through the model of a core. A
point reads all tables once, and straight-line code too: both come from the level of the memory that
holds them together with the work cells. A batch reads them once for all points of a vector.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from codegen.engine import assembly
from codegen.loops.code import linkable_module, prepared, straight_level
from codegen.loops.linkable import TableBytes, owners_of, rows_of
from codegen.loops.loop import MOVED, least_points
from codegen.loops.plan import Piece, Straight
from codegen.loops.program import Rolled
from codegen.machine.code import loop
from codegen.machine.core import Core, Level
from codegen.machine.schedule import pressure, scheduled
from codegen.predict import SHARE, Prediction, called, decoder, described
from codegen.target import ITEMSIZE, Float, Target

__all__ = ["predict_rolled"]

_REPEATED: Final = 24
"""Trips of an inner loop that are run through the model one after the other."""
_CODE: Final = 9
"""Bytes of an instruction of straight-line code, roughly: places of cells are far apart."""
_FETCHED: Final = 2.3
"""A line of code takes so many times as long as one of data. Measured on Zen 4: 0.65 to 0.8 cycles
an instruction where 10,000 to 100,000 of them do not fit the first-level cache."""


def predict_rolled(
    program: Rolled, target: Target, *, dtype: Float = "f64", n: int = 1, core: Core | None = None
) -> Prediction:
    """Predict the cycles of a point where n are computed; see `codegen.predict.predict`.

    Raise `TargetError` for a CPU whose core is not described.
    """
    machine = core or described(target)
    work, found = prepared(program, dtype, target, batch=False)
    batch = n >= least_points(program, found, target.lanes(dtype))
    if batch:
        work, found = prepared(program, dtype, target, batch=True)
    points = min(n, target.lanes(dtype)) if batch else 1
    units = overlap = calls = 0.0
    code = 0
    level = straight_level(found)
    for same in _alike(found):
        for cycles, size in _cycles(same, target, dtype, machine, batch, level):
            units, overlap = units + cycles[0], overlap + cycles[1]
            calls, code = calls + cycles[2], code + size
    cells = sum(map(program.size, range(len(program.operands))))
    tables = TableBytes()
    rows_of(found, dtype, tables)
    width = ITEMSIZE[dtype] * (target.lanes(dtype) if batch else 1)
    fixed = tables.size + int(_FETCHED * code), work * width
    memory = _memory(program, dtype, machine, fixed, (n, points))
    packing = MOVED * cells if batch else 0.0
    return Prediction(
        units / points, overlap / points + packing, memory, calls / points, machine.name
    )  # fmt: skip


def _memory(
    program: Rolled, dtype: Float, core: Core, fixed: tuple[int, int], count: tuple[int, int]
) -> float:
    """Return the cycles a point that cache lines take.

    `fixed` are bytes of tables and code, and of work cells, which a run of so many `points` reads;
    `count` says how many points there are, and how many a run does.
    """
    tables, work = fixed
    n, points = count
    sizes = [ITEMSIZE[dtype] * program.size(k) for k in range(len(program.operands))]
    inputs = len(program.arguments)
    near = _level(core, tables + work + points * sum(sizes))
    far = _level(core, tables + work + n * sum(sizes))
    once = tables * near.read + work * near.write
    each = sum(sizes[:inputs]) * far.read + sum(sizes[inputs:]) * far.write
    return (once / points + each) / 64


def _level(core: Core, size: int) -> Level:
    return next(level for level in core.levels if size <= SHARE * level.size)


def _alike(found: Sequence[Piece]) -> list[list[Piece]]:
    """Put pieces together that share code."""
    groups: dict[int, list[Piece]] = defaultdict(list)
    for owner, piece in zip(owners_of(found), found, strict=True):
        groups[owner].append(piece)
    return list(groups.values())


def _cycles(
    same: Sequence[Piece], target: Target, dtype: Float, core: Core, batch: bool, level: int
) -> list[tuple[tuple[float, float, float], int]]:
    """Return what units need, with chains, and calls, of each piece; and bytes of code."""
    opt = level if isinstance(same[0].code, Straight) else 1
    text = assembly(linkable_module(same[:1], dtype, target, "piece", batch=batch), target, opt=opt)
    read = decoder(target)
    lanes = target.lanes(dtype)
    made = []
    known: dict[tuple[int, ...], Any] = {}
    for piece in same:
        passes, trips = _trips(piece, lanes)
        key = tuple(min(_REPEATED, max(1, round(trip))) for trip in trips)
        if key not in known:
            body = loop(text, "piece0", read, lanes, key)
            known[key] = body, _both(body.body, core), [_both(i, core) for i in body.inner]
        body, whole, inner = known[key]
        more = [trip - run for trip, run in zip(trips, key, strict=True)]
        units, overlap = (
            passes * (whole[k] + sum(m * i[k] for m, i in zip(more, inner, strict=False)))
            for k in range(2)
        )
        size = _CODE * len(body.body) if isinstance(piece.code, Straight) else 0
        made.append(((units, overlap, passes * called(body, target, core)), size))
    return made


def _both(body: Any, core: Core) -> tuple[float, float]:
    units = pressure(body, core)
    return units, max(units, scheduled(body, core))


def _trips(piece: Piece, lanes: int) -> tuple[float, tuple[float, ...]]:
    """Return how often the loop of a piece runs, and on average the loops inside it."""
    code, extras = piece.code, piece.extras
    if isinstance(code, Straight):
        return 1.0, ()
    if code.form == "lanes":
        return piece.units / lanes, ()
    if code.form == "runs":
        vectors = np.ceil(np.diff(extras[0]) / lanes)
        return float(piece.units), (float(vectors.mean()),)
    if code.form == "groups":
        shared, tails = extras[1], extras[2].reshape(-1, code.count)
        begun = 0 if code.adds else 1
        means = np.r_[(shared - begun).mean(), tails.mean(axis=0)]
        return float(piece.units), tuple(map(float, means))
    if code.form == "scatter_runs":
        return float(piece.units), tuple(float(extra.mean()) for extra in extras)
    return float(piece.units), ()
