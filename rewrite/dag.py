"""A program as compact columns: the nodes below some roots, renumbered, children first.

`Dag` is what every pass takes and returns: evaluation, printing, substitution, the e-graph, code
generation. Small ones are collected by Python, large ones by one compiled loop; the result is
the same.
"""

import sys
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import Constant
from rewrite.store import Ints, Store, Symbol

__all__ = ["Dag", "below", "count_nodes", "reachable", "rebuild", "replaced"]

_CHAINED: Final = np.array([row.arity < 0 for row in ops.OPS])
"""By op code: whether a node of many arguments is a chain of such nodes."""
SMALL: Final = 4000
"""Up to so many nodes a walk in Python beats loading the compiled loops."""
FEW: Final = 64
"""Where they are loaded they are used from so many roots on."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Dag:
    """Nodes in topological order; `args[start[i]:start[i+1]]` are positions of i's children.

    `value[i]` is the `Symbol` or the constant of a leaf, None for inner nodes. `ids` are the ids in
    the store they came from; `roots` are positions.
    """

    code: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    args: Ints
    sort: npt.NDArray[np.uint8]
    value: list[Symbol | Constant | None]
    roots: list[int]
    ids: Ints
    _rows: list[tuple[int, tuple[int, ...]]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __len__(self) -> int:
        """Count the distinct nodes."""
        return len(self.code)

    def binary_size(self) -> int:
        """Count the nodes where sums and products of many are chains of two each."""
        counts = np.diff(self.start)
        chained = counts[_CHAINED[self.code]]
        return len(self) + int(np.maximum(chained - 2, 0).sum())

    def rows(self) -> list[tuple[int, tuple[int, ...]]]:
        """Return (op code, children) of every node as Python values; the list is kept."""
        if not self._rows:
            starts, args = self.start.tolist(), self.args.tolist()
            self._rows.extend([
                (code, tuple(args[starts[i] : starts[i + 1]]))
                for i, code in enumerate(self.code.tolist())
            ])  # fmt: skip
        return self._rows

    def __getstate__(self) -> tuple[Any, ...]:
        """Pickle the columns alone."""
        return tuple([getattr(self, name.name) for name in fields(self)[:-1]])

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Restore the columns."""
        for name, value in zip(fields(self), (*state, []), strict=True):
            object.__setattr__(self, name.name, value)

    def reached(self, roots: Sequence[int] | None = None) -> "Dag":
        """Return what lies below the roots alone, or below others, in the same order."""
        roots = self.roots if roots is None else roots
        kept = np.array(sorted(below(self.rows(), roots)), np.int64)
        wanted = np.zeros(len(self), np.bool_)
        wanted[kept] = True
        place = np.cumsum(wanted) - 1
        counts = np.diff(self.start)
        start = np.zeros(len(kept) + 1, np.int64)
        np.cumsum(counts[kept], out=start[1:])
        edges = self.args[np.repeat(wanted, counts)]
        return Dag(
            self.code[kept], start, place[edges].astype(np.int32), self.sort[kept],
            [self.value[at] for at in kept.tolist()], place[list(roots)].tolist(), self.ids[kept],
        )  # fmt: skip

    @staticmethod
    def of(store: Store, roots: Iterable[int]) -> "Dag":
        """Collect everything below the roots; a large program that is in use is taken again."""
        wanted = list(roots)
        recent = store.recent() if store.recent is not None else None
        if recent is not None and len(recent.roots) == len(wanted):
            if recent.ids[recent.roots].tolist() == wanted:
                return recent
        made = (
            _collected(store, wanted)
            if wanted and (store.table is not None or _is_worth_it(wanted))
            else _walked(store, wanted)
        )
        if len(made) > SMALL:
            store.recent = weakref.ref(made)
        return made


def _is_worth_it(wanted: Sequence[int]) -> bool:
    """Tell of a store without a table whether the compiled walk is quicker: once it is loaded."""
    return len(wanted) > FEW and "rewrite.walks" in sys.modules


def _walked(store: Store, wanted: Sequence[int]) -> Dag:
    ids = reachable(store, wanted)
    columns = store.columns()
    position = np.empty(int(ids.max()) + 1 if len(ids) else 0, np.int32)
    position[ids] = np.arange(len(ids), dtype=np.int32)
    counts = columns.start[ids + 1] - columns.start[ids]
    start = np.zeros(len(ids) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    flat = np.repeat(columns.start[ids] - start[:-1], counts) + np.arange(start[-1])
    code, payload = columns.op[ids], columns.payload[ids]
    value: list[Symbol | Constant | None] = [None] * len(ids)
    for at in np.nonzero(payload >= 0)[0].tolist():
        pool: Sequence[Symbol | Constant] = (
            store.constants if code[at] == ops.CONST.code else store.symbols
        )
        value[at] = pool[payload[at]]
    return Dag(
        code, start, position[columns.pool[flat]], columns.sort[ids], value,
        position[np.array(wanted, np.int64)].tolist() if wanted else [], ids,
    )  # fmt: skip


def _collected(store: Store, roots: Sequence[int]) -> Dag:
    from rewrite.walks import collected

    store.flush()
    code, start, args, sort, ids, leaves, places = collected(
        np.array(roots, np.int64),
        store._op, store._start, store._pool, store._payload, store._sort,
    )  # fmt: skip
    value: list[Symbol | Constant | None] = [None] * len(ids)
    constants, symbols, const = store.constants, store.symbols, ops.CONST.code
    for at, kind, number in leaves.tolist():
        value[at] = constants[number] if kind == const else symbols[number]
    return Dag(code, start, args, sort, value, places.tolist(), ids)


def reachable(store: Store, roots: Sequence[int] | Ints) -> Ints:
    """Return the ids below the roots, children before parents and from left to right.

    The order depends on the terms alone, not on what else their store holds.
    """
    order: list[int] = []
    seen: set[int] = set()
    if len(roots) <= (FEW if "rewrite.bulk" in sys.modules else SMALL):
        stack = [~int(root) for root in reversed(roots)]
        while stack and len(seen) <= SMALL:
            node = stack.pop()
            if node >= 0:  # its children are done
                order.append(node)
            elif ~node not in seen:
                seen.add(~node)
                stack.append(~node)
                stack += [~child for child in reversed(store.children(~node)) if child not in seen]
        if not stack:
            return np.array(order, np.int32)
    from rewrite.bulk import postorder

    columns = store.columns()
    return postorder(np.array(roots, np.int32), columns.start, columns.pool)


def below(rows: Sequence[tuple[Any, ...]], roots: Iterable[int]) -> set[int]:
    """Return the roots and what they are made of; the second entry of a row are its arguments."""
    found = set(roots)
    stack = list(found)
    while stack:
        for a in rows[stack.pop()][1]:
            if a not in found:
                found.add(a)
                stack.append(a)
    return found


def count_nodes(store: Store, root: int) -> int:
    """Count the distinct nodes of a term, itself included."""
    seen, stack = {root}, [root]
    while stack and len(seen) <= SMALL:
        for child in store.children(stack.pop()):
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return len(reachable(store, [root])) if stack else len(seen)


def rebuild(dag: Dag, store: Store, preset: Mapping[int, int] | None = None) -> list[int]:
    """Intern a whole program in a store; return the new ids by position.

    `preset` gives positions that are replaced by nodes which the store already has.
    """
    out = np.full(len(dag), -1, np.int32)
    for at, node in (preset or {}).items():
        out[at] = node
    for at, value in enumerate(dag.value):
        if value is not None and out[at] < 0:
            out[at] = (
                store.symbol(value, int(dag.code[at]))
                if isinstance(value, Symbol)
                else store.constant(value)
            )
    if len(dag) <= SMALL and store.table is None:
        ids: list[int] = out.tolist()
        for at, (code, args) in enumerate(dag.rows()):
            if ids[at] < 0:
                ids[at] = store.make((code, *[ids[a] for a in args]))
        return ids
    table = store.indexed()
    table.intern(store, dag.code, dag.start, dag.args.copy(), out, local=True)
    return out.tolist()


def replaced(dag: Dag, store: Store, wanted: Mapping[int, int]) -> list[int]:
    """Replace nodes of a program by others, both of the store that it is in; return the roots."""
    if len(dag) <= SMALL and store.table is None:
        preset = {at: wanted[i] for at, i in enumerate(dag.ids.tolist()) if i in wanted}
        ids = rebuild(dag, store, preset)
        return [ids[root] for root in dag.roots]
    out = np.where(dag.start[1:] == dag.start[:-1], dag.ids, -1).astype(np.int32)
    old = np.fromiter(wanted.keys(), np.int64, len(wanted))
    new = np.fromiter(wanted.values(), np.int32, len(wanted))
    position = np.full(len(store), -1, np.int32)
    position[dag.ids] = np.arange(len(dag), dtype=np.int32)
    found = position[old] >= 0
    out[position[old[found]]] = new[found]
    store.indexed().intern(store, dag.code, dag.start, dag.args.copy(), out, local=True)
    return [int(out[root]) for root in dag.roots]
