"""Rules with sequence variables as the laws without them that they stand for."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from rewrite import ops
from rewrite.errors import PatternError
from rewrite.leaves import RULES
from rewrite.matching import instantiate
from rewrite.rule import Compute, Rule, symbols_of
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["instances"]


def instances(rule: Rule, most: int = 2) -> Iterator[Rule]:
    """Yield the laws that a rule is when its sequences have up to so many terms.

    Raise `PatternError` for a rule that computes or asks a function.

    >>> import rewrite as rw
    >>> (a,) = rw.pattern_vars("a")
    >>> xs = rw.rest("xs")
    >>> for law in instances(Rule("split", rw.sin(a * xs), rw.sin(xs * a))):
    ...     print(law)
    split-0: sin(?a) -> sin(?a)
    split-1: sin(?a*?xs0) -> sin(?xs0*?a)
    split-2: sin(?a*?xs0*?xs1) -> sin(?xs0*?xs1*?a)
    """
    if isinstance(rule.rhs, Compute) or not all(c.about_numbers for c in rule.where):
        raise PatternError(
            f"rule {rule!r} computes or asks a function: there is no law to be checked"
        )
    many = [symbol for symbol in symbols_of(rule.lhs) if symbol.many]
    if not many:
        yield rule
        return
    others = {s.name: _variable(s.name, s) for s in symbols_of(rule.lhs) if not s.many}
    for sizes in product(range(most + 1), repeat=len(many)):
        filled: dict[str, Term | tuple[Term, ...]] = dict(others)
        for symbol, size in zip(many, sizes, strict=True):
            filled[symbol.name] = tuple(
                [_variable(f"{symbol.name}{k}", symbol) for k in range(size)]
            )
        where = [
            replace(condition, term=part)
            for condition in rule.where
            for part in _parts(condition.term, filled)
        ]
        lhs = instantiate(rule.lhs, filled, RULES)
        if lhs.op not in (ops.PVAR, ops.CONST):
            name = "-".join([rule.name, *map(str, sizes)])
            rhs = instantiate(rule.rhs, filled, RULES)
            yield Rule(name, lhs, rhs, tuple(where), rule.licence)


def _variable(name: str, like: Symbol) -> Term:
    symbol = replace(like, name=name, many=False)
    return Term(RULES, RULES.symbol(symbol, ops.PVAR.code))


def _parts(term: Term, filled: dict[str, Term | tuple[Term, ...]]) -> tuple[Term, ...]:
    """Return what a condition then speaks of: of a sequence, each of its terms."""
    given = filled[term.symbol.name] if term.symbol is not None else None
    return given if isinstance(given, tuple) else (instantiate(term, filled, RULES),)
