"""The compiled loop of `rewrite.residues`, imported for large terms only."""

from typing import Any, Final

import numba as nb
import numpy as np

from rewrite import ops
from rewrite.native import cached
from rewrite.residues import PRIME

__all__ = ["residues"]

_P: Final = np.uint64(PRIME)
_LOW: Final = np.uint64((1 << 32) - 1)
_HALF, _THREE, _TOP, _ONE = np.uint64(32), np.uint64(3), np.uint64(61), np.uint64(1)
_ADD, _SUB, _MUL, _DIV = ops.ADD.code, ops.SUB.code, ops.MUL.code, ops.DIV.code
_NEG, _POW, _FMA = ops.NEG.code, ops.POW.code, ops.FMA.code


@nb.njit(cache=True, nogil=True, inline="always")
def _sum(a: Any, b: Any) -> Any:
    total = a + b
    return total - _P if total >= _P else total


@nb.njit(cache=True, nogil=True, inline="always")
def _product(a: Any, b: Any) -> Any:
    """Multiply halves, and fold what is above 2**61 onto what is below."""
    low = (a & _LOW) * (b & _LOW)
    middle = (a & _LOW) * (b >> _HALF) + (a >> _HALF) * (b & _LOW) + (low >> _HALF)
    high = (a >> _HALF) * (b >> _HALF) + (middle >> _HALF)
    low = (middle << _HALF) | (low & _LOW)
    return _sum((high << _THREE) | (low >> _TOP), low & _P) % _P


@cached
def _power(a: Any, exponent: Any) -> Any:
    made = _ONE
    while exponent:
        if exponent & _ONE:
            made = _product(made, a)
        a = _product(a, a)
        exponent >>= _ONE
    return made


@cached
def _applied(op: Any, operands: Any, values: Any, at: Any) -> Any:
    """Apply an op of a ring at one point."""
    value, last = values[operands[0], at], values[operands[-1], at]
    if op == _SUB:
        return _sum(value, _P - last)
    if op == _NEG:
        return _sum(np.uint64(0), _P - value)
    if op == _FMA:
        return _sum(_product(value, values[operands[1], at]), last)
    for node in operands[1:]:
        other = values[node, at]
        value = _sum(value, other) if op == _ADD else _product(value, other)
    return value


@cached
def residues(
    code: Any, start: Any, args: Any, exponents: Any, state: Any, values: Any, marks: Any
) -> None:
    """Fill in the values of rational nodes; those of leaves are there.

    `exponents` has a row (is an integer, is negative, size) a node. `state` is set for nodes that
    are rational. A bit of `marks` is set for a point where a node divides by zero.
    """
    for node in range(len(code)):
        operands = args[start[node] : start[node + 1]]
        if not len(operands):
            continue
        op = code[node]
        exponent = exponents[operands[-1]]
        ring = op in (_ADD, _SUB, _MUL, _NEG, _FMA)
        state[node] = ring or op == _DIV or (op == _POW and exponent[0] != 0)
        for operand in operands:
            state[node] &= state[operand]
            marks[node] |= marks[operand]
        if not state[node]:
            continue
        for at in range(values.shape[1]):
            if ring:
                values[node, at] = _applied(op, operands, values, at)
                continue
            above, below = values[operands[0], at], values[operands[-1], at]
            if op == _POW:
                power = _power(above, exponent[2])
                above, below = (_ONE, power) if exponent[1] else (power, _ONE)
            if below == 0:
                marks[node] |= _ONE << np.uint64(at)
            values[node, at] = _product(above, _power(below, _P - np.uint64(2)))
