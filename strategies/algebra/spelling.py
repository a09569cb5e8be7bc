"""`spell`: canonical sums and products as a person writes them, `a - b/2` and not `a + -1/2*b`.

It changes signs and quotients of numbers only, and `normalize` takes it back.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from rewrite import ops
from rewrite.dag import Dag
from rewrite.fastmath import FastMath, licence
from rewrite.sorts import INT, REAL
from rewrite.store import Store
from rewrite.term import Term
from strategies.algebra.forms import Rational
from strategies.algebra.normal import COLLECT
from strategies.base import Leaf

__all__ = ["Spell", "spell"]

_ADD, _SUB, _NEG = ops.ADD.code, ops.SUB.code, ops.NEG.code
_MUL, _DIV, _CONST = ops.MUL.code, ops.DIV.code, ops.CONST.code
_NUMBERS: Final = (int(REAL), int(INT))


class _Speller:
    """One pass over a program, children first."""

    def __init__(self, store: Store, root: int, *, quotients: bool) -> None:
        self.store, self.quotients = store, quotients
        self.dag = Dag.of(store, [root])
        self.rows, self.sorts = self.dag.rows(), self.dag.sort.tolist()
        self.made: list[int] = []

    def run(self) -> int:
        """Return the node that the root becomes."""
        for at, (code, args) in enumerate(self.rows):
            number = self.sorts[at] in _NUMBERS and all(self.sorts[a] in _NUMBERS for a in args)
            if not args:
                self.made.append(int(self.dag.ids[at]))
            elif number and code == _ADD:
                self.made.append(self.sum(args))
            elif number and code in (_MUL, _DIV):
                self.made.append(self.product(*self.parts(at)))
            else:
                self.made.append(self.store.make((code, *[self.made[a] for a in args])))
        return self.made[self.dag.roots[0]]

    def number(self, at: int) -> Rational | None:
        """Return the value of an exact number."""
        value = self.dag.value[at] if self.rows[at][0] == _CONST else None
        exact = isinstance(value, (int, Fraction)) and not isinstance(value, bool)
        return value if exact else None  # type: ignore[return-value]

    def parts(self, at: int) -> tuple[Rational, list[int], list[int]]:
        """Return a number, and the written factors above and below a bar."""
        code, args = self.rows[at]
        value = self.number(at)
        if value is not None:
            return value, [], []
        if code == _MUL:
            coef = self.number(args[0])
            rest = args if coef is None else args[1:]
            return 1 if coef is None else coef, [self.made[a] for a in rest], []
        if code == _DIV and self.number(args[1]) is None:
            coef, above, below = self.parts(args[0])
            wide = self.rows[args[1]][0] == _MUL and not below
            under = [self.made[a] for a in self.rows[args[1]][1]] if wide else [self.made[args[1]]]
            return coef, above, [*below, *under]
        node = self.store.make((code, *[self.made[a] for a in args])) if args else self.made[at]
        return 1, [node], []

    def product(self, coef: Rational, above: list[int], below: list[int]) -> int:
        """Write a product; a sign goes to the number in front, or else to the first factor."""
        store = self.store
        if self.quotients and coef.denominator != 1:
            below = [store.constant(coef.denominator), *below]
            coef = coef.numerator
        if coef == -1 and above:
            above = [store.make((_NEG, above[0])), *above[1:]]
        elif coef != 1 or not above:
            above = [store.constant(coef), *above]
        node = self.joined(above)
        return store.make((_DIV, node, self.joined(below))) if below else node

    def joined(self, factors: list[int]) -> int:
        return factors[0] if len(factors) == 1 else self.store.make((_MUL, *factors))

    def sum(self, args: tuple[int, ...]) -> int:
        """Write a sum from left to right, its number last; of two, what is positive comes first."""
        store = self.store
        args = tuple(sorted(args, key=lambda a: self.number(a) is not None))
        signs = [self.magnitude(a) is not None for a in args]
        if signs == [True, False]:
            args = args[::-1]
        run = [self.made[args[0]]]
        for a in args[1:]:
            part = self.magnitude(a)
            if part is None:
                run.append(self.made[a])
            else:
                run = [store.make((_SUB, self.added(run), part))]
        return self.added(run)

    def added(self, run: list[int]) -> int:
        return run[0] if len(run) == 1 else self.store.make((_ADD, *run))

    def magnitude(self, at: int) -> int | None:
        """Return what a negative summand is the negation of; None if it is not negative."""
        coef, above, below = self.parts(at)
        return self.product(-coef, above, below) if coef < 0 else None


@dataclass(frozen=True, repr=False)
class Spell(Leaf):
    """spell(t) = t with differences and quotients of numbers as a person writes them."""

    licence: FastMath = FastMath.GUARDED

    def rewrite(self, term: Any) -> Any:
        if not isinstance(term, Term) or COLLECT not in self.licence:
            return None
        quotients = FastMath.ARCP in self.licence
        return Term(term.store, _Speller(term.store, term.id, quotients=quotients).run())

    def __str__(self) -> str:
        return "spell"


def spell(math: str | FastMath = "guarded") -> Spell:
    """Write what `normalize` returns as a person would: differences, and numbers below a bar.

    >>> import rewrite as rw
    >>> from strategies.algebra import normalize
    >>> x, y = rw.symbols("x y")
    >>> normalize()((x - y) / 2 - y**2)
    -1*y**2 + 1/2*x + -1/2*y
    >>> (normalize() >> spell())((x - y) / 2 - y**2)
    -y**2 + x/2 - y/2

    It needs what `normalize` needs, and for numbers below a bar `arcp`.
    """
    return Spell(licence(math))
