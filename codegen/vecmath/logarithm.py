"""log by x = 2**k * m, m in [sqrt(1/2), sqrt(2)), and the series of s = f / (2 + f), f = m - 1.

log(1 + f) = f - f**2/2 + s * (f**2/2 + R(s**2)), as in fdlibm's e_log.c; k log(2) + f is summed
with its remainder, so that the only rounding of weight is the last one.
"""

from dataclasses import dataclass

from llvmlite import ir

from codegen.vecmath import tables
from codegen.vecmath.lanes import Lanes, Sum
from codegen.vecmath.rare import through_libm

SQRT_HALF = {"f64": 0x3FE6A09E667F3BCD, "f32": 0x3F3504F3}


@dataclass(frozen=True)
class Split:
    """x = 2**k * (1 + f); `biased` is the integer k + bias."""

    biased: ir.Value
    k: ir.Value
    f: ir.Value


def split(v: Lanes, x: ir.Value) -> Split:
    """Take apart a positive normal x."""
    form = v.format
    one = form.encode(1.0)
    offset = v.iadd(v.bits(x), one - SQRT_HALF[form.name])
    unit = form.encode(2.0**form.fraction)
    biased = v.lshr(offset, form.fraction)
    k = v.sub(v.from_bits(v.ior(biased, unit)), 2.0**form.fraction + form.bias)
    mantissa = v.iand(offset, (1 << form.fraction) - 1)
    m = v.from_bits(v.iadd(mantissa, SQRT_HALF[form.name]))
    return Split(biased, k, v.sub(m, 1.0))


def series(v: Lanes, f: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return f**2/2, s and f**2/2 + R(s**2): log(1 + f) is f - the first + the product."""
    s = v.div(f, v.add(f, 2.0))
    z = v.mul(s, s)
    half_square = v.mul(v.mul(f, 0.5), f)
    terms = v.polynomial(z, tables.LOG[v.format.name], v.mul(z, z))
    return half_square, s, v.fma(z, terms, half_square)


def tail(v: Lanes, f: ir.Value) -> ir.Value:
    """log(1 + f) - f."""
    half_square, s, inner = series(v, f)
    return v.fma(s, inner, v.neg(half_square))


def abnormal(v: Lanes, x: ir.Value) -> ir.Value:
    """Mask the lanes that are not positive, normal and finite, in one unsigned comparison."""
    least = 1 << v.format.fraction
    shifted = v.isub(v.bits(x), least)
    return v.builder.icmp_unsigned(">=", shifted, v.word(v.format.exponent_mask - least))


def flagged(v: Lanes, x: ir.Value) -> ir.Value:
    """Flag those lanes, for where other flags join them."""
    return v.outside(x, 1 << v.format.fraction, v.format.exponent_mask - 1)


def log(v: Lanes, x: ir.Value) -> ir.Value:
    """log(x) = k log(2) + f + tail(f)."""
    parts = split(v, x)
    ln2_high, ln2_low = tables.LN2_SHORT[v.format.name]
    high, low = v.fast_two_sum(v.mul(parts.k, ln2_high), parts.f)
    rest = v.fma(parts.k, ln2_low, tail(v, parts.f))
    usual = v.add(high, v.add(low, rest))
    return through_libm(v, "log", [x], abnormal(v, x), usual)


def log_of_one_plus(
    v: Lanes, a: ir.Value, low: ir.Value | None, doubled: ir.Value | None = None
) -> Sum:
    """Return log(1 + a + low) and the mask of lanes where it fails.

    1 + a becomes u + rest, u = 2**k (1 + f), and rest joins f. Where `doubled` is set, log(2) is
    added.
    """
    u, rest = v.two_sum(a, 1.0)
    if low is not None:
        rest = v.add(rest, low)
    parts = split(v, u)
    k = parts.k
    # 2**(1 - k), which is zero and not out of range for the largest u.
    scale = v.shl(v.isub(2 * v.format.bias + 1, parts.biased), v.format.fraction)
    f, f_low = v.fast_two_sum(parts.f, v.mul(v.mul(rest, v.from_bits(scale)), 0.5))
    if doubled is not None:
        k = v.select(doubled, v.add(k, 1.0), k)
    ln2_high, ln2_low = tables.LN2_SHORT[v.format.name]
    high, remainder = v.fast_two_sum(v.mul(k, ln2_high), f)
    small = v.fma(k, ln2_low, tail(v, f))
    small = v.add(small, v.fma(v.neg(f), f_low, f_low))
    return v.add(high, v.add(remainder, small)), flagged(v, u)


def log1p(v: Lanes, x: ir.Value) -> ir.Value:
    """log(1 + x), 1 + x taken as a sum of two."""
    usual, failed = log_of_one_plus(v, x, None)
    return through_libm(v, "log1p", [x], failed, v.signed_like(usual, x))


def scaled(v: Lanes, f: ir.Value, scale: tuple[float, ...]) -> Sum:
    """Return log(1 + f) * (scale[0] + scale[1]) as a sum of two."""
    half_square, s, inner = series(v, f)
    half_low = v.fma(v.mul(f, 0.5), f, v.neg(half_square))
    high, low = v.fast_two_sum(f, v.neg(half_square))
    small = v.fma(s, inner, v.sub(low, half_low))
    product, rest = v.two_product(high, scale[0])
    return product, v.fma(small, scale[0], v.fma(high, scale[1], rest))


def log2(v: Lanes, x: ir.Value) -> ir.Value:
    """log2(x) = k + log(1 + f) / log(2)."""
    parts = split(v, x)
    product, rest = scaled(v, parts.f, tables.LOG2_E[v.format.name])
    high, low = v.fast_two_sum(parts.k, product)
    usual = v.add(high, v.add(low, rest))
    return through_libm(v, "log2", [x], abnormal(v, x), usual)


def log10(v: Lanes, x: ir.Value) -> ir.Value:
    """log10(x) = k log10(2) + log(1 + f) / log(10)."""
    parts = split(v, x)
    product, rest = scaled(v, parts.f, tables.LOG10_E[v.format.name])
    two_high, two_low = tables.LOG10_2_SHORT[v.format.name]
    high, low = v.fast_two_sum(v.mul(parts.k, two_high), product)
    usual = v.add(high, v.add(low, v.fma(parts.k, two_low, rest)))
    return through_libm(v, "log10", [x], abnormal(v, x), usual)
