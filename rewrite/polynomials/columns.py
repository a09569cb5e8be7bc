"""Monomials that occur in the same rows with proportional coefficients are added up once.

In a reaction network those are the reactions that change the same species by the same amounts:
k*a*b1, k*a*b2, ... become k*a*(b1 + b2 + ...), one product for all equations.
"""

import heapq
from collections import Counter, defaultdict

from rewrite.polynomials.system import Mono, Rational, Row, System, content, joined, ratio, without

__all__ = ["merge_columns"]


def merge_columns(system: System) -> None:
    """Replace monomials with a common factor and proportional columns by one product."""
    for (rows, coefs), members in _columns(system).items():
        made = _factored(system, members) if len(members) > 1 and len(rows) > 1 else members
        if made is members:
            continue
        for at, coef in zip(rows, coefs, strict=True):
            row = system.rows[at]
            for mono in members:
                del row[mono]
            for mono, factor in made.items():
                row[mono] = row.get(mono, 0) + coef * factor


type Column = tuple[tuple[int, ...], tuple[Rational, ...]]
"""The rows that have a monomial, and its coefficients there, up to a factor."""


def _columns(system: System) -> dict[Column, Row]:
    """Group monomials by their columns."""
    places: defaultdict[Mono, list[int]] = defaultdict(list)
    coefs: defaultdict[Mono, list[Rational]] = defaultdict(list)
    for at, row in enumerate(system.rows):
        for mono, coef in row.items():
            places[mono].append(at)
            coefs[mono].append(coef)
    groups: dict[Column, Row] = {}
    for mono, rows in places.items():
        column = coefs[mono]
        out = content(column) if column[0] > 0 else -content(column)
        if out != 1:
            column = [ratio(coef, out) for coef in column]
        groups.setdefault((tuple(rows), tuple(column)), {})[mono] = out
    return groups


def _factored(system: System, members: Row) -> Row:
    """Write a sum as products of common factors and kernels; itself if there are none.

    The literal that most monomials have in common goes first.
    """
    left: Row = dict(members)
    made: Row = {}
    having: defaultdict[int, list[Mono]] = defaultdict(list)
    for mono in members:
        for literal in dict.fromkeys(mono):
            having[literal].append(mono)
    heap = [(-len(monos), literal) for literal, monos in having.items() if len(monos) > 1]
    heapq.heapify(heap)
    while heap:
        size, literal = heapq.heappop(heap)
        chosen = [mono for mono in having[literal] if mono in left]
        if len(chosen) < -size:
            if len(chosen) > 1:
                heapq.heappush(heap, (-len(chosen), literal))
            continue
        common = _common(chosen)
        out, kernel = system.kernel({without(m, common): left.pop(m) for m in chosen})
        product = joined(common, (kernel,))
        made[product] = made.get(product, 0) + out
    return members if not made else made | left


def _common(monos: list[Mono]) -> Mono:
    """Return the largest common divisor."""
    shared = Counter(monos[0])
    for mono in monos[1:]:
        shared &= Counter(mono)
        if len(shared) == 1 and shared.total() == 1:
            break
    return tuple(sorted(shared.elements()))
