"""`memory_schedule`: an order of computation within a memory budget, some values computed twice.

Values are arrays of one size, as where a program is evaluated step by step on large arrays. The
order is cut into segments. What a segment makes for much later, as the forward half of a gradient
does for the other half, is forgotten at its end; when it is asked for, the segment is run again
from what went into it, which is kept. So n such values need about 2 sqrt(n) places, and each is
computed at most twice, but for what a budget below that would ask for, which is refused.

Source: T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training deep nets with sublinear memory cost",
2016.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite import ops
from rewrite.array import TermArray, asarray
from rewrite.constants import rounded
from rewrite.dag import Dag, rebuild
from rewrite.errors import ArgumentError
from rewrite.evaluate import bind, function_of
from rewrite.numeric import require_numbers
from rewrite.store import Store, Symbol
from rewrite.term import Term

if TYPE_CHECKING:
    from codegen.calculus.segments import Order

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
    >>> plain.peak > 200, small.peak, small.repeated < 0.3
    (True, 40, True)
    """
    dag = _dag(terms)
    if memory_budget is not None and (
        isinstance(memory_budget, bool)
        or not isinstance(memory_budget, (int, np.integer))
        or memory_budget < 1
    ):
        raise ArgumentError(f"memory_budget={memory_budget!r} is not a number of values")
    from codegen.calculus.segments import ordered  # loads Numba

    found = ordered(dag, 1, 0)
    if memory_budget is None or found.peak <= memory_budget:
        return _schedule(dag, found)
    segments = _fitting(dag, int(memory_budget), found.peak)
    # what the last segments make is asked for first: keep as much of it as there is room for
    low, high = 0, len(dag)
    found = ordered(dag, segments, 0)
    while high - low > 1:
        middle = (low + high) // 2
        made = ordered(dag, segments, middle)
        if made.peak <= memory_budget:
            low, found = middle, made
        else:
            high = middle
    return _schedule(dag, found)


def _schedule(dag: Dag, order: "Order") -> MemorySchedule:
    steps = [(COMPUTE, at) if at >= 0 else (FREE, ~at) for at in order.steps.tolist()]
    return MemorySchedule(dag, tuple(steps), order.peak, order.computed)


def _fitting(dag: Dag, budget: int, least: int) -> int:
    """Return the fewest segments that keep within a budget, within some per cent."""
    from codegen.calculus.segments import ordered

    segments = 1.0
    while segments < len(dag):
        segments = max(segments * 1.15, segments + 1)
        peak = ordered(dag, int(segments), 0).peak
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
    store = Store()
    written = _in_order(_pairwise(dag))
    nodes = rebuild(written, store)
    return _in_order(Dag.of(store, [nodes[root] for root in written.roots]))


def _pairwise(dag: Dag) -> Dag:
    """Return a program whose sums and products take two arguments; `ids` tell when each is made."""
    widths = np.diff(dag.start)
    arity = np.array([row.arity for row in ops.OPS])
    long = np.flatnonzero((arity[dag.code] < 0) & (widths > 2))
    codes, made, pairs, whole = [], [], [], []
    count = len(dag)
    for at in long.tolist():
        args = dag.args[dag.start[at] : dag.start[at + 1]].tolist()
        last = np.maximum.accumulate(dag.ids[args])
        total = args[0]
        for k, arg in enumerate(args[1:-1]):
            pairs += [total, arg]
            total, count = count, count + 1
            codes.append(dag.code[at])
            made.append(last[k + 1])
        whole += [total, args[-1]]
    short = np.ones(len(dag), np.bool_)
    short[long] = False
    kept = np.where(short, widths, 2)
    start = np.zeros(count + 1, np.int64)
    np.cumsum(np.concatenate([kept, np.full(len(codes), 2)]), out=start[1:])
    args = np.empty(start[-1], np.int32)
    inner = np.repeat(short, kept)
    args[: len(inner)][inner] = dag.args[np.repeat(short, widths)]
    args[: len(inner)][~inner] = whole
    args[len(inner) :] = pairs
    return Dag(
        np.concatenate([dag.code, np.array(codes, np.uint8)]), start, args,
        np.concatenate([dag.sort, np.zeros(len(codes), np.uint8)]),
        [*dag.value, *[None] * len(codes)], dag.roots,
        np.concatenate([dag.ids, np.array(made, np.int32)]),
    )  # fmt: skip


def _in_order(dag: Dag) -> Dag:
    """Return a program with its nodes in the order of their ids; of equal ids in their own."""
    order = np.argsort(dag.ids, kind="stable")
    place = np.empty(len(dag), np.int32)
    place[order] = np.arange(len(dag))
    counts = np.diff(dag.start)[order]
    start = np.zeros(len(dag) + 1, np.int64)
    np.cumsum(counts, out=start[1:])
    edges = np.repeat(dag.start[order] - start[:-1], counts) + np.arange(start[-1])
    return Dag(
        dag.code[order], start, place[dag.args[edges]], dag.sort[order],
        [dag.value[at] for at in order.tolist()], place[dag.roots].tolist(), dag.ids[order],
    )  # fmt: skip
