"""`rw.grad` and `rw.value_and_grad` of NumPy functions."""

from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.errors import ArgumentError


def f(x: Any, y: Any) -> Any:
    return np.sin(x * y) + np.where(x > 0, x * x, y)


def energy(p: Any, k: Any = 2.0) -> Any:
    d = p[1:] - p[:-1]
    return (k * d * d).sum() + np.exp(p[0])


def test_it_is_elementwise_by_an_argument() -> None:
    x, y = np.linspace(0.5, 2, 7), np.linspace(-1, 1, 7)
    np.testing.assert_allclose(rw.grad(f)(x, y), y * np.cos(x * y) + 2 * x, rtol=1e-14)
    np.testing.assert_allclose(rw.grad(f, argnums=1)(x, y), x * np.cos(x * y), rtol=1e-14)
    both = rw.grad(f, argnums=(0, 1))(x, y)
    np.testing.assert_allclose(both[1], x * np.cos(x * y), rtol=1e-14)


def test_it_nests() -> None:
    third = rw.grad(rw.grad(rw.grad(lambda x: np.exp(2 * x))))
    np.testing.assert_allclose(third(0.3), 8 * np.exp(0.6), rtol=1e-14)
    mixed = rw.grad(rw.grad(lambda x, y: x * x * y * y * y), argnums=1)
    assert mixed(2.0, 3.0) == 2 * 2 * 3 * 9


def test_whole_arrays_have_whole_gradients() -> None:
    slope = rw.grad(energy, arrays=["p"])
    p = np.array([0.1, 0.5, -0.3, 0.2])
    step = 1e-6
    expected = [
        (energy(p + step * e) - energy(p - step * e)) / (2 * step) for e in np.eye(4)
    ]  # fmt: skip
    np.testing.assert_allclose(slope(p), expected, rtol=1e-8)
    np.testing.assert_allclose(slope(p, 3.0)[-1], 6 * 0.5, rtol=1e-14)
    value, same = rw.value_and_grad(energy, arrays=["p"])(p)
    assert value == pytest.approx(energy(p), rel=1e-15)
    np.testing.assert_array_equal(same, slope(p))


def test_it_decorates_and_jitted_functions_have_gradients() -> None:
    @rw.grad(math="fast")  # type: ignore[untyped-decorator]
    def slope(x: Any) -> Any:
        return x * x

    assert slope(3.0) == 6.0

    @rw.jit
    def g(x: Any) -> Any:
        return np.sqrt(x)

    assert rw.grad(g)(4.0) == 0.25


def test_it_is_called_with_terms() -> None:
    x, y = rw.symbols("x y")
    slope = rw.grad(lambda u: u * u * u)
    assert rw.fingerprint(slope(x * y)) == rw.fingerprint(3 * (x * y) ** 2)
    value, made = rw.value_and_grad(lambda u: u * x)(x * y)
    assert rw.fingerprint(value) == rw.fingerprint(x * x * y)
    assert made == x  # by the argument, not by what is in it


def test_what_is_in_a_closure_is_held_fixed() -> None:
    outer = rw.grad(lambda x: x * rw.grad(lambda y: x * y * y)(x))  # x * 2 x x
    assert outer(2.0) == 6 * 4.0


def test_mistakes_are_named() -> None:
    with pytest.raises(ArgumentError, match="returns an array of shape"):
        rw.grad(lambda p: p * 2, arrays=["p"])(np.ones(3))
    with pytest.raises(ArgumentError, match=r"argnums=2: .* was called with 1 positional"):
        rw.grad(lambda x: x, argnums=2)(1.0)
    for derivative in (rw.grad, rw.value_and_grad):
        with pytest.raises(ArgumentError, match="'sin' is no function"):
            derivative("sin")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="3 is no function that could be traced"):
        rw.jit(3)  # type: ignore[call-overload]


def test_the_options_of_a_jitted_function_go_on_to_its_derivative() -> None:
    squares = rw.jit(arrays=["x"], dtype=np.float64)(lambda x: np.sum(x * x))
    slope = rw.grad(squares)
    np.testing.assert_array_equal(slope(np.arange(3.0)), [0, 2, 4])
    np.testing.assert_array_equal(rw.value_and_grad(squares)(np.arange(3.0))[1], [0, 2, 4])
    assert slope.kernels[0].dtype == "f64"
    # a derivative is one too
    np.testing.assert_array_equal(rw.grad(lambda x: slope(x)[1], arrays=["x"])(np.ones(2)), [0, 2])


@pytest.mark.parametrize("argnums", ["x", 1.5, ("x",), True, None])
def test_an_argument_has_a_number(argnums: Any) -> None:
    with pytest.raises(ArgumentError, match="is not the number of an argument"):
        rw.grad(lambda x: x, argnums=argnums)


def test_a_derivative_at_a_number_may_use_what_is_around_it() -> None:
    outer = rw.grad(lambda x: x * rw.grad(lambda u: u * u * x)(3.0))
    assert outer(2.0) == 24.0  # of 6 x^2
    around = rw.jit(lambda x: x + rw.jit(lambda u: u * x)(3.0))
    assert around(2.0) == 8.0
    assert rw.grad(lambda x: x * rw.grad(lambda u: u * u)(3.0))(2.0) == 6.0
    with pytest.raises(ArgumentError, match="argnums=3"):
        rw.jit(lambda x: x * rw.grad(lambda u: u * x, argnums=3)(3.0))(2.0)


def test_gradients_have_the_form_of_dictionaries_and_tuples() -> None:
    def loss(layers: Any, x: Any) -> Any:
        for weights, bias in layers:
            x = np.tanh(weights @ x + bias)
        return (x * x).sum()

    random = np.random.default_rng(1)
    layers = [(random.normal(size=size), random.normal(size=size[0])) for size in ((4, 3), (2, 4))]
    x = random.normal(size=3)
    value, slopes = rw.value_and_grad(loss)(layers, x)
    assert value == pytest.approx(loss(layers, x), rel=1e-13)
    assert [type(part) for part in slopes] == [tuple, tuple]
    for layer, slope in zip(layers, slopes, strict=True):
        for array, by in zip(layer, slope, strict=True):
            for place in np.ndindex(array.shape):
                kept, ends = array[place], []
                for step in (1e-6, -1e-6):
                    array[place] = kept + step
                    ends.append(loss(layers, x))
                array[place] = kept
                assert by[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, abs=1e-8)


def test_gradients_by_parts_of_a_dictionary_are_elementwise() -> None:
    found = rw.grad(lambda p: p["a"] * p["a"] * p["b"])({"a": 3.0, "b": np.arange(3.0)})
    assert {name: part.tolist() for name, part in found.items()} == {
        "a": [0, 6, 12], "b": [9, 9, 9],
    }  # fmt: skip
    u, v = rw.symbols("u v")
    assert rw.grad(lambda p: p["a"] * p["b"])({"a": u, "b": v}) == {"a": v, "b": u}
    assert rw.grad(lambda p: p[0] * p[1])([u, v]) == [v, u]
