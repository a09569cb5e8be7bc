"""The table of partial derivatives as data for the compiled passes.

Of each op and argument: the steps that intern its parts, and which of them are the numerator, the
divisor and the sign, so that `g * (1 / a)` is written `g / a`.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import Constant, constant_key
from rewrite.derivatives import ARGUMENTS, PARTIALS, VALUE
from rewrite.store import Ints, Store
from rewrite.term import Term
from strategies.calculus.machine.writing import CONST, CONSTANTS, TEMP
from strategies.calculus.machine.writing import VALUE as WHOLE

__all__ = ["Templates", "templates"]

WIDEST: Final = 3
"""Arguments of a step."""

_PLACES: Final = {argument: place for place, argument in enumerate(ARGUMENTS)}


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """`heads[8 * op + argument]` are first and last step, numerator, divisor or -1, and sign."""

    heads: npt.NDArray[np.int32]
    steps: npt.NDArray[np.int32]
    constants: tuple[Constant, ...]
    longest: int
    """How many steps a partial derivative has at most."""
    _nodes: WeakKeyDictionary[Store, Ints] = field(default_factory=WeakKeyDictionary)

    def nodes(self, store: Store) -> Ints:
        """Return the nodes of the constants in a store."""
        found = self._nodes.get(store)
        if found is None:
            found = np.array([store.constant(value) for value in self.constants], np.int32)
            self._nodes[store] = found
        return found


def templates() -> Templates:
    """Return the table as of now; made anew where a user's op has got a derivative since."""
    if _KNOWN.get("of") != PARTIALS:
        _KNOWN.update(of=dict(PARTIALS), made=_Writer().written())
    made: Templates = _KNOWN["made"]
    return made


_KNOWN: dict[str, Any] = {}


class _Writer:
    def __init__(self) -> None:
        self.steps: list[list[int]] = []
        self.constants: list[Constant] = list(CONSTANTS)
        self.places = {constant_key(value): place for place, value in enumerate(self.constants)}

    def written(self) -> Templates:
        heads = np.full((8 * len(ops.OPS), 5), -1, np.int32)
        for code, parts in PARTIALS.items():
            for k, part in enumerate(parts):
                heads[8 * code + k] = self.head(part)
        steps = np.array(self.steps, np.int32).reshape(-1, 2 + WIDEST)
        longest = int((heads[:, 1] - heads[:, 0]).max(initial=0))
        return Templates(heads, steps, tuple(self.constants), longest)

    def head(self, part: Term) -> tuple[int, int, int, int, int]:
        """Write the steps of one partial derivative."""
        negative = part.op is ops.NEG
        inner = part.args[0] if negative else part
        fraction = inner.args if inner.op is ops.DIV else (inner,)
        first = len(self.steps)
        known: dict[Term, int] = {}
        refs = [self.reference(term, known, first) for term in fraction]
        return first, len(self.steps), refs[0], refs[1] if refs[1:] else -1, int(negative)

    def reference(self, term: Term, known: dict[Term, int], first: int) -> int:
        """Return how steps call a term, after the steps that make it."""
        if term in _PLACES:
            return _PLACES[term]
        if term == VALUE:
            return WHOLE
        value = term.value
        if value is not None:
            place = self.places.setdefault(constant_key(value), len(self.constants))
            if place == len(self.constants):
                self.constants.append(value)
            return CONST + place
        if term not in known:
            args = [self.reference(arg, known, first) for arg in term.args]
            while len(args) > WIDEST:  # of sums and products; they are evaluated from the left
                args = [self.step(term.op.code, args[:2], first), *args[2:]]
            known[term] = self.step(term.op.code, args, first)
        return known[term]

    def step(self, code: int, args: list[int], first: int) -> int:
        """Write a step; return how others call it."""
        self.steps.append([code, len(args), *args, *[0] * (WIDEST - len(args))])
        return TEMP + len(self.steps) - 1 - first
