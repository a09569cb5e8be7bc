"""erf: a polynomial near zero, 1 - exp(polynomial) beyond; erfc by its scaled function."""

from llvmlite import ir

from codegen.vecmath import exponential, tables
from codegen.vecmath.lanes import Lanes, Sum
from codegen.vecmath.rare import rarely

SWITCH = 0.84375
ERF_IS_ONE = 6.0
ERFC_NEAR = 0.703125
ERFC_SMALL = {"f64": 26.0, "f32": 9.0}
ERFC_IS_ZERO = {"f64": 28.0, "f32": 11.0}


def erf(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(|x|) = |x| + |x| P(x**2) up to c = 27/32, then 1 - erfc(c) exp(t L(t)), t = |x| - c."""
    a, near, logarithm = halves(v, x)
    parts = exponential.reduce(v, logarithm)
    scale = v.times_power(v.real(-tables.ERFC[v.format.name][0]), parts.shift)
    fraction = v.add(v.add(parts.high, exponential.tail(v, parts)), 1.0)
    far = v.fma(scale, fraction, 1.0)
    return v.flip(v.select(v.compare(">", a, SWITCH), far, near), v.sign(x))


def halves(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return |x| up to where erf is one, erf(|x|) near zero, and log(erfc(|x|)/erfc(c)) beyond."""
    name = v.format.name
    a = v.capped(v.abs(x), ERF_IS_ONE)
    z = v.mul(a, a)
    near = v.fma(a, v.polynomial(z, tables.ERF[name], v.mul(z, z)), a)
    t = v.sub(a, SWITCH)
    return a, near, v.mul(t, v.polynomial(t, tables.LOG_ERFC[name], v.mul(t, t)))


def _scaled(v: Lanes, a: ir.Value) -> Sum:
    """exp(a**2) erfc(a) = W / (1 + 2 a) as a sum of two, a >= 0.7.

    W - 5/4 is a polynomial in t = (a - 3) / (a + 3) (Shepherd and Laframboise 1981).
    """
    name = v.format.name
    bottom, bottom_low = v.fast_two_sum(v.add(a, a), v.real(1.0))
    other = v.add(a, 3.0)
    reciprocal = v.div(1.0, v.mul(bottom, other))
    t = v.mul(v.mul(v.sub(a, 3.0), bottom), reciprocal)
    w, w_low = v.fast_two_sum(1.25, v.polynomial(t, tables.ERFCX[name], v.mul(t, t)))
    q = v.mul(other, reciprocal)
    rest = v.fma(v.neg(q), bottom_low, v.fma(v.neg(q), bottom, 1.0))
    q_low = v.mul(q, rest)
    high, low = v.two_product(q, w)
    return high, v.fma(q, w_low, v.fma(q_low, w, low))


def erfc(v: Lanes, x: ir.Value) -> ir.Value:
    """erfc(a) = exp(-a**2) (exp(a**2) erfc(a)) and its mirror; 1 - x - x P(x**2) near zero."""
    name = v.format.name
    a = v.capped(v.abs(x), ERFC_IS_ZERO[name])
    z, z_low = v.two_product(a, a)
    power = v.neg(z)
    parts = exponential.reduce(v, power, v.neg(z_low))
    e, e_low = v.fast_two_sum(1.0, parts.high)
    e, e_low = v.fast_two_sum(e, v.add(e_low, exponential.tail(v, parts)))
    w, w_low = _scaled(v, a)
    product, low = v.two_product(e, w)
    fraction = v.add(product, v.fma(e, w_low, v.fma(e_low, w, low)))
    usual = v.times_power(fraction, parts.shift)
    small = v.compare_or_nan(">", a, ERFC_SMALL[name])
    edge = exponential.ABOVE_ALL[name]
    far = rarely(v, small, usual, lambda: exponential.two_steps(v, power, fraction, parts.k, edge))
    far = v.select(v.compare("<", x, 0.0), v.sub(2.0, far), far)
    one, rest = v.fast_two_sum(1.0, v.neg(x))
    series = v.polynomial(z, tables.ERF[name], v.mul(z, z))
    near = v.add(one, v.fma(v.neg(x), series, rest))
    return v.select(v.compare("<", a, ERFC_NEAR), near, far)
