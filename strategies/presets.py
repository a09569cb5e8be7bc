"""Named plans: compositions of strategies, with no mechanism of their own.

=========  =====================================================================================
cheapest   the fewest cycles: what `optimize` does unless it is told otherwise
accurate   the fewest bits of error, measured; of equally accurate forms the cheapest
smallest   the fewest instructions
textbook   what a person would write: collected, in lowest terms, without `fma` and `log1p`
=========  =====================================================================================
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.cost import Cancellation, CostModel
from rewrite.dag import Dag
from rewrite.egraph.limits import Limits
from rewrite.errors import StrategyError
from rewrite.extract import Mode
from rewrite.fastmath import FastMath
from rewrite.functions import FUNCTIONS
from rewrite.guard import Guard, Guards
from rewrite.leaves import pattern_vars
from rewrite.oracle import Exact
from rewrite.rangeguard import RangeGuard
from rewrite.rule import RuleSet, ruleset
from rewrite.rules import ALL, EXPAND, PRECISE, SIMPLIFY
from rewrite.rules.arithmetic import REAL
from rewrite.rules.precision import COMPENSATED, NEAR_ONE
from rewrite.term import Term
from strategies.algebra import (
    cancel,
    expand,
    factor,
    factor_terms,
    horner,
    narrow,
    normalize,
    spell,
    together,
)
from strategies.base import Strategy, choice
from strategies.core import best, named, repeat, seq, try_
from strategies.judged import Refusal, Verdict, WholeJudged
from strategies.measures import Bits, Cost, InOrder, Length
from strategies.normal import SHRINKING, Fold
from strategies.regimes import MostAccurate
from strategies.saturation import Saturate
from strategies.simplify import TIDY
from strategies.traversal import bottomup, innermost, topdown

__all__ = ["PLANS", "Setting", "accurate", "default_plan", "named_plan"]


def default_plan(
    cost: CostModel, licence: FastMath, limits: Limits, *, guarded: bool, dtype: str = "f64",
    extract: Mode = "search",
) -> Saturate:  # fmt: skip
    """Return the plan of `optimize`: saturate with the whole library, extract, and be judged.

    `dtype` is "f64", "f32", or "both" for programs that will run in either.
    """
    judge = GuardJudge(dtype) if guarded and licence else None
    held = "f32" if dtype == "f32" else "f64"
    return Saturate(SIMPLIFY, EXPAND, cost, limits, licence, judge, held, extract)


FEW: Final = 64
"""Sums that have more monomials when they are multiplied out are not written as nested products."""


@dataclass(frozen=True)
class Setting:
    """What a plan is made for: two prices, a licence, limits of a search, and what is judged."""

    cost: CostModel
    """CPU cycles of a target."""
    size: CostModel
    """Instructions."""
    licence: FastMath = FastMath.GUARDED
    limits: Limits = field(default_factory=Limits)
    guarded: bool = True
    """Whether a form that is less accurate than its source is refused."""
    dtype: str = "f64"
    """As in `default_plan`."""
    extract: Mode = "search"
    """As in `Saturate`, like the next one."""
    executor: Executor | None = None

    def search(self, cost: CostModel, more: RuleSet | None = None) -> Saturate:
        """Saturate with the whole library, and more laws, and extract by a cost."""
        plan = default_plan(
            cost, self.licence, self.limits, guarded=self.guarded, dtype=self.dtype,
            extract=self.extract,
        )  # fmt: skip
        plan = replace(plan, executor=self.executor)
        if FastMath.REASSOC in self.licence:
            plan = replace(plan, also=(nested(cost, self.licence),))
        if more is None:
            return plan
        return replace(plan, expand=RuleSet(f"{EXPAND.name} + {more.name}", (*EXPAND, *more)))


def nested(cost: CostModel, allowed: FastMath) -> Strategy:
    """Write polynomials as nested products where that costs less (Horner)."""
    shorter = best(narrow(FEW) >> horner((), allowed), by=Cost(cost))
    return named("nested polynomials", topdown(try_(seq(is_sum, shorter))))


def is_sum(term: Term) -> Term | None:
    """Return a term that is a sum or a difference."""
    return term if term.op in (ops.ADD, ops.SUB) else None


def cheapest(setting: Setting) -> Strategy:
    """Search for the fewest cycles."""
    return setting.search(setting.cost)


def smallest(setting: Setting) -> Strategy:
    """Search for the fewest instructions."""
    return setting.search(setting.size)


a, b = pattern_vars("a b")
exp, exp2, expm1, log, log1p, sqrt, rsqrt, hypot = (
    FUNCTIONS[name] for name in "exp exp2 expm1 log log1p sqrt rsqrt hypot".split()
)
# fmt: off
PLAIN: Final = RuleSet("plain", (
    *ruleset("plain-functions", REAL,
        ("plain-expm1",         expm1(a),                   exp(a) - 1),
        ("plain-log1p",         log1p(a),                   log(a + 1)),
        ("plain-rsqrt",         rsqrt(a),                   1 / sqrt(a)),
        ("plain-exp2",          exp2(a),                    2**a),
        ("plain-hypot",         hypot(a, b),                sqrt(a**2 + b**2)),
    ),
    *(r for g in ALL for r in g if r.name in ("fma-as-add", "pow-half", "pow-minus-half")),
))
# fmt: on
"""What machines have functions for, as textbooks write it."""

_DIRECT: Final = frozenset(
    "exp-minus-one one-minus-exp log-one-plus log-plus-one log-one-minus sqrt-as-hypot sub-recips "
    "square-minus-square square-minus-one one-minus-square div-sub-one one-minus-div".split()
)
PRECISION: Final = RuleSet(
    "precision",
    (
        *(r for g in ALL for r in g if r.name in _DIRECT),
        *(r for r in PRECISE if r not in COMPENSATED and r not in NEAR_ONE),
    ),
)
"""Laws whose right side keeps digits that the left one loses, and may cost more."""


_SEARCHED: Final = RuleSet("precise", tuple(r for r in PRECISE if r not in COMPENSATED))
"""An e-graph may apply them again and again."""


def accurate(setting: Setting) -> MostAccurate:
    """Measure several forms, series and branches, and keep what has the fewest bits of error."""
    allowed = setting.licence
    laws = choice(Fold(allowed), SHRINKING.allowed(allowed), PRECISION.allowed(allowed))
    direct, search = innermost(laws), setting.search(setting.cost)
    powers, products = (bottomup(try_(r.allowed(allowed))) for r in (NEAR_ONE, COMPENSATED))
    risky = setting.search(Cancellation(), _SEARCHED)
    dtype = "f32" if setting.dtype == "f32" else "f64"
    return MostAccurate(
        (
            search, direct, products, direct >> products, powers >> direct,
            direct >> try_(normalize(allowed)), direct >> try_(search), risky,
        ),
        (direct, direct >> try_(normalize(allowed))),
        InOrder(Bits(dtype), Cost(setting.cost)),
        allowed,
        dtype,
    )  # fmt: skip


def textbook(setting: Setting) -> Strategy:
    """Collect, bring to lowest terms and take common factors out while that makes it shorter."""
    allowed = setting.licence
    laws = choice(Fold(allowed), TIDY.allowed(allowed), PLAIN.allowed(allowed))
    once = innermost(laws) >> try_(normalize(allowed)) >> try_(spell(allowed))
    written = named("written", repeat(once, limit=50))
    few = narrow(200)
    shorter = best(
        factor_terms(allowed) >> written,
        few >> cancel(allowed) >> written,
        few >> together(allowed) >> written,
        few >> factor(allowed) >> written,
        few >> expand(allowed) >> written,
        by=Length(),
    )
    return written >> repeat(shorter)


PLANS: Final[dict[str, Callable[[Setting], Strategy]]] = {
    "cheapest": cheapest,
    "accurate": accurate,
    "smallest": smallest,
    "textbook": textbook,
}


def named_plan(name: str, setting: Setting) -> Strategy:
    """Return a plan by its name; raise `StrategyError` for a name that there is not."""
    if name not in PLANS:
        raise StrategyError(f"no plan is called {name!r}; choices: {', '.join(PLANS)}")
    return PLANS[name](setting)


@dataclass(frozen=True)
class GuardJudge:
    """Refuses results that are less accurate than the source.

    With "both" the error is measured in double precision; in single precision a result must be
    finite where the source is.
    """

    dtype: str

    def __call__(self, source: Sequence[Term]) -> Verdict:
        """Measure the source once and return the judge of its rewritten forms."""
        return self.at(source, None)

    def at(self, source: Sequence[Term], points: Mapping[str, Any] | None) -> Verdict:
        """Measure at the values that symbols take."""
        return _asked(self._guards(source, points))

    def together(
        self, sources: Sequence[Sequence[Term]], points: Sequence[Mapping[str, Any]]
    ) -> "_Together":
        """Measure many sources at once."""
        return _Together(self.dtype, sources, points)

    def whole(
        self, source: Dag, points: Mapping[str, Any], exact: list[Exact | None] | None = None
    ) -> WholeJudged:
        """Measure the roots of a large program; what is not known of exact values is filled in."""
        known: list[Exact | None] = [None] * len(source.roots) if exact is None else exact
        guards = self._guards(source, points, known)

        def worse(candidate: Dag, doubt: float) -> npt.NDArray[np.bool_]:
            bad = np.zeros(len(source.roots), np.bool_)
            for guard in guards:
                if isinstance(guard, Guard):
                    bad |= guard.worse(candidate, doubt)
                else:
                    bad |= np.array(guard.worse(candidate), np.bool_)
            return bad

        return worse

    def _guards(
        self, source: Dag | Sequence[Term], points: Mapping[str, Any] | None,
        exact: list[Exact | None] | None = None,
    ) -> list[Guard | RangeGuard]:  # fmt: skip
        kind = _measured_in(self.dtype)
        moved = exact is None
        guards: list[Guard | RangeGuard] = [
            Guard(source, points, dtype=kind, exact=exact, moved=moved)
        ]
        return [RangeGuard(source, points), *guards] if self.dtype == "both" else guards


def _measured_in(dtype: str) -> type[np.floating[Any]]:
    return np.float32 if dtype == "f32" else np.float64


def _asked(guards: Sequence[Guard | RangeGuard]) -> Verdict:
    def judge(candidate: Sequence[Term]) -> Refusal | None:
        for guard in guards:
            verdict = guard.accepts(candidate)
            if not verdict.ok:
                return Refusal(verdict.blame, verdict.reason)
        return None

    return judge


class _Together:
    """Guards of many sources."""

    def __init__(
        self, dtype: str, sources: Sequence[Sequence[Term]], points: Sequence[Mapping[str, Any]]
    ) -> None:
        self.guards = Guards(sources, points, dtype=_measured_in(dtype))
        both = zip(sources, points, strict=True) if dtype == "both" else ()
        self.ranges = [RangeGuard(source, some) for source, some in both]

    def refused(
        self, candidates: Mapping[int, Sequence[Term]], *, blame: bool = True
    ) -> dict[int, Sequence[int]]:
        found: dict[int, Sequence[int]] = dict(self.guards.refused(candidates, blame=blame))
        for k, terms in candidates.items() if self.ranges else ():
            verdict = self.ranges[k].accepts(terms)
            if not verdict.ok:
                dag = Dag.of(terms[0].store, [term.id for term in terms])
                found[k] = dag.ids[list(verdict.blame)].tolist()
        return found
