"""A plan that a caller brings: which laws it may use, and which of its results are kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Final

from rewrite.dag import Dag
from rewrite.egraph.limits import Report
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, RuleSet
from rewrite.sorts import BOOL, REAL
from rewrite.store import Symbol
from rewrite.term import Term, join
from strategies.base import Control, Rules, Strategy, cut, inside, mapped, strategy
from strategies.judged import Judge
from strategies.saturation import Saturate
from strategies.tracing import Wrapped

__all__ = ["follow", "leaves", "rules_of"]

_KINDS: Final = {REAL: "a number", BOOL: "a truth value"}


def follow(
    what: Any, terms: Sequence[Term], *, licence: FastMath, judge: Judge | None = None
) -> tuple[list[Term], Report]:
    """Apply a strategy, a rule, a rule set or a function to each term; return them and a report.

    A result that the judge refuses is replaced by its source, which the report notes. What a
    function does is not known ahead: only the judge can object to it.

    Raise `StrategyError` for laws that the licence does not grant, and for results that are no
    terms, or of another sort or of other symbols than the source.
    """
    plan = strategy(what)
    _check_licence(plan, licence)
    if isinstance(plan, Saturate):  # all terms in one e-graph, so that they share subterms
        own = plan.judge is None
        best, report = (replace(plan, judge=judge) if own else plan).roots(terms)
        report.notes.insert(0, f"strategy: {plan}")
        judge = None if own else judge
    else:
        report = Report(notes=[f"strategy: {plan}"])
        heard = _heard(plan, report)
        made = {term: _result(plan, term, heard) for term in dict.fromkeys(terms)}
        best = [made[term] for term in terms]
    if judge is not None and best != list(terms):
        best = _accepted(terms, best, judge, report)
    return best, report


def leaves(whole: Strategy) -> Iterator[Strategy]:
    """Yield the strategies inside that have no strategy inside; a variable of `fix` is none."""
    parts = tuple(inside(whole))
    for part in parts:
        yield from leaves(part)
    if not parts and not isinstance(whole, Control):
        yield whole


def rules_of(whole: Strategy) -> tuple[Rule, ...]:
    """Return the rules inside a strategy, each once, in order."""
    found: dict[Rule, None] = {}
    for leaf in leaves(whole):
        allowed = _licence_of(leaf)
        for part in _parts(leaf):
            if isinstance(part, (tuple, RuleSet)):
                rules = [rule for rule in part if isinstance(rule, Rule)]
                found |= dict.fromkeys(r for r in rules if allowed is None or r.licence in allowed)
    return tuple(found)


def _parts(part: Strategy) -> list[Any]:
    return [getattr(part, entry.name) for entry in fields(part)] if is_dataclass(part) else []


def _licence_of(leaf: Strategy) -> FastMath | None:
    own = getattr(leaf, "licence", None)
    return own if isinstance(own, FastMath) else None


def _check_licence(plan: Strategy, granted: FastMath) -> None:
    """Refuse rules that need more than is granted, and leaves that are made to use more."""
    for leaf in leaves(plan):
        own = _licence_of(leaf)
        if own is not None and own not in granted:
            raise StrategyError(
                f"{leaf} has the licence {own.name}, and math= grants {granted.name}; make it with "
                "that licence, or grant more"
            )
        rules = leaf.rules if isinstance(leaf, Rules) else ()
        needed = [rule for rule in rules if rule.licence not in granted]
        if needed:
            names = ", ".join(f"{rule.name} ({rule.licence.name})" for rule in needed[:4])
            more = f" and {len(needed) - 4} more" if len(needed) > 4 else ""
            raise StrategyError(
                f"math= grants {granted.name}, which is not the licence of {names}{more}; grant "
                "it, or keep what it does allow: ruleset.allowed(licence)"
            )


@dataclass(frozen=True, repr=False)
class _Heard(Wrapped):
    """A saturation whose accidents are noted in the report of the whole."""

    report: Report = field(compare=False)

    def fire(self, term: Any) -> tuple[str, Any] | None:
        assert isinstance(self.leaf, Saturate)
        (best,), own = self.leaf.roots([term])
        self.report.cut |= not own.settled
        return None if best == term else (str(self.leaf), best)


def _heard(plan: Strategy, report: Report) -> Strategy:
    """Return the same strategy, each saturation inside heard."""
    if isinstance(plan, Saturate):
        return _Heard(plan, report)
    return mapped(plan, lambda part: _heard(part, report))


def _result(plan: Strategy, term: Term, heard: Strategy) -> Term:
    """Apply a strategy to a term, as it is heard, and check what comes back."""
    made = heard(term)
    if made is None:
        return term
    if not isinstance(made, Term):
        raise StrategyError(
            f"the strategy {plan} made {cut(made)} of {cut(term)}; it must return a Term or None"
        )
    made = join(term.store, made)
    if made.sort.family is not term.sort.family:
        kinds = " and ".join(_KINDS.get(t.sort.family, f"a {t.sort}") for t in (term, made))
        raise StrategyError(
            f"the strategy {plan} made {cut(made)} of {cut(term)}: {kinds} "
            "cannot stand for each other"
        )
    for symbol in _symbols(made) - _symbols(term):
        raise StrategyError(
            f"the strategy {plan} made {cut(made)} of {cut(term)}, which lacks the symbol "
            f"{symbol.name!r}"
        )
    return made


def _symbols(term: Term) -> set[Symbol]:
    return {v for v in Dag.of(term.store, [term.id]).value if isinstance(v, Symbol)}


def _accepted(terms: Sequence[Term], best: list[Term], judge: Judge, report: Report) -> list[Term]:
    """Keep what the judge accepts: all together, or else each result that it accepts alone."""
    if judge(terms)(best) is None:
        return best
    for old, new in dict.fromkeys(zip(terms, best, strict=True)):
        refusal = judge([old])([new]) if old != new else None
        if refusal is not None:
            report.notes.append(f"{cut(new)} was less accurate and dropped: {refusal.reason}")
            best = [old if term == old else kept for term, kept in zip(terms, best, strict=True)]
    return best
