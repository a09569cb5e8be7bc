"""Branches and series are explained: side by side, each series with a bound that is proved."""

import copy
import math
import pickle
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.egraph.explanation import Explanation
from rewrite.egraph.sides import inside, sides
from rewrite.egraph.taylor import relative_rest
from rewrite.errors import ExplanationError
from rewrite.fastmath import FastMath
from rewrite.oracle import exact

a, b, c = rw.symbols("a b c")
s = rw.symbol("s", low=-1, high=1)
p = rw.symbol("p", low=0.5, high=2)
u = rw.symbol("u")


def explained(source: Any) -> tuple[Any, Explanation]:
    best = rw.optimize(source, objective="accuracy")
    found = best.explain()
    assert found.explained, found
    found.check()
    return best.terms, found


SINE = explained(rw.sin(s) - s)


def test_a_series_is_a_step_with_its_bound() -> None:
    made, found = SINE
    assert made.op.name == "where"
    (step,) = found
    assert step.name == "series" and step.series is not None
    assert 58 <= step.series.bits < 80 and step.series.point == 0
    assert str(found).splitlines()[:3] == [
        f"where {made.args[0]!r}:", "   sin(s) - s",
        f"1. series near s = 0: what is left out is less than 2**-{step.series.bits} of the value "
        f"where abs(s) <= {step.series.radius:g}",
    ]  # fmt: skip
    assert str(found).endswith("sin(s) - s, as written")
    assert "series" in found.latex() and "where" in found._repr_html_()
    assert repr(found) == "<Explanation of 1 step>"


@pytest.mark.parametrize(
    "source",
    [
        (rw.sin(s) - s) / s**3,  # an expanded polynomial, which no law makes
        [rw.sqrt(u * u + 1) - u, a * b + a * c],
        pytest.param(rw.exp(u) - rw.exp(-u) - 2 * u, marks=pytest.mark.nightly),
    ],
    ids=str,
)
def test_branches_are_derived_side_by_side(source: Any) -> None:
    _, found = explained(source)
    assert found.parts
    again = pickle.loads(pickle.dumps(found))
    assert again == copy.deepcopy(found) == found and hash(again) == hash(found)
    again.check()


@pytest.mark.nightly
def test_the_root_that_cancels_is_derived_by_its_conjugate() -> None:
    made, found = explained((-b + rw.sqrt(b * b - 4 * a * c)) / (2 * a))
    assert made.op.name == "where" and "root-less-term" in {rule.name for rule in found.rules}


def test_a_series_that_is_not_proved_is_not_passed_off() -> None:
    """cbrt(1 + s) - 1 - s/3 has coefficients that only enclose zero."""
    found = rw.optimize(rw.cbrt(1 + s) - 1 - s / 3, objective="accuracy").explain()
    assert not found.explained and "was not proved" in str(found)
    assert "the series near s = 0" in str(found)
    with pytest.raises(ExplanationError, match="no steps to replay"):
        found.check()


def test_a_domain_without_an_end_has_no_series() -> None:
    """The form by the sine of half of v has a number of the series of the cosine."""
    v = rw.symbol("v", low=0)
    found = rw.optimize((1 - rw.cos(v)) / v**2, objective="accuracy").explain()
    assert "series" not in [step.name for step in found]


# -- what is altered is refused --------------------------------------------------------------


def altered_step(found: Explanation, **changes: Any) -> Explanation:
    first, *rest = found.parts
    (step,) = first.explanation.steps
    inner = replace(first.explanation, steps=(replace(step, **changes),))
    if "after" in changes:
        inner = replace(inner, targets=(changes["after"],))
    return replace(found, parts=(replace(first, explanation=inner), *rest))


def test_altered_series_are_refused() -> None:
    _, found = SINE
    (step,) = found
    series = step.series
    assert series is not None
    for change in (
        {"bits": series.bits + 2}, {"radius": series.radius / 2}, {"point": Fraction(1)}
    ):  # fmt: skip
        with pytest.raises(ExplanationError):
            altered_step(found, series=replace(series, **change)).check()
    worse = step.after.substitute({rw.const(Fraction(-1, 6), step.after.store): Fraction(-1, 7)})
    with pytest.raises(ExplanationError):
        altered_step(found, after=worse).check()
    with pytest.raises(ExplanationError):
        replace(found, licence=FastMath.NSZ).check()


def test_altered_branches_are_refused() -> None:
    _, found = SINE
    one, other = found.parts
    swapped = replace(one, condition=other.condition), replace(other, condition=one.condition)
    for parts in ((one,), (other, one), (one, one), swapped, (one, replace(other, result=1))):
        with pytest.raises(ExplanationError):
            replace(found, parts=parts).check()
    wide = replace(one.explanation, sources=(rw.sin(u) - u,))
    with pytest.raises(ExplanationError):
        replace(found, parts=(replace(one, explanation=wide), other)).check()


# -- sides and remainders ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "points"),
    [(s < 0.5, [-1, 0.25, 0.5]), (s <= 0, [-1, 0]), (s > 0, [5e-324, 1]), (s >= 0.5, [0.5, 1]),
     (abs(p - 1) < 0.25, [0.75, 1.25]), (abs(s) <= 0.25, [-0.25, 0.25])],
    ids=str,
)  # fmt: skip
def test_the_domain_of_a_side_is_where_it_is_taken(condition: rw.Term, points: Any) -> None:
    ((old, new),) = inside(condition).items()
    assert new.symbol is not None
    assert new.symbol.bounds == (min(points), max(points)) and new.symbol.name == repr(old)


def test_what_bounds_no_symbol() -> None:
    for condition in (u * u < 1, abs(s) > 0.5, u < a, rw.eq(u, a), abs(2 - u) < 1, s < -2):
        assert inside(condition) == {}
    assert sides(u) is None and sides(rw.where(rw.logical_not(u < 1), u, a)) is None
    assert sides(rw.where(u < 1, u, a)) == [(u < 1, u), (u >= 1, a)]


x = u
SERIES = [
    (rw.sin(x) - x, -(x**3) / 6 + x**5 / 120, 0, 0.25),
    (rw.exp(x) - 1 - x, x**2 / 2 + x**3 / 6 + x**4 / 24, 0, 1.0),
    (rw.log1p(x) - x, -x * x / 2 + x**3 / 3, 0, 0.1),
    (rw.sqrt(1 + x) - 1 - x / 2, -x * x / 8 + x**3 / 16, 0, 0.1),
    (rw.tan(x) - x, x**3 / 3 + 2 * x**5 / 15, 0, 0.2),
    (rw.asinh(x) - x, -(x**3) / 6, 0, 0.1),
    (rw.atanh(x) - x, x**3 / 3, 0, 0.1),
    (rw.tanh(x) - x, -(x**3) / 3, 0, 0.1),
    (rw.cosh(x) - 1, x * x / 2, 0, 0.1),
    (rw.log(x) - (x - 1), -((x - 1) ** 2) / 2 + (x - 1) ** 3 / 3, 1, 0.1),
    (rw.asin(x) - x, x**3 / 6, 0, 0.1),
    ((rw.sin(x) - x) / x**3, rw.const(-1) / 6 + x**2 / 120, 0, 0.25),
    ((1 + x) ** 3 - 1 - 3 * x, 3 * x * x, 0, 0.1),
]


@pytest.mark.parametrize(("source", "series", "point", "radius"), SERIES, ids=str)
def test_the_bound_is_one_and_not_far_from_what_is_found(
    source: rw.Term, series: rw.Term, point: int, radius: float
) -> None:
    offsets = radius * np.array([-1, -0.99, -0.5, 0.5, 0.99, 1])
    (rest,) = exact([series / source - 1], {"u": point + offsets})
    worst = np.abs(rest.nearest()).max()
    bound = relative_rest(source, series, Fraction(point), radius)
    assert bound is not None and worst <= bound <= 3 * worst


def test_where_there_is_no_bound() -> None:
    poly = -(u**3) / 6
    assert relative_rest(rw.sin(u) - u, poly + u / 1e9, Fraction(0), 0.1) is None  # another order
    assert relative_rest(rw.sqrt(u), u, Fraction(0), 0.1) is None
    assert relative_rest(abs(u), u, Fraction(0), 0.1) is None
    assert relative_rest(rw.log1p(u) - u, -u * u / 2, Fraction(0), 1.5) is None  # no value at -1
    assert relative_rest(u, u, Fraction(0), 1.0) == pytest.approx(0, abs=math.ulp(0))
