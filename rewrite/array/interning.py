"""Many nodes at a time: arrays of ids in, arrays of ids out, one call to the store for each.

What these do not know is what a `TermArray` is, or NumPy's protocols.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import as_constant, to_float
from rewrite.dag import SMALL
from rewrite.errors import ShapeError, TraceError
from rewrite.sorts import BOOL
from rewrite.store import Ints, Store

__all__ = [
    "UNSET", "applied", "chained", "constants", "gathered", "numbers_of", "ragged", "require_set",
    "sorts_of", "truths",
]  # fmt: skip

UNSET: Final = -1
"""The id of an element of `np.empty` that nothing was written to."""


def require_set(ids: Ints) -> None:
    """Refuse elements that nothing was written to."""
    if ids.size and ids.min() < 0:
        place = tuple(np.argwhere(ids < 0)[0].tolist())
        many = int((ids < 0).sum())
        raise TraceError(
            f"{many} of {ids.size} elements are read before they are written, the first at "
            f"{place}: what np.empty makes has no values; use np.zeros, or write to all of it first"
        )


def applied(store: Store, row: ops.Op, arrays: Sequence[Ints]) -> Ints:
    """Apply an op elementwise, with broadcasting."""
    shapes = [array.shape for array in arrays]
    try:
        shape = np.broadcast_shapes(*shapes)
    except ValueError:
        written = " and ".join(map(str, shapes))
        raise ShapeError(f"{row.name}: arrays of shapes {written} do not broadcast") from None
    args = np.empty((*shape, len(arrays)), np.int32)
    for place, each in enumerate(arrays):
        args[..., place] = each
    for each in arrays:
        require_set(each)
    return gathered(store, row, args)


def gathered(store: Store, row: ops.Op, args: Ints) -> Ints:
    """Make a node of each run of ids along the last axis."""
    shape, width = args.shape[:-1], args.shape[-1]
    count = prod(shape)
    args = np.ascontiguousarray(args)
    if count <= SMALL and store.table is None:
        rows = args.reshape(count, width).tolist()
        made = [store.make((row.code, *each)) for each in rows]
        return np.array(made, np.int32).reshape(shape)
    return ragged(store, row, args.ravel(), np.arange(count + 1) * width).reshape(shape)


def ragged(store: Store, row: ops.Op, args: Ints, start: npt.NDArray[np.int64]) -> Ints:
    """Make a node of each run `args[start[i]:start[i + 1]]`."""
    count = len(start) - 1
    args = args if args.flags.writeable else args.copy()  # loops are compiled for such alone
    out = np.full(count, UNSET, np.int32)
    codes = np.full(count, row.code, np.uint8)
    store.indexed().intern(store, codes, start, args, out, local=False)
    return out


def chained(store: Store, row: ops.Op, ids: Ints) -> Ints:
    """Fold an op of two arguments along the last axis, from left to right; keep each step."""
    require_set(ids)
    shape, length = ids.shape, ids.shape[-1]
    if not ids.size or length == 1:
        return ids.copy()
    if ids.size <= SMALL and store.table is None:
        flat = ids.reshape(-1, length).tolist()
        for run in flat:
            for k in range(1, length):
                run[k] = store.make((row.code, run[k - 1], run[k]))
        return np.array(flat, np.int32).reshape(shape)
    # leaves first, as rows that are there already; then the steps, each on rows of this batch
    leaves = np.arange(ids.size, dtype=np.int32).reshape(-1, length)
    steps = np.arange(leaves[:, 1:].size, dtype=np.int32).reshape(-1, length - 1) + ids.size
    args = np.empty((*steps.shape, 2), np.int32)
    args[:, 0, 0], args[:, 1:, 0], args[..., 1] = leaves[:, 0], steps[:, :-1], leaves[:, 1:]
    counts = np.repeat([0, 2], [ids.size, steps.size])
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    out = np.concatenate([ids.ravel(), np.full(steps.size, UNSET, np.int32)])
    codes = np.full(len(out), row.code, np.uint8)
    store.indexed().intern(store, codes, start, args.ravel(), out, local=True)
    return np.concatenate([ids.reshape(-1, length)[:, :1], out[steps]], axis=1).reshape(shape)


def constants(store: Store, values: npt.NDArray[Any]) -> Ints:
    """Intern numbers, equal ones once."""
    if values.dtype.kind not in "fiub" or values.size <= 8 or values.dtype.itemsize > 8:
        flat = [store.constant(as_constant(value)) for value in values.ravel().tolist()]
        return np.array(flat, np.int32).reshape(values.shape)
    key = values
    if values.dtype.kind == "f":  # by their bits: 0.0 is not -0.0
        key = values.astype(np.float64).view(np.int64)
    found, place = np.unique(key, return_inverse=True)
    each = found.view(np.float64) if values.dtype.kind == "f" else found
    ids = [store.constant(value) for value in each.tolist()]
    return np.array(ids, np.int32)[place].reshape(values.shape)


def sorts_of(store: Store, ids: Ints) -> npt.NDArray[np.uint8]:
    """Return the sort of each element."""
    if ids.size <= 64:
        flat = [store.sort(node) for node in ids.ravel().tolist()]
        return np.array(flat, np.uint8).reshape(ids.shape)
    return store.columns().sort[ids]


def truths(store: Store, ids: Ints) -> npt.NDArray[np.bool_]:
    """Tell which elements are truth values."""
    found: npt.NDArray[np.bool_] = sorts_of(store, ids) == BOOL
    return found


def numbers_of(store: Store, ids: Ints) -> npt.NDArray[Any] | None:
    """Return the values of elements that are all constants, None if one is not."""
    few = ids.flat[[0, ids.size // 2, -1]].tolist() if ids.size else []
    if any(node < 0 or store.value(node) is None for node in few):
        return None  # most arrays of terms are told by few elements
    found, place = np.unique(ids, return_inverse=True)
    if found.size and found[0] < 0:
        return None
    values = [store.value(node) for node in found.tolist()]
    if any(value is None for value in values):
        return None
    if all(isinstance(value, bool) for value in values) and values:
        return np.array(values, np.bool_)[place].reshape(ids.shape)
    return np.array([to_float(v) for v in values if v is not None])[place].reshape(ids.shape)
