"""What double-doubles claim to know is what ball arithmetic finds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import oracle
from rewrite.dag import Dag
from rewrite.doubles import in_doubles
from rewrite.oracle import Exact, exact_dag
from rewrite.sampling import sample_points
from rewrite.store import Store, Symbol
from rewrite.term import Term, join_all
from rewrite.testing import terms

OPS: dict[str, Any] = {
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "product": lambda x, y: x * y,
    "quotient": lambda x, y: x / y,
    "fma": lambda x, y: rw.fma(x, y, x + y),
    "root": lambda x, y: rw.sqrt(abs(x + y)),
    "powers": lambda x, y: x**2 + y**-3 + x**7,
    "sine": lambda x, y: rw.sin(x) + 0 * y,
    "cosine": lambda x, y: rw.cos(x * y),
    "constants": lambda x, y: rw.pi * x - rw.e * y + rw.const(1) / 3,
}


def both(dag: Dag, points: dict[str, Any]) -> tuple[list[Exact], list[Exact]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oracle, "PAYS", 1 << 60)
        slow = exact_dag(dag, points)
        patch.setattr(oracle, "PAYS", 0)
        return slow, exact_dag(dag, points)


def agree(dag: Dag, points: dict[str, Any]) -> None:
    for one, other in zip(*both(dag, points), strict=True):
        assert np.array_equal(one.ok, other.ok)
        shift = np.clip(other.exponent - one.exponent, -2, 2)
        scale = np.ldexp(1.0, shift)
        off = (one.high - other.high * scale) + (one.low - other.low * scale)
        far = np.abs(other.exponent - one.exponent) > 1
        assert not (one.ok & (far & (one.high != 0) | (np.abs(off) > 2.0**-79))).any()


@pytest.mark.parametrize("name", list(OPS))
def test_each_op_is_as_exact_as_it_says(name: str) -> None:
    x, y = rw.symbols("x y")
    term = OPS[name](x, y)
    points = sample_points([x, y], 4000)
    agree(Dag.of(term.store, [term.id]), points)
    found = in_doubles(
        dag := Dag.of(term.store, [term.id]),
        {at: points[v.name] for at, v in enumerate(dag.value) if isinstance(v, Symbol)},
        4000, dag.roots,
    )  # fmt: skip
    usual = np.logical_and.reduce([(abs(c) > 1e-3) & (abs(c) < 1e5) for c in points.values()])
    assert found.good[0][usual].mean() > 0.95


@pytest.mark.parametrize("k", [1, 2, 3, 4, 710, 1146408])
def test_near_a_zero_of_the_sine_what_is_known_is_right(k: int) -> None:
    x = rw.symbol("x")
    near = k * np.pi / 2
    values = near + np.spacing(near) * np.arange(-50, 51)
    for term in (rw.sin(x), rw.cos(x)):
        agree(Dag.of(term.store, [term.id]), {"x": values})


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_whole_programs_agree(data: st.DataObject) -> None:
    store = Store()
    leaves = [Term(store, store.symbol(Symbol(name))) for name in "xyz"]
    made = data.draw(st.lists(terms(leaves, max_ops=8), min_size=1, max_size=3))
    dag = Dag.of(store, join_all(store, made))
    symbols = [leaf.symbol for leaf in leaves if leaf.symbol is not None]
    points = sample_points(symbols, 40)
    points["x"] = np.where(np.arange(40) == 7, np.inf, points["x"])
    agree(dag, points)


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1e6, 1e6))
@example(1e-310, 1e-310)
@example(1.7e308, -1.7e308)
@example(5e-324, 2.0)
def test_over_and_underflow_are_left_open(a: float, b: float) -> None:
    x, y = rw.symbols("x y")
    terms_ = [x * y, x / y, x + y, x * x * y, rw.sqrt(x) * y, rw.sin(x) / y, x**-3]
    dag = Dag.of(x.store, [term.id for term in terms_])
    agree(dag, {"x": np.array([a]), "y": np.array([b])})


@pytest.mark.parametrize(
    ("term", "done"),
    [
        (lambda x: rw.sin(x * 1e9), True),  # lost, as a double has no more digits left
        (lambda x: x / (x - x), True),
        (lambda x: x * 1e300 * 1e300, True),
        (lambda x: rw.exp(x), False),
        (lambda x: rw.exp(x) / (x - x), False),
        (lambda x: 1 + rw.sqrt(rw.exp(x)), False),
    ],
)
def test_what_is_lost_differs_from_what_is_not_done(term: Any, done: bool) -> None:
    made = term(x := rw.symbol("x"))
    dag = Dag.of(made.store, [made.id])
    values = {at: np.full(3, 1.5) for at, value in enumerate(dag.value) if value == x.symbol}
    found = in_doubles(dag, values, 3, dag.roots)
    assert not found.good.any() and (found.done == done).all()
    agree(dag, {"x": np.array([0.5, 1.5, -2.0])})
