"""Does a law of other sorts than numbers hold? Both sides on values that the sorts draw.

Nothing is proved: points are tried, and the first one that breaks the rule is returned.
`rewrite.rulecheck` does the same for numbers, with more rigour.
"""

import zlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.dag import Dag
from rewrite.errors import PatternError
from rewrite.evaluate import evaluate
from rewrite.rule import Rule, symbols_of
from rewrite.rulecheck import Verdict, meets
from rewrite.sorts import BOOL
from rewrite.term import Term

__all__ = ["of_numbers", "sampled"]

MOST: Final = 64
"""Tries for each wanted point before the conditions count as too hard to meet."""
_FAILURES: Final = (ArithmeticError, np.linalg.LinAlgError)
"""What a function raises at a value for which its op is not defined."""


def of_numbers(rule: Rule) -> bool:
    """Tell whether a rule is about numbers and truth values by our ops alone."""
    dag = Dag.of(rule.lhs.store, [rule.lhs.id, rule.rhs.id, *(c.term.id for c in rule.where)])
    return bool((dag.sort <= BOOL).all() and (dag.code < len(ops.BUILTIN)).all())


def sampled(rule: Rule, wanted: int = 200, seed: int = 0) -> Verdict:
    """Compare both sides at values that meet the conditions.

    They must be defined at the same values, and equal there as their sort says. Raise
    `PatternError` for a sort that draws no values.
    """
    random = np.random.default_rng([seed, zlib.crc32(repr(rule).encode())])
    holes = symbols_of(rule.lhs)
    for hole in holes:
        if hole.sort.sample is None:
            raise PatternError(
                f"rule {rule.name!r}: the sort {hole.sort} of ?{hole.name} draws no values; "
                f"register it with sample=, rw.sort({hole.sort.name!r}, sample=...)"
            )
    met = 0
    with np.errstate(all="ignore"):
        for _ in range(MOST * wanted):
            env = {hole.name: hole.sort.drawn(random) for hole in holes}
            if not all(meets(c.kind, _value(c.term, env)) for c in rule.where):
                continue
            met += 1
            if why := _difference(rule, env):
                where = ", ".join(f"{name} = {value!r}" for name, value in env.items())
                return Verdict(rule, met, 0, f"at {where or 'once'}: {why}")
            if met >= wanted or not holes:
                return Verdict(rule, met)
    why = f"to be tried: {met} of {MOST * wanted} points meet its conditions, {wanted} are wanted"
    return Verdict(rule, met, 0, why)


def _value(term: Term, env: Mapping[str, Any]) -> Any:
    """Return the value of a term, or an error where it has none, as real numbers have none."""
    try:
        value = evaluate(term, env)
    except _FAILURES as error:
        return error
    numbers = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return ArithmeticError(f"{value}") if numbers and not np.isfinite(value).all() else value


def _difference(rule: Rule, env: Mapping[str, Any]) -> str:
    """Say how both sides differ, nothing if they do not."""
    left, right = _value(rule.lhs, env), _value(rule.rhs, env)
    undefined = [isinstance(side, Exception) for side in (left, right)]
    if all(undefined):
        return ""
    if any(undefined):
        one, why = ("left", left) if undefined[0] else ("right", right)
        return f"the {one} side has no value: {why}"
    if rule.lhs.sort.same(left, right):
        return ""
    return f"the left side is {left!r}, the right side {right!r}"
