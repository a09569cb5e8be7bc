"""Walks over cones: what tells their shapes apart, and the leaves in which instances differ.

A trace is one instance of a body: a stored node or several of them, or a summand. Its tokens are
those of a walk from its roots, each node before its arguments, from left to right; of a node met
again in it, where it was. `C` is the state of cones: kind, state, segments, whether a node is shown
outside its trace, the trace that stores it, what constants are part of the code, their numbers,
whether a sine has its cosine.
"""

from typing import Any, Final

import numpy as np

from codegen.loops.machine.kinds import (
    ARG,
    ARITY,
    CONST,
    IN,
    INLINE,
    INNER,
    PAIRED,
    PIECE,
    SHARED,
    STORED,
    T_ARG,
    T_BACK,
    T_BAKED,
    T_CONST,
    T_HIDDEN,
    T_MARK,
    T_RESULT,
    T_STORED,
)
from codegen.loops.machine.shapes import is_baked, mixed
from rewrite.native import inlined, native

__all__ = ["collect", "compared", "hashed"]

_BAKED: Final = 1 << 32


@inlined
def _inside(at: int, trace: int, C: Any) -> bool:
    """Tell whether a trace computes a node that it meets below its roots."""
    state, home = C[1][at], C[4][at]
    return bool(state == IN or state == INLINE or home == trace)


@inlined
def _push(at: int, D: Any, C: Any, stack: Any, top: int) -> int:
    code, start, args = D
    low = start[at]
    for k in range(start[at + 1] - 1, low - 1, -1):
        child = args[k]
        entry = child
        if C[0][child] == CONST and is_baked(code[at], k - low, C[5][child]):
            entry += _BAKED
        stack[top] = entry
        top += 1
    return top


@inlined
def _leaf(entry: int, C: Any) -> int:
    """Return the token of a leaf."""
    at = entry & (_BAKED - 1)
    if entry >= _BAKED:
        return int(T_BAKED + C[6][at])
    if C[0][at] == ARG:
        return int(T_ARG + C[2][at])
    if C[0][at] == CONST:
        return T_CONST
    return int(T_STORED + C[2][at])


@native
def _walk(trace: int, D: Any, T: Any, C: Any, S: Any, leaves: Any, base: int) -> int:
    """Write the tokens of a trace to scratch and, from `base` on, its leaves; count both in `S`."""
    code, start = D[0], D[1]
    bounds, roots, marks = T
    tokens, stack, stamp, number, counts = S
    used, found, inner = 0, 0, 0
    if marks[trace]:
        tokens[0], used = T_MARK + marks[trace], 1
    for r in range(bounds[trace], bounds[trace + 1]):
        root = roots[r]
        stack[0], top = root, 1
        first = True
        while top > 0:
            top -= 1
            entry = stack[top]
            at = entry & (_BAKED - 1)
            state = C[1][at]
            opens = C[0][at] == INNER and (
                _inside(at, trace, C) or (first and (state == PIECE or state == SHARED))
            )
            first = False
            if not opens:
                tokens[used] = _leaf(entry, C)
                used += 1
                if entry < _BAKED:
                    if base >= 0:
                        leaves[base + found] = at
                    found += 1
            elif stamp[at] == trace:
                tokens[used] = T_BACK + number[at]
                used += 1
            else:
                stamp[at], number[at] = trace, inner
                inner += 1
                tokens[used] = code[at] + ARITY * (start[at + 1] - start[at]) + PAIRED * C[7][at]
                used += 1
                top = _push(at, D, C, stack, top)
        if C[1][root] == STORED and C[4][root] == trace:
            tokens[used] = T_RESULT + C[2][root] if C[3][root] else T_HIDDEN
            used += 1
    counts[0] = found
    return used


@native
def hashed(D: Any, T: Any, C: Any, S: Any, h: Any, tokens: Any, leaves: Any) -> None:
    """Hash all traces, and count their tokens and leaves."""
    for trace in range(len(h)):
        used = _walk(trace, D, T, C, S, leaves, -1)
        value = np.uint64(used)
        for k in range(used):
            value = mixed(value, S[0][k])
        h[trace], tokens[trace], leaves[trace] = value, used, S[4][0]


@native
def compared(
    D: Any, T: Any, C: Any, S: Any, shape: Any, first: Any, known: Any, where: Any, leaves: Any,
    odd: Any,
) -> int:  # fmt: skip
    """Write the leaves of all traces; mark those that are not like the first one of their shape."""
    bad = 0
    for trace in range(len(shape)):
        used = _walk(trace, D, T, C, S, leaves, where[trace])
        base, end = first[shape[trace]], first[shape[trace] + 1]
        if known[base] < 0:
            for k in range(used):
                known[base + k] = S[0][k]
            continue
        same = end - base == used
        if same:
            for k in range(used):
                same = same and known[base + k] == S[0][k]
        if not same:
            odd[trace] = True
            bad += 1
    return bad


@native
def collect(
    D: Any, T: Any, C: Any, stack: Any, stamp: Any, wanted: Any, turn: int, out: Any
) -> int:
    """Write the nodes that some traces compute, each once; return how many."""
    bounds, roots = T[0], T[1]
    start, args = D[1], D[2]
    count = 0
    for w in range(len(wanted)):
        trace = wanted[w]
        for r in range(bounds[trace], bounds[trace + 1]):
            stack[0], top = roots[r], 1
            while top > 0:
                top -= 1
                at = stack[top]
                if stamp[at] == turn or C[0][at] != INNER or not _inside(at, trace, C):
                    continue
                stamp[at] = turn
                out[count] = at
                count += 1
                for k in range(start[at], start[at + 1]):
                    stack[top] = args[k]
                    top += 1
    return count
