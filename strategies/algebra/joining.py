"""Generators that join with others: floats where that is exact, powers of one base where it holds.

`0.5 * x * 0.5` is `0.25 * x`, since no double arithmetic gives anything else; `0.1 * x + 0.2 * x`
stays. `x**a * x**b` is `x**(a + b)` where x is positive, or nonnegative with exponents that are not
negative, or for integer exponents where x is not 0 or no exponent is negative.
"""

import math
from collections import defaultdict
from fractions import Fraction
from typing import Final

from rewrite import ops
from rewrite.analysis import fact_of
from strategies.algebra.forms import LONGEST, STEEPEST, Form, Monomial, Product, Rational, Sum
from strategies.algebra.writing import ROOTS, Scribe

__all__ = ["join_powers", "join_product", "join_sum"]

_POW, _SQRT = ops.POW.code, ops.SQRT.code
_HALF: Final = Fraction(1, 2)


# -- floats ----------------------------------------------------------------------------------


def _exact_float(scribe: Scribe, g: int) -> Fraction | None:
    """Return the value of a generator that is a finite float."""
    value = scribe.store.value(g)
    finite = isinstance(value, float) and math.isfinite(value)
    return Fraction(value) if finite and isinstance(value, float) else None


def _double(value: Fraction) -> float | None:
    """Return the double that has this very value."""
    try:
        near = float(value)
    except OverflowError:
        return None
    return near if math.isfinite(near) and Fraction(near) == value else None


def join_product(scribe: Scribe, product: Product) -> None:
    """Multiply the floats of a product, and its coefficient, where the result is a double."""
    total, joined = Fraction(product.coef), []
    for g in sorted(product.special):
        value = _exact_float(scribe, g)
        e = product.factors.get(g, 0) * product.sign
        if value is None or e == 0:
            continue
        if abs(e) > LONGEST:
            return
        total *= value**e
        joined.append(g)
    if not joined:
        return
    near = _double(total)
    if near is None:
        return
    for g in joined:
        del product.factors[g]
    product.coef = 1
    if near != 1.0:
        _put_float(scribe, product, near)


def _put_float(scribe: Scribe, product: Product, value: float) -> None:
    g = scribe.store.constant(value)
    product.raise_(g, 1)
    product.special |= {g}


def join_sum(scribe: Scribe, whole: Sum) -> None:
    """Add the multiples of one monomial by floats, where the result is a double."""
    groups: defaultdict[Monomial, list[tuple[Monomial, Fraction]]] = defaultdict(list)
    floats = {g for monomial in whole.terms for g, _ in monomial if _exact_float(scribe, g)}
    if not floats:
        return
    for monomial, coef in whole.terms.items():
        rest, value = [], Fraction(coef) * whole.scale
        for g, e in monomial:
            known = _exact_float(scribe, g) if g in floats and abs(e) <= LONGEST else None
            if known is None:
                rest.append((g, e))
            else:
                value *= known**e
        groups[tuple(rest)].append((monomial, value))
    for rest_, members in groups.items():
        if len(members) > 1:
            _join_group(scribe, whole, rest_, members)


def _join_group(
    scribe: Scribe, whole: Sum, rest: Monomial, members: list[tuple[Monomial, Fraction]]
) -> None:
    near = _double(sum((value for _, value in members), Fraction(0)))
    if near is None:
        return
    for monomial, _ in members:
        del whole.terms[monomial]
    if near == 1.0:
        whole.put(rest, 1)
    elif near:
        whole.put(tuple(sorted((*rest, (scribe.store.constant(near), 1)))), 1)


# -- powers ----------------------------------------------------------------------------------


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


def _join_base(
    scribe: Scribe, product: Product, base: int, members: list[int], taken: Taken
) -> None:
    """Replace powers of a base by one, of the sum of their exponents."""
    terms = Sum({})
    for form, times in taken:
        whole = form if isinstance(form, Sum) else Sum({form.monomial(): form.coef})
        scribe.plus(terms, whole, times)
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
        root = (_SQRT, base) if part == _HALF else (_POW, base, scribe.constant(part))
        g = scribe.store.make(root)
        product.raise_(g, 1 if number > 0 else -1)
        product.special |= {g}
