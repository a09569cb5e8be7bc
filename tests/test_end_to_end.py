"""The property that all else serves: text or terms in, machine code out, the same function.

Several random terms make one kernel, so that thousands of examples need few compilations.
"""

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.accuracy import bits_of_error
from rewrite.dag import Dag
from rewrite.evaluate import evaluate, evaluate_dag
from rewrite.oracle import exact_dag
from rewrite.sampling import sample_points
from rewrite.sorts import BOOL
from rewrite.testing import terms

SYMBOLS = [
    rw.symbol("x", low=-4, high=4),
    rw.symbol("y", low=0.5, high=8),
    rw.symbol("z"),
]
NAMES = ["x", "y", "z"]
ARITHMETIC = ["add", "sub", "mul", "div", "neg", "sqrt", "abs", "minimum", "maximum", "floor",
              "lt", "ge", "where"]  # fmt: skip
TERMS_A_KERNEL = 10
CI = 200
"""Kernels in CI: 2,000 terms."""

many = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)


def points(seed: int) -> dict[str, np.ndarray]:
    """Sample points other than those that the guard looks at."""
    drawn = sample_points([s.symbol for s in SYMBOLS if s.symbol], 128, seed=1000 + seed)
    return {name: np.asarray(values, np.float64) for name, values in drawn.items()}


def seed_of(found: list[rw.Term]) -> int:
    """Return a number that depends on the terms alone."""
    return zlib.crc32(" ".join(t.sexpr() for t in found).encode()) % 10_000


def _numbers(dag: Dag, at: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the values of all nodes that are numbers."""
    values = evaluate_dag(dag, at, keep=True)
    return [v for v, sort in zip(values, dag.sort.tolist(), strict=True) if sort != BOOL]


def batches(ops: list[str] | None = None) -> st.SearchStrategy[list[rw.Term]]:
    """Draw the terms of one kernel."""
    one = terms(SYMBOLS, max_ops=8, ops=ops)
    return st.lists(one, min_size=TERMS_A_KERNEL, max_size=TERMS_A_KERNEL)


@settings(many, max_examples=CI // 2)
@given(batches())
def test_guarded_kernels_are_as_accurate_as_the_source(found: list[rw.Term]) -> None:
    at = points(seed_of(found))
    dag = Dag.of(found[0].store, [t.id for t in found])
    exact = exact_dag(dag, at)
    reference = evaluate(found, at)
    steps = np.abs(np.stack(np.broadcast_arrays(np.zeros(128), *_numbers(dag, at))))
    # x**-2 is written 1/(x*x), which is zero where the power would be subnormal
    ordinary = ~np.any((steps > 0) & (steps < np.finfo(float).tiny), axis=0)
    kernel = rw.compile(SYMBOLS, tuple(found))
    results = kernel(*[at[name] for name in NAMES])
    for term, mine, plain, known in zip(found, results, reference, exact, strict=True):
        mine, plain = np.broadcast_to(mine, 128), np.broadcast_to(plain, 128)
        # a kernel's elementary functions and the evaluator's may differ by an ulp each, which a
        # term may amplify: what is compared is how far both are from the exact value
        ours, theirs = bits_of_error(mine, known), bits_of_error(plain, known)
        valid = known.ok & np.isfinite(plain) & ordinary
        if not valid.any():
            continue
        assert np.isfinite(mine[valid]).all(), f"not finite where the source is: {term!r}"
        rise = float(np.mean(ours[valid]) - np.mean(theirs[valid]))
        assert rise <= 0.5, f"{rise:.2f} bits lost by {term!r} -> {kernel.terms}"


@settings(many, max_examples=CI // 4)
@given(batches(ARITHMETIC))
def test_strict_kernels_have_numpys_bits(found: list[rw.Term]) -> None:
    at = points(seed_of(found))
    values = [
        np.concatenate([at[n], [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, 5e-324]]) for n in NAMES
    ]
    kernel = rw.compile(SYMBOLS, tuple(found), math="strict")
    results = kernel(*values)
    for term, mine in zip(found, results, strict=True):
        plain = np.broadcast_to(evaluate(term, dict(zip(NAMES, values, strict=True))), mine.shape)
        same = (mine.view(np.int64) == plain.view(np.int64)) | (np.isnan(mine) & np.isnan(plain))
        assert same.all(), f"{term!r} -> {kernel.terms} at {[v[~same][:3] for v in values]}"


@settings(many, max_examples=CI // 4)
@given(batches(), st.integers(0, 70), st.integers(1, 3))
def test_bits_do_not_depend_on_length_position_or_stride(
    found: list[rw.Term], length: int, stride: int
) -> None:
    at = points(seed_of(found))
    kernel = rw.compile(SYMBOLS, tuple(found[:4]), optimize_terms=False)
    whole = [np.array(r) for r in kernel(*[at[n] for n in NAMES])]
    part = kernel(*[np.repeat(at[n], stride)[::stride][3 : 3 + length] for n in NAMES])
    strided = kernel(*[np.repeat(at[n], stride)[stride - 1 :: stride] for n in NAMES])
    for full, some, spread in zip(whole, part, strided, strict=True):
        np.testing.assert_array_equal(np.broadcast_to(full, 128)[3 : 3 + length], some)
        np.testing.assert_array_equal(full, spread)


@pytest.mark.parametrize("math", ["strict", "guarded", "fast"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_modes_and_dtypes(math: str, dtype: Any) -> None:
    x, y = rw.symbols("x y")
    term = rw.exp(-((x / y) ** 2) / 2) / (rw.sqrt(2 * rw.pi) * y)
    kernel = rw.compile([x, y], term, math=math, dtype=dtype)
    values = np.linspace(1, 3, 100, dtype=dtype)
    found = kernel(values, values)
    assert found.dtype == dtype
    expected = evaluate(term, {"x": values, "y": values})
    np.testing.assert_allclose(found, expected, rtol=float(8 * np.finfo(dtype).eps))


def test_the_function_of_the_design() -> None:
    x, s = rw.symbols("x s")
    pdf = rw.exp(-((x / s) ** 2) / 2) / (rw.sqrt(2 * rw.pi) * s)
    f = rw.compile([x, s], pdf)
    result = f(np.linspace(-3, 3, 10_001), 1.5)
    assert result.shape == (10_001,)
    assert f(0.0, 1.0) == pytest.approx(0.3989422804014327, rel=3e-16)
    best = rw.optimize(pdf)
    assert best.cost_after <= best.cost_before
    assert best.explain()


def test_equal_input_gives_equal_code_whatever_the_store_holds() -> None:
    def text() -> str:
        x, y = rw.symbols("x y")
        return str(rw.compile([x, y], (x * y + x) / (rw.sqrt(x) * 3 + y)).program)

    first = text()
    with rw.scope():
        rw.sin(rw.symbol("y")) + rw.symbol("q") * 3
        assert text() == first


def test_fmod_raises_no_warning() -> None:
    """glibc computes fmod on the x87 unit, whose flags NumPy reads too."""
    x, y = rw.symbols("x y")
    kernel = rw.compile([x, y], rw.fmod(x, y))
    found = kernel(np.array([np.inf, 1.0, 5.0]), np.array([1.0, 0.0, 3.0]))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 2.0])
