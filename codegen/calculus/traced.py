"""Derivatives of functions as functions: rules of what a function returns, by name."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

from codegen.calculus.grad import (
    form_of,
    formed,
    grad,
    independent,
    name_of,
    number_of,
    plain,
    restored,
    single_of,
    unjitted,
)  # fmt: skip
from codegen.jit import jit
from rewrite.errors import ArgumentError
from rewrite.term import Term
from strategies.calculus import derivatives as of_terms

__all__ = ["derivative", "repeated"]

_POSITIONAL: Final = (
    inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
)  # fmt: skip
_ARGUMENTS, _RESULTS = "v", "w"
"""Names of a vector that is like an argument, and of one that is like the results."""


def repeated(f: Any, n: Any, argnum: int, options: dict[str, Any]) -> Any:
    """Return the n-th derivative of a function."""
    for _ in range(of_terms.times_of(n)):
        f = grad(f, argnums=argnum, **options)
    return f


def derivative(
    kind: str, f: Any, argnum: int, options: dict[str, Any], **how: Any
) -> Any:  # fmt: skip
    """Return a jitted function of the arguments of another, and of a vector after one of them."""
    make, vector = _RULES[kind]
    fn, options = unjitted(f, options)
    parameters = list(inspect.signature(fn).parameters.values())
    place = _place(argnum, parameters, fn)

    @functools.wraps(fn)
    def made(*args: Any, **kwargs: Any) -> Any:
        undo: dict[Term, Term] = {}
        before, rest = list(args[:place]), list(args[place + 1 :])
        along = rest.pop(0) if vector else None
        wanted = independent(args[place], undo)
        value = fn(*before, wanted, *rest, **kwargs)
        return restored(make(value, wanted, along, **how), undo)

    if vector:
        name = _insert(parameters, place, vector)
        made.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        arrays = set(options.get("arrays", ()))
        if arrays if vector == _RESULTS else parameters[place].name in arrays:
            options = {**options, "arrays": [*sorted(arrays), name]}
    return jit(**options)(made)


def _place(argnum: Any, parameters: list[inspect.Parameter], fn: Any) -> int:
    """Return the place of the argument of a number, which may count from the end."""
    place, count = number_of(argnum), len(parameters)
    if not -count <= place < count or parameters[place].kind not in _POSITIONAL:
        raise ArgumentError(
            f"argnums={argnum}: {name_of(fn)} has no positional argument of this number"
        )
    return place % count


def _insert(parameters: list[inspect.Parameter], place: int, name: str) -> str:
    """Add a parameter after that of a place, and return its name; it and those before are given."""
    while name in [each.name for each in parameters]:
        name += name[0]
    own = [each.replace(default=each.empty) for each in parameters[: place + 1]]
    parameters[: place + 1] = [*own, inspect.Parameter(name, own[-1].kind)]
    return name


# -- rules -----------------------------------------------------------------------------------


def _jacobian(value: Any, wanted: Any, _: Any, *, mode: of_terms.Mode) -> Any:
    return form_of(of_terms.jacobian(plain(value), plain(wanted), mode=mode), wanted)


def _hessian(value: Any, wanted: Any, _: Any, *, fn: Any) -> Any:
    return form_of(of_terms.hessian(single_of(value, fn), plain(wanted)), wanted)


def _jvp(value: Any, wanted: Any, along: Any) -> Any:
    made = of_terms.jvp(plain(value), plain(wanted), plain(along, like=wanted))
    return formed(made.terms(), value)


def _vjp(value: Any, wanted: Any, along: Any) -> Any:
    made = of_terms.vjp(plain(value), plain(wanted), plain(along, like=value))
    return formed(made.terms(), wanted)


def _hvp(value: Any, wanted: Any, along: Any, *, fn: Any) -> Any:
    made = of_terms.hvp(single_of(value, fn), plain(wanted), plain(along, like=wanted))
    return formed(made.terms(), wanted)


_RULES: Final[dict[str, tuple[Callable[..., Any], str | None]]] = {
    "jacobian": (_jacobian, None), "hessian": (_hessian, None), "jvp": (_jvp, _ARGUMENTS),
    "vjp": (_vjp, _RESULTS), "hvp": (_hvp, _ARGUMENTS),
}  # fmt: skip
