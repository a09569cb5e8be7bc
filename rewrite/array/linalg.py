"""Norms, determinants, inverses and linear systems: small ones of terms, any of numbers.

A system whose matrix is numbers is factored now, with NumPy's choice of pivots, and substituted
into as terms. One of terms has no pivots to choose by value: up to 3 x 3 it is written by
cofactors, beyond that refused.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.array import interning
from rewrite.array.core import TermArray, asarray, store_of
from rewrite.array.reductions import reduced, scalar
from rewrite.array.registry import function, numpys
from rewrite.errors import ShapeError, UnsupportedOp

__all__: list[str] = []

_MOST: Final = 3


@function("linalg.norm")
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002
    array = asarray(x)
    if ord is None and axis is None:
        found = np.sqrt(reduced(np.add, np.square(array.reshape(-1)), None))
        return asarray(found).reshape((1,) * array.ndim) if keepdims else found
    matrix = array.ndim == 2 if axis is None else not isinstance(axis, int) and len(axis) == 2
    if matrix and ord not in (None, "fro"):
        raise UnsupportedOp(
            f"np.linalg.norm of matrices with ord={ord!r} is not supported on terms"
        )
    return _vector_norm(array, None if matrix else ord, axis, keepdims)


def _vector_norm(array: TermArray, order: Any, axis: Any, keepdims: bool) -> Any:
    options: dict[str, Any] = {"axis": axis, "keepdims": keepdims}
    if order is None or order == 2:
        return np.sqrt(reduced(np.add, np.square(array), **options))
    size = np.abs(array)
    if order == np.inf:
        return reduced(np.maximum, size, **options)
    if order == -np.inf:
        return reduced(np.minimum, size, **options)
    if order == 0:
        return numpys.count_nonzero(array, **options)
    if order == 1:
        return reduced(np.add, size, **options)
    return reduced(np.add, size**order, **options) ** (1.0 / order)


def _square(array: TermArray, what: str) -> int:
    if array.ndim < 2 or array.shape[-1] != array.shape[-2]:
        raise ShapeError(f"{what}: shape {array.shape} is not that of a square matrix")
    size = array.shape[-1]
    if size > _MOST:
        raise UnsupportedOp(
            f"{what} of a matrix of terms of {size} x {size}: which pivots are sound depends on "
            f"values; up to {_MOST} x {_MOST} it is written by cofactors"
        )
    return size


@function("linalg.det")
def _det(a: Any) -> Any:
    array = asarray(a)
    size = _square(array, "np.linalg.det")
    return scalar(asarray(_determinant(_cells(array, size))))


def _cells(array: TermArray, size: int) -> list[list[Any]]:
    return [[array[..., i, j] for j in range(size)] for i in range(size)]


def _determinant(m: list[list[Any]]) -> Any:
    if len(m) == 1:
        return m[0][0]
    if len(m) == 2:
        return m[0][0] * m[1][1] - m[0][1] * m[1][0]
    first, second, third = (m[0][j] * _determinant(_minor(m, 0, j)) for j in range(3))
    return first - second + third


def _minor(m: list[list[Any]], row: int, column: int) -> list[list[Any]]:
    return [
        [cell for j, cell in enumerate(cells) if j != column]
        for i, cells in enumerate(m)
        if i != row
    ]


@function("linalg.inv")
def _inv(a: Any) -> Any:
    """Return the transposed cofactors over the determinant."""
    array = asarray(a)
    size = _square(array, "np.linalg.inv")
    m = _cells(array, size)
    if size == 1:
        return 1.0 / array
    det = _determinant(m)
    rows = []
    for i in range(size):
        parts = [_determinant(_minor(m, j, i)) for j in range(size)]
        signed = [-part if (i + j) % 2 else part for j, part in enumerate(parts)]
        rows.append(np.stack([asarray(part) for part in signed], axis=-1))
    return np.stack(rows, axis=-2) / asarray(det)[..., None, None]


@function("linalg.solve")
def _solve(a: Any, b: Any) -> Any:
    store = store_of([a, b])
    matrix, right = asarray(a, store), asarray(b, store)
    if right.ndim not in (1, 2) or matrix.ndim != 2 or matrix.shape[0] != right.shape[0]:
        raise ShapeError(f"np.linalg.solve: shapes {matrix.shape} and {right.shape} do not fit")
    numbers = interning.numbers_of(store, matrix.ids)
    if numbers is None:
        return _inv(matrix) @ right
    if numbers.shape[0] != numbers.shape[1]:
        raise ShapeError(f"np.linalg.solve: shape {numbers.shape} is not that of a square matrix")
    return _substituted(numbers.astype(float), right)


def _substituted(numbers: npt.NDArray[Any], right: TermArray) -> Any:
    """Solve with the factors of a matrix of numbers, zeros of which drop out."""
    factors, order = _factored(numbers)
    rows: list[Any] = []
    permuted: Any = right[order]
    for i in range(len(factors)):
        total = permuted[i]
        for j in np.flatnonzero(factors[i, :i]).tolist():
            total = total - float(factors[i, j]) * rows[j]
        rows.append(total)
    for i in reversed(range(len(factors))):
        total = rows[i]
        for j in (np.flatnonzero(factors[i, i + 1 :]) + i + 1).tolist():
            total = total - float(factors[i, j]) * rows[j]
        rows[i] = total / float(factors[i, i])
    return np.stack([asarray(row) for row in rows])


def _factored(numbers: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return L below and U on and above the diagonal, and the order of rows (partial pivoting)."""
    lu, order = numbers.copy(), np.arange(len(numbers))
    for k in range(len(lu)):
        pivot = k + int(np.argmax(np.abs(lu[k:, k])))
        if lu[pivot, k] == 0.0:
            raise np.linalg.LinAlgError("Singular matrix")
        lu[[k, pivot]], order[[k, pivot]] = lu[[pivot, k]], order[[pivot, k]]
        lu[k + 1 :, k] /= lu[k, k]
        lu[k + 1 :, k + 1 :] -= np.outer(lu[k + 1 :, k], lu[k, k + 1 :])
    return lu, order
