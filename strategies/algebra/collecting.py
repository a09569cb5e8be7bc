"""Strategies that arrange an expanded sum: by powers of something, as nested products."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rewrite import ops
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath, licence
from rewrite.store import Store, Symbol
from rewrite.term import Term, join
from strategies.algebra.forms import Monomial, Product, Sum, Terms
from strategies.algebra.normal import COLLECT, QUOTIENTS
from strategies.algebra.rational import Cancel, Expand
from strategies.algebra.writing import Scribe
from strategies.base import Leaf

__all__ = ["Collect", "Horner", "collect", "horner"]

_ADD, _MUL, _DIV, _POW = ops.ADD.code, ops.MUL.code, ops.DIV.code, ops.POW.code
_CONST: Final = ops.CONST.code
_ARITHMETIC: Final = frozenset({_ADD, ops.SUB.code, _MUL, _DIV, ops.NEG.code, _POW, _CONST})


@dataclass(frozen=True, repr=False)
class Arranged(Leaf):
    """A strategy that expands, and arranges the terms by some generators."""

    by: tuple[Term, ...]
    licence: FastMath = FastMath.GUARDED

    def rewrite(self, term: Any) -> Any:
        if not isinstance(term, Term) or COLLECT not in self.licence:
            return None
        store, expand = term.store, Expand(self.licence)
        wanted = [join(store, one) for one in self.by]
        # what is not a generator of the expanded sum is given a name for the time being
        named = {
            one: Term(store, store.symbol(Symbol(f"part {at}")))
            for at, one in enumerate(wanted)
            if store.code(one.id) in _ARITHMETIC
        }
        term = expand(term.substitute(named) if named else term)
        generators = [named.get(one, one) for one in wanted]
        scribe = Scribe(store, quotients=QUOTIENTS in self.licence)
        nodes = [expand(one).id for one in generators]
        made = Term(store, self.arranged(scribe, scribe.parsed(term.id), nodes))
        return made.substitute({name: one for one, name in named.items()}) if named else made

    def arranged(self, scribe: Scribe, terms: Terms, by: Sequence[int]) -> int:
        """Write expanded terms, arranged by some generators."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({', '.join(map(str, self.by))})"


# -- collect ---------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Collect(Arranged):
    """collect(x)(t) = c0 + c1 * x + c2 * x**2 + ..., where no coefficient has an x."""

    def arranged(self, scribe: Scribe, terms: Terms, by: Sequence[int]) -> int:
        made: Terms = {}
        for outer, inner in _grouped(terms, frozenset(by)).items():
            if not outer or len(inner) == 1:
                for monomial, coef in inner.items():
                    product = Product(coef, dict(monomial))
                    scribe.times(product, Product(1, dict(outer)))
                    made[product.monomial()] = product.coef
                continue
            coef, node = scribe.base(Sum(inner))
            made[tuple(sorted((*outer, (node, 1))))] = coef
        return scribe.sum(made)


def _grouped(terms: Terms, by: frozenset[int]) -> dict[Monomial, Terms]:
    """Group terms by their powers of some generators."""
    groups: defaultdict[Monomial, Terms] = defaultdict(dict)
    for monomial, coef in terms.items():
        outer = tuple([pair for pair in monomial if pair[0] in by])
        inner = tuple([pair for pair in monomial if pair[0] not in by])
        groups[outer][inner] = coef
    return groups


# -- horner ----------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Horner(Arranged):
    """horner(x)(t) = c0 + x * (c1 + x * (c2 + ...)), where no coefficient has an x."""

    def arranged(self, scribe: Scribe, terms: Terms, by: Sequence[int]) -> int:
        low: dict[int, int] = {}
        for monomial in terms:
            for g, e in monomial:
                low[g] = min(low.get(g, 0), e)
        below = {g: -e for g, e in low.items() if e < 0}
        lifted: Terms = {}
        for monomial, coef in terms.items():
            product = Product(coef, dict(monomial))
            scribe.times(product, Product(1, dict(below)))
            lifted[product.monomial()] = product.coef
        if any(scribe.store.code(g) == _ADD for monomial in lifted for g, _ in monomial):
            lifted, below = self.over_one(scribe, terms)
        node = nested(scribe, lifted, by)
        if not below:
            return node
        return scribe.store.make((_DIV, node, scribe.product(1, tuple(below.items()))))

    def over_one(self, scribe: Scribe, terms: Terms) -> tuple[Terms, dict[int, int]]:
        """Bring terms with different denominators to one fraction; return what it divides."""
        store = scribe.store
        whole = Cancel(self.licence)(Term(store, scribe.sum(terms)))
        fraction = scribe.factors(whole.id)
        powers = dict(fraction.monomial())
        above = scribe.product(fraction.coef, tuple((g, e) for g, e in powers.items() if e > 0))
        expanded = Expand(self.licence)(Term(store, above))
        return scribe.parsed(expanded.id), {g: -e for g, e in powers.items() if e < 0}


def nested(scribe: Scribe, terms: Terms, by: Sequence[int]) -> int:
    """Write a polynomial as nested products: in the generators given, or in the most frequent."""
    store = scribe.store
    done: list[int] = []
    stack: list[tuple[str, Any]] = [("open", terms)]
    while stack:
        what, item = stack.pop()
        if what == "add":
            rest = done.pop()
            done[-1] = store.make((_ADD, done[-1], rest))
        elif what == "times":
            done[-1] = _times(store, done[-1], *item)
        elif (g := _next(scribe, item, by)) is None:
            done.append(scribe.sum(item))
        else:
            k, inner, left = _divided(item, g)
            if left:
                stack += [("add", None), ("open", left)]
            stack += [("times", (g, k)), ("open", inner)]
    return done[0]


def _next(scribe: Scribe, terms: Terms, by: Sequence[int]) -> int | None:
    """Return the generator to nest by: the first given one that occurs, or the most frequent."""
    if len(terms) < 2:
        return None
    found = Counter(g for monomial in terms for g, _ in monomial)
    if by:
        return next((g for g in by if g in found), None)
    most = max(found.values())
    return scribe.order.ranked(g for g, n in found.items() if n == most)[0] if most > 1 else None


def _divided(terms: Terms, g: int) -> tuple[int, Terms, Terms]:
    """Return k, q and r of p = g ** k * q + r, where r has no g."""
    powers = [dict(monomial).get(g, 0) for monomial in terms]
    k = min(power for power in powers if power)
    inner: Terms = {}
    rest: Terms = {}
    for power, (monomial, coef) in zip(powers, terms.items(), strict=True):
        if power:
            inner[tuple([(h, e - k * (h == g)) for h, e in monomial if h != g or e > k])] = coef
        else:
            rest[monomial] = coef
    return k, inner, rest


def _times(store: Store, node: int, g: int, k: int) -> int:
    """Multiply by a power of a generator."""
    power = g if k == 1 else store.make((_POW, g, store.constant(k)))
    value = store.value(node)
    if value == 1 and isinstance(value, int):
        return power
    return store.make((_MUL, node, power) if value is not None else (_MUL, power, node))


# -- their names in expressions --------------------------------------------------------------


def _by(what: Any, name: str) -> tuple[Term, ...]:
    terms = (what,) if isinstance(what, Term) else tuple(what)
    odd = [one for one in terms if not isinstance(one, Term) or one.op is ops.CONST]
    if odd:
        raise StrategyError(f"{name} takes terms that are no numbers, not {odd[0]!r}")
    return terms


def collect(by: Term | Iterable[Term], math: str | FastMath = "guarded") -> Collect:
    """Expand, and write as a sum of powers of one term or several, times what is without them.

    >>> import rewrite as rw
    >>> x, y, z = rw.symbols("x y z")
    >>> collect(x)((x + y) * (x + z))
    x**2 + x*(y + z) + y*z

    What is no symbol and no function is looked for as it is written, as `substitute` does.
    """
    return Collect(_by(by, "collect"), licence(math))


def horner(by: Term | Iterable[Term] = (), math: str | FastMath = "guarded") -> Horner:
    """Expand, and write as nested products: in one term, in several one after the other.

    >>> import rewrite as rw
    >>> x, y = rw.symbols("x y")
    >>> horner(x)(3 * x**3 + x * y - 5)
    x*(3*x**2 + y) + -5

    Of no terms, the one that is in most of the summands is taken out first. The result has the
    fewest multiplications in one variable; it is not what `normalize` returns.
    """
    return Horner(_by(by, "horner"), licence(math))
