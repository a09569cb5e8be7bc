"""Many calls of a CUDA kernel in one launch, for arrays that lie apart."""

from typing import Any

import numpy as np
import pytest

import rewrite as rw
from codegen.cuda import runtime
from codegen.cuda.batch import batch_source
from codegen.cuda.fold import Fold
from codegen.cuda.source import Form
from rewrite.errors import ArgumentError

x, y = rw.symbols("x y")


@pytest.fixture
def launches(monkeypatch: Any) -> list[Any]:
    """The shapes of what is launched."""
    from codegen.cuda import batch, kernel, reduce

    seen: list[Any] = []
    for module in (batch, kernel, reduce):
        whole = module.launch

        def counted(dispatcher: Any, shape: Any, *rest: Any, whole: Any = whole) -> None:
            seen.append(shape)
            whole(dispatcher, shape, *rest)

        monkeypatch.setattr(module, "launch", counted)
    return seen


def pipelines(count: int, shape: tuple[int, ...], dtype: Any = np.float64) -> list[Any]:
    rng = np.random.default_rng(0)
    return [(rng.normal(size=shape).astype(dtype), float(k + 1)) for k in range(count)]


@pytest.mark.isa("fma")
@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("shape", [(8,), (7,), (2, 3), (0,), ()])
@pytest.mark.cuda
def test_many_calls_are_one_launch(count: int, shape: Any, box: Any, launches: Any) -> None:
    term = rw.exp(-x * x) * y + rw.where(x < y, x, y)
    kernel = rw.compile([x, y], {"a": term, "b": x < y}, target="cuda")
    calls = pipelines(count, shape)
    wanted = [kernel(a, y) for a, y in calls]
    launches.clear()
    made = kernel.batch([(box(np.array(a)), y) for a, y in calls])
    assert len(launches) <= 1
    for one, other in zip(made, wanted, strict=True):
        for name in "ab":
            assert type(one[name]) is box
            np.testing.assert_array_equal(one[name].numpy(), other[name])
    for one, other in zip(kernel.batch(calls), wanted, strict=True):
        np.testing.assert_array_equal(one["a"], other["a"])


@pytest.mark.cuda
def test_calls_of_a_batch_may_be_strided_and_of_arrays_with_axes(box: Any) -> None:
    u = rw.asarray(rw.symbols("a b"))
    kernel = rw.compile([u, x], [u[0] * x, u[1] - x], target="cuda")
    whole = np.random.default_rng(1).normal(size=(3, 8, 4))
    calls = [(box(part[::-2, ::2]), float(k)) for k, part in enumerate(whole)]
    for made, (part, k) in zip(kernel.batch(calls), zip(whole, range(3), strict=True), strict=True):
        np.testing.assert_array_equal(made.numpy(), kernel(part[::-2, ::2], float(k)))


@pytest.mark.parametrize("op", ["sum", "max"])
@pytest.mark.cuda
def test_folds_of_many_calls_are_one_launch(op: Any, box: Any, launches: Any) -> None:
    kernel = rw.compile([x, y], (x * y, x + y), target="cuda")
    calls = pipelines(5, (67,), np.float32)
    wanted = np.array([kernel.reduce(op, np.float32(a), y) for a, y in calls])
    launches.clear()
    made = kernel.batch([(box(a), y) for a, y in calls], reduce=op)
    assert len(launches) == 1 and made[0].dtype == np.float32
    np.testing.assert_array_equal(np.array([part.numpy() for part in made]).T, wanted)
    np.testing.assert_array_equal(np.array(kernel.batch(calls, reduce=op)).T, wanted)


@pytest.mark.cuda
def test_auto_takes_many_calls(box: Any) -> None:
    kernel = rw.compile([x, y], x * y, target="auto")
    calls = pipelines(3, (6,))
    on_cpu, there = kernel.batch(calls), kernel.batch([(box(a), y) for a, y in calls])
    for one, other in zip(on_cpu, there, strict=True):
        np.testing.assert_array_equal(one, other.numpy())
    assert kernel.batch(calls, reduce="max").tolist() == [part.max() for part in on_cpu]


@pytest.mark.cuda
def test_calls_that_differ_are_refused(box: Any) -> None:
    kernel = rw.compile([x, y], x * y, target="cuda", name="both")
    a = np.ones(6)
    for other, message in (
        ((box(a[:5].copy()), 1.0), "call 1 of a batch has another shape"),
        ((box(a[::-1]), 1.0), "call 1 of a batch: argument 'x' has another shape, dtype, layout"),
        ((box(a), box(a)), "argument 'y' has another"),
        ((box(a.astype(np.float32)), 1.0), "another float type"),
        ((a, 1.0), "argument 'x' has another"),
        ((box(a),), "takes 2 arguments"),
    ):
        with pytest.raises(ArgumentError, match=message):
            kernel.batch([(box(a), 1.0), other])
    with pytest.raises(ArgumentError, match="one call at least"):
        kernel.batch([])
    with pytest.raises(ArgumentError, match="no reduction 'mean'"):
        kernel.batch([(box(a), 1.0)], reduce="mean")


@pytest.mark.cuda
def test_results_beyond_the_memory_are_refused(box: Any, monkeypatch: Any) -> None:
    from numba import cuda

    kernel = rw.compile([x], (x * 2, x + 1), target="cuda")
    given = [(box(np.ones(100)),) for _ in range(4)]
    context = type("Context", (), {"get_memory_info": lambda self: (3000.0, 2.0**30)})
    with monkeypatch.context() as patch:
        patch.setattr(cuda, "current_context", context)
        with pytest.raises(ArgumentError, match="the results of 4 calls"):
            kernel.batch(given)
        with pytest.raises(ArgumentError, match=r"'out1' of shape \(200,\).* after .* of others"):
            kernel(box(np.ones(200)))
    assert len(kernel.batch(given)) == 4


FORMS = [
    (Form("f64", 1, False, (False, True), 2), None, 0),
    (Form("f32", 2, True, (False, False)), None, 0),
    (Form("f64", 1, False, (False, True)), Fold("sum", "all", 256), 1),
]


@pytest.mark.nvvm
@pytest.mark.parametrize(("form", "fold", "atoms"), FORMS)
def test_batches_are_one_kernel(form: Form, fold: Fold | None, atoms: int) -> None:
    program = rw.compile([x, y], x * y + 1, math="strict").program
    kind = np.float64 if form.dtype == "f64" else np.float32
    operands: list[Any] = [kind if scalar else (kind, form.rank) for scalar in form.scalars]
    kinds = [*[np.int64] * form.rank, np.int64, (np.int64, 1), (kind, 1), *operands]
    kinds.append((kind, 1 if fold else form.rank))
    kinds += [(np.int32, 1), (kind, 1)] if fold else []
    text = runtime.ptx(batch_source(program, form, fold), program, form, kinds, (9, 0))
    assert text.count(".visible .entry") == 1 and ".func" not in text
    assert text.count("atom") == atoms and "mul.rn" in text and "fma.rn" not in text
    assert ("ld.global.v2" in text or "ld.v2" in text) == (form.pack > 1)
