"""The oracle: rigorous values of terms on real numbers, by ball arithmetic of python-flint.

Inputs are exact doubles. Many values are tried in double-doubles first. The precision rises until
every value is known to 80 bits, so a distance in ulp that is computed from it is right to 2**-27
ulp; what cannot be decided is masked.
"""

import itertools
import math
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from heapq import heapify, heappop, heappush
from itertools import compress
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.constants import PI, Constant, Named
from rewrite.dag import Dag, below
from rewrite.deadline import look
from rewrite.doubles import PAYS, Doubles, in_doubles
from rewrite.evaluate import bind
from rewrite.numeric import require_numbers
from rewrite.sorts import BOOL
from rewrite.store import Symbol
from rewrite.term import Term, join_all

__all__ = [
    "Exact", "enclosed", "exact", "exact_dag", "surely_undefined", "ulp_distance",
    "working_precision",
]  # fmt: skip

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
    bits. Where `ok` is false the value is undefined or could not be decided. A truth value is 0 or
    1. All have one shape, (points,) or (terms, points).
    """

    high: Floats
    low: Floats
    exponent: npt.NDArray[np.int64]
    ok: Bools

    def __len__(self) -> int:
        """Count the points."""
        return int(self.ok.shape[-1])

    def broadcast(self, count: int) -> "Exact":
        """Return the values at so many points, where they are the same at all."""
        return self._each(lambda column: np.broadcast_to(column, (count,)))

    def rows(self, some: Any, count: int | None) -> "Exact":
        """Return the values of some terms, a slice or numbers, at the first points."""
        return self._each(lambda column: column[some, :count])

    def at(self, places: Any) -> "Exact":
        """Return the values at some points."""
        return self._each(lambda column: column[..., places])

    def _each(self, function: Callable[[Any], Any]) -> "Exact":
        columns = self.high, self.low, self.exponent, self.ok
        return Exact(*[function(column) for column in columns])

    @staticmethod
    def stacked(values: Sequence["Exact"]) -> "Exact":
        """Return the values of several terms as one."""
        names = ("high", "low", "exponent", "ok")
        columns: list[Any] = [np.stack([getattr(one, name) for one in values]) for name in names]
        return Exact(*columns)

    def nearest(self, dtype: Any = np.float64) -> npt.NDArray[Any]:
        """Return the nearest numbers of a dtype, NaN where undefined.

        A value within 2**-25 ulp of the middle between two numbers may become either of them.
        """
        with np.errstate(all="ignore"):
            value = np.ldexp(self.high + self.low, self.exponent)
            nearest: npt.NDArray[Any] = np.where(self.ok, value, np.nan).astype(dtype)
            return nearest


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
    dag: Dag, points: Mapping[str, Any], *, wanted: Sequence[int] | None = None,
    apart: bool = False, doubles: bool | None = None,
) -> list[Exact]:  # fmt: skip
    """Return the exact values of a program's roots, or of the wanted positions.

    A shared subterm is computed once a point. Points where an input is not finite are masked: an
    input of the program, or with `apart` of the position, for positions that share little. What is
    undecided at a point is computed again in more bits, with what it is made of and no more.
    `doubles` says whether double-doubles are tried first; None is where it pays.
    """
    require_numbers(dag, "the oracle")
    wanted = dag.roots if wanted is None else wanted
    inputs, count = _flat(dag, points)
    program = _Balls(dag)
    open_ = _measurable(program, wanted, inputs, count, apart)
    large = len(dag) * count >= PAYS if doubles is None else doubles
    quick = in_doubles(dag, inputs, count, wanted) if large else None
    known = lost = np.zeros(open_.shape, np.bool_)
    if quick is not None:
        known = open_ & quick.good
        open_ &= ~known
        lost = open_ & quick.done
        open_ &= ~lost
    found: list[list[Any]] = [[None] * count for _ in wanted]
    for precision in PRECISIONS:
        if open_.any():
            with working_precision(precision):
                open_ = _settle(program.run(inputs, open_, wanted), found, open_, precision)
        open_ |= lost
        lost = np.zeros_like(lost)  # the least bits are hardly more than those of two doubles
    with working_precision(PRECISIONS[1]):
        made = {
            k: _split(found[k], boolean=dag.sort[at] == BOOL)
            for k, at in enumerate(wanted)
            if quick is None or not known[k].all()
        }
    return list(made.values()) if quick is None else _joined(quick, known, made)


def _measurable(
    program: "_Balls", wanted: Sequence[int], inputs: Mapping[int, npt.NDArray[Any]], count: int,
    apart: bool,
) -> Bools:  # fmt: skip
    """Tell for each wanted position at which points all inputs are finite, or all its own."""
    found = np.ones((len(wanted), count), np.bool_)
    masks = np.isfinite(np.stack(list(inputs.values()))) if inputs else found
    whole = masks.all(1).tolist()
    finite = {at: mask for at, mask, all_ in zip(inputs, masks, whole, strict=False) if not all_}
    for k, at in enumerate(wanted if finite else ()):
        own = below(program.rows, [at]) if apart else finite
        for leaf in finite.keys() & own:
            found[k] &= finite[leaf]
    return found


def _joined(quick: Doubles, known: Bools, others: Mapping[int, Exact]) -> list[Exact]:
    """Return double-doubles where they are known, other values elsewhere."""
    high, exponent = np.frexp(np.where(known, quick.high, 0.0))
    low = np.ldexp(np.where(known, quick.low, 0.0), -exponent)
    whole = exponent.astype(np.int64)
    ok = known.copy()
    for k, other in others.items():
        at = ~known[k]
        high[k, at], low[k, at] = other.high[at], other.low[at]
        whole[k, at], ok[k, at] = other.exponent[at], other.ok[at]
    return [Exact(high[k], low[k], whole[k], ok[k]) for k in range(len(ok))]


def _flat(dag: Dag, points: Mapping[str, Any]) -> tuple[dict[int, npt.NDArray[Any]], int]:
    """Return the values of the symbols by position, as columns of one length, and that."""
    bound = bind(dag, points, np.dtype(np.float64))
    shape = np.broadcast_shapes((1,), *[a.shape for a in bound.values()])
    flat = {
        at: a if a.shape == shape and len(shape) == 1 else np.broadcast_to(a, shape).ravel()
        for at, a in bound.items()
    }
    return flat, math.prod(shape)


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
    inputs, count = _flat(dag, points)
    with working_precision(GIVE_UP):
        every = np.ones((len(dag), count), np.bool_)
        columns = _Balls(dag).run(inputs, every, range(len(dag)))
        states: list[list[bool | None]] = []
        for (code, args), column in zip(dag.rows(), columns, strict=True):
            rows = zip(*[columns[a] for a in args], strict=True) if args else [()] * len(column)
            below = zip(*[states[a] for a in args], strict=True) if args else [()] * len(column)
            states.append([
                _undefined(code, value, operands, known)
                for value, operands, known in zip(column, rows, below, strict=True)
            ])  # fmt: skip
    return [np.array([state is True for state in states[root]]) for root in dag.roots]


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


class _Balls:
    """A program that is evaluated on balls at the working precision."""

    def __init__(self, dag: Dag) -> None:
        self.rows, self.value = dag.rows(), dag.value
        self.boolean: list[bool] = (dag.sort == BOOL).tolist()

    def run(
        self, inputs: Mapping[int, npt.NDArray[Any]], needed: Bools, wanted: Sequence[int]
    ) -> list[list[Any]]:
        """Return one list of values for each wanted position, at its points that are needed."""
        used, left = self._used(needed, wanted)
        columns: dict[int, _Column] = {}
        for at in sorted(used):
            look()
            args = self.rows[at][1]
            columns[at] = self._column(at, columns, inputs, used[at])
            for a in args:
                left[a] -= 1
                if not left[a]:
                    del columns[a]
        return [
            columns[at].where(mask) if mask.any() else []
            for at, mask in zip(wanted, needed, strict=True)
        ]

    def _used(
        self, needed: Bools, wanted: Sequence[int]
    ) -> tuple[dict[int, Bools], dict[int, int]]:
        """Return at which points each position is used, and how often."""
        used: dict[int, Bools] = {}
        left: dict[int, int] = {}
        for at, mask in zip(wanted, needed, strict=True):
            if mask.any():
                used[at] = used[at] | mask if at in used else mask
                left[at] = left.get(at, 0) + 1
        waiting = [-at for at in used]
        heapify(waiting)
        while waiting:
            at = -heappop(waiting)
            mask = used[at]
            for a in self.rows[at][1]:
                left[a] = left.get(a, 0) + 1
                if a not in used:
                    used[a] = mask
                    heappush(waiting, -a)
                elif used[a] is not mask:
                    used[a] = used[a] | mask
        return used, left

    def _column(
        self, at: int, columns: Mapping[int, "_Column"], inputs: Mapping[int, npt.NDArray[Any]],
        used: Bools,
    ) -> "_Column":  # fmt: skip
        from flint import arb

        (code, args), value = self.rows[at], self.value[at]
        if isinstance(value, Symbol):
            given = inputs[at][used].tolist()
            return _Column(used, given if self.boolean[at] else list(map(arb, given)))
        if value is not None:
            return _Column(used, [enclosed(value)] * int(np.count_nonzero(used)))
        function = _QUICK.get((code, len(args))) or ops.OPS[code].ball
        assert function is not None, f"{ops.OPS[code]} has no ball function"
        return _Column(used, list(map(function, *[columns[a].where(used) for a in args])))


@dataclass(frozen=True, slots=True)
class _Column:
    """The values of a position at some points."""

    points: Bools
    values: list[Any]

    def where(self, wanted: Bools) -> list[Any]:
        """Return those at some of the points."""
        if wanted is self.points:
            return self.values
        return list(compress(self.values, wanted[self.points].tolist()))


_QUICK: Final[dict[tuple[int, int], Callable[..., Any]]] = {
    (ops.ADD.code, 2): operator.add,
    (ops.SUB.code, 2): operator.sub,
    (ops.MUL.code, 2): operator.mul,
    (ops.DIV.code, 2): operator.truediv,
    (ops.NEG.code, 1): operator.neg,
}
"""What the ball function does, without a call in between."""


def enclosed(value: Constant) -> Any:
    """Return a constant as a ball, or a truth value as it is."""
    from flint import arb, fmpq

    if isinstance(value, bool):
        return value
    if isinstance(value, Named):
        return arb.pi() if value == PI else arb.const_e()
    if isinstance(value, Fraction):
        return arb(fmpq(value.numerator, value.denominator))
    return arb(value)


def _settle(columns: list[list[Any]], found: list[list[Any]], todo: Bools, precision: int) -> Bools:
    """Store what is decided; tell where more precision may still help."""
    from flint import arb

    tiny = arb(2) ** TINY_EXPONENT
    again = np.zeros(todo.shape, np.bool_)
    for k, (column, out) in enumerate(zip(columns, found, strict=True)):
        for i, ball in zip(np.flatnonzero(todo[k]).tolist(), column, strict=True):
            if ball is None:
                again[k, i] = precision < PRECISIONS[-1]
            elif isinstance(ball, bool):
                out[i] = ball
            elif not ball.is_finite():  # outside a domain, or one level more will tell
                again[k, i] = precision < GIVE_UP
            elif ball.rel_accuracy_bits() >= GOOD_BITS or abs(ball) < tiny:
                out[i] = ball
            else:
                again[k, i] = True
    return again


def _split(column: list[Any], *, boolean: bool) -> Exact:
    """Write balls as sums of two doubles and an exponent."""
    ok = np.array([ball is not None for ball in column], np.bool_)
    if not ok.any():
        return Exact(np.zeros(len(ok)), np.zeros(len(ok)), np.zeros(len(ok), np.int64), ok)
    if boolean:
        high = np.array([0.5 if ball else 0.0 for ball in column])
        return Exact(high, 0.0 * high, np.ones(len(ok), np.int64), ok)
    high, low = np.zeros(len(ok)), np.zeros(len(ok))
    shift = np.zeros(len(ok), np.int64)
    for i, ball in enumerate(column):
        if ball is None:
            continue
        near = float(ball)
        if not 1e-270 < abs(near) < 1e300:
            if ball.is_zero() or ball.rel_accuracy_bits() < GOOD_BITS:
                continue  # zero, or zero as far as any dtype can tell
            ball, shift[i] = _scaled(ball)
            near = float(ball)
        high[i], low[i] = near, float(ball - near)
    high, exponent = np.frexp(high)
    return Exact(high, np.ldexp(low, -exponent), exponent + shift, ok)


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

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> ulp_distance([1.0, 1.0], exact(x * x, {"x": [1.0, 1 + 2**-52]})).round(3)
    array([0., 2.])
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
