# ruff: noqa: B002 (a double negation of terms is meant)
import copy
import re
from dataclasses import dataclass
from typing import Any

import pytest

import rewrite as rw
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset
from rewrite.term import Term
from strategies import (
    all_,
    alltd,
    bottomup,
    choice,
    count,
    downup,
    fail,
    fix,
    identity,
    if_,
    innermost,
    named,
    not_,
    on,
    oncebu,
    oncetd,
    one,
    outermost,
    repeat,
    repeat1,
    seq,
    some,
    strategy,
    timed,
    topdown,
    traced,
    try_,
    where,
)
from strategies.base import same
from strategies.core import Choice, Repeat, Rules, Seq, Strategy, Try
from strategies.custom import leaves, rules_of

a, b = rw.pattern_vars("a b")
x, y = rw.symbols("x y")
NEG = Rule("neg-neg", -(-a), a)
ONE = Rule("mul-one", a * 1, a)
GROW = Rule("grow", rw.sin(a), rw.sin(rw.cos(a)))
DEEPER = Rule("deeper", rw.sin(a), rw.cos(rw.sin(a + 1)))
COSINE = Rule("back", rw.sin(a), rw.sin(a + 1))
COMM = Rule("add-comm", a + b, b + a)
UNITS = ruleset("units", FastMath.NONE, ("neg-neg", -(-a), a), ("mul-one", a * 1, a))


def test_the_equations() -> None:
    assert identity(x) == x and fail(x) is None
    assert seq(NEG, ONE)(-(-(x * 1))) == x and seq(NEG, ONE)(-(-x)) is None
    assert choice(NEG, ONE)(x * 1) == x and choice(NEG, ONE)(x) is None
    assert try_(NEG)(x) == x and try_(NEG)(-(-x)) == x
    assert where(NEG)(-(-x)) == -(-x) and where(NEG)(x) is None
    assert not_(NEG)(x) == x and not_(NEG)(-(-x)) is None
    assert repeat(NEG)(-(-(-(-x)))) == x and repeat(NEG)(x) == x


def test_rules_rule_sets_and_functions_are_strategies() -> None:
    assert strategy(UNITS)(x * 1) == x and strategy(UNITS)(x + 1) is None
    assert (try_(UNITS) >> COMM)(-(-(x + y))) == y + x
    assert (NEG >> strategy(COMM))(-(-(x + y))) == y + x
    assert (UNITS | strategy(COMM))(x + y) == y + x

    def halve(term: Term) -> Term | None:
        return term / 2 if term == x else None

    assert strategy(halve)(x) == x / 2 and str(strategy(halve)) == "halve"
    for wrong in (3, "neg-neg", None, Rule):
        with pytest.raises(StrategyError, match="is no strategy; give one, a rule"):
            strategy(wrong)


def test_the_first_rule_of_the_table_wins() -> None:
    table = ruleset(
        "t", FastMath.NONE, ("first", a + 1, rw.sin(a)), ("second", a + b, a - b),
        ("third", a + 1, rw.cos(a)),
    )  # fmt: skip
    assert strategy(table)(x + 1) == rw.sin(x) and strategy(table)(x + y) == x - y


def test_they_print_as_the_textbook_writes_them() -> None:
    plan = innermost(UNITS) >> choice(NEG, fail) >> bottomup(try_(COMM))
    assert str(plan) == repr(plan) == (
        "innermost(units) ; (neg-neg <+ fail) ; bottomup(try(add-comm))"
    )  # fmt: skip
    assert str(not_(where(repeat(identity)))) == "not(where(repeat(identity)))"
    assert str(choice(seq(NEG, ONE), ONE)) == "neg-neg ; mul-one <+ mul-one"


def test_they_are_values() -> None:
    plan = seq(NEG, ONE) | UNITS
    assert plan == (seq(NEG, ONE) | UNITS) and hash(plan) == hash(copy.copy(plan))
    assert seq(NEG, seq(ONE, COMM)) == seq(seq(NEG, ONE), COMM)
    assert seq() == identity and choice() == fail and seq(NEG) == strategy(NEG)
    assert isinstance(seq(NEG, ONE), Seq) and isinstance(plan, Choice)
    assert try_(NEG) == Try(Rules("neg-neg", (NEG,))) != try_(ONE)
    with pytest.raises(AttributeError):
        try_(NEG).body = identity  # type: ignore[misc]


def test_repeat_ends_where_nothing_changes() -> None:
    assert repeat(identity)(x) == x and repeat(try_(NEG))(-(-x)) == x


def test_repeat_names_the_rule_at_its_limit() -> None:
    grow = Rule("grow", rw.sin(a), rw.sin(a + 1))
    with pytest.raises(StrategyError, match=r"repeat\(grow\) does not end: after 20 steps, grow"):
        repeat(grow, limit=20)(rw.sin(x))
    with pytest.raises(StrategyError, match=r"after 10000 steps, add-comm still fires on"):
        repeat(choice(NEG, UNITS, COMM))(x + y)


@pytest.mark.parametrize(
    ("plan", "names"),
    [
        (repeat(seq(try_(NEG), GROW)), "grow"),
        (repeat(all_(try_(choice(NEG, GROW)))), "grow"),
        (repeat(bottomup(try_(choice(ONE, GROW)))), "grow"),
        (repeat(if_(where(GROW), seq(GROW, named("turn", COSINE)), fail)), "grow, back"),
        (repeat(choice(ONE, fix(lambda s: choice(GROW, one(s))))), "grow"),
        (innermost(choice(NEG, seq(GROW, identity))), "grow"),
        (outermost(seq(GROW, try_(NEG))), "grow"),
        (topdown(try_(DEEPER)), "deeper"),
    ],
    ids=str,
)  # fmt: skip
def test_the_rule_that_keeps_firing_is_named_wherever_it_is(plan: Strategy, names: str) -> None:
    if isinstance(plan, Repeat):
        plan = repeat(plan.body, limit=15)
    term = rw.cos(rw.sin(x)) if "all" in str(plan) or "mu" in str(plan) else rw.sin(x)
    words = f"{plan} does not end: after [0-9]+ steps, {names} still fires on "
    with pytest.raises(StrategyError, match=f"^{re.escape(words).replace(NUMBER, '[0-9]+')}"):
        plan(term)


NUMBER = re.escape("[0-9]+")


@pytest.mark.parametrize("limit", [0, -1, 1.5, True, "many"])
def test_a_bound_is_a_number_of_steps(limit: Any) -> None:
    for make in (repeat, repeat1, innermost, outermost, topdown):
        with pytest.raises(StrategyError, match=r"limit=.* is no number of steps"):
            make(NEG, limit=limit)
    with pytest.raises(StrategyError, match="is no number of steps"):
        fix(lambda s: s, limit=limit)


def test_guarded_choice_goes_on_in_what_the_condition_made() -> None:
    plan = if_(NEG, ONE, COMM)
    assert plan(-(-(x * 1))) == x and plan(-(-x)) is None and plan(x + y) == y + x
    assert if_(NEG, COSINE)(y) == y and str(if_(NEG, COSINE)) == "neg-neg < back + identity"
    assert str(if_(choice(NEG, ONE), seq(NEG, ONE), if_(NEG, ONE))) == (
        "(neg-neg <+ mul-one) < neg-neg ; mul-one + (neg-neg < mul-one + identity)"
    )
    assert str(if_(NEG, ONE) >> COMM) == "(neg-neg < mul-one + identity) ; add-comm"
    assert str(if_(NEG, ONE) | COMM) == "(neg-neg < mul-one + identity) <+ add-comm"


def test_at_least_once() -> None:
    assert repeat1(NEG)(-(-(-(-x)))) == x and repeat1(NEG)(x) is None
    assert str(repeat1(choice(NEG, ONE))) == "(neg-neg <+ mul-one) ; repeat(neg-neg <+ mul-one)"


def test_names() -> None:
    tidy = named("tidy", innermost(UNITS))
    assert tidy(-(-x) * 1) == x
    assert str(tidy >> COMM) == "tidy ; add-comm" and repr(tidy) == "tidy = innermost(units)"
    assert rules_of(tidy >> try_(tidy)) == UNITS.rules and [*map(str, leaves(tidy))] == ["units"]
    for wrong in ("", 3, None):
        with pytest.raises(StrategyError, match="is no name for neg-neg; give a text"):
            named(wrong, NEG)  # type: ignore[arg-type]


def number(term: Any) -> Any:
    return 3


def text(term: Any) -> Any:
    return "x"


@dataclass(frozen=True)
class Own(Strategy):
    """A leaf of the user's own, which checks nothing."""

    made: Any

    def __call__(self, term: Any) -> Any:
        return self.made

    def __str__(self) -> str:
        return "own"


WRAPPERS: list[Any] = [
    try_, where, not_, repeat, repeat1, all_, one, some, topdown, bottomup, downup, alltd, oncetd,
    oncebu, innermost, outermost, traced, count, timed,
    lambda s: seq(identity, s), lambda s: seq(s, identity), lambda s: choice(fail, s),
    lambda s: if_(s, identity), lambda s: if_(identity, s), lambda s: if_(fail, fail, s),
    lambda s: on("add", identity, s), lambda s: on("add", rest=s), lambda s: named("n", s),
    lambda s: fix(lambda x: choice(s, all_(x))),
]  # fmt: skip


@pytest.mark.parametrize("wrap", WRAPPERS, ids=lambda wrap: str(wrap(fail)))
@pytest.mark.parametrize(
    ("inner", "words"),
    [(number, "number made 3"), (text, "text made 'x'"), (Own(3), "own made 3"),
     (Own(()), r"own made \(\)")],
)  # fmt: skip
def test_what_is_no_term_is_refused_everywhere(wrap: Any, inner: Any, words: str) -> None:
    said = f"the strategy {words} of (x|y|x \\+ y); it must return a Term or None"
    with pytest.raises(StrategyError, match=said):
        wrap(inner)(x + y)


def test_a_function_by_itself_must_make_terms() -> None:
    with pytest.raises(StrategyError, match="the strategy number made 3 of x; it must"):
        strategy(number)(x)
    assert seq(number)("any") == 3  # of other types, all may be a leaf


def test_large_terms_of_other_types_are_cut_in_messages() -> None:
    deep: Any = "u"
    for _ in range(100_000):
        deep = ("neg", deep, deep)
    with pytest.raises(StrategyError, match=r"still fires on neg\(neg\(.*…$"):
        repeat(lambda term: ("neg", term, term), limit=3)(deep)


def test_other_types_are_compared_without_recursion() -> None:
    def copied(term: Any) -> Any:
        made: Any = "u"
        for _ in range(100_000):
            made = ("neg", made, made)
        return made

    term = copied(None)
    assert repeat(copied)(term) is term
    assert repeat(lambda t: ("neg", 2) if t == ("neg", 1) else None)(("neg", 1)) == ("neg", 2)
    assert not same(("f", 1), ("f", 1, 2)) and not same(("f", 1), ("g", 1)) and same("a", "a")


def test_nothing_overflows_the_stack() -> None:
    plan: Strategy = strategy(NEG)
    for _ in range(500):
        plan = try_(seq(identity, choice(fail, plan)))
    assert plan(-(-x)) == x
