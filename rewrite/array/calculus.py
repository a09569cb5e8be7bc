"""Differences, gradients, integrals, convolutions and polynomials of sampled values."""

from typing import Any

import numpy as np

from rewrite import ops
from rewrite.array import interning
from rewrite.array.core import TermArray, asarray, store_of
from rewrite.array.known import known_value
from rewrite.array.reductions import reduced
from rewrite.array.registry import function, numpys
from rewrite.array.shapes import moving
from rewrite.errors import PlaceError, ShapeError, UnsupportedOp

__all__: list[str] = []

type Key = tuple[Any, ...]


def _at(rank: int, axis: int, part: Any) -> Key:
    """Return the index that takes part of one axis and all of the others."""
    return (slice(None),) * axis + (part,) + (slice(None),) * (rank - axis - 1)


def _axis(array: TermArray, axis: int) -> int:
    if not -array.ndim <= axis < array.ndim:
        raise PlaceError(f"axis {axis} is out of bounds for an array of shape {array.shape}")
    return axis % array.ndim


@function("diff")
def _diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    store = store_of([a, prepend, append])
    array: Any = asarray(a, store)
    place = _axis(array, axis)
    ends = []
    for end in (prepend, append):
        if end is not None:
            shape = tuple(1 if k == place else s for k, s in enumerate(array.shape))
            end = asarray(end, store)
            end = end if end.ndim else numpys.broadcast_to(end, shape)
        ends.append(end)
    parts = [part for part in (ends[0], array, ends[1]) if part is not None]
    array = np.concatenate(parts, axis=place)
    for _ in range(n):
        later, sooner = (_at(array.ndim, place, part) for part in (slice(1, None), slice(None, -1)))
        array = (
            np.not_equal(array[later], array[sooner])
            if array.dtype == np.bool_
            else (array[later] - array[sooner])
        )
    return array


@function("ediff1d")
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = asarray(ary).reshape(-1)
    found = _diff(flat)
    ends = [
        (None if end is None else asarray(end, flat.store).reshape(-1))
        for end in (to_begin, to_end)
    ]
    return np.concatenate([part for part in (ends[0], found, ends[1]) if part is not None])


@function("gradient")
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """Return central differences inside and one-sided ones at the ends, as NumPy writes them."""
    array = asarray(f)
    axes = range(array.ndim) if axis is None else [axis] if np.ndim(axis) == 0 else list(axis)
    places = [_axis(array, each) for each in axes]
    steps = list(varargs) or [1.0] * len(places)
    if len(steps) == 1 and np.ndim(steps[0]) == 0:
        steps = steps * len(places)
    if len(steps) != len(places) or edge_order not in (1, 2):
        raise ShapeError(f"np.gradient: {len(steps)} spacings for {len(places)} axes")
    found = [_slope(array, h, place, edge_order) for h, place in zip(steps, places, strict=True)]
    return found[0] if len(found) == 1 and (axis is None or np.ndim(axis) == 0) else tuple(found)


def _slope(array: TermArray, step: Any, axis: int, order: int) -> Any:
    count = array.shape[axis]
    if count < order + 1:
        raise ShapeError(
            f"np.gradient: shape {array.shape} needs {order + 1} elements along {axis}"
        )
    widths = step = known_value(step)
    if np.ndim(step):
        if np.shape(step) != (count,):
            raise ShapeError(f"np.gradient: {np.shape(step)} places for {count} elements")
        widths = np.diff(step)
        if isinstance(widths, np.ndarray) and (widths == widths[0]).all():
            widths = widths[0]

    def part(low: int, high: int | None) -> Any:
        return array[_at(array.ndim, axis, slice(low, high))]

    before, here, after = part(0, -2), part(1, -1), part(2, None)
    if np.ndim(widths):
        w = widths.reshape([-1 if k == axis else 1 for k in range(array.ndim)])
        one, two = (w[_at(array.ndim, axis, cut)] for cut in (slice(None, -1), slice(1, None)))
        a, b, c = -two / (one * (one + two)), (two - one) / (one * two), one / (two * (one + two))
        inner = a * before + b * here + c * after
        first, last = widths[0], widths[-1]
    else:
        inner = (after - before) / (2.0 * widths)
        first = last = widths
    ends = _edges(part, widths, first, last, order)
    return np.concatenate([asarray(each, array.store) for each in (ends[0], inner, ends[1])], axis)


def _edges(part: Any, widths: Any, first: Any, last: Any, order: int) -> tuple[Any, Any]:
    """Return the one-sided differences at both ends."""
    if order == 1:
        return (part(1, 2) - part(0, 1)) / first, (part(-1, None) - part(-2, -1)) / last
    if np.ndim(widths) == 0:
        a, b, c = -1.5 / widths, 2.0 / widths, -0.5 / widths
        d, e, f = 0.5 / widths, -2.0 / widths, 1.5 / widths
    else:
        one, two = widths[0], widths[1]
        a, b = -(2.0 * one + two) / (one * (one + two)), (one + two) / (one * two)
        c = -one / (two * (one + two))
        one, two = widths[-2], widths[-1]
        d, e = two / (one * (one + two)), -(two + one) / (one * two)
        f = (2.0 * two + one) / (two * (one + two))
    start = a * part(0, 1) + b * part(1, 2) + c * part(2, 3)
    end = d * part(-3, -2) + e * part(-2, -1) + f * part(-1, None)
    return start, end


@function("trapezoid")
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    array = asarray(y, store_of([y, x]))
    place = _axis(array, axis)
    step, x = dx, known_value(x)
    if x is not None:
        step = np.diff(x, axis=-1 if np.ndim(x) == 1 else place)
        if np.ndim(x) == 1:
            step = step.reshape([-1 if k == place else 1 for k in range(array.ndim)])
    later, sooner = (_at(array.ndim, place, part) for part in (slice(1, None), slice(None, -1)))
    return reduced(np.add, step * (array[later] + array[sooner]) / 2.0, place)


@function("convolve")
def _convolve(a: Any, v: Any, mode: str = "full") -> Any:
    return _slid(a, v, mode, flipped=True)


@function("correlate")
def _correlate(a: Any, v: Any, mode: str = "valid") -> Any:
    return _slid(a, v, mode, flipped=False)


@moving
def _slid(a: Any, v: Any, mode: str, flipped: bool) -> Any:
    """Slide one array over the other: each result is a product with the matrix of its shifts."""
    store = store_of([a, v])
    x, y = asarray(a, store), asarray(v, store)
    if x.ndim != 1 or y.ndim != 1 or not x.size or not y.size:
        raise ShapeError(f"convolve and correlate take two vectors, not {x.shape} and {y.shape}")
    if mode not in ("full", "same", "valid"):
        raise UnsupportedOp(f"mode {mode!r}; choose 'full', 'same' or 'valid'")
    places = _shifts(len(x), len(y), mode, flipped)
    parts = []
    for left, right in places:
        products = x.ids[left], y.ids[right]
        pair = interning.applied(store, ops.MUL, products)
        parts.append(asarray(reduced(np.add, TermArray(store, pair), None)))
    return np.stack(parts)


def _shifts(n: int, m: int, mode: str, flipped: bool) -> list[tuple[Any, Any]]:
    """Return which elements meet in each result: read off NumPy's own result for one-hot arrays."""
    kernel = np.arange(m)[::-1] if not flipped else np.arange(m)
    low, high = min(n, m), max(n, m)
    first, count = {
        "full": (0, n + m - 1), "same": ((low - 1) // 2, high), "valid": (low - 1, high - low + 1),
    }[mode]  # fmt: skip
    if mode == "same" and not flipped and m > n:
        first = low // 2
    found = []
    for k in range(first, first + count):
        left = np.arange(max(0, k - m + 1), min(n, k + 1))
        found.append((left, kernel[k - left]))
    return found


@function("polyval")
def _polyval(p: Any, x: Any) -> Any:
    """Evaluate a polynomial by Horner's scheme, highest power first."""
    result: Any = np.zeros(np.shape(x))
    for coefficient in p:
        result = result * x + coefficient
    return result


@function("vander")
def _vander(x: Any, N: Any = None, increasing: bool = False) -> Any:
    array = asarray(x)
    powers = np.arange(len(array) if N is None else N)
    return array[:, None] ** (powers if increasing else powers[::-1])
