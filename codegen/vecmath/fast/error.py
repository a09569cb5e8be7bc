"""erf and erfc of the faster grade, by pieces where registers hold their coefficients."""

from collections.abc import Sequence

from llvmlite import ir

from codegen.vecmath import error, tables
from codegen.vecmath.fast.exponential import halves, part, reduced, sixteenths
from codegen.vecmath.lanes import Lanes
from codegen.vecmath.rare import through_libm

__all__ = ["erf", "erfc"]

SLOPE = 1.125
LONG = 8
"""Of more terms the chain is what loops wait for."""


def erf(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(x), by pieces where their coefficients can be looked up in registers."""
    return _erf_by_pieces(v, x) if v.lookups else _erf(v, x)


def _erf_by_pieces(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(|x|) as a polynomial in |x| - k h, the nearest multiple of a step h."""
    name = v.format.name
    step = tables.ERF_STEP[name]
    a = v.capped(v.abs(x), len(tables.ERF_PIECES[name][0]) * step - step)
    shifted = v.fma(a, v.rounded(1 / step), v.format.magic)
    t = v.fma(v.sub(shifted, v.format.magic), -step, a)
    index = v.bits(shifted)
    return v.flip(_piece(v, tables.ERF_PIECES[name], index, t), v.sign(x))


def _piece(v: Lanes, columns: Sequence[Sequence[float]], index: ir.Value, t: ir.Value) -> ir.Value:
    """Sum columns[i][index] * t**i, of many over pairs of terms.

    A coefficient is looked up where it is needed: there are more than registers.
    """
    many = len(columns) > LONG
    step, count = (v.mul(t, t), 2) if many else (t, 1)
    starts = range(0, len(columns), count)
    terms = [columns[at : at + count] for at in starts]
    total = _term(v, terms[-1], index, t)
    for term in reversed(terms[:-1]):
        total = v.fma(total, step, _term(v, term, index, t))
    return total


def _term(v: Lanes, columns: Sequence[Sequence[float]], index: ir.Value, t: ir.Value) -> ir.Value:
    """Return columns[0][index], or with columns[1][index] * t."""
    total = v.looked_up(columns[-1], index)
    return v.fma(total, t, v.looked_up(columns[0], index)) if len(columns) > 1 else total


def _erf(v: Lanes, x: ir.Value) -> ir.Value:
    """erf(|x|) = |x| + |x| P(x**2) up to c = 27/32, then 1 - erfc(c) exp(t L(t)), t = |x| - c."""
    a, near, far = error.halves(v, x)
    _, shift, rest = halves(v, far)
    scale = v.times_power(v.real(-tables.ERFC[v.format.name][0]), shift)
    far = v.fma(scale, rest, v.add(scale, 1.0))
    return v.flip(v.select(v.compare(">", a, error.SWITCH), far, near), v.sign(x))


def erfc(v: Lanes, x: ir.Value) -> ir.Value:
    """erfc(a) = exp(-a**2) times what changes slowly, 2 - erfc(|x|) for negative x."""
    return _erfc_by_pieces(v, x) if v.lookups else _erfc(v, x)


def _erfc(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(-a**2) W / (1 + 9 a / 8), W a polynomial in t = (a - 3) / (a + 3).

    Near zero W hardly changes: there the roundings of t are no smaller than elsewhere.
    """
    name = v.format.name
    small = error.ERFC_SMALL[name]
    a = v.capped(v.abs(x), small)
    square = v.mul(a, a)
    _, shift, rest = halves(v, v.neg(square), v.fma(v.neg(a), a, square))
    bottom = v.fma(a, SLOPE, 1.0)
    bottom_low = v.fma(a, SLOPE, v.sub(1.0, bottom))
    other = v.add(a, 3.0)
    reciprocal = v.div(1.0, v.mul(bottom, other))
    t = v.mul(v.mul(v.sub(a, 3.0), bottom), reciprocal)
    q = v.mul(other, reciprocal)
    q = v.fma(q, v.fma(v.neg(q), bottom_low, v.fma(v.neg(q), bottom, 1.0)), q)
    w = v.add(v.polynomial(t, tables.ERFCX_WHOLE[name], v.mul(t, t)), 0.75)
    scaled = v.times_power(v.mul(q, w), shift)
    y = v.fma(scaled, rest, scaled)
    usual = v.select(v.compare("<", x, 0.0), v.sub(2.0, y), y)
    return through_libm(v, "erfc", [x], v.compare_or_nan(">", x, small), usual)


def _erfc_by_pieces(v: Lanes, x: ir.Value) -> ir.Value:
    """exp(-a**2) G(1 / (a + 2)) by pieces of G."""
    name = v.format.name
    small = error.ERFC_SMALL[name]
    a = v.capped(v.abs(x), small)
    square = v.mul(a, a)
    n, r = reduced(v, v.neg(square))
    r = v.sub(r, v.fma(a, a, v.neg(square)))
    # the roundings of a + 2 and of its inverse would be seen
    bottom = v.add(a, tables.ERFC_CENTER)
    lost = v.sub(a, v.sub(bottom, tables.ERFC_CENTER))
    w = v.div(1.0, bottom)
    shifted = v.add(w, v.format.magic * tables.ERFC_STEP)
    u = v.sub(w, v.sub(shifted, v.format.magic * tables.ERFC_STEP))
    rest = v.fma(v.neg(w), lost, v.fma(v.neg(w), bottom, 1.0))
    u = v.fma(w, rest, u)
    index = v.bits(shifted)
    total = _piece(v, tables.ERFC_PIECES[name], index, u)
    share = v.add(part(v, r), v.looked_up(tables.EXP_LOST[name], n))
    y = v.mul(sixteenths(v, n, share), total)
    usual = v.select(v.compare("<", x, 0.0), v.sub(2.0, y), y)
    return through_libm(v, "erfc", [x], v.compare_or_nan(">", x, small), usual)
