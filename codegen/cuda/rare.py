"""Rare arguments in float64, within 1 ulp too: huge angles, powers at the ends of the range.

On CPUs these go to the C library; NVIDIA's is up to 2 ulp off there. Only special values are left
to it: infinities, zeros, NaN.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from codegen.vecmath import exponential, tables
from codegen.vecmath.inverse import angle_of
from codegen.vecmath.power import log_sum
from codegen.vecmath.trigonometric import Reduced, by_quadrant, cosine, sine, tangent

__all__ = ["HUGE", "RARE", "TWO_OVER_PI"]

# fmt: off
TWO_OVER_PI: Final = np.array([
    0x0000000000000000, 0xA2F9836E4E441529, 0xFC2757D1F534DDC0, 0xDB6295993C439041,
    0xFE5163ABDEBBC561, 0xB7246E3A424DD2E0, 0x06492EEA09D1921C, 0xFE1DEB1CB129A73E,
    0xE88235F52EBB4484, 0xE99C7026B45F7E41, 0x3991D639835339F4, 0x9C845F8BBDF9283B,
    0x1FF897FFDE05980F, 0xEF2F118B5A0A6D1F, 0x6D367ECF27CB09B7, 0x4F463F669E5FEA2D,
    0x7527BAC7EBE5F17B, 0x3D0739F78A5292EA, 0x6BFB5FB11F8D5D08, 0x56033046FC7B6BAB,
], np.uint64)
# fmt: on
"""The bits of 2/pi behind 64 zeros, the first one first."""

_HALF_PI: Final = tables.HALF_PI_PAIR["f64"]


def _upper(low: str, high: str) -> str:
    """Write the upper 64 bits of the 53 of m, times a word."""
    return f"""\
    {high} = {low} >> U(32)
    {low} = {low} & U(0xFFFFFFFF)
    first = right * {low}
    middle = left * {low} + (first >> U(32))
    last = right * {high} + (middle & U(0xFFFFFFFF))
    {high} = left * {high} + (middle >> U(32)) + (last >> U(32))
"""


def _summed() -> str:
    """Write the sum of six pieces of 32 bits as high and low."""
    lines = []
    parts = ">> U(32)", "& U(0xFFFFFFFF)"
    halves = [f"{word} {part}" for word in ("f0", "f1", "f2") for part in parts]
    for number, piece in enumerate(halves):
        power = f"F({2.0 ** (-30 - 32 * number)!r})"
        lines.append(f"    piece = mul(F({piece}), {power})")
        lines.append("    total = high + piece")
        lines.append("    low = low + ((high - total) + piece)")
        lines.append("    high = total")
    return "\n".join(lines)


HUGE: Final = f"""\
def huge(a):
    word = U(bits(a))
    m = (word & U(0xFFFFFFFFFFFFF)) | U(0x10000000000000)
    left, right = m >> U(32), m & U(0xFFFFFFFF)
    place = int64(word >> U(52)) - int64(1013)
    at = place >> int64(6)
    shift = U(place & int64(63))
    back = U(63) - shift
    w0 = (TWO_OVER_PI[at] << shift) | ((TWO_OVER_PI[at + 1] >> U(1)) >> back)
    w1 = (TWO_OVER_PI[at + 1] << shift) | ((TWO_OVER_PI[at + 2] >> U(1)) >> back)
    w2 = (TWO_OVER_PI[at + 2] << shift) | ((TWO_OVER_PI[at + 3] >> U(1)) >> back)
    f2 = m * w2
    f1 = m * w1
    f0 = m * w0
{_upper("w2", "h2")}{_upper("w1", "h1")}\
    f1 = f1 + h2
    f0 = f0 + h1 + U(f1 < h2)
    quadrant = (f0 + U(0x2000000000000000)) >> U(62)
    f0 = f0 - (quadrant << U(62))
    below = (f0 >> U(63)) != U(0)
    if below:
        f2 = ~f2 + U(1)
        f1 = ~f1 + U(f2 == U(0))
        f0 = ~f0 + U(both(f2 == U(0), f1 == U(0)))
    high = F(0.0)
    low = F(0.0)
{_summed()}
    unit = F({_HALF_PI[0]!r})
    product = mul(high, unit)
    low = fma(high, unit, -product) + (mul(high, F({_HALF_PI[1]!r})) + mul(low, unit))
    product = product + (a - a)
    return I(quadrant), select(below, -product, product), select(below, -low, low)
"""
"""`huge(a)`: k modulo 4, and high + low = a - k pi/2, of a from some millions on; Payne and Hanek.

The 53 bits of a number times those 192 bits of 2/pi that tell the remainder modulo 4, as fixed
point: of all doubles, none is so near to a multiple of pi/2 that fewer than 75 good bits are left.
"""


def _reduced(v: Any, x: Any) -> Reduced:
    parts = v.write(f"huge({v.abs(x)})")
    quadrant, high, low = (v.write(f"{parts}[{k}]") for k in range(3))
    return Reduced(quadrant, high, low, v.mul(high, high), None)


def _sin(v: Any, x: Any) -> Any:
    r = _reduced(v, x)
    return by_quadrant(v, r.quadrant, sine(v, r), cosine(v, r), v.sign(x))


def _cos(v: Any, x: Any) -> Any:
    r = _reduced(v, x)
    return by_quadrant(v, v.iadd(r.quadrant, 1), sine(v, r), cosine(v, r), None)


def _tan(v: Any, x: Any) -> Any:
    return v.flip(tangent(v, _reduced(v, x)), v.sign(x))


def _finite(v: Any, *sizes: Any) -> Any:
    """Tell whether all numbers are positive and finite."""
    found: Any = None
    for size in sizes:
        plain = v.builder.and_(v.compare(">", size, 0.0), v.compare("<", size, float("inf")))
        found = plain if found is None else v.builder.and_(found, plain)
    return found


def _pow(v: Any, x: Any, y: Any) -> Any:
    """|x|**y of any size, x subnormal too: 2**k in two steps; the sign is the caller's."""
    size = v.abs(x)
    tiny = v.compare("<", size, 2.0**-1022)
    lifted = v.select(tiny, v.mul(size, 2.0**54), size)
    log, log_low = log_sum(v, lifted, less=v.select(tiny, 54.0, 0.0))
    high, low = v.two_product(y, log)
    low = v.fma(y, log_low, low)
    parts = exponential.reduce(v, high, low)
    fraction = v.add(v.add(parts.high, exponential.fine_tail(v, parts)), 1.0)
    usual = exponential.two_steps(v, high, fraction, parts.k, exponential.ABOVE_ALL["f64"])
    plain = v.builder.and_(_finite(v, size), v.compare("<", v.abs(y), float("inf")))
    special = v.builder.not_(plain)
    return v.rarely(special, usual, lambda: v.write(f"libm_pow({size}, {y})"))


def _atan2(v: Any, y: Any, x: Any) -> Any:
    """The angle of (x, y), both scaled; of extreme ratios it is the ratio, or on an axis."""
    ay, ax = v.abs(y), v.abs(x)
    left = v.builder.icmp_signed("<", v.bits(x), v.word(0))
    steep = v.compare(">", ay, ax)
    n, d = v.select(steep, ax, ay), v.select(steep, ay, ax)
    small = v.select(v.compare("<", d, 2.0**-50), 2.0**600, 1.0)
    scale = v.select(v.compare(">", d, 2.0**500), 2.0**-600, small)
    angle = angle_of(v, v.mul(ay, scale), v.mul(ax, scale), left)[0]
    half = _HALF_PI[0]
    axis = v.select(steep, half, v.select(left, 2 * half, v.div(ay, ax)))
    flat = v.compare("<", n, v.mul(d, 2.0**-60))
    usual = v.flip(v.select(flat, axis, angle), v.sign(y))
    special = v.builder.not_(_finite(v, ay, ax))
    return v.rarely(special, usual, lambda: v.write(f"libm_atan2({y}, {x})"))


RARE: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {"sin": _sin, "cos": _cos, "tan": _tan, "pow": _pow, "atan2": _atan2}
)
"""What stands in for functions of the C library, in float64."""
