"""The driver of large programs: cut, saturate each shape once, put together, and again."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.egraph import workers
from rewrite.egraph.job import Outcome, perform
from rewrite.egraph.limits import IterationStats, Report, StopReason
from rewrite.egraph.plan import Plan, plan_of
from rewrite.fastmath import FastMath
from rewrite.store import Store
from rewrite.term import Term
from strategies.windows.batch import Batch, Source, batch_of
from strategies.windows.binary import Program, made, program_of
from strategies.windows.cut import MOST_NODES, Window, cut
from strategies.windows.forms import form_of, forms
from strategies.windows.judging import values_at
from strategies.windows.shape import Form, Shape, instantiate, shape_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from strategies.saturation import Saturate

__all__ = ["optimise"]

ROUNDS: Final = 2
BATCH_NODES: Final = 3000
"""So many nodes of distinct shapes share an e-graph."""
NODES_EACH: Final = 25
"""So many e-nodes each of them may grow to."""


@dataclass
class _Kind:
    """A shape and the windows that have it."""

    shape: Shape
    windows: list[int] = field(default_factory=list)
    leaves: list[tuple[int, ...]] = field(default_factory=list)


def optimise(
    plan: "Saturate", terms: Sequence[Term], executor: "Executor | None" = None
) -> tuple[list[Term], Report]:
    """Optimise a large program; return its terms in a store of their own, and a report."""
    return _Large(plan, executor).run(list(terms))


class _Large:
    """One optimisation of a large program."""

    def __init__(self, plan: "Saturate", executor: "Executor | None") -> None:
        self.plan, self.executor = plan, executor
        self.report = Report()
        self.done: dict[str, Form | None] = {}
        """By the key of a shape: its cheapest form, None where that is its own."""
        self.begin = time.perf_counter()
        self.deadline = 0.0
        self.counts = {"windows": 0, "shapes": 0, "e-graphs": 0, "refused": 0}

    def run(self, terms: list[Term]) -> tuple[list[Term], Report]:
        dag = Dag.of(terms[0].store, [term.id for term in terms])
        self.deadline = self.begin + self.plan.limits.time_limit(len(dag))
        cost = dag_cost(dag, self.plan.cost)
        for turn in range(ROUNDS):
            found = self._round(dag, MOST_NODES - 12 * turn)
            made_dag = Dag.of(found[0].store, [term.id for term in found])
            after = dag_cost(made_dag, self.plan.cost)
            if after >= cost - 1e-9:
                break
            terms, dag, cost = found, made_dag, after
            if self.report.stop in (StopReason.TIME, StopReason.INTERRUPTED):
                break
        self._finish()
        return terms, self.report

    def _finish(self) -> None:
        report = self.report
        report.stop = report.stop or StopReason.SATURATED
        report.matches = dict(sorted(report.matches.items()))
        report.seconds = time.perf_counter() - self.begin
        counts = ", ".join(f"{count} {name}" for name, count in self.counts.items() if count)
        report.notes.insert(0, f"a large program in parts: {counts}")

    def _round(self, dag: Dag, most: int) -> list[Term]:
        licence = self.plan.licence
        defined = FastMath.NNAN | FastMath.NINF in licence and len(set(dag.roots)) == 1
        program = program_of(dag, assume=defined)
        windows = cut(program, most)
        kinds = _kinds(program, windows)
        self.counts["windows"] += len(windows)
        self.counts["shapes"] += len(kinds)
        fresh = {key: kind for key, kind in kinds.items() if key not in self.done}
        try:
            self._learn(program, fresh)
        except KeyboardInterrupt:
            self.report.stop = StopReason.INTERRUPTED
        return self._rebuilt(program, windows, kinds)

    # -- saturation --------------------------------------------------------------------------

    def _learn(self, program: Program, kinds: dict[str, _Kind]) -> None:
        """Find the cheapest form of each shape."""
        values: Any = {}
        if self.plan.judge is not None:
            wanted = sorted({at for kind in kinds.values() for at in kind.leaves[0]})
            values = values_at(program, wanted) if wanted else {}
        groups = list(_grouped(kinds))
        batches = (self._batch([kinds[key].shape for key in group]) for group in groups)
        for group, (batch, outcome) in zip(groups, self._saturated(batches), strict=True):
            self._merge(outcome.report)
            leaves = [
                [values[at] for at in kinds[key].leaves[0]] if values else [] for key in group
            ]
            self.done.update(zip(group, self._forms(batch, outcome, leaves), strict=True))
            if self.report.stop is StopReason.INTERRUPTED or time.perf_counter() > self.deadline:
                self.report.stop = self.report.stop or StopReason.TIME
                return

    def _forms(
        self, batch: Batch, outcome: Outcome, values: Sequence[list[Any]]
    ) -> list[Form | None]:
        """Return the cheapest form of each shape; None is its own."""
        if outcome.frozen is None:
            return [self._alone(source) for source in batch.sources]
        found, refused = forms(self.plan, batch, outcome, values)
        self.counts["refused"] += refused
        return found

    def _alone(self, source: Source) -> Form | None:
        """Do a shape of an e-graph that contradicted itself by itself, which finds out why."""
        best, report = self.plan.roots(source.expanded)
        self._merge(report)
        model = self.plan.cost
        before, after = (
            dag_cost(Dag.of(ts[0].store, [t.id for t in ts]), model) for ts in (source.plain, best)
        )
        return form_of(source, best) if after < before - 1e-9 else None

    def _batch(self, shapes: list[Shape]) -> Batch:
        inputs = sum(len(shape.rows) for shape in shapes)
        limits = self.plan.limits
        nodes = limits.nodes if limits.nodes is not None else max(1500, NODES_EACH * inputs)
        empty = batch_of(shapes, _NOTHING, replace(limits, nodes=nodes))
        rules = self.plan.rules_for(empty.job.dag, parts=True)
        fold = FastMath.REASSOC in self.plan.licence
        plan = plan_of(self.plan.schedule_of(), fold=fold, kept=rules)
        return replace(empty, job=replace(empty.job, plan=plan))

    def _saturated(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Outcome]]:
        """Saturate batches, the next ones while one is looked at."""
        waiting: deque[tuple[Batch, Any]] = deque()
        ahead = 1 if self.executor is None else AHEAD
        more = True
        try:
            while more or waiting:
                while more and len(waiting) <= ahead:
                    batch = next(batches, None)
                    more = batch is not None
                    if batch is not None:
                        self.counts["e-graphs"] += 1
                        waiting.append((batch, self._submit(batch)))
                if waiting:
                    batch, pending = waiting.popleft()
                    yield batch, pending.result()
        finally:
            for _, pending in waiting:
                pending.cancel()

    def _submit(self, batch: Batch) -> Any:
        if self.executor is None:
            return workers.submit(batch.job)
        return self.executor.submit(perform, batch.job)

    def _merge(self, report: Report) -> None:
        total = self.report
        for name, count in report.matches.items():
            total.matches[name] = total.matches.get(name, 0) + count
        total.nodes += report.nodes
        total.classes += report.classes
        total.iterations.append(IterationStats(total.nodes, time.perf_counter() - self.begin))
        total.notes += [note for note in report.notes if note not in total.notes]
        if report.stop not in (None, StopReason.SATURATED) and total.stop is None:
            total.stop = report.stop

    # -- putting together --------------------------------------------------------------------

    def _rebuilt(
        self, program: Program, windows: Sequence[Window], kinds: dict[str, _Kind]
    ) -> list[Term]:
        """Make the program anew, each window in its cheapest form."""
        store = Store()
        chosen: dict[int, tuple[Form, tuple[int, ...]]] = {}
        for key, kind in kinds.items():
            form = self.done.get(key)
            if form is not None:
                for window, leaves in zip(kind.windows, kind.leaves, strict=True):
                    chosen[window] = form, leaves
        ids = [-1] * len(program)
        for at, value in enumerate(program.value):
            if value is not None or program.constant[at]:
                ids[at] = made(store, program.code[at], [ids[a] for a in program.args[at]], value)
        for number, window in enumerate(windows):
            if number in chosen:
                form, leaves = chosen[number]
                roots = instantiate(form, store, [ids[at] for at in leaves])
                for at, node in zip(window.roots, roots, strict=True):
                    ids[at] = node
            else:
                for at in window.nodes:
                    ids[at] = store.make((program.code[at], *[ids[a] for a in program.args[at]]))
        return [Term(store, ids[root]) for root in program.roots]


AHEAD: Final = 8
"""So many batches wait in an executor."""
_NOTHING: Final = Plan((), 0, (), (), frozenset(), False)


def _kinds(program: Program, windows: Sequence[Window]) -> dict[str, _Kind]:
    """Group windows by shape."""
    kinds: dict[str, _Kind] = {}
    for number, window in enumerate(windows):
        shape, leaves = shape_of(program, window)
        kind = kinds.setdefault(shape.key, _Kind(shape))
        kind.windows.append(number)
        kind.leaves.append(leaves)
    return kinds


def _grouped(kinds: dict[str, _Kind]) -> Iterator[list[str]]:
    """Share shapes out to e-graphs."""
    group: list[str] = []
    size = 0
    for key, kind in kinds.items():
        group.append(key)
        size += len(kind.shape.rows)
        if size >= BATCH_NODES:
            yield group
            group, size = [], 0
    if group:
        yield group
