"""Which terms are whole numbers for sure, so that Python's division with rest is short."""

from collections.abc import Callable
from typing import Any, Final

from rewrite import ops
from rewrite.sorts import INT
from rewrite.term import Term

__all__ = ["is_integer", "is_whole"]

_ROUNDING: Final = {ops.FLOOR, ops.CEIL, ops.TRUNC, ops.ROUND}
_KEEPING: Final = {
    ops.ADD, ops.SUB, ops.MUL, ops.NEG, ops.ABS, ops.SIGN, ops.MINIMUM, ops.MAXIMUM, ops.FMOD,
    ops.COPYSIGN, ops.WHERE,
}  # fmt: skip
"""Ops whose result is whole where their numbers are."""


def is_whole(value: Any) -> bool:
    """Tell whether a value is whole for sure: known integers, and what is made of them.

    >>> import rewrite as rw
    >>> n, x = rw.symbol("n", dtype="int64"), rw.symbol("x")
    >>> is_whole(rw.floor(x) * n - 1), is_whole(n / 2)
    (True, False)
    """
    return _is_made(value, lambda term: term.op in _ROUNDING)


def is_integer(value: Any) -> bool:
    """Tell whether a value is an `int` of Python for sure: it is whole, and zero has no sign.

    What rounds to an integer there is written as `floor(x) + 0`; NumPy's `floor(x)` is a float.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> is_integer(rw.floor(x)), is_integer((rw.floor(x) + 0) * 3)
    (False, True)
    """
    return _is_made(value, _is_unsigned)


def _is_unsigned(term: Term) -> bool:
    """Tell whether a term is rounded, and its zero has no sign."""
    return term.op is ops.ADD and term.args[0].op in _ROUNDING and term.args[1].value == 0


def _is_made(value: Any, is_rounded: Callable[[Term], bool]) -> bool:
    """Tell whether a value is made of integers and of what is rounded."""
    if not isinstance(value, Term):
        return isinstance(value, int)
    waiting, seen = [value], {value.id}
    while waiting:
        term = waiting.pop()
        if term.sort == INT or is_rounded(term):
            continue
        if term.op not in _KEEPING:
            return False
        for arg in term.args[1 if term.op is ops.WHERE else 0 :]:
            if arg.id not in seen:
                seen.add(arg.id)
                waiting.append(arg)
    return True
