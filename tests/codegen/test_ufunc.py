"""The driver and the ufunc: which element lies where never changes how it is computed."""

import ctypes
import gc
import mmap
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from codegen.failure import Failure
from codegen.kernel import Kernel
from codegen.llvm.loop import Loop
from codegen.program import Program, ProgramBuilder
from codegen.target import get, host
from codegen.ufunc import make_ufunc
from rewrite.errors import CompilationError

type Array = NDArray[Any]

RUNNABLE = [name for name in ("avx512", "avx2", "sse2") if not get(name).missing()]
KERNELS: dict[str, Kernel] = {}


def mixed() -> Program:
    """Arithmetic, a comparison, a choice, and a function that has rare branches."""
    b = ProgramBuilder("mixed")
    x, y, z = (b.load(b.argument(name)) for name in "xyz")
    flag = b.load(b.argument("flag", (), "b"))
    product = b.emit("mul", x, b.emit("add", y, b.const(0.1)))
    wave = b.emit("sin", b.emit("mul", x, z))
    b.output("r", b.emit("where", flag, b.emit("div", product, z), wave))
    b.output("less", b.emit("lt", product, z))
    return b.finish()


def kernel(name: str) -> Kernel:
    return KERNELS.setdefault(name, Kernel(mixed(), get(name)))


def inputs(size: int, dtype: Any = np.float64, seed: int = 0) -> list[Array]:
    rng = np.random.default_rng(seed)
    numbers = [(rng.normal(size=size) * 5).astype(dtype) for _ in range(3)]
    return [*numbers, rng.random(size) < 0.5]


def equal(a: tuple[Array, ...], b: tuple[Array, ...]) -> bool:
    pairs = zip(a, b, strict=True)
    return all(x.dtype == y.dtype and np.array_equal(x, y, equal_nan=True) for x, y in pairs)


@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_length_and_stride(name: str, dtype: Any) -> None:
    run, data = kernel(name), inputs(300, dtype)
    whole = run(*data)
    for step in (1, 2, 3, -1, -2, 7):
        strided = [x[::step] for x in data]
        for length in range(0, min(71, len(strided[0]))):
            expected = tuple(x[::step][:length] for x in whole)
            assert equal(run(*(x[:length] for x in strided)), expected)


@given(st.data())
def test_bits_do_not_depend_on_the_place(data: st.DataObject) -> None:
    run = kernel(data.draw(st.sampled_from(RUNNABLE)))
    dtype = data.draw(st.sampled_from([np.float64, np.float32]))
    length = data.draw(st.integers(1, 1200))
    args = inputs(length, dtype, seed=data.draw(st.integers(0, 9)))
    expected = run(*args)

    def moved(x: Array) -> Array:
        step = data.draw(st.integers(-4, 4).filter(bool))
        offset = data.draw(st.integers(0, 9))
        room = np.empty(length * abs(step) + offset + 1, x.dtype)
        place = room[offset : offset + length * abs(step) : abs(step)][:: 1 if step > 0 else -1]
        place[...] = x
        return place

    out = tuple(moved(np.zeros_like(x)) for x in expected)
    results = run(*(moved(x) for x in args), out=out)
    assert all(result is place for result, place in zip(results, out, strict=True))
    assert equal(results, expected)


@given(st.data())
def test_broadcasting_gives_the_bits_of_full_arrays(data: st.DataObject) -> None:
    run = kernel(data.draw(st.sampled_from(RUNNABLE)))
    shape = data.draw(st.sampled_from([(5,), (3, 40), (700, 2), (2, 3, 50), (1,), (2000,)]))
    args = []
    for x in inputs(int(np.prod(shape))):
        full = x.reshape(shape)
        axis = data.draw(st.integers(0, len(shape)))
        args.append(
            full[0, ..., :1] if axis == 2 else full.take([0], axis) if axis < full.ndim else full
        )
    whole = [np.ascontiguousarray(x) for x in np.broadcast_arrays(*args)]
    full_shape = whole[0].shape
    flat = run(*(x.ravel() for x in whole))
    assert equal(run(*args), tuple(x.reshape(full_shape) for x in flat))


def test_types_follow_numpys_rules() -> None:
    b = ProgramBuilder("scale")
    x, k = (b.load(b.argument(name)) for name in "xk")
    b.output("y", b.emit("mul", x, k))
    run = Kernel(b.finish()).ufunc
    for dtype in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u4", "?"):
        data = np.array([0, 1, 1], dtype)
        # as np.exp does, apart from having no half precision
        expected = np.float32 if dtype in ("f2", "f4", "i1", "i2", "?") else np.float64
        assert run(data, data).dtype == expected
        assert run(data, data).tolist() == [0, 1, 1]
    assert run(np.ones(2, "f4"), 2.5).dtype == np.float32  # a Python number is weak
    assert run(np.ones(2, "f4"), np.float64(2.5)).dtype == np.float64
    assert run(2, 3.0).dtype == np.float64
    assert run(np.ones(2), np.ones(2), dtype="f4", casting="same_kind").dtype == np.float32
    with pytest.raises(TypeError, match="not supported for the input types"):
        run(1j, 2.0)
    with pytest.raises(TypeError, match="No loop matching the specified signature"):
        run(1.0, 2.0, dtype="c16")
    with pytest.raises(TypeError):
        run("a", 1.0)


def test_float32_is_compiled_on_its_first_use_only() -> None:
    program = mixed()
    failure = Failure(program.name)
    loops = [
        Loop(program, "f32", host(), failure, lazy=True),
        Loop(program, "f64", host(), failure, lazy=False),
    ]
    run = make_ufunc(program, loops, "doc")
    run(*inputs(50))
    assert [loop.is_compiled for loop in loops] == [False, True]
    narrow = inputs(500, np.float32)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(*narrow), range(8)))
    assert [loop.is_compiled for loop in loops] == [True, True]
    assert all(equal(result, kernel(host().name)(*narrow)) for result in results)


def test_a_failure_of_the_late_compilation_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    program = mixed()
    failure = Failure(program.name)
    loops = [Loop(program, "f32", host(), failure, lazy=True)]
    run = make_ufunc(program, loops, "doc")
    seen: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr("codegen.llvm.loop.object_code", lambda *_: 1 / 0)
        patch.setattr(sys, "unraisablehook", lambda problem: seen.append(problem.exc_type))
        result, less = run(*inputs(20, np.float32))
    assert set(seen) == {ZeroDivisionError}
    assert np.isnan(result).all() and not less.any()
    with pytest.raises(CompilationError, match=r"for float32 of kernel .*ZeroDivisionError"):
        failure.look()
    assert equal(run(*inputs(20, np.float32)), kernel(host().name)(*inputs(20, np.float32)))


@pytest.mark.parametrize("name", RUNNABLE)
def test_results_that_feed_back(name: str) -> None:
    b = ProgramBuilder("minus")
    x, y = (b.load(b.argument(name)) for name in "xy")
    b.output("r", b.emit("sub", x, y))
    run: Any = Kernel(b.finish(), get(name)).ufunc
    data = np.random.default_rng(1).normal(size=(20, 30))
    for axis in (0, 1):
        assert np.array_equal(run.reduce(data, axis), np.subtract.reduce(data, axis))
        assert np.array_equal(run.accumulate(data, axis), np.subtract.accumulate(data, axis))
        cuts = [0, 4, 4, 15]
        assert np.array_equal(
            run.reduceat(data, cuts, axis), np.subtract.reduceat(data, cuts, axis)
        )
    assert np.array_equal(run.outer(data[0], data[1]), np.subtract.outer(data[0], data[1]))
    counts = np.zeros(5)
    run.at(counts, [0, 1, 1, 4], 1.0)
    assert counts.tolist() == [-1, -2, 0, 0, -1]


def test_overlapping_operands() -> None:
    run = kernel(host().name)
    x, y, z, flag = inputs(500)
    expected = run(x, y, z, flag)
    for place in (0, 1, 2):
        args: list[Array] = [x.copy(), y.copy(), z.copy(), flag]
        less = np.empty(500, bool)
        run(*args, out=(args[place], less))
        assert equal((args[place], less), expected)
    room = np.concatenate([x, np.zeros(9)])
    result, _ = run(room[:500], y, z, flag, out=(room[9:], np.empty(500, bool)))
    assert np.array_equal(result, expected[0])
    room = np.concatenate([np.zeros(9), x])
    result, _ = run(room[9:], y, z, flag, out=(room[:500], np.empty(500, bool)))
    assert np.array_equal(result, expected[0])


def test_swapped_outputs() -> None:
    b = ProgramBuilder("swap")
    x, y = (b.load(b.argument(name)) for name in "xy")
    b.output("first", y)
    b.output("second", x)
    run = Kernel(b.finish())
    left, right = np.arange(100.0), np.arange(100.0, 200.0)
    run(left, right, out=(left, right))
    assert left[0] == 100 and right[0] == 0
    assert np.array_equal(left, np.arange(100.0, 200.0))
    assert np.array_equal(right, np.arange(100.0))


def test_where_leaves_the_rest_alone() -> None:
    run = kernel(host().name)
    args = inputs(200)
    mask = np.arange(200) % 3 == 0
    out = (np.full(200, 7.0), np.zeros(200, bool))
    run(*args, out=out, where=mask)
    full = run(*args)
    assert np.array_equal(out[0], np.where(mask, full[0], 7.0))
    assert np.array_equal(out[1], mask & full[1])


def test_no_floating_point_warnings() -> None:
    b = ProgramBuilder("bad")
    x = b.load(b.argument("x"))
    b.output("y", b.emit("div", b.const(1), x))
    b.output("z", b.emit("pow", x, b.const(900.5)))
    b.output("w", b.emit("sqrt", b.emit("neg", x)))
    run = Kernel(b.finish())
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        y, _, w = run(np.array([0.0, 10.0, 1e-300] * 7))
    assert y[0] == np.inf and np.isnan(w[1])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="sets flags by libm's fenv")
def test_a_thread_that_rounds_upward_gets_the_same_bits() -> None:
    b = ProgramBuilder("half")
    b.output("y", b.emit("mul", b.load(b.argument("x")), b.const(0.5)))
    run = Kernel(b.finish())
    libm = ctypes.CDLL("libm.so.6")
    upward, nearest = 0x800, 0
    tiny = np.full(20, 3 * 5e-324)
    expected = run(tiny)
    seen = []

    def work() -> None:
        libm.fesetround(upward)
        seen.append(run(-tiny))
        seen.append(libm.fegetround())
        libm.fesetround(nearest)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert np.array_equal(seen[0], -expected)
    assert seen[1] == upward


@pytest.mark.parametrize("name", RUNNABLE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_array_operands(name: str, dtype: Any) -> None:
    b = ProgramBuilder("affine")
    a, v, s = b.argument("a", (2, 3)), b.argument("v", (3,)), b.load(b.argument("s"))
    rows = []
    for i in range(2):
        total = s
        for j in range(3):
            total = b.emit("fma", b.load(a, 3 * i + j), b.load(v, j), total)
        rows.append(total)
    b.output("y", *rows, shape=(2,))
    b.output(
        "transposed", *(b.load(a, 3 * i + j) for j in range(3) for i in range(2)), shape=(3, 2)
    )
    b.output("positive", b.emit("gt", rows[0], b.const(0)))
    run = Kernel(b.finish(), get(name))
    assert run.ufunc.signature == "(2,3),(3),()->(2),(3,2),()"
    rng = np.random.default_rng(3)
    matrix, vector = (
        rng.normal(size=(37, 2, 3)).astype(dtype),
        rng.normal(size=(4, 1, 3)).astype(dtype),
    )
    shift = rng.normal(size=37).astype(dtype)
    for m, v_, s_ in (
        (matrix, vector, shift),
        (np.asfortranarray(matrix), vector[..., ::-1], shift[::-1]),
        (matrix.transpose(0, 2, 1).copy().transpose(0, 2, 1), vector, dtype(2)),
    ):
        y, transposed, positive = run(m, v_, s_)
        wide = (
            np.einsum("...ij,...j->...i", m.astype("f8"), v_.astype("f8"))
            + np.asarray(s_)[..., None]
        )
        np.testing.assert_allclose(y, wide, rtol=0, atol=1e-5 if dtype == np.float32 else 1e-13)
        assert np.array_equal(transposed, np.broadcast_to(np.swapaxes(m, -1, -2), transposed.shape))
        assert np.array_equal(positive, y[..., 0] > 0)
        one = run(m[5], v_[2, 0], s_ if np.ndim(s_) == 0 else s_[5])
        assert np.array_equal(one[0], y[2, 5])
    with pytest.raises(ValueError, match="mismatch in its core dimension"):
        run(np.ones((3, 3)), np.ones(3), 1.0)


def test_in_place_rotation_of_a_vector() -> None:
    b = ProgramBuilder("rotate")
    v = b.argument("v", (3,))
    b.output("w", *(b.load(v, k) for k in (1, 2, 0)), shape=(3,))
    data = np.random.default_rng(2).normal(size=(50, 3))
    expected = np.roll(data, -1, axis=1)
    Kernel(b.finish())(data, out=data)
    assert np.array_equal(data, expected)


def test_more_streams_than_the_frame_holds() -> None:
    n = 700
    b = ProgramBuilder("long")
    v, s = b.argument("v", (n,)), b.load(b.argument("s"))
    b.output("w", *(b.emit("mul", b.load(v, n - 1 - k), s) for k in range(n)), shape=(n,))
    run = Kernel(b.finish())
    data = np.random.default_rng(2).normal(size=(33, n))
    assert np.array_equal(run(data, 2.0), data[:, ::-1] * 2)
    assert np.array_equal(run(data[0], 3), data[0, ::-1] * 3)


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_dropped_kernels_leave_no_memory_behind() -> None:
    def one(number: int) -> None:
        b = ProgramBuilder("temporary")
        x = b.load(b.argument("x"))
        for step in range(20):
            x = b.emit("fma", x, b.const(number), b.const(step))
        b.output("y", x)
        Kernel(b.finish())(1.0)

    for number in range(50):
        one(number)
    gc.collect()
    before = resident()
    for number in range(300):
        one(number)
    gc.collect()
    growth = (resident() - before) / 300
    print(f"{growth:.0f} bytes a kernel")
    assert growth < 8_000


def test_code_goes_with_the_last_reference() -> None:
    run = Kernel(mixed())
    inner = run.ufunc
    del run
    gc.collect()
    assert equal(inner(*inputs(40)), kernel(host().name)(*inputs(40)))
    assert gc.is_tracked(inner)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages by mprotect")
@pytest.mark.parametrize("name", RUNNABLE)
def test_nothing_beyond_the_arrays_is_touched(name: str) -> None:
    page = mmap.PAGESIZE
    libc = ctypes.CDLL(None, use_errno=True)
    rooms = []

    def fenced(x: Array, *, end: bool) -> Array:
        """Copy an array so that a protected page begins where it ends, or ends where it begins."""
        room = mmap.mmap(-1, 4 * page)
        rooms.append(room)
        whole = np.frombuffer(room, np.uint8)
        start = 3 * page - x.nbytes if end else page
        place = whole[start : start + x.nbytes].view(x.dtype)
        place[...] = x
        forbidden = whole.ctypes.data + (3 * page if end else 0)
        assert libc.mprotect(ctypes.c_void_p(forbidden), page, 0) == 0
        return place

    run = kernel(name)
    for dtype in (np.float64, np.float32):
        for length in (1, 7, 8, 15, 33, 250):
            args = inputs(length, dtype)
            expected = run(*args)
            for end in (True, False):
                out = tuple(fenced(np.zeros_like(x), end=end) for x in expected)
                run(*(fenced(x, end=end) for x in args), out=out)
                assert equal(out, expected)
