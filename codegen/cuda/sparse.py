"""Sparse results on a device: the values are a kernel's, the arrays of places are copied once."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from codegen.cuda.arrays import is_on_device, like, view_of
from codegen.cuda.libraries import library_of
from strategies.calculus.pattern import Format, Pattern

__all__ = ["DeviceMatrix", "Matrices"]


class DeviceMatrix(NamedTuple):
    """A sparse matrix in CSR or CSC form whose arrays are on a device.

    `cupyx.scipy.sparse.csr_matrix((data, indices, indptr), shape)` and
    `torch.sparse_csr_tensor(indptr, indices, data, shape)` take them as they are.
    """

    data: Any
    indices: Any
    indptr: Any
    shape: tuple[int, int]
    format: Format = "csr"

    @classmethod
    def of(cls, values: Any, pattern: Pattern, places: Sequence[Any]) -> "DeviceMatrix":
        """Return the matrix of these values; `places` are the pattern's arrays on the device."""
        indices, indptr = places
        return cls(values, indices, indptr, pattern.shape, pattern.format)


class Matrices:
    """The patterns of a kernel's results, None for those that are no sparse matrices."""

    def __init__(self, patterns: tuple[Pattern | None, ...]) -> None:
        self.patterns = patterns
        self._places: dict[tuple[int, int, str], list[Any]] = {}

    def made(self, results: Sequence[Any]) -> list[Any]:
        """Give values of a single point their pattern: SciPy's array, or one on the device.

        Of a batch they stay an array of values.
        """
        return [
            part if pattern is None or len(part.shape) > min(pattern.nnz, 1) else
            self._filled(number, pattern, part)
            for number, (part, pattern) in enumerate(zip(results, self.patterns, strict=True))
        ]  # fmt: skip

    def _filled(self, number: int, pattern: Pattern, values: Any) -> Any:
        there = view_of(values)
        if there is None:
            part = np.asarray(values)
            return pattern.filled(part if pattern.nnz else np.empty(0, part.dtype))
        if not pattern.nnz:
            values = library_of(values).empty((0,), there.dtype, values)
        key = number, there.device, library_of(values).name
        if key not in self._places:
            arrays = (pattern.indices, pattern.indptr)
            self._places[key] = [like(values, array) for array in arrays]
        return DeviceMatrix.of(values, pattern, self._places[key])

    def values_of(self, results: Sequence[Any], names: Sequence[str]) -> tuple[Any, ...]:
        """Return what to write to of the results that `out=` gives."""
        return tuple(map(_values, results, self.patterns, names))


def _values(given: Any, pattern: Pattern | None, name: str) -> Any:
    if pattern is None or isinstance(given, np.ndarray) or is_on_device(given):
        return given
    return given.data if isinstance(given, DeviceMatrix) else pattern.values_of(given, name)
