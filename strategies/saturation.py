"""`saturate`: equality saturation as one more strategy.

It loads the term into an e-graph, applies rules within limits, and extracts the cheapest program
under a cost model. A judge may refuse the result; then the e-node that it blames is banned and
the next cheapest program is extracted.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rewrite.cost import CostModel, dag_cost
from rewrite.dag import Dag, rebuild
from rewrite.egraph.relevance import relevant
from rewrite.egraph.limits import Limits, Report, StopReason
from rewrite.extract import Extractor
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, RuleSet
from rewrite.store import Store
from rewrite.term import Term
from strategies.core import Strategy

__all__ = ["Judge", "Saturate", "Verdict", "saturate"]

type Verdict = Callable[[Sequence[Term]], Sequence[int] | None]
"""Says of candidate roots None ("good"), or the positions in their `Dag` to blame, worst first."""
type Judge = Callable[[Sequence[Term]], Verdict]
"""Looks at the source once and returns what says whether a rewritten form of it will do."""

GROWTH_PAYS: Final = 400
"""Above so many nodes only shrinking rules run: growing ones would end at the limit at once."""
LOADABLE: Final = 50_000
DROPPED: Final = "a cheaper form was less accurate and was dropped"
CANDIDATES: Final = 16
"""How many refused programs are replaced before the source is kept."""
PATIENCE: Final = 7
"""After so many refusals more than one e-node is banned at a time."""


@dataclass(frozen=True)
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

    def __call__(self, term: Any) -> Any:
        """Optimise one term."""
        (best,), _ = self.roots([term])
        return None if best == term else best

    def __str__(self) -> str:
        """Write as a strategy."""
        return f"saturate({self.simplify.name}, {self.expand.name}, {self.cost.name})"

    def roots(self, terms: Sequence[Term]) -> tuple[list[Term], Report]:
        """Optimise several terms together, sharing their subterms; return them and a report."""
        begin = time.perf_counter()
        store = terms[0].store
        scratch = Store()
        dag = Dag.of(store, [t.id for t in terms])
        if len(dag) > LOADABLE:
            report = Report(stop=StopReason.NODES)
            report.notes.append(f"{len(dag)} nodes are too many for one e-graph; left as written")
            return list(terms), report
        best, report = self._search(dag, scratch, list(terms))
        distinct = dict.fromkeys(terms)
        if DROPPED in report.notes and best == list(terms) and len(distinct) > 1:
            # one root may have been what the judge refused: the others get their own chance
            alone = {term: self.roots([term])[0][0] for term in distinct}
            best = [alone[term] for term in terms]
        report.seconds = time.perf_counter() - begin
        return best, report

    def _rules(self, dag: Dag) -> tuple[list[Rule], list[Rule]]:
        """Keep the rules that the licence allows and the ops present can ever need."""
        growing = self.expand if len(dag) <= GROWTH_PAYS else ()
        groups = [[r for r in g if r.licence in self.licence] for g in (self.simplify, growing)]
        return relevant(groups[0], groups[1], dag)

    def _search(self, dag: Dag, scratch: Store, terms: list[Term]) -> tuple[list[Term], Report]:
        from rewrite.egraph.bridge import EGraph

        simplify, expand = self._rules(dag)
        fold = FastMath.REASSOC in self.licence
        graph = EGraph(simplify, expand, fold=fold, limits=self.limits, present=dag.code.tolist())
        defined = FastMath.NNAN | FastMath.NINF in self.licence and len(set(dag.roots)) == 1
        places = graph.load(dag, assume=dag.roots if defined else ())
        report = graph.run()
        if len(dag) > GROWTH_PAYS:
            report.notes.append(f"{len(dag)} nodes: growing rules were left out")
        frozen = graph.freeze([places[r] for r in dag.roots])
        report.nodes, report.classes = len(frozen), frozen.classes
        extractor = Extractor(frozen, self.cost)
        before = dag_cost(dag, self.cost)
        verdict = self.judge(terms) if self.judge is not None else None
        best = self._first_good(extractor, scratch, before, report, verdict)
        if best is None:
            return terms, report
        made = Dag.of(scratch, [t.id for t in best])
        ids = rebuild(made, terms[0].store)
        return [Term(terms[0].store, ids[r]) for r in made.roots], report

    def _first_good(
        self, extractor: Extractor, scratch: Store, before: float, report: Report,
        verdict: Verdict | None,
    ) -> list[Term] | None:  # fmt: skip
        """Extract until the judge is content; None where nothing cheaper than `before` is left."""
        banned: list[int] = []
        for refused in range(CANDIDATES):
            extraction = extractor.extract(banned=banned)
            if extraction is None:
                return None
            best, source = extractor.terms(extraction, scratch)
            made = Dag.of(scratch, [t.id for t in best])
            if dag_cost(made, self.cost) >= before - 1e-9:
                return None
            blame = verdict(best) if verdict is not None else None
            if blame is None:
                return best
            report.notes.append(DROPPED)
            guilty = [source[n] for n in made.ids[list(blame)].tolist() if n in source]
            fresh = [node for node in guilty if node not in banned]
            if not fresh:
                return None
            banned += fresh[: max(1, refused - PATIENCE)]
        return None


def saturate(
    simplify: RuleSet | Iterable[Rule], cost: CostModel, *, expand: RuleSet | None = None,
    limits: Limits | None = None, licence: FastMath = FastMath.GUARDED,
) -> Saturate:  # fmt: skip
    """Make a strategy that saturates with rules and extracts by a cost model."""
    rules = simplify if isinstance(simplify, RuleSet) else RuleSet("rules", tuple(simplify))
    return Saturate(rules, expand or RuleSet("none", ()), cost, limits or Limits(), licence)
