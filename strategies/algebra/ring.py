"""Polynomials over generators, as python-flint has them, and their way back to terms in bulk."""

import math
import operator
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import flint
import numpy as np
import numpy.typing as npt

from rewrite import ops
from strategies.algebra.forms import Monomial, Product, Rational, Terms, exact
from strategies.algebra.writing import Scribe

__all__ = ["Poly", "Ring"]

type Poly = flint.fmpz_mpoly
type Ints = npt.NDArray[np.int64]

FEW: Final = 48
"""Up to so many terms a loop in Python beats the bulk path."""
_PACKED: Final = 1 << 62
_MUL, _ADD, _POW = ops.MUL.code, ops.ADD.code, ops.POW.code


class Ring:
    """Integer polynomials in generators, which are nodes in canonical order.

    `inverses` more generators stand for 1 / g of each generator g in its place, and after those
    for the inverses of sums, which are named as they are met.
    """

    def __init__(self, scribe: Scribe, generators: Sequence[int], inverses: int = 0) -> None:
        self.scribe, self.generators = scribe, list(generators)
        self.place = {g: at for at, g in enumerate(generators)}
        self.sums: list[int] = []
        """The sums whose inverses are generators."""
        own = len(self.generators)
        count = own if not inverses else 2 * own + inverses
        self.context = flint.fmpz_mpoly_ctx.get([f"g{i}" for i in range(count)], "deglex")
        self.variables: Sequence[Poly] = self.context.gens()

    def constant(self, value: int) -> Poly:
        """Return a number as a polynomial."""
        return self.context.constant(value)

    def of(self, g: int) -> Poly:
        """Return a generator as a polynomial."""
        return self.variables[self.place[g]]

    # -- exponents ---------------------------------------------------------------------------

    def table(self, poly: Poly) -> tuple[Ints, list[int]]:
        """Return exponents, one row a term, and coefficients, in canonical order."""
        degrees = [int(d) for d in poly.degrees()]
        top = math.prod([d + 1 for d in degrees])
        if len(poly) > FEW and top * (sum(degrees) + 1) < _PACKED:
            return _unpacked(poly, degrees, top)
        rows = poly.monoms()
        exponents = np.array([list(map(int, row)) for row in rows], np.int64)
        return exponents.reshape(len(rows), len(degrees)), list(map(int, poly.coeffs()))

    def terms(self, poly: Poly, below: int = 1) -> Terms:
        """Return poly / below as monomials with coefficients."""
        exponents, coefs = self.table(poly)
        names = self.names()
        terms: Terms = {}
        for row, coef in zip(exponents.tolist(), coefs, strict=True):
            monomial = self._monomial(names, row)
            made = terms.get(monomial, 0) + (coef if below == 1 else Fraction(coef, below))
            if made:
                terms[monomial] = exact(made)
            else:
                terms.pop(monomial, None)
        return terms

    def names(self) -> list[tuple[int, int]]:
        """Return what each variable stands for: a node, and 1 or -1 for its inverse."""
        own = [(g, 1) for g in self.generators]
        return [*own, *[(g, -1) for g in (*self.generators, *self.sums)]]

    @staticmethod
    def _monomial(names: list[tuple[int, int]], row: list[int]) -> Monomial:
        made = Product()
        for at, e in enumerate(row):
            if e:
                g, sign = names[at]
                made.raise_(g, e * sign)
        return made.monomial()

    # -- to terms ----------------------------------------------------------------------------

    def node(self, poly: Poly, below: int = 1) -> int:
        """Write poly / below as a canonical sum of monomials."""
        plain = len(self.variables) == len(self.generators)
        code = self.scribe.store.code
        if len(poly) <= FEW or not plain or any(code(g) == _CONST for g in self.generators):
            return self.scribe.sum(self.terms(poly, below))
        exponents, coefs = self.table(poly)
        numbers: Sequence[Rational] = coefs
        if below != 1:
            numbers = [exact(Fraction(c, below)) for c in coefs]
        return self._bulk(exponents, numbers)

    def _bulk(self, exponents: Ints, coefs: Sequence[Rational]) -> int:
        """Write a sum with positive exponents; rows are in canonical order."""
        store = self.scribe.store
        numbers = self._numbers(coefs)
        row, column = np.nonzero(exponents)
        factors = self._powers(column, exponents[row, column])
        counts = np.bincount(row, minlength=len(coefs))
        first = (numbers != store.constant(1)) | (counts == 0)
        start = np.zeros(len(coefs) + 1, np.int64)
        np.cumsum(counts + first, out=start[1:])
        args = np.empty(int(start[-1]), np.int32)
        args[start[:-1][first]] = numbers[first]
        behind = np.repeat(start[:-1] + first, counts)
        inside = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        args[behind + inside] = factors
        alone = counts + first == 1
        out = np.where(alone, args[start[:-1]], -1).astype(np.int32)
        table = store.indexed()
        codes = np.full(len(coefs), _MUL, np.uint8)
        table.intern(store, codes, start, args, out, local=False)
        whole = np.full(1, -1, np.int32)
        edges = np.array([0, len(out)], np.int64)
        table.intern(store, np.array([_ADD], np.uint8), edges, out, whole, local=False)
        return int(whole[0])

    def _powers(self, column: Ints, exponent: Ints) -> npt.NDArray[np.int32]:
        """Write the powers of generators that occur."""
        store, most = self.scribe.store, int(exponent.max()) + 1
        keys = column * most + exponent
        if len(self.generators) * most > 4 * len(keys) + 1000:  # too sparse for a table
            used, keys = np.unique(keys, return_inverse=True)
        else:
            used = np.flatnonzero(np.bincount(keys))
            places = np.empty(int(used[-1]) + 1, np.int64)
            places[used] = np.arange(len(used))
            keys = places[keys]
        at, exponents = np.divmod(used, most)
        nodes = np.array(self.generators, np.int32)[at]
        higher = np.flatnonzero(exponents > 1)
        if len(higher):
            args = np.empty((len(higher), 2), np.int32)
            args[:, 0] = nodes[higher]
            args[:, 1] = store.integers(exponents[higher].tolist())
            made = np.full(len(higher), -1, np.int32)
            codes, start = np.full(len(higher), _POW, np.uint8), np.arange(len(higher) + 1) * 2
            store.indexed().intern(store, codes, start, args.ravel(), made, local=False)
            nodes[higher] = made
        return nodes[keys]

    def _numbers(self, coefs: Sequence[Rational]) -> npt.NDArray[np.int32]:
        """Write coefficients."""
        store = self.scribe.store
        distinct = list(dict.fromkeys(coefs))
        if all(type(c) is int for c in distinct):
            known = dict(zip(distinct, store.integers(distinct), strict=True))  # type: ignore[arg-type]
        else:
            known = {c: store.constant(c) for c in distinct}
        return np.array([known[c] for c in coefs], np.int32)


_CONST: Final = ops.CONST.code
_LINE: Final = flint.fmpz_mpoly_ctx.get(["t"], "deglex")


def _unpacked(poly: Poly, degrees: list[int], top: int) -> tuple[Ints, list[int]]:
    """Read exponents as digits of one number: Kronecker substitution keeps the order of terms."""
    weights, weight = [], top
    for degree in degrees:
        weight //= degree + 1
        weights.append(weight)
    (t,) = _LINE.gens()
    line: Any = poly.compose(*[t ** (w + top) for w in weights], ctx=_LINE)
    coefs = list(map(operator.index, line.coeffs()))
    # the derivative's coefficients tell exponents at half the time that reading them takes
    raised = list(map(operator.index, line.derivative(0).coeffs()))
    raised += [0] * (len(coefs) - len(raised))  # the constant comes last
    packed = np.array([r // c for r, c in zip(raised, coefs, strict=True)], np.int64)
    sizes = np.array(degrees, np.int64) + 1
    exponents = packed[:, None] % top // np.array(weights, np.int64) % sizes
    return exponents, coefs
