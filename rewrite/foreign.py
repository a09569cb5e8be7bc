"""Terms of other types as numbered nodes, which the matcher and the traversals read like a store.

Everything goes through `rewrite.interface`. Nodes are told apart by identity, so that a shared
object is one node; two calls are equal if their types, heads and children are, two leaves if they
say so.
"""

import itertools
import numbers
from typing import Any, Final

import numpy as np

from rewrite import interface, ops, signatures
from rewrite.constants import Constant, Named, as_constant
from rewrite.errors import SortError, UnsupportedOp
from rewrite.sorts import BOOL, REAL, SORTS, Sort
from rewrite.store import Symbol

__all__ = ["Foreign"]

_OTHER: Final = -1
MOST_SORTS: Final = 200_000
_SORTS: Final[dict[int, tuple[Any, Sort]]] = {}
"""The sorts of calls by identity, or every rule tried at a node would walk all that is below it.

The entry keeps the call alive, so that its identity stays its own; terms do not change.
"""
_TRUTHS: Final = {
    **dict.fromkeys((ops.AND.code, ops.OR.code, ops.NOT.code), slice(None)),
    ops.WHERE.code: slice(1),
}
"""Op -> which arguments are truth values, should their type not tell: names, for example."""


class _Alike:
    """Numbers that are the same for equal objects, by identity, and by what calls are made of.

    Python's own `hash` and `==` of a tuple recurse in C, and walk a shared part once for each path.
    """

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, int]] = {}  # keeps the objects alive
        self.numbers: dict[Any, int] = {}
        self.unhashable: list[tuple[Any, int]] = []
        self.count = itertools.count()

    def learn(self, item: Any, key: Any) -> int:
        """Return the number of an object that its key tells from others."""
        number = self.numbers.setdefault(key, next(self.count))
        self.known[id(item)] = item, number
        return number

    def leaf(self, item: Any) -> int:
        """Return the number of a leaf."""
        try:
            return self.learn(item, ("leaf", item))
        except TypeError:  # no hash: compare
            for other, number in self.unhashable:
                if bool(other == item):
                    self.known[id(item)] = item, number
                    return number
            number = self.learn(item, ("leaf without hash", id(item)))
            self.unhashable.append((item, number))
            return number

    def current(self) -> "_Alike":
        """Return this, or a new one where this has grown too large; a run keeps the one it has."""
        return self if len(self.known) <= MOST_SORTS else _Alike()


_ALIKE: Final[list[_Alike]] = [_Alike()]


class Foreign:
    """A numbering of the objects met in one run; `like` tells which type new terms have."""

    def __init__(self, like: Any) -> None:
        self.like = like
        self.objects: list[Any] = []
        self._ids: dict[int, int] = {}
        self._firsts: dict[int, int] = {}
        self._alike = _ALIKE[0] = _ALIKE[0].current()
        self._children: dict[int, tuple[int, ...]] = {}  # a type may make them anew at each call
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
        """Compare two nodes."""
        return one == other or self._number(one) == self._number(other)

    def same(self, node: int) -> int:
        """Return the node that stands for all that equal this one."""
        return self._firsts.setdefault(self._number(node), node)

    def _number(self, node: int) -> int:
        known, stack = self._alike.known, [node]
        while stack:
            item = self.objects[stack[-1]]
            if id(item) in known:
                stack.pop()
                continue
            if not interface.is_call(item):
                self._alike.leaf(item)
                continue
            children = self.children(stack[-1])
            missing = [child for child in children if id(self.objects[child]) not in known]
            stack += missing
            if not missing:
                parts = [known[id(self.objects[child])][1] for child in children]
                self._alike.learn(item, (type(item), interface.head(item), *parts))
        return known[id(self.objects[node])][1]

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
            if (found := self._at_once(node)) is not None:
                known[stack.pop()] = found
                continue
            children = self.children(node)
            missing = [child for child in children if child not in known]
            stack += missing
            if not missing:
                known[stack.pop()] = made = self._told(node, [known[child] for child in children])
                if children:
                    if len(_SORTS) > MOST_SORTS:
                        _SORTS.clear()
                    _SORTS[id(self.objects[node])] = (self.objects[node], made)

    def _at_once(self, node: int) -> Sort | None:
        """Return a sort for which the arguments need not be seen: known, or the only one."""
        kept = _SORTS.get(id(self.objects[node]))
        if kept is not None:
            return kept[1]
        code = self.code(node)
        made = {row.makes for row in signatures.rows(code)} if code > ops.PVAR.code else set()
        return made.pop() if len(made) == 1 else None

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
        found = self._children.get(node)
        if found is not None:
            return found
        found = tuple([self.enter(child) for child in interface.children(self.objects[node])])
        self._children[node] = found
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
