"""Loops recovered from repetition: the same numbers as straight-line code, in few steps."""

import random
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.kernel import Kernel
from codegen.loops.analysis import roll
from codegen.loops.evaluate import evaluate
from codegen.loops.program import WORK, Cells, Map, Reduce, Rolled, Scatter, Zero
from codegen.lower import Parameter, Result, lower
from rewrite.errors import ArgumentError, TargetError, UnsupportedOp
from rewrite.term import Term, pattern_vars

type Floats = npt.NDArray[np.float64]


def symbols(name: str, count: int) -> list[Term]:
    return [rw.symbol(f"{name}{k}") for k in range(count)]


def system(
    arguments: dict[str, list[Term]], terms: list[Term]
) -> tuple[list[Parameter], list[Result]]:
    parameters = [Parameter(name, (len(x),), tuple(x)) for name, x in arguments.items()]
    return parameters, [Result("y", (len(terms),), tuple(terms))]


def both(
    arguments: dict[str, list[Term]], terms: list[Term], *, strict: bool = False,
    approximate: bool = False, seed: int = 0,
) -> tuple[Rolled, Floats, Floats]:  # fmt: skip
    """Return the rolled program, its numbers at a point, and those of straight-line code."""
    parameters, results = system(arguments, terms)
    rolled = roll(parameters, results, strict=strict, approximate=approximate)
    generator = np.random.default_rng(seed)
    values = [generator.uniform(0.5, 2.0, len(x)) for x in arguments.values()]
    plain = Kernel(lower(parameters, results, strict=strict, approximate=approximate))
    return rolled, evaluate(rolled, *values)[0], np.asarray(plain(*values))


def same_bits(one: Floats, other: Floats) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))


def close(one: Floats, other: Floats) -> bool:
    return bool(np.allclose(one, other, rtol=1e-11, atol=1e-11, equal_nan=True))


# -- systems made of shapes that are repeated ----------------------------------------------------


def random_shape(rnd: random.Random, depth: int) -> Callable[[list[Term]], Term]:
    """Return a function that builds a random term over the leaves that it is given in turn."""
    if depth == 0 or rnd.random() < 0.15:
        if rnd.random() < 0.2:
            value = rnd.choice([2, 0.5, 3.25, rw.pi])
            return lambda leaves: leaves[0] * 0 + value if rnd.random() < 0 else leaves.pop() * value
        return lambda leaves: leaves.pop()
    parts = [random_shape(rnd, depth - 1) for _ in range(3)]
    kind = rnd.randrange(12)
    a, b, c = parts

    def build(leaves: list[Term]) -> Term:
        x, y = a(leaves), b(leaves)
        made: list[Callable[[], Term]] = [
            lambda: x + y, lambda: x - y, lambda: x * y, lambda: x / (y * y + 1),
            lambda: rw.exp(-x), lambda: rw.sin(x) + rw.cos(x), lambda: x**3 - y**2,
            lambda: rw.where(x < y, x, c(leaves)), lambda: rw.sqrt(rw.abs(x) + 1) / 4,
            lambda: rw.apply("add", x, y, c(leaves)), lambda: -(x + y), lambda: (x + y) * (x + y),
        ]  # fmt: skip
        return made[kind]()

    return build


def random_system(seed: int, size: int) -> tuple[dict[str, list[Term]], list[Term]]:
    """Repeat a few random shapes over arguments and earlier results, chained and summed."""
    rnd = random.Random(seed)
    arguments = {"x": symbols("x", 12), "p": symbols("p", 7)}
    shapes = [random_shape(rnd, rnd.randrange(1, 4)) for _ in range(rnd.randrange(1, 5))]
    known = [*arguments["x"], *arguments["p"]]
    made: list[Term] = []
    for _ in range(size):
        build = rnd.choice(shapes)
        if rnd.random() < 0.8:
            leaves = [rnd.choice(known[:19]) for _ in range(40)]
        else:
            leaves = [rnd.choice(known[-40:]) for _ in range(40)]
        made.append(build(leaves))
        if rnd.random() < 0.3:
            known.append(made[-1])
    terms = [rnd.choice(made) for _ in range(size // 2)]
    for _ in range(rnd.choice([0, 3, 30])):
        chosen = [rnd.choice(made) for _ in range(rnd.choice([2, 3, 9, 60]))]
        half = len(chosen) // 2
        total = rw.apply("add", *chosen)
        if half > 1:
            total = rw.apply("add", *chosen[:half]) - rw.apply("add", *chosen[half:])
        terms.append(rnd.choice([total, -total, total * made[0], sum(chosen[1:], chosen[0])]))
    terms += [arguments["x"][0], rw.const(2.5), terms[0]]
    return arguments, terms


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([5, 40, 300]))
def test_strict_programs_have_the_bits_of_straight_line_code(seed: int, size: int) -> None:
    rolled, found, wanted = both(*random_system(seed, size), strict=True, seed=seed)
    assert same_bits(found, wanted), rolled


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([5, 40, 300]))
def test_programs_compute_the_same_within_rounding(seed: int, size: int) -> None:
    rolled, found, wanted = both(*random_system(seed, size), seed=seed)
    assert close(found, wanted), rolled


@settings(max_examples=5)
@given(seed=st.integers(0, 10**6))
def test_fast_functions_are_those_of_straight_line_code(seed: int) -> None:
    rolled, found, wanted = both(*random_system(seed, 40), approximate=True, seed=seed)
    assert close(found, wanted), rolled
