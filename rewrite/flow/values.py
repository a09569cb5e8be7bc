"""Python's numbers on terms: truth, choices, and the arithmetic that terms spell otherwise.

A value is a Python object, which is known, or a `Term`, or containers of these.
"""

import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rewrite import functions, ops
from rewrite.array import TermArray
from rewrite.division import floor_divmod
from rewrite.errors import TraceError
from rewrite.flow.wholeness import is_integer, is_whole
from rewrite.sorts import BOOL
from rewrite.term import Term, apply, const

__all__ = [
    "MATH", "Unset", "chosen", "conjunction", "disjunction", "divided", "divmod_", "floored",
    "is_number", "modulo", "multiplied", "negated", "negation", "number_of", "scalar", "term_of",
    "truth",
]  # fmt: skip

type Truth = bool | Term


@dataclass(frozen=True, slots=True)
class Unset:
    """What a name is that was not assigned on every way to here."""

    name: str


def is_number(value: Any) -> bool:
    """Tell whether a value is a number or truth value, known or not."""
    return isinstance(value, (Term, numbers.Real)) or type(value).__name__ == "bool_"


def term_of(value: Any) -> Term:
    """Return the term of a number."""
    return value if isinstance(value, Term) else const(value)


def scalar(value: Any) -> Any:
    """Return the term of an array of no dimension, and anything else as it is."""
    return value.item() if isinstance(value, TermArray) and not value.ids.ndim else value


def number_of(value: Any) -> Any:
    """Return a truth value as 1 or 0, and any other number as it is."""
    if isinstance(value, Term):
        return apply("where", value, 1, 0) if value.sort == BOOL else value
    return int(value) if isinstance(value, bool) else value


# -- truth -----------------------------------------------------------------------------------


def truth(value: Any) -> Truth:
    """Return whether Python takes a value as true."""
    if not isinstance(value, Term):
        return bool(value)
    if value.value is not None:
        return bool(value.value)
    return value if value.sort == BOOL else apply("ne", value, 0)


def conjunction(a: Truth, b: Truth) -> Truth:
    """Return a and b, without what is known."""
    return _connected("and", False, a, b)


def disjunction(a: Truth, b: Truth) -> Truth:
    """Return a or b, without what is known."""
    return _connected("or", True, a, b)


def _connected(name: str, decides: bool, a: Truth, b: Truth) -> Truth:
    """Join two truth values by an op whose result is known where one of them `decides`."""
    if isinstance(a, bool):
        return a if a is decides else b
    if isinstance(b, bool):
        return b if b is decides else a
    if _opposite(a, b):
        return decides
    return a if a == b else apply(name, a, b)


def negation(a: Truth) -> Truth:
    """Return not a."""
    if isinstance(a, bool):
        return not a
    return a.args[0] if a.op is ops.NOT else apply("not", a)


def _opposite(a: Term, b: Term) -> bool:
    return (a.op is ops.NOT and a.args[0] == b) or (b.op is ops.NOT and b.args[0] == a)


def chosen(condition: Truth, a: Any, b: Any, name: str = "a value") -> Any:
    """Return a where the condition holds, else b; containers part by part.

    Raise `TraceError` for two things between which data cannot choose.
    """
    if isinstance(condition, bool):
        return a if condition else b
    if a is b or isinstance(a, Unset) or isinstance(b, Unset):
        return a if a is b else Unset(name)
    if isinstance(a, (tuple, list)) and type(a) is type(b) and len(a) == len(b):
        parts = [chosen(condition, x, y, name) for x, y in zip(a, b, strict=True)]
        return type(a)(parts)
    if is_number(a) and is_number(b):
        if type(a) is type(b) and a == b and (a != 0 or math.copysign(1, a) == math.copysign(1, b)):
            return a
        one, other = term_of(a), term_of(b)
        if (one.sort == BOOL) != (other.sort == BOOL):
            one, other = term_of(number_of(one)), term_of(number_of(other))
        return one if one == other else apply("where", condition, one, other)
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {key: chosen(condition, a[key], b[key], name) for key in a}
    if type(a) is type(b) and not isinstance(a, (tuple, list, dict)) and a == b:
        return a
    raise TraceError(
        f"{name} is {_shown(a)} or {_shown(b)}, depending on numbers: only numbers can be chosen so"
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else text[:60] + "…"


# -- arithmetic ------------------------------------------------------------------------------


def unsigned(a: Any) -> Any:
    """Return a whole number as Python's integers are: their zero has no sign."""
    return apply("add", a, 0)


def negated(a: Any) -> Any:
    """Return -a."""
    a = number_of(a)
    return apply("sub", 0, a) if is_integer(a) else apply("neg", a)


def multiplied(a: Any, b: Any) -> Any:
    """Return a * b; of integers, where one is not known to be positive, zero is made unsigned."""
    a, b = number_of(a), number_of(b)
    product = apply("mul", a, b)
    if _is_positive(a) or _is_positive(b) or not (is_integer(a) and is_integer(b)):
        return product
    return unsigned(product)


def _is_positive(value: Any) -> bool:
    """Tell whether a number is known, and above zero."""
    known = value.value if isinstance(value, Term) else value
    return isinstance(known, (int, float)) and bool(known > 0)


def divided(a: Any, b: Any) -> Any:
    """Return a / b."""
    return apply("div", number_of(a), number_of(b))


def modulo(a: Any, b: Any) -> Any:
    """Return a % b as Python has it: of the sign of b. Of integers up to 2**53 it is exact."""
    return divmod_(a, b)[1]


def divmod_(a: Any, b: Any) -> tuple[Any, Any]:
    """Return (a // b, a % b): of whole numbers, or by the steps of CPython."""
    a, b = number_of(a), number_of(b)
    if is_whole(a) and is_whole(b):  # up to 2**53 no quotient is rounded up to a whole number
        whole = apply("floor", apply("div", a, b))
        quotient = whole if _is_positive(b) else unsigned(whole)
        return quotient, apply("sub", a, apply("mul", b, whole))
    return floor_divmod(apply, a, b)


def floored(a: Any, b: Any) -> Any:
    """Return a // b."""
    return divmod_(a, b)[0]


def _lesser(a: Any, b: Any) -> Any:
    """Return Python's min: the first one, unless the second is less."""
    return apply("where", apply("lt", b, a), b, a)


def _greater(a: Any, b: Any) -> Any:
    return apply("where", apply("gt", b, a), b, a)


def _folded(choose: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        values = list(args[0]) if len(args) == 1 else list(args)
        found = number_of(values[0])
        for value in values[1:]:
            found = choose(found, number_of(value))
        return found

    return function


def _log(x: Any, base: Any = None) -> Any:
    return apply("log", x) if base is None else apply("div", apply("log", x), apply("log", base))


def _rounded(x: Any, digits: Any = None) -> Any:
    if digits is not None:
        raise TraceError("round to a number of digits: only to whole numbers")
    return _to_integer("round")(x)


def _to_integer(name: str) -> Callable[[Any], Any]:
    """Make a function whose result is an `int` in Python."""
    return lambda x: number_of(x) if is_integer(x) else unsigned(apply(name, number_of(x)))


def _op(name: str) -> Callable[..., Any]:
    return lambda *args: apply(name, *map(number_of, args))


_SAME: Final = (
    "sqrt cbrt exp exp2 expm1 log2 log10 log1p sin cos tan asin acos atan atan2 sinh cosh tanh "
    "asinh acosh atanh erf erfc copysign fmod hypot fma pow"
).split()
MATH: Final[dict[Any, Callable[..., Any]]] = {
    **{getattr(math, name): _op(name) for name in _SAME if hasattr(math, name)},
    **{getattr(math, name): _to_integer(name) for name in ("floor", "ceil", "trunc")},
    math.fabs: _op("abs"), math.log: _log,
    math.degrees: lambda x: number_of(x) * (180 / math.pi),
    math.radians: lambda x: number_of(x) * (math.pi / 180),
    math.isnan: lambda x: functions.ne(x, x),
    math.isinf: lambda x: functions.eq(abs(number_of(x)), math.inf),
    math.isfinite: lambda x: apply("lt", abs(number_of(x)), math.inf),
    abs: _op("abs"), min: _folded(_lesser), max: _folded(_greater), round: _rounded,
    float: number_of, int: _to_integer("trunc"), bool: truth, pow: _op("pow"), divmod: divmod_,
}  # fmt: skip
"""What functions of Python and its `math` are on terms. `int` cuts off, and stays a float."""
