"""Interpretations: numbers for terms that no rule makes larger and some make smaller.

An op becomes a polynomial that grows strictly in each argument; a rule whose left side is larger
for all values of its variables can fire only finitely often, whatever the others do. Arguments of
a commutative op have equal coefficients; an op that is matched in any grouping becomes x + y + c,
x*y or (x + 1)*(y + 1) - 1, so that the order holds up to regrouping.
Source: D. Lankford, "On proving term rewriting systems are Noetherian", 1979; A. Ben Cherifa and
P. Lescanne, "Termination of rewriting systems by polynomial interpretations and its
implementation", 1987.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import comb, lcm
from typing import Final

from rewrite.simplex import maximum
from rewrite.tree import Head, Node, Sides, Tree, Var, commutes

__all__ = ["Interpretation", "linear", "polynomial"]


@dataclass(frozen=True)
class Interpretation:
    """What each op stands for, as text, and the rules that it makes smaller."""

    what: str
    meaning: tuple[tuple[str, str], ...]
    least: int
    """Variables stand for numbers of at least this size."""
    smaller: tuple[str, ...]

    def __str__(self) -> str:
        meaning = ", ".join(f"{head} = {text}" for head, text in self.meaning)
        return f"{self.what}, {meaning or 'every leaf alike'}; variables >= {self.least}"


def heads(rules: Sequence[Sides]) -> dict[Head, int]:
    """Return the heads in some rules with their numbers of arguments, in the order of reading."""
    found: dict[Head, int] = {}

    def visit(tree: Tree) -> None:
        if isinstance(tree, Node):
            found.setdefault(tree.head, len(tree.args))
            for arg in tree.args:
                visit(arg)

    for each in rules:
        visit(each.left)
        visit(each.right)
    return found


# -- linear, by linear programming -----------------------------------------------------------

type Factors = Mapping[Head, tuple[int, ...]]
TRIES: Final = 3_000
PROGRAMS: Final = 30
"""At most so many choices of coefficients, and linear programs for them."""


def linear(rules: Sequence[Sides], grouped: frozenset[int]) -> Interpretation | None:
    """Find weights that make no rule larger and as many as possible smaller; None if none does.

    The coefficients of arguments are tried, all 1 first; for each choice in which no variable
    counts for more on the right side a linear program gives the best weights.

    >>> from rewrite.rule import Rule
    >>> from rewrite.leaves import pattern_vars
    >>> from rewrite.tree import sides
    >>> a, b = pattern_vars("a b")
    >>> str(linear([sides(Rule("shift", -a + b, -(a + b)))], frozenset()))
    'linear, add = 2*x + 2*y, neg = x + 1; variables >= 0'
    """
    arity, order, programs = heads(rules), list(rules), 0
    for factors in itertools.islice(_factors(arity, grouped), TRIES):
        bad = next((at for at, each in enumerate(order) if _duplicates(each, factors)), None)
        if bad is not None:
            order.insert(0, order.pop(bad))  # most likely to refuse the next choice too
            continue
        found = _weights(rules, arity, factors)
        programs += 1
        if found is not None or programs == PROGRAMS:
            return found
    return None


def _duplicates(rule: Sides, factors: Factors) -> bool:
    """Tell whether a variable counts for more on the right side than on the left."""
    mine, theirs = _sum(rule.left, factors), _sum(rule.right, factors)
    return any(mine.get(k, 0) < count for k, count in theirs.items() if isinstance(k, str))


def _factors(arity: Mapping[Head, int], grouped: frozenset[int]) -> Iterator[Factors]:
    """Yield all ones, then twos for the arguments of one op, of two, of three."""
    plain = {head: (1,) * count for head, count in arity.items()}
    yield plain
    choices = [
        (head, factor)
        for head, count in arity.items()
        if count and head.code not in grouped
        for factor in _doubled(head, count)
    ]
    for size in (1, 2, 3):
        for changed in itertools.combinations(choices, size):
            if len(dict(changed)) == size:
                yield {**plain, **dict(changed)}


def _doubled(head: Head, count: int) -> Iterator[tuple[int, ...]]:
    if count == 2 and not commutes(head.code):
        yield (2, 1)
        yield (1, 2)
    yield (2,) * count


def _weights(
    rules: Sequence[Sides], arity: Mapping[Head, int], factors: Factors
) -> Interpretation | None:
    index = {head: at for at, head in enumerate(arity)}
    rows = []
    for each in rules:
        mine, theirs = _sum(each.left, factors), _sum(each.right, factors)
        row = [0] * (len(index) + 1)  # the last one is the weight of a leaf
        for sign, counts in ((1, mine), (-1, theirs)):
            for key, count in counts.items():
                if isinstance(key, Head):
                    row[index[key]] += sign * count
                if isinstance(key, str) or not arity[key]:
                    row[-1] += sign * count
        rows.append(row)
    width, count = len(index) + 1, len(rules)
    bounded = [
        [-entry for entry in row] + [int(at == i) for i in range(count)]
        for at, row in enumerate(rows)
    ]
    ones = [[0] * width + [int(at == i) for i in range(count)] for at in range(count)]
    best = maximum([0] * width + [1] * count, bounded + ones, [0] * count + [1] * count)
    if not any(best[width:]):
        return None
    # weights may be scaled: so they are whole, and a slack that is positive is at least 1
    scale = lcm(*(value.denominator for value in best[:width]))
    weights = [int(value * scale) for value in best[:width]]
    return _stage(rules, rows, weights, arity, factors)


def _stage(
    rules: Sequence[Sides], rows: Sequence[Sequence[int]], weights: Sequence[int],
    arity: Mapping[Head, int], factors: Factors,
) -> Interpretation | None:  # fmt: skip
    slack = [sum(w * c for w, c in zip(weights, row, strict=True)) for row in rows]
    assert all(value >= 0 for value in slack), "weights that make a rule larger"
    smaller = tuple(each.name for each, value in zip(rules, slack, strict=True) if value > 0)
    least = weights[-1]
    plain = set(itertools.chain(*factors.values())) <= {1}
    meaning = []
    for (head, count), weight in zip(arity.items(), weights[:-1], strict=True):
        total = weight + (0 if count else least)
        if plain:
            meaning.append((str(head), str(total)))
        else:
            meaning.append((str(head), _line(factors[head], total)))
    return Interpretation("weights" if plain else "linear", tuple(meaning), least, smaller)


def _line(factors: Sequence[int], weight: int) -> str:
    parts = [
        f"{factor}*{name}" if factor != 1 else name
        for factor, name in zip(factors, _letters(len(factors)), strict=True)
    ]
    return " + ".join([*parts, str(weight)] if weight or not parts else parts)


def _sum(tree: Tree, factors: Factors, times: int = 1) -> dict[Head | str, int]:
    """Count heads and variables, each as often as the factors above it say."""
    if isinstance(tree, Var):
        return {tree.name: times}
    found: dict[Head | str, int] = {tree.head: times}
    for arg, factor in zip(tree.args, factors[tree.head], strict=True):
        for key, count in _sum(arg, factors, times * factor).items():
            found[key] = found.get(key, 0) + count
    return found


# -- products, by trying ---------------------------------------------------------------------

type Poly = dict[tuple[str, ...], int]
"""Monomial, which is a sorted tuple of variables -> coefficient."""
type Meaning = tuple[str, Callable[..., Poly]]
LEAST: Final = 2


def _plus(*parts: Poly) -> Poly:
    total: Poly = {}
    for part in parts:
        for key, value in part.items():
            total[key] = total.get(key, 0) + value
    return total


def _times(one: Poly, other: Poly) -> Poly:
    total: Poly = {}
    for a, x in one.items():
        for b, y in other.items():
            key = tuple(sorted((*a, *b)))
            total[key] = total.get(key, 0) + x * y
    return total


def _number(value: int) -> Poly:
    return {(): value}


# fmt: off
_NONE: Final[tuple[Meaning, ...]] = (("2", lambda: _number(2)), ("3", lambda: _number(3)))
_ONE: Final[tuple[Meaning, ...]] = (
    ("x + 1", lambda x: _plus(x, _number(1))),
    ("x",     lambda x: x),
    ("2*x",   lambda x: _plus(x, x)),
    ("x*x",   lambda x: _times(x, x)),
)
_ANY_GROUPING: Final[tuple[Meaning, ...]] = (
    ("x + y + 1",   lambda x, y: _plus(x, y, _number(1))),
    ("x*y",         lambda x, y: _times(x, y)),
    ("x + y",       lambda x, y: _plus(x, y)),
    ("x*y + x + y", lambda x, y: _plus(_times(x, y), x, y)),
)
_ANY_ORDER: Final[tuple[Meaning, ...]] = (
    *_ANY_GROUPING,
    ("2*x + 2*y",   lambda x, y: _plus(x, x, y, y)),
)
_TWO: Final[tuple[Meaning, ...]] = (
    *_ANY_ORDER,
    ("2*x + y",     lambda x, y: _plus(x, x, y)),
    ("x + 2*y",     lambda x, y: _plus(x, y, y)),
    ("x*y + x",     lambda x, y: _plus(_times(x, y), x)),
    ("x*x + y",     lambda x, y: _plus(_times(x, x), y)),
    ("x*x*y",       lambda x, y: _times(_times(x, x), y)),
)
# fmt: on
"""What ops may stand for, by their arguments; all grow in each argument from 2 on."""


def _many(count: int) -> tuple[Meaning, ...]:
    first, second, *rest = _letters(count)
    total = " + ".join((first, second, *rest))
    return (
        (f"{total} + 1", lambda *xs: _plus(*xs, _number(1))),
        (total, lambda *xs: _plus(*xs)),
        (" + ".join((f"{first}*{second}", *rest)), lambda x, y, *xs: _plus(_times(x, y), *xs)),
    )


def _letters(count: int) -> list[str]:
    """Return the names of arguments in texts."""
    return list("xyzuvw"[:count]) if count <= 6 else [f"x{at}" for at in range(count)]


def polynomial(
    rules: Sequence[Sides], grouped: frozenset[int], budget: int = 20_000
) -> Interpretation | None:
    """Find polynomials from a short list that make no rule larger and one smaller, by trying.

    >>> from rewrite import ops
    >>> from rewrite.rule import Rule
    >>> from rewrite.leaves import pattern_vars
    >>> from rewrite.tree import sides
    >>> a, b, c = pattern_vars("a b c")
    >>> law = sides(Rule("distribute", a * (b + c), a * b + a * c))
    >>> str(polynomial([law], frozenset((ops.ADD.code, ops.MUL.code))))
    'polynomials, mul = x*y, add = x + y + 1; variables >= 2'
    """
    share = max(1, budget // max(1, len(rules)))
    for target in rules:
        search = _Trial([target, *(each for each in rules if each is not target)], grouped, share)
        found = search.assign(0, {})
        if found is not None:
            smaller = tuple(r.name for r in rules if _compare(r, found) == _SMALLER)
            meaning = tuple((str(head), text) for head, (text, _) in found.items())
            return Interpretation("polynomials", meaning, LEAST, smaller)
    return None


class _Trial:
    """Gives meanings to heads, rule by rule; the first rule must become smaller."""

    def __init__(self, rules: Sequence[Sides], grouped: frozenset[int], budget: int) -> None:
        first, *rest = rules
        known, ordered = set(heads([first])), [first]
        while rest:  # those that bring the fewest new ops come first
            rest.sort(key=lambda each: len(set(heads([each])) - known))
            ordered.append(rest.pop(0))
            known |= set(heads([ordered[-1]]))
        self.rules, self.grouped, self.budget = ordered, grouped, budget

    def assign(self, at: int, known: dict[Head, Meaning]) -> dict[Head, Meaning] | None:
        if at == len(self.rules):
            return known
        rule = self.rules[at]
        new = [(head, count) for head, count in heads([rule]).items() if head not in known]
        for chosen in itertools.product(*(self._menu(*entry) for entry in new)):
            self.budget -= 1
            if self.budget < 0:
                return None
            more = {**known, **dict(zip([head for head, _ in new], chosen, strict=True))}
            if _compare(rule, more) >= (_SMALLER if at == 0 else _ALIKE):
                found = self.assign(at + 1, more)
                if found is not None:
                    return found
        return None

    def _menu(self, head: Head, count: int) -> tuple[Meaning, ...]:
        if count == 2 and head.code in self.grouped:
            return _ANY_GROUPING
        if count == 2 and commutes(head.code):
            return _ANY_ORDER
        return {0: _NONE, 1: _ONE, 2: _TWO}.get(count) or _many(count)


_LARGER, _ALIKE, _SMALLER = range(3)


def _compare(rule: Sides, known: Mapping[Head, Meaning]) -> int:
    """Tell whether the right side is smaller for all values >= LEAST of the variables."""
    minus = _times(_number(-1), _value(rule.right, known))
    difference = _shifted(_plus(_value(rule.left, known), minus))
    if any(value < 0 for value in difference.values()):
        return _LARGER
    return _SMALLER if difference.get((), 0) > 0 else _ALIKE


def _value(tree: Tree, known: Mapping[Head, Meaning]) -> Poly:
    if isinstance(tree, Var):
        return {(tree.name,): 1}
    return known[tree.head][1](*[_value(arg, known) for arg in tree.args])


def _shifted(poly: Poly) -> Poly:
    """Write x + LEAST for each variable x."""
    total: Poly = {}
    for key, value in poly.items():
        parts: list[list[tuple[tuple[str, ...], int]]] = []
        for name in sorted(set(key)):
            power = key.count(name)
            parts.append(
                [((name,) * n, comb(power, n) * LEAST ** (power - n)) for n in range(power + 1)]
            )
        for chosen in itertools.product(*parts):
            term = tuple(itertools.chain(*(names for names, _ in chosen)))
            times = value
            for _, factor in chosen:
                times *= factor
            total[term] = total.get(term, 0) + times
    return total
