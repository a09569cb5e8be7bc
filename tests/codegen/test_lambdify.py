"""`rw.lambdify` beside `sympy.lambdify`.

The cases of `CASES`, and those tests that say so, are taken over from SymPy's own tests
(sympy/utilities/tests/test_lambdify.py of SymPy 1.14, BSD licence, by the SymPy development team);
left out are those of complex, symbolic and arbitrary-precision numbers, of special functions, and
of how SymPy writes Python text.
"""

import gc
import inspect
import linecache
import math
from typing import Any

import numba
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy.codegen.cfunctions import isinf, isnan
from sympy.codegen.numpy_nodes import logaddexp, logaddexp2, maximum, minimum
from sympy.codegen.scipy_nodes import cosm1, powm1
from sympy.simplify.cse_main import cse_release_variables
from sympy.tensor.array.expressions import ArraySymbol
from sympy.utilities.lambdify import implemented_function

import rewrite as rw
from rewrite.errors import ArgumentError, ArgumentTypeError, RewriteError, UnsupportedOp

w, x, y, z = sp.symbols("w x y z")
t = sp.Symbol("t")
d1, d2 = sp.Dummy(), sp.Dummy("x")
F, G = sp.Function("F")(t), sp.Function("G")(t)
A = sp.MatrixSymbol("A", 2, 2)
B, C, D = sp.MatrixSymbol("B", 2, 3), sp.MatrixSymbol("C", 3, 4), sp.MatrixSymbol("D", 4, 5)
base = sp.IndexedBase("a")
pieces = sp.Piecewise((x, x < 3), (x**2, x > 5), (0, True))
a234, a152 = np.array([2, 3, 4]), np.array([1, 5, 2])
square = np.array([[1, 2], [3, 4]])
true, false = [True, True], [False, True]
fast: dict[str, Any] = {"optimize_terms": False}

CASES: list[tuple[Any, Any, tuple[Any, ...], Any]] = [
    ([], 1, (), 1), (x, 2 * x, (1,), 2), ([x, y], x + y, (1, 2), 3),
    ([[w, x]], [w, x], ([91, 2],), [91, 2]),
    ([(w, x), (y, z)], [w, x, y, z], ((18, 12), (73, 4)), [18, 12, 73, 4]),
    ([w, [[[x]], y], z], [w, x, y, z], (10, [[[52]], 31], 44), [10, 52, 31, 44]),
    ("x,y,z", "z,y,x", (3, 2, 1), (1, 2, 3)), ("x,y,z", "z,y,x", (1.0, 2.0, 3.0), (3.0, 2.0, 1.0)),
    (x, sp.Abs(x), (-1,), 1), ([x, y], -(x % y), (3, 7), -3),
    (x, x**2, (-2,), 4), (x, x**2, (2.5,), 6.25), (x, sp.sqrt(x), (6.25,), 2.5),
    (x, (-1 / x, 1 / x), (-2,), (0.5, -0.5)), ((x, y), sp.sin(x * y) ** 2, (0, 5), 0),
    (x, [sp.cos(x), sp.sin(x)], (3.14159,), [math.cos(3.14159), math.sin(3.14159)]),
    ((x, y, z), sp.Matrix([[x, x * y], [sp.sin(z) + 4, x**z]]), (1, 2, 3),
     np.array([[1, 2], [math.sin(3) + 4, 1]])),
    (x, sp.Matrix([[1, x], [0, 1]]).T, (2,), np.array([[1, 0], [2, 1]])),
    (x, sp.Matrix([[1, x], [0, 1]]) ** -1, (2,), np.array([[1, -2], [0, 1]])),
    ((x, y, z), sp.DotProduct(sp.Matrix([x, y, z]), sp.Matrix([x, y, z])), (1, 2, 3), 14),
    (x, sp.floor(1 / x), (2,), 0),
    (x, pieces, (np.arange(10),), np.array([0, 1, 2, 0, 0, 0, 36, 49, 64, 81])),
    (x, sp.Piecewise((x, x > 0), (-x, x < 0)), (np.array([-1, 0, 1]),), np.array([1, np.nan, 1])),
    ((x, y), sp.Piecewise((1 / x, y < -1), (x, y < 1), (1 / x, True)), (0, 0.5), 0),
    ((x, y), sp.Piecewise((1 / x, y < -1), (x, y < 1), (1 / x, True)), (0, 1), math.inf),
    (x, sp.Piecewise((7.0 * sp.sign(x), isinf(x)), (3.0, True)), (-math.inf,), -7.0),
    (x, sp.Piecewise((7.0, isnan(x)), (3.0, True)), (math.nan,), 7.0),
    ((x, y), sp.And(x, y), (true, false), np.array([False, True])),
    ((x, y, z), sp.Or(x, y, z), (false, false, [False, False]), np.array([False, True])),
    (x, sp.Not(x), (false,), np.array([True, False])),
    ((x, y), sp.Xor(x, y), (true, false), np.array([True, False])),
    ((x, y), sp.Implies(x, y), (true, false), np.array([False, True])),
    ((x, y), sp.Equivalent(x, y), (true, false), np.array([False, True])),
    ((F, G), 2 * F**2 / G, (3, 9), 2), ((F, F.diff()), F + F.diff(), (10, 5), 15),
    (F.diff(), 1 + F.diff(), (41,), 42),
    ((sp.Symbol(r"\alpha"), t), 2 * sp.Symbol(r"\alpha") + t, (2, 1), 5),
    (sp.Symbol("if"), sp.Symbol("if") / 2, (4.0,), 2.0),
    ([], sp.true, (), True), ([], (1,), (), (1,)), (x, ((), (x,)), (1,), ((), (1,))),
    ((x, (y, (w, z))), w + x + y + z, (1, (2, (3, 4))), 10),
    ((x, y, z), sp.Min(x, y, z), (1, 2, 3), 1), ((x, y, z), sp.Max(x, y, z), (1, 2, 3), 3),
    ((x, y), sp.Max(x, y), ([1, 2, 3], [3, 2, 1]), np.array([3, 2, 3])),
    ((x, y, z), maximum(x, y, z), (a234, a152, a234), np.array([2, 5, 4])),
    ((x, y, z, w), minimum(x, y, z, w), (a234, a152, a234, 2), np.array([1, 2, 2])),
    ((x, y), logaddexp(x, y), (0.3, 0.4), math.log(math.exp(0.3) + math.exp(0.4))),
    (x, cosm1(x), (1e-20,), -5e-41),
    ((x, y), powm1(x, y), (1.2, 1e-9), math.expm1(1e-9 * math.log(1.2))),
    ((x, y), powm1(x, y), (-2.0, 3.0), -9.0),
    (x, sp.Derivative(sp.sin(x) * x, x), (0.0,), 0.0), (x, sp.Subs(y**2, y, x + 1), (2.0,), 9.0),
    ((x, y), 2.0 ** logaddexp2(sp.log(x, 2), sp.log(y, 2)), (1e-50, 2.5e-50), 3.5e-50),
    (base, sp.Sum(base[x, y], (x, 0, 1), (y, 0, 1)), (square,), 10),
    (z, sp.Sum(z, (y, 0, x), (x, 0, 10)), (7,), 462),
    (x, sp.sinc(x), (1,), math.sin(1)), (x, sp.sinc(x), (0,), 1),
    (d1, d1 + 1, (2,), 3), ([[d2]], d2 + 1, ([2],), 3),
    ([d1, sp.Symbol(str(d1))], d1 - sp.Symbol(str(d1)), (4, 1), 3),
    ([[x, y]], x * x + y, (np.array([2.0, 1.0]),), 5),
    ([d1, d2], {d1: 3, d2: 3}, (2, 4), {2: 3, 4: 3}),
    (A, A**-1, (square,), np.array([[-2.0, 1.0], [1.5, -0.5]])),
    (A, A**3, (square,), np.array([[37, 54], [81, 118]])),
    ((B, C, D), 2 * B * C * D,
     (np.array([[1, 2, 3]] * 2), np.array([[1, 2, 3, 4]] * 3), np.array([[1, 2, 3, 4, 5]] * 4)),
     np.array([[120, 240, 360, 480, 600]] * 2)),
    (x, sp.Heaviside(x), ([-1, 0, 1],), np.array([0, 0.5, 1])),
    (x, sp.Heaviside(x, 1), ([-1, 0, 1],), np.array([0, 1, 1])), (x, sp.E, (23,), math.e),
    (x, sp.S.GoldenRatio * x**2, (1,), (1 + math.sqrt(5)) / 2),
    ((w, t), w * (sp.log(sp.cot(t / 2)) - sp.cos(t)), (10, 2),
     10 * (-math.log(math.tan(1)) - math.cos(2))),
    (x, sp.Array([x, x**2]), (1,), np.array([1, 1])),
    (sp.MatrixSymbol("X", 3, 1), (sp.MatrixSymbol("X", 3, 1).T * sp.MatrixSymbol("X", 3, 1)),
     (np.array([1, 2, 3]),), np.array([[14]])),
    (ArraySymbol("b", (3,)), ArraySymbol("b", (3,)), (np.array([1, 2, 3]),), np.array([1, 2, 3])),
    (sp.Matrix([x, y]), sp.Matrix((x, x + y)).jacobian((x, y)), (1, 2), np.array([[1, 0], [1, 1]])),
    ([sp.Matrix([x, y]), z], [x, y, z], ([[1], [2]], 3), [1, 2, 3]),
    (x, sp.Array([[[x, 1]], [[2, 3 * x]]]), (5,), np.array([[[5, 1]], [[2, 15]]])),
    (x, sp.Matrix(0, 2, []), (5,), np.zeros((0, 2))),
]  # fmt: skip


def alike(found: Any, expected: Any) -> bool:
    """Tell whether two results have one structure and nearly the same numbers."""
    if isinstance(expected, (list, tuple)):
        same = type(found) is type(expected) and len(found) == len(expected)
        return same and all(alike(f, e) for f, e in zip(found, expected, strict=True))
    if isinstance(expected, dict):
        return isinstance(found, dict) and alike(list(found.items()), list(expected.items()))
    if isinstance(expected, np.ndarray):
        assert isinstance(found, np.ndarray)
    return np.shape(found) == np.shape(expected) and bool(
        np.allclose(found, expected, rtol=1e-14, atol=0, equal_nan=True)
    )


@pytest.mark.parametrize(("args", "expr", "given", "expected"), CASES)
def test_cases_of_sympy(args: Any, expr: Any, given: Any, expected: Any) -> None:
    assert alike(rw.lambdify(args, expr, **fast)(*given), expected)


def test_the_whole_pipeline_behind_it() -> None:
    f = rw.lambdify((x, y), [sp.sqrt(x**2 + y**2), sp.exp(x) * sp.exp(-x) + y])
    assert alike(f(3, 4), [5.0, 5.0]) and type(f(3.0, 4.0)[0]) is np.float64
    assert isinstance(f.kernel, rw.Kernel)  # type: ignore[attr-defined]
    assert rw.lambdify(x, x * 2, dtype=np.float32, **fast)(np.float32(1)).dtype == np.float32
    with pytest.raises(ArgumentError, match="parallel"):
        rw.lambdify(x, x, parallel=0)


def test_results_have_the_shape_of_sympys() -> None:
    grid = np.linspace(0.1, 1, 5)
    exprs = [x + y, sp.Matrix([[x, y], [x * y, x - y]]), (sp.sin(x), [y])]
    ours = rw.lambdify((x, y), exprs, **fast)(grid, grid[::-1])
    theirs = sp.lambdify((x, y), exprs, "numpy")(grid, grid[::-1])
    assert alike(ours, theirs)


def test_sparse_matrices_are_scipys_where_it_is_named() -> None:  # SymPy's test_scipy_sparse_matrix
    sparse = pytest.importorskip("scipy.sparse")
    matrix = sp.SparseMatrix([[x, 0, 1], [0, y, 0]])
    found = rw.lambdify((x, y), [matrix, x * y], modules="scipy", **fast)(2, 3)
    assert isinstance(found[0], sparse.coo_matrix) and found[1] == 6
    assert found[0].toarray().tolist() == [[2, 0, 1], [0, 3, 0]]
    empty = rw.lambdify(x, sp.SparseMatrix(2, 2, {}), ["numpy", "scipy"], **fast)(1)
    assert empty.nnz == 0 and empty.shape == (2, 2)
    assert isinstance(rw.lambdify((x, y), matrix, **fast)(2, 3), np.ndarray)


def test_what_is_no_number_is_named() -> None:
    for value in (F, x, None, "a"):  # a function of SymPy's is of no module
        with pytest.raises(ArgumentTypeError, match="argument 'x'"):
            rw.lambdify(x, 2 * x, **fast)(value)


def test_argument_counts_are_checked() -> None:  # SymPy's test_nested_args, test_str_args
    for args, wrong in (([], (-1,)), ([[w, x]], (1, 2)), ([(w, x), (y, z)], (3, 4)), ("x,y", (0,))):
        with pytest.raises(TypeError):
            rw.lambdify(args, 1, **fast)(*wrong)
    assert rw.lambdify((x, y), x - y, **fast)(y=1, x=3) == 2


def test_own_functions_and_constants() -> None:  # SymPy's test_own_namespace, test_imps
    assert rw.lambdify(x, sp.sin(x), {"sin": lambda x: 1}, **fast)(0.1) == 1
    assert rw.lambdify(x, sp.sin(x), math, **fast)(0) == 0
    assert rw.lambdify(x, sp.pi + x, {"pi": 3.14}, **fast)(0) == 3.14
    f = sp.Function("f")
    assert rw.lambdify(x, f(x), [{"f": lambda v: np.exp(v)}, {"f": abs}, "numpy"], **fast)(0) == 1
    imp = implemented_function("f", lambda x: x + 100)
    assert rw.lambdify(x, {imp(x): x}, **fast)(3) == {103: 3}
    own = {"f": lambda x: x + 99}
    assert rw.lambdify(x, imp(x), own, **fast)(3) == 103
    assert rw.lambdify(x, imp(x), own, use_imps=False, **fast)(3) == 102
    with pytest.raises(UnsupportedOp, match="'f' takes no terms"):
        rw.lambdify(x, f(x), {"f": math.sqrt})


def minmem(exprs: Any) -> Any:
    return sp.cse(exprs, postprocess=cse_release_variables)


@pytest.mark.parametrize("cse", [False, True, sp.cse, lambda exprs: ((), exprs), minmem])
def test_any_elimination_gives_the_same(cse: Any) -> None:  # SymPy's test_lambdify_cse
    exprs = [(x + y - 1) ** 2, x, (x + y) / (2 * x + 1) + (x + y - 1) ** 2, (2 * x + 1) ** (x + y)]
    assert alike(rw.lambdify((x, y), exprs, cse=cse, **fast)(1, 2), [4.0, 1.0, 5.0, 27.0])
    matrices = [sp.Matrix([[x, x * y]]), x * y]
    assert alike(rw.lambdify((x, y), matrices, cse=cse, **fast)(2, 3), [np.array([[2, 6]]), 6])


def test_cse_of_functions() -> None:  # SymPy's test_23536_lambdify_cse_dummy
    f, g = sp.Function("x")(y), sp.Function("w")(y)
    expr = (z + (f**4 + g**5) * (f**3 + (g * f) ** 3)).expand()
    assert rw.lambdify(((f, g), z), expr, cse=True, **fast)((1.0, 2.0), 3.0) == 300


def test_docstring_signature_and_source() -> None:  # SymPy's test_lambdify_docstring, _inspect
    f: Any = rw.lambdify((w, x, y, z), w + x**2 + y + z, **fast)
    begin = (
        "Created with lambdify. Signature:\n\nfunc(w, x, y, z)\n\nExpression:\n\nw + x**2 + y + z"
    )
    assert f.__doc__.startswith(begin)
    assert list(inspect.signature(f).parameters) == ["w", "x", "y", "z"]
    assert "x**2" in inspect.getsource(f)
    symbols = sp.symbols("a1:26")
    many: Any = rw.lambdify(symbols, sum(symbols), **fast)
    assert many.__doc__.splitlines()[2:8] == [
        "func(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15,",
        "        a16, a17, a18, a19, a20, a21, a22, a23, a24, a25)", "", "Expression:", "",
        "a1 + a10 + a11 + a12 + a13 + a14 + a15 + a16 + a17 + a18 + a19 + a2 + a20 +...",
    ]  # fmt: skip
    short: Any = rw.lambdify(x, x + 1, docstring_limit=0, **fast)
    assert "REDACTED" in short.__doc__
    file = inspect.getsourcefile(f)
    assert file in linecache.cache
    del f
    gc.collect()
    assert file not in linecache.cache


def test_more_symbols_than_numpy_takes() -> None:
    symbols = sp.symbols("a1:81")
    f = rw.lambdify(symbols, sum(k * s for k, s in enumerate(symbols)), **fast)
    expected = sum(k * k for k in range(80))
    assert f(*range(80)) == expected
    assert alike(f(*range(79), np.array([79, 79.0])), np.array([expected] * 2, float))
    each = rw.lambdify(symbols, list(symbols), **fast)
    assert alike(each(*range(80)), [float(k) for k in range(80)])


def test_arrays_are_taken_as_far_as_they_are_used() -> None:
    f = rw.lambdify([base, x], base[1] * x + base[0], **fast)
    assert f([2, 3, 4, 5], 10) == 32
    column = sp.MatrixSymbol("v", 3, 1)
    assert rw.lambdify(column, column[2, 0] - column[0, 0], **fast)([1.0, 2.0, 5.0]) == 4


def test_numba_calls_it() -> None:  # SymPy's test_issue_20070
    f = rw.lambdify(x, sp.sin(x), **fast)
    assert numba.njit(f)(1) == math.sin(1)


@pytest.mark.parametrize(
    ("args", "expr", "options", "error", "words"),
    [
        (x, sp.gamma(x), {}, UnsupportedOp, "gamma"), (x, sp.I * x, {}, UnsupportedOp, "complex"),
        (x, sp.Integral(sp.exp(-(x**2)), (x, 0, y)), {}, UnsupportedOp, "Integral"),
        (x, sp.Derivative(sp.Function("f")(x), x), {}, UnsupportedOp, "Derivative"),
        (x, x * y, {}, ArgumentError, "free symbol 'y'"),
        (x, sp.sin(x), {"modules": "mpmath"}, UnsupportedOp, "use sympy.lambdify"),
        (x, sp.sin(x), {"modules": ["numpy", "jax"]}, UnsupportedOp, "'jax'"),
        (x, x, {"printer": str}, ArgumentError, "printer"),
        ({x, y}, x + y, {}, ArgumentError, "order"),
        (F * G, F * G + 5, {}, ArgumentError, "no symbol"),
        (2 * F, 2 * F, {}, ArgumentError, "no symbol"),
        (sp.MatrixSymbol("A", w, 2), x, {}, ArgumentError, "fixed shape"),
        ([base, x], base[x], {}, UnsupportedOp, "fixed place"), ([x, x], x, {}, ArgumentError, "x"),
        (sp.Symbol("x", real=False), sp.Symbol("x", real=False), {}, UnsupportedOp, "not real"),
    ],
)  # fmt: skip
def test_what_cannot_be_compiled_is_named(
    args: Any, expr: Any, options: Any, error: type[RewriteError], words: str
) -> None:
    with pytest.raises(error, match=words):
        rw.lambdify(args, expr, **options)


leaves = st.sampled_from([x, y, sp.Integer(2), sp.Rational(1, 3), sp.Float(0.75), sp.pi])
grown = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([sp.sin, sp.cos, sp.exp, sp.atan, sp.Abs, sp.tanh]), inner).map(
            lambda pair: pair[0](pair[1])
        ),
        st.tuples(st.sampled_from([sp.Add, sp.Mul, sp.Max, sp.Min]), inner, inner).map(
            lambda part: part[0](*part[1:])
        ),
        st.tuples(inner, inner, inner).map(
            lambda part: sp.Piecewise((part[0], part[1] < part[2]), (part[1], True))
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(grown, st.floats(-2, 2), st.floats(-2, 2))
def test_it_computes_what_sympys_does(expr: Any, p: float, q: float) -> None:
    ours = rw.lambdify((x, y), expr, math="strict", **fast)(p, q)
    theirs = sp.lambdify((x, y), expr, "numpy")(p, q)
    assert np.isclose(ours, float(theirs), rtol=1e-11, atol=1e-11) or not np.isfinite(theirs)
