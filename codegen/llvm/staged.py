"""What writes a loop in stages: loops over the vectors of a block, and calls between them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from llvmlite import ir

from codegen.llvm.choices import called_functions
from codegen.llvm.ops import Value
from codegen.llvm.scribe import declared, strides
from codegen.llvm.shared import declared_for_many
from codegen.llvm.stages import Call, Plan, Stage, plan
from codegen.llvm.writer import INDEX, POINTER, Writer
from codegen.program import Program
from codegen.target import Target

__all__ = ["Staged", "block_of"]

_HINT: Final = ir.FunctionType(INDEX, [INDEX, INDEX])
_ROOM: Final = 24 << 10
"""Bytes for the values of a block: most of a first-level cache."""
_LEAST, _MOST = 256, 1 << 10
"""Bytes of one of them. A call takes as long as a vector or two, so that more gain little."""


def block_of(program: Program, target: Target) -> int:
    """Return how many vectors of a program in stages are computed together."""
    return _fitting(plan(program, called_functions(program)), target.vector_bits // 8)


def _fitting(plan: Plan, size: int) -> int:
    """Return for how many vectors of so many bytes there is room."""
    return max(_LEAST, min(_MOST, _ROOM // max(plan.slots, 1))) // size


class Staged(Writer):
    """One emission: in the values of a block, and the place in it where a loop stands."""

    plan: Plan
    room: Value
    """Where the values of a block lie, slot by slot."""
    block: int
    """The vectors of a block."""
    first_of_block: Value
    size: Value
    """The elements of this block: fewer at the end."""
    within: Value
    """The first element of this vector in the block."""

    def compute(self) -> None:
        """Write the stages of one block; the last one stores."""
        builder, emitter = self.builder, self.emitter
        self.plan = plan(self.program, emitter.called)
        self.block = _fitting(self.plan, emitter.lanes * self.align)
        with builder.goto_entry_block():
            count = self.plan.slots * self.block * emitter.lanes
            self.room = builder.alloca(emitter.vector.element, max(count, 1))
            self.room.align = emitter.lanes * self.align
            self.room.type = POINTER  # llvmlite's own are typed
        self.first_of_block = self.position
        left = builder.sub(self.count, self.position)
        most = INDEX(self.block * emitter.lanes)
        self.size = builder.select(builder.icmp_unsigned("<", left, most), left, most)
        self.step = self.size
        for number, stage in enumerate(self.plan.stages):
            self.stage(stage, is_last=number == len(self.plan.stages) - 1)

    def stage(self, stage: Stage, *, is_last: bool) -> None:
        """Compute its values, and call its functions."""
        code, slot = self.program.instructions, self.plan.slot
        given = dict.fromkeys(a for call in stage.calls for a in call.args if code[a].op == "const")
        if stage.values or given or is_last:
            with self.vectors():
                values: dict[int, Value] = {}
                self.leaves(given, values)
                for at in (*given, *stage.values):
                    if at not in given:
                        self.item(at, values)
                    if at in slot:
                        self.remembered(values[at], slot[at], self.room)
                if is_last:
                    places = self.places()
                    self.leaves(places, values)
                    self.store_all(values, places)
        for call in stage.calls:
            self.call(call)

    @contextmanager
    def vectors(self) -> Iterator[None]:
        """Write what is done for each vector of the block."""
        builder = self.builder
        with strides(builder, self.size, self.emitter.lanes) as at:
            # LLVM's loop strength reduction does not see through this: a third of its time
            hint = declared(self.emitter.module, _HINT, "llvm.expect.i64")
            self.within = builder.call(hint, [at, INDEX(0)])
            self.position = builder.add(self.first_of_block, self.within)
            yield
        self.position = self.first_of_block

    def leaves(self, wanted: Iterable[int], values: dict[int, Value]) -> None:
        """Read what is not there: arguments, constants, and what other loops have computed."""
        for at in wanted:
            if at in values:
                continue
            this = self.program.instructions[at]
            if this.op in ("const", "load"):
                values[at] = self.value(this, values)
            else:
                values[at] = self.recalled(at, self.plan.slot[at], self.room)

    def slot(self, number: int, memory: Value) -> Value:
        """Return where a value of this vector lies."""
        return self.at(number, self.within)

    def at(self, slot: int, element: Value) -> Value:
        """Return where an element of a slot is."""
        kind = ir.ArrayType(self.scalar, self.block * self.emitter.lanes)
        return self.builder.gep(self.room, [INDEX(slot), element], source_etype=kind)

    def call(self, call: Call) -> None:
        """Call a function for a block."""
        code, slot = self.program.instructions, self.plan.slot
        args = [
            self.place(self.stream_of(code[at]), self.scalar)
            if code[at].op == "load" else self.at(slot[at], INDEX(0))
            for at in call.args
        ]  # fmt: skip
        name = call.name
        if name in self.emitter.slower:
            name = name.removeprefix("fast_")
        outs = [self.at(slot[at], INDEX(0)) for at in call.results]
        function = declared_for_many(
            self.emitter.module, name, self.emitter.vector, len(outs) + len(args)
        )
        self.builder.call(function, [*outs, *args, self.size])
