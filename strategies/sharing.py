"""`factor_system`: many sums of products are factored and shared at once, as one more strategy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewrite.array import TermArray
from rewrite.cost import CostModel
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath, licence
from rewrite.polynomials.factoring import factored_system
from rewrite.term import Term
from strategies.base import Strategy

__all__ = ["FactorSystem", "factor_system"]


@dataclass(frozen=True, repr=False)
class FactorSystem(Strategy):
    """Factor sums and share products and partial sums; None where nothing cheaper was found."""

    cost: CostModel
    licence: FastMath = FastMath.GUARDED

    def __call__(self, term: Any) -> Any:
        """Rewrite one term, or the terms of a `TermArray` together."""
        if isinstance(term, TermArray):
            given = term.ravel().terms()
            found = self.roots(given)
            if found == given:
                return None
            made = TermArray(term.store, np.array([one.id for one in found], np.int32))
            return made.reshape(*term.shape)
        if not isinstance(term, Term):
            return None
        (best,) = self.roots([term])
        return None if best == term else best

    def roots(self, terms: Sequence[Term]) -> list[Term]:
        """Rewrite several terms together; all are returned in the store of the first one.

        Raise `StrategyError` for what is no term.
        """
        for term in terms:
            if not isinstance(term, Term):
                raise StrategyError(f"factor_system takes terms, not {term!r}")
        return factored_system(terms, self.cost, self.licence)

    def __str__(self) -> str:
        """Write as a strategy."""
        return f"factor_system({self.cost.name})"


def factor_system(cost: CostModel, math: str | FastMath = "guarded") -> FactorSystem:
    """Factor sums of products, and compute what they have in common once, as a cost pays for it.

    It looks at all sums of a term, or of the terms of an array, at the same time: factors that many
    summands share, products and partial sums that many sums share, up to a sign.

    >>> import rewrite as rw
    >>> from rewrite.cost import Gowda2021
    >>> x, y = rw.symbols("x y")
    >>> factor_system(Gowda2021())(x**3 * y + 2 * x**2 + 5 * x)
    x*(x*(x*y + 2) + 5)

    It needs `reassoc`; summands that cancel vanish with `nnan nsz`. Numbers are not multiplied out,
    and float constants are not added up: they are literals like symbols. Powers up to the 64th are
    products. The model prices what is found; a model without sharing (trees) gets factors alone.
    """
    if not isinstance(cost, CostModel):
        raise StrategyError(
            f"{cost!r} is no cost model; give one, such as rewrite.cost.Gowda2021()"
        )
    return FactorSystem(cost, licence(math))
