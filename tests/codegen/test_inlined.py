"""Ops of a user are compiled as their functions."""

from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.errors import UnsupportedOp


@rw.register(derivative=lambda x: 2 * x)  # type: ignore[untyped-decorator]
def inlined_square(x: Any) -> Any:
    return x * x


@rw.register(  # type: ignore[untyped-decorator]
    derivative=lambda x, y: (inlined_square(y), 2 * x * y)
)
def inlined_product(x: Any, y: Any) -> Any:
    return x * inlined_square(y)


@rw.register
def inlined_choice(x: Any) -> Any:
    if x > 0:
        return x
    return -x


@rw.register
def inlined_again(x: Any) -> Any:
    return inlined_again(x - 1)


X, Y = rw.symbols("x y")


def test_functions_are_written_in_the_place_of_ops() -> None:
    x, y = np.linspace(-2, 2, 9), np.linspace(0.5, 3, 9)
    term = inlined_product(inlined_square(X), Y) + 1
    for math in ("strict", "guarded", "fast"):
        kernel = rw.compile([X, Y], term, math=math)
        np.testing.assert_allclose(kernel(x, y), rw.evaluate(term, {"x": x, "y": y}), rtol=1e-14)
    assert rw.optimize(inlined_square(X) + 1).terms == rw.fma(X, X, 1)
    pair = rw.compile([X, Y], rw.asarray([term, X]))(x, 2.0)
    np.testing.assert_allclose(pair[:, 1], x)


def test_derivatives_of_ops_run() -> None:
    slope = rw.grad(lambda a: inlined_product(a, 2 * a))
    np.testing.assert_allclose(slope(np.array([1.0, 3.0])), [12.0, 108.0], rtol=1e-14)
    assert rw.jit(lambda a: inlined_square(a).sum())(np.arange(4.0)) == 14


@pytest.mark.parametrize(
    ("op", "message"),
    [
        (inlined_choice, r"(?s)'inlined_choice' is compiled as its function, .* rw\.where"),
        (inlined_again, "calls the op itself"),
    ],
)
def test_what_cannot_be_traced_is_named(op: Any, message: str) -> None:
    with pytest.raises(UnsupportedOp, match=message):
        rw.compile([X], op(X))


def test_an_op_without_a_function_is_refused() -> None:
    hollow = rw.op("inlined_hollow", [rw.REAL], rw.REAL)
    with pytest.raises(UnsupportedOp, match="does not have the op 'inlined_hollow'"):
        rw.compile([X], rw.apply(hollow, X) + inlined_square(X))
