"""Elementary functions of many numbers in memory: two loops, one of them for what is rare.

Between the calls of the C library that rare arguments need, no register would keep a constant. So
the first loop only notes whether there are any, and the second one, which branches, goes over all
numbers again if so. Other lanes have the same bits in both. Results must not lie where arguments
do.
"""

from collections.abc import Sequence

from llvmlite import ir

from codegen import vecmath
from codegen.llvm.scribe import strides
from codegen.vecmath.rare import any_of
from codegen.vecmath.vector import Rare, Vector

__all__ = ["define_many"]

_INDEX = ir.IntType(64)


def define_many(
    function: ir.Function, name: str, vector: ir.VectorType, results: int, *, lookups: bool
) -> None:
    """Write a function `(results, arguments, count)` that computes a vector at a time."""
    *operands, count = function.args
    # results are no arguments; arguments may be one
    for operand in operands[:results]:
        operand.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    writer = _Many(builder, name, vector, operands[results:], operands[:results], lookups)
    rare = Rare()
    lanes = writer.loop(count, rare)
    if rare.joined:
        again, done = (function.append_basic_block(label) for label in ("again", "done"))
        builder.cbranch(any_of(lanes, rare), again, done).set_weights([1, 2000])
        builder.position_at_end(again)
        writer.loop(count, None)
        builder.branch(done)
        builder.position_at_end(done)
    builder.ret_void()


class _Many:
    def __init__(
        self, builder: ir.IRBuilder, name: str, vector: ir.VectorType, sources: Sequence[ir.Value],
        places: Sequence[ir.Value], lookups: bool,
    ) -> None:  # fmt: skip
        self.builder, self.name, self.vector = builder, name, vector
        self.sources, self.places, self.lookups = sources, places, lookups
        self.align = 8 if isinstance(vector.element, ir.DoubleType) else 4

    def loop(self, count: ir.Value, rare: Rare | None) -> Vector:
        """Write a loop over all numbers, and join what is rare in any pass."""
        builder, before = self.builder, self.builder.block
        with strides(builder, count, self.vector.count) as at:
            args = [builder.load(self.place(p, at), typ=self.vector, align=self.align)
                    for p in self.sources]  # fmt: skip
            for value, place in zip(self.computed(args, rare), self.places, strict=True):
                builder.store(value, self.place(place, at), align=self.align)
            if rare is not None:
                rare.over(builder, before, at.parent)
        return Vector(builder, args[0], lookups=self.lookups)

    def computed(self, args: Sequence[ir.Value], rare: Rare | None) -> Sequence[ir.Value]:
        """Return the results for a vector."""
        if self.name == "sincos":
            return vecmath.emit_sincos(self.builder, args[0], rare=rare)
        found = vecmath.emit(self.name, self.builder, args, lookups=self.lookups, rare=rare)
        return (found,)

    def place(self, base: ir.Value, at: ir.Value) -> ir.Value:
        """Return where a vector is."""
        return self.builder.gep(base, [at], source_etype=self.vector.element)
