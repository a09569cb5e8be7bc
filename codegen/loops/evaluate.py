"""What a `Rolled` program means, step by step in NumPy: for tests, and to be compared with."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.kernel import Kernel
from codegen.loops.program import WORK, Cells, Operand, Reduce, Result, Rolled, Scatter, Zero
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
            values = run.body(step.body, step.operands)
            for cells, value in zip(step.results, values, strict=True):
                run.segments[cells.segment][cells.index] = value
    return run.outputs()


@lru_cache(64)
def _kernel(body: Program, dtype: "np.dtype[Any]") -> Kernel:
    return Kernel(body, dtype=dtype, results="tuple")


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

    def body(self, body: Any, operands: Sequence[Operand]) -> list[npt.NDArray[Any]]:
        kernel = _kernel(body, self.dtype)
        values: list[npt.NDArray[Any]] = list(kernel(*map(self.operand, operands)))
        return values

    def reduce(self, step: Reduce) -> None:
        (values,) = self.body(step.body, step.operands)
        place = self.segments[step.results.segment]
        for row, cell in enumerate(step.results.index):
            terms = values[step.bounds[row] : step.bounds[row + 1]]
            total = place[cell] if step.adds else terms[0]
            for term in terms if step.adds else terms[1:]:
                total = total + term
            place[cell] = total

    def scatter(self, step: Scatter) -> None:
        values = self.body(step.body, step.operands)
        for segment in {cells.segment for cells in step.results}:
            own = [k for k, cells in enumerate(step.results) if cells.segment == segment]
            index = np.stack([step.results[k].index for k in own], axis=1)
            added = np.stack([np.broadcast_to(values[k], len(index)) for k in own], axis=1)
            np.add.at(self.segments[segment], index.ravel(), added.ravel())  # in this order

    def outputs(self) -> list[npt.NDArray[Any]]:
        first = len(self.program.arguments)
        return [
            self.segments[first + number].reshape(output.shape)
            for number, output in enumerate(self.program.outputs)
        ]
