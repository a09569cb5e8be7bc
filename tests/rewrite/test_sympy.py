"""SymPy expressions become the same function, and terms come back from SymPy."""

import math
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from sympy.codegen import cfunctions

import rewrite as rw
from rewrite.errors import UnsupportedOp
from rewrite.evaluate import evaluate
from rewrite.io.sympy import from_sympy, to_sympy
from rewrite.ops import BUILTIN
from rewrite.sorts import BOOL, MATRIX
from rewrite.term import const

a, b, c = sp.symbols("a b c")
p, q = sp.symbols("p q")
half = sp.Rational(1, 2)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (a + b + c, "a + b + c"), (a - b, "a - b"), (-a, "-a"), (-a - b, "-a - b"),
        (a - 2 * b, "a + -2*b"),
        (a * b * c, "a*b*c"), (a / b, "a/b"), (1 / a, "1/a"), (a / (b * c), "a/(b*c)"),
        (1 / (a * b), "1/(a*b)"),
        (a**2, "a**2"), (a**-2, "1/a**2"), (sp.sqrt(a), "sqrt(a)"), (1 / sp.sqrt(a), "1/sqrt(a)"),
        (a * b**half, "a*sqrt(b)"), (a ** sp.Rational(1, 3), "a**(1/3)"), (a**b, "a**b"),
        (a**-b, "a**(-b)"),
        (a**0.5, "a**0.5"), (2 * a, "2*a"), (a / 3, "1/3*a"), (0.1 * a, "0.1*a"),
        (sp.pi * sp.E * a, "e*pi*a"),
        (sp.exp(a), "exp(a)"), (sp.log(a), "log(a)"), (sp.log(a, 2), "log(a)/log(2)"),
        (sp.Abs(a), "abs(a)"),
        (sp.sin(a) / sp.cos(a), "sin(a)/cos(a)"), (sp.sec(a), "1/cos(a)"),
        (sp.coth(a), "1/tanh(a)"),
        (sp.asin(a) + sp.acosh(b), "acosh(b) + asin(a)"), (sp.atan2(a, b), "atan2(a, b)"),
        (sp.floor(a), "floor(a)"), (sp.ceiling(a), "ceil(a)"), (sp.sign(a), "sign(a)"),
        (sp.erf(a), "erf(a)"),
        (sp.Min(a, b), "minimum(a, b)"), (sp.Max(a, b, 1), "maximum(maximum(1, a), b)"),
        (sp.Mod(a, b), "a - b*floor(a/b)"), (a < b, "a < b"), (sp.Eq(a, b), "a == b"),
        (sp.Ne(a, b), "a != b"),
        (a >= 1, "a >= 1"), (sp.And(a < b, b < c), "(a < b) & (b < c)"), (sp.Not(p), "~p"),
        (p | q, "p | q"),
        (sp.Piecewise((a, a > 0), (-a, True)), "where(a > 0, a, -a)"),
        (sp.Piecewise((a, a > 1), (b, a > 0), (c, True)), "where(a > 1, a, where(a > 0, b, c))"),
        (sp.Piecewise((a, a > 0)), "where(a > 0, a, nan)"),
        (sp.ITE(p, q, a < b), "where(p, q, a < b)"),
        (cfunctions.log2(a), "log2(a)"), (cfunctions.expm1(a), "expm1(a)"),
        (cfunctions.fma(a, b, c), "fma(a, b, c)"),
        (cfunctions.hypot(a, b), "hypot(a, b)"), (cfunctions.Cbrt(a), "cbrt(a)"),
        (cfunctions.Sqrt(a), "sqrt(a)"),
        (sp.Function("round")(a), "round(a)"), (sp.Function("fmod")(a, b), "fmod(a, b)"),
        (sp.oo, "inf"), (-sp.oo, "-inf"), (sp.nan, "nan"), (sp.true, "True"),
        (sp.Integer(-3), "-3"),
        (sp.Rational(2, 3), "2/3"), (sp.Float(0.1), "0.1"), (3, "3"), (0.25, "0.25"),
    ],
)  # fmt: skip
def test_reading(expr: Any, text: str) -> None:
    term = from_sympy(expr)
    assert str(term) == text
    if isinstance(expr, sp.Basic) and expr.free_symbols and not term.sort == BOOL:
        point = {"a": 0.7, "b": 1.3, "c": 2.1}
        expected = sp.N(expr.subs(point)) if "fmod" not in text and "round" not in text else None
        if expected is not None and expected.is_real:
            used = {s.name: point[s.name] for s in expr.free_symbols}
            assert math.isclose(float(evaluate(term, used)), float(expected), rel_tol=1e-12)


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        (sp.gamma(a), r"SymPy's gamma has no op here: gamma\(a\)"), (sp.Integral(a, a), "Integral"),
        (sp.Derivative(sp.Function("f")(a), a), "Derivative"), (sp.Sum(a, (a, 1, b)), "Sum"),
        (sp.Function("f")(a), r"SymPy's f has no op"), (sp.I, "ImaginaryUnit has no counterpart"),
        (sp.Symbol("a b"), "must be an identifier, not 'a b'"),
        (sp.Matrix(0, 3, []), "no elements"),
        (sp.factorial(a), "factorial"), (sp.besselj(0, a), "besselj"),
        (sp.Interval(0, 1), "Interval"),
        ("a + b", "'a \\+ b' is no SymPy expression"), (object(), "is no SymPy expression"),
        (sp.Float("1e100000", 20), "too large or small"),
        (sum(sp.gamma(a + k) for k in range(90)), "gamma"),
    ],
)  # fmt: skip
def test_what_terms_lack_is_named(expr: Any, words: str) -> None:
    with pytest.raises(UnsupportedOp, match=words):
        from_sympy(expr)


def test_floats_are_exact() -> None:
    assert from_sympy(sp.Float(0.1)).value == 0.1
    long = from_sympy(sp.Float("0.1", 40)).value
    assert isinstance(long, Fraction) and long != Fraction(0.1)
    assert abs(long - Fraction(1, 10)) < Fraction(1, 10**39)
    assert from_sympy(sp.Float("0.5", 40)).value == 0.5
    for value in (0.1, -1e-310, 1e308, 0.0):
        assert from_sympy(to_sympy(const(value))).value == value
    negative = evaluate(from_sympy(to_sympy(const(-0.0))), {})
    assert float(negative) == 0 and math.copysign(1, float(negative)) == -1


def test_assumptions_are_domains() -> None:
    for facts, low, high, dtype in (
        ({"positive": True}, 0, None, None), ({"nonnegative": True}, 0, None, None),
        ({"negative": True}, None, 0, None), ({"nonpositive": True}, None, 0, None),
        ({"integer": True}, None, None, "int64"), ({"real": True}, None, None, None),
    ):  # fmt: skip
        symbol = from_sympy(sp.Symbol("s", **facts)).symbol
        assert (symbol.low, symbol.high, symbol.dtype) == (low, high, dtype)
    assert (
        to_sympy(rw.symbol("s", low=0)).is_nonnegative
        and to_sympy(rw.symbol("s", low=1)).is_positive
    )
    assert (
        to_sympy(rw.symbol("s", high=-1)).is_negative
        and to_sympy(rw.symbol("s", high=0)).is_nonpositive
    )
    assert to_sympy(rw.symbol("s")) == sp.Symbol("s")
    one, two = sp.Dummy("d"), sp.Dummy("d")
    assert len(from_sympy(one - two).free_symbols) == 2


def test_arrays() -> None:
    matrix = from_sympy(sp.Matrix([[a, b], [1, a * b]]))
    assert isinstance(matrix, rw.TermArray) and str(matrix[1, 1]) == "a*b"
    assert to_sympy(matrix) == sp.Array([[a, b], [1, a * b]])


samples = st.lists(
    st.tuples(
        st.sampled_from([row for row in BUILTIN if row.arity]),
        st.lists(st.integers(0), min_size=3, max_size=3),
    ),
    min_size=1, max_size=8,
)  # fmt: skip


@given(samples)
def test_to_sympy_and_back(rows: list[tuple[Any, list[int]]]) -> None:
    reals = [*rw.symbols("a b c"), const(2), const(0.1), const(Fraction(1, 3)), rw.pi]
    truths = [reals[0] < reals[1]]
    for row, picks in rows:
        width = row.arity if row.arity > 0 else 2
        kinds = [row.takes[min(k, len(row.takes) - 1)] for k in range(width)]
        pools = [truths if kind == "b" else reals for kind in kinds]
        args = [pool[pick % len(pool)] for pool, pick in zip(pools, picks, strict=False)]
        (truths if row.makes == "b" else reals).append(rw.apply(row, *args))
    term = reals[-1] if rows[-1][0].makes != "b" else truths[-1]
    again = from_sympy(to_sympy(term))
    points = {name: np.array([0.3, 1.7, -2.5, 4.0]) for name in "abc"}
    with np.errstate(all="ignore"):
        before = evaluate(term, {k: points[k] for k in map(str, term.free_symbols)})
        after = evaluate(again, {k: points[k] for k in map(str, again.free_symbols)})
    assert np.allclose(before, after, rtol=1e-9, equal_nan=True)


def test_every_op_has_a_way_to_sympy_and_back() -> None:
    x, y, z = rw.symbols("a b c")
    for row in BUILTIN:
        if row.arity == 0:
            continue
        args = [
            x < y if letter == "b" else s
            for letter, s in zip(row.takes * 3, (x, y, z), strict=False)
        ]
        if row.makes == "w":
            args = [x < y, y, z]
        elif row.takes == "b":
            args = [x < y, y < z]
        term = rw.apply(row, *args[: row.arity if row.arity > 0 else 2])
        assert from_sympy(to_sympy(term)) == term


def test_shared_and_deep_expressions() -> None:
    x = rw.symbol("a")
    shared = x
    for _ in range(60):
        shared = shared * shared + 1
    expr = to_sympy(shared)
    assert from_sympy(expr) == shared
    deep = x
    for _ in range(3000):
        deep = rw.sin(deep) + x
    assert from_sympy(to_sympy(deep)) == deep


def test_what_is_no_term() -> None:
    with pytest.raises(UnsupportedOp, match="is no term"):
        to_sympy(a)


def test_symbols_that_would_lose_what_they_are_are_refused() -> None:
    import sympy as sp

    both = sp.Abs(sp.Symbol("x", real=True)) + sp.Symbol("x", positive=True)
    with pytest.raises(UnsupportedOp, match="two symbols are called x"):
        rw.from_sympy(both)
    with pytest.raises(UnsupportedOp, match="is not real"):
        rw.from_sympy(sp.Symbol("z", imaginary=True) + 1)
    with pytest.raises(UnsupportedOp, match="complex numbers are not supported"):
        rw.from_sympy(sp.Symbol("x") + sp.I)


def test_what_does_not_commute_is_a_matrix() -> None:
    import sympy as sp

    a, b = rw.symbols("A B", sort=rw.MATRIX)
    x = rw.symbol("x")
    left, right = sp.symbols("A B", commutative=False)
    assert rw.from_sympy(left * right - right * left) == a * b - b * a
    assert rw.from_sympy(sp.Symbol("x") * left**-1) == rw.apply("mul", x, a**-1)
    one, other = sp.MatrixSymbol("A", 3, 3), sp.MatrixSymbol("B", 3, 3)
    assert rw.from_sympy(one * other + other * one) == a * b + b * a
    assert rw.from_sympy(one.inv()) == a**-1
    for term in (a * b - b * a, a**2 * b, x * a, -a, a / 2 + b):
        assert rw.from_sympy(rw.to_sympy(term)).sort is rw.MATRIX
    assert rw.to_sympy(a * b) == left * right != rw.to_sympy(b * a)


i, j, n = sp.symbols("i j n", integer=True)
base, left = sp.IndexedBase("v"), sp.MatrixSymbol("M", 2, 2)


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (sp.Sum(base[i] * a**i, (i, 0, 2)), "v_0 + a*v_1 + a**2*v_2"),
        (sp.Sum(a**j, (j, 1, i), (i, 1, 2)), "a + a + a**2"),
        (sp.Product(i + a, (i, 1, 3)), "(1 + a)*(2 + a)*(3 + a)"),
        (sp.Sum(a, (i, 1, 0)), "0"), (sp.Product(a, (i, 1, 0)), "1"),
        (left[0, 1] - left[1, 0], "-M_1_0 + M_0_1"), (sp.Trace(left), "M_0_0 + M_1_1"),
        (sp.Determinant(left), "M_0_0*M_1_1 - M_0_1*M_1_0"),
        ((left * left)[0, 0], "M_0_0**2 + M_0_1*M_1_0"),
        (sp.sinc(a), "where(a == 0, 1, sin(a)/a)"), (sp.acot(a), "atan(1/a)"),
        (sp.Heaviside(a, 1), "where(a > 0, 1, where(a < 0, 0, where(a == 0, 1, a)))"),
        (sp.re(a) + sp.im(b), "0 + a"), (sp.frac(a), "a - floor(a)"),
        (sp.UnevaluatedExpr(a + b) + c, "c + (a + b)"), (sp.S.GoldenRatio, "1.618033988749895"),
        (sp.Xor(p, q), "p & ~q | ~p & q"), (sp.Implies(p, q), "~p | q"),
    ],
)  # fmt: skip
def test_what_has_a_formula(expr: Any, text: str) -> None:
    term = from_sympy(expr)
    assert str(term) == text


def test_structures_and_common_subexpressions() -> None:
    assert str(from_sympy([a, (b, {"k": a * b})])) == "[a, (b, {'k': a*b})]"
    assert to_sympy(from_sympy([a, (b, {"k": a + b})])) == [a, (b, {"k": a + b})]
    exprs = [sp.sin(a + b) + a + b, (a + b) ** 2]
    assert [str(term) for term in from_sympy(sp.cse(exprs))] == ["a + b + sin(a + b)", "(a + b)**2"]
    cube = sp.Array([[[a, b]], [[1, 2]]])
    assert from_sympy(cube).shape == (2, 1, 2) and to_sympy(from_sympy(cube)) == cube
    assert str(from_sympy(sp.SparseMatrix([[a, 0], [0, 1]])).tolist()) == "[[a, 0], [0, 1]]"


class Pair(NamedTuple):
    one: Any
    two: Any


def test_named_tuples_stay_what_they_are() -> None:
    made = from_sympy(Pair(a + 1, [b]))
    assert isinstance(made, Pair) and made == Pair(from_sympy(a + 1), [from_sympy(b)])
    assert to_sympy(made) == Pair(a + 1, [b]) and isinstance(to_sympy(made), Pair)


def test_matrix_expressions_of_explicit_matrices_are_written_out() -> None:
    m = sp.MatrixSymbol("m", 2, 2)
    found = from_sympy(m * sp.Matrix([a, b]))
    assert [repr(term) for term in found.terms()] == ["a*m_0_0 + b*m_0_1", "a*m_1_0 + b*m_1_1"]
    assert from_sympy(sp.Identity(2)).shape == (2, 2)
    blocks = sp.BlockMatrix([[sp.Matrix([[a]]), sp.Matrix([[b]])]])
    assert repr(from_sympy(blocks).terms()) == "[a, b]"
    assert from_sympy(m * m).sort.fits(MATRIX)


def test_functions_and_symbols_of_the_caller() -> None:
    f = sp.Function("f")
    assert str(from_sympy(f(a) + b, functions={"f": lambda t: np.sin(t) * 2})) == "b + sin(a)*2"
    assert str(from_sympy(f(a) + b, symbols={f(a): rw.symbol("y"), b: rw.const(2)})) == "2 + y"


@pytest.mark.parametrize(
    ("expr", "words"),
    [
        (sp.Sum(a, (i, 0, n)), "no fixed range"), (sp.Sum(a, (i, 0, sp.oo)), "no fixed range"),
        (sp.Sum(i * a, (i, 0, 400), (j, 0, 300)), "more than 100000 terms"),
        (base[i], "no fixed place"),
        (base[0] + sp.Symbol("v_0"), "two symbols are called v_0"),
    ],
)  # fmt: skip
def test_what_is_not_fixed_is_named(expr: Any, words: str) -> None:
    with pytest.raises(UnsupportedOp, match=words):
        from_sympy(expr)
