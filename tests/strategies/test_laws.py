"""The laws of the combinators, on random strategies and terms."""

# ruff: noqa: B002 (a double negation of terms is meant)

import copy
import dataclasses
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import interface
from rewrite.constants import Named
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath
from rewrite.rule import Rule, ruleset
from rewrite.term import Term
from strategies import (
    Firing,
    all_,
    alltd,
    best,
    bottomup,
    choice,
    count,
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
from strategies.core import Strategy
from strategies.measures import InOrder, Length, Nodes, against
from strategies.recursion import Fix, Variable

a, b, c = rw.pattern_vars("a b c")
SHRINK = ruleset(
    "shrink", FastMath.NSZ, ("neg-neg", -(-a), a), ("mul-one", a * 1, a), ("add-zero", a + 0, a),
    ("sub-self", a - a, a * 0), ("mul-zero", a * 0, rw.const(0)),
)  # fmt: skip
LEAVES: list[Strategy] = [
    strategy(leaf)
    for leaf in (
        identity, fail, SHRINK, Rule("add-comm", a + b, b + a),
        Rule("sin-cos", rw.sin(a), rw.cos(a)),
        Rule("mul-distribute", a * (b + c), a * b + a * c), Rule("neg", a - b, a + -b),
    )
]  # fmt: skip
UNARY: dict[str, Any] = {
    "try": try_, "not": not_, "where": where, "all": all_, "one": one, "some": some,
    "oncetd": oncetd, "oncebu": oncebu, "bottomup": bottomup, "topdown": topdown, "alltd": alltd,
    "innermost": innermost, "repeat": repeat,
}  # fmt: skip
MEASURES: dict[str, Any] = {
    "nodes": Nodes(), "length": Length(), "nodes then length": InOrder(Nodes(), Length()),
}  # fmt: skip
TOTAL = [try_, not_, where, all_, one, some, oncetd, oncebu, alltd]
"""Those that end whatever they are made of."""


def plans() -> st.SearchStrategy[Strategy]:
    def extend(inner: st.SearchStrategy[Strategy]) -> st.SearchStrategy[Strategy]:
        return (
            st.builds(lambda make, s: make(s), st.sampled_from(TOTAL), inner)
            | st.builds(seq, inner, inner)
            | st.builds(choice, inner, inner)
            | st.builds(if_, inner, inner, inner)
            | st.builds(lambda s, t: on("add", s, t), inner, inner)
            | st.builds(lambda s, t: on("mul", s, rest=t), inner, inner)
            | st.builds(lambda s, t: best(s, t), inner, inner)
            | st.builds(lambda s: named("plan", s), inner)
            | st.builds(lambda s: bottomup(try_(s)), inner)
            | st.builds(lambda s: fix(lambda x: choice(s, one(x))), inner)
            | st.builds(lambda s, t: fix(lambda x: if_(s, t, all_(x))), inner, inner)
        )

    return st.recursive(st.sampled_from(LEAVES), extend, max_leaves=4)


def terms() -> st.SearchStrategy[Term]:
    leaves = st.sampled_from([*rw.symbols("x y"), rw.const(0), rw.const(1)])

    def extend(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        return (
            st.builds(lambda s, t: s + t, inner, inner)
            | st.builds(lambda s, t: s - t, inner, inner)
            | st.builds(lambda s, t: s * t, inner, inner)
            | st.builds(lambda s: -s, inner)
            | st.builds(rw.sin, inner)
        )

    return st.recursive(leaves, extend, max_leaves=8)


@given(plans(), terms())
def test_identity_and_fail_are_units(s: Strategy, t: Term) -> None:
    expected = s(t)
    assert seq(identity, s)(t) == seq(s, identity)(t) == expected
    assert choice(fail, s)(t) == choice(s, fail)(t) == expected
    assert seq(fail, s)(t) is None and seq(s, fail)(t) is None
    assert choice(identity, s)(t) == t


@given(plans(), plans(), plans(), terms())
def test_then_and_or_else_are_associative(p: Any, q: Any, r: Any, t: Term) -> None:
    assert p >> (q >> r) == (p >> q) >> r and (p | (q | r)) == ((p | q) | r)
    after = seq(p, q)(t)
    assert seq(p, q, r)(t) == (None if after is None else r(after))
    first = p(t)
    assert choice(p, q, r)(t) == (choice(q, r)(t) if first is None else first)


@given(plans(), terms())
def test_try_never_fails(s: Strategy, t: Term) -> None:
    assert try_(s)(t) is not None
    assert try_(try_(s))(t) == try_(s)(t) == choice(s, identity)(t)


@given(plans(), terms())
def test_tests_return_the_term(s: Strategy, t: Term) -> None:
    assert where(s)(t) == not_(not_(s))(t) == (None if s(t) is None else t)
    assert (not_(s)(t) is None) == (s(t) is not None)


@given(plans(), terms())
def test_one_level(s: Strategy, t: Term) -> None:
    results = [s(child) for child in t.args]
    assert (all_(s)(t) is None) == (None in results)
    assert (one(s)(t) is None) == (some(s)(t) is None) == all(r is None for r in results)
    assert some(s)(t) in (None, all_(try_(s))(t))
    assert all_(identity)(t) == t


def textbook_topdown(s: Strategy, t: Term) -> Any:
    made = s(t)
    return None if made is None else all_(lambda child: textbook_topdown(s, child))(made)


def textbook_bottomup(s: Strategy, t: Term) -> Any:
    made = all_(lambda child: textbook_bottomup(s, child))(t)
    return None if made is None else s(made)


def textbook_oncetd(s: Strategy, t: Term) -> Any:
    made = s(t)
    return one(lambda child: textbook_oncetd(s, child))(t) if made is None else made


def textbook_innermost(s: Strategy, t: Term) -> Any:
    below = all_(lambda child: textbook_innermost(s, child))(t)
    made = s(below)
    return below if made is None else textbook_innermost(s, made)


@settings(max_examples=60)
@given(plans(), terms())
def test_traversals_are_their_equations(s: Strategy, t: Term) -> None:
    assert bottomup(s)(t) == textbook_bottomup(s, t)
    assert oncetd(s)(t) == textbook_oncetd(s, t)
    assert topdown(identity)(t) == t
    assert topdown(try_(SHRINK))(t) == textbook_topdown(try_(SHRINK), t)


@given(terms())
def test_fixpoints(t: Term) -> None:
    rules = strategy(SHRINK)
    inner, outer = innermost(rules)(t), outermost(rules)(t)
    assert inner == textbook_innermost(rules, t)
    assert oncetd(rules)(inner) is None and oncetd(rules)(outer) is None
    assert innermost(rules)(inner) == inner
    assert repeat(oncetd(rules))(t) == outer


@given(plans(), terms())
def test_strategies_are_functions(s: Strategy, t: Term) -> None:
    assert s(t) == s(t)
    assert "<function" not in str(s) and " at 0x" not in str(s)


@given(plans(), plans(), plans(), terms())
def test_then_distributes_over_or_else_from_the_left(p: Any, q: Any, r: Any, t: Term) -> None:
    assert seq(p, choice(q, r))(t) == choice(seq(p, q), seq(p, r))(t)


def test_and_not_from_the_right() -> None:
    (x,) = rw.symbols("x")
    double = strategy(lambda term: -term)
    negated = strategy(lambda term: term.args[0] if term.op.name == "neg" else None)
    left, right = choice(identity, double) >> negated, (identity >> negated) | (double >> negated)
    assert left(x) is None and right(x) == x


@given(plans(), plans(), plans(), terms())
def test_guarded_choice(p: Any, q: Any, r: Any, t: Term) -> None:
    assert if_(p, q, r)(t) == choice(seq(p, q), seq(not_(p), r))(t)
    assert if_(where(p), q)(t) == (t if p(t) is None else q(t))
    assert if_(p, identity, r)(t) == choice(p, r)(t) and if_(p, q, fail)(t) == seq(p, q)(t)


@given(st.lists(plans(), max_size=3), st.sampled_from(list(MEASURES.values())), terms())
def test_best_is_the_first_of_the_least(options: list[Any], by: Any, t: Term) -> None:
    measure = against(by, t)
    forms = [t, *(made for option in options if (made := option(t)) is not None)]
    least = min(measure(form) for form in forms)
    made = best(*options, by=by)(t)
    assert made == next(form for form in forms if measure(form) == least)
    assert measure(made) <= measure(t) and best(*options, by=lambda form: 0)(t) == t


@given(plans(), plans(), plans(), terms())
def test_best_in_groups_and_with_units(p: Any, q: Any, r: Any, t: Term) -> None:
    assert best(p, best(q, r))(t) == best(best(p, q), r)(t) == best(p, q, r)(t)
    assert best(p, p)(t) == best(identity, p)(t) == best(p, fail)(t) == best(p)(t)
    assert best()(t) == best(fail)(t) == best(identity)(t) == t
    smaller = best(p, by=lambda form: -form.node_count())
    assert smaller(t).node_count() >= t.node_count() >= best(p)(t).node_count()


def test_a_measure_is_a_function() -> None:
    with pytest.raises(StrategyError, match="by=3 is no measure; give a function of a term"):
        best(identity, by=3)  # type: ignore[arg-type]


def until_it_fails(s: Strategy) -> Strategy:
    return fix(lambda x: try_(seq(s, x)))


@given(terms())
def test_repeat_ends_where_nothing_applies(t: Term) -> None:
    for s in (strategy(SHRINK), oncetd(SHRINK), one(SHRINK)):
        end = repeat(s)(t)
        assert s(end) is None
        assert repeat1(s)(t) == (None if s(t) is None else end)
        assert until_it_fails(s)(t) == end


@settings(max_examples=60)
@given(plans(), terms())
def test_recursion_by_its_equation(s: Strategy, t: Term) -> None:
    assert fix(lambda x: s)(t) == s(t)
    assert fix(lambda x: seq(all_(x), s))(t) == bottomup(s)(t)
    assert fix(lambda x: choice(s, all_(x)))(t) == alltd(s)(t)
    assert fix(lambda x: choice(s, one(x)))(t) == oncetd(s)(t)
    assert fix(lambda x: choice(one(x), s))(t) == oncebu(s)(t)
    rules = try_(SHRINK)
    assert fix(lambda x: seq(rules, all_(x)))(t) == topdown(rules)(t)
    assert fix(lambda x: seq(all_(x), try_(seq(SHRINK, x))))(t) == innermost(SHRINK)(t)


@given(plans(), plans(), terms())
def test_congruence(p: Strategy, q: Strategy, t: Term) -> None:
    made, name, n = all_(p)(t), t.op.name, len(t.args)
    for each in (on(name, *[p] * n), on(name, rest=p)):
        assert each(t) == (made if n else None)
    assert on("cos", p)(t) is None and on(name, *[p] * (n + 1))(t) is None
    if n == 2:
        both = p(t.args[0]), q(t.args[1])
        expected = None if None in both else interface.make(t, name, both)
        assert on(name, p, q)(t) == on(name, p, rest=q)(t) == expected
        assert on(t.op, p, q) == on(name, p, q) and on(name, p)(t) is None


@given(plans(), terms())
def test_watching_changes_nothing(s: Strategy, t: Term) -> None:
    seen: list[Firing] = []
    counted, clocked = count(s), timed(s)
    assert traced(s, seen)(t) == counted(t) == clocked(t) == named("s", s)(t) == s(t)
    assert counted.firings.total() == len(seen)
    assert {firing.rule for firing in seen} == set(counted.firings)
    fired = {name: row.firings for name, row in clocked.clock.items()}
    assert all(fired[name] == times for name, times in counted.firings.items())
    assert all(row.calls >= row.firings and row.seconds >= 0 for row in clocked.clock.values())


# -- any type of term ------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Node:
    """A type of the user's own, which makes its children anew whenever it is asked for them."""

    name: str
    parts: tuple[Any, ...]


interface.is_call.register(Node, lambda term: True)
interface.head.register(Node, lambda term: term.name)
interface.children.register(Node, lambda term: tuple(map(copy.copy, term.parts)))
interface.make.register(Node, lambda like, head, children: Node(head, tuple(children)))


def as_tuples(t: Term) -> Any:
    if t.value is not None and not isinstance(t.value, Named):
        return t.value
    return (t.op.name, *map(as_tuples, t.args)) if t.args else str(t)


def as_nodes(t: Term) -> Any:
    whole = as_tuples(t)
    return Node(t.op.name, tuple(map(as_nodes, t.args))) if isinstance(whole, tuple) else whole


@given(plans(), terms())
def test_the_same_strategy_on_tuples_and_on_a_type_of_ones_own(s: Strategy, t: Term) -> None:
    made = s(t)
    assert s(as_tuples(t)) == (None if made is None else as_tuples(made))
    assert s(as_nodes(t)) == (None if made is None else as_nodes(made))


def sums() -> st.SearchStrategy[Term]:
    """Make terms of ops that SymPy has too."""

    def extend(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
        return (
            st.builds(lambda s, t: s + t, inner, inner)
            | st.builds(lambda s, t: s * t, inner, inner)
            | st.builds(rw.sin, inner)
        )

    return st.recursive(st.sampled_from(rw.symbols("x y")), extend, max_leaves=6)


@settings(max_examples=40)
@given(plans(), sums())
def test_the_same_strategy_on_sympy(s: Strategy, t: Term) -> None:
    made, theirs = s(t), s(rw.to_sympy(t))
    assert (theirs is None) == (made is None)
    assert made is None or theirs == rw.to_sympy(made)


# -- what they are written as ----------------------------------------------------------------


class Reader:
    """Reads strategies as the textbook writes them."""

    def __init__(self, text: str, names: dict[str, Strategy]) -> None:
        self.tokens = re.findall(r"[\w-]+|<\+|[^\s]", text)
        self.names = names

    def take(self, *wanted: str) -> bool:
        found = self.tokens[: len(wanted)] == list(wanted)
        if found:
            del self.tokens[: len(wanted)]
        return found

    def whole(self) -> Strategy:
        made = self.open()
        assert not self.tokens
        return made

    def open(self) -> Strategy:
        if self.take("mu"):
            name = self.tokens.pop(0)
            assert self.take(".")
            return Fix(name, self.open())
        first = self.then()
        if self.take("<"):
            second = self.then()
            assert self.take("+")
            return if_(first, second, self.then())
        options = [first]
        while self.take("<+"):
            options.append(self.then())
        return choice(*options)

    def then(self) -> Strategy:
        steps = [self.atom()]
        while self.take(";"):
            steps.append(self.atom())
        return seq(*steps)

    def atom(self) -> Strategy:
        if self.take("("):
            return self.closed(self.open())
        if self.take("best", "("):
            return self.least()
        if self.take("on", "("):
            return self.congruence(self.tokens.pop(0))
        name = self.tokens.pop(0)
        if self.take("("):
            return self.closed(UNARY[name](self.open()))
        return self.names.get(name) or Variable(name)

    def least(self) -> Strategy:
        options = [self.open()]
        while self.take(","):
            options.append(self.open())
        assert self.take("by")
        end = self.tokens.index(")")
        by = MEASURES[" ".join(self.tokens[:end])]
        del self.tokens[:end]
        return self.closed(best(*options, by=by))

    def closed(self, made: Strategy) -> Strategy:
        assert self.take(")")
        return made

    def congruence(self, head: str) -> Strategy:
        bodies, rest = [], None
        while self.take(","):
            if self.take("*"):
                rest = self.atom()
            else:
                bodies.append(self.open())
        return self.closed(on(head, *bodies, rest=rest))


def any_plan() -> st.SearchStrategy[Strategy]:
    """Make strategies that are written and not run."""

    def extend(inner: st.SearchStrategy[Strategy]) -> st.SearchStrategy[Strategy]:
        return (
            st.builds(lambda make, s: make(s), st.sampled_from(list(UNARY.values())), inner)
            | st.builds(seq, inner, inner)
            | st.builds(choice, inner, inner)
            | st.builds(if_, inner, inner, inner)
            | st.builds(lambda s, t: on("f", s, rest=t), inner, inner)
            | st.builds(
                lambda s, t, m: best(s, t, by=m),
                inner,
                inner,
                st.sampled_from([*MEASURES.values()]),
            )
            | st.builds(lambda s: fix(lambda x: s >> x), inner)
            | st.builds(lambda s, t: fix("walk", lambda x: if_(s, x, t | x)), inner, LEAF)
            | st.builds(lambda s: fix(lambda x: fix(lambda y: s | (x >> y))), inner)
        )

    return st.recursive(LEAF, extend, max_leaves=6)


LEAF = st.sampled_from(LEAVES)


@given(any_plan())
def test_what_is_written_reads_back_as_the_same_strategy(s: Strategy) -> None:
    names = {str(leaf): leaf for leaf in LEAVES}
    back = Reader(str(s), names).whole()
    assert back == s and hash(back) == hash(s) and str(back) == str(s) == repr(s)


@given(any_plan())
def test_strategies_are_values(s: Strategy) -> None:
    assert copy.deepcopy(s) == s == copy.copy(s) and {s: 1}[copy.copy(s)] == 1
    assert s != try_(s) and named("a", s) != named("b", s)
    for each in (s, named("a", s), count(s), timed(s), traced(s)):
        entry = dataclasses.fields(each)[0].name if dataclasses.fields(each) else "power"  # type: ignore[arg-type]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(each, entry, identity)
