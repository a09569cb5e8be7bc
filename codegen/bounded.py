"""A largest error that a kernel must keep: measured against the oracle, or another kernel is tried.

No rounding error is proved: the bound holds on the sample points, which lie in the domains of the
symbols. Points at which the source has no exact value are not judged.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from codegen.cuda.kernel import CudaKernel
from codegen.kernel import Kernel
from codegen.lower import Parameter, Result
from codegen.target import Float
from rewrite.accuracy import as_dag, point_at
from rewrite.dag import Dag
from rewrite.errors import AccuracyError, ArgumentError
from rewrite.fastmath import FastMath, licence
from rewrite.oracle import exact_dag, ulp_distance
from rewrite.sampling import sample_points
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = [
    "Compiled",
    "Worst",
    "arguments_at",
    "attempts",
    "columns_of",
    "count_for",
    "first_within",
    "floats_of",
    "outputs_of",
    "shown_point",
    "ulps",
    "worst_at",
]

type Compiled = Kernel | CudaKernel

WORK: Final = 400_000
"""Points times nodes at most, some seconds of ball arithmetic; but at least LEAST points."""
LEAST, MOST_POINTS = 256, 4096
TYPES: Final[dict[Float, type[np.floating[Any]]]] = {"f64": np.float64, "f32": np.float32}


@dataclass(frozen=True, slots=True)
class Worst:
    """The largest error that was seen of a kernel, and where."""

    ulp: float
    result: str
    dtype: Float
    point: dict[str, float]
    points: int
    """How many were judged."""

    def __str__(self) -> str:
        """Say it in one line."""
        at = shown_point(self.point)
        return f"{self.ulp:.3g} ulp in {self.dtype} of {self.result!r} at {at}"


def shown_point(point: Mapping[str, Any]) -> str:
    """Write the values of arguments."""
    return ", ".join(f"{name}={value!r}" for name, value in point.items()) or "no arguments"


def ulps(bound: Any) -> float:
    """Read a bound: a number of ulps, or a text as "2ulp".

    >>> ulps("2.5 ulp")
    2.5
    """
    found = bound
    if isinstance(bound, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*(?:ulps?)?\s*", bound)
        found = float(match[1]) if match else None
    number = isinstance(found, (int, float, np.number)) and not isinstance(found, bool)
    if not number or not found >= 0.5:
        raise ArgumentError(
            f'max_error={bound!r} is not a number of ulps of at least 0.5, such as 2 or "2ulp"'
        )
    return float(found)


def attempts(
    make: Callable[..., Compiled], math: str | FastMath, strategy: Any, optimize_terms: bool
) -> list[Callable[[], Compiled]]:
    """List ways to compile from the one that was asked for to the most careful one."""
    allowed = licence(math)
    careful = math if FastMath.AFN not in allowed else allowed & ~FastMath.AFN
    asked = partial(make, math=math, strategy=strategy, optimize_terms=optimize_terms)
    found = [asked]
    if careful is not math:
        found.append(partial(make, math=careful, strategy=strategy, optimize_terms=optimize_terms))
    if optimize_terms:
        if strategy is None and FastMath.REASSOC in allowed:
            found.append(partial(make, math=careful, strategy="accurate"))
        found.append(partial(make, math=careful, optimize_terms=False))
    return list(found)


def first_within(
    bound: float, kernels: Iterable[Callable[[], Compiled]], parameters: Sequence[Parameter],
    source: Sequence[Result],
) -> Compiled:  # fmt: skip
    """Return the first kernel whose error is within the bound; its report says what was seen.

    Raise `AccuracyError` where there is none, with the best that was found and the point where it
    is worst.
    """
    measure = _Measure(parameters, source)
    best: Worst | None = None
    for make in kernels:
        kernel = make()
        found = measure.worst(kernel)
        if found.ulp <= bound:
            kernel.report.notes.append(f"largest error on {found.points} points: {found}")
            return kernel
        best = found if best is None or found.ulp < best.ulp else best
    assert best is not None
    raise AccuracyError(
        f"no implementation is within max_error={bound:g} ulp: the best has {best}. Give the "
        "symbols the domain they have (low=, high=), write the expression another way, or allow "
        f"more{'; float64 alone is had by dtype=np.float64' if best.dtype == 'f32' else ''}"
    )


def count_for(dag: Dag) -> int:
    """Return at how many points a program is measured."""
    return min(max(WORK // len(dag), LEAST), MOST_POINTS)


class _Measure:
    """Sample points and the exact values there, by dtype."""

    def __init__(self, parameters: Sequence[Parameter], source: Sequence[Result]) -> None:
        self.parameters, self.source = parameters, source
        self.terms: list[Term] = [term for result in source for term in result.terms]
        self.dag = as_dag(self.terms)
        self.names = [result.name for result in source for _ in result.terms]
        self.known: dict[Float, tuple[dict[str, npt.NDArray[Any]], list[Any]]] = {}

    def worst(self, kernel: Compiled) -> Worst:
        """Return the largest error over all results, in every float type that the kernel has."""
        each = (self.worst_of(kernel, dtype) for dtype in floats_of(kernel))
        return max(each, key=lambda found: found.ulp)

    def worst_of(self, kernel: Compiled, dtype: Float) -> Worst:
        """Return the largest error in one float type."""
        points, exact = self.exact(dtype)
        data = arguments_at(self.parameters, points, dtype)
        columns = columns_of(outputs_of(kernel, data, dtype), len(exact[0].ok))
        pairs = zip(columns, exact, strict=True)
        errors = np.stack([ulp_distance(c, e, TYPES[dtype]) for c, e in pairs])
        found = worst_at(errors, self.names, dtype, points)
        if found is None:
            raise AccuracyError(
                f"max_error cannot be checked in {dtype}: the expressions are undefined at every "
                "point, or out of its range; give the symbols low=, high=, or a dtype"
            )
        return found

    def exact(self, dtype: Float) -> tuple[dict[str, npt.NDArray[Any]], list[Any]]:
        """Return the points and the exact values there."""
        if dtype not in self.known:
            symbols = [value for value in self.dag.value if isinstance(value, Symbol)]
            points = sample_points(symbols, count_for(self.dag), seed=7, dtype=TYPES[dtype])
            self.known[dtype] = points, exact_dag(self.dag, points)
        return self.known[dtype]


def floats_of(kernel: Compiled) -> tuple[Float, ...]:
    """Return the float types that a kernel computes in."""
    return (kernel.dtype,) if kernel.dtype else ("f64", "f32")


def worst_at(
    errors: npt.NDArray[np.float64], names: Sequence[str], dtype: Float,
    points: Mapping[str, npt.NDArray[Any]],
) -> Worst | None:  # fmt: skip
    """Return the largest of the errors of each result at each point; None if none is a number."""
    judged = int(np.count_nonzero(~np.isnan(errors).all(0)))
    if not judged:
        return None
    row, at = map(int, np.unravel_index(int(np.nanargmax(errors)), errors.shape))
    return Worst(float(errors[row, at]), names[row], dtype, point_at(points, at), judged)


def arguments_at(
    parameters: Sequence[Parameter], points: Mapping[str, npt.NDArray[Any]], dtype: Float
) -> list[npt.NDArray[Any]]:
    """Return points as a kernel's arguments; symbols that nothing uses are one."""
    one = np.ones(max((len(column) for column in points.values()), default=1), TYPES[dtype])
    found: list[Any] = []
    for parameter in parameters:
        names = [term.symbol.name for term in parameter.symbols if term.symbol]
        columns = [points.get(name, one) for name in names]
        stacked = np.stack(columns, axis=-1)
        found.append(stacked.reshape(len(stacked), *parameter.shape))
    return found or [one]


def columns_of(outputs: Sequence[Any], count: int) -> list[npt.NDArray[Any]]:
    """Return results as one column a term, broadcast to so many points."""
    full = [np.broadcast_to(part, (count, *np.shape(part)[1:])) for part in outputs]
    return [column for part in full for column in part.reshape(count, -1).T]


def outputs_of(kernel: Compiled, data: Sequence[Any], dtype: Float) -> tuple[Any, ...]:
    """Return all results in one float type, points first."""
    if isinstance(kernel, Kernel):
        found = kernel.ufunc(*data, signature=kernel.ufunc.types[-1 if dtype == "f64" else 0])
        return found if isinstance(found, tuple) else (found,)
    place = -1 if kernel.last else 0
    given = [np.moveaxis(x, 0, place) for x in data[: len(kernel.program.arguments)]]
    found = kernel(*given)
    if kernel.results != "single":
        return tuple(
            np.moveaxis(x, place, 0)
            for x in (found.values() if kernel.results == "dict" else found)
        )
    return (np.moveaxis(found, place, 0) if np.ndim(found) else found,)
