"""Branches around what no lane of a vector needs: the same bits, in any order of conditions."""

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen import branches as module
from codegen.branches import Branch, Item, branches
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder

EDGES = np.array([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, 1e300, -710.0, 0.3, 2e9])
UNARY = ("exp", "log", "sin", "cos", "tanh", "sqrt", "neg", "asin", "atanh", "log1p")
BINARY = ("add", "mul", "sub", "pow", "div")


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Write random programs with many choices, some of them inside others."""
    build = ProgramBuilder()
    numbers = [build.load(build.argument(name)) for name in "xy"]
    numbers.append(build.const(0.25))
    truths = [build.emit("lt", *numbers[:2])]
    for _ in range(draw(st.integers(3, 25))):
        kind = draw(st.sampled_from(("unary", "unary", "binary", "where", "where", "truth")))
        recent = st.sampled_from(numbers[-6:])
        if kind == "truth":
            truths.append(build.emit(draw(st.sampled_from(("lt", "ge"))), draw(recent), numbers[0]))
        elif kind == "where":
            condition = draw(st.sampled_from(truths))
            numbers.append(build.emit("where", condition, draw(recent), draw(recent)))
        elif kind == "unary":
            numbers.append(build.emit(draw(st.sampled_from(UNARY)), draw(recent)))
        else:
            op = draw(st.sampled_from(BINARY))
            numbers.append(build.emit(op, draw(recent), draw(st.sampled_from(numbers))))
    build.output("out", numbers[-1])
    if draw(st.booleans()):
        build.output("more", numbers[len(numbers) // 2])
    return build.finish()


def flat(items: tuple[Item, ...]) -> list[int]:
    return [x for item in items for x in (flat(item.items) if isinstance(item, Branch) else [item])]


def without_branches(program: Program, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    with monkeypatch.context() as patch:
        patch.setattr(module, "WORTH", 10**9)
        return Kernel(program)


def points(n: int = 203) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, n)) * 2
    x[: EDGES.size * 8] = np.repeat(EDGES, 8)  # whole vectors agree
    y[-EDGES.size :] = EDGES
    return x, y


@settings(max_examples=60)
@given(programs())
def test_every_value_comes_once_and_after_what_it_needs(program: Program) -> None:
    done: set[int] = set()

    def follow(items: tuple[Item, ...]) -> None:
        for item in items:
            if isinstance(item, Branch):
                assert item.condition in done
                follow(item.items)
                continue
            assert item not in done
            assert done.issuperset(program.instructions[item].args)
            done.add(item)

    items = branches(program)
    follow(items)
    assert len(done) == len(program.instructions)
    visible(program, items, set())


def visible(program: Program, items: tuple[Item, ...], outer: set[int]) -> None:
    """Check that what is used outside of a branch is among its results."""
    seen = set(outer)
    for item in items:
        if isinstance(item, Branch):
            visible(program, item.items, seen)
            assert set(item.results) <= set(flat(item.items))
            seen.update(item.results)
        else:
            assert seen.issuperset(program.instructions[item].args)
            seen.add(item)
    if not outer:
        assert all(seen.issuperset(output.values) for output in program.outputs)


@settings(max_examples=25, deadline=None)
@given(programs())
def test_bits_are_those_without_branches(program: Program) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plain = without_branches(program, patch)
    kernel = Kernel(program)
    for dtype in (np.float64, np.float32):
        with np.errstate(over="ignore"):
            data = [part.astype(dtype) for part in points()]
        found, expected = kernel(*data), plain(*data)
        np.testing.assert_array_equal(found, expected)


def count(kernel: Kernel) -> int:
    return kernel.llvm.count("\nside")


def test_an_expensive_side_is_behind_a_branch_and_a_cheap_one_is_not() -> None:
    x = rw.symbol("x")
    both = rw.compile([x], rw.where(x > 0, rw.log(x), rw.exp(x)), optimize_terms=False)
    assert count(both) == 2
    one = rw.compile([x], rw.where(x > 0, rw.log(x), 2 * x), optimize_terms=False)
    assert count(one) == 1
    none = rw.compile([x], rw.where(x > 0, 3 / x, 2 * x), optimize_terms=False)
    assert count(none) == 0


def test_what_is_needed_anyway_is_behind_no_branch() -> None:
    x = rw.symbol("x")
    log = rw.log(x)
    kernel = rw.compile([x], log + rw.where(x > 0, log, rw.exp(x)), optimize_terms=False)
    assert count(kernel) == 1


def test_one_condition_of_two_results_is_one_branch() -> None:
    x = rw.symbol("x")
    first, second = rw.where(x > 0, rw.log(x), x), rw.where(x > 0, 1 / rw.log(x), x)
    kernel = rw.compile([x], (first, second), optimize_terms=False)
    assert count(kernel) == 1
    found = kernel(np.array([2.0, -1.0]))
    np.testing.assert_allclose(found, [[np.log(2), -1], [1 / np.log(2), -1]], rtol=1e-15)


def test_a_pair_of_sine_and_cosine_may_be_split_between_sides() -> None:
    x = rw.symbol("x")
    sin, cos = rw.sin(x), rw.cos(x)
    exprs = (rw.where(x > 0, sin * cos, 0.0) + cos, rw.where(x > 1, sin, cos))
    kernel = rw.compile([x], exprs, optimize_terms=False)
    data = np.linspace(-3, 3, 100)
    first, second = kernel(data)
    s, c = np.sin(data), np.cos(data)
    np.testing.assert_allclose(first, np.where(data > 0, s * c, 0) + c, atol=1e-15)
    np.testing.assert_allclose(second, np.where(data > 1, s, c), atol=1e-15)


def test_two_vectors_in_turns_share_the_branches() -> None:
    x, y = rw.symbols("x y")
    wide = x**y + rw.erfc(y) * rw.atan2(x, y)
    kernel = rw.compile([x, y], rw.where(x > 0, wide, rw.log1p(y * y)), optimize_terms=False)
    assert count(kernel) == 2
    assert kernel.llvm.count("llvm.masked") == 0
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1000))
    a[:500] = np.sort(a[:500])
    found = kernel(a, b)
    single = np.array([kernel(p, q) for p, q in zip(a, b, strict=True)])
    np.testing.assert_array_equal(found, single)


def test_a_thousand_conditions_inside_each_other_compile() -> None:
    x = rw.symbol("x")
    term = rw.exp(x)
    for k in range(1000):
        term = rw.where(x > k, term + k, rw.const(float(k)))
    kernel = rw.compile([x], term, optimize_terms=False, dtype=np.float64)
    assert kernel(-1.0) == 999.0


def test_array_results_store_what_is_behind_branches() -> None:
    u = rw.symbols("a b c")
    parts = [rw.where(v > 0, rw.log(v), rw.exp(v)) for v in u]
    kernel = rw.compile([list(u)], parts, optimize_terms=False)
    data = np.random.default_rng(0).normal(size=(20, 3))
    with np.errstate(invalid="ignore"):
        expected = np.where(data > 0, np.log(data), np.exp(data))
    np.testing.assert_allclose(kernel(data), expected, rtol=1e-15)


def random_program(seed: int) -> Program:
    """Write a long program with few argument reads and many choices inside others."""
    rng = random.Random(seed)
    build = ProgramBuilder()
    numbers = [*(build.load(build.argument(name)) for name in "xy"), build.const(0.25)]
    truths = [build.emit("lt", *numbers[:2])]
    for _ in range(rng.choice((30, 100, 200))):
        a, b = rng.choice(numbers[-6:]), rng.choice((*numbers[:3], *numbers[-6:]))
        kind = rng.randrange(8)
        if kind < 3:
            numbers.append(build.emit(rng.choice(UNARY), a))
        elif kind < 5:
            numbers.append(build.emit(rng.choice(BINARY), a, b))
        elif kind < 7:
            numbers.append(build.emit("where", rng.choice(truths[-4:]), a, b))
        else:
            truths.append(build.emit(rng.choice(("lt", "eq")), a, b))
    build.output("out", numbers[-1])
    build.output("more", numbers[len(numbers) // 2])
    return build.finish()


def test_conditions_are_there_before_the_branches_on_them() -> None:
    def check(items: tuple[Item, ...], known: set[int]) -> set[int]:
        for item in items:
            if isinstance(item, Branch):
                assert item.condition in known
                inside = check(item.items, set(known))
                assert inside.issuperset(item.results)
                known |= set(item.results)
            else:
                assert known.issuperset(program.instructions[item].args)
                known.add(item)
        return known

    branched = 0
    for seed in range(400):
        program = random_program(seed)
        items = branches(program)
        check(items, set())
        branched += any(isinstance(item, Branch) for item in items)
    assert branched > 200
