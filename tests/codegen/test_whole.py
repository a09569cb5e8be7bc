"""Calls with arrays that lie alike, past NumPy's ufunc: the same bits, and nowhere else."""

import functools
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rewrite as rw
from codegen.direct import known_of
from codegen.guarded import guarded
from codegen.kernel import Kernel
from codegen.llvm.known import MOST_NUMBERS
from codegen.program import ProgramBuilder
from rewrite.errors import ArgumentError, ArgumentTypeError

x, y, s = rw.symbols("x y s")


@functools.cache
def kernel(**options: Any) -> Kernel:
    made: Kernel = rw.compile([x, y, s], x * rw.exp(y) - s / (1 + x * x), **options)
    return made


def watched(kernel: Kernel) -> tuple[Callable[..., Any], list[Any]]:
    """Return a kernel's guard, and what it leaves to another."""
    seen: list[Any] = []

    def other(*args: Any, **kwargs: Any) -> Any:
        seen.append((args, kwargs))
        return kernel.ufunc(*args, **kwargs)

    known = known_of(kernel.program, kernel._loops)
    call = guarded(other, kernel.program, kernel.failure, narrow=kernel.dtype == "f32", known=known)
    return call, seen


def arrays(dtype: Any, *shape: int, count: int = 2) -> list[Any]:
    rng = np.random.default_rng(len(shape))
    return [rng.uniform(-2, 2, shape).astype(dtype) for _ in range(count)]


def same(found: Any, wanted: Any) -> None:
    assert type(found) is type(wanted) is np.ndarray
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert found.tobytes() == wanted.tobytes()


NUMBERS: dict[str, Any] = {
    "float": 0.1, "int": 3, "negative": -(1 << 53), "nan": float("nan"), "inf": float("inf"),
    "own": None,
}  # fmt: skip


@pytest.mark.parametrize("form", ["new", "named", "placed", "in place"])
@pytest.mark.parametrize("number", list(NUMBERS))
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(1,), (7,), (1000,), (3, 5), (2, 3, 4), (1, 1)])
def test_arrays_that_lie_alike(shape: tuple[int, ...], dtype: Any, number: str, form: str) -> None:
    call, seen = watched(kernel())
    a, b = arrays(dtype, *shape)
    c = dtype(0.3) if number == "own" else NUMBERS[number]
    wanted, out = kernel().ufunc(a, b, c), np.empty(shape, dtype)
    made = {
        "new": lambda: call(a, b, c), "named": lambda: call(a, b, c, out=out),
        "placed": lambda: call(a, b, c, out), "in place": lambda: call(a, b, c, out=b),
    }[form]()  # fmt: skip
    assert not seen
    assert (made is out) == (form in ("named", "placed"))
    assert (made is b) == (form == "in place")
    assert made.flags.owndata
    same(made, wanted)


@pytest.mark.parametrize("order", ["nsa", "nan", "ann"])
def test_numbers_may_come_first(order: str) -> None:
    call, seen = watched(kernel())
    a = arrays(np.float32, 9, count=1)[0]
    kinds = {"n": 0.7, "s": np.float32(0.2), "a": a}
    same(call(*(kinds[k] for k in order)), kernel().ufunc(*(kinds[k] for k in order)))
    assert not seen


class Array(np.ndarray[Any, Any]):
    """A subclass."""


def _frozen() -> Any:
    out = np.empty(6)
    out.flags.writeable = False
    return out


A, B = np.linspace(-1, 1, 6), np.linspace(0, 3, 6)
ROOM = np.arange(20.0)
OTHERS: dict[str, tuple[tuple[Any, ...], Callable[[], dict[str, Any]]]] = {
    "other shape": ((A, B[:1], 1.0), dict),
    "other rank": ((A, B.reshape(1, 6), 1.0), dict),
    "0-d": ((A, B, np.array(1.0)), dict),
    "all 0-d": ((np.array(1.0),) * 3, dict),
    "0-d and out": ((np.array(1.0),) * 3, lambda: {"out": np.empty(())}),
    "no array": ((1.0, 2.0, np.float32(3)), dict),
    "two types": ((A, B.astype("f"), 1.0), dict),
    "a wider number": ((A.astype("f"), B.astype("f"), np.float64(1)), dict),
    "a narrower number": ((A, B, np.float32(1)), dict),
    "integers": ((A, B.astype(int), 1.0), dict),
    "halves": ((A.astype("e"), B.astype("e"), 1.0), dict),
    "other bytes": ((A.astype(">f8"), B, 1.0), dict),
    "strided": ((ROOM[:12:2], B, 1.0), dict),
    "columns": ((np.asfortranarray(ROOM.reshape(4, 5)), ROOM.reshape(4, 5), 1.0), dict),
    "unaligned": ((np.frombuffer(bytes(49), "u1")[1:].view("f8"), B, 1.0), dict),
    "subclass": ((A.view(Array), B, 1.0), dict),
    "nothing": ((A[:0], B[:0], 1.0), dict),
    "truth": ((A, B, True), dict),
    "list": ((A, list(B), 1.0), dict),
    "a tuple of out": ((A, B, 1.0), lambda: {"out": (np.empty(6),)}),
    "out of another type": ((A.astype("f"), B.astype("f"), 1.0), lambda: {"out": np.empty(6)}),
    "out of another shape": ((A, B, 1.0), lambda: {"out": np.empty((2, 6))}),
    "strided out": ((A, B, 1.0), lambda: {"out": np.empty(12)[::2]}),
    "no out": ((A, B, 1.0), lambda: {"out": None}),
    "where": ((A, B, 1.0), lambda: {"where": B > 1, "out": np.zeros(6)}),
    "dtype": ((A, B, 1.0), lambda: {"dtype": np.float64}),
    "by name": ((A, B, 1.0), lambda: {"casting": "same_kind"}),
}


@pytest.mark.parametrize("case", list(OTHERS))
def test_others_are_numpys(case: str) -> None:
    call, seen = watched(kernel())
    args, words = OTHERS[case]
    found, wanted = call(*args, **words()), kernel().ufunc(*args, **words())
    assert len(seen) == 1
    np.testing.assert_array_equal(found, wanted)
    assert type(found) is type(wanted)
    assert found.dtype == wanted.dtype


@pytest.mark.parametrize("shift", [-3, -1, 1, 5])
def test_a_result_over_a_part_of_an_argument(shift: int) -> None:
    call, seen = watched(kernel())
    room = ROOM.copy()
    found = call(room[5:11], B, 1.0, out=room[5 + shift : 11 + shift])
    assert len(seen) == 1
    np.testing.assert_array_equal(found, kernel().ufunc(ROOM[5:11], B, 1.0))


@pytest.mark.parametrize(
    ("args", "kwargs", "error"),
    [
        ((A, B), {}, TypeError), ((A, B, 1.0, np.empty(6), 2), {}, TypeError),
        ((A, B, 1.0), {"out": _frozen()}, ValueError), ((A, B[:5], 1.0), {}, ValueError),
        ((A, B, 1.0), {"oot": np.empty(6)}, TypeError),
        ((A, B, 1.0, np.empty(6)), {"out": np.empty(6)}, TypeError),
        ((A, B, 1 << 60 | 1), {}, ArgumentError), ((A, B, "z"), {}, ArgumentTypeError),
    ],
)  # fmt: skip
def test_mistakes_are_said_as_before(args: Any, kwargs: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        kernel()(*args, **kwargs)


def test_numpy_warns_of_a_number_that_float32_does_not_hold() -> None:
    a = A.astype("f")
    with pytest.warns(RuntimeWarning, match="overflow"):
        found = kernel()(a, a, 1e300)
    assert np.isinf(found).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert kernel()(a, a, 1e-300).dtype == np.float32
        assert np.isinf(kernel()(a, a, float("inf"))).all()


def test_numpy_warns_of_arrays_not_to_be_written_to() -> None:
    first, second = np.broadcast_arrays(np.arange(3.0), np.zeros((1, 3)))
    with pytest.warns(DeprecationWarning):
        kernel()(second.copy(), second.copy(), 1.0, out=first)


@pytest.mark.parametrize("options", [{"dtype": "f32"}, {"dtype": "f64"}, {"parallel": 2}])
@pytest.mark.parametrize("n", [5, 5000, 300_000])
def test_every_kind_of_kernel(options: dict[str, Any], n: int) -> None:
    made = kernel(**options)
    for dtype in {"f32": "f", "f64": "d"}.get(options.get("dtype", ""), "fd"):
        a, b = arrays(dtype, n)
        same(made(a, b, 0.5), made.ufunc(a, b, 0.5))
        same(made(a, b, 0.5, out=a.copy()), made.ufunc(a, b, 0.5))


def test_many_arguments() -> None:
    for count in (MOST_NUMBERS, MOST_NUMBERS + 1):
        symbols = rw.symbols(" ".join(f"a{k}" for k in range(count)))
        made = rw.compile(list(symbols), sum(symbols), math="strict")
        given_ = [np.full(4, float(k)) for k in range(count)]
        same(made(*given_), made.ufunc(*given_))


def test_truth_values_are_numpys() -> None:
    builder = ProgramBuilder()
    builder.output("out", builder.load(builder.argument("flag", (), "b")))
    truth = Kernel(builder.finish())
    assert known_of(truth.program, truth._loops) is None
    compared: Kernel = rw.compile([x], x < 1)
    assert known_of(compared.program, compared._loops) is None
    np.testing.assert_array_equal(compared(A), A < 1)
    flags = np.array([True, False])
    np.testing.assert_array_equal(truth(flags), flags)


@given(
    st.lists(st.sampled_from(["d", "f", 0.25, 2, "D", "F"]), min_size=3, max_size=3),
    st.sampled_from([(4,), (2, 3), (130,)]), st.booleans(), st.integers(0, 2),
)  # fmt: skip
def test_any_mixture_is_what_the_ufunc_makes(
    kinds: list[Any], shape: tuple[int, ...], turned: bool, short: int
) -> None:
    scalars: dict[Any, Any] = {"D": np.float64(0.4), "F": np.float32(0.4)}
    args: list[Any] = []
    for place, kind in enumerate(kinds):
        if kind in ("d", "f"):
            array = arrays(kind, *shape, count=place + 1)[-1]
            args.append(array.T.copy().T if turned and place == short else array)
        else:
            args.append(scalars.get(kind, kind))
    found, wanted = kernel()(*args), kernel().ufunc(*args)
    assert type(found) is type(wanted) or isinstance(wanted, float)
    np.testing.assert_array_equal(found, wanted)
    assert np.asarray(found).dtype == np.asarray(wanted).dtype


def test_threads_run_meanwhile() -> None:
    """Some 30 ms of work leave Python's lock to others."""
    made, big = kernel(math="strict"), np.linspace(0.1, 2, 3_000_000)
    turns, stop = [0], threading.Event()

    def count() -> None:
        while not stop.is_set():
            turns[0] += 1

    other = threading.Thread(target=count)
    out = np.empty_like(big)
    made(big, big, 1.0, out=out)
    other.start()
    try:
        before = turns[0]
        for _ in range(5):
            made(big, big, 1.0, out=out)
        assert turns[0] > before
    finally:
        stop.set()
        other.join()
