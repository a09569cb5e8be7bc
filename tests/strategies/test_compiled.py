"""The compiled engine against the generic walk: same rules, same results, same complaints."""

import math
import random
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
import rewrite.machine.run  # so that small terms run compiled too
from rewrite import ops
from rewrite.analysis import fact_of
from rewrite.conditions import nonzero
from rewrite.constants import PI, E
from rewrite.errors import StrategyError
from rewrite.fastmath import FastMath
from rewrite.intervals import TOP, Fact
from rewrite.machine.run import Endless, Machine
from rewrite.machine.tree import Callback, Data, compile_rules
from rewrite.matching import apply_rule, instantiate, same_value
from rewrite.ranges import transfer
from rewrite.rule import Rule, RuleSet, ruleset
from rewrite.rules import ALL
from rewrite.store import Store, Symbol
from rewrite.term import Term
from rewrite.unknowns import NOTHING, unknown
from strategies import bottomup, choice, compiled, innermost, strategy, traced, try_
from strategies.core import Strategy
from strategies.normal import SHRINKING, Fold, cleanup

LIBRARY = [rule for group in ALL for rule in group]
KINDS = [
    ops.ADD, ops.ADD, ops.MUL, ops.MUL, ops.SUB, ops.NEG, ops.DIV, ops.POW, ops.SQRT, ops.EXP,
    ops.MINIMUM, ops.ABS, ops.LT, ops.EQ, ops.AND, ops.OR, ops.NOT, ops.WHERE, ops.FMA,
]  # fmt: skip
CONSTANTS = (0, 1, 2, -1, 0.5, -0.0)
ODD = [0, 0.0, -0.0, 1, 1.0, True, False, math.inf, -math.inf, math.nan, PI, E, Fraction(1, 2), 0.5]
REAL = FastMath.REASSOC | FastMath.NSZ | FastMath.NNAN
a, b, c = rw.pattern_vars("a b c")


def random_term(rng: random.Random, store: Store, size: int = 25) -> Term:
    """Make a typed term with shared parts, n-ary nodes and truth values."""
    numbers = [
        store.symbol(Symbol("x")),
        store.symbol(Symbol("y", None, 1.0, None)),
        store.symbol(Symbol("n", "int64", 0, 10)),
        *map(store.constant, CONSTANTS),
    ]
    truths = [store.symbol(Symbol("p", "bool"))]
    for _ in range(rng.randint(3, size)):
        row = rng.choice(KINDS)
        count = row.arity if row.arity > 0 else rng.choice((2, 2, 2, 3, 4))
        kinds = [row.takes[min(k, len(row.takes) - 1)] for k in range(count)]
        recent = numbers[-8:] if rng.random() < 0.6 else numbers
        children = [rng.choice(truths if kind == "b" else recent) for kind in kinds]
        (truths if row.makes == "b" else numbers).append(store.make((row.code, *children)))
    return Term(store, rng.choice((numbers[-1], numbers[-2], truths[-1])))


def walked(plan: Strategy) -> Callable[[Any], Any]:
    """Run a plan as a walk: what is watched is not compiled."""
    return traced(plan, lambda _: None)


def outcome(plan: Callable[[Any], Any], term: Term) -> Any:
    try:
        return plan(term)
    except StrategyError as error:
        return str(error)[:40]


@settings(max_examples=300)
@given(st.randoms(use_true_random=False))
def test_any_rules_of_the_library_on_any_term(rng: random.Random) -> None:
    rules = rng.sample(LIBRARY, rng.randint(1, 40)) if rng.random() < 0.6 else list(SHRINKING)
    chosen = RuleSet("chosen", tuple(dict.fromkeys(rules)))
    body = choice(Fold(), chosen) if rng.random() < 0.5 else choice(chosen)
    term = random_term(rng, Store())
    for plan in (innermost(body, limit=300), bottomup(try_(body))):
        fast, slow = outcome(plan, term), outcome(walked(plan), term)
        if isinstance(fast, Term) or isinstance(slow, Term):
            assert fast == slow, f"{plan} on {term}"


@settings(max_examples=100)
@given(st.randoms(use_true_random=False))
def test_where_nothing_is_known_the_analysis_says_so(rng: random.Random) -> None:
    store = Store()
    random_term(rng, store, 60)
    store.indexed()
    marks = unknown(store, lambda node: fact_of(store, node))
    known: list[Fact] = []
    for node in range(len(store)):
        args = store.children(node)
        facts = [known[child] for child in args]
        known.append(transfer(store.code(node), args, facts) if args else fact_of(store, node))
        assert marks[node] != NOTHING or known[node] == TOP


def test_a_large_term_needs_no_recursion_and_no_second_visit() -> None:
    x, y = rw.symbols("x y")
    chain = x
    for _ in range(100_000):
        chain = rw.sin(chain * 1) + y * 0
    plain = cleanup()(chain)
    assert plain.node_count() == 100_001
    shared = x
    for _ in range(200):  # 2^200 paths
        shared = (shared * 1) * (shared + 0)
    assert cleanup()(shared).node_count() == 201


def test_results_do_not_depend_on_what_else_is_in_the_store() -> None:
    rng = random.Random(7)
    for _ in range(50):
        seed = rng.random()
        empty, full = Store(), Store()
        for _ in range(3):
            random_term(random.Random(rng.random()), full)
        results = [cleanup()(random_term(random.Random(seed), s)) for s in (empty, full)]
        assert results[0] == results[1]


def test_a_rule_that_computes_is_run_by_python_for_that_rule_alone() -> None:
    asked: list[Term] = []

    def halved(term: Term) -> Any:
        asked.append(term)
        return term / 2

    rules = ruleset(
        "mixed", FastMath.NONE, ("one", a * 1, a), ("half", rw.cosh(a), rw.compute(halved, a))
    )
    x, y = rw.symbols("x y")
    assert innermost(rules)(rw.cosh(x * 1) + y * 1) == x / 2 + y
    assert asked == [x]
    assert [compile_rules(list(rules)).native(k) for k in range(2)] == [True, False]


def test_conditions_are_asked_after_the_match_and_for_the_next_match() -> None:
    rules = ruleset("r", REAL, ("drop", a * b, b, nonzero(a)))
    x, y = rw.symbol("x"), rw.symbol("y", low=1)
    plan = innermost(rules)
    for term in (x * y, y * x, rw.apply("mul", x, x, y)):
        assert plan(term) == walked(plan)(term)
        assert y.id not in plan(term).store.children(plan(term).id)


@pytest.mark.parametrize("term", ["x + y", "sin(x)*(y + x)"])
def test_what_does_not_end_is_named(term: str) -> None:
    endless = innermost(ruleset("r", FastMath.NONE, ("flip", a + b, b + a)))
    with pytest.raises(StrategyError, match=r"does not end.*flip still fires"):
        endless(rw.parse(term))
    growing = innermost(
        ruleset("r", FastMath.NONE, ("grow", rw.sin(a), rw.sin(rw.sin(a)))), limit=50
    )
    with pytest.raises(StrategyError, match=r"does not end.*grow still fires"):
        growing(rw.sin(rw.symbol("x")))


def test_the_machine_itself_reports_where_it_stopped() -> None:
    x = rw.symbol("x")
    machine = Machine([Rule("swap", a - b, b - a)])
    with pytest.raises(Endless, match="came back"):
        machine.normalise(x.store, [(x - 1).id], limit=1000)


def test_a_result_of_the_wrong_sort_is_refused() -> None:
    machine = Machine([Callback(lambda term: 3)])
    with pytest.raises(rw.RewriteError, match="no term"):
        machine.normalise(rw.symbol("x").store, [(rw.const(1) + 2).id], limit=10)


def test_ops_that_are_added_later_are_known_to_machines_made_before() -> None:
    plan = innermost(SHRINKING)
    x = rw.symbol("x")
    assert plan(x * 1) == x
    twice = rw.op("compiled_twice", takes=(rw.REAL,), makes=rw.REAL)
    assert plan(rw.apply(twice, x * 1)) == rw.apply(twice, x)


def test_wide_sums_and_doubling_chains_end_soon() -> None:
    xs = rw.symbols(" ".join(f"x{k}" for k in range(2000)))
    wide = rw.apply("add", *xs, -xs[700])
    left = innermost(ruleset("r", REAL, ("cancel", a + -a, 0), ("zero", a + 0, a)))(wide)
    assert left.node_count() == 2000
    double = xs[0]
    for _ in range(60):
        double = double + double
    assert cleanup()(double) == walked(cleanup())(double)


def test_bodies_that_hold_other_strategies_are_walked() -> None:
    assert compiled.compilable(choice(Fold(), SHRINKING))
    assert not compiled.compilable(choice(SHRINKING, try_(SHRINKING)))


def test_the_tree_leaves_out_no_rule_that_matches() -> None:
    """The left side of every rule, with symbols for its variables, is rewritten by that rule."""
    for rule in LIBRARY:
        if rule.where:
            continue
        store = Store()
        names = {
            v.symbol.name: Term(store, store.symbol(Symbol(v.symbol.name, _dtype(v.sort))))
            for v in rule.lhs.free_symbols
            if v.symbol
        }
        subject = instantiate(rule.lhs, names, store)
        made = Machine([rule]).normalise(store, [subject.id], limit=10**6, again=False)[0]
        wanted = [made for made in apply_rule(rule, subject) if made != subject]
        assert Term(store, made) == (wanted[0] if wanted else subject), rule.name


def _dtype(sort: int) -> str | None:
    return "bool" if sort == rw.BOOL else "int64" if sort == rw.INT else None


def test_many_small_terms_are_worth_loading_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "ENGINE", "a module that is not there")
    monkeypatch.setattr(compiled, "_walked", [0])
    (x,) = rw.symbols("x")
    body, term = strategy(SHRINKING), rw.sin(x) + 1
    seen = [compiled.runs(body, term) for _ in range(compiled.PATIENCE // 4 + 1)]
    assert term.node_count() == 4 and not any(seen[:-1]) and seen[-1]


def test_constants_are_told_apart_however_often_they_are_asked_for() -> None:
    (a,) = rw.pattern_vars("a")
    rules = ruleset("ones", FastMath.REASSOC, ("one", a * 1, a), ("half", a * 0.5, a / 2))
    data, code = compile_rules(rules.rules), rw.ops.CONST.code
    values: list[Any] = [1, 1.0, True, 0.5, Fraction(1, 2), -0.0, 0, 2, float("nan")]
    first = [data.class_of(code, value) for value in values]
    assert [data.class_of(code, value) for value in reversed(values)] == first[::-1]
    assert first[0] == first[1] != first[3] and first[2] == first[7] == -1


@given(
    st.lists(st.one_of(st.sampled_from(ODD), st.fractions(), st.floats()), min_size=1, max_size=9)
)
def test_constants_are_told_apart_as_the_matcher_does(values: list[Any]) -> None:
    data = Data(())
    for value in values:
        data.new_class(ops.CONST.code, value)
    for value in [*values, *ODD]:
        known: list[Any] = [one for _, one in data.values]
        alike = [k for k, one in enumerate(known) if same_value(one, value)]
        assert len(alike) <= 1
        assert data.class_of(ops.CONST.code, value) == (alike[0] if alike else -1)


def test_one_after_the_other_is_as_good_as_together() -> None:
    """What a machine knows of a store's constants and symbols is kept from run to run."""
    store = Store()
    x = Term(store, store.symbol(Symbol("x")))
    plan = innermost(SHRINKING)
    for k in range(1, 200):
        one, other = (Term(store, store.constant(value)) for value in (Fraction(k, 7), 1))
        assert plan(x * one * other) == (x * one if k != 7 else x)
