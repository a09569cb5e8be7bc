"""`substitute` as a strategy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rewrite.errors import StrategyError
from rewrite.term import Term, lift
from strategies.base import Leaf

__all__ = ["Substitute", "substitute"]


@dataclass(frozen=True, repr=False)
class Substitute(Leaf):
    """substitute({a: b})(t) = t with b in every place of a; it applies where there is one."""

    pairs: tuple[tuple[Term, Term], ...]

    def rewrite(self, term: Any) -> Any:
        if not isinstance(term, Term):
            return None
        made = term.substitute(dict(self.pairs))
        return None if made.id == term.id else made

    def __str__(self) -> str:
        shown = ", ".join(f"{old!r}: {new!r}" for old, new in self.pairs[:4])
        more = f", and {len(self.pairs) - 4} more" if len(self.pairs) > 4 else ""
        return f"substitute({{{shown}{more}}})"


def substitute(mapping: Mapping[Term, Any]) -> Substitute:
    """Replace terms by others everywhere at once, in one pass over the distinct nodes.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> substitute({x: y, y: x})(x - y)
    y - x

    What is put in is not searched again. It says nothing of values: a plan for `optimize` refuses
    results with other symbols than the source.
    """
    odd = [old for old in mapping if not isinstance(old, Term)]
    if odd:
        raise StrategyError(f"substitute replaces terms, not {odd[0]!r}; give rw.symbol or a term")
    return Substitute(tuple((old, lift(new, old.store)) for old, new in mapping.items()))
