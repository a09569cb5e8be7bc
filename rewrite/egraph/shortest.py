"""Short proofs out of a congruence closure, by shortest paths instead of the forest's.

After Flatt et al. 2022, "Small proofs from congruence closure": all applications of laws are
edges, also those that joined nothing; a congruence costs what its children's proofs do. As what
that is depends on other paths, the lengths in the forest are taken, which are never too small: so
what is found is never longer than the forest's proof, and its parts end.
"""

import heapq
import time
from collections.abc import Callable, Iterator

from rewrite.egraph.plain import Place
from rewrite.egraph.proofs import DEEPEST, Law, Move, Proofs, bounded

__all__ = ["Shortest"]

BACKWARDS = 1.0 + 2.0**-12
"""What a law costs from right to left: of two derivations as long, the one that reads better."""

type Edge = tuple[int, int, Law | None, bool]


class Shortest:
    """Shortest paths between equal terms, by the state of a closure when this was made."""

    def __init__(self, proofs: Proofs, end: float, may: Callable[[Law, bool], bool]) -> None:
        self.proofs, self.store, self.end, self.may = proofs, proofs.store, end, may
        self._groups: dict[tuple[int, ...], list[int]] = {}
        self._keys: dict[int, tuple[int, ...]] = {}
        self._lengths: dict[tuple[int, int], float] = {}
        self._routes: dict[tuple[int, int], list[Edge]] = {}
        for node in proofs.root:
            if self.store.children(node):
                key = self._keys[node] = proofs.key(node)
                self._groups.setdefault(key, []).append(node)

    def moves(self, source: int, target: int) -> list[Move] | None:
        """Return the steps from one term to an equal one, None where they are too many."""
        return bounded(self._moves(source, target, (), 0))

    def _moves(self, source: int, target: int, place: Place, depth: int) -> Iterator[Move]:
        for one, other, law, forward in self._route(source, target, depth):
            if law is not None:
                yield Move(law, forward, place, one, other)
                continue
            pairs = zip(self.store.children(one), self.store.children(other), strict=True)
            for k, (a, b) in enumerate(pairs):
                if a != b:
                    yield from self._moves(a, b, (*place, k), depth + 1)

    def _route(self, source: int, target: int, depth: int) -> list[Edge]:
        if source == target:
            return []
        key = (source, target)
        if key not in self._routes:
            found = None
            if depth < DEEPEST and time.process_time() < self.end:
                found = self._search(source, target)
            self._routes[key] = self.proofs.path(source, target) if found is None else found
        return self._routes[key]

    def _search(self, source: int, target: int) -> list[Edge] | None:
        """Find the shortest path by Dijkstra's algorithm; None if the time is over."""
        best: dict[int, float] = {source: 0.0}
        came: dict[int, Edge] = {}
        done: set[int] = set()
        queue = [(0.0, source)]
        most = self._length(source, target, 0)
        while queue:
            cost, node = heapq.heappop(queue)
            if node == target:
                break
            if node in done:
                continue
            done.add(node)
            if time.process_time() > self.end:
                return None
            for other, more, law, forward in self._edges(node):
                total = cost + more
                if total < best.get(other, most + 1e-9):
                    best[other] = total
                    came[other] = (node, other, law, forward)
                    heapq.heappush(queue, (total, other))
        if target not in came:
            return None
        path: list[Edge] = []
        at = target
        while at != source:
            path.append(came[at])
            at = came[at][0]
        return path[::-1]

    def _edges(self, node: int) -> Iterator[tuple[int, float, Law | None, bool]]:
        for other, law, forward in self.proofs.laws.get(node, ()):
            if forward or self.may(law, False):
                yield other, 1.0 if forward else BACKWARDS, law, forward
        key = self._keys.get(node)
        if key is None:
            return
        mine = self.store.children(node)
        for other in self._groups[key]:
            if other != node:
                pairs = zip(mine, self.store.children(other), strict=True)
                yield other, sum(self._length(a, b, 0) for a, b in pairs), None, True

    def _length(self, one: int, other: int, depth: int) -> float:
        """Return how many laws the proof in the forest uses."""
        if one == other:
            return 0.0
        key = (one, other)
        known = self._lengths.get(key)
        if known is not None:
            return known
        if depth > DEEPEST:
            return float("inf")
        total = 0.0
        for a, b, law, forward in self.proofs.path(one, other):
            if law is not None:
                total += 1.0 if forward else BACKWARDS
                continue
            pairs = zip(self.store.children(a), self.store.children(b), strict=True)
            total += sum(self._length(x, y, depth + 1) for x, y in pairs)
        self._lengths[key] = total
        return total
