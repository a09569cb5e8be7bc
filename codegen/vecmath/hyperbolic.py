"""sinh, cosh, tanh and their inverses, from the exponential's reduction and log(1 + a + low)."""

from dataclasses import dataclass

from llvmlite import ir

from codegen.vecmath import exponential, tables
from codegen.vecmath.lanes import Lanes, Sum
from codegen.vecmath.logarithm import log_of_one_plus
from codegen.vecmath.rare import through_libm

TANH_IS_ONE = {"f64": 20.0, "f32": 10.0}
TANH_NEAR_ONE = {"f64": 9.0, "f32": 5.0}
# Just above the last finite result; 2**(k - 2) is still normal there.
OVERFLOWED = {"f64": 710.59375, "f32": 89.59375}
SINH_IS_X = {"f64": 2.0**-28, "f32": 2.0**-14}
DECAYED = {"f64": 40.0, "f32": 20.0}
# log(2 x) is asinh(x) and acosh(x) beyond.
ASYMPTOTIC = {"f64": 2.0**28, "f32": 2.0**13}


def tanh(v: Lanes, x: ir.Value) -> ir.Value:
    """tanh(x) = e / (e + 2), e = exp(2|x|) - 1 as a sum of two."""
    a = v.capped(v.abs(x), TANH_IS_ONE[v.format.name])
    parts = exponential.reduce(v, v.add(a, a))
    part, part_low = v.fast_two_sum(parts.high, exponential.fine_tail(v, parts))
    power = v.power_of_two(parts.shift)
    scaled = v.mul(power, part)
    low = v.mul(power, part_low)
    top, top_low = v.fast_two_sum(v.sub(power, 1.0), scaled)
    bottom, bottom_low = v.fast_two_sum(v.add(power, 1.0), scaled)
    reciprocal = v.div(1.0, bottom)
    tops, bottoms = (top, v.add(top_low, low)), (bottom, v.add(bottom_low, low))
    high, rest = v.quotient(tops, bottoms, reciprocal)
    # Where the sums with 1 are no longer exact, 2 / (e + 2) is below the last bits.
    near = v.fma(reciprocal, -2.0, 1.0)
    y = v.select(v.compare(">", a, TANH_NEAR_ONE[v.format.name]), near, v.add(high, rest))
    return v.flip(y, v.sign(x))


@dataclass(frozen=True)
class _Halves:
    """2**(k - 2), 2**(-k - 2), and r, sinh(r) - r, cosh(r) - 1, where a = k log(2) + r."""

    grown: ir.Value
    shrunk: ir.Value
    r: ir.Value
    odd: ir.Value
    even: ir.Value


def _halves(v: Lanes, a: ir.Value) -> _Halves:
    """Reduce a >= 0; a quarter of the powers, so that the largest does not overflow."""
    name = v.format.name
    ln2_high, ln2_low = tables.LN2[name]
    shifted = v.fma(a, tables.LOG2_E[name][0], v.format.magic)
    k = v.sub(shifted, v.format.magic)
    start = v.fma(k, -ln2_high, a)
    w = v.mul(k, ln2_low)
    r = v.sub(start, w)
    r_low = v.sub(v.sub(start, r), w)
    z = v.mul(r, r)
    z2 = v.mul(z, z)
    odd = v.fma(v.mul(r, z), v.polynomial(z, tables.SINH[name], z2), r_low)
    even = v.fma(z2, v.polynomial(z, tables.COSH[name], z2), v.mul(z, 0.5))
    grown = v.times_power(v.real(0.25), v.bits(shifted))
    quarter = v.word(v.format.encode(0.25))
    shrunk = v.from_bits(v.isub(quarter, v.shl(v.bits(shifted), v.format.fraction)))
    shrunk = v.select(v.compare(">", a, DECAYED[name]), 0.0, shrunk)
    return _Halves(grown, shrunk, r, odd, even)


def _combined(v: Lanes, parts: _Halves, main: Sum, other: ir.Value) -> ir.Value:
    """2 (main + main even + other (r + odd)); main as a sum of two, other * r exactly."""
    product, rest = v.two_product(other, parts.r)
    base, base_low = main
    high, low = v.fast_two_sum(base, product)
    small = v.add(v.add(low, rest), base_low)
    half = v.add(high, v.fma(base, parts.even, v.fma(other, parts.odd, small)))
    return v.add(half, half)


def sinh(v: Lanes, x: ir.Value) -> ir.Value:
    """sinh(|x|) = B cosh(r) + A sinh(r) with A, B = (2**k +- 2**-k) / 2."""
    a = v.capped(v.abs(x), OVERFLOWED[v.format.name])
    parts = _halves(v, a)
    minus = v.fast_two_sum(parts.grown, v.neg(parts.shrunk))
    plus = v.add(parts.grown, parts.shrunk)
    # Halving would cost subnormal arguments their last bit.
    small = v.compare("<", a, SINH_IS_X[v.format.name])
    return v.flip(v.select(small, a, _combined(v, parts, minus, plus)), v.sign(x))


def cosh(v: Lanes, x: ir.Value) -> ir.Value:
    """cosh(|x|) = A cosh(r) + B sinh(r) with A, B = (2**k +- 2**-k) / 2."""
    parts = _halves(v, v.capped(v.abs(x), OVERFLOWED[v.format.name]))
    plus = v.fast_two_sum(parts.grown, parts.shrunk)
    return _combined(v, parts, plus, v.sub(parts.grown, parts.shrunk))


def _inverse(v: Lanes, t: ir.Value, root: Sum, far: ir.Value) -> Sum:
    """log(1 + t + root), or log(2 (1 + t)) where `far`; and the mask of failed lanes."""
    high, low = v.two_sum(t, root[0])
    low = v.add(low, root[1])
    return log_of_one_plus(v, v.select(far, t, high), v.select(far, 0.0, low), far)


def asinh(v: Lanes, x: ir.Value) -> ir.Value:
    """asinh(|x|) = log(1 + |x| + (sqrt(1 + x**2) - 1))."""
    a = v.abs(x)
    far = v.compare(">", a, ASYMPTOTIC[v.format.name])
    square, square_low = v.two_product(a, a)
    high, low = v.two_sum(square, 1.0)
    s = v.sqrt(high)
    rest = v.add(v.fma(v.neg(s), s, high), v.add(low, square_low))
    s_low = v.div(v.mul(rest, 0.5), s)
    usual, failed = _inverse(v, v.select(far, v.sub(a, 1.0), a), (v.sub(s, 1.0), s_low), far)
    return through_libm(v, "asinh", [x], failed, v.flip(usual, v.sign(x)))


def acosh(v: Lanes, x: ir.Value) -> ir.Value:
    """acosh(x) = log(1 + t + sqrt(t**2 + 2 t)), t = x - 1."""
    far = v.compare(">", x, ASYMPTOTIC[v.format.name])
    t = v.sub(x, 1.0)
    square, square_low = v.two_product(t, t)
    high, low = v.two_sum(square, v.add(t, t))
    root = v.root(high, v.add(low, square_low))
    usual, failed = _inverse(v, t, root, far)
    failed = v.builder.or_(v.marked(failed), v.compare("<", x, 1.0))
    return through_libm(v, "acosh", [x], failed, usual)


def atanh(v: Lanes, x: ir.Value) -> ir.Value:
    """atanh(|x|) = log(1 + 2|x| / (1 - |x|)) / 2."""
    a = v.abs(x)
    bottom = v.fast_two_sum(1.0, v.neg(a))
    high, low = v.quotient((v.add(a, a), v.real(0.0)), bottom)
    usual, failed = log_of_one_plus(v, high, low)
    return through_libm(v, "atanh", [x], failed, v.flip(v.mul(usual, 0.5), v.sign(x)))
