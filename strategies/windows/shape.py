"""The shape of a window: what it is up to renaming of its leaves.

The key of a shape holds its ops, which leaves are equal, its constants, and what rules may know of
its leaves. Windows of one shape are saturated once.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rewrite import ops
from rewrite.constants import constant_key
from rewrite.dag import Dag
from rewrite.sorts import BOOL, INT
from rewrite.store import Store, Symbol
from strategies.windows.binary import Known, Program, made
from strategies.windows.cut import Window

__all__ = [
    "Form",
    "Row",
    "Shape",
    "dag_of",
    "instantiate",
    "interned",
    "plain_of",
    "rows_of",
    "shape_of",
    "symbol_of",
    "symbols_of",
]  # fmt: skip

type Row = tuple[int, tuple[int, ...], Any]
"""An op code, the places of the arguments, and the constant of a leaf; a symbol is its number."""
type Form = tuple[tuple[Row, ...], tuple[int, ...]]
"""Rows, children first, and the places of the roots."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A window without its names; leaves are numbered in the order in which they are met."""

    rows: tuple[Row, ...]
    roots: tuple[int, ...]
    given: tuple[tuple[int, int], ...]
    """The rows that others compute, each with the number of the leaf that has its value."""
    leaves: tuple[tuple[int, Known], ...]
    """The sort of each leaf and what is known of it."""
    facts: tuple[tuple[str, int], ...]
    """What is assumed of rows."""

    @property
    def key(self) -> str:
        """Write it down; equal texts are equal shapes."""
        rows = [
            (code, args, constant_key(value) if code == _CONST else value)
            for code, args, value in self.rows
        ]
        leaves = [
            (sort, known.low, known.high, known.nonzero, known.integer, known.defined)
            for sort, known in self.leaves
        ]
        return repr((rows, self.roots, self.given, leaves, self.facts))


_CONST, _SYMBOL = ops.CONST.code, ops.SYMBOL.code
_ANY = Symbol("any")


def shape_of(program: Program, window: Window) -> tuple[Shape, tuple[int, ...]]:
    """Return the shape of a window, and the positions of its leaves."""
    visible = {*window.nodes, *window.context}
    places: dict[int, int] = {}
    numbers: dict[int, int] = {}
    rows: list[Row] = []
    given: list[tuple[int, int]] = []
    facts: list[tuple[str, int]] = []
    others = set(window.given)

    def leaf(at: int) -> int:
        return numbers.setdefault(at, len(numbers))

    stack = list(reversed(window.roots))
    while stack:
        at = stack[-1]
        if at in places:
            stack.pop()
            continue
        inner = at in visible or (program.constant[at] and bool(program.args[at]))
        waiting = [a for a in program.args[at] if a not in places] if inner else []
        if waiting:
            stack += reversed(waiting)
            continue
        stack.pop()
        value = program.value[at]
        if inner:
            rows.append((program.code[at], tuple([places[a] for a in program.args[at]]), None))
        elif value is not None and not isinstance(value, Symbol):
            rows.append((_CONST, (), value))
        else:
            rows.append((_SYMBOL, (), leaf(at)))
        places[at] = len(rows) - 1
        if at in others:
            given.append((places[at], leaf(at)))
        facts += [(name, places[at]) for name in program.assumed.get(at, ())]
    known = tuple([(program.sort[at], program.known[at]) for at in numbers])
    shape = Shape(
        tuple(rows), tuple([places[root] for root in window.roots]), tuple(given), known,
        tuple(facts),
    )  # fmt: skip
    return shape, tuple(numbers)


def plain_of(shape: Shape) -> Form:
    """Return a shape with leaves in the place of what others compute: what it costs."""
    given = dict(shape.given)
    rows: list[Row] = [
        (_SYMBOL, (), given[row]) if row in given else entry for row, entry in enumerate(shape.rows)
    ]
    return tuple(rows), shape.roots


def dag_of(form: Form) -> Dag:
    """Return the rows that the roots of a form reach as columns; leaves are all one symbol."""
    rows, roots = form
    start = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(args) for _, args, _ in rows], out=start[1:])
    return Dag(
        np.array([code for code, _, _ in rows], np.uint8), start,
        np.fromiter((a for _, args, _ in rows for a in args), np.int32, int(start[-1])),
        np.zeros(len(rows), np.uint8),
        [_ANY if code == _SYMBOL else value for code, _, value in rows],
        list(roots), np.arange(len(rows), dtype=np.int32),
    ).reached()  # fmt: skip


def symbols_of(shape: Shape, prefix: str) -> list[Symbol]:
    """Make the symbols that stand for the leaves."""
    return [symbol_of(*leaf, f"{prefix}{k}") for k, leaf in enumerate(shape.leaves)]


def symbol_of(sort: int, known: Known, name: str) -> Symbol:
    """Make a symbol that stands for a value of a sort, of which something is known."""
    kind = "bool" if sort == BOOL else "int64" if sort == INT else None
    low = None if known.low is None else float(known.low)
    high = None if known.high is None else float(known.high)
    return Symbol(name, kind, low, high)


def instantiate(form: Form, store: Store, leaves: list[int]) -> list[int]:
    """Make a form in a store whose nodes stand for the leaves; return the ids of its roots."""
    ids = interned(form, store, leaves)
    return [ids[root] for root in form[1]]


def interned(form: Form, store: Store, leaves: list[int]) -> list[int]:
    """Make a form in a store whose nodes stand for the leaves; return the id of each row."""
    ids: list[int] = []
    for code, args, value in form[0]:
        if code == _SYMBOL:
            ids.append(leaves[value])
        else:
            ids.append(made(store, code, [ids[a] for a in args], value))
    return ids


def rows_of(store: Store, roots: list[int], number: dict[str, int]) -> Form:
    """Write terms down; `number` has the number of each symbol by name."""
    dag = Dag.of(store, roots)
    rows: list[Row] = []
    for (code, args), value in zip(dag.rows(), dag.value, strict=True):
        if isinstance(value, Symbol):
            rows.append((_SYMBOL, (), number[value.name]))
        else:
            rows.append((code, args, value))
    return tuple(rows), tuple(dag.roots)
