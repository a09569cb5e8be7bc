"""Recursion: `fix` makes a strategy that may name itself.

As in a traversal, a strategy is a function and a term is a DAG: in one run, each recursion is
unfolded once for each distinct node and its result is shared. It runs on the stack of `perform`:
chains of 10^6 nodes are fine.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NoReturn

from rewrite.errors import StrategyError
from strategies.base import (
    OPEN,
    Control,
    Script,
    Strategy,
    bounded,
    cut,
    identity,
    inside,
    mapped,
    strategy,
)
from strategies.tracing import runaway
from strategies.walk import STEPS, Nodes, allowance, nodes_of

__all__ = ["Fix", "Variable", "fix"]

NAMES: Final = "xyzuvw"
"""Variables that are not named by the user are called so, the innermost first."""
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, repr=False)
class Variable(Control):
    """The place where a recursion goes on with itself."""

    name: str

    def script(self, term: Any) -> NoReturn:
        raise StrategyError(
            f"the variable {self} is bound by no fix; write fix(lambda {self}: ...)"
        )

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False)
class Fix(Control):
    """mu x. s = s, with mu x. s in the place of each x."""

    name: str
    body: Strategy
    limit: int | None = None
    power: ClassVar[int] = OPEN

    def script(self, term: Any) -> Script:
        run = Unfolding(self, {}, nodes_of(term), term)
        return (yield run.again, term)

    def __str__(self) -> str:
        return f"mu {self.name}. {self.body}"


# -- running it ------------------------------------------------------------------------------


_UNDER_WAY: Final = object()


class Unfolding:
    """One run of a recursion: its results by node, and its body with the variables filled in."""

    def __init__(self, whole: Fix, around: dict[str, Strategy], nodes: Nodes, start: Any) -> None:
        self.whole, self.nodes, self.start = whole, nodes, start
        self.results: dict[int, Any] = {}
        self.limit = whole.limit
        self.again = Again(self)
        self.body = self._opened(whole.body, {**around, whole.name: self.again})

    def _opened(self, part: Strategy, bound: dict[str, Strategy]) -> Strategy:
        """Replace variables, and recursions inside by runs that last as long as this one."""
        if isinstance(part, Variable):
            return bound.get(part.name, part)
        if isinstance(part, Fix):
            return Unfolding(part, bound, self.nodes, self.start).again
        return mapped(part, lambda each: self._opened(each, bound))

    def bound(self) -> int:
        """Return the limit, counting the nodes of the first term when that is first needed."""
        if self.limit is None:
            self.limit = allowance(self.nodes, self.nodes.enter(self.start))
        return self.limit

    def runaway(self, term: Any, when: str) -> StrategyError:
        """Say which rules fire when it is unfolded once more."""
        once = replaced(self.whole.body, lambda name, bound: name if bound else identity)
        return runaway(self.whole, once, term, when)


@dataclass(frozen=True, repr=False, eq=False)
class Again(Control):
    """A variable in a run: what the recursion makes of a node, worked out once."""

    run: Unfolding

    def script(self, term: Any) -> Script:
        run = self.run
        node = run.nodes.enter(term)
        made = run.results.get(node, run)
        if made is _UNDER_WAY:
            raise run.runaway(term, f"it came back to {cut(term)}")
        if made is run:
            run.results[node] = _UNDER_WAY
            count = len(run.results)
            if count > (run.limit or STEPS) and count > run.bound():
                raise run.runaway(term, f"after {count - 1} unfoldings")
            made = run.results[node] = yield run.body, run.nodes.leave(node)
        return made

    def __str__(self) -> str:
        return self.run.whole.name


# -- making it -------------------------------------------------------------------------------


class Hole(Variable):
    """A variable that has no name of its own yet; told from others by identity."""


def replaced(
    whole: Strategy, change: Callable[[Variable, bool], Strategy], bound: frozenset[str] = _NONE
) -> Strategy:
    """Replace the variables inside, each told with whether a recursion inside binds its name."""
    if isinstance(whole, Variable):
        return change(whole, whole.name in bound)
    if isinstance(whole, Fix):
        bound |= {whole.name}
    return mapped(whole, lambda part: replaced(part, change, bound))


def fix(
    name: str | Callable[[Strategy], Any], body: Callable[[Strategy], Any] | None = None, *,
    limit: int | None = None,
) -> Fix:  # fmt: skip
    """Make a strategy that may use itself: `fix(lambda x: ...)`, or `fix("name", lambda x: ...)`.

    Without a name the variable is called x, or y, z, ... where that is taken inside. Raise
    `StrategyError` where it makes terms without end, after 10,000 unfoldings and ten a node unless
    `limit` says otherwise, and where it needs its own result on the same term.

    >>> from strategies.traversal import all_
    >>> fix(lambda x: identity >> all_(x))
    mu x. identity ; all(x)
    >>> fix(lambda x: identity >> all_(x))(("add", 1, ("neg", 2)))
    ('add', 1, ('neg', 2))
    """
    function, given = (body, name) if isinstance(name, str) else (name, None)
    if function is None or not callable(function) or isinstance(function, Strategy):
        raise StrategyError(
            f"fix takes a function of a strategy, not {function!r}: fix(lambda x: s)"
        )
    if given is not None and not given.replace("-", "_").isidentifier():
        raise StrategyError(f"{given!r} is no name for a variable")
    hole = Hole(given or "?")
    made = strategy(function(hole))
    own = given or _unused(set(_names(made)))

    def fill(variable: Variable, bound: bool) -> Strategy:
        if variable is not hole:
            return variable
        if bound:
            raise StrategyError(
                f"{made} binds {own} inside of fix({own!r}, ...); rename one of them"
            )
        return Variable(own)

    return Fix(own, replaced(made, fill), bounded(limit))


def _names(whole: Strategy) -> Iterator[str]:
    """Yield the names of the variables and recursions inside."""
    if isinstance(whole, (Variable, Fix)):
        yield whole.name
    for part in inside(whole):
        yield from _names(part)


def _unused(taken: set[str]) -> str:
    rows = (f"{letter}{number or ''}" for number in itertools.count() for letter in NAMES)
    return next(name for name in rows if name not in taken)
