"""`jacobian`, `hessian`, `jvp`, `vjp`, `hvp`, `gradient`, `diff` of NumPy functions."""

from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.errors import ArgumentError

U = np.array([1.0, 2.0, 3.0])
V = np.array([0.5, -1.0, 2.0])


def scaled(u: Any, k: Any = 1.0) -> Any:
    return k * u * np.sin(u).sum()


def cubes(u: Any) -> Any:
    return (u**3).sum() * u[0]


def by_hand(k: float) -> Any:
    return k * (np.eye(3) * np.sin(U).sum() + np.outer(U, np.cos(U)))


@pytest.mark.parametrize("mode", ("auto", "forward", "reverse", "mixed"))
def test_jacobians_have_the_shape_of_the_result_and_of_the_argument(mode: Any) -> None:
    made = rw.jacobian(scaled, mode=mode, arrays=["u"])
    np.testing.assert_allclose(made(U, 2.0), by_hand(2.0), rtol=1e-14)
    np.testing.assert_allclose(made(U), by_hand(1.0), rtol=1e-14)
    outer = rw.jacobian(lambda u: np.outer(u, u), mode=mode, arrays=["u"])
    assert outer(U).shape == (3, 3, 3)
    by_number = rw.jacobian(scaled, mode=mode, arrays=["u"], argnums=1)
    np.testing.assert_allclose(by_number(U, 2.0), scaled(U), rtol=1e-14)


def test_products_with_vectors_are_those_of_the_jacobian() -> None:
    np.testing.assert_allclose(
        rw.jvp(scaled, arrays=["u"])(U, V, 2.0), by_hand(2.0) @ V, rtol=1e-13
    )
    np.testing.assert_allclose(
        rw.vjp(scaled, arrays=["u"])(U, V, 2.0), V @ by_hand(2.0), rtol=1e-13
    )
    whole = rw.hessian(cubes, arrays=["u"])(U)
    np.testing.assert_array_equal(whole, whole.T)
    np.testing.assert_allclose(rw.hvp(cubes, arrays=["u"])(U, V), whole @ V, rtol=1e-13)
    nested = rw.jacobian(rw.grad(cubes, arrays=["u"]))
    np.testing.assert_allclose(nested(U), whole, rtol=1e-13)


def test_without_arrays_they_are_elementwise() -> None:
    np.testing.assert_allclose(rw.jacobian(lambda x: x**3)(U), 3 * U**2, rtol=1e-14)
    np.testing.assert_allclose(rw.hessian(lambda x: x**3)(U), 6 * U, rtol=1e-14)
    np.testing.assert_allclose(rw.jvp(lambda x: x**3)(U, V), 3 * U**2 * V, rtol=1e-14)
    np.testing.assert_allclose(rw.vjp(lambda x: x**3)(U, V), 3 * U**2 * V, rtol=1e-14)
    np.testing.assert_allclose(rw.hvp(lambda x: x**3)(U, V), 6 * U * V, rtol=1e-14)
    np.testing.assert_allclose(rw.diff(lambda x: x**3, n=2)(U), 6 * U, rtol=1e-14)
    np.testing.assert_allclose(rw.gradient(lambda x: x**3)(U), 3 * U**2, rtol=1e-14)


def test_they_decorate_nest_and_are_called_with_terms() -> None:
    @rw.jvp(argnums=1)  # type: ignore[untyped-decorator]
    def along(k: Any, x: Any) -> Any:
        return k * x * x

    assert along(2.0, 3.0, 1.0) == 12.0
    assert rw.jvp(rw.jvp(lambda x: x**3))(2.0, 1.0, 1.0) == 12.0
    assert rw.grad(rw.jacobian(lambda x: x**4))(2.0) == 48.0
    k, x, w = rw.symbols("k x w")
    assert rw.fingerprint(along(k, x, w)) == rw.fingerprint(2 * k * x * w)


def test_a_vector_has_a_name_of_its_own_and_what_is_before_it_is_given() -> None:
    assert rw.jvp(lambda v, vv: v * v * vv)(3.0, 1.0, 2.0) == 12.0
    assert rw.jvp(lambda u=1.0, k=2.0: k * k * u, argnums=-1)(3.0, 2.0, 1.0) == 12.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rw.jvp(scaled, arrays=["u"])(U, V[:2]), r"has the shape \(2,\).*with \(3,\)"),
        (lambda: rw.jacobian(scaled, [1]), "scaled is a function: give argnums="),
        (lambda: rw.jacobian(scaled, argnums=2), "no positional argument of this number"),
        (lambda: rw.jacobian(lambda *u: u), "no positional argument of this number"),
        (lambda: rw.jvp(scaled, argnums=True), "is not the number of an argument"),
        (lambda: rw.hessian(scaled, arrays=["u"])(U), "scaled returns an array of shape"),
        (lambda: rw.grad(lambda u: (u, u))(1.0), "returns 2 results"),
        (lambda: rw.jacobian([rw.symbol("x")]), "give the symbols"),
        (lambda: rw.hessian(rw.symbol("x"), [rw.symbol("x")], arrays=["u"]), "options are for f"),
        (lambda: rw.diff(np.sin, n=-1), "not a number of times"),
    ],
)  # fmt: skip
def test_mistakes_are_named(call: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        call()
