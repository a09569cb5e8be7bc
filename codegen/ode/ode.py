"""`ode`: an initial value problem whose right-hand side and Jacobian are kernels."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import numpy as np

from codegen.ode.equations import Equations
from codegen.ode.solvers import by_cvode, by_scipy
from codegen.ode.system import System, of_function, of_network, of_terms
from rewrite.errors import ArgumentError
from rewrite.io.bionetgen import Network
from rewrite.options import settled
from rewrite.term import Term, scope

__all__ = ["Ode", "ode"]

_JACOBIANS: Final = ("kernel", "differences")


class Ode:
    """An initial value problem; made by `ode`."""

    def __init__(
        self, form: System | Callable[..., Any], jacobian: str, options: dict[str, Any]
    ) -> None:
        self.form, self.analytic, self.options = form, jacobian == "kernel", options
        self._made: dict[Any, Equations] = {}

    def __repr__(self) -> str:
        """Show what it is of."""
        shown = self.form if isinstance(self.form, System) else getattr(self.form, "__name__", "?")
        return f"<Ode of {shown}>"

    def equations(self, y0: Any = None, args: Any = None) -> Equations:
        """Return the terms and kernels; those of a function depend on its arguments' shapes.

        Raise `ArgumentError` for a function without start values, or with some by name.
        """
        if isinstance(self.form, System):
            return self._made.setdefault(None, Equations(self.form, self.options))
        values = () if args is None else tuple(args) if isinstance(args, (tuple, list)) else (args,)
        if y0 is None or np.ndim(y0) != 1 or isinstance(y0, Mapping):
            raise ArgumentError("y0= must be a list of start values, as a function has no names")
        key = len(y0), *map(np.shape, values)
        if key not in self._made:
            with scope():
                self._made[key] = Equations(of_function(self.form, len(y0), values), self.options)
        return self._made[key]

    def solve_ivp(
        self, t_span: Any, y0: Any = None, method: Any = "BDF", t_eval: Any = None, *,
        args: Any = None, rtol: float = 1e-3, atol: Any = 1e-6, **options: Any,
    ) -> Any:  # fmt: skip
        """Solve from t_span[0] to t_span[1] and return what `scipy.integrate.solve_ivp` does.

        `method` is one of SciPy's, "dopri5" for the steps of SciPy's "RK45" in machine code (with
        no events and no dense output), or "CVODE" for that of SUNDIALS by scikit-sundae. Implicit
        ones get the sparse Jacobian, and "CVODE" solves with it by SuperLU. `y0` are the start
        values in the order of the states, or a mapping from states or their names; a network has
        its own. `args` are values of the parameters, in their order or by name. Other options go
        to the solver.

        Raise `ArgumentError` for values that are too many, too few, or of no state or parameter.
        """
        equations = self.equations(y0, args)
        start, values = equations.system.initial(y0), equations.system.values(args)
        options |= {"rtol": rtol, "atol": atol, "t_eval": t_eval, "analytic": self.analytic}
        if method == "dopri5":
            from codegen.ode.dormand_prince import by_dormand_prince  # loads Numba

            return by_dormand_prince(equations, t_span, start, values, **options)
        if method == "CVODE":
            return by_cvode(equations, t_span, start, values, **options)
        return by_scipy(equations, t_span, start, values, method, **options)


def ode(
    f: Any, rhs: Any = None, *, time: Term | None = None, parameters: Iterable[Any] = (),
    jacobian: Literal["kernel", "differences"] = "kernel", **options: Any,
) -> Ode:  # fmt: skip
    """Make an initial value problem dy/dt = f(t, y, *parameters) whose functions are compiled.

    `f` is a mapping from symbols of states to the terms of their derivatives; a list or array of
    states with `rhs`, the list of derivatives; a network of `rw.io.bionetgen`; or a NumPy function
    f(t, y, *args), which is traced when start values are known. Of terms, `time` is the symbol of
    time, and `parameters` lists symbols or arrays of them; of a network, names of its parameters,
    whose values can then be other ones in each solution (`parameters=network.parameters` for all
    of them; their kernels take one array). Other options are those of `rw.compile`.

    Kernels are compiled when a solver first needs them, and kept. With jacobian="differences" there
    is no kernel of the Jacobian: solvers take differences along groups of columns, by its sparsity.

    Raise `ArgumentError` for a right-hand side with free symbols.

    >>> import rewrite as rw
    >>> y, k = rw.symbols("y k")
    >>> decay = rw.ode({y: -k * y}, parameters=[k])
    >>> decay.solve_ivp((0, 1), [1.0], args=(2.0,), rtol=1e-8, atol=1e-10).y[0, -1].round(6)
    np.float64(0.135335)
    """
    if jacobian not in _JACOBIANS:
        raise ArgumentError(f"jacobian={jacobian!r} is none of {', '.join(_JACOBIANS)}")
    if "dtype" in options:
        raise ArgumentError("solvers compute in float64; leave dtype= out")
    options = settled({**options, "dtype": np.float64})
    return Ode(_form(f, rhs, time, parameters), jacobian, options)


def _form(
    f: Any, rhs: Any, time: Term | None, parameters: Iterable[Any]
) -> System | Callable[..., Any]:
    if isinstance(parameters, Term):
        parameters = [parameters]
    if isinstance(f, Mapping) and rhs is None:
        return of_terms(list(f), list(f.values()), time, parameters)
    if rhs is not None:
        return of_terms(f, rhs, time, parameters)
    if time is not None:
        raise ArgumentError("time= is for terms; a function and a network have their own")
    if isinstance(f, Network):
        return of_network(f, parameters)
    if not callable(f) or isinstance(f, Term):
        raise ArgumentError(
            f"ode takes states and their derivatives, a function or a network, not {f!r}"
        )
    if tuple(parameters):
        raise ArgumentError("parameters= are those of the function; give values by args=")
    return f  # type: ignore[no-any-return]
