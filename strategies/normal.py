"""Classical strategies that tidy a term: constant folding, and the laws that only shrink.

Their order of results does not depend on a machine. They are no search: what `saturate` finds by
going uphill first, they do not.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Final

import numpy as np

from rewrite import ops
from rewrite.conditions import literal
from rewrite.constants import Constant, Named, as_constant, to_float
from rewrite.fastmath import FastMath, licence
from rewrite.leaves import pattern_vars
from rewrite.rule import RuleSet, compute, ruleset
from rewrite.rules.arithmetic import CANCELLATION, IDENTITIES, NEGATION, ZEROS
from rewrite.term import Term, const
from strategies.base import Leaf, Strategy, choice, strategy
from strategies.traversal import innermost

__all__ = ["FOLDING", "SHRINKING", "Fold", "cleanup", "fold"]

type Rational = bool | int | Fraction

LONGEST: Final = 1024
"""Exact results of more bits are left as they were written."""


# -- exact values ----------------------------------------------------------------------------


def _power(base: Rational, exponent: Rational) -> Rational | None:
    if isinstance(exponent, Fraction) or (base == 0 and exponent < 0):
        return None
    size = max(abs(base.numerator).bit_length(), base.denominator.bit_length())
    return Fraction(base) ** exponent if size * abs(exponent) <= LONGEST else None


def _root(value: Rational) -> Rational | None:
    """Return the square root of a square."""
    if value < 0:
        return None
    parts = (math.isqrt(value.numerator), math.isqrt(value.denominator))
    return Fraction(*parts) if Fraction(*parts) ** 2 == value else None


def _sum(*values: Rational) -> Rational:
    return sum(values)


# fmt: off
EXACT: Final[dict[int, Callable[..., Rational | None]]] = {
    ops.ADD.code:     _sum,
    ops.SUB.code:     lambda x, y: x - y,
    ops.MUL.code:     lambda *xs: math.prod(xs),
    ops.DIV.code:     lambda x, y: Fraction(x) / y if y else None,
    ops.NEG.code:     lambda x: -x,
    ops.POW.code:     _power,
    ops.FMA.code:     lambda x, y, z: x * y + z,
    ops.SQRT.code:    _root,
    ops.ABS.code:     abs,
    ops.SIGN.code:    lambda x: (x > 0) - (x < 0),
    ops.FLOOR.code:   math.floor,
    ops.CEIL.code:    math.ceil,
    ops.TRUNC.code:   math.trunc,
    ops.ROUND.code:   round,
    ops.MINIMUM.code: min,
    ops.MAXIMUM.code: max,
    ops.LT.code:      lambda x, y: x < y,
    ops.LE.code:      lambda x, y: x <= y,
    ops.GT.code:      lambda x, y: x > y,
    ops.GE.code:      lambda x, y: x >= y,
    ops.EQ.code:      lambda x, y: x == y,
    ops.NE.code:      lambda x, y: x != y,
    ops.NOT.code:     lambda p: not p,
}
# fmt: on
"""What an op gives for exact operands; None where that is no rational number, or a long one."""


def folded(code: int, values: Sequence[Any], allowed: FastMath) -> Constant | None:
    """Return the exact value of an op on constants; None where it has none that may replace it.

    Floats, and everything without the licence to reassociate, fold only where double arithmetic
    gives the same: then not a bit of any result changes.
    """
    exact = EXACT.get(code)
    if exact is None or not all(map(_is_rational, values)):
        return None
    result = exact(*[Fraction(v) if isinstance(v, float) else v for v in values])
    if result is None or _bits(result) > LONGEST:
        return None
    if isinstance(result, Fraction) and result.denominator == 1:
        result = int(result)
    floats = any(isinstance(v, float) for v in values)
    if not floats and FastMath.REASSOC in allowed:
        return result
    near = _in_doubles(code, [to_float(v) for v in values])
    if near is None or Fraction(near) != result:
        return None
    if floats and not isinstance(result, bool):
        return near
    return result if near or math.copysign(1.0, near) > 0 else None  # an exact 0 has no sign


def _is_rational(value: Constant | None) -> bool:
    finite = math.isfinite(value) if isinstance(value, float) else True
    return finite and value is not None and not isinstance(value, Named)


def _bits(value: Rational) -> int:
    return max(abs(value.numerator).bit_length(), value.denominator.bit_length())


def _in_doubles(code: int, values: Sequence[float]) -> float | None:
    """Evaluate an op from left to right in double precision; None if that is no real number."""
    name = ops.OPS[code].numpy
    if not name:
        return None
    function = getattr(np, name)
    with np.errstate(all="ignore"):
        if len(values) == 1:
            result = float(function(values[0]))
        else:
            result = values[0]
            for value in values[1:]:
                result = float(function(result, value))
    return result if math.isfinite(result) else None


# -- choices and logic with one known operand ------------------------------------------------


def _known(term: Term) -> Term | None:
    """Fold `where` with a known condition, and conjunctions with a known part."""
    args, row = term.args, term.op
    if row is ops.WHERE:
        condition = args[0].value
        return None if condition is None else args[1] if condition else args[2]
    if row not in (ops.AND, ops.OR) or all(a.value is None for a in args):
        return None
    neutral = row is ops.AND
    open_ = [a for a in args if a.value is not neutral]
    if any(a.value is not None for a in open_):
        return const(not neutral, term.store)
    if len(open_) < 2:
        return open_[0] if open_ else const(neutral, term.store)
    made = term.store.make((row.code, *[a.id for a in open_]))
    return Term(term.store, made)


@dataclass(frozen=True, repr=False)
class Fold(Leaf):
    """fold(f(c, d)) = the exact value of f at the constants c, d."""

    licence: FastMath = FastMath.GUARDED
    folds: ClassVar[bool] = True
    """Applies where children are constants, and nowhere else: what the compiled engine asks."""

    def rewrite(self, term: Any) -> Any:
        if not isinstance(term, Term):
            return None
        store, node = term.store, term.id
        children, made = store.children(node), None
        if children and all(store.code(child) == ops.CONST.code for child in children):
            made = folded(store.code(node), [store.value(c) for c in children], self.licence)
        return _known(term) if made is None else const(made, store)

    def __str__(self) -> str:
        return "fold"


fold: Final = Fold()
"""Exact constant folding at the head of a term: rational arithmetic, comparisons, logic, `where`.

Division by zero stays, and so do floats whose result would be rounded. Use it under a traversal:
`bottomup(try_(fold))`.
"""


def _computed(code: int, *operands: Any) -> Constant | None:
    values = [x.value if isinstance(x, Term) else as_constant(x) for x in operands]
    return folded(code, values, FastMath.REASSOC)


def constant_sum(x: Any, y: Any) -> Constant | None:
    """Add two constants."""
    return _computed(ops.ADD.code, x, y)


def constant_product(x: Any, y: Any) -> Constant | None:
    """Multiply two constants."""
    return _computed(ops.MUL.code, x, y)


a, b = pattern_vars("a b")
# fmt: off
FOLDING: Final = ruleset("folding", FastMath.REASSOC,
    ("fold-sum",      a + b,  compute(constant_sum, a, b),      (literal(a), literal(b))),
    ("fold-product",  a * b,  compute(constant_product, a, b),  (literal(a), literal(b))),
)
# fmt: on
"""Constants of a sum or a product are folded wherever they stand: 2 + x + 3 becomes 5 + x."""

SHRINKING: Final = RuleSet("shrinking", (*IDENTITIES, *NEGATION, *ZEROS, *CANCELLATION))
"""Laws that never make a term larger and never undo each other."""


def cleanup(math: str | FastMath = "guarded") -> Strategy:
    """Fold constants and apply the shrinking laws that the licence grants, until none applies.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> cleanup()((x + 0) * 1 - (2 - 6 / rw.const(3)) * y)
    x
    """
    allowed = licence(math)
    return innermost(choice(Fold(allowed), strategy(SHRINKING.allowed(allowed))))
