"""fmod by a quotient that is off by one at most, and a remainder that is exact.

The quotient of |x| and |y|, rounded twice, is the whole number below the true one or the next, as
long as it has fewer bits than the format. What is left of |x| is then less than |y| in magnitude
and a multiple of its last bit, so that fma does not round it, nor the sum that mends a negative
one. Larger quotients, infinities and zero divisors go through the C library.
"""

from llvmlite import ir

from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import through_libm

__all__ = ["fmod"]


def fmod(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """x - y trunc(x / y) in the sign of x."""
    magic, largest = v.format.magic, 2.0 ** (v.format.fraction - 1)
    a, b = v.abs(x), v.abs(y)
    quotient = v.div(a, b)
    whole = v.sub(v.add(quotient, magic), magic)
    rest = v.fma(v.neg(whole), b, a)
    rest = v.select(v.compare("<", rest, 0.0), v.add(rest, b), rest)
    # of a NaN, of an infinity and by zero the rest is NaN
    failed = v.ior(v.beyond(quotient, largest), v.outside(rest, 0, v.format.exponent_mask - 1))
    return through_libm(v, "fmod", [x, y], failed, v.flip(rest, v.sign(x)))
