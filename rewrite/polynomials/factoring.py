"""`factored_system`: cheaper equal terms for many sums of products at once."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from rewrite import ops
from rewrite.cost import CostModel, dag_cost
from rewrite.dag import Dag, rebuild
from rewrite.deadline import look
from rewrite.fastmath import FastMath
from rewrite.polynomials.columns import merge_columns
from rewrite.polynomials.grouping import Prices, group_factors
from rewrite.polynomials.reading import read_system
from rewrite.polynomials.sums import share_sums
from rewrite.polynomials.system import System
from rewrite.polynomials.writing import write_system
from rewrite.store import Store
from rewrite.term import Term, join_all

__all__ = ["factored_system"]

VANISHING: Final = FastMath.NNAN | FastMath.NSZ
"""What x - x = 0 and x + 0 = x need."""
SMALL: Final = 1500
"""Up to so many summands several plans are tried."""
TWICE: Final = 60_000
"""Up to so many the whole is repeated on what it made."""
MOST_REPEATS: Final = 4
"""Higher multiples are products whatever they cost."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to go about it; none is the best for every system."""

    balance: float | None
    """As in `Prices`; without one no row is factored."""
    merge: bool
    """Whether equal columns are merged first."""


PLANS: Final = (Plan(0.5, False), Plan(0.5, True), Plan(1.0, True), Plan(None, True))
"""Large systems get the first."""


def factored_system(
    terms: Sequence[Term], model: CostModel, allowed: FastMath = FastMath.GUARDED
) -> list[Term]:
    """Return terms that are equal over the reals and cheaper together; else those given.

    Sums of products are factored and share products and partial sums. Needs `reassoc`; what
    cancels is left out with `nnan nsz`. All are returned in the store of the first one.

    >>> import rewrite as rw
    >>> from rewrite.cost import Gowda2021
    >>> k, a, b, c = rw.symbols("k a b c")
    >>> factored_system([k * a * b + k * a * c, 1 - a * b - a * c], Gowda2021())
    [k*(a*(b + c)), 1 - a*(b + c)]
    """
    if not terms:
        return []
    store = terms[0].store
    given = [Term(store, node) for node in join_all(store, terms)]
    if FastMath.REASSOC not in allowed:
        return given
    dag = Dag.of(store, [term.id for term in given])
    scratch = Store()
    places = rebuild(dag, scratch)
    roots = [places[root] for root in dag.roots]
    best = _cheapest(scratch, roots, model, allowed)
    if best is None:
        return given
    made = Dag.of(scratch, best)
    nodes = rebuild(made, store)
    return [Term(store, nodes[root]) for root in made.roots]


def _cheapest(
    store: Store, roots: list[int], model: CostModel, allowed: FastMath
) -> list[int] | None:
    """Return the cheapest roots of all plans; None where none is cheaper than what was given."""
    prices, repeats = _prices(model)
    source = read_system(store, roots, vanish=VANISHING in allowed)
    best, least = None, dag_cost(Dag.of(store, roots), model)
    plans = PLANS if source.size() <= SMALL else PLANS[:1]
    for plan in plans:
        look()
        system = copy.deepcopy(source) if len(plans) > 1 else source
        _factor(system, prices, plan)
        made = write_system(system, store, repeats=repeats)
        cost = dag_cost(Dag.of(store, made), model)
        if cost < least - 1e-9 * max(1.0, least):
            best, least = made, cost
    return best


def _factor(system: System, prices: Prices, plan: Plan) -> None:
    """Factor and share; where products have become single by that, once more."""
    if prices.sharing and plan.merge:
        merge_columns(system)
    system.spell_numbers()
    for again in (False, True):
        if again and (not prices.sharing or system.size() > TWICE):
            return
        if plan.balance is not None:
            group_factors(system, replace(prices, balance=plan.balance))
        if prices.sharing:
            share_sums(system)


def _prices(model: CostModel) -> tuple[Prices, int]:
    """Read what the search needs off a model; also up to which multiple to add repeatedly."""
    nothing = (None, None)
    add, mul = model.price(ops.ADD, nothing), model.price(ops.MUL, nothing)
    repeats = 1 + int(mul / add - 1e-9) if add > 0 else 1
    return Prices(add, mul, model.sharing), min(repeats, MOST_REPEATS)
