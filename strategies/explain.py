"""Which rules a result needs: the smallest set found with which the e-graph still proves it.

egglog keeps no proofs, so the set is found by trying: rules are left out as long as source and
result still end in one class (Zeller & Hildebrandt 2002, "Simplifying and isolating
failure-inducing input", with the roles of passing and failing exchanged). How they lead from the
one to the other is found by `strategies.derive`.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from rewrite.dag import Dag
from rewrite.egraph.limits import Limits, StopReason
from rewrite.fastmath import FastMath
from rewrite.rule import Rule
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.store import Store
from rewrite.term import Term, join_all
from strategies.minimal import minimal

__all__ = ["proves", "sufficient"]


def proves(
    rules: Sequence[Rule], source: Sequence[Term], target: Sequence[Term], licence: FastMath,
    limits: Limits | None = None,
) -> bool:  # fmt: skip
    """Tell whether saturation with these rules puts each source into the class of its target."""
    return _prove(rules, source, target, licence, limits)[0] is not None


def _prove(
    rules: Sequence[Rule], source: Sequence[Term], target: Sequence[Term], licence: FastMath,
    limits: Limits | None, *, both: bool = False,
) -> tuple[set[str] | None, StopReason | None]:  # fmt: skip
    """Return the names of the rules that matched, or None where it is not proved; why it ended.

    With `both`, or where there are many, the targets are rewritten too.
    """
    from rewrite.egraph.bridge import ROWS_PAY, EGraph

    scratch = Store()
    parts = [Dag.of(scratch, join_all(scratch, terms)) for terms in (source, target)]
    present = [code for part in parts for code in part.code.tolist()]
    rules = [rule for rule in rules if rule.symbolic]
    grows = {rule.name for rule in EXPAND}
    graph = EGraph(
        [r for r in rules if r.name not in grows], [r for r in rules if r.name in grows],
        fold=FastMath.REASSOC in licence, limits=limits or Limits(), present=present,
    )  # fmt: skip
    defined = FastMath.NNAN | FastMath.NINF in licence
    if both or len(present) >= ROWS_PAY:  # of those an e-graph can load one program only
        ends = [join_all(scratch, terms) for terms in (source, target)]
        parts = [Dag.of(scratch, [*ends[0], *ends[1]])]
        first, last = (parts[0].roots[: len(ends[0])], parts[0].roots[len(ends[0]) :])
        places = goals = graph.load(parts[0], assume=first if defined else ())
        report = graph.run()
    else:
        first, last = (part.roots for part in parts)
        places = graph.load(parts[0], assume=first if defined else ())
        report = graph.run()
        # the target comes last, so that the rules named lead from the source to it and not back
        goals = graph.load(parts[1])
        graph.settle()
    found = graph.equal([(places[a], goals[b]) for a, b in zip(first, last, strict=True)])
    return set(report.matches) if found else None, report.stop


def sufficient(
    source: Sequence[Term], target: Sequence[Term], licence: FastMath,
    limits: Limits | None = None, extra: Sequence[Rule] = (),
) -> tuple[Rule, ...] | None:  # fmt: skip
    """Return a set of rules that proves the target and from which none can be left out.

    It is empty where exact arithmetic on constants proves it alone, and None where nothing is
    proved within the limits. Candidates are the `extra` rules and those of the library.
    """
    if tuple(source) == tuple(target):
        return ()
    limits = limits or Limits()
    rules = candidates(source, target, licence, extra)
    found = attempt(rules, source, target, licence, limits)
    return None if found is None else reduced(found, source, target, licence, limits)


def candidates(
    source: Sequence[Term], target: Sequence[Term], licence: FastMath, extra: Sequence[Rule]
) -> list[Rule]:
    """Return the rules that may be of use; what is left out first is what is read least easily."""
    from rewrite.egraph.relevance import relevant

    scratch = Store()
    dag = Dag.of(scratch, join_all(scratch, (*source, *target)))
    own = {rule.name for rule in extra}
    groups = [
        [r for r in group if r.licence in licence and r.name not in own]
        for group in (SIMPLIFY, EXPAND)
    ]
    simplify, expand = relevant([*groups[0], *(r for r in extra if r.symbolic)], groups[1], dag)
    return [*expand, *simplify]


def attempt(
    rules: Sequence[Rule], source: Sequence[Term], target: Sequence[Term], licence: FastMath,
    limits: Limits, *, seconds: float = math.inf, both: bool = False,
) -> tuple[Rule, ...] | None:  # fmt: skip
    """Return the rules that match until the target is proved, None where it is not.

    It takes as few iterations as will do, since a short derivation is the one to show. With `both`,
    the target is rewritten too.
    """
    end = time.process_time() + seconds
    for iterations in range(1, limits.iterations + 1):
        left = max(0.0, min(limits.time_limit(0), end - time.process_time()))
        short = replace(limits, iterations=iterations, seconds=left)
        used, stop = _prove(rules, source, target, licence, short, both=both)
        if used is not None:
            return tuple([r for r in rules if r.name in used])
        if stop is not StopReason.ITERATIONS:
            break  # more of them would change nothing
    return None


def reduced(
    rules: Sequence[Rule], source: Sequence[Term], target: Sequence[Term], licence: FastMath,
    limits: Limits, *, seconds: float = math.inf, both: bool = False,
) -> tuple[Rule, ...]:  # fmt: skip
    """Leave out halves, quarters, ... and at last single rules while the proof holds.

    After so many seconds no further ones are left out.
    """
    end = time.process_time() + seconds

    def proved(rest: list[Rule]) -> list[Rule] | None:
        used = _prove(rest, source, target, licence, limits, both=both)[0]
        return None if used is None else [rule for rule in rest if rule.name in used]

    return tuple(minimal(rules, proved, lambda: time.process_time() > end))
