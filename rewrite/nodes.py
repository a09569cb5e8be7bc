"""Nodes of any kind of terms, and when a leaf of a pattern matches one of a term."""

import math

from rewrite import ops
from rewrite.constants import Constant, Named, constant_key
from rewrite.foreign import Foreign
from rewrite.sorts import SORTS
from rewrite.store import Store, Symbol

__all__ = ["Nodes", "Value", "fits", "same_leaf", "same_value", "value_at"]

type Nodes = Store | Foreign
"""Where nodes are: both are read alike."""
type Value = int | tuple[int, ...]
"""What a variable stands for: a node, or the nodes of a sequence."""


def same_value(wanted: Constant, found: Constant) -> bool:
    """Tell whether a constant of a pattern matches one of a term: as real numbers, by exact value.

    So 2 matches 2 and 2.0, and 1/2 matches 0.5, as they are lowered to the same bits; -0.0 is
    matched by -0.0 alone, because laws about 0 do not hold for it. Truth values, pi and e, NaN and
    infinities match themselves.

    >>> same_value(2, 2.0), same_value(0, -0.0), same_value(1, True)
    (True, False, False)
    """
    key, other = constant_key(wanted), constant_key(found)
    if key == other:
        return True
    if _special(wanted) or _special(found) or key[1] == "-0" or other[1] == "-0":
        return False
    return wanted == found


def _special(value: Constant) -> bool:
    odd = isinstance(value, float) and not math.isfinite(value)
    return odd or isinstance(value, (bool, Named))


def value_at(nodes: Nodes, node: int) -> Symbol | Constant | None:
    """Return what a leaf stands for."""
    if isinstance(nodes, Foreign):
        return nodes.value(node)
    code = nodes.code(node)
    if code == ops.CONST.code:
        return nodes.constants[nodes.payload(node)]
    return nodes.symbols[nodes.payload(node)] if code <= ops.PVAR.code else None


def same_leaf(wanted: Symbol | Constant | None, found: Symbol | Constant | None) -> bool:
    """Tell whether a leaf of a pattern matches one of a term, given what they stand for."""
    if isinstance(found, Symbol) or isinstance(wanted, Symbol) or found is None or wanted is None:
        return wanted is not None and found == wanted
    return same_value(wanted, found)


def fits(wanted: int, sort: int) -> bool:
    """Tell whether a term goes into a hole: one of its sort, or integers into one of reals."""
    return sort == wanted or SORTS[sort].fits(wanted)
