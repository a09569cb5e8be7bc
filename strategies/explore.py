"""`Saturated`: an e-graph after saturation, to look at, to ask and to take terms from."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

from rewrite import ops
from rewrite.array import TermArray
from rewrite.constants import Constant, constant_key
from rewrite.cost import CostModel
from rewrite.dag import Dag
from rewrite.display import Displayed
from rewrite.egraph.arrays import Frozen
from rewrite.egraph.language import exact
from rewrite.egraph.limits import Report
from rewrite.egraph.picture import MOST_DRAWN, Picture
from rewrite.egraph.svg import Drawn, Item
from rewrite.errors import ArgumentError, StrategyError
from rewrite.extract import Extraction, Extractor, Mode, mode_of
from rewrite.kbest import k_best
from rewrite.printing import infix, number
from rewrite.store import Store, Symbol
from rewrite.tables import Table
from rewrite.term import Term, join, join_all
from strategies.saturation import Saturate

__all__ = ["Saturated", "explore"]

LOADABLE: Final = 50_000
"""Of more nodes no e-graph is made as a whole."""
WRITTEN: Final = 80
"""Letters of a term in a picture's titles."""


class Saturated(Displayed):
    """What `rw.egraph` makes: classes of equal terms, under the laws that were used.

    It does not change. Terms that it gives are in the store of the first term it was made of.
    """

    report: Report
    """Which rules matched, how it grew, why it stopped."""
    cost: CostModel
    """By which terms are chosen."""

    def __init__(
        self, dag: Dag, store: Store, frozen: Frozen, classes: Sequence[int], report: Report,
        cost: CostModel, *, single: bool, again: Callable[[int], "Saturated"],
    ) -> None:  # fmt: skip
        self.report, self.cost = report, cost
        self._again = again
        self._store, self._single, self._frozen = store, single, frozen
        self._extractor = Extractor(frozen, cost)
        self._known = dict(zip(dag.ids.tolist(), classes, strict=True))
        """Of nodes of the source, also those that rules have replaced for good."""

    def __len__(self) -> int:
        """Count the e-nodes."""
        return len(self._frozen)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self._frozen.classes

    def __repr__(self) -> str:
        """Show the size and why it stopped."""
        stop = self.report.stop.value if self.report.stop else "not run"
        return f"<Saturated: {len(self)} e-nodes in {self.classes} classes; stopped by: {stop}>"

    # -- terms -------------------------------------------------------------------------------

    def extract(self, mode: Mode = "search", *, seconds: float = 5.0) -> Any:
        """Return the cheapest term, or a list for several; `mode` is what `optimize` takes."""
        return self._shaped(self._chosen(mode, seconds))

    def best(self, k: int, *, seconds: float = 10.0) -> list[Any]:
        """Return the k cheapest terms, cheapest first, of which no two differ in order alone.

        They are those that a search finds, with `seconds` for it; there may be fewer.
        """
        found = k_best(self._extractor, k, mode="search", seconds=seconds)
        return [self._shaped(program) for program in found]

    def _chosen(self, mode: Mode = "search", seconds: float = 5.0) -> Extraction:
        found = self._extractor.extract(mode=mode_of(mode), seconds=seconds)
        assert found is not None, "a root has lost its source"
        return found

    def _shaped(self, program: Extraction) -> Any:
        terms, _ = self._extractor.terms(program, self._store)
        return terms[0] if self._single else terms

    # -- questions ---------------------------------------------------------------------------

    def __contains__(self, term: Any) -> bool:
        """Tell whether an e-node stands for a term, as it is written."""
        return isinstance(term, Term) and self._find(term)[0] is not None

    def equal(self, one: Term, other: Term) -> bool:
        """Tell whether the laws made two terms equal.

        Both must occur, as written, in what was given or in what rules made of it: raise
        `ArgumentError` for a term that does not.
        """
        return self._class_of(one) == self._class_of(other)

    def forms(self, term: Term) -> list[Term]:
        """Return what a term is equal to, one form an e-node of its class, cheapest first.

        Below the first op the cheapest terms stand for their classes. Raise `ArgumentError` for a
        term that does not occur.
        """
        group, e = self._class_of(term), self._extractor
        nodes = [node for node, owner in enumerate(e.owner) if owner == group]
        nodes.sort(key=lambda node: e.price[node] + sum(self._trees[a] for a in e.below(node)))
        made = [form for node in nodes if (form := self._form(node)) is not None]
        return [join(self._store, form) for form in dict.fromkeys(made)]

    def _class_of(self, term: Any) -> int:
        if not isinstance(term, Term):
            raise ArgumentError(f"an e-graph is asked about terms, not {term!r}")
        group, _ = self._find(term)
        if group is None:
            raise ArgumentError(
                f"{term!r} does not occur in this e-graph; give it to egraph beside the others"
            )
        return group

    def _find(self, term: Term) -> tuple[int | None, set[int]]:
        """Return the class of a term, None if it does not occur, and the e-nodes that it is."""
        dag = Dag.of(self._store, [join(self._store, term).id])
        rows, nodes = self._rows, set()
        place: list[int] = []
        for at, (code, args) in enumerate(dag.rows()):
            key = _leaf_key(dag.value[at]) if not args else (code, *[place[a] for a in args])
            # sums and products of many are chains from the left in the graph
            while ops.OPS[code].arity < 0 and len(key) > 3 and key[:3] in rows:
                nodes.add(rows[key[:3]])
                key = (code, self._extractor.owner[rows[key[:3]]], *key[3:])
            node = rows.get(key)
            group = self._known.get(int(dag.ids[at]))
            if node is not None:
                nodes.add(node)
                group = self._extractor.owner[node]
            if group is None:
                return None, set()
            place.append(group)
        return place[dag.roots[0]], nodes

    @cached_property
    def _rows(self) -> dict[tuple[Any, ...], int]:
        """The e-nodes by their op and the classes of their arguments, or by their value."""
        frozen, e = self._frozen, self._extractor
        return {
            (e.code[node], *below)
            if (below := e.below(node))
            else _leaf_key(frozen.leaf[node]): node
            for node in range(len(frozen))
        }

    # -- pictures ----------------------------------------------------------------------------

    def show(
        self, highlight: Term | Iterable[Term] | None = None, *, most: int = MOST_DRAWN
    ) -> Picture:
        """Draw the classes and e-nodes, with the cheapest term set off, or other terms.

        A notebook shows the picture; `.save("x.svg")` writes it, `print` lists the classes. Above
        `most` e-nodes it is a summary. `highlight=()` sets nothing off; raise `ArgumentError` for a
        term that does not occur.
        """
        if highlight is None:
            used = self._extractor.used(self._chosen().choice)
            return self._picture(set(used.values()), most)
        chosen: set[int] = set()
        for term in [highlight] if isinstance(highlight, Term) else highlight:
            self._class_of(term)
            chosen |= self._find(term)[1]
        return self._picture(chosen, most)

    def _picture(self, chosen: set[int], most: int) -> Picture:
        e, small = self._extractor, len(self) <= most
        # that fma negates an operand for nothing is shown where it is chosen
        extra = sorted(node for node in chosen if node >= len(self))
        place = self._numbers
        order = sorted([*range(len(self)), *extra], key=lambda node: (place[e.owner[node]], node))
        items = tuple(self._item(node, titled=small) for node in order)
        titles = [""] * self.classes
        for group, at in place.items():
            titles[at] = infix(self._terms[group], WRITTEN) if group in self._terms else ""
        drawn = Drawn(
            items, tuple(titles), tuple(dict.fromkeys(place[root] for root in self._frozen.roots)),
            frozenset(at for at, node in enumerate(order) if node in chosen),
        )  # fmt: skip
        stop = self.report.stop.value if self.report.stop else "not run"
        size = f"{len(self)} e-nodes in {self.classes} classes; stopped by: {stop}"
        return Picture(drawn, (size, *self.report.notes), most)

    def _item(self, node: int, *, titled: bool) -> Item:
        e = self._extractor
        args = tuple(self._numbers[group] for group in e.below(node))
        owner, form = self._numbers[e.owner[node]], self._form(node) if titled else None
        title = "" if form is None else infix(form, WRITTEN)
        leaf = self._frozen.leaf[node] if node < len(self) else None
        if isinstance(leaf, Symbol):
            return Item(owner, leaf.name, (), "symbol", title)
        if leaf is not None:
            return Item(owner, number(leaf), (), "constant", title)
        row = ops.OPS[e.code[node]]
        signs = e.negated.get(node)
        label = row.infix.strip() if row.infix and len(args) > 1 else row.name
        if signs:
            label += f"({','.join('-' if sign else '+' for sign in signs)})"
        return Item(owner, label, args, "op", title)

    @cached_property
    def _numbers(self) -> dict[int, int]:
        """A number for each class, from the roots down."""
        e = self._extractor
        below: list[list[int]] = [[] for _ in range(self.classes)]
        for node in range(len(self)):
            below[e.owner[node]] += e.below(node)
        seen: dict[int, int] = {}
        for first in (*self._frozen.roots, *range(self.classes)):
            waiting = [first] if first not in seen else []
            seen.setdefault(first, len(seen))
            for group in waiting:
                for child in below[group]:
                    if child not in seen:
                        seen[child] = len(seen)
                        waiting.append(child)
        return seen

    @cached_property
    def _trees(self) -> list[float]:
        return self._extractor.trees()

    @cached_property
    def _terms(self) -> dict[int, Term]:
        """The cheapest tree of each class, in a store apart; dearer ones come later."""
        found = self._extractor.extract([], mode="greedy")
        assert found is not None, "nothing was asked for"
        store = Store()
        made: dict[int, Term] = {}
        for group in sorted(range(self.classes), key=lambda group: self._trees[group]):
            node = found.choice[group]
            if node >= 0:
                args = [made[below].id for below in self._extractor.below(node)]
                made[group] = Term(store, self._extractor.make(node, args, store))
        return made

    def _form(self, node: int) -> Term | None:
        """Write a node over the cheapest terms of its arguments; None if one has no term."""
        below = self._extractor.below(node)
        if any(group not in self._terms for group in below):
            return None
        store = next(iter(self._terms.values())).store
        return Term(store, self._extractor.make(node, [self._terms[a].id for a in below], store))

    def at(self, iteration: int) -> "Saturated":
        """Return the e-graph as it was after so many iterations; it is made anew.

        Raise `ArgumentError` for an iteration that there was not.

        >>> import rewrite as rw
        >>> from rewrite.rules.arithmetic import FACTORING
        >>> a, x, y = rw.symbols("a x y")
        >>> found = rw.egraph(a * x + a * y, FACTORING)
        >>> [len(found.at(k)) for k in range(len(found.report.iterations) + 1)]
        [6, 8, 8, 8]
        """
        last = len(self.report.iterations)
        if isinstance(iteration, bool) or not isinstance(iteration, int):
            raise ArgumentError(f"iteration={iteration!r} is no whole number")
        if not 0 <= iteration <= last:
            raise ArgumentError(f"there were {last} iterations; {iteration} is none of 0 to {last}")
        return self if iteration == last else self._again(iteration)

    def slider(self) -> Any:
        """Return a widget for a notebook: a slider over the iterations, and the picture of each.

        Raise `MissingLibrary` where ipywidgets is not installed.
        """
        from strategies.slider import slider

        return slider(self)

    def table(self) -> Table:
        """Tell how the e-graph grew in each iteration, and how often each rule matched."""
        return self.report.table(len(self._known))

    def _repr_svg_(self) -> str | None:
        return self.show()._repr_svg_()

    def _repr_html_(self) -> str | None:
        return self.show()._repr_html_()


def _leaf_key(leaf: Symbol | Constant | None) -> tuple[Any, ...]:
    """Return what tells leaves apart in an e-graph, where 1/2 and 0.5 are one."""
    if leaf is None or isinstance(leaf, Symbol):
        return ("leaf", leaf)
    rational = exact(leaf)
    return ("leaf", *constant_key(leaf)) if rational is None else ("leaf", rational)


def explore(terms: Term | Iterable[Term] | TermArray, plan: Saturate) -> Saturated:
    """Saturate terms together and keep the e-graph.

    Raise `StrategyError` where the rules contradict each other on them.

    >>> from rewrite.rules.arithmetic import FACTORING
    >>> from rewrite.leaves import symbols
    >>> from strategies.saturation import saturate
    >>> from strategies.simplify import Size
    >>> a, x, y = symbols("a x y")
    >>> found = explore(a * x + a * y, saturate(FACTORING, Size()))
    >>> found.extract(), found.equal(a * x + a * y, a * (x + y))
    (a*(x + y), True)
    """
    given = _listed(terms)
    if not given or not all(isinstance(term, Term) for term in given):
        raise ArgumentError(f"an e-graph is made of one or more terms, not {terms!r}")
    store = given[0].store
    dag = Dag.of(store, join_all(store, given))
    if len(dag) > LOADABLE:
        raise ArgumentError(f"{len(dag)} nodes are too many for one e-graph, at most {LOADABLE}")
    frozen, classes, report = plan.saturated(dag)
    if frozen is None:
        raise StrategyError(f"the rules contradict each other here: {report.notes[-1]}")

    def again(iterations: int) -> Saturated:
        return explore(given[0] if single else given, replace(
            plan, limits=replace(plan.limits, iterations=iterations), until=None
        ))  # fmt: skip

    single = isinstance(terms, Term)
    return Saturated(dag, store, frozen, classes, report, plan.cost, single=single, again=again)


def _listed(terms: Any) -> list[Any]:
    if isinstance(terms, TermArray):
        return terms.ravel().terms()
    return list(terms) if isinstance(terms, Iterable) and not isinstance(terms, Term) else [terms]
