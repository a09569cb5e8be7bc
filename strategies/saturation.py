"""`saturate`: equality saturation as one more strategy.

It loads the term into an e-graph, applies rules within limits, and extracts the cheapest program
under a cost model. A judge may refuse the result; then the e-node that it blames is banned and
the next cheapest program is extracted. Where that leads nowhere, classes that were blamed keep
their form in the source, so that one bad corner does not cost the gain of all others.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from operator import attrgetter
from typing import Any, Final

import numpy as np

from rewrite.array import TermArray
from rewrite.cost import CostModel, dag_cost
from rewrite.dag import Dag, rebuild
from rewrite.deadline import OutOfTime, until
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.job import Job
from rewrite.egraph.limits import Limits, Report, StopReason
from rewrite.egraph.plan import aim_of, groups_of, plan_of
from rewrite.egraph.relevance import relevant
from rewrite.errors import StrategyError
from rewrite.extract import Extractor, Mode, mode_of
from rewrite.fastmath import FastMath
from rewrite.numeric import require_numbers
from rewrite.progress import shown, stage
from rewrite.rule import Rule, RuleSet
from rewrite.schedule import Goal, Schedule, default_schedule
from rewrite.store import Store, Symbol
from rewrite.term import Term, join_all
from strategies.contradiction import saturate_soundly
from strategies.core import Strategy
from strategies.judged import CANDIDATES, Judge, Search

__all__ = ["Saturate", "rules_of", "saturate"]


_ENDS: Final = (
    StopReason.TIME, StopReason.INTERRUPTED, StopReason.MEMORY, StopReason.FAILED,
    StopReason.CONTRADICTION,
)  # fmt: skip
GRACE: Final = 0.9
"""Seconds after a limit of time that was given in which a form is chosen and judged."""
WHOLE: Final = 150
"""Programs of up to so many nodes are saturated as a whole, larger ones in parts."""
GROWTH_PAYS: Final = 400
"""Above so many nodes only shrinking rules run on a whole: others end at the limit at once."""


@dataclass(frozen=True, repr=False)
class Saturate(Strategy):
    """Run rules to saturation or a limit, and extract the cheapest equal term.

    `simplify` rules run in every iteration, `expand` rules under back-off. Does not apply (None)
    where nothing cheaper was found.
    """

    simplify: RuleSet
    expand: RuleSet
    cost: CostModel
    limits: Limits = field(default_factory=Limits)
    licence: FastMath = FastMath.GUARDED
    judge: Judge | None = field(default=None, compare=False)
    dtype: str = "f64"
    """In which constants must be representable, "f64" or "f32"."""
    extract: Mode = "search"
    """How the cheapest term is found; what "exact" proved is noted in the report. It takes at most
    `limits.seconds`, and results depend on them where they run out."""
    schedule: Schedule | None = None
    """What runs in each iteration; None is `default_schedule` of both rule sets."""
    until: Goal | None = None
    """What ends the search early."""
    executor: Executor | None = field(default=None, compare=False)
    """Where the parts of large programs are saturated; the result is the same as without."""
    also: tuple[Strategy, ...] = ()
    """What writes a source otherwise: where that is cheaper, small programs are searched from it
    too, and judged against the source."""
    opaque: frozenset[str] = frozenset()
    """The names of symbols that stand for what may have no value."""
    size: int = 0
    """How many nodes the program has that a given one stands for: it is judged like that."""

    def __post_init__(self) -> None:
        """Check the mode, so that a mistake shows before the saturation."""
        mode_of(self.extract)

    def __call__(self, term: Any) -> Any:
        """Optimise one term, or the terms of a `TermArray` together."""
        if isinstance(term, TermArray):
            found, _ = self.roots(term.ravel().terms())
            made = TermArray(term.store, np.array([one.id for one in found], np.int32))
            return None if (made.ids == term.ids.ravel()).all() else made.reshape(*term.shape)
        (best,), _ = self.roots([term])
        return None if best == term else best

    def __str__(self) -> str:
        """Write as a strategy."""
        if self.schedule is not None:
            return f"saturate({self.schedule}, {self.cost.name})"
        return f"saturate({self.simplify.name}, {self.expand.name}, {self.cost.name})"

    @shown(None)
    def roots(self, terms: Sequence[Term]) -> tuple[list[Term], Report]:
        """Optimise several terms together, sharing their subterms; return them and a report.

        All are returned in the store of the first one. Raise `StrategyError` for what is no term.
        """
        begin = time.perf_counter()
        if not all(issubclass(kind, Term) for kind in set(map(type, terms))):
            odd = next(term for term in terms if not isinstance(term, Term))
            raise StrategyError(f"saturate takes terms, not {odd!r}")
        if not terms:
            return [], Report(stop=StopReason.SATURATED)
        store = terms[0].store
        if len(set(map(attrgetter("store"), terms))) > 1:
            terms = [Term(store, node) for node in join_all(store, terms)]
        terms = list(terms)
        dag = Dag.of(store, [t.id for t in terms])
        require_numbers(dag, "the e-graph")
        try:
            if dag.binary_size() > WHOLE and self.until is None:
                best, report = self._in_parts(dag, terms, begin)
            else:
                end = inf if self.limits.seconds is None else begin + self.limits.seconds + GRACE
                with until(end):
                    best, report = self._as_a_whole(dag, terms)
        except KeyboardInterrupt:
            best, report = terms, Report(stop=StopReason.INTERRUPTED)
        except OutOfTime:
            best, report = terms, Report(stop=StopReason.TIME)
        report.seconds = time.perf_counter() - begin
        return best, report

    def _as_a_whole(self, dag: Dag, terms: list[Term]) -> tuple[list[Term], Report]:
        """Optimise a small program, and where that comes to nothing each root by itself."""
        begin = time.perf_counter()
        best, report, refused = self._search(dag, terms)
        if self.also and self.until is None:
            best = self._cheaper(terms, best, report)
        distinct = dict.fromkeys(terms)
        if not refused or best != terms or not 1 < len(distinct) <= CANDIDATES:
            return best, report
        # one root may have been what the judge refused: the others get their own chance
        alone = {term: term for term in distinct}
        for term in distinct:
            plan = self._since(begin)
            if plan.limits.seconds == 0 or report.stop is StopReason.INTERRUPTED:
                report.cut = True
                break
            (alone[term],), own = plan.roots([term])
            report.cut |= not own.settled
        apart = [alone[term] for term in terms]
        costs = [dag_cost(Dag.of(t[0].store, [x.id for x in t]), self.cost) for t in (terms, apart)]
        return (apart if costs[1] < costs[0] else terms), report  # what they shared may be lost

    def _in_parts(
        self, dag: Dag, terms: list[Term], begin: float
    ) -> tuple[list[Term], Report]:  # fmt: skip
        """Optimise a large program: what it repeats once, and the rest window by window."""
        from strategies.windows.drive import optimise
        from strategies.windows.repeated import LARGE, optimised

        store = terms[0].store
        if len(dag) > LARGE:
            found = optimised(
                terms, dag, self.cost,
                lambda parts, opaque: optimise(
                    replace(self._since(begin), opaque=opaque, size=len(dag)), parts
                ),
            )  # fmt: skip
            if found is not None:
                return found
        best, report = optimise(self._since(begin), terms)
        return [Term(store, node) for node in join_all(store, best)], report

    def _since(self, begin: float) -> "Saturate":
        """Return the same plan for the time that is left, if that is limited."""
        if self.limits.seconds is None:
            return self
        left = max(0.0, self.limits.seconds - (time.perf_counter() - begin))
        return replace(self, limits=replace(self.limits, seconds=left))

    def _cheaper(self, terms: list[Term], best: list[Term], report: Report) -> list[Term]:
        """Search from other forms of the source too; return the cheapest that was found."""
        store, begin = terms[0].store, time.perf_counter()
        source, cheapest = (Dag.of(store, [t.id for t in ts]) for ts in (terms, best))
        cost, least = dag_cost(source, self.cost), dag_cost(cheapest, self.cost)
        limit = self.limits.time_limit(source.binary_size()) - report.seconds
        for other in self.also:
            left = limit - (time.perf_counter() - begin)
            if left <= 0 or report.stop in _ENDS:
                report.cut |= left <= 0
                break
            start = [term if (made := other(term)) is None else made for term in terms]
            dag = Dag.of(store, join_all(store, start))
            if start == terms or dag.binary_size() > WHOLE:
                continue
            if dag_cost(dag, self.cost) >= cost - 1e-9:
                continue
            plan = replace(self, also=(), limits=replace(self.limits, seconds=left))
            try:
                found, more, refused = plan._search(dag, terms)
            except KeyboardInterrupt:
                report.stop = StopReason.INTERRUPTED
                break
            if more.stop in _ENDS:
                report.stop = more.stop
            report.cut |= not more.settled
            after = dag_cost(Dag.of(store, [t.id for t in found]), self.cost)
            if after < least - 1e-9:
                best, least = found, after
                report.notes.append(f"searched from the source by {other}")
            if refused:
                report.notes += [f"from {other}: {note}" for note in more.notes]
        return best

    def schedule_of(self) -> Schedule:
        """Return what runs in each iteration."""
        return self.schedule or default_schedule(self.simplify, self.expand)

    def rules_for(self, dag: Dag) -> list[Rule]:
        """Keep the rules that the licence allows and the ops present can ever need."""
        always, growing = self.allowed
        simplify, expand = relevant(always, growing if len(dag) <= GROWTH_PAYS else [], dag)
        return [*simplify, *expand]

    @property
    def library(self) -> bool:
        """Tell whether the laws are the library's own, which factoring a system knows."""
        from rewrite.rules import SIMPLIFY  # loaded by those who search

        own = self.simplify is SIMPLIFY and self.schedule is None
        return own and FastMath.REASSOC in self.licence

    @cached_property
    def allowed(self) -> tuple[list[Rule], list[Rule]]:
        """The laws that the licence allows: those that always run, and growing ones."""
        always, growing = (
            [rule for rule in group if rule.symbolic and rule.licence in self.licence]
            for group in groups_of(self.schedule_of())
        )
        return always, growing

    def job(self, dag: Dag, rules: Iterable[Rule], *, assume: bool = True) -> Job:
        """Say how to saturate a program with some of the rules."""
        aim, more = aim_of(self.until)
        if more:
            dag = _with(dag, more)
        fold = FastMath.REASSOC in self.licence
        plan = plan_of(self.schedule_of(), fold=fold, kept=rules)
        defined = FastMath.NNAN | FastMath.NINF in self.licence and len(set(dag.roots)) == 1
        wanted = tuple(dag.roots)
        opaque = frozenset(
            at
            for at, value in enumerate(dag.value if self.opaque else ())
            if isinstance(value, Symbol) and value.name in self.opaque
        )
        assumed = wanted if defined and assume else ()
        return Job(plan, self.limits, dag, wanted, assumed, opaque=opaque, aim=aim)

    def saturated(self, dag: Dag) -> tuple[Frozen | None, list[int], Report]:
        """Run the rules on a program; return the e-graph, the class of each position, a report.

        Rules that contradict each other on this program are left out, and named in the report. The
        e-graph is None if nothing sound was left.
        """
        rules = self.rules_for(dag)
        stage("saturating", unit="e-graph")
        found = saturate_soundly(lambda kept, assume: self.job(dag, kept, assume=assume), rules)
        report = found.report
        report.notes += classical(rules_of(self.schedule_of()))
        if len(dag) > GROWTH_PAYS:
            report.notes.append(f"{len(dag)} nodes: growing rules were left out")
        if found.frozen is None:
            return None, [], report
        roots = found.frozen.roots[: len(dag.roots)]
        return replace(found.frozen, roots=roots), found.classes[: len(dag)], report

    def _search(self, dag: Dag, terms: list[Term]) -> tuple[list[Term], Report, int]:
        """Return the best terms, a report, and how many programs the judge refused.

        The program may be another form of the terms, which the judge compares with.
        """
        frozen, classes, report = self.saturated(dag)
        if frozen is None:
            return terms, report, 0
        extractor = Extractor(frozen, self.cost, dtype=self.dtype)
        verdict = self.judge(terms) if self.judge is not None else None
        own = Dag.of(terms[0].store, [term.id for term in terms])
        before, seconds = dag_cost(own, self.cost), self.limits.time_limit(dag.binary_size())
        mode: Mode = "greedy" if report.stop is StopReason.INTERRUPTED else self.extract
        search = Search(extractor, dag, classes, before, verdict, mode, seconds)
        best = None
        try:
            best = search.best()
        except OutOfTime:
            report.cut, report.stop = True, StopReason.TIME
            report.notes.append("no time was left to choose another form")
        if search.proof is not None:
            report.notes.append(f"exact: {search.proof}")
        report.cut |= search.cut
        if search.refused:
            forms = "form was" if search.refused == 1 else "forms were"
            report.notes.append(
                f"{search.refused} cheaper {forms} less accurate and dropped: {search.reason}"
            )
        if best is not None:
            store = terms[0].store
            terms = [Term(store, node) for node in join_all(store, best)]
        return terms, report, search.refused


def classical(rules: Iterable[Rule]) -> list[str]:
    """Say which rules an e-graph leaves to the classical engine."""
    names = [rule.name for rule in rules if not rule.symbolic]
    if not names:
        return []
    return [
        "left out, as the classical engine alone can compute, ask functions, match sequences or "
        f"speak of one symbol: {', '.join(names)}"
    ]


def saturate(
    simplify: "RuleSet | Iterable[Rule] | Schedule", cost: CostModel, *,
    expand: RuleSet | None = None, limits: Limits | None = None,
    licence: FastMath = FastMath.GUARDED, extract: Mode = "search", until: Goal | None = None,
) -> Saturate:  # fmt: skip
    """Make a strategy that saturates with rules and extracts by a cost model.

    In place of rules it takes a schedule, which says what each iteration does (`rewrite.schedule`).
    `until` ends the search as soon as a goal is reached; a goal that never is does no harm, the
    report says which limit came first. `extract` is "greedy" (the cheapest tree), "search" (local
    search on the DAG) or "exact" (the optimum, or a bound, by an integer program). Raise
    `StrategyError` for what is no cost model or no goal, and for `expand` beside a schedule.

    >>> import rewrite as rw
    >>> from rewrite import schedule
    >>> from rewrite.cost import Gowda2021
    >>> a, b, c = rw.pattern_vars("a b c")
    >>> laws = rw.ruleset("laws", rw.FastMath.REASSOC, ("factor", a * b + a * c, a * (b + c)))
    >>> plan = rw.saturate(schedule.fold >> schedule.run(laws), Gowda2021())
    >>> x, y = rw.symbols("x y")
    >>> plan(x * y + x * (1 + rw.const(2)))
    x*(y + 3)
    """
    if not isinstance(cost, CostModel):
        raise StrategyError(
            f"{cost!r} is no cost model; give one, such as rewrite.cost.Gowda2021(), or pass the "
            "name of one to optimize"
        )
    if until is not None and not isinstance(until, Goal):
        raise StrategyError(
            f"until={until!r} is no goal; make one by rewrite.schedule.equal, matches or contains"
        )
    none, schedule = RuleSet("none", ()), None
    if isinstance(simplify, Schedule):
        if expand is not None:
            raise StrategyError("expand= has no place beside a schedule; run(rules) is part of it")
        schedule, rules = simplify, RuleSet("rules", tuple(rules_of(simplify)))
    else:
        rules = simplify if isinstance(simplify, RuleSet) else RuleSet("rules", tuple(simplify))
    return Saturate(
        rules, expand or none, cost, limits or Limits(), licence, extract=mode_of(extract),
        schedule=schedule, until=until,
    )  # fmt: skip


def rules_of(schedule: Schedule) -> list[Rule]:
    """Return all rules of a schedule."""
    always, growing = groups_of(schedule)
    return [*always, *growing]


def _with(dag: Dag, more: Sequence[Term]) -> Dag:
    """Add terms to a program as its last roots; its own positions stay."""
    store = Store()
    own = rebuild(dag, store)
    wanted = join_all(store, more)
    # a deep copy in one order: the program first, so that its positions are kept
    both = Dag.of(store, [*own, *wanted])
    place = {node: at for at, node in enumerate(both.ids.tolist())}
    assert [place[node] for node in own] == list(range(len(dag)))
    return replace(both, roots=[*dag.roots, *(place[node] for node in wanted)])
