"""Constants between the results of a map, written along with them: memory is gone over once.

The entries of a sparse Jacobian are constants for a large part. A step of their own would go over
all of the array, and bring in again what does not fit the first-level cache.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.instruction import Constant, Instruction, Output
from codegen.loops.program import Cells, Map, Numbers, Step, count
from codegen.program import Program

__all__ = ["paved"]

type Index = npt.NDArray[Any]

LARGE: Final = 3000
"""Cells from first to last that do not fit the first-level cache beside what is read."""
_SHARE: Final = 0.5
"""Of the instances that have the same constants around them."""
_WIDEST: Final = 24
"""Cells of an instance."""


def paved(steps: list[Any]) -> list[Any]:
    """Let maps write the constants between their results; bits stay the same.

    The steps read arguments only, write other cells each, and may come in any order.
    """
    for at, step in enumerate(steps):
        for other, constants in enumerate(steps):
            if at != other and _is_table(constants) and not _is_table(step):
                found = _paved(step, constants)
                if found is not None:
                    rest = [s for k, s in enumerate(steps) if k not in (at, other)]
                    return [*paved(rest), *found]
    return steps


def _is_table(step: Step) -> bool:
    """Tell whether a map copies numbers."""
    return (
        isinstance(step, Map) and len(step.results) == 1
        and [i.op for i in step.body.instructions] == ["load"]
        and isinstance(step.operands[0], Numbers)
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Constants by cell: which there are, and their places in the step."""

    first: int
    place: Index

    @classmethod
    def of(cls, cells: Index) -> "_Table":
        first = int(cells.min())
        place = np.full(int(cells.max()) - first + 1, -1)
        place[cells - first] = np.arange(len(cells))
        return cls(first, place)

    def at(self, cells: Index) -> Index:
        """Return places of cells, -1 where there is no constant."""
        inside = (cells >= self.first) & (cells < self.first + len(self.place))
        return np.where(inside, self.place[np.where(inside, cells - self.first, 0)], -1)


def _paved(step: Map, constants: Map) -> list[Map] | None:
    """Return the map with constants, and what is left of both; None where that is too much."""
    cells = np.stack([c.index for c in step.results]).astype(np.int64)
    segments = {c.segment for c in (*step.results, *constants.results)}
    if len(segments) != 1 or cells.max() - cells.min() < LARGE or cells.shape[1] < 2:
        return None
    stride = int(_middle(np.diff(cells[0])))
    shape = _middle(cells - cells[0])
    if not shape.max() - shape.min() < stride <= _WIDEST or len(shape) == stride:
        return None
    alike = ((cells - cells[0]) == shape[:, None]).all(axis=0)
    table = _Table.of(constants.results[0].index)
    numbers = constants.operands[0]
    assert isinstance(numbers, Numbers)
    best = max(
        _windows(cells[0], shape, stride, alike, table, numbers), key=lambda found: found[0].sum()
    )
    chosen, offsets, places = best
    if chosen.sum() < _SHARE * cells.shape[1]:
        return None
    made = _with_constants(step, chosen, offsets, numbers.at(places[:, np.argmax(chosen)]))
    taken = np.zeros(count(constants), np.bool_)
    taken[places[:, chosen]] = True
    left = [step.at(~chosen), constants.at(~taken)]
    return [made, *(part for part in left if count(part))]


def _windows(
    first: Index, shape: Index, stride: int, alike: Index, table: _Table, numbers: Numbers
) -> Iterator[tuple[Index, Index, Index]]:
    """Yield for each window around results: whose constants are the usual ones, and where."""
    bits = np.stack([numbers.f64.view(np.int64), numbers.f32.view(np.int32).astype(np.int64)])
    for low in range(int(shape.max()) + 1 - stride, int(shape.min()) + 1):
        offsets = np.setdiff1d(np.arange(low, low + stride), shape)
        places = table.at(first + offsets[:, None])
        there = alike & (places >= 0).all(axis=0)
        if not there.any():
            yield there, offsets, places
            continue
        values = bits[:, places]  # (2, offsets, instances)
        for one in np.flatnonzero(there)[np.array([1, 2, 3]) * (there.sum() - 1) // 4]:
            same = (values == values[:, :, one, None]).all(axis=(0, 1))
            yield there & same, offsets, places


def _middle(values: Index) -> Index:
    """Return what is in the middle of each sorted row: what most are, if most are equal."""
    return np.sort(values, axis=-1)[..., values.shape[-1] // 2]


def _with_constants(step: Map, chosen: Index, offsets: Index, numbers: Numbers) -> Map:
    """Return some instances of a map that write constants too, in the order of memory."""
    part, body = step.at(chosen), step.body
    instructions, outputs = list(body.instructions), list(body.outputs)
    results = list(part.results)
    first = results[0]
    for offset, f64, f32 in zip(offsets, numbers.f64, numbers.f32, strict=True):
        instructions.append(Instruction("const", (), "f", Constant(float(f64), float(f32))))
        outputs.append(Output(f"c{len(outputs)}", (len(instructions) - 1,)))
        results.append(Cells(first.segment, (first.index + offset).astype(np.int32)))
    order = sorted(range(len(results)), key=lambda k: int(results[k].index[0]))
    made = Program(
        body.arguments, tuple(instructions), tuple(outputs[k] for k in order), "paved"
    )  # fmt: skip
    return Map(made, part.operands, tuple(results[k] for k in order))
