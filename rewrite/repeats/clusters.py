"""A program in clusters: cones that belong together, what each computes, and which are equal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.bulk import heights
from rewrite.constants import Constant, constant_key
from rewrite.dag import Dag
from rewrite.repeats import loops
from rewrite.store import Symbol

__all__ = ["Clusters", "clusters_of", "of_sums"]

type Array = npt.NDArray[Any]
type Row = tuple[int, tuple[int, ...], Any]
"""An op code, the places of the arguments, and the constant of a leaf; a symbol is its number."""

WHOLE: Final = 128
"""What is connected by shared values is one cluster, if it has no more nodes."""
SHARED: Final = 4
"""Else by those of cones of so many nodes at most,"""
JOINED: Final = 64
"""into clusters of so many."""


_SUMS: Final = [row.code for row in (ops.ADD, ops.SUB, ops.FMA)]
_PRODUCTS: Final = [row.code for row in (ops.MUL, ops.POW)]


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters of a program, and what is written of each.

    The roots of cluster c, which others read or are roots of the program, are
    `roots[first[c]:first[c + 1]]`; `like[c]` is the first cluster that computes the same of other
    leaves, which are `leaves[leaf_at[c]:leaf_at[c + 1]]`.
    """

    dag: Dag
    kind: Array
    own: Array
    parent: Array
    """By position: kinds, roots of cones, and of these the first cone of the cluster."""
    value: Array
    """By position: the classes of values that clusters read of each other."""
    weight: Array
    """How many nodes each cluster has."""
    roots: Array
    first: Array
    like: Array
    tokens: Array
    token_at: Array
    leaves: Array
    leaf_at: Array
    constants: dict[int, Constant]

    def __len__(self) -> int:
        """Count the clusters."""
        return len(self.like)

    def rows(self, c: int) -> tuple[list[Row], list[int]]:
        """Return what a cluster computes, children first, and the places of its roots."""
        tokens: list[int] = self.tokens[self.token_at[c] : self.token_at[c + 1]].tolist()
        rows: list[Row] = []
        roots: list[int] = []
        at = leaves = 0
        while at < len(tokens):
            token = tokens[at]
            at += 1
            if token >= loops.LITERAL:
                rows.append((ops.CONST.code, (), self.constants[token - loops.LITERAL]))
            elif token >= loops.VARIABLE:
                rows.append((ops.SYMBOL.code, (), leaves))
                leaves += 1
            elif token == loops.ROOTED:
                roots.append(tokens[at])
                at += 1
            else:
                count = tokens[at]
                rows.append((token, tuple(tokens[at + 1 : at + 1 + count]), None))
                at += 1 + count
        return rows, roots

    def value_classes(self, c: int) -> list[int | None]:
        """Return the class of each leaf of a cluster that another one computes."""
        tokens = self.tokens[self.token_at[c] : self.token_at[c + 1]]
        return [
            token - loops.VALUE if token >= loops.VALUE else None
            for token in tokens[(tokens >= loops.VARIABLE) & (tokens < loops.LITERAL)].tolist()
        ]


def clusters_of(dag: Dag, values: Callable[[Array], Array]) -> Clusters:
    """Take a program apart; `values` gives nodes that clusters read of others their classes.

    It gets those nodes, and returns one class for each: what may be assumed of them.
    """
    n, columns = len(dag), (dag.code, dag.start, dag.args)
    fixed = _literals(dag)
    heights(dag.start, dag.args, fixed)
    kind = np.empty(n, np.uint8)
    loops.kinds(*columns, fixed, kind)
    root = np.zeros(n, np.bool_)
    root[dag.roots] = True
    own, load = np.full(n, -1, np.int32), np.zeros(n, np.int32)
    loops.owners(dag.start, dag.args, kind, root, own, load)
    parent, weight = _joined(dag, kind, own, load)
    outside = np.zeros(n, np.bool_)
    loops.shown(dag.start, dag.args, kind, own, parent, outside)
    read = np.flatnonzero(outside)
    value = np.zeros(n, np.int32)
    value[read] = values(read)
    leaf, constants = leaf_classes(dag)
    hashes = np.empty(n, np.uint64)
    loops.shapes(*columns, kind, own, parent, leaf, value, hashes)
    roots = np.flatnonzero(outside | (root & (kind != loops.FREE)))
    roots = roots[np.lexsort((roots, hashes[roots], parent[roots]))]
    first = np.append(np.flatnonzero(np.diff(parent[roots], prepend=-1)), len(roots))
    tokens, token_at, leaves, leaf_at = _written(
        (*columns, kind, own, parent, leaf, value), roots, first
    )
    like = _like(tokens, token_at)
    heavy = weight[parent[roots[first[:-1]]]]
    return Clusters(
        dag, kind, own, parent, value, heavy, roots, first, like, tokens, token_at, leaves,
        leaf_at, constants,
    )  # fmt: skip


def of_sums(clusters: Clusters) -> Array:
    """Tell which clusters are products that sums of others add, or add such products.

    In them it is worth more to share sums and factors among all than what each gains by itself.
    """
    dag, own, parent = clusters.dag, clusters.own, clusters.parent
    users = np.repeat(np.arange(len(dag)), np.diff(dag.start))
    used = dag.args
    stored = (clusters.kind[used] == loops.INNER) & (own[used] == used)
    inner = (clusters.kind[used] == loops.INNER) & ~stored
    product = np.isin(dag.code, _PRODUCTS)
    product[users[inner & ~product[used]]] = False
    added = stored & np.isin(dag.code[users], _SUMS) & product[used]
    added &= parent[used] != parent[np.maximum(own[users], 0)]
    found = np.zeros(len(dag), np.bool_)
    found[parent[used[added]]] = found[parent[own[users[added]]]] = True
    marked: Array = found[parent[clusters.roots[clusters.first[:-1]]]]
    return marked


def _literals(dag: Dag) -> npt.NDArray[np.bool_]:
    fixed = np.zeros(len(dag), np.bool_)
    leaves = np.flatnonzero(dag.start[1:] == dag.start[:-1]).tolist()
    fixed[leaves] = [not isinstance(dag.value[at], Symbol) for at in leaves]
    return fixed


def _joined(dag: Dag, kind: Array, own: Array, load: Array) -> tuple[Array, Array]:
    """Join cones; return the first one of the cluster of each, and how many nodes that has."""
    parent = np.arange(len(dag), dtype=np.int32)
    weight, trial, total = load.copy(), parent.copy(), load.copy()
    steps = [(1, loops.MOST, WHOLE)] + [(size, size, JOINED) for size in range(1, SHARED + 1)]
    for least, most, cap in steps:
        loops.join(
            dag.start, dag.args, kind, own, load, parent, weight, trial, total, least, most, cap
        )
    return parent, weight


def leaf_classes(dag: Dag) -> tuple[Array, dict[int, Constant]]:
    """Number leaves by what may be assumed of them: constants by value, symbols by their domain.

    Also return the constant of each number.
    """
    constants: dict[int, Constant] = {}
    found = np.zeros(len(dag), np.int32)
    numbers: dict[Any, int] = {}
    leaves = np.flatnonzero(dag.start[1:] == dag.start[:-1]).tolist()
    classes = []
    for at in leaves:
        value: Any = dag.value[at]
        if isinstance(value, Symbol):
            key: Any = (value.dtype, value.low, value.high, value.sort_name, value.many)
        else:
            key = constant_key(value)
        number = numbers.setdefault(key, len(numbers) + 1)
        if not isinstance(value, Symbol):
            constants[number] = value
        classes.append(number)
    found[leaves] = classes
    return found, constants


def _written(
    columns: tuple[Array, ...], roots: Array, first: Array
) -> tuple[Array, Array, Array, Array]:
    """Write all clusters down, after it was counted how long that is."""
    n, count = len(columns[0]), len(first) - 1
    token_at, leaf_at = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    tokens, leaves = np.empty(0, np.int32), np.empty(0, np.int32)
    local = np.empty(n, np.int32)
    stack = np.empty(n + len(columns[2]) + 2, np.int64)
    for write in (False, True):
        stamp = np.full(n, -1, np.int32)
        loops.written(
            columns, roots, first, stamp, local, stack, (tokens, leaves), token_at, leaf_at, write
        )
        if not write:
            tokens = np.empty(token_at[-1], np.int32)
            leaves = np.empty(leaf_at[-1], np.int32)
    return tokens, token_at, leaves, leaf_at


def _like(tokens: Array, token_at: Array) -> Array:
    """Return the first cluster that is written like each."""
    hashes = np.empty(len(token_at) - 1, np.uint64)
    loops.apart(tokens, token_at, hashes)
    _, firsts, numbers = np.unique(hashes, return_index=True, return_inverse=True)
    like = firsts[numbers]
    same = np.empty(len(like), np.bool_)
    loops.equal(tokens, token_at, like, same)
    return np.where(same, like, np.arange(len(like)))
