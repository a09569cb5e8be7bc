"""Reading formulas in Python's syntax: no `eval`, no recursion, every size bounded.

Text from outside may be hostile, so it never reaches Python's own parser, whose limits on depth
differ between versions. An operator-precedence parser with two explicit stacks reads it in one
pass; each refusal is a `ParseError` with the place.
"""

import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NoReturn

from rewrite import ops
from rewrite.errors import ParseError, SortError, UnsupportedOp
from rewrite.io import grammar
from rewrite.store import Symbol
from rewrite.term import Term, current_store

__all__ = ["Parser", "parse"]


class Parser:
    """Reads one formula of a dialect; `functions` are those of the dialect without more."""

    def __init__(
        self, text: str, known: Mapping[str, Term], strict: bool,
        dialect: grammar.Dialect = grammar.PYTHON,
        functions: Mapping[str, grammar.Function] | None = None,
    ) -> None:  # fmt: skip
        if len(text) > grammar.MAX_LENGTH:
            self.text = text
            self.fail(
                f"a text of {len(text):,} characters; {grammar.MAX_LENGTH:,} are allowed",
                grammar.MAX_LENGTH,
            )
        self.text, self.known, self.strict, self.dialect = text, known, strict, dialect
        self.functions = dialect.functions if functions is None else functions
        self.store = current_store()
        self.operands: list[grammar.Operand] = []
        self.pending: list[grammar.Pending] = []
        self.opens: list[grammar.Open] = []
        self.base = 0
        self.called: tuple[str, int] | None = None
        self.wants_value = True
        self.end = 0

    def fail(self, message: str, column: int, width: int = 1) -> NoReturn:
        raise ParseError(message, self.text, column, width)

    # -- tokens ------------------------------------------------------------------------------

    def run(self) -> Term:
        """Read the whole text."""
        last = len(self.text.rstrip())
        for match in self.dialect.token.finditer(self.text, 0, last):
            kind = match.lastgroup or ""
            token, column = match[kind], match.start(kind)
            self.end = match.end()
            if token == "\n" and (self.opens or not (self.operands or self.pending)):
                continue
            if self.wants_value:
                self.value(kind, token, column)
            else:
                self.operator(kind, token, column)
        if self.wants_value:
            what = "ends where a value should follow" if self.end else "is empty"
            self.fail(f"the formula {what}", last)
        if self.opens:
            self.fail("this parenthesis is never closed", self.opens[-1].column)
        self.reduce(0)
        return Term(self.store, self.operands[0].node)

    def value(self, kind: str, token: str, column: int) -> None:
        """Take a token where a value begins."""
        if token in self.dialect.prefix:
            power, row = self.dialect.prefix[token]
            if token == "not" and len(self.pending) > self.base and self.pending[-1].power > power:
                self.fail("put 'not ...' in parentheses here", column, 3)
            self.push(grammar.Pending(power, row, token, column, prefix=True))
        elif token == "(":
            name, at = self.called or ("", column)
            self.called = None
            self.opens.append(grammar.Open(at, name, len(self.operands), len(self.pending)))
            self.base = len(self.pending)
            self.check_depth(column)
        elif kind == "number":
            self.number(token, column)
        elif kind == "name":
            self.name(token, column)
        elif (
            token == ")"
            and len(self.pending) == self.base
            and self.opens
            and (self.opens[-1].function)
        ):  # f() or f(x,), not f(x*)
            self.close(column)
        else:
            self.fail(
                self.dialect.refused.get(token)
                or f"a value is missing before {grammar.shown(token)}",
                column,
            )

    def operator(self, kind: str, token: str, column: int) -> None:
        """Take a token where a value has ended."""
        if token in self.dialect.infix:
            self.infix(token, column)
        elif token == ")":
            self.close(column)
        elif token == ",":
            if not self.opens or not self.opens[-1].function:
                self.fail("a comma outside a call: tuples are not part of a formula", column)
            self.reduce(0)
            self.wants_value = True
        elif token == "(":
            self.fail("only named functions can be called; write * to multiply", column)
        elif token in self.dialect.refused:
            self.fail(self.dialect.refused[token], column, len(token))
        elif kind == "mark":
            self.fail(f"{grammar.shown(token)} is not part of a formula", column)
        elif token in self.dialect.keywords:
            self.fail(f"{token!r} is Python, but not part of a formula", column, len(token))
        else:
            self.fail(f"an operator is missing before {grammar.shown(token)}", column, len(token))

    def number(self, token: str, column: int) -> None:
        """Take a literal, exactly as written."""
        if len(token) > grammar.MAX_DIGITS:
            self.fail(f"a number of {len(token)} digits; {grammar.MAX_DIGITS} are allowed", column)
        value: int | float
        if grammar.INTEGER.fullmatch(token):
            value = int(token)
            exact = min(value, grammar.CLAMP)
        elif grammar.FLOAT.fullmatch(token) and not token.replace("_", "").isdigit():
            value, exact = float(token), None
            if math.isinf(value):
                self.fail(f"{grammar.shown(token)} is too large for a double; write inf", column)
        else:
            self.fail(grammar.why_no_number(token), column, len(token))
        self.operands.append(grammar.Operand(self.store.constant(value), exact, value))
        self.wants_value = False

    def name(self, token: str, column: int) -> None:
        """Take a symbol, a constant, or the name of a function."""
        name = token if token.isascii() else unicodedata.normalize("NFKC", token)
        if len(name) > grammar.MAX_NAME or not (token.isidentifier() and name.isidentifier()):
            self.fail(f"{grammar.shown(name)} is not a name", column)
        if grammar.OPENS.match(self.text, self.end) and name not in self.dialect.keywords:
            if name not in self.functions:
                self.fail(self.unknown_function(name), column, len(token))
            self.called = name, column
            return
        literal: float | None = None
        if name in self.known:
            node = self.known[name].id
        elif name in self.dialect.values:
            value = self.dialect.values[name]
            literal = value if type(value) is float else None
            node = self.store.constant(value)
        else:
            self.refuse_name(name, column)
            node = self.store.symbol(Symbol(name))
        self.operands.append(grammar.Operand(node, None, literal))
        self.wants_value = False

    def refuse_name(self, name: str, column: int) -> None:
        """Refuse what cannot be a new symbol."""
        if name in self.dialect.keywords:
            why = self.dialect.refused.get(name) or f"{name!r} is Python, but not part of a formula"
            self.fail(why, column, len(name))
        if name in self.functions:
            self.fail(f"{name} is a function; call it, as in {name}(x)", column, len(name))
        if self.strict:
            self.fail(
                f"unknown name {name!r}{grammar.suggest(name, self.known)}", column, len(name)
            )

    def unknown_function(self, name: str) -> str:
        """Say what is wrong with a call."""
        if name in self.known or name in self.dialect.values:
            return f"{name!r} is not a function; write {name}*(...) to multiply"
        return f"unknown function {name!r}{grammar.suggest(name, self.functions)}"

    # -- operators ---------------------------------------------------------------------------

    def push(self, pending: grammar.Pending) -> None:
        """Let an operator wait."""
        self.pending.append(pending)
        self.check_depth(pending.column)

    def check_depth(self, column: int) -> None:
        """Bound what waits; a long sum waits for nothing."""
        if len(self.pending) + len(self.opens) > grammar.MAX_DEPTH:
            self.fail(f"nested deeper than {grammar.MAX_DEPTH} levels", column)

    def infix(self, token: str, column: int) -> None:
        """Take a binary operator."""
        power, row = self.dialect.infix[token]
        chains = power == grammar.COMPARISON and not self.dialect.loose
        self.reduce(power + (row is ops.POW or chains))
        chained = False
        if chains and len(self.pending) > self.base:
            chained = self.pending[-1].power == grammar.COMPARISON
            if chained:  # a < b < c is (a < b) & (b < c)
                middle = self.operands[-1]
                self.apply(self.pending.pop())
                self.operands.append(middle)
        self.push(grammar.Pending(power, row, token, column, chained=chained))
        self.wants_value = True

    def reduce(self, power: int) -> None:
        """Apply the operators that bind at least so tightly."""
        while len(self.pending) > self.base and self.pending[-1].power >= power:
            self.apply(self.pending.pop())

    def apply(self, this: grammar.Pending) -> None:
        """Apply one operator to the values on the stack."""
        row, right = this.row, self.operands.pop()
        if this.prefix:
            if row is ops.NEG and right.literal is not None:
                exact = None if right.exact is None else -right.exact
                result = grammar.Operand(self.store.constant(-right.literal), exact)
            elif row is None:
                result = right
            else:
                exact = -right.exact if row is ops.NEG and right.exact is not None else None
                result = grammar.Operand(self.make(row, [right.node], this.column), exact)
            self.operands.append(result)
            return
        assert row is not None, "only prefix operators have no op"
        left = self.operands.pop()
        exact = self.exact(row, left.exact, right.exact, this.column)
        node = self.make(row, [left.node, right.node], this.column)
        if this.text in ("//", "%"):
            both = divmod(Term(self.store, left.node), Term(self.store, right.node))
            node = both[this.text == "%"].id
        if this.chained:
            node = self.make(ops.AND, [self.operands.pop().node, node], this.column)
        self.operands.append(grammar.Operand(node, exact))

    def close(self, column: int) -> None:
        """Take a closing parenthesis."""
        if not self.opens:
            self.fail("this parenthesis closes nothing", column)
        if not self.wants_value:
            self.reduce(0)
        opened = self.opens.pop()
        self.base = self.opens[-1].pending if self.opens else 0
        values = self.operands[opened.operands :]
        del self.operands[opened.operands :]
        if opened.function:
            self.operands.append(self.call(opened, values))
        else:
            self.operands.append(grammar.Operand(values[0].node, values[0].exact))
        self.wants_value = False

    def call(self, opened: grammar.Open, values: list[grammar.Operand]) -> grammar.Operand:
        """Apply a function; min and max take any number."""
        name, column = opened.function, opened.column
        row, nodes = self.functions[name], [value.node for value in values]
        if isinstance(row, grammar.Macro):
            least, most = row.least, row.most
        else:
            least, most = (2, grammar.MAX_LENGTH) if row.arity < 0 else (row.arity, row.arity)
        if not least <= len(nodes) <= most:
            self.fail(
                f"{name} takes {grammar.count(least, most)}, not {len(nodes)}", column, len(name)
            )
        exact = None
        if row is ops.POW:
            exact = self.exact(row, values[0].exact, values[1].exact, column)
        return grammar.Operand(self.make(row, nodes, column), exact)

    def make(self, row: grammar.Function, nodes: list[int], column: int) -> int:
        """Build a node; say where sorts do not fit."""
        try:
            if isinstance(row, grammar.Macro):
                return row.make(self.store, nodes)
            if self.dialect.loose:
                nodes = grammar.loosely(self.store, row, nodes)
            return self.store.make((row.code, *nodes))
        except SortError as error:
            hint = "; & and | bind tighter than comparisons" if row in (ops.AND, ops.OR) else ""
            raise ParseError(f"{error}{hint}", self.text, column) from None

    def exact(self, row: ops.Op, left: int | None, right: int | None, column: int) -> int | None:
        """Follow exact integers, to refuse powers that nobody could write out."""
        if row is ops.POW and right is not None and abs(right) > grammar.MAX_EXPONENT:
            shown = right if abs(right) < grammar.CLAMP else "that is larger still"
            self.fail(
                f"integer exponents go up to {grammar.MAX_EXPONENT}, not {shown}; write a float "
                "if a floating-point power is meant", column,
            )  # fmt: skip
        return grammar.exact_value(row, left, right)


def parse(
    text: str,
    symbols: Mapping[str, Term] | Iterable[Term | str] | None = None,
    *,
    strict: bool = False,
) -> Term:
    """Read a formula in Python's syntax; numbers are what they are written as.

    Names given by `symbols` (name -> term, or symbols and names) come first, then `pi`, `e`,
    `inf` and `nan`; any other name becomes a new symbol, or with `strict` an error. Raise
    `ParseError`, which shows the place, for whatever is not a formula or too large.

    >>> import rewrite as rw
    >>> rw.parse("-x**2 / (1 + ln(x))")
    -x**2/(1 + log(x))
    """
    if not isinstance(text, str):
        raise UnsupportedOp(f"parse takes text, not {type(text).__name__}")
    return Parser(text, grammar.known_symbols(symbols), strict).run()
