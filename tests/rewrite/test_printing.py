"""Terms written as text: Python's precedence, values that read back, and a bounded length."""

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from rewrite.errors import ParseError
from rewrite.printing import infix, latex, number, sexpr
from rewrite.term import const

x, y, z = rw.symbols("x y z")
p, q = rw.symbols("p q", dtype="bool")
SYMBOLS = (x, y, z, p, q)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (x + (y + z), "x + (y + z)"), (x + y + z, "x + y + z"), (x - (y - z), "x - (y - z)"),
        (x - y - z, "x - y - z"), (x * (y + z), "x*(y + z)"), (x * y + z, "x*y + z"),
        (x / (y * z), "x/(y*z)"), (x / y * z, "x/y*z"), (x * (y / z), "x*(y/z)"),
        (x ** (y**z), "x**y**z"), ((x**y) ** z, "(x**y)**z"), (-(x**2), "-x**2"),
        ((-x) ** 2, "(-x)**2"), (x**-y, "x**(-y)"), (-x * y, "-x*y"), (-(x * y), "-(x*y)"),
        (x * -y, "x*-y"), (-rw.apply("neg", x), "--x"), (x - -y, "x - -y"),
        (const(-2) ** x, "(-2)**x"),
        (const(-2) * x, "-2*x"), (-const(2), "-(2)"), (-const(2.5), "-(2.5)"),
        (-const(-2), "-(-2)"),
        (-(const(2) ** x), "-2**x"), (x ** const(-2), "x**(-2)"), (const(2) ** 2, "2**2"),
        (const(Fraction(1, 3)) * x, "1/3*x"), (x / const(Fraction(1, 3)), "x/(1/3)"),
        (const(Fraction(1, 3)) ** x, "(1/3)**x"), (x - const(Fraction(-1, 3)), "x - -1/3"),
        ((x < y) & (y < z), "(x < y) & (y < z)"), (p | (q & p), "p | q & p"),
        ((p | q) & p, "(p | q) & p"),
        (~(x < y), "~(x < y)"), (~p, "~p"), (rw.eq(x + 1, y), "x + 1 == y"),
        (rw.ne(x, y), "x != y"),
        (rw.where(p, x + 1, 0.5), "where(p, x + 1, 0.5)"), (rw.sin(x + y) ** 2, "sin(x + y)**2"),
        (rw.pi * rw.e, "pi*e"), (const(True) & p, "True & p"), (const(math.inf) - x, "inf - x"),
        (const(-math.inf) * x, "-inf*x"), (const(math.nan) + x, "nan + x"),
        (const(1e-300) * x, "1e-300*x"),
        (const(-0.0) + x, "-0.0 + x"), (const(10**30) * x, f"{10**30}*x"),
        (rw.apply("add", x, y, z), "x + y + z"),
        (rw.apply("add", x, rw.apply("add", y, z), z), "x + (y + z) + z"),
        (rw.fma(x, y, z), "fma(x, y, z)"), (rw.pattern_vars("a")[0] * 2, "?a*2"),
    ],
)  # fmt: skip
def test_infix(term: rw.Term, text: str) -> None:
    assert str(term) == infix(term) == text


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (x / (y + 1), r"\frac{x}{y + 1}"), (x ** (y + 1), "x^{y + 1}"),
        (rw.sqrt(x + 1), r"\sqrt{x + 1}"),
        ((x + y) * z, r"\left(x + y\right) \cdot z"), (-(x + y), r"- \left(x + y\right)"),
        ((x / y) ** 2, r"\left(\frac{x}{y}\right)^{2}") , (rw.pi * 2, r"\pi \cdot 2"),
        (rw.symbol("alpha_0") + rw.symbol("x1"), r"\alpha_{0} + x_{1}"),
        (rw.symbol("rho_max"), r"\rho_{max}"), (rw.symbol("speed"), r"\mathrm{speed}"),
        (rw.exp(-x), r"e^{- x}"), (abs(x), r"\left|x\right|"), (x <= y, r"x \le y"),
        (rw.exp(x) ** 2, r"\left(e^{x}\right)^{2}"),
        (const(Fraction(1, 3)) ** 2, r"\left(\frac{1}{3}\right)^{2}"),
        (-(x / y), r"- \frac{x}{y}"), (const(1.5e-7), r"1.5 \cdot 10^{-7}"),
        (const(math.inf), r"\infty"), (rw.expm1(x), r"\operatorname{expm1}\left(x\right)"),
        (const(Fraction(-1, 2)) * x, r"-\frac{1}{2} \cdot x"),
        (rw.where(p, x, y), r"\operatorname{where}\left(p, x, y\right)"),
    ],
)  # fmt: skip
def test_latex(term: rw.Term, text: str) -> None:
    assert term.latex() == latex(term) == text
    assert term._repr_latex_() == f"$\\displaystyle {text}$"


def test_braces_and_delimiters_of_latex_balance() -> None:
    term = rw.where((x < y) & ~p, rw.exp(rw.sqrt(x / y) ** -z) ** 2, abs(rw.floor(x)) / (1 - y))
    text = term.latex()
    assert text.count("{") == text.count("}") and text.count(r"\left") == text.count(r"\right")


@pytest.mark.parametrize("limit", [0, 1, 10, 60, 500])
def test_length_is_bounded(limit: int) -> None:
    term = x
    for _ in range(100):
        term = term * term + rw.sin(term)
    for write in (infix, sexpr, latex):
        text = write(term, limit)
        assert text.endswith("…") and len(text) <= limit + 1
    with pytest.raises(ParseError, match="cut short"):
        rw.parse(infix(term, 0) if limit == 0 else "x…")


def test_an_integer_of_many_digits_is_named() -> None:
    assert number(2**5000) == "<integer of 5001 bits>"
    assert str(const(2**5000) + x) == "<integer of 5001 bits> + x"


# Terms without n-ary nodes and fractions, which read back as binary sums and quotients.
numbers = st.integers(-(2**70), 2**70) | st.floats()
REAL_OPS = ("add", "sub", "mul", "div", "hypot", "atan2", "minimum", "fmod", "pow")
TRUTH_OPS = ("lt", "le", "gt", "ge", "eq", "ne")


@st.composite
def terms(draw: st.DrawFn) -> Any:
    """Build terms from the ones built before."""
    reals: list[Any] = [x, y, z, rw.pi, rw.e, *map(const, draw(st.lists(numbers, max_size=4)))]
    truths = [p, q, const(True), const(False)]

    def real() -> Any:
        return draw(st.sampled_from(reals[-6:]))

    def truth() -> Any:
        return draw(st.sampled_from(truths[-4:]))

    for kind in draw(st.lists(st.integers(0, 6), min_size=1, max_size=10)):
        if kind <= 2:
            reals.append(rw.apply(draw(st.sampled_from(REAL_OPS)), real(), real()))
        elif kind == 3:
            reals.append(rw.apply(draw(st.sampled_from(("neg", "sin", "abs", "log1p"))), real()))
        elif kind == 4:
            reals.append(rw.where(truth(), real(), real()))
        elif kind == 5:
            truths.append(rw.apply(draw(st.sampled_from(TRUTH_OPS)), real(), real()))
        else:
            both = rw.apply(draw(st.sampled_from(("and", "or"))), truth(), truth())
            truths += [both, ~truth()]
    return reals[-1]


@given(terms())
def test_what_is_written_reads_back(term: rw.Term) -> None:
    text = infix(term, 100_000)
    try:
        again = rw.parse(text, SYMBOLS)
    except ParseError as error:
        assert "integer exponents" in error.message  # a huge power of integers is refused
        return
    assert again.sexpr(10**6) == term.sexpr(10**6)
    assert again == term


LONG = 10**5000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (LONG, "<integer of 16610 bits>"),
        (-LONG, "<negative integer of 16610 bits>"),
        (Fraction(-1, LONG), "<negative fraction of 1/16610 bits>"),
        (Fraction(LONG, 7), "<fraction of 16610/3 bits>"),
    ],
    ids=["integer", "negative", "small", "large"],
)
def test_numbers_of_many_digits_are_described(value: int | Fraction, text: str) -> None:
    assert number(value) == text
    assert repr(x + value) == f"x + {text}" and sexpr(x + value) == f"(add x {text})"
    assert text[1:-1] in latex(x**value) and "\\cdot 10" not in latex(x + value)
    assert repr(x ** (-value)).endswith(number(-value)) and str(const(value)) == text
    assert len(repr(x + 10**1000)) > 1000 and "bits" in repr(x + 2**5000)


def test_latex_subtracts_what_begins_with_a_minus() -> None:
    x, y = rw.symbols("x y")
    shown = {
        x + -2: "x - 2", x + -2 * y: r"x - 2 \cdot y", x + -y: "x - y",
        x + -(y + 1): r"x - \left(y + 1\right)", x + Fraction(-1, 2): r"x - \frac{1}{2}",
        x + -0.0: "x + -0.0", x + (-2 * y) ** 2: r"x + \left(-2 \cdot y\right)^{2}",
    }  # fmt: skip
    assert {term: latex(term) for term in shown} == shown
