"""Sample points: values of symbols at which accuracy is measured, the same in every run."""

import math
import zlib
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.evaluate import float_dtype
from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["sample_points"]

type Floats = npt.NDArray[np.float64]


def sample_points(
    symbols: Iterable[Term | Symbol], n: int = 256, *, seed: int = 0, dtype: Any = np.float64
) -> dict[str, npt.NDArray[Any]]:
    """Return n values of each symbol inside its domain; the same ones for the same arguments.

    With both bounds: uniform and log-uniform, endpoints included. Without: magnitudes from 2**-64
    to 2**64 of both signs, many of them moderate, small integers, special finite values. In the
    first eighth of the points one symbol after another takes special values, zero, the ends and
    numbers next to zero first, while the others take ordinary ones. In the last eighth all symbols
    are close to each other, some of them equal. In the eighth before it those without a bound take
    all magnitudes of normal numbers; not subnormal ones, whose reciprocal overflows.

    >>> import rewrite as rw
    >>> points = sample_points([rw.symbol("x", low=0, high=1)], 8)["x"]
    >>> points.shape, bool(((0 <= points) & (points <= 1)).all())
    ((8,), True)
    """
    kind = float_dtype(dtype)
    found = [s.symbol if isinstance(s, Term) else s for s in symbols]
    known = {s.name: s for s in found if s is not None}
    shared = np.random.default_rng(seed)
    near = n // 8
    first = min(max(near, len(known)), n // 2)
    sizes, place = _signed(shared, near, -8, 8), shared.uniform(0, 1, near)
    points = {}
    for rank, name in enumerate(sorted(known)):
        symbol = known[name]
        rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
        if symbol.sort == BOOL:
            points[name] = rng.integers(0, 2, n).astype(np.bool_)
            continue
        offset = rng.integers(-2, 3, near) * np.exp2(rng.integers(-52, 0, near))
        offset[::8] = 0.0
        spread = rng.permutation(_column(symbol, rng, n - near))
        turns = spread[rank : first : len(known)]
        turns[:] = np.resize(_special(symbol), len(turns))
        _widen(symbol, rng, kind, spread[len(spread) - near :])
        close = _alike(symbol, sizes, place) * (1 + offset)
        points[name] = _inside(symbol, np.concatenate([spread, close]), kind)
    return points


def _special(symbol: Symbol) -> Floats:
    """Return zero, the ends, and the special values in a symbol's domain."""
    low = -math.inf if symbol.low is None else symbol.low
    high = math.inf if symbol.high is None else symbol.high
    size = max(abs(low), abs(high))
    step = 2.0**-64 * size if math.isfinite(size) else 2.0**-64
    wanted = 0.0, low, high, step, -step, *_SPECIAL[1:]
    return np.array([v for v in dict.fromkeys(wanted) if low <= v <= high and math.isfinite(v)])


def _widen(symbol: Symbol, rng: np.random.Generator, kind: np.dtype[Any], column: Floats) -> None:
    """Overwrite a column by values of all magnitudes that a symbol without a bound may have."""
    low, high = symbol.low, symbol.high
    if low is not None and high is not None:
        return
    narrow = symbol.dtype in ("float16", "float32") or kind == np.float32
    info = np.finfo(np.float32 if narrow else np.float64)
    least, most = (0, 63) if symbol.sort == INT else (info.minexp, info.maxexp)
    end = low if low is not None else high
    if end:
        least = max(least, math.frexp(end)[1] - 64)
    column[:] = _signed(rng, len(column), least, most)
    if end is not None:
        column[:] = end + np.abs(column) * (1 if low is not None else -1)


def _signed(rng: np.random.Generator, n: int, least: float, most: float) -> Floats:
    values: Floats = np.exp2(rng.uniform(least, most, n))
    values *= rng.choice([-1.0, 1.0], n)
    return values


_SPECIAL: Final = (0.0, 1.0, -1.0, 2.0, 0.5, math.pi, 1e-18, -1e-9, 1e18, -1e9, 1 + 2.0**-52)


def _column(symbol: Symbol, rng: np.random.Generator, n: int) -> Floats:
    """Return n values that suit a symbol, most of them inside its domain."""
    low, high = symbol.low, symbol.high
    if low is not None and high is not None:
        return _bounded(low, high, rng, n)
    small = rng.integers(-8, 9, n // 8) * rng.choice([1.0, 0.5], n // 8)
    special = np.resize(_SPECIAL, n // 16)
    size = 20 if symbol.sort == INT else 64
    wide = _signed(rng, 3 * n // 8, -size, size)
    column = np.concatenate([small, special, wide, _signed(rng, n, -6, 6)])[:n]
    end = low if low is not None else high
    if end is None:
        return column
    # Fold the line at the end of the domain, and put some points close to the end.
    column = end + np.abs(column - end) * (1 if low is not None else -1)
    close = n // 8
    column[-close:] = end + np.exp2(rng.uniform(-64, 0, close)) * (1 if low is not None else -1)
    column[0] = end
    return column


def _alike(symbol: Symbol, sizes: Floats, place: Floats) -> Floats:
    """Return values that are the same for all symbols of one domain."""
    low, high = symbol.low, symbol.high
    if low is not None and high is not None:
        return _between(low, high, place)
    end = low if low is not None else high
    return sizes if end is None else end + np.abs(sizes) * (1 if low is not None else -1)


def _between(low: float, high: float, place: Floats) -> Floats:
    """Return low at 0 and high at 1; their difference may be too large for a double."""
    if math.isfinite(high - low):
        return low + (high - low) * place
    return low * (1 - place) + high * place


def _bounded(low: float, high: float, rng: np.random.Generator, n: int) -> Floats:
    uniform = _between(low, high, rng.uniform(0, 1, n - n // 2))
    least = max(low, -high, 2.0**-64 * max(abs(low), abs(high)))
    bound = np.where(uniform[: n // 2] < 0, -low, high)
    ratio = np.log2(np.maximum(bound, least)) - math.log2(least) if least else bound
    logs = np.exp2(math.log2(least) + rng.uniform(0, 1, n // 2) * ratio) if least else bound
    column = np.concatenate([uniform, np.copysign(logs, uniform[: n // 2])])
    column[:2] = low, high
    return column


def _inside(symbol: Symbol, column: Floats, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Round values to what the symbol's dtype and domain allow."""
    low = -math.inf if symbol.low is None else symbol.low
    high = math.inf if symbol.high is None else symbol.high
    if symbol.sort == INT:
        info = np.iinfo(np.dtype(symbol.dtype))
        column = np.rint(column)
        low, high = math.ceil(max(low, info.min)), math.floor(min(high, info.max))
    narrow = np.float32 if symbol.dtype in ("float16", "float32") else kind.type
    with np.errstate(over="ignore"):  # a domain may reach beyond the dtype
        least, most = narrow(low), narrow(high)
        least = np.nextafter(least, narrow(np.inf)) if least < low else least
        most = np.nextafter(most, narrow(-np.inf)) if most > high else most
        values: npt.NDArray[Any] = np.clip(column.astype(narrow), least, most)
    return values.astype(kind)
