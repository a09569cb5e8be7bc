"""Checks of a rule set as a rewriter: does it end, and does its order of firing matter.

Whether its laws are true is for `rewrite.rulecheck`; this is about what they do together.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rewrite.critical import Overlap, overlaps
from rewrite.errors import PatternError, StrategyError
from rewrite.loops import Loop, find_loops
from rewrite.rule import Rule, RuleSet
from rewrite.store import Store
from rewrite.term import Term
from rewrite.termination import Proof, prove
from rewrite.tree import Place, Sides, equations, sides, unreadable
from strategies.joining import Joiner, Peak, peak

__all__ = ["CheckReport", "Pair", "check"]

type Label = tuple[str, str, Place]


@dataclass(frozen=True)
class Pair:
    """A term that two rules rewrite to different normal forms.

    The first rule fires at the root, the second at `place`, which counts arguments from 0. Where
    `final` is False, one of the two forms is no normal form: rewriting it did not end.
    """

    rules: tuple[str, str]
    place: Place
    peak: Term
    results: tuple[Term, Term]
    normal: tuple[Term, Term]
    final: bool = True

    def __str__(self) -> str:
        where = f" at {'.'.join(map(str, self.place))}" if self.place else ""
        domains = _domains(self.peak)
        given = f", where {domains}" if domains else ""
        lines = [f"{self.peak}{given}"]
        for name, spot, made, end in zip(
            self.rules, ("", where), self.results, self.normal, strict=True
        ):
            onwards = f" ->* {end}" if made != end else ""
            lines.append(f"    -> {made} ({name}{spot}){onwards}")
        return "\n".join(lines)


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    `terminates` is True with a proof in `order`, False with a loop in `loops`, and None where
    neither was found. `pairs` have two normal forms; `undecided` ones did not meet within the
    bounds. `conditional` overlaps were not checked: no symbols were found for which the conditions
    of both rules hold.
    """

    name: str
    rules: int
    terminates: bool | None
    order: Proof
    loops: tuple[Loop, ...]
    pairs: tuple[Pair, ...]
    undecided: tuple[Pair, ...]
    joined: int
    conditional: tuple[tuple[str, str], ...]
    not_analysed: tuple[tuple[str, str], ...]
    """Names of rules, and why."""
    complete: bool
    """False where the bound on overlaps cut the search short."""
    grouped: bool
    """Whether some rules match sums in any grouping, whose overlaps are covered in part."""

    @property
    def ok(self) -> bool:
        """Tell whether it terminates, every pair joins, and nothing was left out."""
        faults = (self.pairs, self.undecided, self.conditional, self.not_analysed)
        return self.terminates is True and self.complete and not any(faults)

    def __str__(self) -> str:
        return "\n".join(_text(self))

    __repr__ = __str__


def check(
    rules: RuleSet | Rule | Iterable[Rule], *, overlaps: int = 3_000, terms: int = 3_000,
    firings: int = 1_000, width: int = 60,
) -> CheckReport:  # fmt: skip
    """Look for loops and for terms that two rules rewrite to different normal forms.

    Bounds: `overlaps` of left sides, `terms` made in search of loops, `firings` in a
    normalisation, and `width` terms on each side in search of a common one. Rules with computed
    right sides or sequence variables are used to normalise, and reported as not analysed.

    >>> import rewrite as rw
    >>> a, b = rw.pattern_vars("a b")
    >>> check(rw.ruleset("roots", rw.FastMath.NNAN, ("root", rw.sqrt(rw.sqrt(a)), rw.cbrt(a))))
    roots: 1 rule
    terminates, by
      1. weights, sqrt = 1, cbrt = 0; variables >= 0: smaller by root
    1 critical pair does not join:
      sqrt(sqrt(sqrt(x)))
          -> cbrt(sqrt(x)) (root)
          -> sqrt(cbrt(x)) (root at 0)
    0 critical pairs join (up to the order of arguments)
    """
    group = _group(rules)
    reasons = {rule: unreadable(rule) for rule in group}
    read = [sides(rule) for rule, reason in reasons.items() if reason is None]
    odd = tuple((rule.name, reason) for rule, reason in reasons.items() if reason is not None)
    proof = prove(read)
    stuck = [each for each in read if each.name in proof.left]
    loops = find_loops(stuck, terms=terms) if stuck else ()
    found = _Pairs(group, read, firings, width)
    complete = found.search(overlaps)
    terminates = False if loops else True if proof.complete and not odd else None
    return CheckReport(
        group.name, len(group), terminates, proof, loops, tuple(found.pairs),
        tuple(found.undecided), found.joined, tuple(found.conditional), odd, complete,
        bool(equations(read)),
    )  # fmt: skip


def _group(rules: RuleSet | Rule | Iterable[Rule]) -> RuleSet:
    if isinstance(rules, Rule):
        rules = RuleSet(rules.name, (rules,))
    if not isinstance(rules, RuleSet):
        rules = RuleSet("rules", tuple(rules))
    odd = [rule for rule in rules if not isinstance(rule, Rule)]
    if odd:
        raise StrategyError(f"{odd[0]!r} is no rule; check takes a rule set, or rules")
    names = [rule.name for rule in rules]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PatternError(
            f"rule set {rules.name!r} has two rules called {twice[0]!r}; a report could not tell "
            "them apart: rename one"
        )
    return rules


class _Pairs:
    """Goes through the overlaps and sorts them by how they end."""

    def __init__(self, group: RuleSet, read: Sequence[Sides], firings: int, width: int) -> None:
        self.read = read
        self.store = Store()
        self.joiner = Joiner(group, equations(read), firings, width)
        self.pairs: list[Pair] = []
        self.undecided: list[Pair] = []
        self.conditional: list[tuple[str, str]] = []
        self.joined = 0

    def search(self, most: int) -> bool:
        """Check overlaps; tell whether those were all."""
        done: dict[Label, set[int]] = {}
        bad: set[Label] = set()
        silent: dict[Label, bool] = {}
        for count, overlap in enumerate(overlaps(self.read)):
            if count == most:
                return False
            label = (overlap.outer.name, overlap.inner.name, overlap.place)
            if label in bad:
                continue
            top = peak(overlap, self.store)
            if top is None:
                silent.setdefault(label, _conditional(overlap))
                continue
            terms = done.setdefault(label, set())
            if top.term.id not in terms:
                terms.add(top.term.id)
                self._judge(label, top, bad)
        seen = [label[:2] for label, given in silent.items() if given and label not in done]
        self.conditional = list(dict.fromkeys(seen))
        return True

    def _judge(self, label: Label, top: Peak, bad: set[Label]) -> None:
        differ = False
        for one in top.outer:
            for other in top.inner:
                if self.joiner.same(one, other):
                    continue
                differ = True
                meeting = self.joiner.join(one, other)
                if meeting.joins:
                    continue
                bad.add(label)
                pair = Pair(
                    label[:2], label[2], top.term, (one, other), meeting.ends, meeting.final
                )
                (self.pairs if meeting.final else self.undecided).append(pair)
                return
        self.joined += differ


def _conditional(overlap: Overlap) -> bool:
    return bool(overlap.outer.rule.where or overlap.inner.rule.where)


# -- words -----------------------------------------------------------------------------------


def _text(report: CheckReport) -> list[str]:
    count = f"{report.rules} rule{'s' if report.rules != 1 else ''}"
    lines = [f"{report.name}: {count}", *_ending(report), *_confluence(report)]
    for name, reason in report.not_analysed:
        lines.append(f"not analysed: {name}, as {reason}")
    return lines


def _ending(report: CheckReport) -> list[str]:
    order = [f"  {line}" for line in str(report.order).splitlines()]
    if report.loops:
        return ["does not terminate:", *(f"  {loop}" for loop in report.loops)]
    if report.terminates:
        return ["terminates, by", *order]
    if report.order.complete:
        return ["not known to terminate; the rules that were analysed do, by", *order]
    return ["not known to terminate: no loop found, and", *order]


def _confluence(report: CheckReport) -> list[str]:
    lines = []
    if report.pairs:
        what = _counted(len(report.pairs), "does not join", "do not join")
        lines += [f"{what}:", *_indented(report.pairs)]
    if report.undecided:
        what = _counted(len(report.undecided), "is undecided", "are undecided")
        lines += [f"{what}, as rewriting does not end:", *_indented(report.undecided)]
    how = "up to the order of arguments"
    if report.grouped:
        how += "; of sums in any grouping, those that share single arguments"
    lines.append(f"{_counted(report.joined, 'joins', 'join')} ({how})")
    if report.conditional:
        names = ", ".join(f"{one} with {other}" for one, other in report.conditional[:4])
        more = f" and {len(report.conditional) - 4} more" if len(report.conditional) > 4 else ""
        lines.append(
            f"{len(report.conditional)} conditional, not checked (no symbols found that meet both "
            f"conditions): {names}{more}"
        )
    if not report.complete:
        lines.append("not all overlaps were tried: raise overlaps= for more")
    return lines


def _counted(count: int, one: str, many: str) -> str:
    return f"1 critical pair {one}" if count == 1 else f"{count} critical pairs {many}"


def _indented(pairs: Sequence[Pair], most: int = 20) -> list[str]:
    lines = [f"  {line}" for pair in pairs[:most] for line in str(pair).splitlines()]
    return [*lines, f"  and {len(pairs) - most} more, in .pairs"] if len(pairs) > most else lines


def _domains(term: Term) -> str:
    parts = []
    for each in term.free_symbols:
        symbol = each.symbol
        assert symbol is not None
        low = f"{symbol.low:g} <= " if symbol.low is not None else ""
        high = f" <= {symbol.high:g}" if symbol.high is not None else ""
        whole = " is an integer" if symbol.dtype == "int64" else ""
        if low or high or whole:
            parts.append(f"{low}{symbol.name}{high}{whole}")
    return ", ".join(parts)
