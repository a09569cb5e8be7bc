"""Signs of fractions in one case of a proof, and the splits into cases that decide them.

A case knows signs of polynomials, integers, parities and truth values. What is asked and not known
raises `Split` with cases that cover every possibility, so that a proof of each is a proof.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction as Rational
from typing import Final

from rewrite.certificates.fractions import (
    Frac,
    Poly,
    Ring,
    Stuck,
    gens_of,
    linear,
    normal,
    rational,
)

__all__ = ["Case", "Signs", "Split"]

type Set = frozenset[int]

ANY: Final = frozenset((-1, 0, 1))
PLUS, ZERO, MINUS = frozenset((1,)), frozenset((0,)), frozenset((-1,))
NOT_NEGATIVE, NOT_POSITIVE, NOT_ZERO = ANY - MINUS, ANY - PLUS, ANY - ZERO
BOUNDS: Final = {"exp": PLUS, "sqrt": PLUS, "pi": PLUS, "log2": PLUS}
"""Atoms of a known sign."""


@dataclass(frozen=True)
class Case:
    """What is assumed: signs of polynomials, values of variables, integers, parities, truths."""

    signs: dict[str, tuple[Poly, Set]] = field(default_factory=dict)
    values: dict[int, Frac] = field(default_factory=dict)
    zeros: tuple[Poly, ...] = ()
    integers: dict[str, bool] = field(default_factory=dict)
    parities: dict[str, int] = field(default_factory=dict)
    truths: dict[str, bool] = field(default_factory=dict)


class Split(Exception):
    """The cases that one case splits into."""

    def __init__(self, cases: list[Case]) -> None:
        self.cases = cases


def times(x: Set, y: Set) -> Set:
    """Return the signs of a product."""
    return frozenset(p * q for p in x for q in y)


class Signs:
    """Decides signs over a ring in one case; `inner` looks into atoms."""

    def __init__(self, ring: Ring, case: Case) -> None:
        self.ring, self.case = ring, case
        ring.zeros = list(case.zeros)
        self.inner: list[Callable[[Poly], Set | Frac | None]] = [self._without_root]
        """Ways to a simpler expression of the same sign."""

    # -- questions ---------------------------------------------------------------------------

    def sign(self, x: Frac) -> int:
        """Return -1, 0 or 1; split where it is not known."""
        (found,) = self._decided(x, lambda known: len(known) == 1)
        return found

    def is_zero(self, x: Frac) -> bool:
        """Tell whether a fraction is 0; split where it is not known."""
        return self._decided(x, lambda known: known == ZERO or 0 not in known) == ZERO

    def _decided(self, x: Frac, enough: Callable[[Set], bool]) -> Set:
        total = PLUS
        parts: list[tuple[Poly, Set]] = []
        for p in (x.num, x.den):
            scale, factors = self.ring.factored(p)
            total = times(total, _of(scale))
            for factor, power in factors:
                known = self.known(factor) - (ZERO if p is x.den else frozenset())
                shown = known if power % 2 else frozenset(s * s for s in known)
                parts.append((factor, shown))
                total = times(total, shown)
        if enough(total) or total == ZERO:
            return total
        for factor, known in parts:
            if not enough(known):
                raise Split(self._cases(factor, enough))
        raise Stuck("no sign")

    # -- what is known -----------------------------------------------------------------------

    def known(self, p: Poly, depth: int = 2) -> Set:
        """Return the signs that a polynomial with content 1 may have."""
        if p.is_constant():
            return _of(rational(p))
        found = self._told_sign(p) & self._by_terms(p)
        if len(found) > 1:
            found &= self._by_atoms(p)
        if len(found) > 1 and depth:
            found &= self._by_facts(p, depth)
        if not found:
            raise Split([])  # what is assumed contradicts itself
        return found

    def _told_sign(self, p: Poly) -> Set:
        return self.case.signs.get(str(p), (p, ANY))[1]

    def _gen(self, index: int) -> Set:
        atom = self.ring.atoms[index]
        found = BOUNDS.get(atom.kind, ANY)
        found &= self._told_sign(self.ring.gen(index).num)
        if atom.kind in ("cbrt", "asin", "atan", "floor") and len(found) > 1:
            below = self._loosely(atom.of)
            found &= (below | ZERO if below == PLUS else ANY) if atom.kind == "floor" else below
        return found

    def _loosely(self, x: Frac) -> Set:
        total = PLUS
        for p in (x.num, x.den):
            if p.is_zero():
                return ZERO
            size, shaped = normal(p)
            total = times(total, times(_of(size), self.known(shaped, 0)))
        return total

    def _by_terms(self, p: Poly) -> Set:
        total: Set | None = None
        for powers, value in p.to_dict().items():
            one = PLUS if value > 0 else MINUS
            for index in (k for k, power in enumerate(powers) if power):
                gen = self._gen(index)
                one = times(one, gen if powers[index] % 2 else frozenset(s * s for s in gen))
            total = one if total is None else _sum(total, one)
            if total == ANY:
                break
        return total if total is not None else ZERO

    def _by_atoms(self, p: Poly) -> Set:
        """Use -1 <= sin(x), cos(x) <= 1."""
        for index in gens_of(p):
            if self.ring.atoms[index].kind in ("sin", "cos"):
                gen = self.ring.gen(index).num
                if p == gen + 1:
                    return NOT_NEGATIVE
                if p == gen - 1:
                    return NOT_POSITIVE
        return ANY

    def _facts(self) -> Iterator[tuple[Poly, bool]]:
        """Yield polynomials that are not negative, and whether they are positive."""
        lone: list[tuple[Poly, bool]] = []
        for p, known in self.case.signs.values():
            if known <= NOT_NEGATIVE:
                lone.append((p, 0 not in known))
            elif known <= NOT_POSITIVE:
                lone.append((-p, 0 not in known))
        yield from lone
        for (p, strict), (q, also) in itertools.combinations_with_replacement(lone, 2):
            yield p * q, strict and also

    def _by_facts(self, p: Poly, depth: int) -> Set:
        """Look for p, or -p, as a sum of what is known not to be negative."""
        for sign in (1, -1):
            for fact, strict in itertools.islice(self._facts(), 60):
                rest = self.ring.reduce(sign * p - fact)
                known = ZERO if rest.is_zero() else self._rest(rest, depth)
                if known <= NOT_NEGATIVE:
                    found = PLUS if strict or known == PLUS else NOT_NEGATIVE
                    return found if sign > 0 else frozenset(-s for s in found)
        return ANY

    def _rest(self, p: Poly, depth: int) -> Set:
        known = self._by_terms(p)
        if known <= NOT_NEGATIVE or depth < 2:
            return known
        size, shaped = normal(p)
        return times(_of(size), self._by_facts(shaped, 1))

    # -- splits ------------------------------------------------------------------------------

    def _cases(self, p: Poly, enough: Callable[[Set], bool]) -> list[Case]:
        for way in self.inner:
            other = way(p)
            if isinstance(other, Frac):
                found = self._decided(other, enough)
                return self._with(p, found)
            if other is not None:
                return self._with(p, other)
        if self._by_terms(p) in (NOT_NEGATIVE, NOT_POSITIVE):
            for index in gens_of(p):
                gen = self.ring.gen(index).num
                known = self.known(gen)
                if p != gen and len(known) > 1:
                    return self._cases(gen, enough)
        known = self.known(p)
        return [c for s in sorted(known, reverse=True) for c in self._with(p, frozenset((s,)))]

    def _with(self, p: Poly, known: Set) -> list[Case]:
        """Return the case in which also this is assumed, none if that contradicts the rest."""
        case = self.case
        signs = {**case.signs, str(p): (p, known)}
        if known != ZERO:
            return [replace(case, signs=signs)]
        for index in gens_of(p):
            if self.ring.atoms[index].kind == "variable":
                try:
                    rest, slope = linear(p, index)
                except Stuck:
                    continue
                if slope.is_constant():
                    value = -rest / slope.leading_coefficient()
                    return self._substituted(index, value)
        return [replace(case, signs=signs, zeros=(*case.zeros, p))]

    def _substituted(self, index: int, value: Poly) -> list[Case]:
        ring, case = self.ring, self.case
        at = [ring.gen(k).num for k in range(len(ring.gen(0).num.degrees()))]
        at[index] = value
        signs: dict[str, tuple[Poly, Set]] = {}
        for p, known in case.signs.values():
            only = all(ring.atoms[k].kind == "variable" for k in gens_of(p))
            fresh = p.compose(*at) if only else p
            if fresh.is_constant():
                if not _of(rational(fresh)) <= known:
                    return []
                continue
            size, shaped = normal(fresh)
            shown = times(known, _of(size))
            shown &= signs.get(str(shaped), (shaped, ANY))[1]
            signs[str(shaped)] = (shaped, shown)
            if not shown:
                return []
        values = {k: ring.whole(v.num.compose(*at)) for k, v in case.values.items()}
        values[index] = ring.whole(value)
        return [replace(case, signs=signs, values=values)]

    # -- looking into atoms ------------------------------------------------------------------

    def _without_root(self, p: Poly) -> Set | Frac | None:
        """Find the sign of u + v*sqrt(f) from those of u, v and v*v*f - u*u, of cbrt(f) from f."""
        atom = self.ring.lone(p)
        if atom and atom.kind == "cbrt":
            return Frac(*atom.of)
        for index in gens_of(p):
            if self.ring.atoms[index].kind != "sqrt":
                continue
            u, v = linear(p, index)
            if u.is_zero():
                return None
            one, two = self.sign(self.ring.whole(u)), self.sign(self.ring.whole(v))
            if one * two >= 0:
                return frozenset((one or two,))
            norm = self.ring.whole(v * v * self.ring.gen(index).num ** 2 - u * u)
            return self.ring.scaled(norm, two)
        return None

    def contradictory(self) -> bool:
        """Tell whether what is assumed cannot be, as far as signs of sums show it."""
        for key, (p, known) in self.case.signs.items():
            rest = {other: told for other, told in self.case.signs.items() if other != key}
            other = Signs(self.ring, Case(rest, zeros=self.case.zeros))
            if not (other.known(p) & known):
                return True
        return False


def _of(value: Rational) -> Set:
    """Return the sign of a number."""
    return frozenset(((value > 0) - (value < 0),))


def _sum(x: Set, y: Set) -> Set:
    found: set[int] = set()
    for p in x:
        for q in y:
            found |= ANY if p * q < 0 else {p or q}
    return frozenset(found)
