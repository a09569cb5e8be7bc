"""Timing kernels on this machine: what `Kernel.measure` and autotuning ask."""

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite.dag import Dag
from rewrite.errors import ArgumentError
from rewrite.store import Symbol
from rewrite.term import Term, join_all

if TYPE_CHECKING:
    from codegen.kernel import Kernel

__all__ = ["Timing", "arrays", "check_count", "paged", "timed"]

ROUNDS: Final = 5
"""So many times at least a kernel is timed; the least counts."""
PAGE: Final = 4096
MOST: Final = {"float64": 1e150, "float32": 1e18}
"""No values are larger: those that overflow take other paths."""
USUAL: Final = (0.5, 2.0)
"""Between these are the values of a symbol without bounds."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a kernel takes an element: the least of several runs, calls included."""

    ns: float
    cycles: float
    """Of the core's clock, which is measured too."""
    n: int
    """Elements of each array."""

    def __repr__(self) -> str:
        """Show both."""
        return f"{self.cycles:.4g} cycles = {self.ns:.4g} ns an element, n = {self.n}"


def timed(kernel: "Kernel", n: int, seconds: float) -> Timing:
    """Time a kernel on arrays of n elements drawn from the domains of its symbols.

    They begin on pages, as large arrays do, and each result as its arguments: at other distances a
    load may wait for a store whose address ends alike.
    """
    from codegen.targets.measure import clock

    check_count(n)
    data, outputs = arrays(kernel, n)
    # as a call that is written out: one that unpacks a list beside a keyword takes 0.3 us more
    call = partial(kernel, *data, *outputs)
    best, rounds, end = 1e9, 0, time.perf_counter() + seconds
    count = 1
    while rounds < ROUNDS or time.perf_counter() < end:
        rounds += 1
        begin = time.perf_counter()
        for _ in range(count):
            call()
        best = min(best, (time.perf_counter() - begin) / count)
        count = max(1, int(1e-3 / best))
    ns = 1e9 * best / n
    return Timing(ns, ns * clock(kernel.target), n)


def check_count(n: int) -> None:
    """Raise `ArgumentError` for an n that is no number of elements."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ArgumentError(f"n={n!r} is not a number of elements, 1 or more")


def arrays(kernel: "Kernel", n: int) -> tuple[list[Any], tuple[Any, ...]]:
    """Return arguments of n elements and room for the results, which hold them."""
    data = _data(kernel, n)
    results = kernel.ufunc(*data)
    return data, tuple(map(paged, results if isinstance(results, tuple) else (results,)))


def _data(kernel: "Kernel", n: int) -> list[Any]:
    """Draw the arguments; components of array arguments are drawn from the usual interval."""
    terms = kernel.terms if isinstance(kernel.terms, (tuple, list)) else ()
    known = _bounds([term for term in terms if isinstance(term, Term)])
    rng = np.random.default_rng(0)
    dtype = np.float32 if kernel.dtype == "f32" else np.float64
    found: list[Any] = []
    for argument in kernel.program.arguments:
        shape = (n, *argument.shape)
        if argument.type == "b":
            found.append(rng.integers(0, 2, shape).astype(np.bool_))
            continue
        most = MOST[np.dtype(dtype).name]
        low, high = np.clip(known.get(argument.name, USUAL), -most, most)
        found.append(rng.uniform(low, high, shape).astype(dtype))
    return list(map(paged, found))


def paged(array: Any) -> Any:
    """Return a copy of an array that begins on a page."""
    room = np.empty(array.nbytes + PAGE, np.uint8)
    start = -room.ctypes.data % PAGE
    copy = room[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def _bounds(terms: list[Term]) -> dict[str, tuple[float, float]]:
    if not terms:
        return {}
    store = terms[0].store
    dag = Dag.of(store, join_all(store, terms))
    found = {}
    for value in dag.value:
        if isinstance(value, Symbol):
            low, high = value.low, value.high
            if low is None:
                low = USUAL[0] if high is None else high - 1.5
            high = low + 1.5 if high is None else high
            found[value.name] = (float(low), float(high))
    return found
