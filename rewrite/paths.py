"""Extraction where the critical path costs too: prices of what is used, and the longest path.

A program's cost is no sum over classes any more. Where to start from is found by Knuth's
generalisation of Dijkstra's algorithm: classes are settled by what their tree costs and how long it
takes, and each is made of settled ones alone. Local search goes on, one class at a time; a move is
measured exactly, which only those on the critical path, or that may become it, ask for.

Source: D. Knuth, "A generalization of Dijkstra's algorithm", 1977.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rewrite.dagsearch import INFINITE, count_uses, reaches, shift

__all__ = ["Settled", "arrivals", "search_paths", "settle"]

LEAST: Final = 1e-9
"""What a move must gain."""


BOTH: Final = (1.0, 1.0)
QUICKLY: Final = (1e-3, 1.0)
"""Weights of cost and time of the starts."""


def search_paths(g: Any, late: Sequence[float], roots: Sequence[int], sweeps: int,
                 also: Iterable[Sequence[int]]) -> tuple[list[int], float] | None:  # fmt: skip
    """Return the best choice found and its cost, None without any; `also` are starts beside ours.

    Without sweeps it is the greedy start: each class takes the cheapest tree, with its time.
    """
    starts: list[Sequence[int]] = [settle(g, late, *BOTH).choice]
    if any(starts[0][root] < 0 for root in roots):
        return None
    if sweeps:
        starts += [settle(g, late, *QUICKLY).choice, *also]
    search = PathSearch(g, late, roots)
    found = []
    for start in starts:
        search.start(start)
        cost = search.improve(sweeps)
        found.append((list(g.choice), cost))
    return min(found, key=lambda pair: pair[1])


@dataclass(frozen=True, slots=True)
class Settled:
    """For each class the node chosen, what its tree costs, and when it is ready."""

    choice: list[int]
    tree: list[float]
    ready: list[float]


def settle(g: Any, late: Sequence[float], cheap: float, quick: float,
           held: Mapping[int, float] | None = None) -> Settled:  # fmt: skip
    """Choose a node for each class, by the cost of trees times `cheap` and the time times `quick`.

    `late` is the latency of each node. At (0, 1) no program is ready sooner. Classes in `held` keep
    their node, are ready at that time and cost nothing.
    """
    held = held or {}
    run = _Settling(g, late, cheap, quick)
    for group, ready in held.items():
        run.take(group, g.choice[group], 0.0, ready)
    for group in held:
        run.use(group)
    for node in range(len(g.price)):
        if g.start[node] == g.start[node + 1]:
            run.push(node)
    while run.heap:
        _, node, tree, ready = heapq.heappop(run.heap)
        group = g.owner[node]
        if run.made.choice[group] < 0:
            run.take(group, node, tree, ready)
            run.use(group)
    return run.made


class _Settling:
    """Nodes whose arguments are settled wait in a heap until their class is settled by the best."""

    def __init__(self, g: Any, late: Sequence[float], cheap: float, quick: float) -> None:
        self.g, self.late, self.cheap, self.quick = g, late, cheap, quick
        count = len(g.best)
        self.made = Settled([-1] * count, [INFINITE] * count, [INFINITE] * count)
        self.heap: list[tuple[float, int, float, float]] = []
        self.missing = [len(set(self.below(node))) for node in range(len(g.price))]

    def below(self, node: int) -> Sequence[int]:
        return self.g.args[self.g.start[node] : self.g.start[node + 1]]  # type: ignore[no-any-return]

    def take(self, group: int, node: int, tree: float, ready: float) -> None:
        made = self.made
        made.choice[group], made.tree[group], made.ready[group] = node, tree, ready

    def use(self, group: int) -> None:
        """Tell the nodes that have a class as an argument that it is settled."""
        for node in self.g.users[self.g.first_user[group] : self.g.first_user[group + 1]]:
            self.missing[node] -= 1
            if not self.missing[node]:
                self.push(node)

    def push(self, node: int) -> None:
        price, made = self.g.price[node], self.made
        if price < INFINITE and made.choice[self.g.owner[node]] < 0:
            below = self.below(node)
            tree = price + sum(made.tree[child] for child in below)
            ready = self.late[node] + max((made.ready[child] for child in below), default=0.0)
            key = self.cheap * tree + self.quick * ready
            heapq.heappush(self.heap, (key, node, tree, ready))


def arrivals(choice: Any, roots: Sequence[int], late: Sequence[float], g: Any) -> dict[int, float]:
    """Return when each class that a program uses is ready, children before parents."""
    ready: dict[int, float] = {}
    stack = list(roots)
    while stack:
        group = stack[-1]
        if group in ready:
            stack.pop()
            continue
        node = choice[group]
        below = g.args[g.start[node] : g.start[node + 1]]
        waiting = [child for child in below if child not in ready]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        ready[group] = late[node] + max((ready[child] for child in below), default=0.0)
    return ready


def tails(groups: Sequence[int], choice: Any, roots: Sequence[int], late: Sequence[float],
          g: Any) -> dict[int, float]:  # fmt: skip
    """Return how much waits for each class of a program; `groups` are those, children first."""
    tail = dict.fromkeys(roots, 0.0)
    for group in reversed(groups):
        node = choice[group]
        behind = tail[group] + late[node]
        for child in g.args[g.start[node] : g.start[node + 1]]:
            tail[child] = max(tail.get(child, 0.0), behind)
    return tail


class PathSearch:
    """Local search on prices and the critical path, from the choice in `g` on."""

    def __init__(self, g: Any, late: Sequence[float], roots: Sequence[int]) -> None:
        self.g, self.late, self.roots = g, late, roots
        self.soonest = settle(g, late, 0.0, 1.0).ready
        self.mark = 0
        self.cost = self.path = 0.0

    def start(self, choice: Sequence[int]) -> float:
        """Begin with a choice; return what it costs."""
        for group, node in enumerate(choice):
            self.g.choice[group], self.g.refs[group] = node, 0
        self.cost = count_uses(self.roots, self.g)
        self._measure()
        self.cost += self.path
        return self.cost

    def _measure(self) -> None:
        self.ready = arrivals(self.g.choice, self.roots, self.late, self.g)
        self.tail = tails(list(self.ready), self.g.choice, self.roots, self.late, self.g)
        self.path = self._longest(self.ready)

    def _longest(self, ready: Mapping[int, float]) -> float:
        return max((ready[root] for root in self.roots), default=0.0)

    def improve(self, sweeps: int) -> float:
        """Let classes switch while the cost falls; return it."""
        g = self.g
        for _ in range(sweeps):
            before = self.cost
            for group in range(len(g.refs)):
                for m in range(g.first[group], g.first[group + 1]):
                    if g.refs[group] > 0:
                        self._switch(group, g.members[m])
            if self.cost > before - LEAST:
                break
            renewed = settle(g, self.late, 1.0, 1.0, self.ready)
            for group, node in enumerate(renewed.choice):
                g.choice[group] = node
        return self.cost

    def _switch(self, group: int, node: int) -> None:
        """Let a class use another node if that lowers the cost."""
        g = self.g
        old = g.choice[group]
        below = g.args[g.start[node] : g.start[node + 1]]
        if node == old or g.price[node] >= INFINITE or any(g.choice[c] < 0 for c in below):
            return
        pay = shift(node, 1, g)
        saved = shift(old, -1, g) - pay
        self.mark += 1
        if saved + self._hope(group, node, below) > LEAST and not reaches(
            node, group, self.mark, g
        ):
            g.choice[group] = node
            path = self._longest(arrivals(g.choice, self.roots, self.late, g))
            if saved + self.path - path > LEAST:
                self.cost -= saved + self.path - path
                self._measure()
                return
            g.choice[group] = old
        shift(old, 1, g)
        shift(node, -1, g)

    def _hope(self, group: int, node: int, below: Sequence[int]) -> float:
        """Return by how much the path can at most become shorter, negative if it grows."""
        soonest = self.late[node] + max((self.soonest[child] for child in below), default=0.0)
        change = self.path - (soonest + self.tail[group])
        critical = self.ready[group] + self.tail[group] > self.path - LEAST
        return change if critical else min(0.0, change)
