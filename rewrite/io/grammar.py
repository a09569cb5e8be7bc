"""What formulas are made of: tokens, precedences, names, limits, and why the rest is refused."""

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from rewrite import ops
from rewrite.constants import PI, Constant, E
from rewrite.errors import UnsupportedOp
from rewrite.functions import ROWS
from rewrite.term import Term, current_store, lift, symbol

__all__ = [
    "CLAMP", "COMPARISON", "EXACT", "FLOAT", "FUNCTIONS", "INFIX", "INTEGER", "MAX_DEPTH",
    "MAX_DIGITS", "MAX_EXPONENT", "MAX_LENGTH", "MAX_NAME", "OPENS", "PREFIX", "REFUSED", "TOKEN",
    "VALUES", "Open", "Operand", "Pending", "count", "exact_value", "known_symbols", "shown",
    "suggest", "why_no_number",
]  # fmt: skip

MAX_LENGTH: Final = 100_000
MAX_DEPTH: Final = 1_000
MAX_DIGITS: Final = 1_000
MAX_NAME: Final = 200
MAX_EXPONENT: Final = 10_000
CLAMP: Final = 1 << 64

FUNCTIONS: Final[dict[str, ops.Op]] = {
    **ROWS, "ln": ops.LOG, "pow": ops.POW, "min": ops.MINIMUM, "max": ops.MAXIMUM,
}  # fmt: skip
VALUES: Final[dict[str, Constant]] = {
    "pi": PI, "e": E, "inf": math.inf, "nan": math.nan, "True": True, "False": False,
}  # fmt: skip
COMPARISON: Final = 40
_UNARY: Final = 70
INFIX: Final[dict[str, tuple[int, ops.Op]]] = {
    "or": (10, ops.OR), "and": (20, ops.AND),
    "<": (COMPARISON, ops.LT), "<=": (COMPARISON, ops.LE), ">": (COMPARISON, ops.GT),
    ">=": (COMPARISON, ops.GE), "==": (COMPARISON, ops.EQ), "!=": (COMPARISON, ops.NE),
    "|": (44, ops.OR), "&": (46, ops.AND), "+": (50, ops.ADD), "-": (50, ops.SUB),
    "*": (60, ops.MUL), "/": (60, ops.DIV), "//": (60, ops.DIV), "**": (80, ops.POW),
}  # fmt: skip
PREFIX: Final[dict[str, tuple[int, ops.Op | None]]] = {
    "not": (30, ops.NOT), "-": (_UNARY, ops.NEG), "+": (_UNARY, None), "~": (_UNARY, ops.NOT),
}  # fmt: skip
EXACT: Final = {ops.ADD, ops.SUB, ops.MUL, ops.POW}

REFUSED: Final[dict[str, str]] = {
    "%": "% is not supported; use fmod(x, y), or x - y*floor(x/y)",
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


def shown(token: str) -> str:
    """Quote a token, cut short."""
    return repr(token if len(token) <= 40 else token[:40] + "…")


def count(number: int) -> str:
    """Write a number of arguments."""
    return "one argument" if number == 1 else f"{number} arguments"


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
