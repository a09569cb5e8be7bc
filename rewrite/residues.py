"""Values of rational terms at probe points, exactly modulo the prime 2**61 - 1.

Small programs are evaluated by Python, large ones by one compiled loop; the result is the same.
"""

import functools
import operator
import struct
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from hashlib import shake_128
from typing import Final

import numpy as np

from rewrite import ops
from rewrite.constants import Constant, constant_key
from rewrite.dag import SMALL, Dag
from rewrite.probes import Probe
from rewrite.sorts import BOOL
from rewrite.store import Symbol

__all__ = [
    "PRIME", "UNDEFINED", "Points", "Residues", "Words", "exactly", "rational", "residue", "whole",
]  # fmt: skip

PRIME: Final = (1 << 61) - 1
UNDEFINED: Final = 1 << 63
"""The word of a point where there is no value; those below 2**61 are residues."""

type Words = list[int]
"""One number a point."""
type Points = Mapping[int, Sequence[Probe]]
"""By position, the values of a symbol at the points."""


def residue(value: Fraction) -> int:
    """Return a rational number modulo the prime, the word for none if its divisor vanishes there.

    >>> residue(Fraction(1, 2)) * 2 % PRIME
    1
    """
    below = value.denominator % PRIME
    return value.numerator * pow(below, -1, PRIME) % PRIME if below else UNDEFINED


def rational(dag: Dag, points: Points, roots: set[int], count: int) -> dict[int, Words]:
    """Return the words of those roots that are rational."""
    if len(dag) > SMALL:
        return _compiled(dag, points, roots, count)
    found = Residues(dag, points, count)
    return {root: found.words(root) for root in roots if found.values[root] is not None}


def _compiled(dag: Dag, points: Points, roots: set[int], count: int) -> dict[int, Words]:
    """Do the same by a compiled loop."""
    from rewrite.residueloop import residues

    values = np.zeros((len(dag), count), np.uint64)
    state, marks = np.zeros(len(dag), np.bool_), np.zeros(len(dag), np.uint64)
    exponents = np.zeros((len(dag), 3), np.uint64)
    powers = np.flatnonzero(dag.code == ops.POW.code)
    for at in set(dag.args[dag.start[powers] + 1].tolist()):
        exponent = whole(dag.value[at])
        if exponent is not None:
            # a**(p - 1) is 1 unless a is 0, whose power must not become 0**0
            size = (abs(exponent) - 1) % (PRIME - 1) + 1 if exponent else 0
            exponents[at] = 1, exponent < 0, size
    for at in np.flatnonzero(dag.start[1:] == dag.start[:-1]).tolist():
        found = leaf(dag, at, points, count)
        if found is not None:
            state[at], values[at] = True, found
    residues(dag.code, dag.start, dag.args, exponents, state, values, marks)
    words = {}
    for root in roots:
        if state[root]:
            mark, row = int(marks[root]), values[root].tolist()
            words[root] = [UNDEFINED if mark >> at & 1 else row[at] for at in range(count)]
    return words


def leaf(dag: Dag, at: int, points: Points, count: int) -> Words | None:
    """Return the values of a leaf modulo the prime, None if it is no rational number."""
    values = points.get(at)
    if values is not None:
        return None if dag.sort[at] == BOOL else [residue(Fraction(value)) for value in values]
    constant = dag.value[at]
    if type(constant) is int:
        return [constant % PRIME] * count
    exact = None if constant is None or isinstance(constant, Symbol) else exactly(constant)
    return None if exact is None or not exact.denominator % PRIME else [residue(exact)] * count


class Residues:
    """The values of rational nodes modulo the prime at all points; None for other nodes.

    With `generate` these have values too, drawn from their op and the values of their operands,
    and so has a quotient by zero; without, such points are marked.
    """

    def __init__(self, dag: Dag, points: Points, count: int, *, generate: bool = False) -> None:
        self.dag, self.points, self.count, self.generate = dag, points, count, generate
        self.values: list[Words | None] = [None] * len(dag)
        self.undefined: dict[int, set[int]] = {}
        """By position, the points without a value; few nodes have any."""
        for at, (code, args) in enumerate(dag.rows()):
            self.values[at] = self._node(at, code, args) if args else self._leaf(at)

    def words(self, root: int) -> Words:
        """Return the words of a rational node."""
        found, marked = self.values[root], self.undefined.get(root, ())
        assert found is not None, "the node is not rational"
        return [UNDEFINED if at in marked else word for at, word in enumerate(found)]

    def _leaf(self, at: int) -> Words | None:
        found = leaf(self.dag, at, self.points, self.count)
        if found is not None:
            return found
        if at in self.points:
            return self._drawn("bool", [list(map(int, self.points[at]))])
        constant = self.dag.value[at]
        assert constant is not None and not isinstance(constant, Symbol), "a leaf has a value"
        return self._drawn(f"const {constant_key(constant)}", [])

    def _node(self, at: int, code: int, args: tuple[int, ...]) -> Words | None:
        columns = []
        for a in args:
            below = self.values[a]
            if below is None:
                return None
            columns.append(below)
        if self.undefined:
            marks = set().union(*[self.undefined.get(a, ()) for a in args])
            if marks:
                self.undefined[at] = marks
        function = _FIELD.get(code)
        if function is not None:
            return [function(*each) % PRIME for each in zip(*columns, strict=True)]
        if code == _DIV:
            return self._quotients(at, *columns)
        exponent = whole(self.dag.value[args[1]]) if code == _POW else None
        if exponent is not None:
            powers = [pow(a, abs(exponent), PRIME) for a in columns[0]]
            return powers if exponent >= 0 else self._quotients(at, [1] * len(powers), powers)
        if ops.OPS[code].commutative:
            columns.sort()
        return self._drawn(ops.OPS[code].name, columns)

    def _quotients(self, at: int, above: Words, below: Words) -> Words:
        """Divide at all points, by the inverse of one product."""
        zeros = [place for place, b in enumerate(below) if not b]
        divisors = [b or 1 for b in below]
        products = [1]
        for b in divisors:
            products.append(products[-1] * b % PRIME)
        inverse = pow(products[-1], -1, PRIME)
        made = [0] * len(above)
        for place in range(len(above) - 1, -1, -1):
            made[place] = above[place] * inverse % PRIME * products[place] % PRIME
            inverse = inverse * divisors[place] % PRIME
        if zeros:
            self.undefined[at] = self.undefined.get(at, set()) | set(zeros)
            generated = self._drawn("div", [above, below]) or made
            for place in zeros:
                made[place] = generated[place]
        return made

    def _drawn(self, name: str, columns: Sequence[Words]) -> Words | None:
        if not self.generate:
            return None
        flat = [word for column in columns for word in column]
        text = name.encode() + b"\0" + struct.pack(f"<{len(flat)}Q", *flat)
        drawn = shake_128(text).digest(8 * self.count)
        return [word % PRIME for word in struct.unpack(f"<{self.count}Q", drawn)]


_DIV, _POW = ops.DIV.code, ops.POW.code
_FIELD: Final[dict[int, Callable[..., int]]] = {
    ops.ADD.code: lambda *each: sum(each),
    ops.SUB.code: operator.sub,
    ops.MUL.code: lambda *each: functools.reduce(_times, each),
    ops.NEG.code: operator.neg,
    ops.FMA.code: lambda a, b, c: a * b + c,
}


def _times(a: int, b: int) -> int:
    return a * b % PRIME


def exactly(value: Constant) -> Fraction | None:
    """Return the rational number that a constant is; None for pi, infinities and truth values."""
    if isinstance(value, float):
        return Fraction(value) if value - value == 0 else None
    if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        return Fraction(value)
    return None


def whole(value: Symbol | Constant | None) -> int | None:
    """Return the integer that a constant exponent is, of any type; None for anything else."""
    if value is None or isinstance(value, Symbol):
        return None
    exact = exactly(value)
    return int(exact) if exact is not None and exact.denominator == 1 else None
