"""Sample points, bits of error, and what the guard accepts, rejects and blames."""

import math
import sys
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.accuracy import accuracy, bits_of_error
from rewrite.dag import Dag
from rewrite.errors import AccuracyError, ArgumentError, DomainError
from rewrite.guard import Guard, Guards, Verdict
from rewrite.measured import bits_between
from rewrite.oracle import exact, exact_dag
from rewrite.rangeguard import RangeGuard
from rewrite.sampling import sample_points
from rewrite.store import Store, Symbol
from rewrite.term import Term, join
from rewrite.testing import terms

x, y, z = rw.symbols("x y z")
p, q, r = rw.symbols("p q r", low=0)
u, v, w = rw.symbols("u v w", low=0, high=1e6)


def judge(source: Term, candidate: Term, **options: Any) -> Verdict:
    return Guard(source, **options).accepts(candidate)


# -- points ----------------------------------------------------------------------------------


def test_points_are_the_same_in_every_run_and_in_every_order() -> None:
    first, again = sample_points([x, y]), sample_points([y, x])
    assert first.keys() == {"x", "y"}
    assert all((first[name] == again[name]).all() for name in first)
    assert (first["x"] != sample_points([x, y], seed=1)["x"]).any()
    assert first["x"][:3].tolist() == pytest.approx(sample_points([x])["x"][:3].tolist(), rel=0)


def test_points_without_a_domain_mix_sizes_and_signs() -> None:
    points = sample_points([x, y], 1024)
    at, sizes = points["x"], np.abs(points["x"])
    assert np.isfinite(at).all() and 0.3 < (at < 0).mean() < 0.6
    assert (sizes > 2.0**40).any() and ((sizes < 2.0**-40) & (sizes > 0)).any()
    assert {0.0, 1.0, -1.0, 2.0} <= set(at.tolist())
    near = np.abs(at - points["y"]) < 1e-6 * sizes
    assert 40 < near.sum() < 200
    assert not np.signbit(at[at == 0]).any(), "a negative zero is no real number"


@given(
    st.floats(-1e9, 1e9, allow_subnormal=False),
    st.floats(0, 1e9, allow_subnormal=False),
    st.sampled_from([np.float64, np.float32]),
)
def test_points_stay_in_their_domain(low: float, width: float, dtype: Any) -> None:
    high = low + width
    both = rw.symbol("both", low=low, high=high)
    above, below = rw.symbol("above", low=low), rw.symbol("below", high=high)
    if dtype == np.float32 and width < 1e-3 * abs(low):
        return  # there may be no such number
    points = sample_points([both, above, below], 128, dtype=dtype)
    assert all(a.dtype == dtype and np.isfinite(a).all() for a in points.values())
    assert points["both"].min() >= low and points["both"].max() <= high
    assert points["above"].min() >= low and points["below"].max() <= high
    if dtype == np.float64:
        assert low in points["both"] and high in points["both"]
        assert low in points["above"] and high in points["below"]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 9, 16])
def test_there_may_be_few_points(n: int) -> None:
    symbols = [
        rw.symbol("free"), rw.symbol("above", low=1), rw.symbol("below", high=-1),
        rw.symbol("both", low=-1, high=2), rw.symbol("whole", low=0, dtype="int64"),
    ]  # fmt: skip
    for some in ([symbol] for symbol in symbols):
        (column,) = sample_points(some, n).values()
        low, high = some[0].symbol.low, some[0].symbol.high  # type: ignore[union-attr]
        assert len(column) == n and np.isfinite(column).all()
        assert low is None or column.min() >= low
        assert high is None or column.max() <= high


def test_values_of_many_symbols_are_drawn_together(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [rw.symbol(f"m{k}", low=1) for k in range(3000)] + [rw.symbol("other")]
    alone = sample_points(many[-1:], 64)["other"]
    made = []
    original = np.random.default_rng

    def counted(seed: Any) -> np.random.Generator:
        made.append(seed)
        return original(seed)

    monkeypatch.setattr(np.random, "default_rng", counted)
    points, again = sample_points(many, 64), sample_points(reversed(many), 64)
    assert len(made) < 20
    columns = np.array([points[f"m{k}"] for k in range(3000)])
    assert (columns >= 1).all() and np.isfinite(columns).all()
    assert len(np.unique(columns, axis=0)) == 3000
    assert all((points[name] == again[name]).all() for name in points)
    # but for the first, where they take turns, the others are as they are alone
    assert (points["other"] == alone).mean() > 0.8


def test_points_of_positive_domains_cover_the_orders_of_magnitude() -> None:
    at = sample_points([rw.symbol("w", low=0, high=1e6)], 512)["w"]
    assert (at < 1e-3).mean() > 0.1 and (at > 1e5).mean() > 0.3


def test_every_symbol_is_zero_and_next_to_it_while_others_are_ordinary() -> None:
    around = rw.symbols(" ".join(f"s{k}" for k in range(12)), low=-2, high=1)
    for n in (64, 512):
        for symbols in (around[:2], [x, p], [x, u], around if n > 64 else [x]):
            points = sample_points(symbols, n)
            rest = np.array([points[name] for name in sorted(points)])
            for k, name in enumerate(sorted(points)):
                others = np.delete(rest, k, 0)
                ordinary = (np.abs(others) > 1e-21).all(0)
                assert (ordinary & (points[name] == 0)).any(), name
                near = ordinary & (np.abs(points[name]) < 1e-12)
                assert (near & (points[name] > 0)).any(), name
                if name not in "pu":
                    assert (near & (points[name] < 0)).any(), name


def test_points_without_a_bound_take_all_magnitudes_independently() -> None:
    for dtype, size, most in ((np.float64, 1000, 250), (np.float32, 120, 70)):
        points = sample_points([x, y, p, u], 512, dtype=dtype)
        assert all(np.isfinite(a).all() for a in points.values())
        logs = {n: np.log2(np.abs(a, where=a != 0, out=np.ones(512))) for n, a in points.items()}
        for name in "xyp":
            assert 20 < (np.abs(logs[name]) > most).sum() < 64, name
            assert logs[name].max() > 0.9 * size and logs[name].min() < -0.9 * size
        assert (np.abs(logs["x"] - logs["y"]) > most).sum() > 20
        assert points["p"].min() >= 0 and points["u"].max() <= 1e6
    above = sample_points([rw.symbol("above", low=3)], 512)["above"]
    assert above.min() == 3 and above.max() > 1e200 and (above == 3).mean() < 0.1
    whole = sample_points([rw.symbol("i", dtype="int64")], 512)["i"]
    assert (whole == np.rint(whole)).all() and np.abs(whole).max() > 2.0**50


def test_points_of_integers_and_truth_values() -> None:
    names = [
        rw.symbol("i", dtype="int32", low=-3, high=11.5),
        rw.symbol("u", dtype="uint8"),
        rw.symbol("b", dtype="bool"),
    ]
    points = sample_points(names)
    assert points["b"].dtype == np.bool_ and 0.3 < points["b"].mean() < 0.7
    assert set(points["i"].tolist()) == set(range(-3, 12))
    assert (points["u"] == np.rint(points["u"])).all()
    assert points["u"].min() == 0 and points["u"].max() <= 255


# -- bits of error ---------------------------------------------------------------------------


def test_bits_of_error() -> None:
    known = exact(rw.log(x), {"x": [math.e, math.e, 2.0, -1.0, 1.0]})
    near = known.nearest()
    near[1] *= 1 + 2.0**-42
    near[2] = np.nan
    near[3] = 5.0
    bits = bits_of_error(near, known)
    assert bits[0] == 0 and 9.5 < bits[1] < 11.5 and bits[2] == 64
    assert np.isnan(bits[3]) and bits[4] == 0
    assert bits_of_error(np.array([np.inf] * 5), known, np.float32)[0] == 32


def test_accuracy_of_a_cancelling_difference() -> None:
    w = rw.symbol("w", low=1e8, high=1e12)
    bad, good = rw.sqrt(w + 1) - rw.sqrt(w), 1 / (rw.sqrt(w + 1) + rw.sqrt(w))
    measured = accuracy(bad)
    assert measured.mean_bits > 20 and measured.valid == len(measured.bits) == 256
    assert measured.max_bits >= measured.mean_bits
    again = accuracy(bad, measured.worst)
    assert again.valid == 1 and again.max_bits == measured.max_bits
    assert accuracy(good).max_bits < 2
    assert accuracy(good, dtype=np.float32).max_bits < 2
    assert accuracy(bad, dtype=np.float32).mean_bits < 32


def test_accuracy_of_what_is_nowhere_defined() -> None:
    with pytest.raises(AccuracyError, match="undefined at every point"):
        accuracy(rw.log(-1 - x * x))
    with pytest.raises(AccuracyError, match="no points"):
        accuracy(x + 1, {"x": []})
    with pytest.raises(ArgumentError, match="do not broadcast"):
        accuracy(x + y, {"x": [1, 2], "y": [1, 2, 3]})


def test_more_points_are_sampled_where_few_are_defined() -> None:
    narrow = rw.acos(x * 1e-3) + rw.acosh(x)
    assert accuracy(narrow).valid >= 64


# -- the guard -------------------------------------------------------------------------------

# fmt: off
HARMLESS = {
    "itself":           (x * y + z, x * y + z),
    "commuted":         (x * y + z, z + y * x),
    "fused":            (p * q + r, rw.fma(p, q, r)),
    "factored":         (p * q + p * r, p * (q + r)),
    # far out it overflows at other points, but at no more of them
    "products":         (x * y * z, x * (y * z)),
    "regrouped":        ((p + q) + r, p + (q + r)),
    "reciprocal":       (p / q, p * (1 / q)),
    "one division":     (u / v / w, u / (v * w)),
    "power":            (x**4, (x * x) * (x * x)),
    "half angle":       (1 - rw.cos(x), 2 * rw.sin(x / 2) ** 2),
    "product of sums":  (x * x - y * y, (x - y) * (x + y)),
    "expm1":            (rw.exp(x) - 1, rw.expm1(x)),
    "choice":           (rw.where(x < y, x, y), rw.minimum(x, y)),
    "truth value":      (x < y, y > x),
    "folded":           (x * (rw.const(2) + 1), x * 3),
    "parallel":         (1 / (1 / (u + 1) + 1 / (v + 1)), (u + 1) * (v + 1) / (u + v + 2)),
    # Without a domain: the source over- or underflows by itself where these do.
    "fused anywhere":   (x * y + z, rw.fma(x, y, z)),
    "factored there":   (x * y + x * z, x * (y + z)),
    "one quotient":     (x / z + y / z, (x + y) / z),
    "Horner":           (x + y * z + x * z**2 + y * z**3, ((y * z + x) * z + y) * z + x),
    "bell":             (
        rw.exp(-((x / y) ** 2) / 2) / (rw.sqrt(2 * rw.pi) * y),
        rw.exp(x * (1 / y) * (x * (1 / y)) * -0.5) * (1 / y * (1 / rw.sqrt(2 * rw.pi))),
    ),
    "norm":             (rw.sqrt(x * x + y * y), rw.sqrt(rw.fma(x, x, y * y))),
}
HARMFUL = {
    "cosine":           (2 * rw.sin(x / 2) ** 2, 1 - rw.cos(x)),
    "add and subtract": (x / x, (x + 1) - x),
    "exp":              (rw.expm1(x), rw.exp(x) - 1),
    "log":              (rw.log1p(x), rw.log(1 + x)),
    "difference":       ((x - y) * (x + y), x * x - y * y),
    "variance":         ((x - y) ** 2, x * x - 2 * x * y + y * y),
    "wrong":            (x + y, x - y),
    "nearly":           (rw.sqrt(p), rw.sqrt(p) * (1 + 1e-12)),
    "wrong truth":      (x < y, x <= y),
    "rounded":          (x * y, rw.round(x * y)),
    "plain norm":       (rw.hypot(x, y), rw.sqrt(x * x + y * y)),
    "half-line norm":   (rw.hypot(p, q), rw.sqrt(p * p + q * q)),
    "root of product":  (rw.sqrt(x) * rw.sqrt(y), rw.sqrt(x * y)),
    "square below":     (x / y / y, x / (y * y)),
    "infinity lost":    (rw.minimum(1 / x, 3) * rw.where(rw.eq(x, 0), 7, 1), rw.minimum(1 / x, 3)),
    "angle at zero":    (rw.atan(1 / x) * rw.where(rw.ne(x, 0), 1, 2), rw.atan(1 / x)),
    "in a domain":      (rw.atan(1 / u) * rw.where(rw.ne(u, 0), 1, 2), rw.atan(1 / u)),
    "strained, wrong":  (rw.sqrt(x * x + y * y), rw.sqrt(x * x + y * y) * (1 + 1e-6)),
}
# fmt: on


@pytest.mark.parametrize(("source", "candidate"), HARMLESS.values(), ids=HARMLESS)
def test_the_guard_accepts(source: Term, candidate: Term) -> None:
    verdict = judge(source, candidate)
    assert verdict.ok, verdict
    assert verdict.mean_bits_after <= verdict.mean_bits_before + 0.1
    assert (verdict.blame, verdict.reason) == ((), "")


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("source", "candidate"), HARMFUL.values(), ids=HARMFUL)
def test_the_guard_rejects(source: Term, candidate: Term, dtype: Any) -> None:
    if dtype == np.float32 and candidate == HARMFUL["nearly"][1]:
        pytest.skip("1 + 1e-12 is 1 in single precision")
    verdict = judge(source, candidate, dtype=dtype)
    assert not verdict.ok and verdict.reason and verdict.blame
    assert verdict.worst.keys() == {s.symbol.name for s in source.free_symbols if s.symbol}


def test_the_guard_rejects_damage_at_few_points() -> None:
    w = rw.symbol("w", low=1, high=2)
    lossy = rw.where(w < 1.003, ((w + 1e3) - 1e3) * 2, w * 2)
    verdict = judge(w * 2, lossy, points={"w": np.linspace(1.0011, 2, 256)})
    assert not verdict.ok and "largest error" in verdict.reason
    assert verdict.mean_bits_after < 0.05
    assert verdict.worst["w"] == 1.0011


def test_one_bad_point_of_the_source_excuses_no_others() -> None:
    w = rw.symbol("w", low=1, high=2)
    points = {"w": np.linspace(1.0011, 2, 512)}
    bad = (w + 1e30) - 1e30
    source = rw.where(w < 1.002, bad, (w + 50) - 50)
    lossy = rw.where(w < 1.002, bad, rw.where(w < 1.008, (w + 1e6) - 1e6, w))
    verdict = judge(source, lossy, points=points)
    assert verdict.mean_bits_after < verdict.mean_bits_before
    assert not verdict.ok and "bits worse at 3 points" in verdict.reason
    assert judge(source, rw.where(w < 1.002, bad, w), points=points).ok


def any_sum(rng: np.random.Generator, parts: list[Term]) -> Term:
    parts = list(parts)
    while len(parts) > 1:
        at = int(rng.integers(len(parts) - 1))
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts[0]


@pytest.mark.parametrize("domain", [{}, {"low": -1, "high": 1}])
def test_sums_in_another_order_are_rarely_refused(domain: dict[str, float]) -> None:
    names = list(rw.symbols("a b c d e f", **domain))
    refused = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        source = any_sum(rng, names)
        verdict = Guard(source, seed=seed).accepts(
            any_sum(rng, [names[k] for k in rng.permutation(6)])
        )
        refused += [] if verdict.ok else [verdict.reason]
    assert len(refused) <= 2 and not any("3 points" in reason for reason in refused)


def test_underflow_of_the_source_excuses_only_as_much_of_the_candidate() -> None:
    # x*y is subnormal, x*x has fewer bits still, and x*z none of that
    points = {"x": [1e-160] * 8 + [1.0] * 8, "y": 1e-155, "z": 1e10}
    assert judge(x * y * z, x * z * y, points=points).ok
    verdict = judge(x * y * z, x * x * (y / x) * z, points=points)
    assert verdict.reason == "over- or underflows at more points than the source"
    assert verdict.blame and verdict.mean_bits_before < 1


def test_what_is_undecided_is_not_taken_for_undefined() -> None:
    # both are 1/0 in the reals; no precision can tell, and the source happens to be finite
    points = {"x": [0.1, 1.0, 3.0], "y": [0.2, 3.0, 0.3]}
    one = rw.sin(x) ** 2 + rw.cos(x) ** 2
    assert not any(Guard(y + rw.atan(1 / (one - 1)), points).measured.undefined[0])
    source = rw.where(rw.floor(one + y * 0) < 5, x, y) + y
    assert judge(source, x + y).ok


def test_sums_where_there_is_no_exact_value_may_round_otherwise() -> None:
    points = {"x": np.array([0.0] * 4 + [1.0] * 60), "y": np.linspace(0.1, 0.9, 64), "z": 1e4}
    note = "4 points without an exact one"
    source = rw.atan(1 / x) + y + z - z
    assert Guard(source, points).measured.undefined[0].sum() == 4
    assert note not in judge(source, rw.atan(1 / x) + y, points=points).reason
    assert note in judge(source, rw.atan(1 / x) * (1 + 1e-6) + y, points=points).reason


def test_the_guard_rejects_an_overflow_that_the_source_has_not() -> None:
    big = rw.symbol("big", low=1, high=1e300)
    verdict = judge(rw.hypot(big, 1), rw.sqrt(big * big + 1))
    assert not verdict.ok and "underflows at more points" in verdict.reason
    underflow = judge(rw.hypot(p, p), rw.sqrt(p * p + p * p), points={"p": np.geomspace(1e-250, 1)})
    assert not underflow.ok


def test_an_infinity_of_the_source_need_not_survive_but_a_number_must() -> None:
    points = {"x": np.array([0.0, 1.0, 2.0])}
    assert judge(x * y / y, x, points={**points, "y": 0.0}).reason == "undefined at all points"
    assert judge(x * x / x, x, points=points).ok
    # At zero the exact value of the source is undefined, but it computes 0.
    assert not judge(1 / (1 / x), x * x / x, points=points).ok
    assert judge(1 / (1 / x), x, points=points).ok
    assert not judge(1 / (1 / p + 1 / q), p * q / (p + q), points={"p": 0.0, "q": [0.0, 1.0]}).ok


def test_points_with_infinite_leaves_are_left_out() -> None:
    points = {"x": np.array([np.inf, 1.0, np.nan, 2.0])}
    assert judge(1 / x, x / (x * x), points=points).ok


def named(candidate: Term, verdict: Verdict) -> list[str]:
    dag = Dag.of(candidate.store, [candidate.id])
    return [str(Term(candidate.store, int(dag.ids[at]))) for at in verdict.blame]


@pytest.mark.parametrize(
    ("source", "candidate", "culprit"),
    [
        (2 * rw.sin(x / 2) ** 2 * y, (1 - rw.cos(x)) * y, "1 - cos(x)"),
        ((x - y) * (x + y) + 0 * z, x * x - y * y + 0 * z, "x*x - y*y"),
        (rw.sin(rw.expm1(x)), rw.sin(rw.exp(x) - 1), "exp(x) - 1"),
    ],
)
def test_blame_starts_with_the_culprit(source: Term, candidate: Term, culprit: str) -> None:
    assert named(candidate, judge(source, candidate))[0] == culprit


def test_blame_finds_the_overflow() -> None:
    big = rw.symbol("big", low=1e155, high=1e300)
    candidate = rw.sqrt(big * big + 1) * 2
    assert named(candidate, judge(rw.hypot(big, 1) * 2, candidate))[0] == "big*big"


def test_many_roots_are_judged_one_by_one() -> None:
    guard = Guard([x + y, rw.expm1(x)])
    assert guard.accepts([y + x, rw.expm1(x)]).ok
    verdict = guard.accepts([y + x, rw.exp(x) - 1])
    assert not verdict.ok and verdict.mean_bits_before < 0.1 < verdict.mean_bits_after
    with pytest.raises(ArgumentError, match="1 roots, the source 2"):
        guard.accepts(x + y)
    with pytest.raises(ArgumentError, match="'q'"):
        guard.accepts([x, q])


def test_candidates_may_live_in_another_store() -> None:
    guard = Guard(x * y + x)
    with rw.scope(Store()):
        a, b = rw.symbols("x y")
        candidate = a * (b + 1)
    assert guard.accepts(candidate) == guard.accepts(Dag.of(candidate.store, [candidate.id]))


@settings(max_examples=60)
@given(terms(max_ops=8))
def test_every_term_may_replace_itself(term: Term) -> None:
    verdict = Guard(term, n=32).accepts(term)
    assert verdict.ok or verdict.reason == "undefined at all points"


def test_the_guard_is_fast() -> None:
    term = rw.sin(x * y + z) * rw.exp(-x * x) + rw.log(y * y + 1) / (rw.sqrt(z * z + 1) + rw.cos(x))
    term = term - x * y * z + rw.tanh(y) * 3
    best = math.inf
    for _ in range(5):
        started = time.perf_counter()
        assert Guard(term).accepts(term).ok
        best = min(best, time.perf_counter() - started)
    assert best < 0.05  # 3 ms on a quiet core


def test_constants_of_candidates_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def counted(dag: Dag, points: Any) -> Any:
        asked.extend(dag.code[dag.roots].tolist())
        return exact_dag(dag, points)

    guard = Guard(x * y)
    monkeypatch.setattr(sys.modules["rewrite.measuring"], "exact_dag", counted)
    assert guard.accepts(x * y).ok and not asked, "leaves need no oracle"
    candidate = x * y * (rw.sqrt(rw.const(2) * rw.pi) / rw.sqrt(rw.pi * 2))
    assert guard.accepts(candidate).ok and len(asked) == 1, "only the largest subterm"
    assert guard.accepts(candidate + 0).ok and guard.accepts(candidate).ok and len(asked) == 1
    assert not guard.accepts(x * y * rw.sqrt(rw.const(1.0) + rw.e)).ok and asked[1:] == [
        ops.SQRT.code
    ]


def test_large_programs_are_measured_at_fewer_points() -> None:
    total = x
    for k in range(80):
        total = total * y + k
    assert len(Guard(x + y).points["x"]) == 512
    assert 128 <= len(Guard(total).points["x"]) < 256
    assert len(Guard(total, n=512).points["x"]) == 512


# -- the other dtype ---------------------------------------------------------------------------


def test_a_candidate_must_be_finite_in_single_precision_too() -> None:
    a, b = rw.symbols("a b", low=1e20, high=1e25)
    source, candidate = rw.sqrt(a) * rw.sqrt(b) * 2, rw.sqrt(a * b) * 2
    assert judge(source, candidate).ok
    verdict = RangeGuard(source).accepts(candidate)
    assert "underflows in float32" in verdict.reason and not verdict.ok
    assert named(candidate, verdict) == ["a*b"] and verdict.worst.keys() == {"a", "b"}
    assert RangeGuard(source).accepts(rw.sqrt(b) * rw.sqrt(a) * 2).ok
    with pytest.raises(ArgumentError, match="1 roots, the source 2"):
        RangeGuard([a, b]).accepts(a)


def test_a_candidate_must_not_vanish_in_single_precision() -> None:
    a, b = rw.symbols("a b", low=1e-25, high=1e-20)
    verdict = RangeGuard(rw.sqrt(a) * rw.sqrt(b)).accepts(rw.sqrt(a * b))
    assert "underflows in float32" in verdict.reason
    assert named(rw.sqrt(a * b), verdict)[0] == "a*b"
    assert RangeGuard((1 + a) - 1).accepts((a + 1) - 1).ok


def test_numbers_outside_single_precision_are_left_out() -> None:
    far = rw.symbol("far", low=1e100, high=1e200)
    assert RangeGuard(far * 2).accepts(far + far).ok
    assert RangeGuard([x < y, x]).accepts([y > x, x]).ok


def test_a_constant_root_beside_others_is_measured() -> None:
    """Found by the end-to-end test: values of constants have no axis of points."""
    z = rw.symbol("z")
    undefined_mostly = rw.log(z) + rw.log(-z * rw.log(z))
    guard = Guard([undefined_mostly, rw.log(abs(rw.const(-1)))])
    assert guard.accepts([undefined_mostly, rw.const(0)]).mean_bits_after >= 0


def test_roots_that_are_worse_beyond_doubt_are_named() -> None:
    p, q = rw.symbol("p", low=1e6, high=1e12), rw.symbol("q", low=1, high=1e200)
    source = [p + q, 1 / (rw.sqrt(p + 1) + rw.sqrt(p)), q / p * q, rw.sin(p) * p - p * p]
    candidate = [q + p, rw.sqrt(p + 1) - rw.sqrt(p), q * q / p, p * (rw.sin(p) - p)]
    points = sample_points([p, q], 256)
    points["q"][:40] = 0.9e160  # where q*q is infinite, and q/p*q is not
    points["p"][:40] = 1e12
    assert Guard(source, points).worse(candidate, 2.0).tolist() == [False, True, True, False]
    assert not Guard(source, points).worse(source, 2.0).any()


# -- many sources ------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_sources_measured_together_are_judged_as_alone(data: st.DataObject) -> None:
    """Guards share one pass, but not a point: each says what its own guard would."""
    store, sources, candidates, points = Store(), [], [], []
    for k in range(3):
        a, b = (Term(store, store.symbol(Symbol(f"{name}{k}"))) for name in "ab")
        one = data.draw(terms([a, b], max_ops=6))
        other = data.draw(st.sampled_from([one, one + a - a, one * 3 / 3, (one + 1e9) - 1e9]))
        both = [s.symbol for s in (a, b) if s.symbol is not None]
        sources.append([join(store, one)])
        candidates.append([join(store, other)])
        points.append(sample_points(both, data.draw(st.sampled_from([16, 24, 64]))))
    many = Guards(sources, points)
    found = many.accepted(dict(enumerate(candidates)))
    for k in range(3):
        alone = Guard(sources[k], points[k])
        assert (
            (k in found)
            == alone.accepts(candidates[k]).ok
            == many.guard(k).accepts(candidates[k]).ok
        )
    assert many.accepted({1: candidates[1]}) == found & {1}


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_many_candidates_are_blamed_as_each_alone(data: st.DataObject) -> None:
    store, sources, candidates, points = Store(), [], [], []
    for k in range(3):
        a, b = (Term(store, store.symbol(Symbol(f"{name}{k}", None, 1, 2))) for name in "ab")
        one = data.draw(terms([a, b], max_ops=4))
        other = data.draw(st.sampled_from([(one + 1e9) - 1e9, one + (a - b) * 1e12 / 1e12 - a + b]))
        both = [s.symbol for s in (a, b) if s.symbol is not None]
        sources.append([join(store, one)])
        candidates.append([join(store, other)])
        points.append(sample_points(both, data.draw(st.sampled_from([16, 24, 64]))))
    many = Guards(sources, points)
    found = many.refused(dict(enumerate(candidates)))
    assert found.keys() == many.refused(dict(enumerate(candidates)), blame=False).keys()
    for k, blame in found.items():
        ids = Dag.of(store, [candidates[k][0].id]).ids
        alone = many.guard(k).accepts(candidates[k]).blame
        assert blame == tuple(ids[list(alone)].tolist())


def test_sources_that_share_symbols_are_not_measured_together() -> None:
    values = {"x": np.ones(4)}
    with pytest.raises(ArgumentError, match="share symbols"):
        Guards([[x + 1], [x * 2]], [values, values])


def test_an_infinite_point_of_one_source_is_no_matter_to_the_others() -> None:
    values = [{"x": np.linspace(1, 2, 64)}, {"y": np.geomspace(1e30, 1e60, 64)}]
    many = Guards([[x * x + x], [y + 1]], values, dtype=np.float32)
    assert many.accepted({0: [x * (x + 1)], 1: [1 + y]}) == {0, 1}
    alone = Guard([x * x + x], values[0], dtype=np.float32).accepts([x * (x + 1)])
    assert many.guard(0).accepts([x * (x + 1)]) == alone and alone.ok
    assert not many.accepted({0: [x * (x + 1.001)]})


def test_constants_shared_and_nested_deep_take_no_time() -> None:
    shared, deep = rw.sin(rw.sqrt(rw.pi)), rw.sin(rw.sqrt(rw.pi))
    for _ in range(30):
        shared = rw.sin(shared) * rw.cos(shared) + shared
    for _ in range(1500):
        deep = rw.sin(deep + 1)
    begin = time.perf_counter()
    for constant in (shared, deep):
        guard = Guard(x * constant, {"x": np.linspace(1, 2, 20)})
        assert guard.accepts(constant * x).ok
    assert time.perf_counter() - begin < 5


# -- domains and the measure of FPBench --------------------------------------------------------


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 60))
def test_fpbench_counts_the_floats_in_between(value: float, power: int) -> None:
    """Far from overflow, a float that is n steps from the exact value has log2(n + 1) bits."""
    steps = 2**power - 1
    place = np.float64(abs(value) / 2**64).view(np.int64)
    other = np.int64(place + np.int64(steps) if power < 60 else place).view(np.float64)
    if not np.isfinite(other):
        return
    known = exact(x, {"x": [np.int64(place).view(np.float64)]})
    expected = math.log2(float(other.view(np.int64) - place) + 1)
    assert bits_between([other], known)[0] == pytest.approx(expected, abs=1e-12)
    assert bits_between([math.nan], known)[0] == 64


def test_fpbench_counts_through_zero() -> None:
    tiny = 5e-324
    assert bits_between([tiny], exact(x, {"x": [-tiny]}))[0] == math.log2(3)
    assert bits_between([-0.0], exact(x, {"x": [0.0]}))[0] == 0
    assert bits_between([1e300], exact(x, {"x": [-1e300]}))[0] > 63.9
    assert bits_between([np.float32(1)], exact(x, {"x": [1.0]}), np.float32)[0] == 0
    assert bits_between([np.float32(-1)], exact(x, {"x": [1.0]}), np.float32)[0] > 30.9
    assert np.isnan(bits_between([1.0], exact(1 / x, {"x": [0.0]}))[0])


def test_a_measure_by_its_name() -> None:
    term = rw.exp(x) - 1
    domain = {"x": (1e-9, 1e-6)}
    near, far = accuracy(term, domain), accuracy(term, domain, measure="fpbench")
    assert abs(near.mean_bits - far.mean_bits) < 1 < near.mean_bits
    assert len(far.bits) == far.valid == 256
    with pytest.raises(ArgumentError, match=r"measure='bits' is none of 'ulp', 'fpbench'"):
        accuracy(term, domain, measure="bits")  # type: ignore[arg-type]


def test_domains_in_which_points_are_sampled() -> None:
    term = rw.sqrt(x + y) - rw.sqrt(x)
    found = accuracy(term, {"x": (1e9, 1e12), "y": (1, None)})
    assert 1e9 <= found.worst["x"] <= 1e12 and found.worst["y"] >= 1
    narrowed = rw.symbol("n", low=1e9, high=1e12)
    assert 1e9 <= accuracy(x - narrowed, {"x": (1, 2)}).worst["n"] <= 1e12
    assert accuracy(term, {"x": (1, 2), "y": (1e-9, 1e-8)}).mean_bits > 8


@pytest.mark.parametrize(
    "domain, error, message",
    [
        ({"x": (2, 1)}, DomainError, r"the domain \(2, 1\) of 'x' is empty"),
        ({"x": (1, math.inf)}, DomainError, "the bound inf of 'x' is not a finite number"),
        ({"x": (1, 2, 3)}, ArgumentError, r"is no pair \(low, high\)"),
        ({"q": (1, 2)}, ArgumentError, "the term has no symbol 'q'"),
    ],
)
def test_domains_that_are_none(domain: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        accuracy(x + 1, domain)


def test_symbols_name_points_and_domains_too() -> None:
    t = rw.symbol("t")
    for values in ((1e-9, 1e-6), [1e-9, 1e-8]):
        by_name = rw.accuracy(rw.exp(t) - 1, {"t": values})
        assert rw.accuracy(rw.exp(t) - 1, {t: values}).mean_bits == by_name.mean_bits > 20
    with pytest.raises(ArgumentError, match="by symbol or by its name"):
        rw.accuracy(rw.exp(t), {t + 1: (0, 1)})
