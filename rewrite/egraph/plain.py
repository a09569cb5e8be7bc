"""Plain terms: how the e-graph sees a program, so that derivations speak of the same things.

Sums and products of many are chains from the left, `((a + b) + c)`, which is what they mean; a
constant that has an exact value is that integer or fraction, however it was written.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from rewrite import ops
from rewrite.constants import Constant, as_constant
from rewrite.dag import Dag
from rewrite.egraph.language import exact
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["fill", "plain", "put", "rows_of", "subterm", "written"]

type Place = tuple[int, ...]
"""Which child to go to, from the root downwards."""


def plain(store: Store, term: Term) -> int:
    """Make the plain form of a term in a store.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> Term(x.store, plain(x.store, rw.apply("add", x, 1.0, 0.5))).sexpr()
    '(add (add x 1) 1/2)'
    """
    return _rebuilt(store, term, _exactly)


def written(store: Store, node: int, originals: Mapping[Any, Constant]) -> Term:
    """Return a plain term with its numbers as they were written where they came from."""

    def as_written(value: Constant) -> Constant:
        return originals.get(exact(value), value)

    return Term(store, _rebuilt(store, Term(store, node), as_written))


def _exactly(value: Constant) -> Constant:
    rational = exact(value)
    return value if rational is None else as_constant(rational)


def _rebuilt(store: Store, term: Term, number: Any) -> int:
    dag = Dag.of(term.store, [term.id])
    made: list[int] = []
    for at, (code, args) in enumerate(dag.rows()):
        value = dag.value[at]
        if isinstance(value, Symbol):
            made.append(store.symbol(value, code))
        elif value is not None:
            made.append(store.constant(number(value)))
        else:
            made.append(chain(store, code, [made[a] for a in args]))
    return made[dag.roots[0]]


def chain(store: Store, code: int, args: Sequence[int]) -> int:
    """Apply an op to arguments; one of many from the left, two at a time."""
    if ops.OPS[code].arity >= 0 or len(args) <= 2:
        return store.make((code, *args))
    node = args[0]
    for other in args[1:]:
        node = store.make((code, node, other))
    return node


def rows_of(store: Store, root: int) -> tuple[list[int], list[tuple[int, tuple[int, ...]]]]:
    """Return the nodes of a plain term, children first, and (op, children) with places in it."""
    dag = Dag.of(store, [root])
    return dag.ids.tolist(), dag.rows()


def fill(store: Store, pattern: Term, instance: Mapping[str, int]) -> int:
    """Make the plain term that a pattern becomes for given values of its variables."""
    made: list[int] = []
    for code, args, value in _rows(pattern.store, pattern.id):
        if isinstance(value, Symbol):
            made.append(instance[value.name])
        elif value is not None:
            made.append(store.constant(value))
        else:
            made.append(chain(store, code, [made[a] for a in args]))
    return made[-1]


@functools.lru_cache(maxsize=4096)
def _rows(store: Store, node: int) -> list[tuple[int, tuple[int, ...], Symbol | Constant | None]]:
    """Return the rows of a pattern, its numbers exact; the last one is its root."""
    dag = Dag.of(store, [node])
    values = [v if v is None or isinstance(v, Symbol) else _exactly(v) for v in dag.value]
    return [(*row, value) for row, value in zip(dag.rows(), values, strict=True)]


def subterm(store: Store, root: int, place: Place) -> int:
    """Return the node at a place; raise `IndexError` where there is none."""
    for step in place:
        root = store.children(root)[step]
    return root


def put(store: Store, root: int, place: Place, node: int) -> int:
    """Return the term with another node at a place."""
    above = []
    for step in place:
        args = store.children(root)
        above.append((store.code(root), args, step))
        root = args[step]
    for code, args, step in reversed(above):
        node = store.make((code, *args[:step], node, *args[step + 1 :]))
    return node
