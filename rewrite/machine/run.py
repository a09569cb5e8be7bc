"""The driver of the compiled loop: it gives it room, and does what only Python can do.

What comes back is what the generic walk makes of the same rules, see `strategies.traversal`.
"""

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.analysis import holds
from rewrite.errors import PatternError
from rewrite.machine import layout as at
from rewrite.machine.loop import run
from rewrite.machine.tree import Callback, Data, Entry, Known, compile_rules
from rewrite.matching import apply_rule
from rewrite.native import stored
from rewrite.rule import Rule
from rewrite.signatures import automaton
from rewrite.sorts import SORTS
from rewrite.store import Ints, Store, Symbol
from rewrite.term import Term, join

__all__ = ["Endless", "Machine"]

ROOM: Final = 1 << 10
"""Nodes for which there is room at least when the loop begins."""
ELEMENTS: Final = 1 << 15
"""Arguments of groups that are open at a time."""


COMPILES: Final = (
    "rewrite: compiling the rewriting engine, once for this installation (about half a minute)"
)


class Endless(Exception):
    """Rules do not come to an end: at which node, and how that was seen."""

    def __init__(self, node: int, when: str) -> None:
        super().__init__(when)
        self.node, self.when = node, when


class Machine:
    """Rules and callbacks in their order, ready to run over any store."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = tuple(entries)
        self._data: Data | None = None
        self._made_for = (0, 0)

    @property
    def data(self) -> Data:
        """The arrays; made anew where ops or sorts were added since."""
        now = (len(ops.OPS), len(SORTS))
        if self._data is None or self._made_for != now:
            self._data, self._made_for = compile_rules(self.entries), now
        return self._data

    def normalise(
        self, store: Store, roots: Sequence[int] | Ints, *, limit: int,
        more: Callable[[], int] | None = None, again: bool = True,
    ) -> Ints:  # fmt: skip
        """Return what becomes of the nodes: normal forms, or with `again` off one pass's results.

        Raise `Endless` after `limit` firings, or after as many as `more` then allows, or where a
        term comes back to itself.
        """
        if not stored(run):
            print(COMPILES, file=sys.stderr, flush=True)
        with store.lock:
            return _Session(self.data, store, limit, more, again).results(roots)


class _Session:
    """One run: the arrays that the loop writes to."""

    def __init__(
        self, data: Data, store: Store, limit: int, more: Callable[[], int] | None, again: bool
    ) -> None:
        self.data, self.store, self.more, self.again = data, store, more, again
        store.indexed()
        self.state = np.zeros(at.CELLS, np.int64)
        self.state[at.TOP], self.state[at.BOUND], self.state[at.AGAIN] = -1, limit, again
        self.tasks = np.empty((ROOM, 4), np.int32)
        self.forms = np.empty(0, np.int32)
        self.seen = np.empty((0, 3), np.uint64)
        self.known = data.known.get(store) or data.known.setdefault(store, Known())
        slots, names, steps = data.widths
        words = len(data.entries) // 64 + 1
        self.work: list[Any] = [
            np.empty((256, 2), np.int32), np.empty((4096, 2), np.int32), np.zeros(words, np.uint64),
            np.zeros(slots, np.int32), np.zeros(names, np.int32), np.zeros(names, np.int32),
            np.zeros(steps, np.int64), np.zeros((slots, 2), np.int32),
            np.zeros(ELEMENTS, np.int32), np.zeros(ELEMENTS, np.int32),
            np.zeros(2 * ELEMENTS, np.int32),
        ]  # fmt: skip
        self.leaves = np.array(
            [
                store.symbol(v, c) if isinstance(v, Symbol) else store.constant(v)
                for c, v in data.leaves
            ],
            np.int32,
        )  # fmt: skip
        self.doubts: dict[tuple[int, tuple[int, ...]], bool] = {}

    # -- room --------------------------------------------------------------------------------

    def _make_room(self, children: int = 0) -> None:
        """Double what is nearly full, and read the store's new rows."""
        store = self.store
        store.flush()
        size = len(store)
        store.reserve(size + ROOM, max(int(store._start[size]), 4 * ROOM) + 2 * children)
        store.indexed().catch_up(store, size + ROOM)
        forms = np.full(len(store._op), at.UNKNOWN, np.int32)
        forms[: len(self.forms)] = self.forms[: len(forms)]
        seen = np.zeros((len(store._op), 3), np.uint64)
        seen[: len(self.seen)] = self.seen[: len(seen)]
        self.forms, self.seen = forms, seen
        if self.state[at.TOP] * 2 + 8 > len(self.tasks):
            self.tasks = np.concatenate([self.tasks, np.empty_like(self.tasks)])

    def _classify(self) -> None:
        """Give the constants and symbols that are new to the store their classes."""
        known, pools = self.known, (self.store.symbols, self.store.constants)
        longest = max(len(pool) for pool in pools)
        if longest > len(known.classes):
            classes = np.full((2 * longest, 3), -1, np.int32)
            classes[: len(known.classes)] = known.classes
            known.classes = classes
        for code, pool in ((ops.SYMBOL.code, pools[0]), (ops.CONST.code, pools[1])):
            for index in range(known.counts[code], len(pool)):
                known.classes[index, code] = self.data.class_of(code, pool[index])
            known.counts[code] = len(pool)

    # -- the run -----------------------------------------------------------------------------

    def results(self, roots: Sequence[int] | Ints) -> Ints:
        """Normalise the roots, the first one first."""
        self._make_room()
        wanted = np.array(roots, np.int32)
        self.tasks = np.empty((len(wanted) + ROOM, 4), np.int32)
        self.tasks[: len(wanted), 0] = at.VISIT
        self.tasks[: len(wanted), 1] = wanted[::-1]
        self.state[at.TOP] = len(wanted) - 1
        self._work()
        return self.forms[wanted]

    def _work(self) -> None:
        rules, steps, below, wanted, arities, builds, needs, *rest = self.data.arrays
        data = (rules, steps, below, wanted, arities, builds, self.leaves, needs, *rest)
        state = self.state
        while True:
            store, table = self.store, self.store.indexed()
            self._classify()
            if len(self.forms) < len(store._op):
                self._make_room()
            before = state[at.USED] = len(store)
            outcome = run(
                state, self.tasks, self.forms, self.seen,
                (store._op, store._start, store._pool, store._payload, store._sort, table.slots,
                 automaton().packed, self.known.classes),
                data, tuple(self.work),
            )  # fmt: skip
            store.grown(int(state[at.USED]) - before)
            table.entered = int(state[at.USED])
            if outcome == at.DONE:
                return
            if outcome == at.GROW:
                self._grow()
            elif outcome == at.ASK:
                self._answer()
            elif outcome == at.LIMIT and self._allow_more():
                state[at.FIRED] -= 1  # it fires again
            else:
                self._fail(outcome)

    def _grow(self) -> None:
        top = int(self.state[at.TOP])
        node = int(self.tasks[top, 1])
        wide = len(self.store.children(node))
        if top + wide + 8 >= len(self.tasks):
            extra = np.empty((len(self.tasks) + wide, 4), np.int32)
            self.tasks = np.concatenate([self.tasks, extra])
        if 2 * wide + 8 > len(self.work[-1]):
            self.work[-1] = np.zeros(4 * wide + 8, np.int32)
        self._make_room(wide)

    def _allow_more(self) -> bool:
        """Ask once how many firings are allowed after all."""
        if self.more is None:
            return False
        self.state[at.BOUND], self.more = self.more(), None
        return bool(self.state[at.FIRED] <= self.state[at.BOUND])

    def _fail(self, outcome: int) -> None:
        state, node = self.state, int(self.state[at.NODE])
        if outcome == at.LOOP:
            raise Endless(node, f"it came back to {str(Term(self.store, node))[:80]}")
        if outcome == at.LIMIT:
            raise Endless(int(state[at.LAST]), f"after {int(state[at.FIRED]) - 1} steps")
        count = int(state[at.COUNT])
        self.store.make((int(state[at.KEY]), *self.work[-1][:count].tolist()))
        raise AssertionError("a node type-checks in one path only")

    # -- questions ---------------------------------------------------------------------------

    def _answer(self) -> None:
        """Run a rule that the loop cannot, or check the conditions of one that matched."""
        state, store = self.state, self.store
        rule, node = int(state[at.RULE]), int(state[at.NODE])
        entry = self.data.entries[rule]
        if isinstance(entry, Rule) and state[at.GRANTED] == 0 and self.data.native(rule):
            bound = self.work[4][: len(self.data.names[rule])].tolist()
            if self._holds(entry, rule, bound):
                state[at.GRANTED] = 1
            else:
                state[at.SKIP] += 1
                state[at.STOOD] = 2
            return
        state[at.GRANTED] = 0
        made = self._apply(entry, Term(store, node))
        if made is None or made == node:
            state[at.RULE], state[at.SKIP], state[at.STOOD] = rule + 1, 0, 0
            return
        self._fired(node, made)

    def _holds(self, entry: Rule, rule: int, bound: list[int]) -> bool:
        key = (rule, tuple(bound))
        known = self.doubts.get(key)
        if known is None:
            names = dict(zip(self.data.names[rule], bound, strict=True))
            known = all(holds(condition, self.store, names) for condition in entry.where)
            self.doubts[key] = known
        return known

    def _apply(self, entry: Entry, term: Term) -> int | None:
        if isinstance(entry, Callback):
            made = entry.function(term)
        else:
            made = next(iter(apply_rule(entry, term)), None)
        if made is None:
            return None
        if not isinstance(made, Term):
            raise PatternError(f"{entry!r} made {made!r} of {term!r}, which is no term")
        return join(self.store, made).id

    def _fired(self, node: int, made: int) -> None:
        """Do for a result what the loop does for its own."""
        state, top = self.state, int(self.state[at.TOP])
        if made >= len(self.forms):
            self._make_room()
        state[at.RULE], state[at.SKIP], state[at.STOOD] = 0, 0, 0
        state[at.FIRED] += 1
        state[at.LAST] = node
        if state[at.FIRED] > state[at.BOUND] and not self._allow_more():
            state[at.NODE] = node
            self._fail(at.LIMIT)
        if self.again:
            if top + 4 >= len(self.tasks):
                self.tasks = np.concatenate([self.tasks, np.empty_like(self.tasks)])
            self.tasks[top, 0], self.tasks[top, 3] = at.ALIAS, made
            self.tasks[top + 1] = (at.VISIT, made, 0, 0)
            state[at.TOP] = top + 1
        else:
            self.forms[self.tasks[top, 1]] = made
            self.seen[made] = ~np.uint64(0)
            state[at.TOP] = top - 1
