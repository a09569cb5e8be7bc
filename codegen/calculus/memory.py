"""`memory_schedule`: an order of computation within a memory budget, some values computed twice.

Values are arrays of one size, as where a program is evaluated step by step on large arrays. The
order is cut into segments. What a segment makes for much later, as the forward half of a gradient
does for the other half, is forgotten at its end; when it is asked for, the segment is run again
from what went into it, which is kept. So n such values need about 2 sqrt(n) places, and each is
computed at most twice, but for what a budget below that would ask for, which is refused.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost",
2016.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.array import TermArray, asarray
from rewrite.dag import Dag
from rewrite.errors import ArgumentError
from rewrite.evaluate import bind, function_of, rounded
from rewrite.numeric import require_numbers
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["MemorySchedule", "memory_schedule"]

COMPUTE: Final = "compute"
FREE: Final = "free"


@dataclass(frozen=True, slots=True)
class MemorySchedule:
    """Steps ("compute" or "free", position) that compute a program's roots.

    `peak` is the largest number of values that live at a time, inputs and constants not counted;
    `computed` is how many are computed, those that were forgotten more than once.
    """

    dag: Dag = field(repr=False)
    steps: tuple[tuple[str, int], ...] = field(repr=False)
    peak: int
    computed: int

    @property
    def repeated(self) -> float:
        """How much more is computed than once each, as a fraction."""
        once = int(np.count_nonzero(self.dag.start[1:] > self.dag.start[:-1]))
        return self.computed / max(once, 1) - 1

    def verify(self) -> int:
        """Carry the steps out on names alone; return the most that lived, or raise AssertionError.

        Nothing is used that does not live, and all roots live at the end.
        """
        live: set[int] = set()
        most, rows = 0, self.dag.rows()
        for what, at in self.steps:
            if what == FREE:
                assert at in live, f"{at} is freed, but does not live"
                live.remove(at)
                continue
            assert at not in live, f"{at} is computed, but lives"
            for arg in rows[at][1]:
                assert arg in live or not rows[arg][1], f"{at} needs {arg}, which does not live"
            live.add(at)
            most = max(most, len(live))
        assert all(root in live or not rows[root][1] for root in self.dag.roots)
        return most

    def run(self, values: Mapping[str, Any], dtype: Any = np.float64) -> list[Any]:
        """Evaluate with NumPy on values by symbol name; the bits are those of any other order."""
        kind = np.dtype(dtype)
        known: dict[int, Any] = dict(bind(self.dag, values, kind))
        for at, constant in enumerate(self.dag.value):
            if constant is not None and not isinstance(constant, Symbol):
                known[at] = rounded(constant, kind)
        rows = self.dag.rows()
        with np.errstate(all="ignore"):
            for what, at in self.steps:
                if what == FREE:
                    del known[at]
                    continue
                code, args = rows[at]
                known[at] = function_of(self.dag, at, code)(*[known[arg] for arg in args])
        return [np.asarray(known[root]) for root in self.dag.roots]


def memory_schedule(terms: Any, *, memory_budget: int | None = None) -> MemorySchedule:
    """Order the computation of terms so that at most `memory_budget` values live at a time.

    Without a budget each value is computed once and freed after its last use; with one, as few as
    possible are computed twice. Raise `ArgumentError` where the budget is too small, with the least
    that was found to do.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> u = x
    >>> for _ in range(100):
    ...     u = rw.sin(u) * u
    >>> slope = rw.gradient(u, [x])
    >>> plain, small = (memory_schedule(slope, memory_budget=b) for b in (None, 40))
    >>> plain.peak, small.peak, round(small.repeated, 1)
    (201, 40, 0.3)
    """
    dag = _dag(terms)
    if memory_budget is not None and (
        isinstance(memory_budget, bool) or not isinstance(memory_budget, int) or memory_budget < 1
    ):
        raise ArgumentError(f"memory_budget={memory_budget!r} is not a number of values")
    found = _Run(dag, 1, 0).schedule()
    if memory_budget is None or found.peak <= memory_budget:
        return found
    segments = _fitting(dag, memory_budget, found.peak)
    # what the last segments make is asked for first: keep as much of it as there is room for
    low, high = 0, len(dag)
    found = _Run(dag, segments, 0).schedule()
    while high - low > 1:
        middle = (low + high) // 2
        made = _Run(dag, segments, middle).schedule()
        if made.peak <= memory_budget:
            low, found = middle, made
        else:
            high = middle
    return found


def _fitting(dag: Dag, budget: int, least: int) -> int:
    """Return the fewest segments that keep within a budget, within some per cent."""
    segments = 1.0
    while segments < len(dag):
        segments = max(segments * 1.15, segments + 1)
        peak = _Run(dag, int(segments), 0).schedule().peak
        least = min(least, peak)
        if peak <= budget:
            return int(segments)
    raise ArgumentError(f"memory_budget={budget} values are too few: {least} are needed at least")


def _dag(terms: Any) -> Dag:
    """Return the program in the order in which it was written, long sums added up one by one.

    So a summand need not live until all are there; the order, and the bits, are the same.
    """
    array = asarray(terms) if isinstance(terms, (Term, TermArray, Sequence)) else None
    if array is None or not array.size:
        raise ArgumentError(f"{terms!r} is no term, nor a list or an array of terms")
    dag = Dag.of(array.store, array.ids.ravel().tolist())
    require_numbers(dag, "a schedule")
    nodes: list[tuple[int, int, int, list[int]]] = []  # after which id, number, code, arguments
    place = list(range(len(dag)))
    ids, count = dag.ids.tolist(), len(dag)
    for at, (code, args) in enumerate(dag.rows()):
        total = place[args[0]] if args else -1
        last = ids[args[0]] if args else ids[at]
        for arg in args[1:-1] if ops.OPS[code].arity < 0 else ():
            last = max(last, ids[arg])
            nodes.append((last, count, code, [total, place[arg]]))
            total, count = count, count + 1
        own = [total, place[args[-1]]] if ops.OPS[code].arity < 0 else [place[a] for a in args]
        nodes.append((ids[at], place[at], code, own))
    store = Store()
    made: dict[int, int] = {}
    for _, number, code, own in sorted(nodes):
        value = dag.value[number] if number < len(dag) else None
        made[number] = (
            store.make((code, *[made[a] for a in own])) if value is None
            else store.symbol(value, code) if isinstance(value, Symbol) else store.constant(value)
        )  # fmt: skip
    return _by_id(Dag.of(store, [made[root] for root in dag.roots]))


def _by_id(dag: Dag) -> Dag:
    """Return a program with its nodes in the order of their ids."""
    order = np.argsort(dag.ids)
    place = np.empty(len(dag), np.int64)
    place[order] = np.arange(len(dag))
    rows = dag.rows()
    args = [place[list(rows[at][1])] for at in order.tolist()]
    start = np.concatenate([[0], np.cumsum([len(own) for own in args])]).astype(np.int64)
    return Dag(
        dag.code[order], start, np.concatenate(args).astype(np.int32), dag.sort[order],
        [dag.value[at] for at in order.tolist()], place[dag.roots].tolist(), dag.ids[order],
    )  # fmt: skip


class _Run:
    """One way through the nodes, cut into so many segments; the last values are not forgotten."""

    def __init__(self, dag: Dag, segments: int, kept: int) -> None:
        self.dag, self.kept = dag, kept
        self.rows = [args for _, args in dag.rows()]
        self.roots = frozenset(dag.roots)
        self.uses: list[list[int]] = [[] for _ in self.rows]
        for at, args in enumerate(self.rows):
            for arg in dict.fromkeys(args):
                self.uses[arg].append(at)
        count = len(self.rows)
        self.ends = sorted({count * (k + 1) // segments for k in range(segments)})
        self.segment = [bisect_right(self.ends, at) for at in range(count)]
        self.forgotten: list[list[int]] = [[] for _ in self.ends]
        """Of each segment, what is for later than the next one."""
        self.inputs: list[set[int]] = [set() for _ in self.ends]
        """What goes into a segment that will be run again."""
        self.holds = [0] * count
        """For how many segments a value is kept."""
        self.mark()
        self.live: dict[int, None] = {}
        self.steps: list[tuple[str, int]] = []
        self.peak = self.computed = self.now = 0

    def mark(self) -> None:
        """Tell what is forgotten, and what is kept to have it again."""
        segment = self.segment
        for at, args in enumerate(self.rows):
            later = [segment[use] for use in self.uses[at] if segment[use] > segment[at]]
            if args and later and later[0] > segment[at] + 1 and at not in self.roots:
                self.forgotten[segment[at]].append(at)
        kept = self.kept
        for own in reversed(self.forgotten):
            count = min(kept, len(own))
            del own[len(own) - count :]
            kept -= count
        for at, args in enumerate(self.rows):
            if self.forgotten[segment[at]]:
                self.inputs[segment[at]] |= {a for a in args if segment[a] != segment[at]}
        for needed in self.inputs:
            for at in needed:
                self.holds[at] += 1

    def schedule(self) -> MemorySchedule:
        """Go through the nodes in their order."""
        for at, args in enumerate(self.rows):
            self.now = at
            if args:
                self.have(args)
                self.make(at)
                self.release((*args, at), at)
            if at + 1 == self.ends[self.segment[at]]:
                for old in self.forgotten[self.segment[at]]:
                    if old in self.live:
                        self.drop(old)
        return MemorySchedule(self.dag, tuple(self.steps), self.peak, self.computed)

    def have(self, values: Sequence[int]) -> None:
        """Run the segments again whose values do not live."""
        for at in values:
            if self.rows[at] and at not in self.live:
                self.again(self.segment[at])

    def again(self, segment: int) -> None:
        """Run a segment again as far as it makes what will be used."""
        wanted = [at for at in self.forgotten[segment] if self.wanted(at)]
        needed, stack = set(wanted), list(wanted)
        while stack:
            for arg in self.rows[stack.pop()]:
                if self.rows[arg] and arg not in self.live and arg not in needed:
                    needed.add(arg)
                    stack.append(arg)
        order = sorted(needed)
        last = {arg: at for at in order for arg in self.rows[at] if arg in needed}
        kept = set(wanted)
        for at in order:
            self.make(at)
            for arg in dict.fromkeys(self.rows[at]):
                if last.get(arg) == at and arg not in kept:
                    self.drop(arg)
        for at in self.inputs[segment]:
            self.holds[at] -= 1
        self.release(self.inputs[segment], self.now - 1)
        self.inputs[segment] = set()

    def wanted(self, at: int) -> bool:
        """Tell whether a value that does not live has a use now or later."""
        return at not in self.live and bool(self.uses[at]) and self.uses[at][-1] >= self.now

    def make(self, at: int) -> None:
        self.live[at] = None
        self.steps.append((COMPUTE, at))
        self.computed += 1
        self.peak = max(self.peak, len(self.live))

    def release(self, values: Iterable[int], now: int) -> None:
        """Free what is neither used after a node nor kept."""
        for at in dict.fromkeys(values):
            used = self.uses[at] and self.uses[at][-1] > now
            if at in self.live and not used and not self.holds[at] and at not in self.roots:
                self.drop(at)

    def drop(self, at: int) -> None:
        del self.live[at]
        self.steps.append((FREE, at))
