"""Floats among the generators of sums and products: joined where double arithmetic loses no bit.

`0.5 * x * 0.5` is `0.25 * x`, since no double arithmetic gives anything else; `0.1 * x + 0.2 * x`
stays.
"""

import math
from collections import defaultdict
from fractions import Fraction

from rewrite.store import Store
from strategies.algebra.forms import LONGEST, Monomial, Product, Rational, Sum

__all__ = ["exact_float", "is_negative", "join_product", "join_sum"]


def exact_float(store: Store, g: int) -> Fraction | None:
    """Return the value of a generator that is a finite float."""
    value = store.value(g)
    finite = isinstance(value, float) and math.isfinite(value)
    return Fraction(value) if finite and isinstance(value, float) else None


def _double(value: Fraction) -> float | None:
    """Return the double that has this very value."""
    try:
        near = float(value)
    except OverflowError:
        return None
    return near if math.isfinite(near) and Fraction(near) == value else None


def join_product(store: Store, product: Product) -> None:
    """Multiply the floats of a product, and its coefficient, where the result is a double."""
    total, joined = Fraction(product.coef), []
    for g in sorted(product.special):
        value = exact_float(store, g)
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
    product.coef = int(near) if abs(near) == 1.0 else 1
    if abs(near) != 1.0:
        made = store.constant(near)
        product.raise_(made, 1)
        product.special |= {made}


def join_sum(store: Store, whole: Sum) -> None:
    """Add the multiples of one monomial by floats, where the result is a double."""
    groups: defaultdict[Monomial, list[Monomial]] = defaultdict(list)
    for monomial in whole.terms:
        rest = tuple([pair for pair in monomial if not exact_float(store, pair[0])])
        groups[rest].append(monomial)
    if len(groups) == len(whole.terms) and all(m[0] == rest for rest, m in groups.items()):
        return  # no floats
    for rest, members in groups.items():
        if len(members) > 1 or members[0] != rest:
            _join_group(store, whole, rest, members)


def _join_group(store: Store, whole: Sum, rest: Monomial, members: list[Monomial]) -> None:
    """Add all members if that is exact; else each becomes a multiple by one float, if it can."""
    values = {member: _multiple(store, whole, member) for member in members}
    near = _double(sum([v for v in values.values() if v is not None], Fraction(0)))
    if near is None or None in values.values():
        for member, value in values.items():
            alone = None if value is None else _double(value)
            if alone is not None and member != rest:
                _put(store, whole, [member], rest, alone)
        return
    _put(store, whole, members, rest, near)


def _multiple(store: Store, whole: Sum, monomial: Monomial) -> Fraction | None:
    """Return what the rest of a monomial is multiplied by; None where it is too long."""
    made = Fraction(whole.terms[monomial]) * whole.scale
    for g, e in monomial:
        value = exact_float(store, g)
        if value and abs(e) > LONGEST:
            return None
        made *= value**e if value else 1
    return made


def _put(store: Store, whole: Sum, members: list[Monomial], rest: Monomial, value: float) -> None:
    """Replace members by one."""
    for member in members:
        whole.terms.pop(member, None)
    if abs(value) == 1.0:
        whole.put(rest, int(value))
    elif value:
        whole.put(tuple(sorted((*rest, (store.constant(value), 1)))), 1)


def is_negative(store: Store, monomial: Monomial, coef: Rational) -> bool:
    """Tell the sign of a coefficient together with the floats beside it."""
    floats = [(exact_float(store, g) or 1, e) for g, e in monomial]
    return (coef < 0) != (sum(e for value, e in floats if value < 0) % 2 == 1)
