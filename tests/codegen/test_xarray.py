"""Kernels of xarray's objects: dimensions, coordinates and names stay, and what is lazy is so."""

from typing import Any

import numpy as np
import pytest

import rewrite as rw
from rewrite.errors import ArgumentError

xr: Any = pytest.importorskip("xarray", reason="xarray is not installed (the dask extra)")

X, Y = rw.symbol("x"), rw.symbol("y")
V = [rw.symbol(f"v{k}") for k in range(3)]
LARGER = rw.compile([X, Y], rw.maximum(X, Y), math="strict", name="add")  # xarray knows an `add`
BOTH = rw.compile([X, Y], (X * Y, X - Y))
NAMED = rw.compile([X, Y], {"p": X * Y, "q": X < Y})
ARRAY = rw.compile([V, X], [V[0] * X, V[1]])


def field(**options: Any) -> Any:
    coords = {"t": [10, 20], "s": list("abc")}
    return xr.DataArray(
        np.arange(6.0).reshape(2, 3), coords, ("t", "s"), **{"name": "f", **options}
    )


ARGUMENTS: dict[str, tuple[Any, Any]] = {
    "number": (field(), 2.0),
    "itself": (field(), field()),
    "row": (field(), field().isel(t=0, drop=True)),
    "other dimension": (field(), xr.DataArray([1.0, 9.0], dims="z", name="g")),
    "other labels": (field(), field().isel(s=[2, 1])),
    "transposed": (field(), field().T),
    "numpy": (field(), np.arange(3.0)),
    "attributes": (field(attrs={"unit": "m"}), 2.5),
    "dataset": (xr.Dataset({"f": field(), "g": 10 - field()}), 2.0),
    "datasets": (xr.Dataset({"f": field()}), xr.Dataset({"f": field() + 1})),
    "variable": (field().variable, 3.0),
    "integers": (field().astype("i4"), 2),
    "float32": (field().astype("f4"), np.float32(2)),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_results_are_what_numpys_functions_make_of_them(name: str) -> None:
    args = ARGUMENTS[name]
    found, expected = LARGER(*args), np.maximum(*args)
    if name == "integers":
        expected = expected.astype(float)
    xr.testing.assert_identical(found, expected)
    assert type(found) is type(expected)


def test_several_results_and_names() -> None:
    product, difference = BOTH(field(), 2.0)
    xr.testing.assert_identical(product, field() * 2)
    xr.testing.assert_identical(difference, field() - 2)
    found = NAMED(field(), 2.0)
    assert [found["p"].name, found["q"].name] == ["p", "q"] and found["q"].dtype == bool
    (single,) = rw.compile([X], (X * 2,))(field())
    xr.testing.assert_identical(single, field() * 2)
    sets = BOTH(xr.Dataset({"f": field()}), 2.0)
    xr.testing.assert_identical(sets[0], xr.Dataset({"f": field() * 2}))


def test_own_dimensions_of_array_arguments() -> None:
    made = ARRAY(field(), 2.0)
    assert made.dims == ("t", "out_0") and made.t.values.tolist() == [10, 20]
    assert made.values.tolist() == [[0, 1], [6, 4]]
    scale = xr.DataArray([1.0, 10.0], {"t": [10, 20]}, ("t",))
    assert ARRAY(field(), scale).values.tolist() == [[0, 1], [30, 4]]
    last = rw.compile([V, X], [V[0] * X, V[1]], batch_axis=-1)
    turned = last(field().T, scale)
    assert turned.dims == ("out_0", "t")
    xr.testing.assert_identical(turned.transpose("t", "out_0"), ARRAY(field(), scale))
    number = rw.compile([V], V[0] + V[2])(field())
    assert number.dims == ("t",) and number.values.tolist() == [2, 8]
    with pytest.raises(ArgumentError, match="whose 1 last dimensions are those"):
        ARRAY(xr.Dataset({"f": field()}), 2.0)
    with pytest.raises(ValueError, match=r"axes are|core dimension"):
        ARRAY(field().isel(s=[0, 1]), 2.0)


def test_the_caller_names_dimensions_of_results() -> None:
    step = rw.compile([V], [V[1], V[2], V[0]])
    options: dict[str, Any] = {"input_core_dims": [["s"]], "output_core_dims": [["s"]]}
    made = xr.apply_ufunc(step, field(), **options)
    assert made.dims == ("t", "s") and made.values[0].tolist() == [1, 2, 0]
    pytest.importorskip("dask", reason="Dask is not installed (the dask extra)")
    for how in ({"dask": "allowed"}, {"dask": "parallelized", "output_dtypes": [float]}):
        lazy = xr.apply_ufunc(step, field().chunk(t=1), **options, **how)
        assert lazy.chunks is not None
        np.testing.assert_array_equal(lazy.values, made.values)


@pytest.mark.parametrize("kernel", [LARGER, BOTH, NAMED])
def test_what_is_of_dask_stays_lazy(kernel: Any) -> None:
    pytest.importorskip("dask", reason="Dask is not installed (the dask extra)")
    lazy, plain = kernel(field().chunk(t=1), field()), kernel(field(), field())
    pairs = zip(_parts(lazy), _parts(plain), strict=True)
    for one, two in pairs:
        assert one.chunks == ((1, 1), (3,))
        xr.testing.assert_identical(one.compute(), two)
    assert ARRAY(field().chunk(t=1), 2.0).chunks == ((1, 1), (2,))


def _parts(results: Any) -> list[Any]:
    if isinstance(results, dict):
        return list(results.values())
    return list(results) if isinstance(results, tuple) else [results]


def test_options_of_xarray_hold() -> None:
    with xr.set_options(arithmetic_join="outer", keep_attrs=False):
        found = LARGER(field(attrs={"unit": "m"}), field().isel(s=[0, 1]))
        assert found.sizes["s"] == 3 and found.attrs == {} and found.isnull().sum() == 2
    assert LARGER(field(attrs={"unit": "m"}), 1.0).attrs == {"unit": "m"}


def test_mistakes_are_named() -> None:
    with pytest.raises(ArgumentError, match=r"argument 'x' .* complex128"):
        LARGER(field().astype(complex), 1.0)
    with pytest.raises(ArgumentError, match=r"argument 'x' .* would round"):
        LARGER(field().astype("i8") + 2**53, 1.0)
    with pytest.raises(ArgumentError, match="out= is for NumPy's arrays"):
        LARGER(field(), 1.0, out=np.zeros((2, 3)))
