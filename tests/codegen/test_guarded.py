"""Arguments of a call: exact, or refused by name, by machine code and by Python alike."""

import functools
import gc
import inspect
import pickle
import sys
import threading
import weakref
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import rewrite as rw
from codegen import guarded
from codegen.kernel import Kernel
from codegen.layout import layout
from codegen.llvm import builtin
from codegen.llvm.known import MOST_NUMBERS
from codegen.program import ProgramBuilder
from rewrite.errors import ArgumentError, ArgumentTypeError, RewriteError

type Array = NDArray[Any]

LIMIT = 1 << 53


def shifted(**options: Any) -> Kernel:
    b = ProgramBuilder("shifted")
    x, y = b.load(b.argument("x")), b.load(b.argument("y"))
    flag = b.load(b.argument("flag", (), "b"))
    b.output("out", b.emit("where", flag, b.emit("add", x, y), x))
    return Kernel(b.finish(), **options)


def held(kernel: Kernel) -> Any:
    """Return what Python calls."""
    descriptor: Any = vars(functools.partial)["func"]
    return descriptor.__get__(kernel)


def by_python(**options: Any) -> Kernel:
    """Make a kernel as on a CPython that is laid out in another way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guarded, "guard_maker", lambda **_: None)
        made = shifted(**options)
    assert isinstance(held(made), guarded.Closer)
    return made


QUICK, SLOW = shifted(), by_python()
BOTH = pytest.mark.parametrize("kernel", [QUICK, SLOW], ids=["machine", "python"])


def verdict(kernel: Kernel, x: Any) -> str:
    try:
        kernel(x, 0.0, True)
    except ArgumentError as error:
        return str(error)
    return ""


def test_the_layout_is_known_here() -> None:
    assert layout() is not None
    assert type(held(QUICK)).__name__ == "builtin_function_or_method"


@pytest.mark.parametrize(
    "name", "TYPE_AT INT64_AT DATA_AT RANK_AT SIZES_AT DTYPE_AT FLAGS_AT ORDER_AT NUMBER_AT".split()
)
def test_another_layout_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builtin, name, getattr(builtin, name) - 8 if "AT" in name else 0)
    assert layout() is None


EDGES = [
    s * (1 << p) + d for s in (1, -1) for p in (0, 52, 53, 54, 60, 62, 63) for d in range(-2, 3)
]
integers = st.one_of(st.sampled_from(EDGES), st.integers(-(1 << 65), 1 << 65))


@BOTH
@given(value=integers)
def test_python_integers(kernel: Kernel, value: int) -> None:
    exact = int(float(value)) == value
    found = verdict(kernel, value)
    assert (found == "") == exact
    if exact:
        assert kernel(value, 0.0, True) == float(value)
    else:
        assert f"'x' of kernel 'shifted' holds the integer {value} (int)" in found
        assert "float(x)" in found


def plain(array: Array) -> Array:
    return array


def swapped(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder())


def strided(array: Array) -> Array:
    return np.repeat(array, 2)[::2]


def square(array: Array) -> Array:
    return np.stack([array, array])


def unaligned(array: Array) -> Array:
    room = np.zeros(array.nbytes + 1, np.uint8)
    room[1:] = array.view(np.uint8)
    return room[1:].view(array.dtype)


def without_dimension(array: Array) -> Array:
    return np.array(array[len(array) // 2])


def scalar(array: Array) -> Any:
    return array[len(array) // 2]


def many(array: Array) -> Array:
    return np.pad(array, (1 << 18, 0))


@BOTH
@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.longlong, np.ulonglong])
@pytest.mark.parametrize(
    "layout", [plain, swapped, strided, square, unaligned, without_dimension, scalar]
)
@pytest.mark.parametrize("length", [1, 3, 16, 39])
def test_arrays_of_integers(kernel: Kernel, dtype: Any, layout: Any, length: int) -> None:
    check_edges(kernel, dtype, layout, length)


@BOTH
def test_long_arrays_of_integers(kernel: Kernel) -> None:
    for dtype in (np.int64, np.uint64):
        check_edges(kernel, dtype, many, 3)


def check_edges(kernel: Kernel, dtype: Any, layout: Any, length: int) -> None:
    low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    for value in sorted({edge for edge in EDGES if low <= edge <= high}):
        array = np.full(length, 7, dtype)
        array[length // 2] = value
        array = layout(array)
        found = verdict(kernel, array)
        if int(float(value)) == value:
            assert found == "", value
            assert np.array_equal(kernel(array, 0.0, True), np.asarray(array).astype(float))
        else:
            assert f"holds the integer {value} ({array.dtype.name})" in found
            assert "x.astype(float)" in found


@BOTH
def test_the_first_of_several_is_named_and_casting_is_free(kernel: Kernel) -> None:
    for length in (3, 3000):
        array = np.arange(length)
        array[1:3] = LIMIT + 1, -LIMIT - 1
        assert f" {LIMIT + 1} " in verdict(kernel, array)
        assert f" {-LIMIT - 1} " in verdict(kernel, array[::-1])
        found = kernel(array, 0.0, True, casting="unsafe")
        assert np.array_equal(found, array.astype(float))
    assert kernel(np.array([], np.int64), 0.0, True).shape == (0,)


@BOTH
def test_lists_of_integers(kernel: Kernel) -> None:
    assert kernel([1, 2], [3, LIMIT], True).tolist() == [4, LIMIT + 2]
    with pytest.raises(ArgumentError, match=r"'y'.*9007199254740993 .*np\.asarray\(y, float\)"):
        kernel(1.0, [[1, LIMIT + 1]], True)
    with pytest.raises(ArgumentError, match=r"'x' .* holds the integer 2\*\*16609 and more"):
        kernel(10**5000, 1.0, True)


@BOTH
@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1j, "is 1j, of dtype complex128"),
        (np.ones(2, "c8"), "is an array of dtype complex64, which does not safely become"),
        ("a", "is 'a', of dtype <U1"),
        (np.array(["1", "2"]), "is an array of dtype <U1"),
        (b"a" * 99, "..., of dtype |S99"),
        (None, "is None, of dtype object"),
        (Fraction(1, 2), "is Fraction(1, 2), of dtype object"),
        (np.array([1, 2], object), "is an array of dtype object"),
        (np.datetime64(3, "s"), "of dtype datetime64[s]"),
        (np.ones(1, "m8[s]"), "divide y by a unit"),
        (np.ones(2, [("a", "f8")]), "is an array of dtype [('a', '<f8')]"),
        ([[1], [1, 2]], "is no array: "),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_number_is_named(kernel: Kernel, value: Any, words: str) -> None:
    expected: type[RewriteError] = ArgumentTypeError
    if "no array" in words:
        expected = ArgumentError
    else:
        assert issubclass(expected, TypeError)  # as what NumPy raises
    with pytest.raises(expected) as caught:
        kernel(1.0, value, True)
    assert "argument 'y' of kernel 'shifted'" in str(caught.value)
    assert words in str(caught.value)


@BOTH
def test_truth_values(kernel: Kernel) -> None:
    for flag in (True, np.True_, np.array([True, False])):
        assert kernel(1.0, 2.0, flag).shape == np.shape(flag)
    for wrong in (1.0, 1, np.ones(2), np.ones(2, int), "x"):
        with pytest.raises(ArgumentTypeError, match=r"'flag' .* truth value; .*: flag != 0"):
            kernel(1.0, 2.0, wrong)
    assert kernel(True, np.array([False]), True).tolist() == [1]


@pytest.mark.skipif(np.dtype("g").itemsize == 8, reason="long double is double here")
@BOTH
def test_long_double_is_cast_on_request(kernel: Kernel) -> None:
    with pytest.raises(ArgumentTypeError, match=r"cast it .* x\.astype\(float\)"):
        kernel(np.ones(2, "g"), 1.0, True)
    wanted = (np.float64, np.float64, np.bool_, np.float64)
    assert kernel(np.ones(2, "g"), 1.0, True, signature=wanted).tolist() == [2, 2]


@pytest.mark.parametrize("make", [shifted, by_python])
def test_float32_by_name_rounds_what_it_is_given(make: Any) -> None:
    kernel = make(dtype="f32")
    assert kernel(np.array([LIMIT + 1]), 1 << 60, True).dtype == np.float32
    with pytest.raises(ArgumentTypeError, match="'x'"):
        kernel(1j, 1.0, True)


@BOTH
def test_numpys_words_work(kernel: Kernel) -> None:
    x = np.arange(4)
    out = np.zeros(4)
    assert kernel(x, 1.0, True, out=out) is out and out.tolist() == [1, 2, 3, 4]
    assert kernel(x, 2.0, True, out) is out and out.tolist() == [2, 3, 4, 5]
    assert kernel(x, 2.0, True, None).tolist() == [2, 3, 4, 5]
    kernel(x, 5.0, True, out=out, where=x > 1)
    assert out.tolist() == [2, 3, 7, 8]
    wanted = (np.float32, np.float32, np.bool_, np.float32)
    assert kernel(np.ones(2), 1.0, True, signature=wanted).dtype == np.float32
    for wrong in ((), (1.0,), (1.0, 2.0), (1.0, 2.0, True, out, out)):
        with pytest.raises(TypeError, match="argument"):
            kernel(*wrong)
    with pytest.raises(TypeError, match="unexpected keyword argument 'flag'"):
        kernel(1.0, 2.0, True, flag=True)
    with pytest.raises(ValueError, match="broadcast"):
        kernel(np.ones(2), np.ones(3), True)
    with pytest.raises(TypeError, match="same_kind"):
        kernel(1.0, 2.0, True, out=np.zeros((), int))
    assert str(inspect.signature(kernel)) == "(x, y, flag, /)"
    assert pickle.loads(pickle.dumps(kernel))(1, 2, True) == 3


@BOTH
def test_numbers_of_python_take_the_type_of_the_others(kernel: Kernel) -> None:
    narrow = np.ones(2, np.float32)
    for flag in (True, np.True_, [True, False], np.array(True)):
        for number in (2, 2.5, True, 1 << 60):
            assert kernel(narrow, number, flag).dtype == np.float32
            assert kernel(number, narrow, flag).dtype == np.float32
        assert kernel(narrow, np.float64(2), flag).dtype == np.float64
        assert kernel(narrow, [2.5], flag).dtype == np.float64


@BOTH
def test_types_of_others_decide(kernel: Kernel) -> None:
    class Own:
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
            return ufunc, method, inputs, kwargs

    class Marked(np.ndarray):
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
            return "mine"

    class Plain(np.ndarray):
        pass

    class Failing:
        def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
            raise TypeError("not today")

    own = Own()
    assert kernel(own, 1, True) == (kernel.ufunc, "__call__", (own, 1, True), {})
    assert kernel(np.zeros(2, int).view(Marked), 1, True) == "mine"
    assert isinstance(kernel(np.ones(2).view(Plain), 1, True), Plain)
    with pytest.raises(ArgumentError, match="9007199254740993"):
        kernel(np.array([LIMIT + 1]).view(Plain), 1, True)
    with pytest.raises(TypeError, match="not today"):
        kernel(1.0, Failing(), True)
    masked = np.ma.array([1.0, 2.0], mask=[True, False])
    assert kernel(masked, 1.0, True).tolist() == [None, 3.0]
    with pytest.raises(TypeError):
        kernel(rw.symbol("x"), 1.0, True)


def test_subclasses_call_on() -> None:
    class Counting(Kernel):
        calls = 0

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            return super().__call__(*args, **kwargs)

    b = ProgramBuilder("same")
    b.output("y", b.load(b.argument("x")))
    kernel = Counting(b.finish())
    assert kernel(2.0) == 2 and kernel.calls == 1


@pytest.mark.parametrize(
    "options",
    [{"results": "dict"}, {"results": "tuple"}, {"parallel": 2}, {"dtype": "f8"}],
    ids=str,
)
def test_every_kind_of_kernel_looks(options: Any) -> None:
    kernel = shifted(**options)
    with pytest.raises(ArgumentError, match="9007199254740993"):
        kernel(LIMIT + 1, 1, True)
    kernel(np.arange(3), 1, True)
    with pytest.raises(ArgumentError, match="9007199254740993"):
        rw.jit(lambda u: u + 1)(np.array([LIMIT + 1]))


CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((np.ones(3), 2.0, True), {}),
    ((np.arange(3), 1 << 20, np.array([True])), {"out": np.zeros(3)}),
    (([1, 2, 3], np.float64(2), True), {}),
    ((LIMIT + 1, 2.0, True), {}),
    ((np.array([LIMIT + 1]), 2.0, True), {}),
    ((1j, 2.0, True), {}),
    ((np.ones(2), np.ones(3), True), {}),
    ((1.0, 2.0), {}),
    ((1.0, 2.0, True), {"odd": 1}),
]


@pytest.fixture
def counted() -> Iterator[None]:
    gc.collect()
    before = sys.getallocatedblocks()
    yield
    gc.collect()
    assert sys.getallocatedblocks() - before < 500


@pytest.mark.parametrize("call", CALLS, ids=lambda call: str(call[0])[:30])
def test_nothing_is_left_behind(call: Any, counted: None) -> None:
    args, kwargs = call
    objects = [QUICK, QUICK.ufunc, held(QUICK), *args, *kwargs.values(), TypeError, float, None]
    watched = [o for o in objects if type(o) not in (int, bool, type(None))]
    before = [sys.getrefcount(o) for o in watched]
    for _ in range(100_000 if not wrong(args, kwargs) else 20_000):
        try:
            QUICK(*args, **kwargs)
        except (ValueError, TypeError):
            pass
    after = [sys.getrefcount(o) for o in watched]
    assert all(abs(a - b) < 10 for a, b in zip(after, before, strict=True)), (before, after)


def wrong(args: Any, kwargs: Any) -> bool:
    try:
        QUICK(*args, **kwargs)
    except (ValueError, TypeError):
        return True
    return False


def test_a_kernel_goes_with_its_last_reference() -> None:
    made = shifted()
    call: Any = held(made)
    closer = next(part for part in call.__self__ if isinstance(part, guarded.Closer))
    gone = weakref.ref(closer)
    del made, closer
    gc.collect()
    assert call(1.0, 2.0, True) == 3 and gone() is not None
    del call
    gc.collect()
    assert gone() is None


def test_code_made_twice_stays_as_long_as_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    make: Any = vars(guarded.guard_maker)["__wrapped__"]
    monkeypatch.setattr(guarded, "guard_maker", make)
    kernels = [shifted() for _ in range(3)]
    gc.collect()
    assert [kernel(1.0, 2, True) for kernel in kernels] == [3, 3, 3]
    owner: Any = held(kernels[0])
    code = weakref.ref(owner.__self__[-1])
    del kernels, owner
    gc.collect()
    assert code() is None


def test_threads() -> None:
    failures: list[Any] = []

    def work(number: int) -> None:
        for k in range(5_000):
            if QUICK(float(k), number, True) != k + number:
                failures.append((k, number))
            try:
                QUICK(LIMIT + 1 + 2 * k, number, True)
                failures.append(k)
            except ArgumentError as error:
                if str(LIMIT + 1 + 2 * k) not in str(error):
                    failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


DIRECT = [0.0, -0.0, 1.5, np.float64(-2.25), float("inf"), float("nan"), 5e-324, 7, -LIMIT, LIMIT]


NUMBERS = rw.compile(
    list(rw.symbols("a b")),
    rw.where(rw.symbol("a") < rw.symbol("b"), rw.sin(rw.symbol("a")) / 3, rw.symbol("b") - 1),
)


@pytest.mark.parametrize("y", DIRECT)
@pytest.mark.parametrize("x", DIRECT)
def test_numbers_have_the_bits_and_the_type_that_numpy_gives(x: Any, y: Any) -> None:
    found, expected = NUMBERS(x, y), NUMBERS.ufunc(x, y)
    assert type(found) is type(expected) is np.float64
    assert found.tobytes() == expected.tobytes() or (found != found and expected != expected)


def test_numbers_of_other_types_are_numpys() -> None:
    a = rw.symbol("a")
    kernel = rw.compile([a], a * 2)
    assert type(kernel(np.float32(1.5))) is np.float32
    assert type(kernel(np.float16(1.5))) is np.float32
    assert isinstance(kernel(np.ones(1)), np.ndarray)
    assert kernel(1.5, dtype=np.float32).dtype == np.float32
    assert type(rw.compile([a], a * 2, dtype=np.float32)(1.5)) is np.float32
    assert rw.compile([a], (a, a))(1.5) == (1.5, 1.5)
    assert rw.compile([a], a < 2)(1.5) is np.True_


def test_many_numbers() -> None:
    for count in (MOST_NUMBERS, MOST_NUMBERS + 1):
        symbols = rw.symbols(" ".join(f"a{k}" for k in range(count)))
        kernel = rw.compile(list(symbols), sum(symbols), math="strict")
        assert kernel(*range(count)) == sum(range(count))
        with pytest.raises(TypeError, match="positional"):
            kernel(*range(count - 1))


def test_a_number_outlives_its_kernel() -> None:
    a = rw.symbol("a")
    found = [rw.compile([a], a + k)(0.5) for k in range(3)]
    gc.collect()
    assert [float(x) for x in found] == [0.5, 1.5, 2.5]
    count = sys.getrefcount(found[0])
    assert count == 2
