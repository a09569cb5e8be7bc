"""Programs on double-doubles: a first try at exact values, with rigorous bounds on what is lost.

Most values are known to 80 bits so, in a fiftieth of the time that ball arithmetic takes. Those
whose bound is too wide, or that an op makes which is not done here, are left open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite.constants import PI, Constant, E
from rewrite.dag import Dag
from rewrite.store import Symbol

__all__ = ["PAYS", "Doubles", "in_doubles"]

type Floats = npt.NDArray[np.float64]

PAYS: Final = 20_000
"""For so many values the loop is worth loading."""
MOST: Final = 1 << 21
"""So many are held at a time."""
GOOD: Final = 2.0**-81
LARGEST: Final = 2.0**900
SMALLEST: Final = 2.0**-800
_NAMED: Final = {
    PI: (3.141592653589793, 1.2246467991473532e-16),
    E: (2.718281828459045, 1.4456468917292502e-16),
}
_HALF_ULP: Final = 2.0**-104
"""A double-double is as near to a number as this, relatively."""


@dataclass(frozen=True, slots=True)
class Doubles:
    """Values high + low of some positions, one row each, right to 80 bits where they are good."""

    high: Floats
    low: Floats
    good: npt.NDArray[np.bool_]
    done: npt.NDArray[np.bool_]
    """Where all ops are done here: what is not good there takes many more bits."""


def in_doubles(
    dag: Dag, inputs: Mapping[int, npt.NDArray[Any]], count: int, wanted: Sequence[int]
) -> Doubles:
    """Evaluate positions of a program; `inputs` are values of its symbols, so many of each."""
    from rewrite.doubleloop import run

    found = [np.empty((len(wanted), count)) for _ in range(3)]
    step = max(1, MOST // len(dag))
    symbols = [at for at, value in enumerate(dag.value) if isinstance(value, Symbol)]
    given = np.array([inputs[at] for at in symbols], np.float64).reshape(len(symbols), count)
    unknown = np.where(np.isfinite(given), 0.0, np.inf)
    for first in range(0, count, step):
        width = min(step, count - first)
        columns = [np.zeros((len(dag), width)) for _ in range(3)]
        columns[0][symbols] = given[:, first : first + width]
        columns[2][symbols] = unknown[:, first : first + width]
        for at, value in enumerate(dag.value):
            if value is not None and not isinstance(value, Symbol):
                for column, part in zip(columns, _parts(value), strict=True):
                    column[at] = part
        run(dag.code, dag.start, dag.args, *columns)
        for rows, column in zip(found, columns, strict=True):
            rows[:, first : first + width] = column[wanted]
    high, low, error = found
    with np.errstate(all="ignore"):
        size = np.abs(high)
        good = (error <= GOOD * size) & (size > SMALLEST) & (size < LARGEST)
        good |= (high == 0) & (error == 0)
        return Doubles(high, low, good, ~np.isnan(error))


def _parts(value: Constant) -> tuple[float, float, float]:
    """Return a constant as high and low, and how far their sum may be off."""
    if isinstance(value, bool):
        return 0.0, 0.0, np.inf
    if value in _NAMED:
        high, low = _NAMED[value]  # type: ignore[index]
        return high, low, _HALF_ULP * high
    try:
        whole = Fraction(value)  # type: ignore[arg-type]
        high = float(whole)
        low = float(whole - Fraction(high))
    except (OverflowError, ValueError):  # not finite, or beyond all doubles
        return 0.0, 0.0, np.inf
    exact = Fraction(high) + Fraction(low) == whole
    if not exact and abs(high) < SMALLEST:
        return 0.0, 0.0, np.inf
    return high, low, 0.0 if exact else _HALF_ULP * abs(high)
