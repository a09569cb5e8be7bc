"""The compiled loop that makes a program's columns: one walk, and one copy of what it met."""

from typing import Any

import numpy as np

from rewrite.native import cached

__all__ = ["collected"]


@cached
def collected(  # noqa: C901 - a walk and a copy, whose arrays are made in between
    roots: Any, op: Any, start: Any, pool: Any, payload: Any, sort: Any
) -> Any:
    """Walk below the roots, children first and from left to right.

    Return the columns of what was met, with children as positions: op codes, starts, children,
    sorts and ids; position, op code and payload of each leaf; and the roots as positions. Of the
    scratch memory only that of nodes which are met is touched.
    """
    nodes = 0
    for root in roots:
        nodes = max(nodes, root + 1)
    place = np.zeros(nodes, np.int32)  # a position, counted from 1
    stack, order = np.empty(nodes + start[nodes] + 1, np.int32), np.empty(nodes, np.int32)
    count, edges, leaves = 0, 0, 0
    for root in roots:
        top = 0
        stack[0] = ~root
        while top >= 0:
            node = stack[top]
            top -= 1
            if node >= 0:  # its children are done
                order[count] = node
                count += 1
                edges += start[node + 1] - start[node]
                leaves += payload[node] >= 0
                place[node] = count
                continue
            node = ~node
            if place[node] != 0:
                continue
            place[node] = -1
            top += 1
            stack[top] = node
            for j in range(start[node + 1] - 1, start[node] - 1, -1):
                if place[pool[j]] == 0:
                    top += 1
                    stack[top] = ~pool[j]
    ids, code, kind = order[:count].copy(), np.empty(count, np.uint8), np.empty(count, np.uint8)
    begin, args = np.empty(count + 1, np.int64), np.empty(edges, np.int32)
    leaf = np.empty((leaves, 3), np.int32)
    used = leaves = 0
    for at in range(count):
        node = ids[at]
        code[at], kind[at], begin[at] = op[node], sort[node], used
        if payload[node] >= 0:
            leaf[leaves, 0], leaf[leaves, 1], leaf[leaves, 2] = at, op[node], payload[node]
            leaves += 1
        for j in range(start[node], start[node + 1]):
            args[used] = place[pool[j]] - 1
            used += 1
    begin[count] = used
    ends = np.empty(len(roots), np.int64)
    for k in range(len(roots)):
        ends[k] = place[roots[k]] - 1
    return code, begin, args, kind, ids, leaf, ends
