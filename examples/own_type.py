"""A term type of one's own: four functions, and every strategy and rule set runs on it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import sympy as sp

import rewrite as rw
from rewrite import interface
from rewrite.fastmath import FastMath
from rewrite.rule import ruleset
from strategies import innermost


@dataclass(frozen=True)
class Node:
    """An op on parts, or without parts a matrix; other leaves are Python's numbers and names."""

    name: str
    parts: tuple[Any, ...] = ()


interface.is_call.register(Node, lambda term: bool(term.parts))
interface.head.register(Node, lambda term: term.name)
interface.children.register(Node, lambda term: term.parts)
interface.make.register(Node, lambda like, head, children: Node(head, tuple(children)))
interface.sort.register(Node, lambda term: rw.MATRIX)  # without it, leaves are real numbers

a, b, c = rw.pattern_vars("a b c")
P, Q, R = rw.pattern_vars("P Q R", sort=rw.MATRIX)
# fmt: off
PLAN = innermost(ruleset("laws", FastMath.FAST,
    ("one",         a * 1,              a),
    ("zero",        a + 0,              a),
    ("factor",      a * b + a * c,      a * (b + c)),
    ("matrices",    P * Q + P * R,      P * (Q + R)),
))
# fmt: on


def built(f: Any, x: Any, y: Any, A: Any, B: Any) -> list[Any]:
    """Build terms of any type: of numbers, of matrices, and one that no law applies to."""
    AB = f("mul", [A, B])
    xs = f("mul", [x, f("add", [f("sin", [x]), f("mul", [1, 0])])])
    return [f("add", [f("mul", [y, x]), xs]), f("add", [AB, f("mul", [A, A])]),
            f("add", [AB, f("mul", [B, A])])]  # fmt: skip


def plain(term: Any) -> Any:
    """Write a term of any type as nested tuples of names."""
    if interface.is_call(term):
        return (interface.head(term), *map(plain, interface.children(term)))
    return getattr(term, "name", None) or str(term)


x, y = rw.symbols("x y")
kinds = {
    "terms": built(partial(interface.make, x), x, y, *rw.symbols("A B", sort=rw.MATRIX)),
    "tuples": built(partial(interface.make, ()), "x", "y", Node("A"), Node("B")),
    "SymPy": built(partial(interface.make, sp.S.One), *sp.symbols("x y"),
                   *sp.symbols("A B", commutative=False)),
    "own": built(partial(interface.make, Node("")), "x", "y", Node("A"), Node("B")),
}  # fmt: skip
results = {kind: [plain(PLAN(term)) for term in terms] for kind, terms in kinds.items()}
for kind, found in results.items():
    print(f"{kind:8}", *found)
    assert found == results["own"], f"{kind} differ"
