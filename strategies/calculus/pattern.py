"""`Pattern`: where the stored entries of a sparse matrix are, in SciPy's compressed formats."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rewrite.errors import ArgumentError
from rewrite.store import Ints

__all__ = ["Format", "Pattern", "scipy_sparse"]

type Format = Literal["csr", "csc"]
FORMATS: Final = ("csr", "csc")


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """`indices[indptr[k]:indptr[k + 1]]` are the columns of row k (of "csc": rows of column k).

    They are sorted, and shared by all matrices that are made of the pattern; so that none of these
    changes the others, they are read-only: SciPy's `eliminate_zeros` needs a copy of the matrix.
    """

    indices: Ints
    indptr: Ints
    shape: tuple[int, int]
    format: Format

    @staticmethod
    def of(
        rows: Ints, columns: Ints, shape: tuple[int, int], format: Format  # noqa: A002
    ) -> "tuple[Pattern, npt.NDArray[np.intp]]":  # fmt: skip
        """Return the pattern of some places, and the order in which it has them."""
        if format not in FORMATS:
            raise ArgumentError(f"format={format!r} is none of {', '.join(FORMATS)}")
        outer, inner = (rows, columns) if format == "csr" else (columns, rows)
        from strategies.calculus.activity import compressed  # loads Numba

        high, wide = shape if format == "csr" else shape[::-1]
        indices, indptr = np.empty(len(outer), np.int32), np.empty(high + 1, np.int32)
        order = np.empty(len(outer), np.int64)
        compressed(outer, inner, wide, indices, indptr, order)
        return Pattern(indices, indptr, shape, format), order

    @property
    def nnz(self) -> int:
        """The number of stored entries."""
        return len(self.indices)

    def places(self) -> tuple[Ints, Ints]:
        """Return the rows and the columns of the entries."""
        outer = np.repeat(np.arange(len(self.indptr) - 1, dtype=np.int32), np.diff(self.indptr))
        return (outer, self.indices) if self.format == "csr" else (self.indices, outer)

    def filled(self, values: npt.NDArray[Any]) -> Any:
        """Return SciPy's sparse array of these values, without copying them."""
        if values.shape != (self.nnz,):
            raise ArgumentError(f"the pattern has {self.nnz} entries, not {values.shape}")
        self.indices.setflags(write=False)  # here, as copies and pickles are not
        self.indptr.setflags(write=False)
        kind = getattr(scipy_sparse(), f"{self.format}_array")
        return kind((values, self.indices, self.indptr), shape=self.shape)

    def values_of(self, matrix: Any, name: str) -> npt.NDArray[Any]:
        """Return the values of SciPy's matrix, to fill in place.

        Raise `ArgumentError` where it has not this pattern, with the first entry that it lacks.
        """
        if getattr(matrix, "format", "") != self.format or matrix.shape != self.shape:
            raise ArgumentError(
                f"out= for {name!r} is a {type(matrix).__name__}; give SciPy's {self.format} array "
                f"of shape {self.shape}, such as an earlier result, or {self.nnz} values"
            )
        if not self.is_own(matrix) and not (
            np.array_equal(matrix.indptr, self.indptr)
            and np.array_equal(matrix.indices, self.indices)
        ):
            raise ArgumentError(
                f"out= for {name!r} has another pattern: {self._difference(matrix)}"
            )
        values: npt.NDArray[Any] = matrix.data
        return values

    def is_own(self, matrix: Any) -> bool:
        """Tell whether places are those of this pattern in memory, which nobody can write to."""
        return _is_view(matrix.indices, self.indices) and _is_view(matrix.indptr, self.indptr)

    def _difference(self, matrix: Any) -> str:
        sparse = scipy_sparse()
        own = self.filled(np.ones(self.nnz))
        given = getattr(sparse, f"{self.format}_array")(
            (np.ones(len(matrix.indices)), matrix.indices, matrix.indptr), shape=self.shape
        )
        rows, columns = (own - own.multiply(given)).nonzero()
        if len(rows):
            return f"it lacks the entry ({rows[0]}, {columns[0]})"
        return f"it has {len(matrix.indices)} entries, not {self.nnz}, or has them in another order"


def _is_view(array: Any, whole: Ints) -> bool:
    """Tell whether an array is all of another's memory, as SciPy's are of those that it is given.

    Where it is not, contents may be the same all the same.
    """
    return array is whole or (
        array.base is whole
        and array.shape == whole.shape
        and array.dtype == whole.dtype
        and array.strides == whole.strides
    )


def scipy_sparse() -> Any:
    """Return SciPy's module, or raise `ArgumentError` where it is not installed."""
    try:
        from scipy import sparse
    except ImportError:
        raise ArgumentError("sparse matrices need SciPy: pip install scipy") from None
    return sparse
