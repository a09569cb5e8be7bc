"""Watching strategies: which rule fired where, reported by the leaves and by nothing else."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from rewrite.errors import StrategyError
from strategies.base import Control, Rules, Script, Strategy, cut, mapped, same, strategy

__all__ = [
    "Count", "Firing", "Traced", "Watching", "Wrapped", "count", "fire", "runaway", "traced",
    "watched", "wired",
]  # fmt: skip


class Firing(NamedTuple):
    """One application of a rule, or of another leaf: its name, the term before and after."""

    rule: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.rule}: {self.before} => {self.after}"


type Watch = Callable[[Firing], object]


@dataclass(frozen=True, repr=False)
class Wrapped(Strategy):
    """A leaf that is observed."""

    leaf: Strategy

    def fire(self, term: Any) -> tuple[str, Any] | None:
        """Return the name of the rule that applies, and what it makes of the term."""
        raise NotImplementedError

    def __call__(self, term: Any) -> Any:
        fired = self.fire(term)
        return None if fired is None else fired[1]

    def __str__(self) -> str:
        return str(self.leaf)


def fire(leaf: Strategy, term: Any) -> tuple[str, Any] | None:
    """Apply a leaf: return the name of what applies, and what it makes of the term."""
    if isinstance(leaf, (Rules, Wrapped)):
        return leaf.fire(term)
    made = leaf(term)
    return None if made is None else (str(leaf), made)


@dataclass(frozen=True, repr=False)
class Watched(Wrapped):
    """A leaf that reports when it applies and changes something."""

    watch: Watch

    def fire(self, term: Any) -> tuple[str, Any] | None:
        fired = fire(self.leaf, term)
        if fired is not None and not same(fired[1], term):
            self.watch(Firing(fired[0], term, fired[1]))
        return fired


def wired(body: Strategy, wrap: Callable[[Strategy], Strategy]) -> Strategy:
    """Return the same strategy with every leaf inside wrapped, but no leaf twice."""
    if isinstance(body, Wrapped):
        return wrap(body)
    new = mapped(body, lambda part: wired(part, wrap))
    # what is a combinator and has nothing inside is a variable of a recursion
    return wrap(body) if new is body and not isinstance(body, Control) else new


def watched(body: Strategy, watch: Watch) -> Strategy:
    """Return the same strategy with every leaf inside reporting when it applies."""
    return wired(body, lambda leaf: Watched(leaf, watch))


def runaway(whole: Strategy, body: Strategy, term: Any, when: str) -> StrategyError:
    """Name what fires once more on a term, in the error of a strategy that does not end."""
    fired: list[Firing] = []
    watched(body, fired.append)(term)
    names = ", ".join(dict.fromkeys(firing.rule for firing in fired))
    still = f"{names} still fires on" if names else "at"
    return StrategyError(f"{whole} does not end: {when}, {still} {cut(term)}")


@dataclass(frozen=True, repr=False)
class Watching(Control):
    """A strategy whose leaves are watched while it is applied."""

    body: Strategy
    live: Strategy = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "live", wired(self.body, self.wrap))

    def wrap(self, leaf: Strategy) -> Strategy:
        """Return the watched form of a leaf."""
        raise NotImplementedError

    def script(self, term: Any) -> Script:
        return (yield self.live, term)

    def __str__(self) -> str:
        return f"{type(self).__name__.lower()}({self.body})"


@dataclass(frozen=True, repr=False)
class Traced(Watching):
    """A strategy that hands every firing to a callback, also in branches that fail later."""

    watch: Watch

    def wrap(self, leaf: Strategy) -> Strategy:
        return Watched(leaf, self.watch)


@dataclass(frozen=True, repr=False)
class Count(Watching):
    """A strategy that counts the firings of each rule, in branches that fail later too."""

    firings: Counter[str] = field(default_factory=Counter, compare=False)

    def wrap(self, leaf: Strategy) -> Strategy:
        return Watched(leaf, self.note)

    def note(self, firing: Firing) -> None:
        """Count one."""
        self.firings[firing.rule] += 1


def traced(body: Any, watch: Watch | list[Firing] = print) -> Traced:
    """Report every firing as `rule: before => after`: print it, call a function, or fill a list.

    >>> import rewrite as rw
    >>> from rewrite.rule import Rule
    >>> (a,) = rw.pattern_vars("a")
    >>> x = rw.symbol("x")
    >>> traced(Rule("neg-neg", -(-a), a))(-(-x))
    neg-neg: --x => x
    x
    """
    return Traced(strategy(body), watch.append if isinstance(watch, list) else watch)


def count(body: Any) -> Count:
    """Count firings by rule name, over all terms that the result is applied to.

    >>> def last(term):
    ...     return term[:-1] or None
    >>> counted = count(last)
    >>> counted("abc"), counted("x"), counted.firings
    ('ab', None, Counter({'last': 1}))
    """
    return Count(strategy(body))
