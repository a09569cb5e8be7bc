"""Sources of few values are compared with functions moved by one float too: no form is lucky."""

import numpy as np
import pytest

import rewrite as rw
from rewrite.guard import Guard, Guards
from rewrite.term import Term

n = rw.symbol("n", dtype="int64", low=-9, high=9)
x = rw.symbol("x", low=-9, high=9)


def halves(term: Term) -> Term:
    """Return half of the difference of e**(e**n - 1) and its inverse, as a search found it."""
    e = rw.exp(rw.exp(term))
    found: Term = rw.fma(-(rw.exp(1) / e), 0.5, e * (0.5 / rw.exp(1)))
    return found


SOURCE, LUCKY = rw.sinh(rw.expm1(n)), halves(n)
"""Found by the fuzz: NumPy's functions make nothing of the difference at 0, those of kernels do."""


def test_a_form_that_is_right_by_luck_is_refused() -> None:
    guard = Guard(SOURCE, moved=True)
    assert guard.moved is not None
    assert len(guard.points["n"]) == len(guard.errors(SOURCE)[0]) == guard.count
    assert guard.accepts(SOURCE).ok
    plain = guard.moved.patterns == 0
    assert not guard.errors(LUCKY)[0][plain & (guard.points["n"] == 0)].any()
    verdict = guard.accepts(LUCKY)
    assert not verdict.ok
    assert verdict.blame
    guards = Guards([[SOURCE]], [{"n": guard.points["n"][plain]}])
    assert list(guards.refused({0: [LUCKY]})) == [0]
    assert not guards.refused({0: [SOURCE]})


def test_a_loss_where_nothing_is_moved_counts_alone() -> None:
    """Found by the fuzz: `fmod` makes much of its divisor's last bit, moved or not."""
    y = rw.symbol("y", low=0.5, high=8)
    source = rw.fmod(y, rw.tanh(n))
    worse = rw.fmod(y, 1 - 2 / rw.fma(rw.exp(n), rw.exp(n), 1))
    guard = Guard([source, rw.sinh(n)], moved=True)
    assert guard.moved is not None
    verdict = guard.accepts([worse, rw.sinh(n)])
    assert verdict.reason.startswith("mean error")
    assert guard.accepts([source, rw.sinh(n)]).ok
    points = {name: column[: guard.moved.points] for name, column in guard.points.items()}
    assert set(Guards([[source, rw.sinh(n)]], [points]).refused({0: [worse, rw.sinh(n)]})) == {0}


def test_sources_measured_together() -> None:
    """One of few values, and one of many, whose candidate is as good as before."""
    other, good = rw.exp(x) * rw.exp(x), rw.exp(x + x)
    points = [{"n": np.repeat(np.arange(-8.0, 8), 4)}, {"x": np.linspace(-9, 9, 40)}]
    guards = Guards([[SOURCE], [other]], points)
    assert set(guards.refused({0: [LUCKY], 1: [good]})) == {0}


def test_a_kernel_keeps_its_digits() -> None:
    """As in the program in which it was found: the cheaper form needs `exp(exp(n))` only."""
    e = rw.exp(rw.exp(n))
    kernel = rw.compile([n], (SOURCE, e, 0.5 / e, e / 2))
    found = kernel(np.arange(-9.0, 6))[0]
    np.testing.assert_allclose(found, np.sinh(np.expm1(np.arange(-9.0, 6))), rtol=1e-14, atol=0)


def test_who_asks_for_points_gets_errors_at_these() -> None:
    points = {"n": np.arange(-9.0, 9)}
    assert len(Guard(SOURCE, points).errors(SOURCE)[0]) == 18
    kernel = rw.compile([n], rw.exp(n), verify=True)
    assert kernel.certificate is not None


def test_ops_of_users_are_left_as_they_are() -> None:
    own = rw.op("exp_of_mine", (rw.REAL,), rw.REAL, function=np.exp)
    assert Guard(rw.exp(n), moved=True).accepts(rw.apply(own, n)).ok


def test_what_has_many_values_is_judged_as_it_is() -> None:
    for source in (rw.sinh(x), rw.exp(x) * n, rw.sqrt(n) / 3, n * n + 1, rw.exp(rw.const(2))):
        assert Guard(source, moved=True).moved is None, source


def test_results_that_all_have_exactly_stay() -> None:
    """`exp(0)`, and the like, are not moved: else no form with a function would keep its zero."""
    guard = Guard(rw.expm1(n) * 2, moved=True)
    assert guard.moved
    zero = guard.points["n"] == 0
    assert not guard.errors(rw.fma(rw.exp(n), 2, -2))[0][zero].any()
    cubes = Guard(rw.log2(rw.exp2(n)), moved=True)
    assert cubes.accepts(n).ok


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_either_type_is_moved_by_its_own_floats(dtype: type) -> None:
    guard = Guard(rw.exp(n), dtype=dtype, moved=True)
    assert guard.moved is not None
    bits, moves = guard.errors(rw.exp(n))[0], guard.moved.patterns > 0
    assert bits[moves].mean() > bits[~moves].mean()
    assert bits.max() < 2
