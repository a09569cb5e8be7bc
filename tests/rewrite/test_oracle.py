"""The oracle: each op's ball function against its NumPy function, decisions, distances in ulp."""

import math
import threading
from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.dag import Dag
from rewrite.evaluate import evaluate
from rewrite.oracle import exact, exact_dag, surely_undefined, ulp_distance, working_precision
from rewrite.store import Store
from rewrite.term import Term, apply
from rewrite.testing import terms

INNER = [row for row in ops.BUILTIN if row.code > ops.PVAR.code]
TRUTH = (np.array([0, 0, 1, 1], np.bool_), np.array([0, 1, 0, 1], np.bool_))


def call(row: ops.Op) -> Term:
    """Apply an op to symbols of the sorts that it takes."""
    arity = 2 if row.name == "add" else 3 if row.arity < 0 else row.arity  # three may cancel
    letters = [row.takes[min(i, len(row.takes) - 1)] for i in range(arity)]
    names = [
        rw.symbol(f"{'b' if letter == 'b' else 'r'}{i}", dtype="bool" if letter == "b" else None)
        for i, letter in enumerate(letters)
    ]
    return apply(row, *names)


def values(row: ops.Op, rng: np.random.Generator, n: int = 400) -> dict[str, np.ndarray]:
    """Sample operands of moderate and of extreme size, with whole and half numbers among them."""
    points = {}
    for i in range(3):
        wide = np.exp2(rng.uniform(-40, 6, n)) * rng.choice([-1, 1], n)
        column = np.where(rng.random(n) < 0.3, rng.integers(-6, 7, n) / 2, wide)
        column[: n // 4] = rng.uniform(-1, 1, n // 4)
        points[f"r{i}"] = column
        points[f"b{i}"] = rng.random(n) < 0.5
    return points


@pytest.mark.parametrize("row", INNER, ids=lambda row: row.name)
def test_every_ball_function_agrees_with_its_numpy_function(row: ops.Op) -> None:
    points = values(row, np.random.default_rng(row.code))
    term = call(row)
    computed, known = evaluate(term, points), exact(term, points)
    distance = ulp_distance(computed, known)
    assert np.count_nonzero(known.ok) >= 40, "the samples miss the domain"
    assert np.nanmax(distance) <= 4
    undefined = ~known.ok
    if row.makes != "b" and row.name not in ("atan2", "pow", "copysign"):
        assert not np.isfinite(computed[undefined]).any(), "finite where the oracle sees nothing"


@pytest.mark.parametrize("row", INNER, ids=lambda row: row.name)
def test_every_op_in_single_precision(row: ops.Op) -> None:
    points = values(row, np.random.default_rng(row.code + 1000))
    points = {n: a if a.dtype == np.bool_ else a.astype(np.float32) for n, a in points.items()}
    term = call(row)
    computed = evaluate(term, points, dtype=np.float32)
    distance = ulp_distance(computed, exact(term, points), np.float32)
    assert np.nanmax(distance) <= 4


def test_cancellation_is_seen_through() -> None:
    x = rw.symbol("x")
    known = exact((x + 1) - x, {"x": np.array([1e16, -1e300, 3.0])})
    assert known.nearest().tolist() == [1.0, 1.0, 1.0]
    zero = exact(rw.sin(x) ** 2 + rw.cos(x) ** 2 - 1, {"x": np.linspace(-3, 3, 20)})
    assert zero.ok.all() and not zero.nearest().any()


def test_what_is_undefined_is_masked() -> None:
    x, y = rw.symbols("x y")
    at = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    assert exact(rw.log(x), {"x": at}).ok.tolist() == [False, False, False, True, True]
    assert exact(rw.acos(x), {"x": at}).ok.tolist() == [False, True, True, True, False]
    assert exact(1 / x, {"x": at}).ok.tolist() == [True, True, False, True, True]
    assert exact(x**y, {"x": at, "y": 0.5}).ok.tolist() == [False, False, True, True, True]
    assert not exact(x + 1, {"x": [np.inf, np.nan]}).ok.any()
    assert np.isnan(exact(rw.log(x), {"x": at}).nearest()[:3]).all()
    # The sign of a zero is no property of a real number.
    assert exact(rw.copysign(x, y), {"x": at, "y": 0.0}).ok.tolist() == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert exact(rw.atan2(y, x), {"x": at, "y": 0.0}).ok.tolist() == [
        False,
        False,
        False,
        True,
        True,
    ]
    # A branch that is not taken may be undefined.
    safe = rw.where(x > 0, rw.log(x), 0)
    assert exact(safe, {"x": at}).ok.all()


def test_undecidable_is_masked_not_guessed() -> None:
    x = rw.symbol("x")
    one = rw.sin(x) ** 2 + rw.cos(x) ** 2
    assert not exact(rw.floor(one), {"x": [0.3, 1.7]}).ok.any()
    assert exact(rw.floor(one + 0.5), {"x": [0.3, 1.7]}).ok.all()


def test_constants_are_exact() -> None:
    third = exact(rw.const(Fraction(1, 3)) * 3 - 1, {})
    assert third.ok.all() and third.nearest()[0] == 0
    assert exact(rw.sin(rw.pi), {}).nearest()[0] == 0
    assert exact(rw.log(rw.e), {}).nearest()[0] == 1
    tenth = exact(rw.const(0.1) * 10 - 1, {}).nearest()[0]
    assert tenth == float(Fraction(0.1) * 10 - 1)


def test_roots_share_one_pass_and_truth_values_come_out() -> None:
    x, y = rw.symbols("x y")
    less, both = exact([x < y, x * y], {"x": [1.0, 2.0], "y": [2.0, 1.0]})
    assert less.nearest().tolist() == [1.0, 0.0]
    assert both.nearest().tolist() == [2.0, 2.0]
    assert ulp_distance(np.array([True, True]), less).tolist() == [0.0, math.inf]


def test_numbers_far_outside_the_range_do_no_harm() -> None:
    x = rw.symbol("x")
    tower = x
    for _ in range(45):
        tower = tower * tower
    huge = {"x": [2.0**64]}
    for term in (
        3**tower,
        tower**tower,
        rw.round(tower),
        rw.exp(tower),
        rw.fmod(tower, 3),
        1 / tower,
    ):
        exact(term, huge)  # an exact integer of 2**50 bits must never be written out
    assert exact(rw.exp(x), {"x": [1000.0]}).ok.all()


def test_exponents_too_long_for_any_float_are_kept_apart() -> None:
    x = rw.symbol("x")
    points = {"x": [1e200, -1e200]}
    assert exact(rw.exp(x), points).nearest().tolist() == [math.inf, 0.0]
    assert exact(rw.sinh(x), points).nearest().tolist() == [math.inf, -math.inf]
    assert ulp_distance([math.inf, 0.0], exact(rw.exp(x), points)).tolist() == [0, 0]


def test_only_what_is_certain_is_surely_undefined() -> None:
    x, y = rw.symbols("x y")
    one = rw.sin(x) ** 2 + rw.cos(x) ** 2
    points = {"x": [0.0, 0.5, -1.0], "y": [0.0, 0.0, 1.0]}
    for term, known in [
        (rw.atan(1 / x), [True, False, False]),
        (rw.where(1 / x < 3, x, y), [True, False, False]),
        (rw.where(x > 0, rw.log(x), y), [False, False, False]),
        (rw.log(x) * 0, [True, False, True]),
        (rw.acos(x - 1), [False, False, True]),
        (1 / ((x + y) - x - y + (one - 1)), [True, False, False]),
        (rw.floor(one), [False, False, False]),
        (rw.asin(one), [False, False, False]),
        (1 / (one - 1) + 1 / y, [True, False, False]),
    ]:
        (found,) = surely_undefined(Dag.of(term.store, [term.id]), points)
        assert found.tolist() == known, term


def test_distance_is_a_real_number_of_ulps() -> None:
    x = rw.symbol("x")
    known = exact(x / 3, {"x": [1.0]})
    near = 1 / 3
    off = ulp_distance([near], known)[0]
    true = abs(Fraction(near) - Fraction(1, 3)) / Fraction(2) ** -54
    assert off == pytest.approx(float(true), rel=1e-12)
    up = ulp_distance([math.nextafter(near, 1)], known)[0]
    assert up == pytest.approx(1 - float(true), rel=1e-12)


@pytest.mark.parametrize(
    ("value", "approx", "ulps"),
    [
        (5e-324, 0.0, 1.0),
        (5e-324, 1e-323, 1.0),
        (0.0, 5e-324, 1.0),
        (0.0, -0.0, 0.0),
        (1.0, math.nextafter(1.0, 0), 0.5),
        (1.0, math.nextafter(1.0, 2), 1.0),
        (1.7976931348623157e308, math.inf, math.inf),
        (1.0, math.nan, math.inf),
        (2.2250738585072014e-308, 2.225073858507201e-308, 1.0),
    ],
)
def test_distance_at_the_edges(value: float, approx: float, ulps: float) -> None:
    assert ulp_distance([approx], exact(rw.symbol("x"), {"x": [value]}))[0] == ulps


def test_an_overflow_is_right_where_the_exact_value_overflows() -> None:
    x = rw.symbol("x")
    known = exact(rw.exp(x), {"x": [710.0, 710.0, 1e15, 709.0]})
    biggest = np.finfo(np.float64).max
    distance = ulp_distance([np.inf, biggest, np.inf, np.inf], known)
    assert distance[[0, 2]].tolist() == [0, 0] and distance[3] == np.inf
    assert 1 < distance[1] < 2.0**54
    single = ulp_distance(np.array([np.inf], np.float32), exact(x, {"x": [3.5e38]}), np.float32)
    assert single.tolist() == [0.0]
    tie = exact(x * x + 0, {"x": [3.4028235e38**0.5]})
    assert ulp_distance(np.array([np.inf], np.float32), tie, np.float32)[0] == np.inf


def test_the_working_precision_of_flint_is_left_alone() -> None:
    x, before = rw.symbol("x"), flint.ctx.prec
    exact(rw.sin(x) - x, {"x": [1e-30]})
    assert flint.ctx.prec == before
    terms = [rw.log(x - k) for k in range(8)]
    results: list[float] = [0.0] * 8

    def work(k: int) -> None:
        results[k] = float(exact(terms[k], {"x": [10.0]}).nearest()[0])

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == pytest.approx([math.log(10 - k) for k in range(8)], rel=1e-15)
    assert flint.ctx.prec == before


def test_one_precision_at_a_time() -> None:
    seen: list[int] = []

    def other() -> None:
        with working_precision(640):
            seen.append(flint.ctx.prec)

    thread = threading.Thread(target=other)
    with working_precision(100):
        thread.start()
        thread.join(0.05)
        assert thread.is_alive() and flint.ctx.prec == 100 and not seen
        with working_precision(400):
            assert flint.ctx.prec == 400
    thread.join()
    assert seen == [640]


def test_inner_nodes_on_request() -> None:
    with rw.scope(Store()):
        x = rw.symbol("x")
        term = rw.sqrt(x + 1)
        dag = Dag.of(term.store, [term.id])
        known = exact_dag(dag, {"x": [3.0, 8.0]}, wanted=range(len(dag)))
    assert known[-2].nearest().tolist() == [4.0, 9.0]
    assert known[-1].nearest().tolist() == [2.0, 3.0]


@given(st.lists(terms(rw.symbols("x y z"), max_ops=10), min_size=2, max_size=4), st.data())
@settings(deadline=None, max_examples=40)
def test_values_do_not_depend_on_what_else_is_asked_for(
    roots: list[Term], data: st.DataObject
) -> None:
    """Each is computed at the points where it is open, with what it is made of."""
    some = st.sampled_from([0.0, 1.0, -2.5, 1e-30, 3e7, 1e200, math.inf])
    points = {name: np.array(data.draw(st.lists(some, min_size=5, max_size=5))) for name in "xyz"}
    dag = Dag.of(roots[0].store, [term.id for term in roots])
    for doubles in (False, True):
        together = exact_dag(dag, points, apart=True, doubles=doubles)
        for at, found in zip(dag.roots, together, strict=True):
            found = found if len(found) > 1 else found.broadcast(5)  # constants alone
            for k in range(5):
                here = {name: column[k : k + 1] for name, column in points.items()}
                (alone,) = exact_dag(dag.reached([at]), here, doubles=doubles)
                assert bool(alone.ok[0]) == bool(found.ok[k])
                if alone.ok[0]:
                    assert alone.nearest()[0] == found.nearest()[k]
