"""The vector loop of a `Program`: `void body(ptr streams, i64 count)`.

`streams` holds one pointer for each component of each argument, then of each output; every
stream is contiguous, and `count` is a positive multiple of the lanes of a pass (`interleaved`).
Strides, broadcasting and remainders are the driver's: so each element passes the same instructions
wherever it stands. Rare arguments may be left to a second loop: see `codegen.llvm.leave`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import Any

from llvmlite import ir

from codegen.branches import Branch, Item, branches
from codegen.cost import slower
from codegen.llvm.choices import called_functions, interleaved
from codegen.llvm.leave import BODY, LEAVING, emit_entry, leaves_rare
from codegen.llvm.ops import OPS, SCALARS, Emitter, Text, Value
from codegen.llvm.parts import Part, cut
from codegen.llvm.passed import idle, passed
from codegen.llvm.repeat import emit_loop
from codegen.llvm.scribe import align_stack
from codegen.llvm.shared import define_shared, state_target
from codegen.program import Constant, Instruction, Program
from codegen.target import ITEMSIZE, Float, Target
from codegen.vecmath.rare import any_lane, any_of
from codegen.vecmath.vector import Rare, Vector

__all__ = [
    "Stream",
    "emit_module",
    "loop_symbol",
    "rare_place",
    "streams",
    "symbol",
]

_POINTER = ir.PointerType()
_INDEX = ir.IntType(64)
_BYTE = ir.IntType(8)
# beyond this many, base pointers do not stay in the 16 general registers
_HELD_POINTERS = 11
_SINCOS = ("sin", "cos")


@dataclass(frozen=True, slots=True)
class Stream:
    """One component of an operand: its number, the index along its axes, bytes per element."""

    operand: int
    index: tuple[int, ...]
    itemsize: int


def streams(program: Program, dtype: Float) -> tuple[Stream, ...]:
    """List the components of all arguments and outputs in the order of the pointer table."""
    sizes = {"f": ITEMSIZE[dtype], "b": 1}
    return tuple(
        Stream(number, index, size)
        for number, operand in enumerate(program.operands)
        for size in [sizes[program.type_of(operand)]]
        for index in _indices(operand.shape)
    )


def symbol(program: Program, dtype: Float, *, behind: bool = False, guarded: bool = False) -> str:
    """Return the name of the function that is called."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", program.name)
    return f"{name}_{dtype}{'_behind' if behind else ''}{'_guarded' if guarded else ''}"


def loop_symbol(program: Program, dtype: Float, target: Target) -> str:
    """Return the name of the function that has the loop."""
    return f"{symbol(program, dtype)}{'_loop' if leaves_rare(program, target) else ''}"


def rare_place(program: Program, dtype: Float) -> str:
    """Return the name of the variable that holds the address of the guarded loop."""
    return f"{symbol(program, dtype)}_rare"


def emit_module(
    program: Program, dtype: Float, target: Target, *, behind: bool = False,
    part: str | None = None, single: bool = False, guarded: bool = False,
) -> str:  # fmt: skip
    """Return the text of an LLVM module that holds the loop of a verified program.

    Results that are arguments are left to the driver, unless the loop is `single`.
    With `behind`, outputs are aligned to whole vectors and stored past the caches. As a `part`,
    which is then the loop's name, it can be linked with modules of other targets: it has all that
    it calls, and its functions say which machine they are for. With `single`, a pass is of one
    vector, and is called without the driver. These two and the `guarded` loop leave nothing to it.
    """
    module = ir.Module(name=part or symbol(program, dtype, behind=behind, guarded=guarded))
    module.triple = target.triple
    entry = function = ir.Function(module, BODY, module.name)
    leaving = not (part or single or guarded) and leaves_rare(program, target)
    if leaving:
        function = ir.Function(module, LEAVING, f"{module.name}_loop")
        function.linkage = "internal"
    align_stack(function, target.vector_bits // 8)
    table, count, *first = function.args
    table.name, count.name = "streams", "count"
    table.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    lanes = (1 if single else interleaved(program)) * target.lanes(dtype)
    lookups = target.vector_bits == 512
    called = called_functions(program)
    emitter = Emitter(builder, module, dtype, lanes, lookups, called, slower(target, dtype))
    loop = _Loop(program, emitter, table, count)
    if leaving:
        loop.first, emitter.rare = first[0], Rare()
    if not single:
        loop.passed = passed(program)
    if behind:
        loop.behind = module.add_metadata([ir.IntType(32)(1)])
        loop.store_align = target.vector_bits // 8
    loop.emit()
    if leaving:
        sizes = [stream.itemsize for stream in streams(program, dtype)]
        emit_entry(entry, function, rare_place(program, dtype), sizes, lanes)
    if part:
        define_shared(module, target)
        state_target(module, target)
    return str(module)


def _indices(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = [()]
    for size in shape:
        found = [(*index, k) for index in found for k in range(size)]
    return found


class _Loop:
    """One emission: the pointers, the induction variable, and the values so far."""

    def __init__(self, program: Program, emitter: Emitter, table: Value, count: Value) -> None:
        self.program, self.emitter, self.builder = program, emitter, emitter.builder
        self.table, self.count = table, count
        sizes = [prod(operand.shape) for operand in program.operands]
        self.firsts = list(accumulate(sizes, initial=0))
        self.scalar = SCALARS[emitter.dtype]
        self.align = self.store_align = ITEMSIZE[emitter.dtype]
        self.behind: Any = None
        self.first: Value = _INDEX(0)
        self.passed: Mapping[int, int] = {}
        """Streams that the driver copies."""
        self.held: list[Value] = []
        sines, cosines = ({x.args for x in program.instructions if x.op == op} for op in _SINCOS)
        self.shared = sines & cosines
        self.pairs: dict[tuple[int, ...], tuple[Value, Value]] = {}
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
        position = builder.phi(_INDEX, "i")
        position.add_incoming(self.first, entry)
        self.position = position
        self.compute()
        following = builder.add(position, _INDEX(self.emitter.lanes), "next")
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
        places: dict[int, list[int]] = {}
        arguments = len(self.program.arguments)
        for number, output in enumerate(self.program.outputs):
            for component, value in enumerate(output.values):
                stream = self.firsts[arguments + number] + component
                if stream not in self.passed:
                    places.setdefault(value, []).append(stream)
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
        kind = ir.FunctionType(ir.VoidType(), [_POINTER, _INDEX, _POINTER])
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
            own = _Loop(self.program, emitter, table, self.count)
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

    def step(self, step: Program, given: Sequence[Value]) -> "_Loop":
        """Return what writes the step of a loop, which reads these values."""
        made = _Loop(step, self.emitter, self.table, self.count)
        made.given = given
        return made

    def leaves(self, wanted: Iterable[int], values: dict[int, Value]) -> None:
        """Read arguments and constants that are not there, as in all parts but one."""
        for at in wanted:
            if at not in values:
                values[at] = self.value(self.program.instructions[at], values)

    def slot(self, number: int, memory: Value) -> Value:
        """Return where a value lies between parts."""
        return self.builder.gep(memory, [_INDEX(number)], source_etype=self.emitter.vector)

    def remembered(self, value: Value, slot: int, memory: Value) -> None:
        """Keep a value for a later part; a truth value is a byte a lane."""
        if value.type != self.emitter.vector:
            value = self.builder.zext(value, ir.VectorType(_BYTE, self.emitter.lanes))
        self.builder.store(value, self.slot(slot, memory))

    def recalled(self, at: int, slot: int, memory: Value) -> Value:
        """Return a value of an earlier part."""
        place = self.slot(slot, memory)
        if self.program.instructions[at].type == "f":
            return self.builder.load(place, typ=self.emitter.vector)
        kind = ir.VectorType(_BYTE, self.emitter.lanes)
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
        outside, around = dict(self.pairs), emitter.live
        emitter.live = mask if around is None else builder.and_(mask, around)
        own = dict(values)
        for item in branch.items:
            self.item(item, own)
        # what was computed or read in here may not be used after it
        self.pairs, emitter.live = outside, around
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
            return self.load(self.firsts[payload[0]] + payload[1], instruction.type)
        if isinstance(payload, bool):
            return self.emitter.truth(payload)
        if isinstance(payload, Constant):
            return self.emitter.splat(payload.f64 if self.emitter.dtype == "f64" else payload.f32)
        if instruction.op in _SINCOS and instruction.args in self.shared:
            return self.sine_or_cosine(instruction, values)
        return OPS[instruction.op](self.emitter, *(values[arg] for arg in instruction.args))

    def sine_or_cosine(self, instruction: Instruction, values: dict[int, Value]) -> Value:
        """Take one of a pair that is computed together: the same bits as apart, half the work."""
        if instruction.args not in self.pairs:
            self.pairs[instruction.args] = self.emitter.sincos(values[instruction.args[0]])
        return self.pairs[instruction.args][_SINCOS.index(instruction.op)]

    def load_pointer(self, stream: int) -> Value:
        """Read the base of a stream from the table."""
        place = self.builder.gep(self.table, [_INDEX(stream)], source_etype=_POINTER)
        return self.builder.load(place, typ=_POINTER, name=f"stream{stream}.")

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
        vector = ir.VectorType(_BYTE, self.emitter.lanes)
        read = builder.load(self.place(stream, _BYTE), typ=vector, align=1)
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
        read = self.builder.zext(value, ir.VectorType(_BYTE, self.emitter.lanes))
        self.builder.store(read, self.place(stream, _BYTE), align=1)
