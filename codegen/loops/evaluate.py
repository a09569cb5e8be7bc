"""What a `Rolled` program means, step by step in NumPy: for tests, and to be compared with."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.instruction import Argument, Output, ValueType
from codegen.kernel import Kernel
from codegen.loops.program import (
    WORK,
    Cells,
    Map,
    Operand,
    Reduce,
    Result,
    Rolled,
    Scatter,
    Zero,
    count,
)
from codegen.program import Program

__all__ = ["evaluate"]


def evaluate(program: Rolled, *args: Any, dtype: Any = np.float64) -> list[npt.NDArray[Any]]:
    """Return the outputs of a program at one point."""
    run = _Run(program, args, np.dtype(dtype))
    for step in program.steps:
        if isinstance(step, Zero):
            run.segments[step.results.segment][step.results.index] = 0
        elif isinstance(step, Reduce):
            run.reduce(step)
        elif isinstance(step, Scatter):
            run.scatter(step)
        else:
            for cells, value in zip(step.results, run.body(step), strict=True):
                run.segments[cells.segment][cells.index] = value
    return run.outputs()


_TYPES: Final[tuple[ValueType, ...]] = ("f", "b")


def _places(body: Program, operands: Sequence[Argument | Output]) -> list[tuple[ValueType, int]]:
    """Number operands among those of their type."""
    counts = dict.fromkeys(_TYPES, 0)
    found = []
    for operand in operands:
        kind = body.type_of(operand)
        found.append((kind, counts[kind]))
        counts[kind] += 1
    return found


def _kinds(body: Program, operands: Sequence[Argument | Output]) -> list[ValueType]:
    """List the types that operands have."""
    present = {kind for kind, _ in _places(body, operands)}
    return [kind for kind in _TYPES if kind in present]


def _packed(body: Program) -> Program:
    """Put all operands of a type into one array: NumPy takes few operands, bodies have many."""
    places = _places(body, body.arguments)
    kinds = _kinds(body, body.arguments)
    arguments = tuple(
        Argument(kind, (sum(each == kind for each, _ in places),), kind) for kind in kinds
    )
    moved = []
    for this in body.instructions:
        if this.op == "load" and isinstance(this.payload, tuple):
            kind, place = places[this.payload[0]]
            this = replace(this, payload=(kinds.index(kind), place))
        moved.append(this)
    outputs = []
    for kind in _kinds(body, body.outputs):
        values = [o.values[0] for o in body.outputs if body.type_of(o) == kind]
        outputs.append(Output(kind, tuple(values), (len(values),)))
    return Program(arguments, tuple(moved), tuple(outputs), body.name)


@lru_cache(64)
def _kernel(body: Program, dtype: "np.dtype[Any]") -> Kernel:
    return Kernel(_packed(body), dtype=dtype, results="tuple")


class _Run:
    def __init__(self, program: Rolled, args: Sequence[Any], dtype: "np.dtype[Any]") -> None:
        self.program, self.dtype = program, dtype
        self.segments: dict[int, npt.NDArray[Any]] = {WORK: np.full(program.work, np.nan, dtype)}
        for number, operand in enumerate(program.operands):
            kind = np.dtype(bool) if operand.type == "b" else dtype
            if isinstance(operand, Result):
                self.segments[number] = np.zeros(program.size(number), kind)
            else:
                self.segments[number] = np.asarray(args[number], kind).ravel()

    def operand(self, operand: Operand) -> npt.NDArray[Any]:
        if isinstance(operand, Cells):
            return self.segments[operand.segment][operand.index]
        return operand.f64 if self.dtype == np.float64 else operand.f32

    def body(self, step: Map | Reduce | Scatter) -> list[npt.NDArray[Any]]:
        """Compute a body for all instances, which are the points of a kernel."""
        body = step.body
        read = [self.operand(operand) for operand in step.operands]
        packed = []
        for kind in _TYPES:
            wanted = [r for r, arg in zip(read, body.arguments, strict=True) if arg.type == kind]
            if wanted:
                packed.append(np.stack(wanted, axis=-1))
        made = iter(_kernel(body, self.dtype)(*packed))
        columns = {kind: next(made) for kind in _kinds(body, body.outputs)}
        shape = (count(step),)
        return [
            np.broadcast_to(columns[kind][..., place], shape)
            for kind, place in _places(body, body.outputs)
        ]

    def reduce(self, step: Reduce) -> None:
        (values,) = self.body(step)
        place = self.segments[step.results.segment]
        for row, cell in enumerate(step.results.index):
            terms = values[step.bounds[row] : step.bounds[row + 1]]
            total = place[cell] if step.adds else terms[0]
            for term in terms if step.adds else terms[1:]:
                total = total + term
            place[cell] = total

    def scatter(self, step: Scatter) -> None:
        values = self.body(step)
        for segment in {cells.segment for cells in step.results}:
            own = [k for k, cells in enumerate(step.results) if cells.segment == segment]
            index = np.stack([step.results[k].index for k in own], axis=1)
            added = np.stack([values[k] for k in own], axis=1)
            np.add.at(self.segments[segment], index.ravel(), added.ravel())  # in this order

    def outputs(self) -> list[npt.NDArray[Any]]:
        first = len(self.program.arguments)
        return [
            self.segments[first + number].reshape(output.shape)
            for number, output in enumerate(self.program.outputs)
        ]
