"""Hashes of whole terms, equal for equal terms of any store, each computed once.

A hash that looked only a few levels deep would be the same for every term of a chain, and make a
set of them quadratic. Nothing here depends on Python's hash seed.
"""

import zlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import Constant, constant_key
from rewrite.dag import SMALL
from rewrite.store import Store

__all__ = ["Hashes", "term_hash"]

_MASK: Final = (1 << 64) - 1
_FIRST: Final = 0x9E3779B97F4A7C15
_NEXT: Final = 0xFF51AFD7ED558CCD


class Hashes:
    """What is known of a store: a column for its first nodes, a dictionary for others."""

    def __init__(self) -> None:
        self.column: npt.NDArray[np.uint64] = np.empty(0, np.uint64)
        self.others: dict[int, int] = {}


def term_hash(store: Store, node: int) -> int:
    """Return the hash of the term below a node."""
    known = store.hashes
    if known is None:
        known = store.hashes = Hashes()
    found = known.others.get(node)
    if found is None:
        if node < len(known.column):
            return int(known.column[node])
        with store.lock:
            found = _walk(store, known, node)
    return found


def _walk(store: Store, known: Hashes, root: int) -> int:
    """Hash what is below a node, children first; a large term by a compiled loop."""
    others, column = known.others, known.column
    stack, fresh = [root], 0
    while stack:
        node = stack[-1]
        if node in others:
            stack.pop()
            continue
        children = store.children(node)
        missing = [c for c in children if c >= len(column) and c not in others]
        if missing:
            stack += missing
            if len(stack) > SMALL:
                return _fill(store, known, root)
            continue
        value = (store.code(node) + 1) * _FIRST & _MASK
        if not children:
            value = (value ^ _leaf(store, node)) * _NEXT & _MASK
        for child in children:
            below = others[child] if child in others else int(column[child])
            value = (value ^ below) * _NEXT & _MASK
            value ^= value >> 32
        others[stack.pop()] = value
        fresh += 1
        if fresh > SMALL:
            return _fill(store, known, root)
    return others[root]


def _leaf(store: Store, node: int) -> int:
    value = store.value(node)
    if value is None:
        return zlib.crc32(store.symbols[store.payload(node)].name.encode("utf-8", "surrogatepass"))
    return zlib.crc32(_text(value).encode())


def _text(value: Constant) -> str:
    """Write a constant in full; decimal digits would take quadratic time, and Python limits them.

    >>> _text(255), _text(-0.0)
    ('int ff', 'f -0')
    """
    kind, content = constant_key(value)
    if kind == "int":
        return f"int {content:x}"
    if kind == "Fraction":
        return f"Fraction {content.numerator:x}/{content.denominator:x}"
    return f"{kind} {content}"


def _fill(store: Store, known: Hashes, root: int) -> int:
    """Hash every node of the store."""
    from rewrite.hashloop import hash_nodes

    columns = store.columns()
    out: Any = np.zeros(len(columns.op), np.uint64)
    for node in np.flatnonzero(columns.op <= ops.PVAR.code).tolist():
        out[node] = _leaf(store, node)
    done = len(known.column)
    out[:done] = known.column
    hash_nodes(columns.op, columns.start, columns.pool, done, out)
    known.column, known.others = out, {}
    return int(out[root])
