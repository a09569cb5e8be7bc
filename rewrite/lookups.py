"""Which arguments of a group may have what a step needs of them, looked up in place of tried."""

from collections.abc import Iterable, Sequence
from typing import Final

from rewrite.foreign import Foreign
from rewrite.groups import Places, group
from rewrite.nodes import Nodes, Value
from rewrite.pattern import Need
from rewrite.prepared import Row

__all__ = ["Lookups"]

type Index = dict[int, set[int]]
"""Node -> the places of the arguments that have it."""
_ANY: Final = -1
"""What an argument has that may have anything."""
INDEXED: Final = 8
"""Of more arguments than this, those that can match are looked up."""


class Lookups:
    """The indexes of one run of a matcher, whose groups, subjects and values these are."""

    def __init__(
        self, nodes: Nodes, groups: dict[int, tuple[int, ...]], slots: Sequence[int],
        values: Sequence[Value],
    ) -> None:  # fmt: skip
        self.nodes, self.groups, self.slots, self.values = nodes, groups, slots, values
        self.indexes: dict[tuple[int, int], Index] = {}
        """By the slot of the group, and where the step that picks writes what is left."""

    def forget(self, slot: int) -> None:
        """Drop what is known of a group: another one has been opened at its slot."""
        if self.indexes:
            self.indexes = {key: one for key, one in self.indexes.items() if key[0] != slot}

    def able(self, row: Row, left: Places) -> Iterable[int]:
        """Return the places of arguments that may have what the step needs."""
        if len(left) <= INDEXED or not row.step.needs:
            return left
        need = row.step.needs[0]
        wanted = self._wanted(need, row.step.code)
        if wanted is None:
            return left
        index = self._index(row, need)
        found = index.get(_ANY, set()).union(*[index.get(one, ()) for one in wanted])
        return [k for k in left if k in found] if found else ()

    def _wanted(self, need: Need, code: int) -> Iterable[int] | None:
        """Return what an argument must have one of; None where that cannot be told."""
        nodes = self.nodes
        if need.slot >= 0:
            found = group(nodes, self.slots[need.slot], code, flat=True)
            return found.args if found.nested else None
        value = self.values[need.variable]
        assert isinstance(value, int), "a variable of one term"
        if not need.path and nodes.code(value) == code:
            found = group(nodes, value, code, flat=True)
            return found.args[:1] if found.nested else None
        return (nodes.same(value) if isinstance(nodes, Foreign) else value,)

    def _index(self, row: Row, need: Need) -> Index:
        """Return which arguments of the open group have what, by node; `_ANY` may have anything."""
        step = row.step
        index = self.indexes.get((step.group, row.target))
        if index is None:
            index = self.indexes[step.group, row.target] = {}
            for k, node in enumerate(self.groups[step.group]):
                if self.nodes.code(node) == step.code:
                    for one in self._has(node, need, step.code):
                        index.setdefault(one, set()).add(k)
        return index

    def _has(self, node: int, need: Need, code: int) -> Iterable[int]:
        nodes = self.nodes
        if not need.path:
            found = group(nodes, node, code, flat=True)
            return found.args if found.nested else (_ANY,)
        for wanted, place in need.path:
            children = nodes.children(node) if nodes.code(node) == wanted else ()
            if len(children) <= place:
                return ()
            node = children[place]
        return (nodes.same(node) if isinstance(nodes, Foreign) else node,)
