"""Congruence closure that remembers why: classes of equal terms, and the steps between any two.

After Nieuwenhuis & Oliveras 2005, "Proof-producing congruence closure", and Flatt et al. 2022,
"Small proofs from congruence closure". The terms are nodes of a store, not e-nodes: a law joins
what its two sides become for one instance, so that each step of a proof is between two terms that
exist. Terms with children of the same classes are joined by congruence.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rewrite import ops
from rewrite.egraph.language import exact
from rewrite.egraph.plain import Place
from rewrite.rule import Rule
from rewrite.store import Store

__all__ = ["Law", "Move", "Proofs"]

MOST_WORK: Final = 50_000
"""So many nodes may be rebuilt by the steps of a proof: each costs what is above its place."""
DEEPEST: Final = 150
"""How deep a congruence may need other congruences before a proof is given up."""


@dataclass(frozen=True, slots=True)
class Law:
    """Why two terms are equal: a rule for an instance of its variables, or exact arithmetic."""

    rule: Rule | None
    """None for arithmetic on constants."""
    instance: tuple[tuple[str, int], ...] = ()
    because: tuple["Reason", ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a condition holds: it does for the terms that its variables are equal to."""

    place: int
    """Which of the rule's conditions; those on integer variables come after the others."""
    witnesses: tuple["Witness", ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """A variable, what it stands for, and an equal term of which enough is known."""

    name: str
    node: int
    form: int
    moves: tuple["Move", ...] = ()
    """How the one becomes the other; only in what `Prover.derive` returns."""


@dataclass(frozen=True, slots=True)
class Move:
    """One law at a place; forward means from its left side to its right side."""

    law: Law
    forward: bool
    place: Place
    source: int
    target: int
    """The subterm before and after."""


class Proofs:
    """Classes of the nodes of a store, closed under congruence, with a forest of reasons."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.root: dict[int, int] = {}
        self.members: dict[int, list[int]] = {}
        """Of each class one term for each op and classes of children: its e-nodes."""
        self.constant: dict[int, int] = {}
        """The exact constant of a class, where it has one."""
        self.laws: dict[int, list[tuple[int, Law, bool]]] = {}
        """What laws make of each term, also where both were equal before."""
        self.conflict = False
        self.count = 0
        """E-nodes by now."""
        self._users: dict[int, list[int]] = {}
        self._sizes: dict[int, int] = {}
        self._table: dict[tuple[int, ...], int] = {}
        self._link: dict[int, tuple[int, Law | None, bool]] = {}
        self._queue: list[tuple[int, int, Law | None]] = []

    def find(self, node: int) -> int:
        """Return the class of a term, as one of its terms."""
        root = self.root
        top = node
        while root[top] != top:
            top = root[top]
        while root[node] != top:
            root[node], node = top, root[node]
        return top

    def add(self, node: int) -> int:
        """Enter a term and all below it."""
        if node in self.root:
            return node
        stack = [node]
        while stack:
            at = stack[-1]
            missing = [c for c in self.store.children(at) if c not in self.root]
            if missing:
                stack += missing
                continue
            stack.pop()
            if at not in self.root:
                self._enter(at)
        return node

    def _enter(self, node: int) -> None:
        store, args = self.store, self.store.children(node)
        self.root[node] = node
        self._sizes[node] = 1
        self._users[node] = []
        self.members[node] = []
        if not args:
            if is_exact(store, node):
                self.constant[node] = node
            self.members[node].append(node)
            self.count += 1
            return
        for child in dict.fromkeys(map(self.find, args)):
            self._users[child].append(node)
        key = self.key(node)
        twin = self._table.get(key)
        if twin is None:
            self._table[key] = node
            self.members[node].append(node)
            self.count += 1
        else:
            self._queue.append((node, twin, None))
            self._close()

    def key(self, node: int) -> tuple[int, ...]:
        """Return what congruent terms share: the op and the classes of the children."""
        return (self.store.code(node), *map(self.find, self.store.children(node)))

    def join(self, source: int, target: int, law: Law) -> bool:
        """Make two terms equal by a law; tell whether they were not before."""
        self.add(source)
        self.add(target)
        if source != target:
            self.laws.setdefault(source, []).append((target, law, True))
            self.laws.setdefault(target, []).append((source, law, False))
        if self.find(source) == self.find(target):
            return False
        self._queue.append((source, target, law))
        self._close()
        return True

    def _close(self) -> None:
        while self._queue:
            source, target, law = self._queue.pop()
            one, other = self.find(source), self.find(target)
            if one == other:
                continue
            forward = True
            if self._sizes[one] > self._sizes[other]:
                one, other, source, target, forward = other, one, target, source, False
            self._hang(source, target, law, forward)
            self._merge(one, other)

    def _merge(self, one: int, other: int) -> None:
        """Put one class into the other, and join what is congruent then."""
        self.root[one] = other
        self._sizes[other] += self._sizes.pop(one)
        if one in self.constant:
            number = self.constant.pop(one)
            if self.constant.setdefault(other, number) != number:
                self.conflict = True
        moved = self._users.pop(one)
        for node in moved:
            key = self.key(node)
            twin = self._table.setdefault(key, node)
            if self.find(twin) != self.find(node):
                self._queue.append((node, twin, None))
        self._users[other] += moved
        self.members[other] += self.members.pop(one)

    def tidy(self) -> None:
        """Keep one term for each e-node."""
        self.count = 0
        for root, nodes in self.members.items():
            if len(nodes) > 1:
                kept: dict[tuple[int, ...], int] = {}
                for node in nodes:
                    leaf = self.store.code(node) <= ops.PVAR.code
                    kept.setdefault((-1, node) if leaf else self.key(node), node)
                self.members[root] = list(kept.values())
            self.count += len(self.members[root])

    def _hang(self, source: int, target: int, law: Law | None, forward: bool) -> None:
        """Make `source` the root of its tree of reasons, and hang it below `target`."""
        node, above = source, self._link.pop(source, None)
        self._link[source] = (target, law, forward)
        while above is not None:
            parent, reason, along = above
            above = self._link.pop(parent, None)
            self._link[parent] = (node, reason, not along)
            node = parent

    # -- proofs ------------------------------------------------------------------------------

    def equal(self, one: int, other: int) -> bool:
        """Tell whether two terms are in one class."""
        return self.find(one) == self.find(other)

    def moves(self, source: int, target: int) -> list[Move] | None:
        """Return the steps from one term to an equal one, None where they are too many."""
        try:
            return bounded(self._moves(source, target, (), 0))
        except _TooDeep:
            return None

    def _moves(self, source: int, target: int, place: Place, depth: int) -> Iterator[Move]:
        if depth > DEEPEST:
            raise _TooDeep
        for one, other, law, forward in self.path(source, target):
            if law is not None:
                yield Move(law, forward, place, one, other)
                continue
            pairs = zip(self.store.children(one), self.store.children(other), strict=True)
            for k, (a, b) in enumerate(pairs):
                if a != b:
                    yield from self._moves(a, b, (*place, k), depth + 1)

    def path(self, source: int, target: int) -> list[tuple[int, int, Law | None, bool]]:
        """Return the edges of the forest between two terms of one tree."""
        up = {source: 0}
        climb: list[tuple[int, int, Law | None, bool]] = []
        node = source
        while node in self._link:
            above, law, forward = self._link[node]
            climb.append((node, above, law, forward))
            up[above] = len(climb)
            node = above
        down: list[tuple[int, int, Law | None, bool]] = []
        node = target
        while node not in up:
            above, law, forward = self._link[node]
            down.append((above, node, law, not forward))
            node = above
        return [*climb[: up[node]], *reversed(down)]


def bounded(moves: Iterable[Move]) -> list[Move] | None:
    """Return steps, None where it would take too long to write them down."""
    found: list[Move] = []
    work = 0
    for move in moves:
        found.append(move)
        work += 1 + len(move.place)
        if work > MOST_WORK:
            return None
    return found


class _TooDeep(Exception):
    """A congruence needs another one, and so on, more than `DEEPEST` times."""


def is_exact(store: Store, node: int) -> bool:
    """Tell whether a node is a constant that has an exact value."""
    value = store.value(node)
    return value is not None and exact(value) is not None
