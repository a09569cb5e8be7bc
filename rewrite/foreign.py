"""Terms of other types as numbered nodes, which the matcher and the traversals read like a store.

Everything goes through `rewrite.interface`. Nodes are told apart by identity, so that a shared
object is one node; two objects are equal if they say so.
"""

import numbers
from typing import Any, Final

import numpy as np

from rewrite import interface, ops
from rewrite.constants import Constant, Named, as_constant
from rewrite.errors import SortError, UnsupportedOp
from rewrite.sorts import BOOL, REAL, SORTS, Sort
from rewrite.store import Symbol

__all__ = ["Foreign"]

_OTHER: Final = -1
_TRUTHS: Final = {
    **dict.fromkeys((ops.AND.code, ops.OR.code, ops.NOT.code), slice(None)),
    ops.WHERE.code: slice(1),
}
"""Op -> which arguments are truth values, should their type not tell: names, for example."""


class Foreign:
    """A numbering of the objects met in one run; `like` tells which type new terms have."""

    def __init__(self, like: Any) -> None:
        self.like = like
        self.objects: list[Any] = []
        self._ids: dict[int, int] = {}
        self._below: dict[int, tuple[int, ...]] = {}
        self._sorts: dict[int, Sort] = {}
        self._truths: set[int] = set()

    def enter(self, item: Any) -> int:
        """Return the node of an object."""
        found = self._ids.get(id(item))
        if found is None:
            found = self._ids[id(item)] = len(self.objects)
            self.objects.append(item)  # keeps it alive, so that its identity stays its own
        return found

    def leave(self, node: int) -> Any:
        """Return the object of a node."""
        return self.objects[node]

    def equal(self, one: int, other: int) -> bool:
        """Compare two nodes as their type does."""
        return one == other or bool(self.objects[one] == self.objects[other])

    def code(self, node: int) -> int:
        """Return the op code of a node, -1 for a head that is no op of ours."""
        item = self.objects[node]
        if interface.is_call(item):
            row = ops.BY_NAME.get(interface.head(item))
            return _OTHER if row is None or row.arity == ops.LEAF else row.code
        return ops.SYMBOL.code if self.value(node) is None else ops.CONST.code

    def sort(self, node: int) -> int:
        """Return the sort: of an op of ours from its arguments, else what its type says."""
        if node not in self._sorts:
            self._learn(node)
        return self._sorts[node]

    def _learn(self, root: int) -> None:
        stack, known = [root], self._sorts
        while stack:
            node = stack[-1]
            children = self.children(node)
            missing = [child for child in children if child not in known]
            stack += missing
            if not missing:
                known[stack.pop()] = self._told(node, [known[child] for child in children])

    def _told(self, node: int, sorts: list[Sort]) -> Sort:
        code, item = self.code(node), self.objects[node]
        made = ops.resolve(code, sorts) if sorts and code != _OTHER else _OTHER
        if made >= 0:
            return SORTS[made]
        told = interface.sort(item)
        if not isinstance(told, Sort):
            raise SortError(f"interface.sort of {item!r} is {told!r}, which is no sort")
        return BOOL if told is REAL and node in self._truths else told

    def value(self, node: int) -> Constant | None:
        """Return the value of a number."""
        item = self.objects[node]
        if isinstance(item, (bool, float, np.floating, Named, numbers.Rational)):
            return as_constant(item)
        return None

    def children(self, node: int) -> tuple[int, ...]:
        """Return the nodes of the children."""
        known = self._below.get(node)
        if known is not None:  # asked for once, as a type may make its children anew each time
            return known
        found = tuple([self.enter(child) for child in interface.children(self.objects[node])])
        self._below[node] = found
        place = _TRUTHS.get(self.code(node)) if found else None
        if place is not None:
            self._truths.update(found[place])
        return found

    def make(self, key: tuple[int, ...]) -> int:
        """Make a call given as (op code, child, child, ...)."""
        children = [self.objects[child] for child in key[1:]]
        return self.enter(interface.make(self.like, ops.OPS[key[0]].name, children))

    def rebuild(self, node: int, children: tuple[int, ...]) -> int:
        """Make the same call with other children."""
        item = self.objects[node]
        parts = [self.objects[child] for child in children]
        return self.enter(interface.make(item, interface.head(item), parts))

    def constant(self, value: Constant) -> int:
        """Return the node of a number."""
        return self.enter(value)

    def symbol(self, symbol: Symbol) -> int:
        """Refuse: a rule about a symbol of ours says nothing about other types."""
        kind = type(self.like).__name__
        raise UnsupportedOp(f"the symbol {symbol.name!r} of a rule has no counterpart in {kind}")
