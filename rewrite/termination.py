"""Does a set of rules terminate: a proof by orders, stage by stage.

A stage is an order in which no rule makes a term larger. The rules that make it smaller fire only
finitely often, so they are left out, and the next stage is about the others. Conditions are
ignored: without them more would fire.
Source: A. Geser, "Relative termination", 1990.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rewrite.interpretation import Interpretation, linear, polynomial
from rewrite.pathorder import PathOrder, path_order
from rewrite.tree import Sides, equations

__all__ = ["Proof", "Stage", "prove"]


@dataclass(frozen=True)
class Stage:
    """An order, and the rules that make every term smaller in it."""

    order: Interpretation | PathOrder
    smaller: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.order}: smaller by {_listed(self.smaller)}"


@dataclass(frozen=True)
class Proof:
    """The stages found, and the rules that none of them leaves out: none if it is complete."""

    stages: tuple[Stage, ...]
    left: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Tell whether every rule is left out."""
        return not self.left

    def __str__(self) -> str:
        lines = [f"{at}. {stage}" for at, stage in enumerate(self.stages, 1)]
        if self.left:
            lines.append(f"no order found for {_listed(self.left)}")
        return "\n".join(lines) or "no rules"


def prove(rules: Sequence[Sides]) -> Proof:
    """Look for orders, the simplest first, until no rule is left or none helps.

    Tried are weights and linear interpretations, a recursive path order for all rules that are
    left, and polynomials.

    >>> from rewrite.rule import Rule
    >>> from rewrite.leaves import pattern_vars
    >>> from rewrite.tree import sides
    >>> a, b = pattern_vars("a b")
    >>> print(prove([sides(Rule("neg-neg", -(-a), a)), sides(Rule("neg-mul", -a * b, -(a * b)))]))
    1. weights, neg = 1, mul = 0; variables >= 0: smaller by neg-neg
    2. linear, mul = 2*x + 2*y, neg = x + 1; variables >= 0: smaller by neg-mul
    """
    left, stages = list(rules), []
    while left:
        stage = _stage(left)
        if stage is None:
            break
        stages.append(stage)
        left = [each for each in left if each.name not in stage.smaller]
    return Proof(tuple(stages), tuple(each.name for each in left))


def _stage(left: Sequence[Sides]) -> Stage | None:
    grouped = equations(left)
    found = linear(left, grouped)
    if found is None and not grouped:
        order = path_order(left)
        if order is not None:
            return Stage(order, tuple(each.name for each in left))
    found = found or polynomial(left, grouped)
    return None if found is None else Stage(found, found.smaller)


def _listed(names: Sequence[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
