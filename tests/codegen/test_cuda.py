"""CUDA kernels on a device, or on Numba's simulator: the CPU's results for any arrays."""

import ctypes
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import rewrite as rw
from codegen.cuda.arrays import View, broadcast, joined, view_of
from codegen.cuda.auto import AutoKernel
from codegen.cuda.kernel import CudaKernel
from rewrite.errors import ArgumentError, ArgumentTypeError

pytestmark = pytest.mark.cuda
x, y = rw.symbols("x y")
TERM = rw.exp(-x * x / 2) * rw.sin(3 * y) + y / (1 + x * x)
FLOATS = [np.float64, np.float32]


@pytest.fixture(scope="module")
def kernel() -> CudaKernel:
    found: CudaKernel = rw.compile([x, y], TERM, target="cuda", name="wave")
    return found


@pytest.fixture(scope="module")
def on_cpu(kernel: CudaKernel) -> Callable[..., Any]:
    """The very program of the kernel, on the CPU."""
    from codegen.kernel import Kernel

    return Kernel(kernel.program)


SHAPES = [((37,), (37,)), ((5, 1), (1, 7)), ((4,), (3, 1)), ((2, 3, 4), (4,)), ((), (6,))]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shapes", SHAPES)
def test_results_are_those_of_the_cpu(
    kernel: CudaKernel, on_cpu: Any, box: Any, shapes: Any, dtype: Any
) -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    made = kernel(box(np.array(a)), box(np.array(b)))
    assert type(made) is box and made.dtype == dtype
    np.testing.assert_array_equal(made.numpy(), on_cpu(a, b))


@pytest.mark.isa("fma")
@pytest.mark.parametrize("cut", [np.s_[::2], np.s_[::-1], np.s_[1:-1, ::3], np.s_[:, ::-2]])
def test_any_strides_are_read_where_they_lie(
    kernel: CudaKernel, on_cpu: Any, box: Any, cut: Any
) -> None:
    rng = np.random.default_rng(1)
    a = rng.normal(size=(8, 9))[cut]
    b = np.asfortranarray(rng.normal(size=a.shape))
    np.testing.assert_array_equal(kernel(box(a), box(b)).numpy(), on_cpu(a, b))


@settings(max_examples=40)
@given(
    arrays.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=3),
    st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_joined_axes_address_the_same_elements(shapes: Any, turned: list[bool]) -> None:
    """Views after broadcasting and joining hold each pair of elements once."""
    from numba import cuda

    held = []
    for shape in (*shapes.input_shapes, shapes.result_shape):
        whole = np.arange(np.prod(shape, dtype=int)).reshape(shape)
        held.append(cuda.to_device(whole))
    views = [broadcast(found, shapes.result_shape, 0) for one in held if (found := view_of(one))]
    if not all(shapes.result_shape):
        return
    sizes, made = joined(views, shapes.result_shape)
    assert np.prod(sizes, dtype=int) == np.prod(shapes.result_shape, dtype=int)

    def places(views: Any) -> Any:
        steps = [[np.arange(n) * s for n, s in zip(v.shape, v.strides, strict=True)] for v in views]
        grids = [sum(np.ix_(*axes)) if axes else np.zeros(1, int) for axes in steps]
        flat = [
            np.broadcast_to(g, v.shape or (1,)).ravel() for g, v in zip(grids, views, strict=True)
        ]
        return sorted(zip(*map(list, flat), strict=True))

    assert places(views) == places(made)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 9])
@pytest.mark.parametrize("dtype", FLOATS)
def test_packs_and_single_elements_agree(
    kernel: CudaKernel, on_cpu: Any, count: int, dtype: Any
) -> None:
    a = np.linspace(-2, 2, count, dtype=dtype)
    np.testing.assert_array_equal(kernel(a, a), on_cpu(a, a))


def test_several_results_of_numbers_and_truth_values(box: Any) -> None:
    found = rw.compile([x, y], {"sum": x + y, "less": x < y, "whole": rw.floor(x)}, target="cuda")
    a, b = np.array([1.5, -2.5, 3.0]), np.array([2.0, -3.0, 3.0])
    made = found(box(a), box(b))
    assert made["less"].dtype == np.bool_
    np.testing.assert_array_equal(made["sum"].numpy(), a + b)
    np.testing.assert_array_equal(made["less"].numpy(), a < b)
    np.testing.assert_array_equal(made["whole"].numpy(), np.floor(a))


@pytest.mark.parametrize("axis", [0, -1])
def test_arguments_with_axes_of_their_own(box: Any, axis: Any) -> None:
    u = rw.asarray(rw.symbols("a b c"))
    found = rw.compile([u, x], [u[0] * u[1] + x, u[2]], target="cuda", batch_axis=axis)
    v, w = np.arange(15.0).reshape(5, 3), np.arange(5.0)
    wanted = np.stack([v[:, 0] * v[:, 1] + w, v[:, 2]], -1)
    given_, wanted = (v, wanted) if axis == 0 else (v.T, wanted.T)
    np.testing.assert_array_equal(found(box(given_), box(w)).numpy(), wanted)
    np.testing.assert_array_equal(found(given_, w), wanted)


@pytest.mark.parametrize("shaped", [False, True])
def test_large_programs_are_cut_into_functions(shaped: bool, box: Any, monkeypatch: Any) -> None:
    """Values, truth values and branches go from part to part."""
    from codegen.cuda import source

    monkeypatch.setattr(source, "LARGE", 12)
    monkeypatch.setattr(source, "SIZE", 6)
    term, terms = TERM, []
    for k in range(6):
        less = term < y + k
        term = rw.where(less, rw.exp(-term) + x, rw.sin(term) * y) + rw.const(k) / 7
        terms += [term, rw.where(less, term * x, y)]
    results = terms if shaped else tuple(terms)
    found = rw.compile([x, y], results, target="cuda", optimize_terms=False)
    assert "part3(" in found.source
    a, b = np.linspace(-2, 2, 9), np.linspace(2, -1, 9)
    on_cpu = rw.compile([x, y], results, optimize_terms=False)(a, b)
    made = found(box(a), box(b))
    pairs = [(made, on_cpu)] if shaped else list(zip(made, on_cpu, strict=True))
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours.numpy(), theirs)


def test_numpy_arrays_and_numbers_come_back_as_such(kernel: CudaKernel, on_cpu: Any) -> None:
    assert type(kernel(1.0, 2.0)) is np.float64 and kernel(1.0, 2.0) == on_cpu(1.0, 2.0)
    assert type(kernel(np.ones(3), 2)) is np.ndarray
    assert kernel(np.ones(3, np.float32), 2.0).dtype == np.float32
    assert kernel(np.ones(3, np.int32), 2.0).dtype == np.float64
    assert kernel(np.ones((0, 2)), 1.0).shape == (0, 2)
    out = np.empty(3)
    assert kernel(np.ones(3), 2.0, out=out) is out and out[0] == on_cpu(1.0, 2.0)


def test_results_go_where_they_are_asked_to(kernel: CudaKernel, on_cpu: Any, box: Any) -> None:
    a, b = np.linspace(0, 1, 6), np.linspace(1, 2, 6)
    there, target = box(a.copy()), box(np.zeros(6))
    assert kernel(there, box(b), out=target) is target
    np.testing.assert_array_equal(target.numpy(), on_cpu(a, b))
    kernel(there, box(b), out=there)  # each element is read before it is written
    np.testing.assert_array_equal(there.numpy(), on_cpu(a, b))


def test_jit_takes_arrays_of_a_device(box: Any) -> None:
    @rw.jit(target="cuda")
    def step(u: Any, v: Any, positive: Any) -> Any:
        return np.where(positive, np.sqrt(u) * v, v), u + v

    u, v = np.array([1.0, 4.0, 9.0]), np.array([2.0, 3.0, 4.0])
    first, second = step(box(u), box(v), box(u > 2))
    np.testing.assert_array_equal(first.numpy(), np.where(u > 2, np.sqrt(u) * v, v))
    np.testing.assert_array_equal(second.numpy(), u + v)


def test_jit_fills_arrays_of_a_device(box: Any) -> None:
    @rw.jit(target="cuda", arrays=["u"], out=["du"])
    def rates(du: Any, u: Any) -> None:
        du[0] = u[0] * u[1]
        du[1] = -u[0]

    filled = box(np.zeros(2))
    assert rates(filled, box(np.array([2.0, 3.0]))) is None
    np.testing.assert_array_equal(filled.numpy(), [6.0, -2.0])


def test_auto_runs_where_the_arguments_are(box: Any) -> None:
    found = rw.compile([x, y], x * y, target="auto")
    assert isinstance(found, AutoKernel) and "where its arguments are" in repr(found)
    a = np.arange(4.0)
    assert type(found(a, a)) is np.ndarray and found._device is None
    assert type(found(box(a), 2.0)) is box
    again = pickle.loads(pickle.dumps(found))
    assert again == found and hash(again) == hash(found)
    np.testing.assert_array_equal(again(box(a), 2.0).numpy(), 2 * a)


def test_kernels_are_pickled_as_programs(kernel: CudaKernel, on_cpu: Any) -> None:
    again = pickle.loads(pickle.dumps(kernel))
    assert again.program == kernel.program and again.terms == kernel.terms
    assert again == kernel and hash(again) == hash(kernel) and again != on_cpu
    assert again(0.5, 0.25) == on_cpu(0.5, 0.25)


def test_blocks_of_dask_are_not_computed_at_once(kernel: CudaKernel) -> None:
    da: Any = pytest.importorskip("dask.array", reason="Dask is not installed (the dask extra)")
    with pytest.raises(ArgumentError, match="map_blocks"):
        kernel(da.ones(4, chunks=2), 1.0)


def test_the_last_stage_is_shown(capsys: Any) -> None:
    with rw.show("ptx"):
        made = rw.compile([x], x * x + 1, target="cuda")
    assert capsys.readouterr().err == f"=== ptx ===\n{made.device_text}\n"
    assert "def kernel(" in made.source


def test_the_benchmark_runs() -> None:
    """All parts, with small arrays: a GPU is lent for minutes."""
    script = Path(__file__).parents[1] / "bench" / "cuda.py"
    done = subprocess.run(
        [sys.executable, script, "--quick"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("product", "chain of 16", "reaction", "egfr_net, best", "black_sch", "a call"):
        assert part in done.stdout
    assert "0 functions are off" in done.stdout


def test_a_part_of_the_benchmark_that_fails_stops_no_other() -> None:
    script = Path(__file__).parents[1] / "bench" / "cuda.py"
    code = (
        "import runpy, sys\n"
        "sys.argv = ['cuda.py', '--quick', '--part', 'chains', '--part', 'calls']\n"
        "import codegen.cuda.kernel as k; k.CudaKernel.sum = None\n"
        f"runpy.run_path({str(script)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        cwd=script.parents[2],
    )  # fmt: skip
    assert done.returncode == 1 and "part 'chains' failed" in done.stdout
    assert "a call, with Python's part" in done.stdout


def test_cost_is_that_of_the_device(kernel: CudaKernel) -> None:
    assert kernel.cost.model.startswith("cuda-sm") and kernel.cost.after <= kernel.cost.before


class Tensor:
    """An array that only speaks DLPack, and says that it is on a device."""

    def __init__(self, array: Any, device: int = 0) -> None:
        self.array, self.place = array, device
        self.shape, self.dtype = array.shape, array.dtype

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.place

    def __dlpack__(self, stream: Any = None) -> Any:
        return self.array.__dlpack__()


def simulated() -> bool:
    from codegen.cuda import runtime

    return runtime.is_simulated()


def test_dlpack_is_read_with_its_strides(kernel: CudaKernel, on_cpu: Any) -> None:
    if not simulated():
        pytest.skip("memory of the host is that of the device under the simulator alone")
    a, b = np.arange(12.0).reshape(3, 4)[:, ::2], np.linspace(0, 1, 6).reshape(3, 2)
    made = kernel(Tensor(a), Tensor(b))
    np.testing.assert_array_equal(made.copy_to_host(), on_cpu(a, b))


def test_dlpack_gives_memory_back(kernel: CudaKernel) -> None:
    if not simulated():
        pytest.skip("memory of the host is that of the device under the simulator alone")
    import gc
    import weakref

    class Array(np.ndarray[Any, Any]):
        """One that can be watched."""

    a = np.arange(6.0).view(Array)
    watched = weakref.ref(a)
    kernel(Tensor(a), 1.0)
    del a
    gc.collect()
    assert watched() is None


# Bad input.


def test_host_beside_device_is_refused(kernel: CudaKernel, box: Any) -> None:
    with pytest.raises(ArgumentError, match="'y' is an array of the host"):
        kernel(box(np.ones(3)), np.ones(3))
    kernel(box(np.ones(3)), 1.0)


def test_two_devices_are_refused(kernel: CudaKernel) -> None:
    with pytest.raises(ArgumentError, match="'x' is on device 0, and 'y' on device 1"):
        kernel(Tensor(np.ones(3)), Tensor(np.ones(3), 1))


@pytest.mark.parametrize("dtype", [np.complex128, np.int64, np.uint64])
def test_odd_dtypes_are_refused(kernel: CudaKernel, box: Any, dtype: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=f"'x'.*dtype {np.dtype(dtype)}"):
        kernel(box(np.ones(3, dtype)), 1.0)


def test_large_integers_of_the_host_are_refused(kernel: CudaKernel) -> None:
    with pytest.raises(ArgumentError, match=r"'x'.*holds the integer"):
        kernel(np.array([2**53 + 1]), 1.0)
    kernel(np.array([2**53]), 1.0)


def test_shapes_that_do_not_fit_are_named(kernel: CudaKernel, box: Any) -> None:
    with pytest.raises(ArgumentError, match=r"x \(3,\), y \(4,\)"):
        kernel(box(np.ones(3)), box(np.ones(4)))
    with pytest.raises(ArgumentError, match="takes 2 arguments"):
        kernel(1.0)
    with pytest.raises(ArgumentError, match=r"of shape \(2,\), not float64 of \(3,\)"):
        kernel(box(np.ones(3)), 1.0, out=box(np.ones(2)))


def test_results_that_overlap_are_refused(kernel: CudaKernel, box: Any) -> None:
    whole = box(np.zeros(7))
    view = box(np.zeros(7)[1:])
    view._held = whole._held
    first = box(np.zeros(7)[:6])
    first._held = whole._held
    with pytest.raises(ArgumentError, match="shares memory with argument 'x'"):
        kernel(first, 1.0, out=view)


def test_arrays_beyond_the_memory_are_refused(
    kernel: CudaKernel, box: Any, monkeypatch: Any
) -> None:
    from numba import cuda

    class Context:
        """One whose memory is full."""

        def get_memory_info(self) -> tuple[float, float]:
            return 100.0, 2.0**30

    given_ = box(np.ones(50))
    with monkeypatch.context() as patch:
        patch.setattr(cuda, "current_context", Context)
        with pytest.raises(ArgumentError, match=r"result 'out' of shape \(50,\).*GiB free"):
            kernel(given_, 1.0)
        with pytest.raises(ArgumentError, match=r"argument 'x' of shape \(50,\)"):
            kernel(np.ones(50), 1.0)
    assert kernel(given_, 1.0).shape == (50,)  # the device is usable as before


def test_more_operands_than_a_launch_passes_are_refused() -> None:
    many = rw.symbols(" ".join(f"x{k}" for k in range(600)))
    with pytest.raises(ArgumentError, match=r"601 arguments and results.*at most 32764"):
        rw.compile(list(many), sum(many[1:], many[0]), target="cuda", optimize_terms=False)


@pytest.mark.parametrize("options", [{"parallel": 2}, {"autotune": 2}])
def test_options_of_the_cpu_are_refused(options: Any) -> None:
    with pytest.raises(rw.RewriteError, match="GPU"):
        rw.compile([x], x * x, target="cuda", **options)


def test_streams_of_libraries_are_known() -> None:
    from codegen.cuda.libraries import stream_handle

    class Torch:
        """As PyTorch has it."""

        cuda_stream = 7

    class Standard:
        """As CUDA's Python libraries agreed on."""

        def __cuda_stream__(self) -> tuple[int, int]:
            return 0, 9

    handle = type("Numba", (), {"handle": ctypes.c_void_p(11)})()
    assert [stream_handle(s) for s in (None, 3, Torch(), Standard(), handle)] == [None, 3, 7, 9, 11]


def test_launches_wait_for_other_streams_alone(kernel: CudaKernel) -> None:
    """The default stream is 0 and 1; what names no stream is ready."""
    from codegen.cuda.call import Given
    from codegen.cuda.launch import pending

    def on(stream: int | None) -> Given:
        view = View(0, (1,), (8,), np.dtype(np.float64), 0, None, stream)
        return Given(kernel.program.arguments[0], None, view)

    assert pending([on(None), on(1), on(0)], None) == set()
    assert pending([on(1), on(7), on(9)], 7) == {0, 9}
    assert pending([on(7)], 0) == {7}
