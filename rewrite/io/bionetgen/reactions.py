"""The reactions of a `.net` file as columns: who reacts, what comes out, under which law."""

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rewrite.io.bionetgen.sections import File, Line
from rewrite.store import Ints

__all__ = ["Law", "Reactions", "Side", "reactions"]

_LISTS: Final = re.compile(r"[0-9]{1,9}(?:,[0-9]{1,9})*")
_ALL_LISTS: Final = re.compile(rf"(?:{_LISTS.pattern};)*+")
KINDS: Final = {"Sat": (2, 100), "MM": (2, 2), "Hill": (3, 3)}
"""Rate laws that are no mass action, with how many constants they take."""
_SPELT: Final = {
    "Sat": "'Sat kcat K' with a K for each of the first reactants",
    "MM": "'MM kcat Km' with two reactants, substrate and enzyme",
    "Hill": "'Hill Vmax K h' with one reactant or more",
}


class Law(NamedTuple):
    """A rate law; the text of an expression alone is one of mass action."""

    line: Line
    """Where it is first."""
    kind: str
    factor: str
    constants: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Species on one side of the reactions: those of reaction r are `pool[start[r]:start[r+1]]`.

    They are counted from 0; the null species is left out.
    """

    start: npt.NDArray[np.int64]
    pool: Ints

    def owners(self) -> npt.NDArray[np.int64]:
        """Return the reaction that each entry of the pool belongs to."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


@dataclass(frozen=True, slots=True, eq=False)
class Reactions:
    """Reactions as columns."""

    reactants: Side
    products: Side
    law: Ints
    """The number of each reaction's law."""
    laws: list[Law]

    def __len__(self) -> int:
        """Count the reactions."""
        return len(self.law)

    def changes(self) -> tuple[Ints, Ints, npt.NDArray[np.int64]]:
        """Return species, reactions and by how much a reaction changes a species, where it does.

        They are sorted by species, and the reactions of one by number.
        """
        sides = (self.reactants, -1), (self.products, 1)
        species = np.concatenate([side.pool for side, _ in sides]).astype(np.int64)
        reaction = np.concatenate([side.owners() for side, _ in sides])
        amount = np.concatenate([np.full(len(side.pool), sign) for side, sign in sides])
        keys, inverse = np.unique(species * len(self) + reaction, return_inverse=True)
        total = np.bincount(inverse, amount, len(keys)).astype(np.int64)
        keys, total = keys[total != 0], total[total != 0]
        at, number = np.divmod(keys, max(len(self), 1))
        return at.astype(np.int32), number.astype(np.int32), total


def reactions(file: File, count: int) -> Reactions:
    """Read the reactions between so many species."""
    lines = file.lines("reactions")
    rows = [line.text.split(None, 3) for line in lines]
    for number, (line, row) in enumerate(zip(lines, rows, strict=True), 1):
        if len(row) != 4:
            file.expected(line, "reactions")
        if row[0] != str(number):
            file.fail(line, f"expected the number {number}, not {row[0][:20]}")
    before, after = (_side(file, lines, [row[column] for row in rows], count) for column in (1, 2))
    texts = dict.fromkeys(row[3] for row in rows)
    first = {row[3]: line for line, row in zip(reversed(lines), reversed(rows), strict=True)}
    laws = [_law(file, first[text], text) for text in texts]
    places = {text: place for place, text in enumerate(texts)}
    law = np.array([places[row[3]] for row in rows], np.int32)
    found = Reactions(before, after, law, laws)
    _check_orders(file, lines, found)
    return found


def _side(file: File, lines: list[Line], texts: list[str], count: int) -> Side:
    """Read lists of species; most are right, so that the wrong one is looked for afterwards."""
    if not _ALL_LISTS.fullmatch(";".join([*texts, ""])):
        at = next(k for k, text in enumerate(texts) if not _LISTS.fullmatch(text))
        file.fail(lines[at], f"expected species as numbers with commas, not {texts[at][:40]!r}")
    pool = np.array(list(map(int, ",".join(texts).split(","))) if texts else [], np.int64)
    owners = np.repeat(np.arange(len(texts)), [text.count(",") + 1 for text in texts])
    wrong = np.flatnonzero(pool > count)
    if len(wrong):
        line = lines[owners[wrong[0]]]
        file.fail(line, f"expected species from 1 to {count}, or 0 for none; not {pool[wrong[0]]}")
    owners, pool = owners[pool > 0], pool[pool > 0] - 1
    start = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(np.bincount(owners, minlength=len(texts)), out=start[1:])
    return Side(start, pool.astype(np.int32))


def _law(file: File, line: Line, text: str) -> Law:
    word, *constants = text.split()
    factor, _, kind = word.rpartition("*")
    if kind not in KINDS or not constants:
        return Law(line, "", text, ())
    least, most = KINDS[kind]
    if not least <= len(constants) <= most:
        file.fail(line, f"expected {_SPELT[kind]}, not {text[:60]!r}")
    return Law(line, kind, factor, tuple(constants))


def _check_orders(file: File, lines: list[Line], found: Reactions) -> None:
    """Refuse laws of enzymes where a reaction has too few reactants for them."""
    orders: Any = np.diff(found.reactants.start)
    for place, law in enumerate(found.laws):
        if law.kind:
            needed = {"MM": 2, "Hill": 1, "Sat": len(law.constants) - 1}[law.kind]
            own = np.flatnonzero(found.law == place)
            exact = law.kind == "MM"
            wrong = own[(orders[own] != needed) if exact else (orders[own] < needed)]
            if len(wrong):
                file.fail(lines[wrong[0]], f"expected {_SPELT[law.kind]}")
