"""Kernels of Dask arrays: lazy, one task a block, and compiled once in each worker."""

import json
import os
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from codegen.kernel import Kernel
from codegen.llvm import loop
from rewrite.errors import ArgumentError

dask = pytest.importorskip("dask", reason="Dask is not installed (the dask extra)")
da = pytest.importorskip("dask.array")
base: Any = pytest.importorskip("dask.base")

X, Y, B = rw.symbol("x"), rw.symbol("y"), rw.symbol("b", dtype=bool)
V = [rw.symbol(f"v{k}") for k in range(3)]
ONE = rw.compile([X, Y], rw.sin(X) * Y + X, name="one", optimize_terms=False)
FORMS: dict[str, Kernel] = {
    "one": ONE,
    "tuple": rw.compile([X, Y], (X * Y, X - Y)),
    "single tuple": rw.compile([X, Y], (X * Y,)),
    "dict": rw.compile([X, Y], {"p": X * Y, "q": X < Y}),
    "float32": rw.compile([X, Y], X * Y + 1, dtype=np.float32),
    "threads": rw.compile([X, Y], X * Y + 1, parallel=2),
}


def parts(results: Any) -> list[Any]:
    if isinstance(results, dict):
        return list(results.values())
    return list(results) if isinstance(results, tuple) else [results]


def same(lazy: Any, expected: Any) -> None:
    assert type(lazy) is type(expected) or not isinstance(expected, (tuple, dict))
    for one, two in zip(parts(lazy), parts(expected), strict=True):
        found = one.compute(scheduler="sync")
        assert isinstance(one, da.Array)
        assert one.shape == np.shape(found) == np.shape(two)
        assert one.dtype == one._meta.dtype == np.asarray(found).dtype == np.asarray(two).dtype
        assert np.asarray(found).tobytes() == np.asarray(two).tobytes()


def chunked(draw: st.DrawFn, array: Any) -> Any:
    """Cut an array into blocks."""
    chunks = []
    for size in array.shape:
        cuts = draw(st.sets(st.integers(1, size - 1), max_size=3)) if size > 1 else set()
        chunks.append(tuple(b - a for a, b in pairwise([0, *sorted(cuts), size])))
    return da.from_array(array, chunks=tuple(chunks))


SHAPES = st.sampled_from([(), (1,), (6,), (4, 1), (1, 6), (4, 6), (3, 4, 6)])
DTYPES = st.sampled_from(["f8", "f4", "f2", "i2", "i4", "i8", "u1", "?"])


@st.composite
def operands(draw: st.DrawFn) -> tuple[Any, Any]:
    """Draw an argument as NumPy has it, and as Dask has it."""
    kind = draw(st.sampled_from(["dask", "dask", "numpy", "number"]))
    if kind == "number":
        value = draw(st.sampled_from([2, 0.5, True, np.float32(3), np.float64(4), np.array(5.0)]))
        return value, value
    array = np.asarray(
        np.random.default_rng(draw(st.integers(0, 9))).integers(0, 9, draw(SHAPES)), draw(DTYPES)
    )
    return array, chunked(draw, array) if kind == "dask" else array


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30 if settings().max_examples == 100 else settings().max_examples)
@given(operands(), operands())
def test_results_are_those_of_numpy_bit_for_bit(form: str, x: Any, y: Any) -> None:
    kernel = FORMS[form]
    if not any(isinstance(each[1], da.Array) for each in (x, y)):
        return
    same(kernel(x[1], y[1]), kernel(x[0], y[0]))


ARRAYS = {
    "vector": ([V, X], [V[0] * X, V[1] + V[2]]),
    "number": ([V, X], V[0] * X + V[1] * V[2]),
    "several": ([V, X], ([V[0] * X, V[1]], V[2] + X)),
    "matrix": ([V, X], [[V[0] * X, V[1]], [V[2], X]]),
}


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("name", ARRAYS)
def test_axes_of_array_arguments_are_in_one_block(name: str, last: bool) -> None:
    kernel = rw.compile(*ARRAYS[name], batch_axis=-1 if last else 0)
    draw = np.random.default_rng(3)
    v, x = draw.random((4, 6, 3)), draw.random((4, 6))
    v = np.moveaxis(v, -1, 0) if last else v
    chunks = (2, 2, 3) if last else (2, 3, 2)
    for given_x in (da.from_array(x, chunks=(2, 3)), x[0], 2.0):
        plain = x if isinstance(given_x, da.Array) else given_x
        same(kernel(da.from_array(v, chunks=chunks), given_x), kernel(v, plain))
    one = v[:, 0, 0] if last else v[0, 0]
    same(kernel(one, da.from_array(x, chunks=(2, 3))), kernel(one, x))
    with pytest.raises(ArgumentError, match=r"argument 'v0?' .* axes are \(3,\)|argument '"):
        kernel(da.ones((4, 4), chunks=2), 1.0)


# -- laziness --------------------------------------------------------------------------------


def test_nothing_is_computed_or_compiled_before_dask_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kernel = rw.compile([X, Y], X * Y - 7)

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("this is done too early")

    x = da.ones(10, chunks=5, dtype="f4")
    with monkeypatch.context() as patch, dask.config.set(scheduler=refuse):
        patch.setattr(loop, "object_code", refuse)
        patch.setattr(loop, "emit_module", refuse)
        lazy = kernel(x, x)
        assert lazy.dtype == np.float32 and lazy.chunks == ((5, 5),)
    assert lazy.compute(scheduler="sync").tolist() == [-6.0] * 10


@pytest.mark.parametrize("form", ["one", "tuple", "dict"])
def test_one_call_a_block(form: str) -> None:
    x = da.ones((6, 4), chunks=(2, 2))
    graph: dict[Any, Any] = {}
    for lazy in parts(FORMS[form](x, x)):
        graph |= dict(lazy.__dask_graph__())
    tasks = Counter(key[0] for key, task in graph.items() if _calls_kernel(task))
    assert list(tasks.values()) == [6]


def _calls_kernel(task: Any) -> bool:
    return isinstance(getattr(task, "func", None), Kernel)


def test_kernels_of_random_blocks_and_sums_are_one_task() -> None:
    lazy = ONE(da.random.default_rng(1).random(100, chunks=10), 2.0).sum()
    (optimised,) = dask.optimize(lazy)
    plain = da.random.default_rng(1).random(100, chunks=10)
    assert len(dict(optimised.__dask_graph__())) <= len(dict(plain.sum().__dask_graph__()))


def test_blocks_of_unknown_length() -> None:
    x = np.arange(10.0)
    lazy = da.from_array(x, chunks=3)
    kept = lazy[lazy > 4]
    assert np.isnan(kept.shape[0])
    assert ONE(kept, kept).compute().tolist() == ONE(x[x > 4], x[x > 4]).tolist()


def test_out_and_where() -> None:
    x, mask = np.arange(10.0), np.arange(10) % 3 == 0
    lazy, old = da.from_array(x, chunks=3), da.zeros(10, chunks=5)
    assert ONE(lazy, 2.0, out=old) is old
    assert old.compute().tolist() == ONE(x, 2.0).tolist()
    old = da.full(10, 7.0, chunks=5)
    ONE(lazy, 2.0, out=old, where=da.from_array(mask, chunks=4))
    assert old.compute().tolist() == ONE(x, 2.0, out=np.full(10, 7.0), where=mask).tolist()
    for options in ({"where": mask}, {"out": np.zeros(10)}):
        with pytest.raises(ArgumentError, match="Dask arrays, which become the results"):
            ONE(lazy, 2.0, **options)
    with pytest.raises(ArgumentError, match="order= is for NumPy's arrays"):
        ONE(lazy, 2.0, order="C")


def test_dtype_is_that_of_the_result() -> None:
    lazy = ONE(da.ones(4, chunks=2), 2.0, dtype="f4", casting="same_kind")
    assert lazy.dtype == lazy.compute().dtype == np.float32


def test_mistakes_are_named_when_the_graph_is_built() -> None:
    x = da.ones(4, chunks=2)
    with pytest.raises(ArgumentError, match=r"argument 'x' .* dtype complex128"):
        ONE(x.astype(complex), x)
    with pytest.raises(ArgumentError, match="takes 2 arguments, not 1: x, y"):
        ONE(x)
    with pytest.raises(ArgumentError, match=r"argument 'y' .* 9007199254740993"):
        ONE(x, 2**53 + 1)
    with pytest.raises(ArgumentError, match=r"argument 'x' .* 9007199254740993"):
        ONE(da.full(4, 2**53 + 1, chunks=2), x).compute()
    with pytest.raises(ValueError, match="shape mismatch"):
        ONE(x, da.ones(3, chunks=1))
    with pytest.raises(ArgumentError, match="sparse arrays"):
        rw.compile([V], rw.sparse_jacobian([V[0] * V[1]], V))(da.ones(3))


def test_a_jitted_function_stays_lazy() -> None:
    @rw.jit
    def add(x: Any, y: Any = 2.0) -> Any:  # a name that NumPy and pandas know too
        return x + 3 * y

    lazy = add(da.ones(6, chunks=2))
    assert isinstance(lazy, da.Array) and lazy.compute().tolist() == [7.0] * 6
    assert da.ones(6, chunks=2).map_blocks(add, dtype=float).compute().tolist() == [7.0] * 6


# -- names -----------------------------------------------------------------------------------

TOKENS = """
import json, numpy as np, rewrite as rw, dask, dask.array as da
from dask.base import tokenize
x, y = rw.symbols("x y")
v = [rw.symbol(f"v{k}") for k in range(3)]
plain = {"optimize_terms": False}
kernels = [
    rw.compile([x, y], rw.sin(x) * y + x, name="one", **plain),
    rw.compile([x, y], (x * y, x - y), **plain), rw.compile([v, x], [v[0] * x, v[1]], **plain),
    rw.compile([x, y], x * y, dtype=np.float32, **plain),
]
with dask.config.set({"tokenize.ensure-deterministic": True}):
    found = [tokenize(kernel) for kernel in kernels]
    found += [kernels[0](da.ones(4, chunks=2), 2.0).name]
    found += [da.ones(4, chunks=2).map_blocks(kernels[0], 3.0, dtype=float).name]
print(json.dumps(found))
"""


def test_names_are_the_same_in_every_process() -> None:
    found = []
    for seed in ("1", "2"):
        path = os.pathsep.join(map(str, sys.path))
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        run = subprocess.run(
            [sys.executable, "-c", TOKENS], env=env, capture_output=True, check=True, text=True
        )
        found.append(json.loads(run.stdout))
    assert found[0] == found[1] and len(set(found[0])) == len(found[0])
    with dask.config.set({"tokenize.ensure-deterministic": True}):
        assert base.tokenize(ONE) == found[0][0]


@pytest.mark.parametrize(
    "change",
    [
        {"exprs": X * Y}, {"args": [Y, X]}, {"name": "two"}, {"dtype": np.float32},
        {"target": "sse2"}, {"exprs": {"out": rw.sin(X) * Y + X}},
    ],
)  # fmt: skip
def test_other_kernels_have_other_names(change: dict[str, Any]) -> None:
    if change.get("target") == "sse2" and rw.compile([X], X).target.name == "neon":
        pytest.skip("an x86 target")
    given_: dict[str, Any] = {"args": [X, Y], "exprs": rw.sin(X) * Y + X, "name": "one"}
    given_ |= {"optimize_terms": False, **change}
    other = rw.compile(**given_)
    assert base.tokenize(other) != base.tokenize(ONE) and other != ONE


def test_a_task_is_small() -> None:
    t = X
    for k in range(200):
        t = t * Y + k
    for kernel in (ONE, FORMS["dict"], rw.compile([X, Y], t, optimize_terms=False)):
        parts = (kernel.program, kernel.terms, kernel.expression)
        expression = sum(len(pickle.dumps(part)) for part in parts)
        assert len(pickle.dumps(kernel)) - expression < 2000


# -- workers ---------------------------------------------------------------------------------


def watch() -> None:
    """Count in a worker how often a kernel is compiled."""
    from codegen.kernel import Kernel

    compiled: Callable[..., Any] = Kernel._compile

    def counted(self: Any) -> Any:
        Kernel.compiled = getattr(Kernel, "compiled", 0) + 1  # type: ignore[attr-defined]
        return compiled(self)

    Kernel._compile = counted  # type: ignore[method-assign]


def seen() -> tuple[int, int]:
    from codegen.kernel import Kernel

    return os.getpid(), getattr(Kernel, "compiled", 0)


def test_each_worker_compiles_a_kernel_once() -> None:
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    distributed.protocol.pickle.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    x = np.linspace(0, 1, 4000)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=2, processes=True, dashboard_address=":0",
            silence_logs=50,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):  # fmt: skip
        client.run(watch)
        lazy = da.from_array(x, chunks=100)
        first = ONE(lazy, 2.0).compute()
        second = FORMS["tuple"](lazy, lazy)
        (p, q), mapped = dask.compute(second, lazy.map_blocks(ONE, 2.0, dtype=float))
        counts = client.run(seen)
    assert first.tobytes() == mapped.tobytes() == ONE(x, 2.0).tobytes()
    assert [each.tobytes() for each in (p, q)] == [r.tobytes() for r in FORMS["tuple"](x, x)]
    processes = {pid for pid, _ in counts.values()}
    assert len(processes) == 2 and os.getpid() not in processes
    assert all(0 < number <= 2 for _, number in counts.values()), counts
