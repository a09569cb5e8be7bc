"""The graph that elimination works on: edges between nodes, in lists of those down and up.

An edge holds the derivative of its upper node in its lower one, as what was contributed to it. A
table finds the edge between two nodes. Where nothing is written, a derivative is ONE or OTHER, and
products and sums are counted.
"""

from typing import Any, Final

from rewrite.native import inlined, native
from strategies.calculus.machine.writing import chained, collected

__all__ = [
    "CELLS", "COUNT", "DOWNS", "DOWN_EDGE", "EDGES", "EDGE_COLUMNS", "HEAD", "LAST", "LAST_UP",
    "LOW", "NEXT", "NEXT_UP", "OPERATIONS", "OTHER", "UNITY", "UP", "UPS", "UP_EDGE", "WRITES",
    "contribute", "enter", "multiplied", "summed", "unlink",
]  # fmt: skip

EDGES, CELLS = 1, 2
"""The cells of the state that count edges and contributions,"""
WRITES: Final = 8
"""that tells whether anything is written,"""
OPERATIONS: Final = 9
"""and that counts products and sums."""

OTHER, UNITY = 0, 1
"""In place of a derivative where nothing is written: whether it is 1."""

# columns of an edge: the upper and the lower node, the edges after and before it among those down
# from the upper node, and among those up from the lower one, its last contribution and how many
UP, LOW, NEXT, LAST, NEXT_UP, LAST_UP, HEAD, COUNT = range(8)
EDGE_COLUMNS: Final = 8
# columns of a node: its first edge down, its first edge up, and how many of each
DOWN_EDGE, UP_EDGE, DOWNS, UPS = range(4)


@inlined
def _slot(up: int, low: int, edges: Any, slots: Any) -> int:
    """Return where the edge between two nodes is in the table, or belongs."""
    mask = len(slots) - 1
    h = up * 0x9E3779B1 + low * 0x85EBCA77
    slot = (h ^ (h >> 15)) & mask
    while slots[slot] >= 0:
        e = slots[slot]
        if edges[e, UP] == up and edges[e, LOW] == low:
            break
        slot = (slot + 1) & mask
    return int(slot)


@native
def enter(edges: Any, count: int, slots: Any) -> None:
    """Enter so many edges into an empty table."""
    for e in range(count):
        slots[_slot(edges[e, UP], edges[e, LOW], edges, slots)] = e


@native
def contribute(up: int, low: int, value: int, G: Any, st: Any) -> None:
    """Add to the derivative on an edge, which is made where there is none."""
    edges, cells, nodes, slots, _, _ = G
    slot = _slot(up, low, edges, slots)
    e = slots[slot]
    if e < 0:
        e = st[EDGES]
        st[EDGES] = e + 1
        slots[slot] = e
        edges[e, UP], edges[e, LOW], edges[e, HEAD], edges[e, COUNT] = up, low, -1, 0
        first, first_up = nodes[up, DOWN_EDGE], nodes[low, UP_EDGE]
        edges[e, NEXT], edges[e, LAST], edges[e, NEXT_UP], edges[e, LAST_UP] = (
            first, -1, first_up, -1,
        )  # fmt: skip
        if first >= 0:
            edges[first, LAST] = e
        if first_up >= 0:
            edges[first_up, LAST_UP] = e
        nodes[up, DOWN_EDGE] = nodes[low, UP_EDGE] = e
        nodes[up, DOWNS] += 1
        nodes[low, UPS] += 1
    cell = st[CELLS]
    st[CELLS] = cell + 1
    cells[cell, 0], cells[cell, 1] = value, edges[e, HEAD]
    edges[e, HEAD] = cell
    edges[e, COUNT] += 1


@inlined
def unlink(e: int, next_: int, last: int, node: int, first: int, count: int, G: Any) -> None:
    """Take an edge out of the list of a node that stays."""
    edges, nodes = G[0], G[2]
    after, before = edges[e, next_], edges[e, last]
    if after >= 0:
        edges[after, last] = before
    if before >= 0:
        edges[before, next_] = after
    else:
        nodes[node, first] = after
    nodes[node, count] -= 1


@native
def summed(e: int, G: Any, T: Any, st: Any, S: Any) -> int:
    """Return the derivative on an edge: the sum of what was contributed, the first one first."""
    edges, cells, terms = G[0], G[1], G[4]
    if edges[e, COUNT] == 1:
        return int(cells[edges[e, HEAD], 0])
    if not st[WRITES]:
        st[OPERATIONS] += edges[e, COUNT] - 1
        return OTHER
    return int(collected(edges[e, HEAD], cells, terms, T, st, S))


@inlined
def multiplied(g: int, part: int, T: Any, st: Any, S: Any) -> int:
    """Return the product of the derivatives on two edges."""
    if st[WRITES]:
        return int(chained(g, part, T, st, S))
    if g == UNITY or part == UNITY:
        return g * part
    st[OPERATIONS] += 1
    return OTHER
