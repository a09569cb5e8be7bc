"""What names stand for while a network's expressions are read: terms of one store."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rewrite.errors import ArgumentError, ParseError, SortError
from rewrite.io import grammar
from rewrite.io.bionetgen.expressions import FUNCTIONS, read_expression, value_of
from rewrite.io.bionetgen.sections import File, Line, Named
from rewrite.store import Store
from rewrite.term import Term, const, current_store, lift

__all__ = ["Names"]


class Names:
    """Names with their terms, and functions, which grow line by line.

    Whatever is wrong is a `ParseError` that has the file and the line.
    """

    def __init__(self, file: File) -> None:
        self.file = file
        self.known: dict[str, Term] = {}
        self.functions: dict[str, grammar.Function] = dict(FUNCTIONS)
        self.lines: dict[str, Line] = {}
        self.results: dict[str, Term] = {}
        """What functions without arguments return."""

    def define(self, name: str, term: Term, line: Line) -> None:
        """Give a name its term; no name has two."""
        if name in self.lines:
            self.file.fail(
                line, f"expected a new name; {name} is in line {self.lines[name].number}"
            )
        self.known[name], self.lines[name] = term, line

    def read(self, line: Line, text: str) -> Term:
        """Read an expression of a line."""
        try:
            return read_expression(text, self.known, self.functions)
        except ParseError as error:
            raise ParseError(
                f"expected an expression: {error.message}", error.source, error.column,
                error.width, filename=self.file.name, lineno=line.number,
            ) from None  # fmt: skip

    def value(self, line: Line, text: str) -> float:
        """Read an expression that has a value."""
        return value_of(self.read(line, text))

    def parameters(self, rows: Sequence[Named], given: Mapping[str, Any]) -> None:
        """Define the parameters in their order; those that are given stand for other terms.

        What has a value becomes it, so that expressions of given symbols alone stay expressions.
        """
        unknown = [name for name in given if name not in {row.name for row in rows}]
        if unknown:
            known = grammar.suggest(str(unknown[0]), [row.name for row in rows])
            raise ArgumentError(f"the network has no parameter {unknown[0]!r}{known}")
        for row in rows:
            if row.name in given:
                term = lift(given[row.name], current_store())
            else:
                term = self.read(row.line, row.text)
            self.define(row.name, self.reduced(term), row.line)

    def reduced(self, term: Term) -> Term:
        """Return a term without symbols as its value."""
        return term if term.free_symbols else const(value_of(term))

    def define_functions(self, rows: Sequence[Named], time: Term) -> None:
        """Define the functions in their order, and what `time()` is."""
        self.functions["time"] = grammar.Macro(0, 0, lambda store, _: lift(time, store).id)
        for row in rows:
            if row.name in self.functions:
                self.file.fail(row.line, f"expected a new name; {row.name} is a function already")
            if row.arguments:
                self.functions[row.name] = self.written_out(row)
            else:
                term = self.results[row.name] = self.read(row.line, row.text)
                self.define(row.name, term, row.line)
                self.functions[row.name] = grammar.Macro(0, 0, partial(_node, term.id))

    def written_out(self, row: Named) -> grammar.Macro:
        """Return a function with arguments: its text, read with terms for their names."""
        known, functions = dict(self.known), dict(self.functions)

        def make(store: Store, nodes: list[int]) -> int:
            terms = (Term(store, node) for node in nodes)
            given = dict(zip(row.arguments, terms, strict=True))
            try:
                return read_expression(row.text, {**known, **given}, functions).id
            except ParseError as error:
                raise SortError(f"in {row.name}: {error.message}") from None

        count = len(row.arguments)
        return grammar.Macro(count, count, make)


def _node(node: int, _store: Store, _nodes: list[int]) -> int:
    return node
