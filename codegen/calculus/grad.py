"""`grad` and `value_and_grad`: derivatives of NumPy functions, compiled on the first call."""

import functools
import itertools
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import numpy as np

from codegen.jit import Jitted, jit
from rewrite.array import TermArray, asarray
from rewrite.errors import ArgumentError
from rewrite.leaves import symbol
from rewrite.store import Store
from rewrite.term import Term
from rewrite.tracing import is_container, leaves, rebuilt
from strategies.calculus.derivatives import gradient

__all__ = [
    "form_of", "formed", "grad", "independent", "name_of", "number_of", "plain", "restored",
    "single_of", "terms_of", "unjitted", "value_and_grad",
]  # fmt: skip

_COUNT: Final = itertools.count()


def grad(
    fn: Callable[..., Any] | None = None, /, *, argnums: int | Collection[int] = 0, **options: Any
) -> Any:
    """Return a function that computes the derivative of one that returns a single number.

    It is by the argument of the number `argnums`, in the form of that argument, also of a
    dictionary or tuple of arrays; by several, a tuple of derivatives. Arguments and options are
    those of `rw.jit`. It can be used as a decorator, called with terms, and nested.

    Raise `ArgumentError` for what is the number of no argument, and where the function returns more
    than one number.

    >>> import numpy as np, rewrite as rw
    >>> slope = rw.grad(lambda x: np.sin(x) * x)
    >>> slope(0.0), rw.grad(slope)(0.0)
    (np.float64(0.0), np.float64(2.0))
    """
    if fn is None:
        return functools.partial(grad, argnums=argnums, **options)
    return _jitted(fn, argnums, options, with_value=False)


def value_and_grad(
    fn: Callable[..., Any] | None = None, /, *, argnums: int | Collection[int] = 0, **options: Any
) -> Any:
    """Return a function that computes a value and its derivative by one kernel, see `grad`.

    >>> import rewrite as rw
    >>> rw.value_and_grad(lambda x, y: x * x * y)(3.0, 2.0)
    (np.float64(18.0), np.float64(12.0))
    """
    if fn is None:
        return functools.partial(value_and_grad, argnums=argnums, **options)
    return _jitted(fn, argnums, options, with_value=True)


def _jitted(
    fn: Callable[..., Any], argnums: int | Collection[int], options: dict[str, Any], *,
    with_value: bool,
) -> Any:  # fmt: skip
    """Return a derivative as a jitted function."""
    fn, options = unjitted(fn, options)
    return jit(**options)(_Derivative(fn, argnums, with_value=with_value).traced())


def unjitted(fn: Any, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Return what is traced, with options to which those of a jitted function are added."""
    if not callable(fn):
        raise ArgumentError(f"{fn!r} is no function, and no term with the symbols to take it by")
    if not isinstance(fn, Jitted):
        return fn, options
    return fn.fn, {**fn.options, "arrays": fn.arrays, "static": fn.static, **options}


class _Derivative:
    """A function of terms that returns derivatives of what another one returns."""

    def __init__(
        self, fn: Callable[..., Any], argnums: int | Collection[int], *, with_value: bool
    ) -> None:
        self.fn = fn
        self.single = not isinstance(argnums, (list, tuple, set, frozenset, range))
        self.places = [number_of(each) for each in ([argnums] if self.single else argnums)]  # type: ignore[union-attr]
        self.with_value = with_value

    def traced(self) -> Callable[..., Any]:
        """Return it as a function with the signature of the original."""

        @functools.wraps(self.fn)
        def derivative(*args: Any, **kwargs: Any) -> Any:
            return self(args, kwargs)

        return derivative

    def __call__(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        given = list(args)
        undo: dict[Term, Term] = {}
        for place in self.places:
            if not -len(args) <= place < len(args):
                raise ArgumentError(
                    f"argnums={place}: {name_of(self.fn)} was called with {len(args)} positional "
                    "arguments"
                )
            given[place] = independent(args[place], undo)
        value = self.fn(*given, **kwargs)
        term = single_of(value, self.fn)
        made = tuple(restored(_by(term, given[place]), undo) for place in self.places)
        slope = made[0] if self.single else made
        return (restored(value, undo), slope) if self.with_value else slope


def number_of(given: Any) -> int:
    """Return the number of an argument."""
    if isinstance(given, bool) or not isinstance(given, (int, np.integer)):
        raise ArgumentError(f"argnums={given!r} is not the number of an argument")
    return int(given)


def _by(term: Term, wanted: Any) -> Any:
    """Return the derivative in the form of what it is taken by."""
    parts = _parts(wanted)
    slopes = iter(gradient(term, [t for part in parts for t in terms_of(part)]).terms())
    made = [formed(list(itertools.islice(slopes, plain(part).size)), part) for part in parts]
    return rebuilt(wanted, iter(made)) if is_container(wanted) else made[0]


def _parts(value: Any) -> list[Any]:
    """Return the numbers and arrays that a derivative is taken by."""
    return [part for _, part in leaves(value)] if is_container(value) else [value]


def terms_of(value: Any) -> list[Term]:
    """Return the terms of a number, a term or an array of them."""
    return plain(value).terms()


def formed(terms: Sequence[Term], like: Any) -> Any:
    """Give terms the form of a term or of an array."""
    return _like(like, list(terms)) if isinstance(like, TermArray) else terms[0]


def independent(value: Any, undo: dict[Term, Term]) -> Any:
    """Return new symbols that stand for the terms of an argument.

    New ones also for symbols: the function may use the same symbol by another way, which is held
    fixed.
    """
    if is_container(value):
        return rebuilt(value, iter([independent(part, undo) for part in _parts(value)]))
    array = plain(value, value.store if isinstance(value, Term) else None)
    own = []
    for term in array.terms():
        known = term.symbol
        low, high = (None, None) if known is None else (known.low, known.high)
        fresh = symbol(f"argument_{next(_COUNT)}_", low=low, high=high)
        own.append(asarray(fresh, array.store).item())
        undo[own[-1]] = term
    if isinstance(value, TermArray):
        return _like(value, own)
    return own[0] if not array.shape else _like(array, own)


def plain(value: Any, store: Store | None = None, *, like: Any = None) -> TermArray:
    """Return an array whose shape may be asked for, which tracing refuses of an element.

    Raise `ArgumentError` where that is not the shape of what it should be `like`.
    """
    array = asarray(value, store)
    array = TermArray(array.store, array.ids)
    if like is not None and array.shape != (shape := plain(like).shape):
        raise ArgumentError(
            f"the vector has the shape {array.shape}, it is multiplied with {shape}: "
            "give one value for each"
        )
    return array


def single_of(value: Any, fn: Any) -> Term:
    """Return the only number that a function returns; raise `ArgumentError` for another."""
    if isinstance(value, (tuple, list, dict)):
        what = f"{len(value)} results"
    else:
        array = plain(value)
        if array.size == 1:
            return array.terms()[0]
        what = f"an array of shape {array.shape}"
    raise ArgumentError(
        f"{name_of(fn)} returns {what}; a gradient is that of one number: sum them, or use "
        "rw.jacobian"
    )


def form_of(made: Any, wanted: Any) -> Any:
    """Return an array, or of a single number what has the form of the argument."""
    array = plain(made)
    return array if array.shape else formed(array.terms(), wanted)


def name_of(fn: Any) -> str:
    """Return what messages call a function."""
    return str(getattr(fn, "__name__", "the function"))


def _like(array: TermArray, terms: list[Term]) -> TermArray:
    ids = np.array([term.id for term in terms], np.int32)
    return type(array)(array.store, ids.reshape(array.ids.shape))


def restored(value: Any, undo: dict[Term, Term]) -> Any:
    """Put what the new symbols stand for back."""
    if is_container(value):
        return rebuilt(value, iter([restored(part, undo) for part in _parts(value)]))
    if isinstance(value, Term):
        return value.substitute(undo)
    array = asarray(value)
    return _like(array, [term.substitute(undo) for term in array.terms()])
