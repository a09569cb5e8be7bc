"""Loops recovered from repetition: the same numbers as straight-line code, in few steps."""

import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.kernel import Kernel
from codegen.loops import units as units_module
from codegen.loops.analysis import roll
from codegen.loops.evaluate import evaluate
from codegen.loops.program import Cells, Map, Numbers, Reduce, Rolled, Scatter, Zero, count
from codegen.loops.summary import summary
from codegen.loops.workspace import Workspace
from codegen.lower import Parameter, Result, lower
from rewrite.dag import Dag
from rewrite.errors import ArgumentError, TargetError, UnsupportedOp
from rewrite.leaves import pattern_vars
from rewrite.term import Term

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
    return bool(np.allclose(one, other, rtol=1e-10, atol=1e-10, equal_nan=True))


# -- systems made of shapes that are repeated ----------------------------------------------------


def random_shape(rnd: random.Random, depth: int) -> Callable[[list[Term]], Term]:
    """Return a function that builds a random term over the leaves that it is given in turn."""
    if depth == 0 or rnd.random() < 0.15:
        if rnd.random() < 0.2:
            value = rnd.choice([2, 0.5, 3.25, rw.pi])
            return lambda leaves: leaves.pop() * value
        return lambda leaves: leaves.pop()
    a, b, c = (random_shape(rnd, depth - 1) for _ in range(3))
    kind = rnd.randrange(12)

    def build(leaves: list[Term]) -> Term:
        x, y = a(leaves), b(leaves)
        made: list[Callable[[], Term]] = [
            lambda: x + y, lambda: x - y, lambda: x * y, lambda: x / (y * y + 1),
            lambda: rw.exp(-rw.abs(x)), lambda: rw.sin(1 / (x * x + 1)) + rw.cos(1 / (x * x + 1)),
            lambda: x**3 - y**2, lambda: rw.where(x < y, x, c(leaves)),
            lambda: rw.sqrt(rw.abs(x) + 1) / 4, lambda: rw.apply("add", x, y, c(leaves)),
            lambda: -(x + y), lambda: (x + y) * (x + y),
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
        term = build(leaves)
        made.append(term / (rw.abs(term) + 1))  # numbers of about one size: sums do not cancel
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


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([5, 40, 150]))
def test_strict_programs_have_the_bits_of_straight_line_code(seed: int, size: int) -> None:
    rolled, found, wanted = both(*random_system(seed, size), strict=True, seed=seed)
    assert same_bits(found, wanted), rolled


@settings(max_examples=12)
@given(seed=st.integers(0, 10**6), size=st.sampled_from([5, 40, 150]))
def test_programs_compute_the_same_within_rounding(seed: int, size: int) -> None:
    rolled, found, wanted = both(*random_system(seed, size), seed=seed)
    assert close(found, wanted), rolled


@settings(max_examples=3)
@given(seed=st.integers(0, 10**6))
def test_fast_functions_are_those_of_straight_line_code(seed: int) -> None:
    rolled, found, wanted = both(*random_system(seed, 40), approximate=True, seed=seed)
    assert close(found, wanted), rolled


def test_equal_hashes_of_two_shapes_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = vars(units_module)["hashed"]

    def clashing(*args: Any) -> None:
        hashed(*args)
        args[4][:] %= np.uint64(2)

    monkeypatch.setattr(units_module, "hashed", clashing)
    for seed in (3, 8):
        rolled, found, wanted = both(*random_system(seed, 300), strict=True, seed=seed)
        assert same_bits(found, wanted), rolled


# -- what steps there are ------------------------------------------------------------------------


def kinds(rolled: Rolled) -> list[type]:
    return [type(step) for step in rolled.steps]


def reaction_diffusion(n: int) -> tuple[dict[str, list[Term]], list[Term]]:
    """Three species on an n x n grid, one of which diffuses between reflecting ends."""
    names = "abc"
    grids = {name: np.array(symbols(name, n * n), object).reshape(n, n) for name in names}
    a, b, c = (grids[name] for name in names)
    padded = np.pad(a, 1, mode="reflect")
    flow = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:] + padded[1:-1, :-2] - 4 * a
    source = np.where(np.arange(n)[:, None] >= n - n // 5, 1.0, 0.0)
    rates = [100 * flow + source - a - a * b + c, 1 - b - a * b + c, 1 - c + a * b - c]
    arguments = {name: list(grid.ravel()) for name, grid in grids.items()}
    return arguments, [term for rate in rates for term in rate.ravel()]


def test_a_stencil_is_one_loop_over_runs_of_cells() -> None:
    arguments, terms = reaction_diffusion(10)
    rolled, found, wanted = both(arguments, terms)
    assert same_bits(found, wanted)
    (step,) = rolled.steps
    assert isinstance(step, Map)
    assert [result.index.tolist() for result in step.results] == [
        list(range(begin, begin + 100)) for begin in (0, 100, 200)
    ]
    assert sum(i.op == "mul" for i in step.body.instructions) == 3  # a*b is one
    for operand in step.operands:
        if isinstance(operand, Cells):  # within a row there are two reflecting ends
            assert (np.diff(operand.index) == 1).mean() > 0.7


def test_sums_over_neighbours_across_the_ends_are_one_loop_a_step() -> None:
    u = np.array(symbols("u", 64), object).reshape(8, 8)
    start = list(u.ravel())
    for _ in range(3):
        u = u + 0.1 * (
            np.roll(u, 1, 0) + np.roll(u, -1, 0) + np.roll(u, 1, 1) + np.roll(u, -1, 1) - 4 * u
        )
    rolled, found, wanted = both({"u": start}, list(u.ravel()))
    assert same_bits(found, wanted)
    assert [count(step) for step in rolled.steps] == [64, 64, 64]


def network(species: int, reactions: int) -> tuple[dict[str, list[Term]], list[Term]]:
    """Return a random network of reactions a + b -> c."""
    rnd = random.Random(species)
    x, k = symbols("x", species), symbols("k", reactions)
    gains: list[list[Term]] = [[] for _ in x]
    losses: list[list[Term]] = [[] for _ in x]
    for rate in k:
        a, b, c = rnd.sample(range(species), 3)
        flux = rw.apply("mul", rate, x[a], x[b])
        losses[a].append(flux)
        losses[b].append(flux)
        gains[c].append(flux)

    def total(parts: list[Term]) -> Term:
        return rw.apply("add", *parts) if len(parts) > 1 else (parts or [rw.const(0)])[0]

    return {"x": x, "k": k}, [total(g) - total(m) for g, m in zip(gains, losses, strict=True)]


@pytest.mark.parametrize("species", [20, 100])
def test_reactions_are_scattered(species: int) -> None:
    rolled, found, wanted = both(*network(species, 12 * species))
    assert close(found, wanted)
    assert set(kinds(rolled)) <= {Zero, Scatter}
    first = max((s for s in rolled.steps if isinstance(s, Scatter)), key=count)
    assert count(first) > 11 * species
    assert len(first.results) == 3
    assert (np.diff(first.results[0].index) >= 0).all()
    assert len(rolled.steps) < 5


def test_strict_sums_are_reduced_in_their_order() -> None:
    rolled, found, wanted = both(*network(60, 600), strict=True)
    assert same_bits(found, wanted)
    assert Reduce in kinds(rolled)
    assert Scatter not in kinds(rolled)


def test_steps_follow_shapes_not_equations() -> None:
    def made(size: int) -> Rolled:
        x, p = symbols("x", size), symbols("p", 5)
        terms = [rw.exp(-x[k]) * p[k % 3] + x[(k * 7) % size] / 3 for k in range(size)]
        terms += [rw.sin(terms[k] - terms[k - 1]) ** 2 for k in range(size)]
        terms.append(rw.apply("add", *(t * t for t in terms[:size])))
        rolled, found, wanted = both({"x": x, "p": p}, terms)
        assert close(found, wanted)
        return rolled

    assert len(made(60).steps) == len(made(240).steps) <= 4


def test_long_sums_of_many_shapes_take_a_step_for_each() -> None:
    x = symbols("x", 90)
    parts = [t for k in range(30) for t in (x[k] * x[k + 1], rw.exp(x[k + 30]), -(x[k + 60] ** 3))]
    rolled, found, wanted = both({"x": x}, [rw.apply("add", *parts)])
    assert close(found, wanted)
    assert kinds(rolled) == [Reduce] * 3
    assert [step.adds for step in rolled.steps if isinstance(step, Reduce)] == [False, True, True]


def test_operands_that_commute_are_of_one_shape() -> None:
    x, k = symbols("x", 64), symbols("k", 64)
    terms = [
        (a * b if n % 2 else b * a) + rw.exp(a) for n, (a, b) in enumerate(zip(x, k, strict=True))
    ]
    for strict in (True, False):
        rolled, found, wanted = both({"x": x, "k": k}, terms, strict=strict)
        assert same_bits(found, wanted)
        assert [count(step) for step in rolled.steps] == [64]


def test_a_convolution_is_one_loop_and_a_product_with_a_matrix_sums() -> None:
    u = np.array(symbols("u", 900), object).reshape(30, 30)
    weights = np.random.default_rng(1).normal(size=(7, 7))
    parts = [w * u[i : i + 24, j : j + 24] for (i, j), w in np.ndenumerate(weights)]
    terms = [rw.apply("add", *column) for column in np.stack(parts).reshape(49, -1).T]
    rolled, found, wanted = both({"u": list(u.ravel())}, terms)
    assert same_bits(found, wanted)
    assert [count(step) for step in rolled.steps] == [576]
    x, matrix = symbols("x", 60), np.random.default_rng(2).normal(size=(60, 60))
    rolled, found, wanted = both(
        {"x": x}, [rw.apply("add", *(row * np.array(x))) for row in matrix]
    )
    assert same_bits(found, wanted)
    assert kinds(rolled) == [Reduce]


def test_what_users_of_one_point_share_stays_in_registers() -> None:
    x, y = symbols("x", 40), symbols("y", 40)
    terms = []
    for a, b in zip(x, y, strict=True):
        shared = rw.exp(a) / (1 + b * b)
        terms += [shared + a, shared - b, shared * a]
    rolled, found, wanted = both({"x": x, "y": y}, terms)
    assert same_bits(found, wanted)
    (step,) = rolled.steps
    assert len(step.results) == 3 if isinstance(step, Map) else False
    assert rolled.work == 0


def test_clusters_that_would_wait_for_each_other_are_taken_apart() -> None:
    x = symbols("x", 40)
    terms = []
    for a in x:
        p = rw.exp(a) / (1 + a)
        first = rw.sin(p) + 1
        between = rw.log(first * first + 2)  # of more users than clusters look at
        terms += [first, p * between + a, *(between * k + a for k in range(2, 8))]
    rolled, found, wanted = both({"x": x}, terms)
    assert same_bits(found, wanted)
    assert len(rolled.steps) < 12


def test_irregular_programs_are_straight_line_code_in_pieces() -> None:
    rnd = random.Random(5)
    pool = symbols("x", 20)
    arguments = {"x": list(pool)}
    for _ in range(4000):
        a, b = rnd.choice(pool[-60:]), rnd.choice(pool)
        pool.append(rnd.choice([a + b * b, a * rw.sin(b), a - b]))
    parameters, results = system(arguments, pool[-100:])
    rolled = roll(parameters, results)
    found = summary(rolled)
    assert found.straight > 0.8 * found.operations
    assert max(len(step.body.instructions) for step in rolled.steps if isinstance(step, Map)) < 2000
    assert len(rolled.steps) < 80


# -- leaves and results --------------------------------------------------------------------------


def test_constants_are_rounded_once_to_each_float_type() -> None:
    x = symbols("x", 60)
    terms = [t * rw.const(Fraction(k + 1, 3)) + rw.sqrt(k + 2) for k, t in enumerate(x)]
    parameters, results = system({"x": x}, terms)
    rolled = roll(parameters, results)
    assert any(isinstance(o, Numbers) for step in rolled.steps for o in step.operands)  # type: ignore[union-attr]
    point = np.linspace(0.5, 2, 60, dtype=np.float32)
    plain = Kernel(lower(parameters, results), dtype=np.float32)
    assert same_bits(evaluate(rolled, point, dtype=np.float32)[0], np.asarray(plain(point)))


def test_integer_powers_and_exact_divisors_are_parts_of_shapes() -> None:
    x = symbols("x", 160)
    powers = [2, 3, 5, -1, 0.5, 2.5, 7, 0]
    divisors = [2, 3, 8, 0.25, 10, -4, 7, 0]
    terms = [t ** powers[k % 8] / divisors[k // 8 % 8] for k, t in enumerate(x)]
    for strict in (True, False):
        _, found, wanted = both({"x": x}, terms, strict=strict)
        assert same_bits(found, wanted)


def test_sine_and_cosine_of_one_argument_are_those_of_straight_line_code() -> None:
    x = symbols("x", 40)
    terms = [rw.sin(t) * rw.exp(t) for t in x] + [rw.cos(t) / t for t in x[:20]]
    _, found, wanted = both({"x": x}, terms, approximate=True)
    assert same_bits(found, wanted)


def test_truth_values_are_read_computed_again_and_written() -> None:
    x = symbols("x", 24)
    flags = [rw.symbol(f"f{k}", dtype=bool) for k in range(24)]
    over = [(a > 1) & f for a, f in zip(x, flags, strict=True)]
    values = [rw.where(c, a * a, -a) for c, a in zip(over, x, strict=True)]
    more = [rw.where(c, v + 1, v * a) for c, v, a in zip(over, values, x, strict=True)]
    parameters = [Parameter("x", (24,), tuple(x)), Parameter("f", (24,), tuple(flags))]
    results = [
        Result("c", (24,), tuple(over)), Result("y", (24,), tuple(more)),
        Result("z", (2,), (over[3], rw.const(True))),
    ]  # fmt: skip
    rolled = roll(parameters, results)
    point = np.linspace(0, 2, 24), np.arange(24) % 3 > 0
    for one, other in zip(
        evaluate(rolled, *point), Kernel(lower(parameters, results))(*point), strict=True
    ):
        assert one.dtype == other.dtype
        assert same_bits(one, other)


@pytest.mark.parametrize("size", [40, 400])
def test_long_conditions_are_kept_as_numbers(size: int) -> None:
    """Computed again in each user, conditions that grow would take quadratic time."""
    x = symbols("x", size)
    terms, inside = [], x[0] > 0
    for a in x:
        inside = inside & (a < 1.9)
        terms += [rw.where(inside, a * a, -a), rw.where(inside == (a > 1), a, 2 * a)]
    rolled, found, wanted = both({"x": x}, terms)
    assert same_bits(found, wanted)
    assert summary(rolled).operations < 60 * size


def test_results_may_be_arguments_constants_and_each_other() -> None:
    x = symbols("x", 6)
    twice = x[0] * x[1]
    _, found, wanted = both({"x": x}, [x[2], rw.const(3), twice, twice, rw.sqrt(2), x[2]])
    assert same_bits(found, wanted)


def test_what_lower_refuses_is_refused() -> None:
    (x, y), (v,) = symbols("x", 2), pattern_vars("v")
    for error, arguments, terms in (
        (ArgumentError, [x], [x + y]),
        (ArgumentError, [x, x], [x]),
        (UnsupportedOp, [x], [x + v]),
        (TargetError, [x], [x, x < 1]),
        (TargetError, [x], []),
    ):
        said = []
        for make in (lower, roll):
            parameters = [Parameter(f"a{k}", (), (a,)) for k, a in enumerate(arguments)]
            results = [Result("y", (len(terms),), tuple(terms))] if terms else []
            with pytest.raises(error) as caught:
                make(parameters, results)
            said.append(str(caught.value))
        assert said[0] == said[1]


# -- work cells and reports ----------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 6)), min_size=1, max_size=40))
def test_cells_are_given_out_again_only_after_their_last_use(sizes: list[tuple[int, int]]) -> None:
    space = Workspace(len(sizes) + 10)
    live: list[tuple[int, int, int]] = []
    for step, (size, uses) in enumerate(sizes):
        space.at(step)
        live = [each for each in live if each[2] >= step]
        begin = space.take(size, step + uses)
        assert all(begin + size <= low or high <= begin for low, high, _ in live)
        live.append((begin, begin + size, step + uses))
        assert begin + size <= space.size


def test_values_of_steps_that_are_done_share_cells() -> None:
    u = np.array(symbols("u", 100), object)
    start = list(u)
    for _ in range(10):
        u = u + 0.1 * (np.roll(u, 1) - u) * u
    rolled, found, wanted = both({"u": start}, list(u))
    assert same_bits(found, wanted)
    assert rolled.work <= 3 * 104


def test_the_summary_says_what_became_of_it() -> None:
    rolled = roll(*system(*network(50, 1000)))
    found = summary(rolled)
    assert found.worth_rolling
    assert found.looped == found.operations == 1000 * 6
    assert "100% of 6000 operations" in str(found)
    x = symbols("x", 3)
    small = summary(roll(*system({"x": x}, [x[0] * x[1] + 1, rw.exp(x[2])])))
    assert not small.worth_rolling
    assert small.straight == 3
    assert "fewer than" in str(small)


def test_a_program_in_use_is_left_as_it_is() -> None:
    x = rw.asarray([rw.symbol(f"x{k}") for k in range(3000)])
    terms = ((x[1:] - 2.0 * x[:-1]) * x[1:] + 0.5 * x[:-1]).terms()
    dag = Dag.of(terms[0].store, [term.id for term in terms])
    before = dag.args.copy()
    rw.compile([x], rw.asarray(terms), optimize_terms=False)
    assert (dag.args == before).all()
    assert (Dag.of(terms[0].store, [term.id for term in terms]).args == before).all()
