"""Reading FPCore: `parse` a text, `read` a file."""

import keyword
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rewrite.errors import DomainError
from rewrite.io.fpcore.core import FPCore
from rewrite.io.fpcore.domains import Limits, bounds
from rewrite.io.fpcore.expressions import PRECISIONS, Expressions, Scope
from rewrite.io.fpcore.numbers import Kind
from rewrite.io.fpcore.sexpr import Atom, Group, Node, Source
from rewrite.leaves import symbol
from rewrite.sorts import BOOL
from rewrite.term import Term

__all__ = ["parse", "read"]


def read(path: str | os.PathLike[str]) -> list[FPCore]:
    """Read the benchmarks of a file, `parse` of its text."""
    return _parsed(Source(Path(path).read_text(encoding="utf-8"), str(path)))


def parse(text: str) -> list[FPCore]:
    """Read all `(FPCore (arguments) :property value ... expression)` of a text as terms.

    Bounds that the precondition sets to arguments become domains of their symbols. Numbers with a
    point are rounded to the precision, binary64 or binary32; whole numbers and quotients stay
    exact. `let` and calls of benchmarks before are put in, `if` becomes `where`, loops of a known
    length are written out. `fmin` and `fmax` pass a NaN on, as NumPy's minimum and maximum.

    Raise `ParseError`, with the line and the place, for what is malformed, for tensors, loops whose
    length depends on arguments, mixed precisions, and operators that terms do not have.

    >>> import rewrite as rw
    >>> rw.io.fpcore.parse('(FPCore (x) :pre (<= 0 x 9) (- (sqrt (+ x 1)) (sqrt x)))')[0].term
    sqrt(x + 1) - sqrt(x)
    """
    return _parsed(Source(text))


def _parsed(source: Source) -> list[FPCore]:
    expressions = Expressions(source)
    cores = []
    for group in source.groups():
        core = _Benchmark(source, expressions, group).core()
        cores.append(core)
        if core.identifier:
            expressions.known[core.identifier] = core
    return cores


@dataclass(frozen=True)
class _Benchmark:
    """Reads one benchmark."""

    source: Source
    expressions: Expressions
    group: Group

    def core(self) -> FPCore:
        """Return the benchmark."""
        rest = list(self.group.items)
        if self.group.head != "FPCore":
            self.source.fail("expected (FPCore ...)", self.group)
        named = rest.pop(1) if len(rest) > 1 and isinstance(rest[1], Atom) else None
        if len(rest) < 3 or not isinstance(rest[1], Group):
            self.source.fail(
                "expected (FPCore (arguments) :property value ... expression)", self.group
            )
        properties = dict(self.properties(rest[2:-1]))
        kind = self.precision(properties)
        limits = bounds(properties.get(":pre"), self.source, kind)
        names: dict[str, Term] = {}
        for name, at in self.names(rest[1]):
            taken = {str(term) for term in names.values()}
            names[name] = self.argument(_identifier(name, taken), at, limits.get(name))
        scope = Scope(names, kind)
        pre = self.optional(properties.get(":pre"), Scope(names, None))
        if pre is not None and pre.sort != BOOL:
            self.source.fail("the precondition is no condition", properties[":pre"])
        plain = {
            key[1:]: _data(value)
            for key, value in properties.items()
            if key not in (":name", ":pre", ":spec", ":precision")
        }
        title = properties.get(":name")
        return FPCore(
            tuple(names.values()), self.expressions.read(rest[-1], scope),
            name=str(_data(title)) if title is not None else "",
            identifier=named.text if isinstance(named, Atom) else "",
            dtype=kind.type, pre=pre, properties=plain,
            spec=self.optional(properties.get(":spec"), Scope(names, None)),
        )  # fmt: skip

    def properties(self, nodes: list[Node]) -> Iterator[tuple[str, Node]]:
        """Go through :key value."""
        at = 0
        while at < len(nodes):
            node = nodes[at]
            if not (isinstance(node, Atom) and node.text.startswith(":")):
                self.source.fail("expected :property, or one expression at the end", node)
            if at + 1 == len(nodes):
                self.source.fail(f"{node.text} has no value", node)
            yield node.text, nodes[at + 1]
            at += 2

    def precision(self, properties: dict[str, Node]) -> Kind:
        """Return the type that the benchmark computes in."""
        if ":round" in properties:
            self.expressions.check_rounding(properties[":round"])
        node = properties.get(":precision")
        if node is not None:
            found = PRECISIONS.get(node.text) if isinstance(node, Atom) else None
            if found is None:
                self.source.fail("the precisions are binary64 and binary32", node)
            return found
        return np.dtype(np.float64)

    def names(self, group: Node) -> Iterator[tuple[str, Node]]:
        """Go through the names of the arguments."""
        assert isinstance(group, Group)
        seen = set()
        for node in group.items:
            item = node
            if isinstance(node, Group) and node.head == "!":
                item = node.items[-1]
            if not isinstance(item, Atom):
                self.source.fail("an array as an argument: tensors are not read", node)
            if item.text in seen:
                self.source.fail(f"two arguments are called {item.text!r}", item)
            if self.expressions.number(item) is not None or item.is_string:
                self.source.fail("an argument needs a name", item)
            seen.add(item.text)
            yield item.text, item

    def argument(self, name: str, at: Node, limits: Limits | None) -> Term:
        """Return the symbol of an argument."""
        low, high = limits or (None, None)
        try:
            return symbol(name, low=low, high=high)
        except DomainError as error:
            self.source.fail(f"the precondition leaves no value: {error}", at)

    def optional(self, node: Node | None, scope: Scope) -> Term | None:
        """Read an expression if there is one."""
        return None if node is None else self.expressions.read(node, scope)


def _identifier(name: str, taken: Collection[str]) -> str:
    """Return a name that a symbol can have: `t*` becomes `t_`, `0x` becomes `_0x`."""
    plain = "".join(c if f"_{c}".isidentifier() else "_" for c in name)
    plain = plain if plain.isidentifier() else f"_{plain}"
    while keyword.iskeyword(plain) or plain in taken:
        plain += "_"
    return plain


def _data(node: Node) -> Any:
    """Return the value of a property: texts without their quotes, tuples."""
    done: dict[int, Any] = {}
    stack = [node]
    while stack:
        this = stack[-1]
        if isinstance(this, Group):
            missing = [item for item in this.items if id(item) not in done]
            if missing:
                stack.extend(missing)
                continue
            done[id(this)] = tuple(done[id(item)] for item in this.items)
        else:
            done[id(this)] = _unquoted(this.text) if this.is_string else this.text
        stack.pop()
    return done[id(node)]


def _unquoted(text: str) -> str:
    return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
