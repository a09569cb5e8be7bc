"""Functions with control flow beside CPython and Numba: `python tests/bench/control_flow.py`.

Each function of `control_functions.py` runs over the same points: by CPython one by one, by Numba's
`vectorize`, and by `rw.jit(control_flow=True)`. Results are compared with CPython's. A call with
one point is timed too.
"""

import math
from typing import Any
from unittest import mock

import control_functions
import numba
import numpy as np
from control_functions import POINTS, gcd, points
from report import arguments, at_least, finish, microseconds

import rewrite as rw

SIZE = 4096


def plain(fn: Any, args: list[Any]) -> Any:
    """Return a call of CPython at all points."""
    whole = [bool(np.all(arg == np.floor(arg))) for arg in args]
    columns = [[int(v) if w else float(v) for v in arg] for arg, w in zip(args, whole, strict=True)]
    return lambda: [fn(*row) for row in zip(*columns, strict=True)]


def compiled_by_numba(fn: Any, args: list[Any]) -> float:
    """Return the microseconds of Numba's code for all points; NaN where there is none."""
    try:
        with mock.patch.object(control_functions, "gcd", numba.njit(gcd)):  # another one calls it
            made = numba.vectorize(nopython=True)(fn)
            made(*args)
            return microseconds(lambda: made(*args))
    except Exception:
        return math.nan


def main() -> None:
    """Time all functions and print a row for each."""
    options = arguments(__doc__ or "").parse_args()
    figures: dict[str, Any] = {}
    print(f"{'':24}{'CPython':>12}{'Numba':>10}{'ours':>10}  us for {SIZE} points; one point")
    ratios = []
    for fn in POINTS:
        args = points(fn, SIZE)
        python = plain(fn, args)
        jitted = rw.jit(control_flow=True)(fn)
        found = np.array(jitted(*args), float)
        wanted = np.array(python(), float).T
        assert np.allclose(found, wanted, rtol=1e-12, atol=1e-13, equal_nan=True), fn.__name__
        one = tuple(arg[5].item() for arg in args)
        row = {
            "cpython": microseconds(python), "numba": compiled_by_numba(fn, args),
            "ours": microseconds(lambda: jitted(*args)),  # noqa: B023
            "one_cpython": microseconds(lambda: fn(*one), 0.1),  # noqa: B023
            "one_ours": microseconds(lambda: jitted(*one), 0.1),  # noqa: B023
        }  # fmt: skip
        figures[fn.__name__] = row
        ratios.append(row["cpython"] / row["ours"])
        print(
            f"{fn.__name__:24}{row['cpython']:12.0f}{row['numba']:10.1f}{row['ours']:10.1f}"
            f"{row['one_cpython']:10.2f}{row['one_ours']:8.2f}"
        )
    mean = math.exp(np.mean(np.log(ratios)))
    print(f"geometric mean of CPython/ours: {mean:.0f}")
    figures["functions compiled"] = at_least(len(ratios), 25)
    figures["least CPython/ours"] = at_least(min(ratios), 1.12)
    finish(figures, options.json)


if __name__ == "__main__":
    main()
