"""Which strategies the compiled engine can run, and the one way to run them there.

`innermost(s)` and `bottomup(try(s))`, where s is a choice of rule sets and constant folding, are
data for `rewrite.machine`. Results, and the errors for what does not end, are those of the walks in
`strategies.walk`; a body that is watched or holds other strategies is walked.
"""

import functools
import sys
import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from rewrite.array import TermArray
from rewrite.dag import reachable
from rewrite.store import Ints, Store
from rewrite.term import Term
from strategies.base import Choice, Rules, Strategy
from strategies.tracing import runaway
from strategies.walk import allowed

if TYPE_CHECKING:
    from rewrite.machine.run import Machine

__all__ = ["compilable", "machine_for", "rewritten", "runs"]

PAYS: Final = 200
"""Smaller terms are walked until something has loaded the compiled engine, which takes half a
second."""
PATIENCE: Final = 20 * PAYS
"""After so many nodes of small terms the walks have cost what loading it costs."""
ENGINE: Final = "rewrite.machine.run"


def compilable(body: Strategy) -> bool:
    """Tell whether a strategy is a choice of what the compiled engine knows."""
    parts = body.options if isinstance(body, Choice) else (body,)
    return all(isinstance(part, Rules) or getattr(part, "folds", False) for part in parts)


def _entries(body: Strategy) -> Iterator[Any]:
    from rewrite.machine.tree import Callback

    for part in body.options if isinstance(body, Choice) else (body,):
        if isinstance(part, Rules):
            yield from part.rules
        else:
            yield Callback(part)


def machine_for(body: Strategy) -> "Machine":
    """Return the machine of a body, made once for each object: tables are not compared."""
    from rewrite.machine.run import Machine

    key = id(body)
    known = _KNOWN.get(key)
    if known is None:
        machine = Machine(tuple(_entries(body)))
        gone = weakref.ref(body, lambda _: _KNOWN.pop(key, None))
        known = _KNOWN[key] = (gone, machine)
    return known[1]


_KNOWN: Final[dict[int, tuple[weakref.ref[Strategy], "Machine"]]] = {}
"""By the identity of a strategy, as long as it lives."""


def runs(body: Strategy, term: Any) -> bool:
    """Tell whether the engine can run a body on a term, and is there or worth its loading."""
    if not isinstance(term, (Term, TermArray)) or not compilable(body):
        return False
    if ENGINE in sys.modules:
        return True
    if isinstance(term, Term):
        count = term.node_count()
    else:
        count = term.size if term.size > PAYS else len(reachable(term.store, term.ids.ravel()))
    _walked.append(_walked.pop() + count)
    return count > PAYS or _walked[-1] > PATIENCE


_walked: Final = [0]
"""How many nodes small terms had, one after the other."""


def rewritten[T: (Term, TermArray)](
    whole: Strategy, body: Strategy, what: T, limit: int | None, *, again: bool
) -> T:
    """Run a body over a term or an array; raise `StrategyError` where it does not end."""
    from rewrite.machine.run import Endless

    store = what.store
    roots = np.array([what.id], np.int32) if isinstance(what, Term) else what.ids.ravel()
    least, more = limit, None
    if least is None:  # the nodes below the roots are counted when that may be too little
        least = allowed(_distinct(store, roots))
        more = functools.partial(_allowance, store, roots)
    try:
        made = machine_for(body).normalise(store, roots, limit=least, more=more, again=again)
    except Endless as end:
        raise runaway(whole, body, Term(store, end.node), end.when) from None
    if isinstance(what, Term):
        return Term(store, int(made[0]))
    return TermArray(store, made.reshape(what.shape))


def _allowance(store: Store, roots: Ints) -> int:
    return allowed(len(reachable(store, roots)))


def _distinct(store: Store, roots: Ints) -> int:
    if len(roots) == 1:
        return 1
    seen = np.zeros(len(store), np.bool_)
    seen[roots] = True
    return int(seen.sum())
