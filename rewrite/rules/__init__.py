"""The rule libraries: every group, and the unions that the engines run.

A group is a table of laws with one licence, in the file of its family; README.md beside this file
says how to write one.
"""

from typing import Final

from rewrite.rule import RuleSet
from rewrite.rules import (
    arithmetic,
    contraction,
    exponential,
    hyperbolic,
    matrices,
    powers,
    precision,
    reciprocal,
    selection,
    trigonometric,
)

__all__ = ["ALL", "EXPAND", "FAMILIES", "OTHER_SORTS", "PRECISE", "SIMPLIFY"]


def _union(name: str, groups: tuple[RuleSet, ...]) -> RuleSet:
    return RuleSet(name, tuple(rule for group in groups for rule in group))


def _groups(module: object) -> tuple[RuleSet, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, RuleSet))


FAMILIES: Final[dict[str, tuple[RuleSet, ...]]] = {
    "arithmetic": _groups(arithmetic),
    "powers": _groups(powers),
    "exponential": _groups(exponential),
    "trigonometric": _groups(trigonometric),
    "hyperbolic": _groups(hyperbolic),
    "selection": _groups(selection),
    "reciprocal": _groups(reciprocal),
    "contraction": _groups(contraction),
    "precision": _groups(precision),
}
"""Family, which is the name of a file, -> its groups."""

OTHER_SORTS: Final[dict[str, tuple[RuleSet, ...]]] = {"matrices": _groups(matrices)}
"""Families of laws that are not about numbers: classical strategies run them, no e-graph."""

ALL: Final[tuple[RuleSet, ...]] = tuple(g for groups in FAMILIES.values() for g in groups)
"""Every group of laws of numbers."""

_GROWING: Final = (
    arithmetic.COMMUTATIVITY,
    arithmetic.ASSOCIATIVITY,
    arithmetic.SUBTRACTION,
    arithmetic.DISTRIBUTIVITY,
    powers.POWERS_APART,
    powers.ROOTS_APART,
    powers.RECIPROCAL_ROOTS_APART,
    powers.HYPOTENUSE_APART,
    exponential.EXPONENTIALS_APART,
    exponential.LOGARITHMS_APART,
    trigonometric.ANGLES_APART,
    hyperbolic.HYPERBOLICS_APART,
    selection.ABSOLUTE_APART,
    selection.MINMAX_ORDER,
    selection.MINMAX_APART,
    selection.LOGIC_ORDER,
    reciprocal.FRACTIONS_JOINED,
    reciprocal.FRACTIONS_APART,
    reciprocal.RECIPROCALS_APART,
    contraction.CONTRACTION_APART,
)

EXPAND: Final = _union("expand", _GROWING)
"""Rules that grow or reorder: run under back-off."""

PRECISE: Final = _union("precise", FAMILIES["precision"])
"""Rules that cost cycles and save digits: run where accuracy is asked for."""

SIMPLIFY: Final = _union(
    "simplify", tuple(g for g in ALL if g not in (*_GROWING, *FAMILIES["precision"]))
)
"""Rules whose right side is no heavier than the left one: can run to saturation."""
