"""`//`, `%` and divmod are NumPy's, to the bit and to the sign of a zero."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.1, -0.1, 0.3, 3.0, -3.0, 5.5, np.inf, -np.inf, np.nan, 1e300,
           5e-324, -5e-324, 2.0**53]  # fmt: skip
LEFT, RIGHT = (axis.ravel() for axis in np.meshgrid(SPECIAL, SPECIAL))
EACH: dict[str, Any] = {
    "quotient": lambda a, b: a // b,
    "rest": lambda a, b: a % b,
    "divmod": lambda a, b: divmod(a, b),
}


def wanted(function: Any, *args: Any) -> tuple[Any, ...]:
    with np.errstate(all="ignore"):
        made = function(*args)
    return made if isinstance(made, tuple) else (made,)


def require_same(found: Any, right: tuple[Any, ...]) -> None:
    found = found if isinstance(found, tuple) else (found,)
    for a, b in zip(found, right, strict=True):
        np.testing.assert_array_equal(a, b)
        known = ~np.isnan(b)
        np.testing.assert_array_equal(np.signbit(a)[known], np.signbit(b)[known])


@pytest.mark.parametrize("name", EACH)
def test_terms_and_traced_arrays_divide_as_numpy_does(name: str) -> None:
    function = EACH[name]
    right = wanted(function, LEFT, RIGHT)
    require_same(rw.jit(function, math="strict")(LEFT, RIGHT), right)
    x, y = rw.symbols("x y")
    require_same(
        tuple(rw.evaluate(t, {"x": LEFT, "y": RIGHT}) for t in wanted(function, x, y)), right
    )


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("known", [3, -3, 0.1, 0, -0.0, np.float64(7.5)])
def test_numbers_on_either_side(name: str, known: Any) -> None:
    function = EACH[name]
    x, values = rw.symbol("x"), np.array(SPECIAL)
    sides: list[Any] = [lambda v: function(v, known), lambda v: function(known, v)]
    for side in sides:
        terms = wanted(side, x)
        right = wanted(side, values)
        require_same(tuple(rw.evaluate(term, {"x": values}) for term in terms), right)
        require_same(rw.jit(side, math="strict")(values), right)


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3).filter(bool))
def test_the_rest_is_exact_and_the_quotient_counts(a: float, b: float) -> None:
    x, y = rw.symbols("x y")
    quotient, rest = (rw.evaluate(t, {"x": a, "y": b}) for t in divmod(x, y))
    assert (quotient, rest) == divmod(a, b)


def test_what_is_rounded_up_to_a_whole_number_is_not_counted() -> None:
    assert rw.jit(lambda a: a // 0.1)(1.0) == 9.0 != np.floor(1.0 / 0.1)


def test_text_is_read_as_python() -> None:
    x, y = rw.symbols("x y")
    assert rw.parse("x // y * 2") == x // y * 2
    assert rw.parse("x // 2") == x // 2
    assert rw.parse("-x % 3 + y % x") == -x % 3 + y % x


def test_constants_with_names_divide() -> None:
    """Found by damaged texts: `x % e` raised a TypeError."""
    x = rw.symbol("x")
    a = np.array([7.0, -1.0, 0.0, 100.0])
    for term, value in ((rw.pi, np.pi), (rw.parse("e"), np.e)):
        np.testing.assert_array_equal(rw.evaluate(x % term, {"x": a}), a % value)
        np.testing.assert_array_equal(rw.evaluate(x // term, {"x": a}), a // value)
        np.testing.assert_array_equal(rw.compile([x], x % -term)(a), a % -value)
    assert rw.parse("x // e - x % pi") == x // rw.parse("e") - x % rw.pi


def test_results_are_written_to_given_arrays() -> None:
    def written(a: Any) -> Any:
        low, high = np.zeros_like(a), np.zeros_like(a)
        np.divmod(a, 3, out=(low, high))
        np.divmod(a, 2, out=(low, high), where=a > 4)
        return low, high

    values = np.array([1.0, 7.5, -4.0])
    require_same(rw.jit(written)(values), written(values))


def test_strangers_are_refused() -> None:
    x = rw.symbol("x")
    with pytest.raises(TypeError, match="unsupported operand"):
        x % object()
    with pytest.raises(rw.errors.UnsupportedOp):
        x // 1j
