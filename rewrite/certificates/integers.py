"""Which values are integers, even or odd, in one case of a proof, and functions that make them."""

from dataclasses import replace
from typing import Any

from rewrite.certificates.fractions import Frac, Stuck, gens_of
from rewrite.certificates.signs import Case, Signs, Split

__all__ = ["Integers"]


class Integers(Signs):
    """Decides what is an integer over a ring in one case, beside signs."""

    def negated(self, x: Frac) -> Frac:
        """-x."""
        return self.ring.scaled(x, -1)

    def integer(self, x: Frac) -> bool:
        """Tell whether a value is an integer; split where it is not known."""
        rest = self._broken(x)
        if (value := rest.constant()) is not None:
            return value.denominator == 1
        key = str(rest if rest.num.leading_coefficient() > 0 else self.negated(rest))
        if key not in self.case.integers:
            raise Split([self.told("integers", key, told) for told in (True, False)])
        return self.case.integers[key]

    def told(self, what: str, key: str, told: bool | int) -> Case:
        """Return the case in which also this is assumed of an integer, a parity or a truth."""
        changed: Any = {what: {**getattr(self.case, what), key: told}}
        return replace(self.case, **changed)

    def _broken(self, x: Frac) -> Frac:
        """Return x without the terms that are known to be integers."""
        ring, rest = self.ring, self.ring.zero
        for value, part in ring.terms(x):
            known = value.denominator == 1 and part.den.is_constant()
            if not (known and all(self._whole(k) for k in gens_of(part.num))):
                rest = ring.add(rest, ring.scaled(part, value))
        return rest

    def _whole(self, index: int) -> bool:
        if self.ring.atoms[index].kind in ("floor", "round"):
            return True
        return self.case.integers.get(str(self.ring.gen(index)), False)

    def parity(self, x: Frac) -> int:
        """Return an integer modulo 2; split where it is not known."""
        ring, total = self.ring, 0
        if not ring.vanishes(self._broken(x)):
            raise Stuck("parity of a sum that is an integer")
        for value, part in ring.terms(x):
            odd = int(value) % 2
            for index in gens_of(part.num) if odd else ():
                key = str(ring.gen(index))
                if key not in self.case.parities:
                    raise Split([self.told("parities", key, told) for told in (0, 1)])
                odd *= self.case.parities[key]
            total += odd
        return total % 2

    def floor(self, x: Frac) -> Frac:
        """floor(x) is an integer, floor(x + n) = floor(x) + n, floor(n) = n."""
        ring = self.ring
        if self.integer(x):
            return x
        rest = self._broken(x)
        fixed = rest.constant()
        if fixed is not None:
            return ring.add(ring.sub(x, rest), ring.number(fixed.numerator // fixed.denominator))
        return ring.add(ring.sub(x, rest), ring.gen(ring.atom("floor", rest)[0]))

    def ceil(self, x: Frac) -> Frac:
        """ceil(x) = -floor(-x)."""
        return self.negated(self.floor(self.negated(x)))

    def trunc(self, x: Frac) -> Frac:
        """Return floor(x) for x >= 0, else ceil(x)."""
        return self.floor(x) if self.sign(x) >= 0 else self.ceil(x)
