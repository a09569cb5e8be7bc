"""In which order straight-line code computes values, and which of them wait in memory for a use."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from codegen.program import Program

__all__ = ["FAR", "Lives", "lives"]

FAR: Final = 12
"""Instructions after which a value is read from memory again: as many values, and the cells that
they are computed from, have registers on the machines that there are."""


@dataclass(frozen=True, slots=True)
class Lives:
    """The order of a body's values."""

    steps: list[int] = field(default_factory=list)
    """An instruction that is computed, or ~k where output k is written."""
    waits: set[int] = field(default_factory=set)
    """Numbers that have to be stored when they are computed: no cell holds them by the time that
    they are used again."""
    ends: dict[int, int] = field(default_factory=dict)
    """At which step a value is last used."""


def lives(body: Program, *, written: bool) -> Lives:
    """Return a body's lives; results may be read from their cells once they are `written`."""
    found = Lives(list(_depth_first(body)))
    last: dict[int, int] = {}
    there = set[int]()
    for place, step in enumerate(found.steps):
        used = body.instructions[step].args if step >= 0 else body.outputs[~step].values
        for at in used:
            if at not in last:
                continue  # a constant, or a cell
            far = place - last[at] > FAR and at not in there
            if far and body.instructions[at].type == "f":
                found.waits.add(at)
            last[at] = found.ends[at] = place
        if step >= 0:
            last[step] = place
        elif written:
            there.add(used[0])
    return found


def _depth_first(body: Program) -> Iterator[int]:
    """Yield what each output needs, just before it."""
    instructions = body.instructions
    done = {at for at, this in enumerate(instructions) if this.payload is not None}
    for number, output in enumerate(body.outputs):
        waiting = [output.values[0]]
        while waiting:
            at = waiting[-1]
            missing = [k for k in instructions[at].args if k not in done] if at not in done else []
            if missing:
                waiting += reversed(missing)
                continue
            waiting.pop()
            if at not in done:
                done.add(at)
                yield at
        yield ~number
