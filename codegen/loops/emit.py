"""Machine code of pieces: `void piece(ptr segments, ptr words, i64 begin, i64 end)`.

`segments` holds the address of each segment, `words` what the piece reads of tables, and units from
begin to end are done. A cell holds one number, or in code for batches one of each point: the same
instructions in the same order, so that bits do not depend on which of them runs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from llvmlite import ir

from codegen.instructions import INLINED
from codegen.llvm.ops import Value
from codegen.llvm.scribe import I64
from codegen.loops.access import Access, Place, spread
from codegen.loops.columns import interleaved, stores
from codegen.loops.function import Function, emit_body
from codegen.loops.interleave import load_block, store_block
from codegen.loops.plan import Shape
from codegen.loops.sums import Sums
from codegen.target import Float, Target

__all__ = ["emit_loop"]

_ALIGNED: Final = 8
"""Vectors from which on it pays to align them, at the cost of one that overlaps another."""
_TWICE: Final = 60
"""Instructions of a body that is written once for whole vectors, and once for the last one."""


def emit_loop(
    module: ir.Module, shape: Shape, name: str, dtype: Float, target: Target, *, batch: bool
) -> None:
    """Write the function of a piece into a module."""
    kind = _Maps if shape.form in ("each", "lanes", "runs") else Sums
    kind(module, shape, name, dtype, target, batch).emit()


class _Maps(Function):
    """The forms of maps: instance by instance, or vectors of instances."""

    def __init__(
        self, module: ir.Module, shape: Shape, name: str, dtype: Float, target: Target, batch: bool
    ) -> None:
        super().__init__(module, shape, name, dtype, target, batch)
        self.stored = stores(shape.results, 1 if batch else self.wide.lanes)
        self.singles: dict[int, Value] = {}
        self.wides: dict[int, Value] = {}
        self.starts: dict[Any, Value] = {}

    def each(self) -> None:
        """One instance after the other."""
        with self.code.counted(self.begin, self.end) as k:
            self.one(Place(k))

    def one(self, place: Place) -> None:
        """Write an instance and its stores."""
        values = self.body(place)
        for chosen in self.stored:
            if len(chosen) > 1:
                self.results[chosen[0]].store_several(place, [values[k] for k in chosen])
            else:
                self.results[chosen[0]].store(place, values[chosen[0]])

    def lanes(self) -> None:
        """Vectors of instances."""
        self.vectors(self.begin, self.end, lambda k: Place(k))

    def runs(self) -> None:
        """Vectors of instances, run by run."""
        code = self.code
        with code.counted(self.begin, self.end) as run:
            start = self.extra(0, run)
            stop = self.extra(0, code.add(run, I64(1)))
            self.singles = self.shared(run)
            self.wides = {
                access.place: spread(access, self.singles[access.place])
                for access in self.operands
                if access.place in self.singles
            }
            place = Place(start, run)
            self.starts = {
                access.place: access.start(place)
                for access in (*self.operands, *self.results)
                if access.column.form == "run" and access.twin is None
            }
            self.vectors(start, stop, lambda k: Place(k, run, code.sub(k, start)))

    def vectors(self, begin: Value, end: Value, place_of: Any) -> None:
        """Go from begin to end by whole vectors, the last of which may overlap the one before.

        What overlaps is computed twice: a step's instances do not read what others write.
        """
        code, lanes = self.code, I64(self.wide.lanes)
        short = code.less(code.sub(end, begin), lanes)
        with code.if_else(short, likely=False) as (few, many):
            with few, code.counted(begin, end) as k:
                place = place_of(k)
                place.fixed, place.starts = self.singles, self.starts
                self.one(place)
            with many:
                last = code.sub(end, lanes)
                if sum(INLINED.get(i.op, 1) for i in self.shape.body.instructions) > _TWICE:
                    with self.stepping(begin, end, lanes) as position:
                        self.vector(place_of(code.smaller(position, last)))
                    return
                phase = self.phase(begin, end, place_of)
                position = self.whole(begin, last, phase, place_of)
                with code.if_then(code.less(position, end)):
                    self.vector(place_of(last))

    def whole(self, begin: Value, last: Value, phase: Value, place_of: Any) -> Value:
        """Do whole vectors, from the second on those that are aligned; return where they end."""
        code, lanes = self.code, self.wide.lanes
        aligned = code.and_(code.sub(begin, phase), I64(-lanes))
        second = code.add(code.add(aligned, phase), I64(lanes))
        before, loop, after = code.block, *(code.append_basic_block(n) for n in ("loop", "after"))
        code.branch(loop)
        code.position_at_end(loop)
        position, following = code.phi(I64), code.phi(I64)
        position.add_incoming(begin, before)
        following.add_incoming(second, before)
        self.vector(place_of(position))
        position.add_incoming(following, code.block)
        following.add_incoming(code.add(following, I64(lanes)), code.block)
        code.cbranch(code.less(last, following), after, loop)
        code.position_at_end(after)
        return following

    def phase(self, begin: Value, end: Value, place_of: Any) -> Value:
        """Return a position whose first result is aligned, where the way is long enough for it."""
        code, lanes = self.code, self.wide.lanes
        found = [a for a in self.results if a.column.type == "f" and a.column.stride == 1]
        if not found:
            return begin
        place = place_of(begin)
        place.starts = self.starts
        address = code.ptrtoint(found[0].address(place), I64)
        off = code.and_(code.ashr(address, I64(found[0].align.bit_length() - 1)), I64(lanes - 1))
        long = code.less(I64(_ALIGNED * lanes), code.sub(end, begin))
        return code.select(long, code.sub(begin, off), begin)

    def vector(self, place: Place) -> None:
        """Write a vector of instances and its stores."""
        place.fixed, place.starts = self.wides, self.starts
        read: dict[int, Value] = {}
        for block in self.blocks(self.operands):
            read.update(zip((a.place for a in block), load_block(block, place), strict=True))
        arguments = [
            read[access.place] if access.place in read else access.load_vector(place)
            for access in self.operands
        ]
        values = emit_body(self.wide, self.shape.body, arguments)
        made = {a.place: value for a, value in zip(self.results, values, strict=True)}
        for block in self.blocks(self.results):
            store_block(block, place, [made.pop(access.place) for access in block])
        for access in self.results:
            if access.place in made:
                access.store_vector(place, made[access.place])

    def blocks(self, accesses: list[Access]) -> list[list[Access]]:
        """Return columns that are read, or written, together."""
        found = interleaved([access.column for access in accesses])
        return [[accesses[at] for at in block] for block in found]

    @contextmanager
    def stepping(self, begin: Value, end: Value, step: Value) -> Iterator[Value]:
        """Run the block at least once."""
        code = self.code
        before, loop, after = code.block, *(code.append_basic_block(n) for n in ("loop", "after"))
        code.branch(loop)
        code.position_at_end(loop)
        position = code.phi(I64)
        position.add_incoming(begin, before)
        yield position
        following = code.add(position, step)
        position.add_incoming(following, code.block)
        code.cbranch(code.less(following, end), loop, after)
        code.position_at_end(after)
