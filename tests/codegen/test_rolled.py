"""Rolled programs: the bits of `evaluate` on every path: a point, batches, strides, threads."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops.evaluate import evaluate
from codegen.loops.program import (
    WORK,
    Cells,
    Map,
    Numbers,
    Operand,
    Reduce,
    Result,
    Rolled,
    Scatter,
    Step,
    Zero,
)
from codegen.program import Program, ProgramBuilder

QUICK = ("add", "sub", "mul", "div", "fma", "minimum", "sqrt", "abs", "neg")
SLOW = ("exp", "sin", "cos", "tanh", "fmod")


def random_body(rng: Any, inputs: Any, outputs: int, slow: bool) -> Program:
    """A straight-line program of arguments of the given types."""
    builder = ProgramBuilder("body")
    given = [builder.load(builder.argument(f"x{k}", (), t)) for k, t in enumerate(inputs)]
    truths = [value for value, t in zip(given, inputs, strict=True) if t == "b"]
    values = [value for value, t in zip(given, inputs, strict=True) if t == "f"]
    values.append(builder.const(float(rng.integers(-3, 4)) / 2))
    for _ in range(int(rng.integers(1, 6))):
        op = str(rng.choice([*QUICK, *SLOW] if slow else QUICK))
        arity = 3 if op == "fma" else 1 if op in ("sqrt", "abs", "neg", *SLOW[:4]) else 2
        values.append(builder.emit(op, *(int(rng.choice(values)) for _ in range(arity))))
        if truths:
            values.append(builder.emit("where", int(rng.choice(truths)), *values[-2:]))
    for k in range(outputs):
        builder.output(f"y{k}", values[-1 - k] if k < len(values) else values[-1])
    return builder.finish()


class Maker:
    """Builds a program whose steps read what is there and write what is not yet read."""

    def __init__(self, rng: Any) -> None:
        self.rng = rng
        n = int(rng.integers(1, 60))
        shapes = [(n,), (int(rng.integers(1, 6)), int(rng.integers(1, 30))), ()]
        arguments = [Argument(f"a{k}", shape) for k, shape in enumerate(shapes)]
        arguments.append(Argument("flags", (int(rng.integers(1, 9)),), "b"))
        self.arguments = tuple(arguments)
        self.outputs = (
            Result("p", (int(rng.integers(40, 120)),)),
            Result("q", (int(rng.integers(2, 9)), int(rng.integers(10, 20)))),
        )
        self.work = int(rng.integers(30, 100))
        self.shell = Rolled(self.arguments, self.outputs, self.work, ())
        self.written: dict[int, np.ndarray[Any, Any]] = {}

    def index(self, size: int, count: int) -> Any:
        """Cells of a segment: one, a stride, runs, or any."""
        form = self.rng.integers(0, 4)
        if form == 0:
            return np.full(count, self.rng.integers(0, size))
        if form == 1:
            stride = int(self.rng.integers(-3, 5))
            return np.arange(count) * stride % size
        if form == 2:
            return np.repeat(np.arange(-(-count // 17)), 17)[:count] * 3 % size
        return self.rng.integers(0, size, count)

    def operand(self, kind: str, count: int) -> Operand:
        if kind == "b":
            segment = len(self.arguments) - 1
            return Cells(segment, self.index(self.shell.size(segment), count).astype(np.int32))
        if self.rng.integers(0, 4) == 0:
            numbers = self.rng.normal(size=1 if self.rng.integers(2) else count)
            numbers = np.broadcast_to(numbers, count).copy()
            return Numbers(numbers, numbers.astype(np.float32))
        choices = [0, 1, 2, *(s for s in self.written if len(self.written[s]))]
        segment = int(self.rng.choice(choices))
        known = self.written.get(segment)
        if known is None:
            index = self.index(self.shell.size(segment), count)
        else:
            index = known[self.index(len(known), count)]
        return Cells(segment, index.astype(np.int32))

    def operands(self, count: int) -> tuple[str, tuple[Operand, ...]]:
        kinds = "".join(self.rng.choice(["f", "f", "f", "b"], int(self.rng.integers(1, 4))))
        return kinds, tuple(self.operand(kind, count) for kind in kinds)

    def results(self, count: int, columns: int) -> list[Cells]:
        """Cells that no step has written, all different."""
        before = dict(self.written)
        found = []
        for _ in range(columns):
            segment = int(self.rng.choice([len(self.arguments), len(self.arguments) + 1, WORK]))
            size = self.shell.size(segment)
            free = np.setdiff1d(np.arange(size), self.written.get(segment, []))
            if len(free) < count:
                self.written = before
                return []
            if self.rng.integers(2):
                chosen = free[:count]
            else:
                chosen = self.rng.permutation(free)[:count]
            found.append(Cells(segment, chosen.astype(np.int32)))
            self.note(found[-1])
        return found

    def note(self, cells: Cells) -> None:
        known = self.written.get(cells.segment, np.zeros(0, int))
        self.written[cells.segment] = np.union1d(known, cells.index)

    def step(self) -> Iterator[Step]:
        kind = self.rng.choice(["map", "map", "reduce", "scatter"])
        slow = bool(self.rng.integers(3) == 0)
        if kind == "map":
            count = int(self.rng.integers(1, 50))
            inputs, operands = self.operands(count)
            results = self.results(count, int(self.rng.integers(1, 3)))
            if results:
                body = random_body(self.rng, inputs, len(results), slow)
                yield Map(body, operands, tuple(results))
        elif kind == "reduce":
            yield from self.sums(slow)
        else:
            yield from self.scatter(slow)

    def sums(self, slow: bool) -> Iterator[Step]:
        rows = int(self.rng.integers(1, 60))
        most = int(self.rng.choice([2, 4, 30]))
        bounds = np.concatenate([[0], np.cumsum(self.rng.integers(1, most, rows))])
        inputs, operands = self.operands(int(bounds[-1]))
        adds = bool(self.rng.integers(2))
        results = self.results(rows, 1)
        if results:
            if adds:
                yield Zero(results[0])
            body = random_body(self.rng, inputs, 1, slow)
            yield Reduce(body, operands, bounds.astype(np.int32), results[0], adds)

    def scatter(self, slow: bool) -> Iterator[Step]:
        cells = self.results(int(self.rng.integers(2, 20)), 1)
        if not cells:
            return
        count = int(self.rng.integers(1, 90))
        inputs, operands = self.operands(count)
        columns = [self.rng.choice(cells[0].index, count) for _ in range(self.rng.integers(1, 4))]
        if self.rng.integers(2):
            columns[0] = np.sort(columns[0])
        reads = [x for x in operands if isinstance(x, Cells) and x.segment == cells[0].segment]
        yield Zero(cells[0])
        if any(np.isin(x.index, cells[0].index).any() for x in reads):
            return
        body = random_body(self.rng, inputs, len(columns), slow)
        targets = tuple(Cells(cells[0].segment, c.astype(np.int32)) for c in columns)
        yield Scatter(body, operands, targets)

    def program(self) -> Rolled:
        steps = [step for _ in range(self.rng.integers(1, 7)) for step in self.step()]
        for number in range(2):
            segment = len(self.arguments) + number
            size = self.shell.size(segment)
            free = np.setdiff1d(np.arange(size), self.written.get(segment, []))
            if len(free):
                steps.append(Zero(Cells(segment, free.astype(np.int32))))
        made = Rolled(self.arguments, self.outputs, self.work, tuple(steps), "random")
        return made.verify()


def points(program: Rolled, rng: Any, count: int, dtype: Any) -> list[Any]:
    found = []
    for argument in program.arguments:
        shape = (count, *argument.shape)
        if argument.type == "b":
            found.append(rng.integers(0, 2, shape).astype(bool))
        else:
            found.append(rng.normal(size=shape).astype(dtype))
    return found


def same_bits(found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    assert found.shape == expected.shape and found.dtype == expected.dtype
    words = {8: np.uint64, 4: np.uint32, 1: np.uint8}[found.dtype.itemsize]
    nan = np.isnan(found) & np.isnan(expected)
    differ = (np.ascontiguousarray(found).view(words) != expected.view(words)) & ~nan
    assert not differ.any(), np.argwhere(differ)[:5]


def expected_of(program: Rolled, args: list[Any], dtype: Any) -> list[Any]:
    rows = [evaluate(program, *(a[k] for a in args), dtype=dtype) for k in range(len(args[0]))]
    return [np.stack([row[k] for row in rows]) for k in range(len(program.outputs))]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9))
def test_every_path_has_the_bits_of_the_definition(seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    kernel = Kernel(program, dtype=dtype)
    with np.errstate(all="ignore"):
        args = points(program, rng, 37, dtype)
        expected = expected_of(program, args, dtype)
        for count in (1, 3, 8, 15, 37):
            found = kernel(*(a[:count] for a in args))
            for one, other in zip(found, expected, strict=True):
                same_bits(one, other[:count])
        single = kernel(*(a[5] for a in args))
        for one, other in zip(single, expected, strict=True):
            same_bits(one, other[5])
