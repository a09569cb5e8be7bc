"""cbrt and hypot of the faster grade."""

from llvmlite import ir

from codegen.vecmath import power
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely

__all__ = ["hypot"]

# within these powers of two the sum of two squares is right, however small one of them is
SAFE = {"f64": (-900, 1022), "f32": (-70, 126)}


def hypot(v: Lanes, x: ir.Value, y: ir.Value) -> ir.Value:
    """sqrt(x**2 + y**2), as in the finer grade where a square may be out of range."""
    form = v.format
    square = v.fma(x, x, v.mul(y, y))
    low, high = (form.encode(2.0**exponent) for exponent in SAFE[form.name])
    failed = v.builder.icmp_unsigned(">", v.isub(v.bits(square), low), v.word(high - low))
    usual = v.sqrt(square)
    return rarely(v, failed, usual, lambda: v.select(failed, power.hypot(v, x, y), usual))
