"""A start for the search: classes choose by the cost of all that they need, counted once.

Bottom-up, each class keeps what its program costs class by class; a node's is the union of those of
its arguments. What both halves of a sum share is then cheap already when the sum is chosen, where
costs of trees would count it twice.

Source: the extractor "faster-greedy-dag" of egg's extraction gym, 2023.
"""

from collections import deque
from typing import Any

from rewrite.dagsearch import INFINITE

__all__ = ["by_cost_sets"]


def by_cost_sets(g: Any) -> list[int]:
    """Return a node for each class, -1 where there is no program.

    No class comes to need itself: a node costs more than any class among those it needs, and is
    chosen only where it costs less than what its class had.
    """
    count = len(g.best)
    choice, total = [-1] * count, [INFINITE] * count
    parts: list[dict[int, float]] = [{} for _ in range(count)]
    below = [
        tuple(dict.fromkeys(g.args[g.start[node] : g.start[node + 1]]))
        for node in range(len(g.price))
    ]
    queue = deque(node for node, some in enumerate(below) if not some and g.price[node] < INFINITE)
    waiting = set(queue)
    while queue:
        node = queue.popleft()
        waiting.discard(node)
        group, own = g.owner[node], g.price[node]
        least = max((total[child] for child in below[node]), default=0.0)
        if own + least >= total[group] - 1e-12:
            continue
        union = _union([parts[child] for child in below[node]], [total[c] for c in below[node]])
        cost = own + sum(union.values())
        if cost >= total[group] - 1e-12:
            continue
        union[group] = own
        choice[group], total[group], parts[group] = node, cost, union
        for user in g.users[g.first_user[group] : g.first_user[group + 1]]:
            if user not in waiting and g.price[user] < INFINITE:
                waiting.add(user)
                queue.append(user)
    return choice


def _union(parts: list[dict[int, float]], totals: list[float]) -> dict[int, float]:
    """Join what arguments need, the dearest one's choices first."""
    if not parts:
        return {}
    order = sorted(range(len(parts)), key=lambda k: totals[k])
    made = dict(parts[order[0]])
    for k in order[1:]:
        made.update(parts[k])
    return made
