"""Steps in the order of memory: computed again, joined, filled; bits are those of the program."""

from typing import Any

import numpy as np
import pytest

from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops.again import in_order
from codegen.loops.evaluate import evaluate
from codegen.loops.program import Cells, Map, Numbers, Reduce, Result, Rolled, Step, Zero, count
from codegen.program import Program, ProgramBuilder

pytestmark = pytest.mark.usefixtures("only_loops")


def product(*, negative: bool = False) -> Program:
    builder = ProgramBuilder("product")
    c, x = (builder.load(builder.argument(name)) for name in "cx")
    value = builder.emit("mul", c, x)
    builder.output("y", builder.emit("neg", value) if negative else value)
    return builder.finish()


def copy(*, negative: bool = False) -> Program:
    builder = ProgramBuilder("copy")
    value = builder.load(builder.argument("x"))
    builder.output("y", builder.emit("neg", value) if negative else value)
    return builder.finish()


def entries(rng: Any) -> Rolled:
    """Products in some cells, copies and sums of them in others, zeros before or after."""
    size = int(rng.integers(120, 300))
    cells = rng.permutation(size).astype(np.int32)
    first, second, third, fourth, rest = np.split(cells, (np.array([4, 6, 8, 9]) * size) // 10)

    def made(chosen: Any, negative: bool) -> Map:
        numbers = rng.normal(size=len(chosen))
        operands = (
            Numbers(numbers, numbers.astype(np.float32)),
            Cells(0, rng.integers(0, 30, len(chosen)).astype(np.int32)),
        )
        return Map(product(negative=negative), operands, (Cells(1, chosen),))

    def copied(chosen: Any, sources: Any) -> Map:
        index = rng.choice(sources, len(chosen)).astype(np.int32)
        body = copy(negative=bool(rng.integers(2)))
        return Map(body, (Cells(1, index),), (Cells(1, chosen),))

    terms = rng.integers(1, 6, len(fourth))
    bounds = np.concatenate([[0], np.cumsum(terms)]).astype(np.int32)
    summed = Cells(1, rng.choice(first, bounds[-1]).astype(np.int32))
    steps: list[Step] = [made(first, False), made(second, bool(rng.integers(2)))]
    steps.append(copied(third, np.concatenate([first, second])))
    steps.append(Reduce(copy(), (summed,), bounds, Cells(1, fourth)))
    steps.insert(int(rng.integers(len(steps) + 1)), Zero(Cells(1, rest)))
    arguments = (Argument("u", (30,)),)
    return Rolled(arguments, (Result("y", (size,)),), 0, tuple(steps)).verify()


@pytest.mark.parametrize("seed", range(12))
def test_bits_stay_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = entries(rng)
    u = rng.normal(size=30)
    u[3], u[4] = np.inf, -0.0
    with np.errstate(all="ignore"):
        (expected,) = evaluate(program, u)
        (found,) = evaluate(in_order(program, 8).verify(), u)
        compiled = Kernel(program, dtype=np.float64)(u)
    for each in (found, compiled):
        same = each.view(np.int64) == expected.view(np.int64)
        assert (same | np.isnan(expected) & np.isnan(each)).all()


def test_copies_join_what_they_copy_and_gaps_are_filled() -> None:
    n = 200
    index = np.arange(n, dtype=np.int32)
    numbers = np.linspace(1, 2, n)
    even, odd, tenth = index[::2], index[1::2], index[1::10]
    left = np.setdiff1d(odd, tenth)
    operands = (Numbers(numbers[::2], numbers[::2].astype(np.float32)), Cells(0, even % 30))
    steps = (
        Map(product(), operands, (Cells(1, even),)),
        Map(copy(negative=True), (Cells(1, left - 1),), (Cells(1, left),)),
        Zero(Cells(1, tenth)),
    )
    arguments = (Argument("u", (30,)),)
    program = Rolled(arguments, (Result("y", (n,)),), 0, steps).verify()
    first, *others = in_order(program, 8).steps
    assert isinstance(first, Map)
    assert (np.diff(first.results[0].index) == 1).all()
    assert [type(step) for step in others] == [Zero]
    assert count(first) >= n - 1


def test_gaps_that_are_in_use_are_left_alone() -> None:
    index = np.arange(300, dtype=np.int32)
    inside = (index >= 100) & (index < 180) & (index % 5 != 0)
    steps: list[Step] = []
    for chosen, body in ((index[~inside], product()), (index[inside], copy())):
        numbers = np.linspace(1, 2, len(chosen))
        table = Numbers(numbers, numbers.astype(np.float32))
        cells = Cells(0, chosen % 30)
        operands = (table, cells) if len(body.arguments) == 2 else (cells,)
        steps.append(Map(body, operands, (Cells(1, chosen),)))
    arguments = (Argument("u", (30,)),)
    program = Rolled(arguments, (Result("y", (300,)),), 0, tuple(steps)).verify()
    u = np.linspace(-1, 1, 30)
    whole, part = in_order(program, 8).steps
    assert (count(whole), count(part)) == (300, inside.sum())
    np.testing.assert_array_equal(Kernel(program)(u), evaluate(program, u)[0])
