"""Maps whose results lie between each other's, done as one: what they read is read once.

Where a few cells in each period of memory are written by several steps, as the entries of a sparse
Jacobian are, one step goes over the periods and writes all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.instruction import Argument, Instruction, Output
from codegen.loops.program import Cells, Map, Numbers, Operand, count
from codegen.program import Program

__all__ = ["together"]

_MOST: Final = 16
"""Results of a period: their values have to be held in registers."""

type Index = npt.NDArray[Any]


def together(steps: Sequence[Map]) -> list[Map]:
    """Join maps that read no results and write other cells each; bits stay the same."""
    groups: dict[tuple[int, int], list[_Group]] = {}
    rest: list[Map] = []
    for step in sorted(steps, key=count):
        if len({cells.segment for cells in step.results}) != 1:
            rest.append(step)
            continue
        segment, number = step.results[0].segment, count(step)
        for (other, periods), found in groups.items():
            if other == segment and number % periods == 0:
                parts = _parts(step, periods)
                joined = any(group.takes(parts) for group in found)
                if joined:
                    break
        else:
            groups.setdefault((segment, number), []).append(_Group([step]))
    return [group.step() for found in groups.values() for group in found] + rest


def _parts(step: Map, periods: int) -> list[Map]:
    """Take a map apart so that each part has an instance in each period."""
    width = count(step) // periods
    if width == 1:
        return [step]
    return [step.at(slice(part, None, width)) for part in range(min(width, _MOST + 1))]


@dataclass
class _Group:
    """Maps with an instance in each of the same periods."""

    members: list[Map]

    def takes(self, parts: Sequence[Map]) -> bool:
        """Add maps, if periods stay apart and in order."""
        members = [*self.members, *parts]
        index = np.stack([cells.index for step in members for cells in step.results])
        if len(index) > _MOST or (index.max(axis=0)[:-1] >= index.min(axis=0)[1:]).any():
            return False
        self.members = members
        return True

    def step(self) -> Map:
        """Return one map for all."""
        if len(self.members) == 1:
            return self.members[0]
        writer = _Writer()
        for step in self.members:
            writer.add(step)
        return writer.step()


class _Writer:
    """Writes the bodies of several maps one after the other."""

    def __init__(self) -> None:
        self.arguments: list[Argument] = []
        self.operands: list[Operand] = []
        self.instructions: list[Instruction] = []
        self.outputs: list[Output] = []
        self.results: list[Cells] = []
        self.known: dict[Any, int] = {}

    def step(self) -> Map:
        """Return the whole, with results in order of memory."""
        order = sorted(range(len(self.results)), key=lambda k: int(self.results[k].index[0]))
        outputs = tuple(self.outputs[k] for k in order)
        body = Program(tuple(self.arguments), tuple(self.instructions), outputs, "together")
        return Map(body, tuple(self.operands), tuple(self.results[k] for k in order))

    def add(self, step: Map) -> None:
        """Add a map; equal operands and equal values are taken once."""
        numbers = [
            self.argument(operand, argument)
            for operand, argument in zip(step.operands, step.body.arguments, strict=True)
        ]
        new: list[int] = []
        for this in step.body.instructions:
            payload = this.payload
            if isinstance(payload, tuple):
                payload = (numbers[payload[0]], 0)
            args = tuple(new[arg] for arg in this.args)
            new.append(self.instruction(replace(this, args=args, payload=payload)))
        for output, cells in zip(step.body.outputs, step.results, strict=True):
            self.outputs.append(Output(f"y{len(self.outputs)}", (new[output.values[0]],)))
            self.results.append(cells)

    def argument(self, operand: Operand, argument: Argument) -> int:
        """Return the number of an operand."""
        if isinstance(operand, Numbers):
            key: Any = operand.f64.tobytes(), operand.f32.tobytes()
        else:
            key = operand.segment, operand.index.tobytes()
        if key not in self.known:
            self.known[key] = len(self.arguments)
            self.arguments.append(replace(argument, name=f"x{len(self.arguments)}"))
            self.operands.append(operand)
        return self.known[key]

    def instruction(self, this: Instruction) -> int:
        """Return the number of a value; constants that differ in bits are equal: they stay."""
        key = (this.op, this.args, this.payload)
        if this.op == "const" or key not in self.known:
            self.instructions.append(this)
            self.known[key] = len(self.instructions) - 1
        return self.known[key]
