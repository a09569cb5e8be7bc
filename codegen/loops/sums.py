"""Loops that add up: rows of sums, and values that are added to cells."""

from collections.abc import Iterator
from contextlib import contextmanager

from codegen.llvm.ops import Value
from codegen.llvm.scribe import I32, I64
from codegen.loops.access import Access, Place, joined
from codegen.loops.function import Function, emit_body

__all__ = ["Sums"]


class Sums(Function):
    """The forms of sums: a result is read or written once, with the terms in order."""

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
            (result,) = self.results
            total = joined(code, result.vector, [result.read(cell) for cell in cells])
        else:
            (total,) = self.terms(Place(start, group))
            begin = code.add(start, I64(width))
        with self.summing([total], begin, end, width) as (k, sums):
            sums[0] = code.fadd(sums[0], self.terms(Place(k, group))[0])
        return [code.extract_element(sums[0], I32(k)) for k in range(width)], end

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
