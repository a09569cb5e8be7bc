"""Compiled loops that add what a block of elements made to where it belongs, in order."""

from typing import Any

from rewrite.native import cached

__all__ = ["add_gradient", "add_hessian"]


@cached
def add_gradient(slopes: Any, over: Any, begin: int, d: int, into: Any) -> None:
    """Add the derivatives of elements from `begin` on, d for each of their points."""
    for e in range(len(slopes)):
        for j in range(over.shape[1]):
            base = over[begin + e, j] * d
            for c in range(d):
                into[base + c] += slopes[e, j * d + c]


@cached
def add_hessian(entries: Any, places: Any, halves: Any, begin: int, into: Any) -> None:
    """Add the upper halves of element matrices from `begin` on, to both halves of the sum."""
    for e in range(len(entries)):
        for k in range(len(halves)):
            into[places[begin + e, k]] += entries[e, halves[k]]
