"""`System`: the equations of an initial value problem as terms, whatever form they came in."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from codegen.forms import check_names, parameters_of, symbols_of
from rewrite.array import TermArray, asarray
from rewrite.errors import ArgumentError
from rewrite.io.bionetgen import Network
from rewrite.store import Symbol
from rewrite.term import Term, current_store, join_all
from rewrite.tracing import trace

__all__ = ["System", "of_function", "of_network", "of_terms"]

type Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class System:
    """dy/dt = rhs(t, y, *parameters), all of one store."""

    states: TermArray
    rhs: TermArray
    time: Term
    parameters: tuple[Term | TermArray, ...] = ()
    labels: tuple[str, ...] = ()
    """Other names of the states, by which start values may be given too."""
    start: Floats | None = None
    defaults: tuple[Any, ...] | None = None
    """Values of the parameters where none are given."""
    packed: bool = False
    """The parameters are one array; each of its symbols is given as a parameter by itself."""

    def __post_init__(self) -> None:
        """Refuse free symbols, and names that mean two things."""
        parts = [self.time, self.states, *self.parameters]
        known = {term.symbol for part in parameters_of(parts) for term in part.symbols}
        for symbol in symbols_of(self.rhs.terms()):
            if symbol not in known:
                clash = next((each for each in known if each and each.name == symbol.name), None)
                if clash:
                    check_names([symbol, clash])
                hint = f"time={symbol.name}, or in " if symbol.name == "t" else ""
                raise ArgumentError(
                    f"the right-hand side has the free symbol {symbol.name!r}; give it in {hint}"
                    "parameters=[...], or substitute a value"
                )

    def __repr__(self) -> str:
        """Show the size."""
        return f"<System of {self.states.size} equations, {len(self.parameters)} parameters>"

    @property
    def names(self) -> list[str]:
        """The names of the states."""
        return [term.symbol.name for term in self.states.terms() if term.symbol]

    def initial(self, y0: Any) -> Floats:
        """Return start values: an array, or a mapping from states or their names to numbers."""
        count = self.states.size
        if y0 is None:
            if self.start is None:
                raise ArgumentError(f"y0= is missing: start values of {_listed(self.names)}")
            return _finite(self.start.copy())
        if isinstance(y0, Mapping):
            return self._by_name(y0)
        values = np.array(y0, np.float64)
        if values.shape != (count,):
            raise ArgumentError(
                f"y0= has the shape {values.shape}; there are {count} states: {_listed(self.names)}"
            )
        return _finite(values)

    def _by_name(self, given: Mapping[Any, Any]) -> Floats:
        places = {name: at for at, name in enumerate(self.labels)}
        places |= {name: at for at, name in enumerate(self.names)}
        values = np.full(self.states.size, np.nan) if self.start is None else self.start.copy()
        seen = set(range(len(values))) if self.start is not None else set()
        for key, value in given.items():
            name = key.symbol.name if isinstance(key, Term) and key.symbol else str(key)
            if name not in places:
                raise ArgumentError(f"y0= has {name!r}; the states are {_listed(self.names)}")
            values[places[name]] = value
            seen.add(places[name])
        missing = [name for at, name in enumerate(self.names) if at not in seen]
        if missing:
            raise ArgumentError(f"y0= lacks the start value of {_listed(missing)}")
        return _finite(values)

    @property
    def given(self) -> list[Term | TermArray]:
        """The parameters as values are given for them."""
        return list(self.parameters[0].terms()) if self.packed else list(self.parameters)  # type: ignore[union-attr]

    def values(self, args: Any) -> tuple[Any, ...]:
        """Return the values of the kernels' parameters."""
        names = [_name(parameter) for parameter in self.given]
        if args is None:
            args = () if self.defaults is None else self.defaults
        elif isinstance(args, Mapping):
            args = self._chosen(args, names)
        elif not isinstance(args, (tuple, list)) and not (self.packed and np.ndim(args)):
            args = (args,)
        if len(args) != len(names):
            raise ArgumentError(
                f"args= has {len(args)} values; the parameters are {_listed(names) or 'none'}"
            )
        made = []
        for parameter, name, value in zip(self.given, names, args, strict=True):
            array, shape = np.asarray(value, np.float64), _shape(parameter)
            if array.shape != shape:
                raise ArgumentError(
                    f"the parameter {name} has the shape {shape}, not {array.shape}"
                )
            if np.isnan(array).any():
                raise ArgumentError(f"the parameter {name} is {value!r}; solvers would not end")
            made.append(array if shape else float(array))
        return (np.array(made),) if self.packed else tuple(made)

    def _chosen(self, given: Mapping[Any, Any], names: list[str]) -> list[Any]:
        known = dict(zip(names, self.defaults or (), strict=False))
        for key, value in given.items():
            name = _name(key) if isinstance(key, (Term, TermArray)) else str(key)
            if name not in names:
                raise ArgumentError(
                    f"args= has {name!r}; the parameters are {_listed(names) or 'none'}"
                )
            known[name] = value
        missing = [name for name in names if name not in known]
        if missing:
            raise ArgumentError(f"args= lacks the parameter {_listed(missing)}")
        return [known[name] for name in names]


def _name(parameter: Any) -> str:
    return parameters_of([parameter])[0].name


def _shape(parameter: Term | TermArray) -> tuple[int, ...]:
    return () if isinstance(parameter, Term) else parameter.shape


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown}, ... ({len(names)} in all)"


def _finite(values: Floats) -> Floats:
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ArgumentError(f"y0= has {values[wrong[0]]} at {wrong[0]}; start values are numbers")
    return values


# -- forms -----------------------------------------------------------------------------------


def of_terms(states: Any, rhs: Any, time: Term | None, parameters: Iterable[Any]) -> System:
    """Make a system of states and the terms of their derivatives."""
    array, derivatives = asarray(states).ravel(), asarray(rhs).ravel()
    if array.size != derivatives.size:
        raise ArgumentError(
            f"{array.size} states have {derivatives.size} derivatives; give one for each"
        )
    store = array.store
    derivatives = TermArray(store, np.array(join_all(store, derivatives.terms()), np.int32))
    given = tuple(
        asarray(each, store) if not isinstance(each, Term) else asarray(each, store).item()
        for each in parameters
    )
    parameters_of([array, *given])
    clock = _clock([array, *given], derivatives) if time is None else asarray(time, store).item()
    return System(array, derivatives, clock, given)


def _clock(parts: Sequence[Term | TermArray], rhs: TermArray) -> Term:
    """Return a symbol of time that nothing else is."""
    taken = {
        term.symbol.name for p in parameters_of(list(parts)) for term in p.symbols if term.symbol
    }
    taken |= {symbol.name for symbol in symbols_of(rhs.terms())}
    name = "t"
    while name in taken:
        name += "_"
    return Term(rhs.store, rhs.store.symbol(Symbol(name)))


def of_network(network: Network, names: Iterable[Any]) -> System:
    """Make a system of a reaction network; parameters that are named stay symbols.

    Kernels take them as one array, as NumPy's functions have a bound on arguments.
    """
    each = [names] if isinstance(names, str) else names
    wanted = list(dict.fromkeys(_name(n) if isinstance(n, Term) else str(n) for n in each))
    unknown = [name for name in wanted if name not in network.parameters]
    if unknown:
        raise ArgumentError(f"{network.name} has no parameter {unknown[0]!r}")
    by_name = dict(zip(network.parameters, network.parameter_symbols.terms(), strict=True))
    given = {name: by_name[name] for name in wanted}
    states, packed = network.symbols, (asarray(list(given.values())),) if given else ()
    return System(
        states, network.rhs(states, given), network.time, packed, network.species, network.initial,
        tuple(network.parameters[name] for name in wanted), packed=bool(given),
    )  # fmt: skip


def of_function(f: Callable[..., Any], count: int, args: Sequence[Any]) -> System:
    """Trace f(t, y, *args) with a state of so many numbers and arguments of these shapes."""
    specs = [np.shape(value) or None for value in args]
    traced = trace(f, [None, (count,), *specs])
    time, states, *parameters = traced.args
    rhs = traced.result
    derivatives = asarray(rhs, current_store()) if not isinstance(rhs, Term) else asarray([rhs])
    if derivatives.shape != (count,):
        raise ArgumentError(
            f"{getattr(f, '__name__', 'the function')} returns the shape {derivatives.shape} for "
            f"a state of {count} numbers"
        )
    return System(states, derivatives, time, tuple(parameters))  # type: ignore[arg-type]
