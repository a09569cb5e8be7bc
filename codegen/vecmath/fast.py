"""The faster grade: at most 4 ulp, for where the licence has `afn`.

The same reductions as in the other modules, without the second parts of sums that keep those below
1 ulp; sine and cosine alone are reduced by pi, so that one polynomial does for both quadrants.
Lanes out of the usual range go the same rare ways. Special values and signs of zeros are as there.
"""

from llvmlite import ir

from codegen.vecmath import error, exponential, hyperbolic, tables, trigonometric
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely, through_libm

__all__ = ["cos", "erf", "exp", "sin", "tanh"]


def _reduced(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return k, its bits, and exp(r) - 1, where x = k log(2) + r."""
    name = v.format.name
    ln2_high, ln2_low = tables.LN2[name]
    shifted = v.fma(x, tables.LOG2_E[name][0], v.format.magic)
    k = v.sub(shifted, v.format.magic)
    r = v.fma(k, -ln2_low, v.fma(k, -ln2_high, x))
    r2 = v.mul(r, r)
    part = v.fma(r2, v.polynomial(r, tables.EXP_MIDDLE[name], r2), r)
    return k, v.bits(shifted), part


def exp(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x), by sixteenths of the exponent where they can be looked up in registers."""
    usual = _by_sixteenths(v, x) if v.lookups else _by_halves(v, x)
    far = v.compare_or_nan(">", v.abs(x), exponential.LARGEST[v.format.name])

    def repair() -> ir.Value:
        k, _, part = _reduced(v, x)
        edge = exponential.ABOVE_ALL[v.format.name]
        return v.select(far, exponential.two_steps(v, x, v.add(part, 1.0), k, edge), usual)

    return rarely(v, far, usual, repair)


def _by_halves(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) = 2**k * (1 + (r + r**2 P(r))), r within half of log(2)."""
    _, shift, part = _reduced(v, x)
    return v.times_power(v.add(part, 1.0), shift)


def _by_sixteenths(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) = 2**(n/16) exp(r), x = n log(2)/16 + r."""
    name = v.format.name
    ln2_high, ln2_low = tables.LN2[name]
    shifted = v.fma(x, 16 * tables.LOG2_E[name][0], v.format.magic)
    n = v.sub(shifted, v.format.magic)
    r = v.fma(n, -ln2_low / 16, v.fma(n, -ln2_high / 16, x))
    return exponential.sixteenths(v, v.bits(shifted), r, tables.EXP_SIXTEENTH[name])


def tanh(v: Lanes, x: ir.Value) -> ir.Value:
    """tanh(x) = e / (e + 2), e = exp(2|x|) - 1."""
    a = v.capped(v.abs(x), hyperbolic.TANH_IS_ONE[v.format.name])
    _, shift, part = _reduced(v, v.add(a, a))
    power = v.power_of_two(shift)
    e = v.fma(power, part, v.sub(power, 1.0))
    return v.flip(v.div(e, v.add(e, 2.0)), v.sign(x))


def erf(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(x), by pieces where their coefficients can be looked up in registers."""
    return _erf_by_pieces(v, x) if v.lookups else _erf(v, x)


def _erf_by_pieces(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(|x|) as a polynomial in |x| - k h, the nearest multiple of a step h."""
    name = v.format.name
    step = tables.ERF_STEP[name]
    a = v.capped(v.abs(x), len(tables.ERF_PIECES[name][0]) * step - step)
    shifted = v.fma(a, v.rounded(1 / step), v.format.magic)
    t = v.fma(v.sub(shifted, v.format.magic), -step, a)
    index = v.bits(shifted)
    *lower, total = [v.looked_up(column, index) for column in tables.ERF_PIECES[name]]
    for coefficient in reversed(lower):
        total = v.fma(total, t, coefficient)
    return v.flip(total, v.sign(x))


def _erf(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(|x|) = |x| + |x| P(x**2) up to c = 27/32, then 1 - erfc(c) exp(t L(t)), t = |x| - c."""
    a, near, far = error.halves(v, x)
    _, shift, part = _reduced(v, far)
    scale = v.times_power(v.real(-tables.ERFC[v.format.name][0]), shift)
    far = v.fma(scale, part, v.add(scale, 1.0))
    return v.flip(v.select(v.compare(">", a, error.SWITCH), far, near), v.sign(x))


def _wide_sine(v: Lanes, a: ir.Value, halves: ir.Value) -> ir.Value:
    """sin(a - halves pi/2), for what is left within pi/2."""
    name = v.format.name
    r = a
    for part in tables.HALF_PI[name]:
        r = v.fma(halves, -part, r)
    z = v.mul(r, r)
    series = v.polynomial(z, tables.SIN_WIDE[name], v.mul(z, z))
    y = v.mul(r, v.fma(z, series, 1.0))
    # within the error it may be beyond one, of which acos and sqrt(1 - y**2) are not defined
    y = v.select(v.compare(">", y, 1.0), 1.0, y)
    return v.select(v.compare("<", y, -1.0), -1.0, y)


def sin(v: Lanes, x: ir.Value) -> ir.Value:
    """sin(|x|) = (-1)**k sin(|x| - k pi), in the sign of x."""
    name, magic = v.format.name, v.format.magic
    a = v.abs(x)
    shifted = v.fma(a, tables.ONE_OVER_PI[name][0], magic)
    k = v.sub(shifted, magic)
    y = _wide_sine(v, a, v.add(k, k))
    odd = v.shl(v.bits(shifted), v.format.bits - 1)
    usual = v.flip(y, v.ixor(odd, v.sign(x)))
    far = v.compare_or_nan(">", a, trigonometric.LARGEST[name])
    return through_libm(v, "sin", [x], far, usual)


def cos(v: Lanes, x: ir.Value) -> ir.Value:
    """cos(x) = -(-1)**k sin(|x| - (2 k + 1) pi/2)."""
    name, magic = v.format.name, v.format.magic
    a = v.abs(x)
    shifted = v.add(v.fma(a, tables.ONE_OVER_PI[name][0], -0.5), magic)
    k = v.sub(shifted, magic)
    y = _wide_sine(v, a, v.fma(k, 2.0, 1.0))
    even = v.shl(v.iadd(v.bits(shifted), 1), v.format.bits - 1)
    far = v.compare_or_nan(">", a, trigonometric.LARGEST[name])
    return through_libm(v, "cos", [x], far, v.flip(y, even))
