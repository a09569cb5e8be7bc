"""sin, cos and tan by x = k pi/2 + r in three parts (Cody and Waite) and two polynomials.

r is kept as high + low; with fma the first step is exact, and the second leaves its remainder
in `low`. Beyond `LARGEST` the lanes go through the C library (Payne and Hanek's reduction).
"""

from dataclasses import dataclass

from llvmlite import ir

from codegen.vecmath import tables
from codegen.vecmath.lanes import Lanes, Sum
from codegen.vecmath.rare import through_libm

# Up to here k times the second part of pi/2 is exact.
LARGEST = {"f64": 4.0e6, "f32": 3.0e3}


@dataclass(frozen=True)
class Reduced:
    """|x| = k pi/2 + high + low; `quadrant` holds k in its low bits."""

    quadrant: ir.Value
    high: ir.Value
    low: ir.Value
    square: ir.Value
    far: ir.Value


def reduce(v: Lanes, x: ir.Value) -> Reduced:
    """Reduce |x|; for lanes in `far` the result means nothing."""
    a = v.abs(x)
    first, second, third = tables.HALF_PI[v.format.name]
    shifted = v.fma(a, tables.TWO_OVER_PI[v.format.name][0], v.format.magic)
    k = v.sub(shifted, v.format.magic)
    start = v.fma(k, -first, a)
    high = v.fma(k, -second, start)
    low = v.fma(k, -second, v.sub(start, high))
    low = v.fma(k, -third, low)
    return Reduced(v.bits(shifted), high, low, v.mul(high, high), far(v, x))


def far(v: Lanes, x: ir.Value) -> ir.Value:
    """Flag the lanes that are reduced by the C library."""
    return v.beyond(v.abs(x), LARGEST[v.format.name])


def sine(v: Lanes, r: Reduced) -> ir.Value:
    """sin(high + low) = high + (high**3 S(high**2) + low)."""
    z = r.square
    series = v.polynomial(z, tables.SIN[v.format.name], v.mul(z, z))
    return v.add(r.high, v.fma(v.mul(z, r.high), series, r.low))


def cosine(v: Lanes, r: Reduced) -> ir.Value:
    """cos(high + low) = 1 - (high**2/2 - (z**2 C(z) - high low)), z = high**2.

    high**2 / 2 enters through fma, unrounded.
    """
    z = r.square
    z2 = v.mul(z, z)
    series = v.polynomial(z, tables.COS[v.format.name], z2)
    small = v.fma(z2, series, v.neg(v.mul(r.high, r.low)))
    return v.add(v.fma(v.mul(r.high, -0.5), r.high, small), 1.0)


def by_quadrant(
    v: Lanes, quadrant: ir.Value, even: ir.Value, odd: ir.Value, sign: ir.Value | None
) -> ir.Value:
    """Take `even` or `odd` by the quadrant's parity and negate in its upper half."""
    is_odd = v.builder.icmp_unsigned("!=", v.iand(quadrant, 1), v.word(0))
    value = v.select(is_odd, odd, even)
    upper = v.iand(v.shl(quadrant, v.format.bits - 2), v.format.sign_mask)
    return v.flip(value, upper if sign is None else v.ixor(upper, sign))


def tangent(v: Lanes, r: Reduced) -> ir.Value:
    """Divide sine by cosine, or minus cosine by sine in odd quadrants, all as sums of two."""
    z = r.square
    z2 = v.mul(z, z)
    name = v.format.name
    sine_series = v.polynomial(z, tables.SIN[name], z2)
    cosine_series = v.polynomial(z, tables.COS[name], z2)
    half = v.mul(r.high, -0.5)
    c_high = v.fma(half, r.high, 1.0)
    s_small = v.fma(v.mul(z, r.high), sine_series, v.mul(r.low, c_high))
    s_high, s_low = v.fast_two_sum(r.high, s_small)
    c_low = v.fma(half, r.high, v.sub(1.0, c_high))
    c_low = v.fma(z2, cosine_series, v.fma(v.neg(r.high), r.low, c_low))
    c_high, c_low = v.fast_two_sum(c_high, c_low)
    odd = v.builder.icmp_unsigned("!=", v.iand(r.quadrant, 1), v.word(0))
    top = v.select(odd, c_high, s_high), v.select(odd, c_low, s_low)
    bottom = v.select(odd, s_high, c_high), v.select(odd, s_low, c_low)
    quotient, rest = v.quotient(top, bottom)
    return v.flip(v.add(quotient, rest), v.shl(r.quadrant, v.format.bits - 1))


def sin(v: Lanes, x: ir.Value) -> ir.Value:
    """sin(x), computed of |x| and given the sign of x."""
    r = reduce(v, x)
    usual = by_quadrant(v, r.quadrant, sine(v, r), cosine(v, r), v.sign(x))
    return through_libm(v, "sin", [x], r.far, usual)


def cos(v: Lanes, x: ir.Value) -> ir.Value:
    """cos(x) = sin(|x| + pi/2), one quadrant on."""
    r = reduce(v, x)
    usual = by_quadrant(v, v.iadd(r.quadrant, 1), sine(v, r), cosine(v, r), None)
    return through_libm(v, "cos", [x], r.far, usual)


def sincos(v: Lanes, x: ir.Value) -> Sum:
    """Return sin(x) and cos(x) from one reduction, with the same bits as the two apart."""
    r = reduce(v, x)
    s, c = sine(v, r), cosine(v, r)
    sin_x = by_quadrant(v, r.quadrant, s, c, v.sign(x))
    cos_x = by_quadrant(v, v.iadd(r.quadrant, 1), s, c, None)
    sin_x = through_libm(v, "sin", [x], r.far, sin_x)
    return sin_x, through_libm(v, "cos", [x], r.far, cos_x)


def tan(v: Lanes, x: ir.Value) -> ir.Value:
    """tan(x), computed of |x| and given the sign of x."""
    r = reduce(v, x)
    return through_libm(v, "tan", [x], r.far, v.flip(tangent(v, r), v.sign(x)))
