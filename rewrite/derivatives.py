# ruff: noqa: E501 - a table reads better on long lines
"""The derivative of each op: one partial derivative for each argument, as a term.

`a`, `b`, `c` are the arguments, `y` is the value of the op itself, which a derivative may share.
Everything that differentiates reads this table: the rules of `strategies.calculus.rules`, and the
compiled passes. Sums, products and choices of any number of arguments are known to those.

Where a derivative does not exist, a convention holds:

* `minimum`, `maximum` at a tie: the derivative of the first argument.
* `abs` at 0: 0. `hypot` at (0, 0): 0 for both. `copysign`, `fmod` at a jump: that of the smooth part.
* `pow`: with a base of 0 the derivative in the exponent is 0 where the power is 0; with an exponent
  of 0 the derivative in the base is 0.
* `where`: the derivative of the branch that is taken; the condition is held fixed.
* `FLAT` ops (sign, floor, ...) and truth values: 0, and a `DerivativeWarning` that names the op.

Source of the formulas: M. Abramowitz, I. Stegun, "Handbook of Mathematical Functions", 1964.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

from rewrite import ops
from rewrite.array import TermArray, elementwise
from rewrite.dag import Dag
from rewrite.errors import UnsupportedOp
from rewrite.functions import FUNCTIONS
from rewrite.leaves import RULES, pattern_vars, pi
from rewrite.overloads import define
from rewrite.sorts import BOOL, REAL
from rewrite.term import Term, apply, lift

__all__ = ["ARGUMENTS", "FLAT", "PARTIALS", "VALUE", "register", "register_partials"]

ARGUMENTS: Final = pattern_vars("a b c d e f g h")
(VALUE,) = pattern_vars("y")
"""What stands in a partial derivative for the value of the op."""

a, b, c, *_ = ARGUMENTS
y = VALUE
exp, log, sin, cos = (FUNCTIONS[name] for name in ("exp", "log", "sin", "cos"))
sinh, cosh, sqrt = (FUNCTIONS[name] for name in ("sinh", "cosh", "sqrt"))
sign, trunc, copysign, where = (FUNCTIONS[name] for name in ("sign", "trunc", "copysign", "where"))


_PI: Final = lift(pi(), RULES)
_LOG2, _LOG10 = log(lift(2, RULES)), log(lift(10, RULES))

# fmt: off
PARTIALS: Final[dict[int, tuple[Term, ...]]] = {
    row.code: tuple(lift(part, RULES) for part in parts)
    for row, parts in (
        (ops.NEG,      (-1,)),
        (ops.SUB,      (1, -1)),
        (ops.DIV,      (1 / b, -(y / b))),
        (ops.FMA,      (b, a, 1)),
        (ops.POW,      (where(FUNCTIONS["eq"](b, 0), 0, b * a**(b - 1)),
                        where(FUNCTIONS["eq"](y, 0), 0, y * log(a)))),
        (ops.SQRT,     (1 / (2 * y),)),
        (ops.RSQRT,    (-(y / (2 * a)),)),
        (ops.CBRT,     (1 / (3 * (y * y)),)),
        (ops.HYPOT,    (where(FUNCTIONS["eq"](y, 0), 0, a / y), where(FUNCTIONS["eq"](y, 0), 0, b / y))),
        (ops.EXP,      (y,)),
        (ops.EXP2,     (y * _LOG2,)),
        (ops.EXPM1,    (exp(a),)),
        (ops.LOG,      (1 / a,)),
        (ops.LOG2,     (1 / (a * _LOG2),)),
        (ops.LOG10,    (1 / (a * _LOG10),)),
        (ops.LOG1P,    (1 / (1 + a),)),
        (ops.SIN,      (cos(a),)),
        (ops.COS,      (-sin(a),)),
        (ops.TAN,      (1 + y * y,)),
        (ops.ASIN,     (1 / sqrt((1 - a) * (1 + a)),)),
        (ops.ACOS,     (-(1 / sqrt((1 - a) * (1 + a))),)),
        (ops.ATAN,     (1 / (1 + a * a),)),
        (ops.ATAN2,    (b / (a * a + b * b), -(a / (a * a + b * b)))),
        (ops.SINH,     (cosh(a),)),
        (ops.COSH,     (sinh(a),)),
        (ops.TANH,     (1 - y * y,)),
        (ops.ASINH,    (1 / sqrt(1 + a * a),)),
        (ops.ACOSH,    (1 / (sqrt(a - 1) * sqrt(a + 1)),)),
        (ops.ATANH,    (1 / ((1 - a) * (1 + a)),)),
        (ops.ERF,      (2 / sqrt(_PI) * exp(-(a * a)),)),
        (ops.ERFC,     (-(2 / sqrt(_PI) * exp(-(a * a))),)),
        (ops.ABS,      (sign(a),)),
        (ops.COPYSIGN, (sign(a) * copysign(lift(1, RULES), b), 0)),
        (ops.FMOD,     (1, -trunc(a / b))),
        (ops.MINIMUM,  (where(a <= b, 1, 0), where(a <= b, 0, 1))),
        (ops.MAXIMUM,  (where(a >= b, 1, 0), where(a >= b, 0, 1))),
    )
}
# fmt: on
"""By op code. A user's ops are added by `register_partials`."""

FLAT: Final = frozenset(
    row.code for row in (ops.SIGN, ops.FLOOR, ops.CEIL, ops.TRUNC, ops.ROUND)
)  # fmt: skip
"""Ops of steps: their derivative is 0 between them, and does not exist at them."""


def register_partials(op: ops.Op, derivative: Callable[..., Any]) -> None:
    """Enter the derivative of a user's op: a function of its arguments, one result for each.

    The function is called once, on pattern variables. Raise `UnsupportedOp` where it does not
    return as many numbers as the op has arguments, made of these alone.
    """
    if op.arity < 1 or op.arity > len(ARGUMENTS):
        raise UnsupportedOp(f"{op.name}: only ops of 1 to {len(ARGUMENTS)} arguments have one")
    args = ARGUMENTS[: op.arity]
    made = derivative(*args)
    parts = made if isinstance(made, (tuple, list)) else (made,)
    if len(parts) != op.arity:
        raise UnsupportedOp(
            f"the derivative of {op.name} has {len(parts)} parts, but it takes {op.arity} "
            "arguments: return one partial derivative for each"
        )
    own = apply(op, *args)
    lifted = [lift(part, RULES).substitute({own: VALUE}) for part in parts]
    for part in lifted:
        _require_partial(op, part, {*args, VALUE})
    PARTIALS[op.code] = tuple(lifted)


def _require_partial(op: ops.Op, part: Term, known: set[Term]) -> None:
    """Refuse what is no number, and what depends on more than the arguments."""
    if part.sort == BOOL:
        raise UnsupportedOp(
            f"the derivative of {op.name} is a truth value, {part!r}; use rw.where(condition, 1, 0)"
        )
    dag = Dag.of(part.store, [part.id])
    leaves = [Term(part.store, int(node)) for node in dag.ids[dag.start[1:] == dag.start[:-1]]]
    for leaf in leaves:
        if leaf.value is None and leaf not in known:
            raise UnsupportedOp(
                f"the derivative of {op.name} has {leaf!r}, which is none of its arguments"
            )


def register(
    function: Callable[..., Any] | None = None, *, derivative: Callable[..., Any] | None = None,
    name: str | None = None, latex: str = "",
) -> Any:  # fmt: skip
    """Make an op of a function of real numbers, with its derivative.

    A decorator: the function computes the op on numbers and arrays, elementwise, and what it is
    called with terms builds the term. `derivative` is a function of the same arguments that returns
    one partial derivative for each. Compiled code has what the function computes in the place of
    the op, if it can be traced. Raise `UnsupportedOp` for a name that is taken.

    >>> import numpy as np, rewrite as rw
    >>> @register(derivative=lambda x: 2 * x)
    ... def squared(x):
    ...     return x * x
    >>> x = rw.symbol("x")
    >>> squared(3.0), squared(x), rw.diff(squared(rw.sin(x)), x)
    (9.0, squared(x), cos(x)*(2*sin(x)))
    """
    if function is None:
        return functools.partial(register, derivative=derivative, name=name, latex=latex)
    if not callable(function):
        raise UnsupportedOp(f"{function!r} is no function that computes an op")
    count = len(inspect.signature(function).parameters)
    row = define(name or function.__name__, [REAL] * count, REAL, function=function, latex=latex)
    later: list[Callable[..., Any]] = []
    if derivative is not None:
        try:
            register_partials(row, derivative)
        except NameError as error:
            if error.name != function.__name__:
                raise
            later.append(derivative)  # it calls the op, which has its name after the decorator

    @functools.wraps(function)
    def called(*args: Any) -> Any:
        if later and any(isinstance(arg, (Term, TermArray)) for arg in args):
            register_partials(row, later.pop())
        if any(isinstance(arg, TermArray) for arg in args):
            return elementwise(row, *args)
        if any(isinstance(arg, Term) for arg in args):
            return apply(row, *args)
        return function(*args)

    return called
