"""erf: a polynomial below 1, and 1 - exp(polynomial) beyond."""

from llvmlite import ir

from codegen.vecmath import exponential, tables
from codegen.vecmath.lanes import Lanes

ERF_IS_ONE = 6.0


def erf(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(|x|) = |x| + |x| P(x**2) up to 1, then 1 - exp(log(erfc(|x|)))."""
    name = v.format.name
    a = v.capped(v.abs(x), ERF_IS_ONE)
    z = v.mul(a, a)
    near = v.fma(a, v.polynomial(z, tables.ERF[name], v.mul(z, z)), a)
    t = v.sub(a, 2.0)
    logarithm = v.polynomial(t, tables.LOG_ERFC[name], v.mul(t, t))
    parts = exponential.reduce(v, logarithm, tables.EXP[name])
    power = v.power_of_two(parts.shift)
    fraction = v.add(v.add(parts.high, parts.tail), 1.0)
    far = v.fma(v.neg(power), fraction, 1.0)
    return v.flip(v.select(v.compare(">", a, 1.0), far, near), v.sign(x))
