"""What is known in a trace: functions of arrays that hold numbers alone are NumPy's own."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rewrite.array.core import TermArray, asarray
from rewrite.array.interning import numbers_of
from rewrite.array.literal import in_trace
from rewrite.term import Term

__all__ = ["known_value", "numbers_in", "on_numbers"]


def on_numbers(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Apply a function of NumPy's to arguments without terms; `NotImplemented` where one has some.

    Floats come back as an array of terms, which the traced function may write terms to.
    """
    if not in_trace():
        return NotImplemented
    found = numbers_in([args, kwargs])
    return NotImplemented if found is None else _owned(function(*found[0], **found[1]))


def known_value(value: Any) -> Any:
    """Return the numbers of an array that holds nothing else, and all else as it is."""
    found = numbers_in(value)
    return value if found is None else found


def numbers_in(value: Any) -> Any:
    """Return arguments in which arrays of constants are numbers, None if one has other terms."""
    if isinstance(value, Term):
        return None
    if isinstance(value, TermArray):
        return None if value.single else numbers_of(value.store, value.ids)
    if isinstance(value, dict):
        parts = numbers_in(list(value.values()))
        return None if parts is None else dict(zip(value, parts, strict=True))
    if isinstance(value, (list, tuple)):
        parts = [part if part is None else numbers_in(part) for part in value]
        if any(new is None and old is not None for new, old in zip(parts, value, strict=True)):
            return None
        return parts if isinstance(value, list) else tuple(parts)
    return value


def _owned(result: Any) -> Any:
    if isinstance(result, (list, tuple)):
        return type(result)([_owned(part) for part in result])
    if isinstance(result, np.ndarray) and result.dtype == np.float64 and result.ndim:
        return asarray(result)
    return result
