"""Named plans: compositions of strategies, with no mechanism of their own."""

from collections.abc import Sequence
from typing import Any

from rewrite.accuracy import Guard
from rewrite.cost import CostModel
from rewrite.egraph.limits import Limits
from rewrite.fastmath import FastMath
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.term import Term
from strategies.saturation import Saturate, Verdict

__all__ = ["default_plan"]


def default_plan(
    cost: CostModel, licence: FastMath, limits: Limits, *, guarded: bool, dtype: str = "f64"
) -> Saturate:
    """Return the plan of `optimize`: saturate with the whole library, extract, and be judged."""
    judge = GuardJudge(dtype) if guarded and licence else None
    return Saturate(SIMPLIFY, EXPAND, cost, limits, licence, judge)


class GuardJudge:
    """Refuses results that are less accurate than the source."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype

    def __call__(self, source: Sequence[Term]) -> Verdict:
        """Measure the source once and return the judge of its rewritten forms."""
        guard: Any = Guard(list(source), dtype="float64" if self.dtype == "f64" else "float32")

        def judge(candidate: Sequence[Term]) -> Sequence[int] | None:
            verdict = guard.accepts(list(candidate))
            return None if verdict.ok else verdict.blame

        return judge
