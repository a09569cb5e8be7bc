"""The driver of large programs: cut, saturate each shape once, put together, and again."""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite.collector import uncollected
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.deadline import OutOfTime, until
from rewrite.egraph.job import Outcome
from rewrite.egraph.limits import IterationStats, Limits, Report, StopReason
from rewrite.egraph.plan import Plan, plan_of
from rewrite.egraph.relevance import Scope, scope_of, within
from rewrite.egraph.workers import prepare
from rewrite.fastmath import FastMath
from rewrite.polynomials.contracting import contract_sums, is_plain, pays
from rewrite.polynomials.factoring import factored_system
from rewrite.progress import shown, stage
from rewrite.term import Term
from strategies.windows.ahead import in_order
from strategies.windows.batch import Batch, Source, same_values
from strategies.windows.binary import Program, program_of
from strategies.windows.costing import FormCosts
from strategies.windows.cut import MOST_NODES, cut
from strategies.windows.forms import Choice, Chooser, Chosen, form_of, load
from strategies.windows.judging import values_at, without_value
from strategies.windows.kinds import Group, Kind, divisions_by_zero, grouped, kinds_of
from strategies.windows.memory import Memory, settled_plan
from strategies.windows.shape import Form, Shape, plain_of
from strategies.windows.whole import Builder, Known, refused, settled

if TYPE_CHECKING:
    from strategies.saturation import Saturate

__all__ = ["optimise"]

GRACE: Final = 0.5
"""Seconds after its limit of time in which it ends."""
FACTORING: Final = 0.5
"""This part of a limit of time that was given goes into factoring as a system at most."""
ROUNDS: Final = 3
"""So often the result is cut and saturated again, elsewhere: windows hide what crosses them."""
SMALLER: Final = 10
"""By so many nodes the windows of each round are smaller than those before."""
NODES_EACH: Final = (40, 12)
"""A row of a shape may grow to so many e-nodes, in rounds of many rows to the second number."""
AWAY: Final = 6
"""Of so many e-graphs the forms are chosen by the processes that saturate them."""
ITERATIONS: Final = 2
"""The last iterations of many take most of the time and find least: another round finds more."""
PREPARED: Final = 8_000
"""For programs of more nodes processes are started before there is work for them."""
MANY_ROWS: Final = (6_000, 25_000)
"""Programs with more rows of distinct shapes are done twice, with more yet once;"""
MANY_NODES: Final = (30_000, 80_000)
"""so are those of more nodes, however few shapes they have."""
PLAIN: Final = 3_000
"""In programs of more nodes, sums and products stay as the whole was factored, and are contracted.

On reaction networks e-graphs of their windows took most of the time, and gained 1 to 6 percent.
"""


def optimise(plan: "Saturate", terms: Sequence[Term]) -> tuple[list[Term], Report]:
    """Optimise a large program; return its terms in a store of their own, and a report."""
    with uncollected(), shown(None):
        return _Large(plan).run(list(terms))


class _Large:
    """One optimisation of a large program."""

    def __init__(self, plan: "Saturate") -> None:
        self.plan = plan
        self.report = Report()
        self.best: list[Term] = []
        self.done: dict[str, Form | None] = {}
        """By the key of a shape: its cheapest form, None where that is its own."""
        self.plans: dict[Scope, Plan] = {}
        """Rounds on one set of ops have one plan."""
        self.settled = False
        """Whether sums and products are left out of windows."""
        self.known = Known()
        self.chooser = Chooser(plan.cost, plan.judge, plan.dtype, plan.extract)
        self.begin = time.perf_counter()
        self.deadline = self.learnt = 0.0
        """When all is to be done, and when all forms of a round are to be known."""
        self.rows = 0
        self.counts = dict.fromkeys(
            "windows,shapes,e-graphs,forms refused,windows kept,shapes from the cache".split(","),
            0,
        )

    @cached_property
    def memory(self) -> Memory:
        """What is on disk of the plan: asked for once there are windows."""
        return Memory(self.plan)

    def run(self, terms: list[Term]) -> tuple[list[Term], Report]:
        dag = Dag.of(terms[0].store, [term.id for term in terms])
        seconds = self.plan.limits.time_limit(dag.binary_size())
        self.deadline = self.begin + seconds
        # not those that stand for many of a larger program: they are few, and worth it
        self.settled = self.plan.library and len(dag) > PLAIN and not self.plan.size
        if len(dag) > PREPARED and self.plan.executor is None:
            prepare(load)
        self.best = terms
        given = self.plan.limits.seconds is not None
        try:
            with until(self.deadline + GRACE if given else math.inf):
                self._search(terms, dag, self.begin + seconds * FACTORING if given else math.inf)
        except KeyboardInterrupt:
            self.report.stop = StopReason.INTERRUPTED
        except OutOfTime:
            self.report.stop = StopReason.TIME
        self._finish()
        return self.best, self.report

    def _search(self, terms: list[Term], dag: Dag, factoring: float) -> None:
        """Find better and better forms; the best so far is kept in any case.

        Factoring as a system ends at the given time.
        """
        cost = dag_cost(dag, self.plan.cost)
        found = self._factored(terms, factoring)
        if found != terms:
            self.best = found
            before, terms, dag = cost, found, Dag.of(found[0].store, [term.id for term in found])
            cost = dag_cost(dag, self.plan.cost)
            self.report.notes.append(f"factored as a system: {before:.6g} to {cost:.6g}")
        if not (self.settled and is_plain(dag)):
            self._rounds(terms, dag, cost)
            if self.settled and not self._over():
                self.best = self._judged(self.best, self._contracted(self.best))

    def _rounds(self, terms: list[Term], dag: Dag, cost: float) -> None:
        """Cut and saturate until nothing is gained."""
        rounds = ROUNDS
        for turn in range(ROUNDS):
            stage("looking for equal shapes")
            found = self._round(terms, dag, MOST_NODES - SMALLER * turn)
            if turn == 0:
                by_rows = sum(self.rows > many for many in MANY_ROWS)
                rounds -= max(by_rows, sum(len(dag) > many for many in MANY_NODES))
            new = Dag.of(found[0].store, [term.id for term in found])
            after = dag_cost(new, self.plan.cost)
            if after >= cost - 1e-9:
                break
            self.best = found
            terms, dag, cost = found, new, after
            if self._over() or turn + 1 >= rounds:
                break

    def _factored(self, terms: list[Term], end: float) -> list[Term]:
        """Factor and share over all sums of products at once, which windows cannot see."""
        if FastMath.REASSOC not in self.plan.licence:
            return terms
        plan = self.plan
        stage("factoring")
        try:
            with until(end):
                found = factored_system(terms, plan.cost, plan.licence)
                if self.settled and is_plain(Dag.of(found[0].store, [term.id for term in found])):
                    found = self._contracted(found)
                stage("comparing with the source")
                return self._judged(terms, found)
        except OutOfTime:
            self.report.cut = True
            self.report.notes.append("factoring as a system was ended by the limit of time")
            return terms

    def _contracted(self, terms: list[Term]) -> list[Term]:
        """Take products into the sums that alone use them, where no window did."""
        return contract_sums(terms) if pays(self.plan.cost, self.plan.licence) else terms

    def _judged(self, terms: list[Term], found: list[Term]) -> list[Term]:
        """Replace those that are less accurate by what they were; all where that costs more."""
        plan = self.plan
        if plan.judge is None or found == terms:
            return found
        source = Dag.of(terms[0].store, [term.id for term in terms])
        for at in refused(plan.judge, terms, found, self.known, plan.size):
            found[at] = terms[at]
        mixed = Dag.of(found[0].store, [term.id for term in found])  # what was shared may be lost
        return found if dag_cost(mixed, plan.cost) < dag_cost(source, plan.cost) else terms

    def _over(self) -> bool:
        return self.report.stop in (StopReason.TIME, StopReason.INTERRUPTED)

    def _finish(self) -> None:
        report = self.report
        report.stop = report.stop or StopReason.SATURATED
        report.matches = dict(sorted(report.matches.items()))
        report.seconds = time.perf_counter() - self.begin
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count)
        report.notes.insert(0, f"a large program in parts: {counts}")

    def _round(self, terms: list[Term], dag: Dag, most: int) -> list[Term]:
        licence, begin = self.plan.licence, time.perf_counter()
        defined = FastMath.NNAN | FastMath.NINF in licence and len(set(dag.roots)) == 1
        program = program_of(dag, assume=defined, opaque=self.plan.opaque)
        windows = cut(program, most)
        zero = divisions_by_zero(program)
        self._note_divisions(sum(not zero.isdisjoint(window.nodes) for window in windows))
        kinds = kinds_of(program, windows, without_value(program), zero, plain=not self.settled)
        self.current = self._plan_for(program.dag())
        self.counts["windows"] += len(windows)
        self.counts["shapes"] += len(kinds)
        fresh = {key: kind for key, kind in kinds.items() if key not in self.done}
        now = time.perf_counter()
        self.learnt, end = self.deadline, math.inf
        if self.plan.limits.seconds is not None:
            # to put it together, and to judge that, takes about as long as this did
            self.learnt = end = max(now, self.deadline - (now - begin))
        try:
            with until(end):
                self._learn(program, fresh)
        except KeyboardInterrupt:
            self.report.stop = StopReason.INTERRUPTED
        except OutOfTime:
            self.report.stop = StopReason.TIME
        chosen = _chosen(kinds, self.done)
        if not chosen:
            return terms
        build = Builder(program, windows, chosen)
        if self.plan.judge is None:
            return build(set()).terms(program.roots)
        found, count = settled(self.plan.judge, terms, build, self.known, self.plan.size)
        self.counts["windows kept"] += count
        return found.terms(program.roots)

    def _note_divisions(self, count: int) -> None:
        notes = self.report.notes
        if count and not any(note.startswith(_DIVIDES) for note in notes):
            notes.append(f"{_DIVIDES}: so {count} windows stay as they were written")

    # -- saturation --------------------------------------------------------------------------

    def _learn(self, program: Program, kinds: dict[str, Kind]) -> None:
        """Find the cheapest form of each shape, or recall it."""
        values: Any = {}
        if self.plan.judge is not None and kinds:
            wanted = {at for kind in kinds.values() for some in kind.sampled for at in some}
            values = values_at(program, sorted(wanted), self.plan.size)
        of_leaves = {
            key: [np.concatenate(column) for column in zip(*own, strict=True)]
            for key, kind in kinds.items()
            for own in [[[values[at] for at in some] for some in kind.sampled if values]]
        }
        self.rows = sum(len(kind.shape.rows) for kind in kinds.values())
        limits = _limits(self.plan.limits, self.rows)
        names = self._recalled(kinds, of_leaves, limits)
        left = {key: kind for key, kind in kinds.items() if key not in self.done}
        work: list[Group] = [(group, None) for group in grouped(left)]
        away = len(work) >= AWAY and settled_plan(self.plan)
        shapes = {key: kind.shape for key, kind in left.items()}
        try:
            while work:
                work = self._saturated(work, shapes, of_leaves, limits, names, away=away)
        finally:
            self.memory.keep()

    def _saturated(
        self, work: Sequence[Group], shapes: dict[str, Shape], of_leaves: dict[str, list[Any]],
        limits: Limits, names: dict[str, str], *, away: bool,
    ) -> list[Group]:  # fmt: skip
        """Find the forms of groups of shapes; return halves of those that contradict themselves.

        Each half gets an e-graph of its own, with the laws of the whole.
        """
        batches = (
            self._batch(
                [shapes[key] for key in group], plan, limits,
                [of_leaves[key] for key in group] if away else None,
            )
            for group, plan in work
        )  # fmt: skip
        plan, halves = self.plan, list[Group]()
        found = in_order(batches, plan.executor, self.learnt, len(work))
        for (group, _), (batch, outcome) in zip(work, found, strict=True):
            stop = outcome.report.stop
            self._merge(outcome.report)
            if stop is StopReason.INTERRUPTED:
                return []
            self.counts["e-graphs"] += 1
            if stop is StopReason.CONTRADICTION and len(group) > 1:
                half = len(group) // 2
                halves += [(part, batch.plan) for part in (group[:half], group[half:])]
                continue
            chosen = self._forms(batch, outcome, [of_leaves[key] for key in group])
            fresh = dict(zip(group, chosen.forms, strict=True))
            self.done.update(fresh)
            if names and outcome.report.settled and not chosen.cut:
                self.memory.note({names[key]: form for key, form in fresh.items()})
            if time.perf_counter() > self.learnt:
                self.report.stop = StopReason.TIME
                return []
        return halves

    def _recalled(
        self, kinds: dict[str, Kind], values: dict[str, list[Any]], limits: Limits
    ) -> dict[str, str]:
        """Take from the disk what is there; return the name there of each shape."""
        if self.memory.disk is None:
            return {}
        budget = repr((limits.iterations, limits.nodes))
        names = {
            key: self.memory.key(kind.shape, values[key], budget) for key, kind in kinds.items()
        }
        known = self.memory.recall({names[key]: kind.shape for key, kind in kinds.items()})
        for key, kind in kinds.items():
            if names[key] in known:
                form = known[names[key]]
                if form is None or same_values(kind.shape, form):
                    self.done[key] = form
                    self.counts["shapes from the cache"] += 1
        return names

    def _forms(self, batch: Batch, outcome: Outcome, values: list[list[Any]]) -> Chosen:
        """Return the cheapest form of each shape."""
        if outcome.made is not None or outcome.frozen is not None:
            found: Chosen = outcome.made or self.chooser.forms(
                batch.sources, batch.spans, outcome, values
            )
            self.counts["forms refused"] += found.refused
            self.report.cut |= found.cut
            return found
        if len(batch.sources) == 1:
            return self._alone(batch.sources[0])
        return Chosen([None] * len(batch.sources), 0)

    def _alone(self, source: Source) -> Chosen:
        """Do a shape that contradicts itself alone, which finds out why."""
        best, report = self.plan.roots(source.expanded)
        self._merge(replace(report, notes=report.notes[-1:]))
        if report.stop is StopReason.CONTRADICTION and not self._over():
            self.report.stop = report.stop
        cost = FormCosts(self.plan.cost)
        form = form_of(source, best)
        before = cost(plain_of(source.shape))
        cheaper = form is not None and cost(form) < before - 1e-9
        return Chosen([form if cheaper else None], 0, cut=not report.settled)

    def _batch(
        self, shapes: list[Shape], plan: Plan | None, limits: Limits,
        values: list[list[Any]] | None,
    ) -> Batch:  # fmt: skip
        """Make a batch; with values its forms are chosen where it is saturated."""
        after = None if values is None else Choice(self.chooser, values)
        batch = Batch(tuple(shapes), plan or self.current, limits, after)
        if self.plan.limits.nodes is not None:
            return batch
        assert limits.nodes is not None
        nodes = max(1500, limits.nodes * batch.size)
        return replace(batch, limits=replace(limits, nodes=nodes))

    def _plan_for(self, dag: Dag) -> Plan:
        """Write down the schedule with those laws that are of use to a program."""
        always, growing = self.plan.allowed
        scope = scope_of(dag, [*always, *growing])
        if scope not in self.plans:
            simplify, expand = within(always, growing, scope)
            fold = FastMath.REASSOC in self.plan.licence
            self.plans[scope] = plan_of(
                self.plan.schedule_of(), fold=fold, kept=[*simplify, *expand]
            )
        return self.plans[scope]

    def _merge(self, report: Report) -> None:
        total = self.report
        for name, count in report.matches.items():
            total.matches[name] = total.matches.get(name, 0) + count
        total.cut |= not report.settled
        total.nodes += report.nodes
        total.classes += report.classes
        total.iterations.append(IterationStats(total.nodes, time.perf_counter() - self.begin))
        total.notes += [note for note in report.notes if note not in total.notes]
        halved = report.stop is StopReason.CONTRADICTION  # what leads to it is looked for
        if not halved and _RANK.index(report.stop) > _RANK.index(total.stop):
            total.stop = report.stop


_DIVIDES: Final = "a division by zero is in the program"

_RANK: Final = (
    None, StopReason.SATURATED, StopReason.ITERATIONS, StopReason.NODES, StopReason.GOAL,
    StopReason.MEMORY, StopReason.FAILED, StopReason.CONTRADICTION, StopReason.TIME,
    StopReason.INTERRUPTED,
)  # fmt: skip
"""Of the reasons why several e-graphs stopped the last one here is reported."""


def _limits(limits: Limits, rows: int) -> Limits:
    """Return the limits of an e-graph; `nodes` are those of each row, unless they were given."""
    nodes = NODES_EACH[rows > MANY_ROWS[0]] if limits.nodes is None else limits.nodes
    return replace(limits, nodes=nodes, iterations=min(ITERATIONS, limits.iterations))


def _chosen(
    kinds: dict[str, Kind], done: dict[str, Form | None]
) -> dict[int, tuple[Form, tuple[int, ...]]]:
    """Return the form of each window that gets another one, and what its leaves are."""
    chosen: dict[int, tuple[Form, tuple[int, ...]]] = {}
    for key, kind in kinds.items():
        form = done.get(key)
        if form is not None:
            for number, leaves in zip(kind.windows, kind.leaves, strict=True):
                chosen[number] = form, leaves
    return chosen
