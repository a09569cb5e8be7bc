"""Compiled passes that take a program apart: cones, clusters of them, and what each computes.

A *cone* is a node and what is computed for it alone; its root is *stored*: others read its value.
A node is FREE (a leaf, or made of constants alone), INNER, or CHEAP: -x or c*x of a leaf, which is
part of each cone that uses it, as it costs less than what it hides.
"""

from typing import Any, Final

import numpy as np

from rewrite import ops
from rewrite.native import inlined, native

__all__ = [
    "CHEAP", "FREE", "INNER", "LITERAL", "MOST", "ROOTED", "VALUE", "VARIABLE", "apart", "equal",
    "join", "kinds", "needed", "ordered", "owners", "shapes", "shown", "types", "written",
]  # fmt: skip

FREE: Final = 0
INNER: Final = 1
CHEAP: Final = 2

MOST: Final = 192
"""No cone has more nodes."""
NONE: Final = -1
MANY: Final = -2

VARIABLE: Final = 1 << 16
"""In what is written of a cluster: a symbol of a class, which is added;"""
VALUE: Final = 1 << 24
"""a value of a class, which another cluster computes;"""
LITERAL: Final = 1 << 28
"""a constant, whose number is added; else an op code."""
ROOTED: Final = -1
"""Before the place of each root."""

_MUL: Final = ops.MUL.code
_NEG: Final = ops.NEG.code
_CONST: Final = ops.CONST.code


@native
def kinds(code: Any, start: Any, args: Any, fixed: Any, kind: Any) -> None:
    """Tell FREE, INNER and CHEAP nodes."""
    for at in range(len(code)):
        low, count = start[at], start[at + 1] - start[at]
        if count == 0 or fixed[at]:
            kind[at] = FREE
            continue
        kind[at] = INNER
        if code[at] == _NEG or (code[at] == _MUL and count == 2):
            computed = 0
            numbers = 0
            for k in range(low, low + count):
                computed += kind[args[k]] != FREE
                numbers += fixed[args[k]]
            if computed == 0 and numbers == count - 1:
                kind[at] = CHEAP


@native
def owners(start: Any, args: Any, kind: Any, root: Any, own: Any, load: Any) -> None:
    """Find the root of the cone of each node, users before what they use, and what cones weigh."""
    for at in range(len(kind) - 1, -1, -1):
        if kind[at] == FREE or (kind[at] == CHEAP and not root[at]):
            continue
        owner = own[at]
        if root[at] or owner < 0 or load[owner] >= MOST:
            own[at] = owner = at
        load[owner] += 1
        for k in range(start[at], start[at + 1]):
            child = args[k]
            if kind[child] == INNER and own[child] != owner:
                own[child] = owner if own[child] == NONE else MANY


@inlined
def _find(parent: Any, at: int) -> int:
    while parent[at] != at:
        parent[at] = parent[parent[at]]
        at = parent[at]
    return at


@inlined
def _unite(a: int, b: int, trial: Any, total: Any) -> None:
    a, b = _find(trial, a), _find(trial, b)
    if a != b:
        low, high = min(a, b), max(a, b)
        trial[high] = low
        total[low] += total[high]


@native
def join(
    start: Any, args: Any, kind: Any, own: Any, load: Any, parent: Any, weight: Any, trial: Any,
    total: Any, least: int, most: int, cap: int,
) -> None:  # fmt: skip
    """Join cones that share a value whose cone weighs so much.

    It is done where all that come together are light enough: equal neighbourhoods are decided
    equally.
    """
    for at in range(len(kind)):
        trial[at] = at
        total[at] = weight[at]
    for at in range(len(kind)):
        for k in range(start[at], start[at + 1] if own[at] >= 0 else start[at]):
            child = args[k]
            if kind[child] == INNER and own[child] == child and least <= load[child] <= most:
                _unite(_find(parent, own[at]), _find(parent, child), trial, total)
    for at in range(len(kind)):
        top = _find(trial, at)
        if own[at] == at and parent[at] == at and top != at and total[top] <= cap:
            parent[at] = top
            weight[top] = total[top]
    for at in range(len(kind)):
        if own[at] == at:
            parent[at] = _find(parent, at)


@native
def shown(start: Any, args: Any, kind: Any, own: Any, parent: Any, outside: Any) -> None:
    """Mark stored nodes that are read outside their cluster."""
    for at in range(len(kind)):
        if own[at] < 0:
            continue
        cluster = parent[own[at]]
        for k in range(start[at], start[at + 1]):
            child = args[k]
            if kind[child] == INNER and own[child] == child and parent[child] != cluster:
                outside[child] = True


@inlined
def _mixed(h: Any, token: int) -> Any:
    h = (h ^ np.uint64(token)) * np.uint64(0xFF51AFD7ED558CCD)
    return h ^ (h >> np.uint64(32))


@native
def types(
    code: Any, start: Any, args: Any, leaf: Any, of: Any, first: Any, hashes: Any, table: Any,
    seen: Any, place: Any,
) -> int:  # fmt: skip
    """Number nodes by what they compute of leaves of which class; return how many numbers.

    Which arguments of a node are one is part of it. `leaf` has the classes of leaves, 0 of others;
    `first` gets the first node of each number, `table` has a power of two of cells.
    """
    mask, count = np.uint64(len(table) - 1), 0
    for at in range(len(code)):
        low, high = start[at], start[at + 1]
        h = _mixed(_mixed(np.uint64(0x9E3779B97F4A7C15), code[at]), leaf[at])
        for k in range(low, high):
            child = args[k]
            if seen[child] != at:
                seen[child], place[child] = at, k - low
            h = _mixed(_mixed(h, of[child]), place[child])
        slot = h & mask
        while table[slot] >= 0:
            number = table[slot]
            base = start[first[number]]
            same = hashes[number] == h and start[first[number] + 1] - base == high - low
            for k in range(high - low if same else 0):
                same = same and of[args[base + k]] == of[args[low + k]]
            if same:
                break
            slot = (slot + np.uint64(1)) & mask
        if table[slot] < 0:
            table[slot], first[count], hashes[count] = count, at, h
            count += 1
        of[at] = table[slot]
    return count


@native
def shapes(
    code: Any, start: Any, args: Any, kind: Any, own: Any, parent: Any, leaf: Any, value: Any,
    h: Any,
) -> None:  # fmt: skip
    """Hash what each node computes within its cluster, from leaves and values of classes."""
    for at in range(len(code)):
        if start[at] == start[at + 1]:
            h[at] = _mixed(np.uint64(0x9E3779B97F4A7C15), leaf[at])
            continue
        total = _mixed(np.uint64(0x2545F4914F6CDD1D), code[at])
        cluster = parent[own[at]] if own[at] >= 0 else NONE
        for k in range(start[at], start[at + 1]):
            child = args[k]
            foreign = kind[child] == INNER and own[child] == child and parent[child] != cluster
            if foreign:
                total = _mixed(total, VALUE + value[child])
            else:
                total = (total ^ h[child]) * np.uint64(0xC4CEB9FE1A85EC53)
                total ^= total >> np.uint64(29)
        h[at] = total


@inlined
def _write_leaf(at: int, inside: bool, P: Any, T: Any, t: int, v: int, write: bool) -> int:
    """Write a leaf; return how many leaves there are then: a constant is none."""
    code, leaf, value = P[0], P[6], P[7]
    tokens, leaves = T
    if inside and code[at] == _CONST:
        if write:
            tokens[t] = LITERAL + leaf[at]
        return v
    if write:
        tokens[t] = VARIABLE + leaf[at] if inside else VALUE + value[at]
        leaves[v] = at
    return v + 1


@inlined
def _write_node(at: int, P: Any, local: Any, T: Any, t: int, write: bool) -> int:
    """Write an op and its arguments; return where the next token goes."""
    code, start, args = P[0], P[1], P[2]
    low, count = start[at], start[at + 1] - start[at]
    if write:
        T[0][t], T[0][t + 1] = code[at], count
        for k in range(count):
            T[0][t + 2 + k] = local[args[low + k]]
    return int(t + 2 + count)


@inlined
def _open(at: int, c: int, top: int, P: Any, stamp: Any, stack: Any) -> int:
    """Put a node on the stack below its arguments that are not written yet."""
    start, args = P[1], P[2]
    stack[top] = ~at
    top += 1
    for k in range(start[at + 1] - 1, start[at] - 1, -1):
        if stamp[args[k]] != c:
            stack[top] = args[k]
            top += 1
    return top


@native
def written(
    P: Any, roots: Any, first: Any, stamp: Any, local: Any, stack: Any, T: Any, token_at: Any,
    leaf_at: Any, write: bool,
) -> None:  # fmt: skip
    """Write down what each cluster computes, and list its leaves as they are met.

    `P` is the program: code, start, args, kind, own, parent, classes of leaves and of values. The
    roots of cluster c are `roots[first[c]:first[c + 1]]`. What is written begins at `token_at[c]`,
    its leaves at `leaf_at[c]`; both are filled, tokens and leaves (`T`) only if it is to be
    written.
    """
    start, kind, own, parent = P[1], P[3], P[4], P[5]
    t, v = 0, 0
    for c in range(len(first) - 1):
        token_at[c], leaf_at[c] = t, v
        cluster = parent[roots[first[c]]]
        count = 0
        for r in range(first[c], first[c + 1]):
            top = 1
            stack[0] = roots[r]
            while top > 0:
                top -= 1
                at = stack[top]
                done = at < 0
                at = ~at if done else at
                if stamp[at] == c:
                    continue
                inside = kind[at] != INNER or own[at] < 0 or parent[own[at]] == cluster
                if done:
                    t = _write_node(at, P, local, T, t, write)
                elif inside and start[at + 1] > start[at]:
                    top = _open(at, c, top, P, stamp, stack)
                    continue
                else:
                    v = _write_leaf(at, inside, P, T, t, v, write)
                    t += 1
                stamp[at] = c
                local[at] = count
                count += 1
            if write:
                T[0][t], T[0][t + 1] = ROOTED, local[roots[r]]
            t += 2
    token_at[len(first) - 1], leaf_at[len(first) - 1] = t, v


@native
def apart(tokens: Any, token_at: Any, h: Any) -> None:
    """Hash what is written of each cluster."""
    for c in range(len(h)):
        total = np.uint64(0x9E3779B97F4A7C15)
        for t in range(token_at[c], token_at[c + 1]):
            total = _mixed(total, tokens[t])
        h[c] = total


@native
def equal(tokens: Any, token_at: Any, like: Any, same: Any) -> None:
    """Tell for each cluster whether it is written like another one."""
    for c in range(len(like)):
        base, other = token_at[c], token_at[like[c]]
        count = token_at[c + 1] - base
        same[c] = token_at[like[c] + 1] - other == count
        for t in range(count if same[c] else 0):
            if tokens[base + t] != tokens[other + t]:
                same[c] = False
                break


@native
def needed(start: Any, args: Any, stops: Any, wanted: Any) -> None:
    """Mark what is below the nodes that are marked, down to those at which it stops."""
    for at in range(len(wanted) - 1, -1, -1):
        if wanted[at] and not stops[at]:
            for k in range(start[at], start[at + 1]):
                wanted[args[k]] = True


@native
def ordered(roots: Any, start: Any, args: Any, seen: Any, stack: Any, order: Any) -> int:
    """Order the nodes below some roots, children first wherever there is no cycle; count them."""
    count = 0
    for k in range(len(roots)):
        stack[0], top = roots[k], 1
        while top > 0:
            top -= 1
            at = stack[top]
            if at < 0:
                order[count] = ~at
                count += 1
            elif not seen[at]:
                seen[at] = True
                stack[top] = ~at
                top += 1
                for j in range(start[at + 1] - 1, start[at] - 1, -1):
                    if not seen[args[j]]:
                        stack[top] = args[j]
                        top += 1
    return count
