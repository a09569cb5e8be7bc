"""The order of generators and monomials in canonical terms: it depends on the terms alone.

Constants come before symbols, symbols before compound terms. Constants are ordered by value,
symbols by name, compound terms by op, then by their children from left to right. Monomials come by
falling degree, then lexicographically: the one with the higher power of the first generator comes
first. So `x**2 + x*y + y**2 + x + 1` is in order, as in flint's "deglex".
"""

import functools
import operator
from collections.abc import Iterable
from typing import Any, Final

from rewrite import ops
from rewrite.constants import Named
from rewrite.store import Store

__all__ = ["Order"]

type Key = tuple[Any, ...]

_first = operator.itemgetter(0)
_LAST_LEAF: Final = ops.PVAR.code
_CONST: Final = ops.CONST.code


class Order:
    """Compares the nodes of one store; what was compared once is remembered."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._keys: dict[int, Key] = {}
        self._known: dict[tuple[int, int], int] = {}

    def ranked(self, nodes: Iterable[int]) -> list[int]:
        """Return distinct nodes in order."""
        known, key = self._keys, self.key
        pairs = [(known[node] if node in known else key(node), node) for node in nodes]
        pairs.sort(key=_first)
        found = [node for _, node in pairs]
        at, count = 0, len(pairs)
        while at + 1 < count:  # runs of nodes that look alike from above
            end, look = at + 1, pairs[at][0]
            while end < count and pairs[end][0] == look:
                end += 1
            if end - at > 1:
                found[at:end] = sorted(found[at:end], key=functools.cmp_to_key(self.compare))
            at = end
        return found

    def key(self, node: int) -> Key:
        """Return what can be told of the place of a node without looking deep."""
        found = self._keys.get(node)
        if found is None:
            code = self.store.code(node)
            if code <= _LAST_LEAF:
                found = self._leaf(node)
            else:
                children = self.store.children(node)
                heads = [self._head(child) for child in children[:2]]
                found = (2, code, len(children), *heads)
            self._keys[node] = found
        return found

    def _head(self, node: int) -> Key:
        code = self.store.code(node)
        return self.key(node) if code <= _LAST_LEAF else (2, code)

    def _leaf(self, node: int) -> Key:
        store, code = self.store, self.store.code(node)
        if code == _CONST:
            value = store.value(node)
            if isinstance(value, Named):
                return (0, 3, value.name)
            if isinstance(value, float) and value != value:
                return (0, 2)
            return (0, 1, value, type(value).__name__, repr(value)[:1])  # 0.0 is not -0.0
        symbol = store.symbols[store.payload(node)]
        low = () if symbol.low is None else (symbol.low,)
        high = () if symbol.high is None else (symbol.high,)
        return (1, symbol.name, code, symbol.dtype or "", low, high)

    def compare(self, one: int, other: int) -> int:
        """Return -1, 0 or 1. Equal terms are one node, so only the first difference is entered."""
        path: list[tuple[int, int]] = []
        result = 0
        while one != other:
            known = self._known.get((one, other))
            if known is not None:
                result = known
                break
            path.append((one, other))
            first, second = self.key(one), self.key(other)
            if first != second:
                result = -1 if first < second else 1
                break
            pairs = zip(self.store.children(one), self.store.children(other), strict=True)
            one, other = next((pair for pair in pairs if pair[0] != pair[1]), (0, 0))
        self._known.update(dict.fromkeys(path, result))
        return result
