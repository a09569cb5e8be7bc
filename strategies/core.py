"""Strategy combinators: how laws are applied, in Stratego's and ELEVATE's words.

A strategy maps a term to a term, or to None: "does not apply". Each combinator is its textbook
equation. Rules, rule sets and plain functions are accepted wherever a strategy is.

=========================  ==================  =====================================================
written in Python          printed             equation
=========================  ==================  =====================================================
identity                   identity            identity(x) = x
fail                       fail                fail(x) does not apply
seq(s, t), s >> t          s ; t               (s ; t)(x) = t(s(x))
choice(s, t), s | t        s <+ t              (s <+ t)(x) = s(x), else t(x)
if_(c, s, t)               c < s + t           (c < s + t)(x) = s(c(x)) if c applies, else t(x)
try_(s)                    try(s)              try(s) = s <+ identity
best(s, t, by=m)           best(s, t by m)     that one of x, s(x), t(x) of which m is least
where(s)                   where(s)            where(s)(x) = x if s applies
not_(s)                    not(s)              not(s)(x) = x if s does not apply
repeat(s)                  repeat(s)           repeat(s) = try(s ; repeat(s))
repeat1(s)                 s ; repeat(s)       at least once
fix(lambda x: s)           mu x. s             mu x. s = s, with mu x. s for each x in it
named("n", s)              n                   n = s
all_(s)                    all(s)              all(s)(f(x, y)) = f(s(x), s(y))
one(s), some(s)            one(s), some(s)     at the first child, at every child that it applies to
on("f", s, t)              on(f, s, t)         on(f, s, t)(f(x, y)) = f(s(x), t(y))
on("f", s, rest=t)         on(f, s, *t)        on(f, s, *t)(f(x, y, z)) = f(s(x), t(y), t(z))
topdown(s)                 topdown(s)          topdown(s) = s ; all(topdown(s))
bottomup(s)                bottomup(s)         bottomup(s) = all(bottomup(s)) ; s
downup(s)                  downup(s)           downup(s) = s ; all(downup(s)) ; s
alltd(s)                   alltd(s)            alltd(s) = s <+ all(alltd(s))
oncetd(s)                  oncetd(s)           oncetd(s) = s <+ one(oncetd(s))
oncebu(s)                  oncebu(s)           oncebu(s) = one(oncebu(s)) <+ s
innermost(s)               innermost(s)        innermost(s) = bottomup(try(s ; innermost(s)))
outermost(s)               outermost(s)        outermost(s) = repeat(oncetd(s))
traced(s), count(s)        as written          s; every firing is reported, counted by rule
timed(s)                   as written          s; with the calls and seconds of each rule
=========================  ==================  =====================================================

`;` binds more tightly than `<+`; `c < s + t` and `mu x. s` reach as far to the right as they can.
Source: E. Visser, Z. Benaissa, A. Tolmach, "Building program optimizers with rewriting
strategies", 1998; B. Hagedorn et al., "A language for describing optimization strategies", 2020.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from rewrite.array import TermArray
from rewrite.errors import StrategyError
from strategies.base import (
    OPEN,
    THEN,
    Apply,
    Choice,
    Control,
    Fail,
    Identity,
    Rules,
    Script,
    Seq,
    Strategy,
    bounded,
    choice,
    fail,
    identity,
    over,
    same,
    seq,
    strategy,
    written,
)
from strategies.measures import Measure, Nodes, Relative, against
from strategies.tracing import Count, Firing, Traced, count, runaway, traced

__all__ = [
    "Apply", "Best", "Choice", "Count", "Fail", "Firing", "Identity", "If", "Named", "Not",
    "Repeat", "Rules", "Seq", "Strategy", "Traced", "Try", "Unary", "Where", "best", "choice",
    "count", "fail", "identity", "if_", "named", "not_", "repeat", "repeat1", "seq", "strategy",
    "traced", "try_", "where",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class Unary(Control):
    """A combinator of one strategy, written as a call."""

    body: Strategy

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({self.body})"


@dataclass(frozen=True, repr=False)
class Try(Unary):
    """try(s) = s <+ identity."""

    def script(self, term: Any) -> Script:
        made = yield self.body, term
        return term if made is None else made


@dataclass(frozen=True, repr=False)
class Where(Unary):
    """where(s)(x) = x, if s applies to x."""

    def script(self, term: Any) -> Script:
        return None if (yield self.body, term) is None else term


@dataclass(frozen=True, repr=False)
class Not(Unary):
    """not(s)(x) = x, if s does not apply to x."""

    def script(self, term: Any) -> Script:
        return term if (yield self.body, term) is None else None


@dataclass(frozen=True, repr=False)
class Repeat(Unary):
    """repeat(s) = try(s ; repeat(s)), which also ends where s changes nothing."""

    limit: int = 10_000

    def script(self, term: Any) -> Script:
        for _ in range(self.limit):
            made = yield self.body, term
            if made is None or same(made, term):
                return term
            term = made
        raise runaway(self, self.body, term, f"after {self.limit} steps")


@dataclass(frozen=True, repr=False)
class If(Control):
    """(c < s + t)(x) = s(c(x)) if c applies to x, else t(x)."""

    condition: Strategy
    then: Strategy
    otherwise: Strategy
    power: ClassVar[int] = OPEN

    def script(self, term: Any) -> Script:
        made = yield self.condition, term
        return (yield (self.otherwise, term) if made is None else (self.then, made))

    def __str__(self) -> str:
        parts = (self.condition, self.then, self.otherwise)
        return "{} < {} + {}".format(*[written(part, THEN) for part in parts])


@dataclass(frozen=True, repr=False)
class Best(Control):
    """best(s, t by m)(x) = that one of x, s(x), t(x) of which m is least, the first of equals."""

    options: tuple[Strategy, ...]
    by: Measure | Relative

    def script(self, term: Any) -> Script:
        forms = [term]
        for option in self.options:
            made = yield option, term
            if made is not None and not any(same(made, form) for form in forms):
                forms.append(made)
        return term if len(forms) == 1 else min(forms, key=against(self.by, term))

    def __str__(self) -> str:
        options = ", ".join(map(str, self.options))
        return f"best({options} by {getattr(self.by, '__name__', self.by)})"


@dataclass(frozen=True, repr=False)
class Named(Control):
    """A strategy that prints as its name."""

    name: str
    body: Strategy

    def script(self, term: Any) -> Script:
        return (yield self.body, term)

    def over(self, array: TermArray) -> TermArray | None:
        return over(self.body, array)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{self.name} = {self.body}"


def try_(body: Any) -> Try:
    """Apply a strategy where it applies, else leave the term as it is.

    >>> try_(fail)("x")
    'x'
    """
    return Try(strategy(body))


def repeat(body: Any, *, limit: int = 10_000) -> Repeat:
    """Apply a strategy as often as it applies; raise `StrategyError` after so many times.

    >>> repeat(lambda term: term[1:] or None)("abc")
    'c'
    """
    return Repeat(strategy(body), bounded(limit))


def repeat1(body: Any, *, limit: int = 10_000) -> Strategy:
    """Apply a strategy at least once, and as often as it applies.

    >>> repeat1(fail)("x") is None
    True
    """
    return seq(body, repeat(body, limit=limit))


def where(body: Any) -> Where:
    """Return the term unchanged if a strategy applies to it.

    >>> where(fail)("x") is None
    True
    """
    return Where(strategy(body))


def not_(body: Any) -> Not:
    """Return the term unchanged if a strategy does not apply to it.

    >>> not_(fail)("x")
    'x'
    """
    return Not(strategy(body))


def if_(condition: Any, then: Any, otherwise: Any = identity) -> If:
    """Go on with `then` in what the condition made of the term; where it fails, with `otherwise`.

    Unlike in `choice`, a failure of `then` is final. To test and not to change, write `where(c)`.

    >>> if_(where(fail), fail)("x")
    'x'
    """
    return If(strategy(condition), strategy(then), strategy(otherwise))


def best(*options: Any, by: Measure | Relative | None = None) -> Best:
    """Apply each strategy to the term, and return what is least by a measure; never fails.

    The term itself is the first candidate, and of equals the first is kept. A measure is a function
    of a term, by default how many distinct nodes it has; `strategies.measures` has others. Raise
    `StrategyError` for what is no function.

    >>> best(lambda term: term[1:], lambda term: term + "!", by=len)("xy")
    'y'
    """
    measure = Nodes() if by is None else by
    if not callable(measure) and not isinstance(measure, Relative):
        raise StrategyError(f"by={by!r} is no measure; give a function of a term")
    return Best(tuple(map(strategy, options)), measure)


def named(name: str, body: Any) -> Named:
    """Give a strategy a name, as which it prints; raise `StrategyError` for what is no name.

    >>> tidy = named("tidy", try_(identity))
    >>> tidy
    tidy = try(identity)
    >>> tidy >> fail
    tidy ; fail
    """
    if not isinstance(name, str) or not name:
        raise StrategyError(f"{name!r} is no name for {strategy(body)}; give a text")
    return Named(name, strategy(body))
