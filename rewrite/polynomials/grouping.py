"""Common factors inside rows: d*q1 + d*q2 + ... becomes d*(q1 + q2 + ...), where that pays.

Factoring and sharing compete: a product that other rows need is computed anyway. So each use of a
product carries its share of the price, a group is worth the shares that it makes unnecessary, and
the most valuable group goes first; what is left of the products grows dearer for their other uses.
A group whose quotients are the same as those of groups in other rows saves their additions too.

The idea of prices is from greedy set cover; Hosangadi, Fallah and Kastner (2006) cover the same
cubes by rectangles, whose search does not scale to tens of thousands of products.
"""

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import Final

from rewrite.deadline import look
from rewrite.polynomials.candidates import Ceiling, Numbering, find_candidates, find_twins, unsigned
from rewrite.polynomials.products import pair_products
from rewrite.polynomials.system import Mono, System, joined

__all__ = ["Prices", "group_factors"]

ROUNDS: Final = 64
"""Groups of groups, ...: a polynomial of degree n needs n rounds."""
EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Prices:
    """What a product and a sum of two cost.

    That `fma` takes a product for nothing is left out: only products with one use are free with it,
    and a search that counted them so found dearer programs than this one, also with `fma`.
    """

    add: float
    mul: float
    sharing: bool = True
    """Whether what is computed once is paid once."""
    balance: float = 0.0
    """The share of an addition that is saved where a product and another have equal columns: such
    pairs are summed once, unless one of them is grouped."""


def group_factors(system: System, prices: Prices) -> None:
    """Factor all rows until no group pays; coefficients are 1 or -1."""
    known: dict[Mono, int] = {}
    rows = literals = 0
    for again in range(ROUNDS):
        before = len(system.rows), len(system.literals)
        if not _Round(system, prices, known, rows, literals).run():
            return
        system.inline()
        if again:  # the second round looks at all rows again, as products have become rarer
            rows, literals = before


class _Round:
    """One round over the rows; the groups that it makes are rows of the next.

    `known` are the products that are computed anyway, with how many products they alone need;
    `rows` and `literals` are for `find_candidates`.
    """

    def __init__(
        self, system: System, prices: Prices, known: dict[Mono, int], rows: int, literals: int
    ) -> None:
        self.system, self.prices, self.known = system, prices, known
        self.numbering = numbering = Numbering(system)
        self.signs, self.uses, self.monos = numbering.signs, numbering.uses, numbering.monos
        if prices.sharing:
            fresh = [mono for mono in self.monos if mono not in known]
            products = pair_products(fresh, system.numbers, len(system.literals))
            known |= products.private()
        self.twins = find_twins(numbering) if prices.balance else frozenset()
        self.shares = [self.share(mono) for mono in range(len(self.monos))]
        ceiling = Ceiling(self.full, self.extra, prices.add, prices.mul)
        self.found = found = find_candidates(numbering, known, rows, literals, ceiling)
        self.extras = {quotient: self.extra(quotient) for quotient in dict.fromkeys(found.quotient)}
        self.value = [0.0] * len(found.size)
        for mono, quotient, group in zip(found.mono, found.quotient, found.group, strict=True):
            self.value[group] += self.shares[mono] - self.extras[quotient]
        self.alike = Counter(map(unsigned, found.hash))
        """How many groups have a sum with this hash."""
        self.summed: set[int] = set()
        """Hashes of the sums that have been made: another use of them costs no addition."""
        self.pushed = [0.0] * len(self.value)
        """The gain under which each group is in the queue, if it is."""
        self.queue: list[tuple[float, int]] = []

    def run(self) -> int:
        """Make the groups that pay; return how many."""
        for group in range(len(self.value)):
            self.push(group)
        made = 0
        while self.queue:
            look()
            gain, group = heapq.heappop(self.queue)
            if self.pushed[group] != -gain:
                continue  # it is in the queue with a higher gain, or was
            self.pushed[group] = 0.0
            if self.gain(group) < -gain - EPSILON:
                self.push(group)
            else:
                self.make(group)
                made += 1
        return made

    # -- what they are worth -------------------------------------------------------------------

    def share(self, mono: int) -> float:
        """Return what one use of a product pays."""
        paid = self.full(mono, max(1, self.uses[mono]))
        return paid - self.prices.balance * self.prices.add if mono in self.twins else paid

    def full(self, mono: int, uses: int = 1) -> float:
        """Return what each of so many uses of a product pays."""
        whole, prices = self.monos[mono], self.prices
        if len(whole) < 2:
            return 0.0
        if not prices.sharing:
            return prices.mul * (len(whole) - 1)
        return self.price(whole) / uses

    def price(self, whole: Mono) -> float:
        """Return what a product costs, given the other products."""
        numbers = self.system.numbers
        for k, literal in enumerate(whole if not numbers.keys().isdisjoint(whole) else ()):
            if literal in numbers:
                rest = self.numbering.number.get(whole[:k] + whole[k + 1 :], len(self.uses))
                if rest < len(self.uses) and self.uses[rest]:
                    return min(self.prices.add, self.prices.mul)
        return self.prices.mul * self.known.get(whole, 1)

    def extra(self, quotient: int) -> float:
        """Return what a quotient costs that is not computed anyway."""
        whole = self.monos[quotient]
        if len(whole) < 2 or whole in self.known:
            return 0.0
        near = any(whole[:k] + whole[k + 1 :] in self.known for k in range(len(whole)))
        return self.prices.mul * (1 if near else len(whole) - 1)

    def gain(self, group: int) -> float:
        """Return what a group saves."""
        found, prices = self.found, self.prices
        size, divisor = found.size[group], self.monos[found.divisor[group]]
        if size < 2:
            return 0.0
        if not prices.sharing:
            return self.value[group] - prices.mul * len(divisor)
        saved = self.value[group] - prices.mul
        if len(divisor) > 1 and divisor not in self.known:
            saved -= prices.mul * (len(divisor) - 1)
        key = unsigned(found.hash[group])
        alike = self.alike[key]
        others = 1.0 if key in self.summed else (alike - 1) / alike
        return saved + prices.add * (size - 1) * others

    def push(self, group: int) -> None:
        gain = self.gain(group)
        if gain > self.pushed[group] + EPSILON:
            self.pushed[group] = gain
            heapq.heappush(self.queue, (-gain, group))

    # -- making one ----------------------------------------------------------------------------

    def make(self, group: int) -> None:
        """Replace the summands of a group by one product."""
        found, monos = self.found, self.monos
        at = found.row[group]
        signs, row = self.signs[at], self.system.rows[at]
        entries = range(found.start[group], found.start[group + 1])
        taken = [entry for entry in entries if found.mono[entry] in signs]
        sign, kernel = self.system.kernel(
            {monos[found.quotient[entry]]: signs[found.mono[entry]] for entry in taken}
        )
        self.summed.add(unsigned(found.hash[group]))
        changed: dict[int, None] = {}
        for entry in taken:
            mono = found.mono[entry]
            del row[monos[mono]], signs[mono]
            self.leave(mono, at, changed)
        product = joined(monos[found.divisor[group]], (kernel,))
        row[product] = row.get(product, 0) + sign
        for other in changed:
            self.push(other)

    def leave(self, mono: int, at: int, changed: dict[int, None]) -> None:
        """Take a summand out of a row: its other uses pay more."""
        found = self.found
        before = self.shares[mono]
        self.uses[mono] -= 1
        self.shares[mono] = after = self.share(mono)
        for entry in found.entries.get(mono, ()):
            group = found.group[entry]
            if found.row[group] == at:
                found.size[group] -= 1
                self.value[group] -= before - self.extras[found.quotient[entry]]
                self.alike[unsigned(found.hash[group])] -= 1
                found.hash[group] -= found.hashes[entry]
                self.alike[unsigned(found.hash[group])] += 1
            else:
                self.value[group] += after - before
            if found.size[group] > 1:
                changed[group] = None
