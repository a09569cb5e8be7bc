"""Sums that are scattered, as rows: each cell adds up what it gets, so that no two threads meet.

The summands of a cell stay in their order, so the bits do. A short body is computed anew for each
of its summands, from the caches; what a longer one makes goes through work cells.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from codegen.branches import weight
from codegen.instruction import Argument, Constant, Instruction, Output
from codegen.loops.instances import ZERO
from codegen.loops.program import (
    WORK,
    Cells,
    Map,
    Numbers,
    Reduce,
    Rolled,
    Scatter,
    Zero,
    count,
)
from codegen.program import Program, ProgramBuilder

__all__ = ["gathered"]

type Ints = npt.NDArray[np.intp]

SHORT: Final = 12
"""Instructions of a body that take no longer than a value's way through memory."""


def gathered(program: Rolled) -> Rolled:
    """Return a program of maps and rows alone that computes the same bits."""
    found: list[Map | Reduce] = []
    most = 0
    for step in program.steps:
        if isinstance(step, Zero):
            found.append(Map(ZERO, (), (step.results,)))
        elif not isinstance(step, Scatter):
            found.append(step)
        elif weight(step.body) <= SHORT:
            found += [_anew(step, columns) for columns in _columns(step)]
        else:
            values = _values(step, range(len(step.results)))
            most = max(most, len(values) * count(step))
            found += _through_memory(step, values, program.work)
    return replace(program, steps=tuple(found), work=program.work + most).verify()


def _columns(step: Scatter) -> Iterator[list[int]]:
    """Return which outputs go to each segment."""
    for segment in dict.fromkeys(cells.segment for cells in step.results):
        yield [k for k, cells in enumerate(step.results) if cells.segment == segment]


def _values(step: Scatter, columns: Sequence[int]) -> list[int]:
    """Return the different values that outputs are."""
    return list(dict.fromkeys(step.body.outputs[k].values[0] for k in columns))


def _rows(step: Scatter, columns: Sequence[int]) -> tuple[Ints, Ints, npt.NDArray[np.int32], Cells]:
    """Return the instance and the output of each summand, where rows begin, and their cells."""
    index = np.stack([step.results[k].index for k in columns], axis=1).ravel()
    order = np.argsort(index, kind="stable")
    cells, begins = np.unique(index[order], return_index=True)
    bounds = np.append(begins, len(index)).astype(np.int32)
    instance, place = np.divmod(order, len(columns))
    results = Cells(step.results[columns[0]].segment, cells.astype(np.int32))
    return instance, np.asarray(columns)[place], bounds, results


def _anew(step: Scatter, columns: list[int]) -> Reduce:
    """Return rows that compute a body for each of their summands."""
    instance, output, bounds, results = _rows(step, columns)
    operands = tuple(operand.at(instance) for operand in step.operands)
    values = _values(step, columns)
    if len(values) > 1:
        known = {value: number for number, value in enumerate(values)}
        numbers = [known.get(out.values[0], 0) for out in step.body.outputs]
        which = np.array(numbers, np.float64)[output]
        operands = (*operands, Numbers(which, which.astype(np.float32)))
    return Reduce(_chosen(step.body, values), operands, bounds, results, adds=True)


def _chosen(body: Program, values: list[int]) -> Program:
    """Return a body of one output: the value that an argument behind the others tells of."""
    made = list(body.instructions)
    arguments = body.arguments
    if len(values) > 1:
        arguments = (*arguments, Argument("which"))
        made.append(Instruction("load", (), "f", (len(body.arguments), 0)))
    which, result = len(made) - 1, values[0]
    for number, value in enumerate(values[1:], 1):
        at = len(made)
        made.append(Instruction("const", (), "f", Constant.of(number)))
        made.append(Instruction("eq", (which, at), "b"))
        made.append(Instruction("where", (at + 1, value, result), "f"))
        result = at + 2
    return Program(arguments, tuple(made), (Output("sum", (result,)),), body.name)


def _through_memory(step: Scatter, values: list[int], work: int) -> Iterator[Map | Reduce]:
    """Return a map to work cells, and rows that read them."""
    size = count(step)
    cells = [Cells(WORK, np.arange(work + k * size, work + (k + 1) * size, dtype=np.int32))
             for k in range(len(values))]  # fmt: skip
    outputs = tuple(Output(f"y{k}", (value,)) for k, value in enumerate(values))
    yield Map(replace(step.body, outputs=outputs), step.operands, tuple(cells))
    for columns in _columns(step):
        instance, output, bounds, results = _rows(step, columns)
        which = np.array([values.index(out.values[0]) for out in step.body.outputs])[output]
        summands = Cells(WORK, (work + which * size + instance).astype(np.int32))
        yield Reduce(_SAME, (summands,), bounds, results, adds=True)


def _same() -> Program:
    builder = ProgramBuilder("same")
    builder.output("y", builder.load(builder.argument("x")))
    return builder.finish()


_SAME: Final = _same()
