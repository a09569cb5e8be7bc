"""Large programs that repeat themselves: one cluster of each shape is optimised, for all.

A program is taken apart into clusters of nodes. Of those that are equal but for their leaves, in
which each value that another cluster computes is a leaf, one stands for all. A program of these,
and of what is not repeated, is optimised as any other; then what came out is made of the leaves of
each cluster.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.cost import CostModel, dag_cost
from rewrite.dag import Dag, rebuild
from rewrite.egraph.limits import Report
from rewrite.repeats import loops
from rewrite.repeats.clusters import Clusters, clusters_of, of_sums
from rewrite.store import Store, Symbol
from rewrite.term import Term
from strategies.windows.binary import made
from strategies.windows.shape import symbol_of
from strategies.windows.values import Values

__all__ = ["LARGE", "optimised"]

type Array = npt.NDArray[Any]
type Optimiser = Callable[[list[Term], frozenset[str]], tuple[list[Term], Report]]
"""Given terms, and the names of symbols that may have no value."""

LARGE: Final = 10_000
"""Programs of fewer nodes are optimised as they are."""
MANY: Final = 16
"""So many clusters of one shape are repeated."""
SAMPLED: Final = (4, 16)
"""So many of them are optimised and judged at least, and at most;"""
TOGETHER: Final = 6_000
"""as many as have about so many nodes, those of all shapes together."""
SHARE: Final = 0.8
"""So much of a program must be of repeated clusters."""


def optimised(
    terms: Sequence[Term], dag: Dag, cost: CostModel, optimiser: Optimiser
) -> tuple[list[Term], Report] | None:
    """Optimise a program shape by shape; None where little of it is repeated."""
    values = Values(dag)
    clusters = clusters_of(dag, values)
    parts = _Parts(clusters, values)
    if not parts.worthwhile():
        return None
    found, report = optimiser(parts.terms(), frozenset(parts.opaque))
    ids = _Instances(parts, found, terms[0].store).roots()
    if ids is None:
        return None
    report.notes.insert(0, parts.note())
    best = [Term(terms[0].store, node) for node in ids]
    after = Dag.of(terms[0].store, ids)
    return (best if dag_cost(after, cost) < dag_cost(dag, cost) - 1e-9 else list(terms)), report


@dataclass(frozen=True, slots=True)
class _Part:
    """Roots that are optimised for all instances: leaves and roots are positions, one row each."""

    leaves: Array
    roots: Array
    numbers: list[dict[str, int]]
    """Of the symbol of each leaf, in each of those that were optimised."""


class _Parts:
    """The shapes of a program as one of their own, and what is not repeated."""

    def __init__(self, clusters: Clusters, values: Values) -> None:
        self.clusters, self.values = clusters, values
        self.dag = clusters.dag
        counts = np.bincount(clusters.like, minlength=len(clusters))
        self.repeated = counts[clusters.like] >= MANY
        self.shapes = np.flatnonzero(counts >= MANY)
        self.covered = int(clusters.weight[self.repeated].sum())
        self.total = int(clusters.weight.sum())
        self.store = Store()
        self.made: list[int] = []
        self.parts: list[_Part] = []
        self.opaque: list[str] = []

    def worthwhile(self) -> bool:
        """Tell whether enough of the program is repeated, apart from sums of shared products."""
        apart = self.repeated & ~of_sums(self.clusters)
        return int(self.clusters.weight[apart].sum()) > SHARE * max(1, self.total)

    def note(self) -> str:
        """Say what was found."""
        shapes = "1 shape stands" if len(self.shapes) == 1 else f"{len(self.shapes)} shapes stand"
        return f"{shapes} for {self.covered} of {self.total} nodes"

    def terms(self) -> list[Term]:
        """Make the program of one cluster for each shape, and of what is not repeated."""
        clusters = self.clusters
        order = np.argsort(clusters.like, kind="stable")
        least, most = SAMPLED
        size = max(1, int(clusters.weight[self.shapes].sum()))
        number = min(max(TOGETHER // size, least), most)
        bounds = np.searchsorted(clusters.like[order], [self.shapes, self.shapes + 1])
        for shape, low, high in zip(self.shapes.tolist(), *bounds.tolist(), strict=True):
            members = order[low:high]
            leaves = _runs(clusters.leaves, clusters.leaf_at, members)
            roots = _runs(clusters.roots, clusters.first, members)
            few = np.linspace(0, len(members) - 1, number).astype(int)
            self.parts.append(_Part(leaves, roots, self._represented(shape, leaves[few])))
        self._rest()
        return [Term(self.store, node) for node in self.made]

    def _represented(self, shape: int, leaves: Array) -> list[dict[str, int]]:
        """Make clusters of a shape; return for each the number of the leaf of each symbol."""
        rows, places = self.clusters.rows(shape)
        classes = self.clusters.value_classes(shape)
        numbers = []
        for turn, own in enumerate(leaves.tolist()):
            symbols = [
                self._symbol(f"shape{shape}_{turn}_{k}", at, value)
                for k, (at, value) in enumerate(zip(own, classes, strict=True))
            ]
            ids: list[int] = []
            for code, args, value in rows:
                value = symbols[value] if code == ops.SYMBOL.code else value
                ids.append(made(self.store, code, [ids[a] for a in args], value))
            self.made += [ids[place] for place in places]
            numbers.append({symbol.name: k for k, symbol in enumerate(symbols)})
        return numbers

    def _symbol(self, name: str, at: int, value: int | None) -> Symbol:
        """Make the symbol that stands for a leaf: another symbol, or a value of a class."""
        if value is None:
            symbol = self.dag.value[at]
            assert isinstance(symbol, Symbol)
            return replace(symbol, name=name)
        sort, known = self.values.classes[value]
        if not known.defined:
            self.opaque.append(name)
        return symbol_of(sort, known, name)

    def _rest(self) -> None:
        """Add what is not repeated, of symbols and of values of repeated clusters."""
        clusters, dag = self.clusters, self.dag
        repeated = np.repeat(self.repeated, np.diff(clusters.first))
        read = np.zeros(len(dag), np.bool_)
        read[clusters.leaves[np.repeat(self.repeated, np.diff(clusters.leaf_at))]] = True
        read[dag.roots] = True
        roots = clusters.roots[~repeated]
        roots = roots[read[roots]]
        if not len(roots):
            return
        stops = np.zeros(len(dag), np.bool_)
        stops[clusters.roots[repeated]] = True
        stops &= clusters.kind == loops.INNER
        part, places = _below(dag, roots, stops)
        leaves = [
            at for at, value in enumerate(part.value)
            if isinstance(value, Symbol) or (value is None and stops[places[at]])
        ]  # fmt: skip
        positions = places[leaves]
        symbols = [
            self._symbol(f"leaf{at}", at, int(clusters.value[at]) if stops[at] else None)
            for at in positions.tolist()
        ]
        preset = {at: self.store.symbol(symbol) for at, symbol in zip(leaves, symbols, strict=True)}
        ids = rebuild(part, self.store, preset)
        self.made += [ids[root] for root in part.roots]
        number = {symbol.name: k for k, symbol in enumerate(symbols)}
        self.parts.append(_Part(positions[None, :], roots[None, :], [number]))


def _runs(values: Array, bounds: Array, members: Array) -> Array:
    """Return the entries of some members, which have equally many, in rows."""
    width = bounds[members[0] + 1] - bounds[members[0]]
    found: Array = values[bounds[members][:, None] + np.arange(width)]
    return found


def _below(dag: Dag, roots: Array, stops: Array) -> tuple[Dag, Array]:
    """Return what is below some roots, down to where it stops, and the positions of it all."""
    wanted = np.zeros(len(dag), np.bool_)
    wanted[roots] = True
    loops.needed(dag.start, dag.args, stops, wanted)
    kept = np.flatnonzero(wanted)
    place = np.cumsum(wanted) - 1
    counts = np.where(stops, 0, np.diff(dag.start))
    start = np.concatenate([[0], np.cumsum(counts[kept])])
    edges = dag.args[np.repeat(wanted & ~stops, np.diff(dag.start))]
    part = Dag(
        dag.code[kept], start, place[edges].astype(np.int32), dag.sort[kept],
        [dag.value[at] for at in kept.tolist()], place[roots].tolist(), dag.ids[kept],
    )  # fmt: skip
    return part, kept


@dataclass(frozen=True, slots=True)
class _Form:
    """What was made of a part, and the numbers of its leaves by symbol."""

    dag: Dag
    number: dict[str, int]

    @property
    def key(self) -> Any:
        """What it is, whatever its symbols are called."""
        values = [
            self.number[value.name] if isinstance(value, Symbol) else repr(value)
            for value in self.dag.value
        ]
        return tuple(self.dag.rows()), tuple(values), tuple(self.dag.roots)


def _usual(forms: Sequence[_Form]) -> _Form:
    """Return the form that most of those who were optimised got; the first of them."""
    if len(forms) == 1:
        return forms[0]
    keys = [form.key for form in forms]
    return forms[keys.index(max(keys, key=keys.count))]


class _Instances:
    """The program that is made of the optimised parts, as a graph.

    Its nodes are the positions of the source, then constants, then what all instances compute.
    """

    def __init__(self, parts: _Parts, found: Sequence[Term], store: Store) -> None:
        self.dag, self.store = parts.dag, store
        self.alias = np.arange(len(self.dag), dtype=np.int64)
        """Where the value of a position is computed now."""
        self.constants: dict[int, int] = {}
        """By node of the store."""
        self.codes: list[Array] = []
        self.counts: list[Array] = []
        self.args: list[Array] = []
        forms, at = [], 0
        for part in parts.parts:
            width, candidates = part.roots.shape[1], []
            for number in part.numbers:
                roots = found[at : at + width]
                at += width
                form = Dag.of(roots[0].store, [term.id for term in roots])
                candidates.append(_Form(form, number))
            forms.append(_usual(candidates))
            self._constants(forms[-1].dag)
        self.used = len(self.dag) + len(self.constants)
        for part, chosen in zip(parts.parts, forms, strict=True):
            self._instantiate(part, chosen)

    def _constants(self, form: Dag) -> None:
        for value in form.value:
            if value is not None and not isinstance(value, Symbol):
                node = self.store.constant(value)
                self.constants.setdefault(node, len(self.dag) + len(self.constants))

    def _instantiate(self, part: _Part, made: "_Form") -> None:
        """Add what a form computes of the leaves of each instance."""
        number, form = len(part.leaves), made.dag
        inner = np.flatnonzero(form.start[1:] > form.start[:-1])
        nodes = np.empty((number, len(form)), np.int64)
        own = self.used + np.arange(number * len(inner)).reshape(number, len(inner))
        nodes[:, inner] = own
        for at, value in enumerate(form.value):
            if isinstance(value, Symbol):
                nodes[:, at] = part.leaves[:, made.number[value.name]]
            elif value is not None:
                nodes[:, at] = self.constants[self.store.constant(value)]
        self.codes.append(np.tile(form.code[inner], number))
        self.counts.append(np.tile(np.diff(form.start)[inner], number))
        self.args.append(nodes[:, form.args].ravel())
        self.alias[part.roots] = nodes[:, form.roots]
        self.used += own.size

    def roots(self) -> list[int] | None:
        """Make it all; return the nodes of the roots, None where that goes in a circle."""
        n, before = len(self.dag), len(self.dag) + len(self.constants)
        alias = _resolved(self.alias)
        if alias is None:
            return None
        flat = np.concatenate([np.empty(0, np.int64), *self.args])
        args = np.where(flat < n, alias[np.minimum(flat, n - 1)], flat).astype(np.int32)
        codes = np.concatenate([np.zeros(before, np.uint8), *self.codes])
        start = np.zeros(self.used + 1, np.int64)
        np.cumsum(np.concatenate([np.empty(0, np.int64), *self.counts]), out=start[before + 1 :])
        roots = alias[np.array(self.dag.roots, np.int64)]
        order = np.empty(self.used, np.int32)
        stack = np.empty(self.used + len(args) + 1, np.int32)
        seen = np.zeros(self.used, np.bool_)
        order = order[: loops.ordered(roots, start, args, seen, stack, order)]
        place = np.full(self.used, -1, np.int32)
        place[order] = np.arange(len(order), dtype=np.int32)
        counts = np.diff(start)[order]
        sorted_start = np.concatenate([[0], np.cumsum(counts)])
        where = np.repeat(start[order] - sorted_start[:-1], counts) + np.arange(sorted_start[-1])
        edges = place[args[where]]
        if (edges >= np.repeat(np.arange(len(order)), counts)).any():
            return None
        known = np.full(before, -1, np.int32)
        known[:n] = self.dag.ids
        known[n:] = list(self.constants)
        out = np.full(len(order), -1, np.int32)
        out[order < before] = known[order[order < before]]
        self.store.indexed().intern(self.store, codes[order], sorted_start, edges, out, local=True)
        found: list[int] = out[place[roots]].tolist()
        return found


def _resolved(alias: Array) -> Array | None:
    """Follow aliases of aliases to their ends; None where they have none."""
    n = len(alias)
    for _ in range(n.bit_length() + 1):
        further = np.where(alias < n, alias[np.minimum(alias, n - 1)], alias)
        if (further == alias).all():
            return alias
        alias = further
    return None
