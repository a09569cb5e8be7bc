"""The way down: adjoints from the outputs to the inputs, always at the highest node that has one.

When a node is the highest, all that uses it is done, so its adjoint is complete: each is summed
once and passed on once. The nodes that wait are a heap, of ~position: the highest one is next.
"""

from typing import Any, Final

from rewrite import ops
from rewrite.native import inlined, native
from rewrite.slim import slim
from strategies.calculus.machine.heap import drop_least, push
from strategies.calculus.machine.writing import EACH, USED, ZERO, choice, collected, ends, times

__all__ = ["AT", "DONE", "FOUND", "ROOM", "reverse"]

_ADD: Final = ops.ADD.code
_WHERE: Final = ops.WHERE.code

TOP: Final = 1
"""The cell of the state that counts the entries of the heap,"""
CELL: Final = 2
"""contributions to adjoints,"""
FOUND: Final = 3
"""results,"""
AT: Final = 4
"""and roots that were begun."""

DONE, ROOM = 0, 1


@native
def _contribute(at: int, ref: int, work: Any, st: Any) -> None:
    """Add to the adjoint of a position; one that had none goes into the heap."""
    heap, head, cells, _ = work
    cell = st[CELL]
    cells[cell, 0], cells[cell, 1] = ref, head[at]
    st[CELL] = cell + 1
    if head[at] < 0:
        push(heap, st[TOP], ~at)
        st[TOP] += 1
    head[at] = cell


@inlined
def _begin(D: Any, roots: Any, seeds: Any, work: Any, st: Any) -> None:
    """Enter the roots of the next group with their seeds."""
    k, active = st[AT], D[4]
    st[CELL] = 0
    group = roots[k, 1]
    while k < len(roots) and roots[k, 1] == group:
        if active[roots[k, 0]]:
            _contribute(roots[k, 0], seeds[k], work, st)
        k += 1
    st[AT] = k


@inlined
def _adjoint(at: int, work: Any, T: Any, st: Any, S: Any) -> int:
    """Sum the contributions to a position, the first one first."""
    _, head, cells, terms = work
    last, head[at] = head[at], -1
    return int(collected(last, cells, terms, T, st, S))


@inlined
def _fits(at: int, D: Any, work: Any, found: Any, st: Any, S: Any) -> bool:
    """Tell whether there is room for what one position may need."""
    first, used = D[1], st[USED]
    wide = first[at + 1] - first[at]
    need = (wide + 2) * st[EACH]
    return bool(
        st[FOUND] < len(found)
        and st[CELL] + wide < len(work[2])
        and used + need < len(S[0])
        and S[1][used] + 3 * need < len(S[2])
        and 2 * (used + need) < len(S[5])
    )


@inlined
def _pass_down(g: int, at: int, D: Any, work: Any, T: Any, st: Any, S: Any) -> None:
    """Hand the adjoint of a position on to its arguments."""
    code, first, args, ids, active, _ = D
    zero, low = T[2][ZERO], first[at]
    ends(at, D, T, st, S)
    for k in range(first[at + 1] - low):
        below = args[low + k]
        if not active[below] or (k == 0 and code[at] == _WHERE):
            continue
        part = g
        if code[at] == _WHERE:
            left = g if k == 1 else zero
            right = zero if k == 1 else g
            part = choice(ids[args[low]], left, right, T, st, S)
        elif code[at] != _ADD:
            part = times(g, at, k, D, T, st, S)
        if part != zero:
            _contribute(below, part, work, st)


@native
def reverse(
    D: Any, inputs: Any, roots: Any, seeds: Any, found: Any, work: Any, T: Any, st: Any, S: Any
) -> int:
    """Take the adjoints of roots down to the inputs; those of one group (column 1) together.

    `roots[k, 0]` is a position, and `seeds[k]` the node of its adjoint. `found` gets (group, input,
    node), one row each. Where there is no room it returns ROOM, to be called again.
    """
    D, inputs, roots, seeds, found = slim((D, inputs, roots, seeds, found))
    work, T, st, S = slim((work, T, st, S))
    while True:
        if st[TOP] == 0:
            if st[AT] == len(roots):
                return DONE
            _begin(D, roots, seeds, work, st)
            continue
        at = ~work[0][0]
        if not _fits(at, D, work, found, st, S):
            return ROOM
        st[TOP] -= 1
        drop_least(work[0], st[TOP])
        g = _adjoint(at, work, T, st, S)
        if inputs[at] >= 0 and g != T[2][ZERO]:
            row = st[FOUND]
            found[row, 0], found[row, 1], found[row, 2] = roots[st[AT] - 1, 1], inputs[at], g
            st[FOUND] = row + 1
        elif g != T[2][ZERO]:
            _pass_down(g, at, D, work, T, st, S)
