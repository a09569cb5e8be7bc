"""Constants that repeat are kept once, and results side by side are stored as one."""

from typing import Any

import numpy as np
import pytest

from codegen.instruction import Argument
from codegen.kernel import Kernel
from codegen.loops.code import planned
from codegen.loops.columns import Column, neighbours
from codegen.loops.evaluate import evaluate
from codegen.loops.plan import Shape
from codegen.loops.program import Cells, Map, Numbers, Result, Rolled
from codegen.loops.repeats import repeats_of
from codegen.program import Program, ProgramBuilder
from codegen.target import host

pytestmark = pytest.mark.usefixtures("only_loops")


def numbers(values: Any) -> Numbers:
    values = np.ascontiguousarray(values, float)
    return Numbers(values, values.astype(np.float32))


def scaled(results: int) -> Program:
    """Return the body of c*x + 0.0, c*x + 1.0, ..."""
    builder = ProgramBuilder("scaled")
    c, x = (builder.load(builder.argument(name)) for name in "cx")
    product = builder.emit("mul", c, x)
    for k in range(results):
        builder.output(f"y{k}", builder.emit("add", product, builder.const(float(k))))
    return builder.finish()


def table(rng: Any, period: int, count: int) -> Any:
    """Return numbers of which most repeat, behind some that do not and with some between."""
    parts = [rng.normal(size=int(rng.integers(0, 400)))]
    while sum(map(len, parts)) < count:
        whole = rng.normal(size=period)
        parts += [np.tile(whole, int(rng.integers(8, 30))), rng.normal(size=rng.integers(0, 300))]
    return np.concatenate(parts)


@pytest.mark.parametrize("seed", range(8))
def test_a_table_is_what_its_parts_are(seed: int) -> None:
    rng = np.random.default_rng(seed)
    given = numbers(table(rng, int(rng.integers(130, 500)), 6000))
    found = repeats_of(given)
    assert found is not None
    assert len(found.kept.f64) <= len(given.f64) / 2
    at = found.at(np.arange(len(given.f64)))
    for kept, whole in ((found.kept.f64, given.f64), (found.kept.f32, given.f32)):
        np.testing.assert_array_equal(kept[at], whole)
    assert (np.diff(found.starts) > 0).all()


def test_what_does_not_repeat_stays() -> None:
    rng = np.random.default_rng(0)
    assert repeats_of(numbers(rng.normal(size=5000))) is None
    assert repeats_of(numbers(np.tile(rng.normal(size=20), 10))) is None
    odd = np.tile(rng.normal(size=200), 20)
    single = odd.astype(np.float32)
    single[::7] += np.arange(len(single[::7]), dtype=np.float32)
    assert repeats_of(Numbers(odd, single)) is None


def test_zeros_of_other_signs_are_not_the_same() -> None:
    given = np.tile(np.random.default_rng(1).normal(size=150), 20)
    given[10::150] = np.where(np.arange(20) % 2, 0.0, -0.0)
    found = repeats_of(numbers(given))
    if found is not None:
        kept = found.kept.f64[found.at(np.arange(len(given)))]
        np.testing.assert_array_equal(np.signbit(kept), np.signbit(given))


def program(rng: Any, results: int, gap: int) -> Rolled:
    """Return a map of a table that repeats; its results lie side by side, with gaps between."""
    values = table(rng, int(rng.integers(130, 300)), 3000)
    count = len(values)
    width = results + gap
    index = np.arange(count, dtype=np.int32)
    places = index * width
    if rng.integers(2):
        places = np.sort(rng.permutation(2 * count)[:count].astype(np.int32)) * width
    targets = tuple(Cells(1, (places + k).astype(np.int32)) for k in range(results))
    step = Map(scaled(results), (numbers(values), Cells(0, index)), targets)
    size = int(places[-1]) + width
    rest = np.setdiff1d(np.arange(size), np.concatenate([t.index for t in targets]))
    steps = [step]
    if len(rest):
        builder = ProgramBuilder("copy")
        builder.output("y", builder.load(builder.argument("x")))
        zeros = numbers(np.zeros(len(rest)))
        steps.append(Map(builder.finish(), (zeros,), (Cells(1, rest.astype(np.int32)),)))
    return Rolled((Argument("u", (count,)),), (Result("y", (size,)),), 0, tuple(steps)).verify()


@pytest.mark.parametrize("dtype", ["f64", "f32"])
@pytest.mark.parametrize("seed", range(6))
def test_bits_are_those_of_the_table(seed: int, dtype: Any) -> None:
    rng = np.random.default_rng(seed)
    made = program(rng, 1 + seed % 6, seed % 3)
    kind = np.float64 if dtype == "f64" else np.float32
    kernel = Kernel(made, dtype=dtype)
    u = rng.normal(size=made.arguments[0].shape).astype(kind)
    (expected,) = evaluate(made, u, dtype=kind)
    np.testing.assert_array_equal(kernel(u), expected)
    room = np.full(len(expected) + 4, np.nan, kind)
    kernel(u, out=room[3:-1])  # stores begin where no vector does, and end at the end
    np.testing.assert_array_equal(room[3:-1], expected)
    assert np.isnan(room[[0, 1, 2, -1]]).all()


def test_a_table_that_repeats_is_read_run_by_run() -> None:
    made = program(np.random.default_rng(3), 1, 0)
    pieces = planned(made, "f64", host(), batch=False)
    shapes = [piece.code for piece in pieces if isinstance(piece.code, Shape)]
    assert any(c.form == "run" and c.is_number for shape in shapes for c in shape.operands)


def test_neighbours_are_in_order_of_memory() -> None:
    def column(offset: int, **more: Any) -> Column:
        return Column("table", "f", bits=16, **{"twin": 0, "home": 0, "offset": offset, **more})

    columns = [column(2), column(0), column(1), column(5), column(3, home=1), column(4)]
    assert neighbours(columns) == [(1, 2, 0), (5, 3), (4,)]
    assert neighbours([column(0, twin=None), Column("table", "b", twin=1, home=0)]) == []
