"""N-ary nodes of differing lengths, interned in one call."""

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.dag import SMALL
from rewrite.store import Ints, Store

__all__ = ["joined"]


def joined(store: Store, row: ops.Op, start: npt.NDArray[np.int64], pool: Ints, empty: int) -> Ints:
    """Apply an n-ary op to the rows `pool[start[k]:start[k + 1]]` of nodes, and return its nodes.

    A row of one is that node, a row of none is `empty`.
    """
    counts = np.diff(start)
    out = np.full(len(counts), empty, np.int32)
    out[counts == 1] = pool[start[:-1][counts == 1]]
    long = np.flatnonzero(counts > 1)
    if len(long) + len(pool) <= SMALL and store.table is None:
        for at in long.tolist():
            out[at] = store.make((row.code, *pool[start[at] : start[at + 1]].tolist()))
    elif len(long):
        edges = np.concatenate([[0], np.cumsum(counts[long])])
        made = np.full(len(long), -1, np.int32)
        args = np.ascontiguousarray(pool[np.repeat(counts > 1, counts)], np.int32)
        codes = np.full(len(long), row.code, np.uint8)
        store.indexed().intern(store, codes, edges, args, made, local=False)
        out[long] = made
    return out
