"""asin, acos, atan and atan2: one odd polynomial each, the rest of pi/2 as a sum of two."""

from typing import Any

from llvmlite import ir

from codegen.vecmath import tables
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import through_libm

# den within [2**low, 2**high], and num/den zero or above 2**least: no underflow in a remainder.
SAFE = {"f64": (-50, 1000, -900), "f32": (-20, 100, -80)}


def _summed(v: Lanes, base: ir.Value, m: ir.Value, relative: ir.Value, low: ir.Value) -> ir.Value:
    """base + m (1 + relative) + low, where base is a multiple of pi/2 without its low part."""
    first, second = tables.HALF_PI_PAIR[v.format.name]
    high, rest = v.fast_two_sum(base, m)
    small = v.fma(base, v.rounded(second / first), v.add(rest, low))
    return v.add(high, v.fma(m, relative, small))


def _asin_parts(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value, ir.Value]:
    """Return the mask |x| > 1/2, b, its low part and z R(z): asin(b) = b + b z R(z).

    b is |x|, or sqrt((1 - |x|)/2) where the mask is set; z = b**2.
    """
    a = v.abs(x)
    large = v.compare(">", a, 0.5)
    half = v.fma(a, -0.5, 0.5)
    s, s_low = v.root(half, None)
    z = v.select(large, half, v.mul(a, a))
    series = v.mul(z, v.polynomial(z, tables.ASIN[v.format.name], v.mul(z, z)))
    return large, v.select(large, s, a), v.select(large, s_low, 0.0), series


def asin(v: Lanes, x: ir.Value) -> ir.Value:
    """asin(|x|) = pi/2 - 2 asin(sqrt((1 - |x|)/2)) above 1/2."""
    large, b, low, series = _asin_parts(v, x)
    factor = v.select(large, -2.0, 1.0)
    base = v.select(large, tables.HALF_PI_PAIR[v.format.name][0], 0.0)
    y = _summed(v, base, v.mul(factor, b), series, v.mul(factor, low))
    return v.flip(y, v.sign(x))


def acos(v: Lanes, x: ir.Value) -> ir.Value:
    """acos(x) = pi/2 - asin(x), near 1 and -1 by 2 asin(sqrt((1 - |x|)/2))."""
    large, b, low, series = _asin_parts(v, x)
    half_pi = tables.HALF_PI_PAIR[v.format.name][0]
    factor = v.flip(v.select(large, 2.0, -1.0), v.sign(x))
    outer = v.select(v.compare("<", x, 0.0), 2 * half_pi, 0.0)
    base = v.select(large, outer, half_pi)
    return _summed(v, base, v.mul(factor, b), series, v.mul(factor, low))


def angle_of(v: Lanes, y: ir.Value, x: ir.Value, left: ir.Value | None) -> tuple[Any, ...]:
    """Return the angle of (x, y), x, y >= 0, from the y axis' other side where `left` is set.

    The smaller by the larger is n / d; above 1/2 it becomes (n - d) / (n + d), pi/4 away: |t| is
    at most 1/2. Also returns n, d and t.
    """
    first = tables.HALF_PI_PAIR[v.format.name][0]
    steep = v.compare(">", y, x)
    n, d = v.select(steep, x, y), v.select(steep, y, x)
    middle = v.compare(">", n, v.mul(d, 0.5))
    both, both_low = v.fast_two_sum(d, n)
    top = v.select(middle, v.sub(n, d), n), v.real(0.0)
    bottom = v.select(middle, both, d), v.select(middle, both_low, 0.0)
    t, t_low = v.quotient(top, bottom)
    z = v.mul(t, t)
    series = v.mul(z, v.polynomial(z, tables.ATAN[v.format.name], v.mul(z, z)))
    t_low = v.fma(v.neg(z), t_low, t_low)  # the slope is 1 / (1 + t**2)
    if left is None:
        base = v.select(middle, first / 2, v.select(steep, first, 0.0))
        turned = steep
    else:
        axis = v.select(steep, first, v.select(left, 2 * first, 0.0))
        far = v.rounded(1.5 * first)
        diagonal = v.select(left, far, first / 2)
        base = v.select(middle, diagonal, axis)
        turned = v.builder.xor(steep, left)
    t_signed = v.select(turned, v.neg(t), t)
    low_signed = v.select(turned, v.neg(t_low), t_low)
    if left is not None and far != 1.5 * first:  # f32: 3 pi/4 has one bit too many
        lost = v.select(v.builder.and_(left, middle), v.rounded(1.5 * first - far), 0.0)
        low_signed = v.add(low_signed, lost)
    return _summed(v, base, t_signed, series, low_signed), n, d, t


def atan(v: Lanes, x: ir.Value) -> ir.Value:
    """atan(x), the angle of (1, |x|) with the sign of x."""
    a = v.capped(v.abs(x), 2.0**64)
    angle, *_ = angle_of(v, a, v.real(1.0), None)
    return v.flip(angle, v.sign(x))


def atan2(v: Lanes, y: ir.Value, x: ir.Value) -> ir.Value:
    """Return the angle of (x, y)."""
    left = v.builder.icmp_signed("<", v.bits(x), v.word(0))
    angle, n, d, t = angle_of(v, v.abs(y), v.abs(x), left)
    low, high, least = (2.0**power for power in SAFE[v.format.name])
    failed = v.builder.or_(v.compare_or_nan("<", d, low), v.compare_or_nan(">", d, high))
    tiny = v.builder.and_(v.compare("<", v.abs(t), least), v.compare(">", n, 0.0))
    failed = v.builder.or_(failed, v.builder.or_(tiny, v.builder.fcmp_unordered("uno", n, n)))
    return through_libm(v, "atan2", [y, x], failed, v.flip(angle, v.sign(y)))
