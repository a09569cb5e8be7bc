"""Sample points: values of symbols at which accuracy is measured, the same in every run."""

import functools
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.evaluate import float_dtype
from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["sample_points"]

type Floats = npt.NDArray[np.float64]

MANY: Final = 512
"""The values of more symbols of one kind are drawn together,"""
BLOCK: Final = 1024
"""those of so many at once."""
FEW: Final = 256
"""Up to so many values of each symbol are kept."""


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
    known = {s.name: s for s in sorted((s for s in found if s is not None), key=_name)}
    shared = np.random.default_rng(seed)
    near = n // 8
    first = min(max(near, len(known)), n // 2)
    sizes, place = _signed(shared, (near,), -8, 8), shared.uniform(0, 1, near)
    specials = {
        name: slice(rank, first, len(known))
        for rank, name in zip(range(first), known, strict=False)
    }
    points: dict[str, npt.NDArray[Any]] = dict.fromkeys(known, np.empty(0))
    for turns in _together(known):
        names = [name for turn in turns for name in turn]
        symbol = known[names[0]]
        draw = _kept if n <= FEW and len(names) == len(turns) else _drawn
        drawn = [draw(known[turn[0]], len(turn), n, seed, kind) for turn in turns]
        spread, offset = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
        if symbol.sort == BOOL:
            points.update(zip(names, spread, strict=True))
            continue
        values = _special(symbol)
        for row, name in enumerate(names):
            if name in specials:
                turned = spread[row, specials[name]]
                turned[:] = np.resize(values, len(turned))
        close = _alike(symbol, sizes, place) * (1 + offset)
        values = _inside(symbol, np.concatenate([spread, close], axis=1), kind)
        points.update(zip(names, values, strict=True))
    return points


def _name(symbol: Symbol) -> str:
    return symbol.name


def _together(known: Mapping[str, Symbol]) -> Iterator[Sequence[Sequence[str]]]:
    """Yield names of symbols of one kind, in parts whose values are drawn at once.

    Each is alone where there are not many: then its values do not depend on the others.
    """
    kinds: dict[Any, list[str]] = {}
    for name, symbol in known.items():
        kinds.setdefault((symbol.dtype, symbol.low, symbol.high, symbol.sort), []).append(name)
    for names in kinds.values():
        if len(names) > MANY:
            yield from ([names[at : at + BLOCK]] for at in range(0, len(names), BLOCK))
        else:
            yield [[name] for name in names]


def _drawn(
    symbol: Symbol, count: int, n: int, seed: int, kind: np.dtype[Any]
) -> tuple[Any, Floats]:
    """Draw values of so many symbols of this one's kind, and how far the close ones are off.

    Not yet rounded, and without what the place among all symbols decides; truth values are whole.
    """
    near = n // 8
    rng = np.random.default_rng([seed, zlib.crc32(symbol.name.encode())])
    if symbol.sort == BOOL:
        return rng.integers(0, 2, (count, n)).astype(np.bool_), np.empty((count, 0))
    sides = rng.integers(-2, 3, (count, near)).astype(np.float64)
    offset = sides * np.exp2(rng.integers(-52, 0, (count, near)))
    offset[:, ::8] = 0.0
    spread = rng.permuted(_columns(symbol, rng, (count, n - near)), axis=1)
    _widen(symbol, rng, kind, spread[:, max(0, n - 2 * near) :])
    return spread, offset


_kept: Final = functools.lru_cache(maxsize=4096)(_drawn)
"""Programs with the same symbols, as a system and its Jacobian, are sampled one after another."""


def _special(symbol: Symbol) -> Floats:
    """Return zero, the ends, and the special values in a symbol's domain."""
    low = -math.inf if symbol.low is None else symbol.low
    high = math.inf if symbol.high is None else symbol.high
    size = max(abs(low), abs(high))
    step = 2.0**-64 * size if math.isfinite(size) else 2.0**-64
    wanted = 0.0, low, high, step, -step, *_SPECIAL[1:]
    return np.array([v for v in dict.fromkeys(wanted) if low <= v <= high and math.isfinite(v)])


def _widen(symbol: Symbol, rng: np.random.Generator, kind: np.dtype[Any], column: Floats) -> None:
    """Overwrite columns by values of all magnitudes that a symbol without a bound may have."""
    low, high = symbol.low, symbol.high
    if low is not None and high is not None:
        return
    narrow = symbol.dtype in ("float16", "float32") or kind == np.float32
    info = np.finfo(np.float32 if narrow else np.float64)
    least, most = (0, 63) if symbol.sort == INT else (info.minexp, info.maxexp)
    end = low if low is not None else high
    if end:
        least = max(least, math.frexp(end)[1] - 64)
    column[:] = _signed(rng, column.shape, least, most)
    if end is not None:
        column[:] = end + np.abs(column) * (1 if low is not None else -1)


def _signed(rng: np.random.Generator, size: tuple[int, ...], least: float, most: float) -> Floats:
    values: Floats = np.exp2(rng.uniform(least, most, size))
    values *= rng.choice([-1.0, 1.0], size)
    return values


_SPECIAL: Final = (0.0, 1.0, -1.0, 2.0, 0.5, math.pi, 1e-18, -1e-9, 1e18, -1e9, 1 + 2.0**-52)


def _columns(symbol: Symbol, rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    """Return values that suit a symbol, most of them inside its domain; a row for each symbol."""
    low, high = symbol.low, symbol.high
    if low is not None and high is not None:
        return _bounded(low, high, rng, size)
    m, n = size
    small = rng.integers(-8, 9, (m, n // 8)) * rng.choice([1.0, 0.5], (m, n // 8))
    special = np.broadcast_to(np.resize(_SPECIAL, n // 16), (m, n // 16))
    most = 20 if symbol.sort == INT else 64
    wide = _signed(rng, (m, 3 * n // 8), -most, most)
    columns = np.concatenate([small, special, wide, _signed(rng, size, -6, 6)], axis=1)[:, :n]
    end = low if low is not None else high
    if end is None:
        return columns
    # Fold the line at the end of the domain, and put some points close to the end.
    side, close = (1 if low is not None else -1), n // 8
    columns = end + np.abs(columns - end) * side
    columns[:, n - close :] = end + np.exp2(rng.uniform(-64, 0, (m, close))) * side
    columns[:, :1] = end
    return columns


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


def _bounded(low: float, high: float, rng: np.random.Generator, size: tuple[int, int]) -> Floats:
    m, half = size[0], size[1] // 2
    uniform = _between(low, high, rng.uniform(0, 1, (m, size[1] - half)))
    least = max(low, -high, 2.0**-64 * max(abs(low), abs(high)))
    bound = np.where(uniform[:, :half] < 0, -low, high)
    ratio = np.log2(np.maximum(bound, least)) - math.log2(least) if least else bound
    logs = np.exp2(math.log2(least) + rng.uniform(0, 1, (m, half)) * ratio) if least else bound
    columns = np.concatenate([uniform, np.copysign(logs, uniform[:, :half])], axis=1)
    columns[:, :2] = (low, high)[: size[1]]
    return columns


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
    return values.astype(kind, copy=False)
