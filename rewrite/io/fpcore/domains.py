"""Domains of arguments, from the comparisons with numbers in a precondition."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from rewrite.io.fpcore.numbers import Kind, above, below, number
from rewrite.io.fpcore.sexpr import Atom, Group, Node, Source
from rewrite.io.fpcore.tables import COMPARISONS

__all__ = ["Limits", "bounds"]

type Limits = tuple[float | None, float | None]
"""Least and greatest value, None without."""


def bounds(node: Node | None, source: Source, kind: Kind) -> dict[str, Limits]:
    """Return what a precondition says of single names; all else stays in the precondition alone.

    An open bound is the next number of the precision.
    """
    found: dict[str, Limits] = {}
    for small, large, strict in _pairs(node):
        low, high = _exact(small), _exact(large)
        if isinstance(small, Atom) and high is not None and low is None:
            before = found.get(small.text, (None, None))
            value = below(high, kind, strict=strict)
            found[small.text] = before[0], value if before[1] is None else min(value, before[1])
        elif isinstance(large, Atom) and low is not None and high is None:
            before = found.get(large.text, (None, None))
            value = above(low, kind, strict=strict)
            found[large.text] = value if before[0] is None else max(value, before[0]), before[1]
    return found


def _pairs(node: Node | None) -> Iterator[tuple[Node, Node, bool]]:
    """Go through all that must be smaller than something: (smaller, larger, whether strictly)."""
    waiting = [] if node is None else [node]
    while waiting:
        this = waiting.pop()
        if not isinstance(this, Group):
            continue
        name, items = this.head, this.items[1:]
        if name == "and":
            waiting.extend(reversed(items))
        elif name in COMPARISONS or name == "==":
            for a, b in pairwise(items):
                if name[0] != ">":
                    yield a, b, name == "<"
                if name[0] in ">=":
                    yield b, a, name == ">"


def _exact(node: Node) -> Fraction | int | None:
    """Return the number that is written, with a minus before it or not."""
    if isinstance(node, Group):
        plain = len(node.items) == 2 and node.head == "-"
        inner = _exact(node.items[1]) if plain and isinstance(node.items[1], Atom) else None
        return None if inner is None else -inner
    try:
        return number(node.text)
    except ValueError:
        return None
