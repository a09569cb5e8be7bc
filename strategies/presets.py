"""Named plans: compositions of strategies, with no mechanism of their own."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rewrite.accuracy import Guard, RangeGuard
from rewrite.cost import CostModel
from rewrite.egraph.limits import Limits
from rewrite.fastmath import FastMath
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.term import Term
from strategies.saturation import Refusal, Saturate, Verdict

__all__ = ["default_plan"]


def default_plan(
    cost: CostModel, licence: FastMath, limits: Limits, *, guarded: bool, dtype: str = "f64"
) -> Saturate:
    """Return the plan of `optimize`: saturate with the whole library, extract, and be judged.

    `dtype` is "f64", "f32", or "both" for programs that will run in either.
    """
    judge = GuardJudge(dtype) if guarded and licence else None
    held = "f32" if dtype == "f32" else "f64"
    return Saturate(SIMPLIFY, EXPAND, cost, limits, licence, judge, held)


@dataclass(frozen=True)
class GuardJudge:
    """Refuses results that are less accurate than the source.

    With "both" the error is measured in double precision; in single precision a result must be
    finite where the source is.
    """

    dtype: str

    def __call__(self, source: Sequence[Term]) -> Verdict:
        """Measure the source once and return the judge of its rewritten forms."""
        guards: list[Guard | RangeGuard] = []
        if self.dtype == "both":
            guards.append(RangeGuard(source))
        guards.append(Guard(source, dtype=np.float32 if self.dtype == "f32" else np.float64))

        def judge(candidate: Sequence[Term]) -> Refusal | None:
            for guard in guards:
                verdict = guard.accepts(candidate)
                if not verdict.ok:
                    return Refusal(verdict.blame, verdict.reason)
            return None

        return judge
