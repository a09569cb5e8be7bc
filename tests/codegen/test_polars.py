"""Kernels of polars' Series and expressions: names stay, and what is null stays null."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite.errors import ArgumentError

pl: Any = pytest.importorskip("polars", reason="polars is not installed (the dataframes extra)")

X, Y, B = rw.symbol("x"), rw.symbol("y"), rw.symbol("b", dtype=bool)
V = [rw.symbol(f"v{k}") for k in range(3)]
SQUARE = rw.compile([X], X * X + 1, name="add")  # a name that others know too
TIMES = rw.compile([X, Y], X * Y)
NAMED = rw.compile([X, Y], {"p": X * Y, "q": X < Y})
BOTH = rw.compile([X, Y], (X * Y, X - Y))
ARRAY = rw.compile([V, X], [V[0] * X, V[1] + V[2]])
FRAME = pl.DataFrame({"x": [1.0, 2.0, None], "y": [3, 4, 5], "g": ["a", "a", "b"]})

KINDS = st.sampled_from(["Float64", "Float32", "Int8", "Int32", "Int64", "UInt16"])


@st.composite
def columns(draw: st.DrawFn) -> Any:
    kind = getattr(pl, draw(KINDS))
    values = draw(st.lists(st.none() | st.integers(0, 9), min_size=3, max_size=3))
    return pl.Series(draw(st.sampled_from(["s", "t"])), values, dtype=kind)


@settings(max_examples=60 if settings().max_examples == 100 else settings().max_examples)
@given(columns(), columns())
def test_series_of_numbers(a: Any, b: Any) -> None:
    found = TIMES(a, b)
    assert found.name == a.name
    known = (a.is_not_null() & b.is_not_null()).to_list()
    assert found.is_not_null().to_list() == known
    plain = TIMES(a.fill_null(0).to_numpy(), b.fill_null(0).to_numpy())
    assert found.to_numpy().dtype == plain.dtype
    assert found.drop_nulls().to_list() == plain[known].tolist()
    assert SQUARE(a).to_list() == [None if v is None else v * v + 1 for v in a]


def test_expressions_are_computed_when_polars_asks() -> None:
    squares = [2.0, 5.0, None]
    lazy = FRAME.lazy().with_columns(z=SQUARE(pl.col("x")), w=TIMES(pl.col("x"), pl.col("y")))
    assert isinstance(lazy, pl.LazyFrame)
    for options in ({}, {"engine": "streaming"}):
        made = lazy.collect(**options)
        assert made["z"].to_list() == squares and made["w"].to_list() == [3.0, 8.0, None]
    assert FRAME.select(pl.col("x").map_batches(SQUARE))["x"].to_list() == squares
    assert FRAME.select(TIMES(2.0, pl.col("x")))["x"].to_list() == [2.0, 4.0, None]
    grouped = FRAME.group_by("g", maintain_order=True).agg(SQUARE(pl.col("x")).sum())
    assert grouped["x"].to_list() == [7.0, 0.0]


def test_several_results_are_fields() -> None:
    made = FRAME.select(s=NAMED(pl.col("x"), pl.col("y"))).unnest("s")
    assert made["p"].to_list() == [3.0, 8.0, None] and made["q"].to_list() == [True, True, None]
    found = NAMED(FRAME["x"], FRAME["y"])
    assert found["q"].to_list() == made["q"].to_list() and found["q"].name == "q"
    first, second = BOTH(FRAME["x"], 1.0)
    assert first.name == second.name == "x" and second.to_list() == [0.0, 1.0, None]


def test_types() -> None:
    assert SQUARE(pl.Series([1.0], dtype=pl.Float32)).dtype == pl.Float32
    flags = pl.Series("b", [True, None, False])
    chosen = rw.compile([B, X], rw.where(B, X, -X))(flags, pl.Series([1.0, 2.0, 3.0]))
    assert chosen.to_list() == [1.0, None, -3.0]
    assert SQUARE(pl.Series([None, None])).to_list() == [None, None]
    assert SQUARE(pl.Series("e", [], dtype=pl.Float64)).dtype == pl.Float64
    nan = SQUARE(pl.Series([float("nan"), None]))
    assert np.isnan(nan[0]) and nan[1] is None


def test_shorter_ones_and_arrays() -> None:
    one = pl.Series("o", [2.0])
    assert TIMES(one, FRAME["x"]).to_list() == [2.0, 4.0, None]
    assert TIMES(FRAME["x"], pl.Series("n", [None], dtype=pl.Float64)).null_count() == 3
    vectors = pl.Series("v", np.arange(9.0).reshape(3, 3))
    made = ARRAY(vectors, FRAME["y"])
    assert made.name == "v" and made.dtype == pl.Array(pl.Float64, 2)
    assert made.to_numpy().tolist() == [[0, 3], [12, 9], [30, 15]]
    assert ARRAY(np.ones(3), FRAME["x"])[2] is None
    wide = FRAME.select(v=pl.concat_arr("x", pl.col("y").cast(float), pl.col("y").cast(float)))["v"]
    assert ARRAY(wide[:2], 2.0).to_numpy().tolist() == [[2, 6], [4, 8]]


MISTAKES: dict[str, tuple[Any, str]] = {
    "text": (lambda: SQUARE(pl.Series(["a"])), "argument 'x' .* a Series of String"),
    "times": (lambda: SQUARE(FRAME["x"].cast(pl.Datetime)), "argument 'x' .* Datetime"),
    "rounded": (lambda: SQUARE(pl.Series([2**53 + 1])), "argument 'x' .* would round"),
    "rounded beside a null": (lambda: SQUARE(pl.Series([None, 2**53 + 1])), "would round"),
    "frame": (lambda: SQUARE(FRAME), "argument 'x' .* is a DataFrame; pass columns"),
    "last": (
        lambda: rw.compile([V], V[0], batch_axis=-1)(pl.Series(np.ones((2, 3)))), "batch_axis=-1",
    ),
    "null array": (
        lambda: ARRAY(pl.Series([None], dtype=pl.Array(pl.Float64, 3)), 1.0), "that are null",
    ),
    "out": (lambda: SQUARE(FRAME["x"], out=np.zeros(3)), "out= is for NumPy's arrays"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str) -> None:
    run, message = MISTAKES[name]
    with pytest.raises(ArgumentError, match=message):
        run()


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="broadcast"):
        TIMES(FRAME["x"], pl.Series([1.0, 2.0]))
