"""Extraction: the cheapest program in an e-graph, by the cost of its DAG, over many roots.

First a fixpoint of tree costs, then local search: one class at a time switches to the node that
lowers the cost of the whole DAG most, with reference counts telling what is shared. The loops are
plain functions over flat sequences: lists for small graphs, where loading compiled code would
take longer, arrays under Numba for large ones, with the same result.
"""

import types
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from rewrite import ops
from rewrite.constants import Constant
from rewrite.cost import CostModel
from rewrite.egraph.arrays import Frozen
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["Extraction", "Extractor"]

INFINITE: Final = 1e300
TIE: Final = 1e-4
"""Added to every node, so that of two equal costs the smaller term wins and no cycle is free."""
_PLAIN: Final = {ops.ADD.code: 1.3, ops.POW.code: 3.0, ops.FMA.code: 3.0}
"""Among constants, which cost nothing, 2*pi is read more easily than pi + pi."""
COMPILE_PAYS: Final = 30_000
"""From so many e-nodes on the compiled loops are worth loading."""
SHARE_PAYS: Final = 4.0
"""A class is tried for sharing if it costs so many times the cheapest operation."""
MOST_SHARED: Final = 200


class _Graph(NamedTuple):
    """The columns that the loops share: lists, or arrays under Numba."""

    price: Any
    """Of each node; infinite where it must not be used."""
    owner: Any
    start: Any
    args: Any
    """`args[start[i]:start[i+1]]` are the child classes of node i."""
    first: Any
    members: Any
    """`members[first[c]:first[c+1]]` are the nodes of class c."""
    first_user: Any
    users: Any
    """`users[first_user[c]:first_user[c+1]]` are the nodes that have class c as a child."""
    best: Any
    """The cost of the cheapest tree of each class."""
    choice: Any
    """The chosen node of each class, -1 where none is known."""
    refs: Any
    """How often the chosen program uses each class."""
    seen: Any
    stack: Any
    undo: Any


def _fixpoint(g: Any) -> int:
    """Relax tree costs until nothing changes; return the number of passes."""
    passes = 0
    changed = True
    while changed:
        changed = False
        passes += 1
        for node in range(len(g.price)):
            cost = g.price[node]
            if cost >= INFINITE:
                continue
            for k in range(g.start[node], g.start[node + 1]):
                cost += g.best[g.args[k]]
                if cost >= INFINITE:
                    break
            group = g.owner[node]
            if cost < g.best[group] - 1e-12:
                g.best[group] = cost
                g.choice[group] = node
                changed = True
    return passes


def _count(roots: Any, g: Any) -> Any:
    """Count the references from the roots along the chosen nodes; return the DAG's cost."""
    total = 0.0
    top = 0
    for root in roots:
        g.refs[root] += 1
        if g.refs[root] == 1:
            g.stack[top] = root
            top += 1
    while top > 0:
        top -= 1
        node = g.choice[g.stack[top]]
        total += g.price[node]
        for k in range(g.start[node], g.start[node + 1]):
            g.refs[g.args[k]] += 1
            if g.refs[g.args[k]] == 1:
                g.stack[top] = g.args[k]
                top += 1
    return total


def _shift(node: int, sign: int, g: Any) -> Any:
    """Add (sign 1) or drop (sign -1) the references below a node; return the cost that moves."""
    moved = g.price[node]
    edge = 0 if sign < 0 else 1
    g.stack[0] = node
    top = 1
    while top > 0:
        top -= 1
        current = g.stack[top]
        for k in range(g.start[current], g.start[current + 1]):
            child = g.args[k]
            g.refs[child] += sign
            if g.refs[child] == edge:
                below = g.choice[child]
                moved += g.price[below]
                g.stack[top] = below
                top += 1
    return moved


def _reaches(node: int, target: int, mark: int, g: Any) -> bool:
    """Tell whether the chosen program below a node contains the target class."""
    g.stack[0] = node
    top = 1
    while top > 0:
        top -= 1
        current = g.stack[top]
        for k in range(g.start[current], g.start[current + 1]):
            child = g.args[k]
            if child == target:
                return True
            if g.seen[child] != mark:
                g.seen[child] = mark
                if g.choice[child] < 0:
                    return True  # nothing is known below: not a program
                g.stack[top] = g.choice[child]
                top += 1
    return False


def _switch(group: int, node: int, mark: int, g: Any) -> Any:
    """Let a class use another node if that lowers the cost; return by how much, 0 if not."""
    old = g.choice[group]
    if node == old or g.price[node] >= INFINITE or _reaches(node, group, mark, g):
        return 0.0
    gain = _shift(old, -1, g)
    pay = _shift(node, 1, g)
    if pay < gain - 1e-9:
        g.choice[group] = node
        return gain - pay
    _shift(node, -1, g)
    _shift(old, 1, g)
    return 0.0


def _share(group: int, mark: int, g: Any) -> Any:
    """Compute an unused class for all that could use it; return the gain, 0 if it does not pay.

    One class alone may not pay for it: `x/s` and `y/s` become products only once both share `1/s`.
    """
    g.refs[group] += 1
    paid = _shift(g.choice[group], 1, g)
    gained = 0.0
    changed = 0
    for u in range(g.first_user[group], g.first_user[group + 1]):
        node = g.users[u]
        target = g.owner[node]
        if g.refs[target] > 0 and target != group:
            old = g.choice[target]
            gain = _switch(target, node, mark + u, g)
            if gain > 0.0:
                gained += gain
                g.undo[2 * changed] = target
                g.undo[2 * changed + 1] = old
                changed += 1
    g.refs[group] -= 1
    if g.refs[group] == 0:  # nobody came
        paid -= _shift(g.choice[group], -1, g)
    if gained > paid + 1e-9:
        return gained - paid
    while changed > 0:
        changed -= 1
        target, old = g.undo[2 * changed], g.undo[2 * changed + 1]
        _shift(g.choice[target], -1, g)
        _shift(old, 1, g)
        g.choice[target] = old
    return 0.0


def _search(roots: Any, shareable: Any, sweeps: int, g: Any) -> Any:
    """Improve the DAG cost, by one class at a time and by sharing one; return it."""
    total = _count(roots, g)
    mark = 0
    for _ in range(sweeps):
        before = total
        for group in range(len(g.refs)):
            for m in range(g.first[group], g.first[group + 1]):
                if g.refs[group] > 0:
                    mark += 1
                    total -= _switch(group, g.members[m], mark, g)
        for group in shareable:
            if g.refs[group] == 0 and g.choice[group] >= 0:
                mark += 1
                total -= _share(group, mark, g)
                mark += len(g.users)
        if total > before - 1e-9:
            break
    return total


@cache
def _compiled() -> tuple[Any, Any]:
    """Compile the loops with Numba: copies that call each other's compiled forms."""
    import numba as nb

    scope: dict[str, Any] = {"INFINITE": INFINITE, "__name__": __name__}
    for function in (_count, _shift, _reaches, _switch, _share, _fixpoint, _search):
        copy = types.FunctionType(function.__code__, scope, function.__name__)
        scope[function.__name__] = nb.njit(nogil=True, cache=True)(copy)
    return scope["_fixpoint"], scope["_search"]


@dataclass(frozen=True, slots=True)
class Extraction:
    """A chosen program: the node of each class, and its cost under the model."""

    choice: list[int]
    cost: float


class Extractor:
    """Prices the e-nodes of a frozen graph once, then extracts as often as asked."""

    def __init__(self, frozen: Frozen, model: CostModel) -> None:
        self.model = model
        self.frozen = frozen
        self._widen()
        self._price()

    def _widen(self) -> None:
        """Add, for each fma with a negated operand, a node that negates it for free."""
        frozen = self.frozen
        self.code: list[int] = frozen.code.tolist()
        self.owner: list[int] = frozen.owner.tolist()
        self.start: list[int] = frozen.start.tolist()
        self.args: list[int] = frozen.args.tolist()
        self.negated: dict[int, tuple[bool, bool, bool]] = {}
        negations: dict[int, int] = {}
        for node, code in enumerate(self.code):
            if code == ops.NEG.code:
                negations.setdefault(self.owner[node], self.args[self.start[node]])
        for node in range(len(frozen)):
            if self.code[node] != ops.FMA.code:
                continue
            x, y, z = self.args[self.start[node] : self.start[node + 1]]
            for first, last in ((True, False), (False, True), (True, True)):
                if (first and x not in negations) or (last and z not in negations):
                    continue
                self.negated[len(self.code)] = (first, False, last)
                self.code.append(ops.FMA.code)
                self.owner.append(self.owner[node])
                self.args += [negations[x] if first else x, y, negations[z] if last else z]
                self.start.append(len(self.args))

    def _price(self) -> None:
        """Price every node; what is made of constants only is computed ahead and costs nothing."""
        value: dict[int, Constant | Fraction] = {}
        constant: set[int] = set()
        leaves = self.frozen.leaf
        for node, leaf in enumerate(leaves):
            if (
                self.code[node] == ops.CONST.code
                and not isinstance(leaf, Symbol)
                and leaf is not None
            ):
                value[self.owner[node]] = leaf
        constant.update(value)
        self._spread(constant)
        known: dict[tuple[Any, ...], float] = {}
        self.price: list[float] = []
        for node, code in enumerate(self.code):
            args = self.args[self.start[node] : self.start[node + 1]]
            if not args or all(a in constant for a in args):
                self.price.append(TIE * (_PLAIN.get(code, 1.0) if args else 0.1))
                continue
            key = (code, *[value.get(a) for a in args])
            if key not in known:
                known[key] = self.model.price(ops.OPS[code], key[1:]) + TIE
            self.price.append(known[key])

    def _spread(self, constant: set[int]) -> None:
        grew = True
        while grew:
            before = len(constant)
            for node in range(len(self.code)):
                low, high = self.start[node], self.start[node + 1]
                if high > low and self.owner[node] not in constant:
                    if all(a in constant for a in self.args[low:high]):
                        constant.add(self.owner[node])
            grew = len(constant) > before

    def extract(self, roots: Sequence[int] | None = None, *, banned: Sequence[int] = (),
                sweeps: int = 8) -> Extraction | None:  # fmt: skip
        """Choose a node for each class; None if a root has no program without the banned nodes.

        A model without sharing gets the best tree, any other the best DAG that the search finds.
        """
        wanted: Any = list(self.frozen.roots if roots is None else roots)
        price = list(self.price)
        for node in banned:
            price[node] = INFINITE
        g = self._graph(price, len(wanted))
        compiled = len(price) >= COMPILE_PAYS
        loops: Any = _compiled() if compiled else (_fixpoint, _search)
        if compiled:
            g = _Graph(*map(_as_array, g))
        loops[0](g)
        if any(g.choice[root] < 0 for root in wanted):
            return None
        if not self.model.sharing:
            return Extraction(_listed(g.choice), float(sum(g.best[root] for root in wanted)))
        shareable: Any = self._shareable(g)
        if compiled:
            wanted, shareable = _as_array(wanted), _as_array(shareable)
        total = loops[1](wanted, shareable, sweeps, g)
        return Extraction(_listed(g.choice), float(total))

    def _graph(self, price: list[float], roots: int) -> _Graph:
        count, edges = self.frozen.classes, len(self.args) + roots + 2
        first, members = self._members()
        first_user, users = self._users()
        return _Graph(
            price, self.owner, self.start, self.args, first, members, first_user, users,
            [INFINITE] * count, [-1] * count, [0] * count, [0] * count, [0] * edges,
            [0] * (2 * len(users) + 2),
        )  # fmt: skip

    def _users(self) -> tuple[list[int], list[int]]:
        """Return the nodes that have each class as a child."""
        groups: list[list[int]] = [[] for _ in range(self.frozen.classes)]
        for node in range(len(self.code)):
            for group in set(self.args[self.start[node] : self.start[node + 1]]):
                groups[group].append(node)
        return _flat(groups)

    def _shareable(self, g: _Graph) -> list[int]:
        """Return the classes that are worth computing ahead of a use, costly ones first."""
        worth = SHARE_PAYS * min((p for p in self.price if p > TIE), default=1.0)
        wanted = [
            group
            for group in range(self.frozen.classes)
            if worth <= g.best[group] < INFINITE
            and g.first_user[group + 1] - g.first_user[group] > 1
        ]
        return sorted(wanted, key=lambda group: (-g.best[group], group))[:MOST_SHARED]

    def _members(self) -> tuple[list[int], list[int]]:
        groups: list[list[int]] = [[] for _ in range(self.frozen.classes)]
        for node, group in enumerate(self.owner):
            groups[group].append(node)
        return _flat(groups)

    def terms(self, extraction: Extraction, store: Store) -> tuple[list[Term], dict[int, int]]:
        """Build the chosen program in a store; also map each made term's id to its e-node."""
        made: dict[int, int] = {}
        source: dict[int, int] = {}
        stack = list(reversed(self.frozen.roots))
        while stack:
            group = stack[-1]
            if group in made:
                stack.pop()
                continue
            node = extraction.choice[group]
            args = self.args[self.start[node] : self.start[node + 1]]
            waiting = [a for a in args if a not in made]
            if waiting:
                stack += waiting
                continue
            stack.pop()
            made[group] = self._make(node, [made[a] for a in args], store)
            source[made[group]] = node
        return [Term(store, made[root]) for root in self.frozen.roots], source

    def _make(self, node: int, args: list[int], store: Store) -> int:
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


def _flat(groups: list[list[int]]) -> tuple[list[int], list[int]]:
    first = [0]
    for nodes in groups:
        first.append(first[-1] + len(nodes))
    return first, [node for nodes in groups for node in nodes]


def _as_array(column: Any) -> Any:
    return np.array(column, np.float64 if column and isinstance(column[0], float) else np.int64)


def _listed(choice: Any) -> list[int]:
    return list(choice) if isinstance(choice, list) else [int(node) for node in choice]
