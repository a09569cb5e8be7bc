"""Logarithms and powers in the faster grade, by a table of 1 / c where registers can hold it.

x = 2**k (1 + r) / c, c from the leading bits: then r is exact and small, and log(x) is
k log(2) - log(c) + log(1 + r). Without the table, as in `logarithm` but for the second parts.
"""

from dataclasses import dataclass

from llvmlite import ir

from codegen.vecmath import exponential, logarithm, power, tables
from codegen.vecmath.columns import LOG_START
from codegen.vecmath.fast.exponential import sixteenths
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import through_libm

__all__ = ["log", "log2", "log10", "pow_"]


@dataclass(frozen=True)
class _Split:
    """x = 2**k (1 + r) / c; `scaled` is k in units of a number's last bit below two."""

    scaled: ir.Value
    index: ir.Value
    r: ir.Value


def _split(v: Lanes, x: ir.Value) -> _Split:
    """Take apart a positive normal x."""
    form = v.format
    factors = tables.LOG_FACTOR[form.name]
    start = form.encode(1.0) + int(LOG_START[form.name] * 2**form.fraction)
    offset = v.isub(v.bits(x), start)
    exponent = v.iand(offset, form.sign_mask | form.exponent_mask)
    m = v.from_bits(v.isub(v.bits(x), exponent))
    index = v.lshr(offset, form.fraction + 1 - len(factors).bit_length())
    r = v.fma(m, v.looked_up(factors, index), -1.0)
    return _Split(v.builder.sitofp(exponent, v.type), index, r)


def _unscaled(v: Lanes, factor: float) -> float:
    """Return what `scaled` is to be multiplied by instead of k by a factor."""
    return factor * 2.0**-v.format.fraction


def _looked_up(
    v: Lanes, x: ir.Value, factor: float, column: tuple[float, ...], *series: float
) -> ir.Value:
    """Return k factor + column[index] + r (series[0] + r (series[1] + ...))."""
    parts = _split(v, x)
    slope, *others = series
    r, r2 = parts.r, v.mul(parts.r, parts.r)
    base = v.fma(parts.scaled, _unscaled(v, factor), v.looked_up(column, parts.index))
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
        usual = _looked_up(v, x, high, tables.LOG_E[name], 1.0, *tables.LOG_SECOND[name])
    else:
        k, part = _by_quotient(v, x)
        usual = v.fma(k, high, v.fma(k, low, part))
    return through_libm(v, "log", [x], logarithm.abnormal(v, x), usual)


def log2(v: Lanes, x: ir.Value) -> ir.Value:
    """log2(x) = k - log2(c) + log2(1 + r)."""
    name = v.format.name
    slope = tables.LOG2_E[name][0]
    if v.lookups:
        usual = _looked_up(v, x, 1.0, tables.LOG_2[name], slope, *tables.LOG2_SECOND[name])
    else:
        k, part = _by_quotient(v, x)
        usual = v.fma(part, slope, k)
    return through_libm(v, "log2", [x], logarithm.abnormal(v, x), usual)


def log10(v: Lanes, x: ir.Value) -> ir.Value:
    """log10(x) = k log10(2) - log10(c) + log10(1 + r)."""
    name = v.format.name
    slope = tables.LOG10_E[name][0]
    two = v.rounded(tables.LOG10_2_SHORT[name][0] + tables.LOG10_2_SHORT[name][1])
    if v.lookups:
        usual = _looked_up(v, x, two, tables.LOG_10[name], slope, *tables.LOG10_SECOND[name])
    else:
        k, part = _by_quotient(v, x)
        usual = v.fma(k, two, v.mul(part, slope))
    return through_libm(v, "log10", [x], logarithm.abnormal(v, x), usual)


def _log_sum(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return log(x) as a sum of two, and about its value, which is there sooner.

    The first part is base + r, in float64 also - r**2/2, and the second all that this leaves:
    |r| < 1/52 in float32 and its square is below what can be seen after 8 more bits than 24.
    """
    name = v.format.name
    parts = _split(v, x)
    r = parts.r
    ln2_high, ln2_low = (_unscaled(v, part) for part in tables.LN2_SHORT[name])
    base = v.fma(parts.scaled, ln2_high, v.looked_up(tables.LOG_HIGH[name], parts.index))
    base_low = v.fma(parts.scaled, ln2_low, v.looked_up(tables.LOG_LOW[name], parts.index))
    first, rest = v.fast_two_sum(base, r)
    low = v.add(base_low, rest)
    if name == "f32":
        r2 = v.mul(r, r)
        series = v.polynomial(r, (-0.5, *tables.LOG_THIRD[name]), r2)
        low = v.fma(r2, series, low)
        return first, low, v.add(first, low)
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
    """x**y = exp(y log(x)), exp by sixteenths; without lookups as in the finer grade."""
    if not v.lookups:
        return power.pow_(v, x, y)
    name = v.format.name
    high, low, soon = _log_sum(v, x)
    ln2_high, ln2_low = tables.LN2[name]
    shifted = v.fma(v.mul(y, 16 * tables.LOG2_E[name][0]), soon, v.format.magic)
    n = v.sub(shifted, v.format.magic)
    z = v.mul(y, high)
    z_low = v.fma(y, low, v.fma(y, high, v.neg(z)))
    r = v.add(v.fma(n, -ln2_high / 16, z), v.fma(n, -ln2_low / 16, z_low))
    r2 = v.mul(r, r)
    part = v.fma(r2, v.polynomial(r, tables.EXP_POWER[name], r2), r)
    usual = sixteenths(v, v.bits(shifted), part)
    most = v.rounded(16 * tables.LOG2_E[name][0] * exponential.LARGEST[name])
    far = v.compare_or_nan(">", v.abs(n), most)
    failed = v.builder.or_(far, logarithm.abnormal(v, x))
    return through_libm(v, "pow", [x, y], failed, usual)
