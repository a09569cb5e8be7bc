"""Dormand and Prince's pair of orders 5 and 4 in machine code, with a kernel as its function.

It is the method of SciPy's `RK45`, with its coefficients, its choice of steps and its interpolant
(`scipy/integrate/_ivp/rk.py`, and "A family of embedded Runge-Kutta formulae", 1980), so that it
takes the same steps; what is saved is Python between them. It is compiled once, and kept by Numba
on disk; the function is called by its address. Numba compiles loops far faster than array formulas.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from codegen.ode.equations import Equations
from codegen.ode.system import Floats
from rewrite.errors import ArgumentError

__all__ = ["by_dormand_prince"]

_FAILED = "Required step size is less than spacing between numbers."
_DONE = "The solver successfully reached the end of the integration interval."


def by_dormand_prince(
    equations: Equations, t_span: Any, y0: Floats, args: tuple[Any, ...], *, rtol: float, atol: Any,
    t_eval: Any = None, first_step: float | None = None, max_step: float = np.inf,
    analytic: bool = True, **others: Any,
) -> Any:  # fmt: skip
    """Solve, and return what SciPy's solvers return; `analytic` is of methods with a Jacobian."""
    if others:
        raise ArgumentError(
            f"method='dopri5' takes no {sorted(others)[0]}=; SciPy's method='RK45' takes the same "
            "steps, and has events and dense output"
        )
    try:
        from scipy.integrate import RK45
        from scipy.optimize import OptimizeResult
    except ImportError:
        raise ArgumentError("method='dopri5' needs SciPy: pip install scipy") from None
    begin, end = map(float, t_span)
    wanted = _times(t_eval, begin, end)
    tolerances = np.broadcast_to(np.asarray(atol, np.float64), y0.shape).copy()
    if rtol < 0 or np.any(tolerances < 0) or max_step <= 0 or (first_step or 1) <= 0:
        raise ArgumentError("tolerances are not negative, and steps are positive")
    packed = np.concatenate([np.empty(0), *(np.ravel(np.asarray(a, np.float64)) for a in args)])
    order = np.ascontiguousarray
    t, y, calls, status = _integrate(
        equations.derivatives.address, begin, end, y0, packed,
        max(rtol, 100 * np.finfo(float).eps), tolerances, wanted, t_eval is not None,
        first_step or 0.0, max_step, order(RK45.A), order(RK45.C), order(RK45.B), order(RK45.E),
        order(RK45.P),
    )  # fmt: skip
    return OptimizeResult(
        t=t, y=y.T, sol=None, t_events=None, y_events=None, nfev=calls, njev=0, nlu=0,
        status=status, message=_DONE if status == 0 else _FAILED, success=status == 0,
    )  # fmt: skip


def _times(t_eval: Any, begin: float, end: float) -> Floats:
    """Return the times that are asked for, which SciPy wants in order."""
    times = np.empty(0) if t_eval is None else np.asarray(t_eval, np.float64)
    inside = (times - begin) * (times - end) <= 0
    ordered = np.all(np.diff(times) * np.sign(end - begin) > 0)
    if times.ndim != 1 or not inside.all() or not ordered:
        raise ArgumentError(f"t_eval= must be times from {begin} to {end}, in their order")
    return times


def _called(typingctx: Any, address: Any, t: Any, y: Any, p: Any, out: Any) -> Any:
    """Call `void f(double t, double *y, double *p, double *out)` at an address."""

    def write(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        where, time, *arrays = args
        kinds = signature.args[2:]
        data = [
            context.make_array(kind)(context, builder, value).data
            for kind, value in zip(kinds, arrays, strict=True)
        ]
        kind = ir.FunctionType(ir.VoidType(), [time.type, *(each.type for each in data)])
        builder.call(builder.inttoptr(where, kind.as_pointer()), [time, *data])
        return context.get_dummy_value()

    return types.none(address, t, y, p, out), write


_call: Any = intrinsic(_called)


@njit(nogil=True, cache=True)
def _norm(values: Any, less: Any, y: Any, rtol: float, atol: Any) -> Any:
    """Return the root of the mean square of differences, as parts of what is tolerated."""
    total = 0.0
    for i in range(len(y)):
        part = (values[i] - less[i]) / (atol[i] + abs(y[i]) * rtol)
        total += part * part
    return np.sqrt(total / len(y))


@njit(nogil=True, cache=True)
def _first_step(
    f: Any, t: float, y: Any, k: Any, p: Any, end: float, rtol: float, atol: Any, longest: float
) -> Any:  # fmt: skip
    """Choose a step; source: Hairer, Norsett and Wanner, "Solving ODEs I", section II.4."""
    span, slope, none, moved = abs(end - t), k[0], k[2], k[3]
    direction = np.sign(end - t)
    for i in range(len(y)):
        none[i] = 0.0
    d0, d1 = _norm(y, none, y, rtol, atol), _norm(slope, none, y, rtol, atol)
    h0 = min(1e-6 if d0 < 1e-5 or d1 < 1e-5 else 0.01 * d0 / d1, span)
    for i in range(len(y)):
        moved[i] = y[i] + h0 * direction * slope[i]
    _call(f, t + h0 * direction, moved, p, k[1])
    d2 = _norm(k[1], slope, y, rtol, atol) / h0
    if d1 <= 1e-15 and d2 <= 1e-15:
        h1 = max(1e-6, h0 * 1e-3)
    else:
        h1 = (0.01 / max(d1, d2)) ** 0.2
    return min(min(100 * h0, h1), min(span, longest))


@njit(nogil=True, cache=True)
def _stages(
    f: Any, t: float, y: Any, h: float, p: Any, k: Any, new: Any, a: Any, b: Any, c: Any
) -> None:
    """Evaluate the stages of a step; the first is there, and the last is at the new state."""
    n = len(y)
    for stage in range(1, 6):
        for i in range(n):
            total = 0.0
            for before in range(stage):
                total += k[before, i] * a[stage, before]
            new[i] = y[i] + total * h
        _call(f, t + c[stage] * h, new, p, k[stage])
    for i in range(n):
        total = 0.0
        for stage in range(6):
            total += k[stage, i] * b[stage]
        new[i] = y[i] + h * total
    _call(f, t + h, new, p, k[6])


@njit(nogil=True, cache=True)
def _error(k: Any, y: Any, new: Any, h: float, rtol: float, atol: Any, e: Any) -> Any:
    total = 0.0
    for i in range(len(y)):
        found = 0.0
        for stage in range(7):
            found += k[stage, i] * e[stage]
        part = found * h / (atol[i] + max(abs(y[i]), abs(new[i])) * rtol)
        total += part * part
    return np.sqrt(total / len(y))


@njit(nogil=True, cache=True)
def _between(k: Any, y: Any, h: float, x: float, weights: Any, out: Any) -> None:
    """Write the state at the part x of a step."""
    for i in range(len(y)):
        total = 0.0
        for power in range(weights.shape[1]):
            inner = 0.0
            for stage in range(7):
                inner += k[stage, i] * weights[stage, power]
            total += inner * x ** (power + 1)
        out[i] = y[i] + h * total


@njit(nogil=True, cache=True)
def _room(kept: Any, at: int) -> Any:
    """Return memory for one more row."""
    if at < len(kept):
        return kept
    made = np.empty((2 * len(kept), kept.shape[1]))
    for row in range(len(kept)):
        for i in range(kept.shape[1]):
            made[row, i] = kept[row, i]
    return made


@njit(nogil=True, cache=True)
def _put(kept: Any, at: int, t: float, y: Any) -> None:
    kept[at, 0] = t
    for i in range(len(y)):
        kept[at, i + 1] = y[i]


@njit(nogil=True, cache=True)
def _step(
    f: Any, t: float, end: float, step: float, longest: float, y: Any, p: Any, k: Any, new: Any,
    rtol: float, atol: Any, a: Any, b: Any, c: Any, e: Any,
) -> Any:  # fmt: skip
    """Take one step that is accurate enough: its end, the next size, the calls; or end at t."""
    direction, calls, rejected = np.sign(end - t), 0, False
    least = 10 * abs(np.nextafter(t, direction * np.inf) - t)
    step = min(max(step, least), longest)
    while step >= least:
        following = t + step * direction
        if direction * (following - end) > 0:
            following = end
        h = following - t
        step = abs(h)
        _stages(f, t, y, h, p, k, new, a, b, c)
        calls += 6
        error = _error(k, y, new, h, rtol, atol, e)
        if error < 1:
            factor = 10.0 if error == 0 else min(10.0, 0.9 * error**-0.2)
            return following, step * (min(1.0, factor) if rejected else factor), calls
        step *= max(0.2, 0.9 * error**-0.2)
        rejected = True
    return t, step, calls


@njit(nogil=True, cache=True)
def _integrate(
    f: Any, t: float, end: float, y0: Any, p: Any, rtol: float, atol: Any, wanted: Any,
    chosen: bool, step: float, longest: float, a: Any, c: Any, b: Any, e: Any, weights: Any,
) -> Any:  # fmt: skip
    """Step from t to the end; return times and states, the number of calls, and 0 or -1."""
    n, y, new, between = len(y0), y0.copy(), np.empty(len(y0)), np.empty(len(y0))
    k, kept, at, status = np.zeros((7, n)), np.empty((64, n + 1)), 0, 0
    direction, calls = np.sign(end - t), 1
    _call(f, t, y, p, k[0])
    if step == 0.0 and t != end:
        step = _first_step(f, t, y, k, p, end, rtol, atol, longest)
        calls = 2
    while at < len(wanted) and wanted[at] == t if chosen else at < 1:
        _put(kept, at, t, y)
        at += 1
    while t != end:
        following, step, more = _step(
            f, t, end, step, longest, y, p, k, new, rtol, atol, a, b, c, e
        )
        calls += more
        if following == t:
            status = -1
            break
        while chosen and at < len(wanted) and direction * (wanted[at] - following) <= 0:
            kept, h = _room(kept, at), following - t
            _between(k, y, h, (wanted[at] - t) / h, weights, between)
            _put(kept, at, wanted[at], between)
            at += 1
        if not chosen:
            kept = _room(kept, at)
            _put(kept, at, following, new)
            at += 1
        t = following
        for i in range(n):
            y[i] = new[i]
            k[0, i] = k[6, i]
    return kept[:at, 0].copy(), kept[:at, 1:].copy(), calls, status
