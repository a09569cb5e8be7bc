"""The compiled loop of `rewrite.hashing`, imported for large terms only."""

from typing import Any

import numpy as np

from rewrite.native import cached

__all__ = ["hash_nodes"]


@cached
def hash_nodes(op: Any, start: Any, pool: Any, first: int, out: Any) -> None:
    """Hash nodes from `first` on; leaves have their own values in `out`."""
    for node in range(first, len(out)):
        value = np.uint64(op[node] + 1) * np.uint64(0x9E3779B97F4A7C15)
        low, high = start[node], start[node + 1]
        if low == high:
            value = (value ^ out[node]) * np.uint64(0xFF51AFD7ED558CCD)
        for k in range(low, high):
            value = (value ^ out[pool[k]]) * np.uint64(0xFF51AFD7ED558CCD)
            value ^= value >> np.uint64(32)
        out[node] = value
