"""Sorts: what kind of value a term stands for; ops, rules and constructors dispatch on them."""

from enum import IntEnum

__all__ = ["BOOL", "INT", "REAL", "Sort"]


class Sort(IntEnum):
    """The sort of a term, stored as one byte a node."""

    REAL = 0
    """A real number; floating point once lowered."""
    INT = 1
    """A real number known to be an integer; it is used wherever a real is."""
    BOOL = 2
    """A truth value, made by comparisons and logic and consumed by ``where``."""


REAL, INT, BOOL = Sort.REAL, Sort.INT, Sort.BOOL
