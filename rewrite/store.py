"""The columnar, append-only, hash-consed store in which all terms live.

A node is a row: op code, children (a slice of one pool), payload and sort. Children always come
before their parents, so increasing ids are a topological order and no pass needs recursion.

Two indexes share the columns. Single nodes, made at a prompt, go through a Python dictionary and
a list of pending rows: no Numba is loaded for them. The first bulk operation flushes the rows to
NumPy columns and builds an open-addressing table that compiled loops probe (`rewrite.bulk`). A
node made by one path is found by the other. One lock per store serialises every change.
"""

import math
import threading
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.collector import uncollected
from rewrite.constants import Constant, constant_key, sort_of
from rewrite.errors import SortError
from rewrite.signatures import resolve
from rewrite.sorts import BOOL, INT, REAL, SORTS, Sort, by_name

if TYPE_CHECKING:
    from rewrite.bulk import Table
    from rewrite.dag import Dag
    from rewrite.hashing import Hashes

__all__ = ["Store", "Symbol"]

type Ints = npt.NDArray[np.int32]

MIN_CAPACITY: Final = 256
DICT_LIMIT: Final = 1 << 20
"""Above this many entries the dictionary is dropped: the table finds its nodes again."""


_CONST: Final = ops.CONST.code
_LAST_LEAF: Final = ops.PVAR.code
_UNKNOWN: Final = -1
_REAL, _INT = int(REAL), int(INT)  # plain ones: comparing sorts or NumPy's numbers costs
_PLAIN: Final = {
    row.code: 3 if row.arity < 0 else row.arity + 1
    for row in ops.BUILTIN
    if set(row.takes) == {"r"} and row.makes in "ri"
}
"""Length of the key of an op that takes and makes numbers, with two children if it is n-ary."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """What a symbol node stands for: its name, dtype and closed domain (None: unbounded).

    `sort_name` is given for a sort that no dtype implies.
    """

    name: str
    dtype: str | None = None
    low: float | None = None
    high: float | None = None
    sort_name: str = ""
    many: bool = False
    """Of a pattern variable: it stands for any number of arguments."""

    def __hash__(self) -> int:
        """Hash the name: systems have hundreds of thousands of symbols, and few share one."""
        return hash(self.name)

    @property
    def sort(self) -> Sort:
        """The sort of that name, or the one that its dtype implies."""
        if self.sort_name:
            return by_name(self.sort_name)
        kind = np.dtype(self.dtype).kind if self.dtype else "f"
        return BOOL if kind == "b" else INT if kind in "iu" else REAL

    @property
    def bounds(self) -> tuple[float, float]:
        """The ends of the domain, infinite where it has none."""
        low = -math.inf if self.low is None else self.low
        return low, math.inf if self.high is None else self.high


class Store:
    """A growing set of hash-consed nodes; equal nodes have equal ids."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.index: dict[tuple[int, ...], int] = {}
        self.constants: list[Constant] = []
        self.symbols: list[Symbol] = []
        self._constant_ids: dict[tuple[str, Any], int] = {}
        self._symbol_ids: dict[int, dict[Symbol, int]] = {ops.SYMBOL.code: {}, ops.PVAR.code: {}}
        # How many rows are in the columns; the keys and sorts of those after them that are not
        # yet. Swapped together, so that a reader in another thread sees parts that fit. The key
        # of a leaf is (op code, payload). Flat tuples of ints cost the garbage collector nothing.
        self._tail: tuple[int, list[tuple[int, ...]], bytearray] = (0, [], bytearray())
        self._op: npt.NDArray[np.uint8] = np.empty(MIN_CAPACITY, np.uint8)
        self._sort: npt.NDArray[np.uint8] = np.empty(MIN_CAPACITY, np.uint8)
        self._payload: Ints = np.empty(MIN_CAPACITY, np.int32)
        self._start: npt.NDArray[np.int64] = np.zeros(MIN_CAPACITY + 1, np.int64)
        self._pool: Ints = np.empty(2 * MIN_CAPACITY, np.int32)
        self.table: Table | None = None
        self.hashes: Hashes | None = None
        self.recent: weakref.ref[Dag] | None = None
        """The large program that was collected last, while somebody has it."""
        self._bulk_end = 0
        """Only below this id can a node be one that a compiled loop made."""

    def __len__(self) -> int:
        """Count the nodes."""
        flushed, pending, _ = self._tail
        return flushed + len(pending)

    def __repr__(self) -> str:
        """Show the size."""
        return f"<Store of {len(self)} nodes>"

    # -- one node at a time ------------------------------------------------------------------

    def constant(self, value: Constant) -> int:
        """Intern a constant."""
        key = constant_key(value)
        found = self._constant_ids.get(key)
        if found is None:
            with self.lock:
                found = self._constant_ids.get(key)
                if found is None:
                    self.constants.append(value)
                    found = self._append((_CONST, len(self.constants) - 1), sort_of(value))
                    self._constant_ids[key] = found
        return found

    def integers(self, values: Iterable[int]) -> list[int]:
        """Intern many integers at once."""
        with self.lock:
            known, pool, number = self._constant_ids, self.constants, int(INT)
            nodes = []
            for value in values:
                key = ("int", value)
                found = known.get(key)
                if found is None:
                    pool.append(value)
                    found = known[key] = self._append((_CONST, len(pool) - 1), number)
                nodes.append(found)
            return nodes

    def symbol(self, symbol: Symbol, code: int = ops.SYMBOL.code) -> int:
        """Intern a symbol, or with the code of `pvar` a pattern variable."""
        found = self._symbol_ids[code].get(symbol)
        if found is None:
            with self.lock:
                found = self._symbol_ids[code].get(symbol)
                if found is None:
                    self.symbols.append(symbol)
                    found = self._append((code, len(self.symbols) - 1), symbol.sort)
                    self._symbol_ids[code][symbol] = found
        return found

    def named(self, names: Iterable[str]) -> list[int]:
        """Intern many symbols at once: real numbers without bounds."""
        with self.lock, uncollected():
            known, end = self._symbol_ids[ops.SYMBOL.code], len(self)
            fresh: dict[Symbol, int] = {}
            nodes = []
            for symbol in map(Symbol, names):
                found = known.get(symbol)
                if found is None:
                    found = fresh.setdefault(symbol, end + len(fresh))
                nodes.append(found)
            payload = len(self.symbols)
            self.symbols.extend(fresh)
            self._leaves(ops.SYMBOL.code, payload, len(fresh))
            known.update(fresh)
            return nodes

    def _leaves(self, code: int, payload: int, count: int) -> None:
        """Append leaves of real numbers, of as many payloads from one on."""
        self.flush()
        self.reserve(count, 0)
        old = self._tail[0]
        new = old + count
        self._op[old:new], self._sort[old:new] = code, _REAL
        self._payload[old:new] = np.arange(payload, payload + count, dtype=np.int32)
        self._start[old + 1 : new + 1] = self._start[old]
        self._tail = (new, [], bytearray())

    def make(self, key: tuple[int, ...]) -> int:  # noqa: C901 - one frame: calls would double it
        """Intern an inner node given as (op code, child, child, ...); check arity and sorts."""
        found = self.index.get(key)
        if found is not None:
            return found
        with self.lock:
            found = self.index.get(key)  # another thread may just have made it
            if found is not None:
                return found
            if self.table is not None and max(key[1:]) < self._bulk_end:
                found = self.table.find(self, key)
                if found is not None:
                    self.index[key] = found
                    return found
            flushed, pending, sorts = self._tail
            sort = _UNKNOWN
            if _PLAIN.get(key[0]) == len(key):  # the common case, without a call
                for child in key[1:]:
                    s = sorts[child - flushed] if child >= flushed else self._sort.item(child)
                    if s == _REAL:
                        sort = _REAL
                    elif s != _INT:
                        sort = _UNKNOWN
                        break
            if sort == _UNKNOWN:
                sort = self._infer(key)
            found = flushed + len(pending)
            pending.append(key)
            sorts.append(sort)
            self.index[key] = found
            if len(self.index) > DICT_LIMIT:
                self.flush()
            return found

    def _append(self, key: tuple[int, ...], sort: int) -> int:
        flushed, pending, sorts = self._tail
        pending.append(key)
        sorts.append(sort)
        return flushed + len(pending) - 1

    def _infer(self, key: tuple[int, ...]) -> int:
        sorts = tuple([self.sort(child) for child in key[1:]])
        made = resolve(key[0], sorts)
        if made < 0:
            raise SortError(_misfit(ops.OPS[key[0]], sorts))
        return made

    # -- reading one node --------------------------------------------------------------------

    def code(self, node: int) -> int:
        """Return the op code of a node."""
        flushed, pending, _ = self._tail
        return pending[node - flushed][0] if node >= flushed else int(self._op[node])

    def sort(self, node: int) -> int:
        """Return the sort of a node."""
        flushed, _, sorts = self._tail
        return sorts[node - flushed] if node >= flushed else int(self._sort[node])

    def payload(self, node: int) -> int:
        """Return the pool index that a leaf carries; -1 for inner nodes."""
        flushed, pending, _ = self._tail
        if node < flushed:
            return int(self._payload[node])
        key = pending[node - flushed]
        return key[1] if key[0] <= _LAST_LEAF else -1

    def children(self, node: int) -> tuple[int, ...]:
        """Return the ids of the children."""
        flushed, pending, _ = self._tail
        if node >= flushed:
            key = pending[node - flushed]
            return key[1:] if key[0] > _LAST_LEAF else ()
        return tuple(self._pool[self._start[node] : self._start[node + 1]].tolist())

    def value(self, node: int) -> Constant | None:
        """Return the value of a constant node, None for any other."""
        if self.code(node) != ops.CONST.code:
            return None
        return self.constants[self.payload(node)]

    # -- columns -----------------------------------------------------------------------------

    def flush(self) -> None:
        """Move the pending rows into the columns; a compiled pass needs all of them there."""
        with self.lock:
            old, rows, sorts = self._tail
            if not rows:
                return
            inner = [key[1:] if key[0] > _LAST_LEAF else () for key in rows]
            children = [child for args in inner for child in args]
            self.reserve(0, len(children))
            new = old + len(rows)
            used = int(self._start[old])
            self._op[old:new] = [key[0] for key in rows]
            self._payload[old:new] = [-1 if key[0] > _LAST_LEAF else key[1] for key in rows]
            self._sort[old:new] = np.frombuffer(bytes(sorts), np.uint8)
            self._pool[used : used + len(children)] = children
            self._start[old + 1 : new + 1] = np.cumsum([len(args) for args in inner]) + used
            self._tail = (new, [], bytearray())
            if len(self.index) > DICT_LIMIT:
                self.index = {}
                self._bulk_end = new
                self.indexed()

    def reserve(self, nodes: int, children: int) -> None:
        """Make room for so many more rows and children."""
        need = len(self) + nodes + 1
        if need > len(self._op):
            size = max(need, 2 * len(self._op))
            self._op, self._sort = _longer(self._op, size), _longer(self._sort, size)
            self._payload = _longer(self._payload, size)
            self._start = _longer(self._start, size + 1)
        used = int(self._start[self._tail[0]]) + children
        if used > len(self._pool):
            self._pool = _longer(self._pool, max(used, 2 * len(self._pool)))

    def columns(self) -> "Columns":
        """Return views of the columns with every node in them."""
        self.flush()
        n = self._tail[0]
        used = int(self._start[n])
        return Columns(
            self._op[:n], self._start[: n + 1], self._pool[:used], self._payload[:n], self._sort[:n]
        )

    def indexed(self) -> "Table":
        """Return the compiled table with every node in it, building it on first use."""
        with self.lock:
            self.flush()
            if self.table is None:
                with uncollected():
                    from rewrite.bulk import Table

                self.table = Table()
            self.table.catch_up(self)
            return self.table

    def grown(self, nodes: int) -> None:
        """Note that a compiled loop has appended so many rows to the columns."""
        self._tail = (self._tail[0] + nodes, [], bytearray())
        if nodes:
            self._bulk_end = self._tail[0]


def _misfit(row: ops.Op, sorts: Sequence[int]) -> str:
    """Say why an op does not take arguments of these sorts."""
    count = len(sorts)
    if count != row.arity and not (row.arity < 0 and count >= 2):
        wanted = "two or more" if row.arity < 0 else str(row.arity)
        return f"{row.name} takes {wanted} arguments, not {count}"
    if row in ops.BUILTIN and max(sorts) <= BOOL:
        return _misfit_of_numbers(row, sorts)
    given = ", ".join(SORTS[sort].name for sort in sorts)
    return f"{row.name} does not take ({given}); it takes {ops.signature_text(row)}"


def _misfit_of_numbers(row: ops.Op, sorts: Sequence[int]) -> str:
    for place, sort in enumerate(sorts):
        letter = row.takes[min(place, len(row.takes) - 1)]
        if letter == "b" and sort != BOOL:
            return (
                f"{row.name} takes a truth value as argument {place + 1}, not a number; "
                "compare it first, as in x != 0"
            )
        if letter == "r" and sort == BOOL:
            return (
                f"{row.name} takes a number as argument {place + 1}, not a truth value; "
                "use rw.where(condition, 1, 0)"
            )
    return "where needs two numbers or two truth values as its branches"


def _longer[T: np.generic](column: npt.NDArray[T], size: int) -> npt.NDArray[T]:
    longer = np.empty(size, column.dtype)
    longer[: len(column)] = column
    return longer


@dataclass(frozen=True, slots=True)
class Columns:
    """Views of a store's columns: `pool[start[i]:start[i+1]]` are the children of node i."""

    op: npt.NDArray[np.uint8]
    start: npt.NDArray[np.int64]
    pool: Ints
    payload: Ints
    sort: npt.NDArray[np.uint8]
