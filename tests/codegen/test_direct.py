"""Calls of one point past NumPy's ufunc: taken where all is exact, and nowhere else."""

import functools
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.direct import direct
from codegen.kernel import Kernel
from codegen.loops.program import Rolled

u, m = rw.asarray(rw.symbols("u0 u1 u2")), rw.asarray(rw.symbols("m0 m1 m2 m3 m4 m5")).reshape(2, 3)


def small(**options: Any) -> Kernel:
    made: Kernel = rw.compile([u, m], (m * u + rw.sin(u)).T, **options)
    return made


def looped(size: int = 600) -> Kernel:
    x = rw.asarray([rw.symbol(f"x{k}") for k in range(size)])
    made: Kernel = rw.compile([x], x[1:] * x[:-1] + 2, math="strict")
    assert isinstance(made.program, Rolled)
    return made


U, M = np.array([0.5, -1.5, 2.0]), np.arange(6.0).reshape(2, 3)
WANTED = (M * U + np.sin(U)).T


def watched(kernel: Kernel) -> tuple[Callable[..., Any], list[Any]]:
    """Return the direct call of a kernel, and what it leaves to another."""
    seen: list[Any] = []

    def other(*args: Any, **kwargs: Any) -> str:
        seen.append((args, kwargs))
        return "other"

    return direct(other, kernel.program, kernel.loop(), kernel.ufunc), seen


@pytest.mark.parametrize("form", ["new", "named", "placed"])
def test_exact_arrays_take_the_direct_way(form: str) -> None:
    call, seen = watched(small())
    out = np.empty((3, 2))
    made = {
        "new": lambda: call(U, M), "named": lambda: call(U, M, out=out),
        "placed": lambda: call(U, M, out),
    }[form]()  # fmt: skip
    assert not seen
    assert type(made) is np.ndarray
    assert made.shape == (3, 2)
    assert made.dtype == np.float64
    assert made.flags.owndata
    assert (made is out) == (form != "new")
    np.testing.assert_allclose(made, WANTED, rtol=1e-15)
    np.testing.assert_array_equal(made.view(np.int64), small().ufunc(U, M).view(np.int64))


class Array(np.ndarray[Any, Any]):
    """A subclass."""


def _frozen() -> Any:
    out = np.empty((3, 2))
    out.flags.writeable = False
    return out


ROOM = np.empty(12)
OTHERS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "list": (([0.5, -1.5, 2.0], M), {}),
    "float32": ((U.astype(np.float32), M), {}),
    "integers": ((U, M.astype(np.int64)), {}),
    "other bytes": ((U.astype(">f8"), M), {}),
    "strides": ((np.repeat(U, 2)[::2], M), {}),
    "columns first": ((U, np.asfortranarray(M)), {}),
    "subclass": ((U.view(Array), M), {}),
    "points": ((np.stack([U, U]), M), {}),
    "too few": ((U,), {}),
    "too many": ((U, M, np.empty((3, 2)), U), {}),
    "another shape": ((U[:2], M), {}),
    "another rank": ((U, M.ravel()), {}),
    "a result of another shape": ((U, M), {"out": np.empty((2, 3))}),
    "a result of another type": ((U, M), {"out": np.empty((3, 2), np.float32)}),
    "a tuple": ((U, M), {"out": (np.empty((3, 2)),)}),
    "no memory": ((U, M), {"out": None}),
    "read-only": ((U, M), {"out": _frozen()}),
    "over an argument": ((ROOM[:3], M), {"out": ROOM[2:8].reshape(3, 2)}),
    "another word": ((U, M), {"casting": "unsafe"}),
    "two words": ((U, M), {"out": np.empty((3, 2)), "casting": "unsafe"}),
    "twice": ((U, M, np.empty((3, 2))), {"out": np.empty((3, 2))}),
    "a word for an argument": ((U,), {"out": M}),
    "not aligned": ((np.frombuffer(b" " + U.tobytes(), offset=1), M), {}),
}


@pytest.mark.parametrize("name", OTHERS)
def test_all_else_is_left_to_numpy(name: str) -> None:
    call, seen = watched(small())
    args, kwargs = OTHERS[name]
    assert call(*args, **kwargs) == "other"
    ((given, named),) = seen
    assert len(given) == len(args)
    assert all(a is b for a, b in zip(given, args, strict=True))
    assert named == kwargs


def test_results_of_no_axes_and_several_results_are_left_to_numpy() -> None:
    single = rw.compile([u], u[0] * u[1])
    call, seen = watched(single)
    assert call(U) == "other"
    out = np.empty(())
    assert call(U, out=out) is out
    assert out == U[0] * U[1]
    assert len(seen) == 1
    several = rw.compile([u], (u * 2, u * 3))
    assert watched(several)[0](U) == "other"


def test_kernels_take_it() -> None:
    for kernel in (small(), small(math="strict"), small(dtype=np.float64)):
        np.testing.assert_allclose(kernel(U, M), WANTED, rtol=1e-15)
    narrow = small(dtype=np.float32)
    found = narrow(U.astype(np.float32), M.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, WANTED, rtol=1e-6)
    np.testing.assert_array_equal(narrow(U, M), found)
    last = small(batch_axis=-1)
    np.testing.assert_array_equal(last(U, M), small()(U, M))
    many = np.repeat(U[:, None], 4, 1)
    np.testing.assert_array_equal(last(many, M)[..., 2], small()(U, M))


def test_the_batch_may_be_last_wherever_results_go() -> None:
    u0, u1, x = rw.symbols("u0 u1 x")
    kernel = rw.compile([[u0, u1], x], [u0 * x, u1 + x], batch_axis=-1)
    a, b = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0])
    wanted = np.array([[10.0, 40.0], [13.0, 24.0]])
    out = np.zeros((2, 2))
    for found in (
        kernel(a, b),
        kernel(a.tolist(), b),
        kernel(a, b, out),
        kernel(a, b, out=(None,)),
    ):
        np.testing.assert_array_equal(found, wanted)
    assert kernel(a, b, out) is out
    assert kernel(a, b, out=out) is out
    for other in ([[0.0] * 2] * 2, 3.0):
        with pytest.raises(TypeError, match="ArrayType"):
            kernel(a, b, out=other)
    for args in ((a,), (a, b, out, out)):
        with pytest.raises((TypeError, ValueError)):
            kernel(*args)


def test_loops_have_their_bits_and_may_lie_over_arguments() -> None:
    kernel = looped()
    x = np.random.default_rng(0).normal(size=600)
    wanted = x[1:] * x[:-1] + 2
    np.testing.assert_array_equal(kernel(x), wanted)
    again = x.copy()
    kernel(again, out=again[:-1])
    np.testing.assert_array_equal(again[:-1], wanted)


def test_it_holds_what_it_has_been_given_no_longer() -> None:
    kernel, out = small(), np.empty((3, 2))
    kernel(U, M), kernel(U, M, out=out)
    before = [sys.getrefcount(x) for x in (U, M, out)]
    for _ in range(100):
        kernel(U, M), kernel(U, M, out=out)
    assert [sys.getrefcount(x) for x in (U, M, out)] == before
    assert sys.getrefcount(kernel(U, M)) <= 2


def test_threads_call_it_at_once() -> None:
    kernel = looped()
    points = np.random.default_rng(1).normal(size=(40, 600))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(kernel, points))
    np.testing.assert_array_equal(np.array(found), points[:, 1:] * points[:, :-1] + 2)


def test_it_lives_as_long_as_it_is_called() -> None:
    held: Any = vars(functools.partial)["func"]  # what Python calls, without the kernel
    call = held.__get__(looped())
    x = np.ones(600)
    np.testing.assert_array_equal(call(x), 3.0)


def test_a_sparse_result_is_filled_again_where_its_places_are_the_same() -> None:
    jac = rw.compile([u], rw.sparse_jacobian([u[0] * u[1], u[2] ** 2, u[0]], u, format="csc"))
    matrix, other = jac(U), jac(2 * U)
    for point in (U, 3 * U, 4 * U):
        for out in (matrix, other):
            assert jac(point, out=out) is out
            np.testing.assert_array_equal(out.toarray(), jac(point).toarray())
    values = np.empty(matrix.nnz)
    assert jac(U, out=values) is values
    matrix.resize(4, 3)
    with pytest.raises(rw.errors.ArgumentError, match="shape"):
        jac(U, out=matrix)
    matrix = jac(U)
    jac(U, out=matrix)
    matrix.indices = matrix.indices[::-1].copy()
    with pytest.raises(rw.errors.ArgumentError, match="pattern"):
        jac(U, out=matrix)
