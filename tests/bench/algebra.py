"""Polynomials and rational functions, beside SymPy and symengine: `python tests/bench/algebra.py`.

1. The determinant of a symbolic 5x5 matrix from its LU factorisation without pivoting: the product
   of the diagonal of U, a nest of fractions, brought to the polynomial of 120 terms that it is.
2. (1 + x + y + z)**20 multiplied out to its 1771 terms.
3. 10^5 replacements in a program of 10^6 nodes.

Every round makes its symbols anew (ours in a fresh store), and SymPy's cache is cleared, so that no
round finds what another one computed.
"""

import functools
import itertools
import operator
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import symengine
import sympy
from report import arguments, at_least, at_most, finish
from sympy.core.cache import clear_cache
from sympy.polys.matrices import DomainMatrix

import rewrite as rw
from strategies.algebra import cancel, expand, substitute

SIDE = 5
TERMS = 120
POWER = 20
POWER_TERMS = 1771


def matrix(symbol: Callable[[str], Any]) -> list[list[Any]]:
    """Return a square matrix of symbols."""
    return [[symbol(f"a{i}{j}") for j in range(SIDE)] for i in range(SIDE)]


def determinant(rows: list[list[Any]]) -> Any:
    """Factorise in place without pivoting, and multiply the diagonal of U."""
    size = len(rows)
    for k in range(size):
        for i in range(k + 1, size):
            rows[i][k] = rows[i][k] / rows[k][k]
            for j in range(k + 1, size):
                rows[i][j] = rows[i][j] - rows[i][k] * rows[k][j]
    return functools.reduce(operator.mul, [rows[k][k] for k in range(size)])


def timed(call: Callable[[], Any], rounds: int, count: Callable[[Any], int]) -> tuple[float, int]:
    """Return the median time of a call, and the size of its result; the first round warms up."""
    times, size = [], 0
    for _ in range(rounds + 1):
        clear_cache()
        begin = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - begin)
        size = count(result)
    return statistics.median(times[1:]), size


def summands(result: Any) -> int:
    """Count the terms of a sum."""
    return len(result.args)


# -- the determinant -------------------------------------------------------------------------


def lu_ours() -> Any:
    """Build, and bring to lowest terms; a polynomial comes out expanded."""
    with rw.scope():
        return cancel()(determinant(matrix(rw.symbol)))


def lu_sympy() -> Any:
    """Run the same program on SymPy's symbols, cancelling each step: at the end takes minutes."""
    rows = determinant_steps(matrix(sympy.Symbol), sympy.cancel)
    return sympy.expand(rows)


def determinant_steps(rows: list[list[Any]], tidy: Callable[[Any], Any]) -> Any:
    """Do what `determinant` does, tidying every entry as it is made."""
    size = len(rows)
    for k in range(size):
        for i in range(k + 1, size):
            rows[i][k] = tidy(rows[i][k] / rows[k][k])
            for j in range(k + 1, size):
                rows[i][j] = tidy(rows[i][j] - rows[i][k] * rows[k][j])
    return functools.reduce(lambda a, b: tidy(a * b), [rows[k][k] for k in range(size)])


def det_sympy(method: str) -> Any:
    """SymPy's own determinant, without an LU factorisation."""
    return sympy.expand(sympy.Matrix(matrix(sympy.Symbol)).det(method=method))


def ring_sympy() -> Any:
    """SymPy's matrices over polynomial rings, which are no expressions: converted back."""
    rows = DomainMatrix.from_Matrix(sympy.Matrix(matrix(sympy.Symbol)))
    return -rows.domain.to_sympy(rows.charpoly()[-1])


def lu_symengine() -> Any:
    """The same program, as far as it goes on a 4x4 matrix: expand leaves the denominators."""
    rows = [row[:4] for row in matrix(symengine.Symbol)[:4]]
    return symengine.expand(determinant(rows))


def det_symengine() -> Any:
    """symengine's own determinant, expanded; its denominators stay, as there is no cancel."""
    return symengine.expand(symengine.DenseMatrix(matrix(symengine.Symbol)).det())


def laplace_symengine() -> Any:
    """Write Laplace's expansion over shared minors by hand, expanding as it goes: no fractions."""
    rows = matrix(symengine.Symbol)
    minors = {(j,): rows[-1][j] for j in range(SIDE)}
    for i in range(SIDE - 2, -1, -1):
        minors = {
            columns: symengine.expand(
                sum(
                    (-1) ** k * rows[i][j] * minors[columns[:k] + columns[k + 1 :]]
                    for k, j in enumerate(columns)
                )
            )
            for columns in itertools.combinations(range(SIDE), SIDE - i)
        }
    return minors[tuple(range(SIDE))]


def laplace_ours() -> Any:
    """Build Laplace's expansion over shared minors as one term, and expand it."""
    with rw.scope():
        rows = matrix(rw.symbol)
        minors = {(j,): rows[-1][j] for j in range(SIDE)}
        for i in range(SIDE - 2, -1, -1):
            minors = {
                columns: rw.apply(
                    "add",
                    *[
                        (-1) ** k * rows[i][j] * minors[columns[:k] + columns[k + 1 :]]
                        for k, j in enumerate(columns)
                    ],
                )
                for columns in itertools.combinations(range(SIDE), SIDE - i)
            }
        return expand()(minors[tuple(range(SIDE))])


# -- the power -------------------------------------------------------------------------------


def power_ours() -> Any:
    """Expand in a fresh store."""
    with rw.scope():
        x, y, z = rw.symbols("x y z")
        return expand()((1 + x + y + z) ** POWER)


def power_symengine() -> Any:
    """Expand in symengine."""
    x, y, z = symengine.symbols("x y z")
    return symengine.expand((1 + x + y + z) ** POWER)


# -- substitution ----------------------------------------------------------------------------


def substitution(side: int = 700, count: int = 100_000) -> tuple[int, float]:
    """Return the size of a program and the median time to replace so many of its subterms."""
    times, size = [], 0
    for _ in range(6):
        with rw.scope():
            x = rw.asarray(rw.symbols([f"x{i}" for i in range(side)]))
            products = x[:, None] * x[None, :]
            total = rw.apply("add", *(products + x[None, :]).ravel().terms())
            fresh = np.sin(x[:400, None] - x[None, :250]).ravel().terms()
            swap = substitute(dict(zip(products.ravel().terms()[:count], fresh, strict=True)))
            size = total.node_count()
            begin = time.perf_counter()
            made = swap(total)
            times.append(time.perf_counter() - begin)
            assert made is not None and made.node_count() == size + count
    return size, statistics.median(times[1:])


def main() -> None:
    """Print both sides and the ratios."""
    options = arguments(__doc__.splitlines()[0]).parse_args()
    ours, terms = timed(lu_ours, 31, summands)
    assert terms == TERMS, terms
    laplace, terms = timed(laplace_ours, 31, summands)
    assert terms == TERMS, terms
    by_hand, terms = timed(laplace_symengine, 31, summands)
    assert terms == TERMS, terms
    theirs, left = timed(det_symengine, 15, summands)
    small, small_left = timed(lu_symengine, 15, summands)
    slow, terms = timed(lu_sympy, 3, summands)
    assert terms == TERMS, terms
    direct, terms = timed(lambda: det_sympy("bareiss"), 1, summands)
    assert terms == TERMS, terms
    berkowitz, terms = timed(lambda: det_sympy("berkowitz"), 3, summands)
    assert terms == TERMS, terms
    ring, _ = timed(ring_sympy, 5, summands)
    power, terms = timed(power_ours, 31, summands)
    assert terms == POWER_TERMS, terms
    their_power, terms = timed(power_symengine, 31, summands)
    assert terms == POWER_TERMS, terms
    size, swap = substitution()
    print("determinant of a 5x5 matrix of symbols, as a polynomial of 120 terms")
    print(f"  ours, LU, cancel                    {ours * 1e3:9.2f} ms")
    print(f"  ours, Laplace, expand               {laplace * 1e3:9.2f} ms")
    print(f"  SymPy, LU, cancel at each step      {slow * 1e3:9.2f} ms")
    print(f"  SymPy, det (Bareiss), expand        {direct * 1e3:9.2f} ms")
    print(f"  SymPy, det (Berkowitz), expand      {berkowitz * 1e3:9.2f} ms")
    print(f"  SymPy, ring matrix, not by LU       {ring * 1e3:9.2f} ms")
    print(f"  symengine, det, expand              {theirs * 1e3:9.2f} ms: {left} terms, no result")
    print(f"  symengine, LU of 4x4, expand        {small * 1e3:9.2f} ms: {small_left} of 24 terms")
    print(f"  symengine, Laplace written by hand  {by_hand * 1e3:9.2f} ms")
    print(f"(1 + x + y + z)**20: ours {power * 1e3:.2f} ms, symengine {their_power * 1e3:.2f} ms")
    print(f"100000 replacements in {size} nodes: {swap * 1e3:.0f} ms")
    figures = {
        "LU determinant, times SymPy": at_least(slow / ours, 113),
        "LU determinant, times SymPy's ring matrix": at_least(ring / ours, 1),
        "LU determinant, times symengine's det": at_least(theirs / ours, 1),
        "Laplace, times symengine's Laplace": at_least(by_hand / laplace, 1),
        "power of a sum, times symengine": at_least(their_power / power, 1),
        "100000 replacements in 10^6 nodes [s]": at_most(swap, 1.0),
    }
    finish(figures, options.json)


if __name__ == "__main__":
    main()
