"""`diff`, `gradient`, `jacobian`, `hessian`, `jvp`, `vjp`, `hvp`: derivatives of terms as terms.

They run over the distinct nodes, never over a tree. Which way is cheaper is counted beforehand: up
from the inputs, with the derivatives in all inputs that a node depends on, down from each output,
or from narrow places in both directions. What is written for an op is its row of
`rewrite.derivatives`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from rewrite.array import TermArray, asarray
from rewrite.errors import ArgumentError
from rewrite.sorts import REAL
from rewrite.store import Ints, Store
from rewrite.term import Term
from strategies.calculus.elimination import MODES, Mode, cheapest, eliminated
from strategies.calculus.passes import Entries, forward, reverse
from strategies.calculus.program import Program

__all__ = [
    "Mode",
    "diff",
    "entries",
    "gradient",
    "hessian",
    "hvp",
    "inputs_of",
    "jacobian",
    "jvp",
    "outputs_of",
    "times_of",
    "vjp",
]


def diff(t: Any, x: Term, n: int = 1) -> Any:
    """Differentiate a term, or each of an array, n times by a symbol.

    Raise `ArgumentError` where `x` is no symbol, `UnsupportedOp` for an op without a derivative;
    ops of steps, such as floor, have the derivative 0, and a `DerivativeWarning` says so.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> diff(rw.sin(x**2), x)
    2*x*cos(x**2)
    >>> diff(x**3, x, 2)
    3*(2*x)
    """
    array = outputs_of(t)
    ids = np.ascontiguousarray(array.ids.ravel())
    for _ in range(times_of(n)):
        program = Program.of(TermArray(array.store, ids), asarray([x], array.store))
        if program.count != 1:
            raise ArgumentError(f"{x!r} is not one symbol; use rw.gradient or rw.jacobian")
        found = forward(program, program.ones())
        ids = np.full(len(ids), array.store.constant(0), np.int32)
        ids[found.rows] = found.nodes
    return _formed(t, array.store, ids.reshape(array.shape))


def times_of(n: Any) -> int:
    """Return how often is differentiated; raise `ArgumentError` for what is no such number."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 0:
        raise ArgumentError(f"n={n!r} is not a number of times to differentiate")
    return int(n)


def gradient(t: Any, xs: Any) -> TermArray:
    """Return the derivatives of one term by an array of symbols, in the shape of the array.

    Raise `ArgumentError` for several terms, whose derivatives are a `jacobian`.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> gradient(x * y + x, [x, y])
    TermArray([1 + y, x])
    """
    made = jacobian(t, xs)
    if isinstance(t, (TermArray, list, tuple)) and outputs_of(t).size != 1:
        raise ArgumentError(
            f"the gradient is that of one term, not of {outputs_of(t).size}; use rw.jacobian"
        )
    result = made if isinstance(made, TermArray) else asarray(made)
    return result.reshape(asarray(inputs_of(xs), result.store).shape)


def jacobian(f: Any, xs: Any, *, mode: Mode = "auto") -> Any:
    """Return the derivatives of all terms of `f` by all symbols of `xs`, most of them often zero.

    Its shape is that of `f` followed by that of `xs`. `mode` is "forward" (from the inputs up),
    "reverse" (from each output down), "mixed" (nodes between are eliminated one by one, from where
    few edges meet), or "auto", which counts the operations of each beforehand.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> jacobian([x * y, x + 1], [x, y])
    TermArray([[y, x],
     [1, 0]])
    """
    array = outputs_of(f)
    symbols = asarray(inputs_of(xs), array.store)
    found = entries(array, symbols, mode=mode)
    ids = np.full((array.size, symbols.size), array.store.constant(0), np.int32)
    ids[found.rows, found.columns] = found.nodes
    shape = array.shape + (symbols.shape if not isinstance(xs, Term) else ())
    made = TermArray(array.store, ids.reshape(shape))
    return made.item() if not shape else made


def hessian(t: Any, xs: Any) -> TermArray:
    """Return the second derivatives of one term by an array of symbols, a symmetric matrix.

    Its shape is that of `xs` twice.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> hessian(x * x * y, [x, y])
    TermArray([[2*y, 2*x],
     [2*x, 0]])
    """
    symbols, found = second_entries(t, xs)
    ids = np.full((symbols.size, symbols.size), symbols.store.constant(0), np.int32)
    ids[found.rows, found.columns] = found.nodes
    return TermArray(symbols.store, ids.reshape(asarray(inputs_of(xs)).shape * 2))


def jvp(f: Any, xs: Any, v: Any) -> Any:
    """Return the derivative of `f` along `v`, the Jacobian times a vector, without the Jacobian.

    `v` has a term or a number for each symbol of `xs`; the result has the form of `f`.

    >>> import rewrite as rw
    >>> x, y, a, b = rw.symbols("x y a b")
    >>> jvp(x * y, [x, y], [a, b])
    a*y + b*x
    """
    array = outputs_of(f)
    symbols, along = _paired(xs, v, array.store, "xs", "v")
    program = Program.of(array, symbols)
    seeds = np.full(len(program.dag), -1, np.int32)
    places = np.flatnonzero(program.inputs >= 0)
    seeds[places] = along.ids.ravel()[program.inputs[places]]
    program.inputs[places], program.count = 0, 1
    found = forward(program, seeds)
    ids = np.full(array.size, array.store.constant(0), np.int32)
    ids[found.rows] = found.nodes
    return _formed(f, array.store, ids.reshape(array.shape))


def vjp(f: Any, xs: Any, w: Any) -> TermArray:
    """Return a vector times the Jacobian of `f`, without the Jacobian.

    `w` has a term or a number for each term of `f`; the result has the shape of `xs`.

    >>> import rewrite as rw
    >>> x, y, a, b = rw.symbols("x y a b")
    >>> vjp([x * y, x], [x, y], [a, b])
    TermArray([b + a*y, a*x])
    """
    array, weights = _paired(f, w, outputs_of(f).store, "f", "w")
    symbols = asarray(inputs_of(xs), array.store)
    program = Program.of(array, symbols)
    groups = np.zeros(array.size, np.int32)
    found = reverse(program, groups, np.ascontiguousarray(weights.ids.ravel()))
    ids = np.full(symbols.size, array.store.constant(0), np.int32)
    ids[found.columns] = found.nodes
    return TermArray(array.store, ids.reshape(symbols.shape))


def hvp(t: Any, xs: Any, v: Any) -> TermArray:
    """Return the Hessian of one term times a vector, without the Hessian.

    It is the derivative of the gradient along `v`: at most a few times the work of the term.

    >>> import rewrite as rw
    >>> x, y, a, b = rw.symbols("x y a b")
    >>> hvp(x * x * y, [x, y], [a, b])
    TermArray([2*(b*x + a*y), 2*(a*x)])
    """
    made: TermArray = jvp(gradient(t, xs), xs, v)
    return made


def entries(array: TermArray, symbols: TermArray, *, mode: Mode = "auto") -> Entries:
    """Return the entries of a Jacobian that are not zero."""
    if mode not in MODES:
        raise ArgumentError(f"mode={mode!r} is none of {', '.join(MODES)}")
    program = Program.of(array, symbols)
    if mode == "auto":
        mode = cheapest(program)
    if mode == "forward":
        return forward(program, program.ones())
    if mode == "mixed":
        return eliminated(program)
    one = program.store.constant(1)
    count = len(program.roots)
    return reverse(program, np.arange(count, dtype=np.int32), np.full(count, one, np.int32))


def second_entries(t: Any, xs: Any) -> tuple[TermArray, Entries]:
    """Return the symbols in a row, and the entries of a Hessian that are not zero, of both halves.

    One half is computed: by symmetry the other is the same.
    """
    slope = gradient(t, xs).ravel()
    symbols = asarray(inputs_of(xs), slope.store).ravel()
    found = entries(slope, symbols)
    upper = found.rows <= found.columns
    rows, columns, nodes = found.rows[upper], found.columns[upper], found.nodes[upper]
    apart = rows != columns
    return symbols, Entries(
        np.concatenate([rows, columns[apart]]), np.concatenate([columns, rows[apart]]),
        np.concatenate([nodes, nodes[apart]]),
    )  # fmt: skip


# -- forms of arguments ----------------------------------------------------------------------


def outputs_of(f: Any) -> TermArray:
    """Return what is differentiated as an array of terms."""
    if isinstance(f, (Term, TermArray, list, tuple, np.ndarray)):
        return asarray(f)
    return asarray(f)


def _formed(like: Any, store: Store, ids: Ints) -> Any:
    if isinstance(like, TermArray) or ids.ndim:
        return TermArray(store, ids)
    return Term(store, int(ids))


def inputs_of(xs: Any) -> Any:
    """Return the symbols as a list or an array, also a single one."""
    return [xs] if isinstance(xs, Term) else xs


def _paired(
    one: Any, other: Any, store: Store, name: str, other_name: str
) -> tuple[TermArray, TermArray]:
    first = asarray(inputs_of(one) if isinstance(one, (Term, list, tuple)) else one, store)
    second = asarray(
        [other] if first.shape == (1,) and np.ndim(_plain(other)) == 0 else other, store
    )
    if first.shape != second.shape:
        raise ArgumentError(
            f"{other_name} has the shape {second.shape}, {name} has {first.shape}: give one value "
            "for each"
        )
    if not all(term.sort.fits(REAL) for term in second.terms()):
        raise ArgumentError(f"{other_name} has a term that is no number; give real numbers")
    return first, second


def _plain(value: Any) -> Sequence[Any] | Any:
    return value.ids if isinstance(value, TermArray) else 0 if isinstance(value, Term) else value
