"""Named conditions of rules: facts about the real value of a matched term.

Each is a row: what must be known, in terms of the analyses that both engines compute (a lower
bound `lo`, an upper bound `hi`, `nonzero`, `integer`). A condition that is not known to hold does
not hold: the rule then does not fire.
"""

from collections.abc import Callable
from typing import Final

from rewrite import ops
from rewrite.errors import PatternError
from rewrite.leaves import RULES
from rewrite.rule import SHAPES, Condition
from rewrite.term import lift

__all__ = ["KINDS", "at_least", "at_most", "atom", "integer", "literal", "negative", "nonneg",
           "nonpos", "nonzero", "positive", "symbolic"]  # fmt: skip

KINDS: Final[dict[str, str]] = {
    "nonzero": "the value is not 0",
    "positive": "the value is > 0",
    "negative": "the value is < 0",
    "nonneg": "the value is >= 0",
    "nonpos": "the value is <= 0",
    "integer": "the value is an integer",
}
"""Kind -> meaning; the e-graph renders each to facts, the classical engine to a check."""

_EXAMPLE: Final = """>>> import rewrite as rw
>>> (a,) = rw.pattern_vars("a")
>>> rw.{0}(a)
{0}(?a)
"""


def _kind(name: str) -> Callable[[object], Condition]:
    def condition(term: object) -> Condition:
        return Condition(name, lift(term, RULES))

    condition.__name__ = condition.__qualname__ = name
    condition.__doc__ = f"Require of a pattern that {KINDS[name]}.\n\n{_EXAMPLE.format(name)}"
    return condition


def _shape(name: str) -> Callable[[object], Condition]:
    def condition(variable: object) -> Condition:
        term = lift(variable, RULES)
        if term.op is not ops.PVAR:
            raise PatternError(f"{name}({term!r}): it speaks of a variable alone, not of a term")
        return Condition(name, term)

    condition.__name__ = condition.__qualname__ = name
    condition.__doc__ = (
        f"Require of what a variable matched that {SHAPES[name]}.\n\n"
        "The classical engine alone can ask that. Raise `PatternError` for what is no variable.\n\n"
        f"{_EXAMPLE.format(name)}"
    )
    return condition


nonzero = _kind("nonzero")
positive = _kind("positive")
negative = _kind("negative")
nonneg = _kind("nonneg")
nonpos = _kind("nonpos")
integer = _kind("integer")
# What folding needs: is it a number to compute with? They ask how a term is written, which the
# members of an e-class do not share, so that the classical engine alone can answer.
literal = _shape("literal")
symbolic = _shape("symbolic")
atom = _shape("atom")


def at_least(term: object, bound: object) -> Condition:
    """Require of a pattern that the value is >= a bound.

    >>> from rewrite.leaves import pattern_vars
    >>> (a,) = pattern_vars("a")
    >>> at_least(a, 2)
    nonneg(?a - 2)
    """
    return nonneg(lift(term, RULES) - bound)


def at_most(term: object, bound: object) -> Condition:
    """Require of a pattern that the value is <= a bound.

    >>> from rewrite.leaves import pattern_vars
    >>> (a,) = pattern_vars("a")
    >>> at_most(a, 2)
    nonneg(2 - ?a)
    """
    return nonneg(bound - lift(term, RULES))
