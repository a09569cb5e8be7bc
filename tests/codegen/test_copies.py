"""What is copied, pickled, hashed and compared: everything a user holds, in every process."""

import copy
import multiprocessing
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen import kernel as kernel_module
from codegen.content import Known
from codegen.kernel import Kernel
from codegen.loops.program import Rolled
from rewrite.rules import SIMPLIFY
from rewrite.term import current_store

X, Y = rw.symbols("x y")
A, B = rw.pattern_vars("a b")
V = [rw.symbol(f"v{k}") for k in range(600)]
STENCIL = [(a - 2 * b + c) * b for a, b, c in zip(V, V[1:], V[2:], strict=False)]
OPTIMIZED = rw.optimize(X * Y + X * 2)
CONDITIONAL = next(rule for rule in SIMPLIFY if rule.where)
KERNELS: dict[str, Kernel] = {
    "kernel": rw.compile([X, Y], X * Y + 1),
    "kernel of two": rw.compile([X, Y], (X * Y, X < Y), optimize_terms=False),
    "kernel by name": rw.compile([X, Y], {"p": X, "q": Y}, dtype=np.float32, parallel=2),
    "kernel of arrays": rw.compile([V[:3], X], [V[0] * X, V[1] + V[2]], batch_axis=-1),
    "kernel of loops": rw.compile([V], STENCIL, optimize_terms=False),
    "sparse kernel": rw.compile([V[:3]], rw.sparse_jacobian([V[0] * V[1], V[2] ** 2], V[:3])),
    "kernel as written": rw.compile([X], rw.exp(X), optimize_terms=False, math="fast"),
}
THINGS: dict[str, Any] = {
    "term": rw.sin(X) * Y + rw.const(0.5) + rw.pi,
    "symbol with a domain": rw.symbol("z", low=0, high=2, dtype=np.int64),
    "pattern": A * (B + 1),
    "truth": rw.logical_and(X < Y, Y > 0),
    "rule": next(iter(rw.ruleset("own", rw.FastMath.REASSOC, ("double", A + A, 2 * A)))),
    "rule with a condition": CONDITIONAL,
    "conditions": CONDITIONAL.where,
    "rule set": SIMPLIFY,
    "strategy": rw.topdown(rw.try_(rw.strategy(SIMPLIFY))),
    "plan": rw.plan("cheapest"),
    "limits": rw.Limits(iterations=3),
    "cost model": rw.cycles("native", latency=0.5),
    "optimized": OPTIMIZED,
    "optimized list": rw.optimize([X * Y + X * 2, X + 1]),
    "optimized dictionary": rw.optimize({"a": X * Y + X * 2}),
    "explanation": OPTIMIZED.explain(),
    **KERNELS,
}
WITHOUT_HASH: dict[str, Any] = {"report": OPTIMIZED.report}
PROTOCOLS = range(2, pickle.HIGHEST_PROTOCOL + 1)


def sent(value: Any, protocol: int) -> Any:
    return pickle.loads(pickle.dumps(value, protocol))


WAYS: dict[str, Callable[[Any], Any]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"protocol {n}": partial(sent, protocol=n) for n in PROTOCOLS},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [*THINGS, *WITHOUT_HASH])
def test_copies_are_equal(name: str, way: str) -> None:
    thing = {**THINGS, **WITHOUT_HASH}[name]
    made = WAYS[way](thing)
    assert made == thing and type(made) is type(thing) and repr(made) == repr(thing)
    if name in THINGS:
        assert hash(made) == hash(thing) and {thing: 1}[made] == 1
    others = [other for key, other in THINGS.items() if key != name]
    assert not any(made == other for other in others)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", KERNELS)
def test_copies_of_kernels_compute_the_same(name: str, way: str) -> None:
    kernel = KERNELS[name]
    made = WAYS[way](kernel)
    draw = np.random.default_rng(1)
    last = kernel.batch_axis == -1
    shapes = [(*a.shape, 5) if last else (5, *a.shape) for a in kernel.program.arguments]
    args = [draw.random(shape) for shape in shapes]
    for one, two in zip(_parts(made(*args)), _parts(kernel(*args)), strict=True):
        assert one.dtype == two.dtype and one.tobytes() == two.tobytes()
    assert made.terms == kernel.terms and made.report == kernel.report
    assert (made.cost, made.math, made.__doc__) == (kernel.cost, kernel.math, kernel.__doc__)
    assert (made.parallel, made.dtype, made.llvm) == (kernel.parallel, kernel.dtype, kernel.llvm)
    assert made is not kernel and isinstance(made.program, Rolled) == (name == "kernel of loops")


def _parts(results: Any) -> list[Any]:
    if isinstance(results, dict):
        results = tuple(results.values())
    return [np.asarray(x) for x in (results if isinstance(results, tuple) else (results,))]


def test_kernels_are_equal_by_what_they_do() -> None:
    again = rw.compile([X, Y], X * Y + 1)
    assert again == KERNELS["kernel"] and again is not KERNELS["kernel"]
    for other in (rw.compile([X, Y], X * Y + 2), rw.compile([Y, X], X * Y + 1), X, None):
        assert again != other


def test_a_copy_has_a_report_of_its_own() -> None:
    kernel = rw.compile([X], X * 3 + 1)
    for made in (copy.deepcopy(kernel), pickle.loads(pickle.dumps(kernel))):
        made.report.notes.append("mine")
        assert "mine" not in kernel.report.notes
        assert made.ufunc is kernel.ufunc or made.ufunc.types == kernel.ufunc.types


def test_a_kernel_that_is_read_again_is_not_compiled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = pickle.dumps(rw.compile([X, Y], X * Y + 3.25))
    first = pickle.loads(data)
    monkeypatch.setattr(Kernel, "_compile", None)
    second = pickle.loads(data)
    assert second == first and second.ufunc is first.ufunc and second(2.0, 3.0) == 9.25
    start = time.perf_counter()
    for _ in range(200):
        pickle.loads(data)
    assert (time.perf_counter() - start) / 200 < 5e-3  # it is some 30 microseconds


def test_read_kernels_do_not_pile_up() -> None:
    known = kernel_module._KNOWN
    for number in range(known.most + 5):
        kernel = rw.compile([X], X + number, optimize_terms=False, dtype=float)
        assert pickle.loads(pickle.dumps(kernel))(1.0) == 1 + number
    assert len(known._values) <= known.most


def test_many_who_ask_at_once_make_one() -> None:
    known: Known[object] = Known(2)
    made, found = [], []
    inside = threading.Event()

    def make() -> object:
        made.append(1)
        inside.wait(0.2)
        return object()

    def fail() -> object:
        raise KeyError("not made")

    threads = [threading.Thread(target=lambda: found.append(known.get("a", make)))
               for _ in range(8)]  # fmt: skip
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(set(map(id, found))) == 1 and not known._making
    with pytest.raises(KeyError):
        known.get("b", fail)
    assert known.get("b", make) is known.get("b", fail)
    known.get("c", make)
    assert list(known._values) == ["b", "c"]


# -- stores ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["term", "optimized", "optimized list", "kernel"])
def test_terms_are_read_into_the_store_of_the_reader(name: str) -> None:
    data = pickle.dumps(THINGS[name])
    with rw.scope() as store:
        made = pickle.loads(data)
        terms = made.terms if name != "term" else made
        terms = terms.terms() if isinstance(terms, rw.TermArray) else terms
        each = terms if isinstance(terms, (tuple, list)) else [terms]
        assert each and all(term.store is store is current_store() for term in each)


def test_arrays_of_terms() -> None:
    array = rw.asarray([[X + 1, Y], [X + 1, rw.sin(Y)]])
    data = pickle.dumps(array)
    with rw.scope() as store:
        made = pickle.loads(data)
        assert made.store is store and made.shape == (2, 2)
    assert made.terms() == array.terms()
    for other in (copy.copy(array), copy.deepcopy(array)):
        other[0, 0] = Y
        assert array.terms()[0] == X + 1 and other.store is array.store
    empty = pickle.loads(pickle.dumps(rw.asarray(np.zeros((0, 3)))))
    assert empty.shape == (0, 3)
    many = rw.asarray(V) * X
    assert len(pickle.dumps(many)) < 60_000 and pickle.loads(pickle.dumps(many)).shape == (600,)


# -- functions that are compiled when they are called ----------------------------------------


@rw.jit
def twice(x: Any) -> Any:
    return 2 * x + 1


def test_jitted_functions_are_pickled_as_functions() -> None:
    assert pickle.loads(pickle.dumps(twice)) is twice
    factor = 3.0

    @rw.jit(math="strict")
    def local(x: Any) -> Any:
        return factor * x

    for n in PROTOCOLS:
        made = pickle.loads(pickle.dumps(local, n))
        assert made is pickle.loads(pickle.dumps(local, n)) and made is not local
        assert made(2.0) == 6 and made.options == local.options
    assert copy.copy(local) is copy.deepcopy(local) is local


# -- processes and threads -------------------------------------------------------------------


def work(kernel: Any) -> list[Any]:
    """Call a kernel, and compile and call another one, with threads."""
    data = np.linspace(0, 1, 300_000)
    other = rw.compile([X, Y], rw.exp(X) - Y, parallel=2)
    return [kernel(2.0, 3.0), float(kernel(data, 2.0).sum()), float(other(data, 1.0).sum())]


def forked(run: Callable[[], Any]) -> Any:
    """Run in a child of this process, and return what it found."""
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        try:
            with open(writable, "wb") as file:
                file.write(pickle.dumps(run()))
        finally:
            os._exit(0)
    os.close(writable)
    with open(readable, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    return pickle.loads(data)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_children_of_a_fork_compile_and_call() -> None:
    kernel = rw.compile([X, Y], X * Y + rw.sin(X), parallel=2)
    expected = work(kernel)  # the threads of the pool are there, and not in the child
    assert forked(lambda: work(kernel)) == expected
    data = pickle.dumps(kernel)
    assert forked(lambda: work(pickle.loads(data))) == expected
    late = rw.compile([X], X * 7)  # its float32 loop is compiled in the child
    assert forked(lambda: late(np.float32(2))) == 14


@pytest.fixture
def importable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let children import this module under its name."""
    monkeypatch.setitem(sys.modules, "test_copies", sys.modules[work.__module__])
    monkeypatch.setattr(work, "__module__", "test_copies")
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield


def test_children_that_are_spawned_call_and_compile(importable: None) -> None:
    kernel = rw.compile([X, Y], X * Y + rw.sin(X), parallel=2)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(work, (kernel,)) == work(kernel)


def together(threads: int, each: int) -> None:
    """Compile and call in many threads; the results are those of one."""

    def one(number: int) -> bytes:
        with rw.scope():
            x, y = rw.symbols("x y")
            formula = x * y + number if number % 4 else rw.exp(x - number) * y + x * y
            made = rw.compile([x, y], formula, optimize_terms=number % 4 == 0)
            result: bytes = made(np.linspace(0, 1, 9), 1.5).tobytes()
        return result

    expected = [one(number) for number in range(8)]
    wrong: list[Any] = []

    def run(first: int) -> None:
        try:
            for step in range(each):
                number = (first + step) % len(expected)
                if one(number) != expected[number]:
                    wrong.append(number)
        except BaseException as error:  # what a thread raises would only be printed
            wrong.append(error)

    workers = [threading.Thread(target=run, args=(k,)) for k in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


def test_threads_compile_and_call() -> None:
    together(8, 5)


@pytest.mark.nightly
def test_many_threads_compile_and_call() -> None:
    together(32, 1000)


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_dropped_kernels_leave_no_memory() -> None:
    import subprocess

    script = Path(__file__).parents[1] / "bench" / "leaks.py"
    options = ["--kernels", "10000", "--threads", "2", "--each", "10"]
    subprocess.run([sys.executable, str(script), *options], check=True)
