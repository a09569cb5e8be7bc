"""Kernels outside of Python: C functions in memory, SciPy, Numba, and source text."""

import ctypes
import gc
import platform
import shutil
import subprocess
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba.core.errors import NumbaWarning, TypingError

import rewrite as rw
from codegen.instruction import SIGNATURES
from codegen.kernel import Kernel
from codegen.program import Program, ProgramBuilder
from rewrite.errors import ArgumentError, TargetError

scipy = pytest.importorskip("scipy")
x, y, z = rw.symbols("x y z")
v = rw.symbols("v0 v1 v2")
LAMBDA = rw.symbol("λ")
FILTER = "int (double *, npy_intp, double *, void *)"
LINE = "int (double *, npy_intp, double *, npy_intp, void *)"
TRANSFORM = "int (npy_intp *, double *, int, int, void *)"
reals = st.floats(-1e3, 1e3)


def mixed(**options: Any) -> Kernel:
    b = ProgramBuilder("mixed")
    p, w, c = b.argument("p"), b.argument("w", (2,)), b.argument("c", (), "b")
    picked = b.emit("where", b.load(c), b.load(p), b.load(w, 1))
    b.output("sums", b.emit("add", picked, b.load(w, 0)), b.const(2), shape=(2,))
    b.output("less", b.emit("lt", b.load(p), b.load(w, 0)))
    return Kernel(b.finish(), **options)


# -- C functions in memory -------------------------------------------------------------------


@given(reals, reals)
def test_a_number_by_address_has_the_bits_of_a_call(p: float, q: float) -> None:
    kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double, ctypes.c_double)
    assert kind(WAVE.address)(p, q) == WAVE.ctypes(p, q) == WAVE(p, q)


WAVE = rw.compile([x, y], rw.sin(x) * rw.exp(-y / 100))


def test_the_c_function_says_what_it_takes() -> None:
    assert WAVE.c_signature == "double (double, double)"
    assert WAVE.ctypes.argtypes == (ctypes.c_double,) * 2
    assert rw.compile([x], x + 1, dtype=np.float32).c_signature == "float (float)"
    assert rw.compile([], rw.const(2)).c_signature == "double (void)"
    assert rw.compile([], rw.const(2)).ctypes() == 2
    assert rw.compile([x], x < 1).c_signature == "unsigned char (double)"
    assert rw.compile([x], (x, -x)).c_signature == "void (double, double *, double *)"
    assert mixed().c_signature == (
        "void (double, double *, unsigned char, double *, unsigned char *)"
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_arrays_and_several_results_go_by_address(dtype: Any) -> None:
    kernel = mixed(dtype=dtype)
    number = np.ctypeslib.as_ctypes_type(np.dtype(dtype))
    w, sums, less = (number * 2)(3, 7), (number * 2)(), ctypes.c_ubyte(9)
    kernel.ctypes(2.5, w, 0, sums, ctypes.byref(less))
    assert (list(sums), less.value) == ([10, 2], 1)


def test_a_program_of_loops_has_an_address() -> None:
    states = rw.symbols(" ".join(f"s{k}" for k in range(400)))
    rates = [a * b - rw.sin(c) for a, b, c in zip(states, states[1:], states[2:], strict=False)]
    kernel = rw.compile([list(states)], rates, optimize_terms=False)
    assert type(kernel.program).__name__ == "Rolled"
    values, out = np.linspace(0, 1, 400), np.empty(398)
    pointers = (
        a.ctypes.data_as(k) for a, k in zip((values, out), kernel.ctypes.argtypes, strict=True)
    )
    kernel.ctypes(*pointers)
    assert np.array_equal(out, kernel(values))


def test_what_is_handed_out_keeps_the_code() -> None:
    made = rw.compile([x], x * 3 + 0.25)
    function, scipys = made.ctypes, made.as_scipy()
    gone = weakref.ref(made)
    del made
    gc.collect()
    assert gone() is None
    others = [rw.compile([x], x * k) for k in range(5)]
    assert function(1.0) == 3.25
    assert scipy.integrate.quad(scipys, 0, 2)[0] == pytest.approx(6.5, rel=1e-15)
    del others


LIBM = ctypes.CDLL(None)
UPWARD, REPORTED = 0x800, 0x1D


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the C library's numbers are x86's")
@pytest.mark.parametrize(
    "kernel", [rw.compile([x, y], rw.exp(x) / y), rw.compile([x, y], rw.fmod(x, y))]
)
def test_c_functions_keep_the_floating_point_environment(kernel: Kernel) -> None:
    values = [(0.1, 0.3), (np.inf, 0.0), (7.0, -0.3), (1.0, np.inf)]
    expected = [np.float64(kernel(*pair)).tobytes() for pair in values]
    LIBM.feclearexcept(REPORTED)
    LIBM.fesetround(UPWARD)
    try:
        found = [kernel.ctypes(*pair) for pair in values]
        kept, raised = LIBM.fegetround(), LIBM.fetestexcept(REPORTED)
    finally:
        LIBM.fesetround(0)
    assert [np.float64(value).tobytes() for value in found] == expected
    assert (kept, raised) == (UPWARD, 0)


# -- SciPy -----------------------------------------------------------------------------------


def test_quad_calls_it_with_its_own_arguments_and_with_user_data() -> None:
    quad, nquad = scipy.integrate.quad, scipy.integrate.nquad
    one, two = rw.compile([x], rw.exp(-(x**2))), rw.compile([x, y], rw.exp(-x * y))
    assert quad(one.as_scipy(), 0, np.inf)[0] == pytest.approx(np.sqrt(np.pi) / 2, rel=1e-12)
    expected = (1 - np.exp(-2)) / 2
    by_args = quad(two.as_scipy(), 0, 1, args=(2.0,))[0]
    by_data = quad(two.as_scipy(user_data=[2.0]), 0, 1)[0]
    assert by_args == by_data == pytest.approx(expected, rel=1e-14)
    same = quad(one.as_scipy("double (int, double *)"), 0, 1)
    assert same == quad(one.as_scipy(), 0, 1)
    cubic = rw.compile([x, y, [*v]], x * y * v[0] + v[2] - v[1])
    many = cubic.as_scipy(user_data=[1.0, 2.0, 3.0])
    assert many.signature == "double (int, double *, void *)"
    found = nquad(many, [[0, 1], [0, 2]])[0]
    assert found == pytest.approx(1 + 2, rel=1e-14)


def test_a_wrong_number_of_arguments_is_no_number() -> None:
    two = rw.compile([x, y], x + y).as_scipy()
    with pytest.warns(scipy.integrate.IntegrationWarning):
        assert np.isnan(scipy.integrate.quad(two, 0, 1)[0])


def test_ndimage_calls_it() -> None:
    ndimage = scipy.ndimage
    image = np.random.default_rng(0).random((20, 30))
    window = rw.symbols(" ".join(f"w{k}" for k in range(9)))
    mean = rw.compile([list(window)], sum(window) / 9).as_scipy(FILTER)
    expected = ndimage.uniform_filter(image, 3)
    assert np.allclose(ndimage.generic_filter(image, mean, 3), expected, rtol=1e-13)
    scaled = rw.compile([*window, x], sum(window) * x).as_scipy(FILTER, user_data=1 / 9)
    assert np.allclose(ndimage.generic_filter(image, scaled, 3), expected, rtol=1e-13)
    with pytest.raises(RuntimeError):
        ndimage.generic_filter(image, mean, 5)
    for args in (window, [window]):
        along = rw.compile(args, sum(window) / 9).as_scipy(LINE)
        lines = ndimage.generic_filter1d(image, along, 9)
        assert np.allclose(lines, ndimage.uniform_filter1d(image, 9), rtol=1e-13)
    long = np.random.default_rng(1).random((2, 200_000))  # no memory is taken for each window
    slope = rw.compile([x, y], x - y).as_scipy(LINE)
    assert np.array_equal(
        ndimage.generic_filter1d(long, slope, 2, mode="wrap"), np.roll(long, 1, -1) - long
    )
    for shift in (
        rw.compile([x, y], (x - 0.5, y + 1.25)),
        rw.compile([[x, y]], [x - 0.5, y + 1.25]),
    ):
        found = ndimage.geometric_transform(image, shift.as_scipy(TRANSFORM))
        assert np.array_equal(
            found, ndimage.geometric_transform(image, lambda at: (at[0] - 0.5, at[1] + 1.25))
        )


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: rw.compile([x], x, dtype=np.float32).as_scipy(), TargetError, "float32"),
        (lambda: mixed().as_scipy(), TargetError, "truth values"),
        (lambda: WAVE.as_scipy("float (float)"), TargetError, "choices: double"),
        (lambda: WAVE.as_scipy("double (double)"), ArgumentError, "2 are left"),
        (lambda: WAVE.as_scipy(user_data=[1, 2]), ArgumentError, "at least one"),
        (lambda: WAVE.as_scipy("double (int, double *)", user_data=1), ArgumentError, "no void"),
        (lambda: rw.compile([x], (x, x)).as_scipy(), ArgumentError, "one result"),
        (lambda: rw.compile([x, [*v]], x).as_scipy(user_data=[1, 2]), TargetError, "partly"),
    ],
)  # fmt: skip
def test_scipys_mistakes_are_named(make: Callable[[], Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        make()


# -- Numba -----------------------------------------------------------------------------------


def test_numba_calls_kernels_of_numbers() -> None:
    @numba.njit
    def summed(values: Any) -> Any:
        total = 0.0
        for each in values:
            total += WAVE(each, 2)
        return total

    values = np.linspace(0, 3, 101)
    assert summed(values) == sum(WAVE(values, 2.0).tolist())
    pair = rw.compile([x, y], (x + y, x < y))
    assert numba.njit(lambda a: pair(a, 2))(1.5) == (3.5, True)
    single = rw.compile([x], rw.exp(x), dtype=np.float32)
    assert numba.njit(lambda a: single(a))(0.5) == single(0.5)
    assert pair.numba(1.5, 2.0) == (3.5, True)


def test_numba_calls_kernels_of_arrays() -> None:
    turned = rw.compile([x, list(v)], [[v[0] * x, v[1]], [v[2], 1]])

    @numba.njit
    def call(kernel: Any, at: float, values: Any) -> Any:
        return kernel(at, values)

    values = np.array([1.0, 2.0, 3.0])
    assert np.array_equal(call(turned, 2.0, values), turned(2.0, values))
    assert np.array_equal(call(turned, True, values), turned(1.0, values))
    with pytest.raises(ArgumentError, match=r"shape \(3,\)"):
        call(turned, 2.0, values[:2].copy())
    for wrong in (values.astype(np.float32), values[::-1], 1.0):
        with pytest.raises(TypingError, match="array of"):
            call(turned, 2.0, wrong)
    with pytest.raises(TypingError, match="in a loop"):
        numba.njit(lambda a: WAVE(a, 1.0))(values)
    truth = mixed()
    sums, less = numba.njit(lambda a, w, c: truth(a, w, c))(2.5, np.array([3.0, 7.0]), False)
    assert (sums.tolist(), less) == ([10, 2], True)


def test_what_numba_compiled_keeps_the_code() -> None:
    made = rw.compile([x], x * 5 + 0.5)
    local = made

    @numba.njit
    def call(a: float) -> Any:
        return local(a)

    assert call(1.0) == 5.5
    code = weakref.ref(made.native)
    cell: Any = call.py_func.__closure__
    cell[0].cell_contents = None
    del made
    gc.collect()
    assert code() is not None
    assert call(2.0) == 10.5


def test_numba_does_not_keep_addresses_on_disk(tmp_path: Path) -> None:
    text = "import numba\n@numba.njit(cache=True)\ndef call(a):\n    return kernel(a)\n"
    file = tmp_path / "cached.py"
    file.write_text(text)
    scope: dict[str, Any] = {"kernel": rw.compile([x], x + 1), "__name__": "cached"}
    exec(compile(text, str(file), "exec"), scope)
    with pytest.warns(NumbaWarning, match="dynamic globals"):
        assert scope["call"](1.0) == 2
    assert not list(tmp_path.rglob("*.nbi"))


# -- source text -----------------------------------------------------------------------------

UNARY = [op for op, rows in SIGNATURES.items() if ("f", "f") in rows]
BINARY = [op for op, rows in SIGNATURES.items() if ("ff", "f") in rows or ("ff", "b") in rows]
POINTS = [0.0, -0.0, 0.25, -0.75, 0.5, 1.5, 2.5, -3.25, 20.0, float("inf"), float("nan")]


def every_op() -> Program:
    """A program that has each op once, of two arguments and a truth value."""
    b = ProgramBuilder("every op")
    p, q = b.load(b.argument("int")), b.load(b.argument("np"))
    c = b.load(b.argument("c", (), "b"))
    values = [b.emit(op, p) for op in UNARY] + [b.emit(op, p, q) for op in BINARY]
    truths = [
        v
        for v, op in zip(values[len(UNARY) :], BINARY, strict=True)
        if ("ff", "b") in SIGNATURES[op]
    ]
    numbers = [v for v in values if v not in truths]
    for number, truth in enumerate(truths):
        b.output(f"t{number}", b.emit("and", b.emit("not", truth), b.emit("or", c, truth)))
    fused, picked = b.emit("fma", p, q, b.const(-1.5)), b.emit("where", c, p, b.const(float("inf")))
    b.output("numbers", *numbers, fused, picked, b.const("pi"), shape=(len(numbers) + 3,))
    return b.finish()


def grid() -> tuple[Any, ...]:
    p, q, c = np.meshgrid(POINTS, POINTS, [False, True])
    return p.ravel(), q.ravel(), c.ravel()


def alike(found: Any, expected: Any) -> bool:
    near = np.isclose(found, expected, rtol=1e-13, atol=1e-14, equal_nan=True)
    return bool(np.all(near))


def test_python_source_is_the_same_function() -> None:
    kernel, scope = Kernel(every_op()), dict[str, Any]()
    exec(kernel.python_source, scope)
    args = grid()
    with np.errstate(all="ignore"):
        for found, expected in zip(scope["every_op"](*args), kernel(*args), strict=True):
            assert alike(found, expected)


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_c_source_is_the_same_function(dtype: Any, tmp_path: Path) -> None:
    kernel = Kernel(every_op(), dtype=dtype)
    library = compiled(kernel, tmp_path)
    run = library[kernel.c_source.partition("void ")[2].partition("(")[0]]
    run.argtypes, run.restype = kernel.ctypes.argtypes, None
    count = len(kernel.program.outputs) - 1
    number = np.ctypeslib.as_ctypes_type(np.dtype(dtype))
    size = kernel.program.outputs[-1].shape[0]
    for p, q, c in zip(*grid(), strict=True):
        truths, numbers = [ctypes.c_ubyte() for _ in range(count)], (number * size)()
        run(p, q, int(c), *map(ctypes.byref, truths), numbers)
        *expected, values = kernel(dtype(p), dtype(q), c)
        assert [bool(each.value) for each in truths] == expected
        rtol = 1e-13 if dtype is np.float64 else 1e-5
        assert np.allclose(list(numbers), values, rtol=rtol, atol=1e-7, equal_nan=True)


def compiled(kernel: Kernel, folder: Path) -> ctypes.CDLL:
    source, library = folder / "f.c", folder / "f.so"
    source.write_text(kernel.c_source)
    flags = [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-std=c99",
        "-O1",
        "-ffp-contract=off",
        "-shared",
        "-fPIC",
    ]
    done = subprocess.run(
        ["cc", *flags, "-o", library, source, "-lm"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return ctypes.CDLL(str(library))


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_c_source_of_one_result_returns_it(tmp_path: Path) -> None:
    kernel = rw.compile([x, y], (x + y) * (x - y) + rw.minimum(x, y), math="strict", name="sin")
    run = compiled(kernel, tmp_path)["sin_"]
    run.argtypes, run.restype = kernel.ctypes.argtypes, ctypes.c_double
    for p in POINTS[:-2]:
        assert run(p, 0.3) == kernel(p, 0.3)
    assert "double kernel(double lambda)" in rw.compile([LAMBDA], LAMBDA * 2).c_source


def test_python_source_of_results_by_name_and_of_arrays() -> None:
    kernel = rw.compile(
        [x, list(v)], {"a": [[v[0] * x, 1], [v[2], rw.erf(x)]], "lambda": v[1] - x}, name="class"
    )
    scope: dict[str, Any] = {}
    exec(kernel.python_source, scope)
    args = np.linspace(0, 1, 4), np.arange(12.0).reshape(4, 3)
    found, expected = scope["class_"](*args), kernel(*args)
    assert list(found) == list(expected)
    assert all(alike(found[name], expected[name]) for name in found)


def halved(value: float) -> float:
    while value > 1:
        value = value / 2
    return value


def test_loops_that_depend_on_data_have_an_address_and_no_source() -> None:
    jitted = rw.jit(control_flow=True)(halved)
    assert jitted(5.0) == 0.625
    kernel: Any = jitted.kernels[0]
    assert kernel.ctypes(5.0) == 0.625
    for source in ("c_source", "python_source"):
        with pytest.raises(TargetError, match="runs loops"):
            getattr(kernel, source)
