"""Which nodes are stored, which are sums of their own, and the cones of nodes below them.

A *cone* is a node and what is computed for it alone: all users of its inner nodes are in it. Three
tuples are handed around:

* `D`, a program: code, first, args, kind (`ARG` .. `DEAD`), whether it is a root, a boolean;
* `W`, what is found out of nodes: uses, width of sums, what is forced, state, owner, how many
  users are rows and how many are not, up to `FEW` owners of users, weight of a cone, and the state
  of repeated shapes: hash, size, how often;
* `P`, numbers: strict, most weight of a cone, and least counts.
"""

from typing import Any, Final

from codegen.loops.machine.kinds import (
    ABSORBED,
    ARG,
    CONST,
    FEW,
    FREE,
    IN,
    INLINE,
    INNER,
    LONG,
    MANY,
    NONE,
    PIECE,
    ROW,
    SPLIT,
    STORED,
)
from rewrite import ops
from rewrite.native import inlined, native

__all__ = ["cuts", "flatten", "owners", "survey", "widths"]

WAY, SUMMAND = 1, 2
"""Why a node may be cut out, or what below it may be."""

_ADD: Final = ops.ADD.code
_SUB: Final = ops.SUB.code
_MUL: Final = ops.MUL.code
_NEG: Final = ops.NEG.code


@native
def survey(start: Any, args: Any, fixed: Any, roots: Any, kind: Any, uses: Any) -> None:
    """Mark what is computed at a point, below the roots and not of constants; count its uses.

    `kind` is INNER for all but leaves on entry.
    """
    for at in range(len(kind) - 1, -1, -1):
        if uses[at] == 0 and not roots[at]:
            if kind[at] != ARG:
                kind[at] = FREE
            continue
        if fixed[at]:
            kind[at] = CONST
            continue
        for k in range(start[at], start[at + 1]):
            uses[args[k]] += 1


@inlined
def joins(at: int, place: int, child: int, strict: bool, D: Any, uses: Any) -> bool:
    """Tell whether a summand is a sum whose summands can be taken instead.

    Where sums are strict, only the first summand of a sum, which then has no differences in it.
    """
    code, kind, roots = D[0], D[3], D[4]
    if kind[child] != INNER or roots[child] or uses[child] != 1:
        return False
    if strict:
        return bool(place == 0 and code[at] == _ADD and code[child] == _ADD)
    return bool(code[child] == _ADD or code[child] == _SUB or code[child] == _NEG)


@native
def widths(D: Any, uses: Any, width: Any, forced: Any, strict: bool) -> None:
    """Count the summands of each sum, nested ones included; store what is long among conditions.

    Other conditions are computed again where they are used.
    """
    code, start, args, kind, boolean = D[0], D[1], D[2], D[3], D[5]
    for at in range(len(code)):
        is_sum = code[at] == _ADD or (not strict and (code[at] == _SUB or code[at] == _NEG))
        if kind[at] != INNER or not (is_sum or boolean[at]):
            continue
        total = 1 if boolean[at] else 0
        for k in range(start[at], start[at + 1]):
            child = args[k]
            if boolean[at]:
                total += width[child] if kind[child] == INNER and boolean[child] else 0
            else:
                total += width[child] if joins(at, k - start[at], child, strict, D, uses) else 1
        if boolean[at] and total > LONG and uses[at] > 1:
            forced[at], total = STORED, 1
        width[at] = total


@inlined
def _negates(at: int, strict: bool, D: Any, W: Any) -> bool:
    """Tell whether a summand is to be taken without its sign."""
    passes = not strict and D[3][at] == INNER and D[0][at] == _NEG
    return bool(passes and not D[4][at] and W[2][at] != SPLIT)


@inlined
def _trivial(at: int, D: Any) -> bool:
    """Tell whether a node is cheaper to compute again than to store: -x, or c*x."""
    code, start, args, kind = D[0], D[1], D[2], D[3]
    low = start[at]
    if code[at] == _NEG:
        child = args[low]
        return bool(kind[child] == ARG or code[child] != _NEG)
    if code[at] != _MUL or start[at + 1] - low != 2 or kind[args[low]] != CONST:
        return False
    child = args[low + 1]
    return bool(kind[child] == ARG or (code[child] != _NEG and code[child] != _MUL))


@inlined
def _use(child: int, owner: int, W: Any) -> None:
    """Note that a node is used in a cone, or in many (`MANY`)."""
    own, others, users, known = W[4], W[6], W[7], W[8]
    others[child] += 1
    if own[child] == NONE:
        own[child] = owner
    elif own[child] != owner:
        own[child] = MANY
    if owner == MANY:
        known[child] = FEW + 1
    count = known[child]
    for k in range(min(count, FEW)):
        if users[child, k] == owner:
            return
    if count < FEW:
        users[child, count] = owner
    known[child] = min(count + 1, FEW + 1)


@inlined
def _pass_row(at: int, strict: bool, D: Any, W: Any) -> None:
    """Note the summands of a sum of its own."""
    start, args, kind = D[1], D[2], D[3]
    uses, state, rows, own = W[0], W[3], W[5], W[4]
    for k in range(start[at], start[at + 1]):
        child = args[k]
        if joins(at, k - start[at], child, strict, D, uses):
            state[child] = ABSORBED
            continue
        if _negates(child, strict, D, W):
            child = args[start[child]]
        if kind[child] == INNER:
            rows[child] += 1
            own[child] = MANY


@inlined
def _settle(at: int, cap: int, D: Any, W: Any, weights: Any) -> int:
    """Return the state of a node all of whose users are known."""
    forced, own, rows, others, load = W[2], W[4], W[5], W[6], W[9]
    if D[4][at]:
        return ROW if forced[at] == SPLIT else STORED
    if forced[at] == SPLIT:
        return ROW
    if D[5][at] and (own[at] != MANY or forced[at] != STORED):
        return INLINE if own[at] == MANY else IN
    if rows[at] > 0:
        alone = rows[at] == 1 and others[at] == 0 and forced[at] != STORED
        return PIECE if alone else STORED
    if own[at] == MANY:
        return INLINE if _trivial(at, D) else STORED
    if forced[at] == STORED:
        return STORED
    weight = weights[D[0][at]] * max(1, D[1][at + 1] - D[1][at] - 1)
    if load[own[at]] + weight > cap:
        return STORED
    return IN


@native
def owners(strict: bool, cap: int, D: Any, W: Any, weights: Any) -> None:
    """Find the cone of each node, users before what they use."""
    code, start, args, kind = D[0], D[1], D[2], D[3]
    state, own, rows, others, load = W[3], W[4], W[5], W[6], W[9]
    for at in range(len(code) - 1, -1, -1):
        if kind[at] != INNER:
            continue
        if state[at] == ABSORBED or W[2][at] == SPLIT:
            if state[at] != ABSORBED:
                state[at], own[at] = ROW, at
            _pass_row(at, strict, D, W)
            continue
        if rows[at] == 0 and others[at] == 0 and not D[4][at]:
            state[at] = ABSORBED  # a negation that rows have taken in
            continue
        found = _settle(at, cap, D, W, weights)
        state[at] = found
        if found == STORED or found == PIECE:
            own[at] = at
        owner = own[at] if found != INLINE else MANY
        if owner != MANY:
            load[owner] += weights[code[at]] * max(1, start[at + 1] - start[at] - 1)
        for k in range(start[at], start[at + 1]):
            if kind[args[k]] == INNER:
                _use(args[k], owner, W)


@inlined
def _rare(at: int, W: Any, least: int, worth: int) -> bool:
    often, size = W[12], W[11]
    return bool(often[at] < least or often[at] * size[at] < worth)


@inlined
def walk_sum(root: int, strict: bool, D: Any, W: Any, stack: Any, out: Any, signs: Any) -> int:
    """Write the summands of a sum with their signs in order; return how many."""
    code, start, args, uses = D[0], D[1], D[2], W[0]
    count, top = 0, 1
    stack[0] = root * 4 + 2
    while top > 0:
        top -= 1
        entry = stack[top]
        at, sign, opened = entry >> 2, entry & 1, entry & 2
        if opened == 0:
            if _negates(at, strict, D, W):
                at, sign = args[start[at]], 1 - sign
            out[count], signs[count] = at, sign
            count += 1
            continue
        low, high = start[at], start[at + 1]
        for k in range(high - 1, low - 1, -1):
            child = args[k]
            minus = sign
            if code[at] == _NEG or (code[at] == _SUB and k > low):
                minus = 1 - sign
            more = 2 if joins(at, k - low, child, strict, D, uses) else 0
            stack[top] = child * 4 + more + minus
            top += 1
    return count


@inlined
def _cut_sum(at: int, count: int, out: Any, D: Any, W: Any, limits: Any) -> bool:
    """Decide whether a sum is one of its own; if so, mark summands that are rare."""
    kind = D[3]
    forced, state, often = W[2], W[3], W[12]
    wide, least = limits[2], limits[4]
    rare = 0
    for k in range(count):
        child = out[k]
        single = kind[child] == INNER and state[child] != STORED and state[child] != ROW
        if single and often[child] < least:
            rare += 1
    if rare > 0 and count < wide and state[at] != ROW:
        return False
    for k in range(count):
        child = out[k]
        single = kind[child] == INNER and state[child] != STORED and state[child] != ROW
        if single and often[child] < least:
            forced[child] = STORED
    return True


@inlined
def _show(nodes: Any, low: int, high: int, kind: Any, shown: Any, value: int) -> None:
    for k in range(low, high):
        if kind[nodes[k]] == INNER:
            shown[nodes[k]] = value


@native
def cuts(strict: bool, D: Any, W: Any, shown: Any, limits: Any, buffers: Any) -> None:
    """Cut cones of rare shapes where subterms are of frequent ones, and sums into summands.

    Long sums are cut too, unless there are many times more of them than summands in each.

    `shown` marks what is a cone, or on the way from its root to a cut, and what becomes a summand.
    """
    start, args, kind = D[1], D[2], D[3]
    width, forced, state, size = W[1], W[2], W[3], W[11]
    stack, out, signs = buffers
    least, worth, small = limits[0], limits[1], limits[3]
    for at in range(len(kind) - 1, -1, -1):
        if kind[at] != INNER or state[at] == ABSORBED:
            continue
        if state[at] == STORED or state[at] == PIECE or state[at] == ROW:
            shown[at] = WAY
        if shown[at] == 0:
            continue
        loose = width[at] > limits[5] and W[12][at] < limits[6] * width[at] and not D[5][at]
        if state[at] != ROW and not loose and not _rare(at, W, least, worth):
            if state[at] == IN and shown[at] == WAY and not D[5][at] and size[at] >= small:
                forced[at] = STORED
            continue
        count = 0
        if (width[at] >= FEW and not D[5][at]) or state[at] == ROW:
            count = walk_sum(at, strict, D, W, stack, out, signs)
            count = count if _cut_sum(at, count, out, D, W, limits) else 0
        if count > 0:
            forced[at] = SPLIT
            _show(out, 0, count, kind, shown, SUMMAND)
        else:
            _show(args, start[at], start[at + 1], kind, shown, WAY)


@native
def flatten(
    strict: bool, D: Any, W: Any, sums: Any, bounds: Any, out: Any, signs: Any, buffers: Any
) -> None:
    """Write the summands of some sums one after the other."""
    stack, nodes, minus = buffers
    bounds[0] = 0
    for r in range(len(sums)):
        count = walk_sum(sums[r], strict, D, W, stack, nodes, minus)
        base = bounds[r]
        for k in range(count):
            out[base + k], signs[base + k] = nodes[k], minus[k]
        bounds[r + 1] = base + count
