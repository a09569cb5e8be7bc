"""What is pickled of terms: columns of the nodes below some roots, and names of a user's ops."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.dag import Dag, rebuild
from rewrite.store import Store

__all__ = ["columns_of", "restored"]

_FIXED: Final = frozenset(row.code for row in ops.BUILTIN)
"""Codes that are the same in every process; a user's ops are pickled by name."""


def columns_of(store: Store, ids: Sequence[int]) -> tuple[Any, ...]:
    """Return what says all of several nodes; what they share is in it once."""
    dag = Dag.of(store, ids)
    names = {code: ops.OPS[code].name for code in set(dag.code.tolist()) - _FIXED}
    columns = (dag.code, dag.start, dag.args, dag.sort, dag.value, dag.roots, dag.ids)
    return (*columns, names) if names else columns


def restored(store: Store, code: Any, *rest: Any) -> list[int]:
    """Build the nodes in a store, and return their ids there."""
    columns, names = rest[:6], rest[6] if len(rest) > 6 else {}
    here = {old: ops.op(name).code for old, name in names.items()}
    if here:
        code = np.array([here.get(old, old) for old in code.tolist()], np.uint8)
    dag = Dag(code, *columns)
    ids = rebuild(dag, store)
    return [ids[root] for root in dag.roots]
