"""Accuracy: how far a term's floating-point value is from the exact one, in bits of error."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from rewrite.dag import Dag
from rewrite.errors import AccuracyError, ArgumentError, DomainError
from rewrite.evaluate import evaluate_dag, float_dtype, name_of
from rewrite.measured import bits_between, bits_of_error
from rewrite.oracle import Exact, exact_dag
from rewrite.sampling import sample_points
from rewrite.store import Symbol
from rewrite.term import Term, join_all

__all__ = ["Accuracy", "Points", "accuracy", "bits_of_error", "sample_points"]

type Floats = npt.NDArray[np.float64]
type Points = Mapping[str, Any]


type Scale = Literal["ulp", "fpbench"]
SCALES: Final = {"ulp": bits_of_error, "fpbench": bits_between}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far a term's floating-point value is from the exact one, over sample points.

    `bits` has one number a point, NaN where the exact value is undefined; `valid` counts the
    others, over which `mean_bits` and `max_bits` go. `worst` is the point of `max_bits`.
    """

    mean_bits: float
    max_bits: float
    worst: dict[str, float]
    valid: int
    bits: Floats = field(repr=False)


def accuracy(
    term: Term,
    points: Mapping[Any, Any] | None = None,
    dtype: Any = np.float64,
    *,
    measure: Scale = "ulp",
) -> Accuracy:
    """Measure the bits of error of a term, at given points or at sampled ones.

    `points` gives the values of each symbol, or of each name, as an array, or its domain as a pair
    `(low, high)`, in which 256 are sampled; symbols that are not named are sampled in their own
    domains where any pair is given. A `measure` of "ulp" is log2(max(1, u)), u the distance from
    the exact value in ulp; of "fpbench" log2 of how many floats there are from the result to the
    exact value rounded, both counted (FPBench 2.0, "Measures").

    Raise `AccuracyError` where the term is undefined at every point.

    >>> import rewrite as rw
    >>> accuracy(rw.exp(rw.symbol("t")) - 1, {"t": (1e-9, 1e-6)}).mean_bits > 20
    True
    >>> x = rw.symbol("x", low=1e9, high=1e12)
    >>> accuracy(rw.sqrt(x + 1) - rw.sqrt(x)).mean_bits > 10
    True
    """
    if measure not in SCALES:
        raise ArgumentError(f"measure={measure!r} is none of {', '.join(map(repr, SCALES))}")
    dag = as_dag(term)
    kind = float_dtype(dtype)
    if points is not None:
        points = {name_of(symbol): value for symbol, value in points.items()}
    if points is not None and any(isinstance(value, tuple) for value in points.values()):
        points = _sampled(dag, points, kind)
    points, (values,) = measurable(dag, points, kind, n=256, seed=0)
    bits = SCALES[measure](evaluate_dag(dag, points, kind)[0], values, kind)
    valid = int(np.count_nonzero(~np.isnan(bits)))
    if not valid:
        raise AccuracyError(
            f"the term {term!r} is undefined at every point; give its symbols low=, high="
        )
    at = int(np.nanargmax(bits))
    return Accuracy(float(np.nanmean(bits)), float(bits[at]), point_at(points, at), valid, bits)


def _sampled(dag: Dag, domains: Points, kind: np.dtype[Any]) -> Points:
    """Sample symbols in the domains that are given, or else in their own."""
    symbols = [value for value in dag.value if isinstance(value, Symbol)]
    unknown = sorted(set(domains) - {symbol.name for symbol in symbols})
    if unknown:
        raise ArgumentError(f"the term has no symbol {unknown[0]!r}")
    within = [
        _within(each, domains[each.name]) if each.name in domains else each for each in symbols
    ]
    return sample_points(within, 256, dtype=kind)


def _within(symbol: Symbol, domain: Any) -> Symbol:
    """Return a symbol with another domain."""
    if not isinstance(domain, tuple) or len(domain) != 2:
        raise ArgumentError(f"the domain {domain!r} of {symbol.name!r} is no pair (low, high)")
    low, high = domain
    for bound in domain:
        if bound is not None and not math.isfinite(bound):
            raise DomainError(f"the bound {bound!r} of {symbol.name!r} is not a finite number")
    if low is not None and high is not None and low > high:
        raise DomainError(f"the domain {domain!r} of {symbol.name!r} is empty")
    return replace(
        symbol, low=None if low is None else float(low), high=None if high is None else float(high)
    )


def as_dag(program: Dag | Term | Sequence[Term]) -> Dag:
    if isinstance(program, Dag):
        return program
    terms = [program] if isinstance(program, Term) else list(program)
    if not terms:
        raise ArgumentError("no terms to measure")
    return Dag.of(terms[0].store, join_all(terms[0].store, terms))


def ready_points(points: Points, kind: np.dtype[Any]) -> dict[str, npt.NDArray[Any]]:
    """Broadcast points against each other and round them to the dtype in which terms see them."""
    arrays = {name: np.asarray(value) for name, value in points.items()}
    with np.errstate(over="ignore"):  # what does not fit is infinite, and not judged
        arrays = {n: a if a.dtype == np.bool_ else a.astype(kind) for n, a in arrays.items()}
    try:
        shape = np.broadcast_shapes((1,), *[a.shape for a in arrays.values()])
    except ValueError:
        shapes = {name: array.shape for name, array in arrays.items()}
        raise ArgumentError(f"the points of the symbols do not broadcast: {shapes}") from None
    if 0 in shape:
        raise AccuracyError("no points to measure at")
    flat = len(shape) == 1
    return {
        name: array if flat and array.shape == shape else np.broadcast_to(array, shape).ravel()
        for name, array in arrays.items()
    }


def point_at(points: Points, at: int) -> dict[str, float]:
    return {name: array[min(at, len(array) - 1)].item() for name, array in points.items()}


def measurable(
    dag: Dag, points: Points | None, kind: np.dtype[Any], *, n: int, seed: int
) -> tuple[dict[str, npt.NDArray[Any]], list[Exact]]:
    """Return points and the exact values there; more are sampled where most are undefined."""
    symbols = [value for value in dag.value if isinstance(value, Symbol)]
    if points is not None:
        ready = ready_points(points, kind)
        return ready, exact_dag(dag, ready)
    sampled = sample_points(symbols, n, seed=seed, dtype=kind)
    exact = exact_dag(dag, sampled)
    ok = np.logical_and.reduce([values.ok for values in exact])
    if not symbols or np.count_nonzero(ok) >= n // 4:
        return sampled, exact
    more = sample_points(symbols, 4 * n, seed=seed + 1, dtype=kind)
    values = np.broadcast_arrays(*evaluate_dag(dag, more, kind))
    finite = np.logical_and.reduce([np.isfinite(v) for v in values])
    kept = np.nonzero(np.broadcast_to(finite, 4 * n))[0][: n // 2]
    both = {name: np.concatenate([sampled[name], more[name][kept]]) for name in sampled}
    return both, exact_dag(dag, both)
