"""Programs that are evaluated row by row have the values that they have node by node."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import rowwise
from rewrite.dag import Dag
from rewrite.evaluate import evaluate_dag
from rewrite.rowwise import evaluate_rows
from rewrite.sampling import sample_points
from rewrite.store import Store, Symbol
from rewrite.term import Term
from rewrite.testing import terms


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rowwise, "LEAST", 1)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_values_are_the_same_to_the_bit(data: st.DataObject) -> None:
    store = Store()
    leaves = [Term(store, store.symbol(Symbol(name))) for name in "xyz"]
    made = data.draw(st.lists(terms(leaves, max_ops=8), min_size=1, max_size=4))
    ids = rw.term.join_all(store, [*made, rw.where(made[0] < 1, made[0], 2), made[0] > leaves[0]])
    dag = Dag.of(store, ids)
    kind = data.draw(st.sampled_from([np.float64, np.float32]))
    symbols = [leaf.symbol for leaf in leaves if leaf.symbol is not None]
    points = sample_points(symbols, 40, dtype=np.dtype(kind))
    keep = data.draw(st.booleans())
    for one, other in zip(
        evaluate_dag(dag, points, kind, keep=keep),
        evaluate_rows(dag, points, kind, keep=keep),
        strict=True,
    ):
        assert one.dtype == other.dtype and one.shape == other.shape
        assert np.array_equal(one, other, equal_nan=True)


def test_values_that_are_given_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rw.symbols("x y")
    term = rw.sin(rw.const(2) / 3) * x + y * 2
    dag = Dag.of(term.store, [term.id])
    points = {"x": np.linspace(1, 2, 50), "y": np.linspace(3, 5, 50)}
    at = next(k for k, (_, args) in enumerate(dag.rows()) if args)
    one = evaluate_dag(dag, points, given={at: 0.25})[0]
    assert np.array_equal(one, evaluate_rows(dag, points, given={at: 0.25})[0])
    monkeypatch.setattr(rowwise, "MOST", 3 * len(dag))  # in blocks of three points
    assert np.array_equal(one, evaluate_rows(dag, points, given={at: 0.25})[0])


@pytest.mark.parametrize("keep", [False, True])
def test_of_no_points_there_are_no_values(keep: bool) -> None:
    x = rw.symbol("x")
    dag = Dag.of(x.store, [(rw.sin(x) + 1).id])
    found = evaluate_rows(dag, {"x": np.empty(0)}, keep=keep)
    assert [value.shape for value in found] == [
        value.shape for value in evaluate_dag(dag, {"x": np.empty(0)}, keep=keep)
    ]
