"""What became loops, what straight-line code, and why: for reports, and to choose by."""

from dataclasses import dataclass
from typing import Final

from codegen.loops.partition import LEAST, WORTH
from codegen.loops.program import WORK, Map, Reduce, Rolled, Scatter, Step, Zero, count
from codegen.program import Program

__all__ = ["Summary", "summary"]

SMALL: Final = 500
"""Straight-line code of no more operations is one function that fits caches, and compiles soon."""
LARGE: Final = 2_000
"""Straight-line code of more operations must be cut into pieces, whatever its shapes."""
GAIN: Final = 4
"""Loops are worth their tables where code becomes so many times smaller."""


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a rolled program; operations are those of one evaluation, without loads."""

    steps: int
    shapes: int
    """Different bodies of loops."""
    loops: int
    """Steps that are loops: over instances, over summands, or scattering them."""
    instances: int
    """What loops run over, all together."""
    looped: int
    """Operations in loops."""
    pieces: int
    """Steps that are straight-line code."""
    straight: int
    """Operations in straight-line code."""
    copied: int
    """Results that are arguments, constants or other results."""
    code: int
    """Operations that are written as code: those of each body once."""
    cells: int
    """Work cells."""

    @property
    def operations(self) -> int:
        """Operations of one evaluation."""
        return self.looped + self.straight

    @property
    def worth_rolling(self) -> bool:
        """Whether loops beat one straight-line function for one point at a time."""
        if self.operations + self.copied > LARGE:  # a copy is a store
            return True
        return self.operations > SMALL and GAIN * self.code <= self.operations

    def __str__(self) -> str:
        """Say it in three sentences."""
        share = round(100 * self.looped / max(1, self.operations))
        text = (
            f"{self.loops} loops over {self.instances} instances of {self.shapes} shapes do "
            f"{share}% of {self.operations} operations. "
        )
        if self.pieces:
            text += (
                f"{self.straight} operations are straight-line code in {self.pieces} pieces: their "
                f"shapes have fewer than {LEAST} instances, weigh less than {WORTH} operations "
                "together, or are ready a few at a time. "
            )
        return text + (
            f"{self.code} operations are written as code, {self.cells} values are kept between "
            f"{self.steps} steps, and {self.copied} results are copies."
        )


def summary(program: Rolled) -> Summary:
    """Count what a program does in loops, and what in straight-line code."""
    bodies: dict[int, Program] = {}
    loops = instances = looped = pieces = straight = copied = code = 0
    for step in program.steps:
        if isinstance(step, Zero):
            continue
        size, times = _size(step.body), count(step)
        if size == 0 and isinstance(step, Map) and not _works(step):
            copied += times
        elif isinstance(step, Map) and times == 1:
            pieces, straight, code = pieces + 1, straight + size, code + size
        else:
            loops, instances = loops + 1, instances + times
            looped += times * (size + _sums(step))
            bodies[id(step.body)] = step.body
    code += sum(map(_size, bodies.values()))
    return Summary(
        len(program.steps), len(bodies), loops, instances, looped, pieces, straight, copied, code,
        program.work,
    )  # fmt: skip


def _size(body: Program) -> int:
    return sum(i.op not in ("load", "const") for i in body.instructions)


def _sums(step: Step) -> int:
    """Return how many additions a step does for each of its instances."""
    return len(step.results) if isinstance(step, Scatter) else int(isinstance(step, Reduce))


def _works(step: Map) -> bool:
    """Tell whether a step writes to work cells."""
    return any(cells.segment == WORK for cells in step.results)
