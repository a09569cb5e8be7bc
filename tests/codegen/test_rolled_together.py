"""Cells of one period of memory are written by one step, and fields by whole vectors."""

from typing import Any

import numpy as np
import pytest

from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops.again import in_order
from codegen.loops.code import planned
from codegen.loops.columns import Column, interleaved
from codegen.loops.evaluate import evaluate
from codegen.loops.plan import Shape
from codegen.loops.program import Cells, Map, Numbers, Result, Rolled, Step, count
from codegen.program import Program, ProgramBuilder
from codegen.target import host

pytestmark = pytest.mark.usefixtures("only_loops")


def binary(op: str) -> Program:
    builder = ProgramBuilder(op)
    x, y = (builder.load(builder.argument(name)) for name in "xy")
    builder.output("z", builder.emit(op, x, y))
    return builder.finish()


def copy() -> Program:
    builder = ProgramBuilder("copy")
    builder.output("y", builder.load(builder.argument("x")))
    return builder.finish()


def rolled(size: int, result: int, steps: list[Step]) -> Rolled:
    arguments = (Argument("u", (size,)),)
    return Rolled(arguments, (Result("y", (result,)),), 0, tuple(steps)).verify()


def cells(index: Any, segment: int = 1) -> Cells:
    return Cells(segment, np.asarray(index, np.int32))


def periods(rng: Any) -> tuple[Rolled, int]:
    """Periods of uneven length: most cells constant, some of each read the argument."""
    n, size = int(rng.integers(20, 120)), 40
    lengths = rng.integers(9, 13, n)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    result = int(lengths.sum())
    chosen = rng.permutation(9)[:4]
    places = [starts + chosen[0], starts + chosen[1]]
    twice = np.sort((starts[:, None] + chosen[2:]).ravel())
    rest = np.setdiff1d(np.arange(result), np.concatenate([*places, twice]))
    numbers = rng.normal(size=len(rest))
    steps: list[Step] = []
    for op, place in zip(("mul", "sub"), places, strict=True):
        operands = tuple(cells(rng.integers(0, size, n), 0) for _ in "xy")
        steps.append(Map(binary(op), operands, (cells(place),)))
    steps.append(Map(copy(), (cells(rng.integers(0, size, len(twice)), 0),), (cells(twice),)))
    table = Numbers(numbers, numbers.astype(np.float32))
    steps.append(Map(copy(), (table,), (cells(rest),)))
    return rolled(size, result, [steps[k] for k in rng.permutation(4)]), n


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("seed", range(6))
def test_a_period_is_written_by_one_step(seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    program, n = periods(rng)
    made = in_order(program, 8).verify()
    assert [count(step) for step in made.steps[1:]] == [n]
    assert count(made.steps[0]) > program.outputs[0].shape[0] - 12  # the template has no gaps
    assert [count(step) for step in in_order(program, 1).steps].count(n) == 1
    u = rng.normal(size=(19, 40)).astype(dtype)
    u[:, 3], u[:, 4] = np.inf, -0.0
    kernel = Kernel(program, dtype=dtype)
    with np.errstate(all="ignore"):
        # one operation is rounded to float32 as it would be there
        expected = np.array([evaluate(program, row)[0] for row in u]).astype(dtype)
        for found in (kernel(u), np.array([kernel(row) for row in u])):
            np.testing.assert_array_equal(found, expected)
            assert (np.signbit(found) == np.signbit(expected))[~np.isnan(expected)].all()


def records(rng: Any, n: int, odd: int) -> tuple[Rolled, int]:
    """Records of equal length, of constants but for three cells; some are elsewhere, or differ."""
    width, size = int(rng.integers(7, 15)), 40
    lengths = np.full(n, width)
    strange = rng.choice(n, odd, replace=False)
    lengths[strange] += rng.integers(0, 3, odd)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    result = int(lengths.sum())
    chosen = np.sort(rng.permutation(width)[:3])
    table = np.full(result, np.nan)
    usual = rng.choice([-0.0, 0.0, 0.1, 1 / 3, np.inf], width)
    for k, start in enumerate(starts):
        table[start : start + lengths[k]] = rng.normal()
        table[start : start + width] = usual
    table[starts[strange] + (chosen[0] + 1) % width] = 7.5
    places = starts[:, None] + chosen
    rest = np.setdiff1d(np.arange(result), places.ravel())
    steps: list[Step] = [
        Map(binary(op), tuple(cells(rng.integers(0, size, n), 0) for _ in "xy"), (cells(place),))
        for op, place in zip(("mul", "sub", "add"), places.T, strict=True)
    ]
    numbers = Numbers(table[rest], table[rest].astype(np.float32))
    steps.append(Map(copy(), (numbers,), (cells(rest),)))
    return rolled(size, result, [steps[k] for k in rng.permutation(4)]), width


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("seed", "odd"), [(0, 0), (1, 5), (2, 60), (3, 150), (4, 330)])
def test_constants_around_results_are_written_with_them(seed: int, odd: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    program, width = records(rng, 600, odd)
    made = in_order(program, 8).verify()
    widest = max(len(step.results) for step in made.steps if isinstance(step, Map))
    assert widest in ((3, width) if odd > 200 else (width,))
    written = np.zeros(program.size(1), np.int64)
    for step in made.steps:
        assert isinstance(step, Map)
        for each in step.results:
            written[each.index] += 1
    assert written.all() and (odd or (written == 1).all())
    batch = in_order(program, 1).steps
    assert max(len(step.results) for step in batch if isinstance(step, Map)) == 3
    u = rng.normal(size=(9, 40)).astype(dtype)
    kernel = Kernel(program, dtype=dtype)
    expected = np.array([evaluate(program, row, dtype=dtype)[0] for row in u])
    for found in (kernel(u), np.array([kernel(row) for row in u])):
        np.testing.assert_array_equal(found, expected)
        assert (np.signbit(found) == np.signbit(expected)).all()


def test_small_arrays_keep_their_constants_apart() -> None:
    program, width = records(np.random.default_rng(0), 60, 0)
    steps = in_order(program, 8).steps
    assert max(len(step.results) for step in steps if isinstance(step, Map)) < width


def test_steps_in_regions_of_their_own_stay_apart() -> None:
    n = 50
    steps = [
        Map(binary(op), (cells(np.arange(n), 0),) * 2, (cells(start + 2 * np.arange(n)),))
        for op, start in (("mul", 0), ("sub", 2 * n))
    ]
    made = in_order(rolled(n, 4 * n, [*steps]), 8).steps
    assert [len(step.results) for step in made if isinstance(step, Map)] == [1, 1]
    beside = Map(binary("sub"), steps[1].operands, (cells(1 + 2 * np.arange(n)),))
    program = rolled(n, 2 * n, [steps[0], beside])
    (step,) = in_order(program, 8).steps
    assert isinstance(step, Map)
    assert len(step.results) == 2


def fields(stride: int, n: int, rng: Any) -> Rolled:
    """Records of so many fields: products of each with another one's, in the same order."""
    builder = ProgramBuilder("fields")
    loads = [builder.load(builder.argument(f"x{k}")) for k in range(stride)]
    for k in range(stride):
        builder.output(f"y{k}", builder.emit("mul", loads[k], loads[(k + 1) % stride]))
    order = rng.permutation(stride)
    operands = tuple(cells(np.arange(n) * stride + k, 0) for k in range(stride))
    results = tuple(cells(5 + np.arange(n) * stride + k) for k in order)
    return rolled(n * stride, n * stride + 9, [Map(builder.finish(), operands, results)])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [8, 16, 37, 200])
@pytest.mark.parametrize("stride", [2, 3, 4])
def test_fields_go_by_whole_vectors(stride: int, n: int, dtype: Any) -> None:
    rng = np.random.default_rng(n)
    program = fields(stride, n, rng)
    u = rng.normal(size=n * stride).astype(dtype)
    out = np.full(n * stride + 9, 7.0, dtype)
    Kernel(program, dtype=dtype)(u, out=out)
    inside = slice(5, 5 + n * stride)
    expected = evaluate(program, u)[0].astype(dtype)
    np.testing.assert_array_equal(out[inside], expected[inside])
    assert (out[:5] == 7).all()
    assert (out[5 + n * stride :] == 7).all()
    (piece,) = planned(program, "f64", host(), batch=False)
    assert isinstance(piece.code, Shape)
    assert len(interleaved(piece.code.results)) == 1
    assert piece.code.form == ("lanes" if n >= host().lanes("f64") else "each")


def test_only_fields_that_are_all_there_are_a_block() -> None:
    def column(offset: int, stride: int = 3, twin: int = 0) -> Column:
        return Column("affine", stride=stride, twin=twin, offset=offset)

    assert interleaved([column(0), column(2), column(1)]) == [(0, 2, 1)]
    assert interleaved([column(0), column(2), column(4)]) == []
    assert interleaved([column(0), column(1), column(2, twin=1)]) == []
    assert interleaved([column(k - 2) for k in range(7)]) == [(0, 1, 2), (3, 4, 5)]
    assert interleaved([column(k, stride=5) for k in range(5)]) == []
