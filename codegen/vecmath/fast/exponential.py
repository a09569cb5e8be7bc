"""exp and what is made of it in the faster grade, by sixteenths of the exponent.

x = n log(2)/16 + r where 2**(j/16) can be looked up in registers, else x = k log(2) + r.
"""

from collections.abc import Sequence

from llvmlite import ir

from codegen.vecmath import exponential, hyperbolic, tables
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely, through_libm

__all__ = [
    "cosh",
    "exp",
    "exp2",
    "expm1",
    "halves",
    "part",
    "reduced",
    "sinh",
    "sixteenths",
    "tanh",
]


def halves(
    v: Lanes, x: ir.Value, low: ir.Value | None = None
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Return k, its bits, and exp(r) - 1, where x + low = k log(2) + r."""
    name = v.format.name
    ln2_high, ln2_low = tables.LN2[name]
    shifted = v.fma(x, tables.LOG2_E[name][0], v.format.magic)
    k = v.sub(shifted, v.format.magic)
    r = v.fma(k, -ln2_high, x)
    r = v.fma(k, -ln2_low, r if low is None else v.add(r, low))
    r2 = v.mul(r, r)
    return k, v.bits(shifted), v.fma(r2, v.polynomial(r, tables.EXP_MIDDLE[name], r2), r)


def reduced(v: Lanes, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Return the bits of n, and r, where x = n log(2)/16 + r."""
    name = v.format.name
    ln2_high, ln2_low = tables.LN2[name]
    shifted = v.fma(x, 16 * tables.LOG2_E[name][0], v.format.magic)
    n = v.sub(shifted, v.format.magic)
    return v.bits(shifted), v.fma(n, -ln2_low / 16, v.fma(n, -ln2_high / 16, x))


def part(v: Lanes, r: ir.Value, coefficients: Sequence[float] | None = None) -> ir.Value:
    """exp(r) - 1 = r + r**2 P(r) for what `reduced` leaves."""
    r2 = v.mul(r, r)
    series = v.polynomial(r, coefficients or tables.EXP_SIXTEENTH[v.format.name], r2)
    return v.fma(r2, series, r)


def sixteenths(v: Lanes, n: ir.Value, rest: ir.Value) -> ir.Value:
    """2**(n/16) (1 + rest) from the low bits of n; the result must be normal.

    The table has 2**(j/16) less the j that n, moved up to the exponent, brings with it.
    """
    base = v.bits(v.looked_up(tables.EXP_POWERS[v.format.name], n))
    power = v.from_bits(v.iadd(base, v.shl(n, v.format.fraction - 4)))
    return v.fma(power, rest, power)


def _usual(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) in the normal range."""
    if not v.lookups:
        _, shift, rest = halves(v, x)
        return v.times_power(v.add(rest, 1.0), shift)
    n, r = reduced(v, x)
    return sixteenths(v, n, part(v, r))


def _with_ends(v: Lanes, x: ir.Value, far: ir.Value, usual: ir.Value) -> ir.Value:
    """Replace the lanes that `far` flags by an exp(x) that is right beyond the normal range."""

    def repair() -> ir.Value:
        k, _, rest = halves(v, x)
        edge = exponential.ABOVE_ALL[v.format.name]
        beyond = exponential.two_steps(v, x, v.add(rest, 1.0), k, edge)
        return v.select(v.marked(far), beyond, usual)

    return rarely(v, far, usual, repair)


def exp(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) = 2**(n/16) exp(r)."""
    far = v.beyond(v.abs(x), exponential.LARGEST[v.format.name])
    return _with_ends(v, x, far, _usual(v, x))


def exp2(v: Lanes, x: ir.Value) -> ir.Value:
    """2**x = 2**(n/16) exp(r log(2)), r = x - n/16 exact; without lookups 2**k exp(r log(2))."""
    far = v.beyond(v.abs(x), exponential.EXP2_LARGEST[v.format.name])
    usual = _exp2_by_sixteenths(v, x) if v.lookups else _exp2(v, x)
    return rarely(v, far, usual, lambda: v.select(v.marked(far), exponential.exp2_far(v, x), usual))


def _exp2_by_sixteenths(v: Lanes, x: ir.Value) -> ir.Value:
    name, magic = v.format.name, v.format.magic / 16
    shifted = v.add(x, magic)
    r = v.sub(x, v.sub(shifted, magic))
    first, *others = tables.EXP2_SIXTEENTH[name]
    r2 = v.mul(r, r)
    rest = v.fma(r2, v.polynomial(r, others, r2), v.mul(r, first))
    return sixteenths(v, v.bits(shifted), rest)


def _exp2(v: Lanes, x: ir.Value) -> ir.Value:
    shifted = v.add(x, v.format.magic)
    r = v.sub(x, v.sub(shifted, v.format.magic))
    series = v.polynomial(r, tables.EXP2_NEAR[v.format.name], v.mul(r, r))
    return v.times_power(v.fma(r, series, 1.0), v.bits(shifted))


def minus_one(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) - 1 where exp(x) is normal.

    2**(n/16) is 2**k (1 + f), f looked up: nothing cancels where the whole is small.
    """
    if not v.lookups:
        _, shift, rest = halves(v, x)
        power = v.power_of_two(shift)
        return v.fma(power, rest, v.sub(power, 1.0))
    form = v.format
    n, r = reduced(v, x)
    rest = part(v, r, tables.EXPM1_SIXTEENTH[form.name])
    f = v.looked_up(tables.EXP_FRACTIONS[form.name], n)
    k = v.iand(v.iadd(n, 8), (1 << form.bits) - 16)
    power = v.from_bits(v.iadd(v.shl(k, form.fraction - 4), form.encode(1.0)))
    base = v.fma(power, f, v.sub(power, 1.0))
    return v.fma(v.fma(power, f, power), rest, base)


def expm1(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(x) - 1."""
    floor = exponential.BELOW_MINUS_ONE[v.format.name]
    usual = v.signed_like(minus_one(v, v.select(v.compare("<", x, floor), floor, x)), x)
    # a negative argument is no larger than zero
    largest = exponential.LARGEST[v.format.name]
    far = v.iand(v.beyond(x, largest), v.builder.not_(v.bits(x)))
    return _with_ends(v, x, far, usual)


def tanh(v: Lanes, x: ir.Value) -> ir.Value:
    """tanh(x) = e / (e + 2), e = exp(2|x|) - 1."""
    a = v.capped(v.abs(x), hyperbolic.TANH_IS_ONE[v.format.name])
    e = minus_one(v, v.add(a, a))
    return v.flip(v.div(e, v.add(e, 2.0)), v.sign(x))


def sinh(v: Lanes, x: ir.Value) -> ir.Value:
    """sinh(|x|) = (e + e / (e + 1)) / 2, e = exp(|x|) - 1."""
    a = v.abs(x)
    e = minus_one(v, a)
    y = v.mul(v.add(e, v.div(e, v.add(e, 1.0))), 0.5)
    far = v.beyond(a, exponential.LARGEST[v.format.name])
    return through_libm(v, "sinh", [x], far, v.flip(y, v.sign(x)))


def cosh(v: Lanes, x: ir.Value) -> ir.Value:
    """cosh(|x|) = (exp(|x|) + 1 / exp(|x|)) / 2, at least one as exp(|x|) is."""
    a = v.abs(x)
    e = _usual(v, a)
    far = v.beyond(a, exponential.LARGEST[v.format.name])
    return through_libm(v, "cosh", [x], far, v.mul(v.add(e, v.div(1.0, e)), 0.5))
