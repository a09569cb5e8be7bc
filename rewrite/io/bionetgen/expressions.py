"""BioNetGen's expressions: how they are written, and what its functions mean.

They are those of `Expression.pm` of BioNetGen 2 and of muParser, which evaluates them in runs: `^`
is a power, `&&`, `||` and `!` are logic, and truth values are numbers.
"""

import re
from collections.abc import Mapping
from math import inf, isinf
from typing import Final

from rewrite import ops
from rewrite.constants import PI, E
from rewrite.errors import SortError
from rewrite.evaluate import evaluate
from rewrite.io import grammar
from rewrite.io.grammar import COMPARISON, UNARY, Dialect, Function, Macro, folded, loosely
from rewrite.io.parse import Parser
from rewrite.sorts import BOOL
from rewrite.store import Store
from rewrite.term import Term, const

__all__ = ["BIONETGEN", "number", "read_expression", "value_of"]

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_STEPS: Final = 100_000
"""Bound of a continued fraction's length; those of models converge in tens of steps."""


def _if(store: Store, nodes: list[int]) -> int:
    condition, *branches = nodes
    if {store.sort(node) == BOOL for node in branches} == {True, False}:
        branches = loosely(store, ops.ADD, branches)
    (condition,) = loosely(store, ops.NOT, [condition])
    return store.make((ops.WHERE.code, condition, *branches))


def _sum(store: Store, nodes: list[int]) -> int:
    return store.make((ops.ADD.code, *loosely(store, ops.ADD, nodes)))


def _average(store: Store, nodes: list[int]) -> int:
    return store.make((ops.DIV.code, _sum(store, nodes), store.constant(len(nodes))))


def _rint(store: Store, nodes: list[int]) -> int:
    """Halves go up, where NumPy's rint takes the even neighbour."""
    half = store.make((ops.ADD.code, *loosely(store, ops.ADD, nodes), store.constant(0.5)))
    return store.make((ops.FLOOR.code, half))


def _mratio(store: Store, nodes: list[int]) -> int:
    terms = [Term(store, node) for node in nodes]
    if any(term.free_symbols for term in terms):
        raise SortError("mratio takes numbers: parameters that have a value, no symbols or species")
    return store.constant(kummer_ratio(*[float(evaluate(term)) for term in terms]))


def kummer_ratio(a: float, b: float, z: float) -> float:
    """Return M(a + 1, b + 1, z)/M(a, b, z) for Kummer's function M.

    Gauss's continued fraction (NIST DLMF 13.5.1) by Lentz's method as modified by I. Thompson and
    A. Barnett (1986); it ends by itself where a is a negative integer.
    """
    tiny = 1e-300
    value, ahead, behind = 1.0, 1.0, 0.0
    for step in range(1, _STEPS):
        half = (step + 1) // 2
        top = a - b - (half - 1) if step % 2 else a + half
        factor = z * top / ((b + step - 1) * (b + step))
        behind = 1 / ((1 + factor * behind) or tiny)
        ahead = (1 + factor / ahead) or tiny
        value *= ahead * behind
        if abs(ahead * behind - 1) < 1e-16:
            return 1 / value
    raise SortError(f"mratio({a}, {b}, {z}) does not converge within {_STEPS} steps")


FUNCTIONS: Final[dict[str, Function]] = {
    **{name: grammar.FUNCTIONS[name] for name in (
        "exp", "ln", "log10", "log2", "abs", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan",
        "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "floor", "ceil", "sign",
    )},
    "rint": Macro(1, 1, _rint), "if": Macro(3, 3, _if), "mratio": Macro(3, 3, _mratio),
    "min": folded(ops.MINIMUM), "max": folded(ops.MAXIMUM),
    "sum": Macro(2, grammar.MAX_LENGTH, _sum), "avg": Macro(2, grammar.MAX_LENGTH, _average),
    "_pi": Macro(0, 0, lambda store, _: store.constant(PI)),
    "_e": Macro(0, 0, lambda store, _: store.constant(E)),
}  # fmt: skip

BIONETGEN: Final = Dialect(
    token=re.compile(
        r"[ \t\f\r]*(?:"
        r"(?P<name>[A-Za-z_]\w*)"
        r"|(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\w*)"
        r"|(?P<mark>\*\*|&&|\|\||<=|>=|==|!=|~=|.))",
        re.DOTALL,
    ),
    infix={
        "||": (10, ops.OR), "&&": (20, ops.AND),
        "<": (COMPARISON, ops.LT), "<=": (COMPARISON, ops.LE), ">": (COMPARISON, ops.GT),
        ">=": (COMPARISON, ops.GE), "==": (COMPARISON, ops.EQ), "!=": (COMPARISON, ops.NE),
        "~=": (COMPARISON, ops.NE), "+": (50, ops.ADD), "-": (50, ops.SUB), "*": (60, ops.MUL),
        "/": (60, ops.DIV), "^": (80, ops.POW), "**": (80, ops.POW),
    },
    prefix={
        "-": (UNARY, ops.NEG), "+": (UNARY, None), "!": (UNARY, ops.NOT), "~": (UNARY, ops.NOT),
    },
    functions=FUNCTIONS,
    values={"_pi": PI, "_e": E},
    refused={
        "=": "= is not part of an expression; write == to compare",
        "%": "% is not part of BioNetGen's expressions",
    },
    keywords=frozenset(),
    loose=True,
)  # fmt: skip


def read_expression(
    text: str, known: Mapping[str, Term], functions: Mapping[str, Function]
) -> Term:
    """Read an expression over known names as a number; raise `ParseError` where it is none."""
    if _NUMBER.fullmatch(text) and len(text) <= grammar.MAX_DIGITS:
        if not isinf(float(text)):
            return const(number(text))
    made = Parser(text, known, True, BIONETGEN, functions).run()
    (node,) = loosely(made.store, ops.ADD, [made.id])
    return Term(made.store, node)


def number(text: str) -> int | float:
    """Return the value of digits: exact where there is neither a point nor an exponent."""
    return int(text) if text.lstrip("+-").isdigit() else float(text)


def value_of(term: Term) -> float:
    """Return the value of a term without symbols, computed in double precision."""
    value = term.value
    if not isinstance(value, (int, float)):
        return float(evaluate(term))
    try:
        return float(value)
    except OverflowError:  # as what is computed of such integers is
        return inf if value > 0 else -inf
