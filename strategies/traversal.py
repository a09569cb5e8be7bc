"""Where in a term a strategy is applied: one level, or everywhere in some order.

A term is a DAG and a strategy is a function, so each distinct node is visited once in a run and
its result is shared. No traversal recurses over the term: chains of 10^6 nodes are fine.
"""

from dataclasses import dataclass
from typing import Any

from rewrite.array import TermArray
from rewrite.errors import StrategyError
from rewrite.interface import head, is_call
from rewrite.ops import Op
from strategies import compiled
from strategies.base import (
    ATOM,
    Control,
    Script,
    Strategy,
    bounded,
    each,
    fail,
    identity,
    strategy,
    written,
)
from strategies.core import Try, Unary
from strategies.walk import Run, Search, walk

__all__ = [
    "All", "AllTd", "BottomUp", "DownUp", "Innermost", "On", "OnceBu", "OnceTd", "One",
    "Outermost", "Some", "TopDown", "all_", "alltd", "bottomup", "downup", "innermost", "on",
    "oncebu", "oncetd", "one", "outermost", "some", "topdown",
]  # fmt: skip


# -- one level -------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class All(Unary):
    """all(s)(f(x, y)) = f(s(x), s(y)), if s applies to every child."""

    def script(self, term: Any) -> Script:
        run = Run(self, self.body, term)
        done: dict[int, int] = {}
        for child in run.nodes.children(run.root):
            if child not in done:
                if (made := (yield from run.fire(child))) is None:
                    return None
                done[child] = made
        return run.nodes.leave(run.rebuild(run.root, done))


@dataclass(frozen=True, repr=False)
class One(Unary):
    """one(s)(f(x, y)) = f(s(x), y) if s applies to x, else f(x, s(y)) if s applies to y."""

    def script(self, term: Any) -> Script:
        run = Run(self, self.body, term)
        children = run.nodes.children(run.root)
        for place, child in enumerate(children):
            if (made := (yield from run.fire(child))) is not None:
                new = (*children[:place], made, *children[place + 1 :])
                return run.nodes.leave(run.rebuilt(run.root, new))
        return None


@dataclass(frozen=True, repr=False)
class Some(Unary):
    """some(s) = all(try(s)), if s applies to at least one child."""

    def script(self, term: Any) -> Script:
        run = Run(self, self.body, term)
        done: dict[int, int] = {}
        applied = False
        for child in dict.fromkeys(run.nodes.children(run.root)):
            made = yield from run.fire(child)
            applied = applied or made is not None
            done[child] = child if made is None else made
        if not applied:
            return None
        return run.nodes.leave(run.rebuild(run.root, done))


@dataclass(frozen=True, repr=False)
class On(Control):
    """on(f, s, t)(f(x, y)) = f(s(x), t(y)); *t stands for all children that are left."""

    head: str
    bodies: tuple[Strategy, ...] = ()
    rest: Strategy | None = None

    def script(self, term: Any) -> Script:
        if not is_call(term) or head(term) != self.head:
            return None
        run = Run(self, identity, term)
        below = run.nodes.children(run.root)
        left = len(below) - len(self.bodies)
        if left < 0 or (left and self.rest is None):
            return None
        pairs = list(zip(below, (*self.bodies, *[self.rest] * left), strict=True))
        made: dict[tuple[int, int], int] = {}
        for child, body in pairs:
            if (child, id(body)) not in made:
                if (result := (yield from run.fire(child, body))) is None:
                    return None
                made[child, id(body)] = result
        new = tuple([made[child, id(body)] for child, body in pairs])
        return run.nodes.leave(run.rebuilt(run.root, new))

    def __str__(self) -> str:
        rest = [] if self.rest is None else [f"*{written(self.rest, ATOM)}"]
        return f"on({', '.join([self.head, *map(str, self.bodies), *rest])})"


# -- everywhere ------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class TopDown(Unary):
    """topdown(s) = s ; all(topdown(s))."""

    limit: int | None = None

    def script(self, term: Any) -> Script:
        return (yield from walk(Run(self, self.body, term, self.limit), before=True))


@dataclass(frozen=True, repr=False)
class BottomUp(Unary):
    """bottomup(s) = all(bottomup(s)) ; s."""

    def script(self, term: Any) -> Script:
        body = self.body.body if isinstance(self.body, Try) else fail
        if compiled.runs(body, term):
            return compiled.rewritten(self, body, term, None, again=False)
        return (yield from walk(Run(self, self.body, term), after=True))

    def over(self, array: TermArray) -> TermArray | None:
        body = self.body.body if isinstance(self.body, Try) else fail
        if compiled.runs(body, array):
            return compiled.rewritten(self, body, array, None, again=False)
        return each(self, array)


@dataclass(frozen=True, repr=False)
class DownUp(Unary):
    """downup(s) = s ; all(downup(s)) ; s."""

    limit: int | None = None

    def script(self, term: Any) -> Script:
        return (yield from walk(Run(self, self.body, term, self.limit), before=True, after=True))


@dataclass(frozen=True, repr=False)
class AllTd(Unary):
    """alltd(s) = s <+ all(alltd(s))."""

    def script(self, term: Any) -> Script:
        return (yield from walk(Run(self, self.body, term), stop=True))


@dataclass(frozen=True, repr=False)
class OnceTd(Unary):
    """oncetd(s) = s <+ one(oncetd(s))."""

    def script(self, term: Any) -> Script:
        run = Run(self, self.body, term)
        made = yield from Search(run).once(run.root)
        return None if made is None else run.nodes.leave(made)


@dataclass(frozen=True, repr=False)
class OnceBu(Unary):
    """oncebu(s) = one(oncebu(s)) <+ s."""

    def script(self, term: Any) -> Script:
        run = Run(self, self.body, term)
        made = yield from Search(run, upwards=True).once(run.root)
        return None if made is None else run.nodes.leave(made)


@dataclass(frozen=True, repr=False)
class Innermost(Unary):
    """innermost(s) = bottomup(try(s ; innermost(s)))."""

    limit: int | None = None

    def script(self, term: Any) -> Script:
        if compiled.runs(self.body, term):
            return compiled.rewritten(self, self.body, term, self.limit, again=True)
        return (yield from walk(Run(self, self.body, term, self.limit), after=True, again=True))

    def over(self, array: TermArray) -> TermArray | None:
        if compiled.runs(self.body, array):
            return compiled.rewritten(self, self.body, array, self.limit, again=True)
        return each(self, array)


@dataclass(frozen=True, repr=False)
class Outermost(Unary):
    """outermost(s) = repeat(oncetd(s)), where s counts only if it changes something."""

    limit: int | None = None

    def script(self, term: Any) -> Script:
        run = Run(self, self.body, term, self.limit)
        search, node = Search(run, changing=True), run.root
        while (made := (yield from search.once(node))) is not None:
            node = made
        return run.nodes.leave(node)


# -- their names in expressions --------------------------------------------------------------


def all_(body: Any) -> All:
    """Apply a strategy to every child; it must apply to each.

    >>> all_(lambda term: term + 1)(("add", 1, 2))
    ('add', 2, 3)
    """
    return All(strategy(body))


def one(body: Any) -> One:
    """Apply a strategy to the first child to which it applies.

    >>> one(lambda term: term + 1)(("add", 1, 2))
    ('add', 2, 2)
    """
    return One(strategy(body))


def some(body: Any) -> Some:
    """Apply a strategy to every child to which it applies; there must be one.

    >>> some(lambda term: 9 if term == 2 else None)(("add", 1, 2))
    ('add', 1, 9)
    """
    return Some(strategy(body))


def on(op: Op | str, *bodies: Any, rest: Any = None) -> On:
    """Apply strategies to the children of a node with this op, one each, in their order.

    It fails on any other node, where the counts differ, and where one of them fails. `rest` goes to
    the children that are left. A name may be any that the term interface gives. Raise
    `StrategyError` for what is no op, and for counts that the op never has.

    >>> on("add", lambda term: term + 1, identity)(("add", 1, 2))
    ('add', 2, 2)
    >>> on("add", identity, rest=lambda term: -term)(("add", 1, 2, 3))
    ('add', 1, -2, -3)
    """
    name = op.name if isinstance(op, Op) else op
    if not isinstance(name, str) or not name:
        raise StrategyError(f"{op!r} is no op; give a row of rw.ops, or the name of a head")
    if isinstance(op, Op):
        _check_arity(op, len(bodies), rest is not None)
    return On(name, tuple(map(strategy, bodies)), None if rest is None else strategy(rest))


def _check_arity(op: Op, count: int, more: bool) -> None:
    """Refuse what can never apply."""
    fits = (
        (count >= 2 or more) if op.arity < 0 else count <= op.arity if more else count == op.arity
    )
    if not fits:
        wanted = "two or more" if op.arity < 0 else str(op.arity)
        raise StrategyError(
            f"children of {op.name}: {wanted}; strategies for them: {count}; give one for each, or "
            "rest="
        )


def topdown(body: Any, *, limit: int | None = None) -> TopDown:
    """Apply a strategy to every node, parents first; it must apply to each.

    Raise `StrategyError` where it makes terms without end, after 10,000 firings and ten a node
    unless `limit` says otherwise.

    >>> from strategies.core import try_
    >>> topdown(try_(lambda term: ("mul", 2, 3) if term == 6 else None))(("neg", 6))
    ('neg', ('mul', 2, 3))
    """
    return TopDown(strategy(body), bounded(limit))


def bottomup(body: Any) -> BottomUp:
    """Apply a strategy to every node, children first; it must apply to each.

    >>> from strategies.core import try_
    >>> bottomup(try_(lambda term: 2 if term == 1 else None))(("add", 1, ("neg", 1)))
    ('add', 2, ('neg', 2))
    """
    return BottomUp(strategy(body))


def downup(body: Any, *, limit: int | None = None) -> DownUp:
    """Apply a strategy to every node on the way down and on the way up.

    >>> from strategies.core import try_
    >>> downup(try_(lambda term: term + 1 if term in (1, 2) else None))(("neg", 1))
    ('neg', 3)
    """
    return DownUp(strategy(body), bounded(limit))


def alltd(body: Any) -> AllTd:
    """Apply a strategy as high as it applies, along every path; never fails.

    >>> alltd(lambda term: term[1] if term[0] == "neg" else None)(("neg", ("neg", "x")))
    ('neg', 'x')
    """
    return AllTd(strategy(body))


def oncetd(body: Any) -> OnceTd:
    """Apply a strategy at the first place where it applies, parents first.

    >>> oncetd(lambda term: term[1] if term[0] == "neg" else None)(("add", ("neg", 1), ("neg", 2)))
    ('add', 1, ('neg', 2))
    """
    return OnceTd(strategy(body))


def oncebu(body: Any) -> OnceBu:
    """Apply a strategy at the first place where it applies, children first.

    >>> oncebu(lambda term: 0 if term == ("mul", 0, 1) else None)(("add", ("mul", 0, 1), 2))
    ('add', 0, 2)
    """
    return OnceBu(strategy(body))


def innermost(body: Any, *, limit: int | None = None) -> Innermost:
    """Apply a strategy until it applies nowhere, children first; never fails.

    Raise `StrategyError` where that has no end, after 10,000 firings and ten a node unless `limit`
    says otherwise.

    >>> import rewrite as rw
    >>> from rewrite.rule import Rule
    >>> (a,) = rw.pattern_vars("a")
    >>> x = rw.symbol("x")
    >>> innermost(Rule("neg-neg", -(-a), a))(rw.sin(-(-(-(-x)))))
    sin(x)
    """
    return Innermost(strategy(body), bounded(limit))


def outermost(body: Any, *, limit: int | None = None) -> Outermost:
    """Apply a strategy until it applies nowhere, parents first; never fails.

    Each firing looks from the root again and rewrites one place, also of a subterm that is shared:
    `innermost` is faster on deep terms, and on DAGs with more paths than nodes the only one to end.

    >>> import rewrite as rw
    >>> from rewrite.rule import Rule
    >>> (a,) = rw.pattern_vars("a")
    >>> outermost(Rule("neg-neg", -(-a), a))(-(-(-rw.symbol("x"))))
    -x
    """
    return Outermost(strategy(body), bounded(limit))
