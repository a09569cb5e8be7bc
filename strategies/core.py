"""Strategy combinators: how laws are applied, in Stratego's and ELEVATE's words.

A strategy maps a term to a term, or to None: "does not apply". Each combinator is its textbook
equation. Rules, rule sets and plain functions are accepted wherever a strategy is.
Source: E. Visser, Z. Benaissa, A. Tolmach, "Building program optimizers with rewriting
strategies", 1998; B. Hagedorn et al., "A language for describing optimization strategies", 2020.
"""

from dataclasses import dataclass
from typing import Any

from strategies.base import (
    Apply,
    Choice,
    Fail,
    Identity,
    Rules,
    Seq,
    Strategy,
    choice,
    fail,
    identity,
    same,
    seq,
    strategy,
)
from strategies.tracing import Firing, Traced, runaway, traced

__all__ = [
    "Apply", "Choice", "Fail", "Firing", "Identity", "Not", "Repeat", "Rules", "Seq", "Strategy",
    "Traced", "Try", "Unary", "Where", "choice", "fail", "identity", "not_", "repeat", "seq",
    "strategy", "traced", "try_", "where",
]  # fmt: skip


@dataclass(frozen=True, repr=False)
class Unary(Strategy):
    """A combinator of one strategy, written as a call."""

    body: Strategy

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({self.body})"


@dataclass(frozen=True, repr=False)
class Try(Unary):
    """try(s) = s <+ identity."""

    def __call__(self, term: Any) -> Any:
        made = self.body(term)
        return term if made is None else made


@dataclass(frozen=True, repr=False)
class Where(Unary):
    """where(s)(x) = x, if s applies to x."""

    def __call__(self, term: Any) -> Any:
        return None if self.body(term) is None else term


@dataclass(frozen=True, repr=False)
class Not(Unary):
    """not(s)(x) = x, if s does not apply to x."""

    def __call__(self, term: Any) -> Any:
        return term if self.body(term) is None else None


@dataclass(frozen=True, repr=False)
class Repeat(Unary):
    """repeat(s) = try(s ; repeat(s)), which also ends where s changes nothing."""

    limit: int = 10_000

    def __call__(self, term: Any) -> Any:
        for _ in range(self.limit):
            made = self.body(term)
            if made is None or same(made, term):
                return term
            term = made
        raise runaway(self, self.body, term, f"after {self.limit} steps")


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
    return Repeat(strategy(body), limit)


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
