"""Patterns as plans: the steps that a matcher takes, the same for every kind of term.

A plan is made once for a pattern, and read by the generic matcher (`rewrite.matching`) and by the
compiled one. Both go through its steps in order and, where one fails, back to the last step that
had another choice, so that both find the same matches in the same order.

Arguments of an associative op are matched in one of three ways. Without the licence to
reassociate, a sum of many is what is evaluated, `((a + b) + c)`, and a commutative op is tried in
both orders (`EITHER`). With it, the arguments are a group (`OPEN`): those of nested nodes with the
same op are counted in, and each is picked once, in any order. Arguments that may not be swapped,
such as factors that are matrices, are picked in the order in which they stand. A pattern with a
sequence variable always opens a group.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from rewrite import ops
from rewrite.constants import Constant
from rewrite.errors import PatternError
from rewrite.leaves import RULES
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["RULE_PARTS", "WIDEST", "Do", "Need", "Plan", "Step", "Variable", "plan"]

DEEPEST: Final = 4
"""Variables further down are not looked for before an argument is picked."""
RULE_PARTS: Final = 10_000
"""So many parts of sums are tried for the variables of a rule before it is given up at a term."""
WIDEST: Final = 100
"""Nested nodes of an op are seen as one group of up to so many arguments; beyond, as they stand."""


class Do(IntEnum):
    """What a step does. `subject` is what is known to stand at a slot of the pattern."""

    FIXED = 0
    """The subject has this op: its children are the subjects of the slots below."""
    EITHER = 1
    """The same for two children, in the written order first and then swapped."""
    LEAF = 2
    """The subject is this constant or symbol."""
    HOLE = 3
    """The subject becomes the value of the variable, or equals the one it has."""
    OPEN = 4
    """The subject has this op: its arguments become a group."""
    PICK = 5
    """Take one argument out of a group as the subject of the slot: each that is left, in turn."""
    BOUND = 6
    """Take the value of a variable, which is known, out of a group."""
    SOME = 7
    """Give a variable some of what is left of a group, at least one: all of it first, then each
    one, each two, ..., those that stand first before others. In order: the next one, two, ..."""
    ALL = 8
    """Give a variable what is left of a group, at least one."""
    REST = 9
    """Give a sequence variable any number of what is left; the last to choose gets all of it."""
    CLOSE = 10
    """Nothing is left of the group."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A hole: its name, its sort, and whether it stands for a sequence."""

    name: str
    sort: int
    many: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """What an argument that is picked must have, or it cannot match: tells most of them at once.

    With a `path`, of op codes and places of children, that leads to the value of the variable.
    Without one, the value among its own arguments; or, with a `slot` in place of a variable, an
    argument that the subject of that slot has too.
    """

    path: tuple[tuple[int, int], ...] = ()
    variable: int = -1
    slot: int = -1


@dataclass(frozen=True, slots=True)
class Step:
    """One step; what does not apply to its kind is -1 or empty.

    `group` is the slot at which the group was opened; `ordered` says that what is taken stands
    next in the part of the group that may not be swapped.
    """

    do: Do
    slot: int = -1
    code: int = -1
    below: tuple[int, ...] = ()
    variable: int = -1
    value: Symbol | Constant | None = None
    group: int = -1
    ordered: bool = False
    last: bool = False
    """Of REST: nothing chooses after it, so it takes all."""
    needs: tuple[Need, ...] = ()
    """Of PICK."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to match a pattern at a node, which is the subject of slot 0.

    `flat` says that groups count in the arguments of nested nodes. With `extended`, the root's
    group is not closed: what is left of it stays beside the result.
    """

    steps: tuple[Step, ...]
    variables: tuple[Variable, ...]
    slots: int
    code: int
    """The op of the root."""
    flat: bool
    extended: bool


@functools.cache
def plan(pattern: int, *, flat: bool = False, extended: bool = False) -> Plan:
    """Plan the match of a pattern of the rules' store.

    `flat`: associative ops are matched whatever the grouping, and in any order where they commute.
    """
    return _Planner(flat, extended).plan(pattern)


def free(code: int, sort: int) -> bool:
    """Tell whether arguments of a sort may be swapped with each other under an op.

    >>> free(ops.ADD.code, 0), free(ops.SUB.code, 0)
    (True, False)
    """
    return ops.swaps(code, sort, sort)


@dataclass(slots=True)
class _Group:
    """What is still to be matched in a group: the variables that stand directly in it."""

    slot: int
    holes: list[int] = field(default_factory=list)
    rests: list[int] = field(default_factory=list)
    open_end: bool = False


class _Planner:
    def __init__(self, flat: bool, extended: bool) -> None:
        self.flat, self.extended = flat, extended
        self.steps: list[Step] = []
        self.variables: list[Variable] = []
        self.bound: set[int] = set()
        self.slots = 1
        self.later: list[tuple[int, int]] = []  # groups to be opened: slot, pattern node
        self.picked: list[tuple[int, int]] = []  # those of them that were picked
        self.uses: dict[int, int] = {}

    def plan(self, pattern: int) -> Plan:
        code = RULES.code(pattern)
        self._count(pattern)
        self._at(0, pattern)
        groups = []
        while self.later:  # groups last: by then most variables are known
            groups.append(self._open(*self.later.pop(0)))
        self._fill([group for group in groups if group is not None])
        return Plan(
            tuple(self.steps), tuple(self.variables), self.slots, code, self.flat, self.extended
        )

    def _count(self, pattern: int) -> None:
        stack = [pattern]
        while stack:
            node = stack.pop()
            if RULES.code(node) == ops.PVAR.code:
                index = self._variable(node)
                self.uses[index] = self.uses.get(index, 0) + 1
            stack += reversed(RULES.children(node))

    def _variable(self, node: int) -> int:
        symbol = RULES.symbols[RULES.payload(node)]
        variable = Variable(symbol.name, RULES.sort(node), getattr(symbol, "many", False))
        for index, known in enumerate(self.variables):
            if known.name == variable.name:
                if known != variable:
                    raise PatternError(f"the variable ?{known.name} has two sorts in a pattern")
                return index
        self.variables.append(variable)
        return len(self.variables) - 1

    def _new(self) -> int:
        self.slots += 1
        return self.slots - 1

    # -- one node of the pattern -------------------------------------------------------------

    def _at(self, slot: int, node: int) -> None:
        """Plan what is below a slot, but for groups."""
        code = RULES.code(node)
        if code == ops.PVAR.code:
            variable = self._variable(node)
            if self.variables[variable].many:
                raise PatternError(
                    f"the sequence variable ?{self.variables[variable].name} must stand in an "
                    "associative op, beside at least one other argument"
                )
            self.steps.append(Step(Do.HOLE, slot, variable=variable))
            self.bound.add(variable)
        elif code <= ops.PVAR.code:
            self.steps.append(Step(Do.LEAF, slot, code, value=_value(node)))
        elif self._is_group(node):
            self.later.append((slot, node))
        else:
            self._inner(slot, code, RULES.children(node))

    def _is_group(self, node: int) -> bool:
        row = ops.OPS[RULES.code(node)]
        many = any(_is_many(child) for child in RULES.children(node))
        if many and not row.associative:
            raise PatternError(
                f"a sequence variable in {Term(RULES, node)!r}: {row.name} is not associative"
            )
        return row.associative and (many or self.flat or row.makes == "b")

    def _inner(self, slot: int, code: int, children: tuple[int, ...]) -> None:
        row = ops.OPS[code]
        if row.arity < 0 and len(children) > 2:  # a + b + c is (a + b) + c
            left, right = self._new(), self._new()
            self.steps.append(Step(Do.EITHER, slot, code, (left, right)))
            self._inner(left, code, children[:-1])
            self._at(right, children[-1])
            return
        below = tuple(self._new() for _ in children)
        swapped = row.commutative and len(children) == 2
        self.steps.append(Step(Do.EITHER if swapped else Do.FIXED, slot, code, below))
        for place, child in zip(below, children, strict=True):
            self._at(place, child)

    # -- groups ------------------------------------------------------------------------------

    def _open(self, slot: int, node: int) -> _Group | None:
        """Open a group and pick what is no variable; return what remains to be filled."""
        code = RULES.code(node)
        self.steps.append(Step(Do.OPEN, slot, code))
        flat = self.flat or ops.OPS[code].makes == "b"
        parts = _arguments(node, code) if flat else RULES.children(node)
        group = _Group(slot, open_end=self.extended and slot == 0)
        fixed = [p for p in parts if not (flat and free(code, RULES.sort(p)))]
        for part in parts:
            if part not in fixed:
                if RULES.code(part) != ops.PVAR.code:
                    self._pick(slot, part, ordered=False)
                elif _is_many(part):
                    group.rests.append(self._variable(part))
                else:
                    group.holes.append(self._variable(part))
        self._in_order(slot, fixed)
        return group

    def _pick(self, group: int, node: int, *, ordered: bool) -> None:
        slot = self._new()
        needs = () if ordered else tuple(self._needs(node))
        step = Step(Do.PICK, slot, RULES.code(node), group=group, ordered=ordered, needs=needs)
        self.steps.append(step)
        if not ordered and self._is_group(node):
            self.picked.append((slot, node))
        self._at(slot, node)

    def _needs(self, node: int) -> Iterator[Need]:
        """Yield what is known of an argument before it is picked."""
        code = RULES.code(node)
        if not self._is_group(node):
            yield from self._paths(node)
        if not (self.flat and self._is_group(node)):
            return
        own = self._direct(node)
        yield from (Need(variable=variable) for variable in sorted(own & self.bound))
        for slot, other in self.picked:
            if RULES.code(other) == code and own & self._direct(other):
                yield Need(slot=slot)

    def _direct(self, node: int) -> set[int]:
        """Return the variables among the arguments of a group whose order is free."""
        code = RULES.code(node)
        return {
            self._variable(part)
            for part in _arguments(node, code)
            if RULES.code(part) == ops.PVAR.code
            and not _is_many(part)
            and free(code, RULES.sort(part))
        }

    def _paths(self, root: int) -> Iterator[Need]:
        """Yield where variables that are known by now stand, below ops that keep their order."""
        stack: list[tuple[int, tuple[tuple[int, int], ...]]] = [(root, ())]
        while stack:
            node, path = stack.pop()
            code, children = RULES.code(node), RULES.children(node)
            if code == ops.PVAR.code and path and self._variable(node) in self.bound:
                yield Need(path, self._variable(node))
            moves = ops.OPS[code].commutative or ops.OPS[code].associative
            if not moves and len(path) < DEEPEST:
                pairs = [(child, (*path, (code, at))) for at, child in enumerate(children)]
                stack += reversed(pairs)

    def _in_order(self, slot: int, parts: list[int]) -> None:
        """Plan the arguments that may not be swapped, as they stand."""
        for place, part in enumerate(parts):
            if RULES.code(part) != ops.PVAR.code:
                self._pick(slot, part, ordered=True)
                continue
            variable = self._variable(part)
            last = place == len(parts) - 1 and not (self.extended and slot == 0)
            if _is_many(part):
                do = Do.REST
            elif variable in self.bound:
                do = Do.BOUND
            else:
                do = Do.ALL if last else Do.SOME
            self.bound.add(variable)
            self.steps.append(
                Step(do, variable=variable, group=slot, ordered=True, last=last)
            )  # fmt: skip

    def _fill(self, groups: list[_Group]) -> None:
        """Give the variables in groups what is left: known ones first, then the most used."""
        while any(group.holes for group in groups):
            group, hole = self._next([group for group in groups if group.holes])
            group.holes.remove(hole)
            if hole in self.bound:
                do = Do.BOUND
            else:
                closed = not (group.holes or group.rests or group.open_end)
                do = Do.ALL if closed else Do.SOME
            self.bound.add(hole)
            self.steps.append(Step(do, variable=hole, group=group.slot))
        for group in groups:
            for place, rest in enumerate(group.rests):
                last = place == len(group.rests) - 1
                self.bound.add(rest)
                self.steps.append(Step(Do.REST, variable=rest, group=group.slot, last=last))
            if not group.open_end:
                self.steps.append(Step(Do.CLOSE, group=group.slot))

    def _next(self, groups: list[_Group]) -> tuple[_Group, int]:
        for group in groups:
            for hole in group.holes:
                if hole in self.bound:
                    return group, hole
        most = [(self.uses[hole], group, hole) for group in groups for hole in group.holes]
        _, group, hole = max(most, key=lambda entry: entry[0])  # the first of equal ones
        return group, hole


def _arguments(node: int, code: int) -> list[int]:
    """Return the arguments of nested nodes with an op, from left to right."""
    found: list[int] = []
    stack = [node]
    while stack:
        top = stack.pop()
        if RULES.code(top) == code:
            stack += reversed(RULES.children(top))
        else:
            found.append(top)
    return found


def _is_many(node: int) -> bool:
    if RULES.code(node) != ops.PVAR.code:
        return False
    return bool(getattr(RULES.symbols[RULES.payload(node)], "many", False))


def _value(node: int) -> Symbol | Constant:
    constant = RULES.value(node)
    return RULES.symbols[RULES.payload(node)] if constant is None else constant
