"""Elimination of the nodes between inputs and outputs, one by one, in any order.

The program is a graph whose edges hold the derivative of a node in an argument. To eliminate a
node, each edge to it from above is multiplied by each edge from it down, and the products are added
to edges that pass it by. When all are gone, what is left are the entries of the Jacobian. From the
inputs up it is forward mode, from the outputs down it is reverse mode; the greedy order takes the
node next with the fewest pairs of edges (H. Markowitz, 1957), which suits narrow places.

Source: A. Griewank, A. Walther, "Evaluating Derivatives", 2008, chapters 9 and 10.
"""

from typing import Any, Final

from rewrite import ops
from rewrite.native import inlined, native
from rewrite.slim import slim
from strategies.calculus.machine.graph import (
    CELLS,
    COUNT,
    DOWN_EDGE,
    DOWNS,
    EDGE_COLUMNS,
    EDGES,
    HEAD,
    LAST,
    LAST_UP,
    LOW,
    NEXT,
    NEXT_UP,
    OPERATIONS,
    OTHER,
    UNITY,
    UP,
    UP_EDGE,
    UPS,
    WRITES,
    contribute,
    enter,
    multiplied,
    summed,
    unlink,
)  # fmt: skip
from strategies.calculus.machine.heap import drop_least, push
from strategies.calculus.machine.writing import (
    CONST,
    EACH,
    MASKS,
    ONE,
    USED,
    ZERO,
    choice,
    ends,
    times,
)  # fmt: skip

__all__ = [
    "AT", "CELLS", "DONE", "DOWNWARDS", "EDGES", "EDGE_COLUMNS", "FOUND", "FROM_ABOVE",
    "FROM_BELOW", "HEAP", "LIMIT", "MOST", "NEED", "OPERATIONS", "ROOM", "TOO_MANY", "UPWARDS",
    "WRITES", "build", "collect", "eliminate", "enter",
]  # fmt: skip

_ADD: Final = ops.ADD.code
_WHERE: Final = ops.WHERE.code

# further cells of the state: how many entries of the heap and results there are, ...
HEAP, FOUND = 3, 4
AT: Final = 5
"""what is next, a position or an output,"""
NEED: Final = 6
"""how much room the next one needs, in nodes,"""
PAIRS: Final = 10
"""pairs of edges that were looked at,"""
LIMIT: Final = 11
"""how many of these there may be,"""
MOST: Final = 12
"""and how many products and sums."""

DONE, ROOM, TOO_MANY = 0, 1, 2
NOTHING: Final = -1
UPWARDS, DOWNWARDS, FROM_BELOW, FROM_ABOVE = 0, 1, 2, 3
"""Orders: those of the modes, and the greedy ones, which differ in whom they take of several."""

_GONE: Final = -1
"""How many edges a node has that is eliminated."""

_EACH_PAIR: Final = 8 + 2 * MASKS
"""Nodes that a product and its sum may need."""


@inlined
def _push(at: int, order: int, G: Any, st: Any) -> None:
    """Enter a node into the heap by its pairs of edges."""
    nodes, heap = G[2], G[5]
    tie = at if order == FROM_BELOW else 0x7FFFFFFF - at
    push(heap, st[HEAP], (nodes[at, DOWNS] * nodes[at, UPS] << 32) + tie)
    st[HEAP] += 1


@inlined
def _fits(fresh: int, contributions: int, need: int, touched: int, G: Any, st: Any, S: Any) -> bool:
    """Tell whether there is room for so many edges, sums of so many numbers, nodes and keys."""
    edges, cells, _, slots, terms, heap = G
    used = st[USED]
    st[NEED] = need
    return bool(
        st[EDGES] + fresh < len(edges)
        and st[CELLS] + fresh < len(cells)
        and 2 * (st[EDGES] + fresh) < len(slots)
        and contributions < len(terms)
        and st[HEAP] + touched < len(heap)
        and (not st[WRITES] or (
            used + need < len(S[0])
            and S[1][used] + 3 * need < len(S[2])
            and 2 * (used + need) < len(S[5])
        ))
    )  # fmt: skip


@inlined
def _partial(at: int, k: int, D: Any, T: Any, st: Any, S: Any) -> int:
    """Return the derivative of a node in its argument k."""
    code, first, args, ids = D[0], D[1], D[2], D[3]
    K, heads = T[2], T[0]
    if code[at] == _WHERE:
        left = K[ONE] if k == 1 else K[ZERO]
        right = K[ZERO] if k == 1 else K[ONE]
        return int(choice(ids[args[first[at]]], left, right, T, st, S)) if st[WRITES] else OTHER
    if code[at] == _ADD:
        return int(K[ONE]) if st[WRITES] else UNITY
    if st[WRITES]:
        return int(times(K[ONE], at, k, D, T, st, S))
    above = heads[code[at] * 8 + min(k, 7), 2]
    if above == CONST + ZERO:
        return NOTHING
    return UNITY if above == CONST + ONE and heads[code[at] * 8 + k, 3] < 0 else OTHER


@inlined
def _edges_down(at: int, D: Any, G: Any, T: Any, st: Any, S: Any) -> None:
    """Make the edges of a node to its arguments."""
    code, first, args, _, active, _ = D
    nothing = T[2][ZERO] if st[WRITES] else NOTHING
    if st[WRITES]:
        ends(at, D, T, st, S)
    for k in range(first[at + 1] - first[at]):
        below = args[first[at] + k]
        if not active[below] or (k == 0 and code[at] == _WHERE):
            continue
        part = _partial(at, k, D, T, st, S)
        if part != nothing:
            contribute(at, below, part, G, st)


@native
def build(
    D: Any, inputs: Any, roots: Any, order: int, G: Any, T: Any, st: Any, S: Any
) -> int:  # fmt: skip
    """Make the edges, and one of 1 to each output, which is a node after all others."""
    D, inputs, roots, G, T, st, S = slim((D, inputs, roots, G, T, st, S))
    first, active, count = D[1], D[4], len(inputs)
    while st[AT] < count + len(roots):
        at = st[AT]
        wide = first[at + 1] - first[at] if at < count else 1
        if not _fits(wide + 1, 0, (wide + 2) * st[EACH], 1, G, st, S):
            return ROOM
        if at >= count:
            if active[roots[at - count]]:
                one = T[2][ONE] if st[WRITES] else UNITY
                contribute(at, roots[at - count], one, G, st)
        elif active[at] and inputs[at] < 0:
            _edges_down(at, D, G, T, st, S)
        st[AT] = at + 1
    st[AT] = 0
    while order >= FROM_BELOW and st[AT] < count:
        at = st[AT]
        if active[at] and inputs[at] < 0:
            if st[HEAP] + 1 >= len(G[5]):
                return ROOM
            _push(at, order, G, st)
        st[AT] = at + 1
    st[AT] = 0
    return DONE


@inlined
def _may_go(at: int, order: int, G: Any, st: Any, S: Any) -> bool:
    """Tell whether there is room to eliminate a node."""
    edges, nodes = G[0], G[2]
    most, total_ = 0, 0
    e, downs, ups = nodes[at, DOWN_EDGE], nodes[at, DOWNS], nodes[at, UPS]
    while e >= 0:
        most, total_ = max(most, edges[e, COUNT]), total_ + edges[e, COUNT]
        e = edges[e, NEXT]
    e = nodes[at, UP_EDGE]
    while e >= 0:
        most, total_ = max(most, edges[e, COUNT]), total_ + edges[e, COUNT]
        e = edges[e, NEXT_UP]
    touched = downs + ups if order >= FROM_BELOW else 0
    need = _EACH_PAIR * (downs * ups + total_ + 1)
    return bool(_fits(downs * ups + 1, most, need, touched, G, st, S))


@inlined
def _pass_by(at: int, G: Any, T: Any, st: Any, S: Any) -> None:
    """Multiply the edges to a node by those from it, and take it out."""
    edges, nodes = G[0], G[2]
    nothing = T[2][ZERO] if st[WRITES] else NOTHING
    st[PAIRS] += nodes[at, DOWNS] * nodes[at, UPS]
    e = nodes[at, DOWN_EDGE]
    while e >= 0:
        edges[e, HEAD] = summed(e, G, T, st, S)  # from here on it is what the edge holds
        unlink(e, NEXT_UP, LAST_UP, edges[e, LOW], UP_EDGE, UPS, G)
        e = edges[e, NEXT]
    u = nodes[at, UP_EDGE]
    while u >= 0:
        up, g = edges[u, UP], summed(u, G, T, st, S)
        unlink(u, NEXT, LAST, up, DOWN_EDGE, DOWNS, G)
        e = nodes[at, DOWN_EDGE]
        while e >= 0 and g != nothing:
            if edges[e, HEAD] != nothing:
                made = multiplied(g, edges[e, HEAD], T, st, S)
                contribute(up, edges[e, LOW], made, G, st)
            e = edges[e, NEXT]
        u = edges[u, NEXT_UP]


@inlined
def _push_around(at: int, inputs: Any, order: int, G: Any, st: Any) -> None:
    """Enter the nodes anew that a node which is taken out was joined with."""
    edges, nodes, count = G[0], G[2], len(inputs)
    e = nodes[at, DOWN_EDGE]
    while e >= 0:
        if inputs[edges[e, LOW]] < 0:
            _push(edges[e, LOW], order, G, st)
        e = edges[e, NEXT]
    e = nodes[at, UP_EDGE]
    while e >= 0:
        if edges[e, UP] < count:
            _push(edges[e, UP], order, G, st)
        e = edges[e, NEXT_UP]


@inlined
def _next(inputs: Any, order: int, G: Any, st: Any) -> int:
    """Return the node that is eliminated next, or -1; it stays where it is told from."""
    nodes, heap, count = G[2], G[5], len(inputs)
    if order >= FROM_BELOW:
        while st[HEAP] > 0:
            tie = heap[0] & 0xFFFFFFFF
            at = tie if order == FROM_BELOW else 0x7FFFFFFF - tie
            pairs = nodes[at, DOWNS] * nodes[at, UPS]
            if nodes[at, DOWNS] != _GONE and pairs == heap[0] >> 32:
                return int(at)
            st[HEAP] -= 1
            drop_least(heap, st[HEAP])
        return -1
    while st[AT] < count:
        at = st[AT] if order == UPWARDS else count - 1 - st[AT]
        if inputs[at] < 0 and nodes[at, DOWNS] + nodes[at, UPS] > 0:
            return int(at)
        st[AT] += 1
    return -1


@native
def eliminate(inputs: Any, order: int, G: Any, T: Any, st: Any, S: Any) -> int:
    """Eliminate all nodes that are neither inputs nor outputs.

    Where there is no room it returns ROOM, to be called again; TOO_MANY beyond a limit.
    """
    inputs, G, T, st, S = slim((inputs, G, T, st, S))
    nodes = G[2]
    while True:
        at = _next(inputs, order, G, st)
        if at < 0:
            st[AT] = 0
            return DONE
        if not _may_go(at, order, G, st, S):
            return ROOM
        if order >= FROM_BELOW:
            st[HEAP] -= 1
            drop_least(G[5], st[HEAP])
        _pass_by(at, G, T, st, S)
        if order >= FROM_BELOW:
            _push_around(at, inputs, order, G, st)
        nodes[at, DOWNS], nodes[at, UPS] = _GONE, _GONE
        nodes[at, DOWN_EDGE], nodes[at, UP_EDGE] = -1, -1
        if st[PAIRS] > st[LIMIT] or st[OPERATIONS] > st[MOST]:
            return TOO_MANY


@native
def collect(inputs: Any, outputs: int, found: Any, G: Any, T: Any, st: Any, S: Any) -> int:
    """List what the edges from the outputs to the inputs hold: output, input, node."""
    inputs, found, G, T, st, S = slim((inputs, found, G, T, st, S))
    edges, nodes, count = G[0], G[2], len(inputs)
    while st[AT] < outputs:
        e = nodes[count + st[AT], DOWN_EDGE]
        if e < 0:
            st[AT] += 1
            continue
        wide = edges[e, COUNT]
        if not _fits(0, wide, _EACH_PAIR * (wide + 1), 0, G, st, S) or st[FOUND] == len(found):
            return ROOM
        made = summed(e, G, T, st, S)
        nodes[count + st[AT], DOWN_EDGE] = edges[e, NEXT]
        if st[WRITES] and made != T[2][ZERO]:
            row = st[FOUND]
            found[row, 0], found[row, 1], found[row, 2] = st[AT], inputs[edges[e, LOW]], made
            st[FOUND] = row + 1
    return DONE
