"""A saturation as plain data, so that any process can do it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.limits import Limits, Report, StopReason
from rewrite.egraph.plan import Aim, Plan
from rewrite.store import Symbol

__all__ = ["Job", "Order", "Outcome", "perform"]


@runtime_checkable
class Order(Protocol):
    """A job, or what is made one by the process that does it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def limits(self) -> Limits:
        """How far to saturate."""

    @property
    def after(self) -> Any:
        """What is done with the e-graph where it is, None for nothing."""

    @property
    def size(self) -> int:
        """About so many nodes are loaded."""

    def job(self) -> "Job":
        """Return the job."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to saturate, and how far. Positions are those of the program."""

    plan: Plan
    limits: Limits
    dag: Dag
    roots: tuple[int, ...]
    """Positions whose classes are asked for besides those of all nodes."""
    assume: tuple[int, ...] = ()
    """As in `EGraph.load`, like the next three."""
    opaque: frozenset[int] = frozenset()
    given: dict[int, Symbol] = field(default_factory=dict)
    facts: tuple[tuple[str, int], ...] = ()
    aim: Aim | None = None
    after: "Callable[[Outcome], Any] | None" = None
    """What is made of the e-graph where it is, so that it need not be sent."""

    @property
    def size(self) -> int:
        """The nodes of the program, as they are loaded."""
        return self.dag.binary_size()

    def job(self) -> Self:
        """Return itself."""
        return self


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out: the e-graph, unless it contradicts itself, and the class of each position.

    Where something was made of it, that is in its place.
    """

    frozen: Frozen | None
    classes: list[int]
    report: Report
    made: Any = None


def perform(
    order: Order, watch: "Callable[[Callable[[], Outcome], Report], None] | None" = None
) -> Outcome:
    """Do a job here. `watch` is called after each iteration, with what makes an outcome of it."""
    from rewrite.egraph.bridge import EGraph

    job = order.job()
    present, again = np.unique(job.dag.code).tolist(), job.after is not None
    graph = EGraph.of(job.plan, job.limits, present=present, aim=job.aim, again=again)
    places = graph.load(
        job.dag, assume=job.assume, opaque=job.opaque, given=job.given, facts=job.facts
    )
    if job.aim is not None:
        graph.aim([places[root] for root in job.dag.roots])

    def outcome(report: Report) -> Outcome:
        if report.stop is StopReason.CONTRADICTION:
            return Outcome(None, [], report)
        frozen = graph.freeze([places[at] for at in (*job.roots, *range(len(job.dag)))])
        count = len(job.roots)
        classes = frozen.roots[count:]
        frozen = replace(frozen, roots=frozen.roots[:count])
        report.nodes, report.classes = len(frozen), frozen.classes
        return Outcome(frozen, classes, report)

    def so_far(report: Report) -> None:
        assert watch is not None
        watch(lambda: outcome(replace(report)), report)

    found = outcome(graph.run(watch=None if watch is None else so_far))
    graph.close()
    if job.after is None or found.frozen is None:
        return found
    return Outcome(None, [], found.report, job.after(found))
