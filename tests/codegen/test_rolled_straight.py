"""Straight-line code of programs of loops: what is live, what is stored, and when it is chosen."""

import re
from typing import Any

import numpy as np
import pytest
from llvmlite import ir

from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops import straight
from codegen.loops.code import planned
from codegen.loops.evaluate import evaluate
from codegen.loops.plan import Shape, Straight
from codegen.loops.program import Cells, Map, Numbers, Reduce, Result, Rolled, Scatter, Step, Zero
from codegen.loops.straight import emit_straight
from codegen.program import Program, ProgramBuilder
from codegen.target import host

SIZE = 300


def cells(segment: int, index: object) -> Cells:
    return Cells(segment, np.asarray(index, np.int32))


def rolled(*steps: Step) -> Rolled:
    return Rolled((Argument("u", (SIZE,)),), (Result("y", (SIZE,)),), 0, steps, "made").verify()


def product() -> Program:
    builder = ProgramBuilder("product")
    x, y = (builder.load(builder.argument(name)) for name in "xy")
    builder.output("z", builder.emit("mul", x, y))
    return builder.finish()


def long_body() -> Program:
    """Load everything, then multiply what is far apart."""
    builder = ProgramBuilder("long")
    read = [builder.load(builder.argument(f"x{k}")) for k in range(SIZE)]
    for k in range(SIZE):
        builder.output(f"y{k}", builder.emit("mul", read[k], read[(7 * k + 150) % SIZE]))
    return builder.finish()


def text_of(program: Rolled, *, batch: bool = False) -> list[str]:
    (piece,) = planned(program, "f64", host(), batch=batch)
    assert isinstance(piece.code, Straight)
    module = ir.Module(name="straight")
    return emit_straight(module, piece.code, "f", "f64", host(), batch=batch).splitlines()


def test_values_live_briefly() -> None:
    each = [cells(0, [k]) for k in range(SIZE)], [cells(1, [k]) for k in range(SIZE)]
    lines = text_of(rolled(Map(long_body(), *map(tuple, each))))
    made = {m[1]: k for k, line in enumerate(lines) if (m := re.match(r"  (%v\d+) = load d", line))}
    assert len(made) > SIZE  # cells are read again
    near = straight._NEAR_OF_MANY if host().vector_bits == 512 else straight._NEAR
    for k, line in enumerate(lines):
        for name in re.findall(r"%v\d+", line.partition("=")[2]):
            assert k - made.get(name, k) < near + 16, line


def test_a_sum_of_few_terms_is_stored_once() -> None:
    terms = np.arange(20)
    step = Reduce(
        product(), (cells(0, terms), cells(0, terms + 30)), np.array([0, 20]), cells(1, [4])
    )
    rest = Zero(cells(1, [k for k in range(SIZE) if k != 4]))
    program = rolled(step, rest)
    found = [piece.code for piece in planned(program, "f64", host(), batch=False)]
    assert isinstance(found[0], Straight)
    stores = [line for line in text_of(rolled(step)) if "store" in line]
    assert len(stores) == 1
    u = np.random.default_rng(0).normal(size=SIZE)
    np.testing.assert_array_equal(Kernel(program)(u), evaluate(program, u)[0])


def test_a_cell_that_is_read_between_is_stored() -> None:
    # so far apart that the second sum reads it from memory
    targets = np.r_[[0], np.arange(1, 60), [0]]
    numbers = Numbers(np.ones(61), np.ones(61, np.float32))
    step = Scatter(product(), (cells(0, np.arange(61)), numbers), (cells(1, targets),))
    program = rolled(Zero(cells(1, np.arange(SIZE))), step)
    u = np.random.default_rng(1).normal(size=SIZE)
    np.testing.assert_array_equal(Kernel(program)(u), evaluate(program, u)[0])
    assert Kernel(program)(u)[0] == u[0] + u[60]


def test_many_instances_are_a_loop() -> None:
    index = np.random.default_rng(2).permutation(SIZE)
    whole = Map(product(), (cells(0, index), cells(0, index[::-1])), (cells(1, np.arange(SIZE)),))
    few = Map(product(), tuple(x.at(slice(0, 12)) for x in whole.operands), (cells(1, range(12)),))
    for batch in (False, True):
        (many,) = planned(rolled(whole), "f64", host(), batch=batch)
        (straight,) = planned(rolled(few), "f64", host(), batch=batch)
        assert isinstance(many.code, Shape) and isinstance(straight.code, Straight)


def shared_body() -> Program:
    """Use sums again long after they were computed, in the opposite order."""
    builder = ProgramBuilder("shared")
    read = [builder.load(builder.argument(f"x{k}")) for k in range(SIZE)]
    sums = [builder.emit("add", read[k], read[k + 1]) for k in range(0, SIZE, 2)]
    made = [builder.emit("mul", a, b) for a, b in zip(sums, reversed(sums), strict=True)]
    values = [*made, *(builder.emit("sub", a, b) for a, b in zip(made[1:], sums, strict=False))]
    for number, value in enumerate([*values, builder.const(2.0)]):
        builder.output(f"y{number}", value)
    return builder.finish()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_used_again_later_has_the_same_bits(dtype: Any) -> None:
    body = shared_body()
    each = (cells(0, [k]) for k in range(SIZE)), (cells(1, [k]) for k in range(len(body.outputs)))
    program = rolled(Map(body, *map(tuple, each)))
    lines = text_of(program)
    assert sum("alloca" in line for line in lines) > 100
    u = np.random.default_rng(3).normal(size=(9, SIZE)).astype(dtype)
    expected = np.stack([evaluate(program, x, dtype=dtype)[0] for x in u])
    np.testing.assert_array_equal(Kernel(program, dtype=dtype)(u), expected)


def test_slots_are_used_again() -> None:
    builder = ProgramBuilder("turns")
    total = read = builder.load(builder.argument("x0"))
    for _ in range(30):
        kept = builder.emit("add", total, read)
        total = kept
        for _ in range(20):
            total = builder.emit("mul", total, read)
        total = builder.emit("sub", total, kept)
    builder.output("y0", total)
    lines = text_of(rolled(Map(builder.finish(), (cells(0, [0]),), (cells(1, [0]),))))
    assert sum("alloca" in line for line in lines) == 1
