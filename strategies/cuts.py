"""Where two terms differ: pairs of parts that have the same values, so that each can be proved.

Both are walked together from the top. Parts are compared by their values at sample points, which
proves nothing: it tells which pairs are worth proving by themselves.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.dag import Dag
from rewrite.egraph.plain import chain
from rewrite.evaluate import evaluate_dag
from rewrite.rule import Rule
from rewrite.rules.arithmetic import COMMUTATIVITY
from rewrite.rules.contraction import FMA_IDENTITIES
from rewrite.sampling import sample_points
from rewrite.store import Store, Symbol

__all__ = ["Cut", "Values"]

POINTS: Final = 48
CLOSE: Final = 1e-7
FEWEST: Final = 4
"""So many points must have finite values for two parts to count as equal."""

SWAPS: Final[dict[int, Rule]] = {
    ops.ADD.code: COMMUTATIVITY["add-comm"],
    ops.MUL.code: COMMUTATIVITY["mul-comm"],
    ops.FMA.code: FMA_IDENTITIES["fma-comm"],
}


@dataclass(frozen=True, slots=True)
class Cut:
    """The children of two terms in pairs, after the first two of the one have changed places."""

    pairs: tuple[tuple[int, int], ...]
    swap: Rule | None = None
    swapped: int = -1
    """The source with its children in the other order."""


@dataclass
class Values:
    """The values of plain terms of a store at a few points."""

    store: Store
    roots: list[int]
    _of: dict[int, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Evaluate all terms at once."""
        dag = Dag.of(self.store, self.roots)
        symbols = [v for v in dag.value if isinstance(v, Symbol)]
        found = evaluate_dag(dag, dict(sample_points(symbols, POINTS)), keep=True)
        self._of = {
            node: np.broadcast_to(value, POINTS)
            for node, value in zip(dag.ids.tolist(), found, strict=True)
        }

    def agree(self, one: int, other: int) -> bool:
        """Tell whether two terms are as good as equal at the points where both are finite."""
        left, right = self._of[one], self._of[other]
        if left.dtype == np.bool_ or right.dtype == np.bool_:
            return left.dtype == right.dtype and bool((left == right).all())
        finite = np.isfinite(left) & np.isfinite(right)
        if int(finite.sum()) < FEWEST:
            return False
        left, right = left[finite], right[finite]
        return bool((np.abs(left - right) <= CLOSE * np.maximum(np.abs(left), np.abs(right))).all())

    def cut(self, source: int, target: int) -> Cut | None:
        """Return the children in pairs that agree, None where they do not pair up."""
        code = self.store.code(source)
        one, other = self.store.children(source), self.store.children(target)
        if code != self.store.code(target) or not one or len(one) != len(other):
            return None
        if all(a == b or self.agree(a, b) for a, b in zip(one, other, strict=True)):
            return Cut(tuple(zip(one, other, strict=True)))
        swap = SWAPS.get(code)
        turned = (one[1], one[0], *one[2:]) if swap else one
        if swap and all(a == b or self.agree(a, b) for a, b in zip(turned, other, strict=True)):
            return Cut(
                tuple(zip(turned, other, strict=True)), swap, chain(self.store, code, turned)
            )
        return None
