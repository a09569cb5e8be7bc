"""Rule sets as data: a discrimination tree, and the plans of the rules, in arrays.

The tree tells from the ops of a term which rules may match; the plans decide. It is a trie of the
patterns, read from the root and from left to right, with an edge for each op, for each constant or
symbol that a rule names, and for "anything". Where arguments may come in either order, both are
entered; where any number of them may come in any order, what is below is passed over. Source: W.
McCune, "Experiments with discrimination-tree indexing and path indexing", 1992.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import Constant, Named, constant_key
from rewrite.leaves import RULES
from rewrite.machine import layout as at
from rewrite.matching import _LEAVES, _plan
from rewrite.pattern import DEEPEST, Do, Need, Plan, Step
from rewrite.rule import Check, Compute, Rule
from rewrite.sorts import BOOL
from rewrite.store import Store, Symbol
from rewrite.term import join

__all__ = ["Callback", "Data", "compile_rules"]

type Ints = npt.NDArray[np.int32]
type Word = tuple[str, int]
"""An edge: "star", or "into" or "over" with a key."""

VARIANTS: Final = 32
"""Patterns with more orders than this are entered by their root alone."""


@dataclass(frozen=True, slots=True)
class Callback:
    """A function of a term that returns a term or None, tried where all children are constants.

    Also at choices with a known condition, and at logic with a known part: see `Fold`.
    """

    function: Any


type Entry = Rule | Callback


@dataclass(slots=True, eq=False)
class Known:
    """Which classes the constants and symbols of a store are in, for as many as were looked at."""

    classes: Ints = field(default_factory=lambda: np.empty((0, 3), np.int32))
    counts: dict[int, int] = field(default_factory=lambda: {ops.SYMBOL.code: 0, ops.CONST.code: 0})


@dataclass(slots=True)
class Data:
    """The arrays of `rewrite.machine.loop`, and what the driver needs beside them."""

    entries: tuple[Entry, ...]
    values: list[tuple[int, Symbol | Constant]] = field(default_factory=list)
    """Constants and symbols of left sides, by class."""
    leaves: list[tuple[int, Symbol | Constant]] = field(default_factory=list)
    """Those of right sides, by number."""
    names: list[tuple[str, ...]] = field(default_factory=list)
    """The variables of each rule."""
    arrays: tuple[Any, ...] = ()
    known: WeakKeyDictionary[Store, Known] = field(default_factory=WeakKeyDictionary)
    _classes: dict[tuple[Any, ...], int] = field(default_factory=dict)
    widths: tuple[int, int, int] = (1, 1, 1)
    """The most slots, variables and steps that a rule has."""

    def native(self, rule: int) -> bool:
        """Tell whether the loop matches a rule itself."""
        return bool(self.arrays[0][rule, at.NATIVE])

    def class_of(self, code: int, value: Symbol | Constant) -> int:
        """Return the class of a constant or symbol; -1 if no left side names it."""
        return self._classes.get(_class_key(code, value), -1)

    def new_class(self, code: int, value: Symbol | Constant) -> int:
        """Return the class of a constant or symbol that a left side names."""
        key = _class_key(code, value)
        if key not in self._classes:
            self._classes[key] = len(self.values)
            self.values.append((code, value))
        return self._classes[key]


def _class_key(code: int, value: Symbol | Constant) -> tuple[Any, ...]:
    """Return what is equal for constants that `same_value` takes for the same, and symbols."""
    if isinstance(value, Symbol):
        return code, value
    key = constant_key(value)
    plain = not isinstance(value, (bool, Named)) and key[1] not in ("-0", "nan", *_INFINITE)
    return (code, value) if plain else (code, *key)


_INFINITE: Final = (math.inf, -math.inf)


class _Builder:
    def __init__(self, entries: Sequence[Entry]) -> None:
        self.data = Data(tuple(entries))
        self.rules: list[list[int]] = []
        self.steps: list[list[int]] = []
        self.below: list[int] = []
        self.builds: list[list[int]] = []
        self.needs: list[list[int]] = []
        self.wanted: list[list[int]] = []
        self.words: list[list[list[Word]]] = []

    # -- leaves ------------------------------------------------------------------------------

    def _class(self, code: int, value: Symbol | Constant) -> int:
        return self.data.new_class(code, value)

    def _leaf(self, code: int, value: Symbol | Constant) -> int:
        self.data.leaves.append((code, value))
        return len(self.data.leaves) - 1

    # -- rules -------------------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        begin = (len(self.steps), len(self.builds))
        if isinstance(entry, Callback):
            self.rules.append([*begin, 0, 0, 0])
            self.needs.append([0, 0, 1])
            self.words.append([[("star", 0)]])
            self.data.names.append(())
            return
        pattern, steps = join(RULES, entry.lhs).id, _plan(entry).plan
        flat = steps.flat
        native = self._runs(steps, entry)
        self.rules.append([*begin, int(flat), int(steps.extended), native])
        self.words.append(list(self._strings(pattern, flat)))
        self.data.names.append(tuple(v.name for v in steps.variables))
        if native:
            for place, step in enumerate(steps.steps):
                self._step(place, step, steps)
            self._build(join(RULES, entry.rhs).id, steps)
        self.needs.append([*self._needs(steps), 0])

    def _runs(self, steps: Plan, rule: Rule) -> int:
        """Tell how much of a rule the loop can do: see `layout.NATIVE`."""
        hard = any(s.do is Do.REST or s.ordered or len(s.below) > 8 for s in steps.steps)
        sorts = any(v.many or v.sort > BOOL for v in steps.variables)
        computes = isinstance(rule.rhs, Compute) or any(
            isinstance(c, Check) or c.kind in _LEAVES for c in rule.where
        )
        if hard or sorts or computes:
            return 0
        return 2 if rule.where else 1

    def _step(self, place: int, step: Step, steps: Plan) -> None:
        group = next((s.code for s in steps.steps if s.do is Do.OPEN and s.slot == step.group), -1)
        code = group if step.do in (Do.BOUND, Do.SOME, Do.ALL) else step.code
        sort = steps.variables[step.variable].sort if step.variable >= 0 else 0
        if step.do is Do.OPEN and ops.OPS[code].makes == "b":
            sort = int(BOOL)
        leaf = -1
        if step.do is Do.LEAF and step.value is not None:
            leaf = self._class(code, step.value)
        wanted = [_need(need) for need in step.needs]
        if step.do is Do.SOME:
            wanted = [_need(Need(slot=slot)) for slot in _sharing(place, code, steps)]
        elif step.do is Do.OPEN:
            wanted = [_need(need) for need in _asked_of(place, steps)]
        elif step.do is Do.PICK and not step.ordered:
            wanted += [_need(need, 2) for need in _taken_with(place, steps)]
        self.steps.append(
            [int(step.do), step.slot, code, len(self.below), len(step.below), step.variable,
             sort, leaf, step.group, len(self.wanted), len(wanted)]
        )  # fmt: skip
        self.wanted += wanted
        self.below += step.below

    def _build(self, node: int, steps: Plan) -> None:
        """Write the right side, arguments first."""
        code = RULES.code(node)
        if code == ops.PVAR.code:
            name = RULES.symbols[RULES.payload(node)].name
            index = [v.name for v in steps.variables].index(name)
            self.builds.append([at.PUT_VARIABLE, index, 0])
        elif code <= ops.PVAR.code:
            self.builds.append([at.PUT_LEAF, self._leaf(code, _value(node)), 0])
        else:
            children = RULES.children(node)
            for child in children:
                self._build(child, steps)
            self.builds.append([at.PUT_OP, code, len(children)])

    def _needs(self, steps: Plan) -> tuple[int, int]:
        """Return which ops and which values must be among the arguments of the root."""
        codes, values = 0, 0
        root = steps.steps[0]
        if root.do is Do.OPEN:
            wanted = {s.slot for s in steps.steps if s.do is Do.PICK and s.group == 0}
        else:  # an argument may be the sum of those before it
            wanted = set(root.below) if root.do is Do.EITHER else set()
        for step in steps.steps:
            if step.slot not in wanted or step.do is Do.PICK or step.code in (-1, root.code):
                continue
            codes |= 1 << (step.code & 63)
            if step.do is Do.LEAF and step.value is not None:
                values |= 1 << (self._class(step.code, step.value) & 63)
        return codes, values

    # -- words of the tree -------------------------------------------------------------------

    def _strings(self, node: int, flat: bool) -> Iterator[list[Word]]:
        words = list(self._below(node, flat))
        if len(words) > VARIANTS:
            words = [[("over", RULES.code(node))]]
        yield from words

    def _below(self, node: int, flat: bool) -> Iterator[list[Word]]:
        code = RULES.code(node)
        if code == ops.PVAR.code:
            yield [("star", 0)]
            return
        if code <= ops.PVAR.code:
            yield [("into", len(ops.OPS) + self._class(code, _value(node)))]
            return
        row, children = ops.OPS[code], RULES.children(node)
        if row.associative and (flat or row.makes == "b" or _has_many(children)):
            yield [("over", code)]
            return
        parts: list[list[list[Word]]] = [list(self._below(child, flat)) for child in children]
        while row.arity < 0 and len(parts) > 2:  # a + b + c is (a + b) + c
            parts[:2] = [_joined(code, parts[0], parts[1], both=row.commutative)]
        if len(parts) == 2:
            yield from _joined(code, *parts, both=row.commutative)
        else:
            for choice in product(*parts):
                yield [("into", code), *(word for words in choice for word in words)]

    def finish(self) -> Data:
        self.rules.append([len(self.steps), len(self.builds), 0, 0, 0])
        keys = len(ops.OPS) + len(self.data.values)
        into, over, star, here, under = _tree(self.words, keys)
        codes = range(len(ops.OPS))
        rooted = [(star[0] >= 0 and c > ops.PVAR.code) or into[0, c] >= 0 or over[0, c] >= 0
                  for c in codes]  # fmt: skip
        for code, _ in self.data.values:
            named = [w[0] for words in self.words for w in words if len(w) == 1]
            if any(key >= len(ops.OPS) for _, key in named):
                rooted[code] = True
        partly = np.zeros(len(ops.OPS), np.int32)
        partly[ops.WHERE.code], partly[[ops.AND.code, ops.OR.code]] = 1, 2
        self.data.arrays = (
            _table(self.rules, at.RULE_COLUMNS), _table(self.steps, at.STEP_COLUMNS),
            np.array([*self.below, 0], np.int32), _table(self.wanted, at.NEED_COLUMNS),
            np.array([row.arity for row in ops.OPS], np.int32),
            _table(self.builds, 3),
            np.array(self.needs, np.uint64).reshape(-1, 3),
            into, over, star, here, under,
            np.array([row.arity < 0 for row in ops.OPS], np.bool_),
            partly, np.array(rooted, np.int32),
        )  # fmt: skip
        slots = max((step[at.SLOT] for step in self.steps), default=0)
        slots = max([slots, *self.below]) + 1
        longest = max((b[0] - a[0] for a, b in zip(self.rules, self.rules[1:], strict=False)),
                      default=0)  # fmt: skip
        names = max((len(n) for n in self.data.names), default=0)
        self.data.widths = (slots, names + 1, len(self.steps) + longest + 1)
        return self.data


def _need(need: Need, shared: int = 0) -> list[int]:
    path = [number for pair in need.path for number in pair]
    row = [max(need.variable, need.slot), shared or int(need.slot >= 0), len(need.path), *path]
    return row + [0] * (at.NEED_COLUMNS - len(row))


def _asked_of(place: int, steps: Plan) -> Iterator[Need]:
    """Yield what can be told of a group before it is opened: what will be taken out of it."""
    own, before = steps.steps[place], steps.steps[:place]
    bound = {s.variable for s in before if s.do is Do.HOLE}
    opened = {s.slot for s in before if s.do is Do.OPEN and s.code == own.code}
    later = [s for s in steps.steps[place + 1 :] if not s.ordered and s.do in _TAKEN]
    mine = dict.fromkeys(s.variable for s in later if s.group == own.slot)
    for variable in mine:
        if variable in bound:
            yield Need(variable=variable)
        else:
            sharing = [s.group for s in later if s.variable == variable and s.group in opened]
            yield from (Need(slot=slot) for slot in dict.fromkeys(sharing))


def _taken_with(place: int, steps: Plan) -> Iterator[Need]:
    """Yield what below an argument is taken out of the same group too: b of (a - b) + b."""
    own, bound = steps.steps[place], {s.variable for s in steps.steps[:place] if s.do is Do.HOLE}
    taken = {
        s.variable
        for s in steps.steps[place:]
        if s.do is Do.BOUND and not s.ordered and s.group == own.group
    }
    paths: dict[int, tuple[tuple[int, int], ...]] = {own.slot: ()}
    for step in steps.steps[place + 1 :]:
        path = paths.get(step.slot)
        if path is None:
            continue
        if step.do is Do.FIXED and len(path) < DEEPEST:
            below = enumerate(step.below)
            paths |= {slot: (*path, (step.code, child)) for child, slot in below}
        elif step.do is Do.HOLE and path and step.variable in taken - bound:
            yield Need(path, step.variable)


_TAKEN: Final = (Do.SOME, Do.ALL, Do.BOUND)


def _sharing(place: int, code: int, steps: Plan) -> list[int]:
    """Return the slots of other open groups out of which the value of a step is taken later."""
    one, opened = (
        steps.steps[place],
        {s.slot: s.code for s in steps.steps[:place] if s.do is Do.OPEN},
    )
    return [
        s.group
        for s in steps.steps[place + 1 :]
        if s.do is Do.BOUND and not s.ordered and s.variable == one.variable
        and s.group != one.group and opened.get(s.group) == code
    ]  # fmt: skip


def _joined(
    code: int, left: list[list[Word]], right: list[list[Word]], *, both: bool
) -> list[list[Word]]:
    orders = ((left, right), (right, left)) if both else ((left, right),)
    found = [[("into", code), *a, *b] for first, second in orders for a in first for b in second]
    return [word for place, word in enumerate(found) if word not in found[:place]]


def _tree(words: list[list[list[Word]]], keys: int) -> tuple[Ints, Ints, Ints, Any, Any]:
    """Enter all words in a trie; say of each node which rules end there, and which below."""
    edges: list[dict[Word, int]] = [{}]
    ends: list[set[int]] = [set()]
    passed: list[set[int]] = [set()]
    for rule, strings in enumerate(words):
        for string in strings:
            at_ = 0
            passed[0].add(rule)
            for word in string:
                if word not in edges[at_]:
                    edges[at_][word] = len(edges)
                    edges.append({})
                    ends.append(set())
                    passed.append(set())
                at_ = edges[at_][word]
                passed[at_].add(rule)
            ends[at_].add(rule)
    into, over = (np.full((len(edges), keys), -1, np.int32) for _ in range(2))
    star = np.full(len(edges), -1, np.int32)
    for node, out in enumerate(edges):
        for (kind, key), target in out.items():
            if kind == "star":
                star[node] = target
            else:
                (into if kind == "into" else over)[node, key] = target
    return into, over, star, _bits(ends, len(words)), _bits(passed, len(words))


def _bits(sets: list[set[int]], rules: int) -> npt.NDArray[np.uint64]:
    out = np.zeros((len(sets), rules // 64 + 1), np.uint64)
    for node, members in enumerate(sets):
        for rule in members:
            out[node, rule >> 6] |= np.uint64(1 << (rule & 63))
    return out


def _table(rows: list[list[int]], columns: int) -> Ints:
    return np.array(rows, np.int32).reshape(-1, columns)


def _value(node: int) -> Symbol | Constant:
    constant = RULES.value(node)
    return RULES.symbols[RULES.payload(node)] if constant is None else constant


def _has_many(children: Sequence[int]) -> bool:
    return any(
        RULES.code(c) == ops.PVAR.code
        and getattr(RULES.symbols[RULES.payload(c)], "many", False)
        for c in children
    )  # fmt: skip


def compile_rules(entries: Sequence[Entry]) -> Data:
    """Write rules and callbacks, in their order, as the data of the compiled loop."""
    builder = _Builder(entries)
    for entry in entries:
        builder.add(entry)
    return builder.finish()
