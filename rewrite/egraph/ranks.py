"""Ranks of a layered drawing: a walk that finds the edges that close circles, and longest paths."""

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["ranks_of", "visit"]


def visit(below: Sequence[Iterable[int]], roots: Sequence[int]
           ) -> tuple[list[int], set[tuple[int, int]]]:  # fmt: skip
    """Walk depth first; return the classes in the order left, reversed, and edges that go back."""
    state = [0] * len(below)
    left: list[int] = []
    back: set[tuple[int, int]] = set()
    for first in (*reversed(roots), *range(len(below))):
        path = [(first, _backwards(below[first]))] if not state[first] else []
        state[first] = state[first] or 1
        while path:
            group, rest = path[-1]
            child = next(rest, None)
            if child is None:
                path.pop()
                state[group] = 2
                left.append(group)
            elif state[child] == 1:
                back.add((group, child))
            elif not state[child]:
                state[child] = 1
                path.append((child, _backwards(below[child])))
    return left[::-1], back


def _backwards(some: Iterable[int]) -> Iterator[int]:
    """The last ones are left first, so that in the end the first ones come first."""
    return reversed(list(some))


def ranks_of(below: Sequence[Iterable[int]], order: Sequence[int], back: set[tuple[int, int]],
           roots: set[int]) -> list[int]:  # fmt: skip
    """Return the longest path to each class; what nothing uses is pulled down to what it uses."""
    lower: list[list[int]] = [[] for _ in below]
    used = set(roots)
    for group in order:
        for child in below[group]:
            one, other = (child, group) if (group, child) in back else (group, child)
            lower[one].append(other)
            used.add(other)
    rank = [0] * len(below)
    for group in _sorted(lower):
        for child in lower[group]:
            rank[child] = max(rank[child], rank[group] + 1)
    for group in range(len(below)):
        if group not in used and lower[group]:
            rank[group] = min(rank[child] for child in lower[group]) - 1
    return rank


def _sorted(lower: Sequence[Sequence[int]]) -> list[int]:
    """Return a topological order."""
    missing = [0] * len(lower)
    for some in lower:
        for child in some:
            missing[child] += 1
    ready = [group for group, count in enumerate(missing) if not count]
    for group in ready:
        for child in lower[group]:
            missing[child] -= 1
            if not missing[child]:
                ready.append(child)
    assert len(ready) == len(lower), "turning the back edges round left a circle"
    return ready
