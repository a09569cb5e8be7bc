"""Large programs in parts: the same bits as in one function, whatever goes between parts."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.branches import branches
from codegen.kernel import Kernel
from codegen.llvm import parts
from codegen.program import Program, ProgramBuilder


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Write programs of numbers and truth values, of one result or of arrays."""
    rng = random.Random(draw(st.integers(0, 10**6)))
    build = ProgramBuilder()
    shape = draw(st.sampled_from([(), (3,)]))
    place = build.argument("x", shape)
    numbers = [build.load(place, k) for k in range(3 if shape else 1)]
    numbers += [build.load(build.argument("y")), build.const(0.75)]
    truths = [build.load(build.argument("b", (), "b")), build.emit("lt", *numbers[:2])]
    for _ in range(draw(st.integers(20, 80))):
        kind = rng.randrange(6)
        a, b = rng.choice(numbers), rng.choice(numbers[-8:])
        if kind == 0:
            truths.append(build.emit(rng.choice(["lt", "ge"]), a, b))
        elif kind == 1:
            numbers.append(build.emit("where", rng.choice(truths), a, b))
        elif kind == 2:
            numbers.append(build.emit(rng.choice(["sin", "exp", "log", "sqrt"]), b))
        else:
            numbers.append(build.emit(rng.choice(["add", "mul", "sub"]), a, b))
    if draw(st.booleans()):
        build.output("many", *numbers[-4:], shape=(4,))
    build.output("one", numbers[-1])
    build.output("truth", truths[-1])
    return build.finish()


def data(program: Program) -> list[Any]:
    rng = np.random.default_rng(0)
    found: list[Any] = []
    for argument in program.arguments:
        values = rng.normal(size=(37, *argument.shape))
        found.append(values > 0 if argument.type == "b" else values)
    return found


@settings(max_examples=40, deadline=None)
@given(programs(), st.integers(1, 12))
def test_bits_are_those_of_one_function(program: Program, size: int) -> None:
    arguments = data(program)
    whole = Kernel(program)(*arguments)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "LARGE", 10)
        patch.setattr(parts, "SIZE", size)
        kernel = Kernel(program)
        assert ".part1" in kernel.llvm
        for one, other in zip(kernel(*arguments), whole, strict=True):
            np.testing.assert_array_equal(one, other)
        first = kernel(*(argument[:1] for argument in arguments))
        for one, other in zip(first, whole, strict=True):
            np.testing.assert_array_equal(one, other[:1])


@settings(max_examples=60, deadline=None)
@given(programs(), st.integers(1, 12))
def test_slots_hold_what_is_read(program: Program, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "LARGE", 10)
        patch.setattr(parts, "SIZE", size)
        kept = [v for output in program.outputs for v in output.values]
        found, slots = parts.cut(program, branches(program), frozenset(), kept)
    memory: dict[int, int] = {}
    for part in found:
        for at, slot in part.reads.items():
            assert memory[slot] == at
        for at, slot in part.writes.items():
            assert slot < slots
            memory[slot] = at
    computed = {v for v in kept if program.instructions[v].args}
    assert computed <= set(found[-1].reads)


def test_outputs_may_be_inputs() -> None:
    x, y = rw.symbols("x y")
    term = x
    for k in range(4000):
        term = term * 0.5 + y * float(k % 3)
    kernel = rw.compile([x, y], (term, x + y), optimize_terms=False, dtype=np.float64)
    a, b = np.random.default_rng(0).normal(size=(2, 100))
    expected = kernel(a, b)
    kernel(a, b, out=(a, b))
    np.testing.assert_array_equal(a, expected[0])
    np.testing.assert_array_equal(b, expected[1])


def test_a_program_of_many_operations_compiles_in_linear_time() -> None:
    rng = random.Random(0)
    with rw.scope():
        symbols = list(rw.symbols("a b c d"))
        values: list[Any] = list(symbols)
        for _ in range(20_000):
            one, other = values[-rng.randint(1, 4)], rng.choice(values[-200:])
            values.append(one * 0.5 + other if rng.random() < 0.5 else one - 0.25 * other)
        kernel = rw.compile(symbols, values[-1], optimize_terms=False, dtype=np.float64)
        point = np.array([0.1, 0.2, 0.3, 0.4])
        names = dict(zip("abcd", point.tolist(), strict=True))
        assert len(kernel.program.instructions) > 20_000
        assert kernel(*point) == pytest.approx(float(rw.evaluate(values[-1], names)), rel=1e-12)


def test_an_argument_may_be_read_first_behind_a_branch() -> None:
    x, y, z = rw.symbols("x y z")
    value = x
    for _ in range(2000):
        value = value * 0.5 + x
    side = rw.where(value > z, rw.exp(rw.log(rw.exp(rw.cos(y * value)))), value)
    kernel = rw.compile([x, y, z], side * y, optimize_terms=False)
    given = np.random.default_rng(1).normal(size=(3, 37))
    expected = rw.evaluate(side * y, dict(zip("xyz", given, strict=True)))
    np.testing.assert_allclose(kernel(*given), expected, rtol=1e-12)
