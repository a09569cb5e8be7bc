"""A kernel in NumPy's hands: types, layouts, memory that overlaps, and arrays of others."""

import inspect
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

import rewrite as rw
from rewrite.errors import ArgumentTypeError

type Array = NDArray[Any]

x, y = rw.symbols("x y")
v = rw.symbols("v0 v1 v2")
SCALED = rw.compile([x, y], x * y + x, math="strict")
TWO = rw.compile([x, y], (x + y, x < y), math="strict")
NAMED = rw.compile([x, y], {"sum": x + y, "product": x * y}, math="strict")
TURNED = rw.compile([list(v), x], [v[0] * x, v[1] + v[2]], math="strict")
TOTAL = rw.compile([list(v)], sum(v), math="strict")
NARROW = ("?", "i1", "u1", "i2", "u2", "f2", "f4")
WIDE = ("i4", "u4", "i8", "u8", "f8", ">f8", ">i4")
WEAK = (2, 0.5, True, -3)


def reference(first: Any, second: Any) -> Any:
    return first * second + first


def computed_in(*operands: Any) -> Any:
    """Return the type of the loop: NumPy's own for a function of floats, but for float16.

    Python's numbers are weak (NEP 50): they take the type of the others of their kind.
    """
    small = (each if np.ndim(each) == 0 else each.ravel()[:0] for each in operands)
    return np.result_type(np.arctan2(*small), np.float32)


def laid_out(array: Array, how: str) -> Array:
    """Return an array of the same values that lies in memory in another way."""
    if how == "strided":
        room = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
        room[..., ::2] = array
        return room[..., ::2]
    if how == "reversed":
        return np.ascontiguousarray(array[..., ::-1])[..., ::-1]
    if how == "fortran":
        return np.asfortranarray(array)
    if how == "unaligned":
        room = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype)
        room[:] = array.ravel()
        return room.reshape(array.shape)
    if how == "readonly":
        array = array.copy()
        array.flags.writeable = False
    return array


layouts = st.sampled_from(["plain", "strided", "reversed", "fortran", "unaligned", "readonly"])


@st.composite
def operands(draw: st.DrawFn) -> tuple[Any, Any]:
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=9))
    made: list[Any] = []
    for shape in shapes.input_shapes:
        kind = np.dtype(draw(st.sampled_from([*NARROW, *WIDE])))
        seed = draw(st.integers(0, 1000))
        whole = np.random.default_rng(seed).integers(-9, 10, shape)
        values = (whole if kind.kind != "u" else abs(whole)).astype(kind)
        made.append(laid_out(values, draw(layouts)) if values.ndim and values.size else values)
    if draw(st.booleans()):
        made[draw(st.integers(0, 1))] = draw(st.sampled_from(WEAK))
    return made[0], made[1]


@given(operands())
def test_types_shapes_and_values(pair: tuple[Any, Any]) -> None:
    dtype = computed_in(*pair)
    found = SCALED(*pair)
    expected = reference(*(np.asarray(each).astype(dtype) for each in pair))
    assert found.dtype == dtype and np.shape(found) == np.shape(expected)
    assert np.array_equal(found, expected)
    assert isinstance(found, np.ndarray) == (np.ndim(expected) > 0)


@pytest.mark.parametrize("kind", [*NARROW, *WIDE])
@pytest.mark.parametrize("weak", WEAK)
def test_numbers_of_python_are_weak(kind: str, weak: Any) -> None:
    array = np.array([1, 0, 1]).astype(kind)
    assert SCALED(array, weak).dtype == computed_in(array, weak)
    assert SCALED(weak, array[0]).dtype == computed_in(weak, array[0])


def test_the_narrow_type_stays() -> None:
    for weak in WEAK:
        assert SCALED(np.ones(2, np.float32), weak).dtype == np.float32
    assert SCALED(np.ones(2, np.float32), np.float64(2)).dtype == np.float64
    assert SCALED(np.ones(2, np.float32), np.ones(2, np.int32)).dtype == np.float64


@given(
    st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.sampled_from([1, 2, -1, -2]),
    st.integers(1, 30), st.booleans(),
)  # fmt: skip
def test_memory_that_overlaps(a: int, b: int, c: int, step: int, size: int, masked: bool) -> None:
    """Results are as if the arguments had been copied first."""
    room = np.arange(1.0, 141.0)

    def view(start: int) -> Array:
        part = room[start : start + size * abs(step)][::step]
        return part[:size]

    first, second, out = view(a), view(b), view(c)
    mask: Any = np.arange(size) % 2 == 0 if masked else True
    expected = np.where(mask, reference(first.copy(), second.copy()), out)
    assert SCALED(first, second, out=out, where=mask) is out
    assert np.array_equal(out, expected)


@pytest.mark.parametrize("order", ["C", "F", "A", "K"])
@pytest.mark.parametrize("layout", ["plain", "fortran", "strided"])
def test_order_is_numpys(order: Any, layout: str) -> None:
    array = laid_out(np.ones((3, 4)), layout)
    found, expected = SCALED(array, 2.0, order=order), np.add(array, 2.0, order=order)
    assert found.strides == expected.strides


@pytest.mark.parametrize("casting", ["no", "equiv", "safe", "same_kind", "unsafe"])
@pytest.mark.parametrize("kind", ["f4", "f8", "i4"])
@pytest.mark.parametrize("dtype", [None, "f4", "f8"])
def test_casting_is_numpys(casting: Any, kind: str, dtype: Any) -> None:
    array, other = np.ones(3, kind), np.ones(3)

    def tried(call: Any) -> Any:
        try:
            return call(array, other, casting=casting, dtype=dtype).dtype
        except TypeError:
            return TypeError

    # of functions with loops of floats alone, as kernels are
    assert tried(SCALED) == tried(np.arctan2)


def test_out_and_its_mistakes() -> None:
    array, out = np.arange(3.0), np.empty(3)
    assert SCALED(array, array, out) is out and SCALED(array, array, out=(out,)) is out
    sums, less = TWO(array, 1.0, out=(out, None))
    assert sums is out and less.dtype == bool
    named = NAMED(array, 2.0, out={"product": out})
    assert named["product"] is out and list(named) == ["sum", "product"]
    out.flags.writeable = False
    for wrong in (out, np.empty(2), np.empty(3, int), (np.empty(3), np.empty(3)), [1.0, 2.0, 3.0]):
        with pytest.raises((ValueError, TypeError)):
            SCALED(array, array, out=wrong)
    whole = np.empty(3, int)
    assert np.array_equal(SCALED(array, array, out=whole, casting="unsafe"), [0, 2, 6])
    with pytest.raises(TypeError, match="unexpected keyword"):
        SCALED(array, array, axis=0)
    with pytest.raises(TypeError, match="positional"):
        SCALED(array)


def test_array_kernels_take_what_gufuncs_take() -> None:
    points = np.arange(15.0).reshape(5, 3)
    assert TURNED.signature == "(3),()->(2)" and TURNED(points, np.arange(5.0)).shape == (5, 2)
    turned = TURNED(points.T, 2.0, axes=[(0,), (), (0,)])
    assert np.array_equal(turned, TURNED(points, 2.0).T)
    assert np.array_equal(TOTAL(points.T, axis=0), points.sum(axis=1))
    assert TOTAL(points, keepdims=True).shape == (5, 1)
    assert TURNED(np.ones((0, 3)), 1.0).shape == (0, 2)
    out = np.zeros((5, 4))[:, ::2]
    assert TURNED(points, 2.0, out=out) is out and np.array_equal(out, TURNED(points, 2.0))
    square = np.arange(9.0).reshape(3, 3)
    expected = TOTAL(square.copy())
    assert np.array_equal(TOTAL(square, out=square[0]), expected)
    with pytest.raises(ValueError, match="core dimension"):
        TURNED(np.ones((2, 4)), 1.0)
    with pytest.raises(TypeError):
        TURNED(points, 1.0, where=points > 0)


def test_it_has_what_ufuncs_have() -> None:
    assert (SCALED.nin, SCALED.nout, SCALED.nargs, SCALED.ntypes) == (2, 1, 3, 2)
    assert SCALED.types == ["ff->f", "dd->d"] and SCALED.identity is SCALED.signature is None
    assert rw.compile([], rw.const(2)).nin == 0
    added = rw.compile([x, y], x + y)
    grid = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(added.reduce(grid, axis=1), np.add.reduce(grid, axis=1))
    assert np.array_equal(added.accumulate(grid), np.add.accumulate(grid))
    assert np.array_equal(added.outer([1.0, 2], [3.0, 4]), np.add.outer([1, 2], [3, 4]))
    assert np.array_equal(added.reduceat(np.arange(8.0), [0, 4]), [6, 22])
    counts = np.zeros(3)
    added.at(counts, [0, 0, 2], 1.0)
    assert counts.tolist() == [2, 0, 1]
    float32 = np.dtype("f4")
    assert added.resolve_dtypes((float32, float, None))[2] == float32
    assert list(inspect.signature(SCALED).parameters) == ["x", "y"]


class Logged(np.ndarray[Any, Any]):
    """An array whose results are of its own kind."""


class Deferring:
    """Takes every call upon itself."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **options: Any) -> str:
        return f"{ufunc.__name__}.{method} of {len(args)}"


def test_others_have_their_say() -> None:
    logged = np.arange(3.0).view(Logged)
    assert type(SCALED(logged, 1.0)) is Logged and type(TURNED(logged, 1.0)) is Logged
    assert type(SCALED(logged, 1.0, subok=False)) is np.ndarray
    assert type(SCALED(np.ma.array([1.0, 2.0], mask=[False, True]), 1.0)) is np.ma.MaskedArray
    assert SCALED(1.0, Deferring()) == "kernel.__call__ of 2"


# -- arrays by the array API standard and DLPack ---------------------------------------------


@pytest.mark.parametrize("kind", ["float32", "float64", "int32"])
def test_arrays_by_the_standard_come_back_as_such(kind: str) -> None:
    array_api_strict: Any = pytest.importorskip("array_api_strict")
    strict = array_api_strict.asarray([1, 2, 3], dtype=getattr(array_api_strict, kind))
    plain = np.array([1, 2, 3], kind)
    found = SCALED(strict, 2.0)
    assert type(found) is type(strict)
    assert np.array_equal(np.from_dlpack(found), SCALED(plain, 2.0))
    assert found.dtype == getattr(array_api_strict, SCALED(plain, 2.0).dtype.name)
    sums, less = TWO(strict, strict)
    assert type(sums) is type(less) is type(strict) and less.dtype == array_api_strict.bool
    assert type(NAMED(2.0, strict)["sum"]) is type(strict)
    assert TURNED(strict, 2.0).shape == (2,)
    assert type(TOTAL(strict)) is type(strict) and TOTAL(strict).shape == ()


def test_arrays_of_jax_and_torch() -> None:
    for name in ("jax.numpy", "torch"):
        library = pytest.importorskip(name)
        array = library.asarray([1.0, 2.0], dtype=library.float32)
        found = SCALED(array, 2.0)
        assert type(found) is type(array) and found.dtype == array.dtype
        assert found.tolist() == [3.0, 6.0]


def test_arrays_elsewhere_are_refused() -> None:
    class Elsewhere:
        device = "cuda:0"

        def __array_namespace__(self) -> Any:
            return np

        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("cannot export this device")

        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

    with pytest.raises(ArgumentTypeError, match=r"cuda:0.*target='auto'"):
        SCALED(Elsewhere(), 1.0)
