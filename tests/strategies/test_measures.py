"""What `best` chooses by."""

import math

import pytest

import rewrite as rw
from rewrite.cost import Cancellation, Gowda2021
from strategies.measures import Bits, Cost, InOrder, Length, Nodes, Relative, against

x, y = rw.symbols("x y")


def test_nodes_are_counted_once_in_every_type_of_term() -> None:
    shared = rw.sin(x)
    assert Nodes()(shared * shared + shared) == 4
    part = ("sin", "x")
    assert Nodes()(("add", ("mul", part, part), part)) == 4
    deep: object = "x"
    for _ in range(50_000):
        deep = ("neg", deep)
    assert Nodes()(deep) == 50_001


@pytest.mark.parametrize(
    ("term", "length"),
    [(x, 1), (x + y, 3), (-x, 2), (x + y + 1, 5), (rw.sin(x), 2), ((x + y) * (x + y), 7)],
    ids=str,
)
def test_length_is_that_of_what_is_written(term: rw.Term, length: int) -> None:
    assert Length()(term) == length


def test_the_length_of_a_shared_term_is_exact_without_writing_it() -> None:
    term = x
    for _ in range(200):
        term = term * term
    assert Length()(term) == 2**201 - 1


def test_costs_are_those_of_a_model() -> None:
    assert Cost(Gowda2021())(x * y + 1) == 4 and str(Cost(Gowda2021())) == "gowda2021"
    risk = Cost(Cancellation())
    assert risk(rw.exp(x) - 1) > risk(rw.expm1(x)) > risk(x * y) > risk(x)


def test_bits_are_measured_at_points_of_the_source() -> None:
    small = rw.symbol("s", low=1e-9, high=1e-6)
    source = rw.log(1 + small)
    measure = Bits().against(source)
    assert measure(source) > 15 and measure(rw.log1p(small)) == 0
    assert measure(source) == pytest.approx(rw.accuracy(source).mean_bits, abs=1)
    assert measure(rw.const(0)) > 40  # a wrong form is far off, though it is exact by itself
    assert math.isinf(Bits().against(rw.log(-1 - x * x))(x))


def test_bits_in_single_precision() -> None:
    small = rw.symbol("s", low=1e-6, high=1e-4)
    source = rw.log(1 + small)
    measure = Bits("f32").against(source)
    assert 5 < measure(source) < 16 < 20 < measure(-source)


def test_small_differences_in_error_are_none() -> None:
    term = rw.sin(x) * y * x
    bits = Bits(grain=0.5).against(term)(term)
    assert bits == round(bits * 2) / 2
    assert Bits(grain=100.0).against(rw.log(1 + x))(rw.log(1 + x)) == 0


def test_the_second_measure_decides_where_the_first_does_not() -> None:
    by = InOrder(Nodes(), Length())
    assert isinstance(by, Relative) and str(by) == "nodes then length"
    measure = against(by, x)
    assert measure((x + y) * (x + y)) > measure(x + y) and measure(x * x) == (2, 3)
