"""What could be factored: in each row, the summands that have a divisor in common."""

from collections import Counter
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.polynomials.system import Mono, System

__all__ = ["Candidates", "Numbering", "find_candidates", "unsigned"]

type Ints = npt.NDArray[np.int64]

BROAD: Final = 6
"""In longer products only single literals are looked for."""
MASK: Final = (1 << 64) - 1


class Numbering:
    """Monomials by number: those of the rows, and their divisors and quotients."""

    def __init__(self, system: System) -> None:
        self.number: dict[Mono, int] = {}
        self.monos: list[Mono] = []
        self.signs: list[dict[int, int]] = [
            {self.of(mono): int(coef) for mono, coef in row.items()} for row in system.rows
        ]
        """The rows."""
        self.uses = Counter(mono for row in self.signs for mono in row)

    def of(self, mono: Mono) -> int:
        """Return the number of a monomial."""
        found = self.number.get(mono)
        if found is None:
            found = self.number[mono] = len(self.monos)
            self.monos.append(mono)
        return found

    def cuts(self, mono: int, known: set[Mono]) -> list[tuple[int, int]]:
        """Return divisors with quotients: each literal, and products that are known."""
        whole, of = self.monos[mono], self.of
        found = {whole[k : k + 1]: whole[:k] + whole[k + 1 :] for k in range(len(whole))}
        if 2 < len(whole) <= BROAD:
            places = range(len(whole))
            for count in range(2, len(whole)):
                for chosen in combinations(places, count):
                    part = tuple([whole[k] for k in chosen])
                    if part in known:
                        found[part] = tuple([whole[k] for k in places if k not in chosen])
        return [(of(part), of(rest)) for part, rest in found.items()]


@dataclass(slots=True)
class Candidates:
    """Groups of summands as plain lists, ordered by row and divisor.

    The entries `start[g]` to `start[g + 1]` are the summands of group g with their quotients.
    """

    row: list[int]
    divisor: list[int]
    start: list[int]
    mono: list[int]
    quotient: list[int]
    group: list[int]
    """The group of each entry."""
    entries: dict[int, list[int]]
    """Of each monomial."""
    size: list[int]
    hash: list[int]
    """Of the sum of the quotients: groups with equal sums have equal ones."""
    hashes: list[int]
    """What each entry adds to it."""
    sum_of: Any
    """Adds up a number for each entry, by group."""


def find_candidates(numbering: Numbering, known: set[Mono], rows: int, literals: int) -> Candidates:
    """Find all groups of two or more.

    In the first `rows` rows only divisors by something new count, of monomials that have a literal
    from `literals` on.
    """
    at, mono, sign = _incidences(numbering, rows, literals)
    distinct, place = np.unique(mono, return_inverse=True)
    cuts = [numbering.cuts(m, known) for m in distinct.tolist()]
    counts = np.array([len(cut) for cut in cuts], np.int64)
    flat = np.array([pair for cut in cuts for pair in cut], np.int64).reshape(-1, 2)
    first = np.cumsum(counts) - counts
    # one entry for each summand and each of its divisors
    times = counts[place]
    entry = np.repeat(np.arange(len(mono)), times)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(times) - times, times)
    divisor, quotient = flat[first[place[entry]] + within].T
    key = at[entry] * len(numbering.monos) + divisor
    order = np.argsort(key, kind="stable")
    key = key[order]
    same = key[1:] == key[:-1]
    kept = np.zeros(len(key), np.bool_)
    kept[1:] |= same
    kept[:-1] |= same
    order, key = order[kept], key[kept]
    begin = np.flatnonzero(np.diff(key, prepend=-1))
    size = np.diff(np.append(begin, len(key)))
    entry, divisor, quotient = entry[order], divisor[order], quotient[order]
    mono, sign, at = mono[entry], sign[entry], at[entry]

    def sum_of(values: Any) -> Any:
        return np.add.reduceat(values, begin) if len(begin) else values[:0]

    hashes = _mixed(quotient) * sign.astype(np.uint64)
    by_mono = np.argsort(mono, kind="stable")
    owners, ends = np.unique(mono[by_mono], return_index=True)
    parts = np.split(by_mono, ends[1:]) if len(owners) else []
    return Candidates(
        at[begin].tolist(), divisor[begin].tolist(), [*begin.tolist(), len(key)], mono.tolist(),
        quotient.tolist(), np.repeat(np.arange(len(begin)), size).tolist(),
        {m: part.tolist() for m, part in zip(owners.tolist(), parts, strict=True)},
        size.tolist(), sum_of(hashes).tolist(), hashes.tolist(), sum_of,
    )  # fmt: skip


def _incidences(numbering: Numbering, rows: int, literals: int) -> tuple[Ints, Ints, Ints]:
    """Return the rows, monomials and signs of the summands that may be grouped."""
    new = [bool(mono) and mono[-1] >= literals for mono in numbering.monos]
    found = [
        (at, mono, sign)
        for at, row in enumerate(numbering.signs)
        if len(row) > 1
        for mono, sign in row.items()
        if at >= rows or new[mono]
    ]
    at, mono, sign = np.array(found, np.int64).reshape(-1, 3).T
    return at, mono, sign


def _mixed(values: Any) -> Any:
    """Spread the bits of numbers over 64 (the finaliser of splitmix64)."""
    made = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    made = (made ^ (made >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    made = (made ^ (made >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return made ^ (made >> np.uint64(31))


def unsigned(value: int) -> int:
    """Return one hash for a sum and its negation."""
    value &= MASK
    return min(value, -value & MASK)
