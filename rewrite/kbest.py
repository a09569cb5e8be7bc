"""The k cheapest programs of an e-graph, for judges and autotuning."""

import heapq
import itertools
import time
from collections.abc import Iterator
from typing import Final

from rewrite import ops
from rewrite.cost import CostModel
from rewrite.dag import Dag
from rewrite.dagsearch import INFINITE
from rewrite.egraph.arrays import Frozen
from rewrite.errors import ArgumentError, UnsupportedOp
from rewrite.extract import Extraction, Extractor, Mode, mode_of
from rewrite.progress import each
from rewrite.store import Store
from rewrite.term import Term

__all__ = ["k_best"]

TRIES: Final = 20
"""So many programs a wanted one are looked at: different ones may be one term."""
BRANCHES: Final = 8
"""From each program so many and 2 k others are searched."""


def k_best(
    source: Extractor | Frozen, k: int, *, model: CostModel | None = None, mode: Mode = "exact",
    seconds: float = 10.0,
) -> list[Extraction]:  # fmt: skip
    """Return the k cheapest programs that are different terms, cheapest first.

    Terms that differ in the order of commutative arguments count as one. There may be fewer, as the
    e-graph has no more or the time is over. "exact" solves the integer program again with the
    programs so far forbidden; the order is that of all programs as far as each result's `proof`
    says so. "search" is a heuristic: it bans nodes of the programs so far, one at a time, and may
    miss some. A frozen e-graph needs a model.

    Raise `UnsupportedOp` for other modes, and for "exact" under a model without sharing.

    >>> import numpy as np
    >>> from rewrite.cost import Cancellation
    >>> from rewrite.store import Symbol
    >>> code = np.array([ops.SYMBOL.code, ops.NEG.code, ops.ABS.code, ops.SIN.code], np.uint8)
    >>> start, args = np.array([0, 0, 1, 2, 3]), np.array([0, 0, 0], np.int32)
    >>> leaf = [Symbol("x"), None, None, None]
    >>> frozen = Frozen(code, np.array([0, 1, 1, 1], np.int32), start, args, leaf, 2, [1])
    >>> extractor = Extractor(frozen, Cancellation())
    >>> [round(found.cost, 2) for found in k_best(extractor, 3, mode="search")]
    [1.0, 1.0, 3.0]
    """
    if isinstance(source, Frozen):
        if model is None:
            raise ArgumentError("k_best of a frozen e-graph needs model=, to price its nodes")
        source = Extractor(source, model)
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ArgumentError(f"k={k!r} is not a number of programs, 1 or more")
    if mode_of(mode) == "greedy":
        raise UnsupportedOp("k_best has no mode 'greedy'; choices: search, exact")
    if mode == "exact" and not source.model.sharing:
        raise UnsupportedOp(
            f"k_best(mode='exact') counts what is shared once, the model {source.model.name} at "
            "each use; use mode='search'"
        )
    deadline = time.perf_counter() + seconds
    programs = _solved(source, deadline) if mode == "exact" else _branched(source, k, deadline)
    found: dict[tuple[int, ...], Extraction] = {}
    store = Store()
    for program in each(itertools.islice(programs, TRIES * k), "looking for forms", "program"):
        key = _key(source.terms(program, store)[0], store)
        if key not in found or program.cost < found[key].cost:
            found[key] = program
        if len(found) == k:
            break
    return sorted(found.values(), key=lambda program: program.cost)


def _key(terms: list[Term], store: Store) -> tuple[int, ...]:
    """Return what tells terms apart but for the order of the arguments of commutative ops."""
    dag = Dag.of(store, [term.id for term in terms])
    made: list[int] = []
    for at, (code, args) in zip(dag.ids.tolist(), dag.rows(), strict=True):
        below = [made[a] for a in args]
        if ops.OPS[code].commutative:
            below.sort()
        made.append(store.make((code, *below)) if below else at)
    return tuple(made[root] for root in dag.roots)


def _solved(extractor: Extractor, deadline: float) -> Iterator[Extraction]:
    """Yield the programs by cost, each forbidding itself to the next."""
    twins = _twins(extractor)
    forbidden: list[frozenset[int]] = []
    while (left := deadline - time.perf_counter()) > 0:
        found = extractor.extract(
            banned=twins, mode="exact", seconds=left, forbidden=tuple(forbidden)
        )
        if found is None:
            return
        forbidden.append(frozenset(extractor.used(found.choice).values()))
        yield found


def _twins(extractor: Extractor) -> list[int]:
    """Return the nodes that are another one of their class with arguments in another order."""
    seen: set[tuple[int, ...]] = set()
    twins = []
    for node, code in enumerate(extractor.code):
        args = extractor.args[extractor.start[node] : extractor.start[node + 1]]
        if not ops.OPS[code].commutative or not args:
            continue
        key = (extractor.owner[node], code, *sorted(args))
        if key in seen:
            twins.append(node)
        seen.add(key)
    return twins


def _branched(extractor: Extractor, k: int, deadline: float) -> Iterator[Extraction]:
    """Yield programs roughly by cost: each leads to others, without one of its nodes."""
    twins = frozenset(_twins(extractor))
    count = itertools.count()
    first = extractor.extract(banned=twins)
    heap = [] if first is None else [(first.cost, next(count), twins, first)]
    tried = {twins}
    while heap:
        _, _, banned, program = heapq.heappop(heap)
        yield program
        for node in _replaceable(extractor, program, banned)[: 2 * k + BRANCHES]:
            fewer = banned | {node}
            if fewer in tried or time.perf_counter() > deadline:
                continue
            tried.add(fewer)
            other = extractor.extract(banned=fewer)
            if other is not None:
                heapq.heappush(heap, (other.cost, next(count), fewer, other))


def _replaceable(extractor: Extractor, program: Extraction, banned: frozenset[int]) -> list[int]:
    """Return the program's nodes, those first that another one of the class replaces cheaply."""
    tree = extractor.trees()
    costs: dict[int, list[float]] = {}
    for node, group in enumerate(extractor.owner):
        if node not in banned:
            args = extractor.args[extractor.start[node] : extractor.start[node + 1]]
            costs.setdefault(group, []).append(
                extractor.price[node] + sum(tree[child] for child in args)
            )
    used = extractor.used(program.choice)
    loss = {node: sorted(costs[group])[1] - tree[group] for group, node in used.items()
            if len(costs[group]) > 1}  # fmt: skip
    return sorted((n for n, more in loss.items() if more < INFINITE), key=lambda n: (loss[n], n))
