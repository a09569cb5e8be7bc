"""The reciprocal square root: an estimate of 1 / sqrt(x), and a series in what is left of x."""

from llvmlite import ir

from codegen.vecmath import tables
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import rarely

__all__ = ["rsqrt"]

# This minus half the bits of x is an estimate of 1 / sqrt(x), 3.5% off at most (Lomont 2003).
ESTIMATE = {"f64": 0x5FE6EB50C7B537A9, "f32": 0x5F375A86}


def rsqrt(v: Lanes, x: ir.Value, *, exactly: bool = True) -> ir.Value:
    """1 / sqrt(x) = r / sqrt(1 - e) for an estimate r, e = 1 - x r**2, or nearly so."""
    if v.lookups:
        guess = v.rsqrt14(x)
        e = _rest(v, x, guess) if exactly else _rough_rest(v, x, guess)
        # of 0, infinity and what has no root the estimate is the result
        return v.select(v.compare("==", e, e), _step(v, guess, e, tables.RSQRT), guess)
    form = v.format
    guess = v.from_bits(v.isub(ESTIMATE[form.name], v.lshr(v.bits(x), 1)))
    guess = _step(v, guess, _rough_rest(v, x, guess), tables.RSQRT_ROUGH)
    rest = _rest(v, x, guess) if exactly else _rough_rest(v, x, guess)
    usual = _step(v, guess, rest, tables.RSQRT)
    least = form.encode(2.0 ** (1 - form.bias))
    failed = v.outside(x, least, form.exponent_mask - 1)
    return rarely(v, failed, usual, lambda: v.select(v.marked(failed), _divided(v, x), usual))


def _rest(v: Lanes, x: ir.Value, guess: ir.Value) -> ir.Value:
    """Return 1 - x guess**2 with the rounding error of x guess, which counts as half an ulp."""
    high, low = v.two_product(x, guess)
    return v.fma(v.neg(low), guess, v.fma(v.neg(high), guess, 1.0))


def _rough_rest(v: Lanes, x: ir.Value, guess: ir.Value) -> ir.Value:
    """Return 1 - x guess**2."""
    return v.fma(v.neg(v.mul(x, guess)), guess, 1.0)


def _step(v: Lanes, guess: ir.Value, e: ir.Value, series: dict[str, tuple[float, ...]]) -> ir.Value:
    """Return guess / sqrt(1 - e)."""
    return v.fma(v.mul(guess, e), v.horner(e, series[v.format.name]), guess)


def _divided(v: Lanes, x: ir.Value) -> ir.Value:
    """Divide by the root, of subnormal numbers that of a multiple, and mend what both round."""
    form = v.format
    half = 2 * (form.fraction // 4) + 2
    tiny = v.compare("<", v.abs(x), 2.0 ** (1 - form.bias))
    a = v.select(tiny, v.mul(x, 2.0 ** (2 * half)), x)
    s, low = v.root(a, None)
    y = v.div(1.0, s)
    e = v.sub(v.fma(v.neg(s), y, 1.0), v.mul(low, y))
    mended = v.fma(e, y, y)
    y = v.select(v.compare("==", mended, mended), mended, y)
    return v.select(tiny, v.mul(y, 2.0**half), y)
