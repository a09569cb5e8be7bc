"""Straight-line code of a batch in the order of what is in the cache: bits, cells, lines missed."""

from collections import OrderedDict
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops import nearby as module
from codegen.loops.code import planned
from codegen.loops.evaluate import evaluate
from codegen.loops.instances import instances
from codegen.loops.nearby import nearby, worth_ordering
from codegen.loops.plan import Straight, pieces
from codegen.loops.program import WORK, Cells, Map, Result, Rolled, count, results_of
from codegen.program import ProgramBuilder
from codegen.target import get, host
from tests.codegen.test_rolled import Maker, expected_of, points, same_bits


def cells(segment: int, *index: int) -> Cells:
    return Cells(segment, np.array(index, np.int32))


def neighbours(species: int, seed: int = 0) -> Rolled:
    """Return equations of no common shape, of species near each other on a ring, in no order."""
    rng = np.random.default_rng(seed)
    place = rng.permutation(species)
    ops = (lambda a, b: a + b, lambda a, b: a * b, lambda a, b: a - b, lambda a, b: a + rw.sqrt(b))
    with rw.scope():
        x = rw.asarray([rw.symbol(f"x{k}") for k in range(species)])
        total: list[Any] = [0] * species
        for k in rng.permutation(species):
            rate = float(rng.uniform(0.5, 1.5))
            for shift in rng.integers(-4, 5, int(rng.integers(4, 12))):
                rate = ops[rng.integers(4)](rate, x[place[(k + shift) % species]])
            for shift in rng.integers(-4, 5, 3):
                total[place[(k + shift) % species]] += rate
        kernel = rw.compile([x], rw.asarray(total), optimize_terms=False)
        program = kernel.program
    assert isinstance(program, Rolled)
    return program


def missed(program: Rolled, size: int) -> int:
    """Count the cells that a cache of so many of them lacks, the first that were used leaving."""
    held: OrderedDict[tuple[int, int], None] = OrderedDict()
    found = 0
    for step in program.steps:
        for instance in instances(program, step):
            known = [x for x in instance.operands if not isinstance(x[0], float)]
            for cell in (*known, *instance.results):
                found += cell not in held
                held[cell] = None  # type: ignore[index]
                held.move_to_end(cell)  # type: ignore[arg-type]
                if len(held) > size:
                    held.popitem(last=False)
    return found


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9))
def test_bits_are_those_of_the_program(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    made = nearby(program, host()).verify()
    assert all(isinstance(step, Map) and count(step) == 1 for step in made.steps)
    with np.errstate(all="ignore"):
        args = points(program, rng, 2, np.float64)
        pairs = zip(*(expected_of(x, args, np.float64) for x in (made, program)), strict=True)
        for one, other in pairs:
            same_bits(one, other)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10**9))
def test_long_units_are_cut(seed: int) -> None:
    rng = np.random.default_rng(seed)
    program = Maker(rng).program()
    with patch.object(module, "_LONG", 3):
        made = nearby(program, host()).verify()
    ops = max(sum(i.payload is None for i in step.body.instructions) for step in made.steps)  # type: ignore[union-attr]
    assert ops <= 13  # an operation more, of three operands of three each
    with np.errstate(all="ignore"):
        args = points(program, rng, 2, np.float64)
        pairs = zip(*(expected_of(x, args, np.float64) for x in (made, program)), strict=True)
        for one, other in pairs:
            same_bits(one, other)


def test_a_batch_of_straight_code_is_ordered_and_has_the_bits_of_a_point() -> None:
    program = neighbours(300)
    found = planned(program, "f64", get("native"), batch=True)
    assert all(isinstance(piece.code, Straight) for piece in found)
    rng = np.random.default_rng(1)
    for dtype in (np.float64, np.float32):
        kernel = Kernel(program, dtype=dtype)
        states = rng.uniform(0.5, 1.5, (19, 300)).astype(dtype)
        alone = np.array([kernel(state) for state in states])
        np.testing.assert_array_equal(kernel(states), alone)
        np.testing.assert_array_equal(
            Kernel(program, dtype=dtype, batch_axis=-1)(states.T), alone.T
        )


def test_fewer_lines_are_missed() -> None:
    program, wide = neighbours(600), get("avx512")
    size = module._lines(wide)
    made = missed(nearby(program, wide), size)
    assert made < 0.3 * missed(program, size)
    with patch.object(module, "_order", lambda units, size: range(len(units))):
        assert made < 0.5 * missed(nearby(program, wide), size)


def test_cells_of_work_are_given_out_again() -> None:
    program = neighbours(400)
    made = nearby(program, host())
    kept = sum(cell.segment == WORK for step in made.steps for cell in results_of(step))
    assert 0 < made.work < kept / 2


def test_loops_stay_loops_and_what_is_too_long_its_order() -> None:
    from codegen.loops.costs import Costs

    wide = get("avx512")
    costs = Costs(wide, "f64")
    program = neighbours(300)
    found = pieces(program, costs, batch=True)
    assert worth_ordering(program, found, wide)
    with patch.object(module, "MOST", program.operations - 1):
        assert not worth_ordering(program, found, wide)
    rng = np.random.default_rng(2)
    with rw.scope():
        x = rw.asarray([rw.symbol(f"x{k}") for k in range(1200)])
        first, second = rng.integers(0, 300, (2, 2000))
        rates = x[first] * x[second]
        many = rw.compile([x], rates, optimize_terms=False).program
    assert isinstance(many, Rolled)
    assert not worth_ordering(many, pieces(many, costs, batch=True), wide)


def body(write: Any, inputs: int, outputs: int) -> Map:
    """One instance of what a function writes, of the first cells to the first results."""
    builder = ProgramBuilder("body")
    values = write(builder, [builder.load(builder.argument(f"x{k}")) for k in range(inputs)])
    for k, value in enumerate(values):
        builder.output(f"y{k}", value)
    results = tuple(cells(1, k) for k in range(outputs))
    return Map(builder.finish(), tuple(cells(0, k) for k in range(inputs)), results)


def run(step: Map, inputs: int, outputs: int, kind: Any = "f") -> Rolled:
    """Check the bits of what a step becomes, and return that."""
    program = Rolled(
        (Argument("u", (inputs,)),), (Result("y", (outputs,), kind),), 0, (step,), "one"
    ).verify()
    made = nearby(program, host()).verify()
    u = np.random.default_rng(0).normal(size=inputs)
    np.testing.assert_array_equal(evaluate(made, u)[0], evaluate(program, u)[0])
    return made


def test_copies_constants_and_one_value_for_two_results() -> None:
    def write(b: ProgramBuilder, x: list[int]) -> list[int]:
        total = b.emit("add", *x)
        return [x[1], x[1], b.const(-0.0), total, total, b.emit("neg", total)]

    made = run(body(write, 2, 6), 2, 6)
    assert len(made.steps) == 6 and made.work == 0


def test_what_nobody_needs_is_not_computed() -> None:
    def write(b: ProgramBuilder, x: list[int]) -> list[int]:
        b.emit("exp", x[0])
        return [b.emit("sqrt", x[1])]

    made = run(body(write, 2, 1), 2, 1)
    assert made.ops == {"load", "sqrt"}


@pytest.mark.parametrize("prefix", ["", "fast_"])
def test_sine_and_cosine_of_one_angle_stay_together(prefix: str) -> None:
    def write(b: ProgramBuilder, x: list[int]) -> list[int]:
        angle = b.emit("mul", x[0], x[1])
        sine, cosine = b.emit(f"{prefix}sin", angle), b.emit(f"{prefix}cos", angle)
        return [
            b.emit("add", sine, x[0]), b.emit("mul", cosine, x[1]), sine,
            b.emit("sub", cosine, sine), b.emit(f"{prefix}sin", x[2]),
        ]  # fmt: skip

    made = run(body(write, 3, 5), 3, 5)
    both = [step for step in made.steps if len(step.results) == 2]  # type: ignore[arg-type]
    assert len(both) == 1
    assert {f"{prefix}sin", f"{prefix}cos", "mul"} <= both[0].body.ops  # type: ignore[union-attr]


def test_one_of_several_equal_sines_has_the_cosine() -> None:
    def write(b: ProgramBuilder, x: list[int]) -> list[int]:
        cosines = [b.emit("cos", x[0]) for _ in range(2)]
        sines = [b.emit("sin", x[0]) for _ in range(2)]
        return [cosines[0], sines[0], cosines[1], b.emit("add", cosines[1], sines[1])]

    made = run(body(write, 1, 4), 1, 4)
    assert sum(len(results_of(step)) == 2 for step in made.steps) == 1


def test_truth_values_are_computed_again_and_their_numbers_are_not() -> None:
    def write(b: ProgramBuilder, x: list[int]) -> list[int]:
        slow = b.emit("exp", x[0])
        large = b.emit("lt", x[1], slow)
        chosen = [b.emit("where", large, x[k], x[k + 1]) for k in range(3)]
        return [*chosen, *(b.emit("sqrt", b.emit("abs", x[k])) for k in range(4))]

    made = run(body(write, 4, 7), 4, 7)
    ops = [i.op for step in made.steps for i in step.body.instructions]  # type: ignore[union-attr]
    assert (ops.count("exp"), ops.count("lt")) == (1, 3)


def test_where_much_would_be_computed_again_the_order_stays() -> None:
    def write(b: ProgramBuilder, x: list[int]) -> list[int]:
        large, made = b.emit("lt", *x[:2]), list[int]()
        for k in range(40):
            large = b.emit("and", large, b.emit("lt", x[k % 5], x[(3 * k + 1) % 5]))
            made.append(b.emit("where", large, x[k % 5], x[(k + 1) % 5]))
        return made

    step = body(write, 5, 40)
    program = Rolled((Argument("u", (5,)),), (Result("y", (40,)),), 0, (step,), "conditions")
    assert nearby(program.verify(), host()) is program


def test_results_that_are_truth_values() -> None:
    def write(b: ProgramBuilder, x: list[int]) -> list[int]:
        large = b.emit("lt", *x)
        return [large, b.emit("not", large), b.const(True), large]

    run(body(write, 2, 4), 2, 4, "b")


def test_points_side_by_side_are_worth_a_block_earlier() -> None:
    with rw.scope():
        x = rw.asarray([rw.symbol(f"x{k}") for k in range(1200)])
        made = rw.asarray([x[7 * k % 1200] * float(k + 2) for k in range(1200)])
        last = rw.compile([x], made, optimize_terms=False, batch_axis=-1)
        first = rw.compile([x], made, optimize_terms=False)
    states = np.random.default_rng(3).normal(size=(64, 1200))
    expected = np.array([first(state) for state in states])
    for kernel, args in ((first, states), (last, states.T.copy())):
        for _ in range(2):  # the first call of many points may go one by one
            found = kernel(args)
        np.testing.assert_array_equal(found.T if kernel is last else found, expected)
    data = first.called["d"].data, last.called["d"].data
    assert data[0].least_beside < data[0].least
    assert data[1].batch_pieces and not data[0].batch_pieces
