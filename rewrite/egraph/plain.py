"""Plain terms: how the e-graph sees a program, so that derivations speak of the same things.

Sums and products of many are chains from the left, `((a + b) + c)`, which is what they mean; a
constant that has an exact value is that integer or fraction, however it was written.
"""

import functools
from collections.abc import Mapping, Sequence
from fractions import Fraction

from rewrite import ops
from rewrite.constants import Constant, as_constant
from rewrite.dag import Dag
from rewrite.egraph.language import exact
from rewrite.store import Store, Symbol
from rewrite.term import Term

__all__ = ["Plain", "fill", "plain", "put", "rows_of", "subterm"]

type Place = tuple[int, ...]
"""Which child to go to, from the root downwards."""


def plain(store: Store, term: Term) -> int:
    """Make the plain form of a term in a store.

    >>> import rewrite as rw
    >>> x = rw.symbol("x")
    >>> Term(x.store, plain(x.store, rw.apply("add", x, 1.0, 0.5))).sexpr()
    '(add (add x 1) 1/2)'
    """
    return Plain(store).of(term)


class Plain:
    """Brings terms into a store in plain form, what they share only once.

    `numbers` says how an exact number is to be written, by default as an integer or a fraction.
    """

    def __init__(self, store: Store, numbers: Mapping[Fraction, Constant] | None = None) -> None:
        self.store, self.numbers = store, numbers or {}
        self._made: dict[Store, dict[int, int]] = {}

    def of(self, term: Term) -> int:
        """Return the plain form of a term."""
        store, made = term.store, self._made.setdefault(term.store, {})
        stack = [term.id]
        while stack:
            node = stack[-1]
            missing = [child for child in store.children(node) if child not in made]
            if missing:
                stack += missing
                continue
            stack.pop()
            if node not in made:
                args = [made[child] for child in store.children(node)]
                made[node] = (
                    chain(self.store, store.code(node), args) if args else self._leaf(store, node)
                )
        return made[term.id]

    def _leaf(self, store: Store, node: int) -> int:
        value = store.value(node)
        if value is None:
            return self.store.symbol(store.symbols[store.payload(node)], store.code(node))
        rational = exact(value)
        if rational is None:
            return self.store.constant(value)
        return self.store.constant(self.numbers.get(rational, as_constant(rational)))


def _exactly(value: Constant) -> Constant:
    rational = exact(value)
    return value if rational is None else as_constant(rational)


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
