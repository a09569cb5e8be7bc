"""Where classes and e-nodes stand in a picture: a layered drawing, after Sugiyama.

Classes get ranks by their longest path from the roots, edges that close a circle turned round.
Edges over several ranks pass through a slot in each; barycentre sweeps and exchanges order the
ranks, and least squares with the gaps as constraints (isotonic regression) place what is in them.
Deterministic.

Source: K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system
structures", 1981.
"""

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from rewrite.egraph.edges import LOOP, Box, Route, Router
from rewrite.egraph.ranks import ranks_of, visit

__all__ = ["Layout", "layout"]

MARGIN: Final = 16.0
CAPTION: Final = 15.0
"""Height of the strip over the e-nodes of a class, for its name."""
PAD: Final = 9.0
NODE: Final = 26.0
BETWEEN: Final = 9.0
ROW: Final = 16.0
"""Between two rows of nodes, for the edges of the upper one."""
APART: Final = 26.0
"""Between two classes side by side."""
SLOT: Final = 10.0
"""Width of what passes a rank."""
NEAREST, FARTHEST = 46.0, 150.0
"""Between two ranks, by how far the edges go sideways."""
SWEEPS: Final = 24
MOST_IN_ROW: Final = 7
STIFF: Final = 4.0
"""How much more a passing edge wants to be straight than a class wants to be near its users."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of all classes, nodes and edges, and the size of the whole."""

    width: float
    height: float
    classes: list[Box]
    nodes: list[Box]
    routes: list[Route]


def layout(
    owner: Sequence[int], args: Sequence[Sequence[int]], widths: Sequence[float], classes: int,
    roots: Sequence[int],
) -> Layout:  # fmt: skip
    """Place nodes of given widths in boxes of their classes, the roots on top.

    >>> made = layout([0, 1], [(1,), ()], [40.0, 30.0], 2, [0])
    >>> made.classes[0].bottom < made.classes[1].top, made.routes[0].end[1] == made.classes[1].top
    (True, True)
    """
    plan = _Plan(owner, args, widths, classes, roots)
    plan.order_ranks()
    plan.place()
    if plan.turn_nodes():
        plan.place()
    return plan.drawn()


@dataclass(slots=True)
class _Vertex:
    """A class, or where an edge passes a rank."""

    rank: int
    width: float
    height: float = 0.0
    weight: float = 1.0
    x: float = 0.0
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


class _Plan:
    """The drawing in the making."""

    def __init__(
        self, owner: Sequence[int], args: Sequence[Sequence[int]], widths: Sequence[float],
        classes: int, roots: Sequence[int],
    ) -> None:  # fmt: skip
        self.owner, self.args, self.widths = owner, args, widths
        self.members: list[list[int]] = [[] for _ in range(classes)]
        for node, group in enumerate(owner):
            self.members[group].append(node)
        below: list[dict[int, None]] = [{} for _ in range(classes)]
        self.loops = {owner[node] for node, some in enumerate(args) if owner[node] in some}
        for node, some in enumerate(args):
            below[owner[node]].update((group, None) for group in some if group != owner[node])
        visited, back = visit(below, roots)
        rank = ranks_of(below, visited, back, set(roots))
        self.vertices = [_Vertex(rank[c], *self._size(c)) for c in range(classes)]
        self.chains: dict[tuple[int, int], list[int]] = {}
        for group in visited:
            for child in below[group]:
                self._chain(group, child, (group, child) in back)
        self.ranks: list[list[int]] = [[] for _ in range(max(rank, default=-1) + 1)]
        for group in visited:
            self.ranks[rank[group]].append(group)
        for at in range(classes, len(self.vertices)):
            self.ranks[self.vertices[at].rank].append(at)

    def _rows(self, group: int) -> list[list[int]]:
        """Break the nodes of a class into rows of about equal length."""
        nodes = self.members[group]
        count = max(1, math.ceil(len(nodes) / max(MOST_IN_ROW, math.isqrt(3 * len(nodes)))))
        length = math.ceil(len(nodes) / count) if nodes else 1
        return [nodes[k : k + length] for k in range(0, len(nodes), length)]

    def _size(self, group: int) -> tuple[float, float]:
        """Return the width of a class with the room beside it, and its height."""
        rows = self._rows(group)
        inner = max((self._length(row) for row in rows), default=NODE)
        height = CAPTION + PAD + len(rows) * (NODE + ROW) - ROW * bool(rows)
        return inner + 2 * PAD + 2 * LOOP * (group in self.loops), height

    def _length(self, row: Sequence[int]) -> float:
        return sum(self.widths[node] for node in row) + BETWEEN * (len(row) - 1)

    def _chain(self, group: int, child: int, turned: bool) -> None:
        """Make a slot in each rank that an edge passes; one that goes up starts beside its class.

        Slots are in the order in which the edge passes them.
        """
        high, low = (child, group) if turned else (group, child)
        ranks = range(self.vertices[high].rank + 1, self.vertices[low].rank + turned)
        made = []
        last = high
        for rank in ranks:
            at = len(self.vertices)
            self.vertices.append(_Vertex(rank, SLOT, weight=STIFF))
            self._link(last, at)
            made.append(at)
            last = at
        if not turned:
            self._link(last, low)
        self.chains[group, child] = made[::-1] if turned else made

    def _link(self, high: int, low: int) -> None:
        self.vertices[high].below.append(low)
        self.vertices[low].above.append(high)

    # -- order -------------------------------------------------------------------------------

    def order_ranks(self) -> None:
        """Sort ranks by the mean place of neighbours, down and up; keep the fewest crossings."""
        best, fewest = [list(rank) for rank in self.ranks], self._crossings()
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            for rank in self.ranks if down else reversed(self.ranks):
                self._sort(rank, down)
            self._exchange(ties=sweep % 4 < 2)
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(rank) for rank in self.ranks], crossings
        self.ranks = best

    def _sort(self, rank: list[int], down: bool) -> None:
        place = self._places()
        wish: dict[int, float] = {}
        for k, at in enumerate(rank):
            vertex = self.vertices[at]
            near = vertex.above if down else vertex.below
            wish[at] = _mean([place[n] for n in near]) if near else (k + 0.5) / len(rank)
        rank.sort(key=lambda at: wish[at])

    def _exchange(self, *, ties: bool) -> None:
        """Let neighbours change places if that makes fewer crossings, or as many."""
        place = self._places()
        for rank in self.ranks:
            for k in range(len(rank) - 1):
                one, other = rank[k : k + 2]
                now = self._between(one, other, place)
                then = self._between(other, one, place)
                if then < now or (ties and then == now):
                    rank[k : k + 2] = other, one
                    place[one], place[other] = place[other], place[one]

    def _between(self, one: int, other: int, place: Mapping[int, float]) -> int:
        """Count the crossings of the edges of two that stand side by side in this order."""
        count = 0
        for mine, theirs in (
            (self.vertices[one].above, self.vertices[other].above),
            (self.vertices[one].below, self.vertices[other].below),
        ):
            ends = sorted(place[n] for n in theirs)
            count += sum(bisect.bisect_left(ends, place[n]) for n in mine)
        return count

    def _places(self) -> dict[int, float]:
        """Return how far from left to right each vertex stands in its rank, from 0 to 1."""
        return {at: (k + 0.5) / len(rank) for rank in self.ranks for k, at in enumerate(rank)}

    def _crossings(self) -> int:
        place = self._places()
        count = 0
        for rank in self.ranks:
            seen: list[float] = []
            for at in rank:
                ends = sorted(place[n] for n in self.vertices[at].below)
                count += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
                for end in ends:
                    bisect.insort(seen, end)
        return count

    # -- place -------------------------------------------------------------------------------

    def place(self) -> None:
        """Move what is in each rank towards its neighbours, keeping the order and the gaps."""
        for rank in self.ranks:
            self._settle(rank, [0.0] * len(rank))
        for sweep in range(SWEEPS):
            down = sweep % 2 == 0
            for rank in self.ranks if down else reversed(self.ranks):
                self._settle(rank, [self._wish(at, down, sweep > SWEEPS // 2) for at in rank])

    def _wish(self, at: int, down: bool, both: bool) -> float:
        vertex = self.vertices[at]
        near = vertex.above if down else vertex.below
        if both or not near:
            near = vertex.above + vertex.below
        return _mean([self.vertices[n].x for n in near]) if near else vertex.x

    def _settle(self, rank: list[int], wishes: Sequence[float]) -> None:
        """Find the places nearest to the wishes: pool neighbours that would come too close."""
        offset = [0.0]
        for one, other in pairwise(rank):
            space = (self.vertices[one].width + self.vertices[other].width) / 2
            passing = self.vertices[one].weight > 1 and self.vertices[other].weight > 1
            offset.append(offset[-1] + space + (0.0 if passing else APART))
        blocks: list[tuple[float, float, int]] = []
        for at, wish, shift in zip(rank, wishes, offset, strict=True):
            weight = self.vertices[at].weight
            block = (weight * (wish - shift), weight, 1)
            while blocks and blocks[-1][0] / blocks[-1][1] > block[0] / block[1]:
                last = blocks.pop()
                block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
            blocks.append(block)
        places = [total / weight for total, weight, count in blocks for _ in range(count)]
        for at, place, shift in zip(rank, places, offset, strict=True):
            self.vertices[at].x = place + shift

    def turn_nodes(self) -> bool:
        """Sort the nodes of each class by where their arguments stand; tell if any moved."""
        moved = False
        for group, nodes in enumerate(self.members):
            ordered = sorted(nodes, key=lambda node: self._aim(node, group))
            moved |= ordered != nodes
            self.members[group] = ordered
        for group in range(len(self.members)):
            self.vertices[group].width, self.vertices[group].height = self._size(group)
        return moved

    def _aim(self, node: int, group: int) -> float:
        ends = []
        for target in self.args[node]:
            through = self.chains.get((group, target), [])
            ends.append(self.vertices[through[0] if through else target].x)
        return _mean(ends) if ends else -math.inf

    # -- draw --------------------------------------------------------------------------------

    def drawn(self) -> Layout:
        """Fix coordinates and draw the edges."""
        left = min((v.x - v.width / 2 for v in self.vertices), default=0.0) - MARGIN
        for vertex in self.vertices:
            vertex.x -= left
        tops, y = [], MARGIN
        for k, rank in enumerate(self.ranks):
            tops.append(y)
            y += max(self.vertices[at].height for at in rank) + self._gap(k)
        bottoms = [
            top + max(self.vertices[at].height for at in rank)
            for top, rank in zip(tops, self.ranks, strict=True)
        ]
        classes, nodes = self._boxes(tops)
        chains = {
            pair: [(self.vertices[at].x, self.vertices[at].rank) for at in chain]
            for pair, chain in self.chains.items()
        }
        rank = [self.vertices[group].rank for group in range(len(classes))]
        rows = [self._rows(group) for group in range(len(classes))]
        routes = Router(
            rows, classes, nodes, self.args, self.owner, rank, chains, tops, bottoms
        ).routes()
        width = max((v.x + v.width / 2 for v in self.vertices), default=0.0) + MARGIN
        turns = any(
            route.heading != "down" and rank[self.owner[route.node]] == len(tops) - 1
            for route in routes
        )
        last = max(bottoms, default=0.0) + MARGIN + (LOOP if turns else 0.0)
        return Layout(width, last, classes, nodes, routes)

    def _gap(self, rank: int) -> float:
        """Leave more room below a rank whose edges go far sideways."""
        reach = [
            abs(self.vertices[at].x - self.vertices[n].x)
            for at in self.ranks[rank]
            for n in self.vertices[at].below
        ]
        return min(FARTHEST, NEAREST + 0.12 * max(reach, default=0.0))

    def _boxes(self, tops: Sequence[float]) -> tuple[list[Box], list[Box]]:
        nodes = [Box(0, 0, 0, 0)] * len(self.args)
        classes = []
        for group in range(len(self.members)):
            vertex = self.vertices[group]
            room = 2 * LOOP * (group in self.loops)
            width, top = vertex.width - room, tops[vertex.rank]
            classes.append(Box(vertex.x - width / 2, top, width, vertex.height))
            for k, row in enumerate(self._rows(group)):
                x = vertex.x - self._length(row) / 2
                y = top + CAPTION + k * (NODE + ROW)
                for node in row:
                    nodes[node] = Box(x, y, self.widths[node], NODE)
                    x += self.widths[node] + BETWEEN
        return classes, nodes


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
