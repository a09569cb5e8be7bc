"""Which values of a program only some lanes need, so that whole vectors can do without them.

`where` computes both sides and picks. What only one side needs is put behind a branch, taken when
any lane of the vector picks that side, where it costs more than the branch. No value changes: a
side that is left out is one that no lane picks.
"""

from collections import Counter
from collections.abc import Iterable, Set
from dataclasses import dataclass
from typing import Final

from codegen.instructions import INLINED
from codegen.program import Instruction, Program

__all__ = ["Branch", "Item", "branches", "size", "values_of", "weight"]

WORTH: Final = 30
"""Instructions of a side from which on it is worth a branch: those of the cheapest function.

Measured on Zen 4: where neighbours differ the branch costs less than 2 %.
"""
DEEPEST: Final = 8
"""So many conditions at most are branched on inside each other."""

MOST: Final = 32
"""So many conditions at most are kept in mind of each value."""

PASSES: Final = 8
"""How often a loop is taken to run, as nobody knows."""

type Literal = tuple[int, bool]
"""A truth value of the program, and which of its two values the lane has to have."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Values that are needed only where some lane of a condition is true, or false."""

    condition: int
    when: bool
    items: "tuple[Item, ...]"
    results: tuple[int, ...]
    """Those that are used outside."""


type Item = int | Branch


def size(this: Instruction, called: Set[str] = frozenset()) -> int:
    """Count the instructions that one stands for; those of a loop as often as it may run.

    One that is `called` is one.
    """
    if isinstance(this.payload, Program):
        return PASSES * weight(this.payload, called)
    return 1 if this.op in called else INLINED.get(this.op, 1)


def weight(program: Program, called: Set[str] = frozenset()) -> int:
    """Count the instructions of a program with what is written in their places."""
    return sum(size(this, called) for this in program.instructions)


def values_of(item: "Item") -> list[int]:
    """Return the values of an item, those behind a branch too."""
    if isinstance(item, Branch):
        return [at for each in item.items for at in values_of(each)]
    return [item]


def branches(program: Program) -> tuple[Item, ...]:
    """Return all values of a program in an order of computation, some of them behind branches.

    Without a `where` that has an expensive side it is the order of the program.
    """
    plain = tuple(range(len(program.instructions)))
    if all(instruction.op != "where" for instruction in program.instructions):
        return plain
    chains = _chains(program)
    if not any(chains):
        return plain
    try:
        return _Level(_Arranged(program, chains), 0).arranged(plain)
    except _Tangled:
        return plain


def _chains(program: Program) -> list[tuple[Literal, ...]]:
    """Return for each value the conditions behind which it goes, the outermost first."""
    needs = _needs(program)
    costs: Counter[Literal] = Counter()
    for instruction, need in zip(program.instructions, needs, strict=True):
        costs.update(dict.fromkeys(need, size(instruction)))

    def outermost(literal: Literal) -> tuple[int, Literal]:
        return len(needs[literal[0]]), literal

    worth = [[x for x in need if costs[x] >= WORTH] for need in needs]
    return [tuple(sorted(chain, key=outermost)[:DEEPEST]) for chain in worth]


def _needs(program: Program) -> list[frozenset[Literal]]:
    """Return for each value what holds in every lane in which it is used; nothing for leaves."""
    needs: list[frozenset[Literal] | None] = [None] * len(program.instructions)
    for output in program.outputs:
        for value in output.values:
            needs[value] = frozenset()
    for at in range(len(needs) - 1, -1, -1):
        this, own = program.instructions[at], needs[at] or frozenset()
        for place, arg in enumerate(this.args):
            more: set[Literal] = set()
            if this.op == "where" and place and len(own) < MOST:
                more.add((this.args[0], place == 1))
            known = needs[arg]
            needs[arg] = own | more if known is None else known & (own | more)
    return [
        (need or frozenset()) if this.args else frozenset()
        for need, this in zip(needs, program.instructions, strict=True)
    ]


class _Tangled(Exception):
    """Sides of two conditions need parts of each other."""


class _Arranged:
    """Values grouped by the conditions they are behind, each group where it is first used."""

    def __init__(self, program: Program, chains: list[tuple[Literal, ...]]) -> None:
        self.program, self.chains = program, chains
        self.done: set[int] = set()
        self.users: list[list[int]] = [[] for _ in program.instructions]
        for at, this in enumerate(program.instructions):
            # a branch uses its condition too, wherever the choice that made it one is
            for arg in (*this.args, *(condition for condition, _ in chains[at])):
                self.users[arg].append(at)

    def branch(self, literal: Literal, group: list[int], depth: int) -> tuple[Item, ...]:
        """Return a branch around a group, or the group itself where it is too small for one."""
        inner = _Level(self, depth).arranged(group)
        cost = sum(size(self.program.instructions[at]) for at in group)
        if cost < WORTH:
            return inner
        inside = set(group)
        used = tuple(at for at in group if not inside.issuperset(self.users[at]))
        return (Branch(*literal, inner, used),)


class _Level:
    """Values that have the first `depth` conditions in common, while they are put in order."""

    def __init__(self, whole: _Arranged, depth: int) -> None:
        self.whole, self.depth = whole, depth
        self.found: list[Item] = []
        self.waiting: dict[Literal, dict[int, None]] = {}
        self.active: set[Literal] = set()

    def arranged(self, members: Iterable[int]) -> tuple[Item, ...]:
        """Return the values, those behind one more condition moved to where they are needed."""
        for at in members:
            literal = self.literal(at)
            if literal is not None:
                self.waiting.setdefault(literal, {})[at] = None
                continue
            for arg in self.whole.program.instructions[at].args:
                self.need(arg)
            self.found.append(at)
            self.whole.done.add(at)
        while self.waiting:
            self.flush(next(iter(self.waiting)))
        return tuple(self.found)

    def literal(self, value: int) -> Literal | None:
        """Return the condition at this depth that a value is behind."""
        chain = self.whole.chains[value]
        return chain[self.depth] if self.depth < len(chain) else None

    def need(self, value: int) -> None:
        """Have a value computed by now."""
        literal = self.literal(value)
        if literal in self.active:
            raise _Tangled
        if literal is not None and value in self.waiting.get(literal, ()):
            self.flush(literal)

    def flush(self, literal: Literal) -> None:
        """Append all that is behind a condition, after what it needs."""
        self.active.add(literal)
        group = list(self.waiting[literal])
        for member in group:
            for arg in self.whole.program.instructions[member].args:
                if self.literal(arg) != literal:
                    self.need(arg)
        self.need(literal[0])
        if literal[0] not in self.whole.done:  # it needs other values of the group around this one
            raise _Tangled
        del self.waiting[literal]
        self.active.remove(literal)
        self.found.extend(self.whole.branch(literal, group, self.depth + 1))
