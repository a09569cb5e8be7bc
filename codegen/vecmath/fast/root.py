"""Roots and hypot of the faster grade."""

from llvmlite import ir

from codegen.vecmath import logarithm, power, root, tables
from codegen.vecmath.fast.logarithm import split
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely

__all__ = ["cbrt", "hypot", "rsqrt"]

# within these powers of two the sum of two squares is right, however small one of them is
SAFE = {"f64": (-900, 1022), "f32": (-70, 126)}


def cbrt(v: Lanes, x: ir.Value) -> ir.Value:
    """cbrt(|x|) of a normal number, by factors that are looked up or by Newton's iteration."""
    a = v.abs(x)
    usual = v.flip(_by_factors(v, a) if v.lookups else _by_newton(v, a), v.sign(x))
    failed = logarithm.flagged(v, a)
    return rarely(v, failed, usual, lambda: v.select(v.marked(failed), power.cbrt(v, x), usual))


def _by_factors(v: Lanes, a: ir.Value) -> ir.Value:
    """2**q 2**(s/3) c**(-1/3) (1 + r)**(1/3), a = 2**(3 q + s) (1 + r) / c."""
    form, name = v.format, v.format.name
    parts = split(v, a)
    third, unit = tables.THIRD[name][0], 2.0**-form.fraction
    shifted = v.fma(parts.scaled, third * unit, form.magic)
    q = v.sub(shifted, form.magic)
    s = v.bits(v.add(v.fma(q, -3.0, v.mul(parts.scaled, unit)), form.magic))
    factor = v.looked_up(tables.CBRT_POWERS[name], s)
    factor = v.mul(factor, v.looked_up(tables.CBRT_FACTORS[name], parts.index))
    series = v.polynomial(parts.r, tables.CBRT_NEAR[name], v.mul(parts.r, parts.r))
    y = v.fma(factor, v.mul(parts.r, series), factor)
    return v.times_power(y, v.bits(shifted))


def _by_newton(v: Lanes, a: ir.Value) -> ir.Value:
    """2**q m g**2 for a near g = m**(-1/3), a = 2**(3 q) m, and one step."""
    name = v.format.name
    m, q = power.thirds(v, a)
    guess = v.polynomial(m, tables.RCBRT[name], v.mul(m, m))
    error = v.fma(v.neg(m), v.mul(v.mul(guess, guess), guess), 1.0)
    third = tables.THIRD[name][0]
    # of the series of (1 - e)**(-1/3), as much as leaves the step half of the bits
    series = [third, v.rounded(2 / 9), v.rounded(14 / 81)][: 3 if name == "f64" else 2]
    guess = v.fma(v.mul(guess, error), v.horner(error, series), guess)
    square = v.mul(guess, guess)
    c = v.mul(m, square)
    error = v.fma(v.neg(v.mul(c, c)), c, m)
    c = v.fma(v.mul(error, third), square, c)
    return v.from_bits(v.iadd(v.bits(c), q))


def rsqrt(v: Lanes, x: ir.Value) -> ir.Value:
    """1 / sqrt(x) as in the finer grade, but for what the rounding of x r costs."""
    return root.rsqrt(v, x, exactly=False)


def hypot(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """sqrt(x**2 + y**2), as in the finer grade where a square may be out of range."""
    form = v.format
    square = v.fma(x, x, v.mul(y, y))
    failed = v.outside(square, *(form.encode(2.0**exponent) for exponent in SAFE[form.name]))
    usual = v.sqrt(square)
    return rarely(v, failed, usual, lambda: v.select(v.marked(failed), power.hypot(v, x, y), usual))
