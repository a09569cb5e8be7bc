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
from rewrite.egraph.facts import assumed, number
from rewrite.egraph.language import constructor
from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol

__all__ = ["binary", "facts_text", "row_rule"]

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
        args = tuple(place[a] for a in args)
        arity = ops.OPS[code].arity
        while arity < 0 and len(args) > 2:
            rows.append((code, args[:2], None, sorts[at]))
            args = (first + len(rows) - 1, *args[2:])
        rows.append((code, args, dag.value[at], sorts[at]))
        place.append(first + len(rows) - 1)
    return rows, place


def row_rule(name: str, code: int, truth: bool, path: Path) -> str:
    """Write how a file of rows becomes nodes of one op."""
    row = ops.OPS[code]
    arity = 2 if row.arity < 0 else row.arity
    letters = [row.takes[min(k, len(row.takes) - 1)] for k in range(arity)]
    boolean = [letter == "b" or (letter == "x" and truth) for letter in letters]
    args = [f"({'NodeB' if b else 'Node'} a{k})" for k, b in enumerate(boolean)]
    names = " ".join(f"a{k}" for k in range(arity))
    node = "NodeB" if truth else "Node"
    return (
        f"(relation {name} ({' '.join(['i64'] * (arity + 1))}))\n"
        f'(input {name} "{path}")\n'
        f"(rule (({name} i {names})) ((union ({node} i) ({constructor(code, truth)} "
        f"{' '.join(args)}))) :ruleset load)"
    )


def facts_text(rows: list[Any], roots: Iterable[int], opaque: Container[int] = ()) -> str:
    """State what is known of the symbols and, where the roots are defined, of their parts.

    Symbols are defined everywhere, but for those that are `opaque`.
    """
    known = []
    for at, (_, _, value, sort) in rows:
        if isinstance(value, Symbol):
            for fact, bound in (("lo", value.low), ("hi", value.high)):
                if bound is not None:
                    known.append(f"(set ({fact} (Node {at})) {number(Fraction(bound))})")
            if sort == INT:
                known.append(f"(int (Node {at}))")
            if sort != BOOL and at not in opaque:
                known.append(f"(df (Node {at}))")
        elif isinstance(value, Named):
            known.append(f"(set (lo (Node {at})) {number(Fraction(value.value) * _BELOW)})")
            known.append(f"(set (hi (Node {at})) {number(Fraction(value.value) * _ABOVE)})")
    known += [f"({fact} (Node {at}))" for fact, at in assumed(rows, roots)]
    return "".join(f"{fact}\n" for fact in known)
