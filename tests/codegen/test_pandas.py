"""Kernels of pandas' objects: labels and names as with NumPy's ufuncs, and nothing rounded."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.errors import ArgumentError

pd: Any = pytest.importorskip("pandas", reason="pandas is not installed (the dataframes extra)")

X, Y, Z, B = rw.symbol("x"), rw.symbol("y"), rw.symbol("z"), rw.symbol("b", dtype=bool)
V = [rw.symbol(f"v{k}") for k in range(2)]
LARGER = rw.compile([X, Y], rw.maximum(X, Y), math="strict")
ROOT = rw.compile([X], rw.sqrt(X), math="strict")
SUM = rw.compile([X, Y, Z], X + Y + Z, math="strict")
BOTH = rw.compile([X, Y], (X + Y, X < Y))
NAMED = rw.compile([X, Y], {"p": X + Y, "q": X * Y})
ARRAY = rw.compile([V, X], [V[0] * X, V[1]])
NUMBER = rw.compile([V, X], V[0] * X + V[1])

LABELS = st.permutations("abcd").flatmap(lambda p: st.integers(0, 4).map(lambda n: list(p[:n])))
DTYPES = st.sampled_from(["f8", "f4", "i4", "i8", "Float64", "Int64", "Float32", "Int16"])


@st.composite
def series(draw: st.DrawFn) -> Any:
    labels, dtype = draw(LABELS), draw(DTYPES)
    values: list[Any] = draw(
        st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels))
    )
    if dtype[0].isupper() or dtype[0] == "f":
        holes = draw(st.sets(st.integers(0, 3)))
        missing = pd.NA if dtype[0].isupper() else np.nan
        values = [missing if k in holes else value for k, value in enumerate(values)]
    return pd.Series(values, labels, dtype, name=draw(st.sampled_from(["s", "t", None])))


@settings(max_examples=60 if settings().max_examples == 100 else settings().max_examples)
@given(series(), series())
def test_series_are_what_numpys_functions_make_of_them(a: Any, b: Any) -> None:
    """A maximum has no operator, so that pandas' own way of aligning for ufuncs is the oracle."""
    same(LARGER(a, b), np.maximum(a, b))
    same(LARGER(a, 3.0), np.maximum(a, 3.0))
    same(ROOT(a), np.sqrt(a))


def same(found: Any, expected: Any) -> None:
    assert type(found) is type(expected)
    narrow = "float32" in str(found.dtype).lower()
    if str(expected.dtype).lower().startswith("int"):  # kernels compute in floating point
        kind = "Float32" if narrow else "Float64"
        expected = expected.astype(kind if str(expected.dtype)[0].isupper() else kind.lower())
    pd.testing.assert_series_equal(found, expected, check_dtype=not narrow)


def test_a_kernel_of_a_name_that_pandas_knows_is_called_all_the_same() -> None:
    s = pd.Series([2.0, 3.0])
    product = rw.compile([X, Y], X * Y, name="add")
    assert product(s, s).tolist() == [4, 9]

    @rw.jit
    def subtract(x: Any, y: Any) -> Any:
        return x * y + 1

    assert subtract(s, s).tolist() == [5, 10]
    assert subtract(s.to_frame("a"), 2.0)["a"].tolist() == [5, 7]


def test_three_series_are_aligned() -> None:
    a, b, c = (pd.Series([1.0, 2, 3], list(labels)) for labels in ("abc", "bcd", "cde"))
    found = SUM(a, b, c)
    assert found.index.tolist() == list("abcde") and found["c"] == 3 + 2 + 1
    assert found.isna().sum() == 4
    pd.testing.assert_series_equal(SUM(a, 1.0, a), SUM(a.to_numpy(), 1.0, a.to_numpy()) + 0 * a)


def test_several_results_and_names() -> None:
    s = pd.Series([1.0, 5.0], pd.Index(["u", "v"], name="where"), name="s")
    total, less = BOTH(s, 3.0)
    assert total.tolist() == [4, 8] and less.tolist() == [True, False]
    assert less.dtype == bool and total.name == less.name == "s"
    assert total.index.equals(s.index) and total.index.name == "where"
    found = NAMED(s, s.rename("t"))
    assert {name: each.name for name, each in found.items()} == {"p": "p", "q": "q"}


def test_attributes_stay() -> None:
    s = pd.Series([1.0])
    s.attrs["unit"] = "m"
    assert ROOT(s).attrs == {"unit": "m"}
    assert LARGER(s, pd.Series([2.0])).attrs == {}
    assert ROOT(s.to_frame("a")).attrs == {"unit": "m"}


@pytest.mark.parametrize("convert", [lambda f: f, lambda f: f.convert_dtypes(), lambda f: f * 2.5])
def test_frames_keep_labels_of_both_axes(convert: Callable[[Any], Any]) -> None:
    frame = convert(pd.DataFrame({"a": [1, 4], "b": [9.0, np.nan]}, index=["u", "v"]))
    found = ROOT(frame)
    assert found.index.equals(frame.index) and found.columns.equals(frame.columns)
    assert found["a"].tolist() == np.sqrt(np.asarray(frame["a"], float)).tolist()
    assert found.isna().to_numpy().tolist() == [[False, False], [False, True]]
    other = LARGER(frame, convert(pd.DataFrame({"b": [0.0], "c": [1.0]}, index=["u"])))
    assert other.columns.tolist() == list("abc") and other.index.tolist() == ["u", "v"]
    assert other.notna().sum().sum() == 1
    total, less = BOTH(frame, frame)
    assert total.shape == less.shape == frame.shape


def test_repeated_labels_are_aligned_as_pandas_does() -> None:
    a, b = pd.Series([1.0, 2.0], ["u", "u"]), pd.Series([5.0, 0.0], ["u", "w"])
    pd.testing.assert_series_equal(LARGER(a, b), np.maximum(a, b))


def test_missing_values_of_pandas_own_types() -> None:
    s = pd.Series([1, None, 3], dtype="Int64")
    found = LARGER(s, pd.Series([2.0, 2.0, np.nan]))
    assert str(found.dtype) == "Float64" and found.isna().tolist()[:2] == [False, True]
    flags = pd.Series([True, None, False], dtype="boolean")
    chosen = rw.compile([B, X], rw.where(B, X, -X))(flags, s)
    assert chosen[0] == 1 and chosen.isna().tolist() == [False, True, False] and chosen[2] == -3
    less = rw.compile([X], X < 2)(s)
    assert str(less.dtype) == "boolean" and less[0] and less.isna()[1]
    sparse = pd.Series(pd.arrays.SparseArray([0.0, 4.0]))
    assert ROOT(sparse).tolist() == [0, 2]


def test_rows_are_points_of_array_kernels() -> None:
    index = pd.Index(["u", "v", "w"])
    frame = pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 5, 6]}, index)
    s = pd.Series([10.0, 20, 30], index, name="s")
    made = ARRAY(frame, s)
    assert made.index.equals(index) and made.to_numpy().tolist() == [[10, 4], [40, 5], [90, 6]]
    number = NUMBER(frame, s[::-1])
    assert number.index.equals(index) and number.tolist() == [14, 45, 96]
    assert NUMBER(pd.Series([1.0, 2.0], ["p", "q"]), 3.0) == 5
    assert NUMBER(pd.Series([1.0, 2.0], ["p", "q"]), s).tolist() == [12, 22, 32]
    missing = frame.convert_dtypes()
    missing.loc["v", "a"] = pd.NA
    assert NUMBER(missing, s).isna().tolist() == [False, True, False]
    assert ARRAY(missing, s).isna().sum().tolist() == [1, 1]
    last = rw.compile([V, X], [V[0] * X, V[1]], batch_axis=-1)
    pd.testing.assert_frame_equal(last(frame, s), made)


def test_an_index_stays_one() -> None:
    found = ROOT(pd.Index([4.0, 9.0], name="t"))
    assert isinstance(found, pd.Index) and found.tolist() == [2, 3] and found.name == "t"
    assert LARGER(pd.Series([1.0, 2.0]), pd.Index([0.0, 5.0])).tolist() == [1, 5]


def test_threads_are_used() -> None:
    s = pd.Series(np.linspace(0, 1, 300_000))
    kernel = rw.compile([X], rw.sin(X) * rw.exp(X), parallel=2)
    assert kernel(s).to_numpy().tobytes() == kernel(s.to_numpy()).tobytes()


MISTAKES: dict[str, tuple[Any, str]] = {
    "text": (lambda: ROOT(pd.Series(["a"])), "argument 'x' .* whose values are no numbers"),
    "objects": (lambda: ROOT(pd.Series([1.0, "a"])), r"x\.astype\(float\)"),
    "times": (lambda: ROOT(pd.Series(pd.to_datetime(["2020-01-01"]))), "argument 'x'"),
    "complex": (lambda: ROOT(pd.Series([1j])), "argument 'x' .* complex128"),
    "rounded": (lambda: ROOT(pd.Series([2**53 + 1])), "argument 'x' .* would round"),
    "rounded by aligning": (
        lambda: LARGER(pd.Series([2**53 + 1], [0]), pd.Series([1], [1])), "would round",
    ),
    "rounded of Int64": (lambda: ROOT(pd.Series([2**53 + 1, None], dtype="Int64")), "would round"),
    "frame and series": (
        lambda: LARGER(pd.DataFrame({"a": [1.0]}), pd.Series([1.0])), "not both at once",
    ),
    "truth": (lambda: rw.compile([B], ~B)(pd.Series([1.0])), "argument 'b'"),
    "out": (lambda: ROOT(pd.Series([1.0]), out=np.zeros(1)), "out= is for NumPy's arrays"),
    "rows": (lambda: rw.compile([[[X, Y]]], X)(pd.DataFrame({"a": [1.0]})), "have one axis"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    run, message = MISTAKES[name]
    with pytest.raises(ArgumentError, match=message):
        run()
