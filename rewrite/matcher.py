"""The matcher: goes through the steps of a plan, and back to the last choice where one fails.

It works on our terms and on terms of other types alike, and knows nothing of rules. Every step
that takes something out of a group reads what is left from one place and writes it to the next,
so that nothing has to be undone on the way back.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from rewrite import ops
from rewrite.errors import PatternError
from rewrite.foreign import Foreign
from rewrite.groups import Places, arguments, group, joined, shares
from rewrite.lookups import Lookups
from rewrite.nodes import Nodes, Value, fits, same_leaf, value_at
from rewrite.pattern import Do, plan
from rewrite.prepared import Preparation, Prepared, Row

__all__ = ["MOST_TRIES", "Machine", "TooManyWays", "prepared"]


class TooManyWays(PatternError):
    """A match was given up: it would have taken too long."""


MOST_TRIES: Final = 1_000_000
"""So many steps may be tried for one match, and so many parts of sums for their variables."""


class Machine:
    """Runs one plan over one kind of nodes.

    `single` are variables that stand for a leaf: of a group they take one argument. `describe`
    says what is matched with what, for the error.
    """

    def __init__(
        self, what: Prepared, nodes: Nodes, single: frozenset[int] = frozenset(),
        describe: Callable[[], str] = lambda: "a pattern",
    ) -> None:  # fmt: skip
        self.plan, self.nodes, self.single, self.describe = what.plan, nodes, single, describe
        self.rows, self.root = what.rows, what.root
        self.slots = [-1] * self.plan.slots
        self.values: list[Value] = [-1] * len(self.plan.variables)
        self.left: list[Places] = [()] * what.size
        self.groups: dict[int, tuple[int, ...]] = {}
        self.nested: dict[int, bool] = {}
        self.before: Places = ()
        self.lookups = Lookups(nodes, self.groups, self.slots, self.values)
        self.tries = self.parts = 0
        self.most = MOST_TRIES

    def run(self, node: int) -> Iterator[None]:
        """Yield at each match; the values and what is left can then be read."""
        rows, end = self.rows, len(self.rows)
        self.slots[0] = node
        self.tries = self.parts = 0
        pending: list[tuple[int, Iterator[None]]] = []
        at = 0
        while True:
            if at < end:
                row = rows[at]
                if row.choice:
                    pending.append((at, row.run(self, row)))
                elif row.run(self, row):
                    at += 1
                    continue
            else:
                yield
            while pending:
                place, options = pending[-1]
                self.tries += 1
                if self.tries > MOST_TRIES:
                    raise self.too_many(MOST_TRIES)
                if next(options, self) is None:
                    at = place + 1
                    break
                pending.pop()
            else:
                return

    def too_many(self, most: int) -> TooManyWays:
        """Say that there are too many ways."""
        return TooManyWays(
            f"more than {most} ways were tried to match {self.describe()}: normalise the term "
            "first, or write the pattern with fewer variables under one op"
        )

    def same(self, one: int, other: int) -> bool:
        """Tell whether two nodes are equal."""
        return one == other or (isinstance(self.nodes, Foreign) and self.nodes.equal(one, other))

    def binding(self) -> dict[str, Value]:
        """Return what each variable stands for, by name."""
        names = self.plan.variables
        return {v.name: value for v, value in zip(names, self.values, strict=True)}

    def beside(self) -> tuple[list[int], list[int]]:
        """Return what is left of the root's group, before and after the place of the result."""
        args = self.groups[0]
        free_left, ordered = self.left[self.root[0]], self.left[self.root[1]]
        rest = sorted((*free_left, *self.before, *ordered))
        kept = set(rest)
        taken = [k for k in range(len(args)) if k not in kept]
        if self.plan.extended and (self.before or ordered):  # stay on their own side of it
            fixed = [k for k in taken if not ops.swaps(self.plan.code, *[
                self.nodes.sort(args[k])] * 2)]  # fmt: skip
            taken = fixed or taken
        return [args[k] for k in rest if k < taken[0]], [args[k] for k in rest if k > taken[0]]

    # -- steps with one outcome --------------------------------------------------------------

    def view(self, row: Row) -> tuple[int, ...] | None:
        """Return the children of the subject as the pattern has them: of many, all but the last."""
        step, node = row.step, self.slots[row.step.slot]
        if self.nodes.code(node) != step.code:
            return None
        children = self.nodes.children(node)
        if len(children) == len(step.below):
            return children
        if ops.OPS[step.code].arity >= 0 or len(children) < 2:
            return None
        return (self.nodes.make((step.code, *children[:-1])), children[-1])

    def fixed(self, row: Row) -> bool:
        children = self.view(row)
        if children is None:
            return False
        for slot, child in zip(row.step.below, children, strict=True):
            self.slots[slot] = child
        return True

    def leaf(self, row: Row) -> bool:
        node = self.slots[row.step.slot]
        if self.nodes.code(node) != row.step.code:
            return False
        return same_leaf(row.step.value, value_at(self.nodes, node))

    def hole(self, row: Row) -> bool:
        step, node = row.step, self.slots[row.step.slot]
        if row.known:
            known = self.values[step.variable]
            return known == node or (isinstance(known, int) and self.same(known, node))
        self.values[step.variable] = node
        return fits(self.plan.variables[step.variable].sort, self.nodes.sort(node))

    def give(self, row: Row, taken: Sequence[int]) -> bool:
        """Let the variable of a step stand for what was taken, if that fits its sort."""
        at = row.step.variable
        wanted, sort = self.plan.variables[at].sort, self.nodes.sort
        if row.many:
            self.values[at] = tuple(taken)
            return all(fits(wanted, sort(node)) for node in taken)
        node = self.values[at] = taken[0] if len(taken) == 1 else joined(
            self.nodes, row.code, taken)  # fmt: skip
        return fits(wanted, sort(node))

    def open(self, row: Row) -> bool:
        step, node = row.step, self.slots[row.step.slot]
        if self.nodes.code(node) != step.code:
            return False
        self.before = () if step.slot == 0 else self.before
        flat = self.plan.flat or ops.OPS[step.code].makes == "b"
        found = group(self.nodes, node, step.code, flat=flat)
        if self.groups.get(step.slot) is not found.args:
            self.lookups.forget(step.slot)
        self.groups[step.slot], self.nested[step.slot] = found.args, found.nested
        self.left[row.source], self.left[row.other] = found.moving, found.fixed
        return True

    def offsets(self, row: Row) -> Iterator[None]:
        """Open the root's group with what stands in order beginning anywhere."""
        if self.open(row):
            every = self.left[row.other]
            for start in range(len(every) + 1):
                self.before, self.left[row.other] = every[:start], every[start:]
                yield

    def next(self, row: Row) -> bool:
        """Pick the next argument in order."""
        left, args = self.left[row.source], self.groups[row.step.group]
        if not left or self.nodes.code(args[left[0]]) != row.step.code:
            return False
        self.slots[row.step.slot] = args[left[0]]
        self.left[row.target] = left[1:]
        return True

    def remove(self, row: Row) -> bool:
        """Take the known value of a variable out of a group."""
        step, value = row.step, self.values[row.step.variable]
        left, args = self.left[row.source], self.groups[step.group]
        for parts in [value] if isinstance(value, tuple) else self._parts(row, value):
            rest = self._without(left, args, parts, ordered=step.ordered)
            if rest is not None:
                self.left[row.target] = rest
                return True
        return False

    def _parts(self, row: Row, value: int) -> list[tuple[int, ...]]:
        """Return as which arguments a value may stand in a group."""
        if self.nodes.code(value) != row.code:
            return [(value,)]
        if self.nested[row.step.group]:
            return [arguments(self.nodes, value, row.code)[0]]
        return [(value,), self.nodes.children(value)]

    def _without(
        self, left: Places, args: Sequence[int], parts: Sequence[int], *, ordered: bool
    ) -> Places | None:
        if len(parts) > len(left):
            return None
        if ordered:
            pairs = zip(left, parts, strict=False)
            return left[len(parts) :] if all(self.same(args[k], p) for k, p in pairs) else None
        rest = list(left)
        for part in parts:
            place = next((k for k in rest if self.same(args[k], part)), -1)
            if place < 0:
                return None
            rest.remove(place)
        return tuple(rest)

    def all(self, row: Row) -> bool:
        """Give a variable what is left; a sequence variable may get nothing."""
        left, args = self.left[row.source], self.groups[row.step.group]
        self.left[row.target] = ()
        return (bool(left) or row.many) and self.give(row, [args[k] for k in left])

    def rest(self, row: Row) -> bool:
        return self.remove(row) if row.known else self.all(row)

    def close(self, row: Row) -> bool:
        return not self.left[row.source] and not self.left[row.other]

    # -- choices -----------------------------------------------------------------------------

    def either(self, row: Row) -> Iterator[None]:
        children = self.view(row)
        if children is None:
            return
        (one, two), (left, right) = row.step.below, children
        self.slots[one], self.slots[two] = left, right
        yield
        sort = self.nodes.sort
        if not self.same(left, right) and ops.swaps(row.step.code, sort(left), sort(right)):
            self.slots[one], self.slots[two] = right, left
            yield

    def pick(self, row: Row) -> Iterator[None]:
        left, args, code = self.left[row.source], self.groups[row.step.group], row.step.code
        tried: set[int] = set()
        for k in self.lookups.able(row, left):
            node = args[k]
            if self.nodes.code(node) == code and node not in tried:
                tried.add(node)
                self.slots[row.step.slot] = node
                self.left[row.target] = tuple([j for j in left if j != k])
                yield

    def some(self, row: Row) -> Iterator[None]:
        """Give a variable some of what is left: at least one, a sequence variable any number."""
        left, args = self.left[row.source], self.groups[row.step.group]
        for taken in self._ordered(row, left) if row.step.ordered else self._parts_of(row, left):
            self.parts += 1
            if self.parts > self.most:
                raise self.too_many(self.most)
            kept = set(taken)
            self.left[row.target] = tuple([k for k in left if k not in kept])
            if self.give(row, [args[k] for k in taken]):
                yield

    def _ordered(self, row: Row, left: Places) -> Iterator[Places]:
        for size in range(0 if row.many else 1, len(left) + 1):
            yield left[:size]

    def _parts_of(self, row: Row, left: Places) -> Iterator[Places]:
        """Yield what may be taken, in the order that `Do.SOME` says, of equal ones the first.

        What another group needs and has not is not tried.
        """
        args = self.groups[row.step.group]
        equal: dict[int, list[int]] = {}
        for k in left:
            if self._shared(row, args[k]):
                equal.setdefault(args[k], []).append(k)
        kinds = list(equal.values())
        if row.step.variable in self.single:
            yield from [(kind[0],) for kind in kinds]
            return
        count = sum(map(len, kinds))
        whole = count == len(left)
        if whole and (count or row.many):
            yield left
        for size in range(0 if row.many else 1, count + (not whole)):
            for taken in shares([len(kind) for kind in kinds], size):
                places = [k for kind, n in zip(kinds, taken, strict=True) for k in kind[:n]]
                yield tuple(sorted(places))

    def _shared(self, row: Row, node: int) -> bool:
        for slot, place in row.shared:
            args = self.groups[slot]
            if self.nested[slot] and not any(self.same(args[k], node) for k in self.left[place]):
                return False
        return True


_STEPS: Final[dict[Do, Callable[[Machine, Row], bool]]] = {
    Do.FIXED: Machine.fixed,
    Do.LEAF: Machine.leaf,
    Do.HOLE: Machine.hole,
    Do.OPEN: Machine.open,
    Do.PICK: Machine.next,
    Do.BOUND: Machine.remove,
    Do.ALL: Machine.all,
    Do.REST: Machine.rest,
    Do.CLOSE: Machine.close,
}
_CHOICES: Final[dict[Do, Callable[[Machine, Row], Iterator[None]]]] = {
    Do.EITHER: Machine.either,
    Do.OPEN: Machine.offsets,
    Do.PICK: Machine.pick,
    Do.SOME: Machine.some,
    Do.REST: Machine.some,
}


@functools.cache
def prepared(pattern: int, *, flat: bool, extended: bool = False) -> Prepared:
    """Plan a pattern of the rules' store and prepare the steps."""
    return Preparation(plan(pattern, flat=flat, extended=extended), _STEPS, _CHOICES).result()
