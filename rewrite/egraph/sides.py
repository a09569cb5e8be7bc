"""The sides of a branch: where each is taken, and what is known of a symbol there."""

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from rewrite import ops
from rewrite.leaves import symbol
from rewrite.sorts import REAL
from rewrite.term import Term, scope

__all__ = ["inside", "sides"]

TINY: Final = 5e-324
"""The least positive float."""
_OTHER: Final[dict[str, Callable[[Any, Any], Any]]] = {
    "lt": operator.ge, "le": operator.gt, "gt": operator.le, "ge": operator.lt
}  # fmt: skip


def sides(branch: Term) -> list[tuple[Term, Term]] | None:
    """Return the conditions of both sides of a `where` and what is taken there.

    None for what is no branch, and where its condition is no comparison.
    """
    if branch.op != ops.WHERE or branch.args[0].op.name not in _OTHER:
        return None
    condition, taken, other = branch.args
    opposite = _OTHER[condition.op.name](*condition.args)
    return [(condition, taken), (opposite, other)]


def inside(condition: Term) -> dict[Term, Term]:
    """Return the symbol that a condition bounds, as one whose domain is where it holds.

    It is empty where the condition is no comparison of a symbol, or of its distance from a number,
    with a number, or where the distance is large.

    >>> import rewrite as rw
    >>> x = rw.symbol("x", low=0)
    >>> [(new.symbol.low, new.symbol.high) for new in inside(abs(x - 1) < 3).values()]
    [(0.0, 4.0)]
    """
    if condition.op.name not in _OTHER:
        return {}
    key, bound = condition.args
    limit = _number(bound)
    if limit is None:
        return {}
    below = condition.op.name in ("lt", "le")
    edge = TINY if limit == 0 and condition.op.name in ("lt", "gt") else 0.0
    if key.symbol is not None:
        return _narrowed(key, *((-float("inf"), limit - edge) if below else
                                (limit + edge, float("inf"))))  # fmt: skip
    found = _distance(key)
    if found is None or not below:
        return {}
    x, point = found
    return _narrowed(x, point - limit, point + limit)


def _distance(key: Term) -> tuple[Term, float] | None:
    """Return the symbol and the number whose distance a term is."""
    if key.op.name != "abs":
        return None
    (inner,) = key.args
    if inner.symbol is not None:
        return inner, 0.0
    if inner.op == ops.SUB and inner.args[0].symbol is not None:
        point = _number(inner.args[1])
        return None if point is None else (inner.args[0], point)
    return None


def _number(term: Term) -> float | None:
    value = term.value
    known = isinstance(value, (int, float, Fraction)) and not isinstance(value, bool)
    return float(value) if known else None  # type: ignore[arg-type]


def _narrowed(x: Term, low: float, high: float) -> dict[Term, Term]:
    known = x.symbol
    if known is None or known.sort != REAL:
        return {}
    least, most = known.bounds
    ends = (known.low if low <= least else low, known.high if high >= most else high)
    if low > most or high < least:
        return {}
    with scope(x.store):
        return {x: symbol(known.name, low=ends[0], high=ends[1], dtype=known.dtype)}
