"""What a strategy is, how it is performed, its leaves, and the two ways of joining strategies.

A combinator is a generator: it yields what it wants applied to what, and is sent the result.
`perform` keeps the open generators on a stack of its own, so that neither deep terms nor deep
recursion of strategies meet the recursion limit of Python.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, ClassVar, Final

import numpy as np

from rewrite.array import TermArray
from rewrite.errors import StrategyError
from rewrite.interface import children, head, is_call
from rewrite.matching import apply_rule, head_ops, plausible
from rewrite.rule import Rule, RuleSet
from rewrite.term import Term, join

__all__ = [
    "Apply", "Choice", "Control", "Fail", "Identity", "Leaf", "Rules", "Script", "Seq", "Strategy",
    "bounded", "choice", "cut", "each", "fail", "identity", "inside", "mapped", "over", "perform",
    "same", "seq", "strategy", "written",
]  # fmt: skip

ATOM, THEN, ELSE, OPEN = 3, 2, 1, 0
"""How tightly a strategy's text binds: a name or call, `;`, `<+`, and what extends to the right."""


class Strategy:
    """What may rewrite a term: called with it, returns a term, or None where it does not apply.

    `s >> t` is `seq(s, t)`, `s | t` is `choice(s, t)`.
    """

    power: ClassVar[int] = ATOM

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


class Leaf(Strategy):
    """A strategy that is not made of others."""

    def rewrite(self, term: Any) -> Any:
        """Apply to a term."""
        raise NotImplementedError

    def __call__(self, term: Any) -> Any:
        """Apply to a term, or to each of a `TermArray`."""
        return each(self, term) if isinstance(term, TermArray) else self.rewrite(term)


type Script = Generator[tuple[Strategy, Any], Any, Any]
"""Yields a strategy and a term, is sent what the one makes of the other; returns its result."""


class Control(Strategy):
    """A strategy made of strategies: its equation is its script."""

    def script(self, term: Any) -> Script:
        """Ask for what is needed of the strategies inside, and return the result."""
        raise NotImplementedError

    def __call__(self, term: Any) -> Any:
        """Apply to a term, or to each of a `TermArray`."""
        return self.over(term) if isinstance(term, TermArray) else perform(self, term)

    def over(self, array: TermArray) -> TermArray | None:
        """Apply to each term of an array; None where it does not apply to one of them."""
        return each(self, array)


def over(what: Strategy, array: TermArray) -> TermArray | None:
    """Apply a strategy to all terms of an array, in one pass if it can."""
    return what.over(array) if isinstance(what, Control) else each(what, array)


def each(what: Strategy, array: TermArray) -> TermArray | None:
    """Apply a strategy to each distinct term of an array, one after the other."""
    ids, places = np.unique(array.ids, return_inverse=True)
    made: list[int] = []
    for node in ids.tolist():
        term = Term(array.store, node)
        result = what(term)
        if result is None:
            return None
        if not isinstance(result, Term):
            raise no_term(what, term, result)
        made.append(join(array.store, result).id)
    return TermArray(array.store, np.array(made, np.int32)[places].reshape(array.shape))


def perform(whole: Control, term: Any) -> Any:
    """Run a script and those that it asks for; raise `StrategyError` for what is no term."""
    script, made = whole.script(term), None
    stack: list[Script] = []
    while True:
        try:
            wanted, subject = script.send(made)
        except StopIteration as end:
            if not stack:
                return end.value
            made, script = end.value, stack.pop()
            continue
        if isinstance(wanted, Control):
            stack.append(script)
            script, made = wanted.script(subject), None
        else:
            made = wanted(subject)
            if made is not None and isinstance(subject, Term) and not isinstance(made, Term):
                raise no_term(wanted, subject, made)


def no_term(whole: Strategy, term: Any, made: Any) -> StrategyError:
    """Say that a strategy made something else of a term of ours; of other types all is a term."""
    return StrategyError(
        f"the strategy {whole} made {cut(made)} of {cut(term)}; it must return a Term or None, "
        "and a number as rw.const(number)"
    )


def cut(value: Any) -> str:
    """Write a value in at most 80 characters; what is not asked for of a large one is not made."""
    if isinstance(value, Term) or not is_call(value):
        text = repr(value)
        return text if len(text) <= 80 else text[:79] + "…"
    text = ""
    stack: list[tuple[Any, str]] = [(value, "")]
    while stack and len(text) <= 80:
        item, before = stack.pop()
        text += before
        if isinstance(item, Term) or not is_call(item):
            text += repr(item) if item is not _CLOSE else ")"
            continue
        text += f"{head(item)}("
        below = [(child, ", " * (place > 0)) for place, child in enumerate(children(item))]
        stack += [(_CLOSE, ""), *reversed(below)]
    return text if len(text) <= 80 else text[:79] + "…"


_CLOSE: Final = object()


def bounded[T: int | None](limit: T) -> T:
    """Return a bound on steps, or None; raise `StrategyError` if it is neither."""
    if limit is not None and (not isinstance(limit, int) or limit is True or limit < 1):
        raise StrategyError(f"limit={limit!r} is no number of steps; give an integer above 0")
    return limit


# -- strategies as trees ---------------------------------------------------------------------


def written(part: Strategy, least: int) -> str:
    """Write a part of a strategy, in parentheses if it binds less than its place needs."""
    return str(part) if part.power >= least else f"({part})"


def inside(whole: Strategy) -> Iterator[Strategy]:
    """Yield the strategies directly inside a strategy.

    >>> list(inside(seq(identity, fail)))
    [identity, fail]
    """
    for _, part in _parts(whole):
        yield from part if isinstance(part, tuple) else (part,)


def mapped(whole: Strategy, change: Callable[[Strategy], Strategy]) -> Strategy:
    """Return the strategy with those directly inside changed.

    >>> mapped(seq(identity, fail), lambda part: fail)
    fail ; fail
    """
    new = {
        name: tuple(map(change, part)) if isinstance(part, tuple) else change(part)
        for name, part in _parts(whole)
    }
    return replace(whole, **new) if new else whole  # type: ignore[type-var]


def _parts(whole: Strategy) -> Iterator[tuple[str, Any]]:
    """Yield the fields that hold a strategy or a tuple of them; computed ones are none."""
    if not is_dataclass(whole):
        return
    for entry in fields(whole):
        part = getattr(whole, entry.name) if entry.init else None
        many = isinstance(part, tuple) and part and all(isinstance(p, Strategy) for p in part)
        if many or isinstance(part, Strategy):
            yield entry.name, part


def strategy(what: Any) -> Strategy:
    """Return a strategy for a strategy, a rule, a rule set, or a function of a term.

    Raise `StrategyError` for anything else.

    >>> from rewrite.fastmath import FastMath
    >>> from rewrite.rule import ruleset
    >>> from rewrite.leaves import pattern_vars
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
class Rules(Leaf):
    """The choice of some rules, in the order of their table, at the head of a term."""

    name: str
    rules: tuple[Rule, ...]
    sieve: dict[tuple[int, ...], list[Rule]] = field(
        default_factory=dict, init=False, compare=False
    )
    """Op codes of a term and its children -> the rules that may match; filled as they are met."""

    def candidates(self, term: Any) -> Sequence[Rule]:
        """Return the rules that may match the head of a term, in order."""
        if not isinstance(term, Term):
            return self.rules
        seen = head_ops(term.store, term.id)
        found = self.sieve.get(seen)
        if found is None:
            found = self.sieve[seen] = [rule for rule in self.rules if plausible(rule, seen)]
        return found

    def fire(self, term: Any) -> tuple[str, Any] | None:
        """Return the name of the first rule that applies, and what it makes of the term."""
        for rule in self.candidates(term):
            for made in apply_rule(rule, term):
                return rule.name, made
        return None

    def rewrite(self, term: Any) -> Any:
        fired = self.fire(term)
        return None if fired is None else fired[1]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, repr=False)
class Apply(Leaf):
    """A function of a term that returns a term or None."""

    function: Callable[[Any], Any]

    def rewrite(self, term: Any) -> Any:
        made = self.function(term)
        if made is not None and isinstance(term, Term) and not isinstance(made, Term):
            raise no_term(self, term, made)
        return made

    def __str__(self) -> str:
        return str(getattr(self.function, "__name__", self.function))


# -- then, or else ---------------------------------------------------------------------------


@dataclass(frozen=True, repr=False)
class Seq(Control):
    """(s ; t)(x) = t(s(x)), if both apply."""

    steps: tuple[Strategy, ...]
    power: ClassVar[int] = THEN

    def script(self, term: Any) -> Script:
        for step in self.steps:
            if (term := (yield step, term)) is None:
                return None
        return term

    def over(self, array: TermArray) -> TermArray | None:
        made: TermArray | None = array
        for step in self.steps:
            if (made := over(step, array)) is None:
                return None
            array = made
        return made

    def __str__(self) -> str:
        return " ; ".join(written(step, ATOM) for step in self.steps)


@dataclass(frozen=True, repr=False)
class Choice(Control):
    """(s <+ t)(x) = s(x) if s applies, else t(x)."""

    options: tuple[Strategy, ...]
    power: ClassVar[int] = ELSE

    def script(self, term: Any) -> Script:
        for option in self.options:
            if (made := (yield option, term)) is not None:
                return made
        return None

    def __str__(self) -> str:
        return " <+ ".join(written(option, THEN) for option in self.options)


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
    """Tell whether a step changed nothing; a node of a store is one term, so ids decide.

    Terms of other types are compared without recursion, and a shared pair once.
    """
    seen: dict[tuple[int, int], Any] = {}
    stack = [(one, other)]
    while stack:
        pair = old, new = stack.pop()
        if old is new or (id(old), id(new)) in seen:
            continue
        if isinstance(old, Term) or not (is_call(old) and is_call(new)):
            if not bool(old == new):
                return False
            continue
        parts = children(old), children(new)
        if type(old) is not type(new) or head(old) != head(new) or len(parts[0]) != len(parts[1]):
            return False
        seen[id(old), id(new)] = pair  # keeps them alive, so that their identities stay their own
        stack += zip(*parts, strict=True)
    return True
