"""What solvers call: kernels that write where the solver reads."""

import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from codegen.ode.equations import Equations
from codegen.ode.system import Floats
from rewrite.errors import ArgumentError

__all__ = ["by_cvode", "by_scipy"]

IMPLICIT: Final = ("BDF", "Radau", "LSODA")
"""Solvers of SciPy that use a Jacobian."""
MANY_STEPS: Final = 1_000_000
"""SciPy's solvers take any number of steps to a time; CVODE's own bound is 500."""


def by_scipy(
    equations: Equations, t_span: Any, y0: Floats, args: tuple[Any, ...], method: Any,
    *, analytic: bool, **options: Any,
) -> Any:  # fmt: skip
    """Run `scipy.integrate.solve_ivp`."""
    try:
        from scipy.integrate import solve_ivp
    except ImportError:
        raise ArgumentError("solve_ivp needs SciPy: pip install scipy") from None

    name = method if isinstance(method, str) else getattr(method, "__name__", "")
    if name in IMPLICIT and not options.keys() & {"jac", "jac_sparsity"}:
        if not analytic and name != "LSODA":
            options["jac_sparsity"] = equations.sparsity
        elif analytic:
            options["jac"] = _filled(equations, args, dense=name == "LSODA")
    if args and options.get("events") is not None:
        options["events"] = _with_arguments(options["events"], args)
    rhs = equations.rhs
    return solve_ivp(lambda t, y: rhs(t, y, *args), t_span, y0, method=method, **options)


def _with_arguments(events: Any, args: tuple[Any, ...]) -> list[Callable[..., Any]]:
    """Call events as SciPy does where it is given `args`: with them, after time and state."""

    def bound(event: Callable[..., Any]) -> Callable[..., Any]:
        def call(t: float, y: Floats) -> Any:
            return event(t, y, *args)

        call.__dict__.update(getattr(event, "__dict__", {}))  # terminal, direction
        return call

    return list(map(bound, [events] if callable(events) else events))


def _filled(equations: Equations, args: tuple[Any, ...], *, dense: bool) -> Callable[..., Any]:
    """Return a Jacobian that fills the values of one matrix again and again.

    Solvers keep the matrix and not its values: they factor I - c*J, which is another matrix, and
    when they ask for J at another point they have no use for the one before.
    """
    jacobian, values = equations.jacobian, np.empty(equations.pattern.nnz)
    matrix = equations.pattern.filled(values)

    def filled(t: float, y: Floats) -> Any:
        jacobian(t, y, *args, out=values)
        return matrix.toarray() if dense else matrix

    return filled


def by_cvode(
    equations: Equations, t_span: Any, y0: Floats, args: tuple[Any, ...],
    *, analytic: bool, t_eval: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """Run CVODE of SUNDIALS with its sparse direct solver; return what SciPy's solvers return."""
    try:
        from sksundae.cvode import CVODE
    except ImportError:
        raise ArgumentError(
            "method='CVODE' needs scikit-sundae: pip install scikit-sundae"
        ) from None
    from scipy.optimize import OptimizeResult

    rhs = equations.rhs

    def derivatives(t: float, y: Floats, out: Floats) -> None:
        rhs(t, y, *args, out=out)

    settings: dict[str, Any] = {"max_num_steps": MANY_STEPS, **options}
    if settings.setdefault("linsolver", "sparse") == "sparse":
        settings["sparsity"] = equations.sparsity
        if analytic:
            settings["sparsity"] = equations.pattern.filled(np.ones(equations.pattern.nnz))
            settings["jacfn"] = _filling(equations, args)
    with warnings.catch_warnings():  # it says that a pattern is not needed beside a Jacobian
        warnings.simplefilter("ignore")
        solver = CVODE(derivatives, **settings)
    times, keep = _times(t_span, t_eval)
    found = solver.solve(times, y0)
    own = slice(None) if keep is None else keep[: len(found.t)]
    return OptimizeResult(
        t=found.t[own], y=found.y[own].T, sol=None, t_events=None, y_events=None, nfev=found.nfev,
        njev=found.njev, nlu=None, status=found.status, message=found.message,
        success=found.success,
    )  # fmt: skip


def _filling(equations: Equations, args: tuple[Any, ...]) -> Callable[..., None]:
    """Return a Jacobian that writes its values into CVODE's."""
    jacobian = equations.jacobian

    def filling(t: float, y: Floats, _: Floats, out: Floats) -> None:
        jacobian(t, y, *args, out=out)

    return filling


def _times(t_span: Any, t_eval: Any) -> tuple[Floats, Any]:
    """Return the times to ask for, and which of them were wanted: the first one is the start's.

    Of two times CVODE would return its own steps between them.
    """
    first, last = map(float, t_span)
    if t_eval is None:
        return np.array([first, last]), None
    wanted = np.asarray(t_eval, np.float64)
    inside = (wanted - first) * (wanted - last) <= 0
    if wanted.ndim != 1 or not len(wanted) or not inside.all():
        raise ArgumentError(f"t_eval= must be times between {first} and {last}")
    times = wanted if wanted[0] == first else np.concatenate([[first], wanted])
    keep = np.ones(len(times), np.bool_)
    keep[0] = wanted[0] == first
    while len(times) < 3:
        at = len(times) - 1
        end = times[-1] if at else last
        between = (times[0] + end) / 2
        times, keep = np.insert(times, 1, between), np.insert(keep, 1, False)
    return times, keep
