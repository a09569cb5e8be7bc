"""What each op of the table means in a proof: on fractions, or truth values, of one case."""

from collections.abc import Callable
from typing import Any, Final

from rewrite import ops
from rewrite.certificates.fractions import Frac
from rewrite.certificates.functions import Functions, Undefined

__all__ = ["MEANINGS"]

type Meaning = Callable[..., Any]


def _add(f: Functions, *xs: Frac) -> Frac:
    total = xs[0]
    for x in xs[1:]:
        total = f.ring.add(total, x)
    return total


def _mul(f: Functions, *xs: Frac) -> Frac:
    total = xs[0]
    for x in xs[1:]:
        total = f.ring.mul(total, x)
    return total


def _fma(f: Functions, x: Frac, y: Frac, z: Frac) -> Frac:
    return f.ring.add(f.ring.mul(x, y), z)


def _hypot(f: Functions, x: Frac, y: Frac) -> Frac:
    return f.sqrt(f.ring.add(f.ring.mul(x, x), f.ring.mul(y, y)))


def _rsqrt(f: Functions, x: Frac) -> Frac:
    f.positive(x)
    return f.ring.over(f.ring.one, f.sqrt(x))


def _logarithm(f: Functions, x: Frac, base: int) -> Frac:
    return f.divided(f.log(x), f.log(f.ring.number(base)))


def _hyperbolic(f: Functions, x: Frac) -> tuple[Frac, Frac]:
    """Return cosh and sinh as exponentials."""
    up, half = f.exp(x), f.ring.number("1/2")
    down = f.ring.over(f.ring.one, up)
    return f.ring.mul(half, f.ring.add(up, down)), f.ring.mul(half, f.ring.sub(up, down))


def _tanh(f: Functions, x: Frac) -> Frac:
    cosh, sinh = _hyperbolic(f, x)
    return f.ring.over(sinh, cosh)


def _arsinh(f: Functions, x: Frac) -> Frac:
    return f.log(f.ring.add(x, f.sqrt(f.less(f.ring.mul(x, x), -1))))


def _arcosh(f: Functions, x: Frac) -> Frac:
    if f.sign(f.less(x, 1)) < 0:
        raise Undefined
    return f.log(f.ring.add(x, f.sqrt(f.less(f.ring.mul(x, x), 1))))


def _artanh(f: Functions, x: Frac) -> Frac:
    above, below = f.less(x, -1), f.negated(f.less(x, 1))
    f.positive(above)
    f.positive(below)
    return f.ring.scaled(f.log(f.ring.over(above, below)), "1/2")


def _abs(f: Functions, x: Frac) -> Frac:
    return x if f.sign(x) >= 0 else f.negated(x)


def _copysign(f: Functions, x: Frac, y: Frac) -> Frac:
    if f.is_zero(x):
        return f.ring.zero
    way = f.sign(y)
    if way == 0:
        raise Undefined
    return f.ring.scaled(_abs(f, x), way)


def _fmod(f: Functions, x: Frac, y: Frac) -> Frac:
    return f.ring.sub(x, f.ring.mul(y, f.trunc(f.divided(x, y))))


def _minimum(f: Functions, x: Frac, y: Frac) -> Frac:
    return x if f.sign(f.ring.sub(x, y)) <= 0 else y


def _maximum(f: Functions, x: Frac, y: Frac) -> Frac:
    return x if f.sign(f.ring.sub(x, y)) >= 0 else y


def _compared(*wanted: int) -> Meaning:
    def meaning(f: Functions, x: Frac, y: Frac) -> bool:
        if wanted in ((0,), (-1, 1)):
            return f.is_zero(f.ring.sub(x, y)) == (wanted == (0,))
        return f.sign(f.ring.sub(x, y)) in wanted

    return meaning


MEANINGS: Final[dict[int, Meaning]] = {
    ops.ADD.code: _add,
    ops.SUB.code: lambda f, x, y: f.ring.sub(x, y),
    ops.MUL.code: _mul,
    ops.DIV.code: lambda f, x, y: f.divided(x, y),
    ops.NEG.code: lambda f, x: f.negated(x),
    ops.POW.code: lambda f, x, y: f.power(x, y),
    ops.FMA.code: _fma,
    ops.SQRT.code: lambda f, x: f.sqrt(x),
    ops.RSQRT.code: _rsqrt,
    ops.CBRT.code: lambda f, x: f.cbrt(x),
    ops.HYPOT.code: _hypot,
    ops.EXP.code: lambda f, x: f.exp(x),
    ops.EXP2.code: lambda f, x: f.exp(f.ring.mul(x, f.log(f.ring.number(2)))),
    ops.EXPM1.code: lambda f, x: f.less(f.exp(x), 1),
    ops.LOG.code: lambda f, x: f.log(x),
    ops.LOG2.code: lambda f, x: _logarithm(f, x, 2),
    ops.LOG10.code: lambda f, x: _logarithm(f, x, 10),
    ops.LOG1P.code: lambda f, x: f.log(f.less(x, -1)),
    ops.SIN.code: lambda f, x: f.turned(x)[1],
    ops.COS.code: lambda f, x: f.turned(x)[0],
    ops.TAN.code: lambda f, x: f.tan(x),
    ops.ASIN.code: lambda f, x: f.asin(x),
    ops.ACOS.code: lambda f, x: f.acos(x),
    ops.ATAN.code: lambda f, x: f.atan(x),
    ops.ATAN2.code: lambda f, y, x: f.atan2(y, x),
    ops.SINH.code: lambda f, x: _hyperbolic(f, x)[1],
    ops.COSH.code: lambda f, x: _hyperbolic(f, x)[0],
    ops.TANH.code: _tanh,
    ops.ASINH.code: _arsinh,
    ops.ACOSH.code: _arcosh,
    ops.ATANH.code: _artanh,
    ops.ERF.code: lambda f, x: f.erf(x),
    ops.ERFC.code: lambda f, x: f.ring.sub(f.ring.one, f.erf(x)),
    ops.ABS.code: _abs,
    ops.SIGN.code: lambda f, x: f.ring.number(f.sign(x)),
    ops.COPYSIGN.code: _copysign,
    ops.FLOOR.code: lambda f, x: f.floor(x),
    ops.CEIL.code: lambda f, x: f.ceil(x),
    ops.TRUNC.code: lambda f, x: f.trunc(x),
    ops.ROUND.code: lambda f, x: f.round(x),
    ops.FMOD.code: _fmod,
    ops.MINIMUM.code: _minimum,
    ops.MAXIMUM.code: _maximum,
    ops.LT.code: _compared(-1),
    ops.LE.code: _compared(-1, 0),
    ops.GT.code: _compared(1),
    ops.GE.code: _compared(0, 1),
    ops.EQ.code: _compared(0),
    ops.NE.code: _compared(-1, 1),
}
"""Op -> its value; `rewrite.certificates.prover` does the logic, whose operands may have none."""
