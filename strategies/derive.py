"""Deriving a result step by step: what differs, which laws it needs, and how they lead there.

Parts that differ are explained by themselves where their values agree, so that what is searched is
small; where that leads nowhere, what they are parts of is tried. What is returned was replayed.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from rewrite.dag import Dag
from rewrite.egraph.assumptions import implied
from rewrite.egraph.explanation import Explanation, Step
from rewrite.egraph.limits import Limits
from rewrite.egraph.plain import Plain
from rewrite.egraph.proofs import Law, Move
from rewrite.egraph.prover import MOST_NODES, Prover
from rewrite.egraph.relevance import heads
from rewrite.egraph.replay import replay
from rewrite.egraph.telling import Telling, numbers_as_written
from rewrite.errors import ArgumentError, ExplanationError
from rewrite.fastmath import FastMath, licence
from rewrite.intervals import Fact
from rewrite.numeric import require_numbers
from rewrite.options import configured
from rewrite.progress import advance, followed, stage
from rewrite.rule import Rule, RuleSet
from rewrite.rules import EXPAND, SIMPLIFY
from rewrite.rules.powers import POWER_VALUES
from rewrite.store import Store
from rewrite.term import Term
from strategies.cuts import Cut, Values
from strategies.explain import attempt, candidates, reduced

__all__ = ["derived", "explain"]

BUDGET: Final = 2.0
"""An explanation may take so many times the time limit of one search, in seconds of the CPU."""
WAIT: Final = 3.0
"""And so many times that in seconds of the clock, where the machine is busy."""
FEW_NODES: Final = 4000
"""With all rules that match, of which there are many, e-nodes are few; else fewer rules do."""
AGAIN: Final = 1.0
"""Seconds for a part with laws that other parts needed, before its own are looked for."""
TIGHTEN: Final = 0.3
PART: Final = 0.3
"""The share of the time that is left which a part may take before what it is part of is tried."""
SHORTEN: Final = 0.25
"""The share of the time that is left which may be spent on fewer laws, and on fewer steps."""
MOST_STEPS: Final = 3000
DEEPEST: Final = 100
"""So many parts inside each other are looked at, where more than one differs at each."""
ALWAYS: Final = POWER_VALUES["pow-one"]
"""The e-graph does this as arithmetic."""


@followed
@configured
def explain(
    source: Any,
    target: Any,
    *,
    math: str | FastMath = "guarded",
    rules: RuleSet | Sequence[Rule] = (),
    limits: Limits | None = None,
    progress: bool | None = None,
) -> Explanation:
    """Derive a term from another one that is believed to be equal, one law a step.

    Both may be sequences of terms, derived in pairs. `rules` are laws of your own beside those of
    the library that `math` allows. Where no derivation is found within `limits`, the explanation
    says so: `.explained` is False. That proves nothing: the terms may be equal all the same. A bar
    is shown after a second, as `rw.optimize` does. Raise
    `ArgumentError` for what is no term, and for sequences of different lengths.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> print(rw.explain((x + y) - x, y))
       x + y - x
    1. add-sub-cancel-left: ?a + ?b - ?a -> ?b, with ?a = x, ?b = y
       = y
    >>> rw.explain(x, y).explained
    False
    """
    single = isinstance(source, Term)
    pairs = [[one] if single else list(one) for one in (source, target)]
    if len(pairs[0]) != len(pairs[1]) or not all(isinstance(t, Term) for p in pairs for t in p):
        raise ArgumentError(
            f"explain takes a term and another one, or as many of each, not {source!r} and "
            f"{target!r}; write numbers as rw.const(number)"
        )
    return derived(pairs[0], pairs[1], licence(math), limits or Limits(), tuple(rules))


def derived(
    sources: Sequence[Term], targets: Sequence[Term], allowed: FastMath, limits: Limits,
    own: tuple[Rule, ...] = (),
) -> Explanation:  # fmt: skip
    """Explain terms by others within about `BUDGET` times the time limit."""
    made = Explanation(tuple(sources), tuple(targets), licence=allowed, own=own)
    if made.sources == made.targets:
        return made
    search = _Search(sources, targets, allowed, limits, own)
    stage("explaining", unit="search")
    return search.explanation(made)


@dataclass
class _Search:
    """Looks for the steps between the parts of two programs in one store."""

    sources: Sequence[Term]
    targets: Sequence[Term]
    allowed: FastMath
    limits: Limits
    own: tuple[Rule, ...]
    store: Store = field(default_factory=Store)
    laws: tuple[Rule, ...] | None = None
    """Those that were last found to be enough."""
    _known: dict[tuple[int, int], list[Move] | None] = field(default_factory=dict)
    _used: dict[Rule, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Load both programs."""
        budget = BUDGET * self.limits.time_limit(0)
        self.end, self.last = time.process_time() + budget, time.perf_counter() + WAIT * budget
        self.fold = FastMath.REASSOC in self.allowed
        made = Plain(self.store)
        self.before = [made.of(term) for term in self.sources]
        self.after = [made.of(term) for term in self.targets]
        require_numbers(Dag.of(self.store, [*self.before, *self.after]), "an explanation")
        names = {rule.name for rule in self.own}
        library = [r for r in (*SIMPLIFY, *EXPAND) if r.name not in names]
        usable = [r for r in (*self.own, *library) if r.symbolic and r.licence in self.allowed]
        self.usable = tuple(usable)
        self.granted: dict[int, Fact] = {}
        finite = FastMath.NNAN | FastMath.NINF in self.allowed
        if finite and len(set(self.before)) == 1:
            self.granted = implied(self.store, self.before[0])
        self.values = Values(self.store, [*self.before, *self.after])

    def explanation(self, empty: Explanation) -> Explanation:
        """Derive each result, and replay all."""
        telling = Telling(
            self.store, numbers_as_written([*self.sources, *self.targets]), self.granted
        )
        steps: list[Step] = []
        for result, (one, other) in enumerate(zip(self.before, self.after, strict=True)):
            moves = self.moves(one, other, 0)
            if moves is None or len(steps) + len(moves) > MOST_STEPS:
                return replace(empty, explained=False, why=self._why(moves), laws=self.laws or ())
            steps += telling.steps(one, moves, result)
        assumptions = telling.assumptions(steps)
        made = replace(empty, steps=tuple(steps), assumptions=assumptions)
        try:
            replay(made)
        except ExplanationError as error:
            why = f"a derivation was found that cannot be replayed: {error}"
            return replace(empty, explained=False, why=why, laws=self.laws or ())
        return made

    def _why(self, moves: list[Move] | None) -> str:
        if moves is not None:
            return f"the derivation has more than {MOST_STEPS} steps"
        within = (
            f"within the limits of {self.limits.iterations} iterations and "
            f"{self.limits.time_limit(0):g} seconds"
        )
        if self.laws is None:
            return f"which laws lead to the result was not proved {within}; limits= sets others"
        return f"the steps were not found {within}; these laws are enough:"

    def moves(self, source: int, target: int, depth: int) -> list[Move] | None:
        """Return steps from one term to another, None where none are found."""
        above: list[tuple[int, int, int]] = []
        cut = self._cut(source, target, depth)
        while cut is not None and cut.swap is None:
            differ = [place for place, (a, b) in enumerate(cut.pairs) if a != b]
            if len(differ) != 1:
                break
            above.append((source, target, differ[0]))  # no recursion where there is one way only
            source, target = cut.pairs[differ[0]]
            cut = self._cut(source, target, depth)
        found = self._here(source, target, cut, depth)
        places = tuple(place for *_, place in above)
        while found is None and above:
            source, target, _ = above.pop()
            found = self._here(source, target, None, depth)
        if found is None:
            return None
        return [replace(move, place=places[: len(above)] + move.place) for move in found]

    def _cut(self, source: int, target: int, depth: int) -> Cut | None:
        return self.values.cut(source, target) if depth < DEEPEST and source != target else None

    def _here(self, source: int, target: int, cut: Cut | None, depth: int) -> list[Move] | None:
        """Derive a pair by its parts or, where these cannot be, as a whole."""
        if source == target:
            return []
        key = (source, target)
        if key not in self._known:
            found = None if cut is None else self._by_parts(source, cut, depth)
            self._known[key] = self._whole(source, target) if found is None else found
        return self._known[key]

    def _by_parts(self, source: int, cut: Cut, depth: int) -> list[Move] | None:
        made: list[Move] = []
        if cut.swap is not None:
            args = self.store.children(source)
            names = [str(v.name) for v in (a.symbol for a in cut.swap.lhs.args) if v is not None]
            law = Law(cut.swap, tuple(sorted(zip(names, args, strict=True))))
            made.append(Move(law, True, (), source, cut.swapped))
        for place, (one, other) in enumerate(cut.pairs):
            moves = self.moves(one, other, depth + 1)
            if moves is None or len(made) + len(moves) > MOST_STEPS:
                return None
            made += [replace(move, place=(place, *move.place)) for move in moves]
        return made

    def _whole(self, source: int, target: int) -> list[Move] | None:
        """Derive one term from another; a part may take a share of the time that is left."""
        top = (source, target) in zip(self.before, self.after, strict=True)
        outer = self.end
        if not top:
            self.end = time.process_time() + PART * self._left()
        found = self._as_one(source, target)
        self.end = outer
        return found

    def _as_one(self, source: int, target: int) -> list[Move] | None:
        """Derive one term from another: with laws of other parts, with those that match, or few."""
        self.laws = None
        if self._used:
            found = self._proved(source, target, tuple(self._used), AGAIN)
            if found is not None:
                return found
        one, other = ([Term(self.store, node)] for node in (source, target))
        for rules in (
            candidates(one, other, self.allowed, self.own),
            self._any_number(*one, *other),
        ):
            if self.laws is None and self._left() > 0.0:
                left = 0.6 * self._left()
                self.laws = attempt(
                    rules, one, other, self.allowed, self.limits, seconds=left, both=True
                )
        if self.laws is None:
            return None
        found = self._proved(source, target, self.laws, self._left() / 4, FEW_NODES)
        if found is None:
            left = self._left() / 2
            self.laws = reduced(
                self.laws, one, other, self.allowed, self.limits, seconds=left, both=True
            )
            found = self._proved(source, target, self.laws, self._left())
        return found

    def _any_number(self, *ends: Term) -> list[Rule]:
        """Return the rules for the ops that are there, whatever numbers the rules have.

        2*(x*(1/2)) has no 1, but `mul-one` is of use to it.
        """
        here = set(Dag.of(self.store, [end.id for end in ends]).code.tolist())
        return [rule for rule in self.usable if heads(rule.lhs) <= here]

    def _left(self) -> float:
        """Return the seconds that are left: of this process, as others must not change the result.

        Of the clock on the wall there are more, as a last resort.
        """
        return max(0.0, min(self.end - time.process_time(), self.last - time.perf_counter()))

    def _proved(
        self, source: int, target: int, rules: Sequence[Rule], seconds: float,
        nodes: int = MOST_NODES,
    ) -> list[Move] | None:  # fmt: skip
        """Derive one term from another with some rules, then with fewer of them."""
        end = time.process_time() + min(seconds, self._left())
        best = self._run(source, target, rules, end, nodes)
        if best is None:
            return None
        prover, moves = self._fewer(source, target, best, self._soon(TIGHTEN))
        self._used |= prover.rules_of(moves)
        return prover.derive(source, target, self.usable, self._soon(SHORTEN))

    def _soon(self, share: float) -> float:
        return time.process_time() + share * self._left()

    def _fewer(
        self, source: int, target: int, best: tuple[Prover, list[Move]], end: float
    ) -> tuple[Prover, list[Move]]:
        """Run again with the rules that the steps use, and without each, while that is shorter."""
        tried: set[frozenset[Rule]] = set()
        improved = True
        while improved:
            improved = False
            rules = list(best[0].rules_of(best[1]))
            for some in (rules, *([r for r in rules if r is not one] for one in rules)):
                if frozenset(some) in tried or time.process_time() > end:
                    continue
                tried.add(frozenset(some))
                again = self._run(source, target, some, min(end, time.process_time() + AGAIN))
                if again is not None and len(again[1]) < len(best[1]):
                    best, improved = again, True
                    break
        return best

    def _run(
        self, source: int, target: int, rules: Sequence[Rule], end: float, nodes: int = MOST_NODES
    ) -> tuple[Prover, list[Move]] | None:
        more = (ALWAYS,) if self.fold and ALWAYS not in rules else ()
        advance()
        prover = Prover(self.store, (*rules, *more), fold=self.fold, granted=self.granted)
        left = max(0.0, end - time.process_time())
        limits = replace(self.limits, seconds=left, nodes=nodes)
        if not prover.prove([(source, target)], limits):
            return None
        moves = prover.steps(source, target, end)
        return None if moves is None else (prover, moves)
