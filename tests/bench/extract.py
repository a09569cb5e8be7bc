"""The ways to extract, on the same e-graphs: `python tests/bench/extract.py`.

Random expressions of 10 to 300 nodes, each saturated twice: with few e-nodes, where the optimum is
mostly proved, and within the default limits, where the time often ends before. egglog's own greedy
extraction of DAGs works on the same e-graphs by the same prices; what it chose is priced as a
program, as ours is. A second model charges for the critical path too: the search is compared
with what prices alone chose.
"""

import argparse
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

import numpy as np
from report import arguments, at_most, finish
from simplify import expression

from codegen.cost import CycleCost, table_for
from codegen.target import get
from rewrite.cost import dag_cost
from rewrite.dag import Dag
from rewrite.egraph import bridge
from rewrite.egraph.limits import Limits
from rewrite.extract import MODES, Extraction, Extractor
from rewrite.fastmath import FastMath
from rewrite.store import Store
from rewrite.term import Term
from strategies.presets import default_plan

FEW = 300
"""E-nodes of the small e-graphs, or nearly so."""
DEAR = 1e9


@dataclass
class Figures:
    """What was measured on one set of e-graphs, an entry for each."""

    cost: dict[str, list[float]] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    nodes: list[int] = field(default_factory=list)
    proved: list[bool] = field(default_factory=list)
    gap: list[float] = field(default_factory=list)
    timed: list[tuple[float, float, float]] = field(default_factory=list)
    """Cost with latency of what prices chose, of what the search finds, and seconds for it."""

    def add(self, name: str, cost: float, seconds: float) -> None:
        self.cost.setdefault(name, []).append(cost)
        self.seconds.setdefault(name, []).append(seconds)


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return a result and how long it took."""
    begin = time.perf_counter()
    made = call()
    return made, time.perf_counter() - begin


def by_egglog(graph: Any, root: int, extractor: Extractor) -> Term:
    """Extract with egglog's greedy algorithm for DAGs, by our prices."""
    functions = graph._graph.freeze().functions
    price: dict[Any, float] = {}
    for name in bridge._TABLES:  # in the order of `EGraph.freeze`
        for row in functions[name].rows if name in functions else ():
            if not row.subsumed:
                price[name, tuple(row.inputs)] = min(DEAR, extractor.price[len(price)])
    assert len(price) == len(extractor.frozen)
    model = bridge.eg.DagCostModel(
        0.0, lambda name, args: price.get((name, tuple(args)), DEAR), lambda *_: 0.0, lambda *_: 0.0
    )
    place = graph._graph.eval_expr(graph._node(root))
    dag, (best,) = bridge.eg.extract_best_with_dag_cost_model(
        graph._graph, [place], model, extractor="greedy-dag"
    )
    return read(graph, dag, best[1])


def read(graph: Any, dag: Any, root: int) -> Term:
    """Build a term of egglog's in a store of ours; children have lower numbers."""
    store, made = Store(), {}
    for at in range(root + 1):
        node = dag.get(at)
        if type(node).__name__ == "TermLit":
            made[at] = node.value.value
            continue
        args = [made.get(a) for a in node.args]
        if node.name == "from-string":
            made[at] = int(args[0])
        elif node.name == "bigrat":
            made[at] = Fraction(*args)
        elif node.name == "Num":
            whole = int(args[0]) if args[0].denominator == 1 else args[0]
            made[at] = store.constant(graph._originals.get(args[0], whole))
        elif node.name == "Named":
            made[at] = store.constant(bridge._NAMED[args[0]])
        elif node.name in ("True_", "False_"):
            made[at] = store.constant(node.name == "True_")
        elif node.name in ("Leaf", "LeafB"):
            leaf = graph._leaves[args[0]]
            make = store.symbol if hasattr(leaf, "name") else store.constant
            made[at] = make(leaf)
        else:
            made[at] = store.make((bridge._TABLES[node.name][0], *args))
    return Term(store, made[root])


def measure(term: Term, limits: Limits, seconds: float, figures: Figures) -> None:
    """Saturate, and extract in each way."""
    model = CycleCost(table_for(get("native")), "f64")
    plan = default_plan(model, FastMath.GUARDED, limits, guarded=False)
    dag = Dag.of(term.store, [term.id])
    job = plan.job(dag, plan.rules_for(dag), assume=False)
    graph = bridge.EGraph.of(job.plan, limits, present=dag.code.tolist())
    (root,) = (graph.load(dag)[at] for at in dag.roots)
    graph.run()
    frozen = graph.freeze([root])
    extractor = Extractor(frozen, model)
    figures.nodes.append(len(frozen))
    for mode in MODES:
        found, spent = timed(lambda: extractor.extract(mode=mode, seconds=seconds))  # noqa: B023
        figures.add(mode, priced(extractor, found), spent)
        if mode == "exact":
            figures.proved.append(found.proof.proved)
            figures.gap.append(found.proof.gap)
    made, spent = timed(lambda: by_egglog(graph, root, extractor))
    figures.add("egglog", dag_cost(Dag.of(made.store, [made.id]), model), spent)
    late = Extractor(frozen, replace(model, latency_weight=1.0))
    by_price = extractor.extract()
    found, spent = timed(late.extract)
    figures.timed.append((priced(late, by_price), priced(late, found), spent))


def priced(extractor: Extractor, found: Extraction) -> float:
    """Price a choice as a program, without the tie-breakers."""
    (made,), _ = extractor.terms(found, Store())
    return dag_cost(Dag.of(made.store, [made.id]), extractor.model)


def excess(figures: Figures) -> list[float]:
    """Return by how much the search is above each proven optimum."""
    rows = zip(figures.cost["search"], figures.cost["exact"], figures.proved, strict=True)
    return [search / exact - 1 if exact else 0.0 for search, exact, proved in rows if proved]


def show(name: str, figures: Figures) -> None:
    """Print one set's table."""
    count, over = len(figures.nodes), excess(figures)
    print(f"{name}: {count} e-graphs of {np.mean(figures.nodes):.0f} e-nodes on average")
    print(f"  {'':10}{'mean cost':>12}{'mean ms':>12}")
    for mode, costs in figures.cost.items():
        print(f"  {mode:10}{np.mean(costs):12.3f}{np.mean(figures.seconds[mode]) * 1e3:12.1f}")
    left = [gap for gap, proved in zip(figures.gap, figures.proved, strict=True) if not proved]
    print(f"  optima proved: {len(over)}; mean gap of the others: {np.mean(left or [0.0]):.1%}")
    print(f"  search above proven optima: mean {np.mean(over or [0.0]):.3%}, "
          f"worst {max(over, default=0.0):.3%}")  # fmt: skip
    better = np.array(figures.cost["egglog"]) - np.array(figures.cost["search"])
    print(f"  egglog is dearer than search on {(better > 1e-9).sum()}, "
          f"cheaper on {(better < -1e-9).sum()}")  # fmt: skip
    before, after, seconds = np.mean(figures.timed, axis=0)
    print(f"  with the critical path: {before:.3f} by prices alone, {after:.3f} by both, "
          f"in {seconds * 1e3:.1f} ms")  # fmt: skip


def main() -> None:
    """Print the tables of both sets, and the targets."""
    parser: argparse.ArgumentParser = arguments(__doc__ or "")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each exact extraction")
    given = parser.parse_args()
    rng, made = random.Random(3), {}
    last = max(1, given.count - 1)
    terms = [expression(rng, 10 + round(290 * at / last)) for at in range(given.count)]
    figures: dict[str, Any] = {}
    for name, limits in ((f"{FEW} e-nodes", Limits(nodes=FEW)), ("default limits", Limits())):
        made = Figures()
        for term in terms:
            measure(term, limits, given.seconds, made)
        show(name, made)
        over, egglog = excess(made), np.array(made.cost["egglog"])
        above = int((np.array(made.cost["search"]) > egglog + 1e-9).sum())
        figures |= {
            f"{name}: mean excess of search": at_most(float(np.mean(over or [0.0])), 0.01),
            f"{name}: worst excess of search": {"value": max(over, default=0.0)},
            f"{name}: search above egglog's greedy DAG": at_most(above, 0),
            f"{name}: optima proved": {"value": len(over)},
            f"{name}: mean cost": {k: float(np.mean(v)) for k, v in made.cost.items()},
            f"{name}: mean cost with the critical path": dict(
                zip(("by prices", "by both"), np.mean(made.timed, axis=0).tolist(), strict=False)
            ),
            f"{name}: mean seconds": {k: float(np.mean(v)) for k, v in made.seconds.items()},
        }
    finish(figures, given.json)


if __name__ == "__main__":
    main()
