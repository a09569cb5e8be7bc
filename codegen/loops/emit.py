"""Machine code of pieces: `void piece(ptr segments, ptr words, i64 begin, i64 end)`.

`segments` holds the address of each segment, `words` what the piece reads of tables, and units from
begin to end are done. A cell holds one number, or in code for batches one of each point: the same
instructions in the same order, so that bits do not depend on which of them runs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from llvmlite import ir

from codegen.cost import slower
from codegen.instruction import Constant
from codegen.instructions import INLINED
from codegen.llvm.choices import called_functions
from codegen.llvm.ops import OPS, Emitter, Text, Value
from codegen.llvm.scribe import I32, I64, POINTER, VOID, Scribe
from codegen.loops.access import Access, Place, spread
from codegen.loops.columns import interleaved, stores
from codegen.loops.interleave import load_block, store_block
from codegen.loops.plan import Shape
from codegen.loops.scalars import Scalars
from codegen.program import Program
from codegen.target import Float, Target

__all__ = ["SIGNATURE", "emit_body", "emit_loop"]

_ALIGNED: Final = 8
"""Vectors from which on it pays to align them, at the cost of one that overlaps another."""
SIGNATURE: Final = ir.FunctionType(VOID, [POINTER, POINTER, I64, I64])
_SINCOS: Final = ("sin", "cos")
_TWICE: Final = 60
"""Instructions of a body that is written once for whole vectors, and once for the last one."""


def emit_loop(
    module: ir.Module, shape: Shape, name: str, dtype: Float, target: Target, *, batch: bool
) -> None:
    """Write the function of a piece into a module."""
    _Loop(module, shape, name, dtype, target, batch).emit()


def emit_body(emitter: Emitter, body: Program, arguments: Sequence[Value]) -> list[Value]:
    """Write a straight-line program and return its outputs."""
    sines, cosines = ({i.args for i in body.instructions if i.op == op} for op in _SINCOS)
    shared = sines & cosines if emitter.has_sincos else set()
    pairs: dict[tuple[int, ...], tuple[Value, Value]] = {}
    values: list[Value] = []
    for this in body.instructions:
        payload = this.payload
        if isinstance(payload, tuple):
            values.append(arguments[payload[0]])
        elif isinstance(payload, bool):
            values.append(emitter.truth(payload))
        elif isinstance(payload, Constant):
            values.append(emitter.splat(payload.f64 if emitter.dtype == "f64" else payload.f32))
        elif this.op in _SINCOS and this.args in shared:
            if this.args not in pairs:
                pairs[this.args] = emitter.sincos(values[this.args[0]])
            values.append(pairs[this.args][_SINCOS.index(this.op)])
        else:
            values.append(OPS[this.op](emitter, *(values[arg] for arg in this.args)))
    return [values[output.values[0]] for output in body.outputs]


class _Loop:
    """One function: its columns, and the loops around its body."""

    def __init__(
        self, module: ir.Module, shape: Shape, name: str, dtype: Float, target: Target, batch: bool
    ) -> None:
        self.shape = shape
        self.function = ir.Function(module, SIGNATURE, name)
        self.function.attributes.alignstack = target.vector_bits // 8
        segments, self.words, self.begin, self.end = self.function.args
        self.code = code = Scribe(self.function.append_basic_block("entry"))
        lanes = target.lanes(dtype)
        common = (code, module, dtype)
        self.across = shape.form in ("lanes", "runs")
        lookups, called = target.vector_bits == 512, called_functions(shape.body)
        unused = slower(target, dtype)
        self.wide = Emitter(*common, lanes, lookups, called, unused)
        if self.across:  # one by one is what few instances are computed
            called = shape.body.ops
        self.emitter = (
            self.wide if batch else Scalars(*common, 1, lookups, called, unused, None, lanes)
        )
        # rows that are summed side by side are the lanes of a vector
        plain = all(INLINED.get(op, 1) == 1 for op in shape.body.ops)
        self.abreast = shape.form == "groups" and shape.count > 1 and plain and not batch
        if self.abreast:
            self.wide = Emitter(*common, shape.count, lookups, called, unused)
        self.extras = {"groups": 3, "runs": 1, "scatter_runs": 2}.get(shape.form, 0)
        columns = [*shape.operands, *shape.results]
        accesses: list[Access] = []
        for number, column in enumerate(columns):
            word = self.extras + 2 * number
            if column.is_number:
                slot = code.read(self.words, I64(word))
            elif column.home in (None, number):
                slot = code.read(segments, code.read(self.words, I64(word)), POINTER)
            else:
                slot = accesses[column.home].segment
            words = slot, code.read(self.words, I64(word + 1))
            twin = None if column.twin in (None, number) else accesses[column.twin]
            access = Access(
                number, column, code, self.emitter, words, cells=lanes if batch else 1,
                vector=self.wide if self.across or self.abreast else None, twin=twin,
            )  # fmt: skip
            accesses.append(access)
        split = len(shape.operands)
        self.operands, self.results = accesses[:split], accesses[split:]
        self.stored = stores(shape.results, 1 if batch else lanes)
        for access in self.operands:
            access.fix()
        self.singles: dict[int, Value] = {}
        self.wides: dict[int, Value] = {}
        self.starts: dict[Any, Value] = {}
        self.tables = [code.read(self.words, I64(k), POINTER) for k in range(self.extras)]

    def emit(self) -> None:
        """Write the loops."""
        getattr(self, self.shape.form)()
        self.code.ret_void()

    def body(self, place: Place) -> list[Value]:
        """Write the body for one instance."""
        arguments = [access.load(place) for access in self.operands]
        return emit_body(self.emitter, self.shape.body, arguments)

    def extra(self, number: int, at: Value) -> Value:
        """Read a table of runs or groups."""
        place = self.code.gep(self.tables[number], [at], source_etype=I32)
        return self.code.zext(self.code.load(place, typ=I32), I64)

    def shared(self, row: Value) -> dict[int, Value]:
        """Read what all instances of a row have in common."""
        place = Place(row, row)
        return {
            access.place: access.load(place)
            for access in self.operands
            if access.column.form == "row"
        }

    # maps

    def each(self, begin: Value | None = None, end: Value | None = None) -> None:
        """One instance after the other."""
        with self.code.counted(begin or self.begin, end or self.end) as k:
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

    # sums

    def rows(self) -> None:
        """Rows of a known number of terms."""
        code, terms = self.code, self.shape.count
        (result,) = self.results
        with code.counted(self.begin, self.end) as row:
            first = code.mul(row, I64(terms)) if terms > 1 else row
            to = result.address(Place(row))
            total = result.read(to) if self.shape.adds else None
            fixed = self.shared(row)
            for term in range(terms):
                at = code.add(first, I64(term)) if term else first
                (value,) = self.body(Place(at, row, fixed=fixed))
                total = value if total is None else code.fadd(total, value)
            result.write(to, total)

    def groups(self) -> None:
        """Several rows in turns: the terms that all have, then what is left of each."""
        code, width = self.code, self.shape.count
        (result,) = self.results
        with code.counted(self.begin, self.end) as group:
            start, shared = self.extra(0, group), self.extra(1, group)
            first = code.mul(group, I64(width))
            rows = [code.add(first, I64(k)) for k in range(width)]
            cells = [result.address(Place(row)) for row in rows]
            self.fixed = self.shared(group)
            if self.abreast:
                totals, k = self.side_by_side(cells, start, shared, group)
            else:
                totals, done = self.begun(cells, start, group)
                totals, k = self.in_turns(totals, start, done, shared, group)
            for number, cell in enumerate(cells):
                tail = self.extra(2, rows[number])
                total, k = self.added(totals[number], k, tail, group)
                result.write(cell, total)

    def side_by_side(
        self, cells: list[Value], start: Value, shared: Value, group: Value
    ) -> tuple[list[Value], Value]:
        """Add the terms that all rows have, a vector of one of each at a time.

        Return the sums, and where the tails begin.
        """
        code, width = self.code, self.shape.count
        end, begin = code.add(start, code.mul(shared, I64(width))), start
        if self.shape.adds:
            total = self.joined([self.results[0].read(cell) for cell in cells])
        else:
            (total,) = self.terms(Place(start, group))
            begin = code.add(start, I64(width))
        with self.summing([total], begin, end, width) as (k, sums):
            sums[0] = code.fadd(sums[0], self.terms(Place(k, group))[0])
        return [code.extract_element(sums[0], I32(k)) for k in range(width)], end

    def joined(self, values: list[Value]) -> Value:
        """Return numbers as a vector."""
        vector: Value = Text(ir.VectorType(values[0].type, len(values)), "undef")
        for k, value in enumerate(values):
            vector = self.code.insert_element(vector, value, I32(k))
        return vector

    def terms(self, place: Place) -> list[Value]:
        """Write the body for a vector of instances."""
        arguments = [access.load_vector(place) for access in self.operands]
        return emit_body(self.wide, self.shape.body, arguments)

    def begun(self, cells: list[Value], start: Value, group: Value) -> tuple[list[Value], Value]:
        """Return what sums begin with, and how many of their terms that is."""
        if self.shape.adds:
            return [self.results[0].read(cell) for cell in cells], I64(0)
        places = [
            Place(self.code.add(start, I64(k)), group, fixed=self.fixed) for k in range(len(cells))
        ]
        return [self.body(place)[0] for place in places], I64(1)

    def in_turns(
        self, totals: list[Value], start: Value, done: Value, shared: Value, group: Value
    ) -> tuple[list[Value], Value]:
        """Add a term to each row in turn; return the sums, and where the tails begin."""
        code, width = self.code, len(totals)
        end = code.add(start, code.mul(shared, I64(width)))
        begin = code.add(start, code.mul(done, I64(width)))
        with self.summing(totals, begin, end, width) as (k, sums):
            places = [
                Place(code.add(k, I64(n)) if n else k, group, fixed=self.fixed)
                for n in range(width)
            ]
            sums[:] = [
                code.fadd(total, self.body(place)[0])
                for total, place in zip(sums, places, strict=True)
            ]
        return sums, end

    def added(self, total: Value, k: Value, count: Value, group: Value) -> tuple[Value, Value]:
        """Add so many terms to one sum."""
        end = self.code.add(k, count)
        with self.summing([total], k, end, 1) as (at, sums):
            sums[0] = self.code.fadd(sums[0], self.body(Place(at, group, fixed=self.fixed))[0])
        return sums[0], end

    @contextmanager
    def summing(
        self, totals: list[Value], begin: Value, end: Value, step: int
    ) -> Iterator[tuple[Value, list[Value]]]:
        """Run the block from begin to end; it replaces the sums, which are those at the end after.

        The list holds the sums before a pass in the block, and those at the end after it.
        """
        code = self.code
        before = code.block
        head, work, after = (code.append_basic_block(n) for n in ("head", "work", "after"))
        code.branch(head)
        code.position_at_end(head)
        k = code.phi(I64)
        k.add_incoming(begin, before)
        heads = [code.phi(total.type) for total in totals]
        for phi, total in zip(heads, totals, strict=True):
            phi.add_incoming(total, before)
        code.cbranch(code.less(k, end), work, after)
        code.position_at_end(work)
        sums = list(heads)
        yield k, sums
        k.add_incoming(code.add(k, I64(step)), code.block)
        for phi, value in zip(heads, sums, strict=True):
            phi.add_incoming(value, code.block)
        code.branch(head)
        code.position_at_end(after)
        sums[:] = heads

    def scatter(self) -> None:
        """Add to cells, in order."""
        with self.code.counted(self.begin, self.end) as k:
            self.spill(Place(k))

    def spill(self, place: Place) -> None:
        """Add an instance's values to their cells."""
        self.add_to(self.results, self.body(place), place)

    def add_to(self, results: list[Access], values: list[Value], place: Place) -> None:
        """Add values to their cells, one after the other."""
        for access, value in zip(results, values, strict=True):
            cell = access.address(place)
            access.write(cell, self.code.fadd(access.read(cell), value))

    def scatter_runs(self) -> None:
        """Keep the sum that a run of instances adds to in a register."""
        code = self.code
        first, *others = self.results
        before, head = code.block, code.append_basic_block("run")
        work, after = code.append_basic_block("inside"), code.append_basic_block("finished")
        code.branch(head)
        code.position_at_end(head)
        run, start = code.phi(I64), code.phi(I64)
        run.add_incoming(self.begin, before)
        start.add_incoming(I64(0), before)
        code.cbranch(code.less(run, self.end), work, after)
        code.position_at_end(work)
        cell = first.address(Place(start, run))
        middle = code.add(start, self.extra(0, run))
        fixed = self.shared(run)
        with self.summing([first.read(cell)], start, middle, 1) as (k, sums):
            place = Place(k, run, fixed=fixed)
            values = self.body(place)
            sums[0] = code.fadd(sums[0], values[0])
            self.add_to(others, values[1:], place)
        first.write(cell, sums[0])
        end = code.add(middle, self.extra(1, run))
        with code.counted(middle, end) as k:
            self.spill(Place(k, run, fixed=fixed))
        run.add_incoming(code.add(run, I64(1)), code.block)
        start.add_incoming(end, code.block)
        code.branch(head)
        code.position_at_end(after)
