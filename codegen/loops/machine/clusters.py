"""Cones that share a node only they use are computed together, where there are few of them.

Decided shape by shape of what is shared: the cones that would come together by nodes of that shape
are joined where all of them are few and small, so that equal neighbourhoods are decided equally.
"""

from typing import Any

from codegen.loops.machine.kinds import FEW, STORED
from rewrite.native import inlined, native

__all__ = ["join", "joined"]


@inlined
def find(parent: Any, at: int) -> int:
    """Return the first of those that a node is together with."""
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@inlined
def _wanted(p: int, U: Any) -> bool:
    """Tell whether all users of a node are cones that are stored."""
    known, users, state = U
    for k in range(known[p]):
        if state[users[p, k]] != STORED:
            return False
    return bool(known[p] <= FEW)


@inlined
def _prepare(at: int, F: Any) -> None:
    parent, weight, number, trial, heavy, many = F
    r = find(parent, at)
    trial[r], heavy[r], many[r] = r, weight[r], number[r]


@inlined
def _unite(a: int, b: int, F: Any) -> None:
    parent, _, _, trial, heavy, many = F
    a, b = find(trial, find(parent, a)), find(trial, find(parent, b))
    if a == b:
        return
    if b < a:
        a, b = b, a
    trial[b] = a
    heavy[a] += heavy[b]
    many[a] += many[b]


@inlined
def _accept(at: int, F: Any, most_weight: int, most_number: int) -> None:
    parent, weight, number, trial, heavy, many = F
    r = find(parent, at)
    top = find(trial, r)
    if top != r and heavy[top] <= most_weight and many[top] <= most_number:
        parent[r] = top
        weight[top], number[top] = heavy[top], many[top]


@native
def joined(
    shared: Any, bounds: Any, U: Any, F: Any, most_weight: int, most_number: int
) -> None:  # fmt: skip
    """Join cones by shared nodes, `shared[bounds[i]:bounds[i + 1]]` of one shape at a time."""
    users, known = U[1], U[0]
    for block in range(len(bounds) - 1):
        for turn in range(3):
            for i in range(bounds[block], bounds[block + 1]):
                p = shared[i]
                if not _wanted(p, U):
                    continue
                if turn == 0:
                    _prepare(p, F)
                elif turn == 2:
                    _accept(p, F, most_weight, most_number)
                for k in range(known[p]):
                    if turn == 0:
                        _prepare(users[p, k], F)
                    elif turn == 1:
                        _unite(p, users[p, k], F)
                    else:
                        _accept(users[p, k], F, most_weight, most_number)


@native
def join(first: Any, other: Any, parent: Any) -> None:
    """Join pairs, and point each entry at the first one of its set."""
    for k in range(len(first)):
        a, b = find(parent, first[k]), find(parent, other[k])
        if a < b:
            parent[b] = a
        else:
            parent[a] = b
    for at in range(len(parent)):
        parent[at] = find(parent, at)
