"""sin, cos and tan of the faster grade.

Sine and cosine alone are reduced by pi, so that one polynomial does for both quadrants; the tangent
is that of half the angle, doubled.
"""

from llvmlite import ir

from codegen.vecmath import tables, trigonometric
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import through_libm

__all__ = ["cos", "sin", "tan"]


def _wide_sine(v: Lanes, x: ir.Value, turns: ir.Value) -> ir.Value:
    """sin(x - turns pi), for what is left within pi/2."""
    name = v.format.name
    r = x
    for part in tables.PI[name]:
        r = v.fma(turns, -part, r)
    z = v.mul(r, r)
    series = v.polynomial(z, tables.SIN_WIDE[name], v.mul(z, z))
    y = v.mul(r, v.fma(z, series, 1.0))
    # within the error it may be beyond one, of which acos and sqrt(1 - y**2) are not defined
    y = v.select(v.compare(">", y, 1.0), 1.0, y)
    return v.select(v.compare("<", y, -1.0), -1.0, y)


def sin(v: Lanes, x: ir.Value) -> ir.Value:
    """sin(x) = (-1)**k sin(x - k pi); every step is odd in x, so that the whole is."""
    name, magic = v.format.name, v.format.magic
    shifted = v.fma(x, tables.ONE_OVER_PI[name][0], magic)
    y = _wide_sine(v, x, v.sub(shifted, magic))
    usual = v.flip(y, v.shl(v.bits(shifted), v.format.bits - 1))
    return through_libm(v, "sin", [x], trigonometric.far(v, x), usual)


def cos(v: Lanes, x: ir.Value) -> ir.Value:
    """cos(x) = -(-1)**k sin(|x| - (k + 1/2) pi)."""
    name, magic = v.format.name, v.format.magic
    a = v.abs(x)
    shifted = v.add(v.fma(a, tables.ONE_OVER_PI[name][0], -0.5), magic)
    y = _wide_sine(v, a, v.add(v.sub(shifted, magic), 0.5))
    even = v.shl(v.iadd(v.bits(shifted), 1), v.format.bits - 1)
    return through_libm(v, "cos", [x], trigonometric.far(v, x), v.flip(y, even))


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
