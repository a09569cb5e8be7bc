"""Extraction: the cheapest program in an e-graph, by the cost of its DAG, over many roots.

"greedy" takes the cheapest tree of each class, a fixpoint. "search" goes on by local search: one
class at a time switches to a node that lowers the cost of the whole DAG, with reference counts
telling what is shared; it starts from several choices. "exact" proves the optimum, or a bound, by
an integer program.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, Literal, get_args

import numpy as np

from rewrite import ops
from rewrite.constants import to_float
from rewrite.cost import CostModel, latency_weight
from rewrite.costsets import by_cost_sets
from rewrite.dagsearch import INFINITE, Graph, again, compiled, fixpoint, search
from rewrite.deadline import left
from rewrite.egraph.arrays import Frozen
from rewrite.errors import UnsupportedOp
from rewrite.optimal import solve
from rewrite.paths import arrivals, search_paths
from rewrite.pricing import constant_classes, grouped, priced, values_of, widened
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["MODES", "Extraction", "Extractor", "Mode", "Proof", "mode_of"]

type Mode = Literal["greedy", "search", "exact"]
MODES: Final[tuple[Mode, ...]] = get_args(Mode.__value__)
"""How to extract: by the cheapest tree, by local search on the DAG, by an integer program."""

TIE: Final = 1e-4
"""Added to every node, so that of two equal costs the smaller term wins and no cycle is free."""
_RANGE: Final = {"f64": (2.0**-1022, 1.7976931348623157e308), "f32": (2.0**-126, 3.4028235e38)}
"""The normal numbers of each float type."""
_PLAIN: Final = {
    **{op.code: 1.0 for op in (ops.MUL, ops.DIV, ops.SUB, ops.NEG, ops.SQRT)},
    ops.ADD.code: 1.3,
}
"""Among constants, which cost nothing, 2*pi is read more easily than pi + pi."""
_FLIPS: Final = (
    (True, False, False), (False, False, True), (True, False, True), (False, True, False),
    (False, True, True), (True, True, False), (True, True, True),
)  # fmt: skip
"""Which operands of an `fma` may be negated, which costs nothing."""
COMPILE_PAYS: Final = 30_000
"""From so many e-nodes on the compiled loops are worth loading,"""
LOADED_PAYS: Final = 100
"""and from so many on worth their arrays, where Numba is loaded already."""
LOADING: Final = 1.0
"""Seconds that loading them may take, and more where they must be compiled first."""
MOST_SETS: Final = 30_000
"""Up to so many e-nodes the search also starts from cost sets, which are not compiled."""
SHARE_PAYS: Final = 4.0
"""A class is tried for sharing if it costs so many times the cheapest operation."""
MOST_SHARED: Final = 200
SHARED_EACH: Final = 12
"""Of many small programs so many classes each are tried."""
STARTS: Final = (0.0,)
"""Weights of the fixpoints that the search starts from again, after that of tree costs."""


def mode_of(name: Any) -> Mode:
    """Check the name of a mode.

    Raise `UnsupportedOp` for another one.
    """
    if name not in MODES:
        raise UnsupportedOp(f"extract={name!r} is no way to extract; choices: {', '.join(MODES)}")
    return name  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Proof:
    """What an exact extraction knows: no program of the e-graph costs less than the bound."""

    cost: float
    bound: float
    seconds: float

    @property
    def proved(self) -> bool:
        """Whether the program is the cheapest one; prices below the tie-breaker count as equal."""
        return self.gap <= 1e-9 or self.cost - self.bound <= TIE / 10

    @property
    def gap(self) -> float:
        """By which share of its cost the program may at most be too dear."""
        return max(0.0, self.cost - self.bound) / max(self.cost, TIE)

    def __str__(self) -> str:
        """Say what was proved."""
        if self.proved:
            return f"optimum proved in {self.seconds:.2g} s"
        return f"no optimum proved in {self.seconds:.2g} s; at most {self.gap:.1%} above it"


@dataclass(frozen=True, slots=True)
class Extraction:
    """A chosen program: the node of each class, and its cost under the model."""

    choice: list[int]
    cost: float
    proof: Proof | None = field(default=None, compare=False)
    """Of an exact extraction."""


class Extractor:
    """Prices the e-nodes of a frozen graph once, then extracts as often as asked."""

    def __init__(
        self, frozen: Frozen, model: CostModel, *, dtype: str = "f64", together: bool = False
    ) -> None:
        self.model = model
        self.together = together
        """Whether the roots are those of many small programs, which share nothing."""
        self.frozen = frozen
        self.smallest, self.largest = _RANGE[dtype]
        self._widen()
        self._price()

    def _widen(self) -> None:
        """Add, for each fma with a negated operand, a node that negates it for free."""
        self.nodes, self.negated = widened(self.frozen, _FLIPS)
        self.code: list[int] = self.nodes.code.tolist()
        self.owner: list[int] = self.nodes.owner.tolist()
        self.start: list[int] = self.nodes.start.tolist()
        self.args: list[int] = self.nodes.args.tolist()

    def _price(self) -> None:
        """Price every node; what is made of constants only is computed ahead and costs nothing."""
        nodes, frozen = self.nodes, self.frozen
        values = values_of(frozen)
        constant = constant_classes(nodes, list(values), frozen.classes)
        free = ~nodes.leaf & constant[nodes.operands].all(axis=1)
        weight = latency_weight(self.model)
        price, late = priced(
            nodes, values, ~nodes.leaf & ~free, lambda code, row: self._asked(code, row, weight)
        )
        for code in np.unique(nodes.code[free]).tolist():
            price[free & (nodes.code == code)] = TIE * _PLAIN.get(code, 3.0)
        for node in np.flatnonzero(nodes.leaf).tolist():
            leaf = frozen.leaf[node]
            # of a value that is known, the number says more than the symbol that also has it
            own = TIE / 9 if isinstance(leaf, Symbol) else TIE / 10
            price[node] = own if self._held(leaf) else INFINITE
        self.price: list[float] = price.tolist()
        self.late: list[float] = late.tolist() if weight else []
        """The latency of each node in units of the price; empty where the model charges none."""

    def _asked(self, code: int, values: tuple[Any, ...], weight: float) -> tuple[float, float]:
        """Return what the model says of an op: the price, and what its latency costs."""
        op, model = ops.OPS[code], self.model
        late = weight * model.latency(op, values) if weight else 0.0  # type: ignore[attr-defined]
        return model.price(op, values) + TIE, late

    def _held(self, leaf: Any) -> bool:
        """Tell whether a float can hold a folded constant: 1e400 folded from two factors cannot be.

        Floats are constants as they were written, and stay.
        """
        if isinstance(leaf, bool) or not isinstance(leaf, (int, Fraction)) or not leaf:
            return True
        return self.smallest <= abs(to_float(leaf)) <= self.largest

    def extract(self, roots: Sequence[int] | None = None, *, banned: Iterable[int] = (),
                sweeps: int = 8, mode: Mode = "search", seconds: float = 5.0,
                forbidden: Sequence[frozenset[int]] = ()) -> Extraction | None:  # fmt: skip
        """Choose a node for each class; None if a root has no program without the banned nodes.

        A model without sharing gets the best tree in any mode. "exact" searches for at most so many
        seconds; what it proved is in `proof`. It alone can pass over `forbidden` programs, each
        given as the set of its nodes.
        """
        begin = time.perf_counter()
        wanted = list(self.frozen.roots if roots is None else roots)
        banned = frozenset(banned)
        if mode_of(mode) == "exact" and self.model.sharing:
            return self._exact(wanted, banned, begin, seconds, forbidden)
        found = self._search(wanted, banned, 0 if mode == "greedy" else sweeps)
        if found is not None and mode == "exact":
            proof = Proof(found.cost, found.cost, time.perf_counter() - begin)
            return replace(found, proof=proof)
        return found

    def _search(self, wanted: Any, banned: Iterable[int], sweeps: int) -> Extraction | None:
        if not self.late:
            return self._cheapest(wanted, banned, sweeps)
        cheap = self._cheapest(wanted, banned, sweeps) if sweeps else None
        g = self._graph(list(self.price), len(wanted))
        for node in banned:
            g.price[node] = INFINITE
        also = [] if cheap is None else [cheap.choice]
        found = search_paths(g, self.late, wanted, sweeps, also)
        return None if found is None else Extraction(*found)

    def _cheapest(self, wanted: Any, banned: Iterable[int], sweeps: int) -> Extraction | None:
        """Search by prices alone; past a deadline the cheapest trees will do."""
        price = list(self.price)
        for node in banned:
            price[node] = INFINITE
        large = len(price) >= (LOADED_PAYS if "numba" in sys.modules else COMPILE_PAYS)
        sweeps = sweeps if left() > 0 else 0
        if large and left() < LOADING and not compiled.cache_info().currsize:
            large, sweeps = False, 0
        joint = sweeps and self.model.sharing and len(price) < MOST_SETS and not self.together
        sets = by_cost_sets(self._graph(price, len(wanted))) if joint else None
        loops: Any = compiled() if large else (fixpoint, search, again)
        g = self._columns(price, len(wanted)) if large else self._graph(price, len(wanted))
        loops[0](1.0, g)
        if any(g.choice[root] < 0 for root in wanted):
            return None
        if not self.model.sharing:
            return Extraction(_listed(g.choice), float(sum(g.best[root] for root in wanted)))
        sweeps = sweeps if left() > 0 else 0
        shareable: Any = self._shareable(g)
        if large:
            wanted, shareable = _as_array(wanted), _as_array(shareable)
        found = [_found(loops[1](wanted, shareable, sweeps, g), g)]
        for weight in STARTS if sweeps and left() > 0 else ():
            found.append(_found(loops[2](weight, wanted, shareable, sweeps, g), g))
        if sets is not None and left() > 0:
            for group, node in enumerate(sets):
                g.choice[group], g.refs[group], g.seen[group] = node, 0, 0
            found.append(_found(loops[1](wanted, shareable, sweeps, g), g))
        best = found[0]
        for other in found[1:]:
            best = other if other.cost < best.cost - 1e-9 else best
        return best

    def _exact(self, wanted: list[int], banned: frozenset[int], begin: float, seconds: float,
               forbidden: Sequence[frozenset[int]]) -> Extraction | None:  # fmt: skip
        """Solve the integer program, with the search where to start from."""
        g = self._graph(list(self.price), len(wanted))
        for node in banned:
            g.price[node] = INFINITE
        fixpoint(1.0, g)
        if any(g.choice[root] < 0 for root in wanted):
            return None

        def improve(among: set[int]) -> tuple[dict[int, int], float] | None:
            found = self._search(wanted, set(range(len(g.price))) - among, 8)
            return None if found is None else (self.used(found.choice, wanted), found.cost)

        found = solve(
            g, wanted, improve, seconds=seconds, forbidden=forbidden, dropped=banned, late=self.late
        )
        if found.choice is None:
            return None
        choice = list(g.choice)
        for group, node in found.choice.items():
            choice[group] = node
        cost = sum(g.price[node] for node in self.used(choice, wanted).values())
        if self.late:
            ready = arrivals(choice, wanted, self.late, g)
            cost += max((ready[root] for root in wanted), default=0.0)
        proof = Proof(cost, min(found.bound, cost), time.perf_counter() - begin)
        return Extraction(choice, cost, proof)

    def below(self, node: int) -> list[int]:
        """Return the classes of a node's arguments."""
        return self.args[self.start[node] : self.start[node + 1]]

    def trees(self) -> list[float]:
        """Return the cost of the cheapest tree of each class."""
        g = self._graph(list(self.price), 0)
        fixpoint(1.0, g)
        return list(g.best)

    def used(self, choice: Sequence[int], roots: Sequence[int] | None = None) -> dict[int, int]:
        """Return the classes that a program uses, each with its node."""
        found: dict[int, int] = {}
        stack = list(self.frozen.roots if roots is None else roots)
        while stack:
            group = stack.pop()
            if group not in found:
                node = found[group] = choice[group]
                stack += self.args[self.start[node] : self.start[node + 1]]
        return found

    def _columns(self, price: Sequence[float], roots: int) -> Graph:
        """Make the columns of the loops as arrays."""
        count, edges = self.frozen.classes, len(self.args) + roots + 2
        nodes, (first, members, first_user, users) = self.nodes, self._links
        zeros = [np.zeros(size, np.int64) for size in (count, count, edges, 2 * len(users) + 2)]
        return Graph(
            np.array(price, np.float64), np.zeros(len(price), np.int64), nodes.owner, nodes.start,
            nodes.args, first, members, first_user, users, np.full(count, INFINITE),
            np.full(count, -1, np.int64), *zeros,
        )  # fmt: skip

    def _graph(self, price: list[float], roots: int) -> Graph:
        """Make the columns of the loops as lists."""
        return Graph(*[column.tolist() for column in self._columns(price, roots)])

    @cached_property
    def _links(self) -> tuple[Any, Any, Any, Any]:
        """The nodes of each class and the users of each class, as columns."""
        nodes, count = self.nodes, self.frozen.classes
        everyone = np.arange(len(nodes.code))
        per_edge = np.repeat(everyone, np.diff(nodes.start))
        return (*grouped(nodes.owner, everyone, count), *grouped(nodes.args, per_edge, count))

    def _shareable(self, g: Graph) -> list[int]:
        """Return the classes that are worth computing ahead of a use, costly ones first."""
        price = np.array(self.price)
        worth = SHARE_PAYS * float(np.min(price[price > TIE], initial=INFINITE))
        most = SHARED_EACH * len(self.frozen.roots) if self.together else MOST_SHARED
        best = np.array(g.best)
        wanted = np.flatnonzero((worth <= best) & (best < INFINITE) & (np.diff(g.first_user) > 1))
        order = np.lexsort((wanted, -best[wanted]))[:most]
        return wanted[order].tolist()  # type: ignore[no-any-return]

    def terms(self, extraction: Extraction, store: Store) -> tuple[list[Term], dict[int, int]]:
        """Build the chosen program in a store; also map each made term's id to its e-node."""
        made: dict[int, int] = {}
        source: dict[int, int] = {}
        for group in self.order(extraction.choice, self.frozen.roots):
            node = extraction.choice[group]
            made[group] = self.make(node, [made[a] for a in self.below(node)], store)
            source[made[group]] = node
        return [Term(store, made[root]) for root in self.frozen.roots], source

    def order(self, choice: Sequence[int], roots: Sequence[int]) -> list[int]:
        """Return the classes of a program, children first."""
        found: dict[int, None] = {}
        stack = list(reversed(roots))
        while stack:
            group = stack[-1]
            waiting = [a for a in self.below(choice[group]) if a not in found]
            if group not in found and waiting:
                stack += waiting
                continue
            stack.pop()
            found[group] = None
        return list(found)

    def make(self, node: int, args: Sequence[int], store: Store) -> int:
        """Build the term of one node over made children, and return its id."""
        leaf = self.frozen.leaf[node] if node < len(self.frozen) else None
        if isinstance(leaf, Symbol):
            return store.symbol(leaf)
        if leaf is not None:
            return store.constant(leaf)
        flips = self.negated.get(node, ())
        args = [
            store.make((ops.NEG.code, a)) if flip else a
            for a, flip in zip(args, flips or [False] * len(args), strict=True)
        ]
        return store.make((self.code[node], *args))


def _as_array(column: Any) -> Any:
    return np.array(column, np.float64 if column and isinstance(column[0], float) else np.int64)


def _found(cost: Any, g: Any) -> Extraction:
    return Extraction(_listed(g.choice), float(cost))


def _listed(choice: Any) -> list[int]:
    return list(choice) if isinstance(choice, list) else choice.tolist()
