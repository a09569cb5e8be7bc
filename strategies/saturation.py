"""`saturate`: equality saturation as one more strategy.

It loads the term into an e-graph, applies rules within limits, and extracts the cheapest program
under a cost model. A judge may refuse the result; then the e-node that it blames is banned and
the next cheapest program is extracted. Where that leads nowhere, classes that were blamed keep
their form in the source, so that one bad corner does not cost the gain of all others.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.array import TermArray
from rewrite.cost import CostModel, dag_cost
from rewrite.dag import Dag
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.limits import Limits, Report, StopReason
from rewrite.egraph.relevance import relevant
from rewrite.errors import StrategyError
from rewrite.extract import Extractor, Mode, Proof, mode_of
from rewrite.fastmath import FastMath
from rewrite.numeric import require_numbers
from rewrite.rule import Rule, RuleSet
from rewrite.store import Store
from rewrite.term import Term, join
from strategies.core import Strategy

__all__ = ["Judge", "Refusal", "Saturate", "Verdict", "saturate"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why candidate roots will not do: the positions in their `Dag` to blame, worst first."""

    blame: tuple[int, ...] = ()
    reason: str = ""


type Verdict = Callable[[Sequence[Term]], Refusal | None]
"""Says of candidate roots None ("good"), or why not."""
type Judge = Callable[[Sequence[Term]], Verdict]
"""Looks at the source once and returns what says whether a rewritten form of it will do."""

GROWTH_PAYS: Final = 400
"""Above so many nodes only shrinking rules run: growing ones would end at the limit at once."""
LOADABLE: Final = 50_000
CANDIDATES: Final = 16
"""How many programs are judged before the source is kept."""
SINGLE: Final = 11
"""So many of them while single e-nodes are banned."""
PATIENCE: Final = 7
"""After so many refusals more than one is banned at a time."""


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
        return f"saturate({self.simplify.name}, {self.expand.name}, {self.cost.name})"

    def roots(self, terms: Sequence[Term]) -> tuple[list[Term], Report]:
        """Optimise several terms together, sharing their subterms; return them and a report.

        All are returned in the store of the first one. Raise `StrategyError` for what is no term.
        """
        begin = time.perf_counter()
        for term in terms:
            if not isinstance(term, Term):
                raise StrategyError(f"saturate takes terms, not {term!r}")
        if not terms:
            return [], Report(stop=StopReason.SATURATED)
        store = terms[0].store
        terms = [join(store, term) for term in terms]
        dag = Dag.of(store, [t.id for t in terms])
        require_numbers(dag, "the e-graph")
        if len(dag) > LOADABLE:
            report = Report(stop=StopReason.NODES)
            report.notes.append(f"{len(dag)} nodes are too many for one e-graph; left as written")
            return terms, report
        best, report, refused = self._search(dag, terms)
        distinct = dict.fromkeys(terms)
        if refused and best == terms and 1 < len(distinct) <= CANDIDATES:
            # one root may have been what the judge refused: the others get their own chance
            alone = {term: self.roots([term])[0][0] for term in distinct}
            best = [alone[term] for term in terms]
        report.seconds = time.perf_counter() - begin
        return best, report

    def _rules(self, dag: Dag) -> tuple[list[Rule], list[Rule]]:
        """Keep the rules that the licence allows and the ops present can ever need."""
        growing = self.expand if len(dag) <= GROWTH_PAYS else ()
        groups = [
            [r for r in g if r.symbolic and r.licence in self.licence]
            for g in (self.simplify, growing)
        ]
        return relevant(groups[0], groups[1], dag)

    def saturated(self, dag: Dag) -> tuple[Frozen | None, list[int], Report]:
        """Run the rules on a program; return the e-graph, the class of each position, a report.

        The e-graph is None if the rules contradict each other on this program.
        """
        from rewrite.egraph.bridge import EGraph

        simplify, expand = self._rules(dag)
        fold = FastMath.REASSOC in self.licence
        graph = EGraph(simplify, expand, fold=fold, limits=self.limits, present=dag.code.tolist())
        defined = FastMath.NNAN | FastMath.NINF in self.licence and len(set(dag.roots)) == 1
        places = graph.load(dag, assume=dag.roots if defined else ())
        report = graph.run()
        report.notes += classical([*self.simplify, *self.expand])
        if len(dag) > GROWTH_PAYS:
            report.notes.append(f"{len(dag)} nodes: growing rules were left out")
        if report.stop is StopReason.CONTRADICTION:
            names = ", ".join(report.matches) or "none"
            report.notes.append(f"nothing that was found is used; rules that matched: {names}")
            return None, [], report
        frozen = graph.freeze([places[r] for r in (*dag.roots, *range(len(dag)))])
        classes = frozen.roots[len(dag.roots) :]
        frozen = replace(frozen, roots=frozen.roots[: len(dag.roots)])
        report.nodes, report.classes = len(frozen), frozen.classes
        return frozen, classes, report

    def _search(self, dag: Dag, terms: list[Term]) -> tuple[list[Term], Report, int]:
        """Return the best terms, a report, and how many programs the judge refused."""
        frozen, classes, report = self.saturated(dag)
        if frozen is None:
            return terms, report, 0
        extractor = Extractor(frozen, self.cost, dtype=self.dtype)
        verdict = self.judge(terms) if self.judge is not None else None
        before, seconds = dag_cost(dag, self.cost), self.limits.seconds
        search = _Search(extractor, dag, classes, before, verdict, self.extract, seconds)
        best = search.best()
        if search.proof is not None:
            report.notes.append(f"exact: {search.proof}")
        if search.refused:
            forms = "form was" if search.refused == 1 else "forms were"
            report.notes.append(
                f"{search.refused} cheaper {forms} less accurate and dropped: {search.reason}"
            )
        if best is not None:
            terms = [join(terms[0].store, term) for term in best]
        return terms, report, search.refused


def classical(rules: Iterable[Rule]) -> list[str]:
    """Say which rules an e-graph leaves to the classical engine."""
    names = [rule.name for rule in rules if not rule.symbolic]
    if not names:
        return []
    return [
        f"left out, as the classical engine alone can compute, ask functions or match sequences: "
        f"{', '.join(names)}"
    ]


class _Search:
    """Extracts programs until the judge is content or nothing cheaper than the source is left."""

    def __init__(
        self, extractor: Extractor, dag: Dag, classes: list[int], before: float,
        verdict: Verdict | None, mode: Mode, seconds: float,
    ) -> None:  # fmt: skip
        self.extractor, self.dag, self.classes = extractor, dag, classes
        self.before, self.verdict = before, verdict
        self.mode, self.seconds = mode, seconds
        self.proof: Proof | None = None
        """Of the last program, among those without what the judge blamed before."""
        self.scratch = Store()
        self.refused = 0
        self.reason = ""

    def best(self) -> list[Term] | None:
        """Ban single e-nodes first; where that leads nowhere, keep whole classes as they are."""
        blamed: dict[int, None] = {}
        banned: list[int] = []
        while self.refused < SINGLE:
            good, guilty = self._try(banned)
            if good is not None:
                return good
            fresh = [node for node in guilty if node not in banned]
            if not fresh:
                break
            blamed[self.extractor.owner[fresh[0]]] = None
            banned += fresh[: max(1, self.refused - PATIENCE)]
        return self._keeping(list(blamed)) if blamed else None

    def _keeping(self, kept: list[int]) -> list[Term] | None:
        """Leave blamed classes as the source has them, after every refusal twice as many more."""
        members: dict[int, list[int]] = {}
        for node, group in enumerate(self.extractor.owner):
            members.setdefault(group, []).append(node)
        own = self._own()
        # of what the engine replaced for good, no form of the source is left to keep
        gone = set(self.classes) - {self.extractor.owner[node] for node in own}
        for more in range(CANDIDATES - self.refused):
            fixed = [group for group in kept if group not in gone]
            banned = [node for group in fixed for node in members[group] if node not in own]
            good, guilty = self._try(banned)
            if good is not None:
                return good
            groups = dict.fromkeys(self.extractor.owner[node] for node in guilty)
            fresh = [group for group in groups if group not in kept]
            if not fresh:
                return None
            kept += fresh[: 1 << more]
        return None

    def _try(self, banned: list[int]) -> tuple[list[Term] | None, list[int]]:
        """Extract and ask the judge; return good terms, or the e-nodes to blame, none if at end."""
        left = max(0.0, self.seconds)
        extraction = self.extractor.extract(banned=banned, mode=self.mode, seconds=left)
        if extraction is None:
            return None, []
        if extraction.proof is not None:
            self.proof = extraction.proof
            self.seconds -= extraction.proof.seconds
        best, source = self.extractor.terms(extraction, self.scratch)
        made = Dag.of(self.scratch, [t.id for t in best])
        if dag_cost(made, self.extractor.model) >= self.before - 1e-9:
            return None, []
        refusal = self.verdict(best) if self.verdict is not None else None
        if refusal is None:
            return best, []
        self.refused += 1
        self.reason = refusal.reason
        return None, [source[n] for n in made.ids[list(refusal.blame)].tolist() if n in source]

    def _own(self) -> set[int]:
        """Return the e-nodes that the source is made of."""
        start, args = self.extractor.start, self.extractor.args
        rows: dict[tuple[int, ...], int] = {}
        own: set[int] = set()
        leaves = {self.classes[at] for at, value in enumerate(self.dag.value) if value is not None}
        for node, code in enumerate(self.extractor.code[: len(self.extractor.frozen)]):
            below = args[start[node] : start[node + 1]]
            if below:
                rows[code, *below] = node
            elif self.extractor.owner[node] in leaves:
                own.add(node)
        for code, children in self.dag.rows():
            groups = [self.classes[child] for child in children]
            while groups:
                row = (code, *groups[:2]) if ops.OPS[code].arity < 0 else (code, *groups)
                if row not in rows:
                    break
                own.add(rows[row])
                # sums and products of many are chains from the left in the graph
                rest = groups[len(row) - 1 :]
                groups = [self.extractor.owner[rows[row]], *rest] if rest else []
        return own


def saturate(
    simplify: RuleSet | Iterable[Rule], cost: CostModel, *, expand: RuleSet | None = None,
    limits: Limits | None = None, licence: FastMath = FastMath.GUARDED, extract: Mode = "search",
) -> Saturate:  # fmt: skip
    """Make a strategy that saturates with rules and extracts by a cost model.

    `extract` is "greedy" (the cheapest tree), "search" (local search on the DAG) or "exact" (the
    optimum, or a bound, by an integer program).
    """
    if not isinstance(cost, CostModel):
        raise StrategyError(
            f"{cost!r} is no cost model; give one, such as rewrite.cost.Gowda2021(), or pass the "
            "name of one to optimize"
        )
    rules = simplify if isinstance(simplify, RuleSet) else RuleSet("rules", tuple(simplify))
    none = RuleSet("none", ())
    return Saturate(
        rules, expand or none, cost, limits or Limits(), licence, extract=mode_of(extract)
    )
