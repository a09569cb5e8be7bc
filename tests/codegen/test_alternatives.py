"""`rw.explore`: the cheapest forms, with what they cost and how accurate they are."""

import numpy as np
import pytest

import rewrite as rw
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.errors import ArgumentError

a, x, y = rw.symbols("a x y")
big = rw.symbol("big", low=1, high=1e9)


def test_forms_are_equal_and_in_order_of_cost() -> None:
    source = a * x + a * y
    found = rw.explore(source, k=4, cost="gowda2021")
    costs = [form.cost for form in found]
    assert costs == sorted(costs) and len(found) >= 4
    points = {"a": 2.0, "x": 3.0, "y": 5.0}
    for form in found:
        assert rw.evaluate(form.term, points) == 16
        dag = Dag.of(form.term.store, [form.term.id])
        assert form.cost == dag_cost(dag, found.model)
    assert found[0].term == a * (x + y) and "chosen" in found[0].note
    assert [form.term for form in found if "as written" in form.note] == [source]
    assert len({form.term for form in found}) == len(found) and found[:1] == (found[0],)


def test_what_is_written_and_chosen_is_there_however_few_are_asked_for() -> None:
    found = rw.explore(rw.sqrt(big + 1) - rw.sqrt(big), k=1)
    notes = ", ".join(form.note for form in found)
    assert all(word in notes for word in ("as written", "chosen", "accurate"))
    errors = {form.note: form.accuracy.mean_bits for form in found if form.accuracy}
    assert errors["accurate"] < 1 < 10 < max(errors.values())


def test_the_table() -> None:
    found = rw.explore(big + 1 - big, k=2, dtype=np.float32, math="guarded")
    text, page = str(found), found._repr_html_()
    assert "as written" in text and "mean bits lost" in text and found.model.name in text
    assert "█" in text and "background:#4c72b0" in page and repr(found) == text
    undefined = rw.explore(rw.log(-(x * x) - 1), k=1)
    assert undefined[0].accuracy is None and "as written" in str(undefined)


def test_mistakes_are_named() -> None:
    with pytest.raises(ArgumentError, match="explore takes one term, not 3"):
        rw.explore(3)  # type: ignore[arg-type]
    for k in (0, 1.5, True):
        with pytest.raises(ArgumentError, match=f"k={k!r} is not a number of forms"):
            rw.explore(x, k=k)  # type: ignore[arg-type]
