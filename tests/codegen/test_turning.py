"""Arrays of structures: numbers side by side go into streams and back, in any layout."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import binding

import rewrite as rw
from codegen.llvm.driver import emit_driver
from codegen.target import get, host

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


PASSING: dict[Any, Any] = {}


def passing(picks: tuple[int, ...], computed: frozenset[int], dtype: Any) -> Any:
    """Return a kernel that picks numbers of an array, doubles some, and sums another array."""
    if (picks, computed, dtype) not in PASSING:
        with rw.scope():
            x = rw.asarray([rw.symbol(f"x{k}") for k in range(8)])
            y = rw.asarray([rw.symbol(f"y{k}") for k in range(3)])
            exprs = rw.asarray([2 * x[p] if p in computed else x[p] for p in picks])
            PASSING[picks, computed, dtype] = rw.compile(
                [x, y], {"picked": exprs, "same": y, "first": x[0], "total": y.sum()},
                dtype=dtype, math="strict",
            )  # fmt: skip
    return PASSING[picks, computed, dtype]


@settings(max_examples=80, deadline=None)
@given(
    st.integers(0, 150),
    st.sampled_from([
        (4, 5, 6, 7, 0, 1, 2, 3), (7, 6, 5, 4, 3, 2, 1, 0), (0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2),
        (1, 2, 3),
    ]),
    st.sampled_from([frozenset[int](), frozenset({1}), frozenset(range(4))]),
    st.sampled_from([np.float32, np.float64]), st.sampled_from(WAYS), st.sampled_from(WAYS),
)  # fmt: skip
def test_results_that_are_arguments_are_copied_in_any_layout(
    n: int, picks: tuple[int, ...], computed: frozenset[int], dtype: Any, way: str, other: str
) -> None:
    rng = np.random.default_rng(n)
    x, y = laid_out((n, 8), way, dtype), laid_out((n, 3), way, dtype)
    x[...], y[...] = rng.uniform(-2, 2, (n, 8)), rng.uniform(-2, 2, (n, 3))
    x[: n // 2, 5] = np.nan
    out, same = laid_out((n, len(picks)), other, dtype), laid_out((n, 3), other, dtype)
    around = [a.base if a.base is not None else a for a in (out, same)]
    outside = [np.isnan(a).sum() - b.size for a, b in zip(around, (out, same), strict=True)]
    first, total = np.full(n, -7, dtype), np.full(n, -7, dtype)
    kernel = passing(picks, computed, dtype)
    kernel(x, y, out=(out, same, first, total))
    scale = np.array([2 if p in computed else 1 for p in picks], dtype)
    np.testing.assert_array_equal(out, x[:, picks] * scale)
    np.testing.assert_array_equal(same, y)
    np.testing.assert_array_equal(first, x[:, 0])
    np.testing.assert_array_equal(total, y[:, 0] + y[:, 1] + y[:, 2])
    left = [np.isnan(a).sum() for a in around]
    assert left == [o + np.isnan(b).sum() for o, b in zip(outside, (out, same), strict=True)]
    if n:  # one point, and one row for all points
        np.testing.assert_array_equal(kernel(x[0], y[0])["picked"], out[0])
        np.testing.assert_array_equal(kernel(x[0], y)["picked"], np.repeat(out[:1], n, 0))


def test_the_body_does_without_what_is_copied() -> None:
    kernel = passing((4, 5, 6, 7, 0, 1, 2, 3), frozenset(), np.float64)
    assert kernel.llvm.count("load <") == 3 and kernel.llvm.count("store <") == 1


@pytest.mark.parametrize("target", ["native", "baseline"])
@pytest.mark.parametrize("scale", [1, 3])
def test_a_result_may_lie_where_an_argument_lies(target: str, scale: int) -> None:
    """NumPy hands over the very array, and parts of it where there is one point."""
    with rw.scope():
        x = rw.asarray([rw.symbol(f"x{k}") for k in range(8)])
        exprs = rw.asarray([x[(k + 4) % 8] * (scale if k > 3 else 1) for k in range(8)])
        narrow = "neon" if host().triple.startswith("aarch64") else "sse2"
        swap = rw.compile([x], exprs, target=narrow if target == "baseline" else target)
    rng = np.random.default_rng(0)
    for shape in ((8,), (1, 8), (5, 8), (300, 8)):
        for order in ("C", "F"):
            data = np.asarray(rng.uniform(size=shape), order=order)
            expected = np.concatenate([data[..., 4:], scale * data[..., :4]], axis=-1)
            swap(data, out=data)
            np.testing.assert_array_equal(data, expected)
    for offset in range(1, 8):
        line = rng.uniform(size=16)
        expected = np.concatenate([line[4:8], scale * line[:4]])
        swap(line[:8], out=line[offset : offset + 8])
        np.testing.assert_array_equal(line[offset : offset + 8], expected)
