"""Which terms are whole numbers for sure, so that Python's division with rest is short."""

from typing import Any, Final

from rewrite import ops
from rewrite.sorts import INT
from rewrite.term import Term

__all__ = ["is_whole"]

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
    if not isinstance(value, Term):
        return isinstance(value, int)
    waiting, seen = [value], {value.id}
    while waiting:
        term = waiting.pop()
        if term.sort == INT or term.op in _ROUNDING:
            continue
        if term.op not in _KEEPING:
            return False
        for arg in term.args[1 if term.op is ops.WHERE else 0 :]:
            if arg.id not in seen:
                seen.add(arg.id)
                waiting.append(arg)
    return True
