"""How a rule is known: by a proof, or by points at which it was tried.

`certificate` looks for a proof: over the reals by cases in each of which both sides are fractions
of atoms that are equal (`prover`), of matrices by words of letters that do not commute (`words`).
What a rule without a licence promises of bits is looked at beside, at every value of a small
floating-point format (`smallfloats`); rounding itself is not proved.
"""

import functools
from dataclasses import dataclass
from typing import Final

from rewrite import ops
from rewrite.dag import Dag
from rewrite.fastmath import FastMath
from rewrite.rule import Rule

__all__ = ["KINDS", "Certificate", "certificate"]

KINDS: Final = {
    "identity": "both sides are one fraction of polynomials over Q in the variables",
    "algebraic": "they are one fraction of atoms, by the axioms of functions",
    "definition": "so they are in each case of signs, orders, integers and truth values",
    "words": "both sides are one sum of words of letters that do not commute",
    "sampled": "no proof was found: points were tried, and none breaks it",
}
"""Kind of certificate -> what it says, the strongest first."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """How a rule is known: a row of `KINDS`, and a note on the extent."""

    kind: str
    note: str = ""

    @property
    def proved(self) -> bool:
        """Tell whether it is more than points that were tried."""
        return self.kind != "sampled"

    def __str__(self) -> str:
        """Write the kind and the note."""
        return f"{self.kind}: {self.note}" if self.note else self.kind


SAMPLED: Final = Certificate("sampled")
_RATIONAL: Final = {
    row.code for row in (ops.ADD, ops.SUB, ops.MUL, ops.DIV, ops.NEG, ops.FMA, ops.PVAR, ops.CONST)
}
_BY_CASES: Final = {
    row.code
    for row in (
        ops.ABS, ops.SIGN, ops.COPYSIGN, ops.FLOOR, ops.CEIL, ops.TRUNC, ops.ROUND, ops.FMOD,
        ops.MINIMUM, ops.MAXIMUM, ops.LT, ops.LE, ops.GT, ops.GE, ops.EQ, ops.NE, ops.AND, ops.OR,
        ops.NOT, ops.WHERE,
    )
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def certificate(rule: Rule) -> Certificate:
    """Find out how a rule is known; it takes milliseconds, for a few rules a second.

    >>> from rewrite.rules.arithmetic import FACTORING
    >>> certificate(FACTORING["factor-left"])
    Certificate(kind='identity', note='')
    """
    from rewrite.certificates import prover, smallfloats, words
    from rewrite.lawcheck import of_numbers

    if not rule.symbolic:
        return SAMPLED
    if not of_numbers(rule):
        return Certificate("words") if words.equal(rule) else SAMPLED
    if prover.cases(rule) is None:
        return SAMPLED
    if rule.licence != FastMath.NONE:
        return Certificate(_kind(rule))
    tried = smallfloats.exhausted(rule)
    return Certificate(_kind(rule), f"same bits at {tried}") if tried else SAMPLED


def _kind(rule: Rule) -> str:
    dag = Dag.of(rule.lhs.store, [rule.lhs.id, rule.rhs.id])
    codes = set(dag.code.tolist())
    powers = [dag.value[args[1]] for code, args in dag.rows() if code == ops.POW.code]
    if codes & _BY_CASES:
        return "definition"
    if codes - _RATIONAL - {ops.POW.code} or not all(type(n) is int for n in powers):
        return "algebraic"
    return "identity"
