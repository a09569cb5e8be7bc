"""Division with rest: `//`, `%` and `divmod` by the steps of CPython and NumPy, as terms."""

import numbers
from collections.abc import Callable
from typing import Any

from rewrite.constants import Named

__all__ = ["floor_divmod"]


def floor_divmod(make: Callable[..., Any], a: Any, b: Any) -> tuple[Any, Any]:
    """Return (a // b, a % b); `make("fmod", a, b)` and the like build terms of numbers and terms.

    The rest has the sign of b, and is exact; the quotient is the rounded one of (a - rest)/b, as
    a/b itself may be rounded up to a whole number: 1 // 0.1 is 9. Source: `_float_div_mod` in
    CPython's floatobject.c; by zero as `npy_divmod` in NumPy's npymath, infinity or NaN.
    """
    known = b if isinstance(b, numbers.Real) else getattr(b, "value", None)
    if isinstance(known, Named):  # pi and the like
        known = known.value
    rest = make("fmod", a, b)
    nonzero, minus, plus = (make(op, rest, 0) for op in ("ne", "lt", "gt"))
    if known is None:
        turned = make("where", make("lt", b, 0), plus, minus)
    else:
        turned = plus if known < 0 else minus
    exact = make("where", nonzero, rest, make("copysign", 0.0, b))
    modulus = make("where", turned, make("add", rest, b), exact)
    ratio, whole = make("div", a, b), make("div", make("sub", a, rest), b)
    whole = make("where", turned, make("sub", whole, 1), whole)
    below = make("floor", whole)
    beyond = make("gt", make("sub", whole, below), 0.5)
    below = make("where", beyond, make("add", below, 1), below)
    quotient = make("where", make("ne", whole, 0), below, make("copysign", 0.0, ratio))
    if known is None:
        return make("where", make("eq", b, 0), ratio, quotient), modulus
    return (quotient if known else ratio), modulus
