"""The edges of a picture: straight through ranks, curved between them, as SVG paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal, NamedTuple

__all__ = ["LOOP", "Box", "Route", "Router"]

LOOP: Final = 22.0
"""Room beside a class for edges from it to itself."""
CORNER: Final = 9.0
TURN: Final = 27.0
"""How far below its class an edge turns that goes up."""


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right side."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower side."""
        return self.top + self.height

    @property
    def middle(self) -> float:
        """Halfway from left to right."""
        return self.left + self.width / 2


@dataclass(frozen=True, slots=True)
class Route:
    """One edge, from an argument of a node to the border of a class, as an SVG path."""

    node: int
    argument: int
    target: int
    path: str
    start: tuple[float, float]
    end: tuple[float, float]
    heading: Literal["down", "up", "left"]
    """Which way it goes as it arrives."""


@dataclass(frozen=True, slots=True)
class Router:
    """Draws edges: straight down through ranks, curved between them."""

    rows: Sequence[Sequence[Sequence[int]]]
    """The nodes of each class as they stand, from the top."""
    classes: Sequence[Box]
    nodes: Sequence[Box]
    args: Sequence[Sequence[int]]
    owner: Sequence[int]
    rank: Sequence[int]
    """Of each class."""
    chains: Mapping[tuple[int, int], Sequence[tuple[float, int]]]
    """Where an edge from one class to another passes: places and ranks, as it comes to them."""
    tops: Sequence[float]
    bottoms: Sequence[float]
    """Of each rank."""

    def routes(self) -> list[Route]:
        """Draw all edges, by node and argument."""
        return [
            self._route(node, argument, target)
            for node, targets in enumerate(self.args)
            for argument, target in enumerate(targets)
        ]

    def _route(self, node: int, argument: int, target: int) -> Route:
        group, box, count = self.owner[node], self.nodes[node], len(self.args[node])
        start = (box.left + box.width * (argument + 1) / (count + 1), box.bottom)
        pen = _Pen(*start)
        self._leave(pen, group, box, (argument + 1) / (count + 1) - 0.5)
        if group == target:
            end = self._loop(pen, self.classes[group])
            return Route(node, argument, target, str(pen), start, end, "left")
        turned = self.rank[target] < self.rank[group]
        pen.line(pen.x, self.bottoms[self.rank[group]])
        for k, (x, rank) in enumerate(self.chains[group, target]):
            first, last = self.tops[rank], self.bottoms[rank]
            if turned:
                first, last = last, first
            if turned and not k:
                pen.turn(x)
            else:
                pen.curve(x, first)
            pen.line(x, last)
        goal, rank = self.classes[target], self.rank[target]
        inner = min(12.0, goal.width / 3)
        x = min(max(pen.x, goal.left + inner), goal.right - inner)
        pen.curve(x, self.bottoms[rank] if turned else goal.top)
        if turned:
            pen.line(x, goal.bottom)
        end = (x, goal.bottom if turned else goal.top)
        return Route(node, argument, target, str(pen), start, end, "up" if turned else "down")

    def _leave(self, pen: "_Pen", group: int, box: Box, side: float) -> None:
        """Go down between the nodes of the rows below, not behind them."""
        for row in self.rows[group]:
            boxes = [self.nodes[node] for node in row]
            if boxes[0].top <= box.top:
                continue
            inner = [(a.right + b.left) / 2 for a, b in pairwise(boxes)]
            gaps = [boxes[0].left - CORNER / 2, *inner, boxes[-1].right + CORNER / 2]
            x = min(gaps, key=lambda gap: abs(gap - pen.x)) + 4 * side
            pen.curve(x, boxes[0].top)
            pen.line(x, boxes[0].bottom)

    def _loop(self, pen: "_Pen", box: Box) -> tuple[float, float]:
        """Go out of a class at its bottom, round its corner, and in from the right."""
        side, middle = box.right + 0.6 * LOOP, box.top + box.height / 2
        low = box.bottom + 0.7 * LOOP
        pen.bend((pen.x, low), (side, low), (side, box.bottom - CORNER))
        pen.bend((side, middle), (side, middle), (box.right, middle))
        return box.right, middle


class _Pen:
    """Writes a path, with vertical tangents."""

    def __init__(self, x: float, y: float) -> None:
        self.x, self.y = x, y
        self.parts = [f"M{_short(x)},{_short(y)}"]

    def line(self, x: float, y: float) -> None:
        if abs(y - self.y) > 0.01 or abs(x - self.x) > 0.01:
            self.parts.append(f"L{_short(x)},{_short(y)}")
        self.x, self.y = x, y

    def curve(self, x: float, y: float) -> None:
        half = (self.y + y) / 2
        self.bend((self.x, half), (x, half), (x, y))

    def turn(self, x: float) -> None:
        """Go down, over to a place at the same height, and up."""
        low = self.y + TURN
        self.bend((self.x, low), (x, low), (x, self.y))

    def bend(self, *points: tuple[float, float]) -> None:
        self.parts.append("C" + " ".join(f"{_short(x)},{_short(y)}" for x, y in points))
        self.x, self.y = points[-1]

    def __str__(self) -> str:
        return " ".join(self.parts)


def _short(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
