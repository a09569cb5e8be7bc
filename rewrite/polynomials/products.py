"""Products of many literals, made of shared pairs: the most frequent pair is multiplied first."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

from rewrite.deadline import look
from rewrite.polynomials.system import Mono

__all__ = ["Products", "pair_products"]


@dataclass(frozen=True, slots=True)
class Products:
    """How monomials are multiplied: a token is a literal, or a pair of tokens from `first` on."""

    first: int
    pairs: list[tuple[int, int]]
    tokens: dict[Mono, int]
    """The token of each monomial."""

    def contents(self) -> list[Mono]:
        """Return the literals of each pair."""
        made: list[Mono] = []
        for pair in self.pairs:
            parts = [(t,) if t < self.first else made[t - self.first] for t in pair]
            made.append(tuple(sorted(parts[0] + parts[1])))
        return made

    def uses(self) -> Counter[int]:
        """Count what uses each token: pairs and monomials."""
        found = Counter(token for pair in self.pairs for token in pair)
        found.update(self.tokens.values())
        return found

    def private(self) -> dict[Mono, int]:
        """Count the pairs that each product needs and no other does."""
        uses, first = self.uses(), self.first
        own: list[int] = []
        for pair in self.pairs:
            own.append(1 + sum(own[t - first] for t in pair if t >= first and uses[t] == 1))
        made = dict(zip(self.contents(), own, strict=True))
        return made | {mono: own[token - first] for mono, token in self.tokens.items()}


def pair_products(monos: Iterable[Mono], numbers: Iterable[int], first: int) -> Products:
    """Find a program of binary products for distinct monomials; literals are below `first`.

    A multiple of another monomial by a literal of `numbers` is made of that one.
    """
    wanted = [mono for mono in monos if len(mono) > 1]
    known, numeric = set(wanted), frozenset(numbers)
    multiples = {m: s for m in wanted if (s := _multiple(m, numeric, known)) is not None}
    whole = [mono for mono in wanted if mono not in multiples]
    pairs, tokens = _Pairing([list(mono) for mono in whole], first).run()
    made = dict(zip(whole, tokens, strict=True))
    for mono in sorted(multiples, key=len):
        number, rest = multiples[mono]
        pairs.append((number, made[rest]))
        made[mono] = first + len(pairs) - 1
    return Products(first, pairs, made)


def _multiple(mono: Mono, numeric: frozenset[int], known: set[Mono]) -> tuple[int, Mono] | None:
    """Split off a number such that the rest is known."""
    for k, literal in enumerate(mono):
        if literal in numeric and (rest := mono[:k] + mono[k + 1 :]) in known:
            return literal, rest
    return None


class _Pairing:
    """Greedy extraction of pairs, each list of tokens becoming one token."""

    def __init__(self, lists: list[list[int]], first: int) -> None:
        self.lists, self.first = lists, first
        self.pairs: list[tuple[int, int]] = []
        self.places: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        """In which lists a pair is, or was."""
        for at, tokens in enumerate(lists):
            if len(tokens) == 2:  # most have
                self.places[tokens[0], tokens[1]].append(at)
                continue
            for pair in dict.fromkeys(combinations(tokens, 2)):
                self.places[pair].append(at)

    def run(self) -> tuple[list[tuple[int, int]], list[int]]:
        heap = [(-len(places), pair) for pair, places in self.places.items() if len(places) > 1]
        heapq.heapify(heap)
        while heap:
            look()
            count, pair = heapq.heappop(heap)
            places = [at for at in self.places.pop(pair, ()) if self.holds(at, pair)]
            if len(places) < -count:
                if len(places) > 1:
                    self.places[pair] = places
                    heapq.heappush(heap, (-len(places), pair))
                continue
            for other in self.extract(pair, places):
                if len(self.places[other]) > 1:
                    heapq.heappush(heap, (-len(self.places[other]), other))
        return self.pairs, [self.finished(tokens) for tokens in self.lists]

    def holds(self, at: int, pair: tuple[int, int]) -> bool:
        one, other = pair
        tokens = self.lists[at]
        return tokens.count(one) > 1 if one == other else one in tokens and other in tokens

    def extract(self, pair: tuple[int, int], places: list[int]) -> Iterable[tuple[int, int]]:
        """Make a token of a pair wherever it is; return the new pairs."""
        made = self.added(*pair)
        fresh: dict[tuple[int, int], None] = {}
        for at in places:
            tokens = self.lists[at]
            while self.holds(at, pair):
                tokens.remove(pair[0])
                tokens.remove(pair[1])
                tokens.append(made)
            for other in dict.fromkeys(tokens):
                if other != made or tokens.count(made) > 1:
                    self.places[other, made].append(at)
                    fresh[other, made] = None
        return fresh

    def added(self, one: int, other: int) -> int:
        self.pairs.append((one, other))
        return self.first + len(self.pairs) - 1

    def finished(self, tokens: list[int]) -> int:
        """Multiply what no other list has: powers by squaring, the rest from the left."""
        parts = tokens if len(set(tokens)) == len(tokens) else self.powers(tokens)
        made = parts[0]
        for part in parts[1:]:
            made = self.added(made, part)
        return made

    def powers(self, tokens: list[int]) -> list[int]:
        """Square what is there several times; return factors that are all distinct."""
        parts: list[int] = []
        for token, times in Counter(tokens).items():
            while times:
                if times & 1:
                    parts.append(token)
                times >>= 1
                if times:
                    token = self.added(token, token)
        return parts
