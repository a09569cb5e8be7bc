"""Steps instance by instance: what straight-line code is written from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from codegen.loops.columns import slot
from codegen.loops.program import (
    Map,
    Numbers,
    Operand,
    Reduce,
    Rolled,
    Step,
    Zero,
    count,
    results_of,
)
from codegen.program import Program, ProgramBuilder

__all__ = ["ZERO", "Instance", "instances"]


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One instance of a body, whose cells are known."""

    body: Program
    operands: tuple[tuple[int, int] | tuple[float, float], ...]
    """(slot, cell), or a constant in float64 and float32."""
    results: tuple[tuple[int, int], ...]
    types: str
    """Value types of the results' cells."""
    adds: bool = False
    """Whether it adds to what the cells hold, one after the other."""


def instances(program: Rolled, step: Step) -> Iterator[Instance]:
    """Yield the instances of a step in order; the terms of a sum are added to its cell."""
    if isinstance(step, Zero):
        step = Map(ZERO, (), (step.results,))
    types = "".join(step.body.type_of(output) for output in step.body.outputs)
    cells = results_of(step)
    adds = np.full(count(step), not isinstance(step, Map))
    if isinstance(step, Reduce):
        rows = np.repeat(np.arange(len(step.bounds) - 1), np.diff(step.bounds))
        cells = (step.results.at(rows),)
        adds[step.bounds[:-1]] = step.adds
    for k in range(count(step)):
        operands = tuple(_entry(program, operand, k) for operand in step.operands)
        results = tuple((slot(program, c.segment), int(c.index[k])) for c in cells)
        yield Instance(step.body, operands, results, types, bool(adds[k]))


def _entry(program: Rolled, operand: Operand, k: int) -> tuple[int, int] | tuple[float, float]:
    if isinstance(operand, Numbers):
        return float(operand.f64[k]), float(operand.f32[k])
    return slot(program, operand.segment), int(operand.index[k])


def _zero() -> Program:
    builder = ProgramBuilder("zero")
    builder.output("zero", builder.const(0.0))
    return builder.finish()


ZERO: Final = _zero()
