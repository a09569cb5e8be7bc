"""Arguments of associative ops: what is nested is counted in, and told what may be swapped."""

import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rewrite import ops
from rewrite.foreign import Foreign
from rewrite.nodes import Nodes
from rewrite.pattern import WIDEST
from rewrite.store import Store

__all__ = ["Group", "Places", "arguments", "group", "joined", "shares", "summary"]

type Places = tuple[int, ...]
"""Which arguments of a group are left."""

MOST_GROUPS: Final = 1000
"""So many groups of a store are remembered at a time."""


@dataclass(frozen=True, slots=True)
class Group:
    """The arguments of an op, which of them may be swapped and which stand in order."""

    args: tuple[int, ...]
    nested: bool
    """Those of nested nodes with the same op are counted in."""
    moving: Places
    fixed: Places


class _Known:
    """What was counted in a store; nodes never change, so it is never stale."""

    def __init__(self) -> None:
        self.summaries: dict[int, tuple[int, int]] = {}
        self.groups: dict[int, Group] = {}


_KNOWN: Final[weakref.WeakKeyDictionary[Store, _Known]] = weakref.WeakKeyDictionary()


def summary(store: Store, node: int) -> tuple[int, int]:
    """Return how many arguments an associative op has, nested ones counted in, and their op codes.

    The codes are the bits of a number. Above `WIDEST` the count is `WIDEST + 1`, and the codes are
    those of the node's own arguments.
    """
    known = _KNOWN.get(store)
    if known is None:
        known = _KNOWN.setdefault(store, _Known())
    found = known.summaries.get(node)
    return found if found is not None else _summarise(store, known.summaries, node)


def _summarise(store: Store, known: dict[int, tuple[int, int]], root: int) -> tuple[int, int]:
    code, stack = store.code(root), [root]
    while stack:
        children = store.children(stack[-1])
        nested = [child for child in children if store.code(child) == code]
        missing = [child for child in nested if child not in known]
        if missing:
            stack += missing
            continue
        count, own, bits = len(children) - len(nested), 0, 0
        for child in children:
            own |= 1 << store.code(child)
        if count < len(children):
            bits = own & ~(1 << code)
            for child in nested:
                count, bits = count + known[child][0], bits | known[child][1]
        known[stack.pop()] = (
            (WIDEST + 1, own) if count > WIDEST else (count, bits if nested else own)
        )
    return known[root]


def group(nodes: Nodes, node: int, code: int, *, flat: bool) -> Group:
    """Return the arguments of a node with an associative op, nested ones counted in if `flat`.

    More than `WIDEST` of them stand as they are.
    """
    if not flat:
        children = nodes.children(node)
        return Group(children, False, (), tuple(range(len(children))))
    if isinstance(nodes, Foreign):
        args, nested = arguments(nodes, node, code)
        return _divided(nodes, tuple(map(nodes.same, args)), code, nested=nested)
    known = _KNOWN.get(nodes)
    if known is None:
        known = _KNOWN.setdefault(nodes, _Known())
    found = known.groups.get(node)
    if found is None:  # the rules of a set ask for one node after the other
        args, nested = arguments(nodes, node, code)
        if len(known.groups) >= MOST_GROUPS:
            known.groups = {}
        found = known.groups[node] = _divided(nodes, args, code, nested=nested)
    return found


def _divided(nodes: Nodes, args: tuple[int, ...], code: int, *, nested: bool) -> Group:
    sorts = [nodes.sort(arg) for arg in args]
    kinds = set(sorts)
    able = {one for one in kinds if all(ops.swaps(code, one, other) for other in kinds)}
    if able == kinds:
        return Group(args, nested, tuple(range(len(args))), ())
    moving = tuple([k for k, sort in enumerate(sorts) if sort in able])
    fixed = tuple([k for k, sort in enumerate(sorts) if sort not in able])
    return Group(args, nested, moving, fixed)


def arguments(nodes: Nodes, node: int, code: int) -> tuple[tuple[int, ...], bool]:
    """Return the arguments of a node with an associative op, and whether nested ones are in."""
    narrow = isinstance(nodes, Foreign) or summary(nodes, node)[0] <= WIDEST
    found = _flattened(nodes, node, code) if narrow else None
    if found is not None and ops.associates(code, [nodes.sort(arg) for arg in found]):
        return found, True
    children = nodes.children(node)
    if len(children) > 2 and not ops.associates(code, [nodes.sort(arg) for arg in children]):
        children = (nodes.make((code, *children[:-1])), children[-1])  # as it is evaluated
    return children, False


def _flattened(nodes: Nodes, node: int, code: int) -> tuple[int, ...] | None:
    found: list[int] = []
    stack = [node]
    inner = 0
    while stack:
        top = stack.pop()
        if nodes.code(top) != code:
            found.append(top)
            continue
        inner += 1
        if inner > WIDEST or len(found) > WIDEST:
            return None
        stack += reversed(nodes.children(top))
    return tuple(found) if len(found) <= WIDEST else None


def joined(nodes: Nodes, code: int, parts: Sequence[int]) -> int:
    """Make one node of arguments of an associative op."""
    if len(parts) == 1:
        return parts[0]
    if ops.OPS[code].arity < 0:
        return nodes.make((code, *parts))
    made = parts[0]
    for part in parts[1:]:
        made = nodes.make((code, made, part))
    return made


def shares(most: list[int], size: int) -> Iterator[list[int]]:
    """Yield in how many ways so many things are taken of kinds, of each at most so many.

    The list is the same each time, and changed in between.

    >>> [tuple(taken) for taken in shares([1, 2], 2)]
    [(1, 1), (0, 2)]
    """
    taken = [0] * len(most)
    tail = size
    at = -1
    while True:
        for k in range(at + 1, len(most)):
            taken[k] = min(tail, most[k])
            tail -= taken[k]
        if tail:
            return
        yield taken
        room = 0
        for at in range(len(most) - 1, -1, -1):
            if taken[at] and room > tail:
                taken[at] -= 1
                tail += 1
                break
            tail += taken[at]
            room += most[at]
        else:
            return
