"""`narrow`: does a term have few monomials when it is multiplied out?"""

import math
from dataclasses import dataclass
from typing import Any, Final

from rewrite import ops
from rewrite.dag import Dag
from rewrite.interface import is_call
from rewrite.term import Term
from strategies.base import Leaf

__all__ = ["Narrow", "monomials", "narrow"]

MOST: Final = 1_000_000
"""Larger counts are not told apart."""


def monomials(term: Term) -> int:
    """Return a bound on how many monomials any part of a term has, multiplied out.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> monomials((x + y + 1) ** 2 * x)
    6
    """
    dag = Dag.of(term.store, [term.id])
    found: list[int] = []
    for code, args in dag.rows():
        below = [found[a] for a in args]
        if code in (ops.ADD.code, ops.SUB.code):
            count = sum(below)
        elif code in (ops.MUL.code, ops.DIV.code):
            count = math.prod(below)
        elif code == ops.POW.code and below[0] > 1:
            count = _power(below[0], dag.value[args[1]])
        elif code == ops.FMA.code:
            count = below[0] * below[1] + below[2]
        else:
            count = below[0] if code in (ops.NEG.code, ops.POW.code) else 1
        found.append(min(count, MOST))
    return max(found)


def _power(width: int, exponent: Any) -> int:
    """Return how many monomials the power of a sum has."""
    if isinstance(exponent, bool) or not isinstance(exponent, int):
        return 1
    n = abs(exponent)
    return math.comb(n + width - 1, width - 1) if min(n, width) < 64 and n < MOST else MOST


@dataclass(frozen=True, repr=False)
class Narrow(Leaf):
    """narrow(n)(t) = t, if no part of t has more than n monomials when multiplied out."""

    most: int = 200

    def rewrite(self, term: Any) -> Any:
        if isinstance(term, Term) and is_call(term):
            return term if monomials(term) <= self.most else None
        return term

    def __str__(self) -> str:
        return f"narrow({self.most})"


def narrow(most: int = 200) -> Narrow:
    """Return the term if no part of it has more monomials than that when multiplied out.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> narrow(200)((x + y) ** 1000) is None
    True
    """
    return Narrow(most)
