"""Idioms over a vector shape: polynomials, sums of two, roots, powers of two.

What the functions compute is in the family modules; nothing here knows a function.
"""

from collections.abc import Callable, Sequence

from llvmlite import ir

from codegen.vecmath.vector import Vector

# This minus the bits of a is Newton's first guess for 1 / a, 12% off at most.
RECIPROCAL = {"f64": 0x7FDE623822FC16E6, "f32": 0x7EF311C7}

# So many terms wait for each other hardly longer than pairs of them, which need x2 besides.
SHORT = 4

Sum = tuple[ir.Value, ir.Value]
"""A number as the unevaluated sum of a rounded part and a small rest."""


class Lanes(Vector):
    """A vector shape with the idioms that elementary functions are made of."""

    def polynomial(self, x: ir.Value, coefficients: Sequence[float], x2: ir.Value) -> ir.Value:
        """Sum coefficients[i] * x**i by Horner's rule; many over pairs of terms in x2 = x * x."""
        if len(coefficients) <= SHORT:
            return self.horner(x, coefficients)
        pairs = [self.horner(x, coefficients[i : i + 2]) for i in range(0, len(coefficients), 2)]
        total = pairs.pop()
        while pairs:
            total = self.fma(total, x2, pairs.pop())
        return total

    def horner(self, x: ir.Value, coefficients: Sequence[float]) -> ir.Value:
        """Sum coefficients[i] * x**i, the fewest instructions."""
        total = self.real(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.fma(total, x, coefficient)
        return total

    def fast_two_sum(self, a: ir.Value | float, b: ir.Value) -> Sum:
        """Return a + b as rounded sum and exact remainder (Dekker); needs |a| >= |b| or a = 0."""
        high = self.add(a, b)
        return high, self.sub(b, self.sub(high, a))

    def two_sum(self, a: ir.Value, b: ir.Value | float) -> Sum:
        """Return a + b as rounded sum and exact remainder (Knuth), for any magnitudes."""
        high = self.add(a, b)
        part = self.sub(high, a)
        return high, self.add(self.sub(a, self.sub(high, part)), self.sub(b, part))

    def two_product(self, a: ir.Value, b: ir.Value | float) -> Sum:
        """Return a * b as rounded product and exact remainder."""
        high = self.mul(a, b)
        return high, self.fma(a, b, self.neg(high))

    def quotient(
        self,
        top: Sum,
        bottom: Sum,
        reciprocal: ir.Value | None = None,
    ) -> Sum:
        """Divide one sum of two by another: one division (or none), the remainder by fma."""
        if reciprocal is None:
            reciprocal = self.div(1.0, bottom[0])
        high = self.mul(top[0], reciprocal)
        rest = self.fma(self.neg(high), bottom[0], top[0])
        rest = self.add(rest, self.fma(self.neg(high), bottom[1], top[1]))
        return high, self.mul(rest, reciprocal)

    def rough_reciprocal(self, a: ir.Value) -> ir.Value:
        """1 / a within 2%, for corrections in the last bit; finite for a = 0."""
        guess = self.from_bits(self.isub(RECIPROCAL[self.format.name], self.bits(a)))
        return self.mul(guess, self.fma(self.neg(a), guess, 2.0))

    def rsqrt14(self, a: ir.Value) -> ir.Value:
        """Estimate 1 / sqrt(a) within 2**-14, of subnormal numbers too (AVX-512)."""
        return self._by_registers(self._estimated, a)

    def _estimated(self, a: ir.Value) -> ir.Value:
        suffix = "pd" if self.format.bits == 64 else "ps"
        mask = ir.IntType(int(a.type.count))
        nothing, all_ = ir.Constant(a.type, None), ir.Constant(mask, -1)
        return self._x86(f"rsqrt14.{suffix}", a, nothing, all_)

    def root(self, high: ir.Value, low: ir.Value | None) -> Sum:
        """Return the square root of high + low as a sum of two."""
        s = self.sqrt(high)
        rest = self.fma(self.neg(s), s, high)
        if low is not None:
            rest = self.add(rest, low)
        return s, self.mul(self.mul(rest, 0.5), self.rough_reciprocal(s))

    def times_power(self, a: ir.Value, k: ir.Value) -> ir.Value:
        """a * 2**k by adding to the exponent; a and the result must be normal.

        Bits of `k` above the exponent field fall out, so the bits of `integer + magic` do.
        """
        return self.from_bits(self.iadd(self.bits(a), self.shl(k, self.format.fraction)))

    def signed_like(self, a: ir.Value, x: ir.Value) -> ir.Value:
        """Set the sign bit of `a` where `x` has it; `a` never has it where `x` has not."""
        return self.from_bits(self.ior(self.bits(a), self.sign(x)))

    def capped(self, a: ir.Value, cap: float) -> ir.Value:
        """min(a, cap), NaN where a is."""
        return self.select(self.compare(">", a, cap), cap, a)

    def within_one(self, a: ir.Value) -> ir.Value:
        """Return `a`, or where it is beyond one its sign; in place of NaN there may be one."""
        if self.lookups:
            return self._by_registers(self._nearer, a)
        a = self.select(self.compare(">", a, 1.0), 1.0, a)
        return self.select(self.compare("<", a, -1.0), -1.0, a)

    def _nearer(self, a: ir.Value) -> ir.Value:
        """Return what is nearer to zero, `a` or one, with the sign of `a` (AVX-512)."""
        word, mask = ir.IntType(32), ir.IntType(int(a.type.count))
        suffix = "pd" if self.format.bits == 64 else "ps"
        one = ir.Constant(a.type, [1.0] * a.type.count)
        return self._x86(f"mask.range.{suffix}", a, one, word(2), a, mask(-1), word(4))

    def looked_up(self, table: Sequence[float], index: ir.Value) -> ir.Value:
        """Take numbers by the low bits of an index, in registers: of one or of two (AVX-512)."""
        return self._by_registers(lambda part: self._register_lookup(table, part), index)

    def _by_registers(self, one: Callable[[ir.Value], ir.Value], a: ir.Value) -> ir.Value:
        """Apply what works on a register to each of a wider vector."""
        lanes = 512 // self.format.bits
        parts = [one(self._part(a, at, lanes)) for at in range(0, self.count, lanes)]
        while len(parts) > 1:
            parts = [self._joined(*parts[at : at + 2]) for at in range(0, len(parts), 2)]
        return parts[0]

    def _register_lookup(self, table: Sequence[float], index: ir.Value) -> ir.Value:
        lanes = 512 // self.format.bits
        kind = ir.VectorType(self.type.element, lanes)
        first, *second = (
            ir.Constant(kind, list(table[at : at + lanes])) for at in range(0, len(table), lanes)
        )
        one, two = {64: ("df", "pd"), 32: ("sf", "ps")}[self.format.bits]
        name = f"vpermi2var.{two}" if second else f"permvar.{one}"
        return self._x86(name, first, index, *second)

    def _x86(self, name: str, first: ir.Value, *others: ir.Value) -> ir.Value:
        """Call an intrinsic of AVX-512 on registers, whose result is like its first operand."""
        full, args = f"llvm.x86.avx512.{name}.512", [first, *others]
        signature = ir.FunctionType(first.type, [arg.type for arg in args])
        module = self.builder.module
        function = module.globals.get(full) or ir.Function(module, signature, full)
        return self.builder.call(function, args)

    def _part(self, a: ir.Value, start: int, count: int) -> ir.Value:
        """Return some lanes of a wider vector."""
        if count == a.type.count:
            return a
        return self._shuffled(a, ir.Constant(a.type, ir.Undefined), range(start, start + count))

    def _joined(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return the lanes of two vectors as one."""
        return self._shuffled(a, b, range(2 * a.type.count))

    def _shuffled(self, a: ir.Value, b: ir.Value, lanes: range) -> ir.Value:
        kind = ir.VectorType(ir.IntType(32), len(lanes))
        return self.builder.shuffle_vector(a, b, ir.Constant(kind, list(lanes)))

    def power_of_two(self, k: ir.Value) -> ir.Value:
        """2**k from the low bits of `k`; the result must be normal."""
        return self.times_power(self.real(1.0), k)
