"""Arrays of structures: numbers side by side go into streams and back, in any layout."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding

import rewrite as rw
from codegen.llvm.driver import emit_driver
from codegen.target import get

KERNELS: dict[tuple[int, Any], Any] = {}


def turned(many: int, dtype: Any) -> Any:
    """Return a kernel that scales the numbers of each point, last one first."""
    if (many, dtype) not in KERNELS:
        with rw.scope():
            x = rw.asarray([rw.symbol(f"x{k}") for k in range(many)])
            exprs = rw.asarray([x[many - 1 - k] * (k + 1) for k in range(many)])
            KERNELS[many, dtype] = rw.compile([x], exprs, dtype=dtype, math="strict")
    return KERNELS[many, dtype]


def laid_out(shape: tuple[int, int], way: str, dtype: Any) -> Any:
    """Return an array of a shape whose numbers lie in some order, surrounded by others."""
    n, many = shape
    if way == "columns":
        return np.full((many, n), np.nan, dtype).T
    if way == "apart":
        return np.full((n, 2 * many + 1), np.nan, dtype)[:, 1::2][:, :many]
    wide = np.full((2 * n + 1, many + 3), np.nan, dtype)[:, 1 : many + 1]
    return {"rows": wide[:n], "every other": wide[: 2 * n : 2], "backwards": wide[n:0:-1]}[way]


WAYS = ["rows", "every other", "backwards", "columns", "apart"]


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 300), st.sampled_from([1, 2, 3, 4, 5, 7, 8, 9, 16, 19]),
    st.sampled_from([np.float32, np.float64]), st.sampled_from(WAYS), st.sampled_from(WAYS),
)  # fmt: skip
def test_any_layout_gives_the_same(n: int, many: int, dtype: Any, way: str, other: str) -> None:
    x, out = laid_out((n, many), way, dtype), laid_out((n, many), other, dtype)
    x[...] = np.random.default_rng(n).uniform(-2, 2, (n, many))
    around = out.base if out.base is not None else out
    outside = np.isnan(around).sum() - out.size
    turned(many, dtype)(x, out=out)
    np.testing.assert_array_equal(out, x[:, ::-1] * np.arange(1, many + 1, dtype=dtype))
    assert np.isnan(around).sum() == outside  # nothing is written beside the results


@pytest.mark.parametrize("name", ["sse2", "avx2", "avx512", "neon"])
def test_every_target_turns_by_shuffles(name: str) -> None:
    text = emit_driver(get(name))
    assert "shufflevector" in text
    binding.parse_assembly(text).verify()
