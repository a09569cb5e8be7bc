"""Expressions of FPCore as terms: scopes, conditionals, and loops whose length is known."""

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.constants import rounded
from rewrite.errors import SortError
from rewrite.evaluate import evaluate
from rewrite.io import grammar
from rewrite.io.fpcore.core import FPCore
from rewrite.io.fpcore.numbers import Kind, number
from rewrite.io.fpcore.sexpr import Atom, Group, Node, Source
from rewrite.io.fpcore.tables import CONSTANTS, OPERATORS, UNKNOWN
from rewrite.sorts import BOOL, INT
from rewrite.term import Term, apply, const

__all__ = ["PRECISIONS", "Expressions", "Scope", "run"]

PRECISIONS: Final[dict[str, Kind | None]] = {
    "binary64": np.dtype(np.float64), "binary32": np.dtype(np.float32), "real": None,
}  # fmt: skip
"""None: numbers are what they are."""
MAX_STEPS: Final = 10_000
"""So often a loop is written out."""
EXACT: Final = 1 << 53
"""Integers up to here are the same in floating point."""
_COUNTING: Final = {
    ops.ADD: lambda a, b: a + b, ops.SUB: lambda a, b: a - b, ops.MUL: lambda a, b: a * b
}  # fmt: skip

type Step = Generator[Any, Any, Any]
"""A reader that yields the readers of what it needs: nesting costs no stack."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What names mean, and how literals are rounded."""

    names: Mapping[str, Term]
    kind: Kind | None

    def bound(self, more: Mapping[str, Term]) -> "Scope":
        """Return a scope in which more is bound."""
        return Scope({**self.names, **more}, self.kind)


def run(step: Step) -> Any:
    """Run a reader and those that it asks for."""
    stack, value = [step], None
    while stack:
        try:
            stack.append(stack[-1].send(value))
            value = None
        except StopIteration as done:
            stack.pop()
            value = done.value
    return value


@dataclass(frozen=True)
class Expressions:
    """Reads the expressions of one text; `known` are the benchmarks that have an identifier."""

    source: Source
    known: dict[str, FPCore] = field(default_factory=dict)

    def read(self, node: Node, scope: Scope) -> Term:
        """Return the term of an expression."""
        found: Term = run(self.expression(node, scope))
        return found

    def expression(self, node: Node, scope: Scope) -> Step:
        """Read any expression."""
        if isinstance(node, Atom):
            return self.atom(node, scope)
        if not node.items or not isinstance(node.items[0], Atom):
            self.source.fail("an operator is missing here", node)
        name = node.head
        if name in _FORMS:
            return (yield _FORMS[name](self, node, scope))
        args = []
        for item in node.items[1:]:
            args.append((yield self.expression(item, scope)))
        return self.call(node, args, scope.kind)

    def atom(self, node: Atom, scope: Scope) -> Term:
        """Read a number, a constant or a name."""
        if node.text in scope.names:
            return scope.names[node.text]
        if node.text in CONSTANTS:
            value = CONSTANTS[node.text]
            made: Term = value() if callable(value) else const(value)
            return made
        if node.is_string:
            self.source.fail("a text is no expression", node)
        exact = self.number(node)
        if exact is None:
            known = {*scope.names, *CONSTANTS}
            self.source.fail(f"unknown name {node.text!r}{grammar.suggest(node.text, known)}", node)
        return const(self.literal(exact, scope.kind, ratio="/" in node.text))

    def number(self, node: Atom) -> int | Fraction | None:
        """Read a number exactly, None if it is none."""
        try:
            return number(node.text)
        except ValueError as error:
            self.source.fail(str(error), node)

    def literal(self, exact: int | Fraction, kind: Kind | None, *, ratio: bool) -> Any:
        """Return the constant of a literal: integers and quotients are exact until they are used.

        A number with a point or an exponent is rounded, as the standard has it.
        """
        if isinstance(exact, int) or ratio or kind is None:
            return exact
        return float(rounded(exact, kind))

    def call(self, node: Group, args: list[Term], kind: Kind | None) -> Term:
        """Apply an operator, or a benchmark that was read before."""
        name = node.head
        if name in self.known:
            core = self.known[name]
            if kind is not None and kind != core.dtype:
                self.source.fail(f"one benchmark has one precision here, and {name} another", node)
            if len(args) != len(core.args):
                self.source.fail(f"{name} takes {len(core.args)} arguments, not {len(args)}", node)
            return core.term.substitute(dict(zip(core.args, args, strict=True)))
        if name not in OPERATORS:
            why = UNKNOWN.get(name)
            names = {*OPERATORS, *_FORMS, *self.known}
            text = f": {why}" if why else grammar.suggest(name, names)
            self.source.fail(f"{'no' if why else 'unknown'} operator {name!r}{text}", node.items[0])
        row = OPERATORS[name]
        if len(args) < row.least or (row.most and len(args) > row.most):
            count = grammar.count(row.least, row.most or grammar.MAX_LENGTH)
            if row.least < row.most:
                count = f"{row.least} or {row.most} arguments"
            self.source.fail(f"{name} takes {count}, not {len(args)}", node.items[0])
        return self.built(node, row.make, *args)

    def built(self, node: Node, make: Any, *args: Any) -> Term:
        """Build a term; say where sorts do not fit."""
        try:
            made: Term = make(*args)
        except SortError as error:
            self.source.fail(str(error), node)
        return made

    # -- forms -------------------------------------------------------------------------------

    def conditional(self, node: Group, scope: Scope) -> Step:
        """Read (if condition then else); it is a `where`, or one side if the condition is known."""
        if len(node.items) != 4:
            self.source.fail("expected (if condition then else)", node)
        parts = []
        for item in node.items[1:]:
            parts.append((yield self.expression(item, scope)))
        if parts[0].value is not None and parts[0].sort == BOOL:
            return parts[1] if parts[0].value else parts[2]
        return self.built(node, lambda *args: apply("where", *args), *parts)

    def let(self, node: Group, scope: Scope) -> Step:
        """Read (let ([name value] ...) body), or let*, in which later values see earlier names."""
        if len(node.items) != 3:
            self.source.fail(f"expected ({node.head} ([name value] ...) body)", node)
        inner = scope
        for name, item in self.bindings(node.items[1], 2):
            value = yield self.expression(item, inner if node.head == "let*" else scope)
            inner = inner.bound({name.text: value})
        return (yield self.expression(node.items[2], inner))

    def bindings(self, node: Node, size: int) -> Iterator[Any]:
        """Go through ([name part ...] ...)."""
        shape = "[name value]" if size == 2 else "[name start next]"
        if not isinstance(node, Group):
            self.source.fail(f"expected ({shape} ...)", node)
        seen = set()
        for item in node.items:
            ok = isinstance(item, Group) and len(item.items) == size
            if not ok or not isinstance(item.items[0], Atom):  # type: ignore[union-attr]
                self.source.fail(f"expected {shape}", item)
            assert isinstance(item, Group)
            name = item.head
            if name in seen:
                self.source.fail(f"{name!r} is bound twice", item)
            seen.add(name)
            yield item.items

    def while_(self, node: Group, scope: Scope) -> Step:
        """Write out (while condition ([name start next] ...) body)."""
        if len(node.items) != 4:
            self.source.fail(f"expected ({node.head} condition ([name start next] ...) body)", node)
        _, condition, bindings, body = node.items
        rows = list(self.bindings(bindings, 3))
        inner = yield self.updated(rows, 1, scope, in_turn=node.head == "while*")
        for _ in range(MAX_STEPS):
            test = yield self.expression(condition, inner)
            if not self.decided(test, condition):
                return (yield self.expression(body, inner))
            inner = yield self.updated(rows, 2, inner, in_turn=node.head == "while*")
        self.source.fail(f"a loop of more than {MAX_STEPS:,} steps is not written out", node)

    def decided(self, test: Term, node: Node) -> bool:
        """Return what a condition of a loop is."""
        if test.sort != BOOL:
            self.source.fail("a condition is expected here", node)
        if test.free_symbols:
            self.source.fail(
                "how often this loop runs depends on the arguments: only loops of a known length "
                "are written out", node,
            )  # fmt: skip
        return bool(evaluate(test))

    def updated(self, rows: Any, part: int, now: Scope, *, in_turn: bool) -> Step:
        """Bind the variables of a loop to their first or next values."""
        made = now
        for name, *items in rows:
            value = yield self.expression(items[part - 1], made if in_turn else now)
            made = made.bound({name.text: _counted(value)})
        return made

    def for_(self, node: Group, scope: Scope) -> Step:
        """Write out (for ([index size] ...) ([name start next] ...) body)."""
        if len(node.items) != 4:
            what = f"({node.head} ([index size] ...) ([name start next] ...) body)"
            self.source.fail(f"expected {what}", node)
        _, indices, bindings, body = node.items
        names, sizes, steps = [], [], 1
        for name, item in self.bindings(indices, 2):
            size = _counted((yield self.expression(item, scope))).value
            if not isinstance(size, int) or size < 0:
                self.source.fail("the size of a loop must be a whole number", item)
            names.append(name.text)
            sizes.append(range(size))
            steps *= size
        if steps > MAX_STEPS:
            self.source.fail(f"a loop of {steps:,} steps is not written out", node)
        rows, in_turn = list(self.bindings(bindings, 3)), node.head == "for*"
        inner = yield self.updated(rows, 1, scope, in_turn=in_turn)
        for place in product(*sizes):
            at = {name: const(value) for name, value in zip(names, place, strict=True)}
            inner = yield self.updated(rows, 2, inner.bound(at), in_turn=in_turn)
        return (yield self.expression(body, inner))

    def annotated(self, node: Group, scope: Scope) -> Step:
        """Read (! :property value ... expression): the precision must be that around it."""
        if len(node.items) < 2 or len(node.items) % 2:
            self.source.fail("expected (! :property value ... expression)", node)
        pairs = zip(node.items[1:-1:2], node.items[2:-1:2], strict=True)
        for key, value in pairs:
            self.check_context(key, value, scope)
        return (yield self.expression(node.items[-1], scope))

    def check_context(self, key: Node, value: Node, scope: Scope) -> None:
        """Refuse roundings that a term cannot say."""
        name = key.text if isinstance(key, Atom) else ""
        word = value.text if isinstance(value, Atom) else ""
        if not name.startswith(":"):
            self.source.fail("expected :property", key)
        if name == ":precision" and scope.kind is not None:
            if word not in PRECISIONS or PRECISIONS[word] != scope.kind:
                self.source.fail("one benchmark has one precision here", value)
        elif name == ":round":
            self.check_rounding(value)

    def check_rounding(self, value: Node) -> None:
        """Refuse all but the usual rounding."""
        if not isinstance(value, Atom) or value.text != "nearestEven":
            self.source.fail("only rounding to nearestEven is supported", value)

    def cast(self, node: Group, scope: Scope) -> Step:
        """Read (cast value): values are rounded already."""
        if len(node.items) != 2:
            self.source.fail("expected (cast expression)", node)
        return (yield self.expression(node.items[1], scope))

    def digits(self, node: Group, scope: Scope) -> Step:
        """Read (digits significand exponent base)."""
        yield from ()  # as the other forms
        parts = [self.number(item) for item in node.items[1:] if isinstance(item, Atom)]
        if len(parts) != 3 or len(node.items) != 4 or not all(type(p) is int for p in parts):
            self.source.fail("expected (digits significand exponent base), whole numbers", node)
        significand, exponent, base = (int(part or 0) for part in parts)
        if base < 2 or abs(exponent) * base.bit_length() > 20_000:
            self.source.fail("a base of at least 2, and an exponent that can be written out", node)
        exact = Fraction(base) ** exponent * significand
        return const(self.literal(exact, scope.kind, ratio=False))


def _counted(value: Term) -> Term:
    """Return the number where a value is one whole number and another: counters stay small."""
    rule = _COUNTING.get(value.op)
    if rule is None or value.sort != INT:
        return value
    numbers = [arg.value for arg in value.args]
    if len(numbers) != 2 or not all(type(each) is int for each in numbers):
        return value
    result = rule(*numbers)
    return const(result) if abs(result) <= EXACT else value


_FORMS: Final[dict[str, Any]] = {
    "if": Expressions.conditional, "let": Expressions.let, "let*": Expressions.let,
    "while": Expressions.while_, "while*": Expressions.while_,
    "for": Expressions.for_, "for*": Expressions.for_,
    "!": Expressions.annotated, "cast": Expressions.cast, "digits": Expressions.digits,
}  # fmt: skip
