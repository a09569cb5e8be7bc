"""Where in a term a strategy is applied: one level, or everywhere in some order.

A term is a DAG and a strategy is a function, so each distinct node is visited once in a run and
its result is shared. No traversal recurses over the term: chains of 10^6 nodes are fine.
"""

from dataclasses import dataclass
from typing import Any

from strategies.base import strategy
from strategies.core import Unary
from strategies.walk import Run, Search, walk

__all__ = [
    "All", "AllTd", "BottomUp", "DownUp", "Innermost", "OnceBu", "OnceTd", "One", "Outermost",
    "Some", "TopDown", "all_", "alltd", "bottomup", "downup", "innermost", "oncebu", "oncetd",
    "one", "outermost", "some", "topdown",
]  # fmt: skip


# -- one level -------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class All(Unary):
    """all(s)(f(x, y)) = f(s(x), s(y)), if s applies to every child."""

    def __call__(self, term: Any) -> Any:
        run = Run(self, self.body, term)
        done: dict[int, int] = {}
        for child in run.nodes.children(run.root):
            if child not in done:
                if (made := run.fire(child)) is None:
                    return None
                done[child] = made
        return run.nodes.leave(run.rebuild(run.root, done))


@dataclass(frozen=True, repr=False)
class One(Unary):
    """one(s)(f(x, y)) = f(s(x), y) if s applies to x, else f(x, s(y)) if s applies to y."""

    def __call__(self, term: Any) -> Any:
        run = Run(self, self.body, term)
        children = run.nodes.children(run.root)
        for place, child in enumerate(children):
            if (made := run.fire(child)) is not None:
                new = (*children[:place], made, *children[place + 1 :])
                return (
                    term if new == children else run.nodes.leave(run.nodes.rebuild(run.root, new))
                )
        return None


@dataclass(frozen=True, repr=False)
class Some(Unary):
    """some(s) = all(try(s)), if s applies to at least one child."""

    def __call__(self, term: Any) -> Any:
        run = Run(self, self.body, term)
        made = {child: run.fire(child) for child in dict.fromkeys(run.nodes.children(run.root))}
        if not any(result is not None for result in made.values()):
            return None
        done = {child: child if result is None else result for child, result in made.items()}
        return run.nodes.leave(run.rebuild(run.root, done))


# -- everywhere ------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class TopDown(Unary):
    """topdown(s) = s ; all(topdown(s))."""

    limit: int | None = None

    def __call__(self, term: Any) -> Any:
        return walk(Run(self, self.body, term, self.limit), before=Run.fire)


@dataclass(frozen=True, repr=False)
class BottomUp(Unary):
    """bottomup(s) = all(bottomup(s)) ; s."""

    def __call__(self, term: Any) -> Any:
        return walk(Run(self, self.body, term), after=Run.fire)


@dataclass(frozen=True, repr=False)
class DownUp(Unary):
    """downup(s) = s ; all(downup(s)) ; s."""

    limit: int | None = None

    def __call__(self, term: Any) -> Any:
        return walk(Run(self, self.body, term, self.limit), before=Run.fire, after=Run.fire)


@dataclass(frozen=True, repr=False)
class AllTd(Unary):
    """alltd(s) = s <+ all(alltd(s))."""

    def __call__(self, term: Any) -> Any:
        return walk(Run(self, self.body, term), stop=Run.fire)


@dataclass(frozen=True, repr=False)
class OnceTd(Unary):
    """oncetd(s) = s <+ one(oncetd(s))."""

    def __call__(self, term: Any) -> Any:
        run = Run(self, self.body, term)
        made = Search(run).once(run.root)
        return None if made is None else run.nodes.leave(made)


@dataclass(frozen=True, repr=False)
class OnceBu(Unary):
    """oncebu(s) = one(oncebu(s)) <+ s."""

    def __call__(self, term: Any) -> Any:
        run = Run(self, self.body, term)
        made = Search(run, upwards=True).once(run.root)
        return None if made is None else run.nodes.leave(made)


@dataclass(frozen=True, repr=False)
class Innermost(Unary):
    """innermost(s) = bottomup(try(s ; innermost(s)))."""

    limit: int | None = None

    def __call__(self, term: Any) -> Any:
        return walk(Run(self, self.body, term, self.limit), after=Run.fire, again=True)


@dataclass(frozen=True, repr=False)
class Outermost(Unary):
    """outermost(s) = repeat(oncetd(s)), where s counts only if it changes something."""

    limit: int | None = None

    def __call__(self, term: Any) -> Any:
        run = Run(self, self.body, term, self.limit)
        search, node = Search(run, changing=True), run.root
        while (made := search.once(node)) is not None:
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


def topdown(body: Any, *, limit: int | None = None) -> TopDown:
    """Apply a strategy to every node, parents first; it must apply to each.

    Raise `StrategyError` where it makes terms without end, after 10,000 firings and ten a node
    unless `limit` says otherwise.
    """
    return TopDown(strategy(body), limit)


def bottomup(body: Any) -> BottomUp:
    """Apply a strategy to every node, children first; it must apply to each."""
    return BottomUp(strategy(body))


def downup(body: Any, *, limit: int | None = None) -> DownUp:
    """Apply a strategy to every node on the way down and on the way up."""
    return DownUp(strategy(body), limit)


def alltd(body: Any) -> AllTd:
    """Apply a strategy as high as it applies, along every path; never fails."""
    return AllTd(strategy(body))


def oncetd(body: Any) -> OnceTd:
    """Apply a strategy at the first place where it applies, parents first."""
    return OnceTd(strategy(body))


def oncebu(body: Any) -> OnceBu:
    """Apply a strategy at the first place where it applies, children first."""
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
    return Innermost(strategy(body), limit)


def outermost(body: Any, *, limit: int | None = None) -> Outermost:
    """Apply a strategy until it applies nowhere, parents first; never fails.

    Each firing looks from the root again, so `innermost` is faster on deep terms.
    """
    return Outermost(strategy(body), limit)
