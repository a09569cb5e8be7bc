"""Common factors inside rows: d*q1 + d*q2 + ... becomes d*(q1 + q2 + ...), where that pays.

Factoring and sharing compete: a product that other rows need is computed anyway. So each use of a
product carries its share of the price, a group is worth the shares that it makes unnecessary, and
the most valuable group goes first; what is left of the products grows dearer for their other uses.
A group whose quotients are the same as those of groups in other rows saves their additions too.

The idea of prices is from greedy set cover; Hosangadi, Fallah and Kastner (2006) cover the same
cubes by rectangles, whose search does not scale to tens of thousands of products.
"""

import heapq
from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from rewrite.polynomials.products import pair_products
from rewrite.polynomials.system import Mono, System, joined, without

__all__ = ["Prices", "group_factors"]

ROUNDS: Final = 64
"""Groups of groups, ...: a polynomial of degree n needs n rounds."""
BROAD: Final = 6
"""In longer products only single literals are looked for."""
EPSILON: Final = 1e-9
MASK: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Prices:
    """What a product and a sum of two cost; `fused` is what a product inside a sum adds."""

    add: float
    mul: float
    fused: float
    sharing: bool = True
    """Whether what is computed once is paid once."""
    balance: float = 0.0
    """The share of an addition that is saved where a product and another have equal columns: such
    pairs are summed once, unless one of them is grouped."""


def group_factors(system: System, prices: Prices) -> None:
    """Factor all rows until no group pays; coefficients are 1 or -1."""
    for _ in range(ROUNDS):
        if not _Round(system, prices).run():
            return
        system.inline()


class _Group:
    """Summands of one row with a common divisor."""

    __slots__ = ("divisor", "hash", "monos", "pushed", "row", "size", "value")

    def __init__(self, row: int, divisor: Mono) -> None:
        self.row, self.divisor = row, divisor
        self.monos: list[tuple[Mono, Mono]] = []
        """With their quotients; some may have been taken by other groups since."""
        self.size, self.value, self.hash = 0, 0.0, 0
        self.pushed = 0.0
        """The highest gain under which the group is in the queue."""


class _Round:
    """One round over all rows; the groups that it makes are rows of the next."""

    def __init__(self, system: System, prices: Prices) -> None:
        self.system, self.prices = system, prices
        self.uses: Counter[Mono] = Counter(mono for row in system.rows for mono in row)
        products = pair_products(self.uses, system.numbers, len(system.literals))
        self.known = {*products.contents(), *products.tokens} if prices.sharing else set()
        self.twins = _twins(system) if prices.balance else frozenset()
        self.full = {mono: self.price(mono) for mono in self.uses}
        self.extras: dict[Mono, float] = {}
        self.cuts: dict[Mono, list[tuple[Mono, Mono]]] = {}
        self.groups: defaultdict[Mono, list[tuple[_Group, Mono]]] = defaultdict(list)
        self.alike: Counter[int] = Counter()
        """How many groups have a sum with this hash."""
        self.hashes: dict[Mono, int] = {}
        self.queue: list[tuple[float, int, Mono, _Group]] = []

    def run(self) -> int:
        """Make the groups that pay; return how many."""
        groups: list[_Group] = []
        for at, row in enumerate(self.system.rows):
            if len(row) > 1:
                groups += self.collect(at)
        for group in groups:
            self.push(group)
        made = 0
        while self.queue:
            gain, _, _, group = heapq.heappop(self.queue)
            if group.pushed != -gain:
                continue  # it is in the queue with a higher gain, or was
            group.pushed = 0.0
            if self.gain(group) < -gain - EPSILON:
                self.push(group)
            else:
                self.make(group)
                made += 1
        return made

    # -- candidates ----------------------------------------------------------------------------

    def collect(self, at: int) -> list[_Group]:
        """Find the groups of a row: two or more summands with a common divisor."""
        row = self.system.rows[at]
        found: defaultdict[Mono, list[tuple[Mono, Mono]]] = defaultdict(list)
        for mono in row:
            for divisor, quotient in self.divisions(mono):
                found[divisor].append((mono, quotient))
        made = []
        for divisor, monos in found.items():
            if len(monos) < 2:
                continue
            group = _Group(at, divisor)
            group.monos, group.size = monos, len(monos)
            for mono, quotient in monos:
                group.value += self.share(mono) - self.extra(quotient)
                group.hash += int(row[mono]) * self.hashed(quotient)
                self.groups[mono].append((group, quotient))
            self.alike[_unsigned(group.hash)] += 1
            made.append(group)
        return made

    def divisions(self, mono: Mono) -> list[tuple[Mono, Mono]]:
        """Return divisors with quotients: each literal, and products that are computed anyway."""
        found = self.cuts.get(mono)
        if found is None:
            made = {(literal,): without(mono, (literal,)) for literal in mono}
            if 2 < len(mono) <= BROAD:
                parts = (part for n in range(2, len(mono)) for part in combinations(mono, n))
                made |= {part: without(mono, part) for part in parts if part in self.known}
            found = self.cuts[mono] = list(made.items())
        return found

    def hashed(self, quotient: Mono) -> int:
        found = self.hashes.get(quotient)
        if found is None:
            found = len(quotient)
            for literal in quotient:
                found = _mixed(found * 31 + literal)
            self.hashes[quotient] = found
        return found

    # -- what they are worth -------------------------------------------------------------------

    def price(self, mono: Mono) -> float:
        """Return what a product costs, given the other products."""
        if len(mono) < 2:
            return 0.0
        if not self.prices.sharing:
            return self.prices.mul * (len(mono) - 1)
        numbers = self.system.numbers
        if any(k in numbers and without(mono, (k,)) in self.uses for k in mono):
            return min(self.prices.add, self.prices.mul)
        return self.prices.mul

    def share(self, mono: Mono) -> float:
        """Return what one use of a product pays."""
        full = self.full[mono]
        if self.prices.sharing:
            full = min(full / self.uses[mono], self.prices.fused)
        return full - self.prices.balance * self.prices.add if mono in self.twins else full

    def extra(self, quotient: Mono) -> float:
        """Return what a quotient costs that is not computed anyway."""
        found = self.extras.get(quotient)
        if found is None:
            found = 0.0
            if len(quotient) > 1 and quotient not in self.known:
                near = any(without(quotient, (k,)) in self.known for k in quotient)
                found = self.prices.mul * (1 if near else len(quotient) - 1)
            self.extras[quotient] = found
        return found

    def gain(self, group: _Group) -> float:
        """Return what a group saves."""
        if group.size < 2:
            return 0.0
        prices, divisor = self.prices, group.divisor
        if not prices.sharing:
            return group.value - prices.mul * len(divisor)
        alone = group.size == len(self.system.rows[group.row])
        saved = group.value - (prices.mul if alone else prices.fused)
        if len(divisor) > 1 and divisor not in self.known:
            saved -= prices.mul * (len(divisor) - 1)
        alike = self.alike[_unsigned(group.hash)]
        return saved + prices.add * (group.size - 1) * (alike - 1) / alike

    def push(self, group: _Group) -> None:
        gain = self.gain(group)
        if gain > group.pushed + EPSILON:
            group.pushed = gain
            heapq.heappush(self.queue, (-gain, group.row, group.divisor, group))

    # -- making one ----------------------------------------------------------------------------

    def make(self, group: _Group) -> None:
        """Replace the summands of a group by one product."""
        row = self.system.rows[group.row]
        taken = [(mono, quotient, row[mono]) for mono, quotient in group.monos if mono in row]
        sign, kernel = self.system.kernel({quotient: coef for _, quotient, coef in taken})
        changed: dict[_Group, None] = {}
        for mono, _, coef in taken:
            del row[mono]
            self.leave(mono, group.row, int(coef), changed)
        product = joined(group.divisor, (kernel,))
        row[product] = row.get(product, 0) + sign
        for other in changed:
            self.push(other)

    def leave(self, mono: Mono, at: int, coef: int, changed: dict[_Group, None]) -> None:
        """Take a summand out of a row: its other uses pay more."""
        before = self.share(mono)
        self.uses[mono] -= 1
        more = self.share(mono) - before if self.uses[mono] else 0.0
        for group, quotient in self.groups[mono]:
            if group.row == at:
                group.size -= 1
                group.value -= before - self.extra(quotient)
                self.alike[_unsigned(group.hash)] -= 1
                group.hash -= coef * self.hashed(quotient)
                self.alike[_unsigned(group.hash)] += 1
            else:
                group.value += more
            if group.size > 1:
                changed[group] = None


def _twins(system: System) -> frozenset[Mono]:
    """Return the products that have the column of another one, in two rows or more."""
    columns: defaultdict[Mono, list[tuple[int, int]]] = defaultdict(list)
    for at, row in enumerate(system.rows):
        for mono, coef in row.items():
            columns[mono].append((at, int(coef)))
    alike: defaultdict[tuple[tuple[int, int], ...], list[Mono]] = defaultdict(list)
    for mono, column in columns.items():
        if len(column) > 1:
            alike[tuple([(at, coef * column[0][1]) for at, coef in column])].append(mono)
    return frozenset(mono for monos in alike.values() if len(monos) > 1 for mono in monos)


def _mixed(value: int) -> int:
    """Spread the bits of a number over 64 (the finaliser of splitmix64)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def _unsigned(value: int) -> int:
    """Return one hash for a sum and its negation."""
    value &= MASK
    return min(value, -value & MASK)
