"""`verify=True`: translation validation of a compiled kernel, and the certificate of it.

Nothing is proved: a kernel is compared, at points that neither a search nor its guard has seen,

- with exact values of the source: it must not be worse than the source as it is written by more
  than chance makes of it, and nowhere by more than two bits beyond the worst of the source;
- with exact values of the terms that were chosen, in the same way: what code generation adds;
- with itself, called for one point at a time, bit by bit: every length up to twice the lanes and
  one more, and one that fills the unrolled loop; backwards, strided, and at an offset.

Points are added until each condition of a `where` was true and false, where any is found.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.bounded import (
    TYPES,
    Compiled,
    Worst,
    arguments_at,
    columns_of,
    count_for,
    floats_of,
    outputs_of,
    shown_point,
    worst_at,
)
from codegen.kernel import Kernel
from codegen.lower import Parameter, Result
from codegen.target import Float
from rewrite import ops
from rewrite.accuracy import as_dag, point_at
from rewrite.errors import AccuracyError
from rewrite.evaluate import evaluate_dag
from rewrite.fastmath import FastMath, licence
from rewrite.guard import Guard
from rewrite.measured import stacked
from rewrite.oracle import ulp_distance
from rewrite.progress import each
from rewrite.rulecheck import same_bits
from rewrite.sampling import sample_points
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["Branch", "Certificate", "certificate"]

type Array = npt.NDArray[Any]

SEED: Final = 23
"""Searches take 0 and 1, bounds 7."""
DOUBT: Final = 4.0
"""Standard errors by which a mean may differ by chance."""
SLACK: Final = 2.0
APPROXIMATE: Final = 3.0
"""More bits that elementary functions within 4 ulp may cost."""
SEARCHED: Final = 16
"""Times the points among which both sides of a condition are looked for."""
ADDED: Final = 8
"""Points that are added for a side of a condition."""
UNROLLED: Final = 8
"""Vectors that a loop may do at once, at most."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A condition, and at how many points it was true and false."""

    condition: str
    true: int
    false: int

    @property
    def covered(self) -> bool:
        """Whether both ways were taken."""
        return self.true > 0 and self.false > 0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a kernel was compared with, and how near it came."""

    points: int
    """Inputs that were compared with exact values, in each float type."""
    worst: tuple[Worst, ...]
    """The largest error in each float type, and where: one where no point has an exact value."""
    branches: tuple[Branch, ...]
    """The conditions of `where` in the source and in the terms that were chosen."""
    lanes: dict[Float, int] = field(default_factory=dict)
    """Of each float type: every length up to twice the lanes and one more was compared."""
    arrays: int = 0
    """Calls that were compared bit by bit with calls for one point each."""

    @property
    def covered(self) -> bool:
        """Whether every condition was true somewhere and false somewhere."""
        return all(branch.covered for branch in self.branches)

    def __str__(self) -> str:
        """Say it in some lines."""
        lanes = ", ".join(f"{count} lanes of {dtype}" for dtype, count in self.lanes.items())
        taken = sum(branch.covered for branch in self.branches)
        return "\n".join([
            f"{self.points} inputs compared with exact values",
            *[f"largest error {worst}" for worst in self.worst],
            f"{taken} of {len(self.branches)} conditions taken both ways",
            *([f"{self.arrays} arrays compared bit by bit ({lanes})"] if lanes else []),
        ])  # fmt: skip


def certificate(
    kernel: Compiled, parameters: Sequence[Parameter], source: Sequence[Result]
) -> Certificate:
    """Compare a kernel and say with what; raise `AccuracyError` where a result is wrong."""
    terms = [term for result in source for term in result.terms]
    if not terms:
        return Certificate(0, (), ())
    names = [result.name for result in source for _ in result.terms]
    chosen = list(kernel.terms) if kernel.terms else terms
    types = floats_of(kernel)
    conditions = list(dict.fromkeys([*_conditions(terms), *_conditions(chosen)]))
    worst: list[Worst] = []
    branches: tuple[Branch, ...] = ()
    lanes: dict[Float, int] = {}
    count = arrays = 0
    for dtype in each(types, "validating", "float type"):
        points, taken = _points(terms, conditions, dtype)
        count = max((len(column) for column in points.values()), default=1)
        check = _Check(kernel, names, points, dtype)
        values = columns_of(
            outputs_of(kernel, arguments_at(parameters, points, dtype), dtype), count
        )
        sides = [chosen] if dtype != types[0] else [terms, chosen]
        for number, side in enumerate(sides):
            found = check.against(side, values, wide=number == 0)
            worst += [found] if found is not None and number == 0 else []
        branches = branches or taken
        if isinstance(kernel, Kernel):
            arrays += _layouts(kernel, parameters, points, dtype)
            lanes[dtype] = kernel.target.lanes(dtype)
    return Certificate(count, tuple(worst), branches, lanes, arrays)


# -- points ----------------------------------------------------------------------------------


def _conditions(terms: Sequence[Term]) -> list[Term]:
    """Return the conditions of all choices inside."""
    dag = as_dag(terms)
    found = [args[0] for code, args in dag.rows() if code == ops.WHERE.code]
    return [Term(terms[0].store, int(dag.ids[at])) for at in dict.fromkeys(found)]


def _points(
    terms: Sequence[Term], conditions: Sequence[Term], dtype: Float
) -> tuple[dict[str, Array], tuple[Branch, ...]]:
    """Sample fresh points, more where a condition would go one way alone."""
    dag = as_dag(terms)
    symbols = [value for value in dag.value if isinstance(value, Symbol)]
    count = count_for(dag)
    kind = TYPES[dtype]
    points = sample_points(symbols, count, seed=SEED, dtype=kind)
    if not conditions or not symbols:
        return points, tuple(Branch(repr(c), *_ways(c, points, kind)) for c in conditions)
    more = sample_points(symbols, SEARCHED * count, seed=SEED + 1, dtype=kind)
    for condition in conditions:
        held = _holds(condition, points, kind)
        for side in (True, False):
            if not (held == side).any():
                extra = np.flatnonzero(_holds(condition, more, kind) == side)[:ADDED]
                points = {n: np.concatenate([points[n], more[n][extra]]) for n in points}
    return points, tuple(Branch(repr(c), *_ways(c, points, kind)) for c in conditions)


def _holds(condition: Term, points: Mapping[str, Array], kind: Any) -> npt.NDArray[np.bool_]:
    count = max((len(column) for column in points.values()), default=1)
    with np.errstate(all="ignore"):
        (found,) = evaluate_dag(as_dag(condition), points, np.dtype(kind))
    return np.broadcast_to(found, count).astype(np.bool_)


def _ways(condition: Term, points: Mapping[str, Array], kind: Any) -> tuple[int, int]:
    held = _holds(condition, points, kind)
    return int(held.sum()), int((~held).sum())


# -- exact values ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Check:
    """Compares what a kernel computed with exact values."""

    kernel: Compiled
    names: Sequence[str]
    points: dict[str, Array]
    dtype: Float

    def against(
        self, terms: Sequence[Term], values: Sequence[Array], *, wide: bool
    ) -> Worst | None:
        """Compare with the exact values of terms, or raise; return the largest error."""
        allowed = licence(self.kernel.math or "guarded")
        guard = Guard(list(terms), self.points, dtype=TYPES[self.dtype])
        known, found = guard.measured, stacked(list(values), guard.count)
        after = known.errors(found)
        usual = known.exact.ok & known.present & ~known.strained & ~known.far
        largest = np.where(usual, known.bits, 0.0).max(1, initial=0.0)
        limit = np.maximum(1.0, 1.25 * largest) + SLACK
        limit = limit + (APPROXIMATE if FastMath.AFN in allowed else 0.0)
        wrong = usual & (after > limit[:, None])
        if FastMath.AFN not in allowed:
            worse = known.worse(found, DOUBT)
            loss = np.where(usual, after - known.bits, -np.inf)
            wrong[worse] |= loss[worse] >= loss[worse].max(1, keepdims=True, initial=-np.inf)
        if wrong.any():
            self._refuse(known, found, wrong, after - known.bits)
        if not wide:
            return None
        distance = ulp_distance(found, known.exact, TYPES[self.dtype])
        return worst_at(distance, self.names, self.dtype, self.points)

    def _refuse(self, known: Any, found: Array, wrong: Array, loss: Array) -> None:
        row, at = map(
            int, np.unravel_index(int(np.where(wrong, loss, -np.inf).argmax()), wrong.shape)
        )
        exact = known.exact.rows(slice(row, row + 1), None).nearest()[0, at]
        raise AccuracyError(
            f"{self.kernel.__name__!r} is wrong in {self.dtype}: {self.names[row]!r} at "
            f"{shown_point(point_at(self.points, at))} is {found[row, at]!r}, the exact value "
            f"{float(exact)!r}, and what is written gives {known.values[row, at]!r}"
        )


# -- lanes and remainders --------------------------------------------------------------------


def _layouts(
    kernel: Kernel, parameters: Sequence[Parameter], points: Mapping[str, Array], dtype: Float
) -> int:
    """Compare arrays with calls for one point each, bit by bit; return how many there were."""
    lanes = kernel.target.lanes(dtype)
    longest = UNROLLED * lanes + 3
    data = [
        np.resize(array, (longest, *array.shape[1:]))
        for array in arguments_at(parameters, points, dtype)
    ]
    single = [outputs_of(kernel, [a[k : k + 1] for a in data], dtype) for k in range(longest)]
    expected = [
        np.concatenate([np.atleast_1d(one) for one in part]) for part in zip(*single, strict=True)
    ]
    calls = 0
    for length in (*range(1, 2 * lanes + 2), longest):
        for name, laid in _LAYOUTS.items():
            given = [laid(array[:length]) for array in data]
            found = outputs_of(kernel, given, dtype)
            for output, (wanted, made) in enumerate(zip(expected, found, strict=True)):
                full = np.broadcast_to(made, (length, *wanted.shape[1:]))
                _same(kernel, dtype, data, name, output, wanted[:length], full)
            calls += 1
    return calls


def _offset(array: Array) -> Array:
    """Return a copy one element off the alignment of its allocation."""
    room = np.empty((len(array) + 1, *array.shape[1:]), array.dtype)
    room[1:] = array
    return room[1:]


def _strided(array: Array) -> Array:
    room = np.empty((3 * len(array), *array.shape[1:]), array.dtype)
    room[::3] = array
    return room[::3]


def _backwards(array: Array) -> Array:
    return np.ascontiguousarray(array[::-1])[::-1]


_LAYOUTS: Final[dict[str, Callable[[Array], Array]]] = {
    "contiguous": np.ascontiguousarray,
    "offset": _offset,
    "strided": _strided,
    "backwards": _backwards,
}


def _same(
    kernel: Kernel, dtype: Float, data: Sequence[Array], layout: str, output: int, wanted: Array,
    made: Array,
) -> None:  # fmt: skip
    """Raise where bits differ; all NaN are one."""
    equal = same_bits(wanted, made)
    if equal.all():
        return
    at = tuple(int(k) for k in np.argwhere(~equal)[0])
    arguments = kernel.program.arguments
    point = shown_point(
        {a.name: array[at[0]].tolist() for a, array in zip(arguments, data, strict=False)}
    )
    raise AccuracyError(
        f"{kernel.__name__!r} is wrong in {dtype}: {kernel.program.outputs[output].name!r} at "
        f"{point}, element {at[0]} of {len(made)} ({layout}), is {made[at]!r}, and for this point "
        f"alone {wanted[at]!r}"
    )
