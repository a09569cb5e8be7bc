"""Which libraries' objects kernels take besides NumPy's, known without importing any of them."""

import weakref
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite.errors import ArgumentError

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["described", "library_of", "through"]

_TYPES: Final = {
    ("xarray", "DataArray"): "xarray", ("xarray", "Dataset"): "xarray",
    ("xarray", "Variable"): "xarray", ("dask", "Array"): "dask",
    ("pandas", "Series"): "pandas", ("pandas", "DataFrame"): "pandas",
    ("pandas", "Index"): "pandas",
    ("polars", "Series"): "polars", ("polars", "Expr"): "polars", ("polars", "DataFrame"): "polars",
}  # fmt: skip
"""(package, name) of a type or one that it is derived from -> the module that takes it."""
_ORDER: Final = ("xarray", "dask", "pandas", "polars")
"""The first of those that a call mixes takes the others as arrays."""
_PLAIN: Final = frozenset((float, int, bool, list, tuple, np.ndarray, np.float64, np.float32))


def library_of(args: Iterable[Any]) -> str | None:
    """Return the library that a call with such arguments is for, None for NumPy."""
    found = {_of(type(arg)) for arg in args if type(arg) not in _PLAIN}
    return next((library for library in _ORDER if library in found), None) if found else None


def _of(kind: type) -> str | None:
    for base in kind.__mro__[:-1]:
        module = base.__module__ or ""  # SymPy's applied functions have none
        name = _TYPES.get((module.partition(".")[0], base.__name__))
        if name is not None:
            return name
    return None


def described(value: Any) -> tuple[tuple[int, ...], bool] | None:
    """Return the shape of a library's object, and whether it holds truth values; else None."""
    if type(value) in _PLAIN or _of(type(value)) is None:
        return None
    dtype = getattr(value, "dtype", None)
    is_truth = getattr(dtype, "kind", None) == "b" or str(dtype) == "Boolean"
    return tuple(getattr(value, "shape", ())), is_truth


def through(
    kernel: "weakref.ref[Kernel]", library: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Call a kernel with a library's objects, and return such."""
    called = kernel()
    assert called is not None, "a kernel is there while it is called"
    count = len(called.program.arguments)
    if len(args) != count:
        raise ArgumentError(
            f"kernel {called.__name__!r} takes {count} arguments, not {len(args)}: "
            f"{', '.join(argument.name for argument in called.program.arguments)}"
        )
    if any(pattern is not None for pattern in called.patterns):
        raise ArgumentError(
            f"kernel {called.__name__!r} returns SciPy's sparse arrays, and takes NumPy's arrays "
            f"alone, not those of {library}"
        )
    return import_module(f"codegen.containers.{library}").call(called, args, kwargs)
