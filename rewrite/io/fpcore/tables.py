"""What the operators and constants of FPCore are in terms, and which ops are written as what."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from rewrite import functions, ops
from rewrite.constants import PI, Constant, E
from rewrite.term import Term, apply, const

__all__ = ["COMPARISONS", "CONSTANTS", "OPERATORS", "UNKNOWN", "WRITTEN", "Operator"]


@dataclass(frozen=True, slots=True)
class Operator:
    """How many arguments an operator takes (most is 0: any number), and what it makes of them."""

    least: int
    most: int
    make: Callable[..., Term]


def _op(name: str) -> Operator:
    row = ops.op(name)
    count = 2 if row.arity < 0 else row.arity
    return Operator(count, count, lambda *args: apply(row, *args))


def _minus(*args: Term) -> Term:
    return -args[0] if len(args) == 1 else args[0] - args[1]


def _positive_difference(x: Term, y: Term) -> Term:
    """C's fdim; a NaN is passed on."""
    return apply("where", x <= y, 0, x - y)


def _half_away(x: Term) -> Term:
    """C's round: halves go away from zero. Parts after the point are exact."""
    whole = apply("trunc", x)
    return apply("where", abs(x - whole) >= 0.5, whole + apply("copysign", 1, x), whole)


def _sorted_by(name: str) -> Callable[..., Term]:
    """Return a comparison of any number of arguments: each with the next one."""

    def make(*args: Term) -> Term:
        return _all([apply(name, a, b) for a, b in pairwise(args)])

    return make


def _distinct(*args: Term) -> Term:
    return _all([apply("ne", a, b) for i, a in enumerate(args) for b in args[i + 1 :]])


def _all(terms: list[Term]) -> Term:
    if len(terms) < 2:
        return terms[0] if terms else const(True)
    return apply("and", *terms)


def _joined(name: str) -> Callable[..., Term]:
    def make(*args: Term) -> Term:
        return args[0] if len(args) == 1 else apply(name, *args)

    return make


COMPARISONS: Final = {"<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
"""Those that bound their arguments."""
_SAME: Final = (
    "fma exp exp2 expm1 log log10 log2 log1p pow sqrt cbrt hypot sin cos tan asin acos atan atan2 "
    "sinh cosh tanh asinh acosh atanh erf erfc ceil floor fmod copysign trunc not"
).split()
OPERATORS: Final[dict[str, Operator]] = {
    **{name: _op(name) for name in _SAME},
    "+": _op("add"), "*": _op("mul"), "/": _op("div"), "-": Operator(1, 2, _minus),
    "fabs": _op("abs"), "nearbyint": _op("round"), "fmax": _op("maximum"), "fmin": _op("minimum"),
    "fdim": Operator(2, 2, _positive_difference), "round": Operator(1, 1, _half_away),
    **{name: Operator(1, 0, _sorted_by(op)) for name, op in COMPARISONS.items()},
    "==": Operator(1, 0, _sorted_by("eq")), "!=": Operator(1, 0, _distinct),
    "and": Operator(1, 0, _joined("and")), "or": Operator(1, 0, _joined("or")),
    "isnan": Operator(1, 1, lambda x: functions.ne(x, x)),
    "isinf": Operator(1, 1, lambda x: functions.eq(abs(x), math.inf)),
    "isfinite": Operator(1, 1, lambda x: abs(x) < math.inf),
    "signbit": Operator(1, 1, lambda x: apply("copysign", 1, x) < 0),
}  # fmt: skip
"""`fmin` and `fmax` are NumPy's minimum and maximum: a NaN is passed on, where C drops it."""

UNKNOWN: Final[dict[str, str]] = {
    "tgamma": "there is no gamma function here",
    "lgamma": "there is no gamma function here",
    "remainder": "write (- x (* y (nearbyint (/ x y)))) if its rounding does not matter",
    "isnormal": "compare (fabs x) with the smallest normal number",
    **dict.fromkeys(
        ("array", "tensor", "tensor*", "ref", "dim", "size"),
        "tensors are not read; write their elements as arguments of their own",
    ),
}
"""What the standard has and terms have not, and what to do about it."""

CONSTANTS: Final[dict[str, Constant | Callable[[], Any]]] = {
    "PI": PI, "E": E, "INFINITY": math.inf, "NAN": math.nan, "TRUE": True, "FALSE": False,
    "LOG2E": lambda: 1 / apply("log", 2), "LOG10E": lambda: 1 / apply("log", 10),
    "LN2": lambda: apply("log", 2), "LN10": lambda: apply("log", 10),
    "PI_2": lambda: const(PI) / 2, "PI_4": lambda: const(PI) / 4,
    "M_1_PI": lambda: 1 / const(PI), "M_2_PI": lambda: 2 / const(PI),
    "M_2_SQRTPI": lambda: 2 / apply("sqrt", PI),
    "SQRT2": lambda: apply("sqrt", 2), "SQRT1_2": lambda: 1 / apply("sqrt", 2),
}  # fmt: skip

WRITTEN: Final[dict[str, str]] = {
    **{name: name for name in _SAME},
    "add": "+", "sub": "-", "mul": "*", "div": "/", "neg": "-", "abs": "fabs",
    "round": "nearbyint", "maximum": "fmax", "minimum": "fmin", "where": "if",
    "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
    "and": "and", "or": "or",
}  # fmt: skip
"""Op -> operator."""
