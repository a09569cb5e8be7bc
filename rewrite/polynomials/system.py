"""`System`: many sums of products over shared literals, as plain Python numbers.

A literal is a number: it stands for a node of a store (an atom), for an op applied to rows (an
opaque one), for an exact constant, or for a row (a kernel). A monomial is the sorted tuple of its
literals, a row maps monomials to coefficients.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain
from typing import Final

from rewrite.deadline import look

__all__ = ["Mono", "Opaque", "Rational", "Row", "System"]

_UNITS: Final = frozenset((1, -1))

type Rational = int | Fraction
type Mono = tuple[int, ...]
type Row = dict[Mono, Rational]


@dataclass(frozen=True, slots=True)
class Opaque:
    """An op that is no sum and no product; what it is applied to are rows of the system."""

    code: int
    rows: tuple[int, ...]


@dataclass
class System:
    """Rows over literals; `roots` and opaque ops name rows by their place."""

    literals: list[int | Rational | Opaque | None] = field(default_factory=list)
    """What each literal stands for: a node, a number (then it is in `numbers`), an opaque op, or
    None for a kernel, whose row `kernels` names."""
    rows: list[Row] = field(default_factory=list)
    vanish: bool = True
    """Whether a summand with the coefficient 0 may be left out."""
    roots: list[int] = field(default_factory=list)
    numbers: dict[int, Rational] = field(default_factory=dict)
    kernels: dict[int, int] = field(default_factory=dict)
    _numbered: dict[Rational, int] = field(default_factory=dict)
    _known: dict[tuple[tuple[Mono, Rational], ...], int] = field(default_factory=dict)

    def literal(self, stands: int | Opaque | None) -> int:
        """Add a literal for a node or an opaque op."""
        self.literals.append(stands)
        return len(self.literals) - 1

    def number(self, value: Rational) -> int:
        """Return the literal of an exact constant."""
        found = self._numbered.get(value)
        if found is None:
            found = self._numbered[value] = self.literal(None)
            self.literals[found] = self.numbers[found] = value
        return found

    def add_row(self, row: Row) -> int:
        """Add a row; return its place."""
        self.rows.append(row)
        return len(self.rows) - 1

    def defined(self, row: Row) -> int:
        """Return a new literal for a row as it stands."""
        made = self.literal(None)
        self.kernels[made] = self.add_row(row)
        return made

    def kernel(self, row: Mapping[Mono, Rational]) -> tuple[Rational, int]:
        """Return c and the literal of k for a row c * k, k without common numbers."""
        items = sorted(row.items())
        out = content([coef for _, coef in items])
        if items[0][1] < 0:
            out = -out
        key = tuple(items) if out == 1 else tuple([(m, ratio(c, out)) for m, c in items])
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self.defined(dict(key))
        return out, found

    def size(self) -> int:
        """Count the summands of all rows."""
        return sum(map(len, self.rows))

    def spell_numbers(self) -> None:
        """Make every coefficient 1 or -1: what it was otherwise becomes a literal."""
        self._spell()
        for literal, at in self.kernels.items():
            items = tuple(sorted(self.rows[at].items()))
            if items and items[0][1] == 1:
                self._known.setdefault(items, literal)

    def _spell(self) -> None:
        for at, row in enumerate(self.rows):
            if not _UNITS.issuperset(row.values()):
                self.rows[at] = self.spelled(row)

    def spelled(self, row: Row) -> Row:
        """Return a row whose coefficients are 1 or -1; like terms are collected once more."""
        look()
        whole: Row = {}
        for mono, coef in row.items():
            for literal in mono:
                coef *= self.numbers.get(literal, 1)
            bare = tuple([literal for literal in mono if literal not in self.numbers])
            whole[bare] = exact(whole.get(bare, 0) + coef)
        made: Row = {}
        for mono, coef in whole.items():
            if coef or not self.vanish:
                sign = -1 if coef < 0 else 1
                size: Mono = () if coef == sign else (self.number(coef * sign),)
                made[joined(mono, size)] = sign
        return made

    def inline(self) -> None:
        """Replace kernels that are one product by it, and collect what is equal then."""
        single = {k: at for k, at in self.kernels.items() if len(self.rows[at]) == 1}
        if single:
            for at, row in enumerate(self.rows):
                look()
                if not single.keys().isdisjoint(chain.from_iterable(row)):
                    made: Row = {}
                    for mono, coef in row.items():
                        sign, whole = self._opened(mono, single)
                        made[whole] = made.get(whole, 0) + sign * coef
                    self.rows[at] = made
        self._spell()

    def _opened(self, mono: Mono, single: Mapping[int, int]) -> tuple[Rational, Mono]:
        sign: Rational = 1
        done: list[int] = []
        stack = list(mono)
        while stack:
            literal = stack.pop()
            if literal in single and len(self.rows[single[literal]]) == 1:
                ((inner, coef),) = self.rows[single[literal]].items()
                sign *= coef
                stack += inner
            else:
                done.append(literal)
        return sign, tuple(sorted(done))


def joined(one: Mono, other: Mono) -> Mono:
    """Multiply two monomials."""
    return tuple(sorted(one + other))


def without(mono: Mono, divisor: Sequence[int]) -> Mono:
    """Divide a monomial by one that it contains."""
    left = list(mono)
    for literal in divisor:
        left.remove(literal)
    return tuple(left)


def content(values: Sequence[Rational]) -> Rational:
    """Return the largest positive number of which all are integer multiples; 1 for zeros."""
    if (1 in values or -1 in values) and all(type(value) is int for value in values):
        return 1
    above = math.gcd(*[value.numerator for value in values])
    below = math.lcm(*[value.denominator for value in values])
    return exact(Fraction(above, below)) if above else 1


def ratio(value: Rational, by: Rational) -> Rational:
    """Divide exactly."""
    if by in (1, -1):
        return value * by
    return exact(Fraction(value) / by)


def exact(value: Rational) -> Rational:
    """Return whole numbers as integers."""
    return int(value) if value.denominator == 1 else value
