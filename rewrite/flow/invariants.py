"""What does not change in a loop, so that it is computed once before it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rewrite.dag import Dag
from rewrite.flow.body import Body, Loop
from rewrite.ops import PVAR
from rewrite.sorts import BOOL
from rewrite.store import Symbol
from rewrite.term import Term

__all__ = ["hoisted"]

LAST_LEAF = PVAR.code


def hoisted(loop: Loop) -> tuple[dict[Term, Term], Loop]:
    """Return symbols for the largest terms that do not change, with them, and the loop of these.

    Loops inside are looked through: what changes in them alone stays in them.
    """
    own = {term.id for inner in (loop, *_inside(loop.step)) for term in (*inner.state, *inner.end)}
    own -= {term.id for term in loop.end}
    roots = list(_terms(loop.step))
    store = roots[0].store
    dag = Dag.of(store, [term.id for term in roots])
    rows, ids = dag.rows(), dag.ids.tolist()
    changes = np.zeros(len(rows), np.bool_)
    known = np.zeros(len(rows), np.bool_)
    for at, (_, args) in enumerate(rows):
        changes[at] = ids[at] in own or any(changes[arg] for arg in args)
        known[at] = not isinstance(dag.value[at], Symbol) and all(known[arg] for arg in args)
    wanted = {
        arg for at, (_, args) in enumerate(rows) if changes[at] for arg in args
    } | {*dag.roots}  # fmt: skip
    found: dict[Term, Term] = {}
    for at in sorted(wanted):
        if changes[at] or known[at] or rows[at][0] <= LAST_LEAF:
            continue
        term = Term(store, ids[at])
        kind = "bool" if term.sort == BOOL else None
        name = f"fixed__{loop.state[0]}_{len(found)}" if loop.state else f"fixed__{len(found)}"
        found[term] = Term(store, store.symbol(Symbol(name, kind)))
    if not found:
        return {}, loop
    return {symbol: term for term, symbol in found.items()}, _replaced(loop, found)


def _inside(body: Body) -> Iterator[Loop]:
    for loop in body.loops:
        yield loop
        yield from _inside(loop.step)


def _terms(body: Body) -> Iterator[Term]:
    yield from body.results
    for loop in body.loops:
        yield from loop.start
        yield from _terms(loop.step)


def _replaced(loop: Loop, found: dict[Term, Term]) -> Loop:
    """Put symbols for terms into the step of a loop."""
    return replace(loop, step=_in_body(loop.step, found))


def _in_body(body: Body, found: dict[Term, Term]) -> Body:
    loops = tuple(
        replace(
            inner, start=tuple(term.substitute(found) for term in inner.start),
            step=_in_body(inner.step, found),
        )
        for inner in body.loops
    )  # fmt: skip
    return Body(loops, tuple(term.substitute(found) for term in body.results))
