"""The windows of a program by their shapes, and which shapes share an e-graph."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from rewrite import ops
from rewrite.deadline import look
from rewrite.egraph.plan import Plan
from rewrite.polynomials.contracting import PLAIN
from strategies.windows.binary import Program
from strategies.windows.cut import Window
from strategies.windows.shape import Shape, shape_of

__all__ = ["Group", "Kind", "divisions_by_zero", "grouped", "kinds_of"]

BATCH_ROWS: Final = 6000
"""So many rows of distinct shapes share an e-graph."""
SUSPECT_ROWS: Final = 100
"""So many rows of those in which something has no value."""
SAMPLED: Final = 4
"""At the values of so many windows of a shape its forms are judged."""

_SINGLE: Final = frozenset({ops.ADD.code, ops.SUB.code, ops.MUL.code})

type Group = tuple[list[str], Plan | None]
"""Keys of shapes that share an e-graph, and what runs on it where that is given."""


@dataclass
class Kind:
    """A shape and the windows that have it."""

    shape: Shape
    windows: list[int] = field(default_factory=list)
    leaves: list[tuple[int, ...]] = field(default_factory=list)
    suspect: bool = False
    """Whether something in it has no value: that may contradict itself."""

    @property
    def sampled(self) -> list[tuple[int, ...]]:
        """The leaves of those windows at whose values it is judged."""
        return self.leaves[:: max(1, -(-len(self.leaves) // SAMPLED))]


def kinds_of(
    program: Program, windows: Sequence[Window], suspects: set[int], zero: set[int], *,
    plain: bool = True,
) -> dict[str, Kind]:  # fmt: skip
    """Group windows by shape, without `plain` only those that are not sums and products alone.

    Suspects are positions that have no value, `zero` those that divide by it.

    Windows that are as cheap as they can be are left out, and those that divide by zero, as
    anything can be derived from that. Others do not look at such a division.
    """
    kinds: dict[str, Kind] = {}
    for number, window in enumerate(windows):
        look()
        if _cheapest(program, window) or not zero.isdisjoint(window.nodes):
            continue
        if not plain and all(program.code[at] in PLAIN for at in window.nodes):
            continue
        if not zero.isdisjoint(window.context):
            window = replace(window, context=(), given=())
        shape, leaves = shape_of(program, window)
        kind = kinds.setdefault(shape.key, Kind(shape))
        kind.windows.append(number)
        kind.leaves.append(leaves)
        kind.suspect |= not suspects.isdisjoint((*window.nodes, *window.context))
    return kinds


def divisions_by_zero(program: Program) -> set[int]:
    """Return the positions that divide by what is known to be zero."""
    zero = [known.defined and known.low == known.high == 0 for known in program.known]
    return {
        at
        for at, (code, args) in enumerate(zip(program.code, program.args, strict=True))
        if code == ops.DIV.code and zero[args[1]]
    }


def _cheapest(program: Program, window: Window) -> bool:
    """Tell whether a window is one sum, difference or product of two values, neither known."""
    if len(window.nodes) != 1:
        return False
    (at,) = window.nodes
    one, *other = program.args[at]
    return (
        program.code[at] in _SINGLE
        and other != [one]
        and not any(program.constant[a] for a in (one, *other))
    )


def grouped(kinds: dict[str, Kind]) -> Iterator[list[str]]:
    """Share shapes out to e-graphs; one that contradicts itself spoils it for all others."""
    for suspect, most in ((False, BATCH_ROWS), (True, SUSPECT_ROWS)):
        group: list[str] = []
        size = 0
        for key, kind in kinds.items():
            if kind.suspect is suspect:
                group.append(key)
                size += len(kind.shape.rows)
                if size >= most:
                    yield group
                    group, size = [], 0
        if group:
            yield group
