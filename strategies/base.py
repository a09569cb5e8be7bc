"""What a strategy is, its leaves, and the two ways of joining strategies: then, or else."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from rewrite.errors import StrategyError
from rewrite.matching import apply_rule, head_ops, plausible
from rewrite.rule import Rule, RuleSet
from rewrite.term import Term

__all__ = [
    "Apply", "Choice", "Fail", "Identity", "Rules", "Seq", "Strategy", "choice", "fail", "identity",
    "same", "seq", "strategy",
]  # fmt: skip


class Strategy:
    """What may rewrite a term: called with it, returns a term, or None where it does not apply.

    `s >> t` is `seq(s, t)`, `s | t` is `choice(s, t)`.
    """

    def __call__(self, term: Any) -> Any:
        """Apply to a term."""
        raise NotImplementedError

    def __rshift__(self, other: Any) -> "Strategy":
        """Then."""
        return seq(self, other)

    def __rrshift__(self, other: Any) -> "Strategy":
        """Then, after a rule."""
        return seq(other, self)

    def __or__(self, other: Any) -> "Strategy":
        """Or else."""
        return choice(self, other)

    def __ror__(self, other: Any) -> "Strategy":
        """Or else, after a rule."""
        return choice(other, self)

    def __repr__(self) -> str:
        """Write as the textbook does."""
        return str(self)


def strategy(what: Any) -> Strategy:
    """Return a strategy for a strategy, a rule, a rule set, or a function of a term.

    >>> from rewrite.fastmath import FastMath
    >>> from rewrite.rule import ruleset
    >>> from rewrite.term import pattern_vars
    >>> (a,) = pattern_vars("a")
    >>> strategy(ruleset("units", FastMath.NONE, ("mul-one", a * 1, a)))
    units
    """
    if isinstance(what, Strategy):
        return what
    if isinstance(what, Rule):
        return Rules(what.name, (what,))
    if isinstance(what, RuleSet):
        return Rules(what.name, what.rules)
    if callable(what) and not isinstance(what, type):
        return Apply(what)
    raise StrategyError(f"{what!r} is no strategy; give one, a rule, a rule set, or a function")


# -- leaves ----------------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Identity(Strategy):
    """identity(t) = t."""

    def __call__(self, term: Any) -> Any:
        return term

    def __str__(self) -> str:
        return "identity"


@dataclass(frozen=True, repr=False)
class Fail(Strategy):
    """fail(t) = does not apply."""

    def __call__(self, term: Any) -> Any:
        return None

    def __str__(self) -> str:
        return "fail"


identity: Final = Identity()
fail: Final = Fail()


@dataclass(frozen=True, repr=False)
class Rules(Strategy):
    """The choice of some rules, in the order of their table, at the head of a term."""

    name: str
    rules: tuple[Rule, ...]
    sieve: dict[tuple[int, ...], list[Rule]] = field(
        default_factory=dict, init=False, compare=False
    )
    """Op codes of a term and its children -> the rules that may match; filled as they are met."""

    def candidates(self, term: Term) -> Sequence[Rule]:
        """Return the rules whose ops fit the head of a term."""
        seen = head_ops(term.store, term.id)
        found = self.sieve.get(seen)
        if found is None:
            found = self.sieve[seen] = [rule for rule in self.rules if plausible(rule, seen)]
        return found

    def fire(self, term: Any) -> tuple[str, Any] | None:
        """Return the name of the first rule that applies, and what it makes of the term."""
        rules = self.rules if not isinstance(term, Term) else self.candidates(term)
        for rule in rules:
            for made in apply_rule(rule, term):
                return rule.name, made
        return None

    def __call__(self, term: Any) -> Any:
        fired = self.fire(term)
        return None if fired is None else fired[1]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False)
class Apply(Strategy):
    """A function of a term that returns a term or None."""

    function: Callable[[Any], Any]

    def __call__(self, term: Any) -> Any:
        return self.function(term)

    def __str__(self) -> str:
        return str(getattr(self.function, "__name__", self.function))


# -- then, or else ---------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Seq(Strategy):
    """(s ; t)(x) = t(s(x)), if both apply."""

    steps: tuple[Strategy, ...]

    def __call__(self, term: Any) -> Any:
        for step in self.steps:
            if (term := step(term)) is None:
                return None
        return term

    def __str__(self) -> str:
        return " ; ".join(f"({s})" if isinstance(s, Choice) else str(s) for s in self.steps)


@dataclass(frozen=True, repr=False)
class Choice(Strategy):
    """(s <+ t)(x) = s(x) if s applies, else t(x)."""

    options: tuple[Strategy, ...]

    def __call__(self, term: Any) -> Any:
        made = (option(term) for option in self.options)
        return next((result for result in made if result is not None), None)

    def __str__(self) -> str:
        return " <+ ".join(map(str, self.options))


def seq(*steps: Any) -> Strategy:
    """Apply strategies one after the other; of none, `identity`.

    >>> seq(identity, fail), seq(identity, seq(fail, identity)) == seq(identity, fail, identity)
    (identity ; fail, True)
    """
    flat = tuple(_flat(Seq, "steps", steps))
    return flat[0] if len(flat) == 1 else Seq(flat) if flat else identity


def choice(*options: Any) -> Strategy:
    """Apply the first strategy that applies; of none, `fail`.

    >>> choice(fail, identity) >> identity
    (fail <+ identity) ; identity
    """
    flat = tuple(_flat(Choice, "options", options))
    return flat[0] if len(flat) == 1 else Choice(flat) if flat else fail


def _flat(kind: type[Strategy], parts: str, given: tuple[Any, ...]) -> Iterator[Strategy]:
    for one in map(strategy, given):
        yield from getattr(one, parts) if isinstance(one, kind) else (one,)


def same(one: Any, other: Any) -> bool:
    """Tell whether a step changed nothing; a node of a store is one term, so ids decide."""
    return one is other or bool(one == other)
