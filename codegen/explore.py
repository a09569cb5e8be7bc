"""`egraph` (`rw.egraph`): what laws make of terms, kept whole instead of taking the best out."""

from collections.abc import Iterable, Iterator
from typing import Any

from codegen.optimize import cost_model
from codegen.target import Target, get
from rewrite.array import TermArray
from rewrite.cost import CostModel
from rewrite.egraph.limits import Limits
from rewrite.errors import ArgumentError, StrategyError
from rewrite.fastmath import FastMath, licence
from rewrite.options import configured
from rewrite.progress import followed
from rewrite.rule import Rule, RuleSet
from rewrite.term import Term
from strategies.explore import Saturated, explore
from strategies.presets import default_plan
from strategies.saturation import saturate

__all__ = ["egraph"]


@followed
@configured
def egraph(
    terms: Term | Iterable[Term] | TermArray,
    rules: Any = None,
    *,
    cost: "str | CostModel | None" = None,
    limits: Limits | None = None,
    math: str | FastMath = "guarded",
    target: str | Target = "native",
    progress: bool | None = None,
) -> Saturated:
    """Saturate terms with rules and return the e-graph: to draw, to ask, to take terms from.

    `rules` are a rule, a rule set, or several of them; without, the whole library as far as `math`
    allows it. `cost` and `target` are those of `optimize`. No result is compared with the source:
    `equal` tells what the laws say, not how it rounds.

    Raise `StrategyError` for rules that `math` does not grant, or that contradict each other.

    >>> import rewrite as rw
    >>> from rewrite.rules.arithmetic import FACTORING
    >>> a, x, y = rw.symbols("a x y")
    >>> found = rw.egraph(a * x + a * y, FACTORING)
    >>> found.extract(), found.equal(a * x + a * y, a * (x + y))
    (a*(x + y), True)
    >>> print(found.show())
    8 e-nodes in 7 classes; stopped by: no rule adds anything
    e0 = +(e1, e2) | [*(e3, e4)]
    e1 = *(e3, e5)
    e2 = *(e3, e6)
    e3 = [a]
    e4 = [+(e5, e6)]
    e5 = [x]
    e6 = [y]
    """
    if limits is not None and not isinstance(limits, Limits):
        raise ArgumentError(f"limits={limits!r} is not Limits(iterations=, nodes=, seconds=)")
    machine, allowed = get(target) if isinstance(target, str) else target, licence(math)
    model = cost_model(cost, machine, "f64", allowed)
    if rules is None:
        plan = default_plan(model, allowed, limits or Limits(), guarded=False)
        return explore(terms, plan)
    laws = tuple(dict.fromkeys(_laws(rules)))
    refused = [rule.name for rule in laws if rule.licence not in allowed]
    if refused:
        raise StrategyError(f"math={math!r} does not grant these laws: {', '.join(refused)}")
    name = rules.name if isinstance(rules, RuleSet) else "rules"
    return explore(terms, saturate(RuleSet(name, laws), model, limits=limits, licence=allowed))


def _laws(rules: Any) -> Iterator[Rule]:
    if isinstance(rules, Rule):
        yield rules
    elif isinstance(rules, Iterable):
        for some in rules:
            yield from _laws(some)
    else:
        raise ArgumentError(f"rules={rules!r} is neither a rule nor a set or list of rules")
