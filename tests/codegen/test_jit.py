"""Tracing and compiling ordinary Python functions."""

import functools
import inspect
import random
import threading
import time
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.sparse

import rewrite as rw
from codegen.jit import Jitted, jit
from rewrite.errors import ArgumentError, ElementError, SortError, TraceError, UnsupportedOp
from rewrite.tracing import trace

FAST: dict[str, Any] = {"optimize_terms": False}
"""Most tests are about calls, not about the optimiser."""


def smooth(u: Any, v: Any, k: Any = 2.0) -> Any:
    """Return something smooth."""
    return np.exp(-((u / v) ** 2) / k)


def test_a_function_is_compiled_unchanged() -> None:
    f: Any = jit(smooth)
    u, v = np.linspace(-3, 3, 1001), np.linspace(1, 2, 1001)
    assert np.allclose(f(u, v), smooth(u, v), rtol=1e-14)
    assert np.allclose(f(u[:, None], v, k=3.0), smooth(u[:, None], v, 3.0), rtol=1e-14)
    assert f(1.0, v=2.0) == pytest.approx(smooth(1.0, 2.0))
    assert len(f.kernels) == 1 and f.kernels[0].__name__ == "smooth"
    assert f.__name__ == "smooth" and f.__doc__ == "Return something smooth."
    assert inspect.signature(f) == inspect.signature(smooth) and f.__wrapped__ is smooth
    assert repr(f).startswith("<jit smooth(u") and repr(f).endswith(": 1 kernels>")


class Scaled:
    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, x: Any) -> Any:
        return self.factor * x


def test_partial_functions_and_objects_that_are_called() -> None:
    def scaled(factor: float, x: Any, *, plus: float = 0.0) -> Any:
        return factor * x + plus

    double = jit(functools.partial(scaled, 2.0, plus=1.0))
    assert double(3.0) == 7 and double.kernels[0].__name__ == "scaled"
    assert ".scaled(x: Any, *, plus: float = 1.0)" in repr(double)
    triple = jit(Scaled(3.0))
    assert triple(3.0) == 9 and triple.kernels[0].__name__ == "Scaled"
    with pytest.raises(ArgumentError, match="scaled has no parameter 'z'"):
        jit(static=["z"])(functools.partial(scaled, 2.0))


def test_strict_math_has_numpys_bits() -> None:
    @rw.jit(math="strict")
    def horner(x: Any) -> Any:
        return ((x * 3 - 1.5) * x + np.sqrt(x)) / (x + 0.1)

    x = np.linspace(0, 5, 999)
    assert np.array_equal(horner(x), horner.fn(x))


def test_float32_is_computed_in_float32() -> None:
    f = jit(**FAST)(smooth)
    x = np.linspace(-1, 1, 9, dtype=np.float32)
    assert f(x, np.float32(2), np.float32(2)).dtype == np.float32
    assert f(x, 2.0).dtype == np.float32 and f(x.astype(float), 2.0).dtype == np.float64
    assert len(f.kernels) == 1


def test_positional_keyword_default_and_star_arguments() -> None:
    @jit(**FAST)
    def f(a: Any, /, b: Any = 2.0, *rest: Any, c: Any = 3.0, **more: Any) -> Any:
        return a + 10 * b + 100 * c + 1000 * sum(rest) + 10_000 * sum(more.values())

    assert f(1.0) == 321 and f(1.0, 1.0) == 311 and f(1.0, b=1.0, c=1.0) == 111
    assert f(1.0, 2.0, 1.0, 1.0) == 2321 and f(1.0, d=2.0) == 20_321
    assert f(1.0, 2.0, 3.0, d=1.0, e=1.0) == 23_321
    assert f(4.0) == 324 and f(np.arange(2.0)).tolist() == [320, 321]
    with pytest.raises(TypeError, match="missing a required argument: 'a'"):
        f()


class Pair(NamedTuple):
    low: Any
    high: Any


def test_results_come_back_in_their_containers() -> None:
    @jit(**FAST)
    def f(x: Any) -> Any:
        return {"pair": Pair(-x, x), "list": [x * 2, 1], "one": (x,)}

    out = f(np.arange(3.0))
    assert list(out) == ["pair", "list", "one"] and isinstance(out["pair"], Pair)
    assert out["pair"].low.tolist() == [0, -1, -2] and isinstance(out["list"], list)
    assert out["list"][1].tolist() == [1, 1, 1] and isinstance(out["one"], tuple)
    assert jit(**FAST)(lambda x: (x + 1,))(1.0) == (2.0,)
    assert jit(**FAST)(lambda x: 7)(np.zeros(2)).tolist() == [7, 7]


def test_whole_arrays_are_traced_by_shape() -> None:
    @jit(arrays=["u"], **FAST)
    def stencil(u: Any, d: Any) -> Any:
        inner = u[2:] - 2 * u[1:-1] + u[:-2]
        return np.concatenate([u[:1], inner * d, u[-1:]])

    for size in (5, 8, 5):
        u = np.arange(size) ** 2.0
        assert np.array_equal(stencil(u, 0.5), stencil.fn(u, 0.5))
    assert len(stencil.kernels) == 2


def test_static_arguments_keep_their_values() -> None:
    @jit(static=["n"], **FAST)
    def power(x: Any, n: int, mode: str = "plain", shift: Any = None) -> Any:
        result = x if shift is None else x + shift
        for _ in range(n - 1):
            result = result * x
        return -result if mode == "minus" else result

    x = np.arange(4.0)
    assert np.array_equal(power(x, 3), x**3) and np.array_equal(
        power(x, n=2, mode="minus"), -(x**2)
    )
    assert power(2.0, 2, shift=1.0) == 6 and power(2.0, 2, "plain", 1.0) == 6
    assert len(power.kernels) == 3
    with pytest.raises(ArgumentError, match=r"static argument 'n' is .* no hash"):
        power(2.0, {3})


def test_static_arrays_are_told_by_what_is_in_them() -> None:
    @jit(arrays=["u"], static=["p"], **FAST)
    def f(u: Any, p: Any) -> Any:
        scale, matrix, cache = p
        np.matmul(matrix, u, out=cache["c"])
        return scale * cache["c"]

    def given(last: float) -> Any:
        return 2.0, np.diag([1.0, 2.0, last]), {"c": np.zeros(3)}

    u, p = np.arange(3.0), given(3.0)
    assert f(u, p).tolist() == [0, 4, 12] and f(u, given(3.0)).tolist() == [0, 4, 12]
    assert len(f.kernels) == 1 and not p[2]["c"].any()
    assert f(u, given(4.0)).tolist() == [0, 4, 16] and len(f.kernels) == 2
    sparse = scipy.sparse.csr_array(np.eye(3))
    assert f(u, (2.0, sparse @ sparse, {"c": np.zeros(3)})).tolist() == [0, 2, 4]
    assert f(u, (2.0, 3 * sparse, {"c": np.zeros(3)})).tolist() == [0, 6, 12]


def test_arrays_are_filled_in_place() -> None:
    @jit(out=["du", "flux"], **FAST)
    def f(du: Any, u: Any, p: Any = None, t: Any = 0.0, flux: Any = None) -> None:
        flux[...] = u[:, 1:] - u[:, :-1]
        du[:, 0], du[:, -1] = flux[:, 0], -flux[:, -1] + t
        np.subtract(flux[:, 1:], flux[:, :-1], out=du[:, 1:-1])

    u = np.random.default_rng(0).random((3, 5))
    du, flux = np.empty((3, 5)), np.empty((3, 4))
    wanted, wanted_flux = np.empty((3, 5)), np.empty((3, 4))
    assert f(du, u, None, 2.0, flux=flux) is None
    f.fn(wanted, u, None, 2.0, flux=wanted_flux)
    assert np.array_equal(du, wanted) and np.array_equal(flux, wanted_flux)
    strided = np.zeros((3, 10))[:, ::2]
    f(strided, u, t=2.0, flux=flux)
    assert np.array_equal(strided, wanted) and len(f.kernels) == 1
    with pytest.raises(ArgumentError, match="argument 'du' is filled in: pass an array of floats"):
        f(du.tolist(), u, flux=flux)
    with pytest.raises(
        ArgumentError, match="argument 'flux' is filled in: pass an array of floats"
    ):
        f(du, u)
    with pytest.raises(ArgumentError, match="has no parameter 'dv'"):
        jit(out=["dv"])(f.fn)
    terms = rw.asarray(np.zeros((3, 5)))
    symbols = [rw.symbol(f"s{k}") for k in range(15)]
    f(terms, rw.asarray(symbols).reshape(3, 5), flux=rw.asarray(np.zeros((3, 4))))
    assert str(terms[0, 0]) == "s1 - s0"


@pytest.mark.parametrize("shape", [(2,), (2, 3), (8, 8, 3), (2, 1, 3, 2), (4, 2, 3, 8, 2)])
def test_whole_arrays_of_any_number_of_axes(shape: tuple[int, ...]) -> None:
    def f(u: Any, k: Any = 2.0) -> Any:
        v = np.roll(np.flip(u), 1, axis=0) * k - u
        return v, {"total": v.sum(), "moved": np.moveaxis(v, 0, -1)}

    def g(du: Any, u: Any) -> None:
        du[...] = f(u)[0]

    jitted: Any = jit(arrays=["u"], **FAST)(f)
    filling: Any = jit(out=["du"], **FAST)(g)
    u = np.random.default_rng(0).random(shape)
    for given in (u, u.T.copy().T, np.repeat(u, 2, axis=-1)[..., ::2]):
        found, wanted = jitted(given), f(u)
        assert np.array_equal(found[0], wanted[0]) and found[0].shape == shape
        assert np.isclose(found[1]["total"], wanted[1]["total"])
        assert np.array_equal(found[1]["moved"], wanted[1]["moved"])
        assert np.array_equal(jitted(given, 3.0)[0], f(u, 3.0)[0])
        for du in (np.empty(shape), np.empty((*shape, 2))[..., 1]):
            filling(du, given)
            assert np.array_equal(du, wanted[0])
    many = jitted(u, np.arange(3.0))  # numbers broadcast, with axes before those of results
    assert many[0].shape == (3, *shape) and np.array_equal(many[0][2], f(u)[0])
    alone: Any = jit(arrays=["u"], **FAST)(lambda u: f(u)[0])
    assert np.array_equal(alone(u), f(u)[0])


def test_static_values_are_one_if_they_compile_alike() -> None:
    @jit(static=["c"], **FAST)
    def shifted(x: Any, c: Any) -> Any:
        first = c[0] if isinstance(c, tuple) else c
        return np.copysign(x, first) * (2 if isinstance(first, int) else 1)

    nan = float("nan")
    assert shifted(1.0, 0.0) == 1 and shifted(1.0, -0.0) == -1
    assert shifted(1.0, (0.0,)) == 1 and shifted(1.0, (-0.0,)) == -1 and shifted(1.0, (1,)) == 2
    assert shifted(1.0, np.float32(0)) == 1 and shifted(1.0, np.float32(-0.0)) == -1
    assert shifted(1.0, (1.0,)) == 1 and len(shifted.kernels) == 8
    for _ in range(3):
        shifted(1.0, nan), shifted(1.0, float("nan")), shifted(1.0, (float("nan"),))
    assert len(shifted.kernels) == 10


def test_truth_values_are_traced_as_such() -> None:
    @jit(**FAST)
    def pick(c: Any, x: Any) -> Any:
        return np.where(c & (x < 2), x, -x)

    x = np.arange(4.0)
    assert pick(x > 0, x).tolist() == [0, 1, -2, -3] and pick(True, 1.0) == 1
    assert pick(np.False_, x).tolist() == [0, -1, -2, -3]


def test_jitted_functions_work_on_terms_and_in_each_other() -> None:
    inner = jit(**FAST)(lambda x: x * x + 1)
    x = rw.symbol("x")
    assert inner(x) == x * x + 1 and not inner.kernels

    @jit(**FAST)
    def outer(x: Any) -> Any:
        return inner(x) / 2

    assert outer(3.0) == 5 and not inner.kernels


def test_trace_shows_what_is_compiled() -> None:
    f = jit(smooth)
    traced = f.trace(1.0, v=2.0)
    assert str(traced.args) == "(u, v, k)" and str(traced.result) == "exp(-(u/v)**2/k)"
    assert traced.terms == [traced.result] and not f.kernels
    before = len(rw.symbol("u").store)
    f(2.0, 1.0)
    assert len(rw.symbol("u").store) == before  # kernels leave no terms behind


def test_threads_compile_once() -> None:
    calls = []

    @jit(**FAST)
    def f(x: Any) -> Any:
        calls.append(1)
        return np.sin(x) + 1

    results: list[float] = []
    threads = [threading.Thread(target=lambda: results.append(f(0.0))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1.0] * 8 and len(calls) == len(f.kernels) == 1


def test_public_trace() -> None:
    def f(u: Any, v: Any, flag: Any) -> Any:
        return np.where(flag, u.sum(), v)

    traced = trace(f, [(2, 2), None, bool])
    assert str(traced.result) == "where(flag, u_0_0 + u_0_1 + u_1_0 + u_1_1, v)"
    assert [rw.asarray(arg).shape for arg in traced.args] == [(2, 2), (), ()]
    x = rw.symbol("x", low=0)
    assert trace(lambda a: a + 1, [x]).result == x + 1
    assert str(trace(lambda u, u_0: u[0] + u_0, [(1,), None]).result) == "u__0 + u_0"
    assert str(trace(lambda *xs: sum(xs), [None, None]).result) == "0 + xs_0 + xs_1"
    assert str(trace(lambda a, b=2: a * b, [None]).result) == "a*2"
    with pytest.raises(TraceError, match="takes 1 arguments, not 2"):
        trace(lambda a: a, [None, None])
    with pytest.raises(TraceError, match="argument 'a': 'no such' is no symbol"):
        trace(lambda a: a, ["no such"])
    with pytest.raises(SortError, match="argument 'a' cannot have dtype complex128"):
        trace(lambda a: a, [complex])


def branches(x: Any) -> Any:
    y = x * 2
    if y > 1:
        return y
    return -y


def test_a_branch_on_a_value_names_where_and_the_line() -> None:
    with pytest.raises(TraceError) as caught:
        jit(branches)(1.0)
    text = str(caught.value)
    line = inspect.getsourcelines(branches)[1] + 2
    assert "x*2 > 1" in text and "rw.where" in text
    assert text.endswith(f"in branches, line {line}: if y > 1:")


@pytest.mark.parametrize(
    ("function", "error", "words"),
    [
        (lambda x: None, TraceError, "returned None of type NoneType as result"),
        (lambda x: {"a": [x, "s"]}, TraceError, r"returned 's' of type str as result\['a'\]\[1\]"),
        (lambda x: (), TraceError, "returned no values"),
        (lambda x: x + 1j, UnsupportedOp, "complex.*\n  in <lambda>, line"),
        (lambda x: np.fft.fft(x), UnsupportedOp, r"np\.fft\.fft .*: .*\n  in <lambda>, line"),
        (lambda x: np.frexp(x), UnsupportedOp, r"np\.frexp"),
        (lambda x: range(x), TraceError, "cannot be an index"),
        (lambda x: float(x), TraceError, "known when the terms are built"),
        (lambda x: np.array([x, x]), TraceError, r"rw\.jit\(arrays="),
        (lambda x: x & 1, SortError, "truth value"),
        (lambda x: max(x, 0), TraceError, r"rw\.where"),
        (lambda x: sorted([x, x * 2]), TraceError, r"rw\.where"),
    ],
)  # fmt: skip
def test_what_a_trace_cannot_record(function: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        jit(function)(1.0)


def test_bad_arguments_are_named() -> None:
    f = jit(**FAST)(lambda x: x + 1)
    for wrong in (1j, np.array(["a"]), object(), [None], np.array([1j])):
        with pytest.raises(ArgumentError, match=r"argument 'x' is .* pass real numbers"):
            f(wrong)
    assert f([1.0, 2.0]).tolist() == [2, 3]
    with pytest.raises(ArgumentError, match="has no parameter 'z'"):
        Jitted(smooth, {}, arrays=["z"])
    with pytest.raises(ArgumentError, match="pass a list of parameter names"):
        jit(static="n")
    stray = rw.symbol("stray")
    with pytest.raises(ArgumentError, match="free symbol 'stray'"):
        jit(**FAST)(lambda x: x + stray)(1.0)


def test_user_errors_pass_through_as_they_are() -> None:
    @jit
    def f(x: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match=r"^mine$"):
        f(1.0)
    assert not f.kernels


WHOLE = (
    lambda u: u.sum(),
    lambda u: u / np.sum(u),
    lambda u: u * np.arange(1.0, 5),
    lambda u: np.roll(u, 1),
    lambda u: np.stack([u, u]),
    lambda u: u * u.size,
    lambda u: u * u.ndim,
    lambda u: np.dot(u, u),
    lambda u: u @ u,
    lambda u: u.reshape(-1),
    lambda u: np.prod(u),
    lambda u: u[0],
    lambda u: np.add.reduce(u),
)
FILLED = (
    lambda u: np.full(3, u),
    lambda u: np.add(u, 1, out=np.empty(3)),
    lambda u: np.zeros(3).__setitem__(0, u),
    lambda u: np.zeros(3).fill(u),
)


@pytest.mark.parametrize("function", WHOLE + FILLED)
def test_what_needs_the_whole_array_is_no_function_of_numbers(function: Any) -> None:
    """An argument is traced as one element: its sum would silently be itself."""
    with pytest.raises(ElementError, match=r"rw\.jit\(arrays="):
        jit(function)(2.0)


@pytest.mark.parametrize("function", WHOLE)
def test_what_needs_the_whole_array_is_given_it(function: Any) -> None:
    u = np.arange(1.0, 5)
    np.testing.assert_allclose(jit(function, **FAST)(u), function(u), rtol=1e-14)


@pytest.mark.parametrize("function", FILLED)
def test_what_fits_no_array_is_refused(function: Any) -> None:
    with pytest.raises(TraceError, match=r"(?s)shape|no values|element"):
        jit(function)(np.arange(1.0, 5))


def test_a_function_that_looks_at_several_elements_is_given_whole_arrays() -> None:
    @rw.jit
    def heat(u: Any, k: Any, rate: Any = 0.1) -> Any:
        return u + rate * k * (np.roll(u, 1) - 2 * u + np.roll(u, -1))

    for n in (5, 8):
        u, k = np.linspace(0, 1, n) ** 2, np.linspace(1, 2, n)
        np.testing.assert_allclose(heat(u, k), heat.fn(u, k), rtol=1e-14)
        np.testing.assert_allclose(heat(u, 3.0, rate=0.2), heat.fn(u, 3.0, 0.2), rtol=1e-14)
    assert heat.trace(np.ones(3), 2.0).result.shape == (3,)
    grid = np.arange(12.0).reshape(3, 4)
    np.testing.assert_allclose(heat(grid, grid), heat.fn(grid, grid), rtol=1e-14)


def test_a_function_of_elements_stays_one_after_lists_and_numbers() -> None:
    @rw.jit
    def norm(u: Any) -> Any:
        return np.sqrt((u * u).sum())

    with pytest.raises(ElementError, match="several elements of u"):
        norm(2.0)
    assert norm([3.0, 4.0]) == 5.0
    with pytest.raises(ElementError):
        norm(2.0)
    assert norm(np.ones(4)) == 2.0


def test_named_arrays_leave_the_others_elementwise() -> None:
    @rw.jit(arrays=["u"])
    def scaled(u: Any, k: Any) -> Any:
        return u.sum() * k

    np.testing.assert_array_equal(scaled(np.ones(3), np.arange(4.0)), 3 * np.arange(4.0))


def perceptron(layers: Any, x: Any) -> Any:
    for weights, bias in layers:
        x = np.tanh(weights @ x + bias)
    return x.sum()


def layers(seed: int = 0) -> Any:
    random = np.random.default_rng(seed)
    sizes = [(4, 3), (2, 4)]
    return [(random.normal(size=size), random.normal(size=size[0])) for size in sizes]


def test_containers_of_arrays_are_taken_apart() -> None:
    @rw.jit
    def f(p: Any, x: Any) -> Any:
        return p["a"] * x + p["b"]["c d"]

    x = np.arange(3.0)
    np.testing.assert_array_equal(f({"a": 2.0, "b": {"c d": x}}, 1.0), x + 2)
    np.testing.assert_array_equal(f({"a": x, "b": {"c d": 1.0}}, x), x * x + 1)
    assert f(p={"a": 2, "b": {"c d": 1}}, x=3) == 7
    assert len(f.kernels) == 1 and "p_b_c_d" in str(f.kernels[0])
    pair: Any = rw.jit(lambda p: p.low * p.high)
    np.testing.assert_array_equal(pair(Pair(x, 2.0)), 2 * x)
    assert jit(perceptron, **FAST)(layers(), x) == pytest.approx(perceptron(layers(), x), rel=1e-13)
    assert jit(lambda v: v[0] - v[1], **FAST)((3.0, 1.0)) == 2


def test_containers_of_other_types_are_other_calls() -> None:
    @rw.jit
    def f(p: Any) -> Any:
        return p["low"] * 2 if isinstance(p, dict) else p.low

    assert [f(Pair(1.0, 2.0)), f({"low": 1.0, "high": 2.0}), f(Pair(1.0, 2.0))] == [1, 2, 1]


def test_names_of_parts_are_told_apart() -> None:
    f: Any = jit(lambda p, p_a, *rest: p["a"] - p_a + sum(rest), **FAST)
    assert f({"a": 5.0}, 3.0, 1.0, 2.0) == 5
    whole: Any = jit(lambda *rows: np.stack(rows).sum(axis=1), **FAST)
    np.testing.assert_array_equal(whole(np.ones(3), np.arange(3.0)), [3, 3])


def test_what_is_no_number_in_a_container_is_told_by_its_parameter() -> None:
    with pytest.raises(ArgumentError, match=r"argument 'p_b' .* jit\(static=\['p'\]\)"):
        rw.jit(lambda p: p["a"])({"a": 1.0, "b": object()})


def test_a_container_with_terms_calls_the_function() -> None:
    x, y = rw.symbols("x y")
    f: Any = rw.jit(lambda p: p["a"] * p["b"])
    assert f({"a": x, "b": y}) == x * y and not f.kernels


@pytest.mark.parametrize("dtype", [np.int8, np.uint16])
def test_small_integers_are_divided_in_float64_as_in_numpy(dtype: Any) -> None:
    def ratio(a: Any, b: Any) -> Any:
        return a / b + a / 3

    a, b = np.arange(1, 100, dtype=dtype), np.arange(100, 1, -1, dtype=dtype)
    found = rw.jit(math="strict")(ratio)(a, b)
    np.testing.assert_array_equal(found, ratio(a, b), strict=True)
    single = b.astype(np.float32)
    assert rw.jit(lambda a, x: a * x)(a, single).dtype == (a * single).dtype == np.float32


GENERATOR = np.random.default_rng(1)


class Drawing:
    def __init__(self) -> None:
        self.source = np.random.RandomState(1)

    def __call__(self, x: Any) -> Any:
        return x * self.source.rand()


def imported(x: Any) -> Any:
    from random import gauss

    return x + gauss(0, 1)


@pytest.mark.parametrize(
    "fn",
    [
        lambda x: x * random.random(),
        lambda x: x + np.random.rand(),
        lambda x: x + np.random.default_rng().random(),
        lambda x: x - GENERATOR.normal(),
        lambda x: x * time.time(),
        Drawing(),
        imported,
    ],
)
def test_what_changes_from_call_to_call_is_not_kept(fn: Any) -> None:
    with pytest.raises(TraceError, match="in each call"):
        jit(fn)(np.ones(3))
    assert np.ndim(fn(1.0)) == 0, "the function itself is as it was"


def test_generators_with_a_seed_draw_the_same_numbers() -> None:
    def noisy(x: Any) -> Any:
        noise = np.random.default_rng(3).normal(size=3) + random.Random(2).random()
        return x + noise * np.random.RandomState(1).rand()

    np.testing.assert_array_equal(jit(noisy, math="strict")(np.ones(3)), noisy(np.ones(3)))


def test_what_changes_is_found_where_the_source_is_read() -> None:
    def noisy(x: Any) -> Any:
        if x > 0:
            return x + random.gauss(0, 1)
        return x * GENERATOR.random()

    with pytest.raises(TraceError, match=r"random.gauss\(\) .*\n.*line"):
        jit(noisy, control_flow=True)(1.0)


def test_calls_of_known_kinds_look_at_no_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """And another shape, type or container is another kind."""

    @rw.jit
    def f(x: Any, y: Any) -> Any:
        return x[1:] * y - x[:-1]

    def plain(x: Any, y: Any) -> Any:
        return x[1:] * y - x[:-1]

    one, two = np.arange(4.0), np.arange(6.0)
    calls: list[tuple[Any, Any]] = [
        (one, 2.0),
        (two, 3.0),
        (one, np.arange(3.0)),
        (two.astype("f4"), 2),
    ]
    for _ in range(2):
        for x, y in calls:
            np.testing.assert_array_equal(f(x, y), plain(x, y))
    monkeypatch.setattr(f, "_bind", None)
    for x, y in calls:
        np.testing.assert_array_equal(f(x, y), plain(x, y))
    with pytest.raises(TypeError):  # small integers are made wider
        f(one.astype(np.int8), 2.0)


@pytest.mark.parametrize("ufunc", [np.hypot, np.maximum, np.divmod, np.negative, np.logical_xor])
def test_ufuncs_are_functions_of_their_arguments(ufunc: np.ufunc) -> None:
    args = np.array([1.0, 0.0, -3.0]), np.array([2.5, 2.0, 0.5])
    found, expected = jit(ufunc)(*args[: ufunc.nin]), ufunc(*args[: ufunc.nin])
    np.testing.assert_array_equal(np.array(found), np.array(expected))
