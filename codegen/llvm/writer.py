"""What writes the loop of a program: the values of a pass in their order, branches, stores."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from math import prod
from typing import Any

from llvmlite import ir

from codegen.branches import Branch, Item, branches
from codegen.llvm.ops import SCALARS, Emitter, Text, Value
from codegen.llvm.paired import Paired
from codegen.llvm.parts import Part, cut
from codegen.llvm.passed import idle
from codegen.llvm.repeat import emit_loop
from codegen.llvm.scribe import align_stack
from codegen.program import Instruction, Program
from codegen.target import ITEMSIZE
from codegen.vecmath.rare import any_lane, any_of
from codegen.vecmath.vector import Rare, Vector

__all__ = ["BYTE", "INDEX", "POINTER", "Writer"]

POINTER = ir.PointerType()
INDEX = ir.IntType(64)
BYTE = ir.IntType(8)
# beyond this many, base pointers do not stay in the 16 general registers
_HELD_POINTERS = 11


class Writer:
    """One emission: the pointers, the induction variable, and the values so far."""

    def __init__(self, program: Program, emitter: Emitter, table: Value, count: Value) -> None:
        self.program, self.emitter, self.builder = program, emitter, emitter.builder
        self.table, self.count = table, count
        sizes = [prod(operand.shape) for operand in program.operands]
        self.firsts = list(accumulate(sizes, initial=0))
        self.scalar = SCALARS[emitter.dtype]
        self.align = self.store_align = ITEMSIZE[emitter.dtype]
        self.behind: Any = None
        self.first: Value = INDEX(0)
        self.passed: Mapping[int, int] = {}
        """Streams that the driver copies."""
        self.held: list[Value] = []
        self.paired = Paired(emitter, program)
        self.given: Sequence[Value] = ()
        """Of a step of a loop: its arguments."""
        self.loops: dict[int, list[Value]] = {}
        """What loops leave."""

    def emit(self) -> None:
        """Write the loop: values in program order, stores last, as `out=` may be an input."""
        builder = self.builder
        total = self.firsts[-1]
        if total <= _HELD_POINTERS:
            self.held = [self.load_pointer(stream) for stream in range(total)]
        entry, loop = builder.block, builder.append_basic_block("loop")
        builder.branch(loop)
        builder.position_at_end(loop)
        position = builder.phi(INDEX, "i")
        position.add_incoming(self.first, entry)
        self.position = position
        self.step = INDEX(self.emitter.lanes)
        self.compute()
        following = builder.add(position, self.step, "next")
        position.add_incoming(following, builder.block)
        done = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_unsigned("<", following, self.count), loop, done)
        builder.position_at_end(done)
        if self.emitter.rare is None:
            builder.ret_void()
        else:
            builder.ret(self.count)

    def compute(self) -> None:
        """Write one vector's values and stores."""
        early = not self.program.is_elementwise  # NumPy copies operands of gufuncs that overlap
        places = self.places()
        items = branches(self.program)
        if unread := idle(self.program, self.passed):
            items = tuple(item for item in items if not self.reads(item, unread))
        kept = () if early else tuple(places)
        parts, slots = cut(self.program, items, self.emitter.called, kept)
        if parts:
            self.in_parts(parts, slots, places, early=early)
            return
        values: dict[int, Value] = {}
        self.write(items, values, places if early else {})
        if self.emitter.rare is not None and self.emitter.rare.joined:
            self.leave(self.emitter.rare, [values[index] for index in places])
        if not early:
            self.store_all(values, places)

    def places(self) -> dict[int, list[int]]:
        """Return the streams that a value is stored to."""
        places: dict[int, list[int]] = {}
        arguments = len(self.program.arguments)
        for number, output in enumerate(self.program.outputs):
            for component, value in enumerate(output.values):
                stream = self.firsts[arguments + number] + component
                if stream not in self.passed:
                    places.setdefault(value, []).append(stream)
        return places

    def leave(self, found: Rare, results: Sequence[Value]) -> None:
        """End the loop before this pass where some lane is rare.

        Results are used there too, or else LLVM would move what makes them behind the branch, all
        in one, with many values in memory that the branch needs sooner.
        """
        builder, emitter = self.builder, self.emitter
        rare, usual = builder.append_basic_block("rare"), builder.append_basic_block("usual")
        lanes = Vector(builder, emitter.splat(0.0), lookups=emitter.lookups)
        builder.cbranch(any_of(lanes, found), rare, usual).set_weights([1, 2000])
        builder.position_at_end(rare)
        for result in results:
            with builder.goto_entry_block():
                unread = builder.alloca(result.type)
            builder.store(result, unread)
        builder.ret(self.position)
        builder.position_at_end(usual)

    def write(
        self, items: Sequence[Item], values: dict[int, Value], places: Mapping[int, list[int]]
    ) -> None:
        """Write values in their order, each stored at once where it has a place."""
        for item in items:
            self.item(item, values)
            if not isinstance(item, Branch):
                for stream in places.get(item, ()):
                    self.store(values[item], stream)

    def store_all(self, values: Mapping[int, Value], places: Mapping[int, list[int]]) -> None:
        """Store what has a place."""
        for index, found in places.items():
            for stream in found:
                self.store(values[index], stream)

    def reads(self, item: Item, streams: frozenset[int]) -> bool:
        """Tell whether a value is one of these arguments."""
        payload = None if isinstance(item, Branch) else self.program.instructions[item].payload
        return isinstance(payload, tuple) and self.firsts[payload[0]] + payload[1] in streams

    def in_parts(
        self, parts: Sequence[Part], slots: int, places: dict[int, list[int]], *, early: bool
    ) -> None:
        """Call a function for each part, with memory for what goes from one to the other."""
        module, builder = self.emitter.module, self.builder
        kind = ir.FunctionType(ir.VoidType(), [POINTER, INDEX, POINTER])
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(self.emitter.vector, max(slots, 1)))
            room.align = self.emitter.vector.count * self.align
        for number, part in enumerate(parts):
            function = ir.Function(module, kind, f"{module.name}.part{number}")
            function.linkage = "internal"
            align_stack(function, 64)
            builder.call(function, [self.table, self.position, room])
            table, position, memory = function.args
            emitter = replace(self.emitter, builder=ir.IRBuilder(function.append_basic_block()))
            own = Writer(self.program, emitter, table, self.count)
            own.position = position
            values = {at: own.recalled(at, slot, memory) for at, slot in part.reads.items()}
            own.write(part.items, values, places if early else {})
            for at, slot in part.writes.items():
                own.remembered(values[at], slot, memory)
            if number == len(parts) - 1 and not early:
                own.leaves(places, values)
                own.store_all(values, places)
            emitter.builder.ret_void()

    def item(self, item: Item, values: dict[int, Value]) -> None:
        """Write a value, or a branch around several."""
        if isinstance(item, Branch):
            self.leaves((item.condition,), values)
            self.branch(item, values)
        else:
            instruction = self.program.instructions[item]
            if instruction.op == "result":
                assert isinstance(instruction.payload, int)
                values[item] = self.loops[instruction.args[0]][instruction.payload]
                return
            self.leaves(instruction.args, values)
            if instruction.op == "while":
                given = [values[arg] for arg in instruction.args]
                self.loops[item] = emit_loop(self, instruction, given)
            else:
                values[item] = self.value(instruction, values)

    def inner(self, step: Program, given: Sequence[Value]) -> "Writer":
        """Return what writes the step of a loop, which reads these values."""
        made = Writer(step, self.emitter, self.table, self.count)
        made.given = given
        return made

    def leaves(self, wanted: Iterable[int], values: dict[int, Value]) -> None:
        """Read arguments and constants that are not there, as in all parts but one."""
        for at in wanted:
            if at not in values:
                values[at] = self.value(self.program.instructions[at], values)

    def slot(self, number: int, memory: Value) -> Value:
        """Return where a value lies between parts."""
        return self.builder.gep(memory, [INDEX(number)], source_etype=self.emitter.vector)

    def remembered(self, value: Value, slot: int, memory: Value) -> None:
        """Keep a value for a later part; a truth value is a byte a lane."""
        if value.type != self.emitter.vector:
            value = self.builder.zext(value, ir.VectorType(BYTE, self.emitter.lanes))
        self.builder.store(value, self.slot(slot, memory))

    def recalled(self, at: int, slot: int, memory: Value) -> Value:
        """Return a value of an earlier part."""
        place = self.slot(slot, memory)
        if self.program.instructions[at].type == "f":
            return self.builder.load(place, typ=self.emitter.vector)
        kind = ir.VectorType(BYTE, self.emitter.lanes)
        zero = Text(kind, "zeroinitializer")
        return self.builder.icmp_unsigned("!=", self.builder.load(place, typ=kind), zero)

    def branch(self, branch: Branch, values: dict[int, Value]) -> None:
        """Write values that are left out where no lane needs them; zeros stand for them then."""
        builder, emitter = self.builder, self.emitter
        head, inside = builder.block, builder.append_basic_block("side")
        after = builder.append_basic_block("after")
        mask = values[branch.condition]
        mask = mask if branch.when else builder.not_(mask)
        builder.cbranch(any_lane(builder, mask), inside, after)
        builder.position_at_end(inside)
        outside, around = dict(self.paired.pairs), emitter.live
        emitter.live = mask if around is None else builder.and_(mask, around)
        own = dict(values)
        for item in branch.items:
            self.item(item, own)
        # what was computed or read in here may not be used after it
        self.paired.pairs, emitter.live = outside, around
        last = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        for index in branch.results:
            if index in self.loops:
                self.loops[index] = [self.merged(v, last, head) for v in self.loops[index]]
            else:
                values[index] = self.merged(own[index], last, head)

    def merged(self, value: Value, last: Value, head: Value) -> Value:
        """Return a value of the end of a branch, or zeros where it was not taken."""
        merged = self.builder.phi(value.type)
        merged.add_incoming(value, last)
        merged.add_incoming(Text(value.type, "zeroinitializer"), head)
        return merged

    def value(self, instruction: Instruction, values: dict[int, Value]) -> Value:
        """Write one instruction."""
        payload = instruction.payload
        if isinstance(payload, tuple):
            if self.given:
                return self.given[payload[0]]
            return self.load(self.stream_of(instruction), instruction.type)
        return self.paired.write(instruction, [values[arg] for arg in instruction.args])

    def stream_of(self, load: Instruction) -> int:
        """Return the stream that an instruction reads."""
        assert isinstance(load.payload, tuple)
        return self.firsts[load.payload[0]] + load.payload[1]

    def load_pointer(self, stream: int) -> Value:
        """Read the base of a stream from the table."""
        place = self.builder.gep(self.table, [INDEX(stream)], source_etype=POINTER)
        return self.builder.load(place, typ=POINTER, name=f"stream{stream}.")

    def place(self, stream: int, scalar: ir.Type) -> Value:
        """Return where a vector of a stream lies."""
        base = self.held[stream] if self.held else self.load_pointer(stream)
        return self.builder.gep(base, [self.position], source_etype=scalar)

    def load(self, stream: int, kind: str) -> Value:
        """Read one vector of a stream; a boolean is a byte."""
        builder = self.builder
        if kind == "f":
            place = self.place(stream, self.scalar)
            return builder.load(place, typ=self.emitter.vector, align=self.align)
        vector = ir.VectorType(BYTE, self.emitter.lanes)
        read = builder.load(self.place(stream, BYTE), typ=vector, align=1)
        zero = Text(vector, "zeroinitializer")
        return builder.icmp_unsigned("!=", read, zero)

    def store(self, value: Value, stream: int) -> None:
        """Write one vector of a stream; a boolean becomes the byte 0 or 1."""
        if value.type == self.emitter.vector:
            place = self.place(stream, self.scalar)
            stored = self.builder.store(value, place, align=self.store_align)
            if self.behind is not None:
                stored.set_metadata("nontemporal", self.behind)
            return
        read = self.builder.zext(value, ir.VectorType(BYTE, self.emitter.lanes))
        self.builder.store(read, self.place(stream, BYTE), align=1)
