"""Numbers that the compiled passes share: kinds and states of nodes, and bounds."""

from typing import Final

# kinds
ARG: Final = 0
CONST: Final = 1
INNER: Final = 2
FREE: Final = 3
"""Not computed at all."""

# states, and what is forced
NONE: Final = -1
IN: Final = 1
"""In the cone of its owner."""
INLINE: Final = 2
"""Computed in each cone that uses it."""
STORED: Final = 3
"""The root of a cone, kept in a cell."""
ROW: Final = 4
"""A sum of its own, kept in a cell."""
PIECE: Final = 5
"""A summand that is computed where it is added."""
SHARED: Final = 6
"""A summand that is computed once and added to each of its sums."""
ABSORBED: Final = 7
"""Part of a sum of its own."""
SPLIT: Final = 8
"""Forced to be a sum of its own."""

MANY: Final = -2
"""The owner of what is used in more than one cone."""
FEW: Final = 4
"""Up to so many users of a node are remembered."""

LONG: Final = 32
"""Conditions of more parts are stored."""

# tokens of shapes, below them op codes
T_BACK: Final = 1 << 40
T_ARG: Final = 2 << 40
T_STORED: Final = 3 << 40
T_CONST: Final = 4 << 40
T_BAKED: Final = 5 << 40
T_RESULT: Final = 6 << 40
T_HIDDEN: Final = 7 << 40
T_MARK: Final = 8 << 40
PAIRED: Final = 1 << 9
ARITY: Final = 1 << 10
