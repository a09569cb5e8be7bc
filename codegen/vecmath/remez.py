"""Minimax polynomials with rounded coefficients (Remez exchange), and split constants."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mpmath  # type: ignore[import-untyped]
import numpy as np
from mpmath import mpf

Function = Callable[[mpf], mpf]
GRID = 600


@dataclass(frozen=True)
class Fit:
    """One polynomial: its target, its interval, its weight, and its number of coefficients."""

    name: str
    formula: str
    target: Function
    interval: tuple[float, float]
    weight: Function
    f64: int
    f32: int


def to_format(value: mpf, dtype: str) -> float:
    """Round to the nearest number of the format."""
    if dtype == "f64":
        return float(value)
    # Through double: the second rounding moves a coefficient by at most its last bit.
    return float(np.float32(float(value)))


def polynomial(coefficients: Sequence[mpf], x: mpf) -> mpf:
    """Evaluate by Horner's rule."""
    total = mpf(0)
    for coefficient in reversed(coefficients):
        total = total * x + coefficient
    return total


def remez(xs: list[mpf], values: list[mpf], weights: list[mpf], count: int) -> list[mpf]:
    """Return the polynomial of `count` coefficients that is closest on the grid `xs`.

    Single exchanges of a whole reference: between sign changes of the error its largest point.
    """
    nodes = [round((len(xs) - 1) * (1 - np.cos(np.pi * i / count)) / 2) for i in range(count + 1)]
    best: tuple[mpf, list[mpf]] | None = None
    for _ in range(30):
        matrix = mpmath.matrix(count + 1, count + 1)
        right = mpmath.matrix(count + 1, 1)
        for row, node in enumerate(nodes):
            for column in range(count):
                matrix[row, column] = xs[node] ** column
            matrix[row, count] = (-1) ** row / weights[node]
            right[row] = values[node]
        solution = mpmath.lu_solve(matrix, right)
        coefficients = [solution[i] for i in range(count)]
        errors = [
            weight * (polynomial(coefficients, x) - value)
            for x, value, weight in zip(xs, values, weights, strict=True)
        ]
        worst = max(abs(error) for error in errors)
        if best is None or worst < best[0]:
            best = worst, coefficients
        if worst <= abs(solution[count]) * mpf("1.02"):
            break
        nodes = exchange(errors, count + 1) or nodes
    assert best is not None
    return best[1]


def exchange(errors: list[mpf], wanted: int) -> list[int] | None:
    """Return the indices of `wanted` alternating extrema, or None where there are fewer."""
    extrema: list[int] = []
    for index, error in enumerate(errors):
        if extrema and (errors[extrema[-1]] > 0) == (error > 0):
            if abs(error) > abs(errors[extrema[-1]]):
                extrema[-1] = index
        else:
            extrema.append(index)
    while len(extrema) > wanted:
        end = 0 if abs(errors[extrema[0]]) < abs(errors[extrema[-1]]) else -1
        extrema.pop(end)
    return extrema if len(extrema) == wanted else None


def fit(row: Fit, dtype: str) -> tuple[list[float], float]:
    """Return the rounded coefficients and log2 of their largest weighted error."""
    low, high = (mpf(bound) for bound in row.interval)
    middle, half = (low + high) / 2, (high - low) / 2
    xs = [middle - half * mpmath.cos(mpmath.pi * (i + mpf("0.5")) / GRID) for i in range(GRID)]
    targets = [row.target(x) for x in xs]
    weights = [row.weight(x) for x in xs]
    count = row.f64 if dtype == "f64" else row.f32
    rounded: list[float] = []
    values, scaled = targets, weights
    # With zero inside, what is left after rounding the constant has no best fit of this kind.
    refits = 0 if low < 0 < high else min(8, count - 1)
    for step in range(refits + 1):
        coefficients = remez(xs, values, scaled, count - step)
        if step == refits:
            rounded += [to_format(c, dtype) for c in coefficients]
            break
        head = to_format(coefficients[0], dtype)
        rounded.append(head)
        values = [(value - head) / x for x, value in zip(xs, values, strict=True)]
        scaled = [abs(weight * x) for x, weight in zip(xs, scaled, strict=True)]
    exact = [mpf(c) for c in rounded]
    worst = max(
        abs(weight * (polynomial(exact, x) - target))
        for x, target, weight in zip(xs, targets, weights, strict=True)
    )
    return rounded, float(mpmath.log(worst, 2))


def split(value: mpf, dtype: str, bits: Sequence[int], *, down: bool = False) -> list[float]:
    """Split a constant into parts of at most the given numbers of bits, the sum being exact.

    Rounded `down`, none is negative.
    """
    rounded = mpmath.floor if down else mpmath.nint
    parts = []
    for width in bits:
        if value == 0:
            parts.append(0.0)
            continue
        unit = mpf(2) ** (int(mpmath.floor(mpmath.log(abs(value), 2))) + 1 - width)
        part = to_format(rounded(value / unit) * unit, dtype)
        parts.append(part)
        value -= mpf(part)
    return parts
