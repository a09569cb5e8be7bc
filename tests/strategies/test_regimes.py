"""Series near points of cancellation, and branches between forms."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.fastmath import FastMath
from rewrite.guard import Guard
from rewrite.oracle import exact
from rewrite.sampling import sample_points
from strategies.presets import Setting, named_plan
from strategies.regimes import Bench, MostAccurate, Part, split
from strategies.series import near

s = rw.symbol("s", low=-1, high=1)
p = rw.symbol("p", low=0.5, high=2)
t = rw.symbol("t", low=-1e-3, high=1e-3)
u = rw.symbol("u")


def bits(term: rw.Term, source: rw.Term) -> float:
    """Measure at points that no plan has seen."""
    points = sample_points(source.free_symbols, 300, seed=11)
    errors = Guard(source, points).errors(term)[0]
    return float(np.nanmean(errors))


# -- series ------------------------------------------------------------------------------------

CANCELLING = [
    (rw.sin(s) - s, s, 0),
    ((rw.sin(s) - s) / s**3, s, 0),
    (rw.exp(u) - 1 - u, u, 0),
    (rw.log1p(s) - s, s, 0),
    (rw.log(p) - (p - 1), p, 1),
    (rw.sqrt(1 + s) - 1 - s / 2, s, 0),
    ((rw.tan(u) - u) / (u - rw.sin(u)), u, 0),
]


@pytest.mark.parametrize("term, x, point", CANCELLING, ids=lambda v: str(v)[:24])
def test_a_series_is_as_good_as_exact_out_to_its_radius(term: Any, x: Any, point: int) -> None:
    (found,) = [f for f in near(term, FastMath.GUARDED) if f.point == point]
    name, at = x.symbol.name, point + found.radius * np.linspace(-0.999, 0.999, 50)
    source, made = exact([term, found.term], {name: at})
    scale = np.ldexp(source.high, (source.exponent - made.exponent).astype(int))
    apart = (made.high - scale) + (made.low - source.low)
    assert (np.abs(apart) <= 2.0**-50 * np.abs(made.high)).all()
    assert found.radius >= 1 / 64


def test_a_series_is_as_short_as_its_radius_allows() -> None:
    narrow, wide = rw.exp(t) - 1 - t, rw.exp(s) - 1 - s
    (short,), (long,) = (list(near(each, FastMath.GUARDED)) for each in (narrow, wide))
    assert short.term.node_count() < long.term.node_count()
    (single,) = near(wide, FastMath.GUARDED, "f32")
    assert single.radius > long.radius


@pytest.mark.parametrize("term", [
    u + u**2,  # nothing cancels
    p - 1,  # as good as it can be
    rw.sqrt(t) - t,  # no derivative at 0
    rw.exp(s * u) - 1 - s * u,  # of two symbols
], ids=str)  # fmt: skip
def test_where_there_is_no_series(term: rw.Term) -> None:
    assert list(near(term, FastMath.GUARDED)) == []


def test_a_series_needs_a_licence() -> None:
    assert list(near(rw.sin(s) - s, FastMath.NSZ)) == []


# -- branches ----------------------------------------------------------------------------------


def test_the_cut_is_where_the_forms_cross() -> None:
    """Both forms of expm1(u) - u lose: one at small, the other at large arguments."""
    source = rw.expm1(s) - s
    good = s * s * (rw.const(1) / 2 + s / 6)
    found = split(Bench(source, "f64"), [Part(source), Part(good)])
    assert found is not None and found.op.name == "where"
    threshold = float(found.args[0].args[1].value)  # type: ignore[arg-type]
    assert 1e-8 < abs(threshold) < 1e-3
    assert bits(found, source) < min(bits(source, source), bits(good, source)) - 1


def test_a_branch_that_saves_less_than_a_bit_is_not_made() -> None:
    source = rw.sin(s) * s
    assert split(Bench(source, "f64"), [Part(source), Part(s * rw.sin(s))]) is None


def test_a_form_is_not_used_where_it_does_not_hold() -> None:
    source = u - rw.sqrt(u * u + 1)
    above = -1 / (u + rw.sqrt(u * u + 1))
    bench = Bench(source, "f64")
    for low in (0.0, 5e-324, 1.0):
        found = split(bench, [Part(source), Part(above, u, low=low)])
        assert found is not None
        test = found.args[0]
        bound = float(test.args[1].value)  # type: ignore[arg-type]
        assert bound >= low or (bound == 0 and test.op.name == "le")


@pytest.mark.parametrize("term, least", [
    ((-u - rw.sqrt(u * u + 4)) / 2, 3.0),
    ((rw.sin(s) - s) / s**3, 19.0),
    (rw.exp(u) - rw.exp(-u) - 2 * u, 12.0),
], ids=str)  # fmt: skip
def test_the_accurate_plan_branches_where_no_form_is_good_everywhere(
    term: rw.Term, least: float
) -> None:
    made = rw.plan("accurate")(term)
    assert made.op.name == "where"
    assert bits(term, term) - bits(made, term) > least
    points = sample_points(term.free_symbols, 64, seed=12)
    source, other = exact([term, made], points)
    near_ = np.isclose(source.nearest(), other.nearest(), rtol=2.0**-48, atol=0)
    assert near_[source.ok & (np.abs(source.nearest()) < math.inf)].all()


def test_the_plan_prints_and_single_precision_has_series_of_its_own() -> None:
    setting = Setting(rw.cycles("native"), rw.cycles("native"), dtype="f32")
    plan = named_plan("accurate", setting)
    assert isinstance(plan, MostAccurate) and str(plan).startswith("most_accurate(saturate(")
    made = rw.optimize(rw.expm1(s) - s, strategy="accurate", dtype=np.float32).terms
    points = {"s": np.linspace(-1, 1, 100, dtype=np.float32)}
    assert rw.accuracy(made, points, np.float32).mean_bits < 1.5
    assert Fraction(1, 2) in {node.value for node in _nodes(made)}


def _nodes(term: rw.Term) -> set[rw.Term]:
    return {term}.union(*map(_nodes, term.args))
