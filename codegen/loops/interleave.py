"""Neighbouring columns of one small stride: their cells are whole vectors, and shuffles.

Columns that together fill the cells of their stride, as the fields of a record do, are read and
written as contiguous vectors; lanes go from one order to the other in registers.
"""

from collections.abc import Sequence

from codegen.llvm.ops import Value
from codegen.loops.access import Access, Place, lane_mask

__all__ = ["load_block", "store_block"]


def load_block(block: Sequence[Access], place: Place) -> list[Value]:
    """Read the entries of the instances from one on, of each column."""
    first, stride, lanes = block[0], len(block), block[0].lanes
    parts = [first.load_cells(place, part * lanes) for part in range(stride)]
    cells = [[k * stride + field for k in range(lanes)] for field in range(stride)]
    return [_picked(first, parts, [divmod(c, lanes) for c in chosen]) for chosen in cells]


def store_block(block: Sequence[Access], place: Place, values: Sequence[Value]) -> None:
    """Write the entries of the instances from one on, of each column."""
    first, stride, lanes = block[0], len(block), block[0].lanes
    for part in range(stride):
        cells = range(part * lanes, (part + 1) * lanes)
        owners = [(cell % stride, cell // stride) for cell in cells]
        first.store_cells(place, part * lanes, _picked(first, values, owners))


def _picked(access: Access, vectors: Sequence[Value], owners: list[tuple[int, int]]) -> Value:
    """Return a vector whose lanes are lanes of several: (which vector, which lane of it)."""
    lanes = access.lanes
    found = vectors[0]
    for number in range(1, len(vectors)):
        mask = []
        for k, (owner, lane) in enumerate(owners):
            here = lane if number == 1 and owner == 0 else k  # the rest is in its place, or later
            mask.append(lanes + lane if owner == number else here)
        found = access.code.shuffle_vector(found, vectors[number], lane_mask(mask))
    return found
