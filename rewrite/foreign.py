"""Terms of other types as numbered nodes, which the matcher and the traversals read like a store.

Everything goes through `rewrite.interface`. Nodes are told apart by identity, so that a shared
object is one node; two objects are equal if they say so.
"""

import numbers
from typing import Any, Final

import numpy as np

from rewrite import interface, ops
from rewrite.constants import Constant, Named, as_constant
from rewrite.errors import UnsupportedOp
from rewrite.sorts import BOOL, REAL, Sort
from rewrite.store import Symbol

__all__ = ["Foreign"]

_OTHER: Final = -1


class Foreign:
    """A numbering of the objects met in one run; `like` tells which type new terms have."""

    def __init__(self, like: Any) -> None:
        self.like = like
        self.objects: list[Any] = []
        self._ids: dict[int, int] = {}
        self._firsts: dict[Any, int] = {}

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

    def same(self, node: int) -> int:
        """Return the node that stands for all that equal this one."""
        item = self.objects[node]
        try:
            return self._firsts.setdefault(item, node)
        except TypeError:  # no hash: compare
            alike = (k for k in range(node) if self.equal(k, node))
            return next(alike, node)

    def code(self, node: int) -> int:
        """Return the op code of a node, -1 for a head that is no op of ours."""
        item = self.objects[node]
        if interface.is_call(item):
            row = ops.BY_NAME.get(interface.head(item))
            return _OTHER if row is None else row.code
        return ops.SYMBOL.code if self.value(node) is None else ops.CONST.code

    def sort(self, node: int) -> int:
        """Return what can be told of the sort."""
        code = self.code(node)
        truth = isinstance(self.value(node), bool) or (code > 0 and ops.OPS[code].makes == "b")
        return Sort(BOOL if truth else REAL)

    def value(self, node: int) -> Constant | None:
        """Return the value of a number."""
        item = self.objects[node]
        if isinstance(item, (bool, float, np.floating, Named, numbers.Rational)):
            return as_constant(item)
        return None

    def children(self, node: int) -> tuple[int, ...]:
        """Return the nodes of the children."""
        return tuple([self.enter(child) for child in interface.children(self.objects[node])])

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
