# ruff: noqa: E501 - a table reads better on long lines
"""The op table: one row an op. Adding an op is adding a row; its tests follow from the row.

A row gives the name, the arity, the sorts taken and made, algebraic properties, the NumPy function
that defines its meaning on floating-point numbers, the ball function that defines it on real
numbers (`rewrite.balls`), and how it is written. Nothing here computes. What ops mean on matrices
is a table of its own at the end; `rewrite.overloads` adds ops and meanings of a user's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rewrite import balls, matrices, signatures
from rewrite.errors import UnsupportedOp
from rewrite.signatures import (
    Signature,
    associate_table,
    associates,
    commutes,
    resolve,
    swap_table,
    swaps,
)  # fmt: skip
from rewrite.sorts import BOOL, INT, MATRIX, REAL, Sort

__all__ = [
    "BUILTIN", "BY_NAME", "BY_NUMPY", "OPS", "Op", "associate_table", "associates", "commutes",
    "op", "resolve", "signature_text", "swap_table", "swaps",
]  # fmt: skip

LEAF: Final = 0
PREFIX: Final = 100
"""Binding power of a function call or a leaf: never in parentheses."""


@dataclass(frozen=True, slots=True)
class Op:
    """One row of the table.

    `arity` is the number of children, or -1 for "two or more" (evaluated from left to right).
    `takes` has one letter a child (the last one repeats): `r` a real, `b` a truth value.
    `makes` is `r`, `b`, or `i`: an integer if all children are, else a real; `w`: as its branches.
    `numpy` names the function of NumPy (or SciPy, after a dot) with the same meaning.
    `infix` with `power` is the Python spelling; ops without it are written as calls.
    `unlike` says where kernels differ from NumPy on purpose, and why.
    """

    name: str
    code: int
    arity: int
    takes: str
    makes: str
    numpy: str
    ball: Callable[..., Any] | None
    infix: str = ""
    power: int = PREFIX
    latex: str = ""
    commutative: bool = False
    associative: bool = False
    unlike: str = ""

    def __repr__(self) -> str:
        """Show the name alone."""
        return f"<op {self.name}>"

    def __reduce__(self) -> Any:
        """Pickle the name: codes of a user's ops differ between processes."""
        return op, (self.name,)


_ROWS: Final[list[Op]] = []


def _row(name: str, arity: int, takes: str, makes: str, numpy: str, **rest: Any) -> Op:
    ball = rest.pop("ball", None) or getattr(balls, name + "_" * (name in _KEYWORDS), None)
    row = Op(name, len(_ROWS), arity, takes, makes, numpy, ball, **rest)
    _ROWS.append(row)
    return row


_KEYWORDS: Final = ("and", "or", "not", "pow", "abs", "round")

# fmt: off
# Leaves: their payload indexes the store's own pools.
SYMBOL    = _row("symbol",    LEAF, "", "r", "")
CONST     = _row("const",     LEAF, "", "r", "")
PVAR      = _row("pvar",      LEAF, "", "r", "")
# Arithmetic
ADD       = _row("add",       -1, "r",   "i", "add",       infix="+", power=50, commutative=True, associative=True)
SUB       = _row("sub",        2, "rr",  "i", "subtract",  infix="-", power=50)
MUL       = _row("mul",       -1, "r",   "i", "multiply",  infix="*", power=60, commutative=True, associative=True)
DIV       = _row("div",        2, "rr",  "r", "divide",    infix="/", power=60)
NEG       = _row("neg",        1, "r",   "i", "negative",  infix="-", power=70)
POW       = _row("pow",        2, "rr",  "r", "power",     infix="**", power=80)
FMA       = _row("fma",        3, "rrr", "i", "")
# Powers and roots
SQRT      = _row("sqrt",       1, "r",   "r", "sqrt",      latex=r"\sqrt{%s}")
RSQRT     = _row("rsqrt",      1, "r",   "r", "",          latex=r"\frac{1}{\sqrt{%s}}")
CBRT      = _row("cbrt",       1, "r",   "r", "cbrt",      latex=r"\sqrt[3]{%s}")
HYPOT     = _row("hypot",      2, "rr",  "r", "hypot",     commutative=True, unlike="a signalling NaN is a NaN: beside an infinity C23 would not ignore it")
# Exponentials and logarithms
EXP       = _row("exp",        1, "r",   "r", "exp",       latex=r"e^{%s}")
EXP2      = _row("exp2",       1, "r",   "r", "exp2",      latex=r"2^{%s}")
EXPM1     = _row("expm1",      1, "r",   "r", "expm1")
LOG       = _row("log",        1, "r",   "r", "log",       latex=r"\log\left(%s\right)")
LOG2      = _row("log2",       1, "r",   "r", "log2",      latex=r"\log_{2}\left(%s\right)")
LOG10     = _row("log10",      1, "r",   "r", "log10",     latex=r"\log_{10}\left(%s\right)")
LOG1P     = _row("log1p",      1, "r",   "r", "log1p")
# Trigonometric
SIN       = _row("sin",        1, "r",   "r", "sin",       latex=r"\sin\left(%s\right)")
COS       = _row("cos",        1, "r",   "r", "cos",       latex=r"\cos\left(%s\right)")
TAN       = _row("tan",        1, "r",   "r", "tan",       latex=r"\tan\left(%s\right)")
ASIN      = _row("asin",       1, "r",   "r", "arcsin",    latex=r"\arcsin\left(%s\right)")
ACOS      = _row("acos",       1, "r",   "r", "arccos",    latex=r"\arccos\left(%s\right)")
ATAN      = _row("atan",       1, "r",   "r", "arctan",    latex=r"\arctan\left(%s\right)")
ATAN2     = _row("atan2",      2, "rr",  "r", "arctan2")
# Hyperbolic
SINH      = _row("sinh",       1, "r",   "r", "sinh",      latex=r"\sinh\left(%s\right)")
COSH      = _row("cosh",       1, "r",   "r", "cosh",      latex=r"\cosh\left(%s\right)")
TANH      = _row("tanh",       1, "r",   "r", "tanh",      latex=r"\tanh\left(%s\right)")
ASINH     = _row("asinh",      1, "r",   "r", "arcsinh")
ACOSH     = _row("acosh",      1, "r",   "r", "arccosh")
ATANH     = _row("atanh",      1, "r",   "r", "arctanh")
# Error function: NumPy has none, SciPy is used where it is installed, else the standard library.
ERF       = _row("erf",        1, "r",   "r", ".erf")
ERFC      = _row("erfc",       1, "r",   "r", ".erfc")
# Parts, signs and rounding
ABS       = _row("abs",        1, "r",   "i", "absolute",  latex=r"\left|%s\right|")
SIGN      = _row("sign",       1, "r",   "i", "sign")
COPYSIGN  = _row("copysign",   2, "rr",  "i", "copysign")
FLOOR     = _row("floor",      1, "r",   "i", "floor",     latex=r"\left\lfloor %s\right\rfloor")
CEIL      = _row("ceil",       1, "r",   "i", "ceil",      latex=r"\left\lceil %s\right\rceil")
TRUNC     = _row("trunc",      1, "r",   "i", "trunc")
ROUND     = _row("round",      1, "r",   "i", "rint")
FMOD      = _row("fmod",       2, "rr",  "i", "fmod")
MINIMUM   = _row("minimum",    2, "rr",  "i", "minimum",   commutative=True, associative=True, unlike="of zeros the second one: NumPy's choice depends on the CPU")
MAXIMUM   = _row("maximum",    2, "rr",  "i", "maximum",   commutative=True, associative=True, unlike="of zeros the second one: NumPy's choice depends on the CPU")
# Comparisons and logic
LT        = _row("lt",         2, "rr",  "b", "less",          infix="<",  power=40, latex="<")
LE        = _row("le",         2, "rr",  "b", "less_equal",    infix="<=", power=40, latex=r"\le")
GT        = _row("gt",         2, "rr",  "b", "greater",       infix=">",  power=40, latex=">")
GE        = _row("ge",         2, "rr",  "b", "greater_equal", infix=">=", power=40, latex=r"\ge")
EQ        = _row("eq",         2, "rr",  "b", "equal",         infix="==", power=40, latex="=", commutative=True)
NE        = _row("ne",         2, "rr",  "b", "not_equal",     infix="!=", power=40, latex=r"\ne", commutative=True)
AND       = _row("and",       -1, "b",   "b", "logical_and",   infix="&",  power=46, latex=r"\wedge", commutative=True, associative=True)
OR        = _row("or",        -1, "b",   "b", "logical_or",    infix="|",  power=44, latex=r"\vee", commutative=True, associative=True)
NOT       = _row("not",        1, "b",   "b", "logical_not",   infix="~",  power=70, latex=r"\neg")
WHERE     = _row("where",      3, "bxx", "w", "where")
# fmt: on

OPS: Final[list[Op]] = _ROWS
"""By code; it only grows, by a user's ops."""
BUILTIN: Final[tuple[Op, ...]] = tuple(_ROWS)
"""Ours: what tables that are made on import are made of."""
BY_NAME: Final[dict[str, Op]] = {row.name: row for row in OPS}
BY_NUMPY: Final[dict[str, Op]] = {row.numpy: row for row in OPS if row.numpy}


def op(name: str) -> Op:
    """Look up an op by its name; raise `UnsupportedOp` with the valid names.

    >>> op("mul").commutative
    True
    """
    try:
        return BY_NAME[name]
    except KeyError:
        known = ", ".join(row.name for row in OPS)
        raise UnsupportedOp(f"no op is called {name!r}; ops: {known}") from None


def __getattr__(name: str) -> Op:
    """Offer the rows by name, with an underscore after Python's words: `ops.mul`, `ops.and_`."""
    row = None if name.startswith("_") else BY_NAME.get(name.removesuffix("_"))
    if row is None or row.arity == LEAF:
        raise AttributeError(f"module 'rewrite.ops' has no op or attribute {name!r}")
    return row


def signature_text(row: Op) -> str:
    """List what an op takes and makes, for messages."""
    if row is WHERE:
        return "(bool, any sort, the same) -> that sort"
    return ", ".join(map(repr, signatures.rows(row.code))) or "nothing"


# -- what ops take and make ------------------------------------------------------------------


def _numbers(row: Op) -> list[Signature]:
    """Return the signatures of a row: on reals, and on integers where they make integers."""
    count = 2 if row.arity < 0 else row.arity
    letters = [row.takes[min(place, len(row.takes) - 1)] for place in range(count)]
    takes = tuple(BOOL if letter == "b" else REAL for letter in letters)
    flags = (row.commutative, row.associative)
    found = [Signature(takes, BOOL if row.makes == "b" else REAL, *flags)]
    if row.makes == "i":
        found.append(Signature((INT,) * count, INT, *flags))
    return found


def _declare() -> None:
    for row in BUILTIN:
        signatures.declare(row.code, row.arity, choice=row.makes == "w")
        for each in _numbers(row) if row.arity and row.makes != "w" else ():
            signatures.add(row.code, each)


_declare()

_M: Final = MATRIX
# fmt: off
MATRICES: Final[tuple[tuple[Op, tuple[Sort, ...], Sort, bool, bool, Callable[..., Any]], ...]] = (
    # op, takes,    makes, commutative, associative, on values
    (ADD, (_M, _M),   _M,  True,        True,        lambda a, b: a + b),
    (SUB, (_M, _M),   _M,  False,       False,       lambda a, b: a - b),
    (NEG, (_M,),      _M,  False,       False,       lambda a: -a),
    (MUL, (_M, _M),   _M,  False,       True,        matrices.multiplied),
    (MUL, (REAL, _M), _M,  True,        True,        matrices.scaled),
    (DIV, (_M, REAL), _M,  False,       False,       matrices.divided),
    (POW, (_M, INT),  _M,  False,       False,       matrices.power),
)
# fmt: on
"""What ops mean on matrices. Of a commutative row of two sorts the mirror is one too."""

for _op, _takes, _makes, _commutes, _regroups, _on_values in MATRICES:
    signatures.add(_op.code, Signature(_takes, _makes, _commutes, _regroups, _on_values))
