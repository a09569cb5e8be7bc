"""Code that cannot be made: every call says so, and where none can be raised it is reported."""

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.loops.program import Rolled
from rewrite.errors import CompilationError

NONE = "no room for code"
U = np.linspace(0.5, 1.5, 60)


def network(results: Callable[[Any], Any] = lambda terms: terms, **options: Any) -> Any:
    """Return a kernel of loops over tables."""
    x = rw.asarray([rw.symbol(f"x{k}") for k in range(60)])
    picks = np.random.default_rng(0).integers(0, 60, (3, 900))
    terms = (x[picks[0]] * x[picks[1]] - x[picks[2]]).reshape(60, 15).sum(-1)
    kernel = rw.compile([x], results(terms), optimize_terms=False, **options)
    assert isinstance(kernel.program, Rolled)
    return kernel


def elementwise(**options: Any) -> Any:
    x, y = rw.symbols("x y")
    return rw.compile([x, y], x * y + 1, **options)


def raising(*_: Any, **__: Any) -> Any:
    raise MemoryError(NONE)


@pytest.fixture
def ignored(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Collect what Python reports and goes on after."""
    seen: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda problem: seen.append(problem.exc_value))
    yield seen
    assert all(isinstance(error, MemoryError) for error in seen)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return what makes a network whose code cannot be made, as LLVM's thread finds out."""

    def made(**options: Any) -> Any:
        with monkeypatch.context() as patch:
            patch.setenv("REWRITE_CACHE", "0")
            patch.setattr("codegen.loops.code.object_code", raising)
            kernel = network(**options)
            pending = kernel.loop().maker.pending
            assert isinstance(pending.exception(), MemoryError)
            return kernel

    return made


def refused(call: Callable[[], Any], what: str = "code for float64") -> None:
    with pytest.raises(CompilationError, match=f"the {what} of kernel 'kernel'.*{NONE}") as found:
        call()
    assert isinstance(found.value.__cause__, MemoryError)


@pytest.mark.parametrize("options", [{}, {"parallel": 2}, {"batch_axis": -1}], ids=str)
def test_each_call_says_what_failed(
    options: dict[str, Any], broken: Callable[..., Any], ignored: list[Any]
) -> None:
    kernel = broken(**options)
    out = np.zeros(60)
    for _ in range(3):
        refused(lambda: kernel(U))
        refused(lambda: kernel(U, out=out))
        refused(lambda: kernel(U.tolist()))
        refused(lambda: kernel(np.ones(60, np.int64)))


def test_what_hands_out_pointers_says_so_at_once(broken: Callable[..., Any]) -> None:
    kernel = broken()
    for ask in (
        lambda: kernel.address, lambda: kernel.ctypes, lambda: kernel.native,
        lambda: kernel.ufunc, lambda: kernel.ufunc(U), lambda: kernel.numba,
    ):  # fmt: skip
        refused(ask)


def test_results_by_name_and_without_arguments(
    monkeypatch: pytest.MonkeyPatch, ignored: list[Any]
) -> None:
    monkeypatch.setenv("REWRITE_CACHE", "0")
    monkeypatch.setattr("codegen.loops.code.object_code", raising)
    named = network(lambda terms: {"a": terms, "b": terms[0] * 2})
    plain = rw.compile([], rw.asarray([rw.const(k % 3 + 0.5) for k in range(3000)]))
    for _ in range(2):
        refused(lambda: named(U))
        refused(plain)


def test_what_is_compiled_late_says_so_in_the_call_that_needs_it(
    monkeypatch: pytest.MonkeyPatch, ignored: list[Any]
) -> None:
    kernel, many = network(), np.repeat(U[None], 64, 0)
    right = kernel(U)
    with monkeypatch.context() as patch:
        patch.setattr("codegen.loops.loop.begun", raising)
        for _ in range(2):
            refused(lambda: kernel(many), "code of many points for float64")
            refused(lambda: kernel(U.astype(np.float32)), "code for float32")
    assert kernel(U).tobytes() == right.tobytes()  # that code is there
    assert kernel(U, out=np.empty(60)).tobytes() == right.tobytes()
    assert kernel.address


def test_loops_over_elements_say_so_and_try_again(
    monkeypatch: pytest.MonkeyPatch, ignored: list[Any]
) -> None:
    monkeypatch.setenv("REWRITE_CACHE", "0")
    kernel, narrow = elementwise(), np.ones(3, np.float32)
    with monkeypatch.context() as patch:
        patch.setattr("codegen.llvm.loop.object_code", raising)
        for _ in range(2):
            refused(lambda: kernel(narrow, narrow), "code for float32")
            refused(lambda: kernel.outer(narrow, narrow), "code for float32")
        assert kernel(2.0, 3.0) == 7 and kernel([1.0, 2.0], 3.0).tolist() == [4, 7]
    assert kernel(narrow, narrow).tolist() == [2, 2, 2]
    call = ctypes.CFUNCTYPE(ctypes.c_double, *[ctypes.c_double] * 2)(kernel.address)
    assert call(2.0, 3.0) == 7


def test_a_raw_ufunc_gives_nan_and_python_reports_it(
    monkeypatch: pytest.MonkeyPatch, ignored: list[Any]
) -> None:
    kernel = network()
    run, narrow = kernel.ufunc, U.astype(np.float32)
    with monkeypatch.context() as patch:
        patch.setattr("codegen.loops.loop.begun", raising)
        assert np.isnan(run(narrow)).all()
    assert [str(error) for error in ignored] == [NONE]
    refused(lambda: kernel.ufunc, "code for float32")


def test_an_interruption_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    kernel, narrow = network(), U.astype(np.float32)
    monkeypatch.setattr("sys.unraisablehook", lambda problem: None)
    monkeypatch.setattr("codegen.loops.loop.begun", stopped)
    with pytest.raises(KeyboardInterrupt):
        kernel(narrow)
    with pytest.raises(CompilationError, match="KeyboardInterrupt"):
        kernel(narrow)
