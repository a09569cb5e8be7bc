"""Arrays of other libraries in a call: taken by DLPack, and results given back as theirs.

These are arrays by the array API standard (or at least by DLPack, such as PyTorch's tensors) that
take no part in NumPy's calls; those that do (Dask, pandas, xarray) are left to NumPy's protocol.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rewrite.errors import ArgumentTypeError

__all__ = ["brought", "given_back", "namespace_of"]


def is_foreign(value: Any) -> bool:
    """Tell whether a value is an array of a library that NumPy's calls do not ask."""
    kind = type(value)
    return (
        hasattr(kind, "__dlpack__")
        and not hasattr(kind, "__array_ufunc__")
        and not isinstance(value, (np.ndarray, np.generic))
    )


def namespace_of(args: Sequence[Any]) -> Any:
    """Return the namespace of the first such array among the arguments, or nothing."""
    value = next(filter(is_foreign, args), None)
    if value is None:
        return None
    if hasattr(value, "__array_namespace__"):
        return value.__array_namespace__()
    from array_api_compat import (
        array_namespace,
    )  # loaded for libraries that are before the standard

    return array_namespace(value)


def brought(args: Sequence[Any], kernel: str) -> list[Any]:
    """Return the arguments with NumPy's views of other libraries' arrays."""
    return [_viewed(value, kernel) if is_foreign(value) else value for value in args]


def _viewed(value: Any, kernel: str) -> Any:
    try:
        return np.from_dlpack(value)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        device = getattr(value, "device", "another device")
        raise ArgumentTypeError(
            f"kernel {kernel!r} of the CPU cannot read an array of {type(value).__module__} on "
            f"{device}: {error}; bring it to the CPU, or compile with target='auto'"
        ) from error


def given_back(result: Any, space: Any) -> Any:
    """Return results as arrays of a library, in the form that they have."""
    if isinstance(result, tuple):
        return tuple(given_back(each, space) for each in result)
    if isinstance(result, dict):
        return {name: given_back(each, space) for name, each in result.items()}
    if not isinstance(result, (np.ndarray, np.generic)):
        return result  # a sparse matrix is SciPy's
    return space.asarray(np.asarray(result))
