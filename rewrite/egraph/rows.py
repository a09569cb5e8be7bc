"""A program as rows that refer to each other by number: how deep terms enter the e-graph.

Pure text and tuples: the bridge runs it.
"""

from collections.abc import Container, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from rewrite import ops
from rewrite.constants import Constant, Named
from rewrite.dag import Dag
from rewrite.deadline import look
from rewrite.egraph.facts import assumed, number
from rewrite.egraph.language import constructor
from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol

__all__ = ["Tables", "binary", "facts_of", "facts_text"]

_BELOW: Final = 1 - Fraction(1, 1 << 50)
_ABOVE: Final = 1 + Fraction(1, 1 << 50)


def binary(dag: Dag, first: int) -> tuple[list[Any], list[int]]:
    """Return (code, children, leaf, sort) rows numbered from `first`, and the row of each position.

    N-ary nodes become chains from the left.
    """
    rows: list[tuple[int, tuple[int, ...], Symbol | Constant | None, int]] = []
    place: list[int] = []
    sorts = dag.sort.tolist()
    for at, (code, args) in enumerate(dag.rows()):
        look()
        args = tuple([place[a] for a in args])
        if ops.OPS[code].arity < 0 and len(args) > 2:
            left = args[0]
            for right in args[1:-1]:
                rows.append((code, (left, right), None, sorts[at]))
                left = first + len(rows) - 1
            args = left, args[-1]
        rows.append((code, args, dag.value[at], sorts[at]))
        place.append(first + len(rows) - 1)
    return rows, place


type Claim = tuple[str, int]
"""A fact and the node that it is of."""
type Bounds = list[tuple[str, int, Fraction]]


def facts_of(
    rows: list[Any], roots: Iterable[int], opaque: Container[int] = ()
) -> tuple[list[Claim], Bounds]:
    """Return what is known of the symbols and, where the roots are defined, of their parts.

    Symbols are defined everywhere, but for those that are `opaque`.
    """
    known: list[Claim] = []
    bounds: Bounds = []
    for at, (_, _, value, sort) in rows:
        if isinstance(value, Symbol):
            for fact, bound in (("lo", value.low), ("hi", value.high)):
                if bound is not None:
                    bounds.append((fact, at, Fraction(bound)))
            if sort == INT:
                known.append(("int", at))
            if sort != BOOL and at not in opaque:
                known.append(("df", at))
        elif isinstance(value, Named):
            bounds.append(("lo", at, Fraction(value.value) * _BELOW))
            bounds.append(("hi", at, Fraction(value.value) * _ABOVE))
    return known + assumed(rows, roots), bounds


def facts_text(known: Iterable[Claim], bounds: Bounds) -> str:
    """Write facts down."""
    lines = [f"({fact} (Node {at}))" for fact, at in known]
    lines += [f"(set ({fact} (Node {at})) {number(bound)})" for fact, at, bound in bounds]
    return "\n".join(lines)


class Tables:
    """Rows that are read from files, and the rules that make nodes and facts of them."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        """Of the names of the tables: no two loads of a graph may share one."""
        self.lines: dict[str, list[str]] = {}
        self.rules: dict[str, tuple[str, str]] = {}
        """By table: the sorts of its columns, and the rule."""

    def node(self, at: int, code: int, truth: bool, args: Iterable[int]) -> None:
        """Add a node of an op."""
        name = f"{self.prefix}{constructor(code, truth)}{int(truth)}"
        self.lines.setdefault(name, []).append("\t".join(map(str, (at, *args))))
        if name not in self.rules:
            self.rules[name] = _node_rule(name, code, truth)

    def leaf(self, at: int, truth: bool, index: int) -> None:
        """Let a node be a leaf, or also have its value."""
        name = f"{self.prefix}Leaf{int(truth)}"
        self.lines.setdefault(name, []).append(f"{at}\t{index}")
        node, leaf = ("NodeB", "LeafB") if truth else ("Node", "Leaf")
        rule = f"(rule (({name} i k)) ((union ({node} i) ({leaf} k))) :ruleset load)"
        self.rules[name] = "i64 i64", rule

    def fact(self, name: str, at: int) -> None:
        """Claim a fact of a node."""
        table = f"{self.prefix}_{name}"
        self.lines.setdefault(table, []).append(str(at))
        self.rules[table] = "i64", f"(rule (({table} i)) (({name} (Node i))) :ruleset load)"

    def bound(self, name: str, at: int, value: Fraction) -> None:
        """Bound the value of a node."""
        table = f"{self.prefix}_{name}"
        self.lines.setdefault(table, []).append(f"{at}\t{value.numerator}\t{value.denominator}")
        exact = "(bigrat (from-string n) (from-string d))"
        rule = f"(rule (({table} i n d)) ((set ({name} (Node i)) {exact})) :ruleset load)"
        self.rules[table] = "i64 String String", rule

    def write(self, folder: Path) -> str:
        """Write all files; return what reads them."""
        text = []
        for name, lines in self.lines.items():
            path = folder / f"{name}.tsv"
            path.write_text("\n".join(lines) + "\n")
            sorts, rule = self.rules[name]
            text += [
                f"(relation {name} ({sorts}))",
                f'(input {name} "{path}")',
                rule,
            ]
        return "\n".join(text) + "\n(run load 1)"


def _node_rule(name: str, code: int, truth: bool) -> tuple[str, str]:
    """Write how rows become nodes of one op."""
    row = ops.OPS[code]
    arity = 2 if row.arity < 0 else row.arity
    letters = [row.takes[min(k, len(row.takes) - 1)] for k in range(arity)]
    boolean = [letter == "b" or (letter == "x" and truth) for letter in letters]
    args = [f"({'NodeB' if b else 'Node'} a{k})" for k, b in enumerate(boolean)]
    names = " ".join(f"a{k}" for k in range(arity))
    node = "NodeB" if truth else "Node"
    made = f"({constructor(code, truth)} {' '.join(args)})"
    sorts = " ".join(["i64"] * (arity + 1))
    return sorts, f"(rule (({name} i {names})) ((union ({node} i) {made})) :ruleset load)"
