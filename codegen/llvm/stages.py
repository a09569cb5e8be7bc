"""A program with many elementary functions, cut into stages that each go over a block of vectors.

A function that is called for one vector keeps the core waiting for its chain of operations, its
constants are read at each call, and no register is safe from it. So values lie in memory, some
vectors of each, in the first-level cache. A stage computes those that need no function beyond the
ones that were called; then the functions that it made the arguments of are called, each for all
vectors of the block.

Measured on Zen 4: 200 random operations, 25 of them functions, take a tenth less time in float64
and a fifth less in float32 than with functions that are called for four vectors.
"""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from codegen.program import Program

__all__ = ["Call", "Plan", "Stage", "plan"]

_LEAVES: Final = ("const", "load")
_PAIR: Final = ("sin", "cos")


@dataclass(frozen=True, slots=True)
class Call:
    """A function that is called for a block: its arguments and its results."""

    name: str
    args: tuple[int, ...]
    results: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Stage:
    """Values that are computed vector by vector, and the functions that are called then."""

    values: tuple[int, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The stages, where each value lies that goes from one loop to another, and for how many."""

    stages: tuple[Stage, ...]
    slot: dict[int, int]
    slots: int


def plan(program: Program, called: Set[str]) -> Plan:
    """Cut a program whose functions are called; the last stage has all outputs at hand."""
    stages = _stages(program, called)
    slot, count = _placed(program, stages)
    return Plan(stages, slot, count)


def _stages(program: Program, called: Set[str]) -> tuple[Stage, ...]:
    """Call each function as soon as its arguments are there; compute all else late.

    What is read in one stage alone is computed in it, and needs no place in memory.
    """
    code = program.instructions
    level = _levels(program, called)
    end = max(level, default=0)
    place = [end] * len(code)
    values: list[list[int]] = [[] for _ in range(end + 1)]
    calls: list[list[int]] = [[] for _ in values]
    for at in range(len(code) - 1, -1, -1):
        this = code[at]
        if this.op in called:
            place[at] = level[at] - 1
            calls[place[at]].append(at)
        elif this.op not in _LEAVES:
            values[place[at]].append(at)
        for arg in this.args:
            place[arg] = min(place[arg], place[at])
    return tuple(
        Stage(tuple(some[::-1]), _calls(program, those[::-1]))
        for some, those in zip(values, calls, strict=True)
    )


def _levels(program: Program, called: Set[str]) -> list[int]:
    """Return the stage in which each value can be there: of a function the one after its call."""
    level: list[int] = []
    for this in program.instructions:
        level.append(max((level[arg] for arg in this.args), default=0) + (this.op in called))
    return level


def _calls(program: Program, heads: Sequence[int]) -> tuple[Call, ...]:
    """Return the calls for some functions: one for sine and cosine of one argument."""
    code = program.instructions
    angles: dict[tuple[int, ...], dict[str, int]] = {}
    for at in heads:
        if code[at].op in _PAIR:
            angles.setdefault(code[at].args, {}).setdefault(code[at].op, at)
    both = {args: tuple(found[op] for op in _PAIR) for args, found in angles.items()
            if len(found) == len(_PAIR)}  # fmt: skip
    paired = {at: pair for pair in both.values() for at in pair}
    made = []
    for at in heads:
        if at not in paired:
            made.append(Call(code[at].op, code[at].args, (at,)))
        elif at == min(paired[at]):
            made.append(Call("sincos", code[at].args, paired[at]))
    return tuple(made)


def _placed(program: Program, stages: tuple[Stage, ...]) -> tuple[dict[int, int], int]:
    """Give slots to what is read elsewhere than in the loop that computes it.

    A slot is free again after the last loop or call that reads it: so no function writes where its
    arguments are, which it may need once more.
    """
    steps = [step for stage in stages for step in (_Step.of(program, stage), *_steps(stage))]
    loops = [number for number, step in enumerate(steps) if step.is_loop]
    last = {value: loops[-1] for output in program.outputs for value in output.values}
    for number, step in enumerate(steps):
        last.update((at, max(number, last.get(at, 0))) for at in step.reads)
    over: list[list[int]] = [[] for _ in steps]
    for at, number in last.items():
        over[number].append(at)
    slot: dict[int, int] = {}
    free: list[int] = []
    count = 0
    for number, step in enumerate(steps):
        for at in step.writes:
            if at not in slot and (not step.is_loop or last.get(at, 0) > number):
                slot[at] = free.pop() if free else count
                count = max(count, slot[at] + 1)
        free += [slot[at] for at in over[number] if at in slot]
    return slot, count


@dataclass(frozen=True, slots=True)
class _Step:
    """A loop or a call: what it reads and writes."""

    reads: tuple[int, ...]
    writes: tuple[int, ...]
    is_loop: bool

    @staticmethod
    def of(program: Program, stage: Stage) -> "_Step":
        """Return the loop of a stage, which also writes the constants that its calls read."""
        code = program.instructions
        reads = tuple(arg for at in stage.values for arg in code[at].args)
        given = (arg for call in stage.calls for arg in call.args if code[arg].op == "const")
        return _Step(reads, (*stage.values, *given), True)


def _steps(stage: Stage) -> list[_Step]:
    return [_Step(call.args, call.results, False) for call in stage.calls]
