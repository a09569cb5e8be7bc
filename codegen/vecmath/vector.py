"""One vector shape's instructions in short words: constants by lane count, arithmetic, bits.

Idioms of several instructions are in `lanes.py`.
"""

import struct
from dataclasses import dataclass, field

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

    def decode(self, bits: int) -> float:
        """Return the number that has these bits."""
        if self.bits == 64:
            return float(struct.unpack("<d", struct.pack("<Q", bits))[0])
        return float(struct.unpack("<f", struct.pack("<I", bits))[0])


@dataclass
class Rare:
    """Lanes that are found to be rare: masks and flags, each joined at once, by their bits."""

    joined: dict[int, ir.Value] = field(default_factory=dict)
    last: ir.Value | None = None

    def add(self, builder: ir.IRBuilder, found: ir.Value) -> None:
        """Note the lanes of a mask, or of flags."""
        if found is self.last:  # sine and cosine have one reduction
            return
        self.last = found
        known = self.joined.get(found.type.element.width)
        joined = found if known is None else builder.or_(known, found)
        self.joined[found.type.element.width] = joined

    def over(self, builder: ir.IRBuilder, before: ir.Block, head: ir.Block) -> None:
        """Join what a loop finds in all passes, at its end; it begins with `head`."""
        for bits, found in self.joined.items():
            with builder.goto_block(head):
                builder.position_at_start(head)
                earlier = builder.phi(found.type)
            joined = builder.or_(earlier, found)
            earlier.add_incoming(ir.Constant(found.type, None), before)
            earlier.add_incoming(joined, builder.block)
            self.joined[bits] = joined


F64 = Format("f64", "f64", 64, 52, 1023)
F32 = Format("f32", "f32", 32, 23, 127)


def _splat(vector: ir.VectorType, element: str) -> ir.Value:
    """Return a vector constant of equal elements in LLVM's short notation."""
    constant = ir.FormattedConstant(vector, element)
    # The constructor has wrapped the text into one element for each lane.
    constant.constant = f"splat ({element})"
    return constant


class Vector:
    """A builder for one vector shape; every method appends to the builder's current block.

    Floats and ints among the operands become splat constants, so a formula reads as it is
    written. Each constant is printed as `splat (...)`, which keeps the module's text short.
    """

    def __init__(
        self, builder: ir.IRBuilder, like: ir.Value, *, lookups: bool = False,
        live: ir.Value | None = None, rare: Rare | None = None,
    ) -> None:  # fmt: skip
        self.builder = builder
        self.live = live
        """The lanes whose results are used; None is all."""
        self.rare = rare
        """Where rare lanes are noted; None is to branch where there are any."""
        self.type = like.type
        self.count = int(like.type.count)
        self.format = F64 if isinstance(like.type.element, ir.DoubleType) else F32
        self.lookups = lookups and self.count * self.format.bits % 512 == 0
        """Whether tables of 16 numbers can be looked up in registers: by AVX-512 alone."""
        self.int_type = ir.VectorType(ir.IntType(self.format.bits), self.count)
        self.mask_type = ir.VectorType(ir.IntType(1), self.count)

    @property
    def shape(self) -> str:
        """LLVM's mangling of the vector type, such as `v8f64`."""
        return f"v{self.count}{self.format.suffix}"

    def alive(self, found: ir.Value) -> ir.Value:
        """Return the lanes of a mask, or of flags, whose results are used."""
        if self.live is None:
            return found
        if found.type == self.mask_type:
            return self.builder.and_(found, self.live)
        return self.builder.select(self.live, found, self.word(0))

    def beyond(self, a: ir.Value, most: float) -> ir.Value:
        """Flag the lanes of a >= 0 that are above `most`, and NaN: by the sign bit of an integer.

        Flags of many vectors are joined into one before they are tested, and a difference of
        integers keeps no unit busy that products need, as comparisons do.
        """
        return self.isub(self.format.encode(most), self.bits(a))

    def outside(self, a: ir.Value, low: int, high: int) -> ir.Value:
        """Flag the lanes whose bits are not in [low, high], those of two positive numbers.

        Of the two differences one is negative then, of negative numbers and NaN too: the first
        wraps around below -(low), the second above -(high), and low <= high.
        """
        bits = self.bits(a)
        return self.ior(self.isub(bits, low), self.isub(high, bits))

    def marked(self, flags: ir.Value) -> ir.Value:
        """Return the mask of the lanes whose flag is set."""
        return self.builder.icmp_signed("<", flags, self.word(0))

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
