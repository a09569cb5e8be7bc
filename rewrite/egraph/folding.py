"""Exact arithmetic on constants: the value of one op applied to rational numbers.

It allows what the e-graph folds: results of a bounded size, and powers with integer exponents.
"""

import operator
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from rewrite import ops
from rewrite.constants import Constant, as_constant
from rewrite.egraph.language import MOST_BITS, exact
from rewrite.store import Store

__all__ = ["folded"]

MOST_POWER: Final = 64

_ARITHMETIC: Final[dict[str, Callable[..., Fraction]]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "neg": operator.neg,
    "abs": abs,
    "fma": lambda a, b, c: a * b + c,
    "minimum": min,
    "maximum": max,
}
_BY_CODE: Final = {ops.op(name).code: function for name, function in _ARITHMETIC.items()}


def folded(store: Store, node: int) -> Constant | None:
    """Return the exact value of an op applied to exact constants, None where there is none.

    >>> import rewrite as rw
    >>> term = rw.const(1) / 3
    >>> folded(term.store, term.id)
    Fraction(1, 3)
    """
    numbers: list[Fraction] = []
    for child in store.children(node):
        value = store.value(child)
        number = None if value is None else exact(value)
        if number is None:
            return None
        numbers.append(number)
    found = _value(store.code(node), numbers) if numbers else None
    return None if found is None or _bits(found) > MOST_BITS else as_constant(found)


def _value(code: int, numbers: list[Fraction]) -> Fraction | None:
    if code in _BY_CODE:
        return _BY_CODE[code](*numbers)
    if code == ops.DIV.code:
        return numbers[0] / numbers[1] if numbers[1] else None
    if code != ops.POW.code:
        return None
    base, power = numbers
    small = abs(power) <= MOST_POWER and _bits(base) <= MOST_BITS // MOST_POWER
    if power.denominator != 1 or not base or not (small or abs(power) <= 4):
        return None
    return base**power.numerator if _bits(base) <= MOST_BITS // 4 else None


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())
