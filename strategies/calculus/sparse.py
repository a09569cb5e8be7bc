"""Sparse derivatives: patterns, Jacobians and Hessians as SciPy's structure with terms, colours."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rewrite.array import TermArray, asarray
from rewrite.collector import uncollected
from rewrite.errors import ArgumentError
from rewrite.store import Ints
from strategies.calculus.activity import colors, gathered, spread
from strategies.calculus.derivatives import (
    Mode,
    entries,
    gradient,
    inputs_of,
    outputs_of,
    second_entries,
)
from strategies.calculus.passes import Entries, forward, support_lists
from strategies.calculus.pattern import Format, Pattern, scipy_sparse
from strategies.calculus.program import Program

__all__ = [
    "SparseTerms", "column_coloring", "hessian_sparsity", "jacobian_sparsity",
    "sparse_hessian", "sparse_jacobian",
]  # fmt: skip

BLOCK: Final = 64
"""Inputs whose bits fit in a word."""


@dataclass(frozen=True, slots=True, eq=False)
class SparseTerms:
    """A sparse matrix of terms; a kernel of it fills the values of SciPy's sparse array."""

    terms: TermArray
    """The entries that are stored, in the order of the pattern."""
    pattern: Pattern

    @property
    def nnz(self) -> int:
        """The number of stored entries."""
        return self.pattern.nnz

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.pattern.shape

    @property
    def format(self) -> Format:
        """'csr' or 'csc'."""
        return self.pattern.format

    @property
    def indices(self) -> Ints:
        """SciPy's `indices`."""
        return self.pattern.indices

    @property
    def indptr(self) -> Ints:
        """SciPy's `indptr`."""
        return self.pattern.indptr

    def sparsity(self) -> Any:
        """Return SciPy's sparse array of truth values that marks the stored entries."""
        return self.pattern.filled(np.ones(self.nnz, np.bool_))

    def toarray(self) -> TermArray:
        """Return all entries, zeros among them, as an array of terms."""
        store = self.terms.store
        ids = np.full(self.shape, store.constant(0), np.int32)
        ids[self.pattern.places()] = self.terms.ids
        return TermArray(store, ids)

    def __repr__(self) -> str:
        """Show shape, entries and format."""
        rows, columns = self.shape
        return f"<SparseTerms {rows} x {columns}, {self.nnz} entries, {self.format}>"


@uncollected()
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
    symbols, found = second_entries(t, xs)
    return _sparse(found, symbols, symbols, format)


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
    return _sparse(found, array, symbols, "csr").sparsity()


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
    1974; D. Welsh, M. Powell, 1967). `pattern` is a sparse matrix of terms, or anything that SciPy
    makes a sparse array of; raise `ArgumentError` for anything else.

    >>> column_coloring([[1, 1, 0], [0, 1, 1]]).tolist()
    [1, 0, 1]
    """
    scipy = scipy_sparse()
    if isinstance(pattern, SparseTerms):
        pattern = pattern.sparsity()
    elif not scipy.issparse(pattern):
        pattern = np.asarray(pattern)
        if pattern.ndim != 2 or pattern.dtype.kind not in "biuf":
            raise ArgumentError(
                "the pattern is no matrix; give SciPy's or NumPy's, or sparse terms"
            )
    by_row, by_column = scipy.csr_array(pattern), scipy.csc_array(pattern)
    order = np.argsort(-np.diff(by_column.indptr), kind="stable").astype(np.int32)
    found = np.full(by_column.shape[1], -1, np.int32)
    colors(by_row.indptr, by_row.indices, by_column.indptr, by_column.indices, order, found)
    return found


# -- how -------------------------------------------------------------------------------------


def _sparse(found: Entries, array: TermArray, symbols: TermArray, format: Format) -> SparseTerms:  # noqa: A002
    shape = (array.size, symbols.size)
    pattern, order = Pattern.of(found.rows, found.columns, shape, format)
    return SparseTerms(TermArray(array.store, np.ascontiguousarray(found.nodes[order])), pattern)


def _dependent(program: Program) -> tuple[Ints, Ints]:
    """Return the pairs of a root and an input that it depends on."""
    roots, dag = program.roots, program.dag
    lists = support_lists(program, most=max(64 * len(dag), 1 << 20))
    if lists is not None:
        _, spans, pool = lists
        owners, inputs = spread(program.roots, spans, pool[:, None])
        return owners, inputs
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
    tints = column_coloring(known.sparsity())
    places = np.flatnonzero(program.inputs >= 0)
    program.inputs[places] = tints[program.inputs[places]]
    program.count = int(tints.max(initial=0)) + 1
    found = forward(program, program.ones())
    pairs = zip(rows.tolist(), tints[columns].tolist(), strict=True)
    column_of = dict(zip(pairs, columns.tolist(), strict=True))
    pairs = zip(found.rows.tolist(), found.columns.tolist(), strict=True)
    own = [column_of[pair] for pair in pairs]
    return Entries(found.rows, np.array(own, np.int32), found.nodes)
