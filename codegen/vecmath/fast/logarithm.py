"""Logarithms and powers in the faster grade, by a table of 1 / c where registers can hold it.

x = 2**k (1 + r) / c, c from the leading bits: then r is exact and small, and log(x) is
k log(2) - log(c) + log(1 + r). Without the table, as in `logarithm` but for the second parts.
"""

from dataclasses import dataclass

from llvmlite import ir

from codegen.vecmath import exponential, logarithm, power, tables
from codegen.vecmath.fast.exponential import halves, part, sixteenths
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import through_libm

__all__ = ["acosh", "asinh", "atanh", "log", "log1p", "log2", "log10", "pow_", "split"]

# up to here squares are finite
SQUARED = {"f64": 2.0**500, "f32": 2.0**60}


@dataclass(frozen=True)
class Split:
    """x = 2**k (1 + r) / c; `exponent` is k moved up to an exponent's bits, `scaled` its value."""

    scaled: ir.Value
    index: ir.Value
    r: ir.Value
    c: ir.Value
    exponent: ir.Value


def split(v: Lanes, x: ir.Value) -> Split:
    """Take apart a positive normal x."""
    form = v.format
    factors = tables.LOG_FACTOR[form.name]
    start = form.encode(1.0) + int(tables.LOG_START[form.name] * 2**form.fraction)
    offset = v.isub(v.bits(x), start)
    exponent = v.iand(offset, form.sign_mask | form.exponent_mask)
    m = v.from_bits(v.isub(v.bits(x), exponent))
    index = v.lshr(offset, form.fraction + 1 - len(factors).bit_length())
    c = v.looked_up(factors, index)
    return Split(v.builder.sitofp(exponent, v.type), index, v.fma(m, c, -1.0), c, exponent)


def _base(v: Lanes, parts: Split, factor: float, column: tuple[float, ...]) -> ir.Value:
    """Return k factor + column[index]."""
    return v.fma(parts.scaled, factor * 2.0**-v.format.fraction, v.looked_up(column, parts.index))


def _looked_up(
    v: Lanes, parts: Split, factor: float, column: tuple[float, ...], *series: float
) -> ir.Value:
    """Return k factor + column[index] + r (series[0] + r (series[1] + ...))."""
    slope, *others = series
    r, r2 = parts.r, v.mul(parts.r, parts.r)
    base = _base(v, parts, factor, column)
    first = v.add(base, r) if slope == 1 else v.fma(r, slope, base)
    return v.fma(r2, v.polynomial(r, others, r2), first)


def _by_quotient(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return k and log(1 + f) = f - f**2/2 + s (f**2/2 + R), x = 2**k (1 + f)."""
    parts = logarithm.split(v, x)
    half_square, s, inner = logarithm.series(v, parts.f)
    return parts.k, v.fma(s, inner, v.sub(parts.f, half_square))


def log(v: Lanes, x: ir.Value) -> ir.Value:
    """log(x) = k log(2) - log(c) + log(1 + r)."""
    name = v.format.name
    high, low = tables.LN2[name]
    if v.lookups:
        series = 1.0, *tables.LOG_SECOND[name]
        usual = _looked_up(v, split(v, x), high, tables.LOG_E[name], *series)
    else:
        k, rest = _by_quotient(v, x)
        usual = v.fma(k, high, v.fma(k, low, rest))
    return through_libm(v, "log", [x], logarithm.flagged(v, x), usual)


def log2(v: Lanes, x: ir.Value) -> ir.Value:
    """log2(x) = k - log2(c) + log2(1 + r)."""
    name = v.format.name
    slope = tables.LOG2_E[name][0]
    if v.lookups:
        usual = _looked_up(
            v, split(v, x), 1.0, tables.LOG_2[name], slope, *tables.LOG2_SECOND[name]
        )
    else:
        k, rest = _by_quotient(v, x)
        usual = v.fma(rest, slope, k)
    return through_libm(v, "log2", [x], logarithm.flagged(v, x), usual)


def log10(v: Lanes, x: ir.Value) -> ir.Value:
    """log10(x) = k log10(2) - log10(c) + log10(1 + r)."""
    name = v.format.name
    slope = tables.LOG10_E[name][0]
    two = v.rounded(tables.LOG10_2_SHORT[name][0] + tables.LOG10_2_SHORT[name][1])
    if v.lookups:
        usual = _looked_up(
            v, split(v, x), two, tables.LOG_10[name], slope, *tables.LOG10_SECOND[name]
        )
    else:
        k, rest = _by_quotient(v, x)
        usual = v.fma(k, two, v.mul(rest, slope))
    return through_libm(v, "log10", [x], logarithm.flagged(v, x), usual)


def _of_one_plus(v: Lanes, a: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return log(1 + a) and flags of lanes where it fails; 1 + a is u + rest."""
    u, rest = v.two_sum(a, 1.0)
    return _of_sum(v, u, rest) if v.lookups else _of_sum_by_quotient(v, u, rest)


def _of_sum_by_quotient(v: Lanes, u: ir.Value, rest: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return log(u + rest), u = 2**k (1 + f) and the rest joins f, and flags where it fails."""
    name, form = v.format.name, v.format
    parts = logarithm.split(v, u)
    # 2**(1 - k), which is zero and not out of range for the largest u
    scale = v.from_bits(v.shl(v.isub(2 * form.bias + 1, parts.biased), form.fraction))
    f = v.fma(v.mul(rest, scale), 0.5, parts.f)
    half_square, s, inner = logarithm.series(v, f)
    high, low = tables.LN2[name]
    usual = v.fma(s, inner, v.sub(f, half_square))
    return v.fma(parts.k, high, v.fma(parts.k, low, usual)), logarithm.flagged(v, u)


def _of_sum(v: Lanes, u: ir.Value, rest: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return log(u + rest), u = 2**k (1 + r) / c and the rest joins r, and flags where it fails.

    Only here are arguments not exact, so that what is lost of log(c) counts.
    """
    form = v.format
    parts = split(v, u)
    scale = v.from_bits(v.isub(form.encode(1.0), parts.exponent))
    lost = v.looked_up(tables.LOG_E_LOW[form.name], parts.index)
    low = v.fma(v.mul(rest, scale), parts.c, lost)
    base = _base(v, parts, tables.LN2[form.name][0], tables.LOG_E[form.name])
    r = v.add(parts.r, low)
    r2 = v.mul(r, r)
    usual = v.fma(r2, v.polynomial(r, tables.LOG_SECOND[form.name], r2), v.add(base, r))
    # u is to be positive and normal, and 2**-k too
    least = 1 << form.fraction
    return usual, v.outside(u, least, form.encode(2.0 ** (form.bias - 1)) - 1)


def log1p(v: Lanes, x: ir.Value) -> ir.Value:
    """log(1 + x)."""
    usual, failed = _of_one_plus(v, x)
    return through_libm(v, "log1p", [x], failed, v.signed_like(usual, x))


def asinh(v: Lanes, x: ir.Value) -> ir.Value:
    """asinh(|x|) = log(1 + |x| + x**2 / (1 + sqrt(1 + x**2)))."""
    a = v.abs(x)
    square = v.mul(a, a)
    t = v.add(a, v.div(square, v.add(v.sqrt(v.add(square, 1.0)), 1.0)))
    usual, failed = _of_one_plus(v, t)
    failed = v.ior(failed, v.beyond(a, SQUARED[v.format.name]))
    return through_libm(v, "asinh", [x], failed, v.flip(usual, v.sign(x)))


def acosh(v: Lanes, x: ir.Value) -> ir.Value:
    """acosh(x) = log(1 + t + sqrt(t**2 + 2 t)), t = x - 1."""
    t = v.sub(x, 1.0)
    usual, failed = _of_one_plus(v, v.add(t, v.sqrt(v.fma(t, t, v.add(t, t)))))
    ends = (v.format.encode(end) for end in (1.0, SQUARED[v.format.name]))
    return through_libm(v, "acosh", [x], v.ior(failed, v.outside(x, *ends)), usual)


def atanh(v: Lanes, x: ir.Value) -> ir.Value:
    """atanh(|x|) = log(1 + 2|x| / (1 - |x|)) / 2."""
    a = v.abs(x)
    usual, failed = _of_one_plus(v, v.div(v.add(a, a), v.sub(1.0, a)))
    return through_libm(v, "atanh", [x], failed, v.flip(v.mul(usual, 0.5), v.sign(x)))


def _log_sum(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value | None]:
    """Return log(x) as a sum of two, and in float64 about its value, which is there sooner.

    The first part is base + r, in float64 also - r**2/2, and the second all that this leaves:
    |r| < 1/52 in float32 and its square is below what can be seen after 8 more bits than 24.
    """
    name = v.format.name
    parts = split(v, x)
    r = parts.r
    ln2_high, ln2_low = tables.LN2_SHORT[name]
    base = _base(v, parts, ln2_high, tables.LOG_HIGH[name])
    base_low = _base(v, parts, ln2_low, tables.LOG_LOW[name])
    first, rest = v.fast_two_sum(base, r)
    low = v.add(base_low, rest)
    if name == "f32":
        r2 = v.mul(r, r)
        series = v.polynomial(r, (-0.5, *tables.LOG_THIRD[name]), r2)
        return first, v.fma(r2, series, low), None
    # the series goes up in q = -r**2/2, so that a coefficient is multiplied by powers of -2
    q = v.mul(r, v.mul(r, -0.5))
    q_low = v.fma(r, v.mul(r, -0.5), v.neg(q))
    high, more = v.fast_two_sum(first, q)
    cube = v.mul(r, q)
    terms = [c * (-2.0) ** (i // 2 + 1) for i, c in enumerate(tables.LOG_THIRD[name])]
    total = v.polynomial(r, terms, q)
    low = v.add(low, v.add(q_low, more))
    return high, v.fma(cube, total, low), v.fma(cube, terms[0], high)


def pow_(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """x**y = exp(y log(x))."""
    if v.lookups:
        return _pow_by_table(v, x, y)
    return _pow(v, x, y) if v.format.name == "f64" else _pow_in_doubles(v, x, y)


def _pow(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """Return the power with the logarithm of the finer grade, less what is not seen in 4 ulp."""
    log, log_low = power.log_sum(v, x, exactly=False)
    high, low = v.two_product(y, log)
    _, shift, rest = halves(v, high, v.fma(y, log_low, low))
    usual = v.times_power(v.add(rest, 1.0), shift)
    far = v.beyond(v.abs(high), exponential.LARGEST[v.format.name])
    return through_libm(v, "pow", [x, y], v.ior(far, logarithm.flagged(v, x)), usual)


def _pow_in_doubles(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """2**(y log2(x)), whose steps need no second parts in float64; f32's own series do for both."""
    kind = ir.VectorType(ir.DoubleType(), v.count)
    exponent = v.builder.fpext(y, kind)
    w = Lanes(v.builder, exponent)
    parts = logarithm.split(w, v.builder.fpext(x, kind))
    s = w.div(parts.f, w.add(parts.f, 2.0))
    z = w.mul(s, s)
    series = w.polynomial(z, (1.0, tables.THIRD["f64"][0], *tables.ATANH["f32"]), w.mul(z, z))
    t = w.mul(exponent, w.fma(w.mul(s, 2 * tables.LOG2_E["f64"][0]), series, parts.k))
    shifted = w.add(t, w.format.magic)
    r = w.sub(t, w.sub(shifted, w.format.magic))
    fraction = w.fma(r, w.polynomial(r, tables.EXP2_NEAR["f32"], w.mul(r, r)), 1.0)
    usual = v.builder.fptrunc(w.times_power(fraction, w.bits(shifted)), v.type)
    far = v.beyond(v.abs(v.builder.fptrunc(t, v.type)), exponential.EXP2_LARGEST["f32"])
    return through_libm(v, "pow", [x, y], v.ior(far, logarithm.flagged(v, x)), usual)


def _pow_by_table(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """Return the power with logarithms of factors and sixteenths of exponents looked up."""
    name = v.format.name
    high, low, soon = _log_sum(v, x)
    ln2_high, ln2_low = tables.LN2[name]
    z = v.mul(y, high)
    z_low = v.fma(y, low, v.fma(y, high, v.neg(z)))
    if soon is None:
        z, z_low = v.fast_two_sum(z, z_low)
        shifted = v.fma(z, 16 * tables.LOG2_E[name][0], v.format.magic)
    else:
        shifted = v.fma(v.mul(y, 16 * tables.LOG2_E[name][0]), soon, v.format.magic)
    n = v.sub(shifted, v.format.magic)
    r = v.add(v.fma(n, -ln2_high / 16, z), v.fma(n, -ln2_low / 16, z_low))
    usual = sixteenths(v, v.bits(shifted), part(v, r, tables.EXP_POWER[name]))
    most = v.rounded(16 * tables.LOG2_E[name][0] * exponential.LARGEST[name])
    far = v.beyond(v.abs(n), most)
    failed = v.ior(far, logarithm.flagged(v, x))
    return through_libm(v, "pow", [x, y], failed, usual)
