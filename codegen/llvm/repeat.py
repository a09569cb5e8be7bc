"""Loops whose length depends on the data, on whole vectors.

Lanes that are done keep their state and wait; the loop ends when all are. What decides whether to
go on comes first in a step, so that the rest of the last step is never computed.
"""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from codegen.branches import Branch, Item, branches, values_of
from codegen.llvm.ops import Value
from codegen.program import Instruction, Program
from codegen.vecmath.rare import any_lane

__all__ = ["emit_loop", "order"]


def emit_loop(body: Any, this: Instruction, given: Sequence[Value]) -> list[Value]:
    """Write a loop over the values that it is given; return the state at its end.

    `body` is what writes values where the loop stands; its `inner` makes one for a step.
    """
    step = this.payload
    assert isinstance(step, Program)
    builder, emitter = body.builder, body.emitter
    size = len(step.outputs) - 1
    before = builder.block
    head, inside, after = (builder.append_basic_block(name) for name in ("while", "step", "over"))
    builder.branch(head)
    builder.position_at_end(head)
    state = [_entered(builder, value, before) for value in given[:size]]
    around = emitter.live
    running = _entered(builder, emitter.truth(True) if around is None else around, before)
    emitter.live = running
    own = body.inner(step, [*state, *given[size:]])
    values: dict[int, Value] = {}
    first, rest = order(step)
    own.write(first, values, {})
    active = builder.and_(running, values[step.outputs[0].values[0]])
    builder.cbranch(any_lane(builder, active), inside, after)
    builder.position_at_end(inside)
    emitter.live = active
    own.write(rest, values, {})
    own.leaves([value for output in step.outputs for value in output.values], values)
    for old, output in zip(state, step.outputs[1:], strict=True):
        new = values[output.values[0]]
        old.add_incoming(new if new is old else builder.select(active, new, old), builder.block)
    running.add_incoming(active, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    emitter.live = around
    return state


def _entered(builder: ir.IRBuilder, value: Value, before: ir.Block) -> Value:
    """Return what is this value when the loop is entered."""
    found = builder.phi(value.type)
    found.add_incoming(value, before)
    return found


def order(step: Program) -> tuple[list[Item], list[Item]]:
    """Return what decides whether to go on, and all else."""
    needed = {step.outputs[0].values[0]}
    for at in range(len(step.instructions) - 1, -1, -1):
        if at in needed:
            needed.update(step.instructions[at].args)
    items = branches(step)
    if any(isinstance(item, Branch) and needed.intersection(values_of(item)) for item in items):
        items = tuple(range(len(step.instructions)))
    rest = [item for item in items if isinstance(item, Branch) or item not in needed]
    return [*sorted(needed)], rest
