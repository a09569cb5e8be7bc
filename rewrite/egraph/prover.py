"""Proving two terms equal by a few rules: saturation that can say afterwards how it got there.

egglog keeps no proofs. Once it has told which rules are needed, both terms are loaded here, those
rules run until they meet, and `rewrite.egraph.proofs` returns the steps.
"""

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from rewrite.egraph.assumptions import Known, condition_holds, conditions_of, meet
from rewrite.egraph.ematch import Binding, Snapshot, program_of
from rewrite.egraph.folding import folded
from rewrite.egraph.limits import Limits
from rewrite.egraph.plain import fill
from rewrite.egraph.proofs import Law, Move, Proofs, Reason, Witness
from rewrite.egraph.shorten import Laws, shortened, without_loops
from rewrite.egraph.shortest import Shortest
from rewrite.intervals import Fact
from rewrite.rule import Condition, Rule, symbols_of
from rewrite.rules import EXPAND
from rewrite.store import Store

__all__ = ["MOST_NODES", "Prover"]

FORMS: Final = 4
"""So many terms of a class are kept for what they say of its value."""
SWEEPS: Final = 2
_GROWING: Final = frozenset(rule.name for rule in EXPAND)
MOST_NODES: Final = 10_000
"""E-nodes for few rules: there is no back-off."""
DEEPEST: Final = 8
"""So many conditions may rest on steps whose conditions rest on others."""


class Prover:
    """Saturates a store's terms with rules and keeps the reasons."""

    def __init__(
        self, store: Store, rules: Sequence[Rule], *, fold: bool, granted: Mapping[int, Fact],
    ) -> None:  # fmt: skip
        self.store = store
        self.proofs = Proofs(store)
        self.known = Known(store, granted)
        self.fold = fold
        first = sorted(
            rules, key=lambda rule: rule.name in _GROWING
        )  # what shrinks, before the rest
        self.rules = [(rule, program_of(rule.lhs), conditions_of(rule)) for rule in first]
        self.forms: dict[int, list[int]] = {}
        """Of a class, terms that are known to have a value, and what is known of them differs."""
        self._conditional = any(asked for *_, asked in self.rules)
        self._done: set[tuple[object, ...]] = set()

    def prove(self, pairs: Sequence[tuple[int, int]], limits: Limits) -> bool:
        """Run the rules until each pair is equal, or nothing is left to do, or a limit is met."""
        begin = time.process_time()
        for pair in pairs:
            for node in pair:
                self.proofs.add(node)
        size = limits.node_limit(self.proofs.count)
        for _ in range(limits.iterations + 1):
            self._settle()
            if self._met(pairs):
                return True
            deadline = begin + limits.time_limit(0)
            if self.proofs.conflict or self.proofs.count > size:
                return False
            if time.process_time() > deadline:
                return False
            if not self._iterate(pairs, size, deadline):
                break
        self._settle()
        return self._met(pairs)

    def _met(self, pairs: Sequence[tuple[int, int]]) -> bool:
        return not self.proofs.conflict and all(self.proofs.equal(*pair) for pair in pairs)

    def _iterate(self, pairs: Sequence[tuple[int, int]], size: int, deadline: float) -> bool:
        """Apply every rule once everywhere; tell whether that changed anything."""
        if self._conditional:
            self._learn()
        found: list[tuple[Rule, tuple[Condition, ...], Binding]] = []
        classes = Snapshot(self.proofs)
        for rule, program, asked in self.rules:
            found += [(rule, asked, binding) for binding in classes.matches(program)]
            if time.process_time() > deadline:
                return False
        changed = False
        for rule, asked, binding in found:
            changed |= self._apply(rule, asked, binding)
            if changed and (self._met(pairs) or self.proofs.count > 2 * size):
                return True
        return changed

    def _apply(self, rule: Rule, asked: tuple[Condition, ...], binding: Binding) -> bool:
        roots = tuple([(name, self.proofs.find(node)) for name, node in binding.items()])
        key = (rule.name, roots)
        if key in self._done:
            return False
        reasons = self._reasons(asked, binding)
        if reasons is None:
            return False
        self._done.add(key)
        law = Law(rule, tuple(sorted(binding.items())), reasons)
        left = self.proofs.add(fill(self.store, rule.lhs, binding))
        right = self.proofs.add(fill(self.store, rule.rhs, binding))
        return self.proofs.join(left, right, law)

    # -- derivations -------------------------------------------------------------------------

    def derive(
        self, source: int, target: int, laws: Iterable[Rule], deadline: float
    ) -> list[Move] | None:
        """Return the steps between two terms that were proved equal; None if they are too many.

        `laws` are all that a step may use where that makes it shorter.
        """
        moves = self.steps(source, target, deadline)
        if moves is None:
            return None
        known = Laws(self.store, laws, self.reasons, self.may, fold=self.fold)
        short = shortened(self.store, source, moves, known, deadline)
        return self._resolved(self.store, short, 0)

    def rules_of(self, moves: Iterable[Move]) -> dict[Rule, None]:
        """Return the rules that steps use, and those that their conditions rest on."""
        found: dict[Rule, None] = {}
        waiting = list(moves)
        seen: set[tuple[int, int]] = set()
        while waiting:
            law = waiting.pop(0).law
            if law.rule is not None:
                found[law.rule] = None
            for witness in (w for reason in law.because for w in reason.witnesses):
                pair = (witness.node, witness.form)
                if witness.node != witness.form and pair not in seen:
                    seen.add(pair)
                    waiting += self.proofs.moves(*pair) or ()
        return found

    def may(self, law: Law, forward: bool) -> bool:
        """Tell whether a law may be used so: backwards it must not bring what has no value."""
        if forward or law.rule is None:
            return True
        kept = {symbol.name for symbol in symbols_of(law.rule.rhs)}
        return all(self.known.defined(node) for name, node in law.instance if name not in kept)

    def steps(self, source: int, target: int, deadline: float) -> list[Move] | None:
        """Return few steps between two terms that were proved equal, without loops."""
        moves = Shortest(self.proofs, deadline, self.may).moves(source, target)
        return None if moves is None else without_loops(self.store, source, moves)

    def _resolved(self, store: Store, moves: Sequence[Move], depth: int) -> list[Move] | None:
        """Add to each step how the terms that conditions are about become those known to meet."""
        made = []
        for move in moves:
            reasons = []
            for reason in move.law.because:
                witnesses = [self._witness(store, w, depth) for w in reason.witnesses]
                given = tuple([w for w in witnesses if w is not None])
                if len(given) < len(witnesses):
                    return None
                reasons.append(replace(reason, witnesses=given))
            law = replace(move.law, because=tuple(reasons))
            made.append(replace(move, law=law))
        return made

    def _witness(self, store: Store, witness: Witness, depth: int) -> Witness | None:
        if witness.node == witness.form:
            return witness
        found = self.proofs.moves(witness.node, witness.form) if depth < DEEPEST else None
        if found is None:
            return None
        moves = self._resolved(store, without_loops(store, witness.node, found), depth + 1)
        return None if moves is None else replace(witness, moves=tuple(moves))

    # -- constants ---------------------------------------------------------------------------

    def _settle(self) -> None:
        """Fold constants until nothing changes."""
        self.proofs.tidy()
        if not self.fold:
            return
        changed = True
        while changed and not self.proofs.conflict:
            changed = False
            for root, members in list(self.proofs.members.items()):
                if root in self.proofs.constant or root not in self.proofs.members:
                    continue
                for node in members:
                    changed |= self._fold(node)
            self.proofs.tidy()

    def _fold(self, node: int) -> bool:
        args = self.store.children(node)
        numbers = [self.proofs.constant.get(self.proofs.find(a)) for a in args]
        if not args or None in numbers:
            return False
        plain = self.store.make((self.store.code(node), *[n for n in numbers if n is not None]))
        value = folded(self.store, plain)
        if value is None:
            return False
        self.proofs.add(plain)
        return self.proofs.join(plain, self.store.constant(value), Law(None))

    # -- conditions --------------------------------------------------------------------------

    def reasons(self, rule: Rule, bound: Mapping[str, int]) -> tuple[Reason, ...] | None:
        """Return why the conditions of a rule hold for an instance, None if they may not."""
        return self._reasons(conditions_of(rule), bound)

    def _reasons(
        self, asked: tuple[Condition, ...], binding: Mapping[str, int]
    ) -> tuple[Reason, ...] | None:
        """Return why each condition holds, None if one is not known to."""
        reasons = []
        for place, condition in enumerate(asked):
            reason = self._reason(place, condition, binding)
            if reason is None:
                return None
            reasons.append(reason)
        return tuple(reasons)

    def _reason(
        self, place: int, condition: Condition, binding: Mapping[str, int]
    ) -> Reason | None:
        names = [s.name for s in symbols_of(condition.term)]
        choices = [[binding[n], *self._forms(binding[n])] for n in names]
        for chosen in itertools.islice(itertools.product(*choices), 16):
            bound = dict(zip(names, chosen, strict=True))
            if condition_holds(self.known, condition, bound):
                return Reason(place, tuple([Witness(n, binding[n], bound[n]) for n in names]))
        return None

    def _forms(self, node: int) -> list[int]:
        if node not in self.proofs.root:
            return []
        found = self.forms.get(self.proofs.find(node), ())
        return [form for form in found if form != node]

    def _learn(self) -> None:
        """Look for the forms of each class of which most is known."""
        self.forms = _regrouped(self.proofs, self.forms)
        for _ in range(SWEEPS):
            changed = False
            for root in list(self.proofs.members):
                if root in self.proofs.members:
                    for node in self.proofs.members[root]:
                        changed |= self._consider(node)
            if not changed:
                break

    def _consider(self, node: int) -> bool:
        """Look at an e-node with the best forms of its children."""
        args = self.store.children(node)
        options = [self.forms.get(self.proofs.find(a), [])[:2] for a in args]
        changed = False
        for chosen in itertools.islice(itertools.product(*options), 4):
            made = self.store.make((self.store.code(node), *chosen)) if args else node
            if self.known.defined(made) and self._better(self.proofs.find(node), made):
                self.proofs.add(made)
                changed = True
        return changed

    def _better(self, root: int, form: int) -> bool:
        """Keep a form that says more than others do; tell whether it does."""
        kept = self.forms.setdefault(root, [])
        new = self.known.fact(form)
        if any(meet(self.known.fact(old), new) == self.known.fact(old) for old in kept):
            return False
        kept[:] = [old for old in kept if meet(self.known.fact(old), new) != new]
        if len(kept) >= FORMS:
            return False
        kept.append(form)
        return True


def _regrouped(proofs: Proofs, forms: dict[int, list[int]]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for nodes in forms.values():
        for node in nodes:
            kept = found.setdefault(proofs.find(node), [])
            if node not in kept:
                kept.append(node)
    return {root: nodes[:FORMS] for root, nodes in found.items()}
