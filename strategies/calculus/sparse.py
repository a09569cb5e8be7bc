"""Sparse derivatives: patterns, Jacobians and Hessians as SciPy's structure with terms, colours."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rewrite.array import TermArray, asarray
from rewrite.errors import ArgumentError
from rewrite.store import Ints
from strategies.calculus.activity import colors, gathered
from strategies.calculus.derivatives import Mode, entries, gradient, inputs_of, outputs_of
from strategies.calculus.passes import Entries, forward, support_lists
from strategies.calculus.program import Program

__all__ = [
    "Format", "SparseTerms", "column_coloring", "hessian_sparsity", "jacobian_sparsity",
    "sparse_hessian", "sparse_jacobian",
]  # fmt: skip

type Format = Literal["csr", "csc"]
FORMATS: Final = ("csr", "csc")
BLOCK: Final = 64
"""Inputs whose bits fit in a word."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseTerms:
    """A sparse matrix of terms in SciPy's compressed format; a kernel of it fills the values.

    `indptr` and `indices` are SciPy's, sorted, and shared by all matrices that are made of it.
    """

    terms: TermArray
    """The entries that are stored, in the order of the format."""
    indices: Ints
    indptr: Ints
    shape: tuple[int, int]
    format: Format

    @property
    def nnz(self) -> int:
        """The number of stored entries."""
        return self.terms.size

    def filled(self, values: npt.NDArray[Any]) -> Any:
        """Return SciPy's sparse array of these values, without copying them."""
        if values.shape != (self.nnz,):
            raise ArgumentError(f"the pattern has {self.nnz} entries, not {values.shape}")
        kind = getattr(_scipy(), f"{self.format}_array")
        return kind((values, self.indices, self.indptr), shape=self.shape)

    def pattern(self) -> Any:
        """Return SciPy's sparse array of truth values that marks the stored entries."""
        return self.filled(np.ones(self.nnz, np.bool_))

    def toarray(self) -> TermArray:
        """Return all entries, zeros among them, as an array of terms."""
        store = self.terms.store
        ids = np.full(self.shape, store.constant(0), np.int32)
        outer = np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))
        where = (outer, self.indices) if self.format == "csr" else (self.indices, outer)
        ids[where] = self.terms.ids
        return TermArray(store, ids)

    def __repr__(self) -> str:
        """Show shape, entries and format."""
        rows, columns = self.shape
        return f"<SparseTerms {rows} x {columns}, {self.nnz} entries, {self.format}>"


def sparse_jacobian(
    f: Any, xs: Any, *, format: Format = "csr", mode: Mode | Literal["compressed"] = "auto"  # noqa: A002
) -> SparseTerms:  # fmt: skip
    """Return the entries of a Jacobian that are not zero, as a sparse matrix of terms.

    Rows are the terms of `f`, columns the symbols of `xs`, both flattened. `rw.compile` takes it
    among its expressions, and the kernel returns SciPy's sparse array, or fills one in place with
    `out=`. "compressed" carries one direction for each colour of `column_coloring` up, all others
    are those of `rw.jacobian`.

    >>> import rewrite as rw
    >>> u = rw.asarray(rw.symbols("a b c"))
    >>> sparse_jacobian([u[0] * u[1], u[2] ** 2], u)
    <SparseTerms 2 x 3, 3 entries, csr>
    """
    _check(format)
    array = outputs_of(f).ravel()
    symbols = asarray(inputs_of(xs), array.store).ravel()
    found = (
        _compressed(array, symbols)
        if mode == "compressed"
        else entries(array, symbols, mode=mode)
    )  # fmt: skip
    return _sparse(found, array, symbols, format)


def sparse_hessian(t: Any, xs: Any, *, format: Format = "csr") -> SparseTerms:  # noqa: A002
    """Return the entries of a Hessian that are not zero; both halves are stored.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> sparse_hessian(x * y + x, [x, y]).nnz
    2
    """
    _check(format)
    slope = gradient(t, xs).ravel()
    symbols = asarray(inputs_of(xs), slope.store).ravel()
    found = entries(slope, symbols)
    upper = found.rows <= found.columns
    rows, columns, nodes = found.rows[upper], found.columns[upper], found.nodes[upper]
    below = rows != columns
    mirrored = Entries(
        np.concatenate([rows, columns[below]]), np.concatenate([columns, rows[below]]),
        np.concatenate([nodes, nodes[below]]),
    )  # fmt: skip
    return _sparse(mirrored, slope, symbols, format)


def jacobian_sparsity(f: Any, xs: Any) -> Any:
    """Return where a Jacobian may be other than zero, as SciPy's CSR array of truth values.

    It is told from what each term depends on, by ops that have a derivative; no derivative is made.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> jacobian_sparsity([x * y, rw.sin(y)], [x, y]).toarray().astype(int).tolist()
    [[1, 1], [0, 1]]
    """
    array = outputs_of(f).ravel()
    symbols = asarray(inputs_of(xs), array.store).ravel()
    program = Program.of(array, symbols)
    rows, columns = _dependent(program)
    found = Entries(rows, columns, np.zeros(len(rows), np.int32))
    return _sparse(found, array, symbols, "csr").pattern()


def hessian_sparsity(t: Any, xs: Any) -> Any:
    """Return where a Hessian may be other than zero, as SciPy's CSR array of truth values.

    >>> import rewrite as rw
    >>> x, y, z = rw.symbols("x y z")
    >>> hessian_sparsity(x * y + z, [x, y, z]).toarray().astype(int).tolist()
    [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    """
    return jacobian_sparsity(gradient(t, xs).ravel(), xs)


def column_coloring(pattern: Any) -> npt.NDArray[np.int32]:
    """Give each column of a pattern a colour, so that no row has two columns of one colour.

    The derivatives along the sum of all columns of a colour then hold a whole Jacobian. Columns are
    taken by falling degree, each gets the first colour that is free (A. Curtis, M. Powell, J. Reid,
    1974; D. Welsh, M. Powell, 1967). `pattern` is anything that SciPy makes a sparse array of.
    """
    scipy = _scipy()
    by_row, by_column = scipy.csr_array(pattern), scipy.csc_array(pattern)
    order = np.argsort(-np.diff(by_column.indptr), kind="stable").astype(np.int32)
    found = np.full(by_column.shape[1], -1, np.int32)
    colors(by_row.indptr, by_row.indices, by_column.indptr, by_column.indices, order, found)
    return found


# -- how -------------------------------------------------------------------------------------


def _check(format: str) -> None:  # noqa: A002
    if format not in FORMATS:
        raise ArgumentError(f"format={format!r} is none of {', '.join(FORMATS)}")


def _sparse(found: Entries, array: TermArray, symbols: TermArray, format: Format) -> SparseTerms:  # noqa: A002
    shape = (array.size, symbols.size)
    outer, inner = (found.rows, found.columns)[:: 1 if format == "csr" else -1]
    order = np.lexsort((inner, outer))
    counts = np.bincount(outer, minlength=shape[0] if format == "csr" else shape[1])
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    terms = TermArray(array.store, np.ascontiguousarray(found.nodes[order]))
    return SparseTerms(terms, inner[order].astype(np.int32), indptr, shape, format)


def _dependent(program: Program) -> tuple[Ints, Ints]:
    """Return the pairs of a root and an input that it depends on."""
    roots, dag = program.roots, program.dag
    lists = support_lists(program, most=max(64 * len(dag), 1 << 20))
    if lists is not None:
        _, spans, pool = lists
        own = spans[roots]
        counts = own[:, 1] - own[:, 0]
        flat = np.repeat(own[:, 0] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        return np.repeat(np.arange(len(roots), dtype=np.int32), counts), pool[flat]
    rows, columns = [], []
    for base in range(0, program.count, BLOCK):  # a bit for each input, a block of them at a time
        words = gathered(dag.start, dag.args, program.active, program.inputs, base)[roots]
        bits = (words[:, None] >> np.arange(BLOCK, dtype=np.uint64)) & np.uint64(1)
        row, column = np.nonzero(bits)
        rows.append(row.astype(np.int32))
        columns.append((column + base).astype(np.int32))
    return np.concatenate(rows), np.concatenate(columns)


def _compressed(array: TermArray, symbols: TermArray) -> Entries:
    """Carry the sum of the columns of each colour up, and tell the entries by the pattern."""
    program = Program.of(array, symbols)
    rows, columns = _dependent(program)
    known = _sparse(Entries(rows, columns, rows), array, symbols, "csr")
    tints = column_coloring(known.pattern())
    places = np.flatnonzero(program.inputs >= 0)
    program.inputs[places] = tints[program.inputs[places]]
    program.count = int(tints.max(initial=0)) + 1
    found = forward(program, program.ones())
    pairs = zip(rows.tolist(), tints[columns].tolist(), strict=True)
    column_of = dict(zip(pairs, columns.tolist(), strict=True))
    pairs = zip(found.rows.tolist(), found.columns.tolist(), strict=True)
    own = [column_of[pair] for pair in pairs]
    return Entries(found.rows, np.array(own, np.int32), found.nodes)


def _scipy() -> Any:
    try:
        from scipy import sparse
    except ImportError:
        raise ArgumentError("sparse matrices need SciPy: pip install scipy") from None
    return sparse
