"""Points at which rules are tried: real ones of every size, and the special floats.

Only draws; `rewrite.rulecheck` evaluates.
"""

import itertools
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.dag import Dag
from rewrite.rule import Rule
from rewrite.sorts import BOOL, INT
from rewrite.store import Symbol

__all__ = ["batches", "extremes", "grid", "points", "rows_of", "variables"]

type Floats = npt.NDArray[np.float64]
type Row = tuple[float | bool, ...]

BATCH: Final = 2048
MOST: Final = 64
"""Batches beyond the wanted number after which conditions count as too hard to meet."""
LARGEST_INTEGER: Final = 9.0
"""Of variables that must be integers: they are exponents, and 2**(9*9) is large enough."""
GRID_LIMIT: Final = 6000


def variables(rule: Rule) -> list[Symbol]:
    """Return the pattern variables of a rule by name."""
    dag = Dag.of(rule.lhs.store, [rule.lhs.id])
    return sorted((v for v in dag.value if isinstance(v, Symbol)), key=lambda v: v.name)


def _generator(rule: Rule, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(repr(rule).encode())])


# -- real points -----------------------------------------------------------------------------


def points(rule: Rule, wanted: int, seed: int = 0) -> Iterator[Row]:
    """Yield many more points than wanted; the caller keeps those that meet the conditions.

    Values are doubles, which balls hold exactly. Conditions on a bare variable shape its values.
    """
    for columns in batches(rule, wanted, seed):
        yield from rows_of(columns)


def rows_of(columns: Sequence[npt.NDArray[Any]]) -> list[Row]:
    """Return the points of columns; of none, the one point of no variables, many times."""
    return list(zip(*(x.tolist() for x in columns), strict=True)) if columns else [()] * BATCH


def batches(rule: Rule, wanted: int, seed: int = 0) -> Iterator[list[npt.NDArray[Any]]]:
    """Yield the points as columns, one a variable."""
    random, names = _generator(rule, seed), variables(rule)
    shapes = [_shapes(rule, symbol) for symbol in names]
    for _ in range(MOST + MOST * wanted // BATCH):
        columns: list[npt.NDArray[Any]] = []
        drawn = _mixture(random, len(names))
        for at, symbol in enumerate(names):
            if symbol.dtype == "bool":
                columns.append(random.random(BATCH) < 0.5)
            else:
                columns.append(_shaped(drawn[at], shapes[at]))
        yield columns


def _shapes(rule: Rule, symbol: Symbol) -> set[str]:
    kinds = {
        given.kind
        for given in rule.where
        if given.term.op is ops.PVAR and given.term.symbol == symbol
    }
    return kinds | {"integer"} if symbol.sort == INT else kinds


def _shaped(x: Floats, kinds: set[str]) -> Floats:
    if "integer" in kinds:
        x = np.clip(np.rint(x), -LARGEST_INTEGER, LARGEST_INTEGER)
    if kinds & {"positive", "nonneg"}:
        x = np.abs(x)
    if kinds & {"negative", "nonpos"}:
        x = -np.abs(x)
    if kinds & {"positive", "negative", "nonzero"}:
        x = np.where(x == 0, -1.0 if "negative" in kinds else 1.0, x)
    return x + 0.0  # no -0.0: reals have one zero


def _mixture(random: np.random.Generator, count: int) -> list[Floats]:
    """Draw columns: each point is of one kind, so that special values meet each other."""
    kind = random.choice(5, BATCH, p=[0.42, 0.16, 0.18, 0.12, 0.12])
    columns = [_choose(random, kind) for _ in range(count)]
    for column in columns[1:]:  # near-equal, equal and opposite pairs
        near = columns[0] * (1 + random.integers(-2, 3, BATCH) * 2.0**-52)
        near = np.where(random.random(BATCH) < 0.25, -near, near)
        column[:] = np.where(kind == 3, near, column)
    return columns


def _choose(random: np.random.Generator, kind: npt.NDArray[np.int64]) -> Floats:
    sign = random.choice([-1.0, 1.0], BATCH)
    special = np.array([0, 1, 2, 3, 4, 0.5, 0.25, 1 / 3, 2 / 3, 1.5, 0.1, 10, 100, 0.999999999])
    moderate = sign * np.exp2(random.uniform(-8, 6, BATCH))
    moderate = np.where(random.random(BATCH) < 0.5, random.uniform(-1.5, 1.5, BATCH), moderate)
    return np.select(
        [kind == 0, kind == 1, kind == 2, kind == 3],
        [
            moderate,
            sign * np.exp2(random.uniform(-64, 64, BATCH)),
            random.integers(-4, 5, BATCH).astype(np.float64),
            sign * np.exp2(random.uniform(-4, 4, BATCH)),
        ],
        sign * random.choice(special, BATCH),
    )


# -- special floats --------------------------------------------------------------------------


def specials(dtype: Any) -> npt.NDArray[Any]:
    """Zeros, subnormals, limits, infinities, NaN and ordinary numbers of a dtype."""
    info = np.finfo(dtype)
    tiny, least, largest = info.smallest_subnormal, info.tiny, info.max
    odd = np.dtype(dtype).type(1 / 3)
    finite = [0.0, 1.0, 0.5, 3.0, np.pi, odd, tiny, 3 * tiny, least, largest, largest / 3]
    signed = [*finite, *(-np.dtype(dtype).type(x) for x in finite), np.inf, -np.inf, np.nan]
    return np.array(signed, dtype)


def extremes(rule: Rule, seed: int = 0) -> Iterator[Row]:
    """Yield the special doubles that are numbers, in every combination, or many of them."""
    columns = grid(rule, np.float64, seed, more=False)
    for row in zip(*(column.tolist() for column in columns.values()), strict=True):
        if all(isinstance(x, bool) or np.isfinite(x) for x in row):
            yield tuple(x if isinstance(x, bool) else x + 0.0 for x in row)


def grid(
    rule: Rule, dtype: Any, seed: int = 0, *, more: bool = True
) -> dict[str, npt.NDArray[Any]]:
    """Return columns of values: the special floats in every combination, and `more` random ones.

    Beyond three variables the combinations are sampled.
    """
    random, names = _generator(rule, seed), variables(rule)
    truth = np.array([False, True])
    whole = np.arange(-LARGEST_INTEGER, LARGEST_INTEGER + 1).astype(dtype)
    kinds = {BOOL: truth, INT: whole}
    choices = [kinds[v.sort] if v.sort in kinds else specials(dtype) for v in names]
    columns = _product(choices, random)
    if more:
        extra = [_random(random, symbol, dtype) for symbol in names]
        columns = [np.concatenate(pair) for pair in zip(columns, extra, strict=True)]
    return {symbol.name: column for symbol, column in zip(names, columns, strict=True)}


def _product(
    choices: Sequence[npt.NDArray[Any]], random: np.random.Generator
) -> list[npt.NDArray[Any]]:
    if np.prod([len(choice) for choice in choices]) <= 25**3:
        rows = list(itertools.product(*(range(len(choice)) for choice in choices)))
        picks = np.array(rows, np.intp).reshape(len(rows), len(choices))
    else:
        picks = np.stack([random.integers(0, len(choice), GRID_LIMIT) for choice in choices], 1)
    return [choice[picks[:, at]] for at, choice in enumerate(choices)]


def _random(random: np.random.Generator, symbol: Symbol, dtype: Any) -> npt.NDArray[Any]:
    """Random bits, then numbers of ordinary size, which round in more ways."""
    if symbol.dtype == "bool":
        return random.random(GRID_LIMIT) < 0.5
    if symbol.sort == INT:
        return random.integers(-99, 100, GRID_LIMIT).astype(dtype)
    unsigned = np.uint64 if dtype == np.float64 else np.uint32
    half = GRID_LIMIT // 2
    bits = random.integers(0, np.iinfo(unsigned).max, half, unsigned, endpoint=True).view(dtype)
    with np.errstate(invalid="ignore"):
        bits *= 1  # no arithmetic makes a signalling NaN, and by C23 pow(1, x) of one is NaN
    ordinary = random.standard_normal(half) * np.exp2(random.integers(-9, 9, half))
    return np.concatenate([bits, ordinary.astype(dtype)])
