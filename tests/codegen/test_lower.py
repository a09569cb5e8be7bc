"""Lowering: constants rounded once, integer powers within an ulp, clear errors."""

import math
from fractions import Fraction

import numpy as np
import pytest

import rewrite as rw
from codegen.cost import exact_inverse, power_operations, product_exponent
from codegen.folding import constant_values
from codegen.kernel import Kernel
from codegen.lower import Parameter, Result, lower
from codegen.program import Program
from rewrite.constants import PI
from rewrite.errors import ArgumentError, UnsupportedOp
from rewrite.leaves import pattern_vars
from rewrite.oracle import exact, ulp_distance
from rewrite.store import Store
from rewrite.term import join_all

x, y = rw.symbols("x y")


def program(*terms: rw.Term, strict: bool = False) -> Program:
    """Lower terms of x and y."""
    parameters = [Parameter("x", (), (x,)), Parameter("y", (), (y,))]
    results = [Result(f"r{k}", (), (t,)) for k, t in enumerate(terms)]
    return lower(parameters, results, strict=strict)


def ops_of(made: Program) -> list[str]:
    """Return the ops of a program without loads and constants."""
    return [i.op for i in made.instructions if i.op not in ("load", "const")]


def test_text_form(golden: object) -> None:
    term = rw.exp(-((x / y) ** 2) / 2) / (rw.sqrt(2 * rw.pi) * y)
    golden(str(program(term)))  # type: ignore[operator]


def test_constants_are_evaluated_ahead_and_rounded_once() -> None:
    made = program(x * (rw.sqrt(2 * rw.pi) / 3))
    assert ops_of(made) == ["mul"]
    text = str(made)
    assert repr(math.sqrt(2 * math.pi) / 3)[:14] in text
    strict = Kernel(program(x * (rw.const(0.1) + 0.2), strict=True))
    assert strict(1.0, 0.0) == 0.1 + 0.2
    exactly = Kernel(program(x * (rw.const(Fraction(1, 10)) + Fraction(1, 5))))
    assert exactly(1.0, 0.0) == 0.3


def test_equal_subterms_are_one_value() -> None:
    assert ops_of(program((x + y) * (x + y), rw.sin(x + y))) == ["add", "mul", "sin"]


def test_division_by_a_power_of_two_is_a_product_with_the_same_bits() -> None:
    assert ops_of(program(x / 8, strict=True)) == ["mul"]
    assert ops_of(program(x / 3, strict=True)) == ["div"]
    assert ops_of(program(x / 0)) == ["div"]


@pytest.mark.parametrize("strict", [False, True])
def test_constants_are_the_same_one_by_one_and_together(strict: bool) -> None:
    c, third = rw.const, rw.const(Fraction(1, 3))
    terms = [
        c(0.1) + c(0.2) + c(0.3), third * 3 - 1, rw.sin(c(10.0)) ** 2, -c(2), c(PI) * third,
        c(1.0) / (third * 3 - 1), c(1e300) * c(1e300) / c(1e300), rw.log(c(-1.0)), third < 1,
        third + c(0.1),
    ]  # fmt: skip
    terms = [*terms, terms[0], *terms[:3]]
    store = Store()
    nodes = join_all(store, terms)
    together = constant_values(store, nodes, strict)
    assert repr(together) == repr(constant_values(store, nodes, strict))
    apart = []
    for term in terms:
        own = Store()
        apart += constant_values(own, join_all(own, [term]), strict)
    assert repr(together) == repr(apart)
    number = together[9]
    assert not isinstance(number, bool)
    assert number.f64 == (1 / 3 + 0.1 if strict else float(Fraction(1, 3) + Fraction(0.1)))


def test_exponents_and_divisors_computed_from_constants_are_as_written_ones() -> None:
    for given, like in ((rw.apply("round", -1), -1), (rw.const(1) / 2, 0.5), (rw.const(1) + 1, 2)):
        assert ops_of(program(x**given, strict=True)) == ops_of(program(x**like, strict=True))
        assert ops_of(program(x / given, strict=True)) == ops_of(program(x / like, strict=True))
    assert ops_of(program(x ** (rw.const(1) / 3), strict=True)) == ["pow"]


@pytest.mark.parametrize(
    "n", [-64, -9, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 31, 64]
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_integer_powers_are_within_an_ulp_and_a_half(n: int, dtype: type) -> None:
    span = min(8.0, 100 / max(1, abs(n)))
    rng = np.random.default_rng(abs(n))
    points = np.exp2(rng.uniform(-span, span, 4000)) * rng.choice([-1, 1], 4000)
    points = points.astype(dtype)
    kernel = Kernel(program(x**n), dtype=dtype)
    known = exact(x**n, {"x": points.astype(np.float64)})
    found = kernel(points, np.zeros_like(points))
    limit = 1.0 if n >= 4 else 1.5  # a quotient adds half an ulp
    assert np.nanmax(ulp_distance(found, known, dtype)) <= limit


@pytest.mark.parametrize("n", [2, 3, 4, 5, 7, 12])
def test_powers_of_special_values(n: int) -> None:
    kernel = Kernel(program(x**n))
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e300, -1e300, 1.0, -1.0, 1e-300])
    with np.errstate(all="ignore"):
        expected = values**n
    found = kernel(values, 0.0)
    np.testing.assert_array_equal(found, expected)


def test_strict_keeps_powers_that_numpy_does_not_expand() -> None:
    assert ops_of(program(x**2, strict=True)) == ["mul"]
    assert ops_of(program(x**3, strict=True)) == ["pow"]


@pytest.mark.parametrize("n", range(-64, 65))
def test_powers_are_priced_as_they_are_written(n: int) -> None:
    made = ops_of(program(x**n))
    assert made.count("div") == (n < 0)
    assert len([op for op in made if op not in ("neg", "div")]) == power_operations(n)


def test_what_is_a_product() -> None:
    assert [product_exponent(n) for n in (64, -64, 3.0, -0.0)] == [64, -64, 3, 0]
    for power in (65, 0.5, Fraction(1, 2), True, None, float("nan"), float("inf"), 10**400):
        assert product_exponent(power) is None
    assert [product_exponent(n, strict=True) for n in (-1, 2, 3, -2)] == [-1, 2, None, None]
    assert (exact_inverse(-8), exact_inverse(Fraction(1, 4))) == (-0.125, 4.0)
    for divisor in (3, 0, -0.0, True, None, PI, float("nan"), float("inf"), 2**101, 10**400):
        assert exact_inverse(divisor) is None
    assert exact_inverse(Fraction(2**60 + 1, 2**60)) is None


def test_n_ary_sums_go_from_left_to_right() -> None:
    made = program(rw.apply("add", x, y, 1, 2))
    assert ops_of(made) == ["add", "add", "add"]


def test_bad_input() -> None:
    z = rw.symbol("z")
    with pytest.raises(ArgumentError, match=r"free symbol 'z'.*\(x, y\)"):
        program(x + z)
    with pytest.raises(ArgumentError, match="two arguments are the symbol 'x'"):
        lower([Parameter("x", (), (x,)), Parameter("w", (), (x,))], [Result("r", (), (x,))])
    (hole,) = pattern_vars("h")
    with pytest.raises(UnsupportedOp, match=r"\?h"):
        lower([], [Result("r", (), (hole + 1,))])


@pytest.mark.parametrize("n", range(4, 65))
def test_powers_that_overflow_keep_their_sign(n: int) -> None:
    """Found for n = 34, 40, ...: the low part overflowed to the other infinity."""
    kernel = Kernel(program(x**n))
    sizes = np.concatenate([2.0 ** np.arange(0, 1024, 3), 10.0 ** np.arange(0, 308)])
    values = np.concatenate([sizes, -sizes])
    with np.errstate(over="ignore"):
        expected = values**n
    found = kernel(values, 0.0)
    np.testing.assert_array_equal(np.isinf(found), np.isinf(expected))
    np.testing.assert_array_equal(np.sign(found), np.sign(expected))


def test_reciprocal_roots_are_numpys_where_strict() -> None:
    """Elsewhere they are one function, which the search finds in quotients by roots."""
    x = rw.symbol("x", low=0.0)
    data = np.random.default_rng(0).uniform(0.1, 100.0, 1000)
    kernel = rw.compile([x], rw.rsqrt(x), math="strict", dtype=np.float64)
    assert np.array_equal(kernel(data), 1 / np.sqrt(data))
    assert "rsqrt" not in kernel.program.ops
    for licence in ("guarded", "fast"):
        kernel = rw.compile(
            [x], 3 / rw.sqrt(x), math=licence, dtype=np.float64, cost=rw.cycles("zen4-avx512")
        )
        root = "rsqrt" if licence == "guarded" else "fast_rsqrt"
        assert kernel.program.ops == {"load", "const", "mul", root}
        np.testing.assert_allclose(kernel(data), 3 / np.sqrt(data), rtol=4e-16)
