"""Inverse trigonometric functions of the faster grade: one division, no second part of a sum."""

from llvmlite import ir

from codegen.vecmath import tables
from codegen.vecmath.lanes import RECIPROCAL, Lanes
from codegen.vecmath.rare import through_libm

__all__ = ["acos", "asin", "atan", "atan2"]

# within these powers of two a denominator has a rough reciprocal, and products with it are normal
SAFE = {"f64": (-1000, 1000), "f32": (-100, 100)}
# Beyond, atan is pi/2.
LARGEST = 2.0**64


def _short(v: Lanes) -> bool:
    """Tell whether the angle is that of a point of a table, and of what a division leaves."""
    return v.lookups and v.format.name == "f64"


def _first_octant(v: Lanes, n: ir.Value, d: ir.Value) -> ir.Value:
    """Return the angle of (d, n), 0 <= n <= d."""
    name = v.format.name
    if not _short(v):
        q = v.div(n, d)
        z = v.mul(q, q)
        series = v.polynomial(z, tables.ATAN_WIDE[name], v.mul(z, z))
        return v.fma(v.mul(q, z), series, q)
    # the multiple of the step by a reciprocal within 5%; any will do that is near enough
    guess = v.from_bits(v.isub(RECIPROCAL[name], v.bits(d)))
    steps = v.fma(v.mul(n, guess), v.rounded(1 / tables.ATAN_STEP), v.format.magic)
    slope = v.mul(v.sub(steps, v.format.magic), tables.ATAN_STEP)
    t = v.div(v.fma(v.neg(slope), d, n), v.fma(slope, n, d))
    z = v.mul(t, t)
    series = v.polynomial(z, tables.ATAN_SHORT[name], v.mul(z, z))
    rest = v.fma(v.mul(t, z), series, t)
    return v.add(v.looked_up(tables.ATAN_POINTS[name], v.bits(steps)), rest)


def atan(v: Lanes, x: ir.Value) -> ir.Value:
    """atan(|x|) of the smaller of |x| and 1/|x|, in the sign of x."""
    a = v.capped(v.abs(x), LARGEST)
    steep = v.compare(">", a, 1.0)
    angle = _first_octant(v, v.select(steep, 1.0, a), v.select(steep, a, 1.0))
    half_pi = tables.HALF_PI_PAIR[v.format.name][0]
    return v.flip(v.select(steep, v.sub(half_pi, angle), angle), v.sign(x))


def _half_angle(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return the mask |x| > 1/2, and asin(b), b being sqrt((1 - |x|)/2) there, |x| elsewhere."""
    a = v.abs(x)
    large = v.compare(">", a, 0.5)
    half = v.fma(a, -0.5, 0.5)
    z = v.select(large, half, v.mul(a, a))
    b = v.select(large, v.sqrt(half), a)
    series = v.polynomial(z, tables.ASIN[v.format.name], v.mul(z, z))
    return large, v.fma(v.mul(b, z), series, b)


def asin(v: Lanes, x: ir.Value) -> ir.Value:
    """asin(|x|) = pi/2 - 2 asin(sqrt((1 - |x|)/2)) above 1/2."""
    large, angle = _half_angle(v, x)
    half_pi = tables.HALF_PI_PAIR[v.format.name][0]
    return v.flip(v.select(large, v.fma(angle, -2.0, half_pi), angle), v.sign(x))


def acos(v: Lanes, x: ir.Value) -> ir.Value:
    """acos(x) = pi/2 - asin(x), near 1 and -1 by 2 asin(sqrt((1 - |x|)/2))."""
    large, angle = _half_angle(v, x)
    half_pi = tables.HALF_PI_PAIR[v.format.name][0]
    signed = v.flip(angle, v.sign(x))
    left = v.select(v.compare("<", x, 0.0), 2 * half_pi, 0.0)
    return v.select(large, v.fma(signed, 2.0, left), v.sub(half_pi, signed))


def atan2(v: Lanes, y: ir.Value, x: ir.Value) -> ir.Value:
    """Return the angle of (x, y), by that of the smaller part over the larger."""
    half_pi = tables.HALF_PI_PAIR[v.format.name][0]
    ax, ay = v.abs(x), v.abs(y)
    steep = v.compare(">", ay, ax)
    n, d = v.select(steep, ax, ay), v.select(steep, ay, ax)
    angle = _first_octant(v, n, d)
    left = v.builder.icmp_signed("<", v.bits(x), v.word(0))
    base = v.select(steep, half_pi, v.select(left, 2 * half_pi, 0.0))
    turned = v.builder.xor(steep, left)
    angle = v.add(base, v.select(turned, v.neg(angle), angle))
    usual = v.signed_like(angle, y)
    if _short(v):
        failed = v.outside(d, *(v.format.encode(2.0**power) for power in SAFE[v.format.name]))
    else:
        failed = v.builder.fcmp_unordered("uno", angle, angle)
    return through_libm(v, "atan2", [y, x], failed, usual)
