import math
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rewrite as rw
from rewrite import ops
from rewrite.analysis import fact_of, facts, holds
from rewrite.conditions import KINDS, at_least, at_most, nonzero, positive
from rewrite.constants import PI, Named
from rewrite.dag import Dag
from rewrite.errors import PatternError
from rewrite.evaluate import evaluate_dag
from rewrite.intervals import TOP, fact_of_constant
from rewrite.rule import Condition
from rewrite.store import Symbol
from rewrite.term import Term, apply

DOMAINS: dict[str, dict[str, Any]] = {
    "x": {},
    "p": {"low": 0, "high": 3},
    "q": {"low": -2, "high": -0.5},
    "z": {"low": 0},
    "n": {"dtype": "int8"},
    "u": {"dtype": "uint8", "low": 1},
}
NUMERIC = [row for row in ops.BUILTIN if row.arity and set(row.takes) == {"r"}]
CONSTANTS = [0, 1, 2, -1, 3, 0.5, -0.0, 1e300, 5e-324, Fraction(1, 3), 2**70, PI]


@st.composite
def terms(draw: st.DrawFn, size: int = 7) -> Term:
    """Grow a DAG: every new node takes any of those that are there, so that some are shared."""
    pool = [rw.symbol(name, **options) for name, options in DOMAINS.items()]
    pool += [rw.const(value) for value in draw(st.lists(st.sampled_from(CONSTANTS), max_size=2))]
    truths = [pool[0] < 1]
    for _ in range(draw(st.integers(1, size))):
        row = draw(st.sampled_from([*NUMERIC, ops.WHERE]))
        arity = row.arity if row.arity > 0 else draw(st.integers(2, 3))
        args = [draw(st.sampled_from(pool)) for _ in range(arity)]
        if row is ops.WHERE:
            args[0] = draw(st.sampled_from(truths))
        made = apply(row, *args)
        (truths if row.makes == "b" else pool).append(made)
    return pool[-1]


def value_of(name: str) -> st.SearchStrategy[float]:
    integer = {"n": st.integers(-128, 127), "u": st.integers(1, 255)}
    low, high = DOMAINS[name].get("low", -math.inf), DOMAINS[name].get("high", math.inf)
    usual = [v for v in (-3.0, -2.0, -0.5, 0.0, 0.5, 1.0, 3.0) if low <= v <= high]
    reals = st.floats(low, high, allow_nan=False, allow_infinity=False)
    return integer.get(name, reals | st.sampled_from(usual))


POINTS = st.fixed_dictionaries({name: value_of(name) for name in DOMAINS})


def balls(dag: Dag, point: dict[str, float]) -> list[Any]:
    """Evaluate every node on real numbers, rigorously."""
    out: list[Any] = []
    for (code, args), value in zip(dag.rows(), dag.value, strict=True):
        if isinstance(value, Symbol):
            out.append(flint.arb(point[value.name]))
        elif isinstance(value, Named):
            out.append(flint.arb.pi())
        elif isinstance(value, Fraction):
            out.append(flint.arb(value.numerator) / value.denominator)
        elif value is not None:
            out.append(value if isinstance(value, bool) else flint.arb(value))
        else:
            ball = ops.OPS[code].ball
            assert ball is not None
            out.append(ball(*[out[a] for a in args]))
    return out


@settings(max_examples=400)
@given(terms(), POINTS)
def test_facts_hold_of_real_values(term: Term, point: dict[str, float]) -> None:
    dag = Dag.of(term.store, [term.id])
    known = facts(dag)
    with flint.ctx.workprec(200):
        for at, ball in enumerate(balls(dag, point)):
            if isinstance(ball, bool) or ball is None or not ball.is_finite():
                continue
            fact = known[at]
            here = Term(term.store, int(dag.ids[at])), ball, fact
            assert not ball < fact.lo and not ball > fact.hi, here
            assert not (fact.nonzero and ball.is_zero()), here
            assert not fact.integer or ball.contains_integer(), here


@settings(max_examples=300)
@given(terms(), POINTS)
def test_bounds_hold_of_rounded_values(term: Term, point: dict[str, float]) -> None:
    dag = Dag.of(term.store, [term.id])
    known = facts(dag)
    for at, value in enumerate(evaluate_dag(dag, point, keep=True)):
        if np.isfinite(value):
            assert known.lo[at] <= value <= known.hi[at], (dag.ids[at], value, known[at])


@given(terms())
def test_one_node_and_all_nodes_agree(term: Term) -> None:
    dag = Dag.of(term.store, [term.id])
    assert [fact_of(term.store, int(i)) for i in dag.ids] == [
        facts(dag)[i] for i in range(len(dag))
    ]


x, p, n = (rw.symbol(name, **DOMAINS[name]) for name in "xpn")


@pytest.mark.parametrize(
    ("term", "kind"),
    [
        (x * x, "nonneg"),
        (rw.apply("mul", x, p, x), "nonneg"),
        (x**2 + 1, "positive"),
        (x**-2, "nonneg"),
        (-(x**4), "nonpos"),
        (rw.exp(x), "positive"),
        (rw.exp(x) + x * x, "positive"),
        (-rw.exp(x), "negative"),
        (rw.cosh(x) - 1, "nonneg"),
        (1 / (1 + p), "positive"),
        (1 / p, "nonzero"),
        (rw.sqrt(3 - p), "nonneg"),
        (2 + rw.sin(x), "positive"),
        (1 - rw.cos(x), "nonneg"),
        (rw.sin(p / 3), "nonneg"),
        (rw.log(1 + p), "nonneg"),
        (rw.abs(x) + p, "nonneg"),
        (rw.maximum(x, 1), "positive"),
        (rw.where(x > 0, p, 2), "nonneg"),
        (rw.where(rw.const(True), p, x), "nonneg"),
        (rw.floor(x), "integer"),
        (n * n + n**3, "integer"),
        (n**2 + 1, "nonzero"),
        (2 * n, "integer"),
        (x**0.5, "nonneg"),
        (x ** Fraction(1, 3), "nonneg"),
        (p**p, "nonneg"),
        (rw.hypot(x, 1), "positive"),
        (rw.fma(x, x, 1), "positive"),
        (x / x, "positive"),
        (rw.atan2(1 + p, x), "positive"),
        (rw.pi - 3, "positive"),
        (rw.erfc(x), "positive"),
        (rw.const(2**2000), "integer"),
    ],
    ids=str,
)
def test_known(term: Term, kind: str) -> None:
    assert facts(term).holds(kind)


@pytest.mark.parametrize(
    ("term", "kind"),
    [
        (x, "nonzero"), (x + 1, "nonzero"), (x**3, "nonneg"), (1 / x, "nonneg"), (n / 2, "integer"),
        (x * p, "nonneg"), (rw.log(p), "nonneg"), (rw.sin(x), "nonneg"), (p, "positive"),
        (rw.const(math.nan), "nonneg"), (rw.const(math.inf), "positive"), (n**-1, "integer"),
        (rw.copysign(1, p), "positive"), (rw.sqrt(-1 - p), "nonneg"),
    ],
    ids=str,
)  # fmt: skip
def test_unknown_does_not_hold(term: Term, kind: str) -> None:
    assert not facts(term).holds(kind)


def test_every_kind_of_condition_is_a_fact() -> None:
    for kind in KINDS:
        assert facts(rw.exp(x)).holds(kind) in (True, False)
    with pytest.raises(PatternError, match=r"no condition is called 'odd'; choices: nonzero"):
        facts(x).holds("odd")


def test_conditions_are_checked_on_what_was_matched() -> None:
    a, b = rw.pattern_vars("a b")
    store = x.store
    bound = {"a": x.id, "b": p.id}
    size = len(store)
    assert holds(at_least(b, 0), store, bound) and holds(at_most(b, 3), store, bound)
    assert not holds(at_least(b, 1), store, bound) and not holds(nonzero(a), store, bound)
    assert holds(positive(b + 1), store, bound)
    assert holds(Condition("nonneg", a * b), store, {"a": x.id, "b": x.id})
    assert len(store) == size


def test_constants_are_enclosed() -> None:
    third = fact_of_constant(Fraction(1, 3))
    assert Fraction(third.lo) < Fraction(1, 3) < Fraction(third.hi)
    assert fact_of_constant(10**400).integer and fact_of_constant(10**400).hi == math.inf
    assert fact_of_constant(2**53 + 1).lo <= 2**53 + 1 <= fact_of_constant(2**53 + 1).hi
    assert fact_of_constant(math.nan) == TOP
    assert fact_of_constant(0.1)[:2] == (0.1, 0.1)


def test_deep_terms() -> None:
    with rw.scope():
        term = rw.symbol("x", low=0)
        for _ in range(50_000):
            term = term + 1
        assert facts(term)[-1].lo == fact_of(term.store, term.id).lo == 50_000
