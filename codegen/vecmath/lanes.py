"""Short words for vector LLVM IR: constants by lane count, fma, bit tricks, rare branches.

What the functions compute is in the family modules; nothing here knows a function.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llvmlite import ir


@dataclass(frozen=True)
class Format:
    """A binary interchange format and the integers that its bit tricks need."""

    name: str
    suffix: str
    bits: int
    fraction: int
    bias: int

    @property
    def magic(self) -> float:
        """1.5 * 2**fraction: adding and subtracting it rounds to an integer."""
        return 1.5 * 2.0**self.fraction

    @property
    def sign_mask(self) -> int:
        """The sign bit."""
        return 1 << (self.bits - 1)

    @property
    def exponent_mask(self) -> int:
        """The bits of infinity."""
        return (1 << (self.bits - 1)) - (1 << self.fraction)

    def encode(self, value: float) -> int:
        """Return the bits of `value`, which the format must hold exactly."""
        if self.bits == 64:
            return int(struct.unpack("<Q", struct.pack("<d", value))[0])
        return int(struct.unpack("<I", struct.pack("<f", value))[0])


F64 = Format("f64", "f64", 64, 52, 1023)
F32 = Format("f32", "f32", 32, 23, 127)

# Bits minus this of 1/a: Newton's first guess for a reciprocal, 12% off at most.
RECIPROCAL = {"f64": 0x7FDE623822FC16E6, "f32": 0x7EF311C7}


def _splat(vector: ir.VectorType, element: str) -> ir.Value:
    """Return a vector constant of equal elements in LLVM's short notation."""
    constant = ir.FormattedConstant(vector, element)
    # The constructor has wrapped the text into one element for each lane.
    constant.constant = f"splat ({element})"
    return constant


class Lanes:
    """A builder for one vector shape; every method appends to the builder's current block.

    Floats and ints among the operands become splat constants, so a formula reads as it is
    written. Each constant is printed as `splat (...)`, which keeps the module's text short.
    """

    def __init__(self, builder: ir.IRBuilder, like: ir.Value) -> None:
        self.builder = builder
        self.type = like.type
        self.count = int(like.type.count)
        self.format = F64 if isinstance(like.type.element, ir.DoubleType) else F32
        self.int_type = ir.VectorType(ir.IntType(self.format.bits), self.count)
        self.mask_type = ir.VectorType(ir.IntType(1), self.count)

    @property
    def shape(self) -> str:
        """LLVM's mangling of the vector type, such as `v8f64`."""
        return f"v{self.count}{self.format.suffix}"

    def real(self, value: ir.Value | float) -> ir.Value:
        """Return `value` as a vector; a float is splat."""
        if not isinstance(value, int | float):
            return value
        held = self.rounded(float(value))
        assert held == value, f"{value!r} is no {self.format.name} constant"
        pattern = struct.unpack("<Q", struct.pack("<d", held))[0]
        word = "double" if self.format.bits == 64 else "float"
        return _splat(self.type, f"{word} 0x{pattern:016x}")

    def rounded(self, value: float) -> float:
        """Round a constant to the format."""
        if self.format.bits == 64:
            return value
        return float(struct.unpack("<f", struct.pack("<f", value))[0])

    def word(self, value: ir.Value | int) -> ir.Value:
        """Return `value` as an integer vector; an int is splat."""
        if not isinstance(value, int):
            return value
        bits = self.format.bits
        signed = value - (1 << bits) if value >= 1 << (bits - 1) else value
        return _splat(self.int_type, f"i{bits} {signed}")

    def intrinsic(self, name: str, *args: ir.Value) -> ir.Value:
        """Call an intrinsic whose operands and result all have this vector type."""
        module = self.builder.module
        full = f"llvm.{name}.{self.shape}"
        function = module.globals.get(full)
        if function is None:
            signature = ir.FunctionType(self.type, [self.type] * len(args))
            function = ir.Function(module, signature, full)
        return self.builder.call(function, args)

    # Floating point.

    def add(self, a: ir.Value | float, b: ir.Value | float) -> ir.Value:
        """a + b."""
        return self.builder.fadd(self.real(a), self.real(b))

    def sub(self, a: ir.Value | float, b: ir.Value | float) -> ir.Value:
        """a - b."""
        return self.builder.fsub(self.real(a), self.real(b))

    def mul(self, a: ir.Value | float, b: ir.Value | float) -> ir.Value:
        """a * b."""
        return self.builder.fmul(self.real(a), self.real(b))

    def div(self, a: ir.Value | float, b: ir.Value | float) -> ir.Value:
        """a / b."""
        return self.builder.fdiv(self.real(a), self.real(b))

    def neg(self, a: ir.Value) -> ir.Value:
        """-a; folds into a neighbouring fma."""
        return self.builder.fneg(a)

    def fma(self, a: ir.Value | float, b: ir.Value | float, c: ir.Value | float) -> ir.Value:
        """a * b + c, rounded once."""
        return self.intrinsic("fma", self.real(a), self.real(b), self.real(c))

    def abs(self, a: ir.Value) -> ir.Value:
        """|a|."""
        return self.intrinsic("fabs", a)

    def sqrt(self, a: ir.Value) -> ir.Value:
        """Return the correctly rounded square root."""
        return self.intrinsic("sqrt", a)

    def compare(self, op: str, a: ir.Value | float, b: ir.Value | float) -> ir.Value:
        """Compare; false on NaN."""
        return self.builder.fcmp_ordered(op, self.real(a), self.real(b))

    def compare_or_nan(self, op: str, a: ir.Value | float, b: ir.Value | float) -> ir.Value:
        """Compare; true on NaN."""
        return self.builder.fcmp_unordered(op, self.real(a), self.real(b))

    def select(self, mask: ir.Value, a: ir.Value | float, b: ir.Value | float) -> ir.Value:
        """Take `a` where the mask is set, else `b`."""
        return self.builder.select(mask, self.real(a), self.real(b))

    # Bits.

    def bits(self, a: ir.Value) -> ir.Value:
        """Return the bits of a floating-point vector."""
        return self.builder.bitcast(a, self.int_type)

    def from_bits(self, a: ir.Value) -> ir.Value:
        """Read bits as a floating-point vector."""
        return self.builder.bitcast(a, self.type)

    def iadd(self, a: ir.Value, b: ir.Value | int) -> ir.Value:
        """a + b, modulo 2**bits."""
        return self.builder.add(a, self.word(b))

    def isub(self, a: ir.Value | int, b: ir.Value | int) -> ir.Value:
        """a - b, modulo 2**bits."""
        return self.builder.sub(self.word(a), self.word(b))

    def iand(self, a: ir.Value, b: ir.Value | int) -> ir.Value:
        """a & b."""
        return self.builder.and_(a, self.word(b))

    def ior(self, a: ir.Value, b: ir.Value | int) -> ir.Value:
        """a | b."""
        return self.builder.or_(a, self.word(b))

    def ixor(self, a: ir.Value, b: ir.Value | int) -> ir.Value:
        """a ^ b."""
        return self.builder.xor(a, self.word(b))

    def shl(self, a: ir.Value, count: int) -> ir.Value:
        """a << count."""
        return self.builder.shl(a, self.word(count))

    def lshr(self, a: ir.Value, count: int) -> ir.Value:
        """a >> count, filling with zeros."""
        return self.builder.lshr(a, self.word(count))

    def sign(self, a: ir.Value) -> ir.Value:
        """Return the sign bit of `a`, the other bits cleared."""
        return self.iand(self.bits(a), self.format.sign_mask)

    def flip(self, a: ir.Value, sign: ir.Value) -> ir.Value:
        """Negate the lanes of `a` whose `sign` has the sign bit set."""
        return self.from_bits(self.ixor(self.bits(a), sign))

    def times_power(self, a: ir.Value, k: ir.Value) -> ir.Value:
        """a * 2**k by adding to the exponent; a and the result must be normal.

        Bits of `k` above the exponent field fall out, so the bits of `integer + magic` do.
        """
        return self.from_bits(self.iadd(self.bits(a), self.shl(k, self.format.fraction)))

    # Shorthands of several instructions.

    def polynomial(self, x: ir.Value, coefficients: Sequence[float], x2: ir.Value) -> ir.Value:
        """Sum coefficients[i] * x**i by Horner's rule in x2 = x * x over pairs of terms."""
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

    def fast_two_sum(self, a: ir.Value | float, b: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Return a + b as rounded sum and exact remainder (Dekker); needs |a| >= |b| or a = 0."""
        high = self.add(a, b)
        return high, self.sub(b, self.sub(high, a))

    def two_sum(self, a: ir.Value, b: ir.Value | float) -> tuple[ir.Value, ir.Value]:
        """Return a + b as rounded sum and exact remainder (Knuth), for any magnitudes."""
        high = self.add(a, b)
        part = self.sub(high, a)
        return high, self.add(self.sub(a, self.sub(high, part)), self.sub(b, part))

    def two_product(self, a: ir.Value, b: ir.Value | float) -> tuple[ir.Value, ir.Value]:
        """Return a * b as rounded product and exact remainder."""
        high = self.mul(a, b)
        return high, self.fma(a, b, self.neg(high))

    def quotient(
        self,
        top: tuple[ir.Value, ir.Value],
        bottom: tuple[ir.Value, ir.Value],
        reciprocal: ir.Value | None = None,
    ) -> tuple[ir.Value, ir.Value]:
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

    def root(self, high: ir.Value, low: ir.Value | None) -> tuple[ir.Value, ir.Value]:
        """Return the square root of high + low as a sum of two."""
        s = self.sqrt(high)
        rest = self.fma(self.neg(s), s, high)
        if low is not None:
            rest = self.add(rest, low)
        return s, self.mul(self.mul(rest, 0.5), self.rough_reciprocal(s))

    def signed_like(self, a: ir.Value, x: ir.Value) -> ir.Value:
        """Set the sign bit of `a` where `x` has it; `a` never has it where `x` has not."""
        return self.from_bits(self.ior(self.bits(a), self.sign(x)))

    def capped(self, a: ir.Value, cap: float) -> ir.Value:
        """min(a, cap), NaN where a is."""
        return self.select(self.compare(">", a, cap), cap, a)

    def power_of_two(self, k: ir.Value) -> ir.Value:
        """2**k from the low bits of `k`; the result must be normal."""
        return self.times_power(self.real(1.0), k)

    def any_lane(self, mask: ir.Value) -> ir.Value:
        """Return an i1: is some lane of the mask set."""
        packed = ir.IntType(self.count)
        word = self.builder.bitcast(mask, packed)
        return self.builder.icmp_unsigned("!=", word, ir.Constant(packed, 0))

    def rarely(self, mask: ir.Value, usual: ir.Value, repair: Callable[[], ir.Value]) -> ir.Value:
        """Branch around `repair` unless a lane of `mask` is set; the builder moves to the join.

        `repair` is emitted into the rare block and returns the whole replacement vector. It must
        leave the lanes outside the mask as in `usual`, so that no lane sees its neighbours.
        """
        before = self.builder.block
        rare = self.builder.append_basic_block("rare")
        join = self.builder.append_basic_block("join")
        self.builder.cbranch(self.any_lane(mask), rare, join).set_weights([1, 2000])
        self.builder.position_at_end(rare)
        repaired = repair()
        rare_end = self.builder.block
        self.builder.branch(join)
        self.builder.position_at_end(join)
        merged = self.builder.phi(self.type)
        merged.add_incoming(usual, before)
        merged.add_incoming(repaired, rare_end)
        return merged

    def through_libm(
        self, name: str, args: Sequence[ir.Value], mask: ir.Value, usual: ir.Value
    ) -> ir.Value:
        """Replace the lanes in `mask` by the C library's result, one scalar call for each."""

        def repair() -> ir.Value:
            function = self._libm_loop(name, len(args))
            width = ir.IntType(max(64, self.count))
            packed = self.builder.bitcast(mask, ir.IntType(self.count))
            if self.count < 64:
                packed = self.builder.zext(packed, width)
            return self.builder.call(function, [*args, usual, packed])

        return self.rarely(mask, usual, repair)

    def _libm_loop(self, name: str, arity: int) -> ir.Function:
        """Return this module's out-of-line loop over lanes that calls the scalar function."""
        module = self.builder.module
        own_name = f"vecmath.{name}.{self.shape}"
        known = module.globals.get(own_name)
        if known is not None:
            return known
        width = ir.IntType(max(64, self.count))
        loop_type = ir.FunctionType(self.type, [self.type] * (arity + 1) + [width])
        function = ir.Function(module, loop_type, own_name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        function.attributes.add("cold")
        *vectors, mask = function.args
        b = ir.IRBuilder(function.append_basic_block("entry"))
        head, call, tail, done = (
            function.append_basic_block(label) for label in ("head", "call", "tail", "done")
        )
        # In memory: lanes with a variable number are dear to extract and to insert.
        slots = [b.alloca(self.type) for _ in vectors]
        for vector, slot in zip(vectors, slots, strict=True):
            b.store(vector, slot)
        scalars = [b.bitcast(slot, self.type.element.as_pointer()) for slot in slots]
        entry = b.block
        b.branch(head)
        b.position_at_end(head)
        lane = b.phi(width)
        chosen = b.trunc(b.lshr(mask, lane), ir.IntType(1))
        b.cbranch(chosen, call, tail)
        b.position_at_end(call)
        *places, place = (b.gep(scalar, [lane]) for scalar in scalars)
        b.store(self._scalar_call(b, name, [b.load(p) for p in places]), place)
        b.branch(tail)
        b.position_at_end(tail)
        following = b.add(lane, ir.Constant(width, 1))
        b.cbranch(b.icmp_unsigned("<", following, ir.Constant(width, self.count)), head, done)
        b.position_at_end(done)
        b.ret(b.load(slots[-1]))
        lane.add_incoming(ir.Constant(width, 0), entry)
        lane.add_incoming(following, tail)
        return function

    def _scalar_call(self, b: ir.IRBuilder, name: str, args: list[ir.Value]) -> ir.Value:
        """Call a C function of doubles, also for f32: some libraries' float versions are poor."""
        module = self.builder.module
        double = ir.DoubleType()
        function = module.globals.get(name)
        if function is None:
            signature = ir.FunctionType(double, [double] * len(args))
            function = ir.Function(module, signature, name)
        if self.format.bits == 64:
            return b.call(function, args)
        wide = b.call(function, [b.fpext(arg, double) for arg in args])
        return b.fptrunc(wide, self.type.element)
