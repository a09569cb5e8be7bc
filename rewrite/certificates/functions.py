"""What functions are, as axioms on fractions of atoms: the definitions that proofs rest on.

Sources: DLMF 4.2 to 4.10 (exp, log, powers), 4.14 to 4.26 (sine, cosine, their inverses), 4.28 to
4.37 (hyperbolic functions), 7.2 (erf). README.md of the rules lists them.
"""

import math
from fractions import Fraction as Rational
from typing import Final

import flint

from rewrite.certificates.fractions import Frac, Poly, Ring, Stuck, gens_of, linear, normal
from rewrite.certificates.integers import Integers
from rewrite.certificates.signs import Case, Set

__all__ = ["Functions", "Undefined", "Unit"]


class Undefined(Exception):
    """The expression has no value in this case."""


class Unit(Exception):
    """Exponents or angles are needed in smaller parts: start again with 1/`parts` of them."""

    def __init__(self, parts: int) -> None:
        self.parts = parts


CONSTANT: Final = "1"


class Functions(Integers):
    """Values of functions in one case; exponents and angles are counted in parts of a whole."""

    def __init__(self, ring: Ring, case: Case, parts: int = 1) -> None:
        super().__init__(ring, case)
        self.parts = parts
        self.inner = [self._without_logs, self._of_exps, self._without_root]
        self.pi = ring.gen(ring.atom("pi", CONSTANT)[0])

    # -- domains -----------------------------------------------------------------------------

    def positive(self, x: Frac) -> None:
        """Require x > 0."""
        if self.sign(x) <= 0:
            raise Undefined

    def divided(self, x: Frac, y: Frac) -> Frac:
        """x / y for y != 0."""
        if self.is_zero(y):
            raise Undefined
        return self.ring.over(x, y)

    def less(self, x: Frac, by: int) -> Frac:
        """Return x - by."""
        return self.ring.sub(x, self.ring.number(by))

    # -- roots -------------------------------------------------------------------------------

    def sqrt(self, x: Frac) -> Frac:
        """sqrt(x)^2 = x, sqrt(x) >= 0, sqrt(x*y) = sqrt(x)*sqrt(y) for x, y > 0."""
        sign = self.sign(x)
        if sign < 0:
            raise Undefined
        return self._root(x, 2) if sign else self.ring.zero

    def cbrt(self, x: Frac) -> Frac:
        """cbrt(x)^3 = x, cbrt(x*y) = cbrt(x)*cbrt(y)."""
        return self._root(x, 3) if not self.ring.vanishes(x) else x

    def _root(self, x: Frac, n: int) -> Frac:
        ring, found = self.ring, self.ring.one
        for p, way in ((x.num, 1), (x.den, -1)):
            scale, factors = ring.factored(p)
            if n == 3 and scale < 0:
                found = self.negated(found)
            for prime, power in _primes(abs(scale)):
                part = ring.power(self._simple(ring.number(prime).num, n), power)
                found = ring.mul(found, ring.power(part, way))
            for factor, power in factors:
                part = self._factor_root(factor, power, n)
                found = ring.mul(found, part if way > 0 else ring.over(ring.one, part))
        return found

    def _factor_root(self, f: Poly, power: int, n: int) -> Frac:
        ring = self.ring
        whole = ring.power(ring.whole(f), power // n)
        if n == 3:
            rest = ring.power(self._simple(f, 3), power % 3) if power % 3 else ring.one
            return ring.mul(whole, rest)
        sign = self.sign(ring.whole(f))
        if power % 2 == 0:
            return whole if sign > 0 or (power // 2) % 2 == 0 else self.negated(whole)
        if sign < 0 and (power // 2) % 2:
            whole = self.negated(whole)
        return ring.mul(whole, self._simple(f if sign > 0 else -f, 2))

    def _simple(self, f: Poly, n: int) -> Frac:
        """Return the atom whose n-th power is f."""
        ring = self.ring
        if atom := ring.lone(f):
            if atom.kind == "exp":
                raise Unit(math.lcm(n, self.parts) if self.parts % n else self.parts * n)
            if atom.kind in ("sqrt", "cbrt"):
                raise Stuck("a root of a root")
        index, new = ring.atom("sqrt" if n == 2 else "cbrt", ring.whole(f))
        if new:
            ring.relations.insert(0, ring.gen(index).num ** n - f)
        return ring.gen(index)

    # -- exponentials and logarithms -----------------------------------------------------------

    def exp(self, x: Frac) -> Frac:
        """exp(x + y) = exp(x)*exp(y), exp > 0, exp(log(x)) = x."""
        ring, found = self.ring, self.ring.one
        for value, part in ring.terms(x):
            found = ring.mul(found, self._exp(value, part))
        return found

    def _exp(self, value: Rational, part: Frac) -> Frac:
        ring = self.ring
        atom = ring.lone(part.num) if part.den.is_one() else None
        if atom and atom.kind in ("log", "log2"):
            return self.to_rational(ring.whole(atom.of), value)
        if (value * self.parts).denominator != 1:
            raise Unit(math.lcm(self.parts, value.denominator))
        index, _ = ring.atom("exp", part)
        return ring.power(ring.gen(index), int(value * self.parts))

    def to_rational(self, x: Frac, power: Rational) -> Frac:
        """Return x to a rational power, for x > 0."""
        if power.denominator == 1:
            return self.ring.power(x, power.numerator)
        if power.denominator in (2, 3):
            root = self._root(x, power.denominator)
            return self.ring.power(root, power.numerator)
        return self.exp(self.ring.scaled(self.log(x), power))

    def log(self, x: Frac) -> Frac:
        """log(x*y) = log(x) + log(y) for x, y > 0, log(exp(x)) = x."""
        self.positive(x)
        ring, found = self.ring, self.ring.zero
        for p, way in ((x.num, 1), (x.den, -1)):
            scale, factors = ring.factored(p)
            for prime, power in _primes(abs(scale)):
                index, _ = ring.atom("log2", ring.number(prime).num)
                found = ring.add(found, ring.scaled(ring.gen(index), way * power))
            for factor, power in factors:
                found = ring.add(found, ring.scaled(self._log(factor), way * power))
        return found

    def _log(self, f: Poly) -> Frac:
        """Return log(abs(f)) of a factor."""
        ring = self.ring
        if atom := ring.lone(f):
            if atom.kind == "exp":
                return ring.scaled(atom.of, Rational(1, self.parts))
            if atom.kind in ("sqrt", "cbrt"):
                root = 2 if atom.kind == "sqrt" else 3
                return ring.scaled(self._log(atom.of.num), Rational(1, root))
        for index in gens_of(f):
            if ring.atoms[index].kind == "sqrt":
                rest, slope = linear(f, index)
                norm = ring.whole(rest * rest - slope * slope * ring.gen(index).num ** 2)
                size, other = normal(rest - slope * ring.gen(index).num)
                if {norm.constant(), size} <= {1, -1} and str(other) < str(f):
                    return self.negated(self._log(other))
        f = f if self.sign(ring.whole(f)) > 0 else -f
        return ring.gen(ring.atom("log", f)[0])

    def power(self, x: Frac, y: Frac) -> Frac:
        """x^y is a product for integer y, exp(y*log(x)) for x > 0, 0 for x = 0 < y."""
        ring, fixed = self.ring, y.constant()
        if fixed is not None and fixed.denominator == 1:
            if fixed < 0 and self.is_zero(x):
                raise Undefined
            return ring.power(x, int(fixed))
        sign = self.sign(x)
        if sign == 0:
            way = self.sign(y)
            if way < 0:
                raise Undefined
            return ring.zero if way else ring.one
        if sign > 0:
            return self.to_rational(x, fixed) if fixed else self.exp(ring.mul(y, self.log(x)))
        if not self.integer(y):
            raise Undefined
        size = self.exp(ring.mul(y, self.log(self.negated(x))))
        return self.negated(size) if self.parity(y) else size

    def _without_logs(self, p: Poly) -> Set | Frac | None:
        """Find the sign of e*log(f) + ... + r, for integers e, from exp of it, less 1."""
        ring = self.ring
        logs = [k for k in gens_of(p) if ring.atoms[k].kind in ("log", "log2")]
        if not logs:
            return None
        for powers in p.to_dict():
            if sum(powers[k] for k in logs) > 1 or any(
                powers[k] and sum(powers) > powers[k] for k in logs
            ):
                return None
        size = self.exp(ring.whole(p))
        return ring.sub(size, ring.one)

    def _of_exps(self, p: Poly) -> Set | Frac | None:
        """Find the sign of exp(x) - exp(y) from x - y."""
        ring, terms = self.ring, p.to_dict()
        if len(terms) != 2 or sum(terms.values()) != 0:
            return None
        if any(ring.atoms[k].kind != "exp" for k in gens_of(p)):
            return None
        total = ring.zero
        for powers, value in terms.items():
            for index, power in enumerate(powers):
                if power:
                    part = ring.scaled(ring.atoms[index].of, int(power) * (1 if value > 0 else -1))
                    total = ring.add(total, part)
        return total

    # -- angles --------------------------------------------------------------------------------

    def turned(self, x: Frac) -> tuple[Frac, Frac]:
        """Return cos(x), sin(x): of sums by the addition theorems, of parts of pi as known."""
        ring = self.ring
        found = (ring.one, ring.zero)
        for value, part in ring.terms(x):
            found = self._both(found, self._turn(value, part))
        return found

    def _both(self, x: tuple[Frac, Frac], y: tuple[Frac, Frac]) -> tuple[Frac, Frac]:
        ring = self.ring
        return (
            ring.sub(ring.mul(x[0], y[0]), ring.mul(x[1], y[1])),
            ring.add(ring.mul(x[1], y[0]), ring.mul(x[0], y[1])),
        )

    def _turn(self, value: Rational, part: Frac) -> tuple[Frac, Frac]:
        ring = self.ring
        if part == self.pi:
            if (2 * value).denominator != 1:
                raise Stuck("a part of pi")
            turns = [(1, 0), (0, 1), (-1, 0), (0, -1)][int(2 * value) % 4]
            return ring.number(turns[0]), ring.number(turns[1])
        if part == ring.one:
            part, value = ring.number(abs(value)), Rational(1 if value > 0 else -1)
        base, count = self._known_turn(part), value
        if base is None:
            count = value * self.parts
            if count.denominator != 1:
                raise Unit(math.lcm(self.parts, value.denominator))
            base = self._unit_turn(part)
        if count.denominator != 1:
            raise Stuck("a part of an inverse function")
        if count < 0:
            base = (base[0], self.negated(base[1]))
        found = (ring.one, ring.zero)
        for _ in range(abs(int(count))):
            found = self._both(found, base)
        return found

    def _unit_turn(self, part: Frac) -> tuple[Frac, Frac]:
        ring = self.ring
        sine, _ = ring.atom("sin", part)
        cosine, new = ring.atom("cos", sine)
        s, c = ring.gen(sine), ring.gen(cosine)
        if new:
            ring.relations.append(c.num**2 + s.num**2 - 1)
        return c, s

    def _known_turn(self, part: Frac) -> tuple[Frac, Frac] | None:
        """Return cosine and sine of an inverse function."""
        ring = self.ring
        atom = ring.lone(part.num) if part.den.is_one() else None
        if atom and atom.kind == "asin":
            return self.sqrt(ring.sub(ring.one, ring.mul(atom.of, atom.of))), atom.of
        if atom and atom.kind == "atan":
            size = self.sqrt(ring.add(ring.one, ring.mul(atom.of, atom.of)))
            return ring.over(ring.one, size), ring.over(atom.of, size)
        return None

    def tan(self, x: Frac) -> Frac:
        """tan(x) = sin(x) / cos(x)."""
        cosine, sine = self.turned(x)
        return self.divided(sine, cosine)

    def asin(self, x: Frac) -> Frac:
        """sin(asin(x)) = x, cos(asin(x)) = sqrt(1 - x^2), odd, on [-1, 1]."""
        ring = self.ring
        if (angle := self._angle(x, "asin")) is not None:
            return angle
        ends = self.sign(self.less(x, -1)), self.sign(self.negated(self.less(x, 1)))
        if min(ends) < 0:
            raise Undefined
        if 0 in ends:
            return ring.scaled(self.pi, Rational(ends[0] - ends[1], 2))
        return self._odd("asin", x)

    def _angle(self, x: Frac, kind: str) -> Frac | None:
        """Return the angle whose sine or tangent is x where it is given, in its range.

        asin(sin(x)) = x and atan(tan(x)) = x on [-pi/2, pi/2], asin(cos(x)) = pi/2 - x on [0, pi].
        """
        ring, half = self.ring, self.ring.scaled(self.pi, Rational(1, 2))
        for index, atom in list(ring.atoms.items()) if self.parts == 1 else ():
            if atom.kind != "cos":
                continue
            sine, cosine, angle = ring.gen(atom.of), ring.gen(index), ring.atoms[atom.of].of
            shape = sine if kind == "asin" else Frac(sine.num, cosine.num)
            for way in (1, -1):
                if x == ring.scaled(shape, way) and self._within(half, angle, half):
                    return ring.scaled(angle, way)
            if kind == "asin" and x == cosine and self._within(ring.zero, angle, self.pi):
                return ring.sub(half, angle)
        return None

    def _within(self, below: Frac, x: Frac, above: Frac) -> bool:
        """Tell whether -below <= x <= above; split where it is not known."""
        ring = self.ring
        return self.sign(ring.add(x, below)) >= 0 and self.sign(ring.sub(above, x)) >= 0

    def acos(self, x: Frac) -> Frac:
        """acos(x) = pi/2 - asin(x)."""
        return self.ring.sub(self.ring.scaled(self.pi, Rational(1, 2)), self.asin(x))

    def atan(self, x: Frac) -> Frac:
        """tan(atan(x)) = x, cos(atan(x)) > 0, odd; atan(x) + atan(1/x) = pi/2 for x > 0."""
        if (angle := self._angle(x, "atan")) is not None:
            return angle
        ring, sign = self.ring, self.sign(x)
        if sign <= 0:
            return self.negated(self.atan(self.negated(x))) if sign else ring.zero
        other = ring.over(ring.one, x)
        if str(other) < str(x):
            half = ring.scaled(self.pi, Rational(1, 2))
            return ring.sub(half, ring.gen(ring.atom("atan", other)[0]))
        return ring.gen(ring.atom("atan", x)[0])

    def atan2(self, y: Frac, x: Frac) -> Frac:
        """atan(y/x) for x > 0, and half a turn from it, or pi/2, elsewhere; not at y = 0 >= x."""
        ring, right, up = self.ring, self.sign(x), self.sign(y)
        if right > 0:
            return self.atan(ring.over(y, x))
        if up == 0:
            raise Undefined
        if right == 0:
            return ring.scaled(self.pi, Rational(up, 2))
        return ring.add(self.atan(ring.over(y, x)), ring.scaled(self.pi, up))

    # -- odd functions -------------------------------------------------------------------------

    def _odd(self, kind: str, x: Frac) -> Frac:
        """Return the atom of an odd function."""
        ring = self.ring
        if ring.vanishes(x):
            return x
        if x.num.leading_coefficient() < 0:
            return self.negated(ring.gen(ring.atom(kind, self.negated(x))[0]))
        return ring.gen(ring.atom(kind, x)[0])

    def round(self, x: Frac) -> Frac:
        """round(n) = n, and it is odd, as halves go to the even one."""
        return x if self.integer(x) else self._odd("round", x)

    def erf(self, x: Frac) -> Frac:
        """Return erf, which is odd."""
        return self._odd("erf", x)


def _primes(value: Rational) -> list[tuple[int, int]]:
    found = [(int(p), int(n)) for p, n in flint.fmpz(value.numerator).factor()]
    return found + [(int(p), -int(n)) for p, n in flint.fmpz(value.denominator).factor()]
