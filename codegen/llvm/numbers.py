"""Calls of a guarded kernel with single numbers of float64, whose result is one too.

NumPy would make an array of each float, which takes some ten times as long.
"""

import functools

from llvmlite import ir

from codegen.llvm.builtin import FLOAT_AT
from codegen.llvm.known import MOST_NUMBERS, Knowing
from codegen.llvm.scribe import I64, POINTER

__all__ = ["Numbers"]


class Numbers(Knowing):
    """A guard that runs such calls itself."""

    def run_numbers(self) -> None:
        """Run the kernel on numbers of float64, and return; go on where there is anything else."""
        code = self.code
        arguments, count, words = self.call
        places, integers = (self.table(MOST_NUMBERS + 1) for _ in range(2))
        numbers, others = code.append_basic_block("numbers"), code.append_basic_block("others")
        all_given = code.equal(count, self.known("takes"))
        plain = code.and_(all_given, code.equal(code.ptrtoint(words, I64), I64(0)))
        is_there = code.icmp_signed("!=", self.known("doubles"), I64(0))
        code.cbranch(code.and_(plain, is_there), numbers, others)
        code.position_at_end(numbers)
        with code.counted(I64(0), count) as index:
            argument = code.read(arguments, index, POINTER)
            kind = self.type_of(argument)
            known = [code.equal(kind, self.word("float_types", k)) for k in range(2)]
            after = code.append_basic_block("stored")
            with self.where(functools.reduce(code.or_, known), after):
                self.store_place(argument, places, index)
            self.store_integer(argument, kind, code.slot(integers, index), others)
            code.store(code.ptrtoint(code.slot(integers, index), I64), code.slot(places, index))
            code.branch(after)
            code.position_at_end(after)
        result = self.new_number()
        self.store_place(result, places, count)
        one, steps = self.table(1), self.table(MOST_NUMBERS + 1)
        kind = ir.ArrayType(I64, MOST_NUMBERS + 1)
        code.store(I64(1), one)
        code.store(ir.Constant(kind, [0] * (MOST_NUMBERS + 1)), steps)
        data = code.inttoptr(self.known("doubles"), POINTER)
        self.drive(self.known("driver"), places, one, steps, data)
        self.returned(result)
        code.position_at_end(others)

    def store_place(self, number: ir.Value, places: ir.Value, index: ir.Value) -> None:
        """Write down where an object has its double."""
        code = self.code
        value = code.ptrtoint(code.at(number, I64(FLOAT_AT)), I64)
        code.store(value, code.slot(places, index))

    def store_integer(
        self, number: ir.Value, kind: ir.Value, place: ir.Value, others: ir.Block
    ) -> None:
        """Write a small Python integer as a double; go elsewhere with anything else."""
        code = self.code
        fine, small = code.append_basic_block("integer"), code.append_basic_block("small")
        code.cbranch(code.equal(kind, self.word("int_type")), fine, others)
        code.position_at_end(fine)
        value, fits = self.read_integer(number)
        code.cbranch(fits, small, others)
        code.position_at_end(small)
        code.store(code.bitcast(code.sitofp(value, ir.DoubleType()), I64), place)

    def new_number(self) -> ir.Value:
        """Make a `np.float64`, or return where there is no memory."""
        code = self.code
        make = self.function("new_object", POINTER, [POINTER, I64])
        result = code.call(make, [code.inttoptr(self.word("result_type"), POINTER), I64(0)])
        with code.if_then(code.equal(code.ptrtoint(result, I64), I64(0)), likely=False):
            code.ret(result)
        return result
