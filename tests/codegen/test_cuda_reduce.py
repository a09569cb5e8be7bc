"""Reductions of CUDA kernels: NumPy's results, one launch, the same bits wherever they run."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.cuda.fold import Fold, fold_source
from codegen.cuda.kernel import CudaKernel
from codegen.cuda.source import Form
from rewrite.errors import ArgumentError

x, y = rw.symbols("x y")
NUMPY: dict[str, Any] = {"sum": np.sum, "prod": np.prod, "max": np.max, "min": np.min}


@pytest.fixture(scope="module")
def product() -> CudaKernel:
    found: CudaKernel = rw.compile([x, y], x * y, target="cuda")
    return found


@pytest.mark.cuda
@pytest.mark.parametrize("op", NUMPY)
@pytest.mark.parametrize("shapes", [((101,), (101,)), ((5, 1), (1, 7)), ((), ())])
def test_everything_is_folded(product: CudaKernel, box: Any, op: Any, shapes: Any) -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.uniform(0.5, 1.5, size=shape) for shape in shapes)
    wanted = NUMPY[op](np.asarray(a * b))
    assert product.reduce(op, a, b) == pytest.approx(wanted, rel=1e-14)
    there = product.reduce(op, box(np.array(a)), box(np.array(b)))
    assert there.shape == () and there.numpy() == product.reduce(op, a, b)


@pytest.mark.cuda
@pytest.mark.parametrize("op", NUMPY)
@pytest.mark.parametrize("cut", [np.s_[:], np.s_[::-1, ::2], np.s_[:, :1]])
def test_rows_are_folded(product: CudaKernel, box: Any, op: Any, cut: Any) -> None:
    a = np.random.default_rng(3).uniform(0.5, 1.5, size=(7, 13))[cut]
    wanted = NUMPY[op](a * a, axis=-1)
    np.testing.assert_allclose(product.reduce(op, box(a), box(a), axis=-1).numpy(), wanted, 1e-14)


@pytest.mark.cuda
@settings(max_examples=15)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6))
def test_segments_are_folded(lengths: list[int]) -> None:
    found = rw.compile([x, y], x * y, target="cuda", optimize_terms=False)
    bounds = np.cumsum([0, *lengths]).astype(np.int32)
    a = np.random.default_rng(4).normal(size=bounds[-1])
    made = found.sum(a, 2.0, bounds=bounds)
    wanted = [(2 * a)[low:high].sum() for low, high in pairwise(bounds)]
    np.testing.assert_allclose(made, wanted, 1e-12, 1e-13)


@pytest.mark.cuda
def test_several_results_are_folded_together(box: Any) -> None:
    found = rw.compile([x, y], {"a": x * y, "b": x + y}, target="cuda")
    a = np.linspace(1, 2, 20)
    made = found.max(box(a), box(a[::-1]))
    assert made["a"].numpy() == (a * a[::-1]).max() and made["b"].numpy() == (a + a[::-1]).max()


@pytest.mark.cuda
def test_nothing_and_nan(product: CudaKernel) -> None:
    none = np.ones(0)
    assert product.sum(none, none) == 0.0 and product.max(none, none) == -np.inf
    assert product.sum(np.ones((3, 0)), 1.0, axis=-1).tolist() == [0.0] * 3
    odd = np.array([1.0, np.nan, 3.0, 5.0, 2.0, 0.5, 4.0, 8.0, 9.0])
    for turned in (odd, odd[::-1], np.roll(odd, 4)):
        assert np.isnan(product.max(turned, 1.0)) and np.isnan(product.min(turned, 1.0))


@pytest.mark.cuda
def test_mistakes_are_named(product: CudaKernel, box: Any) -> None:
    a = box(np.ones((3, 4)))
    with pytest.raises(ArgumentError, match="no reduction 'mean'"):
        product.reduce("mean", a, a)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"axis=0 of a batch of shape \(3, 4\)"):
        product.sum(a, a, axis=0)
    with pytest.raises(ArgumentError, match="bounds= are of a batch with one axis"):
        product.sum(a, a, bounds=np.array([0, 1]))
    with pytest.raises(ArgumentError, match="array of integers"):
        product.sum(np.ones(4), 1.0, bounds=np.array([0.0, 1.0]))
    truths = rw.compile([x], x > 0, target="cuda")
    with pytest.raises(ArgumentError, match="single numbers"):
        truths.sum(np.ones(3))


@pytest.mark.parametrize("steps", [1, 4, 8, 16])
def test_a_chain_of_any_length_and_its_fold_are_one_kernel(steps: int) -> None:
    """Each input is loaded once, and nothing is stored but the result and the blocks' parts."""
    term = x
    for k in range(steps):
        term = rw.sqrt(term * y + rw.const(k + 1))
    program = rw.compile([x, y], term, optimize_terms=False).program
    source = fold_source(program, Form("f64"), Fold("sum", "all", 256))
    assert source.count("(a0, ") == source.count("(a1, ") == 1
    assert source.count("r0[") == 1 and source.count("def ") == 1
    assert source.count("sqrt(") == steps
