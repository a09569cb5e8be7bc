"""The gate of what handles numbers alone: the e-graph, the oracle, the compiler."""

import numpy as np

from rewrite import ops
from rewrite.dag import Dag
from rewrite.errors import SortError, UnsupportedOp
from rewrite.sorts import BOOL, SORTS

__all__ = ["require_numbers"]


def require_numbers(dag: Dag, who: str) -> None:
    """Refuse a program with other sorts than numbers and truth values, or with a user's ops.

    Raise `SortError` or `UnsupportedOp` that names the sort or the op, and says what does work.
    """
    odd = np.flatnonzero((dag.sort > BOOL) | (dag.code >= len(ops.BUILTIN)))
    if not odd.size:
        return
    at = int(odd[0])
    instead = "rewrite it by strategies such as innermost(...), compute it by rw.evaluate"
    if dag.code[at] >= len(ops.BUILTIN):
        name = ops.OPS[dag.code[at]].name
        raise UnsupportedOp(f"{who} does not have the op {name!r}, which is a user's; {instead}")
    sort, row = SORTS[dag.sort[at]], ops.OPS[dag.code[at]]
    what = dag.value[at]
    name = f"the symbol {getattr(what, 'name', what)!r}" if what is not None else row.name
    raise SortError(f"{who} takes numbers and truth values; {name} is of sort {sort}: {instead}")
