"""Which terms nothing is known about, found by one compiled pass over a store.

In a large program without domains most facts are `TOP`. Where that is sure, the analysis needs to
go no further down; `rewrite.analysis` finds the same fact without this.
"""

import weakref
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.intervals import TOP, ZERO, Fact
from rewrite.native import native
from rewrite.store import Store

__all__ = ["unknown"]

NOTHING: Final = 1
"""Nothing is known: the fact is `TOP`."""
SOMEWHERE: Final = 2
"""Something may be known, but not that the value is 0."""

_ADD, _SUB, _NEG = ops.ADD.code, ops.SUB.code, ops.NEG.code
_MUL, _DIV = ops.MUL.code, ops.DIV.code
_SIN, _COS, _EXP = ops.SIN.code, ops.COS.code, ops.EXP.code

type Marks = npt.NDArray[np.uint8]
_MARKS: Final[weakref.WeakKeyDictionary[Store, Marks]] = weakref.WeakKeyDictionary()


@native
def _spread(op: Any, start: Any, pool: Any, marks: Any, first: int) -> None:
    """Mark inner nodes from `first` on; equal arguments may say more, so they are left alone."""
    for node in range(first, len(op)):
        low, high = start[node], start[node + 1]
        if high == low:
            continue
        code, left, right = op[node], marks[pool[low]], marks[pool[high - 1]]
        if code == _NEG:
            marks[node] = left
        elif code == _SIN or code == _COS:
            marks[node] = SOMEWHERE if left == NOTHING else 0
        elif code == _SUB or (code == _ADD and high - low == 2):
            differ = pool[low] != pool[low + 1]
            marks[node] = NOTHING if differ and (left == NOTHING or right == NOTHING) else 0
        elif code == _MUL and high - low == 2 and pool[low] != pool[low + 1]:
            if (left == NOTHING and right > 0) or (right == NOTHING and left > 0):
                marks[node] = NOTHING
        elif code == _DIV and pool[low] != pool[low + 1] and right == NOTHING:
            marks[node] = NOTHING if left == NOTHING else SOMEWHERE
        elif code == _EXP:
            marks[node] = SOMEWHERE


def unknown(store: Store, leaf: Any) -> Marks:
    """Return a mark for each node; `leaf` gives the fact of a symbol or constant."""
    marks = _MARKS.get(store)
    if marks is None:
        marks = np.zeros(0, np.uint8)
    columns = store.columns()
    size = len(columns.op)
    if len(marks) < size:
        first, grown = len(marks), np.zeros(size, np.uint8)
        grown[:first] = marks
        for node in (np.flatnonzero(columns.op[first:] <= ops.PVAR.code) + first).tolist():
            known: Fact = leaf(node)
            grown[node] = NOTHING if known == TOP else SOMEWHERE if known != ZERO else 0
        _spread(columns.op, columns.start, columns.pool, grown, first)
        marks = _MARKS[store] = grown
    return marks
