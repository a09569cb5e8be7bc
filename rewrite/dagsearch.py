"""The loops of extraction: a fixpoint of tree costs, then local search on the cost of the DAG.

They are plain functions over flat sequences: lists for small graphs, where loading compiled code
would take longer, arrays under Numba for large ones, with the same result.
"""

import types
from functools import cache
from typing import Any, Final, NamedTuple

__all__ = [
    "INFINITE", "Graph", "again", "compiled", "count_uses", "fixpoint", "reaches", "search",
    "shift",
]  # fmt: skip

INFINITE: Final = 1e300


class Graph(NamedTuple):
    """The columns that the loops share: lists, or arrays under Numba."""

    price: Any
    """Of each node; infinite where it must not be used."""
    dirty: Any
    """1 for the nodes whose children became cheaper."""
    owner: Any
    start: Any
    args: Any
    """`args[start[i]:start[i+1]]` are the child classes of node i."""
    first: Any
    members: Any
    """`members[first[c]:first[c+1]]` are the nodes of class c."""
    first_user: Any
    users: Any
    """`users[first_user[c]:first_user[c+1]]` are the nodes that have class c as a child."""
    best: Any
    """The cost of the cheapest tree of each class."""
    choice: Any
    """The chosen node of each class, -1 where none is known."""
    refs: Any
    """How often the chosen program uses each class."""
    seen: Any
    stack: Any
    undo: Any


def _cost(node: int, weight: Any, g: Any) -> Any:
    """Return the cost of a node by those of its children, which may not be known yet."""
    total = 0.0
    dearest = 0.0
    for k in range(g.start[node], g.start[node + 1]):
        below = g.best[g.args[k]]
        total += below
        if below > dearest:
            dearest = below
    if total >= INFINITE:
        return INFINITE
    return g.price[node] + dearest + weight * (total - dearest)


def fixpoint(weight: Any, g: Any) -> int:
    """Relax costs of classes until nothing changes; return the number of passes.

    A node costs its price, its dearest child, and the others times a weight: at 1 that is the cost
    of the tree, at 0 that of a program that shares all it can. Classes in use are left alone.
    """
    passes = 0
    changed = True
    for node in range(len(g.price)):
        g.dirty[node] = 1
    while changed:
        changed = False
        passes += 1
        for node in range(len(g.price)):
            if g.dirty[node] == 0:
                continue
            g.dirty[node] = 0
            group = g.owner[node]
            if g.price[node] >= INFINITE or g.refs[group] > 0:
                continue
            cost = _cost(node, weight, g)
            if cost < g.best[group] - 1e-12:
                g.best[group] = cost
                g.choice[group] = node
                changed = True
                for u in range(g.first_user[group], g.first_user[group + 1]):
                    g.dirty[g.users[u]] = 1
    return passes


def count_uses(roots: Any, g: Any) -> Any:
    """Count the references from the roots along the chosen nodes; return the DAG's cost."""
    total = 0.0
    top = 0
    for root in roots:
        g.refs[root] += 1
        if g.refs[root] == 1:
            g.stack[top] = root
            top += 1
    while top > 0:
        top -= 1
        node = g.choice[g.stack[top]]
        total += g.price[node]
        for k in range(g.start[node], g.start[node + 1]):
            g.refs[g.args[k]] += 1
            if g.refs[g.args[k]] == 1:
                g.stack[top] = g.args[k]
                top += 1
    return total


def shift(node: int, sign: int, g: Any) -> Any:
    """Add (sign 1) or drop (sign -1) the references below a node; return the cost that moves."""
    moved = g.price[node]
    edge = 0 if sign < 0 else 1
    g.stack[0] = node
    top = 1
    while top > 0:
        top -= 1
        current = g.stack[top]
        for k in range(g.start[current], g.start[current + 1]):
            child = g.args[k]
            g.refs[child] += sign
            if g.refs[child] == edge:
                below = g.choice[child]
                moved += g.price[below]
                g.stack[top] = below
                top += 1
    return moved


def reaches(node: int, target: int, mark: int, g: Any) -> bool:
    """Tell whether the chosen program below a node contains the target class."""
    g.stack[0] = node
    top = 1
    while top > 0:
        top -= 1
        current = g.stack[top]
        for k in range(g.start[current], g.start[current + 1]):
            child = g.args[k]
            if child == target:
                return True
            if g.seen[child] != mark:
                g.seen[child] = mark
                if g.choice[child] < 0:
                    return True  # nothing is known below: not a program
                g.stack[top] = g.choice[child]
                top += 1
    return False


def _switch(group: int, node: int, mark: int, g: Any) -> Any:
    """Let a class use another node if that lowers the cost; return by how much, 0 if not."""
    old = g.choice[group]
    if node == old or g.price[node] >= INFINITE:
        return 0.0
    for k in range(g.start[node], g.start[node + 1]):
        if g.choice[g.args[k]] < 0:
            return 0.0
    # the new references first: what both share is then never let go, so a trial costs little
    pay = shift(node, 1, g)
    gain = shift(old, -1, g)
    if pay < gain - 1e-9 and not reaches(node, group, mark, g):
        g.choice[group] = node
        return gain - pay
    shift(old, 1, g)
    shift(node, -1, g)
    return 0.0


def _share(group: int, mark: int, g: Any) -> Any:
    """Compute an unused class for all that could use it; return the gain, 0 if it does not pay.

    One class alone may not pay for it: `x/s` and `y/s` become products only once both share `1/s`.
    """
    g.refs[group] += 1
    paid = shift(g.choice[group], 1, g)
    gained = 0.0
    changed = 0
    for u in range(g.first_user[group], g.first_user[group + 1]):
        node = g.users[u]
        target = g.owner[node]
        if g.refs[target] > 0 and target != group:
            old = g.choice[target]
            gain = _switch(target, node, mark + u, g)
            if gain > 0.0:
                gained += gain
                g.undo[2 * changed] = target
                g.undo[2 * changed + 1] = old
                changed += 1
    g.refs[group] -= 1
    if g.refs[group] == 0:  # nobody came
        paid -= shift(g.choice[group], -1, g)
    if gained > paid + 1e-9:
        return gained - paid
    while changed > 0:
        changed -= 1
        target, old = g.undo[2 * changed], g.undo[2 * changed + 1]
        shift(old, 1, g)
        shift(g.choice[target], -1, g)
        g.choice[target] = old
    return 0.0


def _renew(g: Any) -> None:
    """Let classes that are not in use choose again, by what they would add to the program."""
    for group in range(len(g.refs)):
        g.best[group] = 0.0 if g.refs[group] > 0 else INFINITE
    fixpoint(1.0, g)


def search(roots: Any, shareable: Any, sweeps: int, g: Any) -> Any:
    """Improve the DAG cost, by one class at a time and by sharing one; return it."""
    total = count_uses(roots, g)
    mark = 0
    for _ in range(sweeps):
        before = total
        for group in range(len(g.refs)):
            for m in range(g.first[group], g.first[group + 1]):
                if g.refs[group] > 0:
                    mark += 1
                    total -= _switch(group, g.members[m], mark, g)
        for group in shareable:
            if g.refs[group] == 0 and g.choice[group] >= 0:
                mark += 1
                total -= _share(group, mark, g)
                mark += len(g.users)
        if total > before - 1e-9:
            break
        _renew(g)
    return total


def again(weight: Any, roots: Any, shareable: Any, sweeps: int, g: Any) -> Any:
    """Search from another start: a fixpoint that weighs all but the dearest child differently."""
    for group in range(len(g.refs)):
        g.best[group] = INFINITE
        g.choice[group] = -1
        g.refs[group] = 0
        g.seen[group] = 0
    fixpoint(weight, g)
    return search(roots, shareable, sweeps, g)


@cache
def compiled() -> tuple[Any, Any, Any]:
    """Compile the loops with Numba: copies that call each other's compiled forms."""
    from rewrite.native import cached  # loads Numba

    scope: dict[str, Any] = {"INFINITE": INFINITE, "__name__": __name__}
    for function in (
        _cost,
        count_uses,
        shift,
        reaches,
        _switch,
        _share,
        fixpoint,
        _renew,
        search,
        again,
    ):
        copy = types.FunctionType(function.__code__, scope, function.__name__)
        scope[function.__name__] = cached(copy)
    return scope["fixpoint"], scope["search"], scope["again"]
