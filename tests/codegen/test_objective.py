"""`objective=`: speed, accuracy, and what lies between."""

import math
from typing import Any

import pytest

import rewrite as rw
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.errors import ArgumentError

x = rw.symbol("x", low=1, high=1e9)
s = rw.symbol("s", low=-1, high=1)


def test_accuracy_is_the_accurate_plan_and_speed_the_usual_one() -> None:
    term = rw.sqrt(x + 1) - rw.sqrt(x)
    found = rw.optimize(term, objective="accuracy")
    assert found.terms == rw.optimize(term, strategy="accurate").terms
    assert found.accuracy < 0.2
    fast = rw.optimize(term, objective="speed")
    assert fast.terms == rw.optimize(term).terms and fast.accuracy > 5


def test_a_front_goes_from_the_fastest_to_the_most_accurate() -> None:
    term = (rw.exp(s) - 1 - s) / s**2
    found = rw.optimize(term, objective=("pareto", 4))
    assert 2 <= len(found) <= 4
    costs, bits = [f.cost_after for f in found], [f.accuracy for f in found]
    assert costs == sorted(costs) and len(set(costs)) == len(costs)
    assert bits == sorted(bits, reverse=True) and len(set(bits)) == len(bits)
    assert bits[-1] < 1 < 10 < bits[0]
    assert [dag_cost(Dag.of(f.terms.store, [f.terms.id]), f.model) for f in found] == costs
    assert len(rw.optimize(term, objective=("pareto", 1))) == 1


def test_a_front_of_several_terms_has_their_form() -> None:
    terms = {"a": rw.sqrt(x + 1) - rw.sqrt(x), "b": rw.log(1 + s)}
    found = rw.optimize(terms, objective=("pareto", 3))
    assert all(f.terms.keys() == {"a", "b"} for f in found)
    assert found[-1].accuracy < 0.5 < found[0].accuracy or len(found) == 1


def test_what_is_accurate_already_has_a_front_of_one() -> None:
    (only,) = rw.optimize(x * x, objective=("pareto", 5))
    assert only.terms == x * x and only.accuracy == 0


def test_what_is_undefined_everywhere_has_no_accuracy() -> None:
    assert math.isnan(rw.optimize(rw.log(-x)).accuracy)


@pytest.mark.parametrize("objective", [
    "fast", None, ("pareto",), ("pareto", 0), ("pareto", True), ("pareto", 1.5), ("front", 2), 3,
], ids=repr)  # fmt: skip
def test_what_is_no_objective(objective: Any) -> None:
    with pytest.raises(ArgumentError, match="objective="):
        rw.optimize(x, objective=objective)


def test_an_objective_has_a_plan_of_its_own() -> None:
    for options in ({"strategy": "smallest"}, {"autotune": 3}):
        with pytest.raises(ArgumentError, match="has a plan of its own"):
            rw.optimize(x, objective="accuracy", **options)
