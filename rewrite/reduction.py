"""Which e-nodes can matter to the cheapest program: what is left is small enough to solve exactly.

A class *needs* the classes that every program for it contains. A node whose children need its own
class is in no program. A node is never chosen if another one of its class, with what it brings
along, costs no more than the node alone; nor if the node with all that is needed beside it costs
more than a program that is known already.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rewrite.dagsearch import INFINITE

__all__ = ["Reduced", "knots", "reduced"]


@dataclass(slots=True)
class Reduced:
    """The nodes that are left of each class that the roots can reach, and the child classes."""

    members: dict[int, list[int]]
    children: dict[int, frozenset[int]]
    always: set[int]
    """Classes that every program contains."""


def reduced(g: Any, roots: Sequence[int], *, limit: float | None = None,
            dropped: Iterable[int] = (), by_price: bool = True) -> Reduced:  # fmt: skip
    """Drop nodes that no cheapest program needs; without a limit only those that are in none.

    `limit` is the cost of a known program: if any costs less, a cheapest one is kept. `dropped` are
    nodes to leave out in any case. Nothing is left if no program is. Costs of trees must be in
    `g.best`. Where more than prices count, `by_price` is False: no node is better than another one.
    """
    without = set(dropped)
    children = {
        node: frozenset(g.args[k] for k in range(g.start[node], g.start[node + 1]))
        for node in range(len(g.price))
        if g.price[node] < INFINITE and node not in without
    }
    members: dict[int, list[int]] = {}
    for node, below in children.items():
        if g.owner[node] not in below and all(g.best[c] < INFINITE for c in below):
            members.setdefault(g.owner[node], []).append(node)
    while True:
        members = _reachable(members, children, roots)
        if any(root not in members for root in roots):
            return Reduced({}, children, set())
        before = sum(map(len, members.values()))
        needs = _needs(members, children, g)
        always = 0
        for root in roots:
            always |= needs[root]
        members = {
            group: [n for n in nodes if not _closure(children[n], needs) >> group & 1]
            for group, nodes in members.items()
        }
        if limit is not None:
            if by_price:
                members = {c: _undominated(ns, children, needs, g) for c, ns in members.items()}
            members = _affordable(members, children, needs, always, limit, g)
        if sum(map(len, members.values())) == before:
            return Reduced(members, children, {c for c in members if always >> c & 1})


def _reachable(members: dict[int, list[int]], children: dict[int, frozenset[int]],
               roots: Sequence[int]) -> dict[int, list[int]]:  # fmt: skip
    """Keep the nodes that have a program and that the roots reach, in the order found."""
    sound = _sound(members, children)
    seen = dict.fromkeys(roots)
    stack = list(seen)
    while stack:
        for node in members.get(stack.pop(), ()):
            if node in sound:
                fresh = [child for child in children[node] if child not in seen]
                seen.update(dict.fromkeys(fresh))
                stack += fresh
    kept = {group: [n for n in members.get(group, ()) if n in sound] for group in seen}
    return {group: nodes for group, nodes in kept.items() if nodes}


def _sound(members: dict[int, list[int]], children: dict[int, frozenset[int]]) -> set[int]:
    """Return the nodes that have a program: whose children all have one."""
    owner = {node: group for group, nodes in members.items() for node in nodes}
    users: dict[int, list[int]] = {}
    missing = {node: len(children[node]) for node in owner}
    for node in owner:
        for child in children[node]:
            users.setdefault(child, []).append(node)
    ready = [node for node, count in missing.items() if not count]
    known: set[int] = set()
    found = set(ready)
    while ready:
        group = owner[ready.pop()]
        if group in known:
            continue
        known.add(group)
        for node in users.get(group, ()):
            missing[node] -= 1
            if not missing[node]:
                found.add(node)
                ready.append(node)
    return found


def _closure(below: frozenset[int], needs: dict[int, int]) -> int:
    """Return all classes that a node with these children needs, as bits; -1 is everything."""
    closure = 0
    for child in below:
        closure |= needs[child]
    return closure


def _needs(members: dict[int, list[int]], children: dict[int, frozenset[int]],
           g: Any) -> dict[int, int]:  # fmt: skip
    """Find the greatest fixpoint, from "everything" down: every class's needs, as bits."""
    needs = dict.fromkeys(members, -1)
    order = sorted(members, key=lambda group: (g.best[group], group))
    changed = True
    while changed:
        changed = False
        for group in order:
            common = -1
            for node in members[group]:
                common &= _closure(children[node], needs)
            common |= 1 << group
            if common != needs[group]:
                needs[group] = common
                changed = True
    return needs


def _undominated(nodes: list[int], children: dict[int, frozenset[int]], needs: dict[int, int],
                 g: Any) -> list[int]:  # fmt: skip
    """Drop a node if another one with all that it adds costs no more.

    What it adds is its price and, for children that the node does not need anyhow, the cheapest
    tree. A cheapest tree is closed, so that no cycle comes of it.
    """
    kept = sorted(nodes, key=lambda n: (g.price[n], len(children[n]), n))
    for node in reversed(kept[1:]):
        closure = _closure(children[node], needs)
        for other in kept:
            cost = g.price[other]
            if other == node or cost > g.price[node]:
                continue
            for child in children[other]:
                if not closure >> child & 1:
                    cost += g.best[child]
            if cost <= g.price[node]:
                kept = [n for n in kept if n != node]
                break
    return kept


def _affordable(members: dict[int, list[int]], children: dict[int, frozenset[int]],
                needs: dict[int, int], always: int, limit: float, g: Any
                ) -> dict[int, list[int]]:  # fmt: skip
    """Drop nodes that cannot be in a program within the limit."""
    width = (max(members) >> 3) + 1
    least = np.zeros(8 * width)
    for group, nodes in members.items():
        least[group] = min((g.price[n] for n in nodes), default=0.0)
    kept: dict[int, list[int]] = {}
    for group, nodes in members.items():
        kept[group] = []
        for node in nodes:
            bits = (_closure(children[node], needs) | always) & ~(1 << group)
            row = np.frombuffer(bits.to_bytes(width, "little"), np.uint8)
            used = least[np.unpackbits(row, bitorder="little").view(bool)].sum()
            if g.price[node] + used <= limit + 1e-9:
                kept[group].append(node)
    return kept


def knots(model: Reduced) -> list[frozenset[int]]:
    """Return the sets of classes that reach each other, where cycles are possible (Tarjan)."""
    below = {
        group: list({c: None for node in nodes for c in model.children[node]})
        for group, nodes in model.members.items()
    }
    number: dict[int, int] = {}
    low: dict[int, int] = {}
    open_: dict[int, None] = {}
    found: list[frozenset[int]] = []
    for first in below:
        path = [first] if first not in number else []
        while path:
            group = path[-1]
            if group not in number:
                number[group] = low[group] = len(number)
                open_[group] = None
            fresh = next((c for c in below[group] if c not in number), None)
            if fresh is not None:
                path.append(fresh)
                continue
            path.pop()
            low[group] = min(low[group], *(low[c] for c in (*below[group], group) if c in open_))
            if low[group] == number[group]:
                knot: list[int] = []
                while not knot or knot[-1] != group:
                    knot.append(open_.popitem()[0])
                if len(knot) > 1:
                    found.append(frozenset(knot))
    return found
