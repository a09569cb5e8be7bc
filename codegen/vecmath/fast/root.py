"""cbrt and hypot of the faster grade."""

from llvmlite import ir

from codegen.vecmath import logarithm, power, tables
from codegen.vecmath.fast.logarithm import split
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely

__all__ = ["cbrt", "hypot"]

# within these powers of two the sum of two squares is right, however small one of them is
SAFE = {"f64": (-900, 1022), "f32": (-70, 126)}


def cbrt(v: Lanes, x: ir.Value) -> ir.Value:
    """cbrt(|x|) = 2**q 2**(s/3) c**(-1/3) (1 + r)**(1/3), |x| = 2**(3 q + s) (1 + r) / c."""
    if not v.lookups:
        return power.cbrt(v, x)
    form, name = v.format, v.format.name
    a = v.abs(x)
    parts = split(v, a)
    third, unit = tables.THIRD[name][0], 2.0**-form.fraction
    shifted = v.fma(parts.scaled, third * unit, form.magic)
    q = v.sub(shifted, form.magic)
    s = v.bits(v.add(v.fma(q, -3.0, v.mul(parts.scaled, unit)), form.magic))
    factor = v.looked_up(tables.CBRT_POWERS[name], s)
    factor = v.mul(factor, v.looked_up(tables.CBRT_FACTORS[name], parts.index))
    series = v.polynomial(parts.r, tables.CBRT_NEAR[name], v.mul(parts.r, parts.r))
    y = v.fma(factor, v.mul(parts.r, series), factor)
    usual = v.flip(v.times_power(y, v.bits(shifted)), v.sign(x))
    failed = logarithm.flagged(v, a)
    return rarely(v, failed, usual, lambda: v.select(v.marked(failed), power.cbrt(v, x), usual))


def hypot(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """sqrt(x**2 + y**2), as in the finer grade where a square may be out of range."""
    form = v.format
    square = v.fma(x, x, v.mul(y, y))
    failed = v.outside(square, *(form.encode(2.0**exponent) for exponent in SAFE[form.name]))
    usual = v.sqrt(square)
    return rarely(v, failed, usual, lambda: v.select(v.marked(failed), power.hypot(v, x, y), usual))
