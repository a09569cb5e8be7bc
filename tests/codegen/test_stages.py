"""Loops in stages: the bits of functions one by one, wherever a block ends and what is rare."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codegen.engine import object_code
from codegen.kernel import Kernel
from codegen.llvm.body import emit_module
from codegen.llvm.choices import called_functions, in_stages, interleaved
from codegen.llvm.shared import emit_shared, needed
from codegen.llvm.staged import block_of
from codegen.llvm.stages import Call, Stage, plan
from codegen.predict import predict
from codegen.program import Program, ProgramBuilder
from codegen.target import NAMES, Float, get, host

KINDS = {"f64": np.float64, "f32": np.float32}
UNARY = ("sin", "cos", "exp", "log", "fast_tanh", "fast_sin", "fast_log", "erf", "sqrt", "neg")
BINARY = ("pow", "fast_atan2", "add", "mul", "sub", "div", "fast_pow")


def written(seed: int, length: int) -> Program:
    """Write a program of numbers and truth values that has too many functions to be inlined."""
    rng = random.Random(seed)
    build = ProgramBuilder()
    numbers = [build.load(build.argument(name)) for name in "xy"]
    numbers += [build.const(0.75), build.const(2.5)]
    truths = [build.load(build.argument("b", (), "b")), build.emit("lt", *numbers[:2])]
    for _ in range(length):
        a, b = rng.choice(numbers), rng.choice(numbers[-8:])
        kind = rng.randrange(8)
        if kind == 0:
            truths.append(build.emit(rng.choice(["lt", "ge"]), a, b))
        elif kind == 1:
            one, other = build.emit("add", a, b), build.emit("mul", a, b)
            numbers.append(build.emit("where", rng.choice(truths), one, other))
        elif kind < 5:
            numbers.append(build.emit(rng.choice(BINARY), a, b))
        else:
            numbers.append(build.emit(rng.choice(UNARY), b))
    for _ in range(12):  # else it might be inlined
        numbers.append(build.emit("pow", rng.choice(numbers), numbers[0]))
    build.output("one", numbers[-1])
    build.output("two", rng.choice(numbers))
    build.output("truth", rng.choice(truths))
    return build.finish()


def without_stages(program: Program, dtype: Float, *data: Any) -> Any:
    """Return what functions of whole vectors give."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("codegen.llvm.body.in_stages", lambda _: False)
        patch.setattr("codegen.llvm.choices.in_stages", lambda _: False)
        return Kernel(program, dtype=KINDS[dtype])(*data)


def arguments(n: int, dtype: Float, *, rare: bool) -> tuple[Any, ...]:
    rng = np.random.default_rng(n)
    x, y = (rng.normal(1, 2, n).astype(KINDS[dtype]) for _ in range(2))
    if rare:
        some = [np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -0.0, 1e-30]
        places = rng.integers(0, n, 6)
        x[places] = rng.choice(some, 6)
    return x, y, rng.normal(size=n) > 0


def same(found: Any, expected: Any) -> bool:
    """Compare bits; any NaN is a NaN."""
    return all(
        np.array_equal(a, b, equal_nan=a.dtype != bool)
        and np.array_equal(np.signbit(a) & (a == a), np.signbit(b) & (b == b))
        if a.dtype != bool else np.array_equal(a, b)
        for a, b in zip(found, expected, strict=True)
    )  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([3, 20, 60]), st.sampled_from(["f64", "f32"]),
    st.booleans(), st.integers(1, 700),
)  # fmt: skip
def test_bits_are_those_of_functions_of_vectors(
    seed: int, length: int, dtype: Float, rare: bool, n: int
) -> None:
    program = written(seed, length)
    data = arguments(n, dtype, rare=rare)
    with np.errstate(all="ignore"):
        expected = without_stages(program, dtype, *data)
        found = Kernel(program, dtype=KINDS[dtype])(*data)
    assert in_stages(program) and same(found, expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([3, 20, 60, 200]))
def test_no_slot_is_written_while_it_is_read(seed: int, length: int) -> None:
    """What a loop or call reads is what was last written there, and in another slot than results.

    What is in no slot is computed where it is read.
    """
    program = written(seed, length)
    held = _Held(program)
    for stage in held.plan.stages:
        held.loop(stage)
        for call in stage.calls:
            held.call(call)
    held.read([value for output in program.outputs for value in output.values])
    assert len(set(held.plan.slot.values())) <= held.plan.slots


class _Held:
    """What each slot holds, while the steps of a plan are gone through."""

    def __init__(self, program: Program) -> None:
        self.code = program.instructions
        self.plan = plan(program, called_functions(program))
        self.holds: dict[int, int] = {}
        self.here: set[int] = set()

    def read(self, values: Sequence[int]) -> None:
        for at in values:
            if self.code[at].op not in ("const", "load") and at not in self.here:
                assert self.holds[self.plan.slot[at]] == at

    def loop(self, stage: Stage) -> None:
        given = {at for call in stage.calls for at in call.args if self.code[at].op == "const"}
        self.here = set()
        for at in (*given, *stage.values):
            self.read(self.code[at].args)
            self.here.add(at)
            if at in self.plan.slot:
                self.holds[self.plan.slot[at]] = at

    def call(self, call: Call) -> None:
        slot = self.plan.slot
        read = [at for at in call.args if self.code[at].op != "load"]
        assert all(self.holds[slot[at]] == at for at in read)
        assert not {slot[at] for at in read} & {slot[at] for at in call.results}
        self.holds.update((slot[at], at) for at in call.results)


def many_functions() -> Program:
    """Write a program with a sine and cosine of one argument, twice, in a chain."""
    build = ProgramBuilder()
    x = build.load(build.argument("x"))
    for name in ("exp", "tanh", "log", "erf", "atan", "asinh"):
        x = build.emit("abs", build.emit(name, x))
        s, c, again = (build.emit(op, x) for op in ("sin", "cos", "sin"))
        x = build.emit("add", build.emit("add", s, again), c)
    build.output("out", x)
    return build.finish()


def test_results_may_lie_where_an_argument_does() -> None:
    program = many_functions()
    kernel = Kernel(program)
    for n in (1, 8, 777):
        x: Any = np.linspace(0.1, 3, n)
        expected = kernel(x)
        assert kernel(x, out=x) is x and np.array_equal(x, expected)
        assert kernel(float(np.linspace(0.1, 3, n)[-1])) == expected[-1]


def test_functions_are_called_once_a_block_and_made_once() -> None:
    program = many_functions()
    text = emit_module(program, "f64", host())
    names = needed(object_code(text, host()))
    lanes = host().lanes("f64")
    assert interleaved(program) == 1 and f"rewrite.many.sincos.v{lanes}f64" in names
    assert text.count(f'call void @"rewrite.many.sincos.v{lanes}f64"') == 6
    assert text.count(f'call void @"rewrite.many.sin.v{lanes}f64"') == 6  # the other one
    alone = emit_module(program, "f64", host(), part="alone")  # what is exported needs no other
    assert "declare" not in "".join(row for row in alone.splitlines() if '"rewrite.' in row)


@pytest.mark.parametrize("name", NAMES)
def test_functions_of_many_numbers_assemble_for_every_target(name: str) -> None:
    target = get(name)
    for function in ("sincos", "pow", "fast_erf"):
        full = f"rewrite.many.{function}.v{target.lanes('f32')}f32"
        assert object_code(emit_shared(full, target), target)
    assert object_code(emit_module(many_functions(), "f32", target), target)


def test_blocks_fit_in_the_first_level_cache() -> None:
    for seed, length in ((1, 3), (2, 60), (3, 200)):
        program = written(seed, length)
        count = plan(program, called_functions(program)).slots
        for name in ("avx512", "avx2", "sse2"):
            size = get(name).vector_bits // 8
            block = block_of(program, get(name))
            assert block * size * count <= 1 << 15 or block * size == 256


def chain(count: int) -> Program:
    """Write sines of sines."""
    build = ProgramBuilder()
    x = build.load(build.argument("x"))
    for _ in range(count):
        x = build.emit("sin", x)
    build.output("out", x)
    return build.finish()


def test_a_block_is_predicted_with_its_functions() -> None:
    """Each of them takes about what it takes alone: vectors overlap in both."""
    target = replace(get("avx512"), cpu="znver4")
    alone, some, more = (predict(chain(count), target).cycles for count in (1, 20, 40))
    assert not in_stages(chain(1)) and in_stages(chain(20))
    assert 0.8 * 20 * alone < some < 1.3 * 20 * alone
    assert more == pytest.approx(2 * some, rel=0.05)
