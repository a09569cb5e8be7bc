"""Fractions of polynomials over Q whose generators are variables and atoms, kept in normal form.

An atom is a function that has no closed form: exp(m), log(f), sin(m), sqrt(f). The functions of
`rewrite.certificates.functions` make them; here they are names, with polynomials in them that are
0, by which numerators are reduced. All that is claimed of two equal fractions is that they are
equal wherever no denominator is 0.
"""

import math
from collections.abc import Iterator
from fractions import Fraction as Rational
from typing import Any, Final, NamedTuple

import flint

__all__ = ["Atom", "Frac", "Poly", "Ring", "Stuck"]

type Poly = Any
"""A flint.fmpq_mpoly; flint has no types for mypy."""

GENERATORS: Final = 40
_CONTEXT: Final = flint.fmpq_mpoly_ctx.get([f"g{k:02}" for k in range(GENERATORS)], "lex")
_GENS: Final = _CONTEXT.gens()


class Stuck(Exception):
    """The proof does not go on: nothing is claimed."""


class Frac(NamedTuple):
    """Numerator and denominator without common factor, the latter with leading coefficient 1."""

    num: Poly
    den: Poly

    def constant(self) -> Rational | None:
        """Return the number that it is, if it is one."""
        if not (self.num.is_constant() and self.den.is_constant()):
            return None
        return rational(self.num) / rational(self.den)


class Atom(NamedTuple):
    """What a generator stands for: a kind, and the fraction or polynomial it is a function of."""

    kind: str
    of: Any


def rational(p: Poly) -> Rational:
    """Return a constant polynomial as a number."""
    value = p.leading_coefficient() if not p.is_zero() else flint.fmpq(0)
    return exact(value)


def exact(value: Any) -> Rational:
    """Return a number of flint as one of Python."""
    return Rational(int(value.p), int(value.q))


class Ring:
    """The generators of one rule, and what is known to vanish."""

    def __init__(self) -> None:
        self.names: dict[tuple[str, str], int] = {}
        self.atoms: dict[int, Atom] = {}
        self.relations: list[Poly] = []
        """Polynomials in a generator and older ones that are 0, whatever the variables are."""
        self.zeros: list[Poly] = []
        """Polynomials that are 0 in the case at hand."""
        self.one = self.number(1)
        self.zero = self.number(0)

    def number(self, value: Any) -> Frac:
        """Return a rational number as a fraction."""
        value = Rational(value)
        p = _CONTEXT.constant(flint.fmpq(value.numerator, value.denominator))
        return Frac(p, _CONTEXT.constant(1))

    def atom(self, kind: str, of: Any, key: str | None = None) -> tuple[int, bool]:
        """Return the generator of an atom, and whether it is new; newer ones lead in the order."""
        name = (kind, str(of) if key is None else key)
        if name in self.names:
            return self.names[name], False
        index = GENERATORS - 1 - len(self.names)
        if index < 0:
            raise Stuck("more atoms than generators")
        self.names[name] = index
        self.atoms[index] = Atom(kind, of)
        return index, True

    def gen(self, index: int) -> Frac:
        """Return a generator as a fraction."""
        return Frac(_GENS[index], _CONTEXT.constant(1))

    def lone(self, p: Poly) -> Atom | None:
        """Return the atom that a polynomial is, if it is one alone."""
        inner = gens_of(p)
        return self.atoms[inner[0]] if len(inner) == 1 and p == _GENS[inner[0]] else None

    def whole(self, p: Poly) -> Frac:
        """Return a polynomial as a fraction."""
        return self.make(p, _CONTEXT.constant(1))

    # -- arithmetic --------------------------------------------------------------------------

    def reduce(self, p: Poly) -> Poly:
        """Take away what is known to vanish."""
        while True:
            before = p
            for relation in (*self.relations, *self.zeros):
                _, p = divmod(p, relation)
            if p == before:
                return p

    def make(self, num: Poly, den: Poly) -> Frac:
        """Reduce, cancel and scale."""
        num, den = self.reduce(num), self.reduce(den)
        if den.is_zero():
            raise Stuck("a denominator vanishes")
        num, den = self._rationalised(num, den)
        common = num.gcd(den) if not num.is_zero() else den
        num, den = divmod(num, common)[0], divmod(den, common)[0]
        lead = den.leading_coefficient()
        return Frac(num / lead, den / lead)

    def _rationalised(self, num: Poly, den: Poly) -> tuple[Poly, Poly]:
        """Move square roots that are factors of the denominator up, so that equal ones look so.

        Not u + v*sqrt(f): its conjugate may be 0 where it is not.
        """
        for index in gens_of(den):
            if self.atoms[index].kind == "sqrt":
                rest, _ = linear(den, index)
                if rest.is_zero():
                    num, den = self.reduce(num * _GENS[index]), self.reduce(den * _GENS[index])
        return num, den

    def add(self, x: Frac, y: Frac) -> Frac:
        """x + y."""
        return self.make(x.num * y.den + y.num * x.den, x.den * y.den)

    def sub(self, x: Frac, y: Frac) -> Frac:
        """x - y."""
        return self.make(x.num * y.den - y.num * x.den, x.den * y.den)

    def mul(self, x: Frac, y: Frac) -> Frac:
        """x * y."""
        return self.make(x.num * y.num, x.den * y.den)

    def over(self, x: Frac, y: Frac) -> Frac:
        """x / y, for a y that is known not to be 0."""
        return self.make(x.num * y.den, x.den * y.num)

    def scaled(self, x: Frac, by: Any) -> Frac:
        """x times a number."""
        return self.mul(x, self.number(by))

    def power(self, x: Frac, n: int) -> Frac:
        """x to an integer power, for x that is not 0 if n is negative."""
        if n < 0:
            return self.power(self.over(self.one, x), -n)
        found = self.one
        for _ in range(n):
            found = self.mul(found, x)
        return found

    def vanishes(self, x: Frac) -> bool:
        """Tell whether a fraction is known to be 0."""
        return bool(x.num.is_zero())

    # -- parts -------------------------------------------------------------------------------

    def terms(self, x: Frac) -> Iterator[tuple[Rational, Frac]]:
        """Split a fraction into coefficients and monomials over its denominator."""
        for powers, value in x.num.to_dict().items():
            lone = _CONTEXT.from_dict({powers: 1})
            part = self.make(lone, x.den)
            yield exact(value), part

    def factored(self, p: Poly) -> tuple[Rational, list[tuple[Poly, int]]]:
        """Factor a polynomial; each factor has a positive leading coefficient and content 1."""
        if p.is_constant():
            return rational(p), []
        lead, factors = p.factor()
        scale = exact(lead)
        found: list[tuple[Poly, int]] = []
        for factor, times in factors:
            size, shaped = normal(factor)
            scale *= size**times
            found.append((shaped, times))
        return self._circles(scale, found)

    def _circles(
        self, scale: Rational, factors: list[tuple[Poly, int]]
    ) -> tuple[Rational, list[tuple[Poly, int]]]:
        """Write (s - 1)(s + 1) as -c^2 where s and c are a sine and its cosine."""
        held = {str(f): (f, times) for f, times in factors}
        for index, atom in self.atoms.items():
            if atom.kind == "cos":
                cosine, sine = _GENS[index], _GENS[atom.of]
                below, above = str(sine - 1), str(sine + 1)
                if below in held and above in held:
                    times = min(held[below][1], held[above][1])
                    scale *= (-1) ** times
                    for key, p, change in (
                        (below, sine - 1, -times), (above, sine + 1, -times),
                        (str(cosine), cosine, 2 * times),
                    ):  # fmt: skip
                        held[key] = (p, held.get(key, (p, 0))[1] + change)
        return scale, [(f, times) for f, times in held.values() if times]


def normal(p: Poly) -> tuple[Rational, Poly]:
    """Write p as a number times a polynomial of content 1 with a positive leading coefficient."""
    values = [exact(v) for v in p.coeffs()]
    lead = p.leading_coefficient()
    size = _content(values) * (1 if lead > 0 else -1)
    return size, p / flint.fmpq(size.numerator, size.denominator)


def _content(values: list[Rational]) -> Rational:
    top = math.gcd(*[v.numerator for v in values])
    return Rational(top, math.lcm(*[v.denominator for v in values]))


def gens_of(p: Poly) -> list[int]:
    """Return the generators that a polynomial has, the newest first."""
    return [k for k, degree in enumerate(p.degrees()) if degree > 0]


def linear(p: Poly, index: int) -> tuple[Poly, Poly]:
    """Write p as rest + slope * g; raise `Stuck` if its degree in g is not 1."""
    rest, slope = {}, {}
    for powers, value in p.to_dict().items():
        if powers[index] == 0:
            rest[powers] = value
        elif powers[index] == 1:
            slope[(*powers[:index], 0, *powers[index + 1 :])] = value
        else:
            raise Stuck("not linear")
    return _CONTEXT.from_dict(rest), _CONTEXT.from_dict(slope)
