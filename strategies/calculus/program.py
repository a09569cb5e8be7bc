"""What is differentiated: the columns of a program, its inputs, and what depends on them."""

import warnings
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.array import TermArray
from rewrite.constants import Constant, Named
from rewrite.dag import Dag
from rewrite.derivatives import FLAT, PARTIALS
from rewrite.errors import ArgumentError, DerivativeWarning, UnsupportedOp
from rewrite.sorts import BOOL
from rewrite.store import Ints, Store, Symbol
from rewrite.term import Term, join_all
from strategies.calculus.activity import CHOICE, KNOWN, STEPS, UNKNOWN, mark, ways

__all__ = ["Program", "filled"]

_OURS: Final = tuple(
    str(Path(__file__).parents[2] / package) for package in ("rewrite", "strategies", "codegen")
)
"""Warnings point at the line that called us."""
STRUCTURAL: Final = frozenset((ops.ADD.code, ops.MUL.code))
NAMED: Final = frozenset((ops.SYMBOL.code, ops.PVAR.code))
NUMBERS: Final = int(BOOL)
"""Sorts up to this one are numbers and truth values."""


class Program:
    """The nodes below some roots, and which of them depend on the inputs.

    Raise `UnsupportedOp` for an op without a derivative that an input goes through; warn of ops
    whose derivative is zero by convention.
    """

    def __init__(self, store: Store, roots: Sequence[int], inputs: Sequence[int]) -> None:
        self.store = store
        self.dag = dag = Dag.of(store, roots)
        self.roots = np.array(dag.roots, np.int64)
        self.count = len(inputs)
        """How many inputs there are."""
        self.inputs = np.empty(len(dag), np.int32)
        """The number of the input at each position, -1 elsewhere."""
        self.active = np.empty(len(dag), np.bool_)
        """What depends on an input, inputs among them."""
        kinds = _kinds()
        blocked = np.zeros(len(kinds), np.bool_)
        self.edges, self.widest, odd = mark(
            dag.ids, dag.code, dag.start, dag.args, dag.sort, np.array(inputs, np.int32),
            kinds, NUMBERS, self.inputs, self.active, blocked,
        )  # fmt: skip
        """How many edges lie between what is active, and the most arguments of a node."""
        if odd:
            self._complain(blocked)

    @classmethod
    def of(cls, outputs: TermArray, symbols: TermArray) -> "Program":
        """Take the outputs and the symbols by which they are differentiated; each comes once.

        Raise `ArgumentError` for what is no symbol, or is one twice.
        """
        store, ids = symbols.store, symbols.ids.ravel().tolist()
        for node in ids:
            if store.code(node) not in NAMED:
                raise ArgumentError(
                    f"{Term(store, node)!r} is not a symbol; derivatives are taken by symbols"
                )
        if store is not outputs.store:
            ids = join_all(outputs.store, symbols.terms())
        if len(set(ids)) != len(ids):
            twice = next(node for k, node in enumerate(ids) if node in ids[:k])
            raise ArgumentError(f"{Term(outputs.store, twice)!r} is among the symbols twice")
        return cls(outputs.store, outputs.ids.ravel().tolist(), ids)

    def ones(self) -> Ints:
        """Return the derivative of each input in itself, by position."""
        return filled(len(self.dag), self.store.constant(1))

    def _complain(self, blocked: npt.NDArray[np.bool_]) -> None:
        hit = [ops.OPS[code] for code in np.flatnonzero(blocked).tolist()]
        for row in hit:
            if row.code not in FLAT and row.makes != "b":
                raise UnsupportedOp(
                    f"the op {row.name!r} has no derivative; give it one with "
                    "rw.register(derivative=...), or keep what is differentiated out of it"
                )
        if (self.dag.sort > NUMBERS).any():
            raise UnsupportedOp("only terms of real numbers are differentiated, no matrices")
        flat = [row.name for row in hit if row.code in FLAT]
        truths = self.dag.sort[self.roots] == NUMBERS
        if truths.any():
            flat += sorted({ops.OPS[c].name for c in self.dag.code[self.roots[truths]].tolist()})
        if flat:
            warnings.warn(
                f"the derivative of {', '.join(flat)} is taken as 0: there is none at the steps",
                DerivativeWarning, skip_file_prefixes=_OURS,
            )  # fmt: skip

    def ways(self) -> tuple[int, int]:
        """Return how many edges a pass down from each root visits, and inputs a pass up carries."""
        dag = self.dag
        down, up = ways(
            dag.start, dag.args, self.active, self.inputs, self.count, self.roots
        )  # fmt: skip
        return int(down), int(up)

    @cached_property
    def exponent(self) -> Ints:
        """For powers with a constant exponent n: the nodes of n and n - 1, and 0, 1 or 2.

        1 and 2 say that n is that number; the nodes of all others are -1.
        """
        dag = self.dag
        found = filled((len(dag), 3), -1)
        codes, known = dag.code.tobytes(), dict[int, tuple[int, int, int]]()
        at = codes.find(ops.POW.code)
        while at >= 0:  # there are few: NumPy takes longer
            exponent = dag.args.item(dag.start.item(at) + 1)
            if exponent not in known:
                known[exponent] = self._exponent(dag.value[exponent])
            found[at] = known[exponent]
            at = codes.find(ops.POW.code, at + 1)
        return found

    def _exponent(self, value: Symbol | Constant | None) -> tuple[int, int, int]:
        store = self.store
        if value is None or isinstance(value, Symbol):
            return -1, -1, -1
        if type(value) is int:
            n, less = store.integers((value, value - 1))
            return n, less, value if value in (1, 2) else 0
        n = store.constant(0 if value == 0 else value)  # 0.0 * x**-1.0 is no number at 0
        if isinstance(value, Named):
            return n, store.make((ops.SUB.code, n, store.constant(1))), 0
        below: Any = value - 1
        if isinstance(below, Fraction) and below.denominator == 1:
            below = int(below)
        return n, store.constant(below), int(value) if value in (1, 2) else 0

    def width(self, at: int, each: int) -> int:
        """Return more nodes than what the derivatives of a position in its arguments need."""
        return (each + 8) * int(self.dag.start[at + 1] - self.dag.start[at] + 2)

    def columns(self) -> tuple[Any, ...]:
        """Return what the compiled passes read."""
        dag = self.dag
        return dag.code, dag.start, dag.args, dag.ids, self.active, self.exponent


def filled(shape: int | tuple[int, ...], node: int) -> Ints:
    """Return an array of one node; `np.full` takes four times as long for a short one."""
    made = np.empty(shape, np.int32)
    made.fill(node)
    return made


def _kinds() -> npt.NDArray[np.uint8]:
    """Return the kinds of all ops as of now."""
    return _kinds_of(len(ops.OPS), len(PARTIALS))


@lru_cache(maxsize=1)
def _kinds_of(count: int, known: int) -> npt.NDArray[np.uint8]:
    kinds = np.full(count, UNKNOWN, np.uint8)
    kinds[list(PARTIALS)[:known]] = KNOWN
    kinds[[row.code for row in ops.BUILTIN if row.makes == "b"]] = STEPS
    kinds[list(FLAT)] = STEPS
    kinds[ops.WHERE.code] = CHOICE
    kinds[[ops.SYMBOL.code, ops.CONST.code, ops.PVAR.code, *STRUCTURAL]] = KNOWN
    return kinds
