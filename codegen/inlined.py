"""Ops of a user in programs: what their functions compute is written in their place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from codegen.lower import Result
from rewrite import ops, signatures
from rewrite.array import TermArray
from rewrite.dag import Dag
from rewrite.errors import RewriteError, UnsupportedOp
from rewrite.sorts import BOOL
from rewrite.store import Store
from rewrite.term import Term, join, lift, scope
from rewrite.tracing import call

__all__ = ["inlined"]

_DEEPEST = 64
"""Functions that use ops whose functions use ops, and so on."""


def inlined(results: Sequence[Result]) -> list[Result]:
    """Write out the ops of `rw.register` and `rw.op` whose functions can be traced.

    Raise `UnsupportedOp` for a function that cannot be, or that calls itself.
    """
    terms = [term for result in results for term in result.terms]
    store = terms[0].store
    made = iter(_written_out(store, terms))
    return [replace(each, terms=tuple(next(made) for _ in each.terms)) for each in results]


def _written_out(store: Store, terms: list[Term]) -> list[Term]:
    for _ in range(_DEEPEST):
        dag = Dag.of(store, [term.id for term in terms])
        own = np.flatnonzero(dag.code >= len(ops.BUILTIN)).tolist()
        if not own or any(_function(dag, at) is None for at in own):
            return terms  # where there is no function, others refuse the op
        ids = dag.ids.tolist()
        for at, (code, args) in enumerate(dag.rows()):
            given = [ids[a] for a in args]
            if code >= len(ops.BUILTIN):
                ids[at] = _called(dag, at, [Term(store, node) for node in given], store)
            elif args:
                ids[at] = store.make((code, *given))
        terms = [Term(store, ids[root]) for root in dag.roots]
    name = ops.OPS[int(dag.code[own[0]])].name
    raise UnsupportedOp(f"the function of the op {name!r} calls the op itself, without an end")


def _function(dag: Dag, at: int) -> object:
    sorts = tuple(dag.sort[dag.args[dag.start[at] : dag.start[at + 1]]].tolist())
    found = signatures.find(int(dag.code[at]), sorts) if max(sorts, default=0) <= BOOL else None
    return None if found is None else found.function


def _called(dag: Dag, at: int, args: list[Term], store: Store) -> int:
    function = _function(dag, at)
    try:
        with scope(store):
            made = call(function, args, {}, store)  # type: ignore[arg-type]
    except RewriteError as error:
        name = ops.OPS[int(dag.code[at])].name
        raise UnsupportedOp(
            f"the op {name!r} is compiled as its function, which cannot be traced: {error}"
        ) from error
    made = made.item() if isinstance(made, TermArray) else made
    return join(store, lift(made, store)).id
