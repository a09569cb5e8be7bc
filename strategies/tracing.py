"""Watching strategies: which rule fired where, reported by the leaves and by nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, NamedTuple

from rewrite.errors import StrategyError
from strategies.base import Rules, Strategy, same, strategy

__all__ = ["Firing", "Traced", "runaway", "traced", "wired"]


class Firing(NamedTuple):
    """One application of a rule, or of another leaf: its name, the term before and after."""

    rule: str
    before: Any
    after: Any

    def __str__(self) -> str:
        return f"{self.rule}: {self.before} => {self.after}"


type Watch = Callable[[Firing], object]


@dataclass(frozen=True, repr=False)
class Watched(Strategy):
    """A leaf that reports when it applies."""

    leaf: Strategy
    watch: Watch

    def fire(self, term: Any) -> tuple[str, Any] | None:
        if isinstance(self.leaf, (Rules, Watched)):
            fired = self.leaf.fire(term)
        else:
            made = self.leaf(term)
            fired = None if made is None else (str(self.leaf), made)
        if fired is not None and not same(fired[1], term):
            self.watch(Firing(fired[0], term, fired[1]))
        return fired

    def __call__(self, term: Any) -> Any:
        fired = self.fire(term)
        return None if fired is None else fired[1]

    def __str__(self) -> str:
        return str(self.leaf)


def wired(body: Strategy, watch: Watch) -> Strategy:
    """Return the same strategy with every leaf inside reporting when it applies."""
    inside: dict[str, Any] = {}
    opened = is_dataclass(body) and not isinstance(body, Watched)
    for name in [entry.name for entry in fields(body)] if opened else []:  # type: ignore[arg-type]
        part = getattr(body, name)
        if isinstance(part, Strategy):
            inside[name] = wired(part, watch)
        elif isinstance(part, tuple) and part and isinstance(part[0], Strategy):
            inside[name] = tuple([wired(one, watch) for one in part])
    return replace(body, **inside) if inside else Watched(body, watch)  # type: ignore[type-var]


def runaway(whole: Strategy, body: Strategy, term: Any, when: str) -> StrategyError:
    """Name what fires once more on a term, in the error of a strategy that does not end."""
    fired: list[Firing] = []
    wired(body, fired.append)(term)
    names = ", ".join(dict.fromkeys(firing.rule for firing in fired)) or str(body)
    return StrategyError(f"{whole} does not end: {when}, {names} still fires on {str(term)[:80]}")


@dataclass(frozen=True, repr=False)
class Traced(Strategy):
    """A strategy that hands every firing to a callback, also in branches that fail later."""

    body: Strategy
    watch: Watch

    def __call__(self, term: Any) -> Any:
        return wired(self.body, self.watch)(term)

    def __str__(self) -> str:
        return f"traced({self.body})"


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
