"""Compiled loops over the store's columns: interning and walking many nodes at a time.

Few and monomorphic, because each costs a load from Numba's cache in every process that uses it.
Imported on the first bulk operation only.
"""

from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
import numpy.typing as npt

from rewrite.native import cached, native
from rewrite.signatures import automaton

if TYPE_CHECKING:
    from rewrite.store import Ints, Store

__all__ = ["Table", "find_or_make", "postorder"]


@nb.njit(cache=True, inline="always")
def _hash(op: int, args: Any, low: int, high: int) -> Any:
    """Hash so that runs of eight last children share a cache line of slots: arrays are runs."""
    h = np.uint64(op + 1) * np.uint64(0x9E3779B97F4A7C15)
    for k in range(low, high - 1):
        h = (h ^ np.uint64(args[k])) * np.uint64(0xFF51AFD7ED558CCD)
        h ^= h >> np.uint64(32)
    last = np.uint64(args[high - 1])
    lane = np.uint64(0)
    for k in range(low, high):
        lane += np.uint64(args[k])
    h = (h ^ (last >> np.uint64(3))) * np.uint64(0xC4CEB9FE1A85EC53)
    h ^= h >> np.uint64(29)
    return (h << np.uint64(3)) | (lane & np.uint64(7))


@nb.njit(cache=True, inline="always")
def _probe(
    table: Any, op: int, args: Any, low: int, high: int, ops_: Any, start: Any, pool: Any
) -> Any:
    """Return the slot of the node, or of the empty place where it belongs."""
    mask = np.uint64(len(table) - 1)
    slot = _hash(op, args, low, high) & mask
    while True:
        node = table[slot]
        if node < 0:
            return slot
        if ops_[node] == op:
            base = start[node]
            if start[node + 1] - base == high - low:
                same = True
                for k in range(high - low):
                    if pool[base + k] != args[low + k]:
                        same = False
                        break
                if same:
                    return slot
        slot = (slot + np.uint64(9)) & mask  # the next line; odd, so that every slot is reached


@nb.njit(cache=True, inline="always")
def _made(
    first: Any, step: Any, made: Any, op: int, args: Any, low: int, high: int, sort: Any
) -> int:
    """Return the sort of a node, or -1 if its arity or a child's sort does not fit."""
    state = first[op]
    for k in range(low, high):
        state = step[state, sort[args[k]]]
        if state < 0:
            return -1
    return made[state]  # type: ignore[no-any-return]


@native
def find_or_make(
    code: int, args: Any, low: int, high: int,
    op: Any, start: Any, pool: Any, payload: Any, sort: Any, used: int, table: Any, types: Any,
) -> int:  # fmt: skip
    """Intern one inner node whose children are `args[low:high]`; there must be room for it.

    Return its id: `used`, which the caller counts up, if it is new; -1 if it does not type-check.
    `types` is a packed `Automaton`.
    """
    slot = _probe(table, code, args, low, high, op, start, pool)
    node = table[slot]
    if node >= 0:
        return int(node)
    state = types[3 + code]
    for k in range(low, high):
        state = types[types[0] + state * types[2] + sort[args[k]]]
        if state < 0:
            return -1
    made = types[types[1] + state]
    if made < 0:
        return -1
    base = start[used]
    for k in range(high - low):
        pool[base + k] = args[low + k]
    op[used], payload[used], sort[used] = code, -1, made
    start[used + 1] = base + high - low
    table[slot] = used
    return used


@cached
def _intern(
    ops_in: Any, start_in: Any, args: Any, local: bool, out: Any,
    op: Any, start: Any, pool: Any, payload: Any, sort: Any, used: int, table: Any,
    first: Any, step: Any, sorts_made: Any,
) -> int:  # fmt: skip
    """Intern rows; with `local`, children index earlier rows of the same batch.

    `out[i] >= 0` on entry presets row i. Return the new number of nodes, or -(row + 1) for a row
    that does not type-check.
    """
    for i in range(len(out)):
        if out[i] >= 0:
            continue
        low, high = start_in[i], start_in[i + 1]
        if local:
            for k in range(low, high):
                args[k] = out[args[k]]
        slot = _probe(table, ops_in[i], args, low, high, op, start, pool)
        node = table[slot]
        if node < 0:
            made = _made(first, step, sorts_made, ops_in[i], args, low, high, sort)
            if made < 0:
                return -(i + 1)
            node = used
            base = start[node]
            for k in range(high - low):
                pool[base + k] = args[low + k]
            op[node], payload[node], sort[node] = ops_in[i], -1, made
            start[node + 1] = base + high - low
            table[slot] = node
            used += 1
        out[i] = node
    return used


@cached
def _enter(table: Any, op: Any, start: Any, pool: Any, first: int, last: int) -> None:
    """Put nodes that already have rows into the table; they differ from each other.

    Slots are computed ahead of their use, so that the memory works on many at a time.
    """
    mask = np.uint64(len(table) - 1)
    slots = np.empty(32, np.uint64)
    for base in range(first, last, 32):
        end = min(base + 32, last)
        for node in range(base, end):
            low, high = start[node], start[node + 1]
            if high > low:
                slots[node - base] = _hash(op[node], pool, low, high) & mask
        for node in range(base, end):
            if start[node + 1] > start[node]:
                slot = slots[node - base]
                while table[slot] >= 0:
                    slot = (slot + np.uint64(9)) & mask
                table[slot] = node


@cached
def _postorder(roots: Any, start: Any, pool: Any, seen: Any, stack: Any, order: Any) -> int:
    """Walk below the roots, children first; `stack` has room for all edges. Return the count."""
    count = 0
    for k in range(len(roots)):
        top = 0
        stack[0] = ~roots[k]
        while top >= 0:
            node = stack[top]
            top -= 1
            if node >= 0:
                order[count] = node
                count += 1
                continue
            node = ~node
            if seen[node]:
                continue
            seen[node] = True
            top += 1
            stack[top] = node
            for j in range(start[node + 1] - 1, start[node] - 1, -1):
                if not seen[pool[j]]:
                    top += 1
                    stack[top] = ~pool[j]
    return count


def postorder(roots: "Ints", start: npt.NDArray[np.int64], pool: "Ints") -> "Ints":
    """Return the nodes below the roots, children before parents and from left to right."""
    nodes = int(roots.max()) + 1
    edges = int(start[nodes])
    order = np.empty(nodes, np.int32)
    stack = np.empty(nodes + edges + 1, np.int32)
    count = _postorder(roots, start, pool, np.zeros(nodes, np.bool_), stack, order)
    return order[:count].copy()


@cached
def _heights(start: Any, args: Any, fixed: Any, height: Any) -> None:
    for at in range(len(height)):
        most, known = -1, True
        for k in range(start[at], start[at + 1]):
            most = max(most, height[args[k]])
            known = known and fixed[args[k]]
        height[at] = most + 1
        if most >= 0 and known:
            fixed[at] = True


def heights(
    start: npt.NDArray[np.int64], args: "Ints", fixed: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return how far each row of a program is from its leaves at most.

    Rows all of whose arguments are fixed become so too.
    """
    height = np.empty(len(start) - 1, np.int64)
    _heights(start, args, fixed, height)
    return height


class Table:
    """The open-addressing table of a store: slots hold node ids, -1 is empty."""

    def __init__(self) -> None:
        self.slots: npt.NDArray[np.int32] = np.full(1 << 10, -1, np.int32)
        self.entered = 0

    def catch_up(self, store: "Store", extra: int = 0) -> None:
        """Enter the store's new rows, with room for `extra` more, at most half full."""
        n = len(store)
        if 2 * (n + extra) > len(self.slots):
            size = 1 << int(2 * (n + extra)).bit_length()
            self.slots, self.entered = np.full(size, -1, np.int32), 0
        elif self.entered == n:
            return
        _enter(self.slots, store._op, store._start, store._pool, self.entered, n)
        self.entered = n

    def find(self, store: "Store", key: tuple[int, ...]) -> int | None:
        """Look one node up among the rows that are in the table."""
        args = np.array(key[1:], np.int32)
        slot = _find(self.slots, key[0], args, store._op, store._start, store._pool)
        return int(slot) if slot >= 0 else None

    def intern(
        self, store: "Store", codes: npt.NDArray[np.uint8], start: npt.NDArray[np.int64],
        args: "Ints", out: "Ints", *, local: bool,
    ) -> None:  # fmt: skip
        """Intern many rows of inner nodes; fill `out` with their ids. `args` may be overwritten."""
        with store.lock:
            store.flush()
            store.reserve(len(codes), len(args))
            self.catch_up(store, len(codes))
            before, types = len(store), automaton()
            used = _intern(
                codes, start, args, local, out, store._op, store._start, store._pool,
                store._payload, store._sort, before, self.slots,
                types.first, types.step, types.made,
            )  # fmt: skip
            if used < 0:
                row = -used - 1
                fresh = int(out[:row].max(initial=before - 1)) + 1
                store.grown(fresh - before)
                self.entered = fresh
                key = (int(codes[row]), *args[start[row] : start[row + 1]].tolist())
                store._infer(key)
                raise AssertionError(f"row {row} type-checks in one path only: {key}")
            store.grown(used - before)
            self.entered = used


@cached
def _find(table: Any, op: int, args: Any, ops_: Any, start: Any, pool: Any) -> int:
    node: int = table[_probe(table, op, args, 0, len(args), ops_, start, pool)]
    return node
