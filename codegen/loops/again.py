"""Steps written so that results come in the order of memory.

A copy of what a cheap body made is made again: a table of numbers that is read in order costs less
than a result that is read from anywhere. Cells between a step's results that a later one writes
anyhow are written too: whole vectors are stored then, without a table.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.loops.paved import paved
from codegen.loops.program import (
    WORK,
    Cells,
    Map,
    Numbers,
    Operand,
    Reduce,
    Rolled,
    Step,
    count,
    operands_of,
    results_of,
)
from codegen.loops.together import together
from codegen.program import Program

__all__ = ["in_order"]

type Index = npt.NDArray[Any]

_CHEAP: Final = 8
"""Instructions of a body that is computed again."""
_MANY: Final = 16
"""Instances that are worth it."""
_DENSE: Final = 0.75
"""Share of the cells from first to last that a step has to write."""
_COPIED: Final = 2.0
"""Numbers that are written one by one in the time in which a vector of them is copied."""
_SEVERAL: Final = 8
"""Results of a cheap step that may be joined to others."""


def in_order(program: Rolled, lanes: int) -> Rolled:
    """Compute copies again, sort results, and fill the gaps between them; bits stay the same.

    `lanes` are the instances of a vector: the more, the less it takes to fill gaps.
    """
    steps = [_folded(part) for step in program.steps for part in _split(program, step)]
    program = replace(program, steps=tuple(steps))
    steps = _again(program)
    steps = _early(program, [_sorted(step) for step in steps], lanes)
    return replace(program, steps=tuple(_filled(program, steps, lanes)))


def _is_cheap(program: Rolled, step: Step, results: int = 1) -> bool:
    """Tell whether a step can be done again at any time, at little cost."""
    if not isinstance(step, Map) or len(step.results) > results or not step.operands:
        return False
    arguments = len(program.arguments)
    fixed = all(isinstance(x, Numbers) or 0 <= x.segment < arguments for x in step.operands)
    return fixed and len(step.body.instructions) <= _CHEAP and count(step) >= _MANY


def _split(program: Rolled, step: Step) -> list[Step]:
    """Compute each result of a cheap step by itself where their cells rise not all together.

    Sums of one term are a step of their own, which is no sum.
    """
    if isinstance(step, Reduce):
        return _without_singles(step)
    if not isinstance(step, Map) or not _is_cheap(program, step, len(step.results)):
        return [step]
    order = np.argsort(step.results[0].index)
    if all((np.diff(cells.index[order]) > 0).all() for cells in step.results):
        return [step]
    return [_only(step, number) for number in range(len(step.results))]


def _without_singles(step: Reduce) -> list[Step]:
    """Take out rows of one term."""
    lengths = np.diff(step.bounds)
    single = lengths == 1
    if step.adds or single.sum() < _MANY:
        return [step]
    terms = np.repeat(single, lengths)

    def part(rows: Index, of: Index) -> tuple[tuple[Operand, ...], Cells]:
        return tuple(x.at(of) for x in step.operands), step.results.at(rows)

    operands, results = part(single, terms)
    found: list[Step] = [Map(step.body, operands, (results,))]
    if not single.all():
        operands, results = part(~single, ~terms)
        bounds = np.r_[0, np.cumsum(lengths[~single])].astype(np.int32)
        found.append(Reduce(step.body, operands, bounds, results))
    return found


def _only(step: Map, number: int) -> Map:
    """Return a step for one result alone."""
    body, output = step.body, step.body.outputs[number]
    needed = set()
    waiting = [output.values[0]]
    while waiting:
        at = waiting.pop()
        needed.add(at)
        waiting += body.instructions[at].args
    chosen = sorted(needed)
    new = {at: place for place, at in enumerate(chosen)}
    reads = [body.instructions[at].payload for at in chosen]
    used = sorted({payload[0] for payload in reads if isinstance(payload, tuple)})
    instructions = []
    for at in chosen:
        this = body.instructions[at]
        payload = this.payload
        if isinstance(payload, tuple):
            payload = (used.index(payload[0]), 0)
        args = tuple(new[arg] for arg in this.args)
        instructions.append(replace(this, args=args, payload=payload))
    made = Program(
        tuple(body.arguments[k] for k in used), tuple(instructions),
        (replace(output, values=(new[output.values[0]],)),), body.name,
    )  # fmt: skip
    return Map(made, tuple(step.operands[k] for k in used), (step.results[number],))


def _is_copy(step: Step) -> bool:
    """Tell of copies, and of those with the other sign."""
    if not isinstance(step, Map) or len(step.operands) != 1 or len(step.results) != 1:
        return False
    only = step.operands[0]
    ops = [i.op for i in step.body.instructions]
    return ops in (["load"], ["load", "neg"]) and isinstance(only, Cells)


def _signed(body: Program, operands: Sequence[Operand]) -> int | None:
    """Return which constant has the sign of the result: a factor that is read once."""
    uses = Counter(arg for this in body.instructions for arg in this.args)
    uses.update(output.values[0] for output in body.outputs)
    waiting = [body.outputs[0].values[0]]
    while waiting:
        at = waiting.pop()
        this = body.instructions[at]
        if uses[at] > 1:
            continue
        if isinstance(this.payload, tuple) and isinstance(operands[this.payload[0]], Numbers):
            loads = sum(i.payload == this.payload for i in body.instructions)
            if loads == 1:
                return this.payload[0]
        if this.op in ("mul", "div", "neg"):
            waiting += this.args
    return None


def _folded(step: Step) -> Step:
    """Put the sign of a map's result into a constant, where there is one: that is exact."""
    if not isinstance(step, Map) or len(step.body.outputs) != 1:
        return step
    body = step.body
    last = body.instructions[-1]
    sign = _signed(body, step.operands)
    if last.op != "neg" or body.outputs[0].values[0] != len(body.instructions) - 1 or sign is None:
        return step
    output = replace(body.outputs[0], values=last.args)
    body = replace(body, instructions=body.instructions[:-1], outputs=(output,))
    operands = tuple(_negated(x) if k == sign else x for k, x in enumerate(step.operands))
    return replace(step, body=body, operands=operands)


def _negated(operand: Any) -> Numbers:
    return Numbers(-operand.f64, -operand.f32)


def _again(program: Rolled) -> list[Step]:
    """Replace copies by what made their sources, joined to it where nothing is in the way."""
    maker: dict[int, Index] = {}
    member: dict[int, Index] = {}
    steps: list[Step] = []
    for step in _merged(program):
        before, held = len(steps), list[Step]()
        if _is_copy(step) and count(step) >= _MANY:
            held = steps.copy()
            steps += _made_again(program, step, maker, member, steps)
        elif isinstance(step, Reduce):
            steps.append(_summed_again(step, maker, member, steps))
        else:
            steps.append(step)
        joined = [at for at, old in enumerate(held) if steps[at] is not old]
        for at in (*joined, *range(before, len(steps))):
            _note(program, steps, at, maker, member)
    return steps


def _merged(program: Rolled) -> list[Step]:
    """Join cheap steps of one body, where nothing is in the way."""
    found: list[Step] = []
    first: dict[Any, int] = {}
    for step in program.steps:
        if not _is_cheap(program, step):
            found.append(step)
            continue
        whole: Any = step
        cells = whole.results[0]
        key = (*_body_key(whole), cells.segment)
        at = first.setdefault(key, len(found))
        if at < len(found) and _is_free(program, found[at + 1 :], cells):
            earlier: Any = found[at]
            joined = tuple(map(_joined, earlier.operands, whole.operands))
            results = (_joined(earlier.results[0], cells),)
            found[at] = replace(earlier, operands=joined, results=results)
        else:
            found.append(step)
    return found


def _note(
    program: Rolled, steps: list[Step], at: int, maker: dict[int, Index], member: dict[int, Index]
) -> None:
    """Note which step made a cell, and as which of its instances."""
    cheap = _is_cheap(program, steps[at])
    for cells in results_of(steps[at]):
        if cells.segment not in maker:
            if not cheap:
                continue
            size = program.size(cells.segment)
            maker[cells.segment] = np.full(size, -1)
            member[cells.segment] = np.zeros(size, np.int64)
        maker[cells.segment][cells.index] = at if cheap else -1
        if cheap:
            member[cells.segment][cells.index] = np.arange(len(cells.index))


def _summed_again(
    step: Reduce, maker: dict[int, Index], member: dict[int, Index], steps: list[Step]
) -> Step:
    """Compute the terms of sums again, where one step has made them all."""
    source = step.operands[0] if step.operands else None
    ops = [i.op for i in step.body.instructions]
    if ops != ["load"] or not isinstance(source, Cells) or source.segment not in maker:
        return step
    owners = maker[source.segment][source.index]
    makers: list[Any] = [steps[owner] for owner in np.unique(owners[owners >= 0])]
    if (owners < 0).any() or len({_body_key(made) for made in makers}) != 1:
        return step
    chosen = member[source.segment][source.index].copy()
    operands, first = makers[0].operands, count(makers[0])
    for owner, made in zip(np.unique(owners)[1:], makers[1:], strict=True):
        chosen[owners == owner] += first
        first += count(made)
        operands = tuple(map(_joined, operands, made.operands))
    return replace(step, body=makers[0].body, operands=tuple(x.at(chosen) for x in operands))


def _body_key(step: Map) -> Any:
    """Return what is equal for steps of one body on the same segments."""
    kinds = tuple(None if isinstance(x, Numbers) else x.segment for x in step.operands)
    return step.body.instructions, step.body.outputs[0].values, kinds


def _made_again(
    program: Rolled, step: Any, maker: dict[int, Index], member: dict[int, Index],
    steps: list[Step],
) -> list[Step]:  # fmt: skip
    """Return steps for a copy; what can be joined to an earlier step is, in place."""
    source, results = step.operands[0], step.results[0]
    if source.segment not in maker:
        return [step]
    owners = maker[source.segment][source.index]
    members = member[source.segment][source.index]
    negates = len(step.body.instructions) > 1
    found: list[Step] = []
    for owner in np.unique(owners).tolist():
        chosen = owners == owner
        cells = results.at(chosen)
        whole: Any = steps[owner]
        sign = _signed(whole.body, whole.operands) if negates and owner >= 0 else None
        if owner < 0 or chosen.sum() < _MANY or (negates and sign is None):
            found.append(replace(step, operands=(source.at(chosen),), results=(cells,)))
            continue
        operands = tuple(
            _negated(x.at(members[chosen])) if k == sign else x.at(members[chosen])
            for k, x in enumerate(whole.operands)
        )
        if whole.results[0].segment == cells.segment and _is_free(
            program, steps[owner + 1 :] + found, cells
        ):
            joined = tuple(map(_joined, whole.operands, operands))
            steps[owner] = replace(
                whole, operands=joined, results=(_joined(whole.results[0], cells),)
            )
        else:
            found.append(replace(whole, operands=operands, results=(cells,)))
    return found


def _is_free(program: Rolled, steps: Sequence[Step], cells: Cells) -> bool:
    """Tell whether no step reads or writes any of the cells."""
    marked = np.zeros(program.size(cells.segment), bool)
    marked[cells.index] = True
    touched = (c for step in steps for c in (*operands_of(step), *results_of(step)))
    return not any(
        isinstance(c, Cells) and c.segment == cells.segment and marked[c.index].any()
        for c in touched
    )


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, Numbers):
        f64 = np.concatenate([first.f64, second.f64])
        return Numbers(f64, np.concatenate([first.f32, second.f32]))
    return Cells(first.segment, np.concatenate([first.index, second.index]))


def _sorted(step: Step) -> Step:
    """Put the instances of a step in the order of its first results."""
    if not isinstance(step, Map) or count(step) < _MANY:
        return step
    index = step.results[0].index
    if (np.diff(index) > 0).all():
        return step
    order = np.argsort(index, kind="stable")
    return step.at(order)


def _early(program: Rolled, steps: list[Step], lanes: int) -> list[Step]:
    """Do first what reads arguments only, so that the gaps between its results are free yet."""
    first: list[Any] = []
    rest: list[Step] = []
    for step in steps:
        if _is_cheap(program, step, _SEVERAL) and all(
            _is_free(program, rest, cells) for cells in results_of(step)
        ):
            first.append(step)
        else:
            rest.append(step)
    plain = [step for step in first if _is_dense(step, lanes)]
    first = plain + together([step for step in first if not _is_dense(step, lanes)])
    if lanes > 1:  # the cells of a batch are vectors, whose constants cost no more by themselves
        first = paved(first)
    return sorted(first, key=lambda step: (not _is_constant(step), -count(step))) + rest


def _is_constant(step: Step) -> bool:
    """Tell whether results are a table of numbers."""
    return isinstance(step, Map) and all(isinstance(x, Numbers) for x in step.operands)


def _is_dense(step: Map, lanes: int) -> bool:
    """Tell whether results are worth whole vectors, with the gaps between them."""
    if len(step.results) != 1:
        return False
    index = step.results[0].index
    share = min(_DENSE, _COPIED / lanes) if _is_constant(step) else _DENSE
    return count(step) >= share * (int(index[-1]) - int(index[0]) + 1)


def _filled(program: Rolled, steps: Sequence[Step], lanes: int) -> list[Step]:
    """Write cells between results too, where no step has been yet: later ones write them."""
    used: dict[int, Index] = {}
    found = []
    for step in steps:
        found.append(_without_gaps(step, used, lanes))
        for cells in (*operands_of(step), *results_of(step)):
            if isinstance(cells, Cells):
                if cells.segment not in used:
                    used[cells.segment] = np.zeros(program.size(cells.segment), bool)
                used[cells.segment][cells.index] = True
    return found


def _without_gaps(step: Step, used: dict[int, Index], lanes: int) -> Step:
    if not isinstance(step, Map) or len(step.results) != 1 or count(step) < _MANY:
        return step
    cells = step.results[0]
    first, last = int(cells.index[0]), int(cells.index[-1])
    span = last - first + 1
    if cells.segment == WORK or span == count(step) or not _is_dense(step, lanes):
        return step
    gaps = np.setdiff1d(np.arange(first, last + 1), cells.index, assume_unique=True)
    if cells.segment in used and used[cells.segment][gaps].any():
        return step
    # what is computed for a gap is what is computed for the result before it
    nearest = np.searchsorted(cells.index, np.arange(first, last + 1), side="right") - 1
    whole = Cells(cells.segment, np.arange(first, last + 1, dtype=np.int32))
    return replace(step, operands=tuple(x.at(nearest) for x in step.operands), results=(whole,))
