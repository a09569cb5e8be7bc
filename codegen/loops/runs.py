"""Columns whose entries are affine, or numbers that repeat, in each of several long runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.loops.columns import Bound
from codegen.loops.repeats import Repeats, repeats_of

__all__ = ["Runs", "runs_of"]

type Index = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Where runs begin, and where the last one ends; and columns with an entry for each run."""

    starts: Index
    columns: tuple[Bound, ...]


def runs_of(columns: Sequence[Bound], number: int, lanes: int) -> Runs | None:
    """Return the runs, or None where columns need none or have none of two vectors or more."""
    most = number // (2 * lanes)
    found = [(at, way, own) for at, way, own in _ways(columns) if len(own) + 1 <= most]
    ways = {at: way for at, way, _ in found}
    breaks = np.unique(np.concatenate([np.zeros(0, np.int64), *(own for _, _, own in found)]))
    if not ways or len(breaks) + 1 > most:
        return None
    starts = np.concatenate([[0], breaks, [number]]).astype(np.int32)
    turned = tuple(_turned(bound, ways.get(at), starts[:-1]) for at, bound in enumerate(columns))
    return Runs(starts, turned)


def _ways(columns: Sequence[Bound]) -> Iterator[tuple[int, int | Repeats, Index]]:
    """Yield tables that may do with an entry for a run: a stride or a period, and the breaks."""
    for at, bound in enumerate(columns):
        if bound.column.form != "table":
            continue
        if not bound.column.is_number:
            steps = np.diff(bound.value.astype(np.int64))
            stride = int(np.median(steps)) if len(steps) else 0
            yield at, stride, np.flatnonzero(steps != stride) + 1
            continue
        found = repeats_of(bound.value)
        if found is not None:
            yield at, found, found.starts[1:]


def _turned(bound: Bound, way: int | Repeats | None, firsts: Index) -> Bound:
    """Return a column of runs that begin at these instances."""
    column, value = bound.column, bound.value
    if isinstance(way, int):
        column = replace(column, form="run", stride=way, bits=32)
        return Bound(column, bound.slot, value[firsts].astype(np.int32))
    if column.is_number and column.form == "table" and value.is_constant_within(firsts):
        return Bound(replace(column, form="row"), 0, value.at(firsts))
    if way is not None:
        column = replace(column, form="run", stride=1, bits=32)
        return Bound(column, 0, way.kept, way.at(firsts).astype(np.int32))
    return bound
