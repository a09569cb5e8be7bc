"""Which sorts an op takes and makes, and how it behaves on them: signatures, the one mechanism.

Every op, ours and a user's, has rows (argument sorts -> made sort, commutative, associative, a
function on values). A call belongs to the nearest row whose sorts its arguments fit; an op of any
number of arguments is folded from the left. Typing, matching, canonical forms and compiled loops
all ask here, the loops through tables that are made from the same answers.
"""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import matrices
from rewrite.sorts import BOOL, MATRIX, SORTS, Sort

__all__ = [
    "Automaton", "Signature", "add", "associate_table", "associates", "automaton", "commutes",
    "declare", "find", "resolve", "rows", "swap_table", "swaps",
]  # fmt: skip

type Bools = npt.NDArray[np.bool_]
type Function = Callable[..., Any]

NONE: Final = -1
"""In place of a sort: the op does not take such arguments."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One row: what an op makes of arguments of these sorts."""

    takes: tuple[Sort, ...]
    makes: Sort
    commutative: bool = False
    associative: bool = False
    function: Function | None = None

    def __repr__(self) -> str:
        """Write as a type."""
        return f"({', '.join(map(str, self.takes))}) -> {self.makes}"


class _Registry:
    """The rows by op code, and what was derived from them since the last change."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.arity: list[int] = []
        self.choice: set[int] = set()
        self.rows: list[dict[tuple[int, ...], Signature]] = []
        self.found: dict[tuple[int, tuple[int, ...]], Signature | None] = {}
        self.tables: tuple[int, Bools, Bools] | None = None
        self.automaton: tuple[int, Automaton] | None = None

    def changed(self) -> None:
        """Forget what was derived."""
        self.found, self.tables, self.automaton = {}, None, None


def declare(code: int, arity: int, *, choice: bool = False) -> None:
    """Add an op, the next code; a `choice` is of a truth value and two values of any one sort."""
    with _KNOWN.lock:
        assert code == len(_KNOWN.arity), "ops are declared in the order of their codes"
        _KNOWN.arity.append(arity)
        _KNOWN.rows.append({})
        if choice:
            _KNOWN.choice.add(code)
        _KNOWN.changed()


def add(code: int, row: Signature) -> None:
    """Add a row, and for a commutative one its mirror; a row of the same sorts is replaced."""
    with _KNOWN.lock:
        _KNOWN.rows[code][row.takes] = row
        if row.commutative and row.takes[0] != row.takes[1]:
            _KNOWN.rows[code][row.takes[::-1]] = mirrored(row)
        _KNOWN.changed()


def mirrored(row: Signature) -> Signature:
    """Return the row of the exchanged arguments."""
    function = row.function
    turned = None if function is None else (lambda x, y: function(y, x))
    return Signature(row.takes[::-1], row.makes, row.commutative, row.associative, turned)


def rows(code: int) -> list[Signature]:
    """Return the rows of an op."""
    return list(_KNOWN.rows[code].values())


# -- dispatch --------------------------------------------------------------------------------


def find(code: int, sorts: tuple[int, ...]) -> Signature | None:
    """Return the nearest row for arguments of these sorts, two of them for any number.

    Nearest is what needs the fewest steps from a sort to the one whose place it takes; of equals,
    that with the fewer steps in the earlier arguments.
    """
    key = (code, sorts)
    found = _KNOWN.found.get(key, _MISSING)
    if found is _MISSING:
        with _KNOWN.lock:
            found = _KNOWN.found[key] = _search(code, sorts)
    return found  # type: ignore[return-value]


_MISSING: Final = object()


def _search(code: int, sorts: tuple[int, ...]) -> Signature | None:
    if code in _KNOWN.choice:
        return _choice(sorts)
    known = _KNOWN.rows[code]
    lines = [list(enumerate(SORTS[sort].line)) for sort in sorts]
    options = sorted(
        itertools.product(*lines),
        key=lambda way: (sum(steps for steps, _ in way), [steps for steps, _ in way]),
    )
    for way in options:
        row = known.get(tuple(each for _, each in way))
        if row is not None:
            return row
    return None


def _choice(sorts: tuple[int, ...]) -> Signature | None:
    """Choose between two values: of the nearest sort that both fit."""
    if len(sorts) != 3 or not SORTS[sorts[0]].fits(BOOL):
        return None
    made = next((each for each in SORTS[sorts[1]].line if SORTS[sorts[2]].fits(each)), None)
    if made is None:
        return None
    function = matrices.chosen if made.fits(MATRIX) else _chosen
    return Signature((BOOL, made, made), made, function=function)


def _chosen(condition: Any, one: Any, other: Any) -> Any:
    return one if condition else other


def resolve(code: int, sorts: Sequence[int]) -> int:
    """Return the sort that an op makes of arguments of these sorts, -1 if it does not take them."""
    if _KNOWN.arity[code] >= 0:
        row = find(code, tuple(sorts)) if len(sorts) == _KNOWN.arity[code] else None
        return NONE if row is None else row.makes
    if len(sorts) < 2:
        return NONE
    made: int = sorts[0]
    for sort in sorts[1:]:
        row = find(code, (made, sort))
        if row is None:
            return NONE
        made = row.makes
    return made


# -- properties ------------------------------------------------------------------------------


def swaps(code: int, one: int, other: int) -> bool:
    """Tell whether two neighbouring arguments of these sorts may be exchanged.

    In a call of more than two, where the op `associates` as well.
    """
    if _KNOWN.arity[code] not in (-1, 2):
        return False
    there, back = find(code, (one, other)), find(code, (other, one))
    if there is None or back is None:
        return False
    return there.commutative and back.commutative and there.makes == back.makes


def commutes(code: int, sorts: Sequence[int]) -> bool:
    """Tell whether a call with arguments of these sorts may have them in any order."""
    pairs = itertools.product(dict.fromkeys(sorts), repeat=2)
    free = all(swaps(code, *pair) for pair in pairs if _follows(pair, sorts))
    return free and (len(sorts) <= 2 or associates(code, sorts))


def associates(code: int, sorts: Sequence[int]) -> bool:
    """Tell whether a call with arguments of these sorts, in their order, may be regrouped."""
    if _KNOWN.arity[code] not in (-1, 2):
        return False
    pairs = itertools.product(dict.fromkeys(sorts), repeat=2)
    return all(_regroups(code, *pair) for pair in pairs if _follows(pair, sorts))


def _follows(pair: tuple[int, ...], sorts: Sequence[int]) -> bool:
    """Tell whether an argument of the second sort stands somewhere after one of the first."""
    first = sorts.index(pair[0])
    return pair[1] in sorts[first + 1 :]


def _regroups(code: int, one: int, other: int) -> bool:
    row = find(code, (one, other))
    return row is not None and row.associative


def _tables() -> tuple[Bools, Bools]:
    known = _KNOWN.tables
    if known is None or known[0] != len(SORTS):
        with _KNOWN.lock:
            shape = (len(_KNOWN.arity), len(SORTS), len(SORTS))
            both = np.zeros((2, *shape), np.bool_)
            for code, one, other in np.ndindex(shape):
                both[0, code, one, other] = swaps(code, one, other)
                both[1, code, one, other] = _KNOWN.arity[code] in (-1, 2) and _regroups(
                    code, one, other
                )
            known = _KNOWN.tables = (len(SORTS), both[0], both[1])
    return known[1], known[2]


def swap_table() -> Bools:
    """Return `swaps` as a table [op, sort, sort], as of now; a later registration makes another."""
    return _tables()[0]


def associate_table() -> Bools:
    """Return whether the row of two sorts associates, as a table [op, sort, sort], as of now."""
    return _tables()[1]


# -- typing in compiled loops ----------------------------------------------------------------


@dataclass(frozen=True)
class Automaton:
    """`resolve` as tables: from `first[op]`, each argument's sort leads to `step[state, sort]`.

    Then `made[state]` is the sort of the call; -1 is none, in both.
    """

    first: npt.NDArray[np.int32]
    step: npt.NDArray[np.int32]
    made: npt.NDArray[np.int16]

    @cached_property
    def packed(self) -> npt.NDArray[np.int32]:
        """All of it in one array: where `step` and `made` begin, the width of `step`, ...

        A compiled loop that calls others passes one array on at less cost than three.
        """
        begins = (3 + len(self.first), 3 + len(self.first) + self.step.size, self.step.shape[1])
        parts = (np.array(begins), self.first, self.step.ravel(), self.made)
        return np.concatenate(parts, dtype=np.int32, casting="same_kind")


def automaton() -> Automaton:
    """Return the tables, as of now."""
    known = _KNOWN.automaton
    if known is None or known[0] != len(SORTS):
        with _KNOWN.lock:
            known = _KNOWN.automaton = (len(SORTS), _Builder().built())
    return known[1]


class _Builder:
    """Makes states from what `find` says: a tree of sorts for each op, with shared ends."""

    def __init__(self) -> None:
        self.step: list[list[int]] = []
        self.made: list[int] = []
        self.ends = [self.state(sort) for sort in range(len(SORTS))]

    def state(self, made: int = NONE) -> int:
        self.step.append([NONE] * len(SORTS))
        self.made.append(made)
        return len(self.step) - 1

    def built(self) -> Automaton:
        first = [
            self.folded(code) if arity < 0 else self.tree(code, arity, ())
            for code, arity in enumerate(_KNOWN.arity)
        ]
        return Automaton(
            np.array(first, np.int32), np.array(self.step, np.int32), np.array(self.made, np.int16)
        )

    def folded(self, code: int) -> int:
        """Make the states of an op of any number: nothing yet, one argument, a folded sort."""
        start, sorts = self.state(), range(len(SORTS))
        ends = [self.state(sort) for sort in sorts]
        for one in sorts:
            single = self.step[start][one] = self.state()
            for other in sorts:
                row = find(code, (one, other))
                if row is not None:
                    self.step[single][other] = self.step[ends[one]][other] = ends[row.makes]
        return start

    def tree(self, code: int, arity: int, before: tuple[int, ...]) -> int:
        """Make the states of an op after some arguments; only where more may follow."""
        here = self.state()
        for sort in range(len(SORTS)) if arity else ():
            now = (*before, sort)
            if len(now) == arity:
                row = find(code, now)
                self.step[here][sort] = NONE if row is None else self.ends[row.makes]
            elif self.viable(code, now):
                self.step[here][sort] = self.tree(code, arity, now)
        return here

    @staticmethod
    def viable(code: int, before: tuple[int, ...]) -> bool:
        """Tell whether some row starts with such arguments."""
        if code in _KNOWN.choice:
            return SORTS[before[0]].fits(BOOL)
        return any(
            all(SORTS[sort].fits(wanted) for sort, wanted in zip(before, row.takes, strict=False))
            for row in _KNOWN.rows[code].values()
        )


_KNOWN: Final = _Registry()
