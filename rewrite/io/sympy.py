"""Terms to SymPy expressions, and SymPy's types in the term interface.

Nothing is simplified: every expression is made with evaluate=False. Ops that SymPy lacks
(`round`, `fmod`, ...) become undefined functions of the same name, which `from_sympy` reads.
"""

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Final

import sympy as sp
from sympy.logic.boolalg import Boolean

from rewrite import interface
from rewrite.array import TermArray
from rewrite.constants import PI, Constant, Named
from rewrite.dag import Dag
from rewrite.errors import SortError, UnsupportedOp
from rewrite.io.sympy_reader import CLASSES, NAMES, below, from_sympy, like, negative
from rewrite.ops import BY_NAME, OPS
from rewrite.sorts import BOOL, INT, MATRIX, REAL, Sort
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["from_sympy", "to_sympy"]

_DOUBLE: Final = 53


def to_sympy(term: Any) -> Any:
    """Return the SymPy expression of a term, or the array of a `TermArray`.

    Lists, tuples and dictionaries keep their form.

    Domains become the assumptions that they imply; anything else about a symbol but its name and
    sort is lost. Raise `UnsupportedOp` for what is no term.

    >>> import rewrite as rw
    >>> to_sympy(rw.symbol("x") * 2 - 0.5)
    x*2 - 1*0.5
    """
    if isinstance(term, TermArray):
        return sp.Array([to_sympy(each) for each in term.terms()], term.shape)
    if isinstance(term, dict):
        return {key: to_sympy(part) for key, part in term.items()}
    if isinstance(term, (list, tuple)):
        return like(term, map(to_sympy, term))
    if not isinstance(term, Term):
        raise UnsupportedOp(f"{term!r} of type {type(term).__name__} is no term")
    dag = Dag.of(term.store, [term.id])
    made: list[Any] = []
    for (code, args), value in zip(dag.rows(), dag.value, strict=True):
        if isinstance(value, Symbol):
            expr = _symbol(value)
        elif value is not None:
            expr = _number(value)
        else:
            expr = build(OPS[code].name, [made[arg] for arg in args])
        _ = expr.is_commutative  # remembered, so that nothing above has to recurse for it
        made.append(expr)
    return made[dag.roots[0]]


def build(name: str, args: Sequence[Any]) -> Any:
    """Apply an op to SymPy expressions, without simplifying."""
    if name in _ARITHMETIC:
        return _arithmetic(name, args)
    if name == "where":
        return sp.Piecewise((args[1], args[0]), (args[2], True), evaluate=False)
    if name in CLASSES:
        return CLASSES[name](*args, evaluate=False)
    return sp.Function(name)(*args)


_ARITHMETIC: Final = ("add", "mul", "sub", "neg", "div", "pow", "sqrt")


def _arithmetic(name: str, args: Sequence[Any]) -> Any:
    """Apply what SymPy writes as sums, products and powers: of matrices if one of them is."""
    matrix = any(isinstance(arg, sp.MatrixExpr) for arg in args)
    total, product = (sp.MatAdd, sp.MatMul) if matrix else (sp.Add, sp.Mul)
    power = sp.MatPow if isinstance(args[0], sp.MatrixExpr) else sp.Pow
    if name in ("add", "mul"):
        return (total if name == "add" else product)(*args, evaluate=False)
    if name == "sub":
        return total(args[0], product(-1, args[1], evaluate=False), evaluate=False)
    if name == "neg":
        return product(-1, args[0], evaluate=False)
    if name == "div":
        below = sp.Pow(args[1], -1, evaluate=False)
        return below if args[0] is sp.S.One else product(args[0], below, evaluate=False)
    return power(args[0], args[1] if name == "pow" else sp.S.Half, evaluate=False)


def _symbol(symbol: Symbol) -> Any:
    if symbol.sort == BOOL:
        return sp.Symbol(symbol.name)
    if symbol.sort.fits(MATRIX):
        return sp.Symbol(symbol.name, commutative=False)
    if not symbol.sort.fits(REAL):
        raise UnsupportedOp(f"SymPy has no sort {symbol.sort}, of the symbol {symbol.name!r}")
    facts = {}
    if symbol.low is not None and symbol.low >= 0:
        facts["positive" if symbol.low > 0 else "nonnegative"] = True
    if symbol.high is not None and symbol.high <= 0:
        facts["negative" if symbol.high < 0 else "nonpositive"] = True
    if symbol.sort == INT:
        facts["integer"] = True
    return sp.Symbol(symbol.name, **facts)


def _number(value: Constant) -> Any:
    if isinstance(value, bool):
        return sp.true if value else sp.false
    if isinstance(value, int):
        return sp.Integer(value)
    if isinstance(value, Fraction):
        return sp.Rational(value.numerator, value.denominator)
    if isinstance(value, Named):
        return sp.pi if value == PI else sp.E
    if not math.isfinite(value):
        return sp.nan if value != value else sp.oo if value > 0 else -sp.oo
    if value == 0 and math.copysign(1.0, value) < 0:  # SymPy's zeros have no sign
        return sp.Mul(-1, sp.Float(0.0, precision=_DOUBLE), evaluate=False)
    return sp.Float(value, precision=_DOUBLE)


# -- the term interface ----------------------------------------------------------------------


@interface.is_call.register
def _(term: sp.Basic) -> bool:
    return bool(term.args) and not isinstance(term, sp.MatrixSymbol)


@functools.lru_cache(maxsize=10_000)
def _view(term: sp.Basic) -> tuple[str, tuple[Any, ...]] | None:
    """Return the op and the arguments of what SymPy writes as sums, products and powers.

    It has no differences, quotients and roots: they are told as `from_sympy` tells them, so that
    a rule about them applies here too.
    """
    if isinstance(term, sp.Mul):
        return _view_product(term)
    if isinstance(term, sp.Pow):
        if (power := below(term)) is not None:
            return "div", (sp.S.One, _raised(term.base, power))
        return ("sqrt", (term.base,)) if term.exp is sp.S.Half else None
    if isinstance(term, sp.Add) and any(negative(part) is not None for part in term.args[1:]):
        *first, last = term.args
        before = first[0] if len(first) == 1 else sp.Add(*first, evaluate=False)
        turned = negative(last)
        return ("add", (before, last)) if turned is None else ("sub", (before, turned))
    return None


def _view_product(term: sp.Mul) -> tuple[str, tuple[Any, ...]] | None:
    positive = negative(term)
    if positive is not None:
        return "neg", (positive,)
    powers = [below(part) for part in term.args]
    over = [part for part, power in zip(term.args, powers, strict=True) if power is None]
    under = [
        _raised(part.base, power)
        for part, power in zip(term.args, powers, strict=True)
        if power is not None
    ]
    return ("div", (_product(over), _product(under))) if under else None


def _raised(base: Any, power: Fraction) -> Any:
    exponent = sp.Rational(power.numerator, power.denominator)
    return base if power == 1 else sp.Pow(base, exponent, evaluate=False)


def _product(parts: list[Any]) -> Any:
    if len(parts) < 2:
        return parts[0] if parts else sp.S.One
    return sp.Mul(*parts, evaluate=False)


@interface.head.register
def _(term: sp.Basic) -> str:
    if not interface.is_call(term):
        raise UnsupportedOp(f"{term} is a leaf; it has no head")
    if isinstance(term, sp.Piecewise):
        return "where"
    if (view := _view(term)) is not None:
        return view[0]
    return NAMES.get(type(term)) or str(term.func.__name__)


@interface.children.register
def _(term: sp.Basic) -> tuple[Any, ...]:
    if isinstance(term, sp.Piecewise):
        (value, condition), *rest = term.args
        if condition == sp.true:
            return sp.true, value, value
        return condition, value, sp.Piecewise(*rest, evaluate=False) if rest else sp.nan
    if (view := _view(term)) is not None:
        return view[1]
    return tuple(term.args) if interface.is_call(term) else ()


@interface.sort.register
def _(term: sp.Basic) -> Sort:
    if isinstance(term, sp.MatrixExpr) or not term.is_commutative:
        return BOOL if isinstance(term, Boolean) and not isinstance(term, sp.Symbol) else MATRIX
    if isinstance(term, Boolean) and not isinstance(term, sp.Symbol):
        return BOOL
    if interface.is_call(term):
        return REAL
    if term.is_extended_real is False:
        raise SortError(f"{term} is not real; complex numbers are not supported: split it")
    return INT if term.is_integer else REAL


@interface.make.register
def _(like: sp.Basic, head: str, children: Sequence[Any]) -> Any:
    parts = [sp.sympify(part, strict=True) for part in children]
    if head not in BY_NAME and like.args and head == interface.head(like):
        return like.func(*parts)
    return build(head, parts)
