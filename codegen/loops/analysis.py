"""`roll`: from terms to a program of loops, in time linear in their nodes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from codegen.loops.bodies import Bodies
from codegen.loops.facts import Facts, facts_of
from codegen.loops.machine.order import STRAIGHT
from codegen.loops.partition import Partition, partitioned
from codegen.loops.program import Rolled
from codegen.loops.steps import Steps
from codegen.loops.units import (
    SHAPES,
    SUMS,
    Order,
    Units,
    edges_of,
    ordered,
    traces_of,
    units_of,
)  # fmt: skip
from codegen.lower import Parameter, Result, lower
from rewrite.collector import uncollected

__all__ = ["roll"]

type Longs = npt.NDArray[np.int64]

SHORT: Final = (64, 256, 1024, 4096)
"""Steps of less weight on the average are too short: the first number always, others where"""
PIECE: Final = 100
"""pieces of straight-line code between them weigh less on the average,"""
SOME: Final = 4
"""and there are more of either."""


def roll(
    parameters: Sequence[Parameter], results: Sequence[Result], *, strict: bool = False,
    approximate: bool = False, name: str = "kernel",
) -> Rolled:  # fmt: skip
    """Write the terms as a program of loops; functions are those of `codegen.lower.lower`.

    Under `strict` every number has the bits that `lower` gives it; else sums may be taken in
    another order. Raise what `lower` raises.
    """
    if not (results and all(result.terms for result in results)):  # it says what is wrong
        lower(parameters, results, strict=strict, approximate=approximate, name=name)
    with uncollected():
        facts = facts_of(
            parameters, results, strict=strict, approximate=approximate, name=name
        )  # fmt: skip
        plan = _planned(facts, strict)
        bodies = Bodies(facts, strict=strict, approximate=approximate)
        steps = Steps(facts, plan.partition, plan.units, bodies, plan.weight)
        work = steps.write(plan.order, plan.edges)
    return Rolled(facts.arguments, facts.outputs, work, tuple(steps.steps), name).verify()


@dataclass(frozen=True, eq=False)
class _Plan:
    partition: Partition
    units: Units
    weight: Longs
    """Of clusters."""
    edges: tuple[Longs, Longs]
    order: Order


def _planned(facts: Facts, strict: bool) -> _Plan:
    """Find an order in which loops are long enough; what would make short ones is straight code."""
    plan = _ordered(facts, partitioned(facts, strict), set())
    straight: set[int] = set()
    is_plain = False
    for number, least in enumerate(SHORT):
        if number and not _is_broken(plan):
            break
        short = _short(plan, least)
        if short & _sums(plan) and not is_plain:
            is_plain, straight = True, set()
            plan = _ordered(facts, partitioned(facts, strict, plain=True), straight)
        elif short - straight:
            straight |= short
            shapes = {kind - SHAPES for kind in straight - _sums(plan)}
            plan = _ordered(facts, plan.partition, shapes)
    return plan


def _sums(plan: _Plan) -> set[int]:
    """Return the classes of sums of their own."""
    traces = plan.units.traces
    scattered = plan.units.shape[traces.clusters + traces.summands :]
    return {SUMS, *(SHAPES + np.unique(scattered)).tolist()}


def _ordered(facts: Facts, partition: Partition, straight: set[int]) -> _Plan:
    while True:
        units = units_of(facts, partition, traces_of(facts, partition))
        edges = edges_of(facts, units, partition)
        weight = _weights(partition, units)
        order = ordered(units, weight, edges, straight)
        if not order.late.size:
            return _Plan(partition, units, weight, edges, order)
        partition = _apart(partition, units, order)


def _is_broken(plan: _Plan) -> bool:
    """Tell whether loops break straight-line code into small pieces."""
    steps, total = _sizes(plan)
    return bool(steps[STRAIGHT] > SOME and total[STRAIGHT] < PIECE * steps[STRAIGHT])


def _short(plan: _Plan, least: int) -> set[int]:
    """Return the classes whose steps are short on the average."""
    steps, total = _sizes(plan)
    short = np.flatnonzero((steps > SOME) & (total < least * steps)).tolist()
    return set(short) - {STRAIGHT}


def _sizes(plan: _Plan) -> tuple[Longs, npt.NDArray[np.float64]]:
    """Return the steps of each class, and what they weigh together.

    Of sums there is a step for each shape of summands.
    """
    order, units = plan.order, plan.units
    per_unit = np.ones(units.count)
    per_unit[: len(plan.weight)] = plan.weight
    first = plan.units.traces.clusters
    made = units.unit[first : first + units.traces.summands]
    per_unit[units.first_sum : units.first_scattered] = np.bincount(
        made - units.first_sum, minlength=units.first_scattered - units.first_sum
    )
    upto = np.r_[0.0, np.cumsum(per_unit[order.units])]
    sizes = np.diff(upto[order.begins])
    steps = np.bincount(order.kinds, minlength=SHAPES)
    step = np.repeat(np.arange(len(order.kinds)), np.diff(order.begins))
    of = np.zeros(units.count, np.int64)
    of[order.units] = step
    shapes = units.shape[first : first + units.traces.summands]
    steps[SUMS] = len(np.unique(of[made] * (int(shapes.max(initial=0)) + 1) + shapes))
    return steps, np.bincount(order.kinds, sizes, minlength=SHAPES)


def _weights(partition: Partition, units: Units) -> Longs:
    """Return the weight of each cluster."""
    traces = units.traces
    roots = traces.roots[: traces.bounds[traces.clusters]]
    return np.bincount(traces.home[roots], partition.load[roots], minlength=traces.clusters).astype(
        np.int64
    )


def _apart(partition: Partition, units: Units, order: Order) -> Partition:
    """Take clusters apart that wait for each other."""
    traces = units.traces
    late = order.late[order.late < traces.clusters]
    first = partition.first.copy()
    for trace in late.tolist():
        roots = traces.roots[traces.bounds[trace] : traces.bounds[trace + 1]]
        first[roots] = roots
    return replace(partition, first=first)
