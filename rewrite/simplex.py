"""Linear programs in exact arithmetic: small ones, whose origin is feasible."""

from collections.abc import Sequence
from fractions import Fraction

__all__ = ["maximum"]

type Row = list[Fraction]


def maximum(
    goal: Sequence[int], rows: Sequence[Sequence[int]], bounds: Sequence[int], limit: int = 2_000
) -> list[Fraction]:
    """Return x >= 0 with rows @ x <= bounds and the largest goal @ x; the bounds are >= 0.

    Bland's rule, so it ends; after `limit` steps, the best point so far. An unbounded goal is an
    error of the caller.

    >>> maximum([1, 1], [[2, 1], [1, 3]], [4, 6])
    [Fraction(6, 5), Fraction(8, 5)]
    """
    count = len(goal)
    table = [
        [*map(Fraction, row), *(Fraction(at == i) for i in range(len(rows))), Fraction(bound)]
        for at, (row, bound) in enumerate(zip(rows, bounds, strict=True))
    ]
    price = [*(Fraction(-g) for g in goal), *[Fraction(0)] * (len(rows) + 1)]
    basis = list(range(count, count + len(rows)))
    for _ in range(limit):
        enter = next((at for at, p in enumerate(price[:-1]) if p < 0), None)
        if enter is None:
            break
        ratios = [
            (row[-1] / row[enter], basis[at], at) for at, row in enumerate(table) if row[enter] > 0
        ]
        assert ratios, "the goal is unbounded"
        leave = min(ratios)[2]
        _pivot(table, price, leave, enter)
        basis[leave] = enter
    found = [Fraction(0)] * count
    for at, column in enumerate(basis):
        if column < count:
            found[column] = table[at][-1]
    return found


def _pivot(table: list[Row], price: Row, leave: int, enter: int) -> None:
    pivot = table[leave][enter]
    table[leave] = row = [entry / pivot if entry else entry for entry in table[leave]]
    filled = [at for at, entry in enumerate(row) if entry]
    for other in (*table, price):
        factor = other[enter]
        if factor and other is not row:
            for at in filled:
                other[at] -= factor * row[at]
