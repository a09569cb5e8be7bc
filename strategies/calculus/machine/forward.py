"""The way up: each node's derivatives in all inputs that it depends on, after those below it."""

from typing import Any, Final

from rewrite import ops
from rewrite.native import inlined, native
from rewrite.slim import slim
from strategies.calculus.machine.writing import (
    EACH,
    ONE,
    USED,
    ZERO,
    choice,
    ends,
    selected,
    times,
    total,
)

__all__ = ["AT", "DONE", "NEED", "POOL", "ROOM", "forward"]

_ADD: Final = ops.ADD.code
_WHERE: Final = ops.WHERE.code

NEED: Final = 2
"""The cell of the state that says how many derivatives a position may have,"""
POOL: Final = 3
"""that counts those stored,"""
AT: Final = 4
"""and positions that are done."""

DONE, ROOM = 0, 1
_MORE: Final = 8
"""And those to multiply and sum it for one input."""


@inlined
def _fits(at: int, D: Any, spans: Any, tangents: Any, cells: Any, st: Any, S: Any) -> bool:
    """Tell whether there is room for what one position may need."""
    first, args, used = D[1], D[2], st[USED]
    many = 1
    for k in range(first[at], first[at + 1]):
        many += spans[args[k], 1] - spans[args[k], 0]
    st[NEED] = many
    need = _MORE * many + (first[at + 1] - first[at] + 2) * st[EACH]
    return bool(
        st[POOL] + many < len(tangents)
        and many < len(cells)
        and used + need < len(S[0])
        and S[1][used] + 3 * need < len(S[2])
        and 2 * (used + need) < len(S[5])
    )


@inlined
def _part(
    t: int, partial: int, at: int, k: int, D: Any, T: Any, st: Any, S: Any
) -> int:  # fmt: skip
    """Return the derivative in an argument times that of the argument, `t`."""
    if D[0][at] == _ADD or D[0][at] == _WHERE:
        return t
    if partial >= 0:
        return int(selected(t, partial, T, st, S))
    return int(times(t, at, k, D, T, st, S))


@inlined
def _collect(
    at: int, D: Any, spans: Any, tangents: Any, work: Any, T: Any, st: Any, S: Any
) -> int:  # fmt: skip
    """List what the arguments contribute to the derivative in each input; count the inputs."""
    slots, touched, cells, _ = work
    first, args = D[1], D[2]
    many, count = 0, 0
    ends(at, D, T, st, S)
    for k in range(first[at + 1] - first[at]):
        below = args[first[at] + k]
        begin, end = spans[below, 0], spans[below, 1]
        if k == 0 and D[0][at] == _WHERE:
            continue
        partial = -1
        if end - begin > 1 and D[0][at] != _ADD and D[0][at] != _WHERE:
            partial = times(T[2][ONE], at, k, D, T, st, S)
        for row in range(begin, end):
            part = _part(tangents[row, 1], partial, at, k, D, T, st, S)
            j = tangents[row, 0]
            if slots[j] < 0:
                touched[many] = j
                many += 1
            cells[count, 0], cells[count, 1], cells[count, 2] = part, slots[j], k
            slots[j] = count
            count += 1
    return many


@inlined
def _combined(cell: int, at: int, D: Any, work: Any, T: Any, st: Any, S: Any) -> int:
    """Return what the contributions to the derivative in one input make."""
    cells, terms, zero = work[2], work[3], T[2][ZERO]
    left, right, low = zero, zero, len(terms)
    while cell >= 0:
        low -= 1
        terms[low] = cells[cell, 0]
        if cells[cell, 2] == 1:
            left = cells[cell, 0]
        else:
            right = cells[cell, 0]
        cell = cells[cell, 1]
    if D[0][at] == _WHERE:
        return int(choice(D[3][D[2][D[1][at]]], left, right, T, st, S))
    return int(total(terms, low, len(terms), T, st, S))


@native
def forward(
    D: Any, inputs: Any, seeds: Any, spans: Any, tangents: Any, work: Any, T: Any, st: Any, S: Any
) -> int:
    """Give each position its derivatives in the inputs that it depends on.

    `tangents[spans[at, 0]:spans[at, 1]]` are (input, node) of the position `at`; `seeds[at]` is the
    derivative of a position that is an input. Where there is no room it returns ROOM, to be called
    again.
    """
    D, inputs, seeds, spans, tangents = slim((D, inputs, seeds, spans, tangents))
    work, T, st, S = slim((work, T, st, S))
    slots, touched = work[0], work[1]
    while st[AT] < len(inputs):
        at = st[AT]
        if not _fits(at, D, spans, tangents, work[2], st, S):
            return ROOM
        base = st[POOL]
        spans[at, 0] = base
        if inputs[at] >= 0:
            if seeds[at] != T[2][ZERO]:
                tangents[base, 0], tangents[base, 1] = inputs[at], seeds[at]
                base += 1
        elif D[4][at]:
            for n in range(_collect(at, D, spans, tangents, work, T, st, S)):
                j = touched[n]
                made = _combined(slots[j], at, D, work, T, st, S)
                slots[j] = -1
                if made != T[2][ZERO]:
                    tangents[base, 0], tangents[base, 1] = j, made
                    base += 1
        spans[at, 1] = st[POOL] = base
        st[AT] = at + 1
    return DONE
