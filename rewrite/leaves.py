"""Leaves that users make: symbols with domains and types, pattern variables, pi and e."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, SupportsFloat

import numpy as np

from rewrite import ops
from rewrite.constants import PI, E
from rewrite.errors import DomainError, SortError, UnsupportedOp
from rewrite.sorts import BOOL, INT, REAL, Sort
from rewrite.store import Store, Symbol
from rewrite.term import Term, const, current_store

__all__ = ["e", "pattern_vars", "pi", "rest", "symbol", "symbols"]


def symbol(
    name: str,
    *,
    low: SupportsFloat | None = None,
    high: SupportsFloat | None = None,
    dtype: Any = None,
    sort: Sort | None = None,
) -> Term:
    """Make a symbol, with an optional closed domain [low, high] in which its values lie.

    `sort` says what it stands for if that is no real number, e.g. `rw.MATRIX`.

    Rules may use the domain, and accuracy is measured on it. The domain and an integer `dtype` are
    promises: kernels compute in floating point, and do not check that the values they are given
    are whole or inside. Raise `DomainError` for an empty domain or a bound that is not a finite
    number.

    >>> import rewrite as rw
    >>> rw.symbol("x", low=0).symbol.low
    0.0
    """
    if not isinstance(name, str) or not name.isidentifier():
        raise UnsupportedOp(f"a symbol's name must be an identifier, not {name!r}")
    least, most = _bound(name, "low", low), _bound(name, "high", high)
    if least is not None and most is not None and least > most:
        raise DomainError(f"the domain [{low}, {high}] of symbol {name!r} is empty")
    text = None if dtype is None else _dtype_name(name, dtype)
    made = Symbol(name, text, least, most)
    if sort is not None:
        made = _of_sort(made, sort)
    store = current_store()
    return Term(store, store.symbol(made))


_DTYPES: Final = {REAL: None, INT: "int64", BOOL: "bool"}


def _of_sort(symbol: Symbol, sort: Sort) -> Symbol:
    """Return the symbol with a sort, which is written as a dtype where there is one."""
    if not isinstance(sort, Sort):
        raise SortError(
            f"symbol {symbol.name!r}: sort={sort!r} is no sort; give rw.MATRIX, or make one with "
            "rw.sort"
        )
    if symbol.dtype is not None and symbol.sort != sort:
        raise SortError(f"symbol {symbol.name!r} of dtype {symbol.dtype} cannot be a {sort}")
    if symbol.dtype is not None or sort is REAL:
        return symbol
    if sort in _DTYPES:
        return replace(symbol, dtype=_DTYPES[sort])
    if not sort.fits(REAL) and (symbol.low, symbol.high) != (None, None):
        raise SortError(f"symbol {symbol.name!r} is a {sort}; only numbers have a domain")
    return replace(symbol, sort_name=sort.name)


def _bound(name: str, which: str, bound: SupportsFloat | None) -> float | None:
    try:
        value = None if bound is None else float(bound)
    except (TypeError, ValueError):
        raise DomainError(f"{which}={bound!r} of symbol {name!r} is not a number") from None
    except OverflowError:
        raise DomainError(f"{which} of symbol {name!r} is beyond the largest double") from None
    if value is not None and not math.isfinite(value):
        raise DomainError(f"{which}={bound} of symbol {name!r} is not finite; leave it out")
    return value


def _dtype_name(name: str, dtype: Any) -> str:
    try:
        found = np.dtype(dtype)
    except TypeError:
        raise SortError(f"symbol {name!r} cannot have dtype {dtype!r}, which is none") from None
    if found.kind == "c":
        raise SortError(
            f"symbol {name!r} cannot have dtype {found.name}: complex numbers are not supported; "
            "split it into a real and an imaginary part"
        )
    if found.kind not in "fiub":
        raise SortError(
            f"symbol {name!r} cannot have dtype {found.name}; use a real, integer or bool one"
        )
    return str(found.name)


def symbols(names: str | Iterable[str], **options: Any) -> tuple[Term, ...]:
    """Make several symbols of names separated by spaces or commas.

    >>> import rewrite as rw
    >>> rw.symbols("x, y")
    (x, y)
    """
    parts = names.replace(",", " ").split() if isinstance(names, str) else list(names)
    return tuple(symbol(name, **options) for name in parts)


RULES: Final = Store()
"""Patterns live in a store of their own, so that rule tables never grow a user's store."""


def pattern_vars(names: str, *, sort: Sort = REAL) -> tuple[Term, ...]:
    """Make pattern variables: holes in a rule that match any term of the sort.

    >>> import rewrite as rw
    >>> a, b = rw.pattern_vars("a b")
    >>> a * b
    ?a*?b
    """
    return tuple(
        Term(RULES, RULES.symbol(_of_sort(Symbol(name), sort), ops.PVAR.code))
        for name in names.replace(",", " ").split()
    )


def rest(name: str, *, sort: Sort = REAL) -> Term:
    """Make a sequence variable: it stands for any number of arguments of an associative op.

    >>> import rewrite as rw
    >>> (a,) = rw.pattern_vars("a")
    >>> a + rw.rest("xs")
    ?a + ?xs...
    """
    return Term(RULES, RULES.symbol(_of_sort(Symbol(name, many=True), sort), ops.PVAR.code))


def pi() -> Term:
    """Return pi as an exact constant in the current store."""
    return const(PI)


def e() -> Term:
    """Return Euler's number as an exact constant in the current store."""
    return const(E)
