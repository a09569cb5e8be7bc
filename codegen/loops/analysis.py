"""`roll`: from terms to a program of loops, in time linear in their nodes."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from codegen.loops.bodies import Bodies
from codegen.loops.facts import facts_of
from codegen.loops.partition import Partition, partitioned
from codegen.loops.program import Rolled
from codegen.loops.steps import Steps
from codegen.loops.units import Order, Units, edges_of, ordered, traces_of, units_of
from codegen.lower import Parameter, Result, lower

__all__ = ["roll"]


def roll(
    parameters: Sequence[Parameter], results: Sequence[Result], *, strict: bool = False,
    approximate: bool = False, name: str = "kernel",
) -> Rolled:  # fmt: skip
    """Write the terms as a program of loops; functions are those of `codegen.lower.lower`.

    Under `strict` every number has the bits that `lower` gives it; else sums may be taken in
    another order. Raise what `lower` raises.
    """
    if not any(result.terms for result in results):
        lower(parameters, results, strict=strict, approximate=approximate, name=name)
    facts = facts_of(parameters, results, strict, approximate)
    partition = partitioned(facts, strict)
    while True:
        units = units_of(facts, partition, traces_of(facts, partition))
        edges = edges_of(facts, units, partition)
        weight = _weights(partition, units)
        order = ordered(facts, units, partition, weight, edges)
        if not order.late.size:
            break
        partition = _apart(partition, units, order)
    bodies = Bodies(facts, strict=strict, approximate=approximate)
    steps = Steps(facts, partition, units, bodies, weight)
    work = steps.write(order, edges)
    return Rolled(facts.arguments, facts.outputs, work, tuple(steps.steps), name).verify()


def _weights(partition: Partition, units: Units) -> "np.typing.NDArray[np.int64]":
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


