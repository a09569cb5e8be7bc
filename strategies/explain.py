"""Which rules a result needs: the smallest set found with which the e-graph still proves it.

egglog keeps no proofs, so the set is found by trying: rules are left out as long as source and
result still end in one class (Zeller & Hildebrandt 2002, "Simplifying and isolating
failure-inducing input", with the roles of passing and failing exchanged).
"""

from collections.abc import Callable, Sequence

from rewrite.dag import Dag
from rewrite.egraph.limits import Limits
from rewrite.fastmath import FastMath
from rewrite.rule import Rule
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.term import Term

__all__ = ["proves", "sufficient"]


def proves(
    rules: Sequence[Rule], source: Sequence[Term], target: Sequence[Term], licence: FastMath,
    limits: Limits | None = None,
) -> bool:  # fmt: skip
    """Tell whether saturation with these rules puts each source into the class of its target."""
    return _prove(rules, source, target, licence, limits) is not None


def _prove(
    rules: Sequence[Rule], source: Sequence[Term], target: Sequence[Term], licence: FastMath,
    limits: Limits | None,
) -> set[str] | None:  # fmt: skip
    """Return the names of the rules that matched on the way, None where it is not proved."""
    from rewrite.egraph.bridge import EGraph

    store = source[0].store
    dag = Dag.of(store, [t.id for t in (*source, *target)])
    grows = {rule.name for rule in EXPAND}
    graph = EGraph(
        [r for r in rules if r.name not in grows], [r for r in rules if r.name in grows],
        fold=FastMath.REASSOC in licence, limits=limits or Limits(), present=dag.code.tolist(),
    )  # fmt: skip
    defined = {t.id for t in source} if FastMath.NNAN | FastMath.NINF in licence else set()
    places = graph.load(dag, assume=[at for at, i in enumerate(dag.ids.tolist()) if i in defined])
    count = len(source)
    pairs = [(places[dag.roots[k]], places[dag.roots[count + k]]) for k in range(count)]
    report = graph.run(until=lambda: graph.equal(pairs))
    return set(report.matches) if graph.equal(pairs) else None


def sufficient(
    source: Sequence[Term], target: Sequence[Term], licence: FastMath
) -> tuple[Rule, ...]:
    """Return a set of rules that proves the target and from which none can be left out."""
    from rewrite.egraph.language import relevant

    if tuple(source) == tuple(target):
        return ()
    dag = Dag.of(source[0].store, [t.id for t in (*source, *target)])
    groups = [[r for r in group if r.licence in licence] for group in (SIMPLIFY, EXPAND)]
    simplify, expand = relevant(groups[0], groups[1], dag)
    rules = [*simplify, *expand]

    def attempt(subset: Sequence[Rule]) -> set[str] | None:
        return _prove(subset, source, target, licence, None)

    used = attempt(rules)
    if used is None:
        return ()
    return tuple(_reduced([r for r in rules if r.name in used], attempt))


def _reduced(rules: list[Rule], attempt: Callable[[Sequence[Rule]], set[str] | None]) -> list[Rule]:
    """Leave out halves, quarters, ... and at last single rules while the proof holds."""
    size = max(1, len(rules) // 2)
    while True:
        at = 0
        while at < len(rules) and len(rules) > 1:
            rest = rules[:at] + rules[at + size :]
            used = attempt(rest) if rest else None
            if used is None:
                at += size
            else:
                rules = [rule for rule in rest if rule.name in used]
        if size == 1:
            return rules
        size = max(1, size // 2)
