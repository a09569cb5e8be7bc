"""The oracle: rigorous values of terms on real numbers, by ball arithmetic of python-flint.

Inputs are exact doubles. The precision rises until every value is known to 80 bits, so a
distance in ulp that is computed from it is right to 2**-27 ulp; what cannot be decided is masked.
"""

import itertools
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import PI, Constant, Named
from rewrite.dag import Dag, below
from rewrite.evaluate import bind
from rewrite.numeric import require_numbers
from rewrite.sorts import BOOL
from rewrite.store import Symbol
from rewrite.term import Term, join_all

__all__ = ["Exact", "exact", "exact_dag", "surely_undefined", "ulp_distance", "working_precision"]

type Floats = npt.NDArray[np.float64]
type Bools = npt.NDArray[np.bool_]

PRECISIONS: Final = (100, 400, 1600)
GIVE_UP: Final = 400
"""A value that is not finite at this precision is undefined: more bits would not help."""
FAR: Final = 1 << 20
GOOD_BITS: Final = 80
TINY_EXPONENT: Final = -1154
"""A ball around zero this small is zero to every dtype, 80 bits below the least double."""
_LOCK: Final = threading.RLock()
_LAST_LEAF: Final = ops.PVAR.code


@dataclass(frozen=True, slots=True)
class Exact:
    """The values of one term at many points, as unevaluated sums (high + low) * 2**exponent.

    `high` is zero or in [0.5, 1) in magnitude, `low` below its last bit; the pair is right to 80
    bits. Where `ok` is false the value is undefined or could not be decided; `balls` holds what
    is known (a bool or None for terms that are truth values).
    """

    high: Floats
    low: Floats
    exponent: npt.NDArray[np.int64]
    ok: Bools
    balls: list[Any]

    def __len__(self) -> int:
        """Count the points."""
        return len(self.ok)

    def nearest(self, dtype: Any = np.float64) -> npt.NDArray[Any]:
        """Return the nearest numbers of a dtype, NaN where undefined.

        A value within 2**-25 ulp of the middle between two numbers may become either of them.
        """
        with np.errstate(all="ignore"):
            value = np.ldexp(self.high + self.low, self.exponent)
            return np.where(self.ok, value, np.nan).astype(dtype)


@overload
def exact(terms: Term, points: Mapping[str, Any]) -> Exact: ...
@overload
def exact(terms: Sequence[Term], points: Mapping[str, Any]) -> list[Exact]: ...
def exact(terms: Term | Sequence[Term], points: Mapping[str, Any]) -> Exact | list[Exact]:
    """Return the exact values of terms at points given as arrays by symbol name.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> exact((x + 1) - x, {"x": [1e300]}).nearest()
    array([1.])
    """
    if isinstance(terms, Term):
        return exact_dag(Dag.of(terms.store, [terms.id]), points)[0]
    if not terms:
        return []
    store = terms[0].store
    return exact_dag(Dag.of(store, join_all(store, terms)), points)


def exact_dag(
    dag: Dag, points: Mapping[str, Any], *, wanted: Sequence[int] | None = None
) -> list[Exact]:
    """Return the exact values of a program's roots, or of the wanted positions.

    A shared subterm is computed once a point. Points where an input is not finite are masked.
    """
    require_numbers(dag, "the oracle")
    wanted = dag.roots if wanted is None else wanted
    bound = bind(dag, points, np.dtype(np.float64))
    shape = np.broadcast_shapes((1,), *[a.shape for a in bound.values()])
    inputs = {at: np.broadcast_to(a, shape).ravel() for at, a in bound.items()}
    finite = np.ones(int(np.prod(shape)), np.bool_)
    for array in inputs.values():
        finite &= np.isfinite(array)
    found: list[list[Any]] = [[None] * len(finite) for _ in wanted]
    todo: npt.NDArray[np.intp] = np.nonzero(finite)[0]
    for precision in PRECISIONS:
        if not len(todo):
            break
        with working_precision(precision):
            columns = _balls(dag, {at: a[todo].tolist() for at, a in inputs.items()}, wanted)
            todo = _settle(columns, found, todo, precision)
    with working_precision(PRECISIONS[1]):
        return [
            _split(column, boolean=dag.sort[at] == BOOL)
            for at, column in zip(wanted, found, strict=True)
        ]


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Work with flint at so many bits, one thread at a time.

    The precision is one number for the whole process: whoever changes it does it here.
    """
    from flint import ctx

    with _LOCK:
        old = ctx.prec
        ctx.prec = bits
        try:
            yield
        finally:
            ctx.prec = old


def surely_undefined(dag: Dag, points: Mapping[str, Any]) -> list[Bools]:
    """Tell for each root where it is undefined for certain, and not merely undecided.

    So it is below the first op that has no value whatever its operands are in their balls:
    1/x at zero, but not 1/x at a cancelled sum of which nothing but its size is known.
    """
    bound = bind(dag, points, np.dtype(np.float64))
    shape = np.broadcast_shapes((1,), *[a.shape for a in bound.values()])
    inputs = {at: np.broadcast_to(a, shape).ravel().tolist() for at, a in bound.items()}
    with working_precision(GIVE_UP):
        columns = _balls(dag, inputs, range(len(dag)))
        states: list[list[bool | None]] = []
        for (code, args), column in zip(dag.rows(), columns, strict=True):
            rows = zip(*[columns[a] for a in args], strict=True) if args else [()] * len(column)
            below = zip(*[states[a] for a in args], strict=True) if args else [()] * len(column)
            states.append([
                _undefined(code, value, operands, known)
                for value, operands, known in zip(column, rows, below, strict=True)
            ])  # fmt: skip
    return [
        np.broadcast_to(np.array([state is True for state in states[root]]), shape).ravel()
        for root in dag.roots
    ]


def _undefined(
    code: int, value: Any, operands: Sequence[Any], below: Sequence[bool | None]
) -> bool | None:
    """Tell whether a value is undefined: True, False, or None where that is open."""
    if _has_value(value):
        return False
    if any(below) or None in below:
        return None if None in below else True
    if value is None or not operands:
        return None
    ball = ops.OPS[code].ball
    assert ball is not None
    corners = itertools.product(*map(_ends, operands))
    return True if not any(_has_value(ball(*corner)) for corner in corners) else None


def _ends(ball: Any) -> list[Any]:
    if isinstance(ball, bool) or ball.is_exact():
        return [ball]
    return [ball.mid(), ball.lower(), ball.upper()]


def _has_value(value: Any) -> bool:
    return value is not None and (isinstance(value, bool) or bool(value.is_finite()))


def _balls(dag: Dag, inputs: Mapping[int, list[Any]], wanted: Sequence[int]) -> list[list[Any]]:
    """Evaluate a program on balls at the working precision: one list of values a wanted node."""
    from flint import arb

    count = len(next(iter(inputs.values()), [None]))
    uses = np.bincount(dag.args, minlength=len(dag))
    uses[list(wanted)] += 1
    left: list[int] = uses.tolist()
    columns: list[Any] = [None] * len(dag)
    rows = dag.rows()
    needed = below(rows, wanted)
    for at, ((code, args), value) in enumerate(zip(rows, dag.value, strict=True)):
        if at not in needed:
            continue
        if isinstance(value, Symbol):
            boolean = dag.sort[at] == BOOL
            columns[at] = inputs[at] if boolean else list(map(arb, inputs[at]))
        elif value is not None:
            columns[at] = [_constant(value)] * count
        else:
            function = _QUICK.get((code, len(args))) or ops.OPS[code].ball
            assert function is not None, f"{ops.OPS[code]} has no ball function"
            columns[at] = list(map(function, *[columns[a] for a in args]))
        for a in args:
            left[a] -= 1
            if not left[a]:
                columns[a] = None
    return [columns[at] for at in wanted]


_QUICK: Final[dict[tuple[int, int], Callable[..., Any]]] = {
    (ops.ADD.code, 2): operator.add,
    (ops.SUB.code, 2): operator.sub,
    (ops.MUL.code, 2): operator.mul,
    (ops.DIV.code, 2): operator.truediv,
    (ops.NEG.code, 1): operator.neg,
}
"""What the ball function does, without a call in between."""


def _constant(value: Constant) -> Any:
    from flint import arb, fmpq

    if isinstance(value, bool):
        return value
    if isinstance(value, Named):
        return arb.pi() if value == PI else arb.const_e()
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


def _settle(
    columns: list[list[Any]], found: list[list[Any]], todo: npt.NDArray[np.intp], precision: int
) -> npt.NDArray[np.intp]:
    """Store what is decided; return the points where more precision may still help."""
    from flint import arb

    tiny = arb(2) ** TINY_EXPONENT
    again = np.zeros(len(todo), np.bool_)
    places = todo.tolist()
    for column, out in zip(columns, found, strict=True):
        for i, ball in enumerate(column):
            if ball is None:
                again[i] |= precision < PRECISIONS[-1]
            elif isinstance(ball, bool):
                out[places[i]] = ball
            elif not ball.is_finite():  # outside a domain, or one level more will tell
                again[i] |= precision < GIVE_UP
            elif ball.rel_accuracy_bits() >= GOOD_BITS or abs(ball) < tiny:
                out[places[i]] = ball
            else:
                again[i] = True
    return todo[again]


def _split(column: list[Any], *, boolean: bool) -> Exact:
    """Write balls as sums of two doubles and an exponent."""
    ok = np.array([ball is not None for ball in column], np.bool_)
    if boolean:
        high = np.array([0.5 if ball else 0.0 for ball in column])
        return Exact(high, 0.0 * high, np.ones(len(ok), np.int64), ok, column)
    high, low = np.zeros(len(ok)), np.zeros(len(ok))
    shift = np.zeros(len(ok), np.int64)
    for i, ball in enumerate(column):
        if ball is None or ball.is_zero() or ball.rel_accuracy_bits() < GOOD_BITS:
            continue  # undecided, zero, or zero as far as any dtype can tell
        near = float(ball)
        if not 1e-270 < abs(near) < 1e300:
            ball, shift[i] = _scaled(ball)
            near = float(ball)
        high[i], low[i] = near, float(ball - near)
    high, exponent = np.frexp(high)
    return Exact(high, np.ldexp(low, -exponent), exponent + shift, ok, column)


def _scaled(ball: Any) -> tuple[Any, int]:
    """Return the middle of a ball divided by a power of two, below one, and the exponent.

    The exponent of exp(1e200) has 200 digits itself, so no such power is ever made.
    """
    mantissa, exponent = ball.mid().man_exp()
    if not mantissa:
        return ball.mid(), 0
    size = int(mantissa).bit_length()
    shift = max(-FAR, min(FAR, int(exponent) + size))
    return type(ball)(mantissa) * type(ball)(2) ** -size, shift


# -- distances -------------------------------------------------------------------------------


def ulp_distance(
    approx: npt.ArrayLike, exact: Exact, dtype: Any = np.float64, *, relative: bool = False
) -> Floats:
    """Return how far numbers are from exact values, in ulps of a dtype at the exact value.

    A real number: 0.5 for a result that was rounded correctly at a tie. Infinity where a number
    is NaN, or infinite although the exact value does not round to that; NaN where the exact value
    is undefined. With `relative`, as if the dtype had no least and no largest exponent.
    """
    info = np.finfo(np.dtype(dtype))
    given = np.asarray(approx)
    number = np.broadcast_to(given, exact.ok.shape).astype(np.float64)
    with np.errstate(all="ignore"):
        below = (np.abs(exact.high) == 0.5) & (exact.low * exact.high < 0)
        binade = np.where(exact.high == 0, info.minexp, exact.exponent - 1 - below)
        if not relative:
            binade = np.clip(binade, info.minexp, info.maxexp - 1)
        ulp = binade - info.nmant
        shift = np.clip(exact.exponent - ulp, -1000, 1000).astype(np.int32)
        high, low = np.ldexp(exact.high, shift), np.ldexp(exact.low, shift)
        scaled = np.ldexp(number, np.clip(-ulp, -FAR, FAR).astype(np.int32))
        distance: Floats = np.abs((scaled - high) - low)
        limit = 2.0 ** (info.nmant + 1)  # the first power of two that overflows
        over = (np.abs(high) - limit) + np.sign(high) * low >= -0.5
        over &= (binade >= info.maxexp - 1) & np.isinf(number) & (number * high > 0)
    distance[over & (not relative)] = 0.0
    distance[np.isnan(number)] = np.inf
    if given.dtype == np.bool_:
        distance[distance != 0] = np.inf
    distance[~exact.ok] = np.nan
    return distance
