"""Elimination of the nodes between inputs and outputs, one by one, in any order.

The program is a graph whose edges hold the derivative of a node in an argument. To eliminate a
node, each edge to it from above is multiplied by each edge from it down, and the products are added
to edges that pass it by. When all are gone, what is left are the entries of the Jacobian. From the
inputs up it is forward mode, from the outputs down it is reverse mode; the greedy order takes the
node next with the fewest pairs of edges (H. Markowitz, 1957), which suits narrow places.

Where nothing is written, products and sums are counted: a derivative is then ONE_ or OTHER.

Source: A. Griewank, A. Walther, "Evaluating Derivatives", 2008, chapters 9 and 10.
"""

from typing import Any, Final

from rewrite import ops
from rewrite.native import inlined, native
from strategies.calculus.machine.heap import drop_least, push
from strategies.calculus.machine.writing import (
    CONST,
    EACH,
    MASKS,
    ONE,
    USED,
    ZERO,
    chained,
    choice,
    ends,
    times,
    total,
)

__all__ = [
    "AT",
    "CELLS",
    "DONE",
    "DOWNWARDS",
    "EDGES",
    "EDGE_COLUMNS",
    "FOUND",
    "FROM_ABOVE",
    "FROM_BELOW",
    "HEAP",
    "LIMIT",
    "MOST",
    "NEED",
    "OPERATIONS",
    "ROOM",
    "TOO_MANY",
    "UPWARDS",
    "WRITES",
    "build",
    "collect",
    "eliminate",
    "enter",
]  # fmt: skip

_ADD: Final = ops.ADD.code
_WHERE: Final = ops.WHERE.code

# cells of the state: how many edges, contributions, entries of the heap and results there are, ...
EDGES, CELLS, HEAP, FOUND = 1, 2, 3, 4
AT: Final = 5
"""what is next, a position or an output,"""
NEED: Final = 6
"""how much room the next one needs, in nodes,"""
WRITES: Final = 8
"""whether anything is written,"""
OPERATIONS: Final = 9
"""products and sums,"""
PAIRS: Final = 10
"""pairs of edges that were looked at,"""
LIMIT: Final = 11
"""how many of these there may be,"""
MOST: Final = 12
"""and how many products and sums."""

DONE, ROOM, TOO_MANY = 0, 1, 2
NOTHING, OTHER, ONE_ = -1, 0, 1
UPWARDS, DOWNWARDS, FROM_BELOW, FROM_ABOVE = 0, 1, 2, 3
"""Orders: those of the modes, and the greedy ones, which differ in whom they take of several."""

# columns of an edge: the upper and the lower node, the edges after and before it among those down
# from the upper node, and among those up from the lower one, its last contribution and how many
_UP, _LOW, _NEXT, _LAST, _NEXT_UP, _LAST_UP, _HEAD, _COUNT = range(8)
EDGE_COLUMNS: Final = 8
# columns of a node: its first edge down, its first edge up, and how many of each; none: it is gone
_DOWN_EDGE, _UP_EDGE, _DOWNS, _UPS = range(4)
_GONE: Final = -1

_EACH_PAIR: Final = 8 + 2 * MASKS
"""Nodes that a product and its sum may need."""


@inlined
def _slot(up: int, low: int, edges: Any, slots: Any) -> int:
    """Return where the edge between two nodes is in the table, or belongs."""
    mask = len(slots) - 1
    h = up * 0x9E3779B1 + low * 0x85EBCA77
    slot = (h ^ (h >> 15)) & mask
    while slots[slot] >= 0:
        e = slots[slot]
        if edges[e, _UP] == up and edges[e, _LOW] == low:
            break
        slot = (slot + 1) & mask
    return int(slot)


@native
def enter(edges: Any, count: int, slots: Any) -> None:
    """Enter so many edges into an empty table."""
    for e in range(count):
        slots[_slot(edges[e, _UP], edges[e, _LOW], edges, slots)] = e


@native
def _contribute(up: int, low: int, value: int, G: Any, st: Any) -> None:
    """Add to the derivative on an edge, which is made where there is none."""
    edges, cells, nodes, slots, _, _ = G
    slot = _slot(up, low, edges, slots)
    e = slots[slot]
    if e < 0:
        e = st[EDGES]
        st[EDGES] = e + 1
        slots[slot] = e
        edges[e, _UP], edges[e, _LOW], edges[e, _HEAD], edges[e, _COUNT] = up, low, -1, 0
        first, first_up = nodes[up, _DOWN_EDGE], nodes[low, _UP_EDGE]
        edges[e, _NEXT], edges[e, _LAST], edges[e, _NEXT_UP], edges[e, _LAST_UP] = (
            first, -1, first_up, -1,
        )  # fmt: skip
        if first >= 0:
            edges[first, _LAST] = e
        if first_up >= 0:
            edges[first_up, _LAST_UP] = e
        nodes[up, _DOWN_EDGE] = nodes[low, _UP_EDGE] = e
        nodes[up, _DOWNS] += 1
        nodes[low, _UPS] += 1
    cell = st[CELLS]
    st[CELLS] = cell + 1
    cells[cell, 0], cells[cell, 1] = value, edges[e, _HEAD]
    edges[e, _HEAD] = cell
    edges[e, _COUNT] += 1


@inlined
def _unlink(e: int, next_: int, last: int, node: int, first: int, count: int, G: Any) -> None:
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
def _summed(e: int, G: Any, T: Any, st: Any, S: Any) -> int:
    """Return the derivative on an edge: the sum of what was contributed, the first one first."""
    edges, cells, terms = G[0], G[1], G[4]
    cell, low = edges[e, _HEAD], len(terms)
    if edges[e, _COUNT] == 1:
        return int(cells[cell, 0])
    if not st[WRITES]:
        st[OPERATIONS] += edges[e, _COUNT] - 1
        return OTHER
    while cell >= 0:
        low -= 1
        terms[low] = cells[cell, 0]
        cell = cells[cell, 1]
    return int(total(terms, low, len(terms), T, st, S))


@inlined
def _product(g: int, part: int, T: Any, st: Any, S: Any) -> int:
    """Return the product of the derivatives on two edges."""
    if st[WRITES]:
        return int(chained(g, part, T, st, S))
    if g == ONE_ or part == ONE_:
        return g * part
    st[OPERATIONS] += 1
    return OTHER


@inlined
def _push(at: int, order: int, G: Any, st: Any) -> None:
    """Enter a node into the heap by its pairs of edges."""
    nodes, heap = G[2], G[5]
    tie = at if order == FROM_BELOW else 0x7FFFFFFF - at
    push(heap, st[HEAP], (nodes[at, _DOWNS] * nodes[at, _UPS] << 32) + tie)
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
        return int(K[ONE]) if st[WRITES] else ONE_
    if st[WRITES]:
        return int(times(K[ONE], at, k, D, T, st, S))
    above = heads[code[at] * 8 + min(k, 7), 2]
    if above == CONST + ZERO:
        return NOTHING
    return ONE_ if above == CONST + ONE and heads[code[at] * 8 + k, 3] < 0 else OTHER


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
            _contribute(at, below, part, G, st)


@native
def build(
    D: Any, inputs: Any, roots: Any, order: int, G: Any, T: Any, st: Any, S: Any
) -> int:  # fmt: skip
    """Make the edges, and one of 1 to each output, which is a node after all others."""
    first, active, count = D[1], D[4], len(inputs)
    while st[AT] < count + len(roots):
        at = st[AT]
        wide = first[at + 1] - first[at] if at < count else 1
        if not _fits(wide + 1, 0, (wide + 2) * st[EACH], 1, G, st, S):
            return ROOM
        if at >= count:
            if active[roots[at - count]]:
                one = T[2][ONE] if st[WRITES] else ONE_
                _contribute(at, roots[at - count], one, G, st)
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
    e, downs, ups = nodes[at, _DOWN_EDGE], nodes[at, _DOWNS], nodes[at, _UPS]
    while e >= 0:
        most, total_ = max(most, edges[e, _COUNT]), total_ + edges[e, _COUNT]
        e = edges[e, _NEXT]
    e = nodes[at, _UP_EDGE]
    while e >= 0:
        most, total_ = max(most, edges[e, _COUNT]), total_ + edges[e, _COUNT]
        e = edges[e, _NEXT_UP]
    touched = downs + ups if order >= FROM_BELOW else 0
    need = _EACH_PAIR * (downs * ups + total_ + 1)
    return bool(_fits(downs * ups + 1, most, need, touched, G, st, S))


@inlined
def _pass_by(at: int, G: Any, T: Any, st: Any, S: Any) -> None:
    """Multiply the edges to a node by those from it, and take it out."""
    edges, nodes = G[0], G[2]
    nothing = T[2][ZERO] if st[WRITES] else NOTHING
    st[PAIRS] += nodes[at, _DOWNS] * nodes[at, _UPS]
    e = nodes[at, _DOWN_EDGE]
    while e >= 0:
        edges[e, _HEAD] = _summed(e, G, T, st, S)  # from here on it is what the edge holds
        _unlink(e, _NEXT_UP, _LAST_UP, edges[e, _LOW], _UP_EDGE, _UPS, G)
        e = edges[e, _NEXT]
    u = nodes[at, _UP_EDGE]
    while u >= 0:
        up, g = edges[u, _UP], _summed(u, G, T, st, S)
        _unlink(u, _NEXT, _LAST, up, _DOWN_EDGE, _DOWNS, G)
        e = nodes[at, _DOWN_EDGE]
        while e >= 0 and g != nothing:
            if edges[e, _HEAD] != nothing:
                made = _product(g, edges[e, _HEAD], T, st, S)
                _contribute(up, edges[e, _LOW], made, G, st)
            e = edges[e, _NEXT]
        u = edges[u, _NEXT_UP]


@inlined
def _push_around(at: int, inputs: Any, order: int, G: Any, st: Any) -> None:
    """Enter the nodes anew that a node which is taken out was joined with."""
    edges, nodes, count = G[0], G[2], len(inputs)
    e = nodes[at, _DOWN_EDGE]
    while e >= 0:
        if inputs[edges[e, _LOW]] < 0:
            _push(edges[e, _LOW], order, G, st)
        e = edges[e, _NEXT]
    e = nodes[at, _UP_EDGE]
    while e >= 0:
        if edges[e, _UP] < count:
            _push(edges[e, _UP], order, G, st)
        e = edges[e, _NEXT_UP]


@inlined
def _next(inputs: Any, order: int, G: Any, st: Any) -> int:
    """Return the node that is eliminated next, or -1; it stays where it is told from."""
    nodes, heap, count = G[2], G[5], len(inputs)
    if order >= FROM_BELOW:
        while st[HEAP] > 0:
            tie = heap[0] & 0xFFFFFFFF
            at = tie if order == FROM_BELOW else 0x7FFFFFFF - tie
            pairs = nodes[at, _DOWNS] * nodes[at, _UPS]
            if nodes[at, _DOWNS] != _GONE and pairs == heap[0] >> 32:
                return int(at)
            st[HEAP] -= 1
            drop_least(heap, st[HEAP])
        return -1
    while st[AT] < count:
        at = st[AT] if order == UPWARDS else count - 1 - st[AT]
        if inputs[at] < 0 and nodes[at, _DOWNS] + nodes[at, _UPS] > 0:
            return int(at)
        st[AT] += 1
    return -1


@native
def eliminate(inputs: Any, order: int, G: Any, T: Any, st: Any, S: Any) -> int:
    """Eliminate all nodes that are neither inputs nor outputs.

    Where there is no room it returns ROOM, to be called again; TOO_MANY beyond a limit.
    """
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
        nodes[at, _DOWNS], nodes[at, _UPS] = _GONE, _GONE
        nodes[at, _DOWN_EDGE], nodes[at, _UP_EDGE] = -1, -1
        if st[PAIRS] > st[LIMIT] or st[OPERATIONS] > st[MOST]:
            return TOO_MANY


@native
def collect(inputs: Any, outputs: int, found: Any, G: Any, T: Any, st: Any, S: Any) -> int:
    """List what the edges from the outputs to the inputs hold: output, input, node."""
    edges, nodes, count = G[0], G[2], len(inputs)
    while st[AT] < outputs:
        e = nodes[count + st[AT], _DOWN_EDGE]
        if e < 0:
            st[AT] += 1
            continue
        wide = edges[e, _COUNT]
        if not _fits(0, wide, _EACH_PAIR * (wide + 1), 0, G, st, S) or st[FOUND] == len(found):
            return ROOM
        made = _summed(e, G, T, st, S)
        nodes[count + st[AT], _DOWN_EDGE] = edges[e, _NEXT]
        if st[WRITES] and made != T[2][ZERO]:
            row = st[FOUND]
            found[row, 0], found[row, 1], found[row, 2] = st[AT], inputs[edges[e, _LOW]], made
            st[FOUND] = row + 1
    return DONE
