"""Large programs cut into functions of bounded size: compilers are superlinear in a function's.

What one part makes for a later one goes through memory, a slot for each value, which is free again
after the last part that reads it. Constants and arguments are read where they are used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from codegen.branches import Branch, Item, size, values_of
from codegen.program import Program

__all__ = ["LARGE", "Part", "cut"]

LARGE: Final = 3000
"""Instructions of a program that is not cut; one that has loops never is."""
SIZE: Final = 1000
"""Instructions of a part. Measured on Zen 4: twice as many take a third longer to compile."""


@dataclass(frozen=True, slots=True)
class Part:
    """Items that one function computes; which slots it reads and writes, by value."""

    items: tuple[Item, ...]
    reads: dict[int, int]
    writes: dict[int, int]


def cut(
    program: Program, items: Sequence[Item], called: frozenset[str], kept: Sequence[int], *,
    large: int | None = None, size: int | None = None,
) -> tuple[list[Part], int]:  # fmt: skip
    """Return the parts of a large program, and how many slots there are; no parts of a small one.

    `kept` are values that have to be there at the end. A program is `large`, and a part of `size`,
    as measured for LLVM unless these say otherwise.
    """
    large, size = LARGE if large is None else large, SIZE if size is None else size
    weights = [_weight(program, item, called) for item in items]
    if sum(weights) <= large or program.steps:
        return [], 0
    groups = _groups(program, items, weights, called, size)
    owner: dict[int, int] = {}
    for number, group in enumerate(groups):
        owner.update((at, number) for item in group for at in values_of(item))
    last = dict.fromkeys(kept, len(groups))
    needs: list[dict[int, None]] = []
    for number, group in enumerate(groups):
        own: dict[int, None] = {}
        for item in group:
            for at in values_of(item):
                args = program.instructions[at].args
                own.update((a, None) for a in args if owner[a] != number and _made(program, a))
            for at in _conditions(item):
                if owner[at] != number and _made(program, at):
                    own[at] = None
        needs.append(own)
        last.update((at, max(last.get(at, 0), number)) for at in own)
    return _slotted(groups, owner, needs, last)


def _slotted(
    groups: list[tuple[Item, ...]], owner: dict[int, int], needs: list[dict[int, None]],
    last: dict[int, int],
) -> tuple[list[Part], int]:  # fmt: skip
    """Give each value that goes from part to part a slot."""
    made: list[list[int]] = [[] for _ in groups]
    ends: list[list[int]] = [[] for _ in range(len(groups) + 1)]
    for at, end in last.items():
        made[owner[at]].append(at)
        ends[end].append(at)
    slot: dict[int, int] = {}
    free: list[int] = []
    parts, count = [], 0
    for number, group in enumerate(groups):
        reads = {at: slot[at] for at in needs[number]}
        free += [slot[at] for at in ends[number]]
        for at in sorted(made[number]):
            if last[at] == number:
                continue
            slot[at] = free.pop() if free else count
            count = max(count, slot[at] + 1)
        writes = {at: slot[at] for at in sorted(made[number]) if at in slot}
        parts.append(Part(group, reads, writes))
    final = {at: slot[at] for at in ends[len(groups)]}
    return [*parts, Part((), final, {})], count


def _groups(
    program: Program, items: Sequence[Item], weights: list[int], called: frozenset[str],
    size: int,
) -> list[tuple[Item, ...]]:  # fmt: skip
    """Group items in their order; what lies behind a branch that is too large is no longer so."""
    found: list[tuple[Item, ...]] = []
    group: list[Item] = []
    total = 0
    stack = [(item, weight) for item, weight in zip(items, weights, strict=True)][::-1]
    while stack:
        item, weight = stack.pop()
        if isinstance(item, Branch) and weight > size:
            stack += [(each, _weight(program, each, called)) for each in item.items][::-1]
            continue
        if group and total + weight > size:
            found.append(tuple(group))
            group, total = [], 0
        group.append(item)
        total += weight
    return [*found, tuple(group)]


def _made(program: Program, at: int) -> bool:
    """Tell whether a value is computed, not read."""
    return program.instructions[at].op not in ("const", "load")


def _conditions(item: Item) -> list[int]:
    if not isinstance(item, Branch):
        return []
    return [item.condition, *(at for each in item.items for at in _conditions(each))]


def _weight(program: Program, item: Item, called: frozenset[str]) -> int:
    return sum(size(program.instructions[at], called) for at in values_of(item))
