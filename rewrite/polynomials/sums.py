"""Common partial sums of many rows: linear forms with coefficients 1 and -1, shared greedily.

First the summands that are in the same rows with the same signs, or with opposite ones, are added
up; then, as in Paar's algorithm, the pair of summands that most rows have in common.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import islice
from typing import Final

import numpy as np

from rewrite.deadline import look
from rewrite.polynomials.system import Mono, System

__all__ = ["share_sums"]

MOST_PAIRS: Final = 1_000_000
"""So many pairs are counted; where there are more, only those of neighbours in their rows."""

BITS: Final = 31
"""A pair is one number: the first summand, the second one, whether their signs are equal."""


def share_sums(system: System) -> None:
    """Compute partial sums that rows have in common once; coefficients are 1 or -1."""
    table = _Table(system)
    table.merge_columns()
    table.merge_pairs()
    table.merge_columns()
    table.write()


class _Table:
    """Rows and columns of signs; a token is a place in `monos`."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.monos: list[Mono] = []
        token: dict[Mono, int] = {}
        self.rows: list[dict[int, int]] = []
        self.columns: list[dict[int, None]] = []
        for at, row in enumerate(system.rows):
            look()
            signs: dict[int, int] = {}
            for mono, coef in row.items():
                found = token.setdefault(mono, len(token))
                if found == len(self.columns):
                    self.monos.append(mono)
                    self.columns.append({})
                signs[found] = int(coef)
                self.columns[found][at] = None
            self.rows.append(signs)

    def write(self) -> None:
        """Hand the rows back to the system."""
        monos = self.monos
        self.system.rows[:] = [
            {monos[token]: sign for token, sign in row.items()} for row in self.rows
        ]

    def sum_of(self, signs: dict[int, int], users: dict[int, int]) -> int:
        """Compute a sum once, for rows that have it with a sign; return its token."""
        made = len(self.monos)
        self.monos.append((self.system.defined({}),))
        self.rows.append({})
        self.columns.append({})
        for at, sign in users.items():
            row = self.rows[at]
            for token in signs:
                del row[token], self.columns[token][at]
            row[made] = sign
            self.columns[made][at] = None
        home = len(self.rows) - 1
        self.rows[home].update(signs)
        for token in signs:
            self.columns[token][home] = None
        return made

    # -- equal columns -------------------------------------------------------------------------

    def merge_columns(self) -> None:
        """Add up what is in the same rows with the same signs, up to a common one."""
        groups: defaultdict[tuple[int, ...], dict[int, int]] = defaultdict(dict)
        for token, column in enumerate(self.columns):
            look()
            if len(column) > 1:
                order = sorted(column)
                first = self.rows[order[0]][token]
                # a place with its sign as one number
                key = [2 * at + (self.rows[at][token] == first) for at in order]
                groups[tuple(key)][token] = first
        for places, signs in groups.items():
            if len(signs) > 1:
                self.sum_of(signs, {code >> 1: 1 if code & 1 else -1 for code in places})

    # -- pairs ---------------------------------------------------------------------------------

    def merge_pairs(self) -> None:
        """Extract the most frequent pair until none is in two rows."""
        window = self.window()
        queue = self.often(window)
        heapq.heapify(queue)
        while queue:
            look()
            count, pair = heapq.heappop(queue)
            users = self.users(pair)
            if len(users) < -count:
                if len(users) > 1:
                    heapq.heappush(queue, (-len(users), pair))
                continue
            one, other, sign = _opened(pair)
            signs = {at: self.rows[at][one] for at in sorted(users)}
            made = self.sum_of({one: 1, other: sign}, signs)
            for fresh, times in self.beside(made, signs, window).items():
                if times > 1:
                    heapq.heappush(queue, (-times, fresh))

    def often(self, window: int) -> list[tuple[int, int]]:
        """Return the pairs that are in two rows or more, after minus their counts."""
        codes: list[int] = []  # a summand and whether its sign is positive, row by row
        lengths: list[int] = []
        for row in self.rows:
            look()
            shared = sorted([t for t in row if len(self.columns[t]) > 1])
            codes += [(t << 1) | (row[t] > 0) for t in shared]
            lengths.append(len(shared))
        code, ends = np.array(codes, np.int64), np.repeat(np.cumsum(lengths), lengths)
        first, found = np.arange(len(code)), [np.empty(0, np.int64)]
        for apart in range(1, window + 1):
            look()
            first = first[first + apart < ends[first]]
            if not len(first):
                break
            one, other = code[first], code[first + apart]
            found.append((one >> 1 << BITS + 1) | (other ^ (~one & 1)))
        pairs, counts = np.unique(np.concatenate(found), return_counts=True)
        often = counts > 1
        return list(zip((-counts[often]).tolist(), pairs[often].tolist(), strict=True))

    def window(self) -> int:
        """Return how far apart in a row two summands may be."""
        lengths = Counter(
            sum(len(self.columns[token]) > 1 for token in row) for row in self.rows if len(row) > 1
        )
        width = max(lengths, default=0)
        while width > 1 and _pairs(lengths, width) > MOST_PAIRS:
            width //= 2
        return width

    def users(self, pair: int) -> list[int]:
        """Return the rows that have a pair, in no order."""
        one, other, sign = _opened(pair)
        rows = self.rows
        both = self.columns[one].keys() & self.columns[other].keys()
        return [at for at in both if rows[at][one] * rows[at][other] == sign]

    def beside(self, made: int, users: dict[int, int], window: int) -> Counter[int]:
        """Count the pairs of a new summand."""
        counts = Counter[int]()
        for at, sign in users.items():
            others: Iterable[tuple[int, int]] = self.rows[at].items()
            if len(self.rows[at]) > window:
                others = islice(others, window)
            equal = made << 1
            counts.update(
                [
                    token << BITS + 1 | equal | (own == sign)
                    for token, own in others
                    if token != made and len(self.columns[token]) > 1
                ]
            )
        return counts


def _opened(pair: int) -> tuple[int, int, int]:
    """Return two summands, and the product of their signs."""
    return pair >> BITS + 1, (pair >> 1) & ((1 << BITS) - 1), 1 if pair & 1 else -1


def _pairs(lengths: Counter[int], width: int) -> int:
    """Count the pairs at most so far apart."""
    return sum(
        times * (length * min(length - 1, width) - min(length - 1, width) ** 2 // 2)
        for length, times in lengths.items()
    )
