"""The critical path in an integer program: when each class is ready, as continuous columns.

A chosen node makes its class wait for each of its arguments. How soon a class can be ready at best,
and how much at least waits for it, tightens the rows that say so, and drops nodes that no program
cheaper than a known one has time for.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from rewrite.dagsearch import INFINITE
from rewrite.paths import arrivals, settle

__all__ = ["Least", "Levels"]


class Least:
    """Bounds below all programs: when a class is ready, and what waits for it."""

    def __init__(self, g: Any, roots: Sequence[int], late: Sequence[float]) -> None:
        self.g, self.roots, self.late = g, roots, late
        self.ready = settle(g, late, 0.0, 1.0).ready
        self.node = [
            late[node] + max((self.ready[c] for c in self.below(node)), default=0.0)
            for node in range(len(late))
        ]
        self.tail = self._tails()
        self.path = max((self.ready[root] for root in roots), default=0.0)

    def below(self, node: int) -> Sequence[int]:
        """Return the classes of a node's arguments."""
        g = self.g
        return g.args[g.start[node] : g.start[node + 1]]  # type: ignore[no-any-return]

    def _tails(self) -> list[float]:
        """Find, from the roots down, the shortest way from each class to a root."""
        tail = [INFINITE] * len(self.ready)
        heap = [(0.0, root) for root in self.roots]
        g = self.g
        while heap:
            behind, group = heapq.heappop(heap)
            if tail[group] < INFINITE:
                continue
            tail[group] = behind
            for node in g.members[g.first[group] : g.first[group + 1]]:
                if g.price[node] < INFINITE:
                    for child in self.below(node):
                        heapq.heappush(heap, (behind + self.late[node], child))
        return tail

    def through(self, node: int) -> float:
        """Return the length that the path has at least in a program with a node."""
        tail: float = self.tail[self.g.owner[node]]
        return max(self.path, self.node[node] + tail)

    def too_late(self, limit: float) -> set[int]:
        """Return the nodes whose path alone costs more than a known program."""
        return {node for node in range(len(self.late)) if self.through(node) > limit + 1e-9}


class Levels:
    """Columns for when classes are ready, and one for the path, in a solver."""

    def __init__(self, solver: Any, program: Any, least: Least, limit: float) -> None:
        self.solver, self.program, self.least = solver, program, least
        model = program.model
        prices = sum(min(least.g.price[n] for n in model.members[c]) for c in model.always)
        latest = sum(
            max((least.late[n] for n in nodes), default=0.0) for nodes in model.members.values()
        )
        longest = max(least.path, min(limit - prices, latest) + 1e-6)
        self.length = self._column(1.0, least.path, longest)
        # a class that cannot be ready in time is not used: where it ends then does not matter
        self.end = {c: max(least.ready[c], longest - least.tail[c]) for c in model.members}
        self.column = {c: self._column(0.0, least.ready[c], self.end[c]) for c in model.members}
        for group, nodes in model.members.items():
            self._wait(group, nodes)
        for root in dict.fromkeys(least.roots):
            self._row({self.length: 1.0, self.column[root]: -1.0}, 0.0)

    def _wait(self, group: int, nodes: Sequence[int]) -> None:
        """State that a class is ready after the arguments of the node that it chooses."""
        least, columns, level = self.least, self.program.column, self.column[group]
        early = {columns[n]: least.ready[group] - least.node[n] for n in nodes}
        self._row({level: 1.0, **early}, least.ready[group])
        through = {columns[n]: -least.through(n) for n in nodes}
        self._row({self.length: 1.0, **through}, 0.0)
        for node in nodes:
            for child in dict.fromkeys(least.below(node)):
                slack = self.end[child] + least.late[node] - least.ready[group]
                row = {level: 1.0, self.column[child]: -1.0, columns[node]: -slack}
                self._row(row, least.late[node] - slack)

    def _column(self, cost: float, lower: float, upper: float) -> int:
        none = np.array([], np.int32), np.array([], np.float64)
        self.solver.addCol(cost, lower, upper, 0, *none)
        return int(self.solver.getNumCol()) - 1

    def _row(self, row: dict[int, float], lower: float) -> None:
        index, value = np.array(list(row), np.int32), np.array(list(row.values()), np.float64)
        self.solver.addRow(lower, np.inf, len(row), index, value)

    def path(self, choice: dict[int, int]) -> float:
        """Return the length of a program's critical path."""
        least = self.least
        ready = arrivals(choice, least.roots, least.late, least.g)
        return max((ready[root] for root in least.roots), default=0.0)

    def fill(self, x: Any, choice: dict[int, int]) -> None:
        """Complete a solution that chooses a program's nodes."""
        ready = arrivals(choice, self.least.roots, self.least.late, self.least.g)
        for group, column in self.column.items():
            x[column] = max(self.least.ready[group], ready.get(group, 0.0))
        x[self.length] = max(x[self.column[root]] for root in self.least.roots)
