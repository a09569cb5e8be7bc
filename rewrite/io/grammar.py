"""What formulas are made of: tokens, precedences, names, limits, and why the rest is refused."""

import difflib
import keyword
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from rewrite import ops
from rewrite.constants import PI, Constant, E
from rewrite.errors import UnsupportedOp
from rewrite.functions import ROWS
from rewrite.leaves import symbol
from rewrite.sorts import BOOL
from rewrite.store import Store
from rewrite.term import Term, current_store, lift

__all__ = [
    "CLAMP", "COMPARISON", "EXACT", "FLOAT", "FUNCTIONS", "INTEGER", "MAX_DEPTH", "MAX_DIGITS",
    "MAX_EXPONENT", "MAX_LENGTH", "MAX_NAME", "OPENS", "PYTHON", "UNARY", "Dialect", "Macro",
    "Open", "Operand", "Pending", "count", "exact_value", "folded", "known_symbols", "loosely",
    "shown", "suggest", "why_no_number",
]  # fmt: skip

MAX_LENGTH: Final = 100_000
MAX_DEPTH: Final = 1_000
MAX_DIGITS: Final = 1_000
MAX_NAME: Final = 200
MAX_EXPONENT: Final = 10_000
CLAMP: Final = 1 << 64


class Macro(NamedTuple):
    """A function that is no op: it makes a node of those of its arguments."""

    least: int
    most: int
    make: Callable[[Store, list[int]], int]


def folded(row: ops.Op) -> Macro:
    """Return a function of any number of arguments that applies an op from left to right."""

    def make(store: Store, nodes: list[int]) -> int:
        made, *rest = nodes
        for node in rest:
            made = store.make((row.code, made, node))
        return made

    return Macro(2, MAX_LENGTH, make)


type Function = ops.Op | Macro
FUNCTIONS: Final[dict[str, Function]] = {
    **ROWS, "ln": ops.LOG, "pow": ops.POW,
    "min": folded(ops.MINIMUM), "max": folded(ops.MAXIMUM),
}  # fmt: skip
VALUES: Final[dict[str, Constant]] = {
    "pi": PI, "e": E, "inf": math.inf, "nan": math.nan, "True": True, "False": False,
}  # fmt: skip
COMPARISON: Final = 40
UNARY: Final = 70
INFIX: Final[dict[str, tuple[int, ops.Op]]] = {
    "or": (10, ops.OR), "and": (20, ops.AND),
    "<": (COMPARISON, ops.LT), "<=": (COMPARISON, ops.LE), ">": (COMPARISON, ops.GT),
    ">=": (COMPARISON, ops.GE), "==": (COMPARISON, ops.EQ), "!=": (COMPARISON, ops.NE),
    "|": (44, ops.OR), "&": (46, ops.AND), "+": (50, ops.ADD), "-": (50, ops.SUB),
    "*": (60, ops.MUL), "/": (60, ops.DIV), "//": (60, ops.DIV), "%": (60, ops.DIV),
    "**": (80, ops.POW),
}  # fmt: skip
PREFIX: Final[dict[str, tuple[int, ops.Op | None]]] = {
    "not": (30, ops.NOT), "-": (UNARY, ops.NEG), "+": (UNARY, None), "~": (UNARY, ops.NOT),
}  # fmt: skip
EXACT: Final = {ops.ADD, ops.SUB, ops.MUL, ops.POW}

REFUSED: Final[dict[str, str]] = {
    "^": "^ is no power here; write **",
    "=": "= is not part of a formula; an equation is written ==",
    ":=": ":= is not part of a formula",
    "[": "indexing and lists are not part of a formula",
    "]": "indexing and lists are not part of a formula",
    "{": "sets and dictionaries are not part of a formula",
    "}": "sets and dictionaries are not part of a formula",
    ".": "attributes are not part of a formula; write sin(x), not np.sin(x)",
    ":": ": is not part of a formula",
    '"': "text in quotes is not part of a formula",
    "'": "text in quotes is not part of a formula",
    "@": "@ is not supported; write the sum out",
    "<<": "shifts are not supported; multiply by a power of 2",
    ">>": "shifts are not supported; divide by a power of 2",
    "#": "comments are not part of a formula",
    "\n": "the line ends here; put a formula of several lines in parentheses",
    "…": "the text was cut short here; write the term out with a larger limit",
    "if": "'x if c else y' cannot be recorded; write where(c, x, y)",
    "else": "'x if c else y' cannot be recorded; write where(c, x, y)",
    "is": "write == to compare",
}

TOKEN: Final = re.compile(
    r"[ \t\f\r]*(?:"
    r"(?P<name>[^\W\d]\w*)"
    r"|(?P<number>(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?\w*)"
    r"|(?P<mark>\*\*|//|<<|>>|<=|>=|==|!=|:=|[^\w\s]|\n|.))"
)
INTEGER: Final = re.compile(r"0(?:_?0)*|[1-9](?:_?[0-9])*")
_DIGITS: Final = r"[0-9](?:_?[0-9])*"
FLOAT: Final = re.compile(rf"(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?")
OPENS: Final = re.compile(r"[ \t\f\r]*\(")


@dataclass(frozen=True)
class Dialect:
    """How formulas are written somewhere; the parser has the rest."""

    token: re.Pattern[str]
    infix: Mapping[str, tuple[int, ops.Op]]
    prefix: Mapping[str, tuple[int, ops.Op | None]]
    functions: Mapping[str, Function]
    values: Mapping[str, Constant]
    refused: Mapping[str, str]
    keywords: frozenset[str]
    loose: bool = False
    """Truth values are numbers too, and any number but 0 is true."""


PYTHON: Final = Dialect(
    TOKEN, INFIX, PREFIX, FUNCTIONS, VALUES, REFUSED, frozenset(keyword.kwlist)
)  # fmt: skip


def loosely(store: Store, row: ops.Op, nodes: list[int]) -> list[int]:
    """Return the arguments of an op with truth values for numbers, and the other way round."""
    made = []
    for place, node in enumerate(nodes):
        wanted, sort = row.takes[min(place, len(row.takes) - 1)], store.sort(node)
        if wanted == "b" and sort != BOOL:
            node = store.make((ops.NE.code, node, store.constant(0)))
        elif wanted != "b" and sort == BOOL:
            node = store.make((ops.WHERE.code, node, store.constant(1), store.constant(0)))
        made.append(node)
    return made


def shown(token: str) -> str:
    """Quote a token, cut short."""
    return repr(token if len(token) <= 40 else token[:40] + "…")


def count(least: int, most: int) -> str:
    """Write a number of arguments."""
    if most > least:
        return f"{('no', 'one', 'two')[least] if least < 3 else least} or more arguments"
    return "one argument" if least == 1 else f"{least} arguments"


def why_no_number(token: str) -> str:
    """Say what is wrong with what begins like a number."""
    if re.fullmatch(r"[0-9._eE+-]+[jJ]", token):
        return f"complex numbers are not supported: {shown(token)}"
    if re.match(r"0[xXoObB]", token):
        return f"write {shown(token)} as a decimal number"
    if token.isdigit():
        return f"a number cannot begin with 0: {shown(token)}"
    return f"{shown(token)} is not a number; write * between a number and a name"


def suggest(name: str, known: Iterable[str]) -> str:
    """Say which known name was probably meant, or which there are."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, 3)
    if close:
        return f"; did you mean {' or '.join(close)}?"
    listed = ", ".join(names)
    return f"; known: {listed if len(listed) <= 2000 else listed[:2000] + '…'}"


def exact_value(row: ops.Op, left: int | None, right: int | None) -> int | None:
    """Follow exact integers through an op, clamped where they are large."""
    if row not in EXACT or left is None or right is None:
        return None
    if row is ops.POW:
        if right < 0:
            return None
        value = left**right if left.bit_length() * right <= 128 else CLAMP
    else:
        value = left + right if row is ops.ADD else left - right
        value = left * right if row is ops.MUL else value
    return max(-CLAMP, min(value, CLAMP))


def known_symbols(symbols: Mapping[str, Term] | Iterable[Term | str] | None) -> dict[str, Term]:
    """Return the terms that names in a formula stand for."""
    store = current_store()
    if symbols is None:
        return {}
    if isinstance(symbols, Mapping):
        return {name: lift(term, store) for name, term in symbols.items()}
    found = {}
    for given in [symbols] if isinstance(symbols, (str, Term)) else symbols:
        term = symbol(given) if isinstance(given, str) else given
        if not isinstance(term, Term) or term.symbol is None:
            raise UnsupportedOp(f"symbols= takes symbols, names, or name -> term; not {given!r}")
        found[term.symbol.name] = lift(term, store)
    return found


# -- what is on the parser's stacks ----------------------------------------------------------


class Operand(NamedTuple):
    """A node; its value where it is a small exact integer; its number where it is a literal."""

    node: int
    exact: int | None = None
    literal: int | float | None = None


class Pending(NamedTuple):
    """An operator that waits for its right side."""

    power: int
    row: ops.Op | None
    text: str
    column: int
    prefix: bool = False
    chained: bool = False


class Open(NamedTuple):
    """An open parenthesis: of a call if it has a name; what was on the stacks before it."""

    column: int
    function: str
    operands: int
    pending: int
