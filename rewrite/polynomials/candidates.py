"""What could be factored: in each row, the summands that have a divisor in common."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from itertools import chain, combinations, pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.deadline import look
from rewrite.polynomials.system import Mono, System

__all__ = ["Candidates", "Ceiling", "Numbering", "find_candidates", "find_twins", "unsigned"]

type Ints = npt.NDArray[np.int64]

BROAD: Final = 6
"""In longer products only single literals are looked for."""
MASK: Final = (1 << 64) - 1


class Numbering:
    """Monomials by number: those of the rows, and their divisors and quotients."""

    def __init__(self, system: System) -> None:
        self.number: dict[Mono, int] = {}
        self.monos: list[Mono] = []
        self.monos += dict.fromkeys(chain.from_iterable(system.rows))
        self.number.update(zip(self.monos, range(len(self.monos)), strict=True))
        place = self.number.__getitem__
        self.signs: list[dict[int, int]] = [
            dict(zip(map(place, row), map(int, row.values()), strict=True)) for row in system.rows
        ]
        """The rows."""
        lengths = [len(row) for row in self.signs]
        self.at: Ints = np.repeat(np.arange(len(lengths)), lengths)
        """The row of each summand, one row after the other."""
        self.mono: Ints = np.fromiter(chain.from_iterable(self.signs), np.int64)
        self.sign: Ints = np.fromiter(
            chain.from_iterable(row.values() for row in self.signs), np.int64
        )
        self.uses: list[int] = np.bincount(self.mono, minlength=len(self.monos)).tolist()

    def of(self, mono: Mono) -> int:
        """Return the number of a monomial."""
        found = self.number.get(mono)
        if found is None:
            found = self.number[mono] = len(self.monos)
            self.monos.append(mono)
        return found

    def cuts(self, wanted: Iterable[int], known: Container[Mono]) -> tuple[Ints, Ints]:
        """Return divisors with quotients, one monomial after the other, and how many each has."""
        flat: list[int] = []
        counts: list[int] = []
        single = _Places(self.of)
        for mono in wanted:
            whole = self.monos[mono]
            if len(whole) == 2 and whole[0] != whole[1]:  # most are
                one, other = single[whole[0]], single[whole[1]]
                flat += (one, other, other, one)
                counts.append(2)
            else:
                found = self.cut(whole, known)
                flat += chain.from_iterable(found)
                counts.append(len(found))
        return np.array(flat, np.int64).reshape(-1, 2), np.array(counts, np.int64)

    def cut(self, whole: Mono, known: Container[Mono]) -> list[tuple[int, int]]:
        """Return divisors with quotients: each literal, and products that are known."""
        look()
        of = self.of
        found = {whole[k : k + 1]: whole[:k] + whole[k + 1 :] for k in range(len(whole))}
        if 2 < len(whole) <= BROAD:
            places = range(len(whole))
            for count in range(2, len(whole)):
                for chosen in combinations(places, count):
                    part = tuple([whole[k] for k in chosen])
                    if part in known:
                        found[part] = tuple([whole[k] for k in places if k not in chosen])
        return [(of(part), of(rest)) for part, rest in found.items()]


class _Places(dict[int, int]):
    """Numbers of the monomials of one literal."""

    def __init__(self, of: Callable[[Mono], int]) -> None:
        self.of = of

    def __missing__(self, literal: int) -> int:
        found = self[literal] = self.of((literal,))
        return found


@dataclass(slots=True)
class Candidates:
    """Groups of summands as plain lists, ordered by row and divisor.

    The entries `start[g]` to `start[g + 1]` are the summands of group g with their quotients.
    """

    row: list[int]
    divisor: list[int]
    start: list[int]
    size: list[int]
    hash: list[int]
    """Of the sum of the quotients: groups with equal sums have equal ones, up to the sign."""
    mono: list[int]
    quotient: list[int]
    group: list[int]
    """The group of each entry."""
    hashes: list[int]
    """What each entry adds to the hash of its group."""
    entries: dict[int, list[int]]
    """Of each monomial."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What grouping may save at most: by a summand, and by an addition; and what a group costs."""

    price: Callable[[int], float]
    """Of a product, paid by one use alone."""
    extra: Callable[[int], float]
    """Of a quotient."""
    add: float
    least: float


def find_candidates(
    numbering: Numbering, known: Container[Mono], rows: int, literals: int, ceiling: Ceiling
) -> Candidates:
    """Find all groups of two or more that can pay.

    In the first `rows` rows only divisors by something new count, of monomials that have a literal
    from `literals` on.
    """
    at, mono, sign = _incidences(numbering, rows, literals)
    distinct, place = np.unique(mono, return_inverse=True)
    flat, counts = numbering.cuts(distinct.tolist(), known)
    # one entry for each summand and each of its divisors
    times = counts[place]
    entry = np.repeat(np.arange(len(mono)), times)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(times) - times, times)
    divisor, quotient = flat[(np.cumsum(counts) - counts)[place[entry]] + within].T
    key = at[entry] * len(numbering.monos) + divisor
    order = np.argsort(key, kind="stable")
    first = np.diff(key[order], prepend=-1) != 0
    alone = first & np.append(first[1:], True)[: len(first)]
    order, begin = order[~alone], np.flatnonzero(first[~alone])
    entry, divisor, quotient = entry[order], divisor[order], quotient[order]
    mono, sign, at = mono[entry], sign[entry], at[entry]
    hashes = _mixed(quotient) * sign.astype(np.uint64)
    size = np.diff(np.append(begin, len(order)))
    pays = _paying(mono, quotient, begin, size, hashes, ceiling)
    kept = np.repeat(pays, size)
    begin = np.cumsum(size[pays]) - size[pays]
    return _listed(
        begin, size[pays], at[kept], divisor[kept], mono[kept], quotient[kept], hashes[kept]
    )


def _paying(
    mono: Ints, quotient: Ints, begin: Ints, size: Ints, hashes: Any, ceiling: Ceiling
) -> Any:
    """Tell which groups can pay, if they are all that is left to pay for their products."""
    if not len(begin):
        return np.zeros(0, np.bool_)
    worth = _table(mono, ceiling.price) - _table(quotient, ceiling.extra)
    sums = np.add.reduceat(hashes, begin)
    _, place, times = np.unique(np.minimum(sums, -sums), return_inverse=True, return_counts=True)
    shared = np.where(times[place] > 1, ceiling.add * (size - 1), 0.0)
    return np.add.reduceat(worth, begin) + shared > ceiling.least


def _table(numbers: Ints, function: Callable[[int], float]) -> npt.NDArray[np.float64]:
    """Ask a function about each distinct number once."""
    distinct, place = np.unique(numbers, return_inverse=True)
    return np.array([function(number) for number in distinct.tolist()], np.float64)[place]


def _listed(
    begin: Ints, size: Ints, at: Ints, divisor: Ints, mono: Ints, quotient: Ints, hashes: Any
) -> Candidates:
    by_mono = np.argsort(mono, kind="stable")
    owners, ends = np.unique(mono[by_mono], return_index=True)
    numbers, bounds = by_mono.tolist(), [*ends.tolist(), len(by_mono)]
    sums = np.add.reduceat(hashes, begin) if len(begin) else hashes
    return Candidates(
        at[begin].tolist(), divisor[begin].tolist(), [*begin.tolist(), len(mono)], size.tolist(),
        sums.tolist(), mono.tolist(), quotient.tolist(),
        np.repeat(np.arange(len(begin)), size).tolist(), hashes.tolist(),
        {m: numbers[a:b] for m, (a, b) in zip(owners.tolist(), pairwise(bounds), strict=True)},
    )  # fmt: skip


def _incidences(numbering: Numbering, rows: int, literals: int) -> tuple[Ints, Ints, Ints]:
    """Return the rows, monomials and signs of the summands that may be grouped."""
    at, mono = numbering.at, numbering.mono
    kept = np.bincount(at, minlength=len(numbering.signs))[at] > 1
    if rows:
        new = np.array([bool(m) and m[-1] >= literals for m in numbering.monos])
        kept &= (at >= rows) | new[mono]
    return at[kept], mono[kept], numbering.sign[kept]


def find_twins(numbering: Numbering) -> frozenset[int]:
    """Return the monomials with the column of another one up to a sign, in two rows or more."""
    order = np.argsort(numbering.mono, kind="stable")
    mono = numbering.mono[order]
    begin = np.flatnonzero(np.diff(mono, prepend=-1))
    if not len(begin):
        return frozenset()
    hashes = _mixed(numbering.at[order]) * numbering.sign[order].astype(np.uint64)
    sums = np.add.reduceat(hashes, begin)
    often = np.diff(np.append(begin, len(mono))) > 1
    sums, owners = np.minimum(sums, -sums)[often], mono[begin][often]
    _, place, times = np.unique(sums, return_inverse=True, return_counts=True)
    return frozenset(owners[times[place] > 1].tolist())


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
