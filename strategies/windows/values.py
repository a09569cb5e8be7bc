"""What may be assumed of many values of a large program: found once for all that are alike."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rewrite import ops
from rewrite.dag import Dag
from rewrite.intervals import TOP, Fact
from rewrite.ranges import transfer
from rewrite.repeats import loops
from rewrite.repeats.clusters import leaf_classes
from rewrite.sorts import BOOL
from strategies.windows.binary import UNKNOWN, Known, coarse, defined, leaf_fact

__all__ = ["Values"]

type Array = npt.NDArray[Any]

DISTINCT: Final = 20_000
"""Of programs of which more is distinct, nothing is found out: they repeat little."""


class Values:
    """What is known of some values, by their class; a class is a sort and what is known."""

    def __init__(self, dag: Dag) -> None:
        self.dag = dag
        self.classes: list[tuple[int, Known]] = []

    def __call__(self, nodes: Array) -> Array:
        """Return the class of each of some nodes."""
        if not len(nodes):
            return np.empty(0, np.int32)
        dag = self.dag
        of, first = _types(dag)
        wanted, numbers = np.unique(of[nodes], return_inverse=True)
        known = _known(dag, of, first) if len(first) <= DISTINCT else None
        places: dict[tuple[int, Known], int] = {}
        classes = []
        for number in wanted.tolist():
            sort = int(dag.sort[first[number]])
            key = sort, UNKNOWN if known is None else known[number]
            classes.append(places.setdefault(key, len(places)))
        self.classes = list(places)
        return np.array(classes, np.int32)[numbers]


def _types(dag: Dag) -> tuple[Array, Array]:
    """Number nodes by what they compute of which kinds of leaves; also return the first of each."""
    n = len(dag)
    of, first, hashes = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.uint64)
    table = np.full(1 << (2 * n).bit_length(), -1, np.int32)
    seen, place = np.full(n, -1, np.int32), np.empty(n, np.int32)
    count = loops.types(
        dag.code, dag.start, dag.args, leaf_classes(dag)[0], of, first, hashes, table, seen, place
    )
    return of, first[:count]


def _known(dag: Dag, of: Array, first: Array) -> list[Known]:
    """Find out of each type what is known of its values."""
    facts: list[Fact] = []
    wholes: list[bool] = []
    for at in first.tolist():
        value, code = dag.value[at], int(dag.code[at])
        if value is not None:
            facts.append(leaf_fact(value))
            wholes.append(True)
            continue
        args = dag.args[dag.start[at] : dag.start[at + 1]].tolist()
        below = of[args].tolist()
        whole = all(wholes[t] for t in below)
        if dag.sort[at] == BOOL:
            facts.append(TOP)
            wholes.append(whole and defined(code, [facts[t] for t in below]))
            continue
        found, whole = _applied(code, args, [facts[t] for t in below], whole)
        facts.append(found)
        wholes.append(whole)
    return [
        coarse(fact, whole) if dag.sort[at] != BOOL else Known(defined=whole)
        for at, fact, whole in zip(first.tolist(), facts, wholes, strict=True)
    ]


def _applied(
    code: int, args: list[int], below: list[Fact], whole: bool
) -> tuple[Fact, bool]:  # fmt: skip
    """Return what is known of an application; n-ary ones are chains from the left."""
    if ops.OPS[code].arity >= 0:
        return transfer(code, args, below), whole and defined(code, below)
    found, key = below[0], args[0]
    for arg, fact in zip(args[1:], below[1:], strict=True):
        pair = [found, fact]
        whole = whole and defined(code, pair)
        found, key = transfer(code, (key, arg), pair), -1
    return found, whole
