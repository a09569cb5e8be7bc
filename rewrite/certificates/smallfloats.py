"""Same bits? Both sides of a rule at every value of a small floating-point format.

The formats round as IEEE 754 says, have subnormals, infinities, signed zeros and a NaN; only their
sizes differ from those of machines. A value is held in a double: rounding a sum, product, quotient
or root of so few bits from double precision is rounding it once (S. Figueroa, "When is double
rounding innocuous?", 1995), and fma(x, y, z) is exact there.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from rewrite import rulesample
from rewrite.constants import to_float
from rewrite.dag import Dag
from rewrite.evaluate import FUNCTIONS
from rewrite.rule import Rule
from rewrite.rulecheck import FLOAT_TESTS, same_bits
from rewrite.sorts import BOOL
from rewrite.store import Symbol

__all__ = ["FORMATS", "Format", "exhausted"]

type Floats = npt.NDArray[Any]


class Format(NamedTuple):
    """Numbers of 1 + `fraction` bits, with `exponent` bits for the exponent."""

    exponent: int
    fraction: int

    @property
    def name(self) -> str:
        """Say how many bits a number has."""
        return f"{1 + self.exponent + self.fraction}-bit floats"

    def rounded(self, x: Floats) -> Floats:
        """Round doubles to the nearest number of the format, ties to even."""
        bias = (1 << (self.exponent - 1)) - 1
        with np.errstate(all="ignore"):
            _, power = np.frexp(x)
            step = np.exp2(np.maximum(power - 1, 1 - bias) - self.fraction)
            near = np.where(np.isfinite(x), np.rint(x / step) * step, x)
            largest = (2 - 2.0**-self.fraction) * 2.0**bias
            return np.where(np.abs(near) > largest, np.copysign(np.inf, near), near)

    def values(self) -> Floats:
        """Return every number, both infinities and a NaN."""
        bias = (1 << (self.exponent - 1)) - 1
        tail = np.arange(1 << self.fraction) * 2.0**-self.fraction
        normal = [(1 + tail) * 2.0 ** (e - bias) for e in range(1, (1 << self.exponent) - 1)]
        above = np.concatenate([tail * 2.0 ** (1 - bias), *normal, [np.inf]])
        return np.concatenate([above, -above, [np.nan]])


FORMATS: Final = (Format(5, 10), Format(5, 10), Format(4, 3), Format(3, 2), Format(3, 1))
"""By the number of variables."""
CHUNK: Final = 1 << 20


def exhausted(rule: Rule) -> str | None:
    """Say at which values a rule keeps bits, which are all of a format; None if it does not."""
    symbols = rulesample.variables(rule)
    reals = [symbol for symbol in symbols if symbol.sort is not BOOL]
    if len(reals) >= len(FORMATS):
        return None
    form = FORMATS[len(reals)]
    for env in _columns(symbols, form):
        if not _keeps(rule, form, env):
            return None
    return f"all {form.name}" if reals else "all values"


def _columns(symbols: list[Symbol], form: Format) -> Iterator[dict[str, Floats]]:
    truth = np.array([False, True])
    choices = [truth if symbol.sort is BOOL else form.values() for symbol in symbols]
    total = int(np.prod([len(choice) for choice in choices], dtype=np.int64)) if choices else 1
    for first in range(0, total, CHUNK):
        at = np.arange(first, min(total, first + CHUNK))
        env: dict[str, Floats] = {}
        for symbol, choice in zip(symbols, choices, strict=True):
            at, place = np.divmod(at, len(choice))
            env[symbol.name] = choice[place]
        yield env


def _keeps(rule: Rule, form: Format, env: dict[str, Floats]) -> bool:
    roots = [*(c.term.id for c in rule.where), rule.lhs.id, rule.rhs.id]
    dag = Dag.of(rule.lhs.store, roots)
    values: list[Any] = []
    with np.errstate(all="ignore"):
        for at, (code, args) in enumerate(dag.rows()):
            leaf = dag.value[at]
            if isinstance(leaf, Symbol):
                found: Any = env[leaf.name]
            elif leaf is not None:
                found = leaf if isinstance(leaf, bool) else np.float64(to_float(leaf))
            else:
                found = FUNCTIONS[code](*[values[arg] for arg in args])
            found = np.asarray(found)
            values.append(found if found.dtype == bool else form.rounded(found.astype(float)))
        met: Any = True
        for condition, root in zip(rule.where, dag.roots, strict=False):
            x = values[root]
            met = met & (np.isnan(x) | FLOAT_TESTS[condition.kind](x))
        left, right = np.broadcast_arrays(values[dag.roots[-2]], values[dag.roots[-1]])
    return bool(np.all(~np.asarray(met) | same_bits(left, right)))
