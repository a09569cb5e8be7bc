"""Kernels of sparse Jacobians: SciPy's arrays with our values, and filled in place."""

import pickle
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import rewrite as rw
from rewrite.errors import ArgumentError

u = rw.asarray(rw.symbols("u0 u1 u2 u3"))
F = [u[0] * u[1], u[1] ** 2 + rw.sin(u[3]), u[2] * u[0]]
POINT = np.array([0.5, 1.5, -2.0, 0.3])


def dense(p: np.ndarray[Any, Any]) -> Any:
    return np.array(
        [[p[1], p[0], 0, 0], [0, 2 * p[1], 0, np.cos(p[3])], [p[2], 0, p[0], 0]]
    )  # fmt: skip


@pytest.mark.parametrize("format_", ["csr", "csc"])
def test_a_kernel_returns_and_fills_scipys_array(format_: Any) -> None:
    jac = rw.sparse_jacobian(F, u, format=format_)
    kernel = rw.compile([u], jac)
    made = kernel(POINT)
    assert scipy.sparse.issparse(made)
    assert made.format == format_
    np.testing.assert_allclose(made.toarray(), dense(POINT), rtol=1e-15)
    other = kernel(2 * POINT)
    before = other.data
    assert kernel(POINT, out=other) is other
    assert other.data is before
    np.testing.assert_array_equal(other.toarray(), made.toarray())
    foreign = getattr(scipy.sparse, f"{format_}_array")(dense(np.ones(4)) != 0).astype(float)
    kernel(POINT, out=foreign)
    np.testing.assert_array_equal(foreign.toarray(), made.toarray())


def test_one_kernel_has_values_jacobian_and_products() -> None:
    v = rw.asarray(rw.symbols("v0 v1 v2 v3"))
    total = F[0] + F[1] * F[2]
    exprs = {"f": F, "jac": rw.sparse_jacobian(F, u), "hv": rw.hvp(total, u, v)}
    kernel = rw.compile([u, v], exprs, math="strict")
    found = kernel(POINT, np.array([1.0, 0, 2, 0]))
    np.testing.assert_allclose(found["jac"].toarray(), dense(POINT), rtol=1e-15)
    point = rw.evaluate(
        rw.asarray(F).terms()[1], dict(zip(("u0", "u1", "u2", "u3"), POINT, strict=True))
    )
    assert found["f"][1] == point
    jac = found["jac"]
    again = kernel(POINT, np.zeros(4), out={"f": None, "jac": jac, "hv": None})
    assert again["jac"] is jac
    np.testing.assert_array_equal(again["hv"], 0)


def test_what_is_shared_is_computed_once() -> None:
    x, y = rw.symbols("x y")
    f = [rw.exp(x * y) * y, rw.exp(x * y) / x]
    kernel = rw.compile([x, y], {"f": f, "jac": rw.sparse_jacobian(f, [x, y])})
    assert [i.op for i in kernel.program.instructions].count("exp") == 1


def test_points_along_leading_axes_give_rows_of_values() -> None:
    jac = rw.sparse_jacobian(F, u)
    kernel = rw.compile([u], jac)
    many = kernel(np.stack([POINT, 2 * POINT]))
    assert many.shape == (2, jac.nnz)
    one = kernel(2 * POINT)
    np.testing.assert_array_equal(many[1], one.data)
    np.testing.assert_array_equal(jac.pattern.filled(many[1]).toarray(), one.toarray())


def test_it_pickles_and_optimizes() -> None:
    jac = rw.sparse_jacobian(F, u)
    kernel = pickle.loads(pickle.dumps(rw.compile([u], jac)))
    np.testing.assert_allclose(kernel(POINT).toarray(), dense(POINT), rtol=1e-15)
    best = rw.optimize({"jac": jac}).terms["jac"]
    assert isinstance(best, rw.SparseTerms)
    assert best.pattern is jac.pattern


def test_another_pattern_is_refused_and_nothing_is_written() -> None:
    kernel = rw.compile([u], rw.sparse_jacobian(F, u))
    lacking = kernel(POINT).tolil()
    lacking[1, 3] = 0
    matrix = lacking.tocsr()
    matrix.eliminate_zeros()
    before = matrix.toarray()
    with pytest.raises(ArgumentError, match=r"it lacks the entry \(1, 3\)"):
        kernel(2 * POINT, out=matrix)
    np.testing.assert_array_equal(matrix.toarray(), before)
    with pytest.raises(ArgumentError, match="give SciPy's csr array of shape"):
        kernel(POINT, out=scipy.sparse.csc_array(before))
    more = scipy.sparse.csr_array(np.ones((3, 4)))
    with pytest.raises(ArgumentError, match="it has 12 entries, not 6"):
        kernel(POINT, out=more)


def test_indices_in_our_memory_are_compared_where_they_are_in_another_order() -> None:
    kernel = rw.compile([u], rw.sparse_jacobian(F, u))
    matrix = kernel(POINT)
    matrix.indices = matrix.indices.base[::-1]
    with pytest.raises(ArgumentError, match="another pattern"):
        kernel(2 * POINT, out=matrix)


def test_a_reaction_network_agrees_with_differences() -> None:
    rng = np.random.default_rng(1)
    n, m = 30, 120
    with rw.scope():
        s = [rw.symbol(f"s{k}") for k in range(n)]
        f: list[Any] = [rw.const(0)] * n
        for _ in range(m):
            i, j, k = rng.integers(0, n, 3)
            rate = float(rng.uniform(0.1, 2)) * s[i] * s[j]
            f[i], f[j], f[k] = f[i] - rate, f[j] - rate, f[k] + rate
        kernel = rw.compile([s], {"f": f, "jac": rw.sparse_jacobian(f, s)})
        state = rng.uniform(0.5, 1.5, n)
        jac = kernel(state)["jac"].toarray()
        h = 1e-6
        for k in range(n):
            step = h * np.eye(n)[k]
            slope = (kernel(state + step)["f"] - kernel(state - step)["f"]) / (2 * h)
            np.testing.assert_allclose(jac[:, k], slope, atol=1e-8)


@pytest.mark.parametrize("format_", ["csr", "csc"])
def test_a_result_cannot_change_the_pattern_of_others(format_: Any) -> None:
    xs = rw.asarray(rw.symbols("a b c"))
    made = rw.sparse_jacobian([xs[0] * xs[1], xs[2] ** 2], xs, format=format_)
    kernel = rw.compile([xs], made)
    zeros = kernel([0.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="read-only"):
        zeros.eliminate_zeros()
    with pytest.raises(ValueError, match="read-only"):
        zeros.indices[0] = 2
    zeros.copy().eliminate_zeros()
    assert kernel([1.0, 2.0, 3.0]).toarray().tolist() == [[2, 1, 0], [0, 0, 6]]


def test_a_matrix_without_entries_is_a_result() -> None:
    x, y = rw.symbols("x y")
    empty = rw.sparse_jacobian([x + 1, x * x], [y])
    assert empty.nnz == 0
    alone = rw.compile([x], empty)
    made = alone(2.0)
    assert made.shape == (2, 1)
    assert made.nnz == 0
    assert alone(2.0, out=made) is made
    assert alone(np.arange(3.0)).shape == (3, 0)
    found = rw.compile([x, y], {"f": x * y, "jac": empty})(2.0, 3.0)
    assert found["f"] == 6.0
    assert found["jac"].toarray().tolist() == [[0.0], [0.0]]
    assert rw.optimize(empty).terms.nnz == 0


def test_there_is_an_out_for_each_result() -> None:
    jac = rw.sparse_jacobian(F, u)
    kernel = rw.compile([u], jac)
    made = kernel(POINT)
    with pytest.raises(ArgumentError, match="out= has 2 entries, but there are 1 results: out"):
        kernel(POINT, out=(made, made))
