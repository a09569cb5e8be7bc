"""The reference evaluator: NumPy's function for each op, one rounding each, no recursion."""

import math
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.dag import Dag
from rewrite.errors import ArgumentError, TargetError
from rewrite.evaluate import evaluate, evaluate_dag, fma
from rewrite.term import Term, apply

SPECIAL = np.array([
    0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 0.1, -7.0, math.pi, 2.0**53 + 2, 1e300, -1e300,
    1.7976931348623157e308, 1e-310, 5e-324, 2.0**-1022, np.inf, -np.inf, np.nan,
])  # fmt: skip
INNER = [row for row in ops.BUILTIN if row.code > ops.PVAR.code]
OWN: dict[str, Callable[..., Any]] = {
    "erf": np.vectorize(math.erf, otypes=[float]),
    "erfc": np.vectorize(math.erfc, otypes=[float]),
    "fma": fma,
    "rsqrt": lambda x: 1 / np.sqrt(x),
}


def same(a: Any, b: Any) -> bool:
    """Compare bits, with every NaN as one."""
    a, b = np.asarray(a), np.asarray(b)
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.dtype == np.bool_:
        return bool((a == b).all())
    return bool((((a == b) & (np.signbit(a) == np.signbit(b))) | ((a != a) & (b != b))).all())


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("row", INNER, ids=lambda row: row.name)
def test_every_op_is_its_numpy_function_on_special_values(row: ops.Op, dtype: Any) -> None:
    arity = 2 if row.arity < 0 else row.arity
    letters = [row.takes[min(i, len(row.takes) - 1)] for i in range(arity)]
    with np.errstate(all="ignore"):
        grid = SPECIAL.astype(dtype)
    axes = [np.array([False, True]) if letter == "b" else grid for letter in letters]
    columns = [c.ravel() for c in np.meshgrid(*axes)]
    symbols = [
        rw.symbol(f"v{i}{letter}", dtype="bool" if letter == "b" else None)
        for i, letter in enumerate(letters)
    ]
    computed = evaluate(apply(row, *symbols), dict(zip(symbols, columns, strict=True)), dtype=dtype)
    with np.errstate(all="ignore"):
        wanted = OWN[row.name](*columns) if row.name in OWN else getattr(np, row.numpy)(*columns)
    assert same(computed, wanted if row.makes == "b" else wanted.astype(dtype))


def test_sums_and_products_go_from_left_to_right() -> None:
    x, y, z = rw.symbols("x y z")
    at = {"x": 1e16, "y": 1.0, "z": 1.0}
    assert evaluate(apply("add", x, y, z), at) == (1e16 + 1) + 1
    assert evaluate(apply("add", y, z, x), at) == 1e16 + 2
    huge = {"x": 1e200, "y": 1e200, "z": 1e-200}
    assert evaluate(apply("mul", x, y, z), huge) == np.inf
    assert evaluate(apply("mul", x, z, y), huge) == 1e200


def test_squares_are_products() -> None:
    x = rw.symbol("x")
    at = np.random.default_rng(0).normal(size=1000)
    assert same(evaluate(x**2, {"x": at}), at * at)
    assert same(evaluate(x**2, {"x": at}), at**2)
    assert same(evaluate(x ** rw.const(2.0), {"x": at}), at * at)
    assert same(evaluate(x**3, {"x": at}), np.power(at, 3.0))


# -- constants -------------------------------------------------------------------------------


@given(st.integers(-(2**80), 2**80), st.integers(1, 2**70))
def test_constants_round_once_in_single_precision(p: int, q: int) -> None:
    value = Fraction(p, q)
    got = Fraction(float(evaluate(rw.const(value), dtype=np.float32)))
    ulp = Fraction(float(np.spacing(np.abs(np.float32(float(got))))))
    neighbours = [got, got - ulp / 2, got + ulp / 2, got + ulp, got - ulp]
    best = min(abs(n - value) for n in neighbours if Fraction(float(np.float32(float(n)))) == n)
    assert abs(got - value) == best


def test_a_tie_that_double_rounding_would_get_wrong() -> None:
    value = Fraction(1) + Fraction(1, 2**24) + Fraction(1, 2**60)  # just above the middle
    assert np.float32(float(value)) == 1.0
    assert evaluate(rw.const(value), dtype=np.float32) == np.float32(1 + 2.0**-23)


def test_constant_subterms_are_as_in_python() -> None:
    x = rw.symbol("x")
    x32 = np.linspace(-3, 3, 50, dtype=np.float32)
    term = x * (2 * rw.pi / 3 + rw.sqrt(rw.const(2)))
    assert same(evaluate(term, {"x": x32}, dtype=np.float32), x32 * (2 * math.pi / 3 + 2**0.5))
    assert evaluate(term, {"x": x32}, dtype=np.float32).dtype == np.float32
    assert evaluate(rw.const(1e30) * 1e30, dtype=np.float32) == np.inf
    assert same(evaluate(x * (rw.const(1e30) * 1e-30), {"x": x32}, dtype=np.float32), x32)
    assert float(rw.const(2) ** 0.5) == 2**0.5
    assert evaluate(rw.const(10**400)) == np.inf and evaluate(rw.const(True)).dtype == np.bool_


# -- inputs and outputs ----------------------------------------------------------------------


def test_shapes() -> None:
    x, y = rw.symbols("x y")
    at = {"x": np.ones((4, 1)), y: np.arange(3)}
    one, two = evaluate([x + y, x * 2], at)
    assert one.shape == (4, 3) and two.shape == (4, 1)
    assert evaluate(rw.asarray([[x, y], [y, x]]), at).shape == (4, 3, 2, 2)
    assert evaluate(rw.asarray([]), at).shape == (0,) and evaluate([], at) == []
    assert evaluate(rw.const(1) + 1).shape == ()
    assert evaluate(x, {"x": np.ones(0)}).shape == (0,)
    with rw.scope():
        other = rw.symbol("y") + 1
    assert [v.tolist() for v in evaluate([x + 0, other], {"x": 1, "y": 2})] == [1.0, 3.0]


def test_mistakes_name_the_symbol() -> None:
    x, y = rw.symbols("x y")
    b = rw.symbol("b", dtype="bool")
    with pytest.raises(ArgumentError, match="'y'; given: x"):
        evaluate(x + y, {"x": 1.0})
    with pytest.raises(ArgumentError, match=r"broadcast: .*'x'"):
        evaluate(x + y, {"x": np.ones(3), "y": np.ones(4)})
    with pytest.raises(ArgumentError, match="'b' takes truth values"):
        evaluate(rw.where(b, x, y), {"x": 1, "y": 2, "b": 1.0})
    with pytest.raises(ArgumentError, match="real numbers, not complex128"):
        evaluate(x + 1, {"x": 1j})
    with pytest.raises(ArgumentError, match="symbol or by its name"):
        evaluate(x + 1, {x + 1: 2.0})
    with pytest.raises(TargetError, match="int64; choices"):
        evaluate(x + 1, {"x": 1}, dtype=np.int64)


def test_integers_and_pattern_variables_are_values_like_others() -> None:
    n = rw.symbol("n", dtype="int64")
    (a,) = rw.pattern_vars("a")
    assert evaluate(n / 2, {"n": np.array([1, 2])}).tolist() == [0.5, 1.0]
    assert evaluate(a * a, {"a": 3.0}) == 9.0


def test_nothing_warns_and_the_callers_arrays_are_left_alone() -> None:
    x = rw.symbol("x")
    at = np.array([0.0, -1.0, 1e308])
    with np.errstate(all="raise"):
        assert np.isnan(evaluate(rw.log(x) / x * x + 0 / x, {"x": at}))[0]
        evaluate(x * 1e300, {"x": at}, dtype=np.float32)
    assert at.tolist() == [0.0, -1.0, 1e308]


# -- large programs --------------------------------------------------------------------------


def test_a_chain_of_a_million_ops_needs_no_recursion() -> None:
    with rw.scope():
        x = rw.symbol("x")
        chain: Term = x
        for i in range(10**6):
            chain = chain + 1 if i & 1 else chain * x
        started = time.perf_counter()
        assert evaluate(chain, {"x": 0.5}) == 2.0
    assert time.perf_counter() - started < 30


def test_intermediate_arrays_are_freed() -> None:
    import tracemalloc

    with rw.scope():
        x = rw.symbol("x")
        term = x
        for _ in range(100):
            term = rw.sin(term) + x
        dag = Dag.of(term.store, [term.id])
        at = {"x": np.linspace(0, 1, 100_000)}
        tracemalloc.start()
        evaluate_dag(dag, at)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 6 * at["x"].nbytes


def test_all_values_on_request() -> None:
    with rw.scope():
        x = rw.symbol("x")
        term = rw.sqrt(x * x + 1)
        dag = Dag.of(term.store, [term.id])
        values = evaluate_dag(dag, {"x": [0.0, 1.0]}, keep=True)
    assert len(values) == len(dag)
    by_op = {ops.OPS[code].name: v.tolist() for code, v in zip(dag.code, values, strict=True)}
    assert by_op["mul"] == [0.0, 1.0] and by_op["add"] == [1.0, 2.0]


# -- fma -------------------------------------------------------------------------------------


def exactly(x: float, y: float, z: float) -> float:
    """Round x*y + z once, by exact fractions."""
    value = Fraction(x) * Fraction(y) + Fraction(z)
    if not value:
        return 0.0
    try:
        near = float(value)
    except OverflowError:
        near = math.inf
    return math.copysign(near, 1 if value > 0 else -1)


def _uniform(rng: np.random.Generator, n: int, low: int, high: int) -> np.ndarray:
    mantissa = rng.uniform(0.5, 1, n) * rng.choice([-1, 1], n)
    values: np.ndarray = np.ldexp(mantissa, rng.integers(low, high, n))
    return values


def _triples(kind: str, n: int) -> list[np.ndarray]:
    rng = np.random.default_rng(len(kind))
    if kind == "any bits":
        bits = [rng.integers(0, 2**63, n).view(np.float64) for _ in range(3)]
        return [np.where(np.isfinite(b), b, 1.5) for b in bits]
    if kind == "cancelling":
        x, y = _uniform(rng, n, 0, 2), _uniform(rng, n, 0, 2)
        return [x, y, -(x * y)]
    if kind == "subnormal":
        sizes = [(-540, -500), (-580, -500), (-1074, -1000)]
        return [_uniform(rng, n, *size) for size in sizes]
    if kind == "subnormal ties":
        whole = [rng.integers(1, 2**10, n), rng.integers(1, 2**10, n), rng.integers(-4096, 4096, n)]
        sizes = [(-540, -530), (-545, -530), (-1074, -1064)]
        return [
            np.ldexp(w.astype(float), rng.integers(*size, n))
            for w, size in zip(whole, sizes, strict=True)
        ]
    if kind == "overflowing":
        return [_uniform(rng, n, *size) for size in [(500, 530), (490, 524), (1000, 1025)]]
    near_one = [1 + rng.integers(0, 8, n) * 2.0**-52 for _ in range(2)]
    ties = np.array([2.0**-53, -(2.0**-53), 2.0**-54, 2.0**-106, -(2.0**-105), 2.0**53, 2.0**52])
    return [*near_one, rng.choice(ties, n)]


@pytest.mark.parametrize(
    "kind",
    ["any bits", "cancelling", "subnormal", "subnormal ties", "overflowing", "ties near one"],
)
def test_fma_rounds_once(kind: str) -> None:
    x, y, z = _triples(kind, 20_000)
    wanted = np.array(list(map(exactly, x.tolist(), y.tolist(), z.tolist())))
    assert same(fma(x, y, z), wanted)


@pytest.mark.parametrize("low", [-20, -70, -145])
def test_fma_rounds_once_in_single_precision(low: int) -> None:
    rng = np.random.default_rng(-low)
    x, y = (_uniform(rng, 20_000, low // 2, 20).astype(np.float32) for _ in range(2))
    z = np.where(
        rng.random(20_000) < 0.5, -x * y, _uniform(rng, 20_000, low, 20).astype(np.float32)
    )
    got = fma(x, y, z)
    assert got.dtype == np.float32
    for a, b, c, r in zip(x.tolist(), y.tolist(), z.tolist(), got.tolist(), strict=True):
        value = Fraction(a) * Fraction(b) + Fraction(c)
        ulp = Fraction(float(np.spacing(np.float32(abs(r)))))
        off = abs(Fraction(r) - value)
        even = int(np.float32(r).view(np.int32)) & 1 == 0
        assert off < ulp / 2 or (off == ulp / 2 and even)


def test_fma_of_special_values() -> None:
    inf, nan = math.inf, math.nan
    cases = [
        (inf, 0.0, 1.0, nan), (0.0, 5.0, -0.0, 0.0), (-0.0, 5.0, -0.0, -0.0), (1.0, -1.0, 1.0, 0.0),
        (1e200, 1e200, -inf, -inf), (1e200, -1e200, 1.0, -inf), (inf, 1.0, -inf, nan),
        (nan, 1.0, 1.0, nan), (1e-200, -1e-200, 0.0, -0.0), (1e300, 1e300, -1e308, inf),
        (2.0, 3.0, 0.0, 6.0), (0.0, 1e308, 3.0, 3.0), (1e-320, 0.5, 1e300, 1e300),
    ]  # fmt: skip
    x, y, z, wanted = map(np.array, zip(*cases, strict=True))
    assert same(fma(x, y, z), wanted)
    with np.errstate(over="ignore"):
        assert fma(np.float32(1e30), np.float32(1e30), np.float32(-1e38)) == np.inf
    big = fma(np.float32(2e19), np.float32(2e19), np.float32(-2e38))  # the product overflows
    assert big == pytest.approx(2e38, rel=1e-6)


def test_given_values_are_taken_as_they_are() -> None:
    term = rw.symbol("x") * (rw.const(1) + 2)
    dag = Dag.of(term.store, [term.id])
    (inner,) = [at for at, (code, _) in enumerate(dag.rows()) if code == rw.ops.op("add").code]
    for dtype in (np.float64, np.float32):
        (value,) = evaluate_dag(dag, {"x": [2.0]}, dtype, given={inner: 5.0})
        assert value.tolist() == [10.0] and value.dtype == dtype
    assert evaluate_dag(dag, {"x": [2.0]}, given={})[0].tolist() == [6.0]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("exponent", [2, -1, 0.5])
def test_powers_that_numpy_has_functions_for(exponent: float, dtype: Any) -> None:
    with np.errstate(all="ignore"):
        at = SPECIAL.astype(dtype)
        wanted = at**exponent
    x = rw.symbol("x")
    assert same(evaluate(x**exponent, {"x": at}, dtype=dtype), wanted)
    for optimized in (False, True):
        kernel = rw.compile([x], x**exponent, math="strict", dtype=dtype, optimize_terms=optimized)
        assert same(kernel(at), wanted)
