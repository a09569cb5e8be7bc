"""Names of the columns and cells in which the compiled loop and its driver share their state."""

from typing import Final

from rewrite.pattern import DEEPEST

__all__: list[str] = []

# -- what an exit of the loop asks of its driver ----------------------------------------------
DONE: Final = 0
"""All roots have normal forms."""
GROW: Final = 1
"""Columns or stacks are nearly full."""
ASK: Final = 2
"""A rule that the loop cannot run, or whose conditions it cannot check, may apply."""
LOOP: Final = 3
"""A term came back to itself."""
LIMIT: Final = 4
"""Rules fired more often than was allowed."""
ILL_SORTED: Final = 5
"""A right side has arguments of a sort that its op does not take."""

# -- cells of the state -----------------------------------------------------------------------
USED: Final = 0
"""Nodes in the store."""
TOP: Final = 1
"""Of the stack of tasks; -1 if it is empty."""
FIRED: Final = 2
BOUND: Final = 3
"""How many firings are allowed."""
RULE: Final = 4
"""The first rule to try at the node in hand, and the one that is asked about."""
SKIP: Final = 5
"""How many matches of it were refused."""
NODE: Final = 6
"""The node that is asked about."""
GRANTED: Final = 7
"""Its next match needs no asking."""
AGAIN: Final = 8
"""Results are normalised again (innermost); else each node is rewritten once (bottom-up)."""
KEY: Final = 9
"""The op of an ill-sorted node; its arguments are in the buffer up to `COUNT`."""
COUNT: Final = 10
LAST: Final = 11
"""The node that was rewritten last."""
STOOD: Final = 12
"""1: the last match is in hand. 2: it was refused, and the next one is looked for from there."""
ABOVE: Final = 13
"""Where open groups ended then."""
PARTS: Final = 14
"""How many parts of sums had been tried for variables."""
CELLS: Final = 15

# -- kinds of tasks ---------------------------------------------------------------------------
VISIT: Final = 0
REBUILD: Final = 1
REDUCE: Final = 2
ALIAS: Final = 3

# -- columns of a step ------------------------------------------------------------------------
DO: Final = 0
SLOT: Final = 1
CODE: Final = 2
BELOW: Final = 3
"""Where its slots begin in the table of slots; `ARITY` of them."""
ARITY: Final = 4
VARIABLE: Final = 5
SORT: Final = 6
"""Of the variable."""
LEAF: Final = 7
"""Class of the constant or symbol."""
GROUP: Final = 8
NEEDS: Final = 9
"""Where what it needs begins in the table of needs, or the groups that need the same value."""
MANY: Final = 10
"""How many of them there are."""
STEP_COLUMNS: Final = 11

# -- columns of a need ------------------------------------------------------------------------
WANTED: Final = 0
"""The variable whose value is wanted, else the slot with which an argument is shared."""
SHARED: Final = 1
"""0: a variable. 1: a slot. 2: what is there is wanted of the group too."""
DEPTH: Final = 2
"""Of the path to it; 0 if it is among the arguments."""
PATH: Final = 3
"""Its ops and places, in turn."""
NEED_COLUMNS: Final = PATH + 2 * DEEPEST

# -- columns of a rule ------------------------------------------------------------------------
STEPS: Final = 0
"""Its first step; those of the next rule follow."""
BUILDS: Final = 1
"""Its first instruction of building; those of the next rule follow."""
FLAT: Final = 2
EXTENDED: Final = 3
NATIVE: Final = 4
"""0: the driver runs it. 1: the loop does. 2: so, but the driver checks its conditions."""
RULE_COLUMNS: Final = 5

# -- instructions of building -----------------------------------------------------------------
PUT_VARIABLE: Final = 0
PUT_LEAF: Final = 1
PUT_OP: Final = 2

UNKNOWN: Final = -1
OPEN: Final = -2
"""A node without a normal form yet: not visited, or in hand."""
