"""The matcher: goes through the steps of a plan, and back to the last choice where one fails.

It works on our terms and on terms of other types alike, and knows nothing of rules. Every step
that takes something out of a group reads what is left from one place and writes it to the next,
so that nothing has to be undone on the way back.
"""

import functools
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rewrite import ops
from rewrite.constants import Constant, Named, constant_key
from rewrite.errors import PatternError
from rewrite.foreign import Foreign
from rewrite.pattern import WIDEST, Do, Plan, Step, plan
from rewrite.sorts import SORTS
from rewrite.store import Store, Symbol

__all__ = [
    "MOST_TRIES", "Machine", "Nodes", "Prepared", "TooManyWays", "Value", "joined", "prepared",
    "same_value", "summary",
]  # fmt: skip

type Nodes = Store | Foreign
"""Where nodes are: both are read alike."""
type Value = int | tuple[int, ...]
"""What a variable stands for: a node, or the nodes of a sequence."""
type Places = tuple[int, ...]
"""Which arguments of a group are left."""


class TooManyWays(PatternError):
    """A match was given up: it would have taken too long."""


MOST_TRIES: Final = 1_000_000
"""So many steps may be tried for one match."""
MOST_GROUPS: Final = 1000
"""So many groups of a store are remembered at a time."""


# -- leaves and sorts ------------------------------------------------------------------------


def same_value(wanted: Constant, found: Constant) -> bool:
    """Tell whether a constant of a pattern matches one of a term: as real numbers, by exact value.

    So 2 matches 2 and 2.0, and 1/2 matches 0.5, as they are lowered to the same bits; -0.0 is
    matched by -0.0 alone, because laws about 0 do not hold for it. Truth values, pi and e, NaN and
    infinities match themselves.

    >>> same_value(2, 2.0), same_value(0, -0.0), same_value(1, True)
    (True, False, False)
    """
    key, other = constant_key(wanted), constant_key(found)
    if key == other:
        return True
    if _special(wanted) or _special(found) or key[1] == "-0" or other[1] == "-0":
        return False
    return wanted == found


def _special(value: Constant) -> bool:
    odd = isinstance(value, float) and not math.isfinite(value)
    return odd or isinstance(value, (bool, Named))


def value_at(nodes: Nodes, node: int) -> Symbol | Constant | None:
    """Return what a leaf stands for."""
    if isinstance(nodes, Foreign):
        return nodes.value(node)
    code = nodes.code(node)
    if code == ops.CONST.code:
        return nodes.constants[nodes.payload(node)]
    return nodes.symbols[nodes.payload(node)] if code <= ops.PVAR.code else None


def _same_leaf(wanted: Symbol | Constant | None, found: Symbol | Constant | None) -> bool:
    if isinstance(found, Symbol) or isinstance(wanted, Symbol) or found is None or wanted is None:
        return wanted is not None and found == wanted
    return same_value(wanted, found)


def _fits(wanted: int, sort: int) -> bool:
    """A term goes into a hole of its sort, or of one whose place it takes: integers are reals."""
    return sort == wanted or SORTS[sort].fits(wanted)


# -- arguments of associative ops ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Group:
    """The arguments of an op, which of them may be swapped and which stand in order."""

    args: tuple[int, ...]
    nested: bool
    """Those of nested nodes with the same op are counted in."""
    moving: Places
    fixed: Places


class _Known:
    """What was counted in a store; nodes never change, so it is never stale."""

    def __init__(self) -> None:
        self.summaries: dict[int, tuple[int, int]] = {}
        self.groups: dict[int, _Group] = {}


_KNOWN: Final[weakref.WeakKeyDictionary[Store, _Known]] = weakref.WeakKeyDictionary()


def summary(store: Store, node: int) -> tuple[int, int]:
    """Return how many arguments an associative op has, nested ones counted in, and their op codes.

    The codes are the bits of a number. Above `WIDEST` the count is `WIDEST + 1`, and the codes are
    those of the node's own arguments.
    """
    known = _KNOWN.get(store)
    if known is None:
        known = _KNOWN.setdefault(store, _Known())
    found = known.summaries.get(node)
    return found if found is not None else _summarise(store, known.summaries, node)


def _summarise(store: Store, known: dict[int, tuple[int, int]], root: int) -> tuple[int, int]:
    code, stack = store.code(root), [root]
    while stack:
        children = store.children(stack[-1])
        nested = [child for child in children if store.code(child) == code]
        missing = [child for child in nested if child not in known]
        if missing:
            stack += missing
            continue
        count, own, bits = len(children) - len(nested), 0, 0
        for child in children:
            own |= 1 << store.code(child)
        if count < len(children):
            bits = own & ~(1 << code)
            for child in nested:
                count, bits = count + known[child][0], bits | known[child][1]
        known[stack.pop()] = (
            (WIDEST + 1, own) if count > WIDEST else (count, bits if nested else own)
        )
    return known[root]


def _group(nodes: Nodes, node: int, code: int, *, flat: bool) -> _Group:
    """Return the arguments of a node with an associative op, nested ones counted in if `flat`.

    More than `WIDEST` of them stand as they are.
    """
    if not flat:
        children = nodes.children(node)
        return _Group(children, False, (), tuple(range(len(children))))
    if isinstance(nodes, Foreign):
        args, nested = _arguments(nodes, node, code)
        return _divided(nodes, tuple(map(nodes.same, args)), code, nested=nested)
    known = _KNOWN.get(nodes)
    if known is None:
        known = _KNOWN.setdefault(nodes, _Known())
    found = known.groups.get(node)
    if found is None:  # the rules of a set ask for one node after the other
        args, nested = _arguments(nodes, node, code)
        if len(known.groups) >= MOST_GROUPS:
            known.groups = {}
        found = known.groups[node] = _divided(nodes, args, code, nested=nested)
    return found


def _divided(nodes: Nodes, args: tuple[int, ...], code: int, *, nested: bool) -> _Group:
    sorts = [nodes.sort(arg) for arg in args]
    kinds = set(sorts)
    able = {one for one in kinds if all(ops.swaps(code, one, other) for other in kinds)}
    if able == kinds:
        return _Group(args, nested, tuple(range(len(args))), ())
    moving = tuple([k for k, sort in enumerate(sorts) if sort in able])
    fixed = tuple([k for k, sort in enumerate(sorts) if sort not in able])
    return _Group(args, nested, moving, fixed)


def _arguments(nodes: Nodes, node: int, code: int) -> tuple[tuple[int, ...], bool]:
    narrow = isinstance(nodes, Foreign) or summary(nodes, node)[0] <= WIDEST
    found = _flattened(nodes, node, code) if narrow else None
    if found is not None and ops.associates(code, [nodes.sort(arg) for arg in found]):
        return found, True
    children = nodes.children(node)
    if len(children) > 2 and not ops.associates(code, [nodes.sort(arg) for arg in children]):
        children = (nodes.make((code, *children[:-1])), children[-1])  # as it is evaluated
    return children, False


def _flattened(nodes: Nodes, node: int, code: int) -> tuple[int, ...] | None:
    found: list[int] = []
    stack = [node]
    inner = 0
    while stack:
        top = stack.pop()
        if nodes.code(top) != code:
            found.append(top)
            continue
        inner += 1
        if inner > WIDEST or len(found) > WIDEST:
            return None
        stack += reversed(nodes.children(top))
    return tuple(found) if len(found) <= WIDEST else None


def joined(nodes: Nodes, code: int, parts: Sequence[int]) -> int:
    """Make one node of arguments of an associative op."""
    if len(parts) == 1:
        return parts[0]
    if ops.OPS[code].arity < 0:
        return nodes.make((code, *parts))
    made = parts[0]
    for part in parts[1:]:
        made = nodes.make((code, made, part))
    return made


# -- plans, prepared -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """A step with what can be told before any term is seen."""

    step: Step
    run: Callable[["Machine", "Row"], Any]
    choice: bool
    known: bool
    """The variable has a value by now."""
    many: bool
    code: int
    """The op of the group."""
    source: int
    """Where it is written what is left, and where what is left then goes."""
    target: int
    other: int
    shared: tuple[tuple[int, int], ...]
    """Other groups of this op which need the same value, and where what is left of them is."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A plan, its rows, how many places for what is left, and the last two of the root."""

    plan: Plan
    rows: tuple[Row, ...]
    size: int
    root: tuple[int, int]


@functools.cache
def prepared(pattern: int, *, flat: bool, extended: bool = False) -> Prepared:
    """Plan a pattern of the rules' store and prepare the steps."""
    return _Preparation(plan(pattern, flat=flat, extended=extended)).result()


class _Preparation:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.codes = {step.slot: step.code for step in plan.steps if step.do is Do.OPEN}
        self.pools: dict[tuple[int, bool], int] = {}  # group, ordered -> the place by now
        self.count = 0
        self.bound: set[int] = set()

    def _fresh(self) -> int:
        self.count += 1
        return self.count - 1

    def result(self) -> Prepared:
        rows = tuple([self._row(at, step) for at, step in enumerate(self.plan.steps)])
        root = (self.pools.get((0, False), -1), self.pools.get((0, True), -1))
        return Prepared(self.plan, rows, self.count, root)

    def _row(self, at: int, step: Step) -> Row:
        source = target = other = -1
        shared: tuple[tuple[int, int], ...] = ()
        known = step.variable in self.bound
        if step.do is Do.OPEN:
            source = self.pools[step.slot, False] = self._fresh()
            other = self.pools[step.slot, True] = self._fresh()
        elif step.do is Do.CLOSE:
            source, other = self.pools[step.group, False], self.pools[step.group, True]
        elif step.group >= 0:
            key = (step.group, step.ordered)
            source = self.pools[key]
            shared = self._shared(at, step)
            target = self.pools[key] = self._fresh()
        if step.variable >= 0:
            self.bound.add(step.variable)
        many = step.variable >= 0 and self.plan.variables[step.variable].many
        code = self.codes.get(step.group, step.code)
        choice = self._chooses(step, known)
        run = (_CHOICES if choice else _STEPS)[step.do]
        return Row(step, run, choice, known, many, code, source, target, other, shared)

    def _shared(self, at: int, step: Step) -> tuple[tuple[int, int], ...]:
        """Find the open groups out of which the same value is taken later."""
        if step.do is not Do.SOME or step.ordered:
            return ()
        code = self.codes[step.group]
        later = [s for s in self.plan.steps[at + 1 :] if s.do is Do.BOUND and not s.ordered]
        return tuple([
            (s.group, self.pools[s.group, False])
            for s in later
            if s.variable == step.variable and (s.group, False) in self.pools
            and s.group != step.group and self.codes[s.group] == code
        ])  # fmt: skip

    def _chooses(self, step: Step, known: bool) -> bool:
        if step.do is Do.OPEN:
            ordered = any(s.ordered for s in self.plan.steps if s.group == step.slot)
            return self.plan.extended and step.slot == 0 and ordered
        if step.do is Do.PICK:
            return not step.ordered
        return step.do in (Do.EITHER, Do.SOME) or (
            step.do is Do.REST and not known and not step.last
        )


# -- the machine -----------------------------------------------------------------------------


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
        self.tries = 0
        self.most = MOST_TRIES

    def run(self, node: int) -> Iterator[None]:
        """Yield at each match; the values and what is left can then be read."""
        rows, end = self.rows, len(self.rows)
        self.slots[0] = node
        self.tries = 0
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
                if self.tries > self.most:
                    self.count()
                if next(options, self) is None:
                    at = place + 1
                    break
                pending.pop()
            else:
                return

    def count(self) -> None:
        """Count a try, and stop where there are too many."""
        self.tries += 1
        if self.tries > self.most:
            raise TooManyWays(
                f"more than {self.most} ways were tried to match {self.describe()}: normalise the "
                "term first, or write the pattern with fewer variables under one op"
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
        return _same_leaf(row.step.value, value_at(self.nodes, node))

    def hole(self, row: Row) -> bool:
        step, node = row.step, self.slots[row.step.slot]
        if row.known:
            known = self.values[step.variable]
            return known == node or (isinstance(known, int) and self.same(known, node))
        self.values[step.variable] = node
        return _fits(self.plan.variables[step.variable].sort, self.nodes.sort(node))

    def give(self, row: Row, taken: Sequence[int]) -> bool:
        """Let the variable of a step stand for what was taken, if that fits its sort."""
        at = row.step.variable
        wanted, sort = self.plan.variables[at].sort, self.nodes.sort
        if row.many:
            self.values[at] = tuple(taken)
            return all(_fits(wanted, sort(node)) for node in taken)
        node = self.values[at] = taken[0] if len(taken) == 1 else joined(
            self.nodes, row.code, taken)  # fmt: skip
        return _fits(wanted, sort(node))

    def open(self, row: Row) -> bool:
        step, node = row.step, self.slots[row.step.slot]
        if self.nodes.code(node) != step.code:
            return False
        self.before = () if step.slot == 0 else self.before
        flat = self.plan.flat or ops.OPS[step.code].makes == "b"
        group = _group(self.nodes, node, step.code, flat=flat)
        self.groups[step.slot], self.nested[step.slot] = group.args, group.nested
        self.left[row.source], self.left[row.other] = group.moving, group.fixed
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
            return [_arguments(self.nodes, value, row.code)[0]]
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
        for k in left:
            node = args[k]
            if self.nodes.code(node) == code and node not in tried:
                tried.add(node)
                self.slots[row.step.slot] = node
                self.left[row.target] = tuple([j for j in left if j != k])
                yield

    def some(self, row: Row) -> Iterator[None]:
        """Give a variable some of what is left: at least one, a sequence variable any number."""
        left, args = self.left[row.source], self.groups[row.step.group]
        for taken in self._ordered(row, left) if row.step.ordered else self._masks(row, left):
            kept = set(taken)
            self.left[row.target] = tuple([k for k in left if k not in kept])
            if self.give(row, [args[k] for k in taken]):
                yield

    def _ordered(self, row: Row, left: Places) -> Iterator[Places]:
        for size in range(0 if row.many else 1, len(left) + 1):
            yield left[:size]

    def _masks(self, row: Row, left: Places) -> Iterator[Places]:
        """Yield what may be taken, in the order that `Do.SOME` says.

        What another group needs and has not is not tried.
        """
        args = self.groups[row.step.group]
        able = [k for k in left if self._shared(row, args[k])]
        if row.step.variable in self.single:
            yield from self._singles(args, able)
            return
        size, whole = len(able), len(able) == len(left)
        earlier = _earlier([args[k] for k in able])
        if whole and (size or row.many):
            yield tuple(able)
        last = (1 << size) - 1
        for mask in range(0 if row.many else 1, last if whole else last + 1):
            self.count()
            if all(e < 0 or mask >> e & 1 for k, e in enumerate(earlier) if mask >> k & 1):
                yield tuple([place for k, place in enumerate(able) if mask >> k & 1])

    @staticmethod
    def _singles(args: Sequence[int], able: Sequence[int]) -> Iterator[Places]:
        tried: set[int] = set()
        for k in able:
            if args[k] not in tried:
                tried.add(args[k])
                yield (k,)

    def _shared(self, row: Row, node: int) -> bool:
        for group, place in row.shared:
            args = self.groups[group]
            if self.nested[group] and not any(self.same(args[k], node) for k in self.left[place]):
                return False
        return True


def _earlier(nodes: Sequence[int]) -> list[int]:
    """Return where the last equal node before each one is, -1 for none."""
    last: dict[int, int] = {}
    found = []
    for k, node in enumerate(nodes):
        found.append(last.get(node, -1))
        last[node] = k
    return found


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
