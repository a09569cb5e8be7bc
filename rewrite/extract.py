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
from typing import Any, Final

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
COMPILE_PAYS: Final = 30_000
"""From so many e-nodes on the compiled loops are worth loading."""
SHARE_PAYS: Final = 4.0
"""A class is tried for sharing if it costs so many times the cheapest operation."""
MOST_SHARED: Final = 200


def _fixpoint(price: Any, owner: Any, start: Any, args: Any, best: Any, choice: Any) -> int:
    """Relax tree costs until nothing changes; return the number of passes."""
    passes = 0
    changed = True
    while changed:
        changed = False
        passes += 1
        for node in range(len(price)):
            cost = price[node]
            if cost >= INFINITE:
                continue
            for k in range(start[node], start[node + 1]):
                cost += best[args[k]]
                if cost >= INFINITE:
                    break
            group = owner[node]
            if cost < best[group] - 1e-12:
                best[group] = cost
                choice[group] = node
                changed = True
    return passes


def _count(
    roots: Any, price: Any, start: Any, args: Any, choice: Any, refs: Any, stack: Any
) -> Any:
    """Count the references from the roots along the chosen nodes; return the DAG's cost."""
    total = 0.0
    top = 0
    for root in roots:
        refs[root] += 1
        if refs[root] == 1:
            stack[top] = root
            top += 1
    while top > 0:
        top -= 1
        node = choice[stack[top]]
        total += price[node]
        for k in range(start[node], start[node + 1]):
            refs[args[k]] += 1
            if refs[args[k]] == 1:
                stack[top] = args[k]
                top += 1
    return total


def _shift(node: int, sign: int, price: Any, start: Any, args: Any, choice: Any, refs: Any,
           stack: Any) -> Any:  # fmt: skip
    """Add (sign 1) or drop (sign -1) the references below a node; return the cost that moves."""
    moved = price[node]
    edge = 0 if sign < 0 else 1
    stack[0] = node
    top = 1
    while top > 0:
        top -= 1
        current = stack[top]
        for k in range(start[current], start[current + 1]):
            child = args[k]
            refs[child] += sign
            if refs[child] == edge:
                below = choice[child]
                moved += price[below]
                stack[top] = below
                top += 1
    return moved


def _reaches(node: int, target: int, start: Any, args: Any, choice: Any, seen: Any, mark: int,
             stack: Any) -> bool:  # fmt: skip
    """Tell whether the chosen program below a node contains the target class."""
    stack[0] = node
    top = 1
    while top > 0:
        top -= 1
        current = stack[top]
        for k in range(start[current], start[current + 1]):
            child = args[k]
            if child == target:
                return True
            if seen[child] != mark:
                seen[child] = mark
                if choice[child] < 0:
                    return True  # nothing is known below: not a program
                stack[top] = choice[child]
                top += 1
    return False


def _switch(group: int, node: int, mark: int, price: Any, start: Any, args: Any, choice: Any,
            refs: Any, seen: Any, stack: Any) -> Any:  # fmt: skip
    """Let a class use another node if that lowers the cost; return by how much, 0 if not."""
    old = choice[group]
    if node == old or price[node] >= INFINITE:
        return 0.0
    if _reaches(node, group, start, args, choice, seen, mark, stack):
        return 0.0
    gain = _shift(old, -1, price, start, args, choice, refs, stack)
    pay = _shift(node, 1, price, start, args, choice, refs, stack)
    if pay < gain - 1e-9:
        choice[group] = node
        return gain - pay
    _shift(node, -1, price, start, args, choice, refs, stack)
    _shift(old, 1, price, start, args, choice, refs, stack)
    return 0.0


def _share(group: int, mark: int, price: Any, owner: Any, start: Any, args: Any, choice: Any,
           refs: Any, seen: Any, stack: Any, first_user: Any, users: Any, undo: Any) -> Any:  # fmt: skip
    """Compute an unused class for all that could use it; return the gain, 0 if it does not pay.

    One class alone may not pay for it: `x/s` and `y/s` become products only once both share `1/s`.
    """
    refs[group] += 1
    paid = _shift(choice[group], 1, price, start, args, choice, refs, stack)
    gained = 0.0
    changed = 0
    for u in range(first_user[group], first_user[group + 1]):
        node = users[u]
        target = owner[node]
        if refs[target] > 0 and target != group:
            old = choice[target]
            gain = _switch(
                target, node, mark + u, price, start, args, choice, refs, seen, stack
            )
            if gain > 0.0:
                gained += gain
                undo[2 * changed] = target
                undo[2 * changed + 1] = old
                changed += 1
    refs[group] -= 1
    if refs[group] == 0:  # nobody came
        paid -= _shift(choice[group], -1, price, start, args, choice, refs, stack)
    if gained > paid + 1e-9:
        return gained - paid
    while changed > 0:
        changed -= 1
        target, old = undo[2 * changed], undo[2 * changed + 1]
        _shift(choice[target], -1, price, start, args, choice, refs, stack)
        _shift(old, 1, price, start, args, choice, refs, stack)
        choice[target] = old
    return 0.0


def _search(roots: Any, price: Any, owner: Any, start: Any, args: Any, first: Any, members: Any,
            first_user: Any, users: Any, shareable: Any, choice: Any, refs: Any, seen: Any,
            stack: Any, undo: Any, sweeps: int) -> Any:  # fmt: skip
    """Improve the DAG cost, by one class at a time and by sharing one; return it."""
    total = _count(roots, price, start, args, choice, refs, stack)
    mark = 0
    for _ in range(sweeps):
        before = total
        for group in range(len(refs)):
            for m in range(first[group], first[group + 1]):
                if refs[group] > 0:
                    mark += 1
                    total -= _switch(
                        group, members[m], mark, price, start, args, choice, refs, seen, stack
                    )
        for group in shareable:
            if refs[group] == 0 and choice[group] >= 0:
                mark += 1
                total -= _share(
                    group, mark, price, owner, start, args, choice, refs, seen, stack, first_user,
                    users, undo,
                )  # fmt: skip
                mark += len(users)
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
                self.price.append(TIE)
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
        wanted = list(self.frozen.roots if roots is None else roots)
        price = list(self.price)
        for node in banned:
            price[node] = INFINITE
        count = self.frozen.classes
        best, choice = [INFINITE] * count, [-1] * count
        arrays = len(price) >= COMPILE_PAYS
        loops: Any = _compiled() if arrays else (_fixpoint, _search)
        fixpoint, search = loops
        columns: Any = (price, self.owner, self.start, self.args, best, choice)
        if arrays:
            columns = _as_arrays(columns)
        fixpoint(*columns)
        best_, choice_ = columns[4:]
        if any(choice_[root] < 0 for root in wanted):
            return None
        if not self.model.sharing:
            tree = sum(best_[root] for root in wanted)
            return Extraction(_listed(choice_), float(tree))
        first, members = self._members()
        first_user, users = self._users()
        lists: Any = (first, members, first_user, users, self._shareable(best_, first_user))
        edges = len(self.args) + len(wanted) + 2
        buffers: Any = ([0] * count, [0] * count, [0] * edges, [0] * (2 * len(users) + 2))
        sources: Any = list(wanted)
        if arrays:
            buffers, lists, (sources,) = map(_as_arrays, (buffers, lists, (sources,)))
        total = search(sources, *columns[:4], *lists, choice_, *buffers, sweeps)
        return Extraction(_listed(choice_), float(total))

    def _users(self) -> tuple[list[int], list[int]]:
        """Return the nodes that have each class as a child."""
        groups: list[list[int]] = [[] for _ in range(self.frozen.classes)]
        for node in range(len(self.code)):
            for group in set(self.args[self.start[node] : self.start[node + 1]]):
                groups[group].append(node)
        return _flat(groups)

    def _shareable(self, best: Any, first_user: list[int]) -> list[int]:
        """Return the classes that are worth computing ahead of a use, costly ones first."""
        worth = SHARE_PAYS * min((p for p in self.price if p > TIE), default=1.0)
        wanted = [
            group
            for group in range(self.frozen.classes)
            if worth <= best[group] < INFINITE and first_user[group + 1] - first_user[group] > 1
        ]
        return sorted(wanted, key=lambda group: (-best[group], group))[:MOST_SHARED]

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


def _as_arrays(columns: Any) -> Any:
    return tuple(
        np.array(c, np.float64 if c and isinstance(c[0], float) else np.int64) for c in columns
    )


def _listed(choice: Any) -> list[int]:
    return list(choice) if isinstance(choice, list) else [int(node) for node in choice]
