"""sin, cos and tan of the faster grade.

Sine and cosine alone are reduced by pi, so that one polynomial does for both quadrants; the tangent
is that of half the angle, doubled.
"""

from llvmlite import ir

from codegen.vecmath import tables, trigonometric
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import through_libm

__all__ = ["cos", "sin", "tan"]


def _wide_sine(v: Lanes, r: ir.Value) -> ir.Value:
    """sin(r) for |r| up to pi/2.

    Terms are not summed in pairs, which takes a product more: loops have others to work on.
    """
    z = v.mul(r, r)
    series = v.horner(z, tables.SIN_WIDE[v.format.name])
    # within the error it may be beyond one, of which acos and sqrt(1 - y**2) are not defined
    return v.within_one(v.mul(r, v.fma(z, series, 1.0)))


def sin(v: Lanes, x: ir.Value) -> ir.Value:
    """sin(x) = (-1)**k sin(x - k pi); every step is odd in x, so that the whole is."""
    name, magic = v.format.name, v.format.magic
    shifted = v.fma(x, tables.ONE_OVER_PI[name][0], magic)
    turns, r = v.sub(shifted, magic), x
    for part in tables.PI[name]:
        r = v.fma(turns, -part, r)
    usual = v.flip(_wide_sine(v, r), v.shl(v.bits(shifted), v.format.bits - 1))
    return through_libm(v, "sin", [x], trigonometric.far(v, x), usual)


def cos(v: Lanes, x: ir.Value) -> ir.Value:
    """cos(x) = (-1)**k sin((k + 1/2) pi - |x|)."""
    name, magic = v.format.name, v.format.magic
    a = v.abs(x)
    shifted = v.add(v.fma(a, tables.ONE_OVER_PI[name][0], -0.5), magic)
    turns, r = v.add(v.sub(shifted, magic), 0.5), v.neg(a)
    for part in tables.PI[name]:
        r = v.fma(turns, part, r)
    usual = v.flip(_wide_sine(v, r), v.shl(v.bits(shifted), v.format.bits - 1))
    return through_libm(v, "cos", [x], trigonometric.far(v, x), usual)


def tan(v: Lanes, x: ir.Value) -> ir.Value:
    """tan(r) = 2 t / (1 - t**2), t = tan(r/2), or minus its inverse in odd quadrants."""
    r = trigonometric.reduce(v, x)
    z = r.square
    series = v.polynomial(z, tables.TAN_HALF[v.format.name], v.mul(z, z))
    twice = v.add(r.high, v.fma(v.mul(r.high, z), series, r.low))
    rest = v.fma(v.mul(twice, -0.25), twice, 1.0)
    quadrant = v.shl(r.quadrant, v.format.bits - 1)
    odd = v.builder.icmp_signed("<", quadrant, v.word(0))
    y = v.div(v.select(odd, rest, twice), v.select(odd, twice, rest))
    usual = v.flip(y, v.ixor(quadrant, v.sign(x)))
    return through_libm(v, "tan", [x], r.far, usual)
