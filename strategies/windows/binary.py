"""A program as binary nodes in plain lists, and what is known of the value of each.

Sums and products of many become chains from the left, as they are computed, so that they can be
cut anywhere.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.constants import Constant
from rewrite.dag import Dag
from rewrite.deadline import look
from rewrite.egraph.assumptions import has_value
from rewrite.egraph.facts import assumed
from rewrite.egraph.rows import binary
from rewrite.intervals import TOP, Fact, fact, fact_of_constant
from rewrite.ranges import transfer
from rewrite.sorts import BOOL, INT
from rewrite.store import Store, Symbol

__all__ = ["UNKNOWN", "Known", "Program", "coarse", "defined", "leaf_fact", "made", "program_of"]


@dataclass(frozen=True, slots=True)
class Known:
    """What may be used of a value: bounds at -1, 0 and 1, signs, whether it always is defined."""

    low: int | None = None
    high: int | None = None
    nonzero: bool = False
    integer: bool = False
    defined: bool = False


UNKNOWN: Final = Known()


@dataclass(frozen=True, slots=True)
class Program:
    """Nodes in topological order: op codes, arguments, the value of a leaf, sorts."""

    code: list[int]
    args: list[tuple[int, ...]]
    value: list[Symbol | Constant | None]
    sort: list[int]
    roots: list[int]
    known: list[Known]
    assumed: dict[int, tuple[str, ...]]
    """Facts that hold wherever the only root has a value."""

    constant: list[bool]
    """Whether a node is made of constants alone: it costs nothing, and no cut goes through it."""

    def __len__(self) -> int:
        """Count the nodes."""
        return len(self.code)

    def dag(self, roots: Iterable[int] | None = None) -> Dag:
        """Return it as columns, with its own roots or others; positions are the same."""
        counts = [len(args) for args in self.args]
        start = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=start[1:])
        return Dag(
            np.array(self.code, np.uint8), start,
            np.fromiter(chain.from_iterable(self.args), np.int32, int(start[-1])),
            np.array(self.sort, np.uint8), self.value,
            list(self.roots if roots is None else roots), np.arange(len(counts), dtype=np.int32),
        )  # fmt: skip


def made(store: Store, code: int, args: Iterable[int], value: Any) -> int:
    """Make a node in a store."""
    if value is None:
        return store.make((code, *args))
    return store.symbol(value, code) if isinstance(value, Symbol) else store.constant(value)


def program_of(dag: Dag, *, assume: bool, opaque: Container[str] = ()) -> Program:
    """Take a program apart; `assume` says that its root may be taken to have a value.

    `opaque` has the names of symbols that may have none.
    """
    rows, place = binary(dag, 0)
    roots = [place[root] for root in dag.roots]
    facts: dict[int, list[str]] = {}
    for name, at in assumed(list(enumerate(rows)), roots) if assume else ():
        if name not in facts.setdefault(at, []):
            facts[at].append(name)
    known = _known(rows, facts, opaque)
    constant: list[bool] = []
    for code, args, _, _ in rows:
        constant.append(all(constant[a] for a in args) if args else code == ops.CONST.code)
    return Program(
        [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows],
        [row[3] for row in rows], roots, known,
        {at: tuple(sorted(names)) for at, names in facts.items()}, constant,
    )  # fmt: skip


def _known(
    rows: list[Any], assumed_facts: dict[int, list[str]], opaque: Container[str] = ()
) -> list[Known]:
    facts: list[Fact] = []
    wholes: list[bool] = []
    seen: dict[tuple[Any, ...], Fact] = {}  # most nodes are like others
    for at, (code, args, value, sort) in enumerate(rows):
        look()
        if value is not None:
            found = leaf_fact(value)
            whole = not isinstance(value, Symbol) or value.name not in opaque
        else:
            below = [facts[a] for a in args]
            key = (code, len(set(args)) < len(args), *below)
            if key not in seen:
                seen[key] = transfer(code, args, below) if sort != BOOL else TOP
            found = seen[key]
            whole = all(wholes[a] for a in args) and defined(code, below)
        for name in assumed_facts.get(at, ()):
            found = _sharper(found, name)
        facts.append(found)
        wholes.append(whole)
    return [
        coarse(one, whole) if row[3] != BOOL else Known(defined=whole)
        for row, one, whole in zip(rows, facts, wholes, strict=True)
    ]


def leaf_fact(value: Symbol | Constant) -> Fact:
    """Return what is known of a leaf."""
    if not isinstance(value, Symbol):
        return fact_of_constant(value)
    if value.sort == BOOL:
        return TOP
    low = -float("inf") if value.low is None else value.low
    high = float("inf") if value.high is None else value.high
    return fact(low, high, integer=value.sort == INT)


def _sharper(known: Fact, name: str) -> Fact:
    """Add an assumed sign to what is known."""
    low = max(known.lo, 0.0) if name in ("pos", "nn") else known.lo
    if low > known.hi:
        return known
    return fact(low, known.hi, known.nonzero or name in ("pos", "nz"), known.integer)


def defined(code: int, args: list[Fact]) -> bool:
    """Tell whether an op has a value on arguments that have one."""
    if code == ops.POW.code:
        whole = args[1].lo == args[1].hi and args[1].integer
        return args[0].positive or (whole and (args[1].lo >= 0 or args[0].nonzero))
    return has_value(code, args)


def coarse(known: Fact, defined: bool) -> Known:
    """Round bounds outwards to -1, 0 and 1: equal shapes should be found equal."""
    if not defined:
        return UNKNOWN
    low = next((step for step in (1, 0, -1) if known.lo >= step), None)
    high = next((step for step in (-1, 0, 1) if known.hi <= step), None)
    nonzero = known.nonzero or known.lo > 0 or known.hi < 0
    return _known_as(low, high, nonzero, known.integer, True)


_known_as: Final = lru_cache(maxsize=None)(Known)
"""Makes equal ones one object, which is sent to another process once."""
