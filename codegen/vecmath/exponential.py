"""exp by x = k log(2) + r and a polynomial in r.

The quotient is rounded with an offset so that exp(r) lies in [3/4, 3/2], not around 1: then
neither r nor exp(r) - 1 reaches the binade where its rounding weighs most in the result. With
fma, x - k * fl(log(2)) is exact, and the rest of log(2) joins as a small term `w`.
"""

from dataclasses import dataclass

from llvmlite import ir

from codegen.vecmath import tables
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely

# log2(exp(r)) runs over [-1/2 - OFFSET, 1/2 - OFFSET], from 3/4 to 3/2, to the last bit: above,
# expm1 would be half of more than a half, less a half; below, one minus twice more than a quarter,
# and the rounding of what is scaled would be a whole ulp.
OFFSET = -0.08496250072115619
LARGEST = {"f64": 708.0, "f32": 87.0}
# Past every finite and nonzero result, and k / 2 is still the exponent of a normal number.
ABOVE_ALL = {"f64": 1100.0, "f32": 120.0}
EXP2_ABOVE_ALL = {"f64": 1100.0, "f32": 200.0}
EXP2_LARGEST = {"f64": 1021.0, "f32": 125.0}
EXPM1_LARGE = {"f64": 20.0, "f32": 10.0}
BELOW_MINUS_ONE = {"f64": -40.0, "f32": -20.0}


@dataclass(frozen=True)
class Reduced:
    """x = k log(2) + r, r = high - w rounded; `shift` holds k in its low bits."""

    k: ir.Value
    shift: ir.Value
    high: ir.Value
    w: ir.Value
    r: ir.Value


def reduce(v: Lanes, x: ir.Value, low: ir.Value | None = None) -> Reduced:
    """Split x + low = k log(2) + r."""
    log2_e = tables.LOG2_E[v.format.name][0]
    ln2_high, ln2_low = tables.LN2[v.format.name]
    shifted = v.add(v.fma(x, log2_e, v.rounded(OFFSET)), v.format.magic)
    k = v.sub(shifted, v.format.magic)
    high = v.fma(k, -ln2_high, x)
    w = v.mul(k, ln2_low)
    if low is not None:
        w = v.sub(w, low)
    return Reduced(k, v.bits(shifted), high, w, v.sub(high, w))


def tail(v: Lanes, p: Reduced) -> ir.Value:
    """exp(r) - 1 - high."""
    r2 = v.mul(p.r, p.r)
    q = v.polynomial(p.r, tables.EXP[v.format.name], r2)
    return v.fma(r2, q, v.neg(p.w))


def fine_tail(v: Lanes, p: Reduced) -> ir.Value:
    """exp(r) - 1 - high for results near zero: r**2 / 2 enters unrounded."""
    r2 = v.mul(p.r, p.r)
    q = v.polynomial(p.r, tables.EXPM1[v.format.name], r2)
    square = v.fma(v.mul(p.r, 0.5), p.r, v.neg(p.w))
    return v.fma(v.mul(r2, p.r), q, square)


def exp(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) = 2**k * (1 + high + tail(r)); results out of the normal range on a rare branch."""
    parts = reduce(v, x)
    fraction = v.add(v.add(parts.high, tail(v, parts)), 1.0)
    usual = v.times_power(fraction, parts.shift)
    edge = ABOVE_ALL[v.format.name]
    far = v.beyond(v.abs(x), LARGEST[v.format.name])
    return rarely(v, far, usual, lambda: two_steps(v, x, fraction, parts.k, edge))


def two_steps(v: Lanes, x: ir.Value, fraction: ir.Value, k: ir.Value, edge: float) -> ir.Value:
    """fraction * 2**k in two multiplications, so that overflow and underflow come out right.

    Beyond `edge` the result is infinity or zero whatever the fraction.
    """
    magic = v.format.magic
    half = v.sub(v.add(v.mul(k, 0.5), magic), magic)
    one = v.real(1.0)
    first = v.times_power(one, v.bits(v.add(half, magic)))
    second = v.times_power(one, v.bits(v.add(v.sub(k, half), magic)))
    y = v.mul(v.mul(fraction, first), second)
    y = v.select(v.compare(">", x, edge), float("inf"), y)
    y = v.select(v.compare("<", x, -edge), 0.0, y)
    return v.select(v.builder.fcmp_unordered("uno", x, x), x, y)


def expm1(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) - 1 = 2**k (high + tail) + (2**k - 1)."""
    floor = BELOW_MINUS_ONE[v.format.name]
    parts = reduce(v, v.select(v.compare("<", x, floor), floor, x))
    power = v.power_of_two(parts.shift)
    part = v.add(parts.high, fine_tail(v, parts))
    # 2**k - 1 is not exact from 2**54 on: there the one goes with the smaller summand.
    large = v.compare(">", x, EXPM1_LARGE[v.format.name])
    base = v.select(large, power, v.sub(power, 1.0))
    rest = v.fma(power, part, v.select(large, -1.0, 0.0))
    usual = v.signed_like(v.add(base, rest), x)
    far = v.compare_or_nan(">", x, LARGEST[v.format.name])

    def repair() -> ir.Value:
        edge = ABOVE_ALL[v.format.name]
        return v.select(far, two_steps(v, x, v.add(part, 1.0), parts.k, edge), usual)

    return rarely(v, far, usual, repair)


def _exp2_parts(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return 2**r = 1 + r log(2) + r**2 Q(r), k and its bits, r = x - k exact."""
    ln2_high, ln2_low = tables.LN2[v.format.name]
    shifted = v.add(x, v.format.magic)
    k = v.sub(shifted, v.format.magic)
    r = v.sub(x, k)
    r2 = v.mul(r, r)
    q = v.polynomial(r, tables.EXP2[v.format.name], r2)
    part = v.fma(r, ln2_high, v.fma(r2, q, v.mul(r, ln2_low)))
    return v.add(part, 1.0), k, v.bits(shifted)


def exp2(v: Lanes, x: ir.Value) -> ir.Value:
    """2**x = 2**k * 2**r."""
    fraction, k, shift = _exp2_parts(v, x)
    usual = v.times_power(fraction, shift)
    edge = EXP2_ABOVE_ALL[v.format.name]
    far = v.beyond(v.abs(x), EXP2_LARGEST[v.format.name])
    return rarely(v, far, usual, lambda: two_steps(v, x, fraction, k, edge))


def exp2_far(v: Lanes, x: ir.Value) -> ir.Value:
    """2**x, also beyond the normal range."""
    fraction, k, _ = _exp2_parts(v, x)
    return two_steps(v, x, fraction, k, EXP2_ABOVE_ALL[v.format.name])
