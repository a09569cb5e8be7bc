"""Powers of one base among the generators of a product, which join where that holds.

`x**a * x**b` is `x**(a + b)` where x is positive, or nonnegative with exponents that are not
negative, or for integer exponents where x is not 0 or no exponent is negative.
"""

import math
from collections import defaultdict
from fractions import Fraction
from typing import Final

from rewrite import ops
from rewrite.analysis import fact_of
from rewrite.fastmath import FastMath
from strategies.algebra.floats import exact_float, join_sum
from strategies.algebra.forms import STEEPEST, Form, Product, Rational, Sum
from strategies.algebra.writing import ROOTS, Scribe
from strategies.normal import folded

__all__ = ["join_powers"]

_POW, _SQRT = ops.POW.code, ops.SQRT.code
_HALF: Final = Fraction(1, 2)
COLLECTED: Final = FastMath.REASSOC


def join_powers(scribe: Scribe, product: Product) -> None:
    """Join the powers of each base in a product, where that is allowed."""
    store, groups = scribe.store, defaultdict[int, list[int]](list)
    for g in sorted(product.special):
        if store.code(g) in ROOTS and g in product.factors:
            groups[store.children(g)[0]].append(g)
    for base, members in groups.items():
        if store.value(base) == 0:
            continue  # 0 ** -1 is no number to compute with
        if base in product.factors:
            members.append(base)
        taken = [(_exponent(scribe, g, base), product.factors[g] * product.sign) for g in members]
        if not _finished(scribe, members, taken) and _allowed(scribe, base, members, taken):
            _join_base(scribe, product, base, members, taken)


type Taken = list[tuple[Form, int]]
"""Exponents, and how often each occurs."""


def _exponent(scribe: Scribe, g: int, base: int) -> Form:
    """Return the exponent of a generator that is a power of the base."""
    if g == base:
        return Product(1)
    if scribe.store.code(g) == _SQRT:
        return Product(_HALF)
    return scribe.read(scribe.store.children(g)[1])


def _number(form: Form) -> Rational | None:
    return form.coef if isinstance(form, Product) and not form.factors else None


def _finished(scribe: Scribe, members: list[int], taken: Taken) -> bool:
    """Tell whether there is one power that is written as it should be."""
    if len(members) > 1 or abs(taken[0][1]) != 1:
        return False
    number = _number(taken[0][0])
    if number is None or scribe.store.code(members[0]) == _SQRT:
        return True
    return 0 < number < 1 and number != _HALF


def _allowed(scribe: Scribe, base: int, members: list[int], taken: Taken) -> bool:
    store, known = scribe.store, fact_of(scribe.store, base)
    if not scribe.quotients and any((_number(form) or 0) < 0 for form, _ in taken):
        return False  # nothing may become a quotient
    if known.positive:
        return True
    whole = rising = True
    for g, (form, times) in zip(members, taken, strict=True):
        number = _number(form)
        if number is None:
            exponent = fact_of(store, store.children(g)[1])
            whole &= exponent.integer
            rising &= exponent.nonneg and times > 0
        else:
            whole &= isinstance(number, int)
            rising &= number * times >= 0
    return (known.nonneg and rising) or (whole and (known.nonzero or rising))


def _take_integers(scribe: Scribe, exponent: Sum) -> None:
    """Take a float that is an integer for one, as `x**2.0` is read."""
    for monomial, coef in list(exponent.terms.items()):
        value = exact_float(scribe.store, monomial[0][0]) if len(monomial) == 1 else None
        if value is not None and monomial[0][1] == 1 and value.denominator == 1:
            del exponent.terms[monomial]
            exponent.put((), coef * value)


def _join_base(
    scribe: Scribe, product: Product, base: int, members: list[int], taken: Taken
) -> None:
    """Replace powers of a base by one, of the sum of their exponents."""
    terms = Sum({})
    for form, times in taken:
        whole = form if isinstance(form, Sum) else Sum({form.monomial(): form.coef})
        scribe.plus(terms, whole, times)
    join_sum(scribe.store, terms)
    _take_integers(scribe, terms)
    number = Fraction(terms.terms.get((), 0))
    if abs(number) >= STEEPEST:
        return
    for g in members:
        del product.factors[g]
    if len(terms.terms) > (number != 0):
        g = scribe.store.make((_POW, base, scribe.sum(terms.terms)))
        product.raise_(g, 1)
        product.special |= {g}
        return
    above = math.trunc(number)
    if above:
        scribe.times(product, scribe.read(base), above)
    part = abs(number - above)
    if part:
        value = scribe.store.value(base)
        known = None if value is None or part != _HALF else folded(_SQRT, [value], COLLECTED)
        if known is not None:  # the root of 4, and of 1
            leaf = scribe.leaf(scribe.store.constant(known))
            scribe.times(product, leaf, 1 if number > 0 else -1)
            return
        root = (_SQRT, base) if part == _HALF else (_POW, base, scribe.constant(part))
        g = scribe.store.make(root)
        product.raise_(g, 1 if number > 0 else -1)
        product.special |= {g}
