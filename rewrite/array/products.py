"""Products of matrices: written out, or of stored entries where one side is numbers.

A SciPy sparse matrix multiplies its stored entries alone. So does a dense one where
`literal.drops_zeros` says so. Products of a number and an element are made once, however many rows
have the number in that column: memory is linear in the products that differ.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.array import interning
from rewrite.array.core import TermArray, as_given, as_numbers, asarray, elementwise, store_of
from rewrite.array.literal import drops_zeros
from rewrite.array.reductions import reduced, scalar
from rewrite.array.registry import UFUNCS, function, numpys
from rewrite.errors import ShapeError
from rewrite.store import Ints, Store

__all__ = ["matmul"]


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a matrix of numbers that take part in products, by rows."""

    shape: tuple[int, int]
    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    values: Ints
    """Ids of constants."""
    units: tuple[int, int]
    """The ids of 1 and -1, which multiply without a rounding: x and -x have the bits of products."""

    @classmethod
    def of(cls, matrix: Any, store: Store) -> Self | None:
        """Return the entries of SciPy's or of a dense matrix of numbers, None for another.

        A vector of numbers is a matrix of one row.
        """
        if hasattr(matrix, "tocsr"):
            found = matrix.tocsr().copy()
            found.sum_duplicates()
            found = found.tocoo()
            data = found.data.astype(np.int64) if found.data.dtype == np.bool_ else found.data
            values = interning.constants(store, data)
            rows, columns = found.row.astype(np.int64), found.col.astype(np.int64)
            return cls(found.shape, rows, columns, values, _units(store))
        if isinstance(matrix, TermArray):
            numbers = interning.numbers_of(matrix.store, matrix.ids)
        else:
            numbers = np.asarray(matrix)
        numbers = None if numbers is None else np.atleast_2d(numbers)
        if numbers is None or numbers.ndim != 2 or numbers.dtype.kind not in "fiub":
            return None
        numbers = numbers.astype(np.int64) if numbers.dtype == np.bool_ else numbers
        kept = numbers != 0 if drops_zeros() else np.ones(numbers.shape, np.bool_)
        rows, columns = np.nonzero(kept)
        values = interning.constants(store, numbers[rows, columns])
        return cls(numbers.shape, rows, columns, values, _units(store))

    def transposed(self) -> "Entries":
        """Return the entries by columns."""
        order = np.lexsort((self.rows, self.columns))
        parts = (self.columns[order], self.rows[order], self.values[order])
        return Entries(self.shape[::-1], *parts, self.units)

    def times(self, store: Store, array: Ints, *, first: bool) -> Ints:
        """Multiply by an array of as many rows as this has columns.

        Sums run over the columns in their order; `first` says that the number is written first.
        """
        interning.require_set(array)
        height, width = self.shape[0], array.shape[1]
        products, place = self._products(store, array, first)
        counts = np.bincount(self.rows, minlength=height)
        begin = np.cumsum(counts) - counts
        out = np.full((height, width), store.constant(0.0), np.int32)
        for count in np.unique(counts[counts > 0]).tolist():  # rows of as many entries at once
            rows = np.flatnonzero(counts == count)
            some = products[place[begin[rows][:, None] + np.arange(count)]]
            if count == 1:
                out[rows] = some[:, 0]
            else:
                args = np.ascontiguousarray(some.swapaxes(1, 2))
                out[rows] = interning.gathered(store, ops.ADD, args)
        return out

    def _products(self, store: Store, array: Ints, first: bool) -> tuple[Ints, npt.NDArray[Any]]:
        """Return products by distinct pair of value and column, and which one each entry has."""
        found, kind = np.unique(self.values, return_inverse=True)
        pairs, place = np.unique(kind * self.shape[1] + self.columns, return_inverse=True)
        values, elements = found[pairs // self.shape[1]], array[pairs % self.shape[1]]
        products = elements.copy()
        one, minus = (values == unit for unit in self.units)
        some = ~(one | minus)
        factors = (values[some][:, None], elements[some])
        products[some] = interning.applied(store, ops.MUL, factors if first else factors[::-1])
        products[minus] = interning.applied(store, ops.NEG, (elements[minus],))
        return products, place


def _units(store: Store) -> tuple[int, int]:
    return store.constant(1.0), store.constant(-1.0)


def matmul(left: Any, right: Any) -> Any:
    """Return the matrix product, as `np.matmul` does; stacks of matrices broadcast."""
    store = store_of([left, right])
    left, right = (_operand(each, store) for each in (left, right))
    _check(left.shape, right.shape)
    if isinstance(left, TermArray) and right.ndim <= 2:
        entries = Entries.of(right, store)
        if entries is not None:
            by_column = entries.transposed() if right.ndim == 2 else entries
            found = by_column.times(store, left.ids.reshape(-1, left.shape[-1]).T, first=False)
            shape = (*left.shape[:-1], *right.shape[1:])
            return scalar(TermArray(store, np.ascontiguousarray(found.T).reshape(shape)))
    if isinstance(right, TermArray) and left.ndim <= 2:
        entries = Entries.of(left, store)
        if entries is not None:
            return scalar(_from_left(entries, right, left.shape))
    return _written_out(asarray(left, store), asarray(right, store))


def _operand(value: Any, store: Store) -> Any:
    """Return a `TermArray`, an array of numbers, or SciPy's sparse matrix."""
    if isinstance(value, (TermArray, np.ndarray)) or hasattr(value, "tocsr"):
        return value
    return asarray(value, store)


def _from_left(entries: Entries, right: TermArray, shape: tuple[int, ...]) -> TermArray:
    """Multiply the last axis but one of an array by a matrix, or by a vector of that shape."""
    store, ids = right.store, right.ids
    columns = np.moveaxis(ids, -2, 0) if ids.ndim > 1 else ids
    found = entries.times(store, columns.reshape(len(columns), -1), first=True)
    found = found.reshape((*shape[:-1], *columns.shape[1:]))
    if len(shape) > 1 and ids.ndim > 2:
        found = np.moveaxis(found, 0, -2)
    return TermArray(store, np.array(found, order="C"))


def _check(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    if not a or not b or a[-1] != b[-min(2, len(b))]:
        raise ShapeError(f"matmul: shapes {a} and {b} do not fit")


def _written_out(a: TermArray, b: TermArray) -> Any:
    """Multiply element by element, with one n-ary sum for each."""
    a, b = as_numbers(a), as_numbers(b)
    x = a.ids[..., :, None] if b.ndim > 1 else a.ids
    y = b.ids[..., None, :, :] if a.ndim > 1 and b.ndim > 1 else b.ids
    products = elementwise(ops.MUL, TermArray(a.store, x), TermArray(a.store, y))
    return reduced(np.add, products, -2 if b.ndim > 1 else -1)


def _vecdot(x: Any, y: Any) -> Any:
    return reduced(np.add, elementwise(ops.MUL, x, y), -1)


UFUNCS.update(
    matmul=matmul,
    vecdot=_vecdot,
    matvec=lambda x, y: matmul(x, asarray(y, store_of([x, y]))[..., None])[..., 0],
    vecmat=lambda x, y: matmul(asarray(x, store_of([x, y]))[..., None, :], y)[..., 0, :],
)


# -- other products --------------------------------------------------------------------------


def _is_scalar(value: Any) -> bool:
    return not hasattr(value, "tocsr") and np.ndim(value) == 0


@function("dot")
def _dot(a: Any, b: Any, out: Any = None) -> Any:
    if _is_scalar(a) or _is_scalar(b):
        return as_given(elementwise(ops.MUL, a, b), a, b)
    if not hasattr(b, "tocsr") and np.ndim(b) > 2:  # the last axis of a, the last but one of b
        return _tensordot(a, b, ([np.ndim(a) - 1], [np.ndim(b) - 2]))
    return matmul(a, b)


@function("vdot")
def _vdot(a: Any, b: Any) -> Any:
    return matmul(np.ravel(a), np.ravel(b))


@function("inner")
def _inner(a: Any, b: Any) -> Any:
    if _is_scalar(a) or _is_scalar(b):
        return as_given(elementwise(ops.MUL, a, b), a, b)
    return _tensordot(a, b, ([np.ndim(a) - 1], [np.ndim(b) - 1]))


@function("outer")
def _outer(a: Any, b: Any) -> Any:
    return elementwise(ops.MUL, np.ravel(a)[:, None], np.ravel(b))


@function("kron")
def _kron(a: Any, b: Any) -> Any:
    store = store_of([a, b])
    x, y = asarray(a, store), asarray(b, store)
    rank = max(x.ndim, y.ndim)
    x, y = (each.reshape((1,) * (rank - each.ndim) + each.shape) for each in (x, y))
    spread = [n for pair in zip(x.shape, [1] * rank, strict=True) for n in pair]
    inner = [n for pair in zip([1] * rank, y.shape, strict=True) for n in pair]
    products = elementwise(ops.MUL, x.reshape(spread), y.reshape(inner))
    return products.reshape([n * m for n, m in zip(x.shape, y.shape, strict=True)])


@function("tensordot")
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    """Move the summed axes to the end of one side and to the start of the other; multiply."""
    store = store_of([a, b])
    x, y = (_operand(each, store) for each in (a, b))
    left, right = _summed(axes, x.ndim, y.ndim)
    wanted = [x.shape[p] for p in left]
    if wanted != [y.shape[p] for p in right]:
        raise ShapeError(f"tensordot: shapes {x.shape} and {y.shape} do not fit along {axes}")
    kept_x = [p for p in range(x.ndim) if p not in left]
    kept_y = [p for p in range(y.ndim) if p not in right]
    shape = [x.shape[p] for p in kept_x] + [y.shape[p] for p in kept_y]
    count = int(np.prod(wanted))
    flat_x = np.transpose(x, [*kept_x, *left]).reshape(-1, count)
    flat_y = np.transpose(y, [*right, *kept_y]).reshape(count, -1)
    return scalar(asarray(matmul(flat_x, flat_y)).reshape(shape))


def _summed(axes: Any, rank_x: int, rank_y: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        return list(range(rank_x - axes, rank_x)), list(range(axes))
    left, right = (list(np.atleast_1d(each).tolist()) for each in axes)
    return [p % rank_x for p in left], [p % rank_y for p in right]


@function("trace")
def _trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return reduced(np.add, numpys.diagonal(asarray(a), offset, axis1, axis2), -1)


@function("cross")
def _cross(a: Any, b: Any, axis: int = -1) -> Any:
    store = store_of([a, b])
    x, y = (numpys.moveaxis(asarray(each, store), axis, 0) for each in (a, b))
    if len(x) != 3 or len(y) != 3:
        raise ShapeError(f"np.cross of vectors of {len(x)} and {len(y)} elements; give 3")
    parts = [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]]
    return numpys.moveaxis(numpys.stack([asarray(part) for part in parts]), 0, axis)
